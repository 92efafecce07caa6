"""The page in a real browser: nothing complains, charts are drawn, tables sort and filter, cells open; whatever things are called."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from diffcompare.measure.audit.rows import Edge, Row
from diffcompare.measure.environment import Environment
from diffcompare.measure.record import Measurement
from diffcompare.problem import find
from diffcompare.report import page
from diffcompare.report.page import write
from diffcompare.report.studies import Studies, study

from .conftest import Browser

HERE = Environment("cpu", 2, "system", "python", "numpy=2", "", "abc", "", "2026-01-01T00:00:00+00:00")
HOSTILE = "</script><img src=x onerror=alert(1)>`|**\"'"
METHODS = {"ad.reverse": 1.0, "symbolic": 2.0, "fd.forward": 3.0, "fd.central": 4.0}


def row(problem: str, method: str, engine: str, **more: object) -> Measurement:
    base = Measurement(
        problem, "gradient", method, method.partition(".")[0], engine, "ok", point="start", wrt="x,y", environment=HERE.id, operations=20
    )
    times = {"derive_s": 1e-3, "compile_s": 2e-3, "first_call_s": 1e-4, "call_s": 1e-5 * METHODS[method], "primal_operations": 10}
    judged = {"error_ulp": 1.0, "error_rel": 1e-16, "error_conditioned": 0.5, "call_samples_s": (1e-5, 2e-5, 3e-5), "value": (1.0, 2.0)}
    return replace(base, **{**times, **judged, **more})  # type: ignore[arg-type]


def rows() -> list[Measurement]:
    found = [row(p, m, e) for p in ("f", HOSTILE) for m in METHODS for e in ("numpy", "python")]
    wrong = {"status": "inaccurate", "error_conditioned": 1e9, "message": f"off {HOSTILE}", "worst_value": 1.5, "worst_truth": 1.0}
    refused = {"status": "unsupported", "message": "no such thing", "error_conditioned": None, "call_s": None, "derive_s": None}
    found += [row("g(n=2)", m, "numpy", **wrong) for m in ("fd.forward",)]
    found += [row("g(n=2)", m, "python", **refused) for m in ("fd.forward",)]
    found += [row("g(n=2)", m, "numpy", kinks=1) for m in ("ad.reverse", "fd.central")]
    return found


def swept() -> list[Measurement]:
    """Times of the Helmholtz energy at three sizes."""
    found = []
    for n in (2, 4, 8):
        found.append(row(f"helmholtz(n={n})", "ad.reverse", "python", operator="value", call_s=1e-5))
        found += [row(f"helmholtz(n={n})", m, "python", call_s=1e-5 * s) for m, s in (("ad.reverse", 2.0), ("fd.forward", n + 1.0))]
    return found


def audited() -> list[Row | Edge]:
    judged = {"judged": 10, "max_bits": 1.0, "mean_bits": 0.5, "worst_at": "0x1p+0", "worst_value": 1.0, "worst_truth": 1.0}
    found: list[Row | Edge] = [Row("tanh", k, m, "numpy", **judged) for k in (1, 2) for m in ("ad.reverse", "symbolic")]  # type: ignore[arg-type]
    found.append(Row("tanh", 1, "peer.jax", "jax", **{**judged, "max_bits": 62.0, "bad": 4}))  # type: ignore[arg-type]
    found += [Edge("abs", 1, "x", "0x0.0p+0", "kink", "convention", 0.0, a, "", who) for a, who in ((0.0, "ad.reverse"), (1.0, "peer.jax"))]
    return found


@pytest.fixture(scope="module")
def studies() -> Studies:
    found = study([*find("seed_polynomial"), *find("polar_to_cartesian")], swept(), audited())
    assert found.costs is not None
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, studies: Studies) -> Path:
    made = tmp_path_factory.mktemp("report")
    write(made, rows(), {HERE.id: HERE}, [f"line 1 is left out: {HOSTILE}"], HOSTILE, studies)
    return made


@pytest.fixture(scope="module")
def shown(browser: Browser, folder: Path) -> Browser:
    browser.open(folder / "index.html")
    return browser


# --- the files ---


def test_the_page_needs_nothing_from_anywhere(folder: Path) -> None:
    text = (folder / "index.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text)
    assert "http" not in re.sub(r"\s(?:xmlns)=\"[^\"]*\"", "", text)
    assert "@import" not in text


def test_what_things_are_called_is_text_and_nothing_else(folder: Path) -> None:
    text = (folder / "index.html").read_text()
    assert "<img" not in text
    assert "&lt;img src=x" in text
    markdown = (folder / "report.md").read_text()
    assert "<img" not in re.sub(r"`[^`]*`", "", markdown)


def test_each_chapter_is_in_both_renderings(folder: Path) -> None:
    text, markdown = (folder / "index.html").read_text(), (folder / "report.md").read_text()
    for title in (
        "Verdict",
        "Who is right where",
        "Accuracy against time",
        "The step of a difference",
        "Expression swell",
        "What a gradient costs",
        "The sweeps, line by line",
        "The rules under audit",
        "Environment, and how to measure again",
        "Definitions",
    ):
        assert f"<h2>{title}</h2>" in text
        assert f"## {title}" in markdown


def test_every_chart_of_the_text_is_a_file_with_light_and_dark(folder: Path) -> None:
    named = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", (folder / "report.md").read_text())
    assert set(named) == {f"charts/{n}.svg" for n in ("accuracy", "steps", "swell", "scaling", "scaling-time", "graph", "audit")}
    for name in named:
        svg = (folder / name).read_text()
        assert svg.startswith("<svg")
        assert "prefers-color-scheme:dark" in svg


def test_the_survey_s_numbers_are_on_the_page(folder: Path) -> None:
    """Table 1's largest, table 2's and 3's last lines, figure 3's least errors, figure 5's ratios."""
    text = (folder / "index.html").read_text()
    for number in ("13,824", "5,472", "157", "11.652", "1.716", "−0.959", "10.693"):
        assert number in text
    assert "costs 2.3 times the function by reverse mode" in text
    assert "65 times by forward differences" in text
    assert re.search(r"ad\.reverse \d\.\de-1[5-6] without a step", text)


def test_links_lead_somewhere(folder: Path) -> None:
    text = (folder / "index.html").read_text()
    places = set(re.findall(r'id="([^"]*)"', text))
    assert set(re.findall(r'href="#([^"]*)"', text)) <= places
    ids = re.findall(r'id="([^"]*)"', text)
    assert len(ids) == len(set(ids))


def test_a_report_of_records_alone_has_no_chapter_that_needs_more(tmp_path: Path) -> None:
    text = write(tmp_path, rows(), {HERE.id: HERE}).read_text()
    assert "## Accuracy against time" in text
    for title in ("The step of a difference", "Expression swell", "The sweeps", "What a gradient costs"):
        assert title not in text


def test_without_the_extra_the_page_says_so_and_has_all_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, studies: Studies) -> None:
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    text = write(tmp_path, rows(), {HERE.id: HERE}, studies=studies).read_text()
    assert 'pip install "diffcompare[report]"' in text
    assert "charts/graph.svg" in text  # drawn by this package itself
    assert "charts/steps.svg" not in text
    html = (tmp_path / "index.html").read_text()
    assert "pip install &quot;diffcompare[report]&quot;" in html
    assert '<svg class="chart"' not in html
    assert "<h2>Expression swell</h2>" in html


# --- the browser ---


def test_nothing_complains_and_charts_are_drawn(shown: Browser) -> None:
    assert shown.complaints == []
    for figure in ("accuracy", "steps", "swell", "scaling", "scaling-time", "audit"):
        box = f"document.querySelector('#figure-{figure} .at-wide svg').getBoundingClientRect()"
        assert shown.run(f"{box}.width") > 300
        assert shown.run(f"document.querySelectorAll('#figure-{figure} .at-wide [data-tip]').length") > 2
        assert shown.run(f"getComputedStyle(document.querySelector('#figure-{figure} .at-narrow')).display") == "none"
    assert shown.run("document.querySelector('.dc-graph').getBoundingClientRect().height") > 100


def test_a_heading_sorts_up_and_then_down(shown: Browser) -> None:
    names = "[...document.querySelectorAll('table.grid')[0].tBodies[0].rows].map(r => r.cells[0].textContent)"
    shown.click("table.grid th:nth-child(2) .sort")  # how many are ok
    assert shown.run(names)[0] == "fd.forward"
    shown.click("table.grid th:first-child .sort")
    assert shown.run(names) == ["ad.reverse", "fd.central", "fd.forward", "symbolic"]
    shown.click("table.grid th:first-child .sort")
    assert shown.run(names) == ["symbolic", "fd.forward", "fd.central", "ad.reverse"]
    assert shown.run("document.querySelector('table.grid th').getAttribute('aria-sort')") == "descending"
    shown.click("table.grid th:last-child .sort")  # by the problem that only some were asked: what is missing comes last
    assert shown.run(names)[-1] == "symbolic"


def test_numbers_sort_as_numbers(shown: Browser) -> None:
    shown.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    values = "[...document.querySelector('#figure-swell + * table').tBodies[0].rows].map(r => Number(r.cells[1].dataset.v))"
    shown.run("document.querySelector('#figure-swell + * table th:nth-child(2) .sort').click()")
    assert shown.run(values) == sorted(shown.run(values))
    shown.run("document.querySelector('#figure-swell + * table th:nth-child(2) .sort').click()")
    assert shown.run(values) == sorted(shown.run(values), reverse=True)


def test_the_matrix_filters_by_name_engine_and_status(shown: Browser) -> None:
    visible = "[...document.querySelector('table.grid').tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[0].textContent).sort()"

    def enter(**fields: str) -> list[str]:
        script = "".join(f"f.elements.{k}.value = {json.dumps(v)};" for k, v in fields.items())
        shown.run(f"(() => {{ const f = document.querySelector('.filters'); {script} f.dispatchEvent(new Event('input')); }})()")
        return list(shown.run(visible))

    assert enter(text="fd ad") == ["ad.reverse", "fd.central", "fd.forward"]
    assert enter(text="", status="inaccurate") == ["fd.forward"]
    assert enter(status="inaccurate", engine="python") == []
    assert shown.run("document.querySelector('.matrix .none').hidden") is False
    assert enter(status="", engine="") == ["ad.reverse", "fd.central", "fd.forward", "symbolic"]


def test_a_cell_opens_its_numbers_by_mouse_and_by_keyboard(shown: Browser) -> None:
    shown.click('button.cell[data-key="gradient|g(n=2)|fd.forward"]')
    shown.wait("document.getElementById('cell').open")
    text = shown.run("document.getElementById('cell').textContent")
    for part in ("fd.forward: gradient of g(n=2)", "inaccurate", "1.5", "off </script><img", "quartiles", "diffcompare compare 'g(n=2)'"):
        assert part in text
    shown.run('document.querySelector(\'#cell a[href="#def-of-its-bound"], #cell a[href="#def-ulp"]\').focus()')
    assert "How many floats" in shown.run("document.getElementById('tip').textContent")
    assert shown.run("[...document.querySelectorAll('#cell a.term')].every(a => document.querySelector(a.getAttribute('href')))")
    shown.key("Escape")
    shown.wait("!document.getElementById('cell').open")
    shown.run("document.querySelector('button.cell').focus()")
    shown.key("Enter")
    shown.wait("document.getElementById('cell').open")
    assert shown.run("document.querySelectorAll('img').length") == 0
    shown.key("Escape")
    assert shown.complaints == []


def test_another_problem_is_drawn_when_it_is_chosen(shown: Browser) -> None:
    shown.run(
        "(() => { const s = document.querySelector('#figure-steps select'); s.selectedIndex = 1; s.dispatchEvent(new Event('input')); })()"
    )
    shown.wait("document.querySelectorAll('#figure-steps .choice').length === 2")
    shown.wait("document.querySelectorAll('#figure-steps .choice[hidden]').length === 1")
    assert "seed_polynomial" in shown.run("document.querySelector('#figure-steps .choice:not([hidden]) .plot').getAttribute('aria-label')")
    assert shown.run("document.querySelectorAll('#figure-steps .choice:not([hidden]) .at-wide [data-tip]').length") > 20


def test_a_mark_says_what_it_is_to_the_mouse_and_to_the_keyboard(shown: Browser) -> None:
    x, y = shown.run(
        "(() => { const m = document.querySelector('#figure-swell .at-wide [data-tip]'); m.scrollIntoView({block: 'center', behavior: 'instant'}); "
        "const b = m.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; })()"
    )
    shown.hover(x, y)
    shown.wait("document.getElementById('tip').matches(':popover-open')")
    assert "operations" in shown.run("document.getElementById('tip').textContent")
    shown.run("document.querySelector('#figure-audit .at-wide').focus()")
    shown.key("ArrowRight")
    assert "tanh, order 1, ad.reverse on numpy" in shown.run("document.getElementById('tip').textContent")
    shown.key("Escape")
    assert not shown.run("document.getElementById('tip').matches(':popover-open')")


def test_a_phone_has_no_sideways_scrolling_and_its_own_charts(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 390, 844, dark=True)
    assert browser.run("document.documentElement.scrollWidth") == 390
    assert browser.run("getComputedStyle(document.querySelector('#figure-steps .at-wide')).display") == "none"
    assert 250 < browser.run("document.querySelector('#figure-steps .at-narrow svg').getBoundingClientRect().width") <= 390
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 29)"
    line = "getComputedStyle(document.querySelector('#figure-steps .at-narrow [stroke=\"#0072b2\"]')).stroke"
    assert browser.run(line) == "rgb(98, 184, 240)"
    assert browser.complaints == []


def test_without_its_script_the_page_still_shows_verdict_matrix_and_charts(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", script=False)
    text = browser.run("document.body.innerText")
    assert "take ad.reverse on" in text
    assert browser.run("document.querySelector('#figure-steps .at-wide svg').getBoundingClientRect().width") > 300
    browser.open(folder / "index.html")


@pytest.mark.parametrize("empty", [(), (replace(row("f", "ad.reverse", "numpy"), status="failed", call_s=None, error_conditioned=None),)])
def test_a_page_of_nothing_or_of_failures_is_a_page(browser: Browser, tmp_path: Path, empty: tuple[Measurement, ...]) -> None:
    write(tmp_path, empty, {HERE.id: HERE})
    browser.open(tmp_path / "index.html")
    assert browser.complaints == []
    assert browser.run("document.querySelectorAll('h2').length") >= 3

"""Records and studies -> a report on disk: index.html, report.md, charts/*.svg, data/*. It reads, computes and draws; it times nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from ..measure.changes import Changes
from ..measure.environment import Environment
from ..measure.record import Measurement, Store, packed
from . import marked, markup, matrix, tables
from .baseline import COLUMNS, rows
from .blocks import Chapter, Figure, Picture
from .chapters import chapters
from .definitions import TERMS, place
from .given import Given
from .studies import Studies

RECORDS = "records.jsonl"
EXTRA = 'The charts are not drawn: they need Altair, which `pip install "diffcompare[report]"` brings.'


def write(
    folder: Path,
    measurements: Sequence[Measurement],
    environments: Mapping[str, Environment],
    complaints: Sequence[str] = (),
    name: str = "diffcompare",
    studies: Studies | None = None,
    changes: Changes | None = None,
    baseline: str = "",
) -> Path:
    """Write the report; the path of report.md. data/records.jsonl is written unless it is there: then the records came from it.

    complaints: what could not be read, shown at the top. changes: against the older report `baseline`. Without the extra `report` the charts are left out, and the report
    says so. Raises OSError where the folder cannot be written.
    """
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    if not ((data / RECORDS).exists() or packed(data / RECORDS).exists()):
        with Store(data / RECORDS) as store:
            for environment in environments.values():
                store.add(environment)
            for measurement in measurements:
                store.add(measurement)
    drawing = can_draw()
    given = Given(measurements, environments, [*complaints, *([] if drawing else [EXTRA])], name, studies or Studies(), changes, baseline)
    for label, table in numbers(given).items():
        table.to_csv(data / f"{label}.csv", lineterminator="\n")
    made = chapters(given)
    _render("report.md.j2", folder / "report.md", {"given": given, "chapters": _marked(made, folder, drawing)})
    _render("index.html.j2", folder / "index.html", _page(given, made, drawing))
    return folder / "report.md"


def can_draw() -> bool:
    """Whether the extra `report` is installed."""
    return find_spec("altair") is not None and find_spec("vl_convert") is not None


def numbers(given: Given) -> dict[str, pd.DataFrame]:
    """The tables that become CSV files."""
    main, studies = given.main, given.studies
    found = {
        "problems": tables.problems(given.cells),
        "status": tables.status(main),
        "standing": tables.standing(main),
        "error_conditioned": tables.accuracy(main, "error_conditioned"),
        "error_ulp": tables.accuracy(main, "error_ulp"),
        "error_rel": tables.accuracy(main, "error_rel"),
        "call_s": tables.call_seconds(main),
        "phases": tables.phases(main),
        "operations_ratio": tables.cost_ratio(main),
        "wrong": tables.wrong(given.cells).set_index("problem"),
        "refused": tables.refused(given.cells).set_index("method"),
    }
    if given.changes is not None:
        found["changes"] = pd.DataFrame(list(rows(given.changes.changes)), columns=list(COLUMNS)).set_index("change")
    if studies.curves:
        found["steps"] = pd.concat(studies.curves, names=["problem", "row"]).droplevel("row")
    if studies.swell is not None:
        found["swell"] = studies.swell.set_index("n")
    if studies.costs is not None:
        found["scaling"] = studies.costs.set_index("problem")
    return found


def _marked(made: Sequence[Chapter], folder: Path, drawing: bool) -> list[str]:
    """The chapters as Markdown, their charts as files."""
    drawn: dict[str, str] = {}
    for chapter in made:
        for block in chapter.blocks:
            if isinstance(block, Picture):
                drawn[block.name] = block.svg
            elif isinstance(block, Figure) and drawing:
                from .charts import svg

                drawn[block.name] = svg(block.choices[0].draw, alone=True)
    (folder / "charts").mkdir(exist_ok=True)
    for name, content in drawn.items():
        (folder / "charts" / f"{name}.svg").write_text(content, encoding="utf-8", newline="\n")
    return [marked.chapter(c, {name: f"charts/{name}.svg" for name in drawn}) for c in made]


def _page(given: Given, made: Sequence[Chapter], drawing: bool) -> dict[str, Any]:
    """What the template of the page shows."""

    def draw(choice: Any, narrow: bool) -> str:
        if not drawing:
            return ""
        from .charts import svg

        return svg(choice.draw, narrow)

    style = (files("diffcompare.report") / "templates" / "page.css").read_text(encoding="utf-8")
    script = (files("diffcompare.report") / "templates" / "page.js").read_text(encoding="utf-8")
    if drawing:
        from .charts import dark_rules

        style += f"@media screen and (prefers-color-scheme:dark){{{dark_rules('svg.chart ')}}}\n"
    return {
        "given": given,
        "chapters": [(c, markup.chapter(c, draw)) for c in made],
        "complaints": [markup.inline(c) if c is EXTRA else None for c in given.complaints],
        "terms": [(term, place(term), text) for term, text in TERMS.items()],
        "style": style,
        "script": script,
        "numbers": markup.packed(
            json.dumps(
                matrix.numbers(tables.select(given.cells, given.left_out), matrix.break_evens(given.measurements)), separators=(",", ":")
            ),
            "numbers",
        ),
    }


def _render(template: str, path: Path, content: dict[str, Any]) -> None:
    from jinja2 import Environment as Jinja
    from jinja2 import PackageLoader, StrictUndefined

    jinja = Jinja(
        loader=PackageLoader("diffcompare.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=template.endswith(".html.j2"),
    )
    jinja.globals["terms"] = TERMS
    path.write_text(jinja.get_template(template).render(content), encoding="utf-8", newline="\n")

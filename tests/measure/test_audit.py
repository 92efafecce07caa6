"""The audit: planted faults are caught in every function, conventions hold, what goes wrong is a status, and any answer can be replayed."""

from __future__ import annotations

import csv
import json
import math
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cloudpickle
import numpy as np
import pytest
from typer.testing import CliRunner

import diffcompare as dc
from diffcompare.cli import app
from diffcompare.differentiators.base import Differentiator, Request, Runner
from diffcompare.dsl.core import PRIMITIVES
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.engines.base import Array, Engine
from diffcompare.errors import DiffCompareError
from diffcompare.measure.audit import Audit, audit, replay
from diffcompare.measure.audit.findings import findings
from diffcompare.measure.audit.plan import OURS, SERVING, auditable, contestants, peers, subjects
from diffcompare.measure.audit.result import read
from diffcompare.measure.audit.rows import Row, from_json, to_json, together
from diffcompare.measure.audit.sheets import pages
from diffcompare.measure.audit.special import CONVENTIONS
from diffcompare.transforms.cost import Cost

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the worker cannot import a test

SMOOTH = [p for p in auditable() if p.partials is not None]


def ours(
    functions: Any, orders: Sequence[int] = (0, 1, 2), methods: Any = "ad.*", engines: Any = ("numpy", "python"), **options: Any
) -> Audit:
    """An audit of our own, in this process."""
    return audit([], functions, orders, methods=methods, engines=engines, isolated=False, **options)


@pytest.fixture(scope="module")
def small() -> Audit:
    """Two functions, two engines and JAX's own derivatives, in worker processes."""
    return audit("jax", ["tanh", "hypot"], engines=["numpy", "python"], points=60, seed=3)


# --- planted faults ---


@pytest.mark.parametrize("primitive", SMOOTH, ids=lambda p: p.name)
def test_a_planted_error_of_1e_13_is_caught(primitive: Elementwise, monkeypatch: pytest.MonkeyPatch) -> None:
    right = primitive.partials
    assert right is not None
    monkeypatch.setattr(primitive, "partials", lambda *args: tuple(None if p is None else p * (1.0 + 1e-13) for p in right(*args)))
    found = ours(primitive.name, (1,), engines="numpy", points=40)
    assert found.broken == [r for r in found.rows if primitive.bound((0,)) is not None]
    for row in found.rows:
        assert 200 < (row.p50_ulp or 0.0) < 2000, row  # 1e-13 is 450 ulp at 1, between 225 and 900 elsewhere


def test_a_textbook_rule_for_tanh_is_seen_in_both_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PRIMITIVES["tanh"], "partials", lambda y, x: (1.0 - y * y,))
    found = ours("tanh", (1, 2), methods="ad.forward", engines="numpy")
    for row in found.rows:
        assert row.max_bits is not None and row.max_bits > 60
        assert row.bad_share > 0.2
        assert row.over_promise is not None and row.over_promise > 1e14
    assert found.rows[0].worst_at in {",".join(r[1:]) for r in found.samples["tanh"].rows()}


def test_our_own_tanh_keeps_its_promise() -> None:
    found = ours("tanh")
    assert not found.broken
    assert {r.method for r in found.rows if r.order == 0} == {"value"}
    assert all(r.judged > 200 and not r.bad and not r.nonfinite and not r.zeros_missed for r in found.rows)


# --- special points ---


@pytest.mark.parametrize(("name", "order"), CONVENTIONS, ids=str)
def test_conventions_hold_on_our_engines(name: str, order: int) -> None:
    found = ours(name, (order,), points=10)
    assert not found.wrong()
    agreed = [e for e in found.edges if e.known == "convention"]
    assert agreed and {e.answer for e in agreed} == {CONVENTIONS[name, order]}


def test_a_finite_slope_where_the_function_is_undefined_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PRIMITIVES["log"], "partials", lambda y, x: (1.0 / x,))
    found = ours("log", (1,), engines="numpy", points=10)
    outside = [e for e in found.wrong() if e.place == "outside"]
    assert [(e.at, e.answer, e.known) for e in outside if e.at == (-1.0).hex()] == [((-1.0).hex(), -1.0, "undefined")]
    assert "-1" in str(found) and "not finite: undefined" in str(found)


def test_infinities_and_nan_are_asked_and_only_nan_is_judged() -> None:
    edges = ours("exp", (1,), engines="numpy", points=10).edges
    known = {e.place: e for e in edges}
    assert known["infinity"].verdict == "" and known["nan"].verdict == "right"
    assert {float.fromhex(e.at) for e in edges if e.place == "infinity"} == {math.inf, -math.inf}


# --- the whole machinery ---


def test_rows_have_every_contestant_and_order(small: Audit) -> None:
    asked = {(r.function, r.order, r.method, r.engine) for r in small.rows}
    assert len(asked) == len(small.rows)
    for function in ("tanh", "hypot"):
        for engine in ("numpy", "python"):
            assert (function, 0, "value", engine) in asked
            assert all((function, o, m, engine) in asked for o in (1, 2) for m in OURS)
        assert all((function, o, "peer.jax", "jax") in asked for o in (0, 1, 2))
    assert all(r.status == "ok" and r.judged > 30 for r in small.rows)


def test_processes_and_this_process_agree(small: Audit) -> None:
    here = ours("tanh", (1,), methods="ad.forward", engines="numpy", points=60, seed=3)
    (there,) = [r for r in small.rows if (r.function, r.order, r.method, r.engine) == ("tanh", 1, "ad.forward", "numpy")]
    assert here.rows == [there]


def test_every_worst_point_can_be_replayed(small: Audit) -> None:
    for row in small.worst(3):
        command = shlex.split(row.replay)
        assert command[:3] == ["diffcompare", "audit", "--replay"]
        again = replay(command[3])
        (same,) = [r for r in again.rows if (r.method, r.engine) == (row.method, row.engine)]
        assert same.worst_at == row.worst_at
        assert (same.worst_value == row.worst_value or math.isnan(row.worst_value or 0.0)) and same.worst_truth == row.worst_truth


def test_a_replay_shows_answer_and_truth() -> None:
    text = str(replay("log 1 ad.forward numpy -0x1p0", isolated=False))
    assert "d log/dx" in text and "undefined" in text and "right" in text
    assert "0x1.0000000000000p+0" in str(replay("exp 0 value numpy 0x1p0", isolated=False))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tanh 1 peer.jax jax", "a replay reads like"),
        ("tanh 3 ad.forward numpy 0x1p0", "a replay reads like"),
        ("tanh 1 ad.forward numpy one", "'one' is not a number"),
        ("nosuch 1 ad.forward numpy 1", "no elementwise function 'nosuch'"),
        ("tanh 1 ad.forward nosuch 1", "no engine is named 'nosuch'"),
        ("tanh 1 peer.nosuch numpy 1", "no library 'nosuch'"),
        ("hypot 1 ad.forward numpy 1", "nothing to audit"),
    ],
)
def test_a_wrong_replay_is_refused(text: str, message: str) -> None:
    with pytest.raises(DiffCompareError, match=message):
        replay(text, isolated=False)


def test_records_survive_their_file(small: Audit, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(small.jsonl())
    back = [r for r in read(path) if isinstance(r, Row)]
    assert sorted(map(repr, back)) == sorted(map(repr, small.rows))
    assert json.loads(path.read_text().splitlines()[0])["seed"] == 3
    for record in small.records:
        assert repr(from_json(json.loads(json.dumps(to_json(record), allow_nan=False)))) == repr(record)
    (tmp_path / "bad.jsonl").write_text('{"kind": "row"}\n')
    with pytest.raises(DiffCompareError, match=r"bad.jsonl, line 1 is no record of an audit: KeyError: 'who'"):
        read(tmp_path / "bad.jsonl")


def test_a_folder_has_the_report_its_picture_and_its_tables(small: Audit, tmp_path: Path) -> None:
    paths = small.write(tmp_path / "audit")
    assert [p.name for p in paths] == ["report.md", "table.csv", "special.csv", "heat.svg"]
    report, picture = (paths[k].read_text() for k in (0, 3))
    assert "](heat.svg)" in report
    for node in ElementTree.fromstring(picture).iter():
        assert float(node.get("x") or 0) >= 0
    assert ">tanh<" in picture and "62 " in picture
    with paths[1].open(newline="") as file:
        lines = list(csv.DictReader(file))
    (jax,) = [line for line in lines if (line["function"], line["order"], line["who"]) == ("tanh", "1", "peer.jax")]
    (row,) = [r for r in small.rows if (r.function, r.order, r.method) == ("tanh", 1, "peer.jax")]
    assert int(jax["bad"]) == row.bad
    assert float.fromhex(jax["worst_at"]) == float.fromhex(row.worst_at)
    values = audit([], "exp", (0,), engines="numpy", points=5, isolated=False)
    assert [p.name for p in values.write(tmp_path / "values")] == ["report.md", "table.csv", "special.csv"]


def test_findings_are_made_of_the_rows(small: Audit) -> None:
    jax, theirs, first, second = findings(small)
    assert jax.startswith("jax: first derivatives within 4 ulp on ") and "half of the digits lost on 2: tanh (" in jax
    assert theirs.startswith("SymPy (method symbolic): ")
    assert "the first derivatives of 2 of 2 functions are within 4 ulp at every point." in first
    assert "the second derivatives of 2 of 2" in second
    both = audit(["jax", "autograd"], ["asinh", "expm1"], (1,), engines="numpy", points=60, isolated=False)
    assert findings(both)[0] == "First derivatives that lose more than half of their digits somewhere: asinh, expm1 by all 2 libraries."
    assert findings(ours("tanh", (1,), methods="ad.forward", engines="numpy", points=[1.0])) == []


def test_a_broken_rule_is_a_finding_and_the_promises_are_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    right = PRIMITIVES["exp"].partials
    monkeypatch.setattr(PRIMITIVES["exp"], "partials", lambda y, x: (right(y, x)[0] * (1.0 + 1e-13),))
    found = ours(["exp", "atan"], (1, 2), engines="numpy", points=40)
    assert "beyond what is promised: exp." in findings(found)[0]  # of the first derivative; the second is built of it
    promised = {line[0].text: [c.text for c in line[1:]] for s in pages(found) if s.title == "Our rules" for line in s.lines}
    assert promised["d²atan/dx²"][0] == "8" and promised["d²atan/dx²"][2]
    assert promised["first derivative of 2 others"][0] == "4"
    assert "exp" in promised["first derivative of 2 others"][1]


def test_only_our_rules_on_engines_that_promise_can_be_broken() -> None:
    found = audit([], "erf", (1,), methods=["symbolic", "ad.reverse"], engines="numpy", points=60, isolated=False)
    symbolic = next(r for r in found.rows if r.method == "symbolic")
    assert symbolic.over_promise is not None and symbolic.over_promise > 1
    assert not found.broken


def test_all_libraries_are_those_with_rules_of_their_own() -> None:
    assert not {"peer.numdifftools", "peer.scipy.differentiate"} & {m.name for m in peers("all")}
    assert [m.name for m in peers(["numdifftools"])] == ["peer.numdifftools"]


def test_every_view_says_the_same(small: Audit) -> None:
    text, html, markdown = str(small), small._repr_html_(), small.markdown()
    for view in (text, html, markdown):
        assert "tanh" in view and "econd derivative" in view and "peer.jax" in view
    assert small.rows[0].function in set(small.table["function"])
    assert small.heat(1).loc["tanh", "ad.forward numpy"] <= 2.4
    assert "background:#" in html and html.count("<table>") == html.count("</table>")
    assert all(line.count(" | ") >= 1 for line in markdown.splitlines() if line.startswith("|"))


class Planted(Differentiator):
    """A method that fails in its own way when it is called."""

    family = "ad"

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Any:
        return type(self), (self.name,)

    def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Runner:
        return Failing(self.name, request)


class Failing(Runner):
    def __init__(self, how: str, request: Request) -> None:
        self.how, self.function = how, request.function

    @property
    def cost(self) -> Cost | None:
        return None

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        if self.how == "raises":
            raise ZeroDivisionError("planted")
        if self.how == "crashes":
            os._exit(3)
        time.sleep(60)
        return []


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        ("raises", "failed", "when it was called: ZeroDivisionError: planted"),
        ("crashes", "failed", "the process ended with exit code 3"),
        ("hangs", "timeout", "no answer within 2 s"),
    ],
)
def test_a_fault_is_the_status_of_its_row_alone(how: str, status: str, message: str) -> None:
    found = audit([], "exp", (1,), methods=["ad.reverse", Planted(how)], engines="numpy", points=10, timeout=2)
    honest, faulty = found.rows
    assert (honest.method, honest.status, honest.message) == ("ad.reverse", "ok", "") and honest.judged > 0
    assert (faulty.method, faulty.status, faulty.message) == (how, status, message)
    assert message in " ".join(found.markdown().split())


def test_a_users_function_is_audited_in_a_process_too() -> None:
    dc.primitive("audited_cube", lambda x: x * x * x, lambda x: 3 * x * x * (1 + 1e-13), replace=True)
    try:
        found = audit([], "audited_cube", (1,), methods="ad.forward", engines="numpy", points=30)
        assert [r.status for r in found.rows] == ["ok"] and found.broken == found.rows
    finally:
        del PRIMITIVES["audited_cube"], dc.dsl.core.FUNCTIONS["audited_cube"]


# --- what is asked, and refusals ---


def test_functions_that_serve_others_are_left_out_unless_they_are_named() -> None:
    names = {s.name for s in subjects(None, 5, 0)}
    assert {"tanh", "pow", "abs", "floor"} <= names
    assert not SERVING & names and "asin_slope" not in names
    assert set(PRIMITIVES) >= SERVING
    assert [s.name for s in subjects(["asin_slope"], 5, 0)] == ["asin_slope"]


def test_given_points_go_to_functions_with_as_many_arguments() -> None:
    planned = subjects(["exp", "hypot"], [1.0, (3.0, 4.0)], 0)
    assert [(s.name, list(s.sample)) for s in planned] == [("exp", [(1.0,)]), ("hypot", [(3.0, 4.0)])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"libraries": "nosuch"}, "no library 'nosuch' to audit; there are: .*jax"),
        ({"functions": "nosuch"}, "no elementwise function 'nosuch'"),
        ({"functions": "exp", "orders": (3,)}, r"orders 0 \(the value\), 1 and 2, got 3"),
        ({"functions": "exp", "orders": ()}, "got none"),
        ({"functions": "exp", "timeout": 0}, "positive number of seconds, at most .*, got 0"),
        ({"functions": "exp", "points": 0}, "at least one point"),
        ({"functions": "exp", "points": ["a"]}, r"a point is a number, or a sequence of them .*, got \('a',\)"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DiffCompareError, match=message):
        audit(**arguments)


def test_the_default_is_ours_and_jax() -> None:
    asked = contestants(None, None, None, (0, 1, 2))
    assert {c.label for c in asked} == {"value", *OURS, "peer.jax"}
    assert {c.method.name for c in contestants("all", None, None, (1,)) if c.method.family == "peer"} >= {"peer.jax"}


def test_some_of_all_contestants_in_short() -> None:
    everyone = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("value", "x")]
    assert together(everyone, everyone) == "all"
    assert together([("a", "x"), ("a", "y")], everyone) == "a"
    assert together([("a", "x"), ("b", "x")], everyone) == "a, b on x"
    assert together([("a", "x"), ("a", "y"), ("b", "y")], everyone) == "a, b on y"
    assert together([("value", "x")], everyone) == "values"
    assert together([("a", "x")], [("a", "x")]) == "a"


# --- the command ---


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    ran = CliRunner().invoke(
        app,
        [
            "audit",
            "jax",
            "--function",
            "sqrt",
            "--order",
            "1",
            "--points",
            "20",
            "--engine",
            "numpy",
            "--format",
            "csv",
            "--out",
            str(tmp_path),
        ],
    )
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.splitlines()[0].startswith("function,order,method,engine")
    assert {line.split(",")[2] for line in ran.stdout.splitlines()[1:]} == {*OURS, "peer.jax"}
    assert (tmp_path / "report.md").read_text().startswith("# How many digits")
    json_lines = CliRunner().invoke(app, ["audit", "--replay", "exp 1 ad.forward numpy 0x1p0", "--format", "json"]).stdout
    assert {json.loads(line)["kind"] for line in json_lines.splitlines()} == {"environment", "row", "edge"}
    assert np.isclose(json.loads(json_lines.splitlines()[1])["worst_truth"], math.e)

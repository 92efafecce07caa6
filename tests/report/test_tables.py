"""Tables and the page are functions of records alone, told by records made up for the purpose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from diffcompare.measure.environment import Environment
from diffcompare.measure.record import Measurement, read
from diffcompare.report import tables
from diffcompare.report.page import write
from diffcompare.report.verdict import choices, recommendations, rejected, verdict

HERE = Environment("cpu", 2, "system", "python", "numpy=2", "", "abc", "", "2026-01-01T00:00:00+00:00")


def row(problem: str, method: str, status: str = "ok", point: str = "start", **more: object) -> Measurement:
    base = Measurement(
        problem=problem,
        operator="gradient",
        method=method,
        family=method.partition(".")[0],
        engine="numpy",
        status=status,
        point=point,
        wrt="x,y",
        environment=HERE.id,
    )
    timed: dict[str, object] = {
        "derive_s": 1e-3,
        "compile_s": 2e-3,
        "first_call_s": 1e-4,
        "call_s": 1e-5,
        "operations": 20,
        "primal_operations": 10,
    }
    judged: dict[str, object] = {"error_ulp": 1.0, "error_rel": 1e-16, "error_conditioned": 0.5}
    measured = timed | judged if status == "ok" else judged if status == "inaccurate" else {}
    return replace(base, **{**measured, **more})  # type: ignore[arg-type]


ROWS = [
    row("f", "ad.reverse"),
    row("f", "ad.reverse", point="far"),
    row("g(n=2)", "ad.reverse", call_s=4e-5),
    row("f", "fd.central", call_s=3e-5),
    row("f", "fd.central", "inaccurate", point="far", error_conditioned=1e6, message="entry 0 is 1.0 | the truth is 2.0"),
    row("g(n=2)", "fd.central", "timeout", message="no answer within 1 s"),
    row("f", "symbolic", "unsupported", message="no <form>"),
    row("f", "symbolic", "unsupported", point="far", message="no <form>"),
    row("g(n=2)", "symbolic", "too_large", message="9 operations"),
]
CELLS = tables.frame(ROWS)


def test_status_names_what_is_not_ok_and_how_often() -> None:
    table = tables.status(CELLS)
    assert table.loc["ad.reverse · numpy"].tolist() == ["ok", "ok"]
    assert table.loc["fd.central · numpy"].tolist() == ["1 inaccurate of 2", "timeout"]
    assert table.columns.tolist() == ["f", "g"], "sizes are left out where names tell problems apart"


def test_sizes_stay_where_a_problem_is_there_twice() -> None:
    cells = tables.frame([row("g(n=2)", "ad.reverse"), row("g(n=3)", "ad.reverse")])
    assert tables.status(cells).columns.tolist() == ["g(n=2)", "g(n=3)"]


def test_accuracy_is_the_worst_over_points_and_time_that_of_the_first() -> None:
    worst = tables.accuracy(CELLS, "error_conditioned")
    assert worst.loc["fd.central · numpy", "f"] == 1e6
    assert pd.isna(worst.loc["symbolic · numpy", "f"])
    assert tables.call_seconds(CELLS).loc["ad.reverse · numpy", "g"] == 4e-5


def test_standing_puts_what_is_right_everywhere_first_and_counts_refusals_apart() -> None:
    table = tables.standing(CELLS)
    assert table.index.tolist()[0] == "ad.reverse · numpy"
    assert table.loc["fd.central · numpy", ["answered", "ok", "not taken"]].tolist() == [3, 1, 0]
    assert table.loc["symbolic · numpy", ["answered", "ok", "not taken"]].tolist() == [0, 0, 3]
    assert table.loc["ad.reverse · numpy", "call / best"] == 1.0
    assert table.loc["fd.central · numpy", "call / best"] == pytest.approx(3.0)


def test_total_time_is_preparation_and_calls() -> None:
    expected = 1e-3 + 2e-3 + 1e-4 + 999 * 1e-5
    assert tables.total_seconds(CELLS).loc["ad.reverse · numpy", "f"] == pytest.approx(expected)


def test_every_cell_that_is_not_ok_is_listed_once_with_its_reason() -> None:
    wrong, refused = tables.wrong(CELLS), tables.refused(CELLS)
    assert wrong[["problem", "point", "status"]].to_numpy().tolist() == [["g", "start", "timeout"], ["f", "far", "inaccurate"]]
    assert refused[["method", "status", "cells"]].to_numpy().tolist() == [["symbolic", "unsupported", 2], ["symbolic", "too_large", 1]]
    assert len(wrong) + refused["cells"].sum() == (CELLS["status"] != "ok").sum()


def test_a_row_can_be_measured_again() -> None:
    again = tables.replay(tables.frame([row("g(n=2)", "fd.central", point="far away")]).iloc[0])
    assert again == "diffcompare compare 'g(n=2)' --point 'far away' --operator gradient --wrt x,y --method fd.central --engine numpy"
    text = tables.replay(tables.frame([row("f", "ad.reverse", source="x**2*y", at="x=3.0,y=4.0", order=2)]).iloc[0])
    assert text.startswith("diffcompare compare 'x**2*y' --at x=3.0,y=4.0 ")
    assert "--order 2" in text


def test_markdown_keeps_its_columns_whatever_the_text() -> None:
    text = tables.markdown(pd.DataFrame({"a|b": ["x|y\nz"], "c": ["<b>"]}), index=False)
    assert text.splitlines() == ["| a\\|b | c |", "| --- | --- |", "| x\\|y z | &lt;b> |"]


def test_the_verdict_names_the_choice_and_what_is_not_right() -> None:
    choice, reason, *_, rejected, counted = verdict(recommendations(ROWS), CELLS)
    assert "take **`ad.reverse` on `numpy`**" in choice
    assert "right at all 3 points" in reason
    assert "no answer in time: `fd.central`" in rejected.lower()
    assert "refused: `symbolic`" in rejected or "too large: `symbolic`" in rejected
    assert "9 cells" in counted
    assert "4 ok" in counted


def test_formulas_by_hand_are_the_yardstick_and_not_the_choice() -> None:
    rows = [*ROWS, *(replace(r, method="manual", family="manual", call_s=1e-6) for r in ROWS[:3])]
    found = recommendations(rows)
    sentences = verdict(found, tables.frame(rows))
    assert "take **`ad.reverse` on `numpy`**" in sentences[0]
    assert any("Formulas written by hand" in s and "save " in s for s in sentences)
    assert choices(found)["take"].tolist() == ["ad.reverse · numpy"] * 3
    assert choices(found)["by hand"].tolist() == ["manual · numpy"] * 3
    listed = rejected(rows, found[1000])["method"].tolist()
    assert "ad.reverse" not in listed
    assert {"fd.central", "symbolic"} <= set(listed)
    only = [replace(r, method="manual", family="manual") for r in ROWS[:3]]
    assert "take **`manual` on `numpy`**" in verdict(recommendations(only), tables.frame(only))[0]


def test_nothing_right_is_said_and_not_chosen() -> None:
    rows = [row("f", "fd.central", "nan")]
    assert verdict(recommendations(rows), tables.frame(rows))[0].startswith("No method is right at every point")
    assert choices(recommendations(rows)).empty


def test_no_records_make_a_report_all_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "empty", [], {}, ["records.jsonl, line 1 is left out: not JSON"])
    text = path.read_text()
    assert "Nothing was measured" in text
    assert "line 1 is left out" in text


def test_the_page_says_it_all(tmp_path: Path) -> None:
    path = write(tmp_path / "r", ROWS, {HERE.id: HERE}, name="example")
    text = path.read_text()
    for part in ("# example", "## Verdict", "1 inaccurate of 2", "no &lt;form>", "ad.reverse · numpy", "code abc", "diffcompare compare"):
        assert part in text
    page = (tmp_path / "r" / "index.html").read_text()
    assert "no &lt;form&gt;" in page
    assert "<form>" not in page
    assert read(tmp_path / "r" / "data" / "records.jsonl").measurements == ROWS
    assert pd.read_csv(tmp_path / "r" / "data" / "call_s.csv", index_col=0).loc["fd.central · numpy", "f"] == 3e-5


def test_a_report_is_a_function_of_its_records(tmp_path: Path) -> None:
    first = write(tmp_path / "a", ROWS, {HERE.id: HERE}).read_bytes()
    records = read(tmp_path / "a" / "data" / "records.jsonl")
    assert write(tmp_path / "b", records.latest(), records.environments).read_bytes() == first

"""The bar estimates the time left from the pace so far, by a clock that only the test moves."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from diffcompare.measure.plan import chosen, jobs
from diffcompare.measure.progress import bar, measure_all
from diffcompare.measure.record import read
from diffcompare.measure.run import Limits


def test_the_time_left_follows_from_the_pace() -> None:
    now = [0.0]
    out = io.StringIO()
    progress = bar(Console(file=out, width=100, force_terminal=True), clock=lambda: now[0])
    task = progress.add_task("timing", total=10)
    for _ in range(5):
        now[0] += 60.0
        progress.update(task, advance=1)
    shown = Console(file=io.StringIO(), width=100)
    with shown.capture() as capture:
        shown.print(progress.get_renderable())
    line = capture.get()
    assert "50%" in line
    assert "0:05:00 left 0:05:00" in line
    assert "timing" in line


def test_what_is_in_the_records_is_not_measured_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = jobs(chosen(["three_variables"]), methods=["ad.*"], engines="numpy")
    path = tmp_path / "data" / "records.jsonl"
    said = Console(file=io.StringIO(), width=200)
    assert measure_all(planned, Limits(timing_s=0), path, said)
    first = read(path).measurements
    assert measure_all(planned, Limits(timing_s=0), path, said)
    assert read(path).measurements == first
    assert "2 cells were measured before" in said.file.getvalue()  # type: ignore[attr-defined]

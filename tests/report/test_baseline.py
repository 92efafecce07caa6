"""A report against an older one: claims are measured again, broken baselines are one error, the command's exit code tells."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from diffcompare.cli import app
from diffcompare.errors import DiffCompareError
from diffcompare.measure.changes import changes
from diffcompare.measure.environment import Environment, environment
from diffcompare.measure.plan import chosen, jobs
from diffcompare.measure.progress import measure_all
from diffcompare.measure.record import Measurement, Records, Store, read
from diffcompare.measure.run import Job, Limits
from diffcompare.report import baseline
from diffcompare.report.baseline import COLUMNS, CONFIRMATIONS, changed, read_baseline, sentences, text
from diffcompare.report.page import write

HERE = Environment("cpu", 2, "system", "python 3", "numpy=2", "", "abc", "", "2026-01-01T00:00:00+00:00")
SAMPLES = tuple(1e-5 * (1 + 0.01 * k) for k in range(10))


def store(folder: Path, records: Sequence[Measurement], environment: Environment = HERE) -> Path:
    """A report's folder that holds these records."""
    with Store(folder / "data" / "records.jsonl") as file:
        file.add(environment)
        for m in records:
            file.add(m)
    return folder


@pytest.fixture
def planned() -> list[Job]:
    return jobs(chosen(["seed_polynomial"]), methods=["ad.*", "fd.*", "symbolic"], engines=["numpy", "python"], quick=True)


def measured(planned: Sequence[Job], factor: float = 1.0, **more: Any) -> list[Measurement]:
    """A record for each cell and point of what is planned; ad.reverse on numpy takes factor times as long."""
    return [
        replace(
            job.blank(*cell, k),
            **{"status": "ok", "message": "", "error_conditioned": 0.5, "environment": HERE.id, **more},
            call_samples_s=tuple(s * (factor if (cell[0].name, cell[1].name) == ("ad.reverse", "numpy") else 1.0) for s in SAMPLES),
        )
        for job in planned
        for cell in job.cells
        for k in range(len(job.labels))
    ]


# --- claims are measured again ---


def remeasuring(monkeypatch: pytest.MonkeyPatch, factors: list[float]) -> list[set[tuple[str, ...]]]:
    """Let what is measured again take these factors, one after another; what was asked for."""
    asked = []

    def once_more(planned: Sequence[Job], limits: Limits, path: Path, again: set[tuple[str, ...]]) -> bool:
        asked.append(again)
        with Store(path) as file:
            for m in measured(planned, factors.pop(0)):
                if m.key in again:
                    file.add(m)
        return True

    monkeypatch.setattr(baseline, "measure_all", once_more)
    return asked


def test_a_slowdown_that_comes_out_again_is_claimed(tmp_path: Path, planned: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = store(tmp_path / "old", measured(planned)), store(tmp_path / "new", measured(planned, 1.3))
    asked = remeasuring(monkeypatch, [1.3] * CONFIRMATIONS)
    found = changed(read_baseline(old, new, "records.jsonl"), planned, Limits(), new / "data" / "records.jsonl")
    assert {(c.kind, c.new.method, c.new.engine) for c in found.regressions} == {("slower", "ad.reverse", "numpy")}
    assert len(asked) == CONFIRMATIONS
    assert all(key[-3:-1] == ("ad.reverse", "numpy") for key in asked[0])


@pytest.mark.parametrize("factors", [[1.0], [1.3, 1.0], [0.5, 0.5]])
def test_a_busy_moment_is_not(tmp_path: Path, planned: list[Job], monkeypatch: pytest.MonkeyPatch, factors: list[float]) -> None:
    old, new = store(tmp_path / "old", measured(planned)), store(tmp_path / "new", measured(planned, 1.3))
    remeasuring(monkeypatch, factors)
    found = changed(read_baseline(old, new, "records.jsonl"), planned, Limits(), new / "data" / "records.jsonl")
    assert not found.changes


def test_what_has_no_chance_in_it_is_not_measured_again(tmp_path: Path, planned: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = store(tmp_path / "old", measured(planned)), store(tmp_path / "new", measured(planned, error_conditioned=50.0))
    asked = remeasuring(monkeypatch, [])
    found = changed(read_baseline(old, new, "records.jsonl"), planned, Limits(), new / "data" / "records.jsonl")
    assert {c.kind for c in found.changes} == {"less accurate"}
    assert not asked


def test_an_interruption_claims_nothing(tmp_path: Path, planned: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = store(tmp_path / "old", measured(planned)), store(tmp_path / "new", measured(planned, 1.3))
    monkeypatch.setattr(baseline, "measure_all", lambda *args, **options: False)
    with pytest.raises(KeyboardInterrupt):
        changed(read_baseline(old, new, "records.jsonl"), planned, Limits(), new / "data" / "records.jsonl")


# --- broken baselines ---


def test_a_baseline_is_a_folder_or_its_file(tmp_path: Path, planned: list[Job]) -> None:
    old = store(tmp_path / "old", measured(planned))
    by_file = read_baseline(old / "data" / "records.jsonl", tmp_path, "records.jsonl")
    assert by_file.measurements == read_baseline(old, tmp_path, "records.jsonl").measurements


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no baseline at .*records.jsonl: give the folder of an older report"),
        (b"", "holds no measurement that can be read, it is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "holds no measurement that can be read: records.jsonl, line 1 is left out: not JSON"),
        (b'{"kind": "measurement"}\n', "line 1 is left out: a measurement without 'problem'"),
        (b'{"kind": "environment"}\n', "line 1 is left out: an environment without"),
        (b"[1, 2]\n", "neither a measurement nor an environment"),
    ],
)
def test_a_baseline_that_cannot_be_read_is_one_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    (tmp_path / "old" / "data").mkdir(parents=True)
    if content is not None:
        (tmp_path / "old" / "data" / "records.jsonl").write_bytes(content)
    with pytest.raises(DiffCompareError, match=message):
        read_baseline(tmp_path / "old", tmp_path / "new", "records.jsonl")


def test_a_report_is_not_its_own_baseline(tmp_path: Path, planned: list[Job]) -> None:
    old = store(tmp_path / "old", measured(planned))
    with pytest.raises(DiffCompareError, match="is the report to be written: choose another folder with --out"):
        read_baseline(old, old, "records.jsonl")


# --- what is shown ---


def test_it_is_told_in_words_in_markdown_and_as_csv(tmp_path: Path, planned: list[Job]) -> None:
    old, new = measured(planned), measured(planned, 1.3)
    new[-1] = replace(new[-1], status="nan", method="<odd|name>")
    old[-1] = replace(old[-1], method="<odd|name>")
    found = changes(old, new, {HERE.id: HERE}, {HERE.id: HERE})
    slower = sum(m.method == "ad.reverse" and m.engine == "numpy" for m in new)
    assert sentences(found, "old")[0] == f"against old: 1 worse, {slower} slower, in {len(new)} cells that both have"
    assert "slower: ad.reverse on numpy, gradient of seed_polynomial at" in text(found, "old")
    assert "10.5 us → 13.6 us (1.3×)" in text(found, "old")
    page = write(tmp_path / "new", new, {HERE.id: HERE}, changes=found, baseline="old")
    assert "## What changed" in page.read_text()
    assert f"Against old: 1 worse, {slower} slower, in" in page.read_text()
    html = (tmp_path / "new" / "index.html").read_text()
    assert "<odd" not in html
    assert "&lt;odd|name&gt;" in html
    with (tmp_path / "new" / "data" / "changes.csv").open() as file:
        listed = list(csv.DictReader(file))
    assert tuple(listed[0]) == COLUMNS
    assert len(listed) == len(found.changes)


def test_no_change_is_said_plainly(planned: list[Job]) -> None:
    found = changes(measured(planned), measured(planned), {HERE.id: HERE}, {HERE.id: HERE})
    assert sentences(found, "old")[0].startswith("against old: no change, in")


# --- the command ---


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> list[Measurement]:
    """fd.central as it is."""
    path = tmp_path_factory.mktemp("report") / "records.jsonl"
    assert measure_all(jobs(chosen(["seed_polynomial"]), methods="fd.central", engines="numpy", quick=True), Limits(timing_s=0.001), path)
    return read(path).measurements


@pytest.mark.parametrize(("before", "code"), [(None, 0), (1e-9, 1)])
def test_the_exit_code_tells_of_a_regression_and_times_of_another_machine_are_refused(
    tmp_path: Path, differences: list[Measurement], before: float | None, code: int
) -> None:
    """An old record that was more accurate than fd.central is now makes it one; whose machine was another."""
    few = ["report", "seed_polynomial", "--quick", "--method", "fd.central", "--engine", "numpy"]
    rows = differences if before is None else [replace(m, error_conditioned=before) for m in differences]
    elsewhere = replace(environment(), id="", cpu="a calculating clock")
    old = store(tmp_path / "planted", [replace(m, environment=elsewhere.id) for m in rows], elsewhere)
    ran = CliRunner().invoke(app, [*few, "--out", str(tmp_path / "new"), "--baseline", str(old), "--fail-on", "regression"])
    assert ran.exit_code == code, ran.output
    assert "another machine: cpu was a calculating clock" in ran.output
    assert ("less accurate: fd.central on numpy" in ran.output) == bool(code)
    assert (tmp_path / "new" / "data" / "changes.csv").exists()
    assert "## What changed" in (tmp_path / "new" / "report.md").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--fail-on", "regression"], "--fail-on needs --baseline"), (["--baseline", "nowhere"], "no baseline at")],
)
def test_the_command_refuses_before_it_measures(tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.raises(DiffCompareError, match=message):
        CliRunner().invoke(app, ["report", "seed_polynomial", "--out", str(tmp_path / "new"), *options], catch_exceptions=False)
    assert not (tmp_path / "new").exists()


def test_records_of_a_baseline_that_cannot_be_read_in_part_are_warned_of(tmp_path: Path, planned: list[Job]) -> None:
    old = store(tmp_path / "old", measured(planned))
    with (old / "data" / "records.jsonl").open("ab") as file:
        file.write(b'{"kind": "measurement", "prob')
    records: Records = read_baseline(old, tmp_path, "records.jsonl")
    assert len(records.measurements) == len(measured(planned))
    assert "is left out: not JSON" in records.complaints[0]

"""Records survive what happens to files: interruption, truncation, two writers, numbers that JSON lacks."""

from __future__ import annotations

import json
import math
import pickle
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from diffcompare.errors import DiffCompareError
from diffcompare.measure.environment import PACKAGES, Environment, code_hash, environment
from diffcompare.measure.record import Measurement, Store, by_status, dumps, pack, packed, read

ROW = Measurement(
    problem="p", operator="gradient", method="ad.reverse", family="ad", engine="numpy", status="ok", value=(0.1, -0.0), error_ulp=1.0
)
HERE = Environment("cpu", 2, "system", "python", "numpy=2", "", "abc", "", "2026-01-01T00:00:00+00:00")


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    odd = replace(ROW, value=(math.inf, -math.inf, 5e-324, 1e308), error_ulp=math.inf, point='a "b"\n☃', call_samples_s=(1e-9,))
    with Store(tmp_path / "r.jsonl") as store:
        for record in (HERE, ROW, odd):
            store.add(record)
    records = read(tmp_path / "r.jsonl")
    assert records.measurements == [ROW, odd]
    assert records.environments == {HERE.id: HERE}
    assert not records.complaints


def test_nan_comes_back_as_nan(tmp_path: Path) -> None:
    with Store(tmp_path / "r.jsonl") as store:
        store.add(replace(ROW, value=(math.nan,)))
    (value,) = read(tmp_path / "r.jsonl").measurements[0].value
    assert math.isnan(value)


def test_json_is_strict_flat_and_has_the_promised_fields() -> None:
    (row,) = json.loads(dumps([replace(ROW, value=(math.nan,), error_rel=math.inf)]), parse_constant=pytest.fail)
    promised = "problem operator method family engine status value error_ulp error_rel operations derive_s compile_s first_call_s call_s"
    assert set(promised.split()) <= set(row)
    assert row["value"] == ["nan"]
    assert row["error_rel"] == "inf"
    assert not any(isinstance(v, dict) for v in row.values())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"kind": "measurement", "problem": "p"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1, 2]", "neither a measurement nor an environment"),
        (b'{"kind": "measurement", "problem": "p"}', "without 'operator'"),
        (json.dumps({"kind": "measurement", **ROW.to_json(), "status": "fine"}).encode(), "no status 'fine'"),
        (json.dumps({"kind": "measurement", **ROW.to_json(), "value": "x"}).encode(), "whose value is 'x'"),
        (b'{"kind": "environment", "cpu": "x"}', "an environment without 'cores'"),
    ],
)
def test_a_spoiled_line_is_reported_by_number_and_the_rest_is_used(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "r.jsonl"
    with Store(path) as store:
        store.add(ROW)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with Store(path) as store:
        store.add(replace(ROW, point="after"))
    records = read(path)
    assert [m.point for m in records.measurements] == ["", "after"]
    (complaint,) = records.complaints
    assert "r.jsonl, line 2 is left out" in complaint
    assert reason in complaint


def test_a_line_cut_by_a_crash_spoils_itself_only(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with Store(path) as store:
        store.add(ROW)
        store.add(ROW)
    path.write_bytes(path.read_bytes()[:-20])
    with Store(path) as store:
        store.add(replace(ROW, point="next"))
    records = read(path)
    assert [m.point for m in records.measurements] == ["", "next"]
    assert len(records.complaints) == 1


WRITER = """
import pickle, sys
from dataclasses import replace
from diffcompare.measure.record import Store
row = pickle.load(sys.stdin.buffer)
with Store(sys.argv[1]) as store:
    for k in range(200):
        store.add(replace(row, problem="p" + sys.argv[2], point=str(k), value=(0.1,) * 256))
"""


def test_packed_records_are_read_and_added_to(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with Store(path) as store:
        store.add(ROW)
    assert pack(path).name == "r.jsonl.gz"
    assert not path.exists()
    assert read(path).measurements == [ROW]
    with Store(path) as store:
        store.add(replace(ROW, problem="another"))
    assert [m.problem for m in read(path).measurements] == [ROW.problem, "another"]
    assert not packed(path).exists()


def test_two_runs_at_once_do_not_corrupt_each_other(tmp_path: Path) -> None:
    path = str(tmp_path / "r.jsonl")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, str(w)], stdin=subprocess.PIPE) for w in range(3)]
    for w in writers:  # each waits for its row, so that all write at once
        assert w.stdin is not None
        w.stdin.write(pickle.dumps(ROW))
        w.stdin.close()
    assert [w.wait() for w in writers] == [0, 0, 0]
    records = read(path)
    assert not records.complaints
    assert {w: [m.point for m in records.measurements if m.problem == w] for w in ("p0", "p1", "p2")} == {
        w: [str(k) for k in range(200)] for w in ("p0", "p1", "p2")
    }


def test_what_was_measured_is_done_in_its_environment_only(tmp_path: Path) -> None:
    late = replace(ROW, point="late", status="timeout", timeout_s=1.0, environment="here")
    with Store(tmp_path / "r.jsonl") as store:
        for record in (replace(ROW, environment="here"), replace(ROW, point="other", environment="there"), late):
            store.add(record)
    records = read(tmp_path / "r.jsonl")
    assert records.done("here", 1.0) == {ROW.key, late.key}
    assert records.done("here", 2.0) == {ROW.key}, "a timeout is tried again under a longer limit"
    assert records.done("nowhere", 1.0) == set()


def test_the_latest_measurement_of_a_cell_counts(tmp_path: Path) -> None:
    with Store(tmp_path / "r.jsonl") as store:
        for status in ("failed", "ok"):
            store.add(replace(ROW, status=status))
    records = read(tmp_path / "r.jsonl")
    assert [m.status for m in records.latest()] == ["ok"]
    assert list(by_status(records.measurements)) == [("ok", 1), ("failed", 1)]


def test_a_file_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "none.jsonl").measurements == []


def test_a_measurement_of_unknown_status_is_refused() -> None:
    with pytest.raises(DiffCompareError, match="no status 'perfect'"):
        Measurement.from_json({**ROW.to_json(), "status": "perfect"})


def test_an_environment_is_identified_by_what_can_change_a_result() -> None:
    assert replace(HERE, id="", taken="later", revision="x").id == HERE.id
    assert replace(HERE, id="", code="other").id != HERE.id
    here = environment()
    assert here.code == code_hash()
    assert here.cores >= 1
    assert "numpy=" in here.packages


def test_every_package_that_can_change_a_number_is_in_the_stamp() -> None:
    """The dependencies that compute, and the extras of engines and of other people's tools."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *extras["llvm"], *extras["peers"], *extras["peers-large"]]
    names = {re.split(r"[\[<>=; ]", d)[0] for d in listed}
    assert names - {"cloudpickle", "jinja2", "pytest", "rich", "typer"} <= set(PACKAGES)
    assert {p.partition("=")[0] for p in environment().packages.split()} >= {"diffcompare", "numpy", "jax"}


def test_another_version_or_thread_count_is_another_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    here = environment()
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert "OMP_NUM_THREADS=7" in environment().threads
    assert environment().id != here.id
    assert replace(here, id="", packages=here.packages.replace("numpy=", "numpy=9.")).id != here.id
    assert replace(here, id="", revision="other", taken="later").id == here.id

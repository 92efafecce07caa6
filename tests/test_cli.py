"""The command line: what it prints, where, and with which exit code. One process for each run, as users have it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import diffcompare as dc
from diffcompare.measure.record import read

SEED = "x**2*y + y + 2"
FAST = ("--method", "ad.reverse", "--engine", "python")


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "diffcompare", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path), "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}


def test_json_is_one_list_of_flat_records_and_nothing_else() -> None:
    ran = run("compare", SEED, "--at", "x=3,y=4", *FAST, "--format", "json")
    assert (ran.returncode, ran.stderr) == (0, "")
    (row,) = json.loads(ran.stdout)
    assert (row["status"], row["value"], row["error_ulp"], row["operator"]) == ("ok", [24.0, 10.0], 0.0, "gradient")


def test_csv_and_markdown_and_table() -> None:
    rows = list(csv.DictReader(io.StringIO(run("compare", SEED, "--at", "x=3,y=4", *FAST, "--format", "csv").stdout)))
    assert [(r["method"], r["value"]) for r in rows] == [("ad.reverse", "24.0 10.0")]
    lines = run("compare", SEED, "--at", "x=3,y=4", *FAST, "--format", "markdown").stdout.splitlines()
    assert lines[0].startswith("| method | engine | status | value |")
    assert lines[2].startswith("| ad.reverse | python | ok | 24, 10 |")
    ran = run("compare", SEED, "--at", "x=3,y=4", *FAST)
    assert ran.returncode == 0
    assert "24, 10" in ran.stdout


def test_a_problem_is_asked_by_name_and_a_text_of_arrays_by_its_point() -> None:
    rows = json.loads(
        run("compare", "rosenbrock(n=3)", "--point", "start", "--method", "manual", "--engine", "numpy", "--format", "json").stdout
    )
    assert [(r["problem"], r["point"], r["status"]) for r in rows] == [("rosenbrock(n=3)", "start", "ok")]
    (row,) = json.loads(run("compare", "w*w", "--at", "w=[1,2]", *FAST, "--format", "json").stdout)
    assert (row["operator"], row["value"]) == ("jacobian", [2.0, 0.0, 0.0, 4.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "x**2 +", "--at", "x=1"), "missing"),
        (("compare", "x*y", "--at", "x=1"), "no value for 'y'"),
        (("compare", "x*y", "--at", "x=1,z=2"), "a value for 'z'"),
        (("compare", "x*y"), "give the point: --at x=1,y=1"),
        (("compare", "x", "--at", "x=nan"), "x must be finite"),
        (("compare", "x", "--at", "x=1", "--method", "magic"), "no method is named 'magic'"),
        (("compare", "x", "--at", "x=1", "--operator", "curl"), "no operator is named 'curl'"),
        (
            (
                "compare",
                "rosenbrock(n=1)",
            ),
            "n is an integer from 2",
        ),
        (("compare", "x", "--point", "start"), "--point belongs to a problem"),
        (("compare", "seed_polynomial", "--point", "nowhere"), "no point 'nowhere'"),
        (("compare", "__import__('os').system('true')", "--at", "x=1"), "error"),
        (("report", "nosuch"), "no problem 'nosuch'"),
        (("report", "tag:nosuch"), "no problem has the tag 'nosuch'; the tags are"),
        (("compare", "rosenbrok"), "give the point: --at rosenbrok=1; or did you mean the problem rosenbrock?"),
        (("compare", "x", "--at", "x=0x1p5000"), "x: 0x1p5000 is beyond the largest float"),
        (("compare", "x", "--at", f"x={'[' * 40}1{']' * 40}"), "x: an input has at most 16 axes, got 40"),
        (("audit", "--function", "tanh", "--seed", "-1"), "a seed is a whole number from 0, got -1"),
        (("audit", "--function", "tanh", "--points", "10000000000"), "at least one point and at most 1000000, got 10000000000"),
        (("train", "iris_ml"), "there is no model 'iris_ml'; did you mean iris_mlp? models are breast_cancer_logistic"),
        (("train", "nosuch"), "there is no model 'nosuch'; models are breast_cancer_logistic"),
        (("report", "nosuch"), "those of the core are black_scholes, helmholtz"),
        (("compare", "tag:core"), "tag:core means"),
        (("list", "engines", "numpy"), "patterns choose among problems, not engines"),
        (("report", "seed_polynomial", "--timeout", "0"), "timeout_s"),
        (("compare", "x", "--at", "x=1", "--timeout", "1e300"), "timeout_s is a number of seconds above 0 and at most 1e+09, got 1e+300"),
        (("audit", "--timeout", "1e300"), "timeout is a positive number of seconds, at most 1e+09, got 1e+300"),
        (("list", "animals"), "animals"),
        (("compare", "x", "--format", "xml"), "xml"),
    ],
)
def test_bad_input_is_one_clear_error_without_a_traceback(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    ran = run(*arguments, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not list(tmp_path.iterdir())


def test_the_version() -> None:
    ran = run("--version")
    assert (ran.returncode, ran.stdout) == (0, f"diffcompare {dc.__version__}\n")


def test_a_module_that_python_cannot_read_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def f(:\n")
    ran = run("check", "broken:f", "--gradient", "broken:g", "--at", "1", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (2, "error: importing broken raised SyntaxError: invalid syntax (broken.py, line 1)\n")


def test_a_terminal_of_ascii_gets_question_marks() -> None:
    command = [sys.executable, "-P", "-m", "diffcompare", "list", "functions"]
    ran = subprocess.run(command, env={**environment(), "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.isascii() and b"?" in ran.stdout


FULL = Path(os.devnull).with_name("full")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line() -> None:
    with FULL.open("w") as full:
        command = [sys.executable, "-P", "-m", "diffcompare", "list", "functions"]
        ran = subprocess.run(command, env=environment(), stdout=full, stderr=subprocess.PIPE, encoding="utf-8", check=False)
    assert (ran.returncode, ran.stderr) == (2, "error: the output: No space left on device\n")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run("report", "seed_polynomial", "--out", str(tmp_path / "file" / "below"))
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: ")
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("kind", "name"), [("problems", "rosenbrock"), ("methods", "ad.reverse"), ("engines", "numpy"), ("functions", "tanh")]
)
def test_lists(kind: str, name: str) -> None:
    rows = json.loads(run("list", kind, "--format", "json").stdout)
    assert any(name in next(iter(row.values())) for row in rows)
    assert name in run("list", kind).stdout


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['diffcompare', '--help']\nfrom diffcompare.cli import main\ntry: main()\nexcept SystemExit: pass\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, encoding="utf-8", check=True)
    assert "compare" in ran.stdout
    assert not {"numpy", "pandas", "sympy", "jax", "flint"} & set(ran.stdout.splitlines()[-1].split())


def test_a_report_is_written_resumed_and_measured_afresh(tmp_path: Path) -> None:
    few = ("--method", "ad.*", "--method", "fd.*", "--engine", "numpy")
    ran = run("report", "three_variables", "--out", "r", *few, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "r" / "report.md").exists()
    assert (tmp_path / "r" / "index.html").exists()
    records = read(tmp_path / "r" / "data" / "records.jsonl")
    assert {m.status for m in records.measurements} <= {"ok", "unsupported"}
    with (tmp_path / "r" / "data" / "records.jsonl").open("ab") as file:
        file.write(b'{"kind": "measurement", "prob')
    again = run("report", "three_variables", "--out", "r", *few, cwd=tmp_path)
    assert again.returncode == 0
    assert "is left out: not JSON" in again.stderr
    assert "is left out: not JSON" in (tmp_path / "r" / "report.md").read_text()
    both = read(tmp_path / "r" / "data" / "records.jsonl")
    assert len({(m.key, m.environment) for m in both.measurements}) == len(both.measurements), "nothing is measured twice by the same code"
    run("report", "three_variables", "--out", "r", "--fresh", *few, cwd=tmp_path)
    assert not read(tmp_path / "r" / "data" / "records.jsonl").complaints


HEEDING = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
"""Becomes the command given: a shell that runs the tests in the background has its children ignore SIGINT."""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_ctrl_c_keeps_what_is_measured_and_the_same_command_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "diffcompare", "report", "seed_polynomial", "--out", "r", "--engine", "[np]*"]
    heeding = [sys.executable, "-c", HEEDING, *command]
    process = subprocess.Popen(heeding, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    path = tmp_path / "r" / "data" / "records.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not path.exists() or path.read_bytes().count(b"\n") < 20):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on from there" in errors
    kept = len(read(path).measurements)
    assert kept >= 19
    assert "cells" in (tmp_path / "r" / "report.md").read_text()
    assert subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, check=False).returncode == 0
    measured = read(path).measurements
    assert len(measured) == len({(m.key, m.environment) for m in measured}) > kept

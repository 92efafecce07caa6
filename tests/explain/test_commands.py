"""diffcompare steps and diffcompare graph: what they print and write, and what they refuse in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SURVEY = "log(x1) + x1*x2 - sin(x2)"


def run(*arguments: str, encoding: str = "utf-8", columns: int = 100) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(p or os.getcwd() for p in sys.path)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": encoding, "COLUMNS": str(columns)}
    command = [sys.executable, "-P", "-m", "diffcompare", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False)


def test_steps_prints_both_columns_where_they_fit_and_one_below_the_other_where_not() -> None:
    wide = run("steps", SURVEY, "--at", "x1=2,x2=5").stdout
    assert " v₁  = ln v₋₁    = ln 2               = 0.693    v̇₁  = v̇₋₁ / v₋₁            = 1 / 2          = 0.5" in wide
    narrow = run("steps", SURVEY, "--at", "x1=2,x2=5", columns=60).stdout.splitlines()
    assert max(len(line) for line in narrow) <= 60
    assert any("= v₁ + v₂" in line and "= v̇₁ + v̇₂" not in line for line in narrow)


def test_steps_in_ascii_where_the_terminal_has_no_more() -> None:
    ran = run("steps", SURVEY, "--at", "x1=2,x2=5", "--mode", "reverse", encoding="ascii", columns=120)
    assert ran.returncode == 0
    assert "v4bar = v5bar * dv5/dv4 = v5bar * 1 = 1 * 1 = 1" in " ".join(ran.stdout.split())


def test_steps_of_a_problem_by_names_and_in_other_formats() -> None:
    markdown = run("steps", "two_layer_chain", "--mode", "reverse", "--wrt", "y1", "--format", "markdown")
    assert "| ȳ₁ = v̄₂ × ∂v₂/∂y₁ = v̄₂ × w₂ = 1 × 2 = 2 |" in markdown.stdout.splitlines()
    assert run("steps", SURVEY, "--at", "x1=2,x2=5", "--names", "--format", "latex").stdout.startswith(r"\begin{array}{llll|llll} x_{1} &")
    assert run("steps", "x*y", "--at", "x=1,y=2", "--format", "html").stdout.startswith('<table class="steps">')


def test_graph_writes_a_file_and_says_so(tmp_path: Path) -> None:
    ran = run("graph", SURVEY, "--at", "x1=2,x2=5", "--mode", "reverse", "--out", str(tmp_path / "g.svg"))
    assert (ran.returncode, ran.stdout.split()[:2]) == (0, ["7", "nodes,"])
    assert "adjoint −0.959" not in (text := (tmp_path / "g.svg").read_text(encoding="utf-8"))
    assert "v₃ = sin x₂; value −0.959; adjoint −1" in text
    assert run("graph", "x*y", "--out", str(tmp_path / "plain.svg")).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("steps", "x*y", "--at", "x=1"), "error: the point has no value for 'y'; the inputs of f are x, y\n"),
        (("steps", "x*y", "--at", "x=1,y=2", "--wrt", "z"), "error: f has no input or named intermediate 'z'; there are x, y\n"),
        (("steps", "x*y"), "error: give the point: --at x=1,y=1\n"),
        (
            ("graph", "logistic_map(n=90)", "--out", "g.svg"),
            "error: graph: logistic_map has 268 nodes; a picture is readable up to 150: draw a part of it\n",
        ),
    ],
)
def test_what_cannot_be_shown_is_one_line_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    ran = run(*arguments)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", message)

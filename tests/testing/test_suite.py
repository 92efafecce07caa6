"""The accuracy suite as a user runs it: on an installation, from an empty folder, with problems and functions of the user's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import diffcompare
from diffcompare.differentiators.base import Operator
from diffcompare.testing.suite import QUICK, Case, cases, summary

MODULE = """
import diffcompare as dc
from diffcompare.problem import Point, Problem

x, k = dc.symbols("x k")
growth = x * (1 - x / k)


def problem(name, slope):
    f = dc.function([x, k], growth, name=name, gradient=[slope, (x / k) ** 2])
    return Problem(f, (Point("start", {"x": 0.3, "k": 2.0}),), "Verhulst, Correspondance mathematique et physique 10 (1838) 113-121")


right = problem("growth_right", 1 - 2 * x / k)
wrong = problem("growth_wrong", (1 - 2 * x / k) * (1 + 1e-12))
cube = dc.primitive("cube_right", lambda x: x * x * x, lambda x: 3 * x * x)
dc.primitive("cube_wrong", lambda x: x * x * x, lambda x: 3 * x * x * (1 + 1e-13))
slope = dc.primitive("cube_slope_wrong", lambda x: 3 * x * x, lambda x: 6 * x * (1 - 1e-13))
dc.primitive("cube_wrong_twice", lambda x: x * x * x, lambda x: slope(x))
cancels = dc.primitive("near_one", lambda x: x - x * x / 2, lambda x: 1 - x)
"""
METADATA = "Metadata-Version: 2.1\nName: own-problems\nVersion: 1.0\n"
ENTRY_POINTS = "[diffcompare.problems]\nown = own_problems\n"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An empty folder, beside one on the path with a distribution that brings problems."""
    site, folder = tmp_path / "site", tmp_path / "empty"
    info = site / "own_problems-1.0.dist-info"
    info.mkdir(parents=True)
    folder.mkdir()
    (site / "own_problems.py").write_text(MODULE)
    (site / "broken_problems.py").write_text("1 / 0")
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def suite(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    here = Path(diffcompare.__file__).parent.parent
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder.parent / "site"), str(here)]),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # an installed package is registered by its entry point already
    }
    plugins = ["-p", "diffcompare.pytest_plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-P", "-m", "pytest", "--pyargs", "diffcompare.testing", *plugins, "-q", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)


def test_it_judges_a_users_problems_and_functions_and_finds_the_wrong_ones(installed: Path) -> None:
    ran = suite(installed, "-m", "not slow", "-k", "(growth and gradient and not value and not compiled) or cube or near_one")
    failed = sorted(line.split("[")[1].split("]")[0] for line in ran.stdout.splitlines() if line.startswith("FAILED"))
    assert failed == [
        "cube_slope_wrong-1",
        "cube_slope_wrong-2",
        "cube_wrong-1",
        "cube_wrong-2",
        "cube_wrong_twice-2",
        "growth_wrong-gradient",
    ], ran.stdout
    assert "manual on numpy at start: inaccurate, entry 0 is" in ran.stdout
    assert "growth_right" not in ran.stdout
    assert "certified truth =" in ran.stdout and "failed: none of these" in ran.stdout
    assert list(installed.iterdir()) == []


def test_a_plug_in_that_cannot_be_loaded_fails(installed: Path) -> None:
    assert suite(installed, "-k", "plug_in").returncode == 0
    entry_points = next((installed.parent / "site").glob("*/entry_points.txt"))
    entry_points.write_text(ENTRY_POINTS.replace("own_problems", "broken_problems"))
    ran = suite(installed, "-k", "plug_in")
    assert ran.returncode == 1
    assert "plug-in 'own' (broken_problems, from own-problems) is left out: ZeroDivisionError: division by zero" in ran.stdout


def test_the_library_s_own_problems_are_chosen_by_name_pattern_and_tag(installed: Path) -> None:
    listed = suite(
        installed, "--collect-only", "--diffcompare-problems", "rosenbrock(n=3)", "--diffcompare-problems", "tag:core", "-k", "jvp"
    )
    names = [line.split("[")[1].split("]")[0] for line in listed.stdout.splitlines() if "[" in line]
    assert "rosenbrock(n=3)-jvp" in names and "log_sum_exp(n=5)-jvp-compiled" in names, listed.stdout
    assert not any("growth" in n for n in names)


def test_every_operator_that_fits_is_asked_and_what_compiles_for_long_is_slow() -> None:
    found = cases(["seed_polynomial"])
    assert {c.operator for c in found if c.engines == QUICK} == set(Operator)
    assert [c.operator for c in found if c.engines != QUICK and not c.slow] == [Operator.GRADIENT]
    assert [p.name for p in found[0].job().methods if p.family == "peer"] == []
    assert Case("a", Operator.JVP, QUICK).id == "a-jvp"


def test_the_table_counts_verdicts_and_says_what_they_mean() -> None:
    rows = [("ad.reverse", "numpy", "ok", 3, 0.25), ("ad.reverse", "numpy", "failed", 1, 9.0), ("ad.reverse", "numpy", "ok", 2, 0.5)]
    lines = summary(rows)
    assert lines[0].split() == ["method", "engine", "ok", "failed", "bound", "used"]
    assert lines[1].split() == ["ad.reverse", "numpy", "5", "1", "50%"]
    assert lines[2:] == ["ok: within the bound of its method", "failed: none of these"]

"""The pytest plug-in and the command: a test or a shell gets the whole story."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from diffcompare.check.command import exit_code, load, run_check
from diffcompare.errors import DiffCompareError

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
CODE = """
import numpy as np

def loss(w): return np.sum(np.log1p(np.exp(-w)))
def right(w): return -1 / (1 + np.exp(w))
def wrong(w): return 1 / (1 + np.exp(w))
def corner(w): return np.sum(np.abs(w))
def start(): return np.array([0.5, -1.5])
POINT = np.array([0.5, -1.5])
"""


# --- pytest ---


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(pytester.path)]))
    pytester.makepyfile(user_losses=CODE)
    return pytester


def test_the_fixture_passes_fails_and_tells(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # an installed package is registered by its entry point already
    project.makepyfile(
        """
        import numpy as np
        import pytest
        from user_losses import loss, right, wrong, corner, POINT
        from diffcompare.pytest_plugin import assert_derivatives_agree

        def test_right(gradcheck):
            assert gradcheck(loss, right, at=POINT).ok

        def test_wrong(gradcheck):
            gradcheck(loss, wrong, at=POINT)

        def test_undecided(gradcheck):
            gradcheck(corner, np.sign, at=0 * POINT)

        def test_allowed():
            assert_derivatives_agree(corner, np.sign, at=0 * POINT, undecided="allow")

        def test_jacobian(gradcheck):
            gradcheck(lambda w: np.sin(w), lambda w: np.diag(np.cos(w)), at=POINT, operator="jacobian")
        """
    )
    ran = project.runpytest_subprocess("-p", "diffcompare.pytest_plugin", "-p", "no:cacheprovider")
    ran.assert_outcomes(passed=3, failed=2)
    ran.stdout.fnmatch_lines(["*WRONG in 2 entries*", "*fits: sign*", "*UNDECIDED*"])


def test_a_run_that_does_not_use_it_loads_nothing_heavy(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plug-ins load what they like
    project.makepyfile(
        """
        import sys

        def test_modules(gradcheck=None):
            heavy = {"numpy", "jax", "sympy", "flint", "scipy", "pandas"} & set(sys.modules)
            assert "diffcompare.pytest_plugin" in sys.modules
            assert not heavy, heavy
        """
    )
    project.runpytest_subprocess("-p", "diffcompare.pytest_plugin", "-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_plug_in_is_registered() -> None:
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert entry_points["pytest11"] == {"diffcompare": "diffcompare.pytest_plugin"}


# --- the command ---


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "losses_of_a_user.py").write_text(CODE)
    (tmp_path / "broken_module.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "losses_of_a_user", raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("at", ["losses_of_a_user:POINT", "losses_of_a_user:start", "[0.5, -1.5]", {"w": [0.5, -1.5]}])
def test_points_of_the_command(at: str) -> None:
    before = list(sys.path)
    right = run_check("losses_of_a_user:loss", "losses_of_a_user:right", at)
    assert (right.ok, exit_code(right)) == (True, 0)
    assert sys.path == before


@pytest.mark.usefixtures("folder")
def test_exit_codes() -> None:
    assert exit_code(run_check("losses_of_a_user:loss", "losses_of_a_user:wrong", "[0.5, -1.5]")) == 1
    assert exit_code(run_check("losses_of_a_user:corner", "numpy:sign", "[0.0, -1.5]")) == 3


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "story"),
    [
        ("losses_of_a_user", "expected MODULE:NAME"),
        ("losses_of_a_user:nothing", "losses_of_a_user has no nothing"),
        ("no_such_module:f", "there is no module 'no_such_module'"),
        ("broken_module:f", "importing broken_module raised ZeroDivisionError"),
        ("losses_of_a_user:__import__('os')", "expected MODULE:NAME"),
    ],
)
def test_what_cannot_be_loaded_is_named(name: str, story: str) -> None:
    with pytest.raises(DiffCompareError, match=story):
        load(name)


def test_a_point_that_cannot_be_read_is_named() -> None:
    with pytest.raises(DiffCompareError, match="--at is"):
        run_check("numpy:sin", "numpy:cos", "one")
    with pytest.raises(DiffCompareError, match="gradient, jacobian, hessian"):
        run_check("numpy:sin", "numpy:cos", "1.0", operator="curl")


@pytest.mark.parametrize(("claim", "at", "code"), [("right", "w=[0.5,-1.5]", 0), ("wrong", "[0.5,-1.5]", 1), ("nothing", "w=[1]", 2)])
def test_the_command_line(folder: Path, claim: str, at: str, code: int) -> None:
    words = ["check", "losses_of_a_user:loss", "--gradient", f"losses_of_a_user:{claim}", "--at", at]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-m", "diffcompare", *words], cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    assert ran.returncode == code, ran.stderr
    assert {0: "agrees", 1: "fits: sign", 2: "has no nothing"}[code] in ran.stdout + ran.stderr

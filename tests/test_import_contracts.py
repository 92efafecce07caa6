"""The import contracts of pyproject.toml hold, and a planted import is caught by the contract that forbids it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

LAYERS = "The layers import downwards"
REFERENCE = "The reference knows none whom it judges"
ENGINES = "The engines do not know each other"
FAMILIES = "The families do not know each other"
DOORS = "Each heavy library has its door"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with its contracts."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "diffcompare", folder / "diffcompare", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint_imports(folder: Path) -> str:
    """What import-linter prints on the package and the contracts in this folder."""
    ran = subprocess.run([sys.executable, "-c", LINT, "--no-cache"], cwd=folder, capture_output=True, encoding="utf-8", check=False)
    return ran.stdout + ran.stderr


def broken(printed: str) -> set[str]:
    """The names of the broken contracts."""
    assert "Contracts: " in printed, printed
    return {line.partition(" BROKEN")[0] for line in printed.splitlines() if " BROKEN" in line}


def test_the_contracts_hold() -> None:
    printed = lint_imports(ROOT)
    assert not broken(printed), printed


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("errors.py", "from .dsl import core", LAYERS),
        ("dsl/core.py", "from ..transforms import forward", LAYERS),
        ("dsl/function.py", "import diffcompare as dc", LAYERS),
        ("transforms/forward.py", "from ..engines import base", LAYERS),
        ("problems/planted.py", "from ..reference import certify", LAYERS),
        ("engines/numpy.py", "from ..differentiators import base", LAYERS),
        ("differentiators/planted.py", "from ..engines import numpy", LAYERS),
        ("measure/planted.py", "def late():\n    from ..report import tables", LAYERS),
        ("differentiators/planted.py", "from ..check import Check", LAYERS),
        ("check/planted.py", "from ..measure import points", LAYERS),
        ("planted.py", "", LAYERS),
        ("reference/planted.py", "from ..transforms import forward", REFERENCE),
        ("reference/planted.py", "from ..engines.base import Engine", REFERENCE),
        ("engines/python.py", "from . import numpy", ENGINES),
        ("engines/base.py", "from . import numpy", ENGINES),
        ("differentiators/manual.py", "from . import autodiff", FAMILIES),
        ("measure/planted.py", "import sympy", DOORS),
        ("transforms/forward.py", "def late():\n    from sympy import diff", DOORS),
        ("dsl/core.py", "import flint", DOORS),
        ("engines/numpy.py", "import jax.numpy as jnp", DOORS),
        ("report/planted.py", "import altair", DOORS),
        ("differentiators/peers/planted.py", "import torch", DOORS),
    ],
)
def test_a_planted_import_is_caught(project: Path, module: str, line: str, contract: str) -> None:
    path = project / "diffcompare" / module
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        assert contract in broken(lint_imports(project))
    finally:
        path.unlink() if before is None else path.write_text(before)

"""import diffcompare: its names, each from the module that the table states, and its functions."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import re
import tomllib
from pathlib import Path

import pytest

import diffcompare as dc
from diffcompare.dsl.core import FUNCTIONS


def type_checkers_view() -> dict[str, str]:
    """name -> module, as the block under `if TYPE_CHECKING` imports them."""
    tree = ast.parse(Path(dc.__file__).read_text())
    blocks = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    imports = [n for block in blocks for n in block.body if isinstance(n, ast.ImportFrom)]
    return {alias.name: str(n.module) for n in imports for alias in n.names}


def test_the_table_is_what_type_checkers_see() -> None:
    assert type_checkers_view() == dc._MODULE


def test_all_lists_the_table_and_the_version() -> None:
    assert dc.__all__ == sorted([*dc._MODULE, "__version__"])


@pytest.mark.parametrize("name", sorted(dc._MODULE))
def test_each_name_is_its_modules_own(name: str) -> None:
    assert getattr(dc, name) is getattr(importlib.import_module(f"diffcompare.{dc._MODULE[name]}"), name)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - set(dc._MODULE)))
def test_each_function_of_the_language_is_here(name: str) -> None:
    assert getattr(dc, name) is FUNCTIONS[name]


FUNCTIONS_OF_THE_API = sorted(n for n in dc._MODULE if inspect.isfunction(getattr(dc, n)))
DEFERRED = {"f", "wrt"}
"""What operators leave to the docstring of prepare, and prepare says in its first lines."""


@pytest.mark.parametrize("name", FUNCTIONS_OF_THE_API)
def test_each_public_function_says_what_its_parameters_are_and_what_it_raises(name: str) -> None:
    function = getattr(dc, name)
    words = set(re.findall(r"\w+", inspect.getdoc(function) or ""))
    assert not set(inspect.signature(function).parameters) - words - DEFERRED
    assert words & {"Raises", "raises"} or {"errors", "as"} <= words


def test_dir_offers_names_and_functions_and_no_machinery() -> None:
    offered = dir(dc)
    assert {"parse", "Function", "sin", "logsumexp"} <= set(offered)
    assert not {"Any", "TYPE_CHECKING", "import_module", "annotations"} & set(offered)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'diffcompare' has no attribute 'no_such_name'"):
        _ = dc.no_such_name


def test_the_version_is_that_of_pyproject_once_installed() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = any(d.name == "diffcompare" for d in importlib.metadata.distributions())
    assert dc.__version__ == (project["version"] if installed else "unknown")

"""The check behind `diffcompare check MODULE:FUNCTION --gradient MODULE:GRADIENT --at ...`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ..errors import DiffCompareError
from .operators import OPERATORS
from .result import Check
from .subject import raised

EXIT_CODES = {True: 0, False: 1, None: 3}
"""By Check.ok: 0 all agrees, 1 something is wrong, 3 undecided. 2 is a question that cannot be asked, as everywhere."""


def run_check(
    target: str,
    gradient: str,
    at: str | Mapping[str, Any],
    operator: str = "gradient",
    wrt: str | Sequence[str] | None = None,
    **options: Any,
) -> Check:
    """The check of MODULE:GRADIENT as the gradient (or jacobian, hessian) of MODULE:FUNCTION, modules of the current folder first.

    at: a mapping of arguments by name; or text: a number, a list such as [1, 2.5], or MODULE:POINT for any value that `at=` of
    check_gradient takes, also a function without arguments that returns one. options: as of check_gradient.
    Raises DiffCompareError for what cannot be loaded, and whatever check_gradient raises.
    """
    if operator not in OPERATORS:
        raise DiffCompareError(f"the operators that can be checked are {', '.join(OPERATORS)}, got {operator!r}")
    f, claimed = load(target), load(gradient)
    return OPERATORS[operator](f, claimed, _point(at) if isinstance(at, str) else at, wrt, **options)


def exit_code(check: Check) -> int:
    """What the command returns."""
    return EXIT_CODES[check.ok]


def load(name: str) -> Any:
    """The object that MODULE:NAME names, NAME with dots for attributes of attributes."""
    module, colon, path = name.partition(":")
    if not colon or not path or not all(part.isidentifier() for part in (*module.split("."), *path.split("."))):
        raise DiffCompareError(f"expected MODULE:NAME, such as losses:gradient, got {name!r}")
    found: Any = _module(module)
    for part in path.split("."):
        if not hasattr(found, part):
            raise DiffCompareError(f"{name}: {getattr(found, '__name__', type(found).__name__)} has no {part}")
        found = getattr(found, part)
    return found


def _module(name: str) -> Any:
    """The module, looked for in the current folder first; the path is left as it was."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise DiffCompareError(f"importing {name} {raised(error)}") from error
        raise DiffCompareError(f"there is no module {name!r}, neither in the current folder nor installed") from error
    except Exception as error:  # whatever the user's module does when it is imported
        raise DiffCompareError(f"importing {name} {raised(error)}") from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _point(text: str) -> Any:
    if ":" in text:
        found = load(text)
        return found() if callable(found) else found
    try:
        value = json.loads(text)
        return np.array(value, dtype=np.float64) if isinstance(value, list) else float(value)
    except (ValueError, TypeError, RecursionError):
        raise DiffCompareError(f"--at is x=3,y=[1,2], a number, a list such as [1, 2.5], or MODULE:POINT; got {text!r}") from None

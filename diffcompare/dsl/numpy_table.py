"""The table of NumPy's array functions that have a form for expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import Unsupported
from .core import FUNCTIONS, Expr

Form = Callable[..., Any]
FORMS: dict[str, Form] = {}
"""The forms by NumPy's names, "sum" or "linalg.norm"; each takes NumPy's own arguments, as far as they have a meaning here."""


F = TypeVar("F", bound=Form)


def form(*names: str) -> Callable[[F], F]:
    """Enter a form under these names."""

    def enter(made: F) -> F:
        FORMS.update(dict.fromkeys(names, made))
        return made

    return enter


def dsl(name: str) -> Callable[..., Expr]:
    """The function of the DSL of this name, or an error that says it is not there."""
    if name not in FUNCTIONS:
        raise Unsupported(f"there is no function {name} in the language of expressions")
    return FUNCTIONS[name]

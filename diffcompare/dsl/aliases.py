"""Other names for the functions of the DSL: NumPy's, SciPy's and mathematics'. One table serves text and traced code.

A name that FUNCTIONS holds itself always wins; an alias whose function does not exist is not a name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from .core import FUNCTIONS, Expr

ALIASES: dict[str, str] = {
    # mathematics and other languages
    "ln": "log",
    "sgn": "sign",
    "signum": "sign",
    "inv": "reciprocal",
    "abs2": "square",
    "ceiling": "ceil",
    "ifelse": "where",
    "logistic": "sigmoid",
    "arsinh": "asinh",
    "arcosh": "acosh",
    "artanh": "atanh",
    "loggamma": "lgamma",
    "Abs": "abs",
    "Max": "maximum",
    "Min": "minimum",
    # NumPy
    "absolute": "abs",
    "fabs": "abs",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "negative": "neg",
    "power": "pow",
    "float_power": "pow",
    "remainder": "mod",
    "rint": "round",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "equal": "eq",
    "not_equal": "ne",
    # SciPy
    "expit": "sigmoid",
    "log_expit": "log_sigmoid",
    "gammaln": "lgamma",
    "psi": "digamma",
}
for _name in ("sin", "cos", "tan", "tan2", "sec", "csc", "cot", "sinh", "cosh", "tanh", "sech", "csch", "coth"):
    ALIASES[f"arc{_name}"] = f"a{_name}"


def canonical(name: str) -> str | None:
    """The name in FUNCTIONS that `name` stands for, None if it stands for none."""
    if name in FUNCTIONS:
        return name
    target = ALIASES.get(name)
    return target if target in FUNCTIONS else None


def lookup(name: str) -> Callable[..., Expr] | None:
    """The function of the DSL that `name` stands for, None if there is none."""
    target = canonical(name)
    return None if target is None else FUNCTIONS[target]


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to `count` of the known names that resemble `name`, the nearest first; none for a name beyond 40 characters."""
    if len(name) > 40:
        return []
    folded = {k.lower(): k for k in sorted(known, reverse=True)}
    return [folded[k] for k in difflib.get_close_matches(name.lower(), folded, n=count, cutoff=0.6)]

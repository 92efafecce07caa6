"""What there is to compare: problems, methods, engines and functions as rows of text."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..differentiate import engines, methods
from ..dsl.catalogue import functions
from ..problem import Family, Problem, library

Row = dict[str, str]


def rows(kind: str) -> list[Row]:
    """The rows of problems, methods, engines or functions, by name."""
    kinds: dict[str, Callable[[], list[Row]]] = {"problems": _problems, "methods": _methods, "engines": _engines, "functions": functions}
    return kinds[kind]()


def _problems() -> list[Row]:
    return [_problem(entry) for entry in library().values()]


def _problem(entry: Problem | Family) -> Row:
    p = entry() if isinstance(entry, Family) else entry
    sizes = ", ".join(f"{n} {s.least}..{s.most}" for n, s in entry.sizes.items()) if isinstance(entry, Family) else ""
    return {
        "problem": p.name,
        "sizes": sizes,
        "with respect to": ", ".join(p.wrt),
        "points": ", ".join(point.label for point in p.points),
        "source": p.source,
    }


def _methods() -> list[Row]:
    return [{"method": m.name, "family": m.family, "what": _summary(m)} for m in methods().values()]


def _engines() -> list[Row]:
    return [{"engine": e.name, "precisions": ", ".join(e.precisions), "what": _summary(e)} for e in engines().values()]


def _summary(thing: Any) -> str:
    """The first line of the documentation of a function, or of an object's class."""
    text = (thing.__doc__ or "" if inspect.isfunction(thing) else type(thing).__doc__ or "").strip()
    return " ".join(text.partition("\n\n")[0].split())

"""What there is to compare: problems, methods, engines and functions as rows of text."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..differentiate import engines, methods
from ..dsl.catalogue import functions
from ..errors import DiffCompareError, Unsupported
from ..problem import Family, Problem, find, library

Row = dict[str, str]


def rows(kind: str, patterns: Sequence[str] = ()) -> list[Row]:
    """The rows of problems, methods, engines or functions, by name; of problems those that any of the patterns means.

    Raises DiffCompareError for a pattern that means nothing, or for another kind than problems.
    """
    if kind == "problems":
        known = library()
        if not patterns:
            return [_entry(e) for e in known.values()]
        return [_problem(p, known) for p in {p.name: p for pattern in patterns for p in find(pattern)}.values()]
    if patterns:
        raise DiffCompareError(f"patterns choose among problems, not {kind}")
    kinds: dict[str, Callable[[], list[Row]]] = {"methods": _methods, "engines": _engines, "functions": functions}
    return kinds[kind]()


def _entry(entry: Problem | Family) -> Row:
    """The row of a problem, or of a family with its default sizes; where its data is not installed, the reason in it."""
    if isinstance(entry, Problem):
        return _problem(entry, {entry.name: entry})
    try:
        return _problem(entry(), {entry.name: entry})
    except Unsupported as reason:
        row = dict.fromkeys(("problem", "sizes", "tags", "with respect to", "points", "source"), "")
        return {**row, "problem": entry.name, "tags": ", ".join(entry.tags), "source": f"not available: {reason}"}


def _problem(p: Problem, known: Mapping[str, Problem | Family]) -> Row:
    entry = known[p.name.partition("(")[0]]
    sizes = ", ".join(f"{n} {s.least}..{s.most}" for n, s in entry.sizes.items()) if isinstance(entry, Family) else ""
    return {
        "problem": p.name,
        "sizes": sizes,
        "tags": ", ".join(p.tags),
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

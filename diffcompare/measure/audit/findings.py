"""What an audit found, in sentences made of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .plan import PEER, PROMISED
from .rows import BAD, Edge, Row

if TYPE_CHECKING:
    from .result import Audit

HALF = 26.0
"""Bits of the 53 of a float64: half of the digits."""
LISTED = 8
NAMES = {1: "first derivative", 2: "second derivative"}


def findings(audit: Audit) -> list[str]:
    """The sentences, most general first; none for an audit at given points or of values alone."""
    rows = [r for r in audit.rows if r.order and r.status == "ok" and r.judged]
    if not rows or not audit.points:
        return []
    return [*_shared(rows), *_libraries(audit, rows), *_ours(rows), *_engines(rows)]


def _shared(rows: Sequence[Row]) -> list[str]:
    """The functions that several libraries lose, by who does."""
    lost: dict[str, set[str]] = {}
    for r in rows:
        if r.order == 1 and r.family == "peer" and (r.max_bits or 0.0) > HALF:
            lost.setdefault(r.function, set()).add(_library(r))
    libraries = {_library(r) for r in rows if r.family == "peer"}
    groups: dict[tuple[str, ...], list[str]] = {}
    for function, by in lost.items():
        groups.setdefault(tuple(sorted(by)), []).append(function)
    several = sorted(((by, found) for by, found in groups.items() if len(by) > 1), key=lambda group: -len(group[0]))
    if not several:
        return []
    listed = [f"{', '.join(found)} by {_all_but(set(by), libraries)}" for by, found in several]
    return [f"First derivatives that lose more than half of their digits somewhere: {'; '.join(listed)}."]


def _all_but(some: set[str], every: set[str]) -> str:
    missing = sorted(every - some)
    if not missing:
        return f"all {len(every)} libraries"
    return f"all libraries but {', '.join(missing)}" if len(missing) <= 2 < len(some) else ", ".join(sorted(some))


def _ours(rows: Sequence[Row]) -> list[str]:
    """How far our own rules are from the truth, and whether within what they promise."""
    found = []
    for order, name in NAMES.items():
        own = [r for r in rows if r.order == order and (r.method, r.engine) in PROMISED]
        if not own:
            continue
        functions = dict.fromkeys(r.function for r in own)
        bad = dict.fromkeys(r.function for r in own if r.bad)
        beyond = dict.fromkeys(r.function for r in own if (r.over_promise or 0.0) > 1)
        open_ = dict.fromkeys(r.function for r in own if r.bad and r.over_promise is None)
        stated = [f for f in bad if f not in beyond and f not in open_]
        parts = [f"the {name}s of {len(functions) - len(bad)} of {len(functions)} functions are within {BAD:g} ulp at every point"]
        parts += [f"those of {', '.join(stated)} within the larger bound that their rows state"] if stated else []
        parts += [f"none is promised for {', '.join(open_)}"] if open_ else []
        parts += [f"beyond what is promised: {', '.join(beyond)}"] if beyond else []
        found.append(f"Our own rules (forward and reverse, engines numpy and python): {'; '.join(parts)}.")
    return found


def _libraries(audit: Audit, rows: Sequence[Row]) -> list[str]:
    """A sentence for each library; SymPy's rules are those of the method symbolic, on the engine numpy."""
    found = []
    judged = [r for r in rows if r.family == "peer" or (r.method, r.engine) == ("symbolic", "numpy")]
    for method in sorted({r.method for r in judged}, key=lambda m: (m == "symbolic", m)):
        own = [r for r in judged if r.method == method]
        parts = []
        for order, name in NAMES.items():
            here = [r for r in own if r.order == order]
            lost = sorted((r for r in here if (r.max_bits or 0.0) > HALF), key=lambda r: -(r.mean_bits or 0.0))
            good = sum(not r.bad for r in here)
            if here:
                parts.append(
                    f"{name}s within {BAD:g} ulp on {good} of {len(here)} functions, half of the digits lost on {_functions(lost)}"
                )
        parts += _special(audit.wrong(), method)
        name = "SymPy (method symbolic)" if method == "symbolic" else method.removeprefix(PEER)
        found.append(f"{name}: {'; '.join(parts)}.")
    return found


def _functions(lost: Sequence[Row]) -> str:
    if not lost:
        return "none"
    return f"{len(lost)}: " + ", ".join(f"{r.function} ({_share(r)} of points)" for r in lost[:LISTED]) + _more(lost)


def _special(wrong: Sequence[Edge], method: str) -> list[str]:
    """What a library answers where there is no derivative, and at kinks."""
    mine = [e for e in wrong if e.order == 1 and (e.who == "all" or method in e.who.replace(",", " ").split())]
    parts = []
    undefined = list(dict.fromkeys(e.function for e in mine if e.known == "undefined"))
    if undefined:
        example = next(e for e in mine if e.known == "undefined")
        at = ", ".join(f"{float.fromhex(v):.3g}" for v in example.at.split(","))
        shown = f"such as {example.answer:.6g} for {example.function}' at {at}"
        count = f"{len(undefined)} function{'s' * (len(undefined) > 1)}"
        parts.append(f"a finite derivative where the function has no value on {count}, {shown}")
    ignoring = list(dict.fromkeys(e.function for e in mine if e.known == "nan"))
    if ignoring:
        parts.append(f"NaN answered by a number on {', '.join(ignoring[:LISTED])}{_more(ignoring)}")
    return parts


def _engines(rows: Sequence[Row]) -> list[str]:
    """The same rules on an engine whose own functions cost digits."""
    found = []
    for engine in dict.fromkeys(r.engine for r in rows if r.method == "ad.reverse" and (r.method, r.engine) not in PROMISED):
        here = [r for r in rows if (r.method, r.engine) == ("ad.reverse", engine)]
        off = sorted((r for r in here if r.bad), key=lambda r: -(r.max_bits or 0.0))
        if off:
            listed = ", ".join(f"{_slope(r)} ({r.max_bits:.0f} bits)" for r in off[:LISTED])
            found.append(
                f"The same rules on engine {engine}, with its own elementary functions, exceed {BAD:g} ulp on {listed}{_more(off)}."
            )
    return found


def _slope(row: Row) -> str:
    return row.function + "'" * row.order


def _share(row: Row) -> str:
    return f"{100 * row.bad_share:.0f} %" if row.bad_share >= 0.01 else "under 1 %"


def _library(row: Row) -> str:
    return row.method.removeprefix(PEER)


def _more(listed: Sequence[object]) -> str:
    return f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""

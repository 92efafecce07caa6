"""The tables of an audit, as lists of cells: bits lost, the promises of our rules, totals, worst points, special points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...dsl.accuracy import PROMISE
from ...dsl.core import PRIMITIVES
from ...dsl.elementwise import Elementwise
from ..accuracy import ulps
from .plan import PROMISED
from .rows import BAD, Edge, Row, together

if TYPE_CHECKING:
    from .result import Audit

ORDERS = ("Value", "First derivative", "Second derivative")
CLEAN = "·"
WORST_SHOWN, WORST_EACH = 30, 3
GRAVE = 16.0
"""Bits lost from which on a point is worth a line where there are many."""
EDGES_SHOWN = 40
LEFT = ("who", "replay", "because", "at", "why", "status", "answers", "expected")
"""Columns of words, set flush left; the others are figures."""
LEGEND = (
    f"Bits of 64 lost at the worst point, and the share of points off by more than {BAD:g} ulp; {CLEAN} none is. "
    "Judged where arguments and truth are normal numbers, against certified truth."
)


@dataclass(frozen=True)
class Cell:
    """A text, and how many bits it says are lost: None where it is no measurement."""

    text: str
    bits: float | None = None


@dataclass(frozen=True)
class Sheet:
    """A table: its title, a line below it, its head, its lines of cells."""

    title: str
    note: str
    head: list[str]
    lines: list[list[Cell]]


def sheets(audit: Audit) -> list[Sheet]:
    """All tables of an audit for a terminal or a notebook, without those that would be empty."""
    found = [heat(audit, order) for order in sorted({r.order for r in audit.rows})]
    if not audit.points:
        return _filled(*found, _answers(audit), _silent(audit))
    return _filled(*found, _rules(audit), _totals(audit), _worst(audit), _special(audit.wrong()), _broken(audit), _silent(audit))


def pages(audit: Audit) -> list[Sheet]:
    """The tables of a report: both derivatives in one, and what is behind them."""
    if not audit.points:
        return sheets(audit)
    derivatives, value = _derivatives(audit), [heat(audit, 0)] if any(r.order == 0 for r in audit.rows) else []
    worst, wrong = _worst(audit), _special(audit.wrong())
    return _filled(derivatives, worst, wrong, _rules(audit), _broken(audit), *value, _totals(audit), _silent(audit))


def _filled(*found: Sheet) -> list[Sheet]:
    return [s for s in found if s.lines or s.note]


# --- the tables ---


def cell(row: Row | None) -> Cell:
    """What a heat map says of one row."""
    if row is None or (row.status == "ok" and not row.judged):
        return Cell("")
    if row.status != "ok":
        return Cell(row.status)
    if not row.bad:
        return Cell(CLEAN)
    bits = row.max_bits or 0.0
    share = 100 * row.bad_share
    return Cell(f"{bits:.0f} {share:.0f}%" if share >= 1 else f"{bits:.0f} <1%", bits)


def heat(audit: Audit, order: int) -> Sheet:
    """Functions x contestants; contestants with the same cells share a column, functions that all do well a line below."""
    rows = [r for r in audit.rows if r.order == order]
    everyone = list(dict.fromkeys((r.method, r.engine) for r in rows))
    functions = list(dict.fromkeys(r.function for r in rows))
    known = {(r.function, r.method, r.engine): cell(r) for r in rows}
    columns: dict[tuple[Cell, ...], list[tuple[str, str]]] = {}
    for who in everyone:
        columns.setdefault(tuple(known.get((f, *who), Cell("")) for f in functions), []).append(who)
    lines, fine, unjudged = [], [], []
    for k, f in enumerate(functions):
        cells = [column[k] for column in columns]
        if all(c.text == "" for c in cells):
            unjudged.append(f)
        elif all(c.text in (CLEAN, "") for c in cells):
            fine.append(f)
        else:
            lines.append([Cell(f), *cells])
    note = f"Everyone is within {BAD:g} ulp on {', '.join(fine)}." if fine else ""
    if unjudged:
        note += f"{' ' if note else ''}Only exact zeros, which are counted below: {', '.join(unjudged)}."
    return Sheet(ORDERS[order], note, ["", *(together(names, everyone) for names in columns.values())], lines)


def _derivatives(audit: Audit) -> Sheet:
    """Functions x contestants, first and second derivative in one cell; contestants with the same cells share a column."""
    found = [heat(audit, order) for order in (1, 2) if any(r.order == order for r in audit.rows)]
    rows = [r for r in audit.rows if r.order]
    everyone = list(dict.fromkeys((r.method, r.engine) for r in rows))
    known = {(r.function, r.method, r.engine, r.order): cell(r) for r in rows}
    functions = [f for f in dict.fromkeys(r.function for r in rows) if any(line[0].text == f for s in found for line in s.lines)]
    columns: dict[tuple[Cell, ...], list[tuple[str, str]]] = {}
    for who in everyone:
        cells = [[known.get((f, *who, s), Cell("")) for s in (1, 2)] for f in functions]
        columns.setdefault(tuple(_pair(*two) for two in cells), []).append(who)
    lines = [[Cell(f), *(column[k] for column in columns)] for k, f in enumerate(functions)]
    fine = [f for f in dict.fromkeys(r.function for r in rows) if f not in functions]
    note = (
        f"First derivative, then second. Everyone is within {BAD:g} ulp on {', '.join(fine)}." if fine else "First derivative, then second."
    )
    return Sheet("First and second derivative", note, ["", *(together(names, everyone) for names in columns.values())], lines)


def _pair(first: Cell, second: Cell) -> Cell:
    """Two cells as one: a status that both have once."""
    bits = max((c.bits for c in (first, second) if c.bits is not None), default=None)
    if first.text == second.text and first.bits is None:
        return Cell(first.text, bits)
    return Cell(f"{first.text} / {second.text}", bits)


def _rules(audit: Audit) -> Sheet:
    """What our own rules promise, and the worst that they did: a line for each promise other than the usual one."""
    worst: dict[tuple[str, int], float] = {}
    for r in audit.rows:
        if r.order and (r.method, r.engine) in PROMISED and r.max_ulp is not None:
            worst[r.function, r.order] = max(worst.get((r.function, r.order), 0.0), r.max_ulp)
    usual: dict[int, list[tuple[float, str]]] = {1: [], 2: []}
    lines: list[list[Cell]] = []
    for (function, order), ulp in worst.items():
        primitive = PRIMITIVES[function]
        assert isinstance(primitive, Elementwise)
        own = {p: b for p, b in primitive.bounds.items() if len(p) == order}
        if not own:
            usual[order].append((ulp, function))
        for path, bound in own.items():
            by = "".join("xy"[k] for k in path)
            lines.append([Cell(derivative(function, by)), Cell(str(bound)), Cell(f"{ulp:.3g}"), Cell(bound.reason)])
    for order, found in sorted(usual.items(), reverse=True):
        if found:
            ulp, function = max(found)
            what = f"{ORDERS[order].lower()} of {len(found)} {'others' if lines else 'functions'}"
            lines.insert(0, [Cell(what), Cell(str(PROMISE)), Cell(f"{ulp:.3g} ({function})"), Cell("")])
    note = "In ulp, of ad.forward and ad.reverse on the engines numpy and python." if lines else ""
    return Sheet("Our rules", note, ["", "promised", "worst", "because"], lines)


COUNTS = (
    ("points", "judged", "Entries judged in ulp."),
    ("bad", "bad", f"Off by more than {BAD:g} ulp."),
    ("NaN or inf", "nonfinite", "Where the truth is finite."),
    ("missed 0", "zeros_missed", "Not 0 nor subnormal where the truth is, or rounds to, 0."),
    ("missed overflow", "overflows_missed", "Neither infinite nor the largest number where the truth is beyond it."),
    ("subnormal bad", "subnormal_bad", f"With a subnormal argument or truth, off by more than {BAD:g} ulp."),
    ("finite, undefined", "undefined_finite", "A finite answer where the function is not defined."),
)


def _totals(audit: Audit) -> Sheet:
    """Each contestant's counts over all functions, derivatives and values together; contestants with the same counts share a line."""
    sums: dict[tuple[str, str], list[int]] = {}
    for r in audit.rows:
        counts = [getattr(r, name) for _, name, _ in COUNTS]
        so_far = sums.get((r.method, r.engine), [0] * len(COUNTS))
        sums[r.method, r.engine] = [a + b for a, b in zip(so_far, counts, strict=True)]
    shared: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    for who, counts in sums.items():
        shared.setdefault(tuple(counts), []).append(who)
    lines = [[Cell(together(names, list(sums))), *(Cell(f"{n:,}" if n else "") for n in counts)] for counts, names in shared.items()]
    return Sheet(
        "Counts over all functions",
        " ".join(f"{h}: {text[0].lower()}{text[1:]}" for h, _, text in COUNTS[2:]),
        ["", *(h for h, _, _ in COUNTS)],
        lines,
    )


def derivative(function: str, by: str) -> str:
    """tanh, d tanh/dx, d²pow/dxdy."""
    if not by:
        return function
    bottom = "".join(f"d{c}" for c in by) if len(set(by)) == len(by) else f"d{by[0]}²"
    return f"d{'²' if len(by) == 2 else ' '}{function}/{bottom}"


def _worst(audit: Audit) -> Sheet:
    """Of each method the worst functions, so that no single one fills the table; slight losses only where there is nothing else."""
    lines: list[list[Cell]] = []
    shown: dict[str, int] = {}
    bad = audit.worst(len(audit.rows))
    for r in [r for r in bad if (r.max_bits or 0.0) >= GRAVE] or bad:
        shown[r.method] = shown.get(r.method, 0) + 1
        if shown[r.method] > WORST_EACH or len(lines) == WORST_SHOWN:
            continue
        condition = "" if r.worst_condition is None else f"{r.worst_condition:.2g}"
        at = ", ".join(f"{float.fromhex(v):.6g}" for v in r.worst_at.split(","))
        figures = [at, f"{r.worst_value:.6g}", f"{r.worst_truth:.6g}", f"{r.max_bits:.0f}", condition]
        lines.append([Cell(derivative(r.function, r.worst_by)), Cell(f"{r.method} on {r.engine}"), *map(Cell, figures), Cell(r.replay)])
    note = "condition: what a relative error of 1 in the arguments makes of the derivative; the larger, the harder the point."
    return Sheet("Worst points", note if lines else "", ["", "who", "at", "answer", "truth", "bits", "condition", "replay"], lines)


def _special(edges: Sequence[Edge]) -> Sheet:
    """Wrong answers at special points, all of one derivative at one place together; those that most methods give first."""
    grouped: dict[tuple[str, str, str, str], list[Edge]] = {}
    for e in edges:
        grouped.setdefault((e.function, e.by, e.place, e.known), []).append(e)
    listed = sorted(grouped.items(), key=lambda item: (len(item[0][1]), -len({m for e in item[1] for m in _methods(e)})))
    lines = []
    for (_, _, _, known), found in listed[:EDGES_SHOWN]:
        e = found[0]
        expected = {"undefined": "not finite: undefined", "nan": "nan"}.get(known, "" if e.truth is None else repr(e.truth))
        there = [other for other in found if other.at == e.at]
        others = len({other.at for other in found}) - 1
        at = ", ".join(f"{float.fromhex(v):.6g}" for v in e.at.split(",")) + (f" (and {others} like it)" if others else "")
        given = "; ".join(f"{_apart(other.answer, e.truth)} by {other.who}" for other in there)
        lines.append([Cell(derivative(e.function, e.by)), Cell(at), Cell(expected), Cell(known), Cell(given)])
    left = len(grouped) - len(lines)
    note = f"{left} more are in the records." if left > 0 else ""
    return Sheet("Wrong at special points", note, ["", "at", "expected", "because", "answers"], lines)


def _apart(answer: float, truth: float | None) -> str:
    """Six digits of an answer, or all where six do not tell it from the truth."""
    short = f"{answer:.6g}"
    return short if truth is None or short != f"{truth:.6g}" else repr(answer)


def _methods(edge: Edge) -> list[str]:
    """The methods that an edge names, without their engines."""
    return [part.split(" on ")[0] for part in edge.who.split(", ")]


def _answers(audit: Audit) -> Sheet:
    """Every answer at points that were given."""
    lines = []
    for e in audit.edges:
        truth = {"undefined": "undefined", "nan": "nan"}.get(e.known, "" if e.truth is None else repr(e.truth))
        distance = "" if e.truth is None else f"{float(ulps(np.array(e.answer), np.array(e.truth))):.6g}"
        lines.append([Cell(derivative(e.function, e.by)), *map(Cell, (e.at, repr(e.answer), truth, distance, e.verdict, e.who))])
    return Sheet("Answers", "", ["", "at", "answer", "truth", "ulp", "", "who"], lines)


def _broken(audit: Audit) -> Sheet:
    """Where our own rules exceed the bound of their function's row."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for r in sorted(audit.broken, key=lambda r: -(r.over_promise or 0.0)):
        grouped.setdefault((r.function, r.worst_by), []).append(r)
    everyone = sorted(PROMISED)
    lines = []
    for (function, by), found in grouped.items():
        who = together([(r.method, r.engine) for r in found], everyone)
        lines.append([Cell(derivative(function, by)), Cell(f"{found[0].over_promise:.3g}"), Cell(who), Cell(found[0].replay)])
    asked = any(r.order and (r.method, r.engine) in PROMISED for r in audit.rows)
    kept = "" if lines or not asked else "Every derivative of ours is within the bound that its function's row promises."
    return Sheet("Beyond our promise", kept, ["", "times the bound", "who", "replay"], lines)


def _silent(audit: Audit) -> Sheet:
    """Who gave no answer that could be judged, and why."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for r in audit.rows:
        if r.status != "ok":
            grouped.setdefault((r.status, r.message), []).append(r)
    everyone = list(dict.fromkeys((r.method, r.engine) for r in audit.rows))
    lines = []
    for (status, message), found in grouped.items():
        functions = list(dict.fromkeys(r.function for r in found))
        listed = ", ".join(functions[:6]) + (f" and {len(functions) - 6} more" if len(functions) > 6 else "")
        who = together(list(dict.fromkeys((r.method, r.engine) for r in found)), everyone)
        lines.append([Cell(listed), Cell(status), Cell(who), Cell(message)])
    return Sheet("Without an answer", "", ["", "status", "who", "why"], lines)

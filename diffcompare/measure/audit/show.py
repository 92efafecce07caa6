"""How an audit is shown: a heat map of bits lost for each order, totals, worst points, special points; terminal, HTML, Markdown.

One description of the tables, as lists of cells, serves all three.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..accuracy import ulps
from .rows import BAD, Edge, Row, together

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

    from .result import Audit

ORDERS = ("Value", "First derivative", "Second derivative")
CLEAN = "·"
WORST_SHOWN = 15
EDGES_SHOWN = 40
LEFT = ("who", "replay", "because", "at", "why", "status")
"""Columns of words, set flush left; the others are figures."""
LEGEND = (
    f"Bits of 64 lost at the worst point, and the share of points off by more than {BAD:g} ulp; {CLEAN} none is. "
    "Judged where arguments and truth are normal numbers, against certified truth."
)
HEAT = ((40.0, "bold white on red3", "#e15759"), (16.0, "black on dark_orange", "#f5a45c"), (0.0, "black on khaki1", "#f7e08a"))
"""From how many bits lost a cell has which colour, in the terminal and in HTML."""


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
    """All tables of an audit, without those that would be empty."""
    found = [_heat(audit, order) for order in sorted({r.order for r in audit.rows})]
    if not audit.points:
        return [s for s in (*found, _answers(audit), _silent(audit)) if s.lines or s.note]
    found += [_totals(audit), _worst(audit), _edges(audit.wrong()), _promises(audit), _silent(audit)]
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


def _heat(audit: Audit, order: int) -> Sheet:
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
    lines = []
    for r in audit.worst(WORST_SHOWN):
        condition = "" if r.worst_condition is None else f"{r.worst_condition:.2g}"
        figures = [f"{r.worst_value:.6g}", f"{r.worst_truth:.6g}", f"{r.max_bits:.0f}", condition]
        lines.append([Cell(derivative(r.function, r.worst_by)), Cell(f"{r.method} on {r.engine}"), *map(Cell, figures), Cell(r.replay)])
    note = "condition: what a relative error of 1 in the arguments makes of the derivative; the larger, the harder the point."
    return Sheet("Worst points", note if lines else "", ["", "who", "answer", "truth", "bits", "condition", "replay"], lines)


def _edges(edges: Sequence[Edge]) -> Sheet:
    """Wrong answers at special points; of several of one function, order, place and contestant the first, with their number."""
    grouped: dict[tuple[Any, ...], list[Edge]] = {}
    for e in edges:
        grouped.setdefault((e.function, e.order, e.place, e.known, e.who), []).append(e)
    lines = []
    for (_, _, _, known, who), found in list(grouped.items())[:EDGES_SHOWN]:
        e = found[0]
        expected = {"undefined": "not finite: undefined", "nan": "nan"}.get(known, "" if e.truth is None else f"{e.truth:.6g}")
        more = f" (and {len(found) - 1} like it)" if len(found) > 1 else ""
        at = ", ".join(f"{float.fromhex(v):.6g}" for v in e.at.split(","))
        lines.append([Cell(derivative(e.function, e.by)), Cell(at + more), Cell(f"{e.answer:.6g}"), Cell(expected), Cell(known), Cell(who)])
    left = len(grouped) - len(lines)
    note = f"{left} more are in the records." if left > 0 else ""
    return Sheet("Wrong at special points", note, ["", "at", "answer", "expected", "because", "who"], lines)


def _answers(audit: Audit) -> Sheet:
    """Every answer at points that were given."""
    lines = []
    for e in audit.edges:
        truth = {"undefined": "undefined", "nan": "nan"}.get(e.known, "" if e.truth is None else repr(e.truth))
        distance = "" if e.truth is None else f"{float(ulps(np.array(e.answer), np.array(e.truth))):.6g}"
        lines.append([Cell(derivative(e.function, e.by)), *map(Cell, (e.at, repr(e.answer), truth, distance, e.verdict, e.who))])
    return Sheet("Answers", "", ["", "at", "answer", "truth", "ulp", "", "who"], lines)


def _promises(audit: Audit) -> Sheet:
    """Where our own methods exceed the bound of their function's row."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for r in sorted(audit.broken, key=lambda r: -(r.over_promise or 0.0)):
        grouped.setdefault((r.function, r.worst_by), []).append(r)
    everyone = list(dict.fromkeys((r.method, r.engine) for r in audit.rows if r.order and r.family != "peer"))
    lines = []
    for (function, by), found in grouped.items():
        who = together([(r.method, r.engine) for r in found], everyone)
        lines.append([Cell(derivative(function, by)), Cell(f"{found[0].over_promise:.3g}"), Cell(who), Cell(found[0].replay)])
    kept = "" if lines or not everyone else "Every derivative of ours is within the bound that its function's row promises."
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


# --- terminal ---


def rich_view(audit: Audit) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = [Text(audit.title, style="bold"), Text(LEGEND)]
    for sheet in sheets(audit):
        table = Table(
            title=Text(sheet.title), caption=Text(sheet.note) if sheet.note else None, caption_justify="left", title_justify="left"
        )
        for k, name in enumerate(sheet.head):
            table.add_column(name, justify="left" if k == 0 or name in LEFT else "right", overflow="fold")
        for line in sheet.lines:
            table.add_row(*(Text(c.text, style=_shade(c.bits, 1)) for c in line))
        parts.append(table if sheet.lines else Text(f"{sheet.title}: {sheet.note}"))
    return Group(*parts)


def _shade(bits: float | None, which: int) -> str:
    """The style of a cell: 1 for the terminal, 2 for HTML; "" for one that says nothing of bits."""
    return "" if bits is None else next(str(colours[which]) for colours in HEAT if bits >= colours[0])


# --- HTML ---


def html_view(audit: Audit) -> str:
    parts = [f"<p><b>{html.escape(audit.title)}</b><br>{html.escape(LEGEND)}</p>"]
    for sheet in sheets(audit):
        head = "".join(f"<th>{html.escape(h)}</th>" for h in sheet.head)
        body = "".join("<tr>" + "".join(map(_html_cell, line)) + "</tr>" for line in sheet.lines)
        table = f"<table><tr>{head}</tr>{body}</table>" if sheet.lines else ""
        parts.append(f"<h4>{html.escape(sheet.title)}</h4>{table}<p>{html.escape(sheet.note)}</p>")
    return "".join(parts)


def _html_cell(c: Cell) -> str:
    colour = _shade(c.bits, 2)
    return f'<td style="background:{colour};color:#222">{html.escape(c.text)}</td>' if colour else f"<td>{html.escape(c.text)}</td>"


# --- Markdown ---


def markdown_view(audit: Audit) -> str:
    e = audit.environment
    lines = [
        "# How many digits derivatives keep",
        "",
        f"{audit.title}. {LEGEND}",
        "",
        f"Measured {e.taken} on {e.cpu}, {e.cores} cores, {e.python}; {e.packages}.",
        "",
    ]
    for sheet in sheets(audit):
        lines += [f"## {sheet.title}", ""]
        if sheet.lines:
            lines += [_line(sheet.head), _line(["---"] * len(sheet.head)), *(_line([_code(c) for c in line]) for line in sheet.lines), ""]
        if sheet.note:
            lines += [sheet.note, ""]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def _code(c: Cell) -> str:
    if c.text.startswith("diffcompare "):
        return f"`{c.text}`"
    return f"**{c.text}**" if c.bits is not None and c.bits >= HEAT[0][0] else c.text

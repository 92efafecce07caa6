"""A check as text for a terminal, and as HTML for a notebook."""

from __future__ import annotations

import html as escaping
import math

from .result import AGREES, UNDECIDED, WRONG, Check, Entry

SHOWN = 8
"""Rows of the table."""
HEADER = ("", "claimed", "expected", "error", "relative", "explained", "")


def headline(check: Check) -> str:
    """The verdict in one line."""
    if any(o.problem for o in check.outcomes):
        verdict = "WRONG"
    elif check.ok is False:
        verdict = f"WRONG in {_many(len(check.wrong), 'entry', 'entries')}"
    else:
        verdict = "agrees" if check.ok else "UNDECIDED"
    return f"{check.derivative} as the {check.operator} of {check.function}: {verdict}"


def lines(check: Check) -> list[str]:
    """Everything but the table, a sentence a line."""
    result = []
    for k, outcome in enumerate(check.outcomes):
        where = f"point {k}: " if len(check.outcomes) > 1 else ""
        if outcome.problem:
            result.append(f"{where}{check.derivative} {outcome.problem}")
            continue
        result.append(f"{where}{outcome.how}")
        hidden = f", except in {_many(outcome.unseen, 'entry', 'entries')}" if outcome.unseen else ""
        if outcome.unseen or any(e.verdict != UNDECIDED for e in outcome.entries):
            result.append(f"{where}relative errors above {outcome.resolution:.1e} would have been seen{hidden}")
    if check.why_not_traced:
        result.append(f"{check.function} was only evaluated, not traced: {check.why_not_traced}")
    result += [f"fits: {kind}" for kind in check.kinds]
    if check.wrong and not check.kinds:
        result.append("no simple mistake fits (factor, sign, index, transpose, missing term, precision)")
    if check.ok is None:
        result.append(
            f"undecided: errors above the resolution asked for, {check.target:.0e}, could hide; resolution= asks for less, another point may show more"
        )
    return result + [f"warning: {w}" for w in dict.fromkeys([*check.warnings, *(w for o in check.outcomes for w in o.warnings)])]


def _many(n: int, one: str, several: str) -> str:
    return f"{n} {one if n == 1 else several}"


def _rows(check: Check) -> tuple[list[Entry], int]:
    """The entries worth a row, and how many more of them there are."""
    entries = [e for e in check.entries if e.verdict != AGREES or e.note]
    entries.sort(key=lambda e: (e.verdict != WRONG, e.verdict != UNDECIDED))
    if not entries and check.worst:
        entries = [check.worst]
    return entries[:SHOWN], max(0, len(entries) - SHOWN)


def _cells(entry: Entry, several: bool) -> tuple[str, ...]:
    name = f"{entry.name} at point {entry.point}" if several else entry.name
    verdict = f"{entry.verdict}: {entry.note}" if entry.note else entry.verdict
    return (
        name,
        _number(entry.claimed, 17),
        _number(entry.expected, 17),
        _number(entry.error, 2),
        _number(entry.relative, 2),
        _number(entry.allowed, 2),
        verdict,
    )


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else str(value)


def text(check: Check) -> str:
    """The check for a terminal."""
    entries, more = _rows(check)
    rows = [HEADER, *(_cells(e, len(check.outcomes) > 1) for e in entries)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADER))]
    table = ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows] if entries else []
    rest = [f"  and {more} more"] if more else []
    return "\n".join([headline(check), *table, *rest, *(f"  {line}" for line in lines(check))])


def html(check: Check) -> str:
    """The check for a notebook."""
    entries, more = _rows(check)
    colour = {True: "#2a7d2a", False: "#b3261e", None: "#8a6d00"}[check.ok]
    head = "".join(f"<th>{escaping.escape(c)}</th>" for c in HEADER)
    body = "".join(
        "<tr>" + "".join(f"<td>{escaping.escape(c)}</td>" for c in _cells(e, len(check.outcomes) > 1)) + "</tr>" for e in entries
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if entries else ""
    rest = f"<p>and {more} more</p>" if more else ""
    notes = "".join(f"<li>{escaping.escape(line)}</li>" for line in lines(check))
    return f'<div><p style="color:{colour}"><b>{escaping.escape(headline(check))}</b></p>{table}{rest}<ul>{notes}</ul></div>'

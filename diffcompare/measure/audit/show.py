"""How an audit is shown: in a terminal, in a notebook as HTML, as Markdown; sheets.py has the tables."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .colours import HEAT
from .findings import findings
from .sheets import LEFT, LEGEND, Cell, pages, sheets

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

    from .result import Audit

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

HOW = """\
Every function is drawn at random points by strata (uniform over the floats, uniform, log-uniform, near 0, ±1 and the places where
something happens) and at listed ones (ends of the domain, zeros, kinks, smallest and largest normal numbers). The truth is computed by
ball arithmetic on power series (Arb), which shares no derivative rule with anyone, and is rounded once. An error is the number of floats
between answer and truth (ulp); bits lost are log2(1 + ulp), 64 for NaN. Each library gets the function in its own words, through the fast
path that its documentation recommends, in float64. Special points (0, infinities, NaN, beyond the domain, kinks) are judged apart."""


def markdown_view(audit: Audit, picture: str = "") -> str:
    """The report: what was found in words, then the picture, then the tables."""
    e = audit.environment
    told = findings(audit)
    lines = ["# How many digits derivatives keep", "", f"{audit.title}.", ""]
    lines += ["## Findings", "", *(f"- {t}" for t in told), ""] if told else []
    if picture:
        lines += ["## Bits lost", "", f"![Bits lost at the worst point, functions by methods]({picture})", ""]
    lines += [LEGEND, "", "Any point can be asked again with the command beside it.", ""]
    for sheet in pages(audit):
        lines += [f"## {sheet.title}", ""]
        if sheet.lines:
            lines += [_line(sheet.head), _line(["---"] * len(sheet.head)), *(_line([_code(c) for c in line]) for line in sheet.lines), ""]
        if sheet.note:
            lines += [sheet.note, ""]
    lines += ["## How", "", HOW, "", f"Measured {e.taken} on {e.cpu}, {e.cores} cores, {e.python}; {e.packages}."]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def _code(c: Cell) -> str:
    if c.text.startswith("diffcompare "):
        return f"`{c.text}`"
    return f"**{c.text}**" if c.bits is not None and c.bits >= HEAT[0][0] else c.text

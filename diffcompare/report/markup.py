"""Blocks of a report as HTML. Text from outside is escaped here and nowhere else."""

from __future__ import annotations

import base64
import gzip
import math
import re
from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd

from . import tables
from .blocks import Block, Chapter, Choice, Figure, Matrix, Picture, Points, Prose, Sheet, Written
from .definitions import TERMS, place
from .matrix import grid

LONG = 36
"""A cell with more characters runs over several lines."""
LEAD = ' class="lead"'
Draw = Callable[[Choice, bool], str]
"""A chart as an SVG element, for a narrow screen where True; "" where charts cannot be drawn."""


def inline(text: str) -> str:
    """Prose as HTML: **strong**, `code` and [words](#place)."""
    spans: list[str] = []

    def keep(found: re.Match[str]) -> str:
        spans.append(f"<code>{escape(found[1])}</code>")
        return f"\0{len(spans) - 1}\0"

    held = escape(re.sub(r"`([^`]*)`", keep, text.replace("\0", "")), quote=False)
    held = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", held)
    held = re.sub(r"\[([^\]]*)\]\(#(def-[\w-]+)\)", r'<a class="term" href="#\2">\1</a>', held)
    held = re.sub(r"\[([^\]]*)\]\((#[\w-]+|data/[\w.-]*)\)", r'<a href="\2">\1</a>', held)
    return re.sub("\0(\\d+)\0", lambda m: spans[int(m[1])], held)


def chapter(given: Chapter, draw: Draw) -> str:
    """All blocks of a chapter."""
    return "\n".join(block(b, draw, f"{given.id}-{k}") for k, b in enumerate(given.blocks))


def block(given: Block, draw: Draw, name: str) -> str:
    """One block. name: an identifier of its own within the page."""
    match given:
        case Prose():
            return f"<p{LEAD if given.lead else ''}>{inline(given.text)}</p>"
        case Points():
            return f"<ul>{''.join(f'<li>{inline(i)}</li>' for i in given.items)}</ul>"
        case Sheet():
            return _sheet(given)
        case Figure():
            return _figure(given, draw, name)
        case Picture():
            svg = given.svg.replace('role="img"', f'role="img" aria-label="{escape(given.text)}"', 1)
            return f'<figure class="wide"><div class="scroll" tabindex="0">{svg}</div><figcaption>{inline(given.caption)}</figcaption></figure>'
        case Written():
            inner = f'<div class="scroll" tabindex="0">{given.html}</div>'
            return fold(given.title, inner) if given.title else inner
        case Matrix():
            inner = grid(given)
            return fold(given.title, inner) if given.folded else inner


def fold(title: str, inner: str, count: str = "") -> str:
    """Closed until it is opened."""
    note = f' <span class="count">{escape(count)}</span>' if count else ""
    return f'<details class="fold"><summary>{escape(title)}{note}</summary>\n{inner}\n</details>'


# --- tables ---


def _sheet(given: Sheet) -> str:
    note = f'<p class="note">{inline(given.note)}</p>' if given.note else ""
    inner = f"{note}{table(given)}"
    rows = f"{len(given.table)} row{'s' * (len(given.table) != 1)}"
    return fold(given.title, inner, rows) if given.folded else f"<h3>{escape(given.title)}</h3>{inner}" if given.title else inner


def table(given: Sheet) -> str:
    """A table whose headings sort it and lead to the definition of what they name."""
    raw = given.table.reset_index() if given.index else given.table
    text = tables.shown(given.table, given.units)
    text = text.reset_index() if given.index else text
    numeric = [pd.api.types.is_numeric_dtype(raw[c]) for c in raw.columns]
    head = "".join(_heading(str(c), given.means.get(str(c), ""), n) for c, n in zip(raw.columns, numeric, strict=True))
    body = []
    for values, words in zip(raw.itertuples(index=False), text.itertuples(index=False), strict=True):
        cells = [
            _cell(v, str(w), n, str(c) in given.code, k == 0)
            for k, (c, v, w, n) in enumerate(zip(raw.columns, values, words, numeric, strict=True))
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    label = escape(given.title or "table")
    lines = "\n".join(body)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table class="sheet"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _heading(name: str, term: str, numeric: bool) -> str:
    assert not term or term in TERMS, term
    about = f' <a class="term about" href="#{place(term)}" aria-label="what {escape(name)} means">?</a>' if term else ""
    return f'<th scope="col"{" class=num" if numeric else ""}><button type="button" class="sort">{escape(name)}</button>{about}</th>'


def _cell(value: Any, text: str, numeric: bool, command: bool, first: bool) -> str:
    if first and not numeric:
        return f'<th scope="row">{escape(text)}</th>'
    if not numeric:
        long = ' class="long"' if len(text) > LONG and not command else ""
        return f"<td{long}>{_command(text) if command and text else escape(text)}</td>"
    known = value is not None and not math.isnan(value)
    return f'<td class="num" data-v="{float(value)!r}">{escape(text)}</td>' if known else '<td class="num"></td>'


def _command(text: str) -> str:
    return f"<code>{escape(text)}</code>"


# --- figures ---


def packed(text: str, name: str) -> str:
    """Text that the page's script unpacks when it is wanted: a sixth of its size."""
    squeezed = gzip.compress(text.encode(), 9, mtime=0)
    return f'<script type="application/gzip" class="packed" id="{name}">{base64.urlsafe_b64encode(squeezed).decode()}</script>'


def _figure(given: Figure, draw: Draw, name: str) -> str:
    """The charts, one of them shown; wide and narrow, of which the style sheet shows the one that fits."""
    shown = []
    for k, choice in enumerate(given.choices):
        label = escape(f"{choice.label}. {choice.text}".strip(". "))
        wide, narrow = draw(choice, False), draw(choice, True)
        if not wide:
            continue
        inner = "".join(
            f'<div class="plot {kind}" tabindex="0" role="group" aria-label="{label}">{svg}</div>'
            for kind, svg in (("at-wide", wide), ("at-narrow", narrow))
        )
        said = f'<p class="said">{inline(choice.text)}</p>' if choice.text else ""
        shown.append(f'<div class="choice" id="{name}-{k}">{inner}{said}</div>' if k == 0 else packed(inner + said, f"{name}-{k}"))
    caption = f"<figcaption>{inline(given.caption)}</figcaption>"
    if not shown:
        return f'<figure class="undrawn"><p class="note">Not drawn.</p>{caption}</figure>'
    select = ""
    if len(shown) > 1:
        options = "".join(f'<option value="{name}-{k}">{escape(c.label)}</option>' for k, c in enumerate(given.choices))
        select = f'<p class="pick"><label>{escape(given.of)} <select autocomplete="off">{options}</select></label></p>'
    return f'<figure id="figure-{escape(given.name)}">{select}{"".join(shown)}{caption}</figure>'

"""Blocks of a report as Markdown that reads well on a code host."""

from __future__ import annotations

import re

from . import tables
from .blocks import Block, Chapter, Figure, Matrix, Picture, Points, Prose, Sheet, Written


def inline(text: str) -> str:
    """Prose as Markdown: markup from outside code is escaped, links to definitions are words."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if k % 2 else _plain(p) for k, p in enumerate(parts))


def _plain(text: str) -> str:
    return re.sub(r"\[([^\]]*)\]\(#[\w-]+\)", r"\1", text).replace("<", "&lt;")


def chapter(given: Chapter, drawn: dict[str, str]) -> str:
    """A chapter under its heading. drawn: by the name of a figure the path of its file."""
    return "\n\n".join([f"## {given.title}", *(t for b in given.blocks if (t := block(b, drawn)))])


def block(given: Block, drawn: dict[str, str]) -> str:
    """One block; "" where it has no place in a text."""
    match given:
        case Prose():
            return inline(given.text)
        case Points():
            return "\n".join(f"- {inline(i)}" for i in given.items)
        case Sheet():
            return _sheet(given)
        case Figure():
            said = [inline(t) for t in (given.choices[0].text, given.caption) if t]
            picture = f"![{given.choices[0].label}]({drawn[given.name]})" if given.name in drawn else ""
            return "\n\n".join(t for t in (picture, *said) if t)
        case Picture():
            return f"![{given.text}]({drawn[given.name]})\n\n{inline(given.caption)}"
        case Written():
            return f"{f'### {given.title}' if given.title else ''}\n\n{given.markdown}".strip()
        case Matrix():
            table = tables.markdown(tables.status(given.cells).T if given.folded else tables.status(given.cells))
            return _folded(given.title, table) if given.folded else table


def _sheet(given: Sheet) -> str:
    note = f"{inline(given.note)}\n\n" if given.note else ""
    text = note + tables.markdown(tables.shown(given.table, given.units), index=given.index)
    if given.folded:
        return _folded(given.title, text)
    return f"### {given.title}\n\n{text}" if given.title else text


def _folded(title: str, text: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"

"""What a report is made of: chapters of prose, tables, figures, pictures. Two renderings know them, as HTML and as Markdown.

Text in `Prose`, captions and titles is plain but for **strong**, `code` and [words](#place); `code(text)` makes any text safe
to stand in it. Everything else, tables in particular, is taken literally.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


def code(text: object) -> str:
    """Any text as code within prose: on one line, without the signs that end code."""
    return f"`{' '.join(str(text).replace('`', chr(39)).split())}`"


@dataclass(frozen=True)
class Prose:
    """A paragraph. lead: larger, for the answer of a chapter."""

    text: str
    lead: bool = False


@dataclass(frozen=True)
class Points:
    """A list of paragraphs."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A table of numbers and text, which sorts by a click on a heading.

    units: by column name "seconds", "ulp", "share" or "bytes", or one of these for all columns. folded: closed until it is opened.
    means: by column name the term of `definitions` that explains it. code: columns whose text is a command.
    """

    title: str
    table: pd.DataFrame
    note: str = ""
    units: Mapping[str, str] | str = ""
    folded: bool = False
    index: bool = True
    means: Mapping[str, str] = field(default_factory=dict)
    code: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """One of a figure's charts. draw: an Altair chart, for a narrow screen where True; text: what it shows, in words."""

    label: str
    draw: Callable[[bool], Any]
    text: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart, or several of which one is shown at a time. name: of its file, charts/NAME.svg of the first choice."""

    name: str
    caption: str
    choices: tuple[Choice, ...]
    of: str = "Show"


@dataclass(frozen=True)
class Picture:
    """A finished SVG file that has its own light and dark."""

    name: str
    caption: str
    svg: str
    text: str


@dataclass(frozen=True)
class Written:
    """Text made elsewhere, trusted, in both renderings. title: of a part that is closed until it is opened; "" shows it at once."""

    html: str
    markdown: str
    title: str = ""


@dataclass(frozen=True)
class Matrix:
    """Methods against problems; each cell a mark for each engine, which opens its numbers.

    cells: records as `tables.frame` has them. operator: whose records they are, in words. folded: closed until it is opened.
    """

    title: str
    cells: pd.DataFrame
    folded: bool = False


Block = Prose | Points | Sheet | Figure | Picture | Written | Matrix


@dataclass(frozen=True)
class Chapter:
    """id: its place in the page."""

    id: str
    title: str
    blocks: tuple[Block, ...]

"""Trace: the lines of a sweep, as a table in a terminal or a notebook, as a DataFrame, as Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dsl.core import Expr
from ..dsl.function import Function
from ..dsl.show import brief
from ..dsl.walk import postorder
from .notation import ADJOINT, ASCII, HTML, LATEX, TANGENT, UNICODE, VALUE, Notation, Sign, Symbol, decimal

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

Step = tuple[Expr, Mapping[Expr, Sign]]
"""An expression and the signs of its nodes."""
WIDTH = 140
STYLE = """
table.steps{border-collapse:collapse;font-variant-numeric:tabular-nums}
table.steps td,table.steps th{text-align:left;padding:.15em .9em .15em 0;white-space:nowrap;border:0}
table.steps sub,table.steps sup{line-height:0}
table.steps .tangent{color:#0057a8}table.steps .adjoint{color:#a63d00}
@media(prefers-color-scheme:dark){table.steps .tangent{color:#79baff}table.steps .adjoint{color:#ffab70}}
"""
"""For notebooks; a page has its own."""


@dataclass(frozen=True)
class Line:
    """symbol = step = rule = numbers = value.

    kind: value, tangent or adjoint. steps: how it comes about, in symbols; numbers: the last of these with numbers put in.
    """

    kind: str
    symbol: Symbol
    steps: tuple[Step, ...]
    numbers: Step | None
    value: float

    def sides(self, notation: Notation) -> list[str]:
        """The line's name, step, rule, numbers and value; what is missing or would say the same again is empty."""
        steps = [notation.step(*s) for s in self.steps]
        step, rule = [*steps, "", ""][:2]
        numbers = "" if self.numbers is None else notation.step(*self.numbers)
        value = notation.number(self.value)
        return [notation.symbol(self.symbol), step, "" if rule == step else rule, "" if numbers in (value, step, rule) else numbers, value]

    def equation(self, notation: Notation) -> str:
        """The line as one equation."""
        return " = ".join(side for side in self.sides(notation) if side)


@dataclass(frozen=True, eq=False)
class Trace:
    """A sweep of automatic differentiation at a point, line by line.

    mode: forward or reverse. at: the point. wrt: what the derivatives are with respect to. lines: those of the values,
    then those of the tangents (in the same order) or of the adjoints (from the output down).
    Shows itself as a table: in a terminal by print or by rich, in a notebook as HTML.
    """

    function: Function
    at: Mapping[str, Any]
    mode: str
    wrt: tuple[str, ...]
    lines: tuple[Line, ...]

    def of(self, kind: str) -> list[Line]:
        """The lines of the values, tangents or adjoints."""
        return [line for line in self.lines if line.kind == kind]

    @property
    def title(self) -> str:
        """What is shown, in one line."""
        sweep = "Forward" if self.mode == "forward" else "Reverse"
        where = ", ".join(f"{n} = {_listed(v)}" for n, v in self.at.items())
        f = self.function
        what = brief(unnamed(f)) if f.name == "f" else f"{f.name}({', '.join(f.names)})"
        return f"{sweep} sweep of {what}{f' at {where}' if where else ''} with respect to {', '.join(self.wrt)}"

    @property
    def table(self) -> pd.DataFrame:
        """A pandas DataFrame with a row for each line: kind, name, step, rule, numbers as text, and the value in full."""
        import pandas as pd

        rows = [(line.kind, *line.sides(UNICODE)[:-1], line.value) for line in self.lines]
        return pd.DataFrame(rows, columns=["kind", "name", "step", "rule", "numbers", "value"])

    @property
    def latex(self) -> str:
        """LaTeX for mathematics mode: an array like the survey's tables."""
        if self.mode == "forward":
            pairs = zip(self.of(VALUE), self.of(TANGENT), strict=True)
            rows = [" & ".join([*_latex_cells(a, False), *_latex_cells(b, False)]) for a, b in pairs]
            return _latex_array("llll|llll", rows)
        values = [" & ".join(_latex_cells(line, False)) for line in self.of(VALUE)]
        adjoints = [" & ".join(_latex_cells(line, True)) for line in self.of(ADJOINT)]
        return _latex_array("llll", values) + "\n" + _latex_array("lllll", adjoints)

    @property
    def markdown(self) -> str:
        """A table in GitHub's Markdown, two of them for a reverse sweep."""
        return "\n\n".join(_markdown([name for name, _ in part], [lines for _, lines in part]) for part in self._parts())

    @property
    def html(self) -> str:
        """Tables in HTML without any style of their own."""
        return "\n".join(_html_table(part) for part in self._parts())

    def _parts(self) -> list[list[tuple[str, list[Line]]]]:
        """Tables of columns: (heading, lines)."""
        values = ("Values", self.of(VALUE))
        if self.mode == "forward":
            return [[values, (f"Tangents, by {', '.join(self.wrt)}", self.of(TANGENT))]]
        return [[values], [("Adjoints, from the output down", self.of(ADJOINT))]]

    def _repr_html_(self) -> str:
        import html

        return f"<style>{STYLE}</style>\n<p>{html.escape(self.title)}</p>\n{self.html}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        notation = ASCII if options.ascii_only else UNICODE
        yield Text(self.title, style="bold")
        for part in self._parts():
            wide = _rich_table(part, notation)
            fits = console.measure(wide, options=options.update(max_width=10_000)).maximum <= options.max_width
            for table in [wide] if fits else [_rich_table([column], notation) for column in part]:
                yield Text()
                yield table

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=WIDTH, no_color=True, force_terminal=False)
        with console.capture() as capture:
            console.print(self)
        return "\n".join(line.rstrip() for line in capture.get().splitlines())

    def __repr__(self) -> str:
        return f"<Trace: {self.title}>"


def unnamed(function: Function) -> Function:
    """The function without the names of its intermediates."""
    new: dict[Expr, Expr] = {}
    for node in postorder(function.outputs):
        args = [new[a] for a in node.args]
        new[node] = args[0] if node.primitive.name == "named" else node.primitive.apply(args, node.params) if args else node
    return function.with_outputs([new[o] for o in function.outputs])


def _listed(value: Any, most: int = 6) -> str:
    """A number, or the first entries of an array."""
    entries = [decimal(v) for v in np.ravel(value)[:most].tolist()]
    return entries[0] if not np.ndim(value) else f"[{', '.join(entries)}{', ...' * (np.size(value) > most)}]"


def _columns(lines: Sequence[Line], notation: Notation) -> list[list[str]]:
    """The sides of the lines, equals signs in front of all but the first, without columns that are empty throughout."""
    table = [[side if k == 0 or not side else f"= {side}" for k, side in enumerate(line.sides(notation))] for line in lines]
    used = [k for k in range(5) if any(row[k] for row in table)]
    return [[row[k] for k in used] for row in table]


def _rich_table(part: Sequence[tuple[str, list[Line]]], notation: Notation) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    blocks = [_columns(lines, notation) for _, lines in part]
    for (heading, lines), block in zip(part, blocks, strict=True):
        style = {VALUE: "", TANGENT: "blue", ADJOINT: "magenta"}[lines[0].kind]
        for k in range(len(block[0])):
            table.add_column(heading.partition(",")[0] if k == 1 else "", style=style, no_wrap=True, justify="left" if k else "right")
    for rows in zip(*blocks, strict=True):
        table.add_row(*(Text(cell) for row in rows for cell in row))
    return table


def _markdown(headings: Sequence[str], columns: Sequence[Sequence[Line]]) -> str:
    rows = [[line.equation(UNICODE).replace("|", "\\|").replace("<", "&lt;") for line in row] for row in zip(*columns, strict=True)]
    body = [list(headings), ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in body)


def _html_table(part: Sequence[tuple[str, list[Line]]]) -> str:
    blocks = [_columns(lines, HTML) for _, lines in part]
    head = "".join(f'<th colspan="{len(block[0])}">{heading}</th>' for (heading, _), block in zip(part, blocks, strict=True))
    kinds = [lines[0].kind for _, lines in part]
    rows = [
        "<tr>" + "".join(f'<td class="{kind}">{cell}</td>' for kind, row in zip(kinds, rows, strict=True) for cell in row) + "</tr>"
        for rows in zip(*blocks, strict=True)
    ]
    return f'<table class="steps"><thead><tr>{head}</tr></thead>\n<tbody>\n' + "\n".join(rows) + "\n</tbody></table>"


def _latex_cells(line: Line, with_rule: bool) -> list[str]:
    name, step, rule, numbers, value = line.sides(LATEX)
    sides = [step, rule, numbers, value] if with_rule else [step, numbers, value]
    return [name, *(f"= {side}" if side else "" for side in sides)]


def _latex_array(columns: str, rows: Sequence[str]) -> str:
    return rf"\begin{{array}}{{{columns}}} " + " \\\\\n".join(rows) + r" \end{array}"

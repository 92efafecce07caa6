"""The graph of a function as a picture: each operation a card with its value, its tangent and its adjoint."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..dsl.constants import constant
from ..dsl.core import CONSTANT, INPUT, Expr, fresh
from ..dsl.function import Function, as_function
from ..dsl.structural import Structural
from ..dsl.walk import postorder, rebuild
from ..engines.numpy import numpy_engine
from ..errors import DiffCompareError, ShapeError, TooLarge
from ..measure.points import checked
from ..transforms.forward import tangents
from ..transforms.reverse import cotangents
from ..transforms.scalarize import entry_name
from .notation import ADJOINT, TANGENT, UNICODE, VALUE, Sign, Symbol
from .steps import MODES
from .svg import Card, draw
from .variables import by_level, name_of, operations, result_names

LIMIT = 150
"""The most nodes that a picture is made of: beyond, nobody can follow the lines."""
ENTRIES = 3
"""The most entries of an array that a card shows."""
SIGNIFICANT = 5
"""Digits of a number on a card."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture of a graph. svg: a whole SVG file as text, which needs nothing else. nodes: how many it shows."""

    title: str
    svg: str
    nodes: int

    def save(self, path: str | Path) -> None:
        """Write the SVG file."""
        Path(path).write_text(self.svg, encoding="utf-8")

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Drawing: {self.title}, {self.nodes} nodes>"


def graph(f: Any, at: Any = None, mode: str | None = None, wrt: str | None = None) -> Drawing:
    """The graph of a function as an SVG picture, from the inputs down to the output.

    f: a Function, an expression or text. at: a point, at which each node shows its value and, by mode, its tangent
    (forward), its adjoint (reverse) or, by default, both as far as they exist: adjoints need one scalar output.
    wrt: the input or named intermediate whose tangent is 1, the first input by default; of an array its first entry.

    Raises TooLarge beyond LIMIT nodes, ShapeError for adjoints of several outputs, DiffCompareError for names, modes and
    points that do not fit.
    """
    function = as_function(f)
    if mode is not None and mode not in MODES:
        raise DiffCompareError(f"graph: there is no mode {mode!r}; the modes are {' and '.join(MODES)}")
    if mode is not None and at is None:
        raise DiffCompareError(f"graph: mode={mode!r} needs the point at=, where tangents and adjoints have numbers")
    picture = _Picture(function)
    if len(picture.rows) > LIMIT:
        raise TooLarge(f"graph: {function.name} has {len(picture.rows)} nodes; a picture is readable up to {LIMIT}: draw a part of it")
    columns = [] if at is None else picture.columns(checked(function, at), mode, wrt)
    notes = [(c.kind, c.meaning) for c in columns]
    title = f"{function.name}({', '.join(function.names)})"
    return Drawing(title, draw(title, picture.cards(columns), picture.edges(), notes), len(picture.rows))


@dataclass(frozen=True)
class Column:
    """What each row shows of one kind, and what the legend says of it."""

    kind: str
    meaning: str
    values: list[Array]


class _Picture:
    """What is drawn of a function. rows: the nodes with a card, by levels; what else there is, is written inside their steps."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.outputs = set(function.outputs)
        self.operation = {n: o for n, o in operations(function.outputs).items() if not self._inline(n)}
        ends = [o for o in function.outputs if o.primitive is CONSTANT]
        self.rows = [*dict.fromkeys(ends), *by_level(function.inputs, self.operation)]
        count = itertools.count(1)
        self.symbol = {
            n: Symbol(VALUE, name_of(n)) if n.primitive is INPUT or n.primitive.name == "named" else Symbol(VALUE, "", next(count))
            for n in self.rows
        }
        self.stand = {n: fresh("v", n.shape) for n in self.rows}
        self.results = dict(zip(function.outputs, result_names(function), strict=True))

    def _inline(self, node: Expr) -> bool:
        """Whether a node is written where it is used: a view of an array's entries, such as x[0]."""
        primitive = node.primitive
        return isinstance(primitive, Structural) and primitive.view and primitive.name != "named" and node not in self.outputs

    # --- what is shown ---

    def edges(self) -> list[tuple[int, int]]:
        """(used, user) for each pair of rows, the used ones of a user in the order of its arguments."""
        place = {n: k for k, n in enumerate(self.rows)}
        return [(place[a], place[n]) for n in self.operation for a in self._used(n)]

    def _used(self, node: Expr) -> list[Expr]:
        below = postorder(self.operation[node].args, stop=self.stand)
        return [n for n in below if n in self.stand]

    def cards(self, columns: Sequence[Column]) -> list[Card]:
        cards = []
        for k, node in enumerate(self.rows):
            values = {c.kind: _shown(c.values[k]) for c in columns}
            kind = "input" if node.primitive is INPUT else "output" if node in self.outputs else "operation"
            cards.append(Card(self._name(node), self._step(node), node.shape, kind, values))
        return cards

    def _name(self, node: Expr) -> str:
        name = UNICODE.symbol(self.symbol[node])
        return UNICODE.symbol(self.results[node]) if node in self.results and not self.symbol[node].name else name

    def _step(self, node: Expr) -> str:
        signs: dict[Expr, Sign] = {stand: self.symbol[n] for n, stand in self.stand.items()}
        if node.primitive is INPUT:
            return ""
        if node not in self.operation:
            return UNICODE.step(node, signs)
        operation = self.operation[node]
        return UNICODE.step(operation.primitive.apply(rebuild(operation.args, self.stand), operation.params), signs)

    # --- numbers ---

    def columns(self, point: dict[str, Any], mode: str | None, wrt: str | None) -> list[Column]:
        """The values of the rows, and their tangents and adjoints as far as the mode has them."""
        f = self.function
        scalar = len(f.outputs) == 1 and not f.outputs[0].shape
        if mode == "reverse" and not scalar:
            shapes = ", ".join(str(o.shape) for o in f.outputs)
            raise ShapeError(f"graph: adjoints belong to one scalar output, {f.name} has {len(f.outputs)} of shape {shapes}")
        columns = [Column(VALUE, "value", self._evaluated(self.rows, point))]
        if mode != "reverse" and f.inputs:
            seed = self._seed(wrt)
            unit = np.zeros(seed.shape)
            unit.flat[:1] = 1.0
            by = UNICODE.symbol(Symbol(VALUE, entry_name(name_of(seed), (0,) * seed.ndim)))
            found = tangents(self.rows, {seed: constant(unit)})
            columns.append(Column(TANGENT, f"v̇ tangent ∂v/∂{by}", self._evaluated(found, point)))
        if mode != "forward" and scalar:
            of = UNICODE.symbol(self.results[f.output])
            found = cotangents([f.output], [constant(1.0)], self.rows)
            columns.append(Column(ADJOINT, f"v̄ adjoint ∂{of}/∂v", self._evaluated(found, point)))
        return columns

    def _evaluated(self, exprs: Sequence[Expr | None], point: dict[str, Any]) -> list[Array]:
        """The values at the point, by the numpy engine; 0 for None, an exact zero."""
        compiled = numpy_engine.compile(
            Function("picture", self.function.inputs, [constant(0.0) if e is None else e for e in exprs], False)
        )
        return compiled([np.asarray(point[n], dtype=float) for n in self.function.names])

    def _seed(self, wrt: str | None) -> Expr:
        if wrt is None:
            return self.function.inputs[0]
        known = {name_of(n): n for n in self.rows if n.primitive is INPUT or n.primitive.name == "named"}
        if wrt not in known:
            raise DiffCompareError(
                f"{self.function.name} has no input or named intermediate {wrt!r}; there are {', '.join(known) or 'none'}"
            )
        return known[wrt]


def _shown(value: Array) -> str:
    """A number, or the first entries of an array."""
    entries = [UNICODE.number(float(f"{v:.{SIGNIFICANT}g}")) for v in np.ravel(value)[:ENTRIES].tolist()]
    if not np.ndim(value):
        return entries[0]
    return f"[{', '.join(entries)}{', …' * (np.size(value) > ENTRIES)}]"

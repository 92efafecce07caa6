"""How each operator follows from series along directions: one series gives a directional derivative of every output."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from flint import arb

from ..dsl.core import Expr
from ..dsl.function import Function
from ..dsl.shapes import Shape
from ..errors import DiffCompareError, DomainError, ShapeError
from .balls import NAN, Ball, centre, coefficient

Array = np.ndarray[Any, Any]
Direction = tuple[tuple[int, float], ...]
"""(position among the entries of all inputs, component), components not zero."""

OPERATORS = ("value", "derivative", "gradient", "jacobian", "hessian", "jvp", "vjp", "hvp")


class Along(Protocol):
    """The output entries of a function along a direction; keep: worth remembering."""

    def __call__(self, direction: Direction, keep: bool = False) -> list[Ball]: ...


@dataclass(frozen=True)
class Group:
    """Entries that come from the same evaluations.

    places: for each entry the (block, flat index) it fills. sources: for each entry the output entries it is made of.
    terms: the length of the series. balls(along): the entries in order.
    """

    places: Sequence[Sequence[tuple[int, int]]]
    sources: Sequence[Sequence[int]]
    terms: int
    balls: Callable[[Along], list[arb]]


@dataclass(frozen=True)
class Plan:
    """The blocks' shapes and the groups of entries that fill them."""

    shapes: Sequence[Shape]
    groups: Iterable[Group]


def plan(function: Function, operator: str, wrt: Sequence[Expr], order: int = 1, tangent: Any = None, cotangent: Any = None) -> Plan:
    """The plan of an operator; raises DiffCompareError for an unknown one, ShapeError for shapes it does not take."""
    layout = _Layout(function, wrt)
    if operator == "value":
        return layout.directional((), 0)
    if operator == "derivative":
        return layout.directional(layout.scalar(), order)
    if operator in ("gradient", "jacobian"):
        return layout.jacobian(operator)
    if operator == "hessian":
        return Plan([(*o, *a, *b) for o in layout.out for a in layout.wrt for b in layout.wrt], layout.second())
    if operator == "jvp":
        return layout.directional(layout.direction(tangent), order)
    if operator == "vjp":
        return Plan(layout.wrt, layout.pulled(layout.weights(cotangent)))
    if operator == "hvp":
        return Plan([(*o, *a) for o in layout.out for a in layout.wrt], layout.products(layout.direction(tangent)))
    raise DiffCompareError(f"unknown operator {operator!r}; the reference knows {', '.join(OPERATORS)}")


def taylor(y: Ball, k: int) -> arb:
    """The k-th derivative along the direction; NaN where the function, or a lower derivative, is not defined."""
    if not all(coefficient(y, j).is_finite() for j in range(k)):
        return NAN
    return coefficient(y, k) * math.factorial(k)


def mixed(joint: Ball, one: Ball, other: Ball) -> arb:
    """d²/ds dt along two directions, by polarisation: half the second derivative along their sum, less those along each."""
    if isinstance(one, arb) or isinstance(other, arb):
        # constant along one of them
        return arb(0) if centre(joint).is_finite() else NAN
    return (taylor(joint, 2) - taylor(one, 2) - taylor(other, 2)) / 2


class _Layout:
    """Where the entries of inputs and outputs stand."""

    def __init__(self, function: Function, wrt: Sequence[Expr]) -> None:
        self.function = function
        self.inputs = wrt
        self.out = [o.shape for o in function.outputs]
        self.wrt = [i.shape for i in wrt]
        starts = dict(zip(function.inputs, itertools.accumulate((i.size for i in function.inputs), initial=0), strict=False))
        self.starts = [starts[i] for i in wrt]
        # each output entry as (output, index within it); each entry of wrt as (input, index within it, position)
        self.rows = [(o, k) for o, shape in enumerate(self.out) for k in range(math.prod(shape))]
        self.columns = [(a, j, self.starts[a] + j) for a, i in enumerate(wrt) for j in range(i.size)]
        self.alone = [(k,) for k in range(len(self.rows))]

    # --- operators ---

    def directional(self, direction: Direction, order: int) -> Plan:
        """The derivative of this order along one direction."""
        group = Group([[row] for row in self.rows], self.alone, order + 1, lambda along: [taylor(y, order) for y in along(direction)])
        return Plan(self.out, [group])

    def jacobian(self, operator: str) -> Plan:
        if operator == "gradient" and any(self.out):
            raise ShapeError(
                f"{self.function.name}: the gradient is of scalar outputs, got shapes {', '.join(map(str, self.out))}; use jacobian"
            )
        return Plan([(*o, *a) for o in self.out for a in self.wrt], (self._column(*c) for c in self.columns))

    def _column(self, a: int, j: int, position: int) -> Group:
        size, n = self.inputs[a].size, len(self.wrt)
        places = [[(o * n + a, k * size + j)] for o, k in self.rows]
        return Group(places, self.alone, 2, lambda along: [taylor(y, 1) for y in along(((position, 1.0),))])

    def pulled(self, weights: Sequence[float]) -> Iterator[Group]:
        """The cotangents: each entry the sum of weight times derivative over the outputs that have a weight."""
        used = [k for k, w in enumerate(weights) if w != 0]

        def entry(along: Along, direction: Direction) -> list[arb]:
            outputs = along(direction)
            return [sum((weights[k] * taylor(outputs[k], 1) for k in used), arb(0))]

        for a, j, position in self.columns:
            yield Group([[(a, j)]], [used], 2, lambda along, position=position: entry(along, ((position, 1.0),)))  # type: ignore[misc]

    def second(self) -> Iterator[Group]:
        """The Hessian's columns in pairs: entry (p, q) is also entry (q, p)."""
        for c, (a, i, p) in enumerate(self.columns):
            for b, j, q in self.columns[: c + 1]:
                places = [sorted({self._cell(o, k, a, i, b, j), self._cell(o, k, b, j, a, i)}) for o, k in self.rows]
                yield Group(places, self.alone, 3, _curvature(p, q))

    def _cell(self, o: int, k: int, a: int, i: int, b: int, j: int) -> tuple[int, int]:
        n = len(self.wrt)
        return (o * n + a) * n + b, (k * self.inputs[a].size + i) * self.inputs[b].size + j

    def products(self, v: Direction) -> Iterator[Group]:
        """Hessian times vector: d²/ds dt along a unit direction and v."""
        n = len(self.wrt)
        for a, j, position in self.columns:
            places = [[(o * n + a, k * self.inputs[a].size + j)] for o, k in self.rows]
            yield Group(places, self.alone, 3, _product(position, v))

    # --- arguments ---

    def scalar(self) -> Direction:
        if len(self.inputs) != 1 or self.wrt[0]:
            listed = ", ".join(f"{i.params[0]} of shape {i.shape}" for i in self.inputs)
            raise ShapeError(
                f"{self.function.name}: the derivative is with respect to one scalar input, got {listed}; use gradient or jacobian"
            )
        return ((self.starts[0], 1.0),)

    def direction(self, tangent: Any) -> Direction:
        names = [i.params[0] for i in self.inputs]
        arrays = _arranged(f"{self.function.name}: the tangent", names, self.wrt, tangent)
        entries = [(start + k, v) for start, x in zip(self.starts, arrays, strict=True) for k, v in enumerate(x.ravel().tolist())]
        return tuple((position, v) for position, v in entries if v != 0)

    def weights(self, cotangent: Any) -> list[float]:
        names = [f"output {k}" for k in range(len(self.out))]
        arrays = _arranged(f"{self.function.name}: the cotangent", names, self.out, cotangent)
        return [w for x in arrays for w in x.ravel().tolist()]


def _curvature(p: int, q: int) -> Callable[[Along], list[arb]]:
    one, other = ((p, 1.0),), ((q, 1.0),)
    if p == q:
        return lambda along: [taylor(y, 2) for y in along(one, keep=True)]
    joint = tuple(sorted(one + other))
    return lambda along: [mixed(*ys) for ys in zip(along(joint), along(one, keep=True), along(other, keep=True), strict=True)]


def _product(position: int, v: Direction) -> Callable[[Along], list[arb]]:
    component = dict(v).get(position)
    unit = ((position, 1.0),)
    if component is None:
        joint = tuple(sorted(v + unit))
        return lambda along: [mixed(*ys) for ys in zip(along(joint), along(v, keep=True), along(unit, keep=True), strict=True)]
    # v without this component, since component + 1 would be rounded: v = rest + component * unit,
    # so H v at this place is H rest + component * H unit
    rest = tuple((k, w) for k, w in v if k != position)
    c = arb(component)

    def entries(along: Along) -> list[arb]:
        squares = along(unit, keep=True)
        if not rest:
            return [c * taylor(y, 2) for y in squares]
        whole = zip(along(v, keep=True), along(rest), squares, strict=True)
        # d²/dv² = d²/drest² + 2 component d²/drest dunit + component² d²/dunit²
        return [
            arb(0) if isinstance(s, arb) and centre(s).is_finite() else (taylor(y, 2) - taylor(r, 2) + c * c * taylor(s, 2)) / (2 * c)
            for y, r, s in whole
        ]

    return entries


def _arranged(what: str, names: Sequence[str], shapes: Sequence[Shape], given: Any) -> list[Array]:
    """One finite array for each name from a bare value, a sequence or a dict."""
    if given is None:
        raise DiffCompareError(f"{what} is missing")
    if isinstance(given, Mapping):
        unknown = [n for n in given if n not in names]
        if unknown or len(given) < len(names):
            raise DiffCompareError(f"{what} is for {', '.join(names)}, got {', '.join(map(str, given)) or 'nothing'}")
        values = [given[n] for n in names]
    elif len(names) == 1:
        values = [given[0] if isinstance(given, tuple | list) and np.shape(given) == (1, *shapes[0]) else given]
    else:
        values = list(given)
    if len(values) != len(names):
        raise ShapeError(f"{what} has {len(values)} parts for {', '.join(names)}")
    arrays = [np.asarray(v, dtype=np.float64) for v in values]
    for name, array, shape in zip(names, arrays, shapes, strict=True):
        if array.shape != shape:
            raise ShapeError(f"{what} for {name} has shape {array.shape}, expected {shape}")
        if not np.all(np.isfinite(array)):
            raise DomainError(f"{what} for {name} must be finite, got {array}")
    return arrays

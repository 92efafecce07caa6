"""A Function as a flat list of ball instructions, made once and run at any precision along any direction.

No derivative rule of the graph is used: series carry the derivatives, and this file knows only values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb

from ..dsl.composite import Composite
from ..dsl.constants import literal
from ..dsl.core import BOOL, CONSTANT, INPUT, Expr, input_
from ..dsl.elementwise import Elementwise
from ..dsl.shapes import size_of
from ..dsl.structural import Broadcast, Structural, broadcast_value
from ..dsl.walk import postorder
from ..errors import Unsupported
from .balls import NO, YES, Vocabulary

Array = np.ndarray[Any, Any]
Value = Any
"""A ball or a Condition for a node without axes, else an object array of them."""
Step = Callable[..., Value]
"""(vocabulary, *argument values) -> value"""


class Program:
    """The outputs of a graph as instructions over slots: slot k holds input k, later slots constants and results."""

    def __init__(self, inputs: Sequence[Expr], outputs: Sequence[Expr], expansions: dict[Any, Program] | None = None) -> None:
        expansions = {} if expansions is None else expansions
        slot = {node: k for k, node in enumerate(inputs)}
        self.constants: list[Value] = []
        self.steps: list[tuple[int, Step, tuple[int, ...]]] = []
        order = [node for node in postorder(outputs) if node.primitive is not INPUT]
        for node in order:
            if node.primitive is CONSTANT:
                slot[node] = len(slot)
                self.constants.append(_constant(node))
        for node in order:
            if node.primitive is not CONSTANT:
                slot[node] = len(slot)
                self.steps.append((slot[node], _step(node, expansions), tuple(slot[a] for a in node.args)))
        self.outputs = [slot[o] for o in outputs]
        self.size = len(slot)

    def run(self, vocabulary: Vocabulary, values: Sequence[Value]) -> list[Value]:
        """The outputs' values for the inputs' values."""
        slots: list[Value] = [*values, *self.constants]
        slots += [None] * (self.size - len(slots))
        for target, step, sources in self.steps:
            slots[target] = step(vocabulary, *[slots[s] for s in sources])
        return [slots[o] for o in self.outputs]


def filled(entries: Sequence[Any], shape: tuple[int, ...]) -> Array:
    """An object array of these entries; np.array would unpack the series."""
    result = np.empty(len(entries), dtype=object)
    for k, entry in enumerate(entries):
        result[k] = entry
    return result.reshape(shape)


def _constant(node: Expr) -> Value:
    value = literal(node)
    if not node.shape:
        return (YES if value else NO) if node.dtype == BOOL else arb(value)
    entries = [(YES if v else NO) if node.dtype == BOOL else arb(v) for v in value.ravel().tolist()]
    return filled(entries, node.shape)


def _step(node: Expr, expansions: dict[Any, Program]) -> Step:
    primitive = node.primitive
    if isinstance(primitive, Elementwise):
        form = _form(node, expansions)
        return form if not node.shape else _entry_by_entry(form, node.shape)
    if isinstance(primitive, Broadcast):
        return _broadcast(node)
    if isinstance(primitive, Structural):
        return _structural(node)
    if isinstance(primitive, Composite):
        return _composite(node, expansions)
    raise Unsupported(f"the reference has no ball form of {primitive.name} ({type(primitive).__name__})")


# --- elementwise ---


def _form(node: Expr, expansions: dict[Any, Program]) -> Step:
    """The ball form of a scalar function: its own, or its evaluation expression run on balls."""
    primitive = node.primitive
    assert isinstance(primitive, Elementwise)
    if primitive.ball is not None:
        return primitive.ball
    if primitive.evaluate is None:
        raise Unsupported(f"the reference cannot certify {primitive.name}: give it a ball form or an evaluate expression")
    key = (primitive, *(a.dtype for a in node.args))
    if key not in expansions:
        # placeholders and not the arguments: arithmetic on constants would be folded, and so rounded
        places = [input_(f"_{k}", (), a.dtype) for k, a in enumerate(node.args)]
        expansions[key] = Program(places, [primitive.evaluate(*places)], expansions)
    program = expansions[key]
    return lambda vocabulary, *args: program.run(vocabulary, args)[0]


def _entry_by_entry(form: Step, shape: tuple[int, ...]) -> Step:
    def mapped(vocabulary: Vocabulary, *args: Array) -> Array:
        entries = zip(*(a.ravel().tolist() for a in args), strict=True)
        return filled([form(vocabulary, *e) for e in entries], shape)

    return mapped


# --- arrays ---


def _boxed(value: Value) -> Array:
    return value if isinstance(value, np.ndarray) else filled([value], ())


def _unboxed(value: Any, shape: tuple[int, ...]) -> Value:
    """A structural result with numbers that it put in (zeros between entries) made balls; a bare ball if it has no axes."""
    array = value if isinstance(value, np.ndarray) else filled([value], ())
    entries = [arb(e) if isinstance(e, int | float) else e for e in array.ravel().tolist()]
    return filled(entries, shape) if shape else entries[0]


def _broadcast(node: Expr) -> Step:
    core, target = node.args[0].shape, node.shape
    return lambda vocabulary, x: broadcast_value(_boxed(x), core, target)


def _structural(node: Expr) -> Step:
    primitive, params, shape = node.primitive, node.params, node.shape
    assert isinstance(primitive, Structural)
    evaluate = primitive.evaluate
    if shape and primitive.view and node.args[0].shape:
        return lambda vocabulary, x: evaluate(params, x)
    return lambda vocabulary, *args: _unboxed(evaluate(params, *(_boxed(a) for a in args)), shape)


# --- array functions, by formulas that are smooth in balls: exponents reach 2^62, so nothing overflows ---


def _columns(x: Array, axes: tuple[int, ...]) -> tuple[list[list[Any]], tuple[int, ...]]:
    """The entries along `axes` as one list for each place on the other axes, and the shape of those places."""
    first = np.moveaxis(x, axes, range(len(axes)))
    rest = first.shape[len(axes) :]
    flat = first.reshape(size_of(first.shape[: len(axes)]), size_of(rest))
    return [flat[:, k].tolist() for k in range(flat.shape[1])], rest


def _sum(terms: Sequence[Any]) -> Any:
    total = terms[0]
    for t in terms[1:]:
        total = total + t
    return total


def _fold(name: str) -> Callable[[Vocabulary, list[Any]], Any]:
    def folded(vocabulary: Vocabulary, entries: list[Any]) -> Any:
        pick = getattr(vocabulary, name)
        best = entries[0]
        for e in entries[1:]:
            best = pick(best, e)
        return best

    return folded


def _product(entries: Sequence[Any]) -> Any:
    total = entries[0]
    for e in entries[1:]:
        total = total * e
    return total


_REDUCTIONS: dict[str, Callable[[Vocabulary, list[Any]], Any]] = {
    "max": _fold("maximum"),
    "min": _fold("minimum"),
    "prod": lambda b, entries: _product(entries),
    "logsumexp": lambda b, entries: _sum([e.exp() for e in entries]).log(),
    "norm": lambda b, entries: b.sqrt(_sum([e * e for e in entries])),
}


def _composite(node: Expr, expansions: dict[Any, Program]) -> Step:
    (x,), (axes,), shape = node.args, node.params, node.shape
    primitive = node.primitive
    assert isinstance(primitive, Composite)
    reduction = _REDUCTIONS.get(primitive.name)
    if reduction is not None:

        def reduced(vocabulary: Vocabulary, value: Array) -> Value:
            columns, rest = _columns(value, axes)
            return _unboxed(filled([reduction(vocabulary, c) for c in columns], rest), shape)

        return reduced
    if primitive.name == "softmax":
        return lambda vocabulary, value: _softmax(value, axes)
    if primitive.name == "log_softmax":
        return lambda vocabulary, value: _log_softmax(value, axes)
    if primitive.evaluate is None:
        raise Unsupported(f"the reference has no ball form of {primitive.name}")
    place = input_("_0", x.shape)
    program = Program([place], [primitive.evaluate(place, axes)], expansions)
    return lambda vocabulary, value: program.run(vocabulary, [value])[0]


def _softmax(x: Array, axes: tuple[int, ...]) -> Array:
    return _share_by_share(x, axes, lambda entry, total: entry.exp() / total)


def _log_softmax(x: Array, axes: tuple[int, ...]) -> Array:
    return _share_by_share(x, axes, lambda entry, total: entry - total.log())


def _share_by_share(x: Array, axes: tuple[int, ...], share: Callable[[Any, Any], Any]) -> Array:
    """share(entry, the sum of exp over the axes) for each entry."""
    result = np.empty(x.shape, dtype=object)
    source, target = (np.moveaxis(a, axes, range(len(axes))) for a in (x, result))
    along = list(np.ndindex(source.shape[: len(axes)]))
    for place in np.ndindex(source.shape[len(axes) :]):
        total = _sum([source[(*k, *place)].exp() for k in along])
        for k in along:
            target[(*k, *place)] = share(source[(*k, *place)], total)
    return result

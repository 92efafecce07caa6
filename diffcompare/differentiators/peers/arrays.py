"""Our function written node by node in the vocabulary of another array library, batch axes in front."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...dsl.composite import Composite
from ...dsl.constants import literal
from ...dsl.contraction import Diagonal, Einsum, EmbedDiagonal
from ...dsl.core import CONSTANT, Expr
from ...dsl.elementwise import Elementwise, number
from ...dsl.function import Function
from ...dsl.shapes import Shape
from ...dsl.structural import Broadcast, Concatenate, Label, Reshape, Scatter, Slice, Structural, Sum, Take, Transpose, align
from ...dsl.walk import postorder
from ...errors import Unsupported
from ...transforms.lower import lower

Call = Callable[..., Any]
Forms = Mapping[str, Callable[[Expr], Call | None]]
"""For a primitive's name: node -> the library's own function for it, or None where this node has none."""


class Vocabulary(ABC):
    """What an array library calls things. Its arrays have shape, ndim, reshape and NumPy's indexing without negative steps."""

    owner: str
    """The method's name, for refusals."""
    forms: Forms
    """The library's own functions for nodes that would be written out otherwise, and for those it calls by another name."""

    @abstractmethod
    def constant(self, value: Any) -> Any:
        """A float, a bool or an array as the library computes with it."""

    @abstractmethod
    def elementwise(self, primitive: Elementwise) -> Call | None:
        """The library's function of this name, None if it has none."""

    @abstractmethod
    def reduction(self, name: str, axes: tuple[int, ...]) -> Call:
        """sum, prod, max or min over axes."""

    @abstractmethod
    def broadcast_to(self, x: Any, shape: Shape) -> Any:
        """np.broadcast_to."""

    @abstractmethod
    def permute(self, x: Any, order: Sequence[int]) -> Any:
        """np.transpose."""

    @abstractmethod
    def concatenate(self, parts: Sequence[Any], axis: int) -> Any:
        """np.concatenate."""

    @abstractmethod
    def einsum(self, spec: str, *values: Any) -> Any:
        """np.einsum."""

    @abstractmethod
    def indices(self, values: Any) -> Any:
        """Integers as an index."""


def one_by_one(reduce: Callable[[Any, int], Any], axes: Sequence[int]) -> Call:
    """A reduction over several negative axes from one over a single axis."""

    def over(x: Any) -> Any:
        for axis in sorted(axes):  # from the left: axes further right keep their numbers
            x = reduce(x, axis)
        return x

    return over


def whole_power(node: Expr) -> Call | None:
    """x ** n for a whole exponent, as users write it."""
    exponent = number(node.args[1])
    return (lambda x, n: x ** int(exponent)) if exponent is not None and exponent.is_integer() else None


def program(function: Function, words: Vocabulary) -> Callable[[Sequence[Any]], list[Any]]:
    """The function as the library's code: arrays batch + core in, one array for each output out.

    Raises Unsupported naming a primitive that the library does not have.
    """

    def own(node: Expr) -> Call | None:
        form = words.forms.get(node.primitive.name)
        return None if form is None else form(node)

    outputs = lower(function.outputs, lambda node: own(node) is not None)
    slot = {node: k for k, node in enumerate(function.inputs)}
    known: dict[int, Any] = {}
    steps: list[tuple[int, Call, tuple[int, ...]]] = []
    for node in postorder(outputs):
        if node in slot:
            continue
        slot[node] = k = len(slot)
        places = tuple(slot[a] for a in node.args)
        if node.primitive is CONSTANT:
            known[k] = words.constant(literal(node))
            continue
        call = own(node) or _call(node, words)
        if all(p in known for p in places):
            with np.errstate(all="ignore"):
                known[k] = call(*(known[p] for p in places))
        else:
            steps.append((k, call, places))
    size, results = len(slot), [slot[o] for o in outputs]

    def run(values: Sequence[Any]) -> list[Any]:
        memory: list[Any] = [None] * size
        memory[: len(values)] = values
        for k, value in known.items():
            memory[k] = value
        for k, call, places in steps:
            memory[k] = call(*[memory[p] for p in places])
        return [memory[k] for k in results]

    return run


def _call(node: Expr, words: Vocabulary) -> Call:
    primitive = node.primitive
    if isinstance(primitive, Elementwise):
        found = words.elementwise(primitive)
        if found is not None:
            return found
    elif isinstance(primitive, Composite) and primitive.array:
        return words.reduction(primitive.array, node.params[0])
    elif isinstance(primitive, Structural):
        return _structural(node, words)
    raise Unsupported(f"{words.owner} has no form of {primitive.name}")


def _structural(node: Expr, words: Vocabulary) -> Call:
    primitive, params = node.primitive, node.params
    match primitive:
        case Broadcast():
            core, target = node.args[0].shape, node.shape
            return lambda x: words.broadcast_to(align(x, len(core), len(target)), (*x.shape[: x.ndim - len(core)], *target))
        case Sum():
            return words.reduction("sum", params[0])
        case Reshape():
            shape, ndim = params
            return lambda x: x.reshape((*x.shape[: x.ndim - ndim], *shape))
        case Transpose():
            return lambda x: words.permute(x, [*range(x.ndim - len(params[0])), *(x.ndim + a for a in params[0])])
        case Slice():
            axis, start, stop, step = params
            if step > 0:
                return lambda x: x[(..., slice(start, stop, step), *_all(axis))]
            return _taken(words, axis, np.arange(node.args[0].shape[axis])[start:stop:step])
        case Take():
            return _taken(words, params[0], params[1].value)
        case Concatenate():
            return lambda *values: _concatenated(words, values, params[0])
        case Scatter():
            return _scattered(words, node)
        case Diagonal():
            return _diagonal(words, node)
        case EmbedDiagonal():
            return _embedded(words, node)
        case Einsum():
            spec = ",".join("..." + labels for labels in params[0]) + "->..." + params[1]
            return lambda *values: words.einsum(spec, *values)
        case Label():
            return lambda x: x
    raise Unsupported(f"{words.owner} has no form of {primitive.name}")


def _all(axis: int) -> tuple[slice, ...]:
    """Keys for the axes behind a negative axis."""
    return (slice(None),) * (-axis - 1)


def _taken(words: Vocabulary, axis: int, indices: Any) -> Call:
    index = words.indices(indices)
    return lambda x: x[(..., index, *_all(axis))]


def _concatenated(words: Vocabulary, values: Sequence[Any], axis: int) -> Any:
    joint = list(np.broadcast_shapes(*((*v.shape[: v.ndim + axis], 1, *v.shape[v.ndim + axis + 1 :]) for v in values)))
    parts = []
    for v in values:
        joint[axis] = v.shape[axis]
        parts.append(v if tuple(v.shape) == tuple(joint) else words.broadcast_to(v, tuple(joint)))
    return words.concatenate(parts, axis)


def _moved(x: Any, words: Vocabulary, source: int, target: int) -> Any:
    """np.moveaxis for two negative axes."""
    order = [k for k in range(x.ndim) if k != x.ndim + source]
    order.insert(x.ndim + target, x.ndim + source)
    return words.permute(x, order)


def _scattered(words: Vocabulary, node: Expr) -> Call:
    """A product with a matrix of zeros and ones."""
    axis, indices, n = node.params
    hit = np.zeros((indices.value.size, n))
    hit[np.arange(indices.value.size), indices.value] = 1.0
    matrix = words.constant(hit)
    return lambda x: _moved(words.einsum("...i,ij->...j", _moved(x, words, axis, -1), matrix), words, -1, axis)


def _diagonal(words: Vocabulary, node: Expr) -> Call:
    """Indexing the two axes together, moved to the end."""
    first, second = sorted(node.params)
    index = words.indices(np.arange(node.args[0].shape[first]))
    return lambda x: _moved(_moved(x, words, second, -1), words, first, -2)[..., index, index]


def _embedded(words: Vocabulary, node: Expr) -> Call:
    first, second = sorted(node.params)
    eye = words.constant(np.eye(node.args[0].shape[-1]))

    def embed(x: Any) -> Any:
        product = x[..., None] * eye
        ends = [product.ndim - 2, product.ndim - 1]
        order = list(range(product.ndim - 2))
        for place, end in zip((first, second), ends, strict=True):
            order.insert(product.ndim + place, end)
        return words.permute(product, order)

    return embed

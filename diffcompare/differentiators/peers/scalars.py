"""Our function written entry by entry in the symbols of a library of scalar expressions, and the request put together there."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...dsl.composite import Reduction
from ...dsl.constants import literal
from ...dsl.core import CONSTANT, Expr
from ...dsl.elementwise import Elementwise, number
from ...dsl.function import Function
from ...dsl.shapes import Shape, size_of
from ...dsl.structural import Structural, broadcast_value
from ...dsl.walk import postorder
from ...errors import TooLarge, Unsupported
from ...transforms.cost import cost
from ...transforms.lower import lower
from ..base import Operator, Request

Array = np.ndarray[Any, Any]


class Algebra(ABC):
    """What a library of scalar expressions calls things. Its expressions know + and *."""

    owner: str
    """The method's name, for refusals."""
    limit: int
    """Scalar operations of the function, and entries of a result, that it takes."""
    kept: frozenset[str] = frozenset()
    """Functions that would be written out and have a form here."""

    @abstractmethod
    def symbol(self, k: int) -> Any:
        """A variable; different for different k."""

    @abstractmethod
    def constant(self, value: float | bool) -> Any:
        """A number or a truth value."""

    @abstractmethod
    def elementwise(self, name: str) -> Callable[..., Any] | None:
        """The library's form of our function of this name, None if it has none."""

    def keeps(self, node: Expr) -> bool:
        """Whether the library has a form of its own for what would be written out: whole powers, and what is `kept`."""
        if node.primitive.name == "pow":
            exponent = number(node.args[1])
            return exponent is not None and exponent.is_integer()
        return node.primitive.name in self.kept

    @abstractmethod
    def sum(self, terms: Sequence[Any]) -> Any:
        """The sum of at least one term."""

    @abstractmethod
    def gradient(self, expression: Any, variables: Sequence[Any]) -> list[Any]:
        """The derivatives with respect to each variable."""

    @abstractmethod
    def hessian(self, expression: Any, variables: Sequence[Any]) -> list[list[Any]]:
        """The second derivatives."""

    @abstractmethod
    def derivative(self, expression: Any, variable: Any, order: int) -> Any:
        """The derivative of this order."""


def written(request: Request, algebra: Algebra) -> tuple[list[Any], list[Any]]:
    """(variables: the entries of all inputs and directions, expressions: the entries of all blocks).

    Raises TooLarge beyond the algebra's limit, Unsupported naming a primitive that it does not have.
    """
    _check(request, algebra)
    nodes = [*request.function.inputs, *(request.directions[1] if request.directions else ())]
    starts = np.cumsum([0, *(n.size for n in nodes)]).tolist()
    variables = [algebra.symbol(k) for k in range(starts[-1])]
    parts = [variables[a:b] for a, b in pairwise(starts)]
    n = len(request.function.inputs)
    arrays = [_filled(i.shape, p) for i, p in zip(request.function.inputs, parts, strict=False)]
    outputs = [e for a in _entries(request.function, arrays, algebra) for e in a.flat]
    wrt = [v for w in request.wrt for k, i in enumerate(request.function.inputs) if i is w for v in parts[k]]
    return variables, _blocks(request, algebra, outputs, wrt, [v for p in parts[n:] for v in p])


def _check(request: Request, algebra: Algebra) -> None:
    f, results = request.function, sum(size_of(b) for b in request.blocks)
    operations = cost(f).operations
    for count, what in ((operations, "scalar operations"), (results, "entries of the result")):
        if count > algebra.limit:
            raise TooLarge(f"{algebra.owner} takes up to {algebra.limit} {what}, {f.name} has {count}")


def _blocks(request: Request, algebra: Algebra, outputs: list[Any], wrt: list[Any], directions: list[Any]) -> list[Any]:
    def along(terms: Sequence[Any], weights: Sequence[Any]) -> Any:
        return algebra.sum([t * w for t, w in zip(terms, weights, strict=True)])

    match request.operator:
        case Operator.VALUE:
            return outputs
        case Operator.DERIVATIVE:
            return [algebra.derivative(o, wrt[0], request.order) for o in outputs]
        case Operator.GRADIENT:
            return algebra.gradient(outputs[0], wrt)
        case Operator.VALUE_AND_GRADIENT:
            return [outputs[0], *algebra.gradient(outputs[0], wrt)]
        case Operator.JACOBIAN:
            return _tabled([algebra.gradient(o, wrt) for o in outputs], request, [o.size for o in request.function.outputs])
        case Operator.HESSIAN:
            return _tabled(algebra.hessian(outputs[0], wrt), request, [w.size for w in request.wrt])
        case Operator.JVP:
            return [along(algebra.gradient(o, wrt), directions) for o in outputs]
        case Operator.VJP:
            return algebra.gradient(along(outputs, directions), wrt)
        case Operator.HVP:
            return algebra.gradient(along(algebra.gradient(outputs[0], wrt), directions), wrt)


def _tabled(rows: list[list[Any]], request: Request, heights: Sequence[int]) -> list[Any]:
    """A table's entries block by block."""
    tops, lefts = (np.cumsum([0, *sizes]).tolist() for sizes in (heights, [w.size for w in request.wrt]))
    return [e for a, b in pairwise(tops) for c, d in pairwise(lefts) for row in rows[a:b] for e in row[c:d]]


# --- the function, each array an array of the library's expressions ---


def _entries(function: Function, inputs: Sequence[Array], algebra: Algebra) -> list[Array]:
    outputs = lower(function.outputs, algebra.keeps)
    values: dict[Expr, Array] = dict(zip(function.inputs, inputs, strict=True))
    for node in postorder(outputs):
        if node not in values:
            values[node] = _evaluated(node, [values[a] for a in node.args], algebra)
    return [values[o] for o in outputs]


def _evaluated(node: Expr, args: list[Array], algebra: Algebra) -> Array:
    primitive = node.primitive
    if node.primitive is CONSTANT:
        value = np.asarray(literal(node))
        return _filled(value.shape, [algebra.constant(v) for v in value.ravel().tolist()])
    if isinstance(primitive, Elementwise):
        call = _form(algebra, primitive.name)
        return _filled(node.shape, [call(*entries) for entries in zip(*(a.flat for a in args), strict=True)])
    if primitive.name == "sum":
        return _reduced(args[0], node.params[0], algebra.sum)
    if isinstance(primitive, Structural):
        if primitive.name == "broadcast":
            return broadcast_value(args[0], node.args[0].shape, node.shape)
        entries = np.asarray(primitive.evaluate(node.params, *args), dtype=object).flat
        return _filled(node.shape, [algebra.constant(float(e)) if isinstance(e, int | float) else e for e in entries])
    if isinstance(primitive, Reduction) and primitive.array:
        pick = _form(algebra, {"max": "maximum", "min": "minimum", "prod": "mul"}[primitive.name])
        return _reduced(args[0], node.params[0], lambda entries: functools.reduce(pick, entries))
    raise Unsupported(f"{algebra.owner} has no form of {primitive.name}")


def _form(algebra: Algebra, name: str) -> Callable[..., Any]:
    call = algebra.elementwise(name)
    if call is None:
        raise Unsupported(f"{algebra.owner} has no form of {name}")
    return call


def _reduced(x: Array, axes: Sequence[int], reduce: Callable[[list[Any]], Any]) -> Array:
    """The entries along negative axes made one."""
    kept = [a for a in range(-x.ndim, 0) if a not in axes]
    moved = x.transpose([x.ndim + a for a in (*kept, *axes)])
    shape = tuple(x.shape[a] for a in kept)
    rows = moved.reshape(size_of(shape), -1)
    return _filled(shape, [reduce(list(row)) for row in rows])


def _filled(shape: Shape, entries: Sequence[Any]) -> Array:
    flat = np.empty(len(entries), dtype=object)
    for k, entry in enumerate(entries):  # flat[:] = entries would ask each for its length
        flat[k] = entry
    return flat.reshape(shape)

"""Array functions with their own derivative: reductions along axes, softmax, and the functions built from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .arithmetic import abs_, eq, le, lt, real, sqrt, where
from .constants import as_expr
from .core import FUNCTIONS, Expr, Primitive, function_of_the_dsl, intern, register
from .elementary import exp, log
from .elementwise import INF, times
from .shapes import Shape, size_of
from .structural import broadcast, keep_axes, reduced_axes, reshape
from .structural import sum as sum_over


class Composite(Primitive):
    """An array function along axes (params: negative axes), differentiated by its own rule.

    evaluate(x, axes): a DSL expression for the value; None if native to the engines, which then call `array`.
    array: its name in NumPy, called with axis=; object arrays (expressions, balls) use `entries`.
    """

    evaluate: Callable[[Expr, tuple[int, ...]], Expr] | None = None
    array: str = ""

    def result_shape(self, shape: Shape, axes: tuple[int, ...]) -> Shape:
        return tuple(n for k, n in enumerate(shape) if k - len(shape) not in axes)

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        (x,), (axes,) = args, params
        x = real(x)
        if size_of(tuple(x.shape[a] for a in axes)) == 0:
            raise ShapeError(f"{self.name}: needs at least one entry along axes {axes} of shape {x.shape}")
        return intern(self, (x,), (axes,), self.result_shape(x.shape, axes), x.dtype)


class Reduction(Composite):
    """A scalar of the entries along axes, given by its gradient: slope(y, x, axes), of the shape of x.

    y arrives with its axes kept (length 1) and broadcast to the shape of x.
    kinks(y, x, axes): a bool expression of that shape, true where an entry's derivative is a convention, told in words.
    """

    def __init__(
        self,
        name: str,
        slope: Callable[[Expr, Expr, tuple[int, ...]], Expr],
        evaluate: Callable[[Expr, tuple[int, ...]], Expr] | None = None,
        array: str = "",
        entry: Callable[[Any, Any], Any] | None = None,
        kinks: Callable[[Expr, Expr, tuple[int, ...]], Expr] | None = None,
        convention: str = "",
    ) -> None:
        super().__init__(name)
        self.slope = slope
        self.evaluate = evaluate
        self.array = array
        self.entry = entry
        self.kinks = kinks
        self.convention = convention

    def _spread(self, node: Expr, value: Expr) -> Expr:
        x, axes = node.args[0], node.params[0]
        return broadcast(keep_axes(x, axes, value, True), x.shape)

    def _slope(self, node: Expr) -> Expr:
        return self.slope(self._spread(node, node), node.args[0], node.params[0])

    def jvp(self, node: Expr, tangents: Sequence[Expr | None], wild: bool = False) -> Expr | None:
        (t,) = tangents
        return None if t is None else sum_over(times(self._slope(node), t, wild), axis=node.params[0])

    def vjp(self, node: Expr, cotangent: Expr, wild: bool = False) -> Sequence[Expr | None]:
        return [times(self._slope(node), self._spread(node, cotangent), wild)]


class Softmax(Composite):
    """exp(x) / sum(exp(x)) along axes; its Jacobian diag(s) - s sᵀ is symmetric, so one rule serves both modes."""

    def __init__(self) -> None:
        super().__init__("softmax")
        self.evaluate = _softmax_value

    def result_shape(self, shape: Shape, axes: tuple[int, ...]) -> Shape:
        return shape

    def _product(self, node: Expr, v: Expr) -> Expr:
        # (diag(s) - s sᵀ) v is the same for v - c; with c the entry of v at the largest x, no 1 - s cancels where s is nearly 1
        (x,), (axes,) = node.args, node.params
        largest = _ties(keep_axes(x, axes, max_.apply([x], (axes,)), True), x, axes)
        v = v - sum_over(largest * v, axis=axes, keepdims=True)
        return node * (v - sum_over(node * v, axis=axes, keepdims=True))

    def jvp(self, node: Expr, tangents: Sequence[Expr | None], wild: bool = False) -> Expr | None:
        (t,) = tangents
        return None if t is None else self._product(node, t)

    def vjp(self, node: Expr, cotangent: Expr, wild: bool = False) -> Sequence[Expr | None]:
        return [self._product(node, cotangent)]


def _shift(x: Expr, axes: tuple[int, ...]) -> Expr:
    """The largest entry, axes kept, 0 where it is infinite (x - shift is then x)."""
    top = keep_axes(x, axes, max_.apply([x], (axes,)), True)
    return where(lt(abs_(top), INF), top, 0.0)


def _logsumexp_value(x: Expr, axes: tuple[int, ...]) -> Expr:
    top = _shift(x, axes)
    total = log(sum_over(exp(x - top), axis=axes))
    return total + reshape(top, total.shape)


def _softmax_value(x: Expr, axes: tuple[int, ...]) -> Expr:
    e = exp(x - _shift(x, axes))
    return e / sum_over(e, axis=axes, keepdims=True)


def _norm_value(x: Expr, axes: tuple[int, ...]) -> Expr:
    # divided by the largest entry: squares alone overflow past 1e154
    top = keep_axes(x, axes, max_.apply([abs_(x)], (axes,)), True)
    safe = where(lt(0.0, top) & lt(top, INF), top, 1.0)
    scaled = x / safe
    root = sqrt(sum_over(scaled * scaled, axis=axes))
    return reshape(safe, root.shape) * root


def _ties(y: Expr, x: Expr, axes: tuple[int, ...]) -> Expr:
    """1/k for each of the k entries that equal the extreme."""
    hit = real(eq(x, y))
    return hit / sum_over(hit, axis=axes, keepdims=True)


def _tied(y: Expr, x: Expr, axes: tuple[int, ...]) -> Expr:
    hit = eq(x, y)
    return hit & lt(1.0, sum_over(real(hit), axis=axes, keepdims=True))


SHARED = "1/k to each of k ties"
max_ = register(Reduction("max", _ties, array="max", entry=lambda a, b: FUNCTIONS["maximum"](a, b), kinks=_tied, convention=SHARED))
min_ = register(Reduction("min", _ties, array="min", entry=lambda a, b: FUNCTIONS["minimum"](a, b), kinks=_tied, convention=SHARED))
softmax_ = register(Softmax())
logsumexp_ = register(Reduction("logsumexp", lambda y, x, axes: softmax_.apply([x], (axes,)), _logsumexp_value))
norm_ = register(
    Reduction(
        "norm",
        lambda y, x, axes: where(le(y, 0.0), 0.0, x / y),
        _norm_value,
        kinks=lambda y, x, axes: le(y, 0.0),
        convention="0 at the origin",
    )
)


def reduce_by(primitive: Reduction, x: Any, axis: Any, keepdims: bool) -> Expr:
    """The reduction over `axis`; over no axes, of each entry by itself."""
    x = as_expr(x)
    axes = reduced_axes(primitive.name, x, axis)
    if not axes:
        x, axes = reshape(x, (1,)), (-1,)
        return primitive.apply([x], (axes,))
    return keep_axes(x, axes, primitive.apply([x], (axes,)), keepdims)


@function_of_the_dsl
def max(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """The largest entry over `axis`; k ties share the derivative, 1/k each."""
    return reduce_by(max_, x, axis, keepdims)


@function_of_the_dsl
def min(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """The smallest entry over `axis`; k ties share the derivative, 1/k each."""
    return reduce_by(min_, x, axis, keepdims)


@function_of_the_dsl
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """log(sum(exp(x))) over `axis`, without overflow."""
    return reduce_by(logsumexp_, x, axis, keepdims)


@function_of_the_dsl
def norm(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """The Euclidean norm over `axis` (of all entries by default), without overflow; its gradient at the origin is 0."""
    return reduce_by(norm_, x, axis, keepdims)


@function_of_the_dsl
def softmax(x: Any, axis: Any = -1) -> Expr:
    """exp(x) / sum(exp(x)) over `axis`, without overflow."""
    x = as_expr(x)
    return softmax_.apply([x], (reduced_axes("softmax", x, axis),))


@function_of_the_dsl
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """The arithmetic mean over `axis`, as np.mean."""
    x = as_expr(x)
    count = size_of(tuple(x.shape[a] for a in reduced_axes("mean", x, axis)))
    if count == 0:
        raise ShapeError(f"mean: no entries along axis {axis} of shape {x.shape}")
    return sum_over(x, axis=axis, keepdims=keepdims) / float(count)


@function_of_the_dsl
def var(x: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Expr:
    """The mean squared distance from the mean over `axis`, as np.var; not the mean of squares less a square, which cancels."""
    distance, freedom = _distances("var", x, axis, ddof)
    return sum_over(distance * distance, axis=axis, keepdims=keepdims) / freedom


@function_of_the_dsl
def std(x: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Expr:
    """The standard deviation over `axis`, as np.std; its derivative is 0 where all entries are equal, as that of norm."""
    distance, freedom = _distances("std", x, axis, ddof)
    return norm(distance, axis=axis, keepdims=keepdims) / math.sqrt(freedom)


def _distances(name: str, x: Any, axis: Any, ddof: float) -> tuple[Expr, float]:
    """The entries' distances from their mean, and by how many their squares are divided."""
    entries = as_expr(x)
    count = size_of(tuple(entries.shape[a] for a in reduced_axes(name, entries, axis)))
    if count <= ddof:
        raise ShapeError(f"{name}: {count} entries along axis {axis} of shape {entries.shape} leave nothing to divide by with ddof={ddof}")
    return entries - mean(entries, axis=axis, keepdims=True), float(count - ddof)


def reduce_entries(primitive: Reduction, x: np.ndarray[Any, Any], axes: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """A native reduction of an object array, entry by entry from the left."""
    assert primitive.entry is not None
    moved = np.moveaxis(x, axes, range(len(axes)))
    flat = moved.reshape(-1, *moved.shape[len(axes) :])
    result = np.empty(flat.shape[1:], dtype=object)
    for where_ in np.ndindex(result.shape):
        entries = list(flat[(slice(None), *where_)])
        total = entries[0]
        for e in entries[1:]:
            total = primitive.entry(total, e)
        result[where_] = total
    return result

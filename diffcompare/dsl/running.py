"""Running sums and products along an axis, and the product of entries, whose derivative is right where entries are zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from .composite import Reduction, reduce_by
from .constants import as_expr
from .core import FUNCTIONS, REAL, Expr, function_of_the_dsl, register
from .shapes import Shape, size_of
from .structural import Array, Structural, broadcast, concatenate_, keep_axes, one_axis, reduced_axes, reshape, slice_, transpose_


class RunningSum(Structural):
    """The sums of the first 1, 2, ... entries along an axis (params: negative axis)."""

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        return values[0].cumsum(axis=params[0])  # a method, which JAX's arrays have too

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        (x,) = args
        return super().apply([x if x.dtype == REAL else FUNCTIONS["real"](x)], params)

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        (axis,) = node.params
        return _flipped(self.apply([_flipped(cotangent, axis)], node.params), axis)


def _flipped(x: Expr, axis: int) -> Expr:
    return slice_.apply([x], (axis, x.shape[axis] - 1, None, -1)) if x.shape[axis] > 1 else x


def _part(x: Expr, start: int, stop: int) -> Expr:
    """Entries start to stop along the last axis."""
    return x if (start, stop) == (0, x.shape[-1]) else slice_.apply([x], (-1, start, stop, 1))


def _running_product(x: Expr) -> Expr:
    """The products of the first 1, 2, ... entries along the last axis, in log2 n steps."""
    n, step = x.shape[-1], 1
    while step < n:
        x = concatenate_.apply([_part(x, 0, step), _part(x, step, n) * _part(x, 0, n - step)], (-1,))
        step *= 2
    return x


def _product_before(x: Expr) -> Expr:
    """For each entry along the last axis the product of those before it."""
    n = x.shape[-1]
    one = broadcast(1.0, (*x.shape[:-1], 1))
    return one if n == 1 else concatenate_.apply([one, _running_product(_part(x, 0, n - 1))], (-1,))


def _product_of_others(y: Expr, x: Expr, axes: tuple[int, ...]) -> Expr:
    """For each entry the product of all others: not y / x, which is NaN at zeros, and wrong by rounding elsewhere."""
    order = (*(a for a in range(-x.ndim, 0) if a not in axes), *axes)
    back = tuple(order.index(a) - x.ndim for a in range(-x.ndim, 0))
    moved = transpose_.apply([x], (order,))
    flat = reshape(moved, (*moved.shape[: x.ndim - len(axes)], -1))
    others = _product_before(flat) * _flipped(_product_before(_flipped(flat, -1)), -1)
    return transpose_.apply([reshape(others, moved.shape)], (back,))


running_sum = register(RunningSum("cumsum"))
prod_ = register(Reduction("prod", _product_of_others, array="prod", entry=lambda a, b: FUNCTIONS["mul"](a, b)))


@function_of_the_dsl
def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """The product of entries over `axis`, as np.prod; its derivative is the product of all other entries, also at zeros."""
    x = as_expr(x)
    axes = reduced_axes("prod", x, axis)
    if size_of(tuple(x.shape[a] for a in axes)) == 0:
        return keep_axes(x, axes, broadcast(1.0, prod_.result_shape(x.shape, axes)), keepdims)
    return reduce_by(prod_, x, axis, keepdims)


@function_of_the_dsl
def cumsum(x: Any, axis: int | None = None) -> Expr:
    """The sums of the first 1, 2, ... entries along `axis` (of the flattened array by default), as np.cumsum."""
    x, number = _along("cumsum", x, axis)
    return running_sum.apply([x], (number,))


@function_of_the_dsl
def cumprod(x: Any, axis: int | None = None) -> Expr:
    """The products of the first 1, 2, ... entries along `axis` (of the flattened array by default), as np.cumprod."""
    entries, number = _along("cumprod", x, axis)
    if entries.shape[number] == 0:
        return entries
    order = (*(a for a in range(-entries.ndim, 0) if a != number), number)
    back = tuple(order.index(a) - entries.ndim for a in range(-entries.ndim, 0))
    return transpose_.apply([_running_product(transpose_.apply([entries], (order,)))], (back,))


def _along(name: str, x: Any, axis: int | None) -> tuple[Expr, int]:
    """x and a negative axis of it; flattened if axis is None."""
    entries = as_expr(x)
    if axis is None:
        return reshape(entries, (-1,)), -1
    if not entries.ndim:
        raise ShapeError(f"{name}: a number has no axis {axis}")
    return entries, one_axis(name, entries.ndim, axis)

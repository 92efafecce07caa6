"""NumPy callables for the native instructions: one function of arrays for each node, batch axes included."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..dsl.composite import Composite
from ..dsl.constants import NORMAL_MIN, literal
from ..dsl.contraction import Einsum
from ..dsl.core import Expr
from ..dsl.elementwise import Elementwise
from ..dsl.structural import Broadcast, Reshape, Scatter, Slice, Structural, Sum, align, broadcast_value
from ..errors import Unsupported

Array = np.ndarray[Any, Any]
Kernel = Callable[..., Any]
SMALL = 10_000
"""Entries up to which a dot product is faster than a sum; from there on BLAS may take several threads for it."""


def kernel(node: Expr) -> tuple[Kernel, bool]:
    """(callable, whether it takes out=) for a native node; raises Unsupported naming a primitive without NumPy form."""
    primitive = node.primitive
    if isinstance(primitive, Elementwise):
        function = elementwise_kernel(primitive)
        return function, isinstance(function, np.ufunc)
    if isinstance(primitive, Structural):
        return _structural_kernel(node), False
    if isinstance(primitive, Composite) and primitive.array:
        reduce, (axes,) = getattr(np, primitive.array), node.params
        return lambda x: reduce(x, axis=axes), False
    raise Unsupported(f"{primitive.name} has no NumPy form")


def pointwise_kernel(node: Expr) -> Kernel | None:
    """What does the same on arrays without batch axes, and does it faster: products of vectors and matrices as NumPy's own."""
    if isinstance(node.primitive, Einsum) and len(node.args) == 2:
        (left, right), output = node.params
        return _plain_product(left, right, output)
    return None


def elementwise_kernel(primitive: Elementwise) -> Kernel:
    """The NumPy or scipy.special function of a native elementwise primitive."""
    if primitive.array in _OWN:
        return _OWN[primitive.array]
    if callable(primitive.array):
        return primitive.array
    if isinstance(primitive.array, str):
        function = getattr(np, primitive.array, None)
        if function is None:
            from scipy import special

            function = getattr(special, primitive.array, None)
        if function is not None:
            return function  # type: ignore[no-any-return]
    raise Unsupported(f"{primitive.name} has no NumPy form (array={primitive.array!r})")


def constant_in(node: Expr, dtype: np.dtype[Any]) -> Any:
    """The value of a constant for a precision: numbers and bools bare, arrays of that dtype (or bool)."""
    value = literal(node)
    if isinstance(value, np.ndarray):
        return value if value.dtype == bool else value.astype(dtype, copy=False)
    return float(np.finfo(dtype).tiny) if value == NORMAL_MIN else value


def chain_mul(p: Any, t: Any) -> Any:
    """p t, with 0 where one is exactly zero and the other infinite."""
    product = np.multiply(p, t)
    if product.ndim == 1 and product.size <= SMALL:
        if not math.isnan(product.dot(product)):  # squares add up to NaN only if one of them is
            return product
    elif math.isfinite(np.add.reduce(product, axis=None)):  # nothing undefined among the terms
        return product
    undefined = np.isnan(product)
    if undefined.any():
        product = np.where(undefined & ~(np.isnan(p) | np.isnan(t)), 0.0, product)
    return product


def _real(x: Any) -> Any:
    return np.multiply(x, 1.0)


def power(x: Any, y: Any) -> Any:
    """np.power without its short cuts for a single exponent: np.power(-inf, 0.5) is nan, over an array of exponents inf."""
    if np.ndim(y):
        return np.power(x, y)
    return np.power(x, np.full((1,) * max(np.ndim(x), 1), y, np.asarray(x).dtype)).reshape(np.shape(x))[()]


def gammaln(x: Any) -> Any:
    """log |gamma(x)| by SciPy, but -log |x| for subnormals, where SciPy has inf, and inf at -inf, where it has -inf."""
    from scipy import special

    a = np.abs(x)
    value = np.where((a < 1e-300) & (a > 0), -np.log(np.where(a > 0, a, 1)), special.gammaln(x))
    return np.where(a == np.inf, a, value)[()]


_OWN: dict[Any, Kernel] = {"chain_mul": chain_mul, "real": _real, "power": power, "gammaln": gammaln}


def _structural_kernel(node: Expr) -> Kernel:
    primitive, params = node.primitive, node.params
    if isinstance(primitive, Broadcast):
        core, target = node.args[0].shape, node.shape
        return lambda x: broadcast_value(np.asarray(x), core, target)
    if isinstance(primitive, Reshape):
        shape, ndim = params
        if ndim == 0:
            return lambda x: x.reshape(x.shape + shape)
        return lambda x: x.reshape(x.shape[:-ndim] + shape)
    if isinstance(primitive, Slice):
        axis, start, stop, step = params
        key = (..., slice(start, stop, step), *(slice(None),) * (-axis - 1))
        return lambda x: x[key]
    if isinstance(primitive, Einsum) and len(node.args) == 2:
        return _product_kernel(node)
    if isinstance(primitive, Sum):
        return partial(np.add.reduce, axis=params[0])
    if isinstance(primitive, Scatter):
        return _scatter_kernel(node)
    assert isinstance(primitive, Structural)
    evaluate = primitive.evaluate
    return lambda *values: evaluate(params, *map(np.asarray, values))  # a constant may arrive as a float


def _scatter_kernel(node: Expr) -> Kernel:
    """Each stretch of evenly spaced indices as one addition to a slice; entry by entry where there are too many."""
    axis, indices, n = node.params
    stretches = runs(indices.value)
    if stretches is None:
        primitive, params = node.primitive, node.params
        assert isinstance(primitive, Structural)
        return lambda x: primitive.evaluate(params, np.asarray(x))
    tail = (slice(None),) * (-axis - 1)
    places = [((..., slice(p, p + count), *tail), (..., _slice(i, count, step), *tail)) for p, i, count, step in stretches]

    def scatter(x: Array) -> Array:
        shape = list(x.shape)
        shape[axis] = n
        result = np.zeros(shape, float if x.dtype == bool else x.dtype)
        for source, target in places:
            result[target] += x[source]
        return result

    return scatter


def _slice(start: int, count: int, step: int) -> slice:
    stop = start + step * count
    return slice(start, None if stop < 0 else stop, step)


def runs(indices: Array, most: int = 16) -> list[tuple[int, int, int, int]] | None:
    """(position, index, count, step) of the stretches in which flat indices are evenly spaced; None for more than `most`."""
    found: list[tuple[int, int, int, int]] = []
    at = 0
    steps = np.diff(indices)
    while at < len(indices):
        if len(found) == most:
            return None
        step = int(steps[at]) if at < len(steps) and steps[at] else 1
        others = steps[at:] != step
        count = int(np.argmax(others)) + 1 if others.any() else len(indices) - at
        found.append((at, int(indices[at]), count, step))
        at += count
    return found


def aligner(node: Expr) -> Kernel:
    """For a broadcast node, the view with axes of length 1 that elementwise functions broadcast by themselves."""
    core, target = len(node.args[0].shape), len(node.shape)
    return lambda x: align(np.asarray(x), core, target)


def _product_kernel(node: Expr) -> Kernel:
    """A contraction of two arrays as one matrix product, stacked over the labels that both and the output share."""
    (left, right), output = node.params
    shared = [c for c in left if c in right and c in output]
    summed = [c for c in left if c in right and c not in output]
    rows = [c for c in left if c not in right]
    columns = [c for c in right if c not in left]
    sizes = dict(zip(left + right, node.args[0].shape + node.args[1].shape, strict=True))
    order_left = [left.index(c) - len(left) for c in (*shared, *rows, *summed)]
    order_right = [right.index(c) - len(right) for c in (*shared, *summed, *columns)]
    s, m, k, n = (tuple(sizes[c] for c in group) for group in (shared, rows, summed, columns))
    flat_left, flat_right = (*s, _size(m), _size(k)), (*s, _size(k), _size(n))
    natural = [*shared, *rows, *columns]
    order_output = [natural.index(c) - len(natural) for c in output]

    plain = _plain_product(left, right, output)

    def product(a: Array, b: Array) -> Array:
        if plain is not None and a.ndim == len(left) and b.ndim == len(right):
            return plain(a, b)
        a, b = _arranged(a, order_left, flat_left), _arranged(b, order_right, flat_right)
        if not shared and a.ndim == 2 and b.ndim > 2 and b.shape[-1] == 1:
            c = (b[..., 0] @ a.T)[..., None]  # one product for a batch of vectors, not one for each
        else:
            c = a @ b
        c = c.reshape((*c.shape[: c.ndim - 2 - len(s)], *s, *m, *n))
        return _arranged(c, order_output, None)

    return product


def _plain_product(left: str, right: str, output: str) -> Callable[[Array, Array], Array] | None:
    """A product of vectors and matrices without a batch, summed over one label that alone is shared; None for any other."""
    shared = set(left) & set(right)
    if max(len(left), len(right)) > 2 or len(shared) != 1 or shared <= set(output):
        return None
    (summed,) = shared
    rows, columns = left.replace(summed, ""), right.replace(summed, "")
    last, first = left[-1] == summed, right[0] == summed
    if rows + columns == output:
        if last and first:
            return np.dot
        return lambda a, b: np.dot(a if last else a.T, b if first else b.T)
    return lambda a, b: np.dot(b.T if first else b, a.T if last else a)


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _arranged(x: Array, order: list[int], shape: tuple[int, ...] | None) -> Array:
    """Core axes in this order, then reshaped; batch axes stay in front."""
    batch = x.ndim - len(order)
    if order != list(range(-len(order), 0)):
        x = x.transpose(*range(batch), *(x.ndim + a for a in order))
    return x if shape is None else x.reshape(x.shape[:batch] + shape)

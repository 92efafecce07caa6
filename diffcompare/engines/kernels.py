"""NumPy callables for the native instructions: one function of arrays for each node, batch axes included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..dsl.composite import Composite
from ..dsl.constants import NORMAL_MIN, literal
from ..dsl.contraction import Einsum
from ..dsl.core import Expr
from ..dsl.elementwise import Elementwise
from ..dsl.structural import Broadcast, Reshape, Slice, Structural, align, broadcast_value
from ..errors import Unsupported

Array = np.ndarray[Any, Any]
Kernel = Callable[..., Any]


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
    assert isinstance(primitive, Structural)
    evaluate = primitive.evaluate
    return lambda *values: evaluate(params, *map(np.asarray, values))  # a constant may arrive as a float


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

    def product(a: Array, b: Array) -> Array:
        a, b = _arranged(a, order_left, flat_left), _arranged(b, order_right, flat_right)
        if not shared and a.ndim == 2 and b.ndim > 2 and b.shape[-1] == 1:
            c = (b[..., 0] @ a.T)[..., None]  # one product for a batch of vectors, not one for each
        else:
            c = a @ b
        c = c.reshape((*c.shape[: c.ndim - 2 - len(s)], *s, *m, *n))
        return _arranged(c, order_output, None)

    return product


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _arranged(x: Array, order: list[int], shape: tuple[int, ...] | None) -> Array:
    """Core axes in this order, then reshaped; batch axes stay in front."""
    batch = x.ndim - len(order)
    if order != list(range(-len(order), 0)):
        x = x.transpose(*range(batch), *(x.ndim + a for a in order))
    return x if shape is None else x.reshape(x.shape[:batch] + shape)

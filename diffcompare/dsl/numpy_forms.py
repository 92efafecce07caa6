"""What NumPy's computing array functions mean for expressions: reductions, products, choice. numpy_moves.py has the others."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import numpy as np

from ..errors import ShapeError, Unsupported
from .constants import as_expr, constant
from .core import BOOL, FUNCTIONS, Expr
from .indexing import index
from .numpy_moves import diagonal
from .numpy_table import FORMS, Form, dsl, form
from .shapes import Shape, joint_shape
from .structural import broadcast, one_axis, reshape, stack
from .structural import sum as total

# --- reductions ---


def _reduction(name: str) -> Form:
    def reduce(a: Any, axis: Any = None, keepdims: bool = False) -> Expr:
        return dsl(name)(a, axis=axis, keepdims=keepdims)

    return reduce


for _numpy, _own in (("sum", "sum"), ("mean", "mean"), ("max", "max"), ("amax", "max"), ("min", "min"), ("amin", "min"), ("prod", "prod")):
    FORMS[_numpy] = _reduction(_own)


@form("any")
def _any(a: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    return dsl("lt")(0.0, dsl("max")(_truth(a), axis=axis, keepdims=keepdims))


@form("all")
def _all(a: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    return dsl("lt")(0.0, dsl("min")(_truth(a), axis=axis, keepdims=keepdims))


def _truth(a: Any) -> Expr:
    x = as_expr(a)
    return dsl("real")(x if x.dtype == BOOL else dsl("ne")(x, 0.0))


@form("var")
def _var(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Expr:
    return dsl("var")(a, axis=axis, ddof=ddof, keepdims=keepdims)


@form("std")
def _std(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Expr:
    return dsl("std")(a, axis=axis, ddof=ddof, keepdims=keepdims)


@form("ptp")
def _ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    return dsl("max")(a, axis=axis, keepdims=keepdims) - dsl("min")(a, axis=axis, keepdims=keepdims)


@form("average")
def _average(a: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Expr:
    x = as_expr(a)
    if weights is None:
        return dsl("mean")(x, axis=axis, keepdims=keepdims)
    w = as_expr(weights)
    if w.shape != x.shape:
        if not isinstance(axis, SupportsIndex) or w.shape != (x.shape[operator.index(axis)],):
            raise ShapeError(f"average: weights of shape {w.shape} fit neither {x.shape} nor its axis {axis}")
        w = broadcast(reshape(w, (-1,) + (1,) * (-one_axis("average", x.ndim, axis) - 1)), x.shape)
    return total(x * w, axis=axis, keepdims=keepdims) / total(w, axis=axis, keepdims=keepdims)


@form("linalg.norm")
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Expr:
    """The Euclidean and Frobenius norms, and for vectors ord=1, inf and -inf."""
    x = as_expr(x)
    vectors = x.ndim == 1 if axis is None else isinstance(axis, SupportsIndex)
    if ord is None or (ord == 2 and vectors) or (ord == "fro" and not vectors):
        return dsl("norm")(x, axis=axis, keepdims=keepdims)
    reductions = {1: "sum", np.inf: "max", -np.inf: "min"}
    if vectors and ord in reductions:
        return dsl(reductions[ord])(abs(x), axis=axis, keepdims=keepdims)
    raise Unsupported(
        f"np.linalg.norm: ord={ord!r} of shape {x.shape} has no form; vectors take None, 1, 2, inf, -inf, matrices None, 'fro'"
    )


@form("linalg.vector_norm")
def _vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Expr:
    if axis is None and not keepdims:
        return _norm(reshape(as_expr(x), (-1,)), ord)
    if ord == 2:
        return dsl("norm")(x, axis=axis, keepdims=keepdims)
    return _norm(x, ord, axis, keepdims)


# --- running along an axis ---


def _along(x: Expr, axis: Any) -> tuple[list[Expr], int]:
    """The entries of x along an axis, and the axis counted from the left."""
    place = one_axis("axis", x.ndim, axis) + x.ndim
    return [index(x, (slice(None),) * place + (i,)) for i in range(x.shape[place])], place


def _running(name: str, step: Callable[[Expr, Expr], Expr]) -> Form:
    def run(a: Any, axis: Any = None) -> Expr:
        x = as_expr(a)
        if axis is None:
            x, axis = reshape(x, (-1,)), 0
        if name in FUNCTIONS:
            return FUNCTIONS[name](x, axis=axis)
        entries, place = _along(x, axis)
        for k in range(1, len(entries)):
            entries[k] = step(entries[k - 1], entries[k])
        return stack(entries, axis=place) if entries else x

    return run


FORMS["cumsum"] = _running("cumsum", lambda a, b: a + b)
FORMS["cumprod"] = _running("cumprod", lambda a, b: a * b)


@form("diff")
def _diff(a: Any, n: int = 1, axis: int = -1) -> Expr:
    x = as_expr(a)
    before = (slice(None),) * (x.ndim + one_axis("diff", x.ndim, axis))
    for _ in range(n):
        x = index(x, (*before, slice(1, None))) - index(x, (*before, slice(None, -1)))
    return x


@form("trapezoid")
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Expr:
    y = as_expr(y)
    before = (slice(None),) * (y.ndim + one_axis("trapezoid", y.ndim, axis))
    pairs = index(y, (*before, slice(1, None))) + index(y, (*before, slice(None, -1)))
    if x is None:
        return total(pairs * dx, axis=axis) / 2.0
    steps = _diff(x, axis=-1 if as_expr(x).ndim == 1 else axis)
    if steps.ndim == 1:
        steps = reshape(steps, (-1,) + (1,) * (y.ndim - len(before) - 1))
    return total(pairs * steps, axis=axis) / 2.0


# --- products ---


@form("einsum")
def _einsum(*operands: Any, optimize: Any = None) -> Expr:
    if not operands or not isinstance(operands[0], str):
        raise Unsupported("np.einsum: write the labels as text first, such as np.einsum('ij,j->i', a, x)")
    return dsl("einsum")(*operands)


@form("dot")
def _dot(a: Any, b: Any) -> Expr:
    return dsl("dot")(a, b)


@form("outer", "linalg.outer")
def _outer(a: Any, b: Any) -> Expr:
    return dsl("outer")(a, b)


@form("vdot")
def _vdot(a: Any, b: Any) -> Expr:
    return dsl("dot")(reshape(as_expr(a), (-1,)), reshape(as_expr(b), (-1,)))


@form("linalg.vecdot")
def _vecdot(x1: Any, x2: Any, axis: int = -1) -> Expr:
    return total(as_expr(x1) * as_expr(x2), axis=axis)


@form("linalg.matmul")
def _matmul(x1: Any, x2: Any) -> Expr:
    return dsl("matmul")(x1, x2)


@form("inner")
def _inner(a: Any, b: Any) -> Expr:
    a, b = as_expr(a), as_expr(b)
    return a * b if not a.ndim or not b.ndim else _tensordot(a, b, ((-1,), (-1,)))


@form("tensordot", "linalg.tensordot")
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Expr:
    a, b = as_expr(a), as_expr(b)
    if isinstance(axes, SupportsIndex):
        n = operator.index(axes)
        axes = (tuple(range(a.ndim - n, a.ndim)), tuple(range(n)))
    left, right = ((k,) if isinstance(k, SupportsIndex) else tuple(k) for k in axes)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    first = list(letters[: a.ndim])
    second = list(letters[a.ndim : a.ndim + b.ndim])
    for i, j in zip(left, right, strict=True):
        second[j] = first[i]
    kept = [c for c in first if c not in second] + [c for c in second if c not in first]
    return dsl("einsum")(f"{''.join(first)},{''.join(second)}->{''.join(kept)}", a, b)


@form("kron")
def _kron(a: Any, b: Any) -> Expr:
    a, b = as_expr(a), as_expr(b)
    ndim = max(a.ndim, b.ndim)
    left = (1,) * (ndim - a.ndim) + a.shape
    right = (1,) * (ndim - b.ndim) + b.shape
    product = reshape(a, [k for n in left for k in (n, 1)]) * reshape(b, [k for n in right for k in (1, n)])
    return reshape(product, [m * n for m, n in zip(left, right, strict=True)])


@form("cross", "linalg.cross")
def _cross(a: Any, b: Any, axis: int = -1) -> Expr:
    a, b = as_expr(a), as_expr(b)
    (p, left), (q, right) = _along(a, axis), _along(b, axis)
    if len(p) != 3 or len(q) != 3:
        raise Unsupported(f"np.cross: takes vectors of three entries, got shapes {a.shape} and {b.shape}")
    parts = [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]]
    return stack(parts, axis=left if a.ndim >= b.ndim else right)


@form("trace")
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Expr:
    return total(diagonal(a, offset, axis1, axis2), axis=-1)


@form("linalg.trace")
def _linalg_trace(x: Any, offset: int = 0) -> Expr:
    return _trace(x, offset, -2, -1)


@form("linalg.multi_dot")
def _multi_dot(arrays: Sequence[Any]) -> Expr:
    product = as_expr(arrays[0])
    for a in arrays[1:]:
        product = dsl("matmul")(product, a)
    return product


@form("linalg.matrix_power")
def _matrix_power(a: Any, n: int) -> Expr:
    """By repeated squaring, for n >= 0."""
    square, power = as_expr(a), None
    n = operator.index(n)
    if n < 0:
        raise Unsupported("np.linalg.matrix_power: a negative power needs an inverse, which has no form")
    while n:
        if n & 1:
            power = square if power is None else dsl("matmul")(power, square)
        n >>= 1
        square = dsl("matmul")(square, square) if n else square
    return constant(np.broadcast_to(np.eye(square.shape[-1]), square.shape)) if power is None else power


# --- choice and entry-by-entry functions that are no ufuncs ---


@form("where")
def _where(condition: Any, x: Any = None, y: Any = None) -> Expr:
    if x is None or y is None:
        raise Unsupported("np.where(condition) finds indices, whose number depends on values: use np.where(condition, a, b)")
    return dsl("where")(condition, x, y)


@form("select")
def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0.0) -> Expr:
    result = as_expr(default)
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = dsl("where")(condition, choice, result)
    return result


@form("clip")
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Expr:
    lo, hi = a_min if min is None else min, a_max if max is None else max
    x = as_expr(a)
    if lo is not None and hi is not None and "clip" in FUNCTIONS:
        return FUNCTIONS["clip"](x, lo, hi)
    x = x if lo is None else dsl("maximum")(x, lo)
    return x if hi is None else dsl("minimum")(x, hi)


@form("round", "around")
def _round(a: Any, decimals: int = 0) -> Expr:
    if decimals == 0:
        return dsl("round")(a)
    scale = 10.0 ** abs(decimals)
    return dsl("round")(as_expr(a) * scale) / scale if decimals > 0 else dsl("round")(as_expr(a) / scale) * scale


@form("sinc")
def _sinc(x: Any) -> Expr:
    return dsl("sinc")(x)


@form("polyval")
def _polyval(p: Any, x: Any) -> Expr:
    """By Horner's rule."""
    coefficients = list(p)
    value = broadcast(as_expr(coefficients[0]), as_expr(x).shape) if coefficients else constant(0.0)
    for c in coefficients[1:]:
        value = value * x + c
    return value


@form("linspace")
def _linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True) -> Expr:
    first, last = as_expr(start), as_expr(stop)
    shape = joint_shape("linspace", [first.shape, last.shape])
    fractions = np.linspace(0.0, 1.0, num, endpoint=endpoint).reshape((-1,) + (1,) * len(shape))
    return first + (last - first) * fractions


@form("copy", "real", "asanyarray")
def _same(a: Any) -> Expr:
    return as_expr(a)


# --- facts that do not depend on values ---


@form("shape")
def _shape(a: Any) -> Shape:
    return as_expr(a).shape


@form("ndim")
def _ndim(a: Any) -> int:
    return as_expr(a).ndim


@form("size")
def _size(a: Any, axis: Any = None) -> int:
    x = as_expr(a)
    return x.size if axis is None else x.shape[axis]


@form("iscomplexobj")
def _iscomplexobj(x: Any) -> bool:
    return False


@form("isrealobj")
def _isrealobj(x: Any) -> bool:
    return True


@form("zeros_like")
def _zeros_like(a: Any, shape: Any = None) -> np.ndarray[Any, Any]:
    return np.zeros(as_expr(a).shape if shape is None else shape)


@form("ones_like")
def _ones_like(a: Any, shape: Any = None) -> np.ndarray[Any, Any]:
    return np.ones(as_expr(a).shape if shape is None else shape)


@form("full_like")
def _full_like(a: Any, fill_value: Any, shape: Any = None) -> Expr:
    return broadcast(fill_value, as_expr(a).shape if shape is None else shape)

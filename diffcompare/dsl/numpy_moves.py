"""What NumPy's functions that only move entries mean for expressions: joining, reshaping, reordering, repeating, filling.

Shapes are found on an array without entries, orders of axes on one whose axes have the lengths 0, 1, 2, ..., and orders of
entries on the array of their positions: NumPy itself answers, and the expression follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import Unsupported
from .constants import as_expr
from .core import Expr
from .indexing import index
from .numpy_table import FORMS, Form, dsl, form
from .shapes import Shape, joint_shape
from .structural import broadcast, reshape, stack, transpose
from .structural import concatenate as join

# --- joining ---


@form("concatenate", "concat")
def _concatenate(arrays: Sequence[Any], axis: Any = 0) -> Expr:
    if axis is None:
        return join([reshape(as_expr(a), (-1,)) for a in arrays])
    return join(list(arrays), axis=axis)


@form("stack")
def _stack(arrays: Sequence[Any], axis: int = 0) -> Expr:
    return stack(list(arrays), axis=axis)


def _at_least(a: Any, ndim: int) -> Expr:
    """a with axes put as np.atleast_1d, 2d and 3d put them."""
    x = as_expr(a)
    return reshape(x, {1: np.atleast_1d, 2: np.atleast_2d, 3: np.atleast_3d}[ndim](_hollow(x.shape)).shape)


@form("vstack", "row_stack")
def _vstack(tup: Sequence[Any]) -> Expr:
    return join([_at_least(a, 2) for a in tup])


@form("hstack")
def _hstack(tup: Sequence[Any]) -> Expr:
    parts = [_at_least(a, 1) for a in tup]
    return join(parts, axis=0 if parts[0].ndim == 1 else 1)


@form("dstack")
def _dstack(tup: Sequence[Any]) -> Expr:
    return join([_at_least(a, 3) for a in tup], axis=2)


@form("column_stack")
def _column_stack(tup: Sequence[Any]) -> Expr:
    parts = [_at_least(a, 1) for a in tup]
    return join([reshape(p, (-1, 1)) if p.ndim == 1 else p for p in parts], axis=1)


@form("append")
def _append(arr: Any, values: Any, axis: Any = None) -> Expr:
    return _concatenate([arr, values], axis)


@form("block")
def _block(arrays: Any) -> Expr:
    """Blocks in nested lists; the innermost lists join along the last axis."""

    def depth(part: Any) -> int:
        return 1 + max(depth(p) for p in part) if isinstance(part, list) else 0

    def leaves(part: Any) -> list[Expr]:
        return [x for p in part for x in leaves(p)] if isinstance(part, list) else [as_expr(part)]

    levels = depth(arrays)
    ndim = max([levels, *(x.ndim for x in leaves(arrays))])

    def build(part: Any, level: int) -> Expr:
        if not isinstance(part, list):
            x = as_expr(part)
            return reshape(x, (1,) * (ndim - x.ndim) + x.shape)
        return join([build(p, level - 1) for p in part], axis=-level)

    return build(arrays, levels)


# --- shapes: run on an array without entries of its own ---


def _hollow(shape: Shape) -> np.ndarray[Any, Any]:
    return np.broadcast_to(0.0, shape)


@form("reshape")
def _reshape(a: Any, shape: Any = None, newshape: Any = None) -> Expr:
    return reshape(as_expr(a), newshape if shape is None else shape)


@form("ravel")
def _ravel(a: Any) -> Expr:
    return reshape(as_expr(a), (-1,))


@form("squeeze")
def _squeeze(a: Any, axis: Any = None) -> Expr:
    x = as_expr(a)
    return reshape(x, np.squeeze(_hollow(x.shape), axis=axis).shape)


@form("expand_dims")
def _expand_dims(a: Any, axis: Any) -> Expr:
    x = as_expr(a)
    return reshape(x, np.expand_dims(_hollow(x.shape), axis).shape)


def _at_least_each(ndim: int) -> Form:
    def each(*arys: Any) -> Any:
        parts = tuple(_at_least(a, ndim) for a in arys)
        return parts[0] if len(parts) == 1 else parts

    return each


for _n in (1, 2, 3):
    FORMS[f"atleast_{_n}d"] = _at_least_each(_n)


@form("broadcast_to")
def _broadcast_to(array: Any, shape: Any) -> Expr:
    return broadcast(array, shape)


@form("broadcast_arrays")
def broadcast_arrays(*args: Any) -> tuple[Expr, ...]:
    parts = [as_expr(a) for a in args]
    shape = joint_shape("broadcast_arrays", [p.shape for p in parts])
    return tuple(broadcast(p, shape) for p in parts)


@form("meshgrid")
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Expr, ...]:
    parts = [reshape(as_expr(a), (-1,)) for a in xi]
    grids = [reshape(p, (1,) * k + (-1,) + (1,) * (len(parts) - k - 1)) for k, p in enumerate(parts)]
    if indexing == "xy" and len(parts) > 1:
        grids = [transpose(g, (1, 0, *range(2, len(parts)))) for g in grids]
    return tuple(grids) if sparse else broadcast_arrays(*grids)


def _static(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    if any(isinstance(v, Expr) for v in (*args, *kwargs.values())):
        raise Unsupported(
            f"np.{name}: indices, counts and axes are static integers, not expressions; choose by value with np.where(condition, a, b)"
        )


# --- axes: run on an array whose axes have the lengths 0, 1, 2, ..., which name them ---


def _permuted(name: str) -> Form:
    moved = getattr(np, name)

    def permute(a: Any, *args: Any, **kwargs: Any) -> Expr:
        x = as_expr(a)
        _static(name, args, kwargs)
        return transpose(x, moved(_hollow(tuple(range(x.ndim))), *args, **kwargs).shape)

    return permute


for _name in ("transpose", "permute_dims", "swapaxes", "moveaxis", "rollaxis", "matrix_transpose"):
    FORMS[_name] = _permuted(_name)
FORMS["linalg.matrix_transpose"] = FORMS["matrix_transpose"]


# --- entries: run on the positions of the entries ---


def _positions(x: Expr) -> np.ndarray[Any, Any]:
    return np.arange(x.size).reshape(x.shape)


def _at(x: Expr, positions: np.ndarray[Any, Any]) -> Expr:
    """The entries of x at row-major positions."""
    return reshape(index(reshape(x, (-1,)), positions.ravel()), positions.shape)


def _rearranged(name: str) -> Form:
    moved = getattr(np, name)

    def rearrange(a: Any, *args: Any, **kwargs: Any) -> Any:
        x = as_expr(a)
        _static(name, args, kwargs)
        result = moved(_positions(x), *args, **kwargs)
        return [_at(x, r) for r in result] if isinstance(result, list) else _at(x, result)

    return rearrange


for _name in ("roll", "flip", "fliplr", "flipud", "rot90", "repeat", "tile", "take", "delete", "resize"):
    FORMS[_name] = _rearranged(_name)
for _name in ("split", "array_split", "hsplit", "vsplit", "dsplit", "take_along_axis"):
    FORMS[_name] = _rearranged(_name)


@form("diagonal")
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Expr:
    x = as_expr(a)
    if offset == 0 and x.shape[axis1] == x.shape[axis2]:
        return dsl("diagonal")(x, axis1, axis2)
    return _at(x, np.diagonal(_positions(x), offset, axis1, axis2))


@form("linalg.diagonal")
def _linalg_diagonal(x: Any, offset: int = 0) -> Expr:
    return diagonal(x, offset, -2, -1)


@form("diag")
def _diag(v: Any, k: int = 0) -> Expr:
    x = as_expr(v)
    return diagonal(x, k) if x.ndim == 2 else _with_zeros(x, np.diag(_positions(x) + 1, k))


@form("diagflat")
def _diagflat(v: Any, k: int = 0) -> Expr:
    return _diag(reshape(as_expr(v), (-1,)), k)


def _with_zeros(x: Expr, places: np.ndarray[Any, Any], fill: Any = 0.0) -> Expr:
    """The entries of x at places 1, 2, 3, ..., the fill at place 0."""
    padded = join([reshape(as_expr(fill), (1,)), reshape(x, (-1,))])
    return reshape(index(padded, places.ravel()), places.shape)


@form("tril")
def _tril(m: Any, k: int = 0) -> Expr:
    return dsl("tril")(m, k)


@form("triu")
def _triu(m: Any, k: int = 0) -> Expr:
    return dsl("triu")(m, k)


@form("pad")
def _pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0.0) -> Expr:
    x = as_expr(array)
    if mode == "constant":
        return _with_zeros(x, np.pad(_positions(x) + 1, pad_width), constant_values)
    if mode in ("edge", "reflect", "symmetric", "wrap"):
        return _at(x, np.pad(_positions(x), pad_width, mode=mode))  # type: ignore[call-overload]
    raise Unsupported(f"np.pad: mode={mode!r} has no form; constant, edge, reflect, symmetric and wrap have")

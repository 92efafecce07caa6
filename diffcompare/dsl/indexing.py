"""Indexing: one slice or take for each axis, as NumPy indexes with static keys."""

from __future__ import annotations

import operator
from types import EllipsisType
from typing import Any, SupportsIndex

import numpy as np

from ..errors import ShapeError
from .constants import as_expr
from .core import Expr, function_of_the_dsl
from .shapes import size_of
from .structural import Array, reshape, slice_, take_or_slice


@function_of_the_dsl
def index(x: Any, key: Any) -> Expr:
    """x[key] for integers, slices, None, ... and static integer or boolean arrays (one array, or arrays indexing together)."""
    x = as_expr(x)
    keys = list(key) if isinstance(key, tuple) else [key]
    keys = _expand_ellipsis(x, [_static_key(k) for k in keys])
    pointed = [k for k in keys if k is not None and not isinstance(k, slice)]
    if len(pointed) > 1 and any(isinstance(k, np.ndarray) for k in pointed):
        return _index_together(x, keys)
    shape: list[int] = []
    axis = -x.ndim
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        n = x.shape[axis]
        if isinstance(k, slice):
            start, stop, step = k.indices(n)
            if (start, stop, step) != (0, n, 1):
                x = slice_.apply([x], (axis, start, None if stop < 0 else stop, step))
            shape.append(x.shape[axis])
        elif isinstance(k, np.ndarray):
            x = take_or_slice(x, axis, _checked_indices(k, n, axis).ravel())
            shape.extend(k.shape)
        else:
            i = int(_checked_indices(np.asarray(k), n, axis))
            x = slice_.apply([x], (axis, i, i + 1, 1)) if n > 1 else x
        axis += 1
    return reshape(x, tuple(shape))


def _static_key(key: Any) -> Any:
    if key is None or isinstance(key, slice | EllipsisType):
        return key
    if isinstance(key, Expr):
        raise TypeError("an expression is not an index: indices are static integers; use where(condition, a, b) to choose by value")
    if isinstance(key, SupportsIndex) and not isinstance(key, np.ndarray | bool | np.bool_):
        return operator.index(key)
    array = np.asarray(key)
    if array.dtype.kind not in "iub" and array.size:
        raise TypeError(f"indices are integers, slices or arrays of integers or booleans, got {key!r}")
    return array if array.dtype == bool else array.astype(np.intp)


def _expand_ellipsis(x: Expr, keys: list[Any]) -> list[Any]:
    """The keys with ... spelled out and boolean arrays turned into integer ones."""
    flat: list[Any] = []
    for k in keys:
        if isinstance(k, np.ndarray) and k.dtype == bool:
            axis = sum(1 for f in flat if f is not None)
            if k.shape != x.shape[axis : axis + k.ndim]:
                raise ShapeError(f"index: a boolean mask of shape {k.shape} does not fit axes of shape {x.shape[axis : axis + k.ndim]}")
            flat.extend(np.nonzero(k))
        else:
            flat.append(k)
    used = sum(1 for k in flat if k is not None and not isinstance(k, EllipsisType))
    if used > x.ndim:
        raise ShapeError(f"index: {used} indices for shape {x.shape}")
    places = [i for i, k in enumerate(flat) if isinstance(k, EllipsisType)]
    if len(places) > 1:
        raise ShapeError("index: an index has at most one ellipsis")
    place = places[0] if places else len(flat)
    return flat[:place] + [slice(None)] * (x.ndim - used) + flat[place + 1 :]


def _checked_indices(indices: Array, n: int, axis: int) -> Array:
    bad = indices[(indices < -n) | (indices >= n)]
    if bad.size:
        raise ShapeError(f"index: {int(bad.flat[0])} is out of range for axis {axis} of length {n}")
    return np.where(indices < 0, indices + n, indices)


def _index_together(x: Expr, keys: list[Any]) -> Expr:
    """Index arrays and integers pair up, as in NumPy; they must stand on adjacent axes, which become one by row-major position."""
    places = [i for i, k in enumerate(keys) if k is not None and not isinstance(k, slice)]
    if places != list(range(places[0], places[-1] + 1)):
        raise ShapeError("index: index arrays must stand on adjacent axes; transpose first")
    before = sum(1 for k in keys[: places[0]] if k is not None)
    sizes = x.shape[before : before + len(places)]
    arrays = [_checked_indices(np.asarray(keys[p]), n, before) for p, n in zip(places, sizes, strict=True)]
    try:
        joint = np.broadcast_arrays(*arrays)
    except ValueError:
        raise ShapeError(f"index: index arrays of shapes {' and '.join(str(a.shape) for a in arrays)} do not broadcast") from None
    flat = np.ravel_multi_index([np.asarray(a) for a in joint], sizes) if joint[0].size else np.zeros(joint[0].shape, np.intp)
    merged = reshape(x, (*x.shape[:before], size_of(sizes), *x.shape[before + len(places) :]))
    return index(merged, (*keys[: places[0]], flat, *keys[places[-1] + 1 :]))

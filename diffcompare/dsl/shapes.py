"""Shapes: checked, counted, broadcast."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from ..errors import ShapeError

Shape = tuple[int, ...]


def size_of(shape: Shape) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


def broadcast_shape(shapes: Sequence[Shape]) -> Shape:
    """NumPy's broadcast_shapes, ten times sooner where all are equal; raises ValueError as it does."""
    first = shapes[0] if shapes else ()
    return first if all(s == first for s in shapes) else np.broadcast_shapes(*shapes)


def as_shape(shape: Any) -> Shape:
    """A tuple of non-negative integers from an int or a sequence of them."""
    try:
        sizes = (operator.index(shape),) if isinstance(shape, SupportsIndex) else tuple(operator.index(n) for n in shape)
    except TypeError:
        raise ShapeError(f"a shape is a tuple of integers, got {shape!r}") from None
    if any(n < 0 for n in sizes):
        raise ShapeError(f"a shape has no negative sizes, got {sizes}")
    return sizes


def joint_shape(name: str, shapes: Sequence[Shape]) -> Shape:
    """The shape that all broadcast to; raises ShapeError naming `name`."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(str(s) for s in shapes)
        raise ShapeError(f"{name}: arguments must broadcast to one shape, got {listed}; reshape them or add axes with x[:, None]") from None

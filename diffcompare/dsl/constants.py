"""Constants, kept by bit pattern."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np

from ..errors import DiffCompareError
from .core import BOOL, CONSTANT, REAL, Expr, clip, intern

NORMAL_MIN = 2.2250738585072014e-308
"""The smallest normal float64. Prepared for another precision, this constant is the smallest normal number of that one."""

_bits = struct.Struct("d").pack


class Literal:
    """A constant's value, equal to another only bit by bit: -0.0 is not 0.0 and a NaN equals itself."""

    __slots__ = ("key", "value")

    def __init__(self, value: float | bool | np.ndarray[Any, Any]) -> None:
        self.value = value
        self.key: tuple[Any, ...]
        if isinstance(value, np.ndarray):
            self.key = (value.dtype.char, value.shape, hashlib.blake2b(value.tobytes(), digest_size=20).digest())
        elif isinstance(value, bool):
            self.key = ("?", value)
        else:
            self.key = ("d", _bits(value))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self.key == other.key

    def __repr__(self) -> str:
        return repr(self.value)

    def __reduce__(self) -> Any:
        return _load_literal, (self.value,)


def _load_literal(value: Any) -> Literal:
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    return Literal(value)


def constant(value: Any) -> Expr:
    """A number, a bool or an array of them as an expression; arrays are copied and frozen.

    Raises TypeError for complex numbers, strings and objects.
    """
    if isinstance(value, bool | np.bool_):
        return intern(CONSTANT, (), (Literal(bool(value)),), (), BOOL)
    if isinstance(value, int | float):
        try:
            return intern(CONSTANT, (), (Literal(float(value)),), (), REAL)
        except OverflowError:
            raise DiffCompareError(f"the integer {clip(str(value))} is too large for float64") from None
    array = np.asarray(value)
    if array.dtype == np.bool_:
        dtype, array = BOOL, np.array(array)
    elif array.dtype.kind in "iuf":
        dtype, array = REAL, np.array(array, dtype=np.float64)
    elif array.dtype.kind == "c":
        raise TypeError(f"complex constants are not supported, got dtype {array.dtype}: split real and imaginary parts")
    else:
        raise TypeError(f"{clip(repr(value))} is neither an expression nor a real number or array of numbers (dtype {array.dtype})")
    if array.ndim == 0:
        return constant(array.item())
    array.setflags(write=False)
    return intern(CONSTANT, (), (Literal(array),), array.shape, dtype)


def as_expr(value: Any) -> Expr:
    """An expression as it is, anything else as a constant."""
    return value if isinstance(value, Expr) else constant(value)


def literal(node: Expr) -> Any:
    """The value of a constant node, None for any other node."""
    return node.params[0].value if node.primitive is CONSTANT else None


def is_number(node: Expr, value: float) -> bool:
    """Whether the node is the scalar constant `value`, bit for bit."""
    return node.primitive is CONSTANT and not node.shape and node.params[0] == Literal(value)

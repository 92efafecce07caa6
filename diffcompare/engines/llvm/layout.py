"""Where an array's numbers lie: read from the array object itself, by NumPy's documented layout, where this Python has it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import numpy as np

from ..base import Array

DATA_OFFSET = object.__basicsize__
"""Of the pointer to the numbers in NumPy's PyArrayObject: the first field behind the object's head."""


def _read(array: Array) -> int:
    return ctypes.c_size_t.from_address(id(array) + DATA_OFFSET).value


def _asked(array: Array) -> int:
    return array.ctypes.data


def _readable() -> bool:
    """Whether an object's id is its address, and the pointer lies there."""
    arrays = [np.empty(3), np.empty((2, 2))[1:]]
    return sys.implementation.name == "cpython" and all(_read(a) == a.ctypes.data for a in arrays)


address: Callable[[Array], int] = _read if _readable() else _asked
"""The address of an array's first entry; read, it takes a tenth of the time of array.ctypes.data."""

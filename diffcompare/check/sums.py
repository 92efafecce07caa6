"""Sums that stand for many terms: how far they may be off, and from one that is wrong down to a term that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def culprit(units: Array, is_wrong: Callable[[Array], bool]) -> int:
    """One of the units to which a wrong sum over all of them leads, with one question for each halving.

    is_wrong(units): whether the sum over these units is wrong. If the sum over the first half is right, the second is
    at fault, so the result is a suspect to look at and not yet a verdict.
    """
    while len(units) > 1:
        first, second = np.array_split(units, 2)
        units = first if is_wrong(first) else second
    return int(units[0])


def together(errors: Array, axis: int = -1) -> Array:
    """The root of the sum of squares, what independent errors of these sizes add up to, without overflow."""
    largest = np.max(np.abs(errors), axis=axis, keepdims=True, initial=0.0)
    unit = np.where(largest == 0, 1.0, largest)
    return np.asarray(np.sqrt(np.sum((errors / unit) ** 2, axis=axis)) * np.squeeze(unit, axis=axis))

"""From a sum that is wrong down to a term that is, by halves."""

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

"""How far rounding may move what is computed in float64: the tolerance of every certified comparison.

A result D may err by ROUNDINGS (EPSILON |D| + R). R is the radius that ball arithmetic ends with when every operation rounds:
a running error analysis of one formula, a sum over |terms| where there are sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..reference import Reference

Array = np.ndarray[Any, Any]

EPSILON = 2.0**-52
ROUNDINGS = 4.0
"""How many times the rounding errors of one formula another correct formula may make: elementary functions of NumPy and the
platform err by up to 4 units in the last place where a ball counts half a one."""
DOUBLE, SHORT = 53, 40
"""Bits. With 53 an operation that happens to be exact counts nothing, but a sum in another order is not exact as well; with
40 hardly any is by accident, and the radius is as much larger as the arithmetic is shorter."""


def rounding(reference: Reference, at: Mapping[str, Any], operator: str = "value", **question: Any) -> list[Array]:
    """R for each entry, see above: from 40 bits where they lead to finite balls, else from 53; NaN where neither does."""
    short = [r * 2.0 ** (SHORT - DOUBLE) for r in reference.noise(at, SHORT, operator, **question)]
    if all(np.all(np.isfinite(r)) for r in short):
        return short
    full = reference.noise(at, DOUBLE, operator, **question)
    return [np.where(np.isfinite(s), s, f) for s, f in zip(short, full, strict=True)]

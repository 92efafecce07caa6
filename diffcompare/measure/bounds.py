"""The error that a method may make: its promise, times what the condition of the point turns it into."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dsl.function import Function
from ..transforms.cost import cost
from .accuracy import Truth

Array = np.ndarray[Any, Any]

CONFIDENCE = 4.0
"""λ of Higham and Mary: rounding errors of N operations add up to more than λ √N u with probability below 2 exp(-λ²/2)."""
SWEEP = 5.0
"""Operations of a derivative per operation of the function: the cheap-gradient bound of Griewank and Walther."""


def operations(function: Function) -> int:
    """Scalar operations of the function itself, at least 1."""
    return max(cost(function).operations, 1)


def rounding(truth: Truth, primal_operations: int, precision: str = "float64") -> Array:
    """The absolute error allowed to a method that is exact but for rounding: λ √(5 n) ε (|D| + S), entry by entry.

    n: operations of the function, not of the method's derivative: a method gains nothing by doing more than 5 for each.
    S: the sensitivity Σ |x_j dD/dx_j|, so |D| + S is |D| (1 + condition number): what relative errors of ε in the
    inputs may do to any method. ε, twice the unit roundoff, since elementary functions err by up to an ulp.
    λ √N for the sum of N independent rounding errors: Higham and Mary, SIAM J. Sci. Comput. 41 (2019) A2815-A2835.
    To this comes N times the smallest subnormal, for results that underflow.
    """
    limits = np.finfo(precision)
    work = SWEEP * primal_operations
    return CONFIDENCE * math.sqrt(work) * float(limits.eps) * (np.abs(truth.values) + truth.sensitivity) + work * float(
        limits.smallest_subnormal
    )

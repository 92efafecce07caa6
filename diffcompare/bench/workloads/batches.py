"""Functions of scalars at a million points: what the inner loop costs."""

from __future__ import annotations

import numpy as np

from ...differentiators.base import Operator
from ...dsl.function import Function
from ...problems.finance import black_scholes
from ...problems.maps import logistic_map
from ..workload import Array, Bar, Group, Kind, Workload

POINTS = 1_000_000
SEED = 1973
C_CODES = ("C -O3", "C fast-math")


def spread(ranges: dict[str, tuple[float, float]], points: int) -> tuple[Array, ...]:
    """Uniform points in these ranges, an array for each input."""
    rng = np.random.default_rng(SEED)
    return tuple(rng.uniform(low, high, points) for low, high in ranges.values())


def _black_scholes() -> list[Workload]:
    ranges = {"S": (80.0, 120.0), "K": (80.0, 120.0), "sigma": (0.1, 0.5), "tau": (0.1, 2.0), "r": (0.0, 0.08)}
    bars = (Bar("diffcompare llvm", "heyoka", 0.60, 0.45), Bar("diffcompare llvm", "C fast-math", 1.0, 0.85))
    rest = ("heyoka", "heyoka, aligned", *C_CODES, "sympy lambdify", "jax", "casadi", "diffcompare numpy", "copy")
    return [
        Workload(
            "black_scholes gradient",
            "gradient of the Black-Scholes price, 5 inputs, 10^6 points",
            black_scholes.function,
            Operator.GRADIENT,
            Kind.POINTS,
            spread(ranges, POINTS),
            ("diffcompare llvm", *rest),
            bars,
        )
    ]


def _logistic_map() -> list[Workload]:
    f: Function = logistic_map(n=8).function
    best, copied = Bar("diffcompare llvm", "best", 1.0, 0.9), Bar("diffcompare llvm", "copy", 1.3)
    contenders = ("diffcompare llvm", "heyoka", "heyoka, aligned", *C_CODES, "jax", "casadi", "copy")
    values = spread({"x": (0.0, 1.0)}, POINTS)
    return [
        Workload(
            "logistic_map(8) derivative",
            "derivative of the logistic map l_8, 10^6 points",
            f,
            Operator.DERIVATIVE,
            Kind.POINTS,
            values,
            contenders,
            (best, copied),
        )
    ]


BATCHES = (
    Group("black_scholes", "Black-Scholes gradient, one core", _black_scholes),
    Group("black_scholes_cores", "Black-Scholes gradient, all cores", _black_scholes, cores=None),
    Group("logistic_map", "Logistic map, one core", _logistic_map),
)

"""Problems 6, 11, 12, 16 and 18: a few variables in exponentials and powers, and as many residuals as one likes."""

from __future__ import annotations

import numpy as np

from ...dsl import symbol
from ...dsl.arithmetic import abs_
from ...dsl.constants import constant
from ...dsl.elementary import exp, log
from ...problem import Size
from ..least_squares import LeastSquares, columns, scaled, weighted
from .paper import problem


def _jennrich_sampson(m: int) -> LeastSquares:
    """F_i = 2 + 2i - (exp(i x1) + exp(i x2))."""
    x1, x2 = x = symbol("x", shape=(2,))
    i = constant(np.arange(1.0, m + 1))
    a, b = exp(i * x1), exp(i * x2)
    return LeastSquares(
        x,
        residuals=2 + 2 * i - (a + b),
        jacobian=columns(m, -i * a, -i * b),
        curvature=weighted(2, {(0, 0): -(i**2) * a, (1, 1): -(i**2) * b}),
        # exp(i 40), squared, leaves float64 at i = 9, and exp(i 4) at i = 89
        points=scaled([0.3, 0.4], [1, *([10] if m < 80 else []), *([100] if m < 9 else [])], near_the_minimum=[0.257825, 0.257825]),
    )


def _gulf_research_and_development(m: int) -> LeastSquares:
    """F_i = exp(-|y_i - x2|^x3 / x1) - t_i with t_i = i / 100 and y_i = 25 + (-50 log t_i)^(2/3).

    The paper prints |y_i m i x2|, a known misprint. F has no second derivative where x2 = y_i: at the minimum where i = 100.
    """
    x1, x2, x3 = x = symbol("x", shape=(3,))
    t = np.arange(1.0, m + 1) / 100
    d = constant(25 + (-50 * np.log(t)) ** (2 / 3)) - x2
    size = abs_(d)
    g, length = size**x3 / x1, log(size)
    e = exp(-g)
    g1, g2, g3 = -g / x1, -x3 * g / d, g * length  # the derivatives of g; those of F are -e g_j and e (g_j g_k - g_jk)
    return LeastSquares(
        x,
        residuals=e - t,
        jacobian=columns(m, -e * g1, -e * g2, -e * g3),
        curvature=weighted(
            3,
            {
                (0, 0): e * g * (g - 2) / (x1 * x1),
                (0, 1): e * x3 * g * (g - 1) / (x1 * d),
                (0, 2): -e * g * length * (g - 1) / x1,
                (1, 1): e * x3 * g * (x3 * (g - 1) + 1) / (d * d),
                (1, 2): -e * g * (x3 * length * (g - 1) - 1) / d,
                (2, 2): e * g * length**2 * (g - 1),
            },
        ),
        # 10 times the start has x2 = 25 too
        points=scaled([5.0, 2.5, 0.15], (1, 10, 100), near_the_minimum=[50.0, 24.5, 1.5], minimum=[50.0, 25.0, 1.5])
        if m < 100
        else scaled([5.0, 2.5, 0.15], (1, 100), near_the_minimum=[50.0, 24.5, 1.5]),
    )


def _box(m: int) -> LeastSquares:
    """F_i = exp(-t_i x1) - exp(-t_i x2) - x3 (exp(-t_i) - exp(-10 t_i)) with t_i = i / 10; zero at (1, 10, 1) and on x1 = x2, x3 = 0."""
    x1, x2, x3 = x = symbol("x", shape=(3,))
    times = np.arange(1.0, m + 1) / 10
    t, known = constant(times), constant(np.exp(-times) - np.exp(-10 * times))
    a, b = exp(-t * x1), exp(-t * x2)
    return LeastSquares(
        x,
        residuals=a - b - x3 * known,
        jacobian=columns(m, -t * a, t * b, -known),
        curvature=weighted(3, {(0, 0): t**2 * a, (1, 1): -(t**2) * b}),
        points=scaled([0.0, 10.0, 20.0], near_the_minimum=[0.99, 10.1, 1.0]),
    )


def _brown_dennis(m: int) -> LeastSquares:
    """F_i = (x1 + t_i x2 - exp(t_i))² + (x3 + x4 sin t_i - cos t_i)² with t_i = i / 5."""
    x1, x2, x3, x4 = x = symbol("x", shape=(4,))
    times = np.arange(1.0, m + 1) / 5
    t, s = constant(times), constant(np.sin(times))
    a, b = x1 + t * x2 - np.exp(times), x3 + x4 * s - np.cos(times)
    return LeastSquares(
        x,
        residuals=a**2 + b**2,
        jacobian=columns(m, 2 * a, 2 * t * a, 2 * b, 2 * s * b),
        curvature=weighted(4, {(0, 0): 2.0, (0, 1): 2 * t, (1, 1): 2 * t**2, (2, 2): 2.0, (2, 3): 2 * s, (3, 3): 2 * s**2}),
        points=scaled([25.0, 5.0, -5.0, -1.0], near_the_minimum=[-11.59444, 13.20363, -0.4034395, 0.2367788]),
    )


def _biggs_exp6(m: int) -> LeastSquares:
    """F_i = x3 exp(-t_i x1) - x4 exp(-t_i x2) + x6 exp(-t_i x5) - y_i, t_i = i / 10, y_i its first part at (1, 10, 1, 5, 4, 3)."""
    x1, x2, x3, x4, x5, x6 = x = symbol("x", shape=(6,))
    times = np.arange(1.0, m + 1) / 10
    t, y = constant(times), np.exp(-times) - 5 * np.exp(-10 * times) + 3 * np.exp(-4 * times)
    a, b, c = exp(-t * x1), exp(-t * x2), exp(-t * x5)
    return LeastSquares(
        x,
        residuals=x3 * a - x4 * b + x6 * c - y,
        jacobian=columns(m, -t * x3 * a, t * x4 * b, a, -b, -t * x6 * c, c),
        curvature=weighted(
            6,
            {(0, 0): t**2 * x3 * a, (0, 2): -t * a, (1, 1): -(t**2) * x4 * b, (1, 3): t * b, (4, 4): t**2 * x6 * c, (4, 5): -t * c},
        ),
        points=scaled([1.0, 2.0, 1.0, 1.0, 1.0, 1.0], near_the_minimum=[1.01, 9.9, 1.0, 5.0, 4.0, 3.0]),
    )


mgh_06_jennrich_sampson, mgh_06_jennrich_sampson_residuals = problem(
    6, _jennrich_sampson, "more-wild", m=Size(10, 2, 1000, "residuals; exp(m x) leaves float64 for large x, where points are left out")
)
mgh_11_gulf_research_and_development, mgh_11_gulf_research_and_development_residuals = problem(
    11, _gulf_research_and_development, m=Size(10, 3, 100, "residuals; t_i = i/100 is at most 1")
)
mgh_12_box, mgh_12_box_residuals = problem(12, _box, "more-wild", m=Size(10, 3, 1000, "residuals, at the times i/10"))
mgh_16_brown_dennis, mgh_16_brown_dennis_residuals = problem(
    16, _brown_dennis, "more-wild", m=Size(20, 4, 1000, "residuals, at the times i/5; exp(200) at the last of 1000")
)
mgh_18_biggs_exp6, mgh_18_biggs_exp6_residuals = problem(18, _biggs_exp6, m=Size(13, 6, 1000, "residuals, at the times i/10"))

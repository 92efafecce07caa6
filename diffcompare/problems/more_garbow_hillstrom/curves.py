"""Problems 8, 9, 10, 15, 17 and 19: curves fitted to measurements that the paper prints."""

from __future__ import annotations

import numpy as np

from ...dsl import symbol
from ...dsl.constants import constant
from ...dsl.core import Expr
from ...dsl.elementary import exp
from ..least_squares import LeastSquares, columns, scaled, weighted
from .paper import problem


def _data(text: str) -> Expr:
    return constant(np.array(text.split(), dtype=np.float64))


BARD = _data("0.14 0.18 0.22 0.25 0.29 0.32 0.35 0.39 0.37 0.58 0.73 0.96 1.34 2.10 4.39")
GAUSSIAN = _data("0.0009 0.0044 0.0175 0.0540 0.1295 0.2420 0.3521 0.3989 0.3521 0.2420 0.1295 0.0540 0.0175 0.0044 0.0009")
MEYER = _data("34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 3307 2872")
KOWALIK_OSBORNE = _data("0.1957 0.1947 0.1735 0.1600 0.0844 0.0627 0.0456 0.0342 0.0323 0.0235 0.0246")
KOWALIK_OSBORNE_U = _data("4.0 2.0 1.0 0.5 0.25 0.167 0.125 0.1 0.0833 0.0714 0.0625")
OSBORNE_1 = _data(
    "0.844 0.908 0.932 0.936 0.925 0.908 0.881 0.850 0.818 0.784 0.751 0.718 0.685 0.658 0.628 0.603 0.580 0.558 0.538 0.522 0.506 "
    "0.490 0.478 0.467 0.457 0.448 0.438 0.431 0.424 0.420 0.414 0.411 0.406"
)
OSBORNE_2 = _data(
    "1.366 1.191 1.112 1.013 0.991 0.885 0.831 0.847 0.786 0.725 0.746 0.679 0.608 0.655 0.616 0.606 0.602 0.626 0.651 0.724 0.649 "
    "0.649 0.694 0.644 0.624 0.661 0.612 0.558 0.533 0.495 0.500 0.423 0.395 0.375 0.372 0.391 0.396 0.405 0.428 0.429 0.523 0.562 "
    "0.607 0.653 0.672 0.708 0.633 0.668 0.645 0.632 0.591 0.559 0.597 0.625 0.739 0.710 0.729 0.720 0.636 0.581 0.428 0.292 0.162 "
    "0.098 0.054"
)


def _bard() -> LeastSquares:
    """F_i = y_i - (x1 + u_i / (v_i x2 + w_i x3))."""
    x1, x2, x3 = x = symbol("x", shape=(3,))
    steps = np.arange(1.0, 16.0)
    u, v, w = constant(steps), constant(16 - steps), constant(np.minimum(steps, 16 - steps))
    q = v * x2 + w * x3
    bend = -2 * u / (q * q * q)
    return LeastSquares(
        x,
        residuals=BARD - (x1 + u / q),
        jacobian=columns(15, -1.0, u * v / (q * q), u * w / (q * q)),
        curvature=weighted(3, {(1, 1): bend * v * v, (1, 2): bend * v * w, (2, 2): bend * w * w}),
        points=scaled([1.0, 1.0, 1.0], near_the_minimum=[0.08241056, 1.133036, 2.343695]),
    )


def _gaussian() -> LeastSquares:
    """F_i = x1 exp(-x2 (t_i - x3)² / 2) - y_i with t_i = (8 - i) / 2."""
    x1, x2, x3 = x = symbol("x", shape=(3,))
    d = constant((8 - np.arange(1.0, 16.0)) / 2) - x3
    half = d**2 / 2
    bell = exp(-x2 * half)
    return LeastSquares(
        x,
        residuals=x1 * bell - GAUSSIAN,
        jacobian=columns(15, bell, -x1 * half * bell, x1 * x2 * d * bell),
        curvature=weighted(
            3,
            {
                (0, 1): -half * bell,
                (0, 2): x2 * d * bell,
                (1, 1): x1 * half**2 * bell,
                (1, 2): x1 * d * (1 - x2 * half) * bell,
                (2, 2): x1 * x2 * (x2 * d**2 - 1) * bell,
            },
        ),
        points=scaled([0.4, 1.0, 0.0], near_the_minimum=[0.3989561, 1.000019, 1e-6]),
    )


def _meyer() -> LeastSquares:
    """F_i = x1 exp(x2 / (t_i + x3)) - y_i with t_i = 45 + 5 i."""
    x1, x2, x3 = x = symbol("x", shape=(3,))
    q = constant(45 + 5 * np.arange(1.0, 17.0)) + x3
    e = exp(x2 / q)
    return LeastSquares(
        x,
        residuals=x1 * e - MEYER,
        jacobian=columns(16, e, x1 * e / q, -x1 * x2 * e / (q * q)),
        curvature=weighted(
            3,
            {
                (0, 1): e / q,
                (0, 2): -x2 * e / (q * q),
                (1, 1): x1 * e / (q * q),
                (1, 2): -x1 * e * (1 + x2 / q) / (q * q),
                (2, 2): x1 * x2 * e * (2 + x2 / q) / (q * q * q),
            },
        ),
        points=scaled([0.02, 4000.0, 250.0], near_the_minimum=[0.005609636, 6181.346, 345.2236]),
    )


def _kowalik_osborne() -> LeastSquares:
    """F_i = y_i - x1 (u_i² + u_i x2) / (u_i² + u_i x3 + x4)."""
    x1, x2, x3, x4 = x = symbol("x", shape=(4,))
    u = KOWALIK_OSBORNE_U
    above, below = u * (u + x2), u * (u + x3) + x4
    share = above / below
    return LeastSquares(
        x,
        residuals=KOWALIK_OSBORNE - x1 * share,
        jacobian=columns(11, -share, -x1 * u / below, x1 * share * u / below, x1 * share / below),
        curvature=weighted(
            4,
            {
                (0, 1): -u / below,
                (0, 2): share * u / below,
                (0, 3): share / below,
                (1, 2): x1 * u * u / (below * below),
                (1, 3): x1 * u / (below * below),
                (2, 2): -2 * x1 * share * u * u / (below * below),
                (2, 3): -2 * x1 * share * u / (below * below),
                (3, 3): -2 * x1 * share / (below * below),
            },
        ),
        points=scaled([0.25, 0.39, 0.415, 0.39], near_the_minimum=[0.1928069, 0.1912823, 0.1230565, 0.1360623]),
    )


def _osborne_1() -> LeastSquares:
    """F_i = y_i - (x1 + x2 exp(-t_i x4) + x3 exp(-t_i x5)) with t_i = 10 (i - 1)."""
    x1, x2, x3, x4, x5 = x = symbol("x", shape=(5,))
    t = constant(10.0 * np.arange(33))
    a, b = exp(-t * x4), exp(-t * x5)
    return LeastSquares(
        x,
        residuals=OSBORNE_1 - (x1 + x2 * a + x3 * b),
        jacobian=columns(33, -1.0, -a, -b, t * x2 * a, t * x3 * b),
        curvature=weighted(5, {(1, 3): t * a, (2, 4): t * b, (3, 3): -(t**2) * x2 * a, (4, 4): -(t**2) * x3 * b}),
        points=scaled(
            [0.5, 1.5, -1.0, 0.01, 0.02],
            start_of_Moré_and_Wild=[0.5, 1.5, 1.0, 0.01, 0.02],
            near_the_minimum=[0.3754101, 1.935847, -1.464687, 0.01286753, 0.0221227],
        ),
    )


def _osborne_2() -> LeastSquares:
    """F_i = y_i - x1 exp(-t_i x5) - Σ x_k exp(-(t_i - x_(k+7))² x_(k+4)), k = 2, 3, 4, with t_i = (i - 1) / 10."""
    x = symbol("x", shape=(11,))
    t = constant(np.arange(65) / 10)
    decay = exp(-t * x[4])
    fitted = x[0] * decay
    slopes: list[Expr] = [-decay] * 11
    slopes[4] = t * x[0] * decay
    seconds = {(0, 4): t * decay, (4, 4): -(t**2) * x[0] * decay}
    for peak, width, centre in ((1, 5, 8), (2, 6, 9), (3, 7, 10)):
        a, w, d = x[peak], x[width], t - x[centre]
        bell = exp(-(d**2) * w)
        fitted = fitted + a * bell
        slopes[peak], slopes[width], slopes[centre] = -bell, a * d**2 * bell, -2 * a * w * d * bell
        seconds |= {
            (peak, width): d**2 * bell,
            (peak, centre): -2 * w * d * bell,
            (width, width): -a * d**4 * bell,
            (width, centre): -2 * a * d * (1 - w * d**2) * bell,
            (centre, centre): 2 * a * w * (1 - 2 * w * d**2) * bell,
        }
    return LeastSquares(
        x,
        residuals=OSBORNE_2 - fitted,
        jacobian=columns(65, *slopes),
        curvature=weighted(11, seconds),
        points=scaled(
            [1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5],
            near_the_minimum=[
                *(1.309977, 0.4315538, 0.6336617, 0.5994305, 0.7541832, 0.9042886),
                *(1.3658118, 4.823699, 2.398685, 4.568875, 5.675341),
            ],
        ),
    )


mgh_08_bard, mgh_08_bard_residuals = problem(8, _bard, "more-wild")
mgh_09_gaussian, mgh_09_gaussian_residuals = problem(9, _gaussian)
mgh_10_meyer, mgh_10_meyer_residuals = problem(10, _meyer, "more-wild")
mgh_15_kowalik_osborne, mgh_15_kowalik_osborne_residuals = problem(15, _kowalik_osborne, "more-wild")
mgh_17_osborne_1, mgh_17_osborne_1_residuals = problem(17, _osborne_1, "more-wild")
mgh_19_osborne_2, mgh_19_osborne_2_residuals = problem(19, _osborne_2, "more-wild")

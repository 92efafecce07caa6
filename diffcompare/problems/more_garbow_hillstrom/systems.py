"""Problems 1 to 5, 7, 13 and 14: few variables, and residuals as many or hardly more."""

from __future__ import annotations

import math

import numpy as np

from ...dsl import symbol
from ...dsl.arithmetic import lt, sqrt, where
from ...dsl.constants import constant
from ...dsl.elementary import atan, exp
from ...dsl.structural import stack
from ..least_squares import LeastSquares, columns, rows, scaled, weighted
from .paper import problem

ROOT_5, ROOT_10, ROOT_90 = math.sqrt(5), math.sqrt(10), math.sqrt(90)


def _rosenbrock() -> LeastSquares:
    """A curved valley with its floor on x2 = x1²."""
    x1, x2 = x = symbol("x", shape=(2,))
    return LeastSquares(
        x,
        residuals=stack([10 * (x2 - x1**2), 1 - x1]),
        jacobian=rows([-20 * x1, 10.0], [-1.0, 0.0]),
        curvature=weighted(2, {(0, 0): [-20.0, 0.0]}),
        points=scaled([-1.2, 1.0], minimum=[1.0, 1.0]),
    )


def _freudenstein_roth() -> LeastSquares:
    """Two cubics; beside the zero at (5, 4) there is a minimum of 48.98 at (11.41, -0.8968)."""
    x1, x2 = x = symbol("x", shape=(2,))
    return LeastSquares(
        x,
        residuals=stack([x1 - 13 + ((5 - x2) * x2 - 2) * x2, x1 - 29 + ((x2 + 1) * x2 - 14) * x2]),
        jacobian=rows([1.0, (10 - 3 * x2) * x2 - 2], [1.0, (3 * x2 + 2) * x2 - 14]),
        curvature=weighted(2, {(1, 1): stack([10 - 6 * x2, 6 * x2 + 2])}),
        points=scaled([0.5, -2.0], minimum=[5.0, 4.0], near_the_other_minimum=[11.41278, -0.896805]),
    )


def _powell_badly_scaled() -> LeastSquares:
    """Zero at about (1.098e-5, 9.106): variables of very different sizes."""
    x1, x2 = x = symbol("x", shape=(2,))
    return LeastSquares(
        x,
        residuals=stack([1e4 * x1 * x2 - 1, exp(-x1) + exp(-x2) - 1.0001]),
        jacobian=rows([1e4 * x2, 1e4 * x1], [-exp(-x1), -exp(-x2)]),
        curvature=weighted(2, {(0, 0): stack([0.0, exp(-x1)]), (0, 1): [1e4, 0.0], (1, 1): stack([0.0, exp(-x2)])}),
        points=scaled([0.0, 1.0], near_the_minimum=[1.098159e-5, 9.106147]),
    )


def _brown_badly_scaled() -> LeastSquares:
    """Zero at (1e6, 2e-6)."""
    x1, x2 = x = symbol("x", shape=(2,))
    return LeastSquares(
        x,
        residuals=stack([x1 - 1e6, x2 - 2e-6, x1 * x2 - 2]),
        jacobian=rows([1.0, 0.0], [0.0, 1.0], [x2, x1]),
        curvature=weighted(2, {(0, 1): [0.0, 0.0, 1.0]}),
        points=scaled([1.0, 1.0], minimum=[1e6, 2e-6]),
    )


def _beale() -> LeastSquares:
    """F_i = y_i - x1 (1 - x2^i), zero at (3, 1/2)."""
    x1, x2 = x = symbol("x", shape=(2,))
    y = constant([1.5, 2.25, 2.625])
    slope = stack([1.0, 2 * x2, 3 * x2**2])
    return LeastSquares(
        x,
        residuals=y - x1 * (1 - stack([x2, x2**2, x2**3])),
        jacobian=columns(3, stack([x2, x2**2, x2**3]) - 1, x1 * slope),
        curvature=weighted(2, {(0, 1): slope, (1, 1): x1 * stack([0.0, 2.0, 6 * x2])}),
        points=scaled([1.0, 1.0], minimum=[3.0, 0.5]),
    )


def _helical_valley() -> LeastSquares:
    """A valley along a helix; θ is the angle of (x1, x2) in turns, between -1/4 and 3/4. Zero at (1, 0, 0)."""
    x1, x2, x3 = x = symbol("x", shape=(3,))
    turn = 2 * math.pi
    square = x1**2 + x2**2
    r = sqrt(square)
    theta = atan(x2 / x1) / turn + where(lt(x1, 0.0), 0.5, 0.0)
    theta_12, theta_11 = (x2 - x1) * (x2 + x1) / (turn * square**2), 2 * x1 * x2 / (turn * square**2)
    bends = 10 / (r * square)
    return LeastSquares(
        x,
        residuals=stack([10 * (x3 - 10 * theta), 10 * (r - 1), x3]),
        jacobian=rows([100 * x2 / (turn * square), -100 * x1 / (turn * square), 10.0], [10 * x1 / r, 10 * x2 / r, 0.0], [0.0, 0.0, 1.0]),
        curvature=weighted(
            3,
            {
                (0, 0): stack([-100 * theta_11, bends * x2**2, 0.0]),
                (0, 1): stack([-100 * theta_12, -bends * x1 * x2, 0.0]),
                (1, 1): stack([100 * theta_11, bends * x1**2, 0.0]),
            },
        ),
        points=scaled([-1.0, 0.0, 0.0], minimum=[1.0, 0.0, 0.0], beside_the_valley=[0.3, -0.8, 0.5]),
    )


def _powell_singular() -> LeastSquares:
    """Zero at the origin, where the Jacobian has rank 2 of 4."""
    x1, x2, x3, x4 = x = symbol("x", shape=(4,))
    a, b = x2 - 2 * x3, x1 - x4
    c = 2 * ROOT_10 * b
    last = np.array([0.0, 0.0, 0.0, 2 * ROOT_10])
    third = np.array([0.0, 0.0, 2.0, 0.0])
    return LeastSquares(
        x,
        residuals=stack([x1 + 10 * x2, ROOT_5 * (x3 - x4), a**2, ROOT_10 * b**2]),
        jacobian=rows([1.0, 10.0, 0.0, 0.0], [0.0, 0.0, ROOT_5, -ROOT_5], [0.0, 2 * a, -4 * a, 0.0], [c, 0.0, 0.0, -c]),
        curvature=weighted(4, {(1, 1): third, (1, 2): -2 * third, (2, 2): 4 * third, (0, 0): last, (0, 3): -last, (3, 3): last}),
        points=scaled([3.0, -1.0, 0.0, 1.0], minimum=np.zeros(4), near_the_minimum=[1e-6, -1e-7, 2e-7, 3e-7]),
    )


def _wood() -> LeastSquares:
    """Two of Rosenbrock's valleys, coupled. Zero at (1, 1, 1, 1)."""
    x1, x2, x3, x4 = x = symbol("x", shape=(4,))
    return LeastSquares(
        x,
        residuals=stack(
            [10 * (x2 - x1**2), 1 - x1, ROOT_90 * (x4 - x3**2), 1 - x3, ROOT_10 * (x2 + x4 - 2), (x2 - x4) / ROOT_10],
        ),
        jacobian=rows(
            [-20 * x1, 10.0, 0.0, 0.0],
            [-1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, -2 * ROOT_90 * x3, ROOT_90],
            [0.0, 0.0, -1.0, 0.0],
            [0.0, ROOT_10, 0.0, ROOT_10],
            [0.0, 1 / ROOT_10, 0.0, -1 / ROOT_10],
        ),
        curvature=weighted(4, {(0, 0): [-20.0, 0, 0, 0, 0, 0], (2, 2): [0, 0, -2 * ROOT_90, 0, 0, 0]}),
        points=scaled([-3.0, -1.0, -3.0, -1.0], minimum=np.ones(4)),
    )


mgh_01_rosenbrock, mgh_01_rosenbrock_residuals = problem(1, _rosenbrock, "more-wild")
mgh_02_freudenstein_roth, mgh_02_freudenstein_roth_residuals = problem(2, _freudenstein_roth, "more-wild")
mgh_03_powell_badly_scaled, mgh_03_powell_badly_scaled_residuals = problem(3, _powell_badly_scaled)
mgh_04_brown_badly_scaled, mgh_04_brown_badly_scaled_residuals = problem(4, _brown_badly_scaled)
mgh_05_beale, mgh_05_beale_residuals = problem(5, _beale)
mgh_07_helical_valley, mgh_07_helical_valley_residuals = problem(7, _helical_valley, "more-wild")
mgh_13_powell_singular, mgh_13_powell_singular_residuals = problem(13, _powell_singular, "more-wild")
mgh_14_wood, mgh_14_wood_residuals = problem(14, _wood)

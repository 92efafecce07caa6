"""Problems 20 to 27: any number of variables, each residual of one of them, of a pair, or of all."""

from __future__ import annotations

import math

import numpy as np

from ...dsl import symbol
from ...dsl.constants import constant
from ...dsl.contraction import einsum, outer
from ...dsl.core import Expr
from ...dsl.elementary import cos, exp, sin
from ...dsl.running import prod
from ...dsl.structural import broadcast, concatenate
from ...dsl.structural import sum as sum_of
from ...problem import Size
from ..least_squares import LeastSquares, diagonal_matrix, near, scaled
from ..reductions import all_other_pairs, all_others
from .paper import problem

MATRIX = "the Jacobian has n columns and as many rows or more"
ROOT_5, ROOT_10 = math.sqrt(5), math.sqrt(10)
SMALL = math.sqrt(1e-5)


def _watson(n: int) -> LeastSquares:
    """F_i = p'(t_i) - p(t_i)² - 1 for the polynomial p = Σ x_j t^(j-1) at t_i = i / 29, then x1 and x2 - x1² - 1."""
    x = symbol("x", shape=(n,))
    t = np.arange(1.0, 30.0)[:, None] / 29
    powers = np.arange(n)
    values = np.vstack([t**powers, np.zeros((1, n)), np.eye(1, n)])
    slopes = np.vstack([powers * t ** np.maximum(powers - 1, 0), np.eye(1, n), np.eye(1, n, 1)])
    p, rise = constant(values), constant(slopes)
    known = constant(np.array([1.0] * 29 + [0.0, 1.0]))
    at_t = p @ x
    return LeastSquares(
        x,
        residuals=rise @ x - at_t**2 - known,
        jacobian=rise - 2 * at_t[:, None] * p,
        curvature=lambda w: -2 * einsum("ij,i,ik->jk", p, w, p),
        points={
            "start": np.zeros(n),
            "start of Moré and Wild": np.full(n, 0.5),
            "10 times the start of Moré and Wild": np.full(n, 5.0),
            **near(n, [-0.01572509, 1.012435, -0.2329916, 1.26043, -1.513729, 0.9929964]),
        },
    )


def _extended_rosenbrock(n: int) -> LeastSquares:
    """Rosenbrock's function of each pair of variables."""
    x = symbol("x", shape=(n,))
    left, odd = x[0::2], np.arange(n) % 2
    above = constant(np.diag(10.0 * (1 - odd[:-1]), 1) - np.diag(1.0 * odd[1:], -1))
    return LeastSquares(
        x,
        residuals=_interleaved(10 * (x[1::2] - left**2), 1 - left),
        jacobian=diagonal_matrix(_interleaved(-20 * left, constant(np.zeros(n // 2)))) + above,
        curvature=lambda w: diagonal_matrix(_interleaved(-20 * w[0::2], constant(np.zeros(n // 2)))),
        points=scaled(np.where(odd == 0, -1.2, 1.0), minimum=np.ones(n)),
    )


def _interleaved(first: Expr, second: Expr) -> Expr:
    """first_1, second_1, first_2, second_2, ..."""
    return concatenate([first[:, None], second[:, None]], axis=1).reshape((2 * first.size,))


def _extended_powell(n: int) -> LeastSquares:
    """Powell's singular function of each four variables: F = z (linear + square z) of the combinations z of the four."""
    x = symbol("x", shape=(n,))
    four = [[1.0, 10.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0], [0.0, 1.0, -2.0, 0.0], [1.0, 0.0, 0.0, -1.0]]
    combine = constant(np.kron(np.eye(n // 4), four))
    linear, square = (constant(np.tile(factors, n // 4)) for factors in ([1.0, ROOT_5, 0.0, 0.0], [0.0, 0.0, 1.0, ROOT_10]))
    z = combine @ x
    return LeastSquares(
        x,
        residuals=z * (linear + square * z),
        jacobian=(linear + 2 * square * z)[:, None] * combine,
        curvature=lambda w: einsum("ij,i,ik->jk", combine, 2 * square * w, combine),
        points=scaled(np.tile([3.0, -1.0, 0.0, 1.0], n // 4), minimum=np.zeros(n)),
    )


def _penalty_1(n: int) -> LeastSquares:
    """F_i = √1e-5 (x_i - 1), then Σ x_j² - 1/4."""
    x = symbol("x", shape=(n,))
    return LeastSquares(
        x,
        residuals=concatenate([SMALL * (x - 1), (sum_of(x**2) - 0.25)[None]]),
        jacobian=concatenate([constant(SMALL * np.eye(n)), 2 * x[None, :]]),
        curvature=lambda w: diagonal_matrix(broadcast(2 * w[n], (n,))),
        points=scaled(np.arange(1.0, n + 1)) | near(n, np.full(4, 0.2500075)),
    )


def _penalty_2(n: int) -> LeastSquares:
    """x1 - 1/5; √1e-5 (e_i + e_(i-1) - y_i) and √1e-5 (e_i - exp(-1/10)) for i > 1, with e = exp(x/10); Σ (n + 1 - j) x_j² - 1."""
    x = symbol("x", shape=(n,))
    e = exp(x / 10)
    steps = np.exp(np.arange(1.0, n + 1) / 10)
    single = np.eye(n)[1:]
    picked = SMALL * np.vstack([single + np.eye(n)[:-1], single])
    known = SMALL * np.concatenate([steps[1:] + steps[:-1], np.full(n - 1, math.exp(-0.1))])
    pick, weights = constant(picked), constant(np.arange(n, 0.0, -1.0))
    return LeastSquares(
        x,
        residuals=concatenate([(x[0] - 0.2)[None], pick @ e - known, (sum_of(weights * x**2) - 1)[None]]),
        jacobian=concatenate([constant(np.eye(1, n)), pick * (e / 10)[None, :], 2 * (weights * x)[None, :]]),
        curvature=lambda w: diagonal_matrix(einsum("ij,i->j", pick, w[1:-1]) * e / 100 + 2 * w[2 * n - 1] * weights),
        points=scaled(np.full(n, 0.5)) | near(n, [0.1999993, 0.1913167, 0.4801015, 0.5188454]),
    )


def _variably_dimensioned(n: int) -> LeastSquares:
    """F_i = x_i - 1, then s = Σ j (x_j - 1) and s²."""
    x = symbol("x", shape=(n,))
    steps = np.arange(1.0, n + 1)
    j = constant(steps)
    s = sum_of(j * (x - 1))
    return LeastSquares(
        x,
        residuals=concatenate([x - 1, s[None], (s**2)[None]]),
        jacobian=concatenate([constant(np.eye(n)), j[None, :], (2 * s * j)[None, :]]),
        curvature=lambda w: 2 * w[n + 1] * outer(j, j),
        points=scaled(1 - steps / n, minimum=np.ones(n)),
    )


def _trigonometric(n: int) -> LeastSquares:
    """F_i = n - Σ cos x_j + i (1 - cos x_i) - sin x_i."""
    x = symbol("x", shape=(n,))
    i = constant(np.arange(1.0, n + 1))
    c, s = cos(x), sin(x)
    return LeastSquares(
        x,
        residuals=n - sum_of(c) + i * (1 - c) - s,
        jacobian=broadcast(s, (n, n)) + diagonal_matrix(i * s - c),
        curvature=lambda w: diagonal_matrix(sum_of(w) * c + w * (i * c + s)),
        points=scaled(np.full(n, 1 / n), minimum=np.zeros(n)),
    )


def _brown_almost_linear(n: int) -> LeastSquares:
    """F_i = x_i + Σ x_j - (n + 1), the last one Π x_j - 1 instead."""
    x = symbol("x", shape=(n,))
    linear = np.eye(n)[:-1] + 1
    # f at 50 is 50^(2n), at 5 it is 5^(2n)
    factors = [1, *([10] if n <= 200 else []), *([100] if n <= 90 else [])]
    return LeastSquares(
        x,
        residuals=concatenate([x[:-1] + sum_of(x) - (n + 1), (prod(x) - 1)[None]]),
        jacobian=concatenate([constant(linear), all_others(x)[None, :]]),
        curvature=lambda w: w[n - 1] * all_other_pairs(x),
        points=scaled(np.full(n, 0.5), factors, minimum=np.ones(n), a_zero=np.where(np.arange(n) == 0, 0.0, 0.9)),
    )


mgh_20_watson, mgh_20_watson_residuals = problem(20, _watson, "more-wild", n=Size(6, 2, 31, "variables; more make J rank deficient"))
mgh_21_extended_rosenbrock, mgh_21_extended_rosenbrock_residuals = problem(
    21, _extended_rosenbrock, n=Size(4, 2, 1000, f"variables; {MATRIX}", step=2)
)
mgh_22_extended_powell, mgh_22_extended_powell_residuals = problem(22, _extended_powell, n=Size(8, 4, 1000, f"variables; {MATRIX}", step=4))
mgh_23_penalty_1, mgh_23_penalty_1_residuals = problem(23, _penalty_1, n=Size(4, 1, 1000, f"variables; {MATRIX}"))
mgh_24_penalty_2, mgh_24_penalty_2_residuals = problem(24, _penalty_2, n=Size(4, 1, 1000, f"variables; {MATRIX}"))
mgh_25_variably_dimensioned, mgh_25_variably_dimensioned_residuals = problem(
    25, _variably_dimensioned, n=Size(6, 1, 1000, f"variables; {MATRIX}")
)
mgh_26_trigonometric, mgh_26_trigonometric_residuals = problem(26, _trigonometric, n=Size(4, 1, 1000, f"variables; {MATRIX}"))
mgh_27_brown_almost_linear, mgh_27_brown_almost_linear_residuals = problem(
    27,
    _brown_almost_linear,
    "more-wild",
    n=Size(5, 2, 1000, f"variables; {MATRIX}; from 91 and 201 on f overflows at far points, which are left out"),
)

"""Problems 28 to 35: discretised equations, banded systems, linear functions and Chebyshev's quadrature."""

from __future__ import annotations

import numpy as np

from ...dsl import symbol
from ...dsl.constants import constant
from ...dsl.contraction import einsum
from ...dsl.core import Expr
from ...dsl.structural import broadcast, concatenate, stack
from ...dsl.structural import sum as sum_of
from ...problem import Array, Size
from ..least_squares import LeastSquares, diagonal_matrix, enough, near, scaled
from .paper import problem

MATRIX = "the Jacobian has n columns and as many rows or more"
BOUNDARY_VALUES = np.array([-0.07502213, -0.1319762, -0.1648488, -0.1646647, -0.1174177])
"""The solution of problems 28 and 29 for n = 5, in the accuracy that is published."""


def _neighbours(x: Expr) -> tuple[Expr, Expr]:
    """x_(i-1) and x_(i+1), with 0 beyond both ends."""
    zero = constant(np.zeros(1))
    return concatenate([zero, x[:-1]]), concatenate([x[1:], zero])


def _grid(n: int) -> tuple[Array, float]:
    """(t_i = i h inside the unit interval, h)."""
    return np.arange(1.0, n + 1) / (n + 1), 1 / (n + 1)


def _discrete_boundary_value(n: int) -> LeastSquares:
    """F_i = 2 x_i - x_(i-1) - x_(i+1) + h² (x_i + t_i + 1)³ / 2."""
    x = symbol("x", shape=(n,))
    t, h = _grid(n)
    before, after = _neighbours(x)
    level = x + (t + 1)
    tridiagonal = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    return LeastSquares(
        x,
        residuals=2 * x - before - after + h * h / 2 * level**3,
        jacobian=diagonal_matrix(1.5 * h * h * level**2) + tridiagonal,
        curvature=lambda w: diagonal_matrix(3 * h * h * level * w),
        points=scaled(t * (t - 1)) | near(n, BOUNDARY_VALUES),
    )


def _discrete_integral_equation(n: int) -> LeastSquares:
    """F_i = x_i + h/2 [(1 - t_i) Σ_(j <= i) t_j c_j + t_i Σ_(j > i) (1 - t_j) c_j] with c_j = (x_j + t_j + 1)³."""
    x = symbol("x", shape=(n,))
    t, h = _grid(n)
    kernel = constant(h / 2 * np.minimum.outer(t, t) * (1 - np.maximum.outer(t, t)))
    level = x + (t + 1)
    return LeastSquares(
        x,
        residuals=x + kernel @ level**3,
        jacobian=kernel * (3 * level**2)[None, :] + np.eye(n),
        curvature=lambda w: diagonal_matrix(6 * einsum("ij,i->j", kernel, w) * level),
        points=scaled(t * (t - 1)) | near(n, BOUNDARY_VALUES),
    )


def _broyden_tridiagonal(n: int) -> LeastSquares:
    """F_i = (3 - 2 x_i) x_i - x_(i-1) - 2 x_(i+1) + 1."""
    x = symbol("x", shape=(n,))
    before, after = _neighbours(x)
    return LeastSquares(
        x,
        residuals=(3 - 2 * x) * x - before - 2 * after + 1,
        jacobian=diagonal_matrix(3 - 4 * x) - (np.eye(n, k=-1) + 2 * np.eye(n, k=1)),
        curvature=lambda w: diagonal_matrix(-4 * w),
        points=scaled(np.full(n, -1.0)) | near(n, [-0.5648284, -0.666274, -0.660917, -0.595050, -0.4162011]),
    )


def _broyden_banded(n: int) -> LeastSquares:
    """F_i = x_i (2 + 5 x_i²) + 1 - Σ x_j (1 + x_j) over the five before i and the one after it."""
    x = symbol("x", shape=(n,))
    away = np.arange(n)[:, None] - np.arange(n)[None, :]
    band = constant(((away >= -1) & (away <= 5) & (away != 0)).astype(float))
    return LeastSquares(
        x,
        residuals=x * (2 + 5 * x**2) + 1 - band @ (x * (1 + x)),
        jacobian=diagonal_matrix(2 + 15 * x**2) - band * (1 + 2 * x)[None, :],
        curvature=lambda w: diagonal_matrix(30 * x * w - 2 * einsum("ij,i->j", band, w)),
        points=scaled(np.full(n, -1.0)) | near(n, [-0.4283029, -0.4765965, -0.5196377, -0.558862, -0.558862]),
    )


def _linear_full_rank(n: int, m: int) -> LeastSquares:
    """F_i = x_i - 2/m Σ x_j - 1, without the first x_i for i > n; least at (-1, ..., -1)."""
    enough("mgh_32_linear_full_rank", m, n)
    x = symbol("x", shape=(n,))
    common = broadcast(2 * sum_of(x) / m + 1, (m,))
    own = concatenate([x, constant(np.zeros(m - n))]) if m > n else x
    return LeastSquares(x, own - common, constant(np.eye(m, n) - 2 / m), None, scaled(np.ones(n), minimum=np.full(n, -1.0)))


def _ranked(row_factors: Array, column_factors: Array, minimum: Array) -> LeastSquares:
    """F_i = r_i Σ c_j x_j - 1."""
    x = symbol("x", shape=column_factors.shape)
    residuals = constant(row_factors) * sum_of(constant(column_factors) * x) - 1
    return LeastSquares(
        x, residuals, constant(np.outer(row_factors, column_factors)), None, scaled(np.ones(x.size), near_the_minimum=minimum)
    )


def _linear_rank_1(n: int, m: int) -> LeastSquares:
    """F_i = i Σ j x_j - 1; least where Σ j x_j = 3 / (2m + 1)."""
    enough("mgh_33_linear_rank_1", m, n)
    steps = np.arange(1.0, n + 1)
    return _ranked(np.arange(1.0, m + 1), steps, 3 / (2 * m + 1) / (n * steps))


def _linear_rank_1_with_zero_columns_and_rows(n: int, m: int) -> LeastSquares:
    """F_i = (i - 1) Σ j x_j - 1 over 1 < j < n, F_1 = F_m = -1; least where that sum is 3 / (2m - 3)."""
    enough("mgh_34_linear_rank_1_with_zero_columns_and_rows", m, n)
    steps, rows = np.arange(1.0, n + 1), np.arange(0.0, m)
    steps[[0, -1]] = 0.0
    rows[[0, -1]] = 0.0
    return _ranked(rows, steps, 3 / (2 * m - 3) / ((n - 2) * np.arange(1.0, n + 1)))


def _chebyquad(n: int, m: int) -> LeastSquares:
    """F_i = 1/n Σ T_i(x_j) - ∫ T_i, with Chebyshev's polynomials and the integral on the unit interval: 0, or 1 / (1 - i²) for even i."""
    enough("mgh_35_chebyquad", m, n)
    x = symbol("x", shape=(n,))
    y = 2 * x - 1
    zeros, ones = constant(np.zeros(n)), constant(np.ones(n))
    # T_(k+1) = 2 y T_k - T_(k-1), and that recurrence differentiated by x once and twice
    values, slopes, bends = [ones, y], [zeros, 2 * ones], [zeros, zeros]
    for _ in range(m - 1):
        values.append(2 * y * values[-1] - values[-2])
        bends.append(8 * slopes[-1] + 2 * y * bends[-1] - bends[-2])
        slopes.append(4 * values[-2] + 2 * y * slopes[-1] - slopes[-2])
    i = np.arange(1, m + 1)
    integrals = np.where(i % 2 == 0, 1.0 / (1 - np.where(i % 2 == 0, i, 0).astype(float) ** 2), 0.0)
    bend = stack(bends[1:])
    reach = m * np.log10([1, 40, 400])  # the digits of T_m at 10 and 100, which are squared
    return LeastSquares(
        x,
        residuals=sum_of(stack(values[1:]), axis=1) / n - integrals,
        jacobian=stack(slopes[1:]) / n,
        curvature=lambda w: diagonal_matrix(einsum("ij,i->j", bend, w) / n),
        points=scaled(np.arange(1.0, n + 1) / (n + 1), [k for k, digits in zip((1, 10, 100), reach, strict=True) if k == 1 or digits < 150])
        | near(n, [0.04315276, 0.9568472, 0.2663287, 0.1930908, 0.5, 0.8069092, 0.5, 0.7336713]),
    )


mgh_28_discrete_boundary_value, mgh_28_discrete_boundary_value_residuals = problem(
    28, _discrete_boundary_value, n=Size(5, 1, 1000, f"inner points of the grid; {MATRIX}")
)
mgh_29_discrete_integral_equation, mgh_29_discrete_integral_equation_residuals = problem(
    29, _discrete_integral_equation, n=Size(5, 1, 1000, f"inner points of the grid; {MATRIX}")
)
mgh_30_broyden_tridiagonal, mgh_30_broyden_tridiagonal_residuals = problem(
    30, _broyden_tridiagonal, n=Size(5, 1, 1000, f"variables; {MATRIX}")
)
mgh_31_broyden_banded, mgh_31_broyden_banded_residuals = problem(31, _broyden_banded, n=Size(5, 1, 1000, f"variables; {MATRIX}"))
mgh_32_linear_full_rank, mgh_32_linear_full_rank_residuals = problem(
    32, _linear_full_rank, "more-wild", n=Size(4, 1, 1000, "variables"), m=Size(16, 1, 1000, "residuals, n or more")
)
mgh_33_linear_rank_1, mgh_33_linear_rank_1_residuals = problem(
    33, _linear_rank_1, "more-wild", n=Size(5, 1, 1000, "variables"), m=Size(10, 1, 1000, "residuals, n or more")
)
(
    mgh_34_linear_rank_1_with_zero_columns_and_rows,
    mgh_34_linear_rank_1_with_zero_columns_and_rows_residuals,
) = problem(
    34,
    _linear_rank_1_with_zero_columns_and_rows,
    n=Size(5, 3, 1000, "variables; the first and the last do not count"),
    m=Size(10, 3, 1000, "residuals, n or more"),
)
mgh_35_chebyquad, mgh_35_chebyquad_residuals = problem(
    35, _chebyquad, "more-wild", n=Size(5, 1, 200, "variables"), m=Size(5, 1, 200, "residuals, n or more; T_m is of degree m")
)

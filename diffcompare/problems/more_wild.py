"""The least-squares problems of Moré and Wild: 22 functions, 18 of them Moré, Garbow and Hillstrom's, and 53 instances of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..dsl import symbol
from ..dsl.arithmetic import sqrt
from ..dsl.constants import as_expr, constant
from ..dsl.contraction import einsum
from ..dsl.core import Expr
from ..dsl.elementary import cos, log, sin
from ..dsl.structural import concatenate, stack
from ..dsl.structural import sum as sum_of
from ..problem import Problem, Size, find
from .least_squares import Entry, LeastSquares, both, columns, diagonal_matrix, scaled, weighted

PAPER = "Moré, Wild: Benchmarking Derivative-Free Optimization Algorithms, SIAM J. Optim. 20 (2009) 172-191"
TAGS = ("more-wild", "optimisation")


def _problem(declare: Callable[..., LeastSquares], source: str, **sizes: Size) -> tuple[Entry, Entry]:
    return both(declare, f"more_wild{declare.__name__}", f"{PAPER}, section 4.1; {source}", TAGS, **sizes)


# --- the four functions that are not Moré, Garbow and Hillstrom's ---


def _bdqrtic(n: int) -> LeastSquares:
    """F_i = 3 - 4 x_i for i <= n - 4, then x_i² + 2 x_(i+1)² + 3 x_(i+2)² + 4 x_(i+3)² + 5 x_n² for these i."""
    x = symbol("x", shape=(n,))
    head = np.eye(n - 4, n)
    table = sum(k * np.eye(n - 4, n, k - 1) for k in (1, 2, 3, 4)) + 5 * (np.arange(n) == n - 1)
    squares = constant(table)
    return LeastSquares(
        x,
        residuals=concatenate([3 - 4 * x[: n - 4], squares @ x**2]),
        jacobian=concatenate([constant(-4 * head), 2 * squares * x[None, :]]),
        curvature=lambda w: diagonal_matrix(2 * einsum("ij,i->j", squares, w[n - 4 :])),
        points=scaled(np.ones(n), near_the_minimum=np.where(np.arange(n) < n - 4, 0.5, 0.0)),
    )


def _cube(n: int) -> LeastSquares:
    """x1 - 1, then 10 (x_i - x_(i-1)³): a valley along cubes, zero at (1, ..., 1)."""
    x = symbol("x", shape=(n,))
    left, zero = x[:-1], constant(np.zeros(1))
    shift = constant(np.eye(n, k=-1))
    return LeastSquares(
        x,
        residuals=concatenate([(x[0] - 1)[None], 10 * (x[1:] - left**3)]),
        jacobian=shift * (-30 * x**2)[None, :] + np.diag(np.where(np.arange(n) == 0, 1.0, 10.0)),
        curvature=lambda w: diagonal_matrix(concatenate([-60 * left * w[1:], zero])),
        points=scaled(np.full(n, 0.5), minimum=np.ones(n)),
    )


def _mancino(n: int) -> LeastSquares:
    """F_i = 1400 x_i + (i - 50)³ + Σ_j v (sin⁵ log v + cos⁵ log v) with v = √(x_i² + i/j)."""
    x = symbol("x", shape=(n,))
    i = np.arange(1.0, n + 1)
    ratio, cubes = np.divide.outer(i, i), (i - 50) ** 3
    v = sqrt((x**2)[:, None] + ratio)
    s, c = sin(log(v)), cos(log(v))
    wave = s**5 + c**5
    first = wave + 5 * s * c * (s**3 - c**3)  # the derivative of v · wave by v
    second = first - wave + 20 * (s * c) ** 2 * (s + c) - 5 * wave  # v times the second one
    slope = 1400 + x * sum_of(first / v, axis=1)
    bend = sum_of(((x**2)[:, None] * second + ratio * first) / v**3, axis=1)
    at_0 = np.sqrt(ratio)
    start = -8.7110e-4 * (cubes + np.sum(at_0 * (np.sin(np.log(at_0)) ** 5 + np.cos(np.log(at_0)) ** 5), axis=1))
    return LeastSquares(
        x,
        residuals=1400 * x + cubes + sum_of(v * wave, axis=1),
        jacobian=diagonal_matrix(slope),
        curvature=lambda w: diagonal_matrix(w * bend),
        points=scaled(start, origin=np.zeros(n)),
    )


HEART = (-0.69, -0.044, -1.57, -1.31, -2.65, 2.0, -12.6, 9.48)
"""The sums measured in problem 22."""

Pair = tuple[Expr, Expr]
"""The real and the imaginary part of a complex number."""


def _heart_8() -> LeastSquares:
    """The dipole of a heart: (a + ci) (t + vi)^k + (b + di) (u + wi)^k for k = 0 to 3, real and imaginary parts in turn."""
    x = symbol("x", shape=(8,))  # a b c d t u v w
    places = ((0, 2, 4, 6), (1, 3, 5, 7))
    charges = [_charge(*(x[p] for p in own)) for own in places]
    slopes: list[Expr] = [as_expr(0.0)] * 8
    seconds: dict[tuple[int, int], Expr] = {}
    for own, (_, first, second) in zip(places, charges, strict=True):
        for j in range(4):
            slopes[own[j]] = first[j]
        seconds |= {(own[j], own[k]): entry for (j, k), entry in second.items()}
    jacobian = columns(8, *slopes)
    return LeastSquares(
        x,
        residuals=charges[0][0] + charges[1][0] - np.array(HEART),
        jacobian=jacobian,
        curvature=weighted(8, seconds),
        points=scaled(
            [-0.3, -0.39, 0.3, -0.344, -1.2, 2.69, 1.59, -1.5],
            near_the_minimum=[-0.3116266, -0.3783734, 0.3282442, -0.3722442, -1.282227, 2.494300, 1.554866, -1.384638],
        ),
        # row by row: the slopes by a and c are orthogonal, real and imaginary parts cancel, and fused multiply-adds leave 1e-10 of it
        normal=sum_of(jacobian[:, :, None] * jacobian[:, None, :], axis=0),
    )


def _charge(a: Expr, c: Expr, t: Expr, v: Expr) -> tuple[Expr, list[Expr], dict[tuple[int, int], Expr]]:
    """q z^k for q = a + ci, z = t + vi and k = 0 to 3, its derivatives by a, c, t, v, and the second ones that are not 0."""
    q, one, zero = (a, c), (as_expr(1.0), as_expr(0.0)), (as_expr(0.0), as_expr(0.0))
    powers = [one, (t, v), (t**2 - v**2, 2 * t * v), (t * (t**2 - 3 * v**2), v * (3 * t**2 - v**2))]
    once = [zero, *((k * re, k * im) for k, (re, im) in enumerate(powers[:-1], 1))]
    twice = [zero, *((k * re, k * im) for k, (re, im) in enumerate(once[:-1], 1))]
    by_z, by_zz = [_times(q, p) for p in once], [_times(q, p) for p in twice]
    first = [_flat(powers), _flat(powers, 1), _flat(by_z), _flat(by_z, 1)]
    second = {(0, 2): _flat(once), (0, 3): _flat(once, 1), (1, 2): _flat(once, 1), (1, 3): _flat(once, 2)}
    return _flat([_times(q, p) for p in powers]), first, second | {(2, 2): _flat(by_zz), (2, 3): _flat(by_zz, 1), (3, 3): _flat(by_zz, 2)}


def _times(p: Pair, q: Pair) -> Pair:
    return p[0] * q[0] - p[1] * q[1], p[0] * q[1] + p[1] * q[0]


def _flat(pairs: Sequence[Pair], turns: int = 0) -> Expr:
    """Real and imaginary parts in turn, each number multiplied by i `turns` times."""
    for _ in range(turns):
        pairs = [(-im, re) for re, im in pairs]
    return stack([part for pair in pairs for part in pair])


more_wild_bdqrtic, more_wild_bdqrtic_residuals = _problem(
    _bdqrtic,
    "Conn, Gould, Lescrenier, Toint: Performance of a Multifrontal Scheme for Partially Separable Optimization (1994), problem 61",
    n=Size(8, 5, 1000, "variables; the Jacobian has n columns"),
)
more_wild_cube, more_wild_cube_residuals = _problem(
    _cube,
    "Leon: A Comparison of Eight Known Optimizing Procedures, in Recent Advances in Optimization Techniques (1966), chained",
    n=Size(5, 2, 1000, "variables; the Jacobian has n columns"),
)
more_wild_mancino, more_wild_mancino_residuals = _problem(
    _mancino,
    "Spedicato: Computational Experience with Quasi-Newton Algorithms for Minimization Problems of Moderately Large Size (1975)",
    n=Size(5, 1, 300, "variables; n² terms"),
)
more_wild_heart_8, more_wild_heart_8_residuals = _problem(
    _heart_8,
    "Nelson, Hodgkin: Determination of Magnitudes, Directions and Locations of Two Independent Dipoles (1981), as MINPACK-2 has it",
)

# --- the 53 instances ---


@dataclass(frozen=True)
class Instance:
    """A function of the library at these sizes, started at the point of this label."""

    function: str
    sizes: Mapping[str, int]
    point: str

    def problem(self, residuals: bool = False) -> Problem:
        """The sum of squares, or the residuals themselves."""
        sizes = ", ".join(f"{n}={v}" for n, v in self.sizes.items())
        (found,) = find(f"{self.function}{'_residuals' if residuals else ''}{f'({sizes})' if sizes else ''}")
        return found


def _instances() -> list[Instance]:
    """The table of the paper's test set, function by function."""
    at, tenfold = "start", "10 times the start"
    watson, osborne_1 = "start of Moré and Wild", "start of Moré and Wild"
    table: list[tuple[str, list[dict[str, int]], tuple[str, ...]]] = [
        ("mgh_32_linear_full_rank", [{"n": 9, "m": 45}], (at, tenfold)),
        ("mgh_33_linear_rank_1", [{"n": 7, "m": 35}], (at, tenfold)),
        ("mgh_34_linear_rank_1_with_zero_columns_and_rows", [{"n": 7, "m": 35}], (at, tenfold)),
        ("mgh_01_rosenbrock", [{}], (at, tenfold)),
        ("mgh_07_helical_valley", [{}], (at, tenfold)),
        ("mgh_13_powell_singular", [{}], (at, tenfold)),
        ("mgh_02_freudenstein_roth", [{}], (at, tenfold)),
        ("mgh_08_bard", [{}], (at, tenfold)),
        ("mgh_15_kowalik_osborne", [{}], (at,)),
        ("mgh_10_meyer", [{}], (at,)),
        ("mgh_20_watson", [{"n": n} for n in (6, 9, 12)], (watson, f"10 times the {watson}")),
        ("mgh_12_box", [{"m": 10}], (at,)),
        ("mgh_06_jennrich_sampson", [{"m": 10}], (at,)),
        ("mgh_16_brown_dennis", [{"m": 20}], (at, tenfold)),
        ("mgh_35_chebyquad", [{"n": n, "m": n} for n in (6, 7, 8, 9, 10, 11)], (at,)),
        ("mgh_27_brown_almost_linear", [{"n": 10}], (at,)),
        ("mgh_17_osborne_1", [{}], (osborne_1,)),
        ("mgh_19_osborne_2", [{}], (at, tenfold)),
        ("more_wild_bdqrtic", [{"n": n} for n in (8, 10, 11, 12)], (at,)),
        ("more_wild_cube", [{"n": n} for n in (5, 6, 8)], (at,)),
        ("more_wild_mancino", [{"n": 5}], (at, tenfold)),
        ("more_wild_mancino", [{"n": 8}, {"n": 10}], (at,)),
        ("more_wild_mancino", [{"n": 12}], (at, tenfold)),
        ("more_wild_heart_8", [{}], (at, tenfold)),
    ]
    return [Instance(name, sizes, label) for name, several, labels in table for sizes in several for label in labels]


INSTANCES = tuple(_instances())

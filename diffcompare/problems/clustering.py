"""The cost of k-means, whose Newton step is one division by entry: its Hessian is diagonal."""

from __future__ import annotations

import numpy as np

from ..dsl import Function, function, symbol
from ..dsl.arithmetic import eq, real
from ..dsl.composite import min as min_of
from ..dsl.constants import constant
from ..dsl.contraction import einsum
from ..dsl.core import Expr
from ..dsl.structural import sum as sum_of
from ..problem import Array, Point, Problem, Size, family


def kmeans_function(n: int, k: int, d: int) -> Function:
    """Σ_i min_j |P_i - C_j|² of points P (n, d) and centroids C (k, d)."""
    points, centroids = symbol("points", (n, d)), symbol("centroids", (k, d))
    apart = centroids[:, None, :] - points[None, :, :]
    # differences, not |P|² - 2 P·C + |C|²: that cancels for clusters far from the origin
    distance = sum_of(apart**2, axis=2)
    nearest = min_of(distance, axis=0)
    owner = real(eq(distance, nearest[None, :]))
    owner = owner / sum_of(owner, axis=0)[None, :]  # a point between centroids belongs to them in equal parts
    return function(
        [points, centroids],
        sum_of(nearest),
        name="kmeans",
        gradient={"centroids": 2 * einsum("jn,jnd->jd", owner, apart)},
        hessian={("centroids", "centroids"): _hessian(owner, d)},
    )


def _hessian(owner: Expr, d: int) -> Expr:
    """2 m_j for all coordinates of centroid j, on the diagonal alone; m_j: how many points it owns."""
    k = owner.shape[0]
    return einsum("j,jm,dl->jdml", 2 * sum_of(owner, axis=1), constant(np.eye(k)), constant(np.eye(d)))


@family(
    ("learning", "gradbench", "kink"),
    n=Size(4, 1, 100_000, "points"),
    k=Size(2, 1, 1000, "centroids; the Hessian has (kd)² entries"),
    d=Size(2, 1, 100, "coordinates"),
)
def kmeans(n: int, k: int, d: int) -> Problem:
    """The sum of squared distances from points to the nearest of k centroids."""
    rng = np.random.default_rng(31337)
    points = rng.uniform(size=(n, d))
    chosen = points[np.arange(k) % n] + 0.01 * rng.standard_normal((k, d))

    def at(label: str, values: Array, shift: float = 0.0) -> Point:
        return Point(label, points=points + shift, centroids=values + shift)

    return Problem(
        function=kmeans_function(n, k, d),
        points=(
            at("start", chosen),
            at("one owns all", chosen + 100.0 * np.arange(k)[:, None]),  # a centroid without points: derivatives 0
            at("far from the origin", chosen, shift=1024.0),
        ),
        source="Bottou, Bengio: Convergence Properties of the K-Means Algorithms, NIPS 7 (1994), eqs. (1), (4) and (7), "
        "without the factor 1/2; GradBench's eval kmeans",
        wrt=("centroids",),
    )

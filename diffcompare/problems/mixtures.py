"""The log posterior of a mixture of Gaussians, the benchmark of ADBench and of GradBench."""

from __future__ import annotations

import math

import numpy as np

from ..dsl import Function, function, symbol
from ..dsl.composite import logsumexp, softmax
from ..dsl.contraction import einsum
from ..dsl.core import Expr
from ..dsl.elementary import exp, log
from ..dsl.special import lgamma
from ..dsl.structural import concatenate
from ..dsl.structural import sum as sum_of
from ..problem import Array, Point, Problem, Size, family

SOURCE = (
    "Srajer, Kukelova, Fitzgibbon: A benchmark of selected algorithmic differentiation tools on some problems in computer "
    "vision and machine learning, Optimization Methods and Software 33 (2018), section 3.1"
)
GRADBENCH, ADBENCH = -1.0, 1.0
"""The sign of the prior: GradBench adds the log density of a Wishart distribution, ADBench its negative."""
D = Size(2, 2, 64, "dimensions")
K = Size(2, 1, 200, "components")
N = Size(3, 1, 10_000, "samples")


def gmm_function(d: int, k: int, n: int, prior: float = GRADBENCH) -> Function:
    """Σ_i log Σ_c exp(alpha_c + Σ q_c - |L_c (x_i - mu_c)|²/2) - n log Σ exp(alpha) - n d/2 log 2π + log prior.

    alpha (k,): log weights; mu (k, d): means; L_c, the factor of an inverse covariance, has exp(q_c), q (k, d), on its
    diagonal and l_c, l (k, d(d-1)/2), below it, column after column; x (n, d): samples; gamma, m: of the prior.
    """
    alpha, mu, q = symbol("alpha", (k,)), symbol("mu", (k, d)), symbol("q", (k, d))
    lower, x = symbol("l", (k, d * (d - 1) // 2)), symbol("x", (n, d))
    gamma, m = symbol("gamma"), symbol("m")
    scaled, term = _terms(alpha, mu, q, lower, x)
    likelihood = sum_of(logsumexp(term, axis=0)) - n * logsumexp(alpha) - 0.5 * n * d * math.log(2 * math.pi)
    weight = 0.5 * gamma**2 * (sum_of(exp(q) ** 2) + sum_of(lower**2)) - m * sum_of(q) - k * _wishart_constant(d, gamma, m)
    return function(
        [alpha, mu, q, lower, x, gamma, m],
        likelihood + prior * weight,
        name="gmm" if prior == GRADBENCH else "gmm_adbench",
        gradient=_gradient(alpha, mu, q, lower, x, gamma, m, scaled, term, prior),
    )


def _terms(alpha: Expr, mu: Expr, q: Expr, lower: Expr, x: Expr) -> tuple[Expr, Expr]:
    """(L_c (x_i - mu_c), shape (k, n, d); the exponents, shape (k, n))."""
    scaled = einsum("cij,cnj->cni", _factors(q, lower), x[None, :, :] - mu[:, None, :])
    return scaled, (alpha + sum_of(q, axis=1))[:, None] - 0.5 * sum_of(scaled**2, axis=2)


def _factors(q: Expr, lower: Expr) -> Expr:
    """The lower triangular L_c, shape (k, d, d)."""
    k, d = q.shape
    places = np.full((d, d), d + lower.shape[1])  # above the diagonal the zero that comes last
    np.fill_diagonal(places, np.arange(d))
    places[_below(d)] = d + np.arange(lower.shape[1])
    return concatenate([exp(q), lower, np.zeros((k, 1))], axis=1)[:, places]


def _below(d: int) -> tuple[Array, Array]:
    """(rows, columns) of the entries below the diagonal, column after column."""
    columns, rows = np.triu_indices(d, 1)
    return rows, columns


def _wishart_constant(d: int, gamma: Expr, m: Expr) -> Expr:
    """The logarithm of the Wishart density's factor with d + m + 1 degrees of freedom."""
    freedom = m + (d + 1.0)
    multivariate = 0.25 * d * (d - 1) * math.log(math.pi) + sum_of(lgamma(0.5 * (freedom - np.arange(d))))
    return freedom * d * (log(gamma) - 0.5 * math.log(2.0)) - multivariate


def _gradient(
    alpha: Expr, mu: Expr, q: Expr, lower: Expr, x: Expr, gamma: Expr, m: Expr, scaled: Expr, term: Expr, prior: float
) -> dict[str, Expr]:
    """By the responsibilities r (k, n), which component a sample belongs to: each part is a sum over the samples weighed by r."""
    n, d = x.shape
    r = softmax(term, axis=0)
    owned = sum_of(r, axis=1)
    weighed = r[:, :, None] * scaled
    factors = -einsum("cni,cnj->cij", weighed, x[None, :, :] - mu[:, None, :])
    rows, columns = _below(d)
    diagonal = exp(q) * factors[:, np.arange(d), np.arange(d)]
    return {
        "alpha": owned - n * softmax(alpha),
        "mu": einsum("cni,cij->cj", weighed, _factors(q, lower)),
        "q": owned[:, None] + diagonal + prior * (gamma**2 * exp(q) ** 2 - m),
        "l": factors[:, rows, columns] + prior * gamma**2 * lower,
    }


def _points(d: int, k: int, n: int) -> tuple[Point, ...]:
    rng = np.random.default_rng(31337)
    alpha, mu = rng.standard_normal(k), rng.uniform(0, 1, (k, d))
    q, lower = rng.standard_normal((k, d)), rng.standard_normal((k, d * (d - 1) // 2))
    x = rng.standard_normal((n, d))

    def at(label: str, **changed: Array | float) -> Point:
        return Point(label, {"alpha": alpha, "mu": mu, "q": q, "l": lower, "x": x, "gamma": 1.0, "m": 0.0, **changed})

    return (
        at("start"),
        at("informed prior", gamma=0.1, m=3.0),
        at("far", x=x + 8.0),  # large exponents: the nearest component takes almost all
        at("narrow", q=q + 1.0, l=3.0 * lower),
        at("wide", q=q - 12.0, l=1e-5 * lower, alpha=alpha - 700.0),
    )


def _problem(f: Function, d: int, k: int, n: int, source: str) -> Problem:
    return Problem(f, _points(d, k, n), source, wrt=("alpha", "mu", "q", "l"), operators=("gradient",))


@family(("learning", "adbench", "gradbench"), d=D, k=K, n=N)
def gmm(d: int, k: int, n: int) -> Problem:
    """The log posterior of a Gaussian mixture with GradBench's prior."""
    return _problem(gmm_function(d, k, n), d, k, n, f"{SOURCE}; the prior as in GradBench's eval gmm")


@family(("learning", "adbench"), d=D, k=K, n=N)
def gmm_adbench(d: int, k: int, n: int) -> Problem:
    """The same with ADBench's prior, whose sign is the other one."""
    return _problem(gmm_function(d, k, n, ADBENCH), d, k, n, f"{SOURCE}; the prior as in ADBench's gmm objective")

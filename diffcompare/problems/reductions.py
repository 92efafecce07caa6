"""Functions that reduce a vector: the cheap gradient in its purest form."""

from __future__ import annotations

import numpy as np

from ..dsl import function, symbol
from ..dsl.arithmetic import lt, ne, where
from ..dsl.composite import logsumexp, softmax
from ..dsl.constants import constant
from ..dsl.contraction import embed_diagonal, outer
from ..dsl.core import Expr
from ..dsl.structural import broadcast, concatenate
from ..dsl.structural import sum as sum_of
from ..problem import Point, Problem, Size, family

BOYD = "Boyd, Vandenberghe: Convex Optimization (2004)"


def _softmax_jacobian(x: Expr) -> Expr:
    """diag(s) - s sᵀ with s_i (1 - s_i) as s_i Σ_(j≠i) s_j, which does not cancel where s_i is nearly 1."""
    (n,) = x.shape
    s = softmax(x)
    column, row = _places(n)
    others = where(ne(column, row), outer(s, s), 0.0)
    return embed_diagonal.apply([sum_of(others, axis=1)], (-2, -1)) - others


def _places(n: int) -> tuple[Expr, Expr]:
    """Row and column numbers of an n by n matrix, from which masks are compared: a constant mask would hold n² entries."""
    numbers = np.arange(n)
    return broadcast(constant(numbers[:, None]), (n, n)), broadcast(constant(numbers[None, :]), (n, n))


def _exponents(n: int) -> tuple[Point, ...]:
    steps = np.arange(n)
    return (
        Point("start", x=np.linspace(-1, 1, n)),
        Point("equal", x=np.full(n, 0.1)),
        Point("large", x=1000 + np.linspace(0, 3, n)),  # exp(1000) overflows
        Point("one rules", x=np.where(steps == n // 2, 40.0, -0.5 * steps / n)),
        Point("wide", x=-30.0 * steps / n),
    )


@family(tags=("core", "learning", "reduction"), n=Size(5, 1, 100_000, "entries of x"))
def log_sum_exp(n: int) -> Problem:
    """log Σ exp(x_i), a smooth maximum; its gradient is softmax."""
    x = symbol("x", shape=(n,))
    return Problem(
        function=function([x], logsumexp(x), name="log_sum_exp", gradient=[softmax(x)], hessian=[[_softmax_jacobian(x)]]),
        points=_exponents(n),
        source=f"{BOYD}, section 3.1.5, p. 74: the hessian of log-sum-exp is diag(z)/1ᵀz - zzᵀ/(1ᵀz)² with z = exp(x)",
    )


@family(tags=("core", "learning", "jacobian"), n=Size(5, 1, 2000, "entries of x; the Jacobian has n² entries"))
def softmax_probabilities(n: int) -> Problem:
    """exp(x_i) / Σ exp(x_j): probabilities from scores."""
    x = symbol("x", shape=(n,))
    return Problem(
        function=function([x], softmax(x), name="softmax_probabilities", jacobian=[_softmax_jacobian(x)]),
        points=_exponents(n),
        source="Bridle: Probabilistic Interpretation of Feedforward Classification Network Outputs, in Neurocomputing, "
        "NATO ASI F68 (1990); its Jacobian is diag(s) - s sᵀ",
    )


@family(tags=("core", "reduction", "polynomial"), n=Size(8, 1, 100_000, "factors"))
def speelpenning(n: int) -> Problem:
    """x_1 x_2 ... x_n, multiplied as a balanced tree; each entry of the gradient is the product of all other factors."""
    x = symbol("x", shape=(n,))
    steps = np.arange(1, n + 1)
    factors = steps / (steps + 1.0)  # the product is 1 / (n + 1)
    return Problem(
        function=function([x], _product(x), name="speelpenning", gradient=[all_others(x)], hessian=[[all_other_pairs(x)]]),
        points=(
            Point("start", x=factors),
            Point("signs", x=np.where(steps % 2 == 0, -1.1, 0.9)),
            Point("a zero", x=np.where(steps == 1, 0.0, factors)),  # f / x_i, another textbook formula, is 0 / 0
            Point("two zeros", x=np.where(steps <= 2, 0.0, factors)),  # all of the gradient is 0
        ),
        source="Speelpenning: Compiling Fast Partial Derivatives of Functions Given by Algorithms, thesis, University of Illinois (1980); "
        "Griewank: On Automatic Differentiation, in Mathematical Programming, Kluwer (1989)",
    )


def _product(x: Expr) -> Expr:
    """The product along the only axis: halves multiplied entry by entry until one is left."""
    while x.shape[0] > 1:
        half = x.shape[0] // 2
        pairs = x[:half] * x[half : 2 * half]
        x = pairs if x.shape[0] % 2 == 0 else concatenate([pairs, x[2 * half :]])
    return x[0]


def _before(x: Expr) -> Expr:
    """The products of all earlier entries along the last axis, 1 for the first, by log2(n) doublings of their reach."""
    n = x.shape[-1]
    products = concatenate([constant(np.ones((*x.shape[:-1], 1))), x[..., : n - 1]], axis=-1)
    reach = 1
    while reach < n:
        products = concatenate([products[..., :reach], products[..., reach:] * products[..., : n - reach]], axis=-1)
        reach *= 2
    return products


def _after(x: Expr) -> Expr:
    """The products of all later entries."""
    return _before(x[::-1])[::-1]


def all_others(x: Expr) -> Expr:
    """For each entry the product of all the others, without a division."""
    return _before(x) * _after(x)


def all_other_pairs(x: Expr) -> Expr:
    """The products of all but two entries: before i, between i and j, after j; 0 on the diagonal."""
    (n,) = x.shape
    above = lt(*_places(n))
    # row i: 1 up to entry i, then x; the product before j is that of the entries between i and j
    between = _before(where(above, broadcast(x, (n, n)), 1.0))
    upper = where(above, _before(x)[:, None] * between * _after(x)[None, :], 0.0)
    return upper + upper.T

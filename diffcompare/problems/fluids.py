"""Energies of fluids."""

from __future__ import annotations

import numpy as np

from ..dsl import function, symbol
from ..dsl.constants import constant
from ..dsl.contraction import einsum, embed_diagonal
from ..dsl.core import Expr
from ..dsl.elementary import log, log1p
from ..dsl.structural import sum as sum_of
from ..problem import Point, Problem, Size, family
from .teaching import SURVEY

R = 8.31446261815324
"""The molar gas constant in J/(mol K), exact since 2019 (CODATA)."""
T = 298.15
ROOT_8 = 8.0**0.5
ROOT_2 = 2.0**0.5


@family(tags=("core", "survey", "physics"), n=Size(5, 1, 1000, "components of the mixture; the matrix of attractions has n² entries"))
def helmholtz(n: int) -> Problem:
    """The Helmholtz energy of a mixed fluid by the equation of state of Peng and Robinson, x the amounts in mol.

    f(x) = RT Σ x_i log(x_i / (1 - s)) - q / (√8 s) · log((1 + (1+√2) s) / (1 + (1-√2) s)), s = b·x, q = xᵀAx, on x > 0, s < 1.

    The co-volumes b lie between 0.2 and 0.8, the attractions a_i between RT/2 and RT, A_ij = 0.9 √(a_i a_j), A_ii = a_i
    (the usual mixing rule with binary interaction 0.1).
    """
    x = symbol("x", shape=(n,))
    spread = (np.arange(n) + 0.5) / n
    b = 0.2 + 0.6 * spread
    a = R * T * (0.5 + 0.5 * spread)
    attraction = np.where(np.eye(n) > 0, np.sqrt(np.outer(a, a)), 0.9 * np.sqrt(np.outer(a, a)))
    s = einsum("i,i->", constant(b), x)
    q = einsum("i,ij,j->", x, constant(attraction), x)
    gas = R * T * sum_of(x * log(x / (1 - s)))
    bonds = q / (ROOT_8 * s) * log((1 + (1 + ROOT_2) * s) / (1 + (1 - ROOT_2) * s))
    gradient, hessian = _derivatives(x, constant(b), constant(attraction))
    share = np.full(n, 1 / n)
    graded = (np.arange(n) + 1.0) / (0.5 * n * (n + 1))
    traces = np.where(np.arange(n) % 2 == 0, 0.5 / n, 1e-12)
    return Problem(
        function=function([x], gas - bonds, name="helmholtz", gradient=[gradient], hessian=[[hessian]]),
        points=(
            Point("start", x=share),
            Point("graded", x=graded),
            Point("dilute", x=1e-4 * share),  # s is small: the logarithm of a ratio near 1, divided by s
            Point("dense", x=0.999 / (b @ graded) * graded),  # s = 0.999, near the pole at 1
            Point("traces", x=traces),
        ),
        source=f"{SURVEY}, figure 5: the energy whose gradient is timed there, after Griewank (1989); "
        "Peng, Robinson: A New Two-Constant Equation of State, Ind. Eng. Chem. Fundam. 15 (1976), eq. (4), integrated over the volume",
    )


def _derivatives(x: Expr, b: Expr, attraction: Expr) -> tuple[Expr, Expr]:
    """Gradient and hessian, worked out with g(s) = log(...) / (√8 s), u = 1 - s, D = 1 + 2s - s², so that f = gas - q g.

    (√8 s g)' = √8 / D gives g' = (1/D - g) / s and g'' = (-2 (1 - s)/D² - 2 g') / s.
    gradient_k = RT (log(x_k/u) + 1 + b_k X/u) - 2 (Ax)_k g - q g' b_k, with X = Σ x_i.
    """
    rt = R * T
    s = einsum("i,i->", b, x)
    ax = einsum("ij,j->i", attraction, x)
    q = einsum("i,i->", x, ax)
    u = 1 - s
    total = sum_of(x)
    # log1p, not the log of the ratio: that loses a digit for each digit by which s is below 1
    g = log1p(ROOT_8 * s / (1 + (1 - ROOT_2) * s)) / (ROOT_8 * s)
    d = 1 + s * (2 - s)
    g1 = (1 / d - g) / s
    g2 = (-2 * u / (d * d) - 2 * g1) / s
    gradient = rt * (log(x / u) + 1 + b * (total / u)) - 2 * g * ax - (q * g1) * b
    row, column = b[None, :], b[:, None]
    mixed = rt / u * (row + column) - 2 * g1 * (column * ax[None, :] + ax[:, None] * row)
    square = (rt * total / (u * u) - q * g2) * (row * column)
    hessian = embed_diagonal.apply([rt / x], (-2, -1)) + mixed + square - 2 * g * attraction
    return gradient, hessian

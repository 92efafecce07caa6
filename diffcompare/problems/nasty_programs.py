"""Programs that are long or wide: deep chains and sums of many terms of opposite signs."""

from __future__ import annotations

import numpy as np

from ..dsl import function, symbol
from ..dsl.constants import as_expr
from ..dsl.elementary import cos, sin
from ..dsl.structural import sum as sum_of
from ..problem import Array, Point, Problem, Size, family


@family(("nasty", "program"), n=Size(20, 1, 100_000, "links of the chain"))
def deep_chain(n: int) -> Problem:
    """x ← x + sin(x)/n, n times: the steps of Euler's method for x' = sin x up to t = 1.

    Nasty: as a formula it is n levels deep and its derivative is a product of n factors: what recurses runs out of
    stack, and what writes formulas out grows without end. Value and derivative stay near 1 at any depth.
    """
    x = symbol("x")
    links = [x]
    for _ in range(n):
        links.append(links[-1] + sin(links[-1]) / n)
    slope, bend = as_expr(1.0), as_expr(0.0)
    for link in links[:-1]:
        factor = 1 + cos(link) / n
        bend = factor * bend - sin(link) / n * (slope * slope)
        slope = factor * slope
    return Problem(
        function=function([x], links[-1], name="deep_chain", derivative=slope, hessian=bend),
        points=(Point("start", x=0.5), Point("top", x=3.0), Point("stationary", x=0.0), Point("many turns", x=-100.0)),
        source="Griewank, Walther: Evaluating Derivatives, 2nd ed. (2008), chapter 12: time-stepping and the reversal of long chains",
    )


@family(("nasty", "reduction"), n=Size(8, 2, 1_000_000, "terms"))
def wide_sum(n: int) -> Problem:
    """(Σ a_i x_i)² / 2 with weights a of both signs.

    Nasty: terms of 1e8 cancel to a sum near 1, so that the order of summation decides the last eight digits, and
    the gradient, which is the sum times a, has them wrong in every entry at once.
    """
    x, a = symbol("x", (n,)), symbol("a", (n,))
    total = sum_of(a * x)
    rng = np.random.default_rng(20180153)
    weights = rng.uniform(1, 2, n) * (-1.0) ** np.arange(n)
    cancelling = 1e8 * rng.uniform(0.5, 1.5, n)
    cancelling[-1] -= (weights @ cancelling - 1.0) / weights[-1]

    def at(label: str, values: Array) -> Point:
        return Point(label, x=values, a=weights)

    return Problem(
        function=function([x, a], 0.5 * total**2, name="wide_sum", gradient={"x": total * a}),
        points=(at("start", np.linspace(0.5, 1.5, n)), at("ones", np.ones(n)), at("cancelling", cancelling)),
        source="Higham: The Accuracy of Floating Point Summation, SIAM J. Sci. Comput. 14 (1993), eqs. (2.1) and (3.7): the error is "
        "bounded by n u Σ|terms| at worst",
        wrt=("x",),
        operators=("gradient",),
    )

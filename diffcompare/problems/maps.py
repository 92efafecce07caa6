"""Iterated maps: short programs whose derivative as a formula swells while the work to evaluate it stays small."""

from __future__ import annotations

from ..dsl import function, symbol
from ..dsl.constants import as_expr
from ..dsl.core import Expr
from ..problem import Point, Problem, Size, family
from .teaching import SURVEY


@family(
    tags=("core", "survey", "program"),
    n=Size(4, 1, 512, "iterates l1 ... ln; the slope reaches 4**(n-1), which leaves float64 past 512"),
)
def logistic_map(n: int) -> Problem:
    """f(x) = l_n with l_1 = x, l_(k+1) = 4 l_k (1 - l_k): n - 1 steps of the logistic map."""
    x = symbol("x")
    iterates = [x]
    for _ in range(n - 1):
        iterates.append(4 * iterates[-1] * (1 - iterates[-1]))
    slope, curvature = _slope_and_curvature(iterates)
    return Problem(
        function=function([x], iterates[-1], name="logistic_map", derivative=slope, hessian=curvature),
        points=(
            Point("start", x=0.2),  # n = 4: f = 0.28901376, f' = 9.0660864
            Point("fixed point", x=0.75),  # f = 3/4, f' = (-2)**(n-1)
            Point("top", x=0.5),  # the slope is exactly 0 for n > 1
            Point("near the top", x=0.5 + 1e-9),
            Point("near zero", x=1e-12),
        ),
        source=f"{SURVEY}, figure 2 and table 1: l1 = x, l(n+1) = 4 l(n) (1 - l(n))",
    )


def _slope_and_curvature(iterates: list[Expr]) -> tuple[Expr, Expr]:
    """f' = Π 4 (1 - 2 l_k), and f'' by differentiating that recurrence once more: l'' ← 4 (1 - 2l) l'' - 8 l'²."""
    slope, curvature = as_expr(1.0), as_expr(0.0)
    for k, l_k in enumerate(iterates[:-1]):
        factor = 4 * (1 - 2 * l_k)
        bend = 8 * (slope * slope)
        curvature = factor * curvature - bend if k else -bend
        slope = factor * slope
    return slope, curvature

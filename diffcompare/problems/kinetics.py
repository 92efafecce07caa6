"""Rates of reactions."""

from __future__ import annotations

from ..dsl import function, symbols
from ..dsl.constants import as_expr
from ..dsl.core import Expr
from ..problem import Point, Problem


def _michaelis_menten() -> Problem:
    """The rate Vmax S / (Km (1 + I/Ki) + S) of an enzyme with a competitive inhibitor, S and I the concentrations."""
    vmax, s, km, i, ki = inputs = symbols("Vmax S Km I Ki")
    rate = vmax * s / (km * (1 + i / ki) + s)
    gradient, hessian = _derivatives(vmax, s, km, i, ki)
    return Problem(
        function=function(inputs, rate, name="michaelis_menten", gradient=gradient, hessian=hessian),
        points=(
            Point("start", Vmax=2.0, S=0.5, Km=0.3, I=0.2, Ki=0.7),
            Point("no inhibitor", Vmax=2.0, S=0.5, Km=0.3, I=0.0, Ki=0.7),
            Point("saturated", Vmax=1e-6, S=10.0, Km=2e-6, I=1e-7, Ki=5e-8),  # dv/dS is 1e-6 of v/S: the quotient rule subtracts such terms
            Point("starved", Vmax=150.0, S=1e-12, Km=0.04, I=3.0, Ki=1e-3),
        ),
        source="Michaelis, Menten: Die Kinetik der Invertinwirkung, Biochem. Z. 49 (1913); "
        "Cornish-Bowden: Fundamentals of Enzyme Kinetics, 4th ed. (2012), eq. (6.1)",
        tags=("chemistry", "cancellation"),
    )


def _derivatives(vmax: Expr, s: Expr, km: Expr, i: Expr, ki: Expr) -> tuple[list[Expr], list[list[Expr]]]:
    """Of N/D with N = Vmax S: N_a/D - N D_a/D², and N_ab/D - (N_a D_b + N_b D_a + N D_ab)/D² + 2 N D_a D_b/D³."""
    zero = as_expr(0.0)
    n, d = vmax * s, km * (1 + i / ki) + s
    n_1 = [s, vmax, zero, zero, zero]
    d_1 = [zero, as_expr(1.0), 1 + i / ki, km / ki, -km * i / ki**2]
    n_2 = {(0, 1): as_expr(1.0)}
    d_2 = {(2, 3): 1 / ki, (2, 4): -i / ki**2, (3, 4): -km / ki**2, (4, 4): 2 * km * i / ki**3}
    gradient = [a / d - n * b / d**2 for a, b in zip(n_1, d_1, strict=True)]
    gradient[1] = vmax * (km * (1 + i / ki)) / d**2  # where the two terms nearly cancel

    def second(a: int, b: int) -> Expr:
        key = (min(a, b), max(a, b))
        crossed = n_1[a] * d_1[b] + n_1[b] * d_1[a] + n * d_2.get(key, zero)
        return n_2.get(key, zero) / d - crossed / d**2 + 2 * n * d_1[a] * d_1[b] / d**3

    return gradient, [[second(a, b) for b in range(5)] for a in range(5)]


michaelis_menten = _michaelis_menten()

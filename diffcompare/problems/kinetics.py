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
    """By A = Km (1 + I/Ki) and D = A + S: v = Vmax S/D, v_S = Vmax A/D², v_A = -Vmax S/D².

    Terms with the same denominator are joined by hand, which leaves no difference of nearly equal ones.
    """
    w = 1 + i / ki
    a = km * w
    d = a + s
    all_bound, share = vmax * s / d**2, vmax / d**3
    gradient = [s / d, vmax * a / d**2, -all_bound * w, -all_bound * km / ki, all_bound * km * i / ki**2]
    by_s = share * (s - a)
    curved = 2 * share * s
    km_i = share * s * (a - s) / ki
    i_ki = share * s * km / ki**2 * (km + s - km * i / ki)
    ki_ki = -curved * km * i / ki**3 * (km + s)
    zero = as_expr(0.0)
    upper = {
        (0, 0): zero,
        (0, 1): a / d**2,
        (0, 2): -s * w / d**2,
        (0, 3): -s * km / ki / d**2,
        (0, 4): s * km * i / ki**2 / d**2,
        (1, 1): -2 * share * a,
        (1, 2): by_s * w,
        (1, 3): by_s * km / ki,
        (1, 4): -by_s * km * i / ki**2,
        (2, 2): curved * w**2,
        (2, 3): km_i,
        (2, 4): -km_i * i / ki,
        (3, 3): curved * (km / ki) ** 2,
        (3, 4): i_ki,
        (4, 4): ki_ki,
    }
    return gradient, [[upper[min(j, k), max(j, k)] for k in range(5)] for j in range(5)]


michaelis_menten = _michaelis_menten()

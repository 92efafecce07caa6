"""Equations of state of gases."""

from __future__ import annotations

from ..dsl import function, symbols
from ..dsl.constants import as_expr
from ..dsl.core import Expr
from ..problem import Point, Problem
from .fluids import R

A, B = 0.3658, 4.29e-5
"""Of carbon dioxide: attraction in Pa m⁶/mol², co-volume in m³/mol (CRC Handbook of Chemistry and Physics)."""


def _van_der_waals() -> Problem:
    """The pressure n R T / (V - n b) - a n² / V² of n mol of carbon dioxide, in Pa; V in m³, T in K."""
    n, v, t = inputs = symbols("n V T")
    pressure = n * R * t / (v - n * B) - A * n**2 / v**2
    return Problem(
        function=function(inputs, pressure, name="van_der_waals", gradient=_gradient(n, v, t), hessian=_hessian(n, v, t)),
        points=(
            Point("start", n=1.0, V=0.0248, T=298.15),
            # by the formulas for it dp/dV and d²p/dV² are 0: what is left is rounding of n, V and T
            Point("critical", n=1.0, V=3 * B, T=8 * A / (27 * R * B)),
            Point("dense", n=1.0, V=1.01 * B, T=500.0),
            Point("dilute", n=1e-9, V=1.0, T=3.0),
        ),
        source="van der Waals: Over de Continuiteit van den Gas- en Vloeistoftoestand, thesis, Leiden (1873); "
        "Atkins, de Paula: Physical Chemistry, 10th ed. (2014), eq. 1C.5a",
        tags=("physics", "chemistry", "cancellation"),
    )


def _gradient(n: Expr, v: Expr, t: Expr) -> list[Expr]:
    free = v - n * B
    return [
        R * t * v / free**2 - 2 * A * n / v**2,
        2 * A * n**2 / v**3 - n * R * t / free**2,
        n * R / free,
    ]


def _hessian(n: Expr, v: Expr, t: Expr) -> list[list[Expr]]:
    free = v - n * B
    amount_volume = 4 * A * n / v**3 - R * t * (v + n * B) / free**3
    amount_heat, volume_heat = R * v / free**2, -n * R / free**2
    return [
        [2 * B * R * t * v / free**3 - 2 * A / v**2, amount_volume, amount_heat],
        [amount_volume, 2 * n * R * t / free**3 - 6 * A * n**2 / v**4, volume_heat],
        [amount_heat, volume_heat, as_expr(0.0)],
    ]


van_der_waals = _van_der_waals()

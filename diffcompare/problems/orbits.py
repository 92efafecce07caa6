"""Where a planet stands: an equation solved inside the function."""

from __future__ import annotations

from ..dsl import function, symbols
from ..dsl.arithmetic import sign
from ..dsl.core import Expr
from ..dsl.elementary import cos, sin
from ..problem import Point, Problem, Size, family


@family(("physics", "program"), steps=Size(7, 7, 30, "steps of Newton's method, unrolled; 7 reach full precision at all points"))
def kepler(steps: int) -> Problem:
    """The eccentric anomaly E of Kepler's equation M = E - e sin E, by Newton's method; M: mean anomaly, e: eccentricity."""
    m, e = inputs = symbols("M e")
    anomaly: Expr = m + 0.85 * e * sign(sin(m))
    for _ in range(steps):
        anomaly = anomaly - (anomaly - e * sin(anomaly) - m) / (1 - e * cos(anomaly))
    return Problem(
        function=function(inputs, anomaly, name="kepler", gradient=_gradient(anomaly, e), hessian=_hessian(anomaly, e)),
        points=(
            Point("start", M=1.2, e=0.3),
            Point("Earth", M=0.5, e=0.0167),
            Point("circle", M=2.0, e=0.0),
            Point("Halley", M=3.0, e=0.967),
            Point("Mercury, many turns later", M=-100.0, e=0.2056),
        ),
        source="Danby: Fundamentals of Celestial Mechanics, 2nd ed. (1988), section 6.6, eqs. (6.6.4) and (6.6.6)",
    )


def _gradient(anomaly: Expr, e: Expr) -> list[Expr]:
    """By the theorem on implicit functions, from the equation alone: dE/dM = 1/(1 - e cos E), dE/de = sin E / (1 - e cos E)."""
    d = 1 - e * cos(anomaly)
    return [1 / d, sin(anomaly) / d]


def _hessian(anomaly: Expr, e: Expr) -> list[list[Expr]]:
    s, c = sin(anomaly), cos(anomaly)
    cube = (1 - e * c) ** 3
    mixed = (c - e) / cube
    return [[-e * s / cube, mixed], [mixed, s * (2 * c - e * (1 + c * c)) / cube]]

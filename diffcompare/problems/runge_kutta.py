"""An initial value problem solved by the classical method of Runge and Kutta, with its discrete adjoint."""

from __future__ import annotations

import numpy as np

from ..dsl import Function, function, symbol
from ..dsl.constants import constant
from ..dsl.core import Expr
from ..dsl.structural import concatenate
from ..problem import Array, Point, Problem, Size, family

END = 2.0
"""The time at which the solution is asked for."""


def ode_function(n: int, s: int, last: bool = False) -> Function:
    """y(2) of y_0' = x_0, y_i' = x_i y_(i-1), y(0) = 0, by s steps of fourth order; shape (n,), or the last component alone."""
    x = symbol("x", (n,))
    states = _solved(x, s)
    if not last:
        return function([x], states[-1], name="runge_kutta")
    return function([x], states[-1][n - 1], name="runge_kutta", gradient=[_adjoint(x, states, END / s)])


def _rate(x: Expr, y: Expr) -> Expr:
    """The right-hand side, x times the components before."""
    return x * _before(y)


def _before(y: Expr) -> Expr:
    """1, y_0, ..., y_(n-2)."""
    return concatenate([constant(np.ones(1)), y[:-1]])


def _stages(x: Expr, y: Expr, h: float) -> tuple[list[Expr], list[Expr]]:
    """(where the rate is taken, the rates), four of each."""
    places, rates = [y], [_rate(x, y)]
    for part in (h / 2, h / 2, h):
        places.append(y + part * rates[-1])
        rates.append(_rate(x, places[-1]))
    return places, rates


def _solved(x: Expr, s: int) -> list[Expr]:
    """y at each step."""
    states, h = [constant(np.zeros(x.shape))], END / s
    for _ in range(s):
        _, (a, b, c, d) = _stages(x, states[-1], h)
        states.append(states[-1] + h * (a + 2 * b + 2 * c + d) / 6)
    return states


def _adjoint(x: Expr, states: list[Expr], h: float) -> Expr:
    """The gradient of the last component: each step's stages backwards, as the transpose of the step."""
    (n,) = x.shape
    end = np.zeros(n)
    end[-1] = 1.0
    adjoint: Expr = constant(end)
    gradient: Expr = constant(np.zeros(n))
    for y in reversed(states[:-1]):
        places, _ = _stages(x, y, h)
        moved = adjoint
        later: Expr | None = None
        for place, weight, part in zip(reversed(places), (1, 2, 2, 1), (0.0, h, h / 2, h / 2), strict=True):
            rate = weight * h / 6 * adjoint if later is None else weight * h / 6 * adjoint + part * later
            gradient = gradient + rate * _before(place)
            later = concatenate([(x * rate)[1:], constant(np.zeros(1))])
            moved = moved + later
        adjoint = moved
    return gradient


@family(
    ("gradbench", "program"),
    n=Size(3, 1, 100_000, "components"),
    s=Size(2, 1, 1000, "steps; each is unrolled, 20 operations"),
)
def runge_kutta(n: int, s: int) -> Problem:
    """The last component of a chain of growth equations, after s steps of Runge and Kutta."""

    def at(label: str, x: Array) -> Point:
        return Point(label, x=x)

    places = np.arange(n)
    return Problem(
        function=ode_function(n, s, last=True),
        points=(
            at("start", 0.5 + places / n),
            at("ones", np.ones(n)),  # y_i = 2**(i+1) / (i+1)!, met up to fourth order
            at("a zero", np.where(places == 0, 0.0, 1.5)),  # all of the solution is 0
            at("signs", 10.0 * (-1.0) ** places),
        ),
        source="Hairer, Norsett, Wanner: Solving Ordinary Differential Equations I, 2nd ed. (1993), section II.1, table 1.2; "
        "the discrete adjoint: Hager, Numerische Mathematik 87 (2000); the equations as in GradBench's eval ode",
        operators=("gradient",),
    )

"""Formulas that subtract nearly equal numbers: right in algebra, wrong in floats; the hand formulas avoid it.

Each docstring says why the function is nasty. A method that keeps to the formula as it stands inherits the loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..dsl import function, symbol, symbols
from ..dsl.arithmetic import abs_, lt, sqrt, where
from ..dsl.composite import mean
from ..dsl.constants import constant
from ..dsl.core import Expr
from ..dsl.elementary import cos, exp, expm1, sin
from ..problem import Array, Point, Problem, Size, family

HIGHAM = "Higham: Accuracy and Stability of Numerical Algorithms, 2nd ed. (2002)"
TERMS = 24
"""Of a power series about 0 that serves for |x| < 1, where it is exact to 1/24!."""


def _near_zero(x: Expr, coefficient: Callable[[int], float], far: Callable[[Expr], Expr]) -> Expr:
    """Σ_k coefficient(k) x^k for |x| < 1, far(x) elsewhere."""
    near = lt(abs_(x), 1.0)
    small = where(near, x, 0.0)
    total: Expr | float = coefficient(TERMS)
    for k in reversed(range(TERMS)):
        total = coefficient(k) + small * total
    return where(near, total, far(where(near, 1.0, x)))


def _factorial_series(power: int, shift: int, signed: bool) -> Callable[[int], float]:
    """The coefficients of the derivative of order `power` of Σ ± x^j / (j + shift)!; signed: even j alone, with alternating signs."""

    def coefficient(k: int) -> float:
        j = k + power
        if signed and j % 2:
            return 0.0
        return (-1.0) ** (j // 2 if signed else 0) * math.perm(j, power) / math.factorial(j + shift)

    return coefficient


def _quadratic_root() -> Problem:
    """The root (-b + √(b² - 4ac)) / 2a for a large positive b.

    Nasty: -b and the root of nearly b² cancel; all digits are lost where 4ac/b² is below the rounding of 1.
    """
    a, b, c = inputs = symbols("a b c")
    root = sqrt(b**2 - 4 * a * c)
    # the same number as 2c / (-b - root), which adds what has one sign
    stable = -2 * c / (b + root)
    by_c = -1 / root
    gradient = [stable**2 * by_c, stable * by_c, by_c]
    # one more derivative of 1/√D, with D_a = -4c, D_b = 2b, D_c = -4a
    cube = 1 / root**3
    by_c_2, by_b_c, by_a_c = -2 * a * cube, b * cube, -2 * c * cube
    by_b_2 = gradient[1] * by_c + stable * by_b_c
    by_a_b = gradient[0] * by_c + stable * by_a_c
    by_a_2 = 2 * stable * gradient[0] * by_c + stable**2 * by_a_c
    return Problem(
        function=function(
            inputs,
            (-b + root) / (2 * a),
            name="quadratic_root",
            gradient=gradient,
            hessian=[[by_a_2, by_a_b, by_a_c], [by_a_b, by_b_2, by_b_c], [by_a_c, by_b_c, by_c_2]],
        ),
        points=(
            Point("start", a=1.0, b=3.0, c=2.0),
            Point("half the digits", a=1.0, b=1e4, c=1.0),
            Point("no digits", a=1.0, b=1e9, c=1.0),
        ),
        source=f"{HIGHAM}, section 1.8: solving a quadratic equation",
        tags=("nasty", "cancellation"),
    )


@family(("nasty", "cancellation"), n=Size(4, 2, 100_000, "entries; the Hessian has n² entries"))
def textbook_variance(n: int) -> Problem:
    """The variance as the mean of squares less the square of the mean.

    Nasty: for data far from 0 the two agree in all their digits, and the variance can come out negative. Its slope by
    the rules is 2x_i/n - 2 mean/n, which cancels only as much as x_i - mean itself.
    """
    x = symbol("x", (n,))
    hessian = constant(2 / n * np.eye(n)) - 2 / n**2
    spread = np.linspace(-1.0, 1.0, n)

    def at(label: str, values: Array) -> Point:
        return Point(label, x=values)

    return Problem(
        function=function([x], mean(x**2) - mean(x) ** 2, name="textbook_variance", gradient=[2 / n * (x - mean(x))], hessian=[[hessian]]),
        points=(at("start", spread), at("far", 2.0**20 + spread), at("very far", 2.0**40 + spread)),
        source=f"{HIGHAM}, section 1.9: computing the sample variance",
    )


def _versine_ratio() -> Problem:
    """(1 - cos x) / x², which goes to 1/2 at 0.

    Nasty: the difference loses twice as many digits as x has zeros, its derivative three times as many; at 1e-9 the
    value is 0. sinc(x/2)²/2 would be right everywhere.
    """
    x = symbol("x")
    slope = _near_zero(x, _factorial_series(1, 2, signed=True), lambda v: (v * sin(v) - 2 * (1 - cos(v))) / v**3)
    bend = _near_zero(x, _factorial_series(2, 2, signed=True), lambda v: (v**2 * cos(v) - 4 * v * sin(v) + 6 * (1 - cos(v))) / v**4)
    return Problem(
        function=function([x], (1 - cos(x)) / x**2, name="versine_ratio", derivative=slope, hessian=bend),
        points=_approaches(),
        source=f"{HIGHAM}, section 1.7: cancellation",
        tags=("nasty", "cancellation", "removable"),
    )


def _sine_ratio() -> Problem:
    """sin(x) / x as textbooks write it; the library's sinc is right at 0 as well.

    Nasty: a removable singularity. The value keeps all its digits, but the quotient rule subtracts cos(x)/x and
    sin(x)/x², which are 1/x each: below 1e-8 the derivative -x/3 has no right digit left.
    """
    x = symbol("x")
    slope = _near_zero(x, _factorial_series(1, 1, signed=True), lambda v: (v * cos(v) - sin(v)) / v**2)
    bend = _near_zero(x, _factorial_series(2, 1, signed=True), lambda v: (2 * sin(v) - 2 * v * cos(v) - v**2 * sin(v)) / v**3)
    return Problem(
        function=function([x], sin(x) / x, name="sine_ratio", derivative=slope, hessian=bend),
        points=_approaches(),
        source="Gautschi: Numerical Analysis, 2nd ed. (2012), section 1.3; Abramowitz, Stegun (1964), 4.3.74",
        tags=("nasty", "cancellation", "removable"),
    )


def _exponential_ratio() -> Problem:
    """(e^x - 1) / x with exp, not expm1.

    Nasty: a removable singularity whose value is already wrong: e^x rounds to 1 + a multiple of 2e-16, so that at 1e-15
    the quotient is 1.11. Its derivative goes to 1/2 and loses twice as many digits.
    """
    x = symbol("x")
    slope = _near_zero(x, _factorial_series(1, 1, signed=False), lambda v: (v * exp(v) - expm1(v)) / v**2)
    bend = _near_zero(x, _factorial_series(2, 1, signed=False), lambda v: (v**2 * exp(v) - 2 * v * exp(v) + 2 * expm1(v)) / v**3)
    return Problem(
        function=function([x], (exp(x) - 1) / x, name="exponential_ratio", derivative=slope, hessian=bend),
        points=_approaches(),
        source=f"{HIGHAM}, section 1.14.1: computing (e^x - 1)/x, with Kahan's algorithm",
        tags=("nasty", "cancellation", "removable"),
    )


def _approaches() -> tuple[Point, ...]:
    return (
        Point("start", x=1.5),
        Point("near", x=0.1),
        Point("nearer", x=1e-3),
        Point("half the digits", x=-1e-8),
        Point("on the doorstep", x=1e-15),
    )


quadratic_root = _quadratic_root()
versine_ratio = _versine_ratio()
sine_ratio = _sine_ratio()
exponential_ratio = _exponential_ratio()

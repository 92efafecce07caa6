"""Kinks, steps and plateaus: functions that a difference of two values misreads, at any step.

Each docstring says why the function is nasty. Points lie beside the kinks, where derivatives are what they are.
"""

from __future__ import annotations

import numpy as np

from ..dsl import function, symbol, symbols
from ..dsl.arithmetic import abs_, floor, lt, maximum, sign, where
from ..dsl.constants import as_expr
from ..dsl.core import Expr
from ..dsl.elementary import exp, sech2, tanh
from ..dsl.structural import concatenate
from ..dsl.structural import sum as sum_of
from ..problem import Array, Point, Problem, Size, family


def _kinked_valley() -> Problem:
    """8 |x² - y| + (1 - x)²: Rosenbrock's curved valley with a kink at its bottom.

    Nasty: beside the kink a difference whose step crosses it gives a mean of the two slopes, however small the step is
    made relative to x and y; and no step of descent stays on the bottom, it runs from side to side.
    """
    x, y = inputs = symbols("x y")
    side = sign(x**2 - y)
    zero = as_expr(0.0)
    return Problem(
        function=function(
            inputs,
            8 * abs_(x**2 - y) + (1 - x) ** 2,
            name="kinked_valley",
            gradient=[16 * side * x - 2 * (1 - x), -8 * side],
            hessian=[[16 * side + 2, zero], [zero, zero]],
        ),
        points=(
            Point("start", x=-1.5, y=2.0),
            Point("beside the valley", x=0.5, y=0.25 - 1e-12),
            Point("beside the minimum", x=1.0, y=1.0 + 1e-15),
        ),
        source="Lewis, Overton: Nonsmooth optimization via quasi-Newton methods, Math. Program. 141 (2013), section 5: the nonsmooth "
        "variant of Rosenbrock's function with weight 8",
        tags=("nasty", "kink"),
    )


def _staircase() -> Problem:
    """x + floor(8x)/8: steps on a slope.

    Nasty: the derivative is 1 wherever there is one. A difference across a step, 1e-9 away, gives 1/(8h); so does one with
    a large step, 2 on average. No method can see the steps in a derivative.
    """
    x = symbol("x")
    return Problem(
        function=function([x], x + floor(8 * x) / 8, name="staircase", derivative=as_expr(1.0), hessian=as_expr(0.0)),
        points=(Point("start", x=0.3), Point("below a step", x=0.5 - 1e-9), Point("on a far step", x=1e6 + 0.03)),
        source="Griewank, Walther: Evaluating Derivatives, 2nd ed. (2008), chapter 14: programs with steps are differentiated piece by piece",
        tags=("nasty", "kink"),
    )


def _flat_spot() -> Problem:
    """exp(-1/x²) (1 + y²): infinitely flat at x = 0.

    Nasty: at x = 0.05 value and slope are 1e-174: a stationary point for any test with a tolerance, and a difference of two
    such values has either no digit or the wrong size, since the value grows fivefold over a step of 1e-4.
    """
    x, y = inputs = symbols("x y")
    bell, wall = exp(-1 / x**2), 1 + y**2
    by_x = 2 / x**3 * bell
    mixed = 2 * y * by_x
    bend = (4 / x**6 - 6 / x**4) * bell
    return Problem(
        function=function(
            inputs, bell * wall, name="flat_spot", gradient=[by_x * wall, 2 * y * bell], hessian=[[bend * wall, mixed], [mixed, 2 * bell]]
        ),
        points=(Point("start", x=0.8, y=0.5), Point("flat", x=0.05, y=1.0), Point("flatter", x=-0.039, y=-2.0), Point("far", x=1e3, y=0.1)),
        source="Cauchy (1823): a function whose Taylor series about 0 is 0; Spivak: Calculus, 4th ed. (2008), chapter 20",
        tags=("nasty", "plateau"),
    )


@family(("nasty", "plateau"), n=Size(3, 1, 1000, "steps of the plateau, unlike heights"))
def plateaus(n: int) -> Problem:
    """Σ_k tanh(40 (x - k)) / k: nearly steps, with slopes of 1e-30 between them.

    Nasty: between the steps 1 - tanh² is 0 in floats although the derivative is not: sech² has to be computed as such.
    Differences see no change at all. An optimiser starves here: the vanishing gradient of saturated units.
    """
    x = symbol("x")
    k = np.arange(1.0, n + 1)
    z = 40 * (x - k)
    return Problem(
        function=function(
            [x],
            sum_of(tanh(z) / k),
            name="plateaus",
            derivative=sum_of(40 / k * sech2(z)),
            hessian=sum_of(-3200 / k * tanh(z) * sech2(z)),
        ),
        points=(Point("start", x=1.01), Point("between", x=1.5), Point("before all", x=-3.0), Point("after all", x=n + 5.0)),
        source="Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, AISTATS (2010), section 3: "
        "saturated tanh units",
    )


@family(("nasty", "kink"), n=Size(4, 2, 1000, "entries of x"))
def sorted_ramps(n: int) -> Problem:
    """Σ max(x_i - x_(i+1), 0) + Σ |x_i|³: kinks of the first and of the third order.

    Nasty: hinges 1e-13 away from their kinks, where a difference steps over all of them at once.
    """
    x = symbol("x", (n,))
    fall = x[:-1] - x[1:]
    active = where(lt(0.0, fall), 1.0, 0.0)
    slope = _padded(active, after=True) - _padded(active, after=False) + 3 * x * abs_(x)
    places = np.arange(1.0, n + 1)

    def at(label: str, values: Array) -> Point:
        return Point(label, x=values)

    return Problem(
        function=function([x], sum_of(maximum(fall, 0.0)) + sum_of(abs_(x) ** 3), name="sorted_ramps", gradient=[slope]),
        points=(
            at("start", np.where(places % 2 == 1, 0.5, -1.0) * places),
            at("nearly level", 1.0 + 1e-13 * (-1.0) ** places),
            at("rising", places),
        ),
        source="Tibshirani, Hoefling, Tibshirani: Nearly-Isotonic Regression, Technometrics 53 (2011), eq. (2): the penalty on falls, "
        "with cubes in place of the squares",
        operators=("gradient",),
    )


def _padded(x: Expr, after: bool) -> Expr:
    """One zero at the end, or at the start."""
    return concatenate([x, np.zeros(1)]) if after else concatenate([np.zeros(1), x])


kinked_valley = _kinked_valley()
staircase = _staircase()
flat_spot = _flat_spot()

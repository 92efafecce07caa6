"""Formulas whose intermediates leave the range of floats although arguments, value and derivatives are ordinary numbers.

Each docstring says why the function is nasty. The rules of differentiation build factors that overflow, or vanish, even
where the value does not; where they do, only a formula worked out by hand is right, and the tag "range" says so.
"""

from __future__ import annotations

import numpy as np

from ..dsl import function, symbol, symbols
from ..dsl.arithmetic import sqrt
from ..dsl.composite import softmax
from ..dsl.constants import constant
from ..dsl.contraction import embed_diagonal
from ..dsl.elementary import exp, expm1, hypot, log
from ..dsl.structural import sum as sum_of
from ..problem import Array, Point, Problem, Size, family

SMALLEST, LARGEST = -33, 29
"""Powers of ten between which the scales of one vector lie."""


def _textbook_hypotenuse() -> Problem:
    """√(x² + y²) as it stands.

    Nasty: x² overflows from 1e154 on and vanishes below 1e-162, though the length is within the range. The library's
    hypot and norm divide by the larger side first.
    """
    x, y = inputs = symbols("x y")
    r = hypot(x, y)
    return Problem(
        function=function(inputs, sqrt(x**2 + y**2), name="textbook_hypotenuse", gradient=[x / r, y / r]),
        points=(
            Point("start", x=3.0, y=4.0),
            Point("large", x=3e200, y=-4e200),
            Point("small", x=3e-200, y=4e-200),
            Point("thin", x=1e-100, y=1.0),
        ),
        source="Moler, Morrison: Replacing Square Roots by Pythagorean Sums, IBM J. Res. Dev. 27 (1983)",
        tags=("nasty", "range"),
        operators=("gradient",),
    )


@family(("nasty", "range"), n=Size(3, 2, 1000, "entries of x"))
def textbook_log_sum_exp(n: int) -> Problem:
    """log Σ exp(x_i) as it stands.

    Nasty: exp(1000) is infinite and exp(-1000) is 0, so that the value is ∞ or -∞ and the derivative NaN, though they are
    about 1000 and between 0 and 1. The library's logsumexp takes the largest entry out first.
    """
    x = symbol("x", (n,))
    steps = np.linspace(0.0, 2.0, n)

    def at(label: str, values: Array) -> Point:
        return Point(label, x=values)

    return Problem(
        function=function([x], log(sum_of(exp(x))), name="textbook_log_sum_exp", gradient=[softmax(x)]),
        points=(at("start", steps), at("at 1000", 1000 + steps), at("at -1000", -1000 - steps)),
        source="Blanchard, Higham, Higham: Accurately computing the log-sum-exp and softmax functions, IMA J. Numer. Anal. 41 (2021), "
        "section 1",
        operators=("gradient",),
    )


def _bose_einstein() -> Problem:
    """1 / (e^x - 1), the mean number of bosons in a state.

    Nasty: at x = 400 the value, 2e-174, is right, but the rule for the quotient forms value/(e^x - 1), which is 0 in
    floats, and multiplies it by e^x: the slope is 0, and wrong in all its digits. Below 1e-8 e^x - 1 cancels as well.
    """
    x = symbol("x")
    rest = -expm1(-x)  # 1 - e^-x
    occupied = exp(-x) / rest
    slope = -occupied / rest
    bend = occupied / rest * ((1 + exp(-x)) / rest)
    return Problem(
        function=function([x], 1 / (exp(x) - 1), name="bose_einstein", derivative=slope, hessian=bend),
        points=(Point("start", x=1.0), Point("cold", x=400.0), Point("colder", x=650.0), Point("hot", x=1e-6)),
        source="Landau, Lifshitz: Statistical Physics, 3rd ed. (1980), section 54, eq. (54.2)",
        tags=("nasty", "range", "cancellation"),
    )


@family(("nasty", "scales"), n=Size(5, 2, 1000, "entries of x, their scales between 1e-33 and 1e29"))
def scales(n: int) -> Problem:
    """Σ √(1 + (x_i/s_i)²) with scales s from 1e-33 to 1e29 in one vector.

    Nasty: entries of the gradient lie 62 powers of ten apart, and the small ones are lost in any norm of it. A step
    that fits one entry is nothing for another: at x = 0 a difference with a step near 1e-8 is wrong for all small scales.
    """
    x = symbol("x", (n,))
    s = 10.0 ** np.linspace(SMALLEST, LARGEST, n)
    ratio = x * (1 / s)
    length = sqrt(1 + ratio**2)
    signs = (-1.0) ** np.arange(n)

    def at(label: str, values: Array) -> Point:
        return Point(label, x=values)

    return Problem(
        function=function(
            [x],
            sum_of(length),
            name="scales",
            gradient=[ratio / (s * length)],
            hessian=[[embed_diagonal.apply([1 / (constant(s) * s * length**3)], (-2, -1))]],
        ),
        points=(
            at("start", 0.7 * s * signs),
            at("origin", np.zeros(n)),
            at("beyond", 1e6 * s * signs),
            at("one size", np.full(n, 1e-2)),
        ),
        source="the scales of Gill, Murray, Wright: Practical Optimization (1981), section 8.7, driven to the ends; "
        "the function: the pseudo-Huber loss of Charbonnier et al., IEEE Trans. Image Process. 6 (1997)",
    )


textbook_hypotenuse = _textbook_hypotenuse()
bose_einstein = _bose_einstein()

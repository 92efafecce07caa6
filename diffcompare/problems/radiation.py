"""The light of hot bodies."""

from __future__ import annotations

import math

from ..dsl import function, symbols
from ..dsl.arithmetic import lt, where
from ..dsl.core import Expr
from ..dsl.elementary import exp, expm1, sinh, tanh
from ..problem import Point, Problem

H = 6.62607015e-34
"""The constant of Planck in J s, exact since 2019 (CODATA)."""
K = 1.380649e-23
"""The constant of Boltzmann in J/K, exact since 2019 (CODATA)."""
C = 299_792_458.0
"""The speed of light in m/s."""
TERMS = 9
"""Of the series of y cosh y - sinh y, which for y < 1 is exact to 1/20!."""


def _planck() -> Problem:
    """The spectral radiance 2 h ν³ / c² / (exp(hν / kT) - 1), W/(m² sr Hz), of frequency nu in Hz and temperature T in K."""
    nu, t = inputs = symbols("nu T")
    x = H * nu / (K * t)
    # exp(-x) / (1 - exp(-x)), not 1 / (exp(x) - 1): the slope of that quotient is 0 in floats from x = 373 on
    radiance = 2 * H / C**2 * nu**3 * (exp(-x) / -expm1(-x))
    return Problem(
        function=function(inputs, radiance, name="planck", gradient=_gradient(nu, t), hessian=_hessian(nu, t)),
        points=(
            Point("start", nu=5.4e14, T=5772.0),  # green light of the sun
            Point("sky", nu=1.6e11, T=2.725),  # where the cosmic background is brightest in frequency
            Point("radio", nu=1.4e6, T=300.0),  # hν/kT is 2e-7: exp(x) - 1 would lose half its digits
            Point("dark", nu=3e14, T=25.0),  # hν/kT is 576: the radiance is 1e-257
        ),
        source="Planck: Über das Gesetz der Energieverteilung im Normalspectrum, Annalen der Physik 309 (1901), eq. (12), as radiance; "
        "Rybicki, Lightman: Radiative Processes in Astrophysics (1979), eq. (1.51)",
        tags=("physics", "scales"),
    )


def _parts(nu: Expr, t: Expr) -> tuple[Expr, Expr, Expr]:
    """(B, x = hν/kT, g = x / (1 - exp(-x))): with x g' = g (1 + x - g) all derivatives are B times polynomials in x and g."""
    x = H * nu / (K * t)
    return 2 * H / C**2 * nu**3 * (exp(-x) / -expm1(-x)), x, -x / expm1(-x)


def _gradient(nu: Expr, t: Expr) -> list[Expr]:
    b, _, g = _parts(nu, t)
    return [b / nu * (3 - g), b / t * g]


def _hessian(nu: Expr, t: Expr) -> list[list[Expr]]:
    b, x, g = _parts(nu, t)
    mixed = b / nu / t * (g * (4 - 2 * g + x))
    return [[b / nu / nu * (6 - g * (6 - 2 * g + x)), mixed], [mixed, b / t / t * (2 * g * _bend(0.5 * x))]]


def _bend(y: Expr) -> Expr:
    """g - 1 - x/2 = y / tanh(y) - 1 for y = x/2 > 0; below 1 as (y cosh y - sinh y) / sinh y, whose upper part is a series."""
    near = lt(y, 1.0)
    small, large = where(near, y, 0.5), where(near, 1.0, y)
    series: Expr | float = 0.0
    for k in range(TERMS, 0, -1):
        series = 2 * k / math.factorial(2 * k + 1) + small**2 * series
    return where(near, small**3 * series / sinh(small), large / tanh(large) - 1)


planck = _planck()

"""The light of hot bodies."""

from __future__ import annotations

from ..dsl import function, symbols
from ..dsl.core import Expr
from ..dsl.elementary import exp, expm1
from ..problem import Point, Problem

H = 6.62607015e-34
"""The constant of Planck in J s, exact since 2019 (CODATA)."""
K = 1.380649e-23
"""The constant of Boltzmann in J/K, exact since 2019 (CODATA)."""
C = 299_792_458.0
"""The speed of light in m/s."""


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


def _parts(nu: Expr, t: Expr) -> tuple[Expr, Expr, Expr, Expr]:
    """(B, x = hν/kT, g = x / (1 - exp(-x)), x g'): all derivatives of B are B times polynomials in g and x g' over ν and T."""
    x = H * nu / (K * t)
    g = -x / expm1(-x)
    return 2 * H / C**2 * nu**3 * (exp(-x) / -expm1(-x)), x, g, g * (1 - g * exp(-x))


def _gradient(nu: Expr, t: Expr) -> list[Expr]:
    b, _, g, _ = _parts(nu, t)
    return [b / nu * (3 - g), b / t * g]


def _hessian(nu: Expr, t: Expr) -> list[list[Expr]]:
    b, _, g, slope = _parts(nu, t)
    mixed = b / nu / t * (g * (3 - g) + slope)
    return [[b / nu / nu * ((3 - g) * (2 - g) - slope), mixed], [mixed, b / t / t * (g * (g - 1) - slope)]]


planck = _planck()

"""The gamma function and its logarithmic derivatives, the complementary error function, the logarithm of the sigmoid."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .accuracy import Bound
from .arithmetic import abs_, inside, lt, minimum, where
from .core import Expr, register
from .elementary import TWO_OVER_SQRT_PI, exp, gauss, log1p, sigmoid
from .elementwise import POSITIVE, Elementwise, Interval
from .trigonometric import cospi, sinpi


@dataclass(frozen=True)
class NonpositiveIntegers:
    """0, -1, -2, ...: the poles of the gamma function."""

    def __contains__(self, x: object) -> bool:
        return isinstance(x, int | float) and x <= 0 and x == math.floor(x)

    def __str__(self) -> str:
        return "{0, -1, -2, ...}"


WITHOUT_POLES = Interval(gap=NonpositiveIntegers())

erfc = register(
    Elementwise(
        "erfc",
        partials=lambda y, x: (-TWO_OVER_SQRT_PI * gauss(x),),
        array="erfc",
        scalar="erfc",
        sympy=lambda sp, x: sp.erfc(x),
        ball=lambda b, x: x.erfc(),
    )
)

log_sigmoid = register(
    Elementwise(
        "log_sigmoid",
        evaluate=lambda x: minimum(x, 0.0) - log1p(exp(-abs_(x))),
        partials=lambda y, x: (sigmoid(-x),),
        ball=lambda b, x: -b.log1p((-x).exp()),
    )
)

# --- the gamma function ---

BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798)
SHIFT = 10


def _polygamma(n: int, x: Expr) -> Expr:
    """The n-th derivative of digamma, n >= 1, for x > 0: n! Σ 1/(x+k)^(n+1), its first terms and their rest by Euler and Maclaurin.

    Nothing cancels: all but small terms of the rest have one sign, also when it is differentiated.
    Source: Abramowitz and Stegun, 6.4.10 and 6.4.11.
    """
    few = lt(x, float(SHIFT))
    z = x + where(few, float(SHIFT), 0.0)
    w = 1.0 / z
    rest: Expr | float = 0.0
    for k in range(len(BERNOULLI), 0, -1):
        rest = (BERNOULLI[k - 1] * (math.factorial(2 * k + n - 1) / math.factorial(2 * k)) + rest) * (w * w)
    total = float(math.factorial(n - 1)) + (0.5 * math.factorial(n) * w + rest)
    for _ in range(n):
        total = total / z
    terms: Expr | float = 0.0
    for k in reversed(range(SHIFT)):
        terms = float(math.factorial(n)) / (x + float(k)) ** (n + 1) + terms
    total = where(few, total + terms, total)
    return total if n % 2 else -total


def _trigamma_value(x: Expr) -> Expr:
    r = math.pi / sinpi(x)
    rest = _polygamma(1, where(lt(0.0, x), x, 1.0 - x))
    return where(lt(0.0, x), rest, r * r - rest)


def _tetragamma(x: Expr) -> Expr:
    r = math.pi / sinpi(x)
    rest = _polygamma(2, where(lt(0.0, x), x, 1.0 - x))
    return where(lt(0.0, x), rest, rest - 2.0 * (r * r * r * cospi(x)))


def _digamma_size(x: float) -> float:
    """The larger term of psi(1 - x) - pi cot(pi x) for x < 0; 0 for x > 0, where there is one term."""
    return max(math.log(1.5 - x), math.pi / abs(math.tan(math.pi * math.remainder(x, 1.0)))) if x < 0 else 0.0


def _trigamma_slope_size(x: float) -> float:
    """The larger term of psi''(1 - x) - 2 pi³ cos / sin³ for x < 0."""
    r = math.remainder(x, 1.0) * math.pi
    return max(1.0 / (1.0 - x) ** 2, 2 * math.pi**3 * math.cos(r) / abs(math.sin(r)) ** 3) if x < 0 else 0.0


def _gamma_size(x: float) -> float:
    return abs(math.gamma(x)) * _digamma_size(x) if abs(x) < 170 else 0.0


REFLECTED = "vanishes between poles, where two terms of the reflection formula cancel"
REFLECTION = Bound(8.0, "below 0 it is (pi / sin pi x)² less a smaller term: seven roundings in a row")
PLATFORM = "the gamma function and its logarithmic derivative are the platform's"

trigamma = register(
    Elementwise(
        "trigamma",
        evaluate=_trigamma_value,
        partials=lambda y, x: (_tetragamma(x),),
        singular=lambda node: True,
        ball=lambda b, x: b.trigamma(x),
        domain=(WITHOUT_POLES,),
        bounds={(): REFLECTION, (0,): Bound(8.0, REFLECTED, _trigamma_slope_size)},
        promised=1,
    )
)

digamma_positive = register(
    Elementwise(
        "digamma_positive",  # the platform's; for x < 0 it has no correct digit just above poles
        partials=lambda y, x: (inside(lt(0.0, x), trigamma(x)),),
        singular=lambda node: True,
        array="digamma",
        scalar="digamma",
        sympy=lambda sp, x: sp.digamma_positive(x),
        ball=lambda b, x: b.digamma(x),
        domain=(POSITIVE,),
    )
)


def _digamma_value(x: Expr) -> Expr:
    rest = digamma_positive(where(lt(0.0, x), x, 1.0 - x))
    return where(lt(0.0, x), rest, rest - math.pi * (cospi(x) / sinpi(x)))


digamma = register(
    Elementwise(
        "digamma",
        evaluate=_digamma_value,
        partials=lambda y, x: (trigamma(x),),
        singular=lambda node: True,
        ball=lambda b, x: b.digamma(x),
        domain=(WITHOUT_POLES,),
        bounds={(): Bound(16.0, REFLECTED, _digamma_size), (0,): REFLECTION, (0, 0): Bound(8.0, REFLECTED, _trigamma_slope_size)},
    )
)

gamma: Elementwise = register(
    Elementwise(
        "gamma",
        partials=lambda y, x: (y * digamma(x),),
        singular=lambda node: True,
        array="gamma",
        scalar="gamma",
        sympy=lambda sp, x: sp.gamma(x),
        ball=lambda b, x: x.gamma(),
        domain=(WITHOUT_POLES,),
        bounds={(0,): Bound(16.0, PLATFORM, _gamma_size), (0, 0): Bound(16.0, PLATFORM)},
    )
)

lgamma: Elementwise = register(
    Elementwise(
        "lgamma",
        partials=lambda y, x: (digamma(x),),
        singular=lambda node: True,
        array="gammaln",
        scalar="lgamma",
        sympy=lambda sp, x: sp.lgamma(x),
        ball=lambda b, x: b.lgamma(x),
        domain=(WITHOUT_POLES,),
        bounds={(0,): Bound(16.0, PLATFORM, _digamma_size), (0, 0): REFLECTION},
    )
)

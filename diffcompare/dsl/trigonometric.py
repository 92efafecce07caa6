"""Secant, cosecant, cotangent and their inverses; sine and cosine of multiples of pi, and sinc.

The inverses are written in sqrt(x² - 1) and not in 1/x, whose rounding costs half of the digits near |x| = 1.
"""

from __future__ import annotations

import math

from . import complex_forms as forms
from .accuracy import Bound
from .arithmetic import abs_, eq, floor, inside, le, lt, sign, sqrt, where
from .core import Expr, register
from .elementary import ROUNDINGS, SUM_OF_SQUARES, THIRD, atan, atan2, atan_slope, cos, sin, tan
from .elementwise import NONZERO, Elementwise, Interval
from .rounding import round_

OUTSIDE_UNIT = Interval(gap=Interval(-1.0, 1.0, True, True))
"""|x| >= 1."""

# --- sec, csc, cot ---

sec: Elementwise = register(
    Elementwise(
        "sec",
        evaluate=lambda x: 1.0 / cos(x),
        partials=lambda y, x: (y * tan(x),),
        ball=lambda b, x: b.sec(x),
    )
)

csc: Elementwise = register(
    Elementwise(
        "csc",
        evaluate=lambda x: 1.0 / sin(x),
        partials=lambda y, x: (-(y * cot(x)),),
        singular=lambda node: True,
        ball=lambda b, x: b.csc(x),
        domain=(NONZERO,),
        bounds={(0, 0): ROUNDINGS},
    )
)

cot: Elementwise = register(
    Elementwise(
        "cot",
        evaluate=lambda x: 1.0 / tan(x),
        partials=lambda y, x: (-(csc(x) * csc(x)),),
        singular=lambda node: True,
        ball=lambda b, x: b.cot(x),
        domain=(NONZERO,),
        bounds={(0, 0): ROUNDINGS},
    )
)

# --- their inverses ---


def square_less_one(x: Expr) -> Expr:
    return (x - 1.0) * (x + 1.0)  # not x² - 1, which cancels near |x| = 1


def leg(a: Expr) -> Expr:
    """√(a² - 1) for a >= 1; from 1e8 on it rounds to a, and a² would overflow past 1e154."""
    return where(lt(a, 1e8), sqrt(square_less_one(a)), a)


def _asec_bend(x: Expr) -> Expr:
    """-sign(x) (2x² - 1) / (x² (x² - 1)^(3/2)), without cancellation; past 1e8 the 1 is lost."""
    a = abs_(x)
    near = (1.0 / (a * a) + 1.0 / square_less_one(a)) / leg(a)
    return -(sign(x) * where(lt(a, 1e8), near, 2.0 / a / a / a))


asec_slope = register(
    Elementwise(
        "asec_slope",
        evaluate=lambda x: inside(le(1.0, abs_(x)), 1.0 / abs_(x) / leg(abs_(x))),
        partials=lambda s, x: (_asec_bend(x),),
        singular=lambda node: True,
        bounds={(0,): ROUNDINGS, (0, 0): THIRD},
        domain=(Interval(gap=Interval(-1.0, 1.0)),),
    )
)

asec = register(
    Elementwise(
        "asec",
        evaluate=lambda x: atan2(inside(le(1.0, abs_(x)), leg(abs_(x))), sign(x)),
        partials=lambda y, x: (asec_slope(x),),
        singular=lambda node: True,
        ball=lambda b, x: b.asec(x),
        domain=(OUTSIDE_UNIT,),
        bounds={(0, 0): ROUNDINGS},
    )
)

acsc = register(
    Elementwise(
        "acsc",
        evaluate=lambda x: atan2(sign(x), inside(le(1.0, abs_(x)), leg(abs_(x)))),
        partials=lambda y, x: (-asec_slope(x),),
        singular=lambda node: True,
        ball=lambda b, x: b.acsc(x),
        domain=(OUTSIDE_UNIT,),
        bounds={(0, 0): ROUNDINGS},
    )
)

acot = register(
    Elementwise(
        "acot",
        evaluate=lambda x: atan(1.0 / x),
        partials=lambda y, x: (-atan_slope(x),),
        ball=lambda b, x: b.acot(x),
        domain=(NONZERO,),
        kinks=lambda x: eq(x, 0.0),
        convention="-1 at the jump at 0, its limit from both sides",
        bounds={(0, 0): SUM_OF_SQUARES},
    )
)

# --- multiples of pi: x is reduced exactly, where pi x would lose a digit for each digit before the point ---


def _reduced(x: Expr) -> tuple[Expr, Expr]:
    """(r, s) with x = n + r, |r| <= 1/2, and s = ±1 the sign (-1)**n."""
    n = round_(x)
    return x - n, 1.0 - 2.0 * (n - 2.0 * floor(0.5 * n))


def _sinpi_value(x: Expr) -> Expr:
    r, s = _reduced(x)
    return s * sin(math.pi * r)


def _cospi_value(x: Expr) -> Expr:
    r, s = _reduced(x)
    a = abs_(r)
    return s * where(lt(a, 0.25), cos(math.pi * a), sin(math.pi * (0.5 - a)))


sinpi: Elementwise = register(
    Elementwise(
        "sinpi",
        evaluate=_sinpi_value,
        partials=lambda y, x: (math.pi * cospi(x),),
        ball=lambda b, x: x.sin_pi(),
        complex=forms.sinpi,
    )
)

cospi: Elementwise = register(
    Elementwise(
        "cospi",
        evaluate=_cospi_value,
        partials=lambda y, x: (-math.pi * sinpi(x),),
        ball=lambda b, x: x.cos_pi(),
        complex=forms.cospi,
    )
)

SINC_SERIES = [(-1.0) ** k * math.pi ** (2 * k) * 2 * k / math.factorial(2 * k + 1) for k in range(1, 14)]
"""sinc'(x) = Σ c_k x^(2k-1), to 1/2."""


def _sinc_slope(x: Expr) -> Expr:
    """(cos πx - sinc x) / x; near 0, where that cancels, its series. Its own derivatives follow by the chain rule."""
    square = x * x
    near: Expr | float = SINC_SERIES[-1]
    for c in reversed(SINC_SERIES[:-1]):
        near = c + square * near
    return where(lt(abs_(x), 0.5), x * near, (cospi(x) - sinpi(x) / (math.pi * x)) / x)


def _sinc_slope_size(x: float) -> float:
    t = math.pi * math.remainder(x, 2.0)
    return max(abs(math.cos(t) / x), abs(math.sin(t) / x / x / math.pi)) if abs(x) >= 0.5 else 0.0


def _sinc_second_size(x: float) -> float:
    t = math.pi * math.remainder(x, 2.0)
    return max(abs(math.pi * math.sin(t) / x), 2 * abs(math.cos(t) / x / x)) if abs(x) >= 0.5 else 0.0


sinc = register(
    Elementwise(
        "sinc",
        evaluate=lambda x: where(eq(x, 0.0), 1.0, sinpi(x) / (math.pi * x)),
        partials=lambda y, x: (_sinc_slope(x),),
        ball=lambda b, x: b.sinc(x),
        bounds={
            (0,): Bound(4.0, "cos(πx)/x - sin(πx)/πx² vanishes where tan πx = πx", _sinc_slope_size),
            (0, 0): Bound(4.0, "vanishes near x = 0.66 and beyond", _sinc_second_size),
        },
    )
)

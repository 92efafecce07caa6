"""The inverse hyperbolic functions, and sech, csch, coth with theirs; sinh, cosh and tanh are in elementary.py."""

from __future__ import annotations

import math

import numpy as np

from . import complex_forms as forms
from .accuracy import Bound
from .arithmetic import abs_, inside, le, lt, sign, sqrt, where
from .core import Expr, register
from .elementary import ROUNDINGS, THIRD, cosh, hypot, log, log1p, one_minus_square, sinh, tanh
from .elementwise import NONZERO, Elementwise, Interval
from .trigonometric import leg, square_less_one

LOG_2 = math.log(2.0)
BEYOND_UNIT = Interval(gap=Interval(-1.0, 1.0))
"""|x| > 1."""
HALF_OPEN = Interval(0.0, 1.0, open_lo=True)
OPEN_UNIT = Interval(-1.0, 1.0, True, True)

# --- inverses of sinh, cosh, tanh ---


def _asinh_third_size(x: float) -> float:
    return max(1.0, 2.0 * x * x) / (1.0 + x * x) ** 2.5 if abs(x) < 1e60 else 0.0


def _asinh_bend(x: Expr) -> Expr:
    """x / (1 + x²)^(3/2); past 1e8 the 1 is lost, and x² would overflow."""
    square = 1.0 + x * x
    return where(lt(abs_(x), 1e8), x / square / sqrt(square), 1.0 / x / abs_(x))


asinh_slope = register(
    Elementwise(
        "asinh_slope",
        evaluate=lambda x: 1.0 / hypot(1.0, x),  # not 1/√(1 + x²), which is 0 past 1e154
        partials=lambda s, x: (-_asinh_bend(x),),
        bounds={(0, 0): Bound(8.0, "(2 x² - 1) / (1 + x²)^(5/2) vanishes at 1/√2", _asinh_third_size)},
    )
)

asinh: Elementwise = register(
    Elementwise(
        "asinh",
        partials=lambda y, x: (asinh_slope(x),),
        array="arcsinh",
        scalar="asinh",
        sympy=lambda sp, x: sp.asinh(x),
        ball=lambda b, x: b.asinh(x),
        complex=forms.asinh,
    )
)

acosh_slope = register(
    Elementwise(
        "acosh_slope",
        evaluate=lambda x: inside(le(1.0, x), 1.0 / leg(x)),
        partials=lambda s, x: (-inside(le(1.0, x), where(lt(x, 1e8), x / square_less_one(x), 1.0 / x) / leg(x)),),
        singular=lambda node: True,
        bounds={(0,): ROUNDINGS, (0, 0): THIRD},
        domain=(Interval(1.0, open_lo=True),),
    )
)

acosh = register(
    Elementwise(
        "acosh",
        partials=lambda y, x: (acosh_slope(x),),
        singular=lambda node: True,
        array="arccosh",
        scalar="acosh",
        sympy=lambda sp, x: sp.acosh(x),
        ball=lambda b, x: b.acosh(x),
        complex=forms.acosh,
        domain=(Interval(1.0),),
        bounds={(0, 0): ROUNDINGS},
    )
)

atanh_slope = register(
    Elementwise(
        "atanh_slope",
        evaluate=lambda x: inside(le(abs_(x), 1.0), 1.0 / one_minus_square(x)),
        partials=lambda s, x: (inside(le(abs_(x), 1.0), 2.0 * (x / one_minus_square(x) / one_minus_square(x))),),
        bounds={(0,): ROUNDINGS, (0, 0): THIRD},
        singular=lambda node: True,
        domain=(OPEN_UNIT,),
    )
)

atanh = register(
    Elementwise(
        "atanh",
        partials=lambda y, x: (atanh_slope(x),),
        singular=lambda node: True,
        array="arctanh",
        scalar="atanh",
        sympy=lambda sp, x: sp.atanh(x),
        ball=lambda b, x: b.atanh(x),
        complex=forms.atanh,
        domain=(OPEN_UNIT,),
        bounds={(0, 0): ROUNDINGS},
    )
)

# --- sech, csch, coth ---

sech: Elementwise = register(
    Elementwise(
        "sech",
        evaluate=lambda x: 1.0 / cosh(x),
        partials=lambda y, x: (-(y * tanh(x)),),
        ball=lambda b, x: b.sech(x),
        bounds={(0, 0): Bound(4.0, "s (tanh² - s²) vanishes where sinh = 1", lambda x: 1.0 / math.cosh(min(abs(x), 700.0)))},
    )
)

csch: Elementwise = register(
    Elementwise(
        "csch",
        evaluate=lambda x: 1.0 / sinh(x),
        partials=lambda y, x: (-(y * coth(x)),),
        singular=lambda node: True,
        ball=lambda b, x: b.csch(x),
        domain=(NONZERO,),
        bounds={(0, 0): ROUNDINGS},
    )
)

coth: Elementwise = register(
    Elementwise(
        "coth",
        evaluate=lambda x: 1.0 / tanh(x),
        partials=lambda y, x: (-(csch(x) * csch(x)),),
        singular=lambda node: True,
        ball=lambda b, x: b.coth(x),
        domain=(NONZERO,),
        bounds={(0, 0): ROUNDINGS},
    )
)

# --- their inverses ---

asech_slope = register(
    Elementwise(
        "asech_slope",
        evaluate=lambda x: inside(le(0.0, x), -1.0 / abs_(x) / sqrt(one_minus_square(x))),
        partials=lambda s, x: (-(s * (_one_minus_two_squares(x) / one_minus_square(x)) / x),),
        singular=lambda node: True,
        bounds={(0,): ROUNDINGS, (0, 0): THIRD},
        domain=(Interval(0.0, 1.0, True, True),),
    )
)

ROOT_HALF = math.sqrt(0.5)
ROOT_HALF_HEAD = float(np.float32(ROOT_HALF))
ROOT_HALF_RESIDUE = -1.3671617315323846e-16
"""1 - 2 ROOT_HALF², of the rounded constant."""


def _one_minus_two_squares(x: Expr) -> Expr:
    """1 - 2x², by the distance from its root: x² itself, rounded, would leave no digit near 1/√2.

    The root is subtracted in two parts, of which the first is the same in float32, so that the distance is right there too.
    """
    distance = x - ROOT_HALF_HEAD - (ROOT_HALF - ROOT_HALF_HEAD)
    return ROOT_HALF_RESIDUE - 2.0 * (distance * (x + ROOT_HALF))


asech = register(
    Elementwise(
        "asech",
        # 2 asinh √((1-x) / 2x): the rounding of 1/x would cost half of the digits near 1
        evaluate=lambda x: 2.0 * asinh(abs_(sqrt(0.5 * (1.0 - x)) / sqrt(x))),
        partials=lambda y, x: (asech_slope(x),),
        singular=lambda node: True,
        ball=lambda b, x: b.asech(x),
        domain=(HALF_OPEN,),
        bounds={(0, 0): ROUNDINGS},
    )
)

acsch_slope = register(
    Elementwise(
        "acsch_slope",
        evaluate=lambda x: -1.0 / abs_(x) / hypot(1.0, x),
        partials=lambda s, x: (-(s / x + s * (x / hypot(1.0, x) / hypot(1.0, x))),),
        singular=lambda node: True,
        bounds={(0, 0): THIRD},
        domain=(NONZERO,),
    )
)


def _acsch_value(x: Expr) -> Expr:
    a = abs_(x)
    tiny = lt(a, 1e-300) & lt(0.0, a)  # where 1/x may overflow
    return where(tiny, sign(x) * (LOG_2 - log(a)), asinh(1.0 / x))


acsch = register(
    Elementwise(
        "acsch",
        evaluate=_acsch_value,
        partials=lambda y, x: (acsch_slope(x),),
        singular=lambda node: True,
        ball=lambda b, x: b.acsch(x),
        domain=(NONZERO,),
    )
)


def _acoth_bend(x: Expr) -> Expr:
    """2x / (x² - 1)²; past 1e8 the 1 is lost, and its derivative would underflow where that of 1/x³ does not."""
    near = x / square_less_one(x) / square_less_one(x)
    return inside(le(1.0, abs_(x)), 2.0 * where(lt(abs_(x), 1e8), near, 1.0 / x / x / x))


acoth_slope = register(
    Elementwise(
        "acoth_slope",
        evaluate=lambda x: inside(le(1.0, abs_(x)), -1.0 / (abs_(x) - 1.0) / (abs_(x) + 1.0)),
        partials=lambda s, x: (_acoth_bend(x),),
        bounds={(0,): ROUNDINGS, (0, 0): THIRD},
        singular=lambda node: True,
        domain=(BEYOND_UNIT,),
    )
)

acoth = register(
    Elementwise(
        "acoth",
        evaluate=lambda x: sign(x) * (0.5 * log1p(2.0 / (abs_(x) - 1.0))),  # atanh(1/x) has no digits near 1
        partials=lambda y, x: (acoth_slope(x),),
        singular=lambda node: True,
        ball=lambda b, x: b.acoth(x),
        domain=(BEYOND_UNIT,),
        bounds={(0, 0): ROUNDINGS},
    )
)

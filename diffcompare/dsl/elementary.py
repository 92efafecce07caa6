"""The elementary functions, one declaration each: everything the package knows of a function stands in its row.

Partials are chosen for accuracy over the whole of float64, and tested against certified truth at orders 1 and 2.
Where a good form would lose its digits when differentiated by the chain rule, it is a function of its own with
its own partials: tanh' is sech2, whose derivative is declared as -2 tanh sech2 (through 4e/(1+e)² it is wrong by 3e16 ulp).
"""

from __future__ import annotations

import math

from . import complex_forms as forms
from .accuracy import Bound
from .arithmetic import abs_, eq, floor, inside, le, lt, maximum, minimum, real, sqrt, where
from .core import Expr, register
from .elementwise import INF, POSITIVE, Elementwise, Interval

THIRD = Bound(8.0, "serves the third derivative of the function whose slope it is")
SUM_OF_SQUARES = Bound(8.0, "1 + x² is rounded twice before it is squared: six roundings in a row")
ROUNDINGS = Bound(6.0, "six or more roundings in a row: above 4 at one point in some ten thousand")
HYPOT = Bound(5.0, "hypot is itself rounded, and divides three or four times")
QUOTIENTS = Bound(8.0, HYPOT.reason)
UNIT = Interval(-1.0, 1.0)
TWO_OVER_SQRT_PI = 1.1283791670955126

# --- exponentials and logarithms ---

exp: Elementwise = register(
    Elementwise(
        "exp",
        partials=lambda y, x: (y,),
        array="exp",
        scalar="exp",
        sympy=lambda sp, x: sp.exp(x),
        ball=lambda b, x: x.exp(),
        complex=forms.exp,
    )
)

expm1: Elementwise = register(
    Elementwise(
        "expm1",
        partials=lambda y, x: (exp(x),),  # not y + 1, which cancels for x far below 0
        array="expm1",
        scalar="expm1",
        sympy=lambda sp, x: sp.expm1(x),
        ball=lambda b, x: b.expm1(x),
        complex=forms.expm1,
    )
)

log: Elementwise = register(
    Elementwise(
        "log",
        # NaN below 0, where log is NaN; x + 0 is +0.0 at -0.0, so that the slope is +inf; with |x| the second derivative at 0 would be 0
        partials=lambda y, x: (inside(le(0.0, x), 1.0 / (x + 0.0)),),
        singular=lambda node: True,
        array="log",
        scalar="log",
        sympy=lambda sp, x: sp.log(x),
        ball=lambda b, x: x.log(),
        complex=forms.log,
        domain=(POSITIVE,),
    )
)

log1p: Elementwise = register(
    Elementwise(
        "log1p",
        partials=lambda y, x: (inside(le(-1.0, x), 1.0 / (1.0 + x)),),
        singular=lambda node: True,
        array="log1p",
        scalar="log1p",
        sympy=lambda sp, x: sp.log1p(x),
        ball=lambda b, x: b.log1p(x),
        complex=forms.log1p,
        domain=(Interval(-1.0, open_lo=True),),
    )
)

# --- trigonometric ---

sin: Elementwise = register(
    Elementwise(
        "sin",
        partials=lambda y, x: (cos(x),),
        array="sin",
        scalar="sin",
        sympy=lambda sp, x: sp.sin(x),
        ball=lambda b, x: x.sin(),
        complex=forms.sin,
    )
)

cos: Elementwise = register(
    Elementwise(
        "cos",
        partials=lambda y, x: (-sin(x),),
        array="cos",
        scalar="cos",
        sympy=lambda sp, x: sp.cos(x),
        ball=lambda b, x: x.cos(),
        complex=forms.cos,
    )
)

tan = register(
    Elementwise(
        "tan",
        partials=lambda y, x: (1.0 + y * y,),
        array="tan",
        scalar="tan",
        sympy=lambda sp, x: sp.tan(x),
        complex=forms.tan,
        ball=lambda b, x: x.tan(),
    )
)

one_minus_square = register(
    Elementwise(
        "one_minus_square",
        evaluate=lambda x: (1.0 - x) * (1.0 + x),  # not 1 - x * x, which cancels near |x| = 1
        partials=lambda y, x: (-2.0 * x,),
    )
)

asin_slope = register(
    Elementwise(
        "asin_slope",
        evaluate=lambda x: 1.0 / sqrt(one_minus_square(x)),
        # through the chain rule (1+x) - (1-x) would cancel for small x
        partials=lambda y, x: (x / one_minus_square(x) / sqrt(one_minus_square(x)),),
        singular=lambda node: True,
        domain=(Interval(-1.0, 1.0, True, True),),
        bounds={(0, 0): THIRD},
    )
)

asin = register(
    Elementwise(
        "asin",
        partials=lambda y, x: (asin_slope(x),),
        singular=lambda node: True,
        array="arcsin",
        scalar="asin",
        sympy=lambda sp, x: sp.asin(x),
        complex=forms.asin,
        ball=lambda b, x: x.asin(),
        domain=(UNIT,),
    )
)

acos = register(
    Elementwise(
        "acos",
        partials=lambda y, x: (-asin_slope(x),),
        singular=lambda node: True,
        array="arccos",
        scalar="acos",
        sympy=lambda sp, x: sp.acos(x),
        complex=forms.acos,
        ball=lambda b, x: x.acos(),
        domain=(UNIT,),
    )
)


def _atan_third_size(x: float) -> float:
    return 2 / (1 + x * x) ** 2 * max(1.0, 4 * x * x / (1 + x * x))


atan_slope = register(
    Elementwise(
        "atan_slope",
        evaluate=lambda x: 1.0 / (1.0 + x * x),
        partials=lambda y, x: (-2.0 * (x * y * y),),  # (x y) y: y² underflows past 1e77, x y does not
        bounds={(0,): SUM_OF_SQUARES, (0, 0): Bound(8.0, "(6 x² - 2) / (1 + x²)³ vanishes at 1/√3", _atan_third_size)},
    )
)

atan = register(
    Elementwise(
        "atan",
        partials=lambda y, x: (atan_slope(x),),
        array="arctan",
        scalar="atan",
        sympy=lambda sp, x: sp.atan(x),
        complex=forms.atan,
        ball=lambda b, x: x.atan(),
        bounds={(0, 0): SUM_OF_SQUARES},
    )
)

hypot_slope = register(
    Elementwise(
        "hypot_slope",
        2,
        # x / h, 0 at the origin: the subgradient of least norm; by halves where h overflows and the slope does not
        evaluate=lambda x, y: where(
            eq(hypot(x, y), 0.0), 0.0, where(lt(hypot(x, y), INF), x / hypot(x, y), 0.5 * x / hypot(0.5 * x, 0.5 * y))
        ),
        partials=lambda s, x, y: (_hypot_second(y, y, hypot(x, y)), -_hypot_second(x, y, hypot(x, y))),
        singular=lambda node: True,
        kinks=lambda x, y: eq(hypot(x, y), 0.0),
        convention="0 at the origin",
        bounds={(0,): HYPOT, (1,): HYPOT},
        promised=1,
    )
)


def _hypot_second(a: Expr, b: Expr, h: Expr) -> Expr:
    """ab / h³ without squares: (a/h)² alone underflows where the quotient does not."""
    return a / h / h * (b / h)


hypot: Elementwise = register(
    Elementwise(
        "hypot",
        2,
        partials=lambda h, x, y: (hypot_slope(x, y), hypot_slope(y, x)),
        array="hypot",
        scalar="hypot",
        ball=lambda b, x, y: b.sqrt(x * x + y * y),
        kinks=lambda x, y: eq(hypot(x, y), 0.0),
        complex=forms.hypot,
        convention="0 at the origin",
        bounds=dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], HYPOT),
    )
)

atan2_slope: Elementwise = register(
    Elementwise(
        "atan2_slope",
        2,
        evaluate=lambda x, y: x / hypot(x, y) / hypot(x, y),
        # (y-x)(y+x), not y² - x²: that cancels near |x| = |y|; divided by h before the product so that nothing overflows
        partials=lambda s, x, y: (
            (y - x) / hypot(x, y) * ((y + x) / hypot(x, y)) / hypot(x, y) / hypot(x, y),
            -2.0 * (x / hypot(x, y) * (y / hypot(x, y)) / hypot(x, y) / hypot(x, y)),
        ),
        singular=lambda node: True,
        bounds={(0,): QUOTIENTS, (1,): Bound(6.0, QUOTIENTS.reason)},
        promised=1,
    )
)

atan2: Elementwise = register(
    Elementwise(
        "atan2",
        2,
        partials=lambda a, y, x: (atan2_slope(x, y), -atan2_slope(y, x)),
        singular=lambda node: True,
        array="arctan2",
        scalar="atan2",
        sympy=lambda sp, y, x: sp.atan2(y, x),
        complex=forms.atan2,
        ball=lambda b, y, x: b.atan2(y, x),
        kinks=lambda y, x: eq(y, 0.0) & le(x, 0.0),
        convention="its limit at the jump of the angle",
        bounds={(0, 1): QUOTIENTS, (1, 0): QUOTIENTS, (0, 0): Bound(6.0, QUOTIENTS.reason), (1, 1): Bound(6.0, QUOTIENTS.reason)},
    )
)

# --- hyperbolic ---

sinh: Elementwise = register(
    Elementwise(
        "sinh",
        partials=lambda y, x: (cosh(x),),
        array="sinh",
        scalar="sinh",
        sympy=lambda sp, x: sp.sinh(x),
        ball=lambda b, x: b.sinh(x),
        complex=forms.sinh,
    )
)

cosh: Elementwise = register(
    Elementwise(
        "cosh",
        partials=lambda y, x: (sinh(x),),
        array="cosh",
        scalar="cosh",
        sympy=lambda sp, x: sp.cosh(x),
        ball=lambda b, x: b.cosh(x),
        complex=forms.cosh,
    )
)


def _sech2_value(x: Expr) -> Expr:
    e = exp(-2.0 * abs_(x))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


def _sech2_size(x: float) -> float:
    return 1.0 / math.cosh(min(abs(x), 350.0)) ** 2


def _sech2_second_size(x: float) -> float:
    return max(2 * _sech2_size(x) ** 2, 4 * _sech2_size(x) * math.tanh(x) ** 2)


sech2 = register(
    Elementwise(
        "sech2",
        evaluate=_sech2_value,  # not 1 - tanh², which has no correct digit past |x| = 19
        partials=lambda y, x: (-2.0 * (tanh(x) * y),),
        ball=lambda b, x: b.sech2(x),
        bounds={(0, 0): Bound(8.0, "2 s (2 tanh² - s) vanishes where sinh² = 1/2", _sech2_second_size)},
    )
)

tanh: Elementwise = register(
    Elementwise(
        "tanh",
        partials=lambda y, x: (sech2(x),),
        array="tanh",
        scalar="tanh",
        sympy=lambda sp, x: sp.tanh(x),
        complex=forms.tanh,
        ball=lambda b, x: b.tanh(x),
    )
)

# --- error function ---


def square_in_parts(x: Expr) -> tuple[Expr, Expr]:
    """(h², rest) with x² = h² + rest, where h is |x| cut to 8 binary places, so that h² is exact: rounding x² costs 9 bits.

    With 8 places h² has 24 bits where exp(-x²) is no zero of float32, so it is exact in both precisions.
    """
    a = minimum(abs_(x), 60.0)  # exp(-60² / 2) is 0
    h = floor(a * 256.0) / 256.0
    return h * h, (a - h) * (a + h)


def _gauss_value(x: Expr) -> Expr:
    square, rest = square_in_parts(x)
    return exp(-square) * exp(-rest)


def _gauss_slope_value(x: Expr) -> Expr:
    """-2x exp(-x²) by two factors exp(-x²/2): exp(-x²) itself is subnormal, short of digits, where this product is not."""
    square, rest = square_in_parts(x)
    half = exp(-0.5 * square)
    return -2.0 * (minimum(maximum(x, -60.0), 60.0) * half * exp(-rest) * half)


def _gauss_size(x: float) -> float:
    return math.exp(-min(x * x, 700.0))


def _gauss_second_size(x: float) -> float:
    return _gauss_size(x) * max(2.0, 4.0 * x * x)


def _gauss_third_size(x: float) -> float:
    return _gauss_size(x) * max(12.0 * abs(x), 8.0 * abs(x) ** 3)


gauss_slope: Elementwise = register(
    Elementwise(
        "gauss_slope",
        evaluate=_gauss_slope_value,
        partials=lambda y, x: (-2.0 * (x * y + gauss(x)),),
        bounds={
            (0,): Bound(4.0, "(4 x² - 2) g vanishes at 1/√2", _gauss_second_size),
            (0, 0): Bound(8.0, "(12 x - 8 x³) g vanishes at √(3/2)", _gauss_third_size),
        },
    )
)

gauss: Elementwise = register(
    Elementwise(
        "gauss",
        evaluate=_gauss_value,
        partials=lambda y, x: (gauss_slope(x),),
        ball=lambda b, x: (-(x * x)).exp(),
        bounds={(0, 0): Bound(8.0, "(4 x² - 2) g vanishes at 1/√2", _gauss_second_size)},
    )
)

erf = register(
    Elementwise(
        "erf",
        partials=lambda y, x: (TWO_OVER_SQRT_PI * gauss(x),),
        array="erf",
        scalar="erf",
        sympy=lambda sp, x: sp.erf(x),
        ball=lambda b, x: x.erf(),
    )
)

# --- activations ---


def _sigmoid_third_size(x: float) -> float:
    s = 0.25 * _sech2_size(0.5 * x)
    return max(2 * s * s, s * math.tanh(x / 2) ** 2)


sigmoid_slope = register(
    Elementwise(
        "sigmoid_slope",
        evaluate=lambda x: sigmoid(x) * sigmoid(-x),  # not s (1 - s), which is 0 for large x
        partials=lambda y, x: (-(tanh(0.5 * x) * y),),
        bounds={(0, 0): Bound(8.0, "s (tanh(x/2)² - 2 s) vanishes where e^x = 2 + √3", _sigmoid_third_size)},
    )
)

sigmoid: Elementwise = register(
    Elementwise(
        "sigmoid",
        evaluate=lambda x: 1.0 / (1.0 + exp(-x)),
        partials=lambda y, x: (sigmoid_slope(x),),
        complex=forms.sigmoid,
    )
)

softplus = register(
    Elementwise(
        "softplus",
        evaluate=lambda x: maximum(x, 0.0) + log1p(exp(-abs_(x))),
        partials=lambda y, x: (sigmoid(x),),
        ball=lambda b, x: b.log1p(x.exp()),
        complex=forms.softplus,
    )
)

relu = register(
    Elementwise(
        "relu",
        evaluate=lambda x: maximum(x, 0.0),
        partials=lambda y, x: (inside(eq(x, x), real(lt(0.0, x))),),
        ball=lambda b, x: b.maximum(x, b.number(0.0)),
        kinks=lambda x: eq(x, 0.0),
        complex=forms.relu,
        convention="0 at 0, as JAX and PyTorch",
    )
)

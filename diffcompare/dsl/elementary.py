"""The elementary functions, one declaration each: everything the package knows of a function stands in its row.

Partials are chosen for accuracy over the whole of float64, and tested against certified truth at orders 1 and 2.
Where a good form would lose its digits when differentiated by the chain rule, it is a function of its own with
its own partials: tanh' is sech2, whose derivative is declared as -2 tanh sech2 (through 4e/(1+e)² it is wrong by 3e16 ulp).
"""

from __future__ import annotations

from . import complex_forms as forms
from .arithmetic import abs_, eq, floor, inside, le, lt, maximum, minimum, real, sqrt, where
from .core import Expr, register
from .elementwise import POSITIVE, Elementwise, Interval

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
        partials=lambda y, x: (inside(le(0.0, x), 1.0 / abs_(x)),),  # NaN below 0, where log is NaN; +inf at -0.0
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

atan_slope = register(
    Elementwise(
        "atan_slope",
        evaluate=lambda x: 1.0 / (1.0 + x * x),
        partials=lambda y, x: (-2.0 * (x * y * y),),  # (x y) y: y² underflows past 1e77, x y does not
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
    )
)

hypot_slope = register(
    Elementwise(
        "hypot_slope",
        2,
        # x / h, 0 at the origin: the subgradient of least norm
        evaluate=lambda x, y: where(eq(hypot(x, y), 0.0), 0.0, x / hypot(x, y)),
        partials=lambda s, x, y: (_hypot_second(y, y, hypot(x, y)), -_hypot_second(x, y, hypot(x, y))),
        singular=lambda node: True,
        kinks=lambda x, y: eq(hypot(x, y), 0.0),
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


sech2 = register(
    Elementwise(
        "sech2",
        evaluate=_sech2_value,  # not 1 - tanh², which has no correct digit past |x| = 19
        partials=lambda y, x: (-2.0 * (tanh(x) * y),),
        ball=lambda b, x: b.sech2(x),
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


def _square(x: Expr) -> tuple[Expr, Expr]:
    """(h², rest) with x² = h² + rest, where h is |x| cut to 12 binary places, so that h² is exact: rounding x² costs 9 bits."""
    a = minimum(abs_(x), 60.0)  # exp(-60² / 2) is 0
    h = floor(a * 4096.0) / 4096.0
    return h * h, (a - h) * (a + h)


def _gauss_value(x: Expr) -> Expr:
    square, rest = _square(x)
    return exp(-square) * exp(-rest)


def _gauss_slope_value(x: Expr) -> Expr:
    """-2x exp(-x²) by two factors exp(-x²/2): exp(-x²) itself is subnormal, short of digits, where this product is not."""
    square, rest = _square(x)
    half = exp(-0.5 * square)
    return -2.0 * (minimum(maximum(x, -60.0), 60.0) * half * exp(-rest) * half)


gauss_slope: Elementwise = register(
    Elementwise(
        "gauss_slope",
        evaluate=_gauss_slope_value,
        partials=lambda y, x: (-2.0 * (x * y + gauss(x)),),
    )
)

gauss: Elementwise = register(
    Elementwise(
        "gauss",
        evaluate=_gauss_value,
        partials=lambda y, x: (gauss_slope(x),),
        ball=lambda b, x: (-(x * x)).exp(),
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

sigmoid_slope = register(
    Elementwise(
        "sigmoid_slope",
        evaluate=lambda x: sigmoid(x) * sigmoid(-x),  # not s (1 - s), which is 0 for large x
        partials=lambda y, x: (-(tanh(0.5 * x) * y),),
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
        partials=lambda y, x: (inside(eq(x, x), real(lt(0.0, x))),),  # 0 at 0, as JAX and PyTorch
        ball=lambda b, x: b.maximum(x, b.number(0.0)),
        kinks=lambda x: eq(x, 0.0),
        complex=forms.relu,
    )
)

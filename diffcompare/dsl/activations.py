"""Activations of neural networks, and the normal distribution that gelu is made of. sigmoid, softplus and relu are in elementary.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .accuracy import Bound
from .arithmetic import abs_, eq, inside, lt, maximum, minimum, ne, where
from .constants import as_expr
from .core import Expr, function_of_the_dsl, register
from .elementary import exp, sigmoid, sigmoid_slope, square_in_parts, tanh
from .elementwise import Elementwise
from .special import erfc

PER_ROOT_2 = 0.7071067811865476
PER_ROOT_2_PI = 0.3989422804014327
PER_ROOT_PI = 0.5641895835477563
ROOT_2_PER_PI = 0.7978845608028654

# --- the normal distribution ---

# W. J. Cody: Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969), in the digits of his CALERF (Netlib):
# exp(y²) erfc(y) for 15/32 <= y <= 4, and √π y exp(y²) erfc(y) - 1 in 1/y² beyond, each to about 1e-16
MIDDLE = (
    (
        *(2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 66.1191906371416295, 298.635138197400131),
        *(881.95222124176909, 1712.04761263407058, 2051.07837782607147, 1230.33935479799725),
    ),
    (
        *(1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019),
        *(3290.79923573345963, 4362.61909014324716, 3439.36767414372164, 1230.33935480374942),
    ),
)
BEYOND = (
    (
        1.63153871373020978e-2,
        3.05326634961232344e-1,
        3.60344899949804439e-1,
        1.25781726111229246e-1,
        1.60837851487422766e-2,
        6.58749161529837803e-4,
    ),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)


def _polynomial(coefficients: Sequence[float], x: Expr) -> Expr:
    """By Horner's rule, the highest power first."""
    total: Expr | float = coefficients[0]
    for c in coefficients[1:]:
        total = total * x + c
    assert isinstance(total, Expr)
    return total


def _scaled_tail(y: Expr) -> Expr:
    """exp(y²) erfc(y) for y >= 15/32."""
    y = minimum(y, 100.0)  # the ninth power of more would overflow float32
    w = 1.0 / (y * y)
    middle = _polynomial(MIDDLE[0], y) / _polynomial(MIDDLE[1], y)
    beyond = (PER_ROOT_PI - w * _polynomial(BEYOND[0], w) / _polynomial(BEYOND[1], w)) / y
    return where(lt(y, 4.0), middle, beyond)


def _times_bell(factor: Expr | float, x: Expr) -> Expr:
    """factor exp(-x²/2) by two factors exp(-x²/4): the bell alone is subnormal, short of digits, where the product is not."""
    square, rest = square_in_parts(x)
    half = exp(-0.25 * square)
    return factor * half * exp(-0.5 * rest) * half


def _far(x: Expr) -> Expr:
    """Where the tail is by the approximation: erfc itself is the platform's, in SciPy 500 ulp off at 24."""
    return lt(x, -0.75)


def _cdf_value(x: Expr) -> Expr:
    return where(_far(x), _times_bell(0.5 * _scaled_tail(PER_ROOT_2 * abs_(x)), x), 0.5 * erfc(-PER_ROOT_2 * x))


def _bell(b: Any, x: Any) -> Any:
    """The density as a ball; atan(1) is π/4."""
    return (x * x / -2).exp() / b.sqrt(8 * b.number(1.0).atan())


def _bell_size(x: float) -> float:
    return PER_ROOT_2_PI * math.exp(-0.5 * min(x * x, 1400.0))


def _first_size(x: float) -> float:
    return max(_bell_size(x) * abs(x), 0.5 * math.erfc(-x * PER_ROOT_2) if x > -37.0 else 0.0)


def _second_size(x: float) -> float:
    return _bell_size(x) * max(2.0, x * x)


def _third_size(x: float) -> float:
    return _bell_size(x) * max(4.0 * abs(x), abs(x) ** 3)


SPLIT = "an exponential by two halves, whose roundings add up, times a quotient of polynomials"

HALVES = Bound(6.0, "an exponential by two halves, whose roundings add up")


def _near(x: Expr) -> Expr:
    """x up to ±60, where the bell is 0: infinity times 0 would be NaN."""
    return minimum(maximum(x, -60.0), 60.0)


normal_slope: Elementwise = register(
    Elementwise(
        "normal_slope",
        evaluate=lambda x: _times_bell(-PER_ROOT_2_PI * _near(x), x),
        ball=lambda b, x: -x * _bell(b, x),
        partials=lambda y, x: (normal_bend(x),),
        bounds={(): HALVES, (0,): HALVES, (0, 0): Bound(8.0, "(3 x - x³) φ vanishes at √3", _third_size)},
    )
)

normal_bend: Elementwise = register(
    Elementwise(
        "normal_bend",
        # in factors: x² - 1 has no digits left at 1
        evaluate=lambda x: _times_bell(PER_ROOT_2_PI * ((_near(x) - 1.0) * (_near(x) + 1.0)), x),
        ball=lambda b, x: (x - 1) * (x + 1) * _bell(b, x),
        partials=lambda y, x: ((_square(x) - 3.0) * normal_slope(x),),
        bounds={(): HALVES, (0,): Bound(8.0, "(3 x - x³) φ vanishes at √3", _third_size)},
        promised=1,
    )
)

normal_pdf: Elementwise = register(
    Elementwise(
        "normal_pdf",
        evaluate=lambda x: _times_bell(PER_ROOT_2_PI, x),
        partials=lambda y, x: (normal_slope(x),),
        ball=lambda b, x: _bell(b, x),
        bounds={(0, 0): HALVES},
        doc="exp(-x²/2) / √(2π), the density of the standard normal distribution",
    )
)

normal_cdf: Elementwise = register(
    Elementwise(
        "normal_cdf",
        evaluate=_cdf_value,
        partials=lambda y, x: (normal_pdf(x),),
        ball=lambda b, x: (-x / b.sqrt(b.number(2.0))).erfc() / 2,
        bounds={(): Bound(8.0, SPLIT)},
        doc="the distribution function Φ of the standard normal distribution",
    )
)

# --- gelu, silu ---


def _square(x: Expr) -> Expr:
    """x² up to 60²: infinity times the 0 of the bell would be NaN."""
    return minimum(x * x, 3600.0)


gelu_bend: Elementwise = register(
    Elementwise(
        "gelu_bend",
        evaluate=lambda x: _times_bell(PER_ROOT_2_PI * (2.0 - _square(x)), x),
        partials=lambda y, x: ((4.0 - _square(x)) * normal_slope(x),),
        ball=lambda b, x: (2 - x * x) * _bell(b, x),
        bounds={
            (): Bound(5.0, "(2 - x²) φ vanishes at √2", _second_size),
            (0,): Bound(8.0, "(x³ - 4 x) φ vanishes at 2", _third_size),
        },
        promised=1,
    )
)

gelu_slope: Elementwise = register(
    Elementwise(
        "gelu_slope",
        evaluate=lambda x: normal_cdf(x) - normal_slope(x),
        partials=lambda y, x: (gelu_bend(x),),
        ball=lambda b, x: normal_cdf.ball(b, x) + x * _bell(b, x),  # type: ignore[misc]
        bounds={
            (): Bound(6.0, "Φ + x φ vanishes at -0.7518", _first_size),
            (0,): Bound(4.0, "(2 - x²) φ vanishes at √2", _second_size),
            (0, 0): Bound(6.0, "(x³ - 4 x) φ vanishes at 2", _third_size),
        },
    )
)


def _gelu_value(x: Expr) -> Expr:
    return where(_far(x), _times_bell(0.5 * x * _scaled_tail(PER_ROOT_2 * abs_(x)), x), x * normal_cdf(x))


gelu = register(
    Elementwise(
        "gelu",
        evaluate=_gelu_value,
        partials=lambda y, x: (gelu_slope(x),),
        ball=lambda b, x: x * normal_cdf.ball(b, x),  # type: ignore[misc]
        bounds={
            (): Bound(6.0, SPLIT),
            (0,): Bound(6.0, "Φ + x φ vanishes at -0.7518", _first_size),
            (0, 0): Bound(5.0, "(2 - x²) φ vanishes at √2", _second_size),
        },
        doc="x Φ(x), with Φ the normal distribution function (Hendrycks, Gimpel: Gaussian Error Linear Units, 2016)",
    )
)


def _logistic_tail(factor: Expr, x: Expr) -> Expr:
    """factor exp(-|x|) by two factors: the exponential alone is subnormal where the product is not."""
    half = exp(-0.5 * abs_(x))
    return factor * half * half


def _extreme(x: Expr) -> Expr:
    return lt(700.0, abs_(x))


def _sigmoid(x: float) -> float:
    return math.exp(min(x, 0.0)) / (1.0 + math.exp(-abs(x)))


def _silu_first_size(x: float) -> float:
    return _sigmoid(x) * max(1.0, abs(x) * _sigmoid(-x))


def _silu_second_size(x: float) -> float:
    return _sigmoid(x) * _sigmoid(-x) * max(2.0, abs(x))


silu_slope: Elementwise = register(
    Elementwise(
        "silu_slope",
        evaluate=lambda x: where(lt(x, -700.0), _logistic_tail(1.0 + x, x), sigmoid(x) * (1.0 + x * sigmoid(-x))),
        partials=lambda y, x: (_silu_bend(x),),
        bounds={
            (): Bound(4.0, "σ (1 + x σ(-x)) vanishes at -1.2785", _silu_first_size),
            (0,): Bound(4.0, "σ' (2 - x tanh(x/2)) vanishes at 2.3994", _silu_second_size),
        },
        promised=1,
    )
)


def _silu_bend(x: Expr) -> Expr:
    return where(_extreme(x), _logistic_tail(2.0 - abs_(x), x), sigmoid_slope(x) * (2.0 - x * tanh(0.5 * x)))


silu = register(
    Elementwise(
        "silu",
        evaluate=lambda x: where(lt(x, -700.0), _logistic_tail(x, x), x * sigmoid(x)),
        partials=lambda y, x: (silu_slope(x),),
        bounds={
            (0,): Bound(4.0, "σ (1 + x σ(-x)) vanishes at -1.2785", _silu_first_size),
            (0, 0): Bound(4.0, "σ' (2 - x tanh(x/2)) vanishes at 2.3994", _silu_second_size),
        },
        doc="x sigmoid(x), also called swish (Elfwing, Uchibe, Doya: Sigmoid-weighted linear units, Neural Networks 107, 2018)",
    )
)

# --- leaky relu ---

leaky_relu = register(
    Elementwise(
        "leaky_relu",
        2,
        evaluate=lambda x, a: where(lt(0.0, x), x, a * x),
        partials=lambda y, x, a: (inside(eq(x, x), where(lt(0.0, x), 1.0, a)), where(lt(0.0, x), 0.0, x)),
        kinks=lambda x, a: eq(x, 0.0) & ne(a, 1.0),
        convention="the slope of the negative side at 0, as PyTorch",
        doc="x above 0, a x below: leaky_relu(x, 0.01) (Maas, Hannun, Ng: Rectifier Nonlinearities, ICML 2013)",
    )
)


@function_of_the_dsl
def gelu_tanh(x: Any) -> Expr:
    """x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))), the approximation of gelu by Hendrycks and Gimpel, written out."""
    z = as_expr(x)
    return z * sigmoid(2.0 * ROOT_2_PER_PI * (z + 0.044715 * (z * z * z)))

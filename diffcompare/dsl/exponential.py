"""Exponentials and logarithms to other bases, roots and simple powers under their own names."""

from __future__ import annotations

import math

import numpy as np

from . import complex_forms as forms
from .arithmetic import eq, inside, le, where
from .core import Expr, register
from .elementary import log
from .elementwise import INF, LINE, NONZERO, POSITIVE, Elementwise, fold

LOG_2 = math.log(2.0)
PER_LOG_2 = 1.4426950408889634
PER_LOG_10 = 0.4342944819032518

exp2: Elementwise = register(
    Elementwise(
        "exp2",
        partials=lambda y, x: (LOG_2 * y,),
        array="exp2",
        scalar="exp2",
        sympy=lambda sp, x: sp.exp2(x),
        ball=lambda b, x: b.exp2(x),
        complex=forms.exp2,
    )
)


def _slope(x: Expr, factor: float) -> Expr:
    """factor / x where a logarithm is defined, +inf at both zeros: x + 0 is +0.0 at -0.0."""
    return inside(le(0.0, x), factor / (x + 0.0))


log2 = register(
    Elementwise(
        "log2",
        partials=lambda y, x: (_slope(x, PER_LOG_2),),
        singular=lambda node: True,
        array="log2",
        scalar="log2",
        sympy=lambda sp, x: sp.log2(x),
        ball=lambda b, x: b.log2(x),
        complex=lambda z: forms.scaled(forms.log(z), PER_LOG_2),
        domain=(POSITIVE,),
    )
)

log10 = register(
    Elementwise(
        "log10",
        partials=lambda y, x: (_slope(x, PER_LOG_10),),
        singular=lambda node: True,
        array="log10",
        scalar="log10",
        sympy=lambda sp, x: sp.log10(x),
        ball=lambda b, x: b.log10(x),
        complex=lambda z: forms.scaled(forms.log(z), PER_LOG_10),
        domain=(POSITIVE,),
    )
)


def _xlogy_slope(x: Expr, y: Expr) -> Expr:
    """x / y where x log(y) is defined, 0 for x = 0; only where y > 0 has it a slope of its own along x there. y + 0 is no -0.0."""
    return inside(le(0.0, y) | (eq(x, 0.0) & eq(y, y)), where(eq(x, 0.0) & le(y, 0.0), 0.0, x / (y + 0.0)))


xlogy = register(
    Elementwise(
        "xlogy",
        2,
        evaluate=lambda x, y: where(eq(x, 0.0) & eq(y, y), 0.0, x * log(y)),
        partials=lambda z, x, y: (log(y), _xlogy_slope(x, y)),
        singular=lambda node: True,
        domain=(LINE, POSITIVE),
        convention="0 for x = 0, for every y",
    )
)

# --- roots and powers ---

square = register(
    Elementwise(
        "square",
        evaluate=lambda x: x * x,
        partials=lambda y, x: (2.0 * x,),
        simplify=lambda x: fold(np.square, x),
    )
)

reciprocal = register(
    Elementwise(
        "reciprocal",
        evaluate=lambda x: 1.0 / x,
        partials=lambda y, x: (-(y / x),),
        singular=lambda node: True,
        domain=(NONZERO,),
    )
)

cbrt_slope = register(
    Elementwise(
        "cbrt_slope",
        # y / 3x and not 1 / 3y²: one rounding of the root instead of two
        evaluate=lambda x: where(eq(x, 0.0), INF, cbrt(x) / x / 3.0),
        partials=lambda s, x: (-2.0 * (s / x / 3.0),),
        singular=lambda node: True,
        domain=(NONZERO,),
    )
)

cbrt: Elementwise = register(
    Elementwise(
        "cbrt",
        partials=lambda y, x: (cbrt_slope(x),),
        singular=lambda node: True,
        array="cbrt",
        scalar="cbrt",
        sympy=lambda sp, x: sp.cbrt(x),
        ball=lambda b, x: b.cbrt(x),
        complex=forms.cbrt,
        convention="+inf at 0",
    )
)

"""Step functions, remainders and limits: what is constant between jumps, or turns at a bound."""

from __future__ import annotations

import numpy as np

from . import complex_forms as forms
from .arithmetic import eq, floor, inside, maximum, minimum, sign
from .core import Expr, register
from .elementwise import LINE, NONZERO, Elementwise, fold

ceil: Elementwise = register(
    Elementwise(
        "ceil",
        array="ceil",
        scalar="ceil",
        sympy=lambda sp, x: sp.ceil(x),
        ball=lambda b, x: b.ceil(x),
        kinks=lambda x: eq(x, floor(x)),
        convention="0 at the jumps",
        simplify=lambda x: fold(np.ceil, x),
    )
)

round_: Elementwise = register(
    Elementwise(
        "round",  # halves to even, as IEEE 754, Python and NumPy
        array="rint",
        scalar="rint",
        sympy=lambda sp, x: sp.round(x),
        ball=lambda b, x: b.round(x),
        kinks=lambda x: eq(x - floor(x), 0.5),
        convention="0 at the jumps",
        simplify=lambda x: fold(np.rint, x),
    )
)

floor_divide: Elementwise = register(
    Elementwise(
        "floor_divide",
        2,
        array="floor_divide",
        scalar="{0} // {1}",
        sympy=lambda sp, x, y: sp.floor_divide(x, y),
        ball=lambda b, x, y: b.floor(b.div(x, y)),
        kinks=lambda x, y: eq(mod(x, y), 0.0),
        convention="0 at the jumps",
        domain=(LINE, NONZERO),
    )
)

mod: Elementwise = register(
    Elementwise(
        "mod",
        2,
        # x - y floor(x/y) has the sign of y; -floor(x/y) is wrong at 9 % of numbers with one decimal, as x/y is rounded
        partials=lambda m, x, y: (inside(eq(m, m), 1.0), inside(eq(m, m), -floor_divide(x, y))),
        array="mod",
        scalar="{0} % {1}",
        sympy=lambda sp, x, y: sp.mod(x, y),
        ball=lambda b, x, y: b.mod(x, y),
        complex=forms.mod,
        kinks=lambda x, y: eq(mod(x, y), 0.0),
        convention="1 and -floor_divide(x, y) at the jumps, their limits from the side of floor",
        domain=(LINE, NONZERO),
    )
)


def _clip_partials(y: Expr, x: Expr, lo: Expr, hi: Expr) -> tuple[Expr, Expr, Expr]:
    """Those of minimum(maximum(x, lo), hi)."""
    raised = maximum(x, lo)
    kept = 0.5 + 0.5 * sign(hi - raised)
    above = 0.5 + 0.5 * sign(x - lo)
    return kept * above, kept * (1.0 - above), 1.0 - kept


clip = register(
    Elementwise(
        "clip",
        3,
        evaluate=lambda x, lo, hi: minimum(maximum(x, lo), hi),
        partials=_clip_partials,
        kinks=lambda x, lo, hi: eq(x, lo) | eq(x, hi) | eq(lo, hi),
        convention="1/2 to each at a bound, as maximum and minimum",
    )
)

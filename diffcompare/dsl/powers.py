"""The pieces of a power's derivatives: y x**(y-1), x**(y-1), x**(y-2), x**y log x, x**y log(x)**2, as functions of their own.

Their partials serve the second derivatives of x**y; beyond those no bound is promised, as third derivatives have zeros along curves.
"""

from __future__ import annotations

from .arithmetic import MIXED, abs_, chain_mul, eq, lt, ne, pow_, where
from .constants import NORMAL_MIN
from .core import FUNCTIONS, Expr, register
from .elementwise import INF, LINE, POSITIVE, Elementwise


def _shifted_power(x: Expr, y: Expr, k: int) -> Expr:
    """x**(y - k) without rounding y - k: x**y / x**k where neither over- nor underflows."""
    p = pow_(x, y)
    q = p / x if k == 1 else p / x / x
    # where p over- or underflows and the result does not, y >= k, and y - k is exact
    return where(_normal(p) & _normal(q) & ne(x, 0.0), q, pow_(x, y - float(k)))


def _normal(v: Expr) -> Expr:
    return lt(abs_(v), INF) & lt(NORMAL_MIN, abs_(v))


# A factor that is subnormal is short of digits; where only the product with a large factor is normal, x**y comes in two halves.


def _pow_slope_value(x: Expr, y: Expr) -> Expr:
    p, half = pow_less_1(x, y), pow_(x, 0.5 * y)
    halves = lt(0.0, x) & lt(x, INF) & ne(y, 0.0) & ~_normal(p)
    # chain_mul: 0 at y = 0 also where x**-1 is infinite
    return where(halves, chain_mul(chain_mul(y, half / x), half), chain_mul(y, p))


def _times_logarithm(p: Expr, x: Expr, y: Expr, k: int) -> Expr:
    """x**y log(x)**k from p = x**y log(x)**(k - 1)."""
    half = pow_(x, 0.5 * y)
    halves = half * FUNCTIONS["log"](x) * (half if k == 1 else half * FUNCTIONS["log"](x))
    value = where(_normal(p), p * FUNCTIONS["log"](x), halves)
    return where(eq(x, 0.0) & lt(0.0, y), 0.0, value)


def _pow_second(s: Expr, x: Expr, y: Expr) -> Expr:
    """y (y - 1) x**(y - 2) from s = y x**(y - 1): x**(y - 2) alone overflows for small x where a tiny y makes up for it."""
    product = (y - 1.0) * s
    return where(_normal(s) & _normal(product) & ne(x, 0.0), product / x, chain_mul(y * (y - 1.0), pow_(x, y - 2.0)))


def _pow_mixed(x: Expr, y: Expr) -> Expr:
    """x**(y - 1) (1 + y log x), 0 at x = 0 for y > 1."""
    p, half, factor = pow_(x, y), pow_(x, 0.5 * y), 1.0 + y * FUNCTIONS["log"](x)
    product = p * factor
    value = where(_normal(p) & _normal(product), product / x, half / x * factor * half)
    return where(eq(x, 0.0), where(lt(1.0, y), 0.0, pow_less_1(x, y) * factor), value)


pow_slope: Elementwise = register(
    Elementwise(
        "pow_slope",
        2,
        evaluate=_pow_slope_value,
        partials=lambda s, x, y: (_pow_second(s, x, y), _pow_mixed(x, y)),
        singular=lambda node: True,
        domain=(POSITIVE, LINE),
        bounds={(1,): MIXED},
        promised=1,
    )
)

pow_less_1 = register(
    Elementwise(
        "pow_less_1",
        2,
        evaluate=lambda x, y: _shifted_power(x, y, 1),
        partials=lambda p, x, y: ((y - 1.0) * pow_less_2(x, y), p * FUNCTIONS["log"](x)),
        singular=lambda node: True,
        domain=(POSITIVE, LINE),
        promised=0,
    )
)

pow_less_2: Elementwise = register(
    Elementwise(
        "pow_less_2",
        2,
        evaluate=lambda x, y: _shifted_power(x, y, 2),
        partials=lambda p, x, y: ((y - 2.0) * (p / x), p * FUNCTIONS["log"](x)),
        singular=lambda node: True,
        domain=(POSITIVE, LINE),
        promised=0,
    )
)

pow_log = register(
    Elementwise(
        "pow_log",
        2,
        evaluate=lambda x, y: _times_logarithm(pow_(x, y), x, y, 1),
        partials=lambda q, x, y: (_pow_mixed(x, y), pow_log_2(x, y)),
        singular=lambda node: True,
        domain=(POSITIVE, LINE),
        bounds={(0,): MIXED},
        promised=1,
    )
)

pow_log_2: Elementwise = register(
    Elementwise(
        "pow_log_2",
        2,
        evaluate=lambda x, y: _times_logarithm(pow_log(x, y), x, y, 2),
        partials=lambda q, x, y: (
            pow_less_1(x, y) * FUNCTIONS["log"](x) * (2.0 + y * FUNCTIONS["log"](x)),
            q * FUNCTIONS["log"](x),
        ),
        singular=lambda node: True,
        domain=(POSITIVE, LINE),
        promised=0,
    )
)

"""Own kernels of exp, gauss, log, erf ... : reduction, a minimax polynomial with fused multiply-adds, reconstruction.

One text serves every width and the single call, so a batch and a loop over its points agree bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .branches import either
from .circular import cos, sin
from .coefficients import ERF_SMALL, ERF_TAIL, EXP, LOG, TANH
from .registers import Operand, Real, Truth, fma, polynomial

LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42fefa39efp-1"), float.fromhex("0x1.abc9e3b39803fp-56")
LOG2_E = 1 / math.log(2)
SHIFTER = 1.5 * 2.0**52
"""x + SHIFTER - SHIFTER is the integer nearest to x, and the low bits of x + SHIFTER are those of that integer."""
ONE_BITS = 0x3FF0000000000000


def exp(x: Real) -> Real:
    """2^n e^r with n the integer nearest to x / log 2; 0.9 ulp."""
    return _exp(x.at_least(-746.0).at_most(710.0))


def _exp(x: Real, low: Real | None = None) -> Real:
    """exp(x + low) for x in [-800, 710] and |low| below an ulp of x."""
    return scaled(*exp_parts(x, low))


def exp_parts(x: Real, low: Real | None = None) -> tuple[Real, Real]:
    """(m, n), m in [0.7, 1.5] and n an integer, with exp(x + low) = m 2^n."""
    n = fma(x, LOG2_E, SHIFTER) - SHIFTER
    r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x))
    if low is not None:
        r = r + low
    return fma(r, fma(r, fma(r, polynomial(r, EXP), 0.5), 1.0), 1.0), n


def scaled(x: Real, n: Real) -> Real:
    """x 2^n rounded once, for integers |n| < 2000, in two steps where 2^n alone is no normal number."""
    if x.e.target.scalef:
        return Real(x.e, x.e.scalef(x.name, n.name))
    shifted = fma(n, 0.5, SHIFTER)
    half = shifted - SHIFTER
    rest = (n - half) + SHIFTER
    return x * _power(shifted) * _power(rest)


def _power(shifted: Real) -> Real:
    """2^n for the n of shifted = n + SHIFTER, |n| < 1023."""
    return ((shifted.bits << 52) + ONE_BITS).real


def gauss(x: Real) -> Real:
    """exp(-x²) with x² as the sum of its rounded value and the rest: 1 ulp."""
    size = abs(x).at_most(28.0)
    square = size * size
    return _exp(-square, -fma(size, size, -square))


def log(x: Real) -> Real:
    """k log 2 + log m with m in [√½, √2), log m = 2 atanh((m - 1) / (m + 1)); after FreeBSD's e_log.c; 0.9 ulp."""
    if x.e.rare is not None:
        x.e.rare.append(((x.bits + -SMALLEST_NORMAL_BITS).at_least(INFINITY_BITS - SMALLEST_NORMAL_BITS)).name)
        return _log(x, 0.0)
    if x.e.lanes == 1:
        return either("log", x, _is_positive_normal, lambda x: _log(x, 0.0), _log_of_any)
    return _log_of_any(x)


def _is_positive_normal(x: Real) -> Truth:
    return (x.bits + -SMALLEST_NORMAL_BITS).below(INFINITY_BITS - SMALLEST_NORMAL_BITS)


def _log_of_any(x: Real) -> Real:
    tiny = x.compare("olt", 2.0**-1022)
    shift = Real(x.e, x.e.constant(54.0)).choose(tiny, 0.0)
    result = _log((x * 2.0**54).choose(tiny, x), shift)
    result = result.choose(x.compare("olt", math.inf), x)
    outside = Real(x.e, x.e.constant(-math.inf)).choose(x.compare("oeq", 0.0), math.nan)
    return result.choose(x.compare("ogt", 0.0), outside)


def _log(x: Real, shift: Operand) -> Real:
    """log(x / 2^shift) for positive normal x."""
    t = x.bits + (ONE_BITS - ROOT_HALF_BITS)
    k = ((t >> 52) | 0x4330000000000000).real - (2.0**52 + 1023)
    if isinstance(shift, Real):
        k = k - shift
    f = ((t & 0x000FFFFFFFFFFFFF) + ROOT_HALF_BITS).real - 1.0
    s = f / (f + 2.0)
    z = s * s
    half_square = f * 0.5 * f
    rest = fma(s, fma(z, polynomial(z, LOG), half_square), k * LN2_LOW)
    return fma(k, LN2_HIGH, f - (half_square - rest))


SMALLEST_NORMAL_BITS, INFINITY_BITS = 0x0010000000000000, 0x7FF0000000000000
ROOT_HALF_BITS = 0x3FE6A09E00000000


def erf(x: Real) -> Real:
    """x + x P(x²) below 1, 1 - exp(-x²) Q(1 / (x + 2)) beyond; 1.3 ulp."""
    if x.e.lanes == 1:
        return either("erf", x, lambda x: abs(x).compare("olt", 1.0), _erf_small, _erf_tail)
    return _erf_small(x).choose(abs(x).compare("olt", 1.0), _erf_tail(x))


def _erf_small(x: Real) -> Real:
    return fma(x, polynomial(x * x, ERF_SMALL), x)


def _erf_tail(x: Real) -> Real:
    size = abs(x).at_most(6.0)
    return (1.0 - x.e.own("gauss", x) * polynomial(1.0 / (size + 2.0), ERF_TAIL)).signed_as(x)


def tanh(x: Real) -> Real:
    """x + x³ P(x²) below 5/8, 1 - 2 / (exp(2|x|) + 1) beyond; 1.4 ulp."""
    size = abs(x).at_most(20.0)
    z = size * size
    small = fma(size * z, polynomial(z, TANH), size)
    large = 1.0 - 2.0 / (_exp(size * 2.0) + 1.0)
    return small.choose(size.compare("olt", 0.625), large).signed_as(x)


KERNELS: dict[str, Callable[[Real], Real]] = {"exp": exp, "gauss": gauss, "log": log, "erf": erf, "tanh": tanh, "sin": sin, "cos": cos}
"""By the names of our primitives."""

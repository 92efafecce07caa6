"""Own kernels of x**y and of what its derivatives are made of: y x**(y-1), x**(y-1), x**(y-2), x**y log x.

All are exp(y log x) with log x as the sum of two doubles, good to some 68 bits and computed once for each x; factors are
multiplied in before the exponent is, so that nothing over- or underflows on the way. Constant exponents that are
multiples of ½ up to LARGEST are products of two-double numbers. After Dekker, A Floating-Point Technique for Extending
the Available Precision, Numer. Math. 18 (1971), with fused multiply-adds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ...dsl.core import Expr
from ...dsl.elementwise import number
from ...transforms.lower import PRODUCTS
from .polynomials import INFINITY_BITS, ONE_BITS, ROOT_HALF_BITS, SMALLEST_NORMAL_BITS, exp_parts, scaled
from .registers import Operand, Real, Truth, fma, polynomial

LARGEST = 64
"""The largest constant exponent that is written as products."""
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42fefa3800p-1"), float.fromhex("0x1.ef35793c76730p-45")
"""log 2, the high part with 11 zero bits at its end, so that its product with an exponent is exact."""
THIRD = (2 / 3, float.fromhex("0x1.5555555555555p-55"))
"""2/3 as two doubles."""
ATANH = [2 / (2 * k + 1) for k in range(2, 14)]
"""Of 2 atanh(s) = 2s + 2/3 s³ + s⁵ Σ ATANH[k] s^2k, |s| < 0.172; what follows is below 2^-66 of the sum."""


@dataclass(frozen=True)
class Two:
    """high + low, |low| at most half an ulp of high."""

    high: Real
    low: Real

    def __mul__(self, other: Two) -> Two:
        return times(self, other)

    @property
    def rounded(self) -> Real:
        """The sum; where the high part is infinite or 0 the low one may be NaN, and is left out, or the lane to the scalar code."""
        result = self.high + self.low
        return result if result.e.rare is not None else result.choose(result.compare("ord", result), self.high)


def times(x: Two | Real, y: Two | Real) -> Two:
    """The product, but for that of the low parts."""
    high = x.high if isinstance(x, Two) else x, y.high if isinstance(y, Two) else y
    exact = product(*high)
    low = exact.low
    if isinstance(x, Two):
        low = fma(x.low, high[1], low)
    if isinstance(y, Two):
        low = fma(high[0], y.low, low)
    return Two(exact.high, low)


def product(x: Real, y: Operand) -> Two:
    """Of doubles, exactly."""
    high = x * y
    return Two(high, fma(x, y, -high))


def _sum(x: Operand, y: Real) -> Two:
    """Of doubles, exactly, whichever is larger."""
    high = y + x
    back = high - y
    return Two(high, (y - (high - back)) - (back - x))


# --- log x, |x| times a power of two ---


def logarithm(x: Real) -> Two:
    """log x for x > 0: -inf at 0, inf at inf, NaN below 0 and at NaN, then with a low part of no meaning."""
    if x.e.rare is not None:
        x.e.rare.append((x.bits + -SMALLEST_NORMAL_BITS).at_least(INFINITY_BITS - SMALLEST_NORMAL_BITS).name)
        return _logarithm(x, 2.0**52 + 1023)
    tiny = x.compare("olt", 2.0**-1022)
    bias = _constant(x, 2.0**52 + 1023 + 54).choose(tiny, 2.0**52 + 1023)
    log = _logarithm((x * 2.0**54).choose(tiny, x), bias)
    high = log.high.choose(x.compare("olt", math.inf), x)
    outside = _constant(x, -math.inf).choose(x.compare("oeq", 0.0), math.nan)
    return Two(high.choose(x.compare("ogt", 0.0), outside), log.low)


def _logarithm(x: Real, bias: Operand) -> Two:
    """Of a positive normal number, whose exponent is biased by bias - 2^52."""
    t = x.bits + (ONE_BITS - ROOT_HALF_BITS)
    k = ((t >> 52) | 0x4330000000000000).real - bias
    f = ((t & 0x000FFFFFFFFFFFFF) + ROOT_HALF_BITS).real - 1.0
    below = f + 2.0
    inverse = 1.0 / below
    s = f * inverse
    # f - s (2 + f), with what 2 + f lost
    rest = fma(s, -(f - (below - 2.0)), fma(-s, below, f)) * inverse
    square = Two(s, rest) * Two(s, rest)
    cube = square * Two(s, rest)
    third = cube * Two(_constant(x, THIRD[0]), _constant(x, THIRD[1]))
    tail = cube.high * square.high * polynomial(square.high, ATANH)
    head = _sum(k * LN2_HIGH, s + s)
    total = _sum(third.high, head.high)
    low = total.low + (head.low + (fma(k, LN2_LOW, rest + rest) + (third.low + tail)))
    high = total.high + low
    return Two(high, low - (high - total.high))


def _constant(x: Real, value: float) -> Real:
    return Real(x.e, x.e.constant(value))


# --- powers with any exponent ---

Factor = Callable[[Real], Real]
HUGE = 2.0**100
"""For an exponent beyond it |x|**y is 0, 1 or infinite, and a factor y that goes with it may be taken as HUGE."""


def _exponential(log: Two, exponent: Two, factor: Factor) -> Real:
    """factor(exp(log · exponent)), where factor multiplies by less than 2^200 and more than 2^-1100."""
    p = product(log.high, exponent.high)
    low = fma(log.low, exponent.high, fma(log.high, exponent.low, p.low))
    inside = abs(p.high).compare("olt", 1380.0)
    m, n = exp_parts(p.high.at_least(-1380.0).at_most(1380.0), low.choose(inside, 0.0))
    result = scaled(factor(m), n)
    if log.high.e.rare is not None:
        return result
    result = factor(_constant(result, math.inf)).choose(p.high.compare("oeq", math.inf), result)
    return factor(_constant(result, 0.0)).choose(p.high.compare("oeq", -math.inf), result)


def _as_it_is(m: Real) -> Real:
    return m


def _general(x: Real, y: Real, less: int, factor: Factor = _as_it_is, at_one: Factor = _as_it_is) -> Real:
    """x**(y - less), times a factor: as C99's pow at all edges, negative x with integer exponents included.

    at_one: the factor where the power is exactly 1.
    """
    exponent = _sum(-less, y) if less else Two(y, _constant(y, 0.0))
    if x.e.rare is not None:
        x.e.rare.append(no(abs(y).compare("olt", HUGE)).name)
        return _exponential(x.e.shared("logarithm", x, logarithm), exponent, factor)
    size = x.e.shared("size", x, abs)
    result = _exponential(x.e.shared("logarithm", size, logarithm), exponent, factor)
    unit = size.compare("oeq", 1.0)
    endless = both(unit, abs(exponent.high).compare("oeq", math.inf))
    one = either(either(exponent.high.compare("oeq", 0.0), x.compare("oeq", 1.0)), either(endless, both(unit, x.compare("olt", 0.0))))
    result = at_one(_constant(x, 1.0)).choose(one, result)
    whole, odd = _parity(y)
    flips = no(odd) if less % 2 else odd
    result = (-result).choose(both(x.bits.is_negative, both(whole, flips)), result)
    finite = both(x.compare("olt", 0.0), x.compare("ogt", -math.inf))
    return _constant(x, math.nan).choose(both(finite, no(whole)), result)


def _parity(y: Real) -> tuple[Truth, Truth]:
    """(y is an integer, y is an odd one if it is one); infinities are even."""
    whole = Real(y.e, y.e.call(f"llvm.floor.{y.e.suffix}", [y.name])).compare("oeq", y)
    half = y * 0.5
    return whole, Real(y.e, y.e.call(f"llvm.floor.{y.e.suffix}", [half.name])).compare("une", half)


def power(x: Real, y: Real) -> Real:
    """x**y; 1.0 ulp."""
    return _general(x, y, 0)


def power_less_1(x: Real, y: Real) -> Real:
    """x**(y - 1), y - 1 not rounded."""
    return _general(x, y, 1)


def power_less_2(x: Real, y: Real) -> Real:
    """x**(y - 2), y - 2 not rounded."""
    return _general(x, y, 2)


def slope(x: Real, y: Real) -> Real:
    """y x**(y - 1), and 0 for y = 0."""
    if x.e.rare is not None:
        return _general(x, y, 1, lambda m: m * y)
    bounded = y.at_most(HUGE).at_least(-HUGE)
    result = _general(x, y, 1, lambda m: (m * bounded).choose(m.compare("une", 0.0), m), lambda m: m * y)
    return y.choose(both(y.compare("oeq", 0.0), x.compare("ord", x)), result)


def times_logarithm(x: Real, y: Real) -> Real:
    """x**y log x, and 0 at x = 0 for y > 0."""
    return _times_logarithms(x, y, lambda log: log)


def times_logarithm_squared(x: Real, y: Real) -> Real:
    """x**y log(x)**2, and 0 at x = 0 for y > 0."""
    return _times_logarithms(x, y, lambda log: log * log)


def _times_logarithms(x: Real, y: Real, of: Callable[[Real], Real]) -> Real:
    if x.e.rare is not None:
        log = of(x.e.shared("logarithm", x, logarithm).high)
        return _general(x, y, 0, lambda m: m * log)
    log = of(x.e.shared("logarithm", x.e.shared("size", x, abs), logarithm).high)
    result = _general(x, y, 0, lambda m: m * log, lambda m: m * log)
    # the sign of x, which is 0 or positive here, is none of the power's
    result = abs(result).signed_as(log)
    at_zero = both(x.compare("oeq", 0.0), y.compare("ogt", 0.0))
    return _constant(x, 0.0).choose(at_zero, _constant(x, math.nan).choose(x.compare("olt", 0.0), result))


# --- powers with a constant exponent ---


def is_written(exponent: float | None) -> bool:
    """Whether the exponent is a multiple of ½ of at most LARGEST."""
    return exponent is not None and abs(exponent) <= LARGEST and (2 * exponent).is_integer()


def constant_power(x: Real, exponent: float) -> Real:
    """x**exponent by repeated squaring in two-double numbers, half a power by the root; 0.6 ulp.

    Vector code gives NaN where a low part is one, or at the edges of a root, for the scalar code to compute.
    """
    size = abs(exponent)
    base = x.e.shared("inverse", x, _inverse) if exponent < 0 else x
    factors: list[Two | Real] = [_root(base)] if size % 1 else []
    whole = int(size)
    factors += [_squared(x, base, k) for k in range(whole.bit_length()) if whole >> k & 1]
    result = factors[0]
    for f in factors[1:]:
        result = times(result, f)
    ended = result.rounded if isinstance(result, Two) else result
    if not size % 1 or x.e.rare is not None:
        return ended
    ended = _constant(x, math.inf if exponent > 0 else 0.0).choose(x.compare("oeq", -math.inf), ended)
    return ended if exponent > 0 else _constant(x, math.inf).choose(x.compare("oeq", 0.0), ended)


def _squared(x: Real, base: Two | Real, times_squared: int) -> Two | Real:
    """base, which is x or its inverse, squared so many times; each once for all powers of x."""
    if not times_squared:
        return base

    def square(_: Real) -> Two:
        root = _squared(x, base, times_squared - 1)
        return times(root, root)

    square_of = "x" if base is x else "inverse"
    return x.e.shared(f"{square_of} squared {times_squared} times", x, square)  # type: ignore[no-any-return]


def _inverse(x: Real) -> Two:
    high = 1.0 / x
    return Two(high, fma(-high, x, 1.0) * high)


def _root(x: Two | Real) -> Two:
    """√x, by a correction of the rounded root."""
    whole, rest = (x.high, x.low) if isinstance(x, Two) else (x, None)
    high = Real(whole.e, whole.e.call(f"llvm.sqrt.{whole.e.suffix}", [whole.name]))
    missing = fma(-high, high, whole)
    return Two(high, (missing if rest is None else missing + rest) / (high + high))


def both(a: Truth, b: Truth) -> Truth:
    """a and b."""
    return Truth(a.e, a.e.line(f"and {a.e.bool} {a.name}, {b.name}"))


def either(a: Truth, b: Truth) -> Truth:
    """a or b."""
    return Truth(a.e, a.e.line(f"or {a.e.bool} {a.name}, {b.name}"))


def no(a: Truth) -> Truth:
    """Not a."""
    return Truth(a.e, a.e.line(f"xor {a.e.bool} {a.name}, {a.e.constant(True)}"))


POWERS: dict[str, Callable[[Real, Real], Real]] = {
    "pow": power,
    "pow_slope": slope,
    "pow_less_1": power_less_1,
    "pow_less_2": power_less_2,
    "pow_log": times_logarithm,
    "pow_log_2": times_logarithm_squared,
}
"""By the names of our primitives."""


def has_power(node: Expr) -> bool:
    """Whether the node is computed here: small whole powers are plain products, which lowering writes out."""
    return node.primitive.name in POWERS and not (node.primitive.name == "pow" and number(node.args[1]) in PRODUCTS)


def emitted(node: Expr, x: Real, y: Real) -> Real:
    """The node's value, its arguments in registers."""
    exponent = number(node.args[1])
    if exponent is not None and is_product(node):
        return constant_power(x, exponent)
    return POWERS[node.primitive.name](x, y)


def is_product(node: Expr) -> bool:
    """Whether the node is a power that is computed by repeated squaring."""
    return node.primitive.name == "pow" and number(node.args[1]) != 0 and is_written(number(node.args[1]))

"""The functions on complex arguments z = a + ib, given and returned as pairs (a, b) of real expressions; b None is exactly 0.

True formulas for complex numbers, after Kahan, "Branch cuts for complex elementary functions" (1987), rearranged so
that each part keeps its digits where |b| is 1e-200 |a|, and the number its own where |b| is near |a|. Each continues its function from the
real domain: outside it, judged by a, the result is NaN; what is not analytic (abs, maximum, where) branches on a.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .core import FUNCTIONS, Expr

Pair = tuple[Expr, Expr | None]
LOG_2 = math.log(2.0)


def _late(name: str) -> Callable[..., Expr]:
    """A function of the DSL, looked up when called: the rows that declare it refer to this module."""
    return lambda *args: FUNCTIONS[name](*args)


_abs, _atan2, _eq, _exp, _floor, _hypot, _inside, _le, _log, _log1p, _lt, _maximum, _minimum, _pow, _sign, _sin, _cos, _sqrt, _where = map(
    _late, "abs atan2 eq exp floor hypot inside le log log1p lt maximum minimum pow sign sin cos sqrt where".split()
)
_sinh, _cosh, _tanh, _expm1, _chain_mul = map(_late, "sinh cosh tanh expm1 chain_mul".split())
_exp2, _cbrt, _sinpi, _cospi, _mod, _floor_divide = map(_late, "exp2 cbrt sinpi cospi mod floor_divide".split())


def _side(z: Pair) -> Expr:
    """The imaginary part where it is known to be there."""
    assert z[1] is not None
    return z[1]


def _plus(a: Expr | None, b: Expr | None) -> Expr | None:
    return b if a is None else a if b is None else a + b


def _minus(a: Expr | None, b: Expr | None) -> Expr | None:
    return a if b is None else -b if a is None else a - b


def _times(a: Expr | None, b: Expr | None) -> Expr | None:
    return None if a is None or b is None else a * b


def _unless_zero(b: Expr, value: Expr) -> Expr:
    """`value`, but 0 where b is exactly 0: 0/0 at a branch point."""
    return _where(_eq(b, 0.0), 0.0, value)


# --- arithmetic ---


def add(z: Pair, w: Pair) -> Pair:
    return z[0] + w[0], _plus(z[1], w[1])


def sub(z: Pair, w: Pair) -> Pair:
    return z[0] - w[0], _minus(z[1], w[1])


def neg(z: Pair) -> Pair:
    return -z[0], -_side(z)


def mul(z: Pair, w: Pair) -> Pair:
    (a, b), (c, d) = z, w
    re = _minus(a * c, _times(b, d))
    assert re is not None
    return re, _plus(_times(a, d), _times(b, c))


def chain_mul(z: Pair, w: Pair) -> Pair:
    (a, b), (c, d) = z, w
    re, im = _chain_mul(a, c), None
    if b is not None and d is not None:
        re = re - _chain_mul(b, d)
    if d is not None:
        im = _chain_mul(a, d)
    if b is not None:
        im = _plus(im, _chain_mul(b, c))
    return re, im


def div(z: Pair, w: Pair) -> Pair:
    (a, b), (c, d) = z, w
    if d is None:
        return a / c, None if b is None else b / c
    # Smith's form for |d| <= |c|; the imaginary part from (p + iq)(c + id) = a + ib, so that no small d/c underflows in it
    t = _unless_zero(d, d / c)
    p = (a if b is None else a + b * t) / (c + d * t)
    q = -(p * d) if b is None else b - p * d
    return p, q / c


def where(c: Pair, z: Pair, w: Pair) -> Pair:
    re = _where(c[0], z[0], w[0])
    if z[1] is None and w[1] is None:
        return re, None
    return re, _where(c[0], *(0.0 if side is None else side for side in (z[1], w[1])))


# --- kinks: the branch of the real part, their mean at a tie ---


def abs_(z: Pair) -> Pair:
    return _abs(z[0]), _sign(z[0]) * _side(z)


def _larger(z: Pair, w: Pair, sign: float) -> Expr | None:
    """The imaginary part of the one whose real part is larger (sign 1) or smaller (sign -1)."""
    share = sign * 0.5 * _sign(z[0] - w[0])
    first, second = _times(0.5 + share, z[1]), _times(0.5 - share, w[1])
    return _plus(first, second)


def maximum(z: Pair, w: Pair) -> Pair:
    return _maximum(z[0], w[0]), _larger(z, w, 1.0)


def minimum(z: Pair, w: Pair) -> Pair:
    return _minimum(z[0], w[0]), _larger(z, w, -1.0)


def relu(z: Pair) -> Pair:
    a, b = z
    return _maximum(a, 0.0), _inside(_eq(a, a), _where(_lt(0.0, a), _side((a, b)), 0.0))


# --- powers and roots ---


def sqrt(z: Pair) -> Pair:
    return root(z[0], _side(z))


def root(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """√(a + ib) for a >= 0, NaN for others."""
    return principal(_inside(_le(0.0, a), a), b)


def principal(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """The root with a real part >= 0: no overflow where a + |z| overflows, and no cancellation but for a < 0, |b| < -a."""
    u = _sqrt(0.5 * a + 0.5 * _hypot(a, b))
    return u, _unless_zero(b, b / (2.0 * u))


def pow_(z: Pair, w: Pair) -> Pair:
    """z**w = r^c e^(-dφ) (cos ψ + i sin ψ), ψ = d log r + cφ, with r and φ of z.

    For a < 0 those of -z, times (-1)**c: that is ±1 for integers c, also those known only when it runs, and NaN for others.
    """
    (a, b), (c, d) = z, w
    if b is None:
        size, angle = _pow(a, c), None
        length = a
    else:
        flip = _where(_lt(a, 0.0), -1.0, 1.0)
        length = _hypot(a, b)
        size, angle = _pow(flip, c) * _pow(length, c), _atan2(flip * b, flip * a)
    turn = _times(c, angle)
    if d is not None:
        # the exponent varies: defined for a > 0, and 0 at a = 0 for c > 0
        still = _eq(d, 0.0) | (_eq(length, 0.0) & _lt(0.0, c))
        turn = _plus(turn, _where(still, 0.0, d * _inside(_le(0.0, a), _log(length))))
        if angle is not None:
            size = size * _exp(-(d * angle))
    assert turn is not None
    return size * _cos(turn), size * _sin(turn)


def hypot(z: Pair, w: Pair) -> Pair:
    """√(z² + w²), scaled by the real length; 0 at the origin, where it has a kink."""
    (a, b), (c, d) = z, w
    r = _hypot(a, c)
    scale = _where(_eq(r, 0.0), 1.0, r)
    p, q = a / scale, c / scale
    unit = add(_square(p, None if b is None else b / scale), _square(q, None if d is None else d / scale))
    u, _ = root(unit[0], _side(unit))
    product = _plus(_times(p, b), _times(q, d))  # re im = ab + cd
    assert product is not None
    return r * u, _unless_zero(product, product / u)


def _square(a: Expr, b: Expr | None) -> Pair:
    return (a * a, None) if b is None else (a * a - b * b, 2.0 * (a * b))


def cbrt(z: Pair) -> Pair:
    """The real root continued: that of -z, negated, for a < 0."""
    a, b = z[0], _side(z)
    flip = _where(_lt(a, 0.0), -1.0, 1.0)
    size, turn = _cbrt(_hypot(a, b)), _atan2(flip * b, flip * a) / 3.0
    return flip * (size * _cos(turn)), flip * (size * _sin(turn))


def mod(z: Pair, w: Pair) -> Pair:
    # z - n w with n of the real parts
    n = _floor_divide(z[0], w[0])
    return _mod(z[0], w[0]), _minus(z[1], _times(n, w[1]))


# --- exponentials and logarithms ---


def scaled(z: Pair, factor: float) -> Pair:
    return factor * z[0], factor * _side(z)


def exp2(z: Pair) -> Pair:
    turn = LOG_2 * _side(z)
    return _exp2(z[0]) * _cos(turn), _exp2(z[0]) * _sin(turn)


def exp(z: Pair) -> Pair:
    b = _side(z)
    return _exp(z[0]) * _cos(b), _exp(z[0]) * _sin(b)


def expm1(z: Pair) -> Pair:
    # e^a cos b - 1 = expm1(a) cos b - 2 sin²(b/2)
    b = _side(z)
    half = _sin(0.5 * b)
    return _expm1(z[0]) * _cos(b) - 2.0 * (half * half), _exp(z[0]) * _sin(b)


def log(z: Pair) -> Pair:
    a, b = z[0], _side(z)
    known = _le(0.0, a)
    return _inside(known, _log(_hypot(a, b))), _inside(known, _atan2(b, a))


def log1p(z: Pair) -> Pair:
    # |1 + z| = (1 + a) √(1 + t²), t = b / (1 + a)
    a, b = z[0], _side(z)
    t = _unless_zero(b, b / (1.0 + a))
    return _log1p(a) + 0.5 * _log1p(t * t), _inside(_le(-1.0, a), _atan2(b, 1.0 + a))


def sigmoid(z: Pair) -> Pair:
    # 1 / (1 + e^-z) by e^-|a|, which does not overflow
    a, b = z[0], _side(z)
    e = _exp(-_abs(a))
    norm = 1.0 + 2.0 * (e * _cos(b)) + e * e
    return _where(_le(0.0, a), 1.0 + e * _cos(b), e * (e + _cos(b))) / norm, e * _sin(b) / norm


def softplus(z: Pair) -> Pair:
    # log(1 + e^z), |1 + e^z|² = 1 + e (2 cos b + e) with e = e^-|a|, times e^2a for a > 0
    a, b = z[0], _side(z)
    e = _exp(-_abs(a))
    up = _le(0.0, a)
    re = _maximum(a, 0.0) + 0.5 * _log1p(e * (2.0 * _cos(b) + e))
    return re, _atan2(_where(up, 1.0, e) * _sin(b), _where(up, e + _cos(b), 1.0 + e * _cos(b)))


# --- trigonometric and hyperbolic ---


def sin(z: Pair) -> Pair:
    b = _side(z)
    return _sin(z[0]) * _cosh(b), _cos(z[0]) * _sinh(b)


def sinpi(z: Pair) -> Pair:
    turn = math.pi * _side(z)
    return _sinpi(z[0]) * _cosh(turn), _cospi(z[0]) * _sinh(turn)


def cospi(z: Pair) -> Pair:
    turn = math.pi * _side(z)
    return _cospi(z[0]) * _cosh(turn), -(_sinpi(z[0]) * _sinh(turn))


def cos(z: Pair) -> Pair:
    b = _side(z)
    return _cos(z[0]) * _cosh(b), -(_sin(z[0]) * _sinh(b))


def tan(z: Pair) -> Pair:
    # (sin a cos a + i sinh b cosh b) / (cos² a + sinh² b), both divided by cosh² b
    a, b = z[0], _side(z)
    c = _cos(a) / _cosh(b)
    norm = c * c + _tanh(b) * _tanh(b)
    return _sin(a) / _cosh(b) * c / norm, _tanh(b) / norm


def sinh(z: Pair) -> Pair:
    b = _side(z)
    return _sinh(z[0]) * _cos(b), _cosh(z[0]) * _sin(b)


def cosh(z: Pair) -> Pair:
    b = _side(z)
    return _cosh(z[0]) * _cos(b), _sinh(z[0]) * _sin(b)


def tanh(z: Pair) -> Pair:
    # (sinh a cosh a + i sin b cos b) / (sinh² a + cos² b), both divided by cosh² a
    a, b = z[0], _side(z)
    c = _cos(b) / _cosh(a)
    norm = _tanh(a) * _tanh(a) + c * c
    return _tanh(a) / norm, _sin(b) / _cosh(a) * c / norm


def asin(z: Pair) -> Pair:
    below, above = _around_one(z)
    return _atan2(z[0], below[0] * above[0] - below[1] * above[1]), _asinh(below[0] * above[1] - below[1] * above[0])


def acos(z: Pair) -> Pair:
    below, above = _around_one(z)
    return 2.0 * _atan2(below[0], above[0]), _asinh(above[0] * below[1] - above[1] * below[0])


def _around_one(z: Pair) -> tuple[tuple[Expr, Expr], tuple[Expr, Expr]]:
    """√(1 - z) and √(1 + z)."""
    a, b = z[0], _side(z)
    return root(1.0 - a, -b), root(1.0 + a, b)


def _asinh(t: Expr) -> Expr:
    s = _abs(t)
    return _sign(t) * _log1p(s * (1.0 + s / (1.0 + _hypot(1.0, s))))


def atan(z: Pair) -> Pair:
    # (log(1 + iz) - log(1 - iz)) / 2i; |1 - iz|² / |1 + iz|² - 1 = 4b / ((1 - b)² + a²)
    a, b = z[0], _side(z)
    r = _hypot(1.0 - b, a)
    return 0.5 * (_atan2(a, 1.0 - b) + _atan2(a, 1.0 + b)), 0.25 * _log1p(4.0 * b / r / r)


def atan2(z: Pair, w: Pair) -> Pair:
    # turned by the real angle (cos = c/r, sin = a/r), w + iz is r + i rho with, across it, i beta: angle + atan(i beta / (r + i rho))
    (a, b), (c, d) = z, w
    r = _hypot(a, c)
    beta = _minus(_times(b, c / r), _times(d, a / r))
    rho = _plus(_times(b, a / r), _times(d, c / r))
    quotient = div((0.0 * r, beta), (r, rho))
    re, im = atan(quotient)
    return _atan2(a, c) + re, im


def asinh(z: Pair) -> Pair:
    # -i asin(iz) with iz = -b + ia; a large step beside a large a makes |b| > 1, where 1 ± b changes its sign
    a, b = z[0], _side(z)
    below, above = principal(1.0 + b, -a), principal(1.0 - b, a)
    return _asinh(below[0] * above[1] - below[1] * above[0]), _atan2(b, below[0] * above[0] - below[1] * above[1])


def acosh(z: Pair) -> Pair:
    # Kahan: asinh of the real part of conj(√(z - 1)) √(z + 1), twice the angle of (Re √(z + 1), Im √(z - 1))
    a, b = z[0], _side(z)
    below, above = root(a - 1.0, b), root(a + 1.0, b)
    return _asinh(below[0] * above[0] + below[1] * above[1]), 2.0 * _atan2(below[1], above[0])


def atanh(z: Pair) -> Pair:
    # |1 + z|² / |1 - z|² - 1 = 4a / ((1 - a)² + b²), for a >= 0; odd
    a, b = z[0], _side(z)
    s = _abs(a)
    r = _hypot(1.0 - s, b)
    inner = _inside(_le(s, 1.0), _sign(a) * (0.25 * _log1p(4.0 * s / r / r)))
    return inner, 0.5 * (_atan2(b, 1.0 - a) + _atan2(b, 1.0 + a))

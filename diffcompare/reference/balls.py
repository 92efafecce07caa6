"""The vocabulary of the ball forms: real functions on Arb balls and on power series of balls.

A value is an `arb`, constant along the direction of differentiation, or an `arb_series` in the parameter t of the line
point + t * direction. Where a series does not exist (a corner, a jump, the end of a domain) its coefficients are NaN
from that order on: a finite constant term with NaN after it is a value without a derivative.

Functions that FLINT lacks on series are their value at the centre plus the integral of x'(t) F'(x(t)), with F' in a
form without cancellation; the tests hold each against a second formula.
"""

from __future__ import annotations

from collections.abc import Callable

from flint import arb, arb_series, ctx

Ball = arb | arb_series

NAN = arb("nan")
ONE = arb(1)


class Condition:
    """The truth of a comparison, at the point and at all other points near it; None where that is not known.

    They differ on a boundary: for x at exactly 0, `x < 0` is false at the point and changes near it.
    """

    __slots__ = ("at", "near")

    def __init__(self, at: bool | None, near: bool | None) -> None:
        self.at = at
        self.near = near

    def __repr__(self) -> str:
        return f"Condition(at={self.at}, near={self.near})"


YES = Condition(True, True)
NO = Condition(False, False)


def _and(p: bool | None, q: bool | None) -> bool | None:
    return False if p is False or q is False else None if p is None or q is None else True


def _not(p: bool | None) -> bool | None:
    return None if p is None else not p


def centre(x: Ball) -> arb:
    """The value at the point."""
    return x if isinstance(x, arb) else x[0]


def series(x: Ball) -> arb_series:
    """The value as a series, also if it is constant."""
    return arb_series([x]) if isinstance(x, arb) else x


def kinked(value: arb) -> arb_series:
    """A value without a derivative."""
    return arb_series([value] + [NAN] * (ctx.cap - 1))


def coefficient(x: Ball, k: int) -> arb:
    """The k-th Taylor coefficient; NaN beyond the order to which the series is known (FLINT itself would say 0)."""
    if isinstance(x, arb):
        return x if k == 0 else arb(0)
    return x[k] if k < x.prec else NAN


def with_value(value: arb, x: arb_series) -> arb_series:
    """The series with another constant term, one computed without cancellation."""
    return arb_series([value] + [coefficient(x, k) for k in range(1, ctx.cap)])


def grown(value: arb, slope: Ball, x: arb_series) -> arb_series:
    """F(x) from F at the centre and F'(x): F(x0) + the integral of x' F'(x)."""
    return (x.derivative() * slope).integral() + value


def composed(taylor: list[arb], x: arb_series) -> arb_series:
    """F(x) from the Taylor coefficients of F about the value of x."""
    step = with_value(arb(0), x)
    return arb_series(taylor)(step) if len(step) else arb_series(taylor[:1])  # FLINT refuses the step 0


def same(x: arb, y: arb) -> bool:
    """Whether two balls are certainly the same number: both exact and equal."""
    return bool(x == y)


def _leading(d: arb_series) -> tuple[int, arb]:
    """(k, c) of the first coefficient that is not exactly zero; k = d.prec if there is none."""
    for k in range(d.prec):
        if not d[k].is_zero():
            return k, d[k]
    return d.prec, arb(0)


def _joined(x: Ball, y: Ball) -> arb_series:
    """Where two branches meet: x as far as the coefficients agree exactly, NaN beyond."""
    coefficients = [coefficient(x, 0)]
    for k in range(1, ctx.cap):
        if not same(coefficient(x, k), coefficient(y, k)):
            break
        coefficients.append(coefficient(x, k))
    return arb_series(coefficients + [NAN] * (ctx.cap - len(coefficients)))


def _step(x: Ball, value: arb, jumps: bool) -> Ball:
    """A function that is constant between jumps: constant near x unless a jump is, or may be, there."""
    return value if isinstance(x, arb) or not jumps else kinked(value)


class Vocabulary:
    """What a ball form may call, beside + - * and the methods that arb and arb_series share: exp log sin cos tan asin
    acos atan erf erfc gamma.

    limits: whether 0/0 with a finite limit gives that limit; without it such a quotient is NaN, as it is for floats.
    """

    def __init__(self, limits: bool = False) -> None:
        self.limits = limits

    def number(self, value: float) -> arb:
        return arb(value)

    # --- choice ---

    def compare(self, sign: str, x: Ball, y: Ball) -> Condition:
        """x < y, x <= y, x == y or x != y."""
        if x is y and centre(x).is_finite():  # one value, as wide as it may be: the entry that is the extreme of its row
            return YES if sign in ("<=", "==") else NO
        d = x - y
        d0 = centre(d)
        if d0 != 0:
            if not (d0 < 0 or d0 > 0):
                return Condition(None, None)
            answer = d0 < 0 if sign in ("<", "<=") else sign == "!="
            return YES if answer else NO
        if not d0.is_zero():
            return Condition(None, None)
        at = sign in ("<=", "==")
        if isinstance(d, arb):
            return YES if at else NO
        k, c = _leading(d)
        apart = k < d.prec and bool(c != 0)
        if sign in ("==", "!="):
            return Condition(at, sign == "!=" if apart else None)
        # an even leading power keeps its sign through the point, an odd one changes it
        return Condition(at, bool(c < 0) if apart and k % 2 == 0 else None)

    def logical_and(self, p: Condition, q: Condition) -> Condition:
        return Condition(_and(p.at, q.at), _and(p.near, q.near))

    def logical_or(self, p: Condition, q: Condition) -> Condition:
        return self.logical_not(self.logical_and(self.logical_not(p), self.logical_not(q)))

    def logical_not(self, p: Condition) -> Condition:
        return Condition(_not(p.at), _not(p.near))

    def where(self, condition: Condition, x: Ball, y: Ball) -> Ball:
        """The branch taken; on a boundary the two as far as they agree, undecided the hull of both."""
        at, near = condition.at, condition.near
        if at is not None and at == near:
            return x if at else y
        if x is y:
            return x
        if at is None:
            return kinked(centre(x).union(centre(y)))
        here, there = (x, y) if at else (y, x)
        if not same(centre(here), centre(there)):
            return kinked(centre(here))
        return there if near is not None else _joined(here, there)

    def sign(self, x: Ball) -> Ball:
        c = centre(x)
        return NAN if c.is_nan() else _step(x, c.sgn(), not (c > 0 or c < 0))  # FLINT's sgn of NaN is the ball of -1 and 1

    def abs(self, x: Ball) -> Ball:
        return self.maximum(x, -x)

    def maximum(self, x: Ball, y: Ball) -> Ball:
        return self._extreme(x, y, x - y, arb.max)

    def minimum(self, x: Ball, y: Ball) -> Ball:
        return self._extreme(x, y, y - x, arb.min)

    def _extreme(self, x: Ball, y: Ball, d: Ball, hull: Callable[[arb, arb], arb]) -> Ball:
        """x where d > 0, y where d < 0."""
        if x is y:
            return x
        d0 = centre(d)
        if d0 > 0:
            return x
        if d0 < 0:
            return y
        if isinstance(d, arb):
            # an exact tie of two values that may both vary along the direction, but not apart
            return x if d0.is_zero() else self._unsure(x, y, hull)
        if not d0.is_zero():
            return self._unsure(x, y, hull)
        k, c = _leading(d)
        if k < d.prec and k % 2 == 0 and c != 0:
            return x if c > 0 else y
        return _joined(x, y)

    def _unsure(self, x: Ball, y: Ball, hull: Callable[[arb, arb], arb]) -> Ball:
        value = hull(centre(x), centre(y))
        return value if isinstance(x, arb) and isinstance(y, arb) else kinked(value)

    # --- rounding ---

    def floor(self, x: Ball) -> Ball:
        c = centre(x)
        value = c.floor()
        return _step(x, value, not value.is_exact() or not value < c)

    def ceil(self, x: Ball) -> Ball:
        return -self.floor(-x)

    def round(self, x: Ball) -> Ball:
        """To the nearest integer, halves to even."""
        c = centre(x)
        value = (c + 0.5).floor()
        half = (c - 0.5).is_integer()
        if half:
            value = 2 * ((c + 0.5) / 2).floor()
        return _step(x, value, half or not value.is_exact() or not value - 0.5 < c)

    def mod(self, x: Ball, y: Ball) -> Ball:
        """x - y floor(x / y), of the sign of y."""
        return x - y * self.floor(self.div(x, y))

    # --- quotients, roots and powers ---

    def div(self, x: Ball, y: Ball) -> Ball:
        if isinstance(y, arb):
            return x / y if y != 0 else NAN
        if y[0] != 0:
            return x / y
        if not self.limits or not y[0].is_zero():
            return NAN
        k, c = _leading(y)
        if k == y.prec or c.contains(0):  # the order of the zero is not known: FLINT would raise, or give 0 for the numerator 0
            return NAN
        try:
            return x / y
        except ValueError as e:
            if "would not be a power series" not in str(e):
                raise
            return NAN

    def sqrt(self, x: Ball) -> Ball:
        # at 0 FLINT's series of a square would be t, where the root is |t|
        return kinked(x[0]) if isinstance(x, arb_series) and x[0].is_zero() else x.sqrt()

    def cbrt(self, x: Ball) -> Ball:
        """The real cube root, also of negative numbers."""
        c = centre(x)
        if c.is_zero():
            return c if isinstance(x, arb) else kinked(c)
        if c < 0:
            return -self.cbrt(-x)
        root = c.root(3)
        return root if isinstance(x, arb) else with_value(root, x ** (ONE / 3))

    def pow(self, x: Ball, y: Ball) -> Ball:
        """x**y: for x > 0, for x = 0 with y >= 0, and for x < 0 with y an integer."""
        if isinstance(y, arb):
            return self._power(x, y)
        x0, y0 = centre(x), y[0]
        if x0 > 0:
            return x**y
        if isinstance(x, arb) and x.is_zero() and y0 > 0:
            return arb_series([x])  # 0 for every exponent near y; a series, since beside x = 0 it depends on y
        # defined at the point alone, or at one side of it
        return kinked(x0**y0) if x0.is_zero() or y0.is_integer() else NAN

    def _power(self, x: Ball, n: arb) -> Ball:
        """A power with a constant exponent."""
        if isinstance(x, arb):
            return x**n
        if n.is_zero():
            return arb_series([1])  # a series, since beside n = 0 it depends on x: an arb would say that d²/dx dn is 0
        if x[0] > 0 or (n.is_integer() and (n > 0 or x[0] < 0)):
            return x**n
        return kinked(x[0] ** n)

    # --- exponentials and logarithms ---

    def expm1(self, x: Ball) -> Ball:
        return x.expm1() if isinstance(x, arb) else with_value(x[0].expm1(), x.exp())

    def log1p(self, x: Ball) -> Ball:
        return x.log1p() if isinstance(x, arb) else with_value(x[0].log1p(), (1 + x).log())

    def exp2(self, x: Ball) -> Ball:
        return arb(2) ** x

    def log2(self, x: Ball) -> Ball:
        return x.log() / arb(2).log()

    def log10(self, x: Ball) -> Ball:
        return x.log() / arb(10).log()

    # --- trigonometric ---

    def sec(self, x: Ball) -> Ball:
        return self.div(ONE, x.cos())

    def csc(self, x: Ball) -> Ball:
        return self.div(ONE, x.sin())

    def cot(self, x: Ball) -> Ball:
        return self.div(x.cos(), x.sin())

    def asec(self, x: Ball) -> Ball:
        return self.div(ONE, x).acos()

    def acsc(self, x: Ball) -> Ball:
        return self.div(ONE, x).asin()

    def acot(self, x: Ball) -> Ball:
        """atan(1/x), odd, undefined at 0."""
        return self.div(ONE, x).atan()

    def sinc(self, x: Ball) -> Ball:
        """sin(pi x) / (pi x), 1 at 0."""
        c = centre(x)
        if isinstance(x, arb):
            return NAN if x.is_nan() else (arb.pi() * x).sinc()  # FLINT's sinc of NaN is the ball of -1 and 1
        if not c.is_zero():
            return self.div(x.sin_pi(), arb.pi() * x)
        taylor = [arb(0)] * ctx.cap
        for k in range(0, ctx.cap, 2):
            taylor[k] = (-1) ** (k // 2) * arb.pi() ** k / arb(k + 1).gamma() / (k + 1)
        return composed(taylor, x)

    def atan2(self, y: Ball, x: Ball) -> Ball:
        """The angle of (x, y), in (-pi, pi]; its jump is the negative x axis. Zero has no sign here."""
        y0, x0 = centre(y), centre(x)
        angle = NAN if y0.is_nan() or x0.is_nan() else arb.atan2(y0, x0)  # FLINT's atan2(NaN, -1) is the ball of -pi and pi
        if isinstance(y, arb) and isinstance(x, arb):
            return angle
        if not (x0 > 0 or y0 != 0 or (isinstance(y, arb) and y.is_zero() and x0 < 0)):
            return kinked(angle)
        s, c = series(y), series(x)
        slope = self.div(c * s.derivative() - s * c.derivative(), c * c + s * s)
        return slope.integral() + angle if isinstance(slope, arb_series) else kinked(angle)

    # --- hyperbolic ---

    def sinh(self, x: Ball) -> Ball:
        return x.sinh() if isinstance(x, arb) else grown(x[0].sinh(), (x.exp() + (-x).exp()) / 2, x)

    def cosh(self, x: Ball) -> Ball:
        return x.cosh() if isinstance(x, arb) else grown(x[0].cosh(), self.sinh(x), x)

    def tanh(self, x: Ball) -> Ball:
        return x.tanh() if isinstance(x, arb) else grown(x[0].tanh(), self.sech2(x), x)

    def sech2(self, x: Ball) -> Ball:
        """4 e / (1 + e)² with e = exp(-2|x|), not 1 - tanh(x)²."""
        s = self.sech(x)
        return s * s

    def sech(self, x: Ball) -> Ball:
        """2 e / (1 + e²) with e = exp(-|x|); the formula is even, so a wrong guess of the sign costs nothing but size."""
        e = x.exp() if centre(x) < 0 else (-x).exp()
        return self.div(2 * e, 1 + e * e)

    def csch(self, x: Ball) -> Ball:
        return self.div(ONE, self.sinh(x))

    def coth(self, x: Ball) -> Ball:
        if isinstance(x, arb):
            return x.coth()
        s = self.csch(x)
        return grown(x[0].coth(), -(s * s), x)

    def asinh(self, x: Ball) -> Ball:
        return x.asinh() if isinstance(x, arb) else grown(x[0].asinh(), (1 + x * x).rsqrt(), x)

    def acosh(self, x: Ball) -> Ball:
        return x.acosh() if isinstance(x, arb) else grown(x[0].acosh(), (x - 1).rsqrt() * (x + 1).rsqrt(), x)

    def atanh(self, x: Ball) -> Ball:
        return x.atanh() if isinstance(x, arb) else grown(x[0].atanh(), self.div(ONE, (1 - x) * (1 + x)), x)

    def asech(self, x: Ball) -> Ball:
        return self.acosh(self.div(ONE, x))

    def acsch(self, x: Ball) -> Ball:
        return self.asinh(self.div(ONE, x))

    def acoth(self, x: Ball) -> Ball:
        return self.atanh(self.div(ONE, x))

    # --- special functions ---

    def lgamma(self, x: Ball) -> Ball:
        """log |gamma(x)|; below 1/2 by reflection, log pi - log |sin pi x| - log gamma(1 - x)."""
        if centre(x) > 0.5:
            return x.lgamma()
        return arb.pi().log() - self.abs(x.sin_pi()).log() - (1 - x).lgamma()

    def digamma(self, x: Ball) -> Ball:
        if isinstance(x, arb):
            return x.digamma()
        c = x[0]
        if c.mid() < 0.5:  # by the middle: of a ball around 0.5, or without end, both x and 1 - x are not certainly above it
            return self.digamma(1 - x) - arb.pi() * x.cot_pi()
        # psi(c + t) = psi(c) + sum over k >= 1 of (-1)^(k+1) zeta(k + 1, c) t^k
        taylor = [c.digamma()] + [(-1) ** (k + 1) * arb(k + 1).zeta(c) for k in range(1, ctx.cap)]
        return composed(taylor, x)

    def trigamma(self, x: Ball) -> Ball:
        c = centre(x)
        if c.mid() < 0.5:
            return self.div(arb.pi() ** 2, x.sin_pi() ** 2) - self.trigamma(1 - x)
        if isinstance(x, arb):
            return arb(2).zeta(c)
        # the derivative of digamma's series
        taylor = [(-1) ** k * (k + 1) * arb(k + 2).zeta(c) for k in range(ctx.cap)]
        return composed(taylor, x)

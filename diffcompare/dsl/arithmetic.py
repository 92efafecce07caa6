"""Arithmetic, powers, comparisons, logic and choice: the functions behind the operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from . import complex_forms as forms
from .accuracy import Bound
from .constants import literal
from .core import BOOL, FUNCTIONS, REAL, Expr, register
from .elementwise import LINE, NAN, NONNEGATIVE, NONZERO, POSITIVE, Elementwise, fold, is_exactly, number

# --- arithmetic; every rewriting is float-exact and keeps the domain: x * 1 may go, 0 * x and x - x may not ---


def _simplify_add(x: Expr, y: Expr) -> Expr | None:
    if is_exactly(x, -0.0):
        return y
    if is_exactly(y, -0.0):
        return x
    return fold(np.add, x, y)


def _simplify_mul(x: Expr, y: Expr) -> Expr | None:
    for a, b in ((x, y), (y, x)):
        factor = number(a)
        if factor == 1.0:
            return b
        if factor == -1.0:
            return neg(b)
    return fold(np.multiply, x, y)


add = register(
    Elementwise(
        "add",
        2,
        partials=lambda y, a, b: (1.0, 1.0),
        simplify=_simplify_add,
        array="add",
        scalar="{0} + {1}",
        sympy=lambda sp, a, b: sp.add(a, b),
        ball=lambda b, x, y: x + y,
        complex=forms.add,
    )
)

sub = register(
    Elementwise(
        "sub",
        2,
        partials=lambda y, a, b: (1.0, -1.0),
        simplify=lambda a, b: a if is_exactly(b, 0.0) else fold(np.subtract, a, b),
        array="subtract",
        scalar="{0} - {1}",
        sympy=lambda sp, a, b: sp.sub(a, b),
        ball=lambda b, x, y: x - y,
        complex=forms.sub,
    )
)

neg: Elementwise = register(
    Elementwise(
        "neg",
        partials=lambda y, x: (-1.0,),
        simplify=lambda x: x.args[0] if x.primitive is neg else fold(np.negative, x),
        array="negative",
        scalar="-{0}",
        sympy=lambda sp, x: sp.neg(x),
        ball=lambda b, x: -x,
        complex=forms.neg,
    )
)

mul = register(
    Elementwise(
        "mul",
        2,
        partials=lambda y, a, b: (b, a),
        simplify=_simplify_mul,
        array="multiply",
        scalar="{0} * {1}",
        sympy=lambda sp, a, b: sp.mul(a, b),
        ball=lambda b, x, y: x * y,
        complex=forms.mul,
    )
)


def _nonzero_constant(node: Expr) -> bool:
    value = literal(node)
    known = number(node) if value is None else value
    return known is not None and bool(np.all(np.asarray(known) != 0))


div = register(
    Elementwise(
        "div",
        2,
        partials=lambda y, a, b: (1.0 / b, -y / b),
        singular=lambda node: not _nonzero_constant(node.args[1]),
        simplify=lambda a, b: a if is_exactly(b, 1.0) else fold(np.divide, a, b),
        array="divide",
        scalar="{0} / {1}",
        sympy=lambda sp, a, b: sp.div(a, b),
        ball=lambda b, x, y: b.div(x, y),
        complex=forms.div,
        domain=(LINE, NONZERO),
    )
)

chain_mul = register(
    Elementwise(
        "chain_mul",
        2,
        # the product of a derivative with a tangent, in which 0 times infinity is 0 and NaN stays NaN
        partials=lambda y, p, t: (t, p),
        singular=lambda node: True,
        simplify=_simplify_mul,
        array="chain_mul",
        scalar="chain_mul({0}, {1})",
        sympy=lambda sp, a, b: sp.chain_mul(a, b),
        ball=lambda b, x, y: x * y,
        complex=forms.chain_mul,
    )
)

# --- comparisons and logic: bool, without derivative ---


def _comparison(name: str, array: str, sign: str) -> Elementwise:
    return register(
        Elementwise(
            name,
            2,
            array=array,
            scalar=f"{{0}} {sign} {{1}}",
            sympy=lambda sp, a, b: sp.compare(sign, a, b),
            ball=lambda b, x, y: b.compare(sign, x, y),
            complex=lambda z, w: (FUNCTIONS[name](z[0], w[0]), None),
            simplify=lambda a, b: fold(getattr(np, array), a, b),
            dtype=BOOL,
        )
    )


lt = _comparison("lt", "less", "<")
le = _comparison("le", "less_equal", "<=")
eq = _comparison("eq", "equal", "==")
ne = _comparison("ne", "not_equal", "!=")
FUNCTIONS["gt"] = lambda a, b: lt(b, a)
FUNCTIONS["ge"] = lambda a, b: le(b, a)


class Connective(Elementwise):
    """Logic on bools; a real argument counts as true where it is not 0, as in NumPy."""

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        return super().apply([a if a.dtype == BOOL else ne(a, 0.0) for a in args], params)


def _connective(name: str, arity: int, scalar: str) -> Elementwise:
    return register(
        Connective(
            name,
            arity,
            array=name,
            scalar=scalar,
            sympy=lambda sp, *args: getattr(sp, name)(*args),
            ball=lambda b, *args: getattr(b, name)(*args),
            simplify=lambda *args: fold(getattr(np, name), *args),
            dtype=BOOL,
            takes_bool=True,
        )
    )


logical_and = _connective("logical_and", 2, "({0} and {1})")
logical_or = _connective("logical_or", 2, "({0} or {1})")
logical_not = _connective("logical_not", 1, "not {0}")

real = register(
    Elementwise(
        "real",
        # a bool as 0.0 or 1.0
        simplify=lambda x: x if x.dtype == REAL else fold(float, x),
        array="real",
        scalar="float({0})",
        sympy=lambda sp, c: sp.real(c),
        ball=lambda b, c: b.where(c, b.number(1.0), b.number(0.0)),
        takes_bool=True,
    )
)

# --- choice ---


class Where(Elementwise):
    """where(condition, a, b): the branch taken, entry by entry; nothing leaks from the other branch."""

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        condition, a, b = args
        if condition.dtype != BOOL:
            condition = ne(condition, 0.0)
        if a.dtype != b.dtype:
            a, b = real(a), real(b)
        known = literal(condition)
        if isinstance(known, bool) and a.shape == b.shape:
            return a if known else b
        node = super().apply([condition, a, b], params)
        if a.dtype == BOOL:
            c, a, b = node.args
            return logical_or(logical_and(c, a), logical_and(logical_not(c), b))
        return node

    def jvp(self, node: Expr, tangents: Sequence[Expr | None], wild: bool = False) -> Expr | None:
        _, a, b = tangents
        if a is None and b is None:
            return None
        return where(node.args[0], 0.0 if a is None else a, 0.0 if b is None else b)

    def vjp(self, node: Expr, cotangent: Expr, wild: bool = False) -> Sequence[Expr | None]:
        condition = node.args[0]
        return [None, where(condition, cotangent, 0.0), where(condition, 0.0, cotangent)]


where: Elementwise = register(
    Where(
        "where",
        3,
        array="where",
        scalar="{1} if {0} else {2}",
        sympy=lambda sp, c, a, b: sp.where(c, a, b),
        ball=lambda b, c, x, y: b.where(c, x, y),
        complex=forms.where,
        takes_bool=True,
    )
)

inside: Elementwise = register(
    Elementwise(
        "inside",
        2,
        # the value where the condition holds, NaN elsewhere, to every order
        evaluate=lambda c, x: where(c, x, NAN),
        partials=lambda y, c, x: (None, inside(c, 1.0)),
        takes_bool=True,
    )
)

# --- kinks: conventions of one table, compiled into these partials ---

sign = register(
    Elementwise(
        "sign",
        array="sign",
        scalar="sign",
        sympy=lambda sp, x: sp.sign(x),
        ball=lambda b, x: b.sign(x),
        kinks=lambda x: eq(x, 0.0),
        convention="0 at 0",
        simplify=lambda x: fold(np.sign, x),
    )
)

abs_: Elementwise = register(
    Elementwise(
        "abs",
        partials=lambda y, x: (sign(x),),
        array="absolute",
        scalar="fabs",
        sympy=lambda sp, x: sp.abs(x),
        ball=lambda b, x: b.abs(x),
        complex=forms.abs_,
        kinks=lambda x: eq(x, 0.0),
        convention="0 at 0, the mean of -1 and 1",
        simplify=lambda x: x if x.primitive is abs_ else fold(np.absolute, x),  # not for sqrt, which is -0.0 at -0.0
    )
)

floor: Elementwise = register(
    Elementwise(
        "floor",
        array="floor",
        scalar="floor",
        sympy=lambda sp, x: sp.floor(x),
        ball=lambda b, x: b.floor(x),
        kinks=lambda x: eq(x, floor(x)),
        convention="0 at the jumps",
        simplify=lambda x: fold(np.floor, x),
    )
)


def _larger(x: Expr, y: Expr) -> Expr:
    """1 where x > y, 1/2 at a tie, 0 below, NaN at NaN."""
    return 0.5 + 0.5 * sign(x - y)


maximum = register(
    Elementwise(
        "maximum",
        2,
        partials=lambda y, a, b: (_larger(a, b), _larger(b, a)),
        array="maximum",
        scalar="maximum",
        sympy=lambda sp, a, b: sp.maximum(a, b),
        ball=lambda b, x, y: b.maximum(x, y),
        complex=forms.maximum,
        kinks=lambda a, b: eq(a, b),
        convention="1/2 to each at a tie",
    )
)

minimum = register(
    Elementwise(
        "minimum",
        2,
        partials=lambda y, a, b: (_larger(b, a), _larger(a, b)),
        array="minimum",
        scalar="minimum",
        sympy=lambda sp, a, b: sp.minimum(a, b),
        ball=lambda b, x, y: b.minimum(x, y),
        complex=forms.minimum,
        kinks=lambda a, b: eq(a, b),
        convention="1/2 to each at a tie",
    )
)

# --- roots and powers ---

sqrt: Elementwise = register(
    Elementwise(
        "sqrt",
        partials=lambda y, x: (0.5 / abs_(y),),  # |y|: sqrt(-0.0) is -0.0, its slope +inf
        singular=lambda node: True,
        simplify=lambda x: fold(np.sqrt, x),
        array="sqrt",
        scalar="sqrt",
        sympy=lambda sp, x: sp.sqrt(x),
        ball=lambda b, x: b.sqrt(x),
        complex=forms.sqrt,
        domain=(NONNEGATIVE,),
        convention="+inf at 0",
    )
)


def _mixed_size(x: float, y: float) -> float:
    log_of_power = min(max((y - 1) * math.log(x), -700.0), 700.0)
    return max(1.0, abs(y * math.log(x))) * math.exp(log_of_power)


MIXED = Bound(4.0, "x**(y-1) (1 + y log x) vanishes along y log x = -1", _mixed_size)


def _exact_decrement(n: float) -> bool:
    """Whether n - 1 is a float64, so that x**(n - 1) is the power meant."""
    return math.isfinite(n) and Fraction(n) - 1 == Fraction(n - 1.0)


def _pow_partials(p: Expr, x: Expr, y: Expr) -> tuple[Expr | None, Expr | None]:
    n = number(y)
    if n is not None and _exact_decrement(n):
        return (None if n == 0 else n * pow_(x, n - 1.0)), FUNCTIONS["pow_log"](x, y)
    return FUNCTIONS["pow_slope"](x, y), FUNCTIONS["pow_log"](x, y)


def _simplify_pow(x: Expr, y: Expr) -> Expr | None:
    if is_exactly(y, 1.0):
        return x
    return fold(np.power, x, y) if number(y) in (2.0, -1.0) else None


def _singular_pow(node: Expr) -> bool:
    n = number(node.args[1])
    return n is None or not (n >= 1 or n == 0)


pow_ = register(
    Elementwise(
        "pow",
        2,
        partials=_pow_partials,
        singular=_singular_pow,
        simplify=_simplify_pow,
        array="power",
        scalar="pow",
        sympy=lambda sp, x, y: sp.pow(x, y),
        ball=lambda b, x, y: b.pow(x, y),
        complex=forms.pow_,
        domain=(POSITIVE, LINE),
        bounds={(0, 1): MIXED, (1, 0): MIXED},
    )
)

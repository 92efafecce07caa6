"""What functions consist of in SymPy: constants bit for bit, functions that SymPy does not evaluate, sums and products."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy

from ...dsl.composite import Composite
from ...dsl.constants import constant
from ...dsl.core import Expr
from ...dsl.elementwise import LINE, Elementwise

Basic = Any
"""A SymPy object; SymPy comes without types that could be checked."""

ZERO, ONE = sympy.Integer(0), sympy.Integer(1)

EXACT_BITS = 10
EXACT_SIZE = 2.0**20
"""Numbers that SymPy may calculate with: few bits, so that products of several of them are exact and stay small."""


class Constant(sympy.Symbol):  # type: ignore[misc]
    """A float64 (or bool) that SymPy takes for a symbol, so that it neither merges, rounds nor evaluates it; its name is its bits."""

    __slots__ = ()


def number(value: float | bool) -> Basic:
    """A constant bit for bit: a Rational where it is m / 2**10 with a value up to 2**20, else a Constant.

    Zeros are Constants: SymPy's 0 is a structural zero, with which any product is 0 to every order.
    """
    if isinstance(value, bool | np.bool_):
        return Constant(f"bool:{bool(value)}", real=True)
    value = float(value)
    scaled = value * 2.0**EXACT_BITS
    if value != 0.0 and abs(value) <= EXACT_SIZE and scaled == int(scaled):
        return sympy.Rational(int(scaled), 2**EXACT_BITS)
    return Constant(f"bits:{np.float64(value).view(np.uint64):016x}", real=True)


def constant_of(symbol: Constant) -> Expr:
    """The constant of the graph again, bit for bit."""
    kind, _, text = symbol.name.partition(":")
    return constant(text == "True") if kind == "bool" else constant(float(np.uint64(int(text, 16)).view(np.float64)))


def rational(value: Basic) -> Expr:
    """The nearest float64 to a SymPy Rational."""
    try:
        return constant(int(value.p) / int(value.q))  # Python divides integers with one rounding
    except OverflowError:
        return constant(float("inf") if value > 0 else float("-inf"))


def known_constant(entry: Basic) -> Expr | None:
    """A SymPy number or Constant as a constant of the graph, None for any other expression."""
    if isinstance(entry, Constant):
        return constant_of(entry)
    return rational(entry) if entry.is_Rational else None


# --- functions that SymPy does not evaluate ---


class Opaque(sympy.Function):  # type: ignore[misc]
    """A function of the DSL in SymPy, a subclass for each primitive. SymPy's diff asks it for the rules in rules.py."""

    is_extended_real = True
    primitive: Any = None

    @classmethod
    def eval(cls, *args: Basic) -> None:
        """Nothing: SymPy does not evaluate it."""

    def fdiff(self, argindex: int = 1) -> Basic:
        from .rules import slopes

        return slopes(self)[argindex - 1]

    def _eval_evalf(self, prec: int) -> None:
        """Nothing: SymPy would call mpmath's function of the same name, which may be another (sinc) or take other arguments (norm)."""

    def _eval_derivative(self, symbol: Basic) -> Basic:
        from .rules import chain

        return chain(self, [a.diff(symbol) for a in self.args])


class Reciprocal(Opaque):
    """1/x, not SymPy's power -1, with which x/x would be 1; its powers are SymPy's."""

    nargs = 1


class Choice(Opaque):
    """where(condition, a, b)."""


class Entry(Opaque):
    """Entry k of an array function of a vector, as (k, *entries of the vector)."""


_opaque: dict[Any, type[Opaque]] = {}


def opaque(primitive: Any) -> type[Opaque]:
    """The SymPy function that stands for a primitive."""
    if primitive not in _opaque:
        if isinstance(primitive, Composite):
            kind: type[Opaque] = type(primitive.name, (Entry,), {"primitive": primitive})
        else:
            base = Choice if primitive.name == "where" else Opaque
            kind = type(primitive.name, (base,), {"primitive": primitive, "nargs": primitive.arity})
        _opaque[primitive] = kind
    return _opaque[primitive]


def nodes(expressions: Iterable[Basic]) -> list[Basic]:
    """Every distinct expression below these, arguments before their users."""
    order: list[Basic] = []
    seen: set[Basic] = set()
    for root in expressions:
        if root in seen:
            continue
        seen.add(root)
        pending = [(root, iter(root.args))]
        while pending:
            node, arguments = pending[-1]
            for a in arguments:
                if a not in seen:
                    seen.add(a)
                    pending.append((a, iter(a.args)))
                    break
            else:
                order.append(node)
                pending.pop()
    return order


@lru_cache(maxsize=2**16)
def shared(expression: Basic) -> Basic:
    """The first expression equal to this one.

    SymPy compares equal expressions that are two objects argument by argument, as trees. With copies on many levels that
    takes time exponential in the depth: the second derivative of 50 logistic steps 50 seconds, with this 1.
    """
    return expression


# --- sums and products: SymPy's, but for what loses domain or digits ---


def add(*terms: Basic) -> Basic:
    """The sum by SymPy, unless collecting like terms would lose a function with a restricted domain (log(x) - log(x))."""
    terms = tuple(t for t in terms if t is not ZERO)
    total = sympy.Add(*terms)
    cancelled = _parts(terms) - _parts([total])
    if cancelled and not _restricted(cancelled) <= _restricted([total]):
        total = sympy.Add(*terms, evaluate=False)
    return shared(total)


def _parts(terms: Iterable[Basic]) -> set[Basic]:
    """What is added up, without numerical coefficients."""
    return {a.as_coeff_Mul()[1] for t in terms for a in sympy.Add.make_args(t)} - {ONE}


def _restricted(expressions: Iterable[Basic]) -> set[Basic]:
    """The functions in the expressions that are undefined or infinite somewhere."""
    return {
        e
        for e in nodes(expressions)
        if isinstance(e, Reciprocal) or (isinstance(e, Opaque) and isinstance(e.primitive, Elementwise) and _is_restricted(e.primitive))
    }


def _is_restricted(primitive: Elementwise) -> bool:
    return primitive.name in ("inside", "pow") or any(d != LINE for d in primitive.domain)


def multiply(*factors: Basic) -> Basic:
    """The product by SymPy, a number not distributed over a sum: 3 - 3x has fewer digits near 1 than 3(1 - x)."""
    coefficients, rests = zip(*(f.as_coeff_Mul() for f in factors), strict=True)
    coefficient = sympy.Mul(*coefficients)
    rest = [r for r in rests if r is not ONE]
    if len(rest) != 1 or not rest[0].is_Add:
        return shared(sympy.Mul(coefficient, *rest))
    if coefficient is ZERO:
        return ZERO
    return rest[0] if coefficient is ONE else shared(sympy.Mul(coefficient, rest[0], evaluate=False))


def negate(x: Basic) -> Basic:
    return multiply(sympy.Integer(-1), x)

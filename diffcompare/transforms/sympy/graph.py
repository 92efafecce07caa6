"""From SymPy to the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import sympy

from ...dsl.arithmetic import pow_
from ...dsl.constants import constant
from ...dsl.core import FUNCTIONS, Expr
from ...dsl.structural import reshape_, slice_, stack
from ...errors import Unsupported
from .terms import ONE, Basic, Constant, Entry, Opaque, Reciprocal, constant_of, nodes, rational

NATIVE: dict[str, Any] = {name: getattr(sympy, name) for name in "exp sin cos tan asin acos atan sinh cosh asinh acosh erf erfc".split()}
"""The functions that SymPy's own table differentiates. Not log, log1p, atanh: SymPy's slopes are finite where these are NaN.
Not tanh: 1 - tanh² cancels, to 6e-10 at 9 and to nothing past 19, where physics formulas are evaluated."""


def from_sympy(expressions: Sequence[Basic], symbols: Sequence[Basic], inputs: Sequence[Expr]) -> list[Expr]:
    """The expressions in the graph, `inputs` (scalar expressions) for the symbols.

    Sums and products are folded from the left in SymPy's order, terms with a negative coefficient subtracted, factors
    with a negative power divided by. A number is the nearest float64; a coefficient p/q that is none becomes * p / q.
    Raises Unsupported naming a SymPy object that has no counterpart.
    """
    known: dict[Basic, Expr] = dict(zip(symbols, inputs, strict=True))
    for node in nodes(expressions):
        if node not in known:
            known[node] = _graph(node, known)
    return [known[e] for e in expressions]


def _graph(node: Basic, known: Mapping[Basic, Expr]) -> Expr:
    if isinstance(node, Constant):
        return constant_of(node)
    if node.is_Number or node.is_NumberSymbol:
        return rational(node) if node.is_Rational else constant(float(node))
    if node.is_Add:
        return _sum([_signed(a, known) for a in node.args])
    if node.is_Mul or node.is_Pow or isinstance(node, Reciprocal):
        negative, result = _signed(node, known)
        return -result if negative else result
    if isinstance(node, Entry):
        index, entries = int(node.args[0]), [known[a] for a in node.args[1:]]
        result = node.primitive.apply([_vector(entries)], ((-1,),))
        return result[index] if result.shape else result  # type: ignore[no-any-return]
    if isinstance(node, Opaque):
        return node.primitive.apply([known[a] for a in node.args])  # type: ignore[no-any-return]
    name = next((name for name, native in all_native().items() if node.func is native), None)
    if name is None:
        raise Unsupported(f"symbolic: SymPy's {type(node).__name__} has no counterpart in the DSL: {sympy.sstr(node)[:60]}")
    return FUNCTIONS[name](*(known[a] for a in node.args))


@cache
def all_native() -> dict[str, Any]:
    """SymPy's function for each name of the DSL that it has."""
    more = {
        "log": sympy.log,
        "tanh": sympy.tanh,
        "abs": sympy.Abs,
        "sign": sympy.sign,
        "atanh": sympy.atanh,
        "atan2": sympy.atan2,
        "floor": sympy.floor,
    }
    return {**NATIVE, **more, "maximum": sympy.Max, "minimum": sympy.Min}


def _sum(terms: Sequence[tuple[bool, Expr]]) -> Expr:
    """The signed terms added from the left, starting from the first that is not negative."""
    first = next((k for k, (negative, _) in enumerate(terms) if not negative), None)
    total = -terms[0][1] if first is None else terms[first][1]
    for k, (negative, term) in enumerate(terms):
        if k != (first or 0):
            total = total - term if negative else total + term
    return total


def _signed(node: Basic, known: Mapping[Basic, Expr]) -> tuple[bool, Expr]:
    """(whether it is negative, the rest) of a term: a product by its numerical coefficient, any other as it is."""
    if not (node.is_Mul or node.is_Pow or node.is_Rational or isinstance(node, Reciprocal)):
        return False, known[node]
    coefficient, rest = node.as_coeff_Mul()
    if node.is_Rational:
        coefficient, rest = node, ONE
    above, below = _fraction(sympy.Mul.make_args(rest), known)
    magnitude = abs(coefficient)
    exact = magnitude.q & (magnitude.q - 1) == 0
    scale = rational(magnitude if exact else sympy.Integer(magnitude.p))
    if not exact:
        below.append(rational(sympy.Integer(magnitude.q)))
    if magnitude is not ONE or not above:
        above.insert(0, scale)
    result = above[0]
    for factor in above[1:]:
        result = result * factor
    for divisor in below:
        result = result / divisor
    return bool(coefficient < 0), result


def _fraction(factors: Sequence[Basic], known: Mapping[Basic, Expr]) -> tuple[list[Expr], list[Expr]]:
    """(numerators, divisors) of a product; the square of a reciprocal divides twice, as a square overflows earlier."""
    above: list[Expr] = []
    below: list[Expr] = []
    for factor in factors:
        base, exponent = factor.as_base_exp() if factor.is_Pow else (factor, ONE)
        side = above
        if isinstance(base, Reciprocal):
            base, exponent = base.args[0], -exponent
        if exponent.is_negative:
            side, exponent = below, -exponent
        if exponent == 1:
            side.append(known[base]) if base is not ONE else None
        elif side is below and exponent == 2:
            side.extend([known[base]] * 2)
        elif exponent == sympy.Rational(1, 2):
            side.append(FUNCTIONS["sqrt"](known[base]))
        else:
            side.append(pow_(known[base], known[exponent] if exponent in known else rational(exponent)))
    return above, below


def _vector(entries: Sequence[Expr]) -> Expr:
    """The entries as one vector: the array itself where they are all of its entries in order."""
    sources = {e.args[0].args[0] for e in entries if e.primitive is reshape_ and e.args[0].primitive is slice_}
    if len(sources) == 1:
        (source,) = sources
        if source.shape == (len(entries),) and all(e is source[k] for k, e in enumerate(entries)):
            return source
    return stack(entries)

"""Differentiation: SymPy's own rules for sums, products and the functions it knows, the rows' partials for all others."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from functools import lru_cache

import sympy

from ...dsl.arithmetic import chain_mul
from ...dsl.composite import Composite, Softmax, softmax_
from ...dsl.constants import Literal, as_expr, constant
from ...dsl.core import BUILT_IN, PRIMITIVES, Expr, fresh, intern
from ...dsl.elementwise import Elementwise
from ...dsl.losses import LogSoftmax
from ...errors import TooLarge, Unsupported
from .convert import filled, run
from .graph import NATIVE, from_sympy
from .terms import ONE, ZERO, Basic, Choice, Entry, Opaque, Reciprocal, add, known_constant, multiply, negate, nodes, opaque, shared


class Work:
    """The steps of differentiation done so far; TooLarge past the limit.

    A step is an argument of a node that varies, at some 20 to 60 microseconds; in a product, for each factor that varies.
    """

    def __init__(self, name: str, limit: int) -> None:
        self.name, self.limit, self.done = name, limit, 0

    def spend(self, steps: int) -> None:
        self.done += steps
        if self.done > self.limit:
            raise TooLarge(f"symbolic: differentiating {self.name} takes SymPy more than {self.limit} steps")


def differentiate(expressions: Sequence[Basic], symbol: Basic, work: Work | None = None) -> list[Basic]:
    """expression.diff(symbol) for each, node by node from the leaves up, shared nodes once.

    The results are those of SymPy's diff, which recurses through some eight frames a level and walks shared
    subexpressions again: it ends in RecursionError between 120 and 150 nested functions.
    """
    derivative: dict[Basic, Basic] = {}
    wild: set[Basic] = set()  # whose derivative may be infinite where they are finite
    order = nodes(expressions)
    if work is not None:
        work.spend(len(order) // 20)  # a node that does not vary takes about a microsecond
    for node in order:
        if not node.args:
            derivative[node] = ONE if node == symbol else ZERO
            continue
        inner = [derivative[a] for a in node.args]
        varying = [i for i, d in enumerate(inner) if d is not ZERO]
        if work is not None and varying:
            work.spend(len(node.args) * (len(varying) if node.is_Mul else 1))
        if not varying:
            derivative[node] = ZERO
            continue
        if any(node.args[i] in wild for i in varying):
            derivative[node] = _wild_rule(node, inner, varying, derivative, wild)
            wild.add(node)
            continue
        derivative[node] = _rule(node, inner, varying)
        if isinstance(node, Opaque) and _steep(node):
            wild.add(node)
    return [derivative[e] for e in expressions]


def _rule(node: Basic, inner: Sequence[Basic], varying: Sequence[int]) -> Basic:
    """The derivative of a node for the derivatives of its arguments."""
    if node.is_Add:
        return add(*inner)
    if node.is_Mul:
        return add(*(multiply(*node.args[:i], inner[i], *node.args[i + 1 :]) for i in varying))
    if node.is_Pow and node.exp.is_Integer:
        return multiply(node.exp, node.base ** (node.exp - 1), inner[0])
    if isinstance(node, Opaque):
        return chain(node, inner)
    if isinstance(node, sympy.Function):
        return add(*(multiply(node.fdiff(i + 1), inner[i]) for i in varying))
    raise Unsupported(f"symbolic: a sympy= form made {type(node).__name__} {sympy.sstr(node)[:60]}, which has no rule here: use sp.pow")


def _wild_rule(
    node: Basic, inner: Sequence[Basic], varying: Sequence[int], derivative: Mapping[Basic, Basic], wild: Container[Basic]
) -> Basic:
    """The same where derivatives of arguments may be infinite: with those an exact zero wins, as by ad.*."""
    if node.is_Mul:
        return add(*(_factor_rule(node, i, inner[i], derivative, wild) for i in varying))
    if node.is_Pow and node.exp.is_Integer:
        return _zero_wins(multiply(node.exp, node.base ** (node.exp - 1)), inner[0])
    return chain(node, inner, True) if isinstance(node, Opaque) else _rule(node, inner, varying)


def _factor_rule(node: Basic, i: int, inner: Basic, derivative: Mapping[Basic, Basic], wild: Container[Basic]) -> Basic:
    """The term of the product rule in which factor i is differentiated."""
    factor, others = node.args[i], (*node.args[:i], *node.args[i + 1 :])
    if factor not in wild:
        return multiply(*others, inner)
    base, power = factor.as_base_exp()
    if isinstance(base, Reciprocal):
        # (others -n/u**(n + 1)) u', in which 0/u is NaN where u is 0, as in the function itself
        return _zero_wins(multiply(-power, base ** (power + 1), *others), derivative[base.args[0]])
    return _zero_wins(multiply(*others), inner)


def chain(node: Opaque, derivatives: Sequence[Basic], wild: bool = False) -> Basic:
    """The derivative of a function for given derivatives of its arguments; wild: whether those may be infinite."""
    if isinstance(node, Choice):  # of the branch taken, so that nothing leaks from the other
        return shared(node.func(node.args[0], *derivatives[1:]))
    if isinstance(node, Entry) and isinstance(node.primitive, Softmax):
        return multiply(node, _centred(node, derivatives[1:]))
    if isinstance(node, Entry) and isinstance(node.primitive, LogSoftmax):
        return _centred(node, derivatives[1:])
    product = _zero_wins if wild or _steep(node) else multiply
    terms = [product(s, d) for s, d in zip(slopes(node), derivatives, strict=True) if d is not ZERO and s is not ZERO]
    return add(*terms)


STEEP = frozenset("sqrt cbrt cbrt_slope pow pow_slope pow_log asin acos acosh asec asec_slope acsc asech asech_slope chain_mul".split())
"""Functions that are finite where a slope of theirs is infinite, and their slopes; there an exact 0 beside it gives 0, as by ad.*."""


def _steep(node: Opaque) -> bool:
    if isinstance(node, Reciprocal | Entry) or not (node.primitive.name in STEEP or node.primitive.name not in BUILT_IN):
        return False
    known = [known_constant(a) for a in node.args]
    _, value, _ = _partials(node.primitive, tuple(None if k is None else k.params[0] for k in known))
    return bool(node.primitive.singular(value))


def _zero_wins(slope: Basic, derivative: Basic) -> Basic:
    """Their product, 0 where one is 0 and the other infinite; SymPy's own where the derivative is a number."""
    if known_constant(derivative) is not None:
        return multiply(slope, derivative)
    coefficient, rest = derivative.as_coeff_Mul()
    return multiply(coefficient, opaque(chain_mul)(slope, rest))


def _centred(node: Entry, derivatives: Sequence[Basic]) -> Basic:
    """The derivative of entry k less the mean of all by their shares s, for softmax and its logarithm."""
    # Σ s_j (d_k - d_j), not d_k - Σ s_j d_j, which cancels where s_k is nearly 1
    k, entries = node.args[0], node.args[1:]
    mine = derivatives[int(k)]
    share = opaque(softmax_)
    differences = [(j, add(mine, negate(d))) for j, d in enumerate(derivatives)]
    return add(*(multiply(share(sympy.Integer(j), *entries), d) for j, d in differences if d is not ZERO))


@lru_cache(maxsize=4096)
def slopes(node: Opaque) -> tuple[Basic, ...]:
    """The partial derivatives at a node, one for each argument, ZERO where there is none."""
    if isinstance(node, Reciprocal):
        return (-(node**2),)
    if isinstance(node, Entry):
        vector, value, slope = _reduction_slope(node.primitive, len(node.args) - 1)
        (found,) = run([slope], {vector: filled(vector.shape, node.args[1:]), value: filled((), [node])})
        return (ZERO, *found.flat)
    known = [known_constant(a) for a in node.args]
    inputs, value, partials = _partials(node.primitive, tuple(None if k is None else k.params[0] for k in known))
    at = {i: filled((), [a]) for i, a in zip(inputs, node.args, strict=True)}
    results = run([p for p in partials if p is not None], {**at, value: filled((), [node])})
    entries = iter(results)
    return tuple(ZERO if p is None else next(entries).item() for p in partials)


@lru_cache(maxsize=1024)
def _partials(primitive: Elementwise, known: tuple[Literal | None, ...]) -> tuple[list[Expr], Expr, list[Expr | None]]:
    """(arguments, value, partials) of a primitive in the graph, arguments that are constants filled in."""
    inputs = [fresh(f"argument_{k}") if c is None else constant(c.value) for k, c in enumerate(known)]
    value = intern(primitive, tuple(inputs), (), (), primitive.dtype)
    native = NATIVE.get(primitive.name) if PRIMITIVES.get(primitive.name) is primitive else None
    if native is None:
        return inputs, value, [None if p is None else as_expr(p) for p in primitive.derivatives(value)]
    symbols = [sympy.Symbol(f"t{k}", real=True) for k in range(len(inputs))]
    return inputs, value, list(from_sympy([native(*symbols).diff(t) for t in symbols], symbols, inputs))


@lru_cache(maxsize=64)
def _reduction_slope(primitive: Composite, n: int) -> tuple[Expr, Expr, Expr]:
    """(vector, value, gradient) of an array function that gives a scalar."""
    vector = fresh("vector", (n,))
    value = primitive.apply([vector], ((-1,),))
    if value.shape:
        raise Unsupported(f"symbolic: {primitive.name} is an array function without a rule on single entries")
    (slope,) = primitive.vjp(value, constant(1.0))
    assert slope is not None  # a reduction has one argument, and depends on it
    return vector, value, slope

"""The same numbers by fewer operations: every entry bit for bit, the sign of a NaN apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..dsl.arithmetic import add, chain_mul, div, mul, neg, sub
from ..dsl.constants import literal
from ..dsl.core import REAL, Expr, Primitive
from ..dsl.elementwise import Elementwise, number
from ..dsl.shapes import Shape
from ..dsl.structural import Broadcast, broadcast, broadcast_
from ..dsl.walk import postorder

SINGLE = np.finfo(np.float32)


def tidied(outputs: Sequence[Expr]) -> list[Expr]:
    """The outputs with fewer negations and factors, and operations done before their operands are repeated, not after.

    a + (-b) becomes a - b, a negative factor one negation of the product, or of the smaller factor where one is repeated,
    c (2 x) becomes (2 c) x, a product in which zero beats infinity a plain one where a factor is a constant and neither.
    """
    new: dict[Expr, Expr] = {}
    for node in postorder(outputs):
        args = [new[a] for a in node.args]
        simpler = _before_repeating(node, args) if isinstance(node.primitive, Elementwise) and node.shape else None
        if simpler is None and node.primitive in _RULES:
            simpler = _RULES[node.primitive](*args)
        elif node.primitive is broadcast_:
            simpler = _repeated(args[0], node.shape)
        if simpler is not None:
            new[node] = simpler
        elif all(a is b for a, b in zip(args, node.args, strict=True)):
            new[node] = node
        else:
            new[node] = node.primitive.apply(args, node.params)
    return [new[o] for o in outputs]


def _before_repeating(node: Expr, args: Sequence[Expr]) -> Expr | None:
    """An elementwise function of arguments that all repeat arrays of one shape, as a repetition of its value for those."""
    if not all(isinstance(a.primitive, Broadcast) for a in args):
        return None
    inner = [a.args[0] for a in args]
    shapes = {i.shape for i in inner if i.shape or number(i) is None}
    if len(shapes) > 1:
        return None
    shape = shapes.pop() if shapes else ()
    value = node.primitive.apply([broadcast(i, shape) for i in inner])
    rule = _RULES.get(value.primitive)
    simpler = rule(*value.args) if rule else None
    return broadcast(value if simpler is None else simpler, node.shape)


def _add(a: Expr, b: Expr) -> Expr | None:
    if b.primitive is neg:
        return sub(a, b.args[0])
    return sub(b, a.args[0]) if a.primitive is neg else None


def _sub(a: Expr, b: Expr) -> Expr | None:
    return add(a, b.args[0]) if b.primitive is neg else None


def _mul(a: Expr, b: Expr) -> Expr | None:
    for x, y in ((a, b), (b, a)):
        if x.primitive is neg:
            return _signed(_product(x.args[0], y))
    product = _product(a, b)
    return None if product.primitive is mul and product.args[0] is a and product.args[1] is b else product


def _product(a: Expr, b: Expr) -> Expr:
    """a b; c (p x) as (c p) x where p is a power of two: exact, as p x is, and too large only where the product is."""
    for x, y in ((a, b), (b, a)):
        outer = number(x)
        if outer is None or y.primitive is not mul:
            continue
        for u, v in ((y.args[0], y.args[1]), (y.args[1], y.args[0])):
            inner = number(u)
            if inner is not None and _is_power_of_two(inner) and 1 <= abs(outer) <= 1e150:
                return mul(broadcast(outer * inner, y.shape), v)
    return mul(a, b)


def _is_power_of_two(x: float) -> bool:
    return 1 <= abs(x) <= 2.0**50 and abs(math.frexp(x)[0]) == 0.5


def _chain_mul(p: Expr, t: Expr) -> Expr | None:
    if not (_is_ordinary(p) or _is_ordinary(t)):
        return None
    product = mul(p, t)
    simpler = _mul(*product.args) if product.primitive is mul else None
    return product if simpler is None else simpler


def _is_ordinary(x: Expr) -> bool:
    """Whether x is constant and its entries are neither zero nor infinite, in single precision either."""
    while x.primitive is broadcast_:
        x = x.args[0]
    value = literal(x)
    return value is not None and x.dtype == REAL and bool(np.all((np.abs(value) >= SINGLE.tiny) & (np.abs(value) <= SINGLE.max)))


def _repeated(x: Expr, shape: Shape) -> Expr | None:
    """The repetition of an array of one constant entry as that of a number."""
    known = number(x) if x.shape else None
    return None if known is None else broadcast(known, shape)


def _div(a: Expr, b: Expr) -> Expr | None:
    if a.primitive is neg:
        return _signed(div(a.args[0], b))
    return _signed(div(a, b.args[0])) if b.primitive is neg else None


def _negative(x: Expr) -> Expr:
    """-x, the sign in a constant factor where there is one."""
    if x.primitive is mul:
        for u, v in ((x.args[0], x.args[1]), (x.args[1], x.args[0])):
            factor = number(u)
            if factor is not None:
                return mul(broadcast(-factor, x.shape), v)
    return neg(x)


def _signed(x: Expr) -> Expr:
    """-x for a product or quotient that is new, the sign in what it repeats from fewer numbers where there is such."""
    for k, u in enumerate(x.args if x.primitive in (mul, div) else ()):
        if isinstance(u.primitive, Broadcast) and number(u) is None and u.args[0].size < x.size:
            return x.primitive.apply([broadcast(neg(a.args[0]), x.shape) if j == k else a for j, a in enumerate(x.args)])
    return _negative(x)


_RULES: dict[Primitive, Callable[..., Expr | None]] = {add: _add, sub: _sub, mul: _mul, chain_mul: _chain_mul, div: _div, neg: _negative}

"""The same numbers by fewer operations: every entry bit for bit, the sign of a NaN apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..dsl.arithmetic import add, div, mul, neg, sub
from ..dsl.core import Expr, Primitive
from ..dsl.elementwise import Elementwise, number
from ..dsl.structural import Broadcast, broadcast
from ..dsl.walk import postorder


def tidied(outputs: Sequence[Expr]) -> list[Expr]:
    """The outputs with fewer negations and factors, and operations done before their operands are repeated, not after.

    a + (-b) becomes a - b, a negative factor one negation of the product, c (2 x) becomes (2 c) x.
    """
    new: dict[Expr, Expr] = {}
    for node in postorder(outputs):
        args = [new[a] for a in node.args]
        simpler = _before_repeating(node, args) if isinstance(node.primitive, Elementwise) and node.shape else None
        if simpler is None and node.primitive in _RULES:
            simpler = _RULES[node.primitive](*args)
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
            return _negative(_product(x.args[0], y))
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


def _div(a: Expr, b: Expr) -> Expr | None:
    if a.primitive is neg:
        return neg(div(a.args[0], b))
    return neg(div(a, b.args[0])) if b.primitive is neg else None


def _negative(x: Expr) -> Expr:
    """-x, the sign in a constant factor where there is one."""
    if x.primitive is mul:
        for u, v in ((x.args[0], x.args[1]), (x.args[1], x.args[0])):
            factor = number(u)
            if factor is not None:
                return mul(broadcast(-factor, x.shape), v)
    return neg(x)


_RULES: dict[Primitive, Callable[..., Expr | None]] = {add: _add, sub: _sub, mul: _mul, div: _div, neg: _negative}

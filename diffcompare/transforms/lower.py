"""Lowering: composites and small integer powers written out in the functions that engines know natively."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from ..dsl.arithmetic import pow_
from ..dsl.composite import Composite
from ..dsl.core import Expr, Primitive
from ..dsl.elementwise import Elementwise, number
from ..dsl.walk import postorder, with_arguments


def lower(outputs: Sequence[Expr], keep: Callable[[Expr], bool] = lambda node: False) -> list[Expr]:
    """The outputs without composites: only native elementwise functions, structural operations and native reductions.

    keep(node): whether the caller has a form for this node itself, so that it stays.
    """

    results = list(outputs)
    while True:
        order = postorder(results)
        candidates = {p for p in set(map(_primitive, order)) if may_expand(p)}
        written = {n for n in order if n.primitive in candidates and expands(n) and not keep(n)} if candidates else set()
        if not written:
            return results
        new: dict[Expr, Expr] = {}
        for node in order:
            new[node] = _expansion(node, [new[a] for a in node.args]) if node in written else with_arguments(node, new)
        results = [new[r] for r in results]


_primitive = attrgetter("primitive")


def may_expand(primitive: Primitive) -> bool:
    """Whether some node of the primitive expands: a pass looks at no node where none does."""
    return primitive is pow_ or (isinstance(primitive, Elementwise | Composite) and primitive.evaluate is not None)


def expands(node: Expr) -> bool:
    """Whether a node is written out in others, by those who have no form for it."""
    return number(node.args[1]) in PRODUCTS if node.primitive is pow_ else may_expand(node.primitive)


def _expansion(node: Expr, args: Sequence[Expr]) -> Expr:
    primitive = node.primitive
    if primitive is pow_:
        exponent = number(node.args[1])
        assert exponent is not None
        return PRODUCTS[exponent](args[0])
    if isinstance(primitive, Composite):
        assert primitive.evaluate is not None
        return primitive.evaluate(args[0], *node.params)
    assert isinstance(primitive, Elementwise)
    assert primitive.evaluate is not None
    return primitive.evaluate(*args)


# Products are faster than pow and at most 1.5 ulp; (1/x)² and not 1/x², whose square underflows earlier.
PRODUCTS: dict[float, Callable[[Expr], Expr]] = {
    2.0: lambda x: x * x,
    3.0: lambda x: x * x * x,
    4.0: lambda x: (x * x) * (x * x),
    -1.0: lambda x: 1.0 / x,
    -2.0: lambda x: (1.0 / x) * (1.0 / x),
}

"""Lowering: composites and small integer powers written out in the functions that engines know natively."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..dsl.arithmetic import pow_
from ..dsl.composite import Composite
from ..dsl.core import Expr
from ..dsl.elementwise import Elementwise, number
from ..dsl.walk import postorder


def lower(outputs: Sequence[Expr], keep: Callable[[Expr], bool] = lambda node: False) -> list[Expr]:
    """The outputs without composites: only native elementwise functions, structural operations and native reductions.

    keep(node): whether the caller has a form for this node itself, so that it stays.
    """

    def expands(node: Expr) -> bool:
        return _expands(node) and not keep(node)

    results = list(outputs)
    while True:
        order = postorder(results)
        if not any(expands(node) for node in order):
            return results
        new: dict[Expr, Expr] = {}
        for node in order:
            args = [new[a] for a in node.args]
            if expands(node):
                new[node] = _expansion(node, args)
            elif all(a is b for a, b in zip(args, node.args, strict=True)):
                new[node] = node
            else:
                new[node] = node.primitive.apply(args, node.params)
        results = [new[r] for r in results]


def _expands(node: Expr) -> bool:
    primitive = node.primitive
    if primitive is pow_:
        return number(node.args[1]) in PRODUCTS
    return isinstance(primitive, Elementwise | Composite) and primitive.evaluate is not None


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

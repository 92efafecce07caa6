"""Where a NaN is seen: the few values that are NaN wherever one of many is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...dsl.core import Expr

PASSED_ON = frozenset(("add", "sub", "mul", "div", "neg", "sqrt", "chain_mul"))
"""Operations that are NaN where an argument is: for chain_mul as vector code multiplies, which leaves 0 times NaN as it is."""


def witnesses(suspects: Iterable[Expr], order: Sequence[Expr], outputs: Sequence[Expr]) -> list[Expr]:
    """Nodes, outputs where possible, such that in every point where a suspect is NaN one of them is.

    order: the nodes of the function in the order of evaluation.
    """
    outer = set(outputs)
    witness: dict[Expr, Expr] = {}
    for node in reversed(order):
        # its own witness, unless some user that passes a NaN on has told of an output
        seen = node if node in outer or node not in witness else witness[node]
        for a in node.args if node.primitive.name in PASSED_ON else ():
            if a not in witness or witness[a] not in outer:
                witness[a] = seen
    return list(dict.fromkeys(node if node in outer else witness.get(node, node) for node in suspects))

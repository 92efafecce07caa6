"""Forward mode: tangents of outputs from tangents of inputs, as a transform of the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..dsl.core import Expr, fresh
from ..dsl.elementwise import Elementwise
from ..dsl.function import Function
from ..dsl.walk import postorder


def tangents(outputs: Sequence[Expr], seeds: Mapping[Expr, Expr]) -> list[Expr | None]:
    """The tangents of the outputs where the nodes in `seeds` (inputs or any others) have the tangents given.

    All other inputs have tangent zero; None is an exact zero.
    """
    tangent: dict[Expr, Expr] = dict(seeds)
    wild: set[Expr] = set()
    for node in postorder(outputs, stop=seeds):
        incoming = [tangent.get(a) for a in node.args]
        for t in incoming:
            if t is not None:
                break
        else:
            continue
        primitive = node.primitive
        may_be_infinite = not wild.isdisjoint(node.args)
        result = primitive.jvp(node, incoming, may_be_infinite)
        if result is not None:
            tangent[node] = result
            if may_be_infinite or (isinstance(primitive, Elementwise) and primitive.singular(node)):
                wild.add(node)
    return [tangent.get(o) for o in outputs]


def jvp(function: Function, wrt: Sequence[str] | None = None) -> Function:
    """The function (inputs, tangents of the inputs `wrt`) -> tangents of the outputs."""
    chosen = [function.input(n) for n in (function.names if wrt is None else wrt)]
    directions = [fresh(f"tangent_{i.params[0]}", i.shape) for i in chosen]
    results = tangents(function.outputs, dict(zip(chosen, directions, strict=True)))
    outputs = [zero_like(o) if t is None else t for o, t in zip(function.outputs, results, strict=True)]
    return Function(f"jvp_{function.name}", (*function.inputs, *directions), outputs, function.single)


def zero_like(node: Expr) -> Expr:
    """Zeros of the node's shape."""
    from ..dsl.structural import broadcast

    return broadcast(0.0, node.shape)

"""The summands of a function and their derivatives, to name the one that a claim leaves out."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..differentiate import prepare
from ..dsl.core import Expr, clip
from ..dsl.function import Function
from ..dsl.structural import Structural
from ..errors import DiffCompareError
from .subject import Layout, Point

Array = np.ndarray[Any, Any]
MOST = 24


def summands(output: Expr) -> list[Expr]:
    """The terms whose sum the output is, signs included; sums and reshapes of arrays go through to the terms inside."""
    terms: list[Expr] = []
    pending: list[tuple[Expr, bool, tuple[Expr, ...]]] = [(output, False, ())]  # (node, whether it is subtracted, what is around it)
    while pending:
        node, negative, around = pending.pop()
        kind, room = node.primitive.name, len(terms) + len(pending) < MOST
        if kind in ("add", "sub") and room:
            left, right = node.args
            pending += [(right, negative != (kind == "sub"), around), (left, negative, around)]
        elif kind == "neg":
            pending.append((node.args[0], not negative, around))
        elif isinstance(node.primitive, Structural) and len(node.args) == 1 and _splits(node.args[0]):
            pending.append((node.args[0], negative, (*around, node)))
        else:
            for outer in reversed(around):
                node = outer.primitive.apply((node,), outer.params)
            terms.append(-node if negative else node)
    return terms


def _splits(node: Expr) -> bool:
    while isinstance(node.primitive, Structural) and len(node.args) == 1:
        node = node.args[0]
    return node.primitive.name in ("add", "sub", "neg")


def derivatives(function: Function, point: Point, layout: Layout) -> dict[str, Array]:
    """The derivative of each summand as a matrix, by its text; empty where f is one term or reverse mode does not take it."""
    terms = summands(function.output)
    result: dict[str, Array] = {}
    if not 1 < len(terms) <= MOST:
        return result
    at = {n: point.values[n] for n in point.wrt}
    for term in terms:
        part = function.with_outputs([term], single=True)
        try:
            blocks: Any = prepare(part, layout.operator, engine="numpy")(**at)
        except DiffCompareError:
            return {}
        flat = [blocks] if len(point.wrt) == 1 else list(blocks)
        if layout.operator == "hessian" and len(point.wrt) > 1:
            flat = [b for row in blocks for b in row]
        result[clip(str(term))] = layout.assembled(flat)
    return result

"""An order of evaluation in which few values are alive at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..dsl.core import Expr
from ..dsl.walk import postorder


def evaluation_order(roots: Iterable[Expr]) -> list[Expr]:
    """Every node below the roots once, arguments before their users: of two arguments the one with the larger tree first.

    After Sethi, Ullman: The Generation of Optimal Code for Arithmetic Expressions, J. ACM 17 (1970): what takes more room is
    computed while nothing else waits. A tangent's tree holds its argument's, so values and tangents come by turns: the
    forward mode of a program of n steps has 5 values alive, where one walk after the other would have 2n.
    """
    roots = list(roots)
    size = _log_tree_sizes(roots)
    order: list[Expr] = []
    done: set[Expr] = set()
    stack = list(_last_first(roots, size))
    while stack:
        node = stack.pop()
        if node in done:
            continue
        if done.issuperset(node.args):
            done.add(node)
            order.append(node)
        else:
            stack.append(node)
            stack.extend(_last_first(node.args, size))
    return order


def _last_first(args: Sequence[Expr], size: dict[Expr, float]) -> Sequence[Expr]:
    """The arguments from the one that comes last to the first, that of the largest tree; of equal ones in their order."""
    if len(args) == 2:
        a, b = args
        return (b, a) if size[a] >= size[b] else args
    return args if len(args) == 1 else sorted(args, key=lambda a: -size[a])[::-1]


def _log_tree_sizes(roots: list[Expr]) -> dict[Expr, float]:
    """The logarithm of how many nodes each expression would have, written out as a tree: the number itself overflows."""
    size: dict[Expr, float] = {}
    log1p, exp = math.log1p, math.exp
    for node in postorder(roots):
        total = 0.0
        for a in node.args:
            part = size[a]
            if part > total:
                total, part = part, total
            less = part - total
            if less > -40:
                total += log1p(exp(less))
        size[node] = total
    return size

"""An order of evaluation in which few values are alive at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

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

    def ordered(args: tuple[Expr, ...]) -> Iterator[Expr]:
        if len(args) < 2 or (len(args) == 2 and size[args[0]] >= size[args[1]]):
            return iter(args)
        return iter(sorted(args, key=lambda a: -size[a]))

    order: list[Expr] = []
    seen: set[Expr] = set()
    for root in ordered(tuple(roots)):
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, ordered(root.args))]
        while stack:
            node, arguments = stack[-1]
            for argument in arguments:
                if argument not in seen:
                    seen.add(argument)
                    stack.append((argument, ordered(argument.args)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def _log_tree_sizes(roots: list[Expr]) -> dict[Expr, float]:
    """The logarithm of how many nodes each expression would have, written out as a tree: the number itself overflows."""
    size: dict[Expr, float] = {}
    for node in postorder(roots):
        total = 0.0
        for a in node.args:
            part = size[a]
            less = min(total, part) - max(total, part)
            total = max(total, part) + (math.log1p(math.exp(less)) if less > -40 else 0.0)
        size[node] = total
    return size

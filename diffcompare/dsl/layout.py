"""How an expression is written from left to right: binding strengths, brackets, and an iterative walk that emits the pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from .core import Expr

LOOSE, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(7)
"""How tightly a text binds, in the grammar's order."""


class Part(NamedTuple):
    """An expression inside another one's text.

    rank: the loosest binding that needs no brackets there. signed: whether a leading sign may stand there without them.
    """

    node: Expr
    rank: int = LOOSE
    signed: bool = True


Layout = tuple[int, list["Part | str"]]
"""How tightly a text binds, and the pieces it consists of."""


def pieces(
    root: Expr,
    layout: Callable[[Expr], Layout],
    names: Mapping[Expr, str],
    defining: bool = False,
    depth: int | None = None,
    brackets: tuple[str, str] = ("(", ")"),
) -> Iterator[str]:
    """The text of `root`, piece by piece.

    names: expressions that are written by a name, `root` itself too unless it is being defined.
    depth: how many levels are written; what lies below is "...".
    """
    stack: list[tuple[Part | str, int]] = [(Part(root), 0)]
    while stack:
        part, level = stack.pop()
        if isinstance(part, str):
            yield part
            continue
        node, required, signed = part
        name = None if defining and level == 0 else names.get(node)
        if name is not None:
            yield name
            continue
        if depth is not None and level > depth and node.args:
            yield "..."
            continue
        rank, inner = layout(node)
        # a sum or product may begin with a sign too, but its own rank decides
        bare = rank >= required and (signed or rank != SIGN)
        open_, close = ("", "") if bare else brackets
        if close:
            stack.append((close, level))
        stack.extend((p, level + 1) for p in reversed(inner))
        if open_:
            yield open_


def picked(node: Expr) -> tuple[Expr, int, int] | None:
    """(x, axis, i) where a reshape node is the entry x[i] along a negative axis, with the axis dropped; None where it is not."""
    (part,) = node.args
    if part.primitive.name != "slice":
        return None
    axis, start, stop, _ = part.params
    place = part.ndim + axis
    dropped = part.shape[:place] + part.shape[place + 1 :]
    return (part.args[0], axis, start) if stop == start + 1 and node.shape == dropped else None

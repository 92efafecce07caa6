"""Guards that cannot fail, left out: log'(x) = 1/x where 0 <= x, and NaN elsewhere, needs none at the sum of exponentials."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isnan

import numpy as np

from ..dsl.arithmetic import le, where
from ..dsl.core import CONSTANT, Expr
from ..dsl.elementwise import number
from ..dsl.walk import postorder

REARRANGED = frozenset(("broadcast", "reshape", "transpose", "slice", "take", "concatenate", "maximum", "where"))
"""Whose entries are all entries of arguments."""
NOT_NEGATIVE = frozenset(("exp", "abs", "sqrt"))
STRICT = frozenset(("add", "sub", "mul", "div", "neg", "chain_mul", "exp", "log", "log1p", "sqrt", "abs"))
"""Which are NaN where an argument is."""
SINGLE = float(np.finfo(np.float32).max)
DEPTH = 6
"""Operations between a guarded value and what its guard looks at, up to which that is looked for."""


def without_idle_guards(outputs: Sequence[Expr]) -> list[Expr]:
    """The outputs with `where(c <= x, y, NaN)` made y where x is at least c or NaN, and y NaN where x is.

    Every entry stays what it is, bit for bit, the sign of a NaN apart.
    """
    order = postorder(outputs)
    if not any(_guarded(node) for node in order):
        return list(outputs)
    least: dict[Expr, float] = {}
    new: dict[Expr, Expr] = {}
    for node in order:
        least[node] = _least(node, least)
        parts = _guarded(node)
        if parts is not None and least[parts[1]] >= parts[0] and _passes(parts[2], parts[1], DEPTH):
            new[node] = new[parts[2]]
            continue
        args = [new[a] for a in node.args]
        new[node] = node if all(a is b for a, b in zip(args, node.args, strict=True)) else node.primitive.apply(args, node.params)
    return [new[o] for o in outputs]


def _guarded(node: Expr) -> tuple[float, Expr, Expr] | None:
    """(c, x, y) of where(c <= x, y, NaN) with a constant c; None of anything else."""
    if node.primitive is not where or node.args[0].primitive is not le:
        return None
    (low, x), other = node.args[0].args, number(node.args[2])
    bound = number(low)
    return (bound, x, node.args[1]) if bound is not None and _is_short(bound) and other is not None and isnan(other) else None


def _is_short(value: float) -> bool:
    """Whether single precision has this number too, in which the function may be compiled."""
    return abs(value) <= SINGLE and float(np.float32(value)) == value


def _least(node: Expr, least: dict[Expr, float]) -> float:
    """What no entry is less than, however it is rounded; entries that are NaN do not count."""
    name = node.primitive.name
    if node.primitive is CONSTANT:
        value = number(node)
        return value if value is not None and _is_short(value) else -inf
    below = [least[a] for a in node.args]
    if name in REARRANGED:
        return min(below[1:] if name == "where" else below)
    if name in NOT_NEGATIVE or (name == "mul" and node.args[0] is node.args[1]):
        return 0.0
    if name == "add" and -inf not in below:
        total = below[0] + below[1]
        return total if _is_short(total) else -inf
    if name == "sum" or name in {"mul", "chain_mul"}:
        return 0.0 if min(below) >= 0 else -inf
    if name == "div":  # a zero below may be -0.0
        return 0.0 if below[0] >= 0 and below[1] > 0 else -inf
    return -inf


def _passes(y: Expr, x: Expr, depth: int) -> bool:
    """Whether y is seen to be NaN where x is."""
    return y is x or (depth > 0 and y.primitive.name in STRICT and any(_passes(a, x, depth - 1) for a in y.args))

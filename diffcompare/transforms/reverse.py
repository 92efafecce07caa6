"""Reverse mode: cotangents of inputs from cotangents of outputs, as a transform of the graph.

A cotangent that came through one branch of a `where` carries the guard under which that branch was taken: below it,
products with partials are made only where the guard holds, so a NaN of the branch not taken cannot leak (0 * NaN).
Guards pass through elementwise functions and rearrangements; a contraction of several arrays drops them.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from ..dsl.arithmetic import logical_and, logical_not, logical_or, lt, real
from ..dsl.arithmetic import where as choose
from ..dsl.constants import Literal
from ..dsl.core import Expr, fresh
from ..dsl.elementwise import Elementwise
from ..dsl.function import Function
from ..dsl.structural import Concatenate, Structural, concatenate_, scatter
from ..dsl.walk import postorder
from .forward import zero_like

Guard = Expr | None
Term = tuple[Expr, Guard, bool]
"""A contribution to a cotangent, the guard outside which it is exactly zero (None: nowhere), whether it may be infinite."""


def cotangents(outputs: Sequence[Expr], seeds: Sequence[Expr | None], wrt: Sequence[Expr]) -> list[Expr | None]:
    """The cotangents of the nodes `wrt` (inputs or any others) where the outputs have the cotangents `seeds`.

    None is an exact zero. The cotangent of a node counts every path from the outputs down to it.
    """
    order = postorder(outputs)
    active = _depending(order, wrt)
    terms: dict[Expr, list[Term]] = {}
    for output, seed in zip(outputs, seeds, strict=True):
        if seed is not None and output in active:
            terms.setdefault(output, []).append((seed, None, False))
    total: dict[Expr, Expr] = {}
    targets = set(wrt)
    for node in reversed(order):
        mine = terms.pop(node, None)
        if mine is None:
            continue
        cotangent, guard, wild = mine[0] if len(mine) == 1 else _join(mine)
        if node in targets:
            total[node] = cotangent
        if not node.args:
            continue
        primitive = node.primitive
        elementwise = isinstance(primitive, Elementwise)
        plain = guard is None and primitive is not choose
        parts = primitive.vjp(node, cotangent, wild)
        wild = wild or (isinstance(primitive, Elementwise) and primitive.singular(node))
        for i, (argument, part) in enumerate(zip(node.args, parts, strict=True)):
            if part is not None and argument in active:
                below = None if plain else _guard_below(node, i, guard)
                masked = guard is not None and elementwise and part is not cotangent
                term = (choose(guard, part, 0.0) if masked else part), below, wild
                if argument in terms:
                    terms[argument].append(term)
                else:
                    terms[argument] = [term]
    return [total.get(node) for node in wrt]


def _depending(order: Sequence[Expr], wrt: Sequence[Expr]) -> set[Expr]:
    active = set(wrt)
    for node in order:
        if not active.isdisjoint(node.args):
            active.add(node)
    return active


def _guard_below(node: Expr, i: int, guard: Guard) -> Guard:
    """The guard of argument i of a node whose own is `guard`."""
    primitive = node.primitive
    if primitive is choose:
        taken = node.args[0] if i == 1 else logical_not(node.args[0])
        return taken if guard is None else logical_and(guard, taken)
    if isinstance(primitive, Elementwise) or guard is None:
        return guard
    if isinstance(primitive, Structural) and (len(node.args) == 1 or isinstance(primitive, Concatenate)):
        # a rearrangement: its transpose counts, for each entry, the guarded paths that reach it
        return lt(0.0, primitive.transpose(node, i, real(guard)))
    return None


def _join(terms: list[Term]) -> Term:
    """One term for several that reach a node: cotangents add, guards join by or."""
    guard: Guard = terms[0][1]
    for _, other, _ in terms[1:]:
        guard = None if guard is None or other is None else logical_or(guard, other)
    values = [value for value, _, _ in terms]
    for value in values:
        if value.primitive is scatter:
            values = _gathered(values)
            break
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total, guard, any(map(itemgetter(2), terms))


def _gathered(values: list[Expr]) -> list[Expr]:
    """The values with those that scatter along one axis made one scatter: n reads x[i] cost n additions, not n².

    Reads of more than half of the axis each stay apart: whole arrays add faster than entry by entry, without indices.
    """
    groups: dict[tuple[int, int], list[Expr]] = {}
    rest: list[Expr] = []
    for v in values:
        if v.primitive is scatter:
            groups.setdefault((v.params[0], v.params[2]), []).append(v)
        else:
            rest.append(v)
    for (axis, n), members in groups.items():
        read = sum(m.params[1].value.size for m in members)
        if len(members) == 1 or n * len(members) < 2 * read:
            rest.extend(members)
            continue
        indices = np.concatenate([m.params[1].value for m in members])
        rest.append(scatter.apply([concatenate_.apply([m.args[0] for m in members], (axis,))], (axis, Literal(indices), n)))
    return rest


def vjp(function: Function, wrt: Sequence[str] | None = None) -> Function:
    """The function (inputs, cotangents of the outputs) -> cotangents of the inputs `wrt`."""
    chosen = [function.input(n) for n in (function.names if wrt is None else wrt)]
    seeds = [fresh(f"cotangent_{k}" if len(function.outputs) > 1 else "cotangent", o.shape) for k, o in enumerate(function.outputs)]
    results = cotangents(function.outputs, seeds, chosen)
    outputs = [zero_like(i) if c is None else c for i, c in zip(chosen, results, strict=True)]
    return Function(f"vjp_{function.name}", (*function.inputs, *seeds), outputs, len(chosen) == 1)

"""A derivative with unit directions for seeds as a plain Function of its inputs: every direction written into one graph.

For engines that write arrays out entry by entry: there the directions share the function's own work, and what a unit
vector's zeros reach is not computed at all. Jacobians of one batch point then cost what their non-zero entries cost.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..dsl.core import REAL, Expr, intern
from ..dsl.function import Function
from ..dsl.shapes import Shape, size_of
from ..dsl.structural import reshape, stack
from ..dsl.walk import rebuild
from .nothing import unit


def written_out(function: Function, seeds: Sequence[Sequence[Expr]], after: bool, plain: int = 0) -> Function:
    """The blocks of a derivative, one output each: `plain` outputs as they are, the others along every unit direction.

    seeds: groups of inputs of the function; each group runs through the unit vectors of its joint entries. after: whether
    the axes of directions stand behind an output's own, outputs then outermost in the order of blocks, or before them.
    """
    kept = [i for i in function.inputs if not any(i is s for group in seeds for s in group)]
    choices = list(itertools.product(*(range(sum(i.size for i in group)) for group in seeds)))
    results = {c: rebuild(function.outputs, _directions(seeds, c)) for c in choices}
    tables = [
        [_block([results[c][k] for c in _within(position)], position, after) for position in itertools.product(*map(_parts, seeds))]
        for k in range(plain, len(function.outputs))
    ]
    if not after:
        tables = [list(row) for row in zip(*tables, strict=True)]
    return Function(function.name, kept, [*function.outputs[:plain], *(b for row in tables for b in row)], False)


Part = tuple[range, Shape]
"""The places of an input's entries in its group, and its shape."""


def _parts(group: Sequence[Expr]) -> list[Part]:
    ends = list(itertools.accumulate((i.size for i in group), initial=0))
    return [(range(a, b), i.shape) for a, b, i in zip(ends, ends[1:], group, strict=False)]


def _directions(seeds: Sequence[Sequence[Expr]], choice: Sequence[int]) -> dict[Expr, Expr]:
    """For each seed input its part of the unit vectors chosen, one for each group."""
    found = {}
    for group, k in zip(seeds, choice, strict=True):
        for (places, shape), node in zip(_parts(group), group, strict=True):
            found[node] = intern(unit, (), (shape, k - places.start if k in places else None), shape, REAL)
    return found


def _within(position: Sequence[Part]) -> list[tuple[int, ...]]:
    return list(itertools.product(*(places for places, _ in position)))


def _block(entries: Sequence[Expr], position: Sequence[Part], after: bool) -> Expr:
    core = entries[0].shape
    axes = tuple(n for _, shape in position for n in shape)
    if not size_of(axes):
        raise ValueError("a table without directions")
    return reshape(stack(entries, axis=-1 if after else 0), (*core, *axes) if after else (*axes, *core))

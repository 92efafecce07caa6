"""The loops of a kernel: what each moves, adjacent ones made one, which reductions end inside which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

from ....dsl.core import Expr
from ....dsl.shapes import Shape
from .access import BATCH, Form
from .bodies import Body, Load, Operation, computed
from .fusion import REDUCTIONS, Kernel, operations

POINTS_A_UNIT = 16_384
"""Points of one unit of work: units are shared among threads, and each has partial results of its own."""


MEMORY = 4.0


@dataclass(frozen=True, eq=False)
class Root:
    """A node that a kernel stores. strides: how far each loop moves its place; reduced: the loops it is reduced over."""

    node: Expr
    strides: Shape
    reduced: frozenset[int]

    @property
    def operation(self) -> str:
        """Of two partial results, for a reduction."""
        return REDUCTIONS[self.node.primitive.name]

    def kept(self, loops: int) -> int:
        """How many of the outer loops it takes until only reduced ones are left."""
        while loops and loops - 1 in self.reduced:
            loops -= 1
        return loops


@dataclass(frozen=True, eq=False)
class Nest:
    """lengths: of each loop, those of a batch times `batch_factor` for the first where that is BATCH."""

    lengths: Shape
    batch_factor: int
    roots: tuple[Root, ...]
    bodies: tuple[Body, ...]

    @property
    def inner(self) -> int:
        """Points of all loops but the first."""
        return prod(self.lengths[1:])

    @property
    def splits(self) -> bool:
        """Whether the first loop can be run in parts: each reduction goes over none or all of it and the loops inside."""
        return all(0 not in r.reduced or r.kept(len(self.lengths)) == 0 for r in self.roots)

    @property
    def partial(self) -> tuple[Root, ...]:
        """The reductions over all loops, of which each unit of work has a part."""
        return tuple(r for r in self.roots if self.lengths and r.kept(len(self.lengths)) == 0)

    @property
    def joins(self) -> bool:
        """Whether there are such parts of several units to be joined."""
        return bool(self.partial) and self.units(1) > 1

    @property
    def unit(self) -> int:
        """Rounds of the first loop in one unit of work."""
        return max(1, POINTS_A_UNIT // max(self.inner, 1))

    def units(self, batch: int) -> int:
        """How many there are."""
        if not self.lengths or not self.splits:
            return 1
        length = batch * self.batch_factor if self.lengths[0] == BATCH else self.lengths[0]
        return max(1, -(-length // self.unit))

    def points(self, batch: int) -> int:
        first = batch * self.batch_factor if self.lengths[:1] == (BATCH,) else prod(self.lengths[:1])
        return first * self.inner

    def operations(self, batch: int) -> float:
        """All operations, each function of mathematics as ELEMENTARY and each load and store as MEMORY."""
        each = sum(operations(i.node) if isinstance(i, Operation) else MEMORY * isinstance(i, Load) for i in self.bodies[-1].code)
        return self.points(batch) * (each + MEMORY * sum(not r.reduced for r in self.roots))


def nest(kernel: Kernel, form: Form, written: Sequence[Body]) -> Nest:
    """The loops of a kernel with its bodies."""
    roots = tuple(_root(r, form, len(kernel.space)) for r in kernel.roots)
    result = Nest(kernel.space, 1, roots, tuple(written))
    if len(written) == 1:
        for k in reversed(range(len(kernel.space) - 1)):
            if _adjacent(result, k):
                result = _merged(result, k)
    return result


def _root(node: Expr, form: Form, loops: int) -> Root:
    inside = computed(node)
    strides, reduced = [0] * loops, set()
    axes = node.params[0] if inside is not node else ()
    steps = iter(form.strides(node))
    full = form.full(inside)
    for k, (loop, _, _) in enumerate(form.identity(inside)):
        if k - len(full) in axes:
            reduced |= {loop} if loop is not None else set()
        else:
            step = next(steps)
            if loop is not None:
                strides[loop] = step
    return Root(node, tuple(strides), frozenset(reduced))


def _adjacent(nest: Nest, k: int) -> bool:
    """Whether loop k goes on where loop k + 1 ends, for everything loaded and stored."""
    if any((k in r.reduced) != (k + 1 in r.reduced) for r in nest.roots):
        return False
    moved = [i.strides for i in nest.bodies[0].code if isinstance(i, Load)] + [r.strides for r in nest.roots]
    return all(s[k] == s[k + 1] * nest.lengths[k + 1] for s in moved)


def _merged(nest: Nest, k: int) -> Nest:
    """Loops k and k + 1 as one."""
    (body,) = nest.bodies
    drop: Callable[[Shape], Shape] = lambda s: (*s[:k], *s[k + 1 :])  # noqa: E731
    length, factor = nest.lengths[k + 1], nest.batch_factor
    if nest.lengths[k] == BATCH:
        length, factor = BATCH, factor * length
    else:
        length *= nest.lengths[k]
    code = [replace(i, strides=drop(i.strides)) if isinstance(i, Load) else i for i in body.code]
    interval = (0, BATCH if length == BATCH else length)
    box = (*body.box[:k], interval, *body.box[k + 2 :])
    roots = tuple(Root(r.node, drop(r.strides), frozenset(d - (d > k) for d in r.reduced if d != k)) for r in nest.roots)
    return Nest((*nest.lengths[:k], length, *nest.lengths[k + 2 :]), factor, roots, (Body(box, code, body.results),))

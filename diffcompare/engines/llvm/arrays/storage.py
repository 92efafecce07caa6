"""Memory of an array function: which nodes share it, and the workspace in which one call runs."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np

from ....dsl.core import Expr
from ...base import Array
from ..layout import address
from .access import Form
from .bodies import Load
from .fusion import Fused, Kernel, memory_of
from .nests import Nest

ALIGNMENT = 64


@dataclass
class Slot:
    """Memory of one size (entries of a point, whether for each point of the batch) with its tenants (node, from step, to step)."""

    size: int
    batched: bool
    tenants: list[tuple[Expr, int, float]] = field(default_factory=list)


class Layout:
    """A slot for each node with memory: inputs, constants, outputs, then what lives only within a call, then parts.

    A slot is used again when nothing reads its last tenant; in the same kernel too where that reads each entry just
    before it is written. Outputs serve before their turn.
    """

    def __init__(
        self, fused: Fused, nests: Mapping[int, Nest], inputs: Sequence[Expr], constants: Sequence[Expr], outputs: Sequence[Expr]
    ) -> None:
        self._fused, self._nests = fused, nests
        self._leaves = {*inputs, *constants}
        self.slots: list[Slot] = []
        self.place: dict[Expr, int] = {}
        self.parts: dict[Expr, int] = {}
        for node in (*inputs, *constants):
            self.place[node] = self._new(node)
        birth, death = self._lives(outputs)
        for o in outputs:
            if o not in self._leaves and o not in self.place:
                self.place[o] = self._new(o)
                self.slots[-1].tenants.append((o, birth[o], inf))
        self.first_own = len(self.slots)
        for node in sorted(birth, key=lambda n: birth[n]):
            if node not in self.place:
                self.place[node] = self._found(node, birth[node], death[node], len(inputs) + len(constants))
        for found in nests.values():
            for root in found.partial if found.joins else ():
                self.parts[root.node] = len(self.slots)
                self.slots.append(Slot(found.units(1), False))

    def _new(self, node: Expr) -> int:
        self.slots.append(Slot(node.size, node in self._fused.form.batched))
        return len(self.slots) - 1

    def _lives(self, outputs: Sequence[Expr]) -> tuple[dict[Expr, int], dict[Expr, float]]:
        """For each stored node the step that computes it and the last that reads it."""
        birth: dict[Expr, int] = {}
        death: dict[Expr, float] = {}
        for at, step in enumerate(self._fused.steps):
            nodes = step.roots if isinstance(step, Kernel) else (step,)
            for node in nodes:
                birth[node] = death[node] = at
            reads = (
                [i.node for b in self._nests[at].bodies for i in b.code if isinstance(i, Load)] if isinstance(step, Kernel) else step.args
            )
            for node in reads:
                death[self.base(node)] = at
        death.update(dict.fromkeys(outputs, inf))
        return birth, death

    def base(self, node: Expr) -> Expr:
        """The node whose memory a view shows."""
        return memory_of(node, self._leaves, self._fused.stored)

    def _found(self, node: Expr, birth: int, death: float, first: int) -> int:
        size, batched = node.size, node in self._fused.form.batched
        for k, slot in enumerate(self.slots[first:], first):
            if (slot.size, slot.batched) == (size, batched) and all(self._apart(node, birth, death, *t) for t in slot.tenants):
                slot.tenants.append((node, birth, death))
                return k
        k = self._new(node)
        self.slots[k].tenants.append((node, birth, death))
        return k

    def _apart(self, node: Expr, birth: int, death: float, other: Expr, start: int, stop: float) -> bool:
        if birth == stop and birth != start:
            return self._in_place(birth, other, node)
        if death == start and death != birth:
            return self._in_place(start, node, other)
        return birth > stop or death < start

    def _in_place(self, at: int, dying: Expr, born: Expr) -> bool:
        """Whether step `at` reads each entry of `dying` only where it then writes that entry of `born`."""
        if at not in self._nests:
            return False
        found = self._nests[at]
        root = next(r for r in found.roots if r.node is born)
        reads = [i for b in found.bodies for i in b.code if isinstance(i, Load) and i.node is dying]
        return not root.reduced and all(i.strides == root.strides and i.offset == 0 for i in reads)


class Workspace:
    """The memory of one call at a time, for one length of the batch: arrays by slot, and their addresses for the kernels."""

    def __init__(self, layout: Layout, form: Form, constants: Mapping[int, Array], batch: int) -> None:
        self.arrays: list[Any] = [None] * len(layout.slots)
        self.addresses = (ctypes.c_void_p * max(len(layout.slots), 1))()
        self.pointer = ctypes.addressof(self.addresses)
        own = range(layout.first_own, len(layout.slots))
        sizes = {k: -(-layout.slots[k].size * (batch if layout.slots[k].batched else 1) * 8 // ALIGNMENT) * ALIGNMENT for k in own}
        self.bytes = sum(sizes.values())
        memory = np.empty(self.bytes + ALIGNMENT, np.uint8)
        at = -memory.ctypes.data % ALIGNMENT
        for k, array in constants.items():
            self.put(k, array)
        for k in own:
            entries = layout.slots[k].size * (batch if layout.slots[k].batched else 1)
            self.put(k, memory[at : at + 8 * entries].view(np.float64))
            at += sizes[k]

    def put(self, slot: int, array: Array) -> None:
        """Let a slot be this array."""
        self.arrays[slot] = array
        self.addresses[slot] = address(array)

"""The arrays of a derivative by reverse mode, from the template of each operation.

A step that needs no cotangent stands right after its operation; then the operations come again from the last to the first,
each with the steps that need its cotangent and the additions of what it contributes to its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...dsl.arithmetic import add
from ...dsl.constants import constant
from ...dsl.core import Expr
from .form import Bools, Ints, Tape
from .templates import Operand, Template, Writer

COTANGENT = 64
"""The number of the cotangent's placeholder; the operation itself is the one before, arguments stand from 0."""
ITSELF = COTANGENT - 1


@dataclass(frozen=True)
class Parts:
    """A template's steps, told apart: for each its number among those that need no cotangent, or ~ its number among those that do."""

    template: Template
    place: tuple[int, ...]
    free: int

    @staticmethod
    def of(template: Template) -> Parts:
        place: list[int] = []
        free = 0
        for step in template.steps:
            if any(isinstance(o, int) and (o == ~COTANGENT or (o >= 0 and place[o] < 0)) for o in step.operands):
                place.append(~(len(place) - free))
            else:
                place.append(free)
                free += 1
        return Parts(template, tuple(place), free)

    @property
    def bound(self) -> int:
        """Steps that need the cotangent."""
        return len(self.place) - self.free


class Sweep:
    """The way from the last operation to the first: which steps and additions stand where.

    rule: the template of each operation, -1 where no cotangent comes; passed: which arguments get one;
    fixed: the cotangents that are constants, by value.
    """

    def __init__(self, tape: Tape, templates: Sequence[Template], rule: Ints, passed: Bools, fixed: Mapping[int, Expr]) -> None:
        self.tape, self.rule = tape, rule
        self.parts = [Parts.of(t) for t in templates]
        n = len(tape.op)
        free = np.array([p.free for p in self.parts] + [0], dtype=np.int64)[rule]
        self.bound = np.array([p.bound for p in self.parts] + [0], dtype=np.int64)[rule]
        self.base = np.cumsum(free) - free + np.arange(n)
        """Where each operation stands; its steps without cotangent follow."""
        self.moved = tape.by_value(self.base)
        self.args = self.moved[tape.args]
        forward = n + int(free.sum())
        self._pairs(passed, fixed)
        length = self.bound + np.bincount(self.user[self.adds], minlength=n)
        behind = np.cumsum(length[::-1])[::-1]
        self.start = forward + behind - length
        """Where the steps with cotangent of each operation stand; its additions follow."""
        self.total = forward + (int(behind[0]) if n else 0)
        self.writer = Writer(tape, self.total)
        self._values(fixed)

    def _pairs(self, passed: Bools, fixed: Mapping[int, Expr]) -> None:
        """What each operation (user) contributes to each argument (slot), in the order of the sweep; `adds`: those that are added."""
        tape, n = self.tape, len(self.tape.op)
        counts = passed & (self.rule >= 0)
        if fixed:
            whole = np.zeros(tape.size, dtype=bool)
            whole[list(fixed)] = True
            counts &= ~whole[tape.args]
        width = len(tape.args)
        found = np.flatnonzero(counts[:, ::-1].T)
        self.user, self.slot = n - 1 - found // width, found % width
        self.target = tape.places(tape.args[self.slot, self.user])
        bits = max(len(found), 1).bit_length()
        key = np.sort((self.target << bits) | np.arange(len(found)))
        self.grouped = key & ((1 << bits) - 1)
        """The pairs with those to one target side by side, still in the order of the sweep."""
        target = key >> bits
        self.opens = np.ones(len(found), dtype=bool)
        self.opens[1:] = target[1:] != target[:-1]
        self.closes = np.ones(len(found), dtype=bool)
        self.closes[:-1] = self.opens[1:]
        self.adds = np.ones(len(found), dtype=bool)
        self.adds[self.grouped[self.opens]] = False

    def _values(self, fixed: Mapping[int, Expr]) -> None:
        """What each pair contributes, where its addition stands, and the cotangent of each value: None's is 0."""
        tape, user = self.tape, self.user
        number = np.cumsum(self.adds) - self.adds
        opens = np.ones(len(user), dtype=bool)
        opens[1:] = user[1:] != user[:-1]
        before = number[opens][np.cumsum(opens) - 1] if len(user) else number
        self.sum = self.start[user] + self.bound[user] + number - before
        self.part = np.zeros(len(user), dtype=np.int64)
        handed = np.zeros(len(user), dtype=bool)
        rule = self.rule[user]
        for k, slot in _present(rule, self.slot, len(tape.args)):
            mine = np.flatnonzero((rule == k) & (self.slot == slot))
            result = self.parts[k].template.results[slot]
            assert result is not None
            if isinstance(result, int) and result == ~COTANGENT:
                handed[mine] = True
            else:
                self.part[mine] = self._found(self.parts[k], result, user[mine])
        # a cotangent that is handed on is that of the user, which may itself be handed on
        last = self.grouped[self.closes]
        single = self.opens[self.closes]
        cotangent = np.full(tape.size, self.writer.constant(constant(0.0)), dtype=np.int64)
        cotangent[self.target[last]] = np.where(single, self.part[last], self.sum[last])
        for value, node in fixed.items():
            cotangent[value] = self.writer.constant(node)
        source = np.arange(tape.size)
        passing = last[single & handed[last]]
        source[self.target[passing]] = user[passing]
        while True:
            further = source[source]
            if np.array_equal(further, source):
                break
            source = further
        self._cotangent = cotangent[source]
        self.part[handed] = self._cotangent[user[handed]]

    def _found(self, parts: Parts, operand: Operand, users: Ints) -> Ints | int:
        """An operand of a template for these operations."""
        if isinstance(operand, Expr):
            return self.writer.constant(operand)
        if operand >= 0:
            place = parts.place[operand]
            return self.base[users] + 1 + place if place >= 0 else self.start[users] + ~place
        if operand == ~ITSELF:
            return self.base[users]
        return self._cotangent[users] if operand == ~COTANGENT else self.args[~operand, users]

    def value(self, value: int) -> int:
        """Where a value of the function stands."""
        return int(self.moved[value])

    def cotangent(self, value: int) -> int:
        """Where its cotangent stands."""
        return int(self._cotangent[value])

    def written(self, outputs: Sequence[int]) -> Tape:
        """The tape with these outputs."""
        writer = self.writer
        writer.op[self.base] = self.tape.op
        for column, args in zip(writer.args, self.args[[*range(len(self.args)), *[-1] * (len(writer.args) - len(self.args))]], strict=True):
            column[self.base] = args
        for k, parts in enumerate(self.parts):
            users = np.flatnonzero(self.rule == k)
            if not len(users):
                continue
            for step, place in zip(parts.template.steps, parts.place, strict=True):
                at = self.base[users] + 1 + place if place >= 0 else self.start[users] + ~place
                writer.put(step.kind, at, [self._found(parts, o, users) for o in step.operands])
        inner = ~self.opens
        later = self.grouped[inner]
        earlier = self.grouped[np.flatnonzero(inner) - 1]
        first = self.opens[np.flatnonzero(inner) - 1]
        writer.put(add, self.sum[later], [np.where(first, self.part[earlier], self.sum[earlier]), self.part[later]])
        return writer.finished(np.array(outputs, dtype=np.int64))


def _present(rule: Ints, slot: Ints, width: int) -> list[tuple[int, int]]:
    """The pairs of template and slot that occur."""
    return [divmod(k, width) for k in np.flatnonzero(np.bincount(rule * width + slot)).tolist()]

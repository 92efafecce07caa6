"""Loops that were written out as machine code of loops: one body for all repetitions, its values in a frame where others read them.

A value that the same repetition reads stays in a register, and one that the next repetition reads in a register that goes round.
What no one else reads is not written to the frame. Operations beside the loops are straight code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...dsl.function import Function
from ...transforms.tape.form import Bools, Ints, Tape
from ...transforms.tape.repetition import Loop, loops
from .emit import Emitter, attributes
from .framed import Framed, block_by_block
from .interpreter import CHEAP
from .runs import Kind, kinds_of
from .target import Machine, Target

WRITTEN = 500
"""Operations of all bodies and beside the loops up to which they are compiled: LLVM's time grows faster than the code."""
VECTORS = 8
"""A slow function alone takes as much longer than among eight of the interpreter's as rolling saves at so many operations."""
Place = tuple[str, int, int]
"""Where a body finds an argument: how, its value in the first repetition, the step to that in the next.

how: from the "same" repetition, from the one "before", or from the "frame".
"""


@dataclass(frozen=True)
class Rolled:
    """A tape as loops with straight stretches between them."""

    tape: Tape
    loops: tuple[Loop, ...]

    @property
    def repeated(self) -> int:
        """Operations in loops."""
        return sum(loop.period * loop.times for loop in self.loops)

    @property
    def written(self) -> int:
        """Operations to be compiled."""
        return len(self.tape.op) - self.repeated + sum(loop.period for loop in self.loops)

    @property
    def apart(self) -> int:
        """Slow functions that wait for no earlier repetition of their loop: the interpreter computes them as vectors."""
        tape, count = self.tape, 0
        slow = [k.name not in CHEAP for k in tape.kinds]
        for loop, rows in self.bodies:
            waits: list[bool] = []
            for q, row in enumerate(rows):
                waits.append(any(how == "before" or self._of(loop, value, step, waits, how) for how, value, step in row))
                count += loop.times * (slow[int(tape.op[loop.start + q])] and not waits[q])
        return count

    def _of(self, loop: Loop, value: int, step: int, waits: list[bool], how: str) -> bool:
        return waits[value - loop.start] if how == "same" else value >= 0 and value + step * (loop.times - 1) >= loop.start

    @cached_property
    def bodies(self) -> list[tuple[Loop, list[list[Place]]]]:
        """For each loop the places of the arguments of each operation of its body."""
        rows, arity = self.tape.args.T, self.tape.arity[self.tape.op]
        return [
            (loop, [[_place(loop, rows, k, j) for j in range(int(arity[k]))] for k in range(loop.start, loop.start + loop.period)])
            for loop in self.loops
        ]

    @cached_property
    def read(self) -> Bools:
        """The operations whose values others than the same and the next repetition read, or the outputs."""
        tape = self.tape
        read = np.zeros(tape.size, dtype=bool)
        read[tape.outputs] = True
        beside = np.ones(len(tape.op), dtype=bool)
        for loop, rows in self.bodies:
            beside[loop.start : loop.stop] = False
            for q, row in enumerate(rows):
                for (how, value, _), column in zip(row, tape.args, strict=False):
                    if how == "before":
                        read[value] = True
                    elif how == "frame":
                        read[column[loop.start + q : loop.stop : loop.period]] = True
        read[tape.args[:, beside]] = True
        return read[: len(tape.op)]


def _place(loop: Loop, rows: Ints, k: int, j: int) -> Place:
    value = int(rows[k, j])
    step = int(rows[k + loop.period, j]) - value
    if value >= 0 and step == loop.period:
        if loop.start <= value:
            return "same", value, step
        if loop.start <= value + step:
            return "before", value, step
    return "frame", value, step


def rolled(tape: Tape) -> Rolled | None:
    """The tape with its loops found; None where the interpreter suits it better."""
    found = Rolled(tape, tuple(loops(tape)))
    fits = found.loops and found.written <= WRITTEN and VECTORS * found.apart <= len(tape.op)
    return found if fits else None


class Rerolled(Framed):
    """A function that consists of loops."""

    def __init__(self, function: Function, found: Rolled, target: Target, threads: int) -> None:
        tape, first = found.tape, found.tape.size - len(found.tape.op)
        slots = np.concatenate([np.arange(first, tape.size), np.arange(first)[::-1]])
        super().__init__(function, tape, np.zeros(1, dtype=np.int32), slots[tape.outputs].astype(np.int32), target, threads)
        self._found = found

    @cached_property
    def source(self) -> str:  # type: ignore[override]  # written when it is asked for
        found = self._found
        bodies = " and ".join(f"{loop.times:,} x {loop.period}" for loop in found.loops)
        beside = len(found.tape.op) - found.repeated
        return f"; {len(found.tape.op)} operations as loops of {bodies}, {beside} beside them\n{self._text('point', 1)}"

    def _text(self, name: str, lanes: int) -> str:
        e = Emitter(self._target, lanes)
        e.inline = True
        code = _Code(self._found, e).text(name)
        return "\n".join([*sorted(e.declarations), code, attributes(self._target)])

    def point_machine(self) -> Machine:
        return Machine(self._text("point", 1), 2)

    def block_machine(self) -> Machine:
        points = block_by_block(f"<{self._target.lanes} x double>", self._target.lanes)
        return Machine(f"{self._text('block', self._target.lanes)}\n{points}", 2)


class _Code:
    """The text of one function for all operations."""

    def __init__(self, found: Rolled, e: Emitter) -> None:
        self.tape, self.found, self.e = found.tape, found, e
        self.first = found.tape.size - len(found.tape.op)
        kinds, number = kinds_of(found.tape)
        self.kinds: list[Kind] = [kinds[k] for k in number.tolist()]

    def text(self, name: str) -> str:
        lines = [f"define {'void' if name == 'point' else 'internal void'} @{name}(ptr %code, ptr %frame) #0 {{", "begin:"]
        label, at = "begin", 0
        for number, (loop, rows) in enumerate(self.found.bodies):
            lines += self.straight(at, loop.start)
            lines += self.loop(number, loop, rows, label)
            label, at = f"after{number}", loop.stop
        return "\n".join([*lines, *self.straight(at, len(self.tape.op)), "  ret void", "}"])

    def straight(self, start: int, stop: int) -> list[str]:
        """Operations one after the other."""
        e = self.e
        e.forget()
        known: dict[int, str] = {}
        for k in range(start, stop):
            kind = self.kind(k)
            args = []
            for value, is_bool in zip(self.tape.args[:, k].tolist(), kind.bools, strict=False):
                if value not in known:
                    number = self.loaded(self.slot(value))
                    known[value] = self.truth(number) if is_bool else number
                args.append(known[value])
            known[k] = e.apply(kind.name, args)
            if self.found.read[k]:
                self.stored(self.number(known[k], kind), self.first + k)
        return e.lines

    def loop(self, number: int, loop: Loop, rows: list[list[Place]], label: str) -> list[str]:
        """A loop, entered from the block `label`."""
        e, i = self.e, f"%i{number}"
        e.forget()
        carried = {value + step - loop.start: value for row in rows for how, value, step in row if how == "before"}
        initial = {q: self.loaded(self.slot(value)) for q, value in carried.items()}
        before, e.lines = e.lines, []
        registers: list[str] = []
        handed: dict[int, str] = {}
        for q, row in enumerate(rows):
            kind = self.kind(loop.start + q)
            args = []
            for (how, value, step), is_bool in zip(row, kind.bools, strict=True):
                if how == "same":
                    args.append(registers[value - loop.start])
                    continue
                if how == "before":
                    register = f"%carried{number}.{value + step - loop.start}"
                else:
                    register = self.loaded(self.moving(i, self.slot(value), step if value >= 0 else -step))
                args.append(self.truth(register) if is_bool else register)
            registers.append(e.apply(kind.name, args))
            elsewhere = self.found.read[loop.start + q : loop.stop : loop.period].any()
            if elsewhere or q in carried:
                handed[q] = self.number(registers[q], kind)
            if elsewhere:
                self.stored(handed[q], self.moving(i, self.first + loop.start + q, loop.period))
        return [
            *before,
            f"  br label %loop{number}",
            f"loop{number}:",
            f"  {i} = phi i64 [ 0, %{label} ], [ {i}.next, %loop{number} ]",
            *(f"  %carried{number}.{q} = phi {e.type} [ {initial[q]}, %{label} ], [ {handed[q]}, %loop{number} ]" for q in sorted(carried)),
            *e.lines,
            f"  {i}.next = add i64 {i}, 1",
            f"  {i}.more = icmp slt i64 {i}.next, {loop.times}",
            f"  br i1 {i}.more, label %loop{number}, label %after{number}",
            f"after{number}:",
        ]

    def kind(self, k: int) -> Kind:
        return self.kinds[int(self.tape.op[k])]

    def slot(self, value: int) -> int:
        return ~value if value < 0 else self.first + value

    def moving(self, i: str, slot: int, step: int) -> str | int:
        """A slot that moves on by a step in each repetition."""
        return self.e.line(f"add i64 {self.e.line(f'mul i64 {i}, {step}')}, {slot}") if step else slot

    def loaded(self, slot: str | int) -> str:
        return self.e.line(f"load {self.e.type}, ptr {self.address(slot)}, align 8")

    def stored(self, register: str, slot: str | int) -> None:
        self.e.lines.append(f"  store {self.e.type} {register}, ptr {self.address(slot)}, align 8")

    def address(self, slot: str | int) -> str:
        return self.e.line(f"getelementptr {self.e.type}, ptr %frame, i64 {slot}")

    def truth(self, register: str) -> str:
        """A number that stands for a truth value as one."""
        return self.e.line(f"fcmp une {self.e.type} {register}, {self.e.constant(0.0)}")

    def number(self, register: str, kind: Kind) -> str:
        """A result as a number."""
        return self.e.select(register, self.e.constant(1.0), self.e.constant(0.0)) if kind.result else register

"""The interpreter of large programs: one compiled loop over runs of operations, for a point and for a block of points.

Its code depends on which operations occur, not on how many there are: it compiles in milliseconds whatever the size.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ...dsl.constants import constant
from ...dsl.function import Function
from ...transforms.tape.form import Tape, Taped
from ..base import Array
from .emit import INTRINSICS, OPERATORS, Emitter
from .runs import Kind, program
from .scalar import Scalars, addresses
from .target import Machine, Target, function_pointer

CHEAP = frozenset((*OPERATORS, *INTRINSICS, "neg", "where", "real", "lt", "le", "eq", "ne", "chain_mul", "sign"))
"""Operations that are done one by one for a single point: gathering their arguments into a vector takes longer."""


class Interpreted(Scalars):
    """A function as a program of the interpreter. tape: the same, entry by entry, without composites."""

    def __init__(self, function: Function, tape: Tape, target: Target, threads: int) -> None:
        counted = Function("counted", tape.inputs, [constant(0.0)] * len(tape.outputs), False)
        super().__init__(counted if isinstance(function, Taped) else function, counted, threads)
        self.function = function
        self.block = target.lanes
        self._program = program(tape, target.lanes)
        self._machine = _machine(target, self._program.kinds)
        pointer = ctypes.c_void_p
        self._point = function_pointer(self._machine, "point", pointer, pointer)
        self._points = function_pointer(self._machine, "points", ctypes.c_int64, *[pointer] * 6, ctypes.c_int64, ctypes.c_int64)
        self._frames: list[Array] = []
        self._wide: list[Array] = []
        self.source = f"; {self._program.operations} operations in {self._program.runs} runs for the interpreter"

    def _taken(self, frames: list[Array], points: int) -> Array:
        """A frame that no other call has, for so many points side by side."""
        try:
            return frames.pop()
        except IndexError:
            return np.repeat(self._program.frame, points)

    def run_point(self, inputs: Any, outputs: Any) -> None:
        frame = self._taken(self._frames, 1)
        frame[: self._inputs] = inputs
        self._point(self._program.code.ctypes.data, frame.ctypes.data)
        outputs[:] = frame[self._program.results].tolist()
        self._frames.append(frame)

    def run_blocks(self, count: int, inputs: Sequence[int], steps: Sequence[int], outputs: Sequence[int]) -> None:
        wide = self._taken(self._wide, self.block)
        p = self._program
        data = (p.code.ctypes.data, wide.ctypes.data, p.results.ctypes.data)
        self._points(count, addresses(inputs), addresses(steps), addresses(outputs), *data, self._inputs, self._outputs)
        self._wide.append(wide)


@lru_cache(maxsize=64)
def _machine(target: Target, kinds: tuple[Kind, ...]) -> Machine:
    point, many, block = Emitter(target, 1), Emitter(target, target.lanes), Emitter(target, target.lanes)
    for e in (point, many, block):
        e.inline = True
    many.prefix = "w"
    parts = [
        _Loop("point", kinds, point, many).text(),
        _Loop("block", kinds, block, None).text(),
        _POINTS.format(type=block.type, n=block.lanes),
    ]
    declarations = sorted(point.declarations | many.declarations | block.declarations | set(_gathers(target)))
    bits = 64 * target.lanes
    attributes = f'attributes #0 = {{ nounwind "prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}" }}'
    return Machine("\n".join([*declarations, *parts, attributes]), 2)


def _gathers(target: Target) -> list[str]:
    n = target.lanes
    return [f"declare <{n} x double> @llvm.masked.gather.v{n}f64.v{n}p0(<{n} x ptr>, i32, <{n} x i1>, <{n} x double>)"] if n > 1 else []


class _Loop:
    """One function of the interpreter: values of type e.type, and many at once by `gathering` where they are single doubles."""

    def __init__(self, name: str, kinds: Sequence[Kind], e: Emitter, gathering: Emitter | None) -> None:
        self.name, self.kinds, self.e, self.gathering = name, kinds, e, gathering

    def text(self) -> str:
        cases = "\n".join(f"    i32 {k + 1}, label %op{k}" for k in range(len(self.kinds)))
        lines = [
            f"define {'void' if self.gathering else 'internal void'} @{self.name}(ptr %program, ptr %frame) #0 {{",
            "entry:",
            f"  %start = getelementptr {self.e.type}, ptr %frame, i64 0",
            "  %op.first = load i32, ptr %program",
            f"  switch i32 %op.first, label %end [\n{cases}\n  ]",
        ]
        n = len(self.kinds)
        for k, kind in enumerate(self.kinds):
            lines += self.operation(k, kind, [("entry", "%program")] + [(f"done{j}", f"%next{j}") for j in range(n)])
            lines.append(f"  switch i32 %code{k}, label %end [\n{cases}\n  ]")
        return "\n".join([*lines, "end:", "  ret void", "}"])

    def operation(self, k: int, kind: Kind, before: Sequence[tuple[str, str]]) -> list[str]:
        """The run of one operation, to the load of the next operation's number."""
        e, arity = self.e, len(kind.bools)
        lines = [
            f"op{k}:",
            f"  %at{k} = phi ptr " + ", ".join(f"[ {pointer}, %{label} ]" for label, pointer in before),
            f"  %count.at{k} = getelementptr i32, ptr %at{k}, i64 1",
            f"  %count32.{k} = load i32, ptr %count.at{k}",
            f"  %count{k} = sext i32 %count32.{k} to i64",
            f"  %slot.at{k} = getelementptr i32, ptr %at{k}, i64 2",
            f"  %first32.{k} = load i32, ptr %slot.at{k}",
            f"  %first{k} = sext i32 %first32.{k} to i64",
            f"  %args{k}.0 = getelementptr i32, ptr %at{k}, i64 3",
            *(f"  %args{k}.{j} = getelementptr i32, ptr %args{k}.{j - 1}, i64 %count{k}" for j in range(1, arity + 1)),
        ]
        vector = self.gathering
        if vector is not None and vector.lanes > 1 and kind.name not in CHEAP:
            lines += [f"  %many{k} = icmp sgt i64 %count{k}, 1", f"  br i1 %many{k}, label %wide{k}, label %one{k}"]
            lines += self.loop(f"wide{k}", k, kind, vector, vector.lanes)
        else:
            lines.append(f"  br label %one{k}")
        lines += self.loop(f"one{k}", k, kind, e, 1)
        return [*lines, f"done{k}:", f"  %next{k} = getelementptr i32, ptr %args{k}.{arity}, i64 0", f"  %code{k} = load i32, ptr %next{k}"]

    def loop(self, label: str, k: int, kind: Kind, e: Emitter, stride: int) -> list[str]:
        """All elements of a run, `stride` at a time."""
        e.lines = []
        before = f"op{k}"
        args = []
        for j, is_bool in enumerate(kind.bools):
            place = e.line(f"getelementptr i32, ptr %args{k}.{j}, i64 %{label}.i")
            value = self.gathered(e, place, stride) if stride > 1 else self.loaded(e, place)
            args.append(e.line(f"fcmp une {e.type} {value}, {e.constant(0.0)}") if is_bool else value)
        result = e.apply(kind.name, args)
        if kind.result:
            result = e.select(result, e.constant(1.0), e.constant(0.0))
        slot = e.line(f"add i64 %first{k}, %{label}.i")
        place = e.line(f"getelementptr {self.e.type}, ptr %frame, i64 {slot}")
        e.lines.append(f"  store {e.type} {result}, ptr {place}, align 8")
        return [
            f"{label}:",
            f"  %{label}.i = phi i64 [ 0, %{before} ], [ %{label}.next, %{label} ]",
            *e.lines,
            f"  %{label}.next = add i64 %{label}.i, {stride}",
            f"  %{label}.more = icmp slt i64 %{label}.next, %count{k}",
            f"  br i1 %{label}.more, label %{label}, label %done{k}",
        ]

    def loaded(self, e: Emitter, place: str) -> str:
        slot = e.line(f"sext i32 {e.line(f'load i32, ptr {place}')} to i64")
        return e.line(f"load {e.type}, ptr {e.line(f'getelementptr {e.type}, ptr %frame, i64 {slot}')}, align 8")

    def gathered(self, e: Emitter, place: str, n: int) -> str:
        slots = e.line(f"load <{n} x i32>, ptr {place}, align 4")
        places = e.line(f"getelementptr double, ptr %frame, <{n} x i32> {slots}")
        every = f"<{', '.join(['i1 true'] * n)}>"
        return e.line(f"call {e.type} @llvm.masked.gather.v{n}f64.v{n}p0(<{n} x ptr> {places}, i32 8, <{n} x i1> {every}, {e.type} poison)")


_POINTS = """
define void @points(i64 %blocks, ptr %inputs, ptr %steps, ptr %outputs, ptr %program, ptr %frame, ptr %results, i64 %n, i64 %m) #0 {{
entry:
  %any = icmp sgt i64 %blocks, 0
  br i1 %any, label %block, label %end
block:
  %b = phi i64 [ 0, %entry ], [ %b1, %written ]
  %at = mul i64 %b, {n}
  br label %read
read:
  %k = phi i64 [ 0, %block ], [ %k1, %reading ]
  %reads = icmp slt i64 %k, %n
  br i1 %reads, label %reading, label %compute
reading:
  %i = getelementptr ptr, ptr %inputs, i64 %k
  %input = load ptr, ptr %i
  %s = getelementptr i64, ptr %steps, i64 %k
  %step = load i64, ptr %s
  %offset = mul i64 %at, %step
  %from = getelementptr double, ptr %input, i64 %offset
  %value = load {type}, ptr %from, align 8
  %slot = getelementptr {type}, ptr %frame, i64 %k
  store {type} %value, ptr %slot, align 8
  %k1 = add i64 %k, 1
  br label %read
compute:
  call void @block(ptr %program, ptr %frame)
  br label %write
write:
  %j = phi i64 [ 0, %compute ], [ %j1, %writing ]
  %writes = icmp slt i64 %j, %m
  br i1 %writes, label %writing, label %written
writing:
  %o = getelementptr ptr, ptr %outputs, i64 %j
  %output = load ptr, ptr %o
  %to = getelementptr double, ptr %output, i64 %at
  %r = getelementptr i32, ptr %results, i64 %j
  %place = load i32, ptr %r
  %place64 = sext i32 %place to i64
  %had = getelementptr {type}, ptr %frame, i64 %place64
  %out = load {type}, ptr %had, align 8
  store {type} %out, ptr %to, align 8
  %j1 = add i64 %j, 1
  br label %write
written:
  %b1 = add i64 %b, 1
  %more = icmp slt i64 %b1, %blocks
  br i1 %more, label %block, label %end
end:
  ret void
}}
"""

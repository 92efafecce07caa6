"""The interpreter of large programs: one compiled loop over runs of operations, for a point and for a block of points.

Its code depends on which operations occur, not on how many there are: it compiles in milliseconds whatever the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ...dsl.function import Function
from ...transforms.tape.form import Tape
from .emit import INTRINSICS, OPERATORS, Emitter, attributes
from .framed import Framed, block_by_block
from .runs import Kind, program
from .target import Machine, Target

CHEAP = frozenset((*OPERATORS, *INTRINSICS, "neg", "where", "real", "lt", "le", "eq", "ne", "chain_mul", "sign"))
"""Operations that are done one by one for a single point: gathering their arguments into a vector takes longer."""


class Interpreted(Framed):
    """A function as a program of the interpreter. tape: the same, entry by entry, without composites."""

    def __init__(self, function: Function, tape: Tape, target: Target, threads: int) -> None:
        made = program(tape, target.lanes)
        super().__init__(function, tape, made.code, made.results, target, threads)
        self._kinds = made.kinds
        self.source = f"; {made.operations} operations in {made.runs} runs for the interpreter"

    def point_machine(self) -> Machine:
        return _point_machine(self._target, self._kinds)

    def block_machine(self) -> Machine:
        return _block_machine(self._target, self._kinds)


@lru_cache(maxsize=64)
def _point_machine(target: Target, kinds: tuple[Kind, ...]) -> Machine:
    one, many = inlining(target, 1, "v"), inlining(target, target.lanes, "w")
    text = _Loop("point", kinds, one, many).text()
    return Machine("\n".join([*sorted(one.declarations | many.declarations | set(_gathers(target))), text, attributes(target)]), 2)


@lru_cache(maxsize=64)
def _block_machine(target: Target, kinds: tuple[Kind, ...]) -> Machine:
    block = inlining(target, target.lanes, "v")
    text = _Loop("block", kinds, block, None).text()
    points = block_by_block(block.type, block.lanes)
    return Machine("\n".join([*sorted(block.declarations), text, points, attributes(target)]), 2)


def inlining(target: Target, lanes: int, prefix: str) -> Emitter:
    """An emitter for short loops, in which registers suffice for constants."""
    e = Emitter(target, lanes)
    e.inline, e.prefix = True, prefix
    return e


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

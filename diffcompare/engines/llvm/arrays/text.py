"""The text of one LLVM function while it is written: registers, loops, memory, emitters of several widths side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..emit import Emitter
from ..target import Target

Carried = tuple[str, str]
"""(type, first value) of a register that each round of a loop hands on to the next."""


class FunctionText:
    """Lines of IR in order; `entry` goes in front of them."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.lines: list[str] = []
        self.entry: list[str] = []
        self.table: list[str] = []
        self.declarations: set[str] = set()
        self._emitters: dict[int, Emitter] = {}
        self._count = 0

    def name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"

    def line(self, text: str) -> str:
        """A new register with this right-hand side."""
        register = self.name("%r")
        self.lines.append(f"  {register} = {text}")
        return register

    def do(self, text: str) -> None:
        """A line without a result."""
        self.lines.append(f"  {text}")

    def emitter(self, lanes: int) -> Emitter:
        """The emitter of this width, writing here."""
        if lanes not in self._emitters:
            self._emitters[lanes] = _Lines(self.target, lanes, self)
        return self._emitters[lanes]

    def memory(self, kind: str) -> str:
        """A place for a value of this type."""
        register = self.name("%m")
        self.entry.append(f"  {register} = alloca {kind}, align 64")
        return register

    def loop(
        self, start: str, stop: str, step: int, body: Callable[[str, list[str]], Sequence[str]], carried: Sequence[Carried] = ()
    ) -> list[str]:
        """for i in range(start, stop, step): what is carried = body(i, what is carried). Gives what the last round left."""
        before, head, inside, latch, after = (self.name("l") for _ in range(5))
        index, following, more = self.name("%i"), self.name("%r"), self.name("%r")
        values = [self.name("%r") for _ in carried]
        self.lines += [f"  br label %{before}", f"{before}:", f"  br label %{head}", f"{head}:"]
        place = len(self.lines)
        self.lines += [f"  {more} = icmp slt i64 {index}, {stop}", f"  br i1 {more}, label %{inside}, label %{after}", f"{inside}:"]
        results = body(index, values)
        self.lines += [f"  br label %{latch}", f"{latch}:", f"  {following} = add i64 {index}, {step}", f"  br label %{head}", f"{after}:"]
        phis = [f"  {index} = phi i64 [ {start}, %{before} ], [ {following}, %{latch} ]"]
        for (kind, first), value, result in zip(carried, values, results, strict=True):
            phis.append(f"  {value} = phi {kind} [ {first}, %{before} ], [ {result}, %{latch} ]")
        self.lines[place:place] = phis
        return values

    def define(self, name: str, arguments: str) -> str:
        """The whole function, without result."""
        # an address that LLVM cannot know, so that constants are loaded where they are used
        table = ['  %table = call ptr asm sideeffect "", "=r,0"(ptr @constants_' + name + ")"] if self.table else []
        body = [f"define void @{name}({arguments}) #0 {{", "entry:", *self.entry, *table, *self.lines, "  ret void", "}"]
        constants = f"@constants_{name} = private constant [{len(self.table)} x double] [{', '.join(f'double {c}' for c in self.table)}]"
        return "\n".join([constants, *body] if self.table else body)


class _Lines(Emitter):
    """An emitter that writes into a function among others; without one into lines of its own, as any emitter."""

    def __init__(self, target: Target, lanes: int, function: FunctionText | None = None) -> None:
        super().__init__(target, lanes)
        self._writes_to = function
        if function is not None:
            self.lines, self.table, self.declarations = function.lines, function.table, function.declarations

    def line(self, text: str) -> str:
        return super().line(text) if self._writes_to is None else self._writes_to.line(text)

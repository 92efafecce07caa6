"""A nest of loops as LLVM IR: vectors along the innermost, one function for a range of units of its work.

Sums are added up in blocks of BLOCK vectors, and the blocks with compensation (Knuth's two-sum), so that the error of a
sum does not grow with its length: about BLOCK roundings of the sum of the terms' sizes. The order depends on the shape
alone, never on the number of threads. Where a reduction goes along the columns of rows, each row is added to the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ....dsl.core import BOOL, Expr
from ..emit import Emitter
from ..target import Target
from .access import BATCH
from .bodies import Body, Instruction, Load, Operation
from .nests import Nest, Root
from .text import FunctionText
from .vectors import across, as_truth, combined, ended, gather, joined, literal_in, quickly_joined, spread, vector_load, vector_store

BLOCK = 64
START = {"add": 0.0, "mul": 1.0, "maximum": float("-inf"), "minimum": float("inf")}
ARGUMENTS = "ptr noalias %slots, i64 %batch, i64 %first, i64 %last"


class NestText:
    """@name(slots, batch, first, last): units [first, last) of a nest; @name_finish joins the parts of its reductions."""

    def __init__(self, name: str, nest: Nest, slots: Mapping[Expr, int], parts: Mapping[Expr, int], target: Target) -> None:
        """slots, parts: for a node the place of its memory's address, and of that for its parts, among those handed over."""
        self.name, self.nest, self.slots, self.parts, self.target = name, nest, slots, parts, target
        self.text = FunctionText(target)
        self.loops = len(nest.lengths)
        self.level: list[int] = []
        self.values: dict[int, str] = {}
        self.pointers: dict[int | Expr, str] = {}
        self.sums: dict[Expr, tuple[str, str]] = {}
        self.lanes = 1

    def functions(self) -> tuple[list[str], set[str]]:
        """The IR of both functions and the declarations that they need."""
        t = self.text
        if self.nest.partial:
            self._each_unit(t)
        else:
            start, stop = self._range(t, "%first", "%last")
            self._zero_results(start, stop)
            self._boxes(start, stop)
        functions, declarations = [t.define(self.name, ARGUMENTS)], set(t.declarations)
        if self.nest.joins:
            finish = FunctionText(self.target)
            for root in self.nest.partial:
                self._finish(finish, root)
            functions.append(finish.define(f"{self.name}_finish", "ptr noalias %slots"))
            declarations |= finish.declarations
        return functions, declarations

    # --- units of work ---

    def _length(self, t: FunctionText, loop: int) -> str:
        n = self.nest.lengths[loop]
        return t.line(f"mul i64 %batch, {self.nest.batch_factor}") if n == BATCH else str(n)

    def _range(self, t: FunctionText, first: str, last: str) -> tuple[str, str]:
        """The rounds of the first loop in units [first, last)."""
        if not self.loops:
            return "0", "1"
        length = self._length(t, 0)
        if not self.nest.splits:
            return "0", length
        start = t.line(f"mul i64 {first}, {self.nest.unit}")
        return start, self._least(t, t.line(f"mul i64 {last}, {self.nest.unit}"), length)

    @staticmethod
    def _least(t: FunctionText, a: str, b: str) -> str:
        return t.line(f"select i1 {t.line(f'icmp slt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    @staticmethod
    def _most(t: FunctionText, a: str, b: str) -> str:
        return t.line(f"select i1 {t.line(f'icmp sgt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    def _each_unit(self, t: FunctionText) -> None:
        """One part of each reduction over all loops for each unit."""

        def unit(index: str, carried: list[str]) -> Sequence[str]:
            for root in self.nest.partial:
                self._begin(root)
            start, stop = self._range(t, index, t.line(f"add i64 {index}, 1"))
            self._zero_results(start, stop)
            self._boxes(start, stop)
            for root in self.nest.partial:
                results = self._address(t, self.parts[root.node] if self.nest.joins else self.slots[root.node])
                place = t.line(f"getelementptr double, ptr {results}, i64 {index}")
                t.do(f"store double {self._ended(root)}, ptr {place}, align 8")
            return []

        t.loop("%first", "%last", 1, unit)

    def _finish(self, t: FunctionText, root: Root) -> None:
        """The parts of a reduction joined in order, sums with compensation."""
        e, operation = t.emitter(1), root.operation
        parts = self._address(t, self.parts[root.node])

        def join(index: str, carried: list[str]) -> Sequence[str]:
            part = t.line(f"load double, ptr {t.line(f'getelementptr double, ptr {parts}, i64 {index}')}, align 8")
            return joined(e, operation, (carried[0], carried[1]), part)

        start = [("double", e.constant(START[operation])), ("double", e.constant(0.0))]
        total, beside = t.loop("0", str(self.nest.units(1)), 1, join, start)
        t.do(f"store double {ended(e, operation, (total, beside))}, ptr {self._address(t, self.slots[root.node])}, align 8")

    # --- memory ---

    def _address(self, t: FunctionText, slot: int) -> str:
        return t.line(f"load ptr, ptr {t.line(f'getelementptr ptr, ptr %slots, i64 {slot}')}, align 8")

    def _zero_results(self, start: str, stop: str) -> None:
        """What rows are added to, made neutral first, in these rounds of the first loop."""
        t = self.text
        for root in self.nest.roots:
            if not any(d < root.kept(self.loops) for d in root.reduced):
                continue
            base = self._address(t, self.slots[root.node])
            kept = [d for d in range(self.loops) if d not in root.reduced]
            value = t.emitter(1).constant(START[root.operation])

            def fill(rest: list[int], base: str, root: Root = root, value: str = value) -> None:
                if not rest:
                    t.do(f"store double {value}, ptr {base}, align 8")
                    return

                def body(index: str, carried: list[str]) -> Sequence[str]:
                    offset = t.line(f"mul i64 {index}, {root.strides[rest[0]]}")
                    fill(rest[1:], t.line(f"getelementptr double, ptr {base}, i64 {offset}"))
                    return []

                ends = (start, stop) if rest[0] == 0 else ("0", str(self.nest.lengths[rest[0]]))
                t.loop(*ends, 1, body)

            fill(kept, base)

    # --- boxes ---

    def _boxes(self, start: str, stop: str) -> None:
        for body in self.nest.bodies:
            self._box(body, start, stop)

    def _box(self, body: Body, start: str, stop: str) -> None:
        t = self.text
        self.body = body
        self.level = _levels(body)
        self.values.clear()
        self.pointers.clear()
        for k, instruction in enumerate(body.code):
            if isinstance(instruction, Load):
                base = self._address(t, self.slots[instruction.node])
                self.pointers[k] = t.line(f"getelementptr double, ptr {base}, i64 {instruction.offset}") if instruction.offset else base
        for root in self.nest.roots:
            self.pointers[root.node] = self._address(t, self.slots[root.node])
        self._scalars(0)
        if not self.loops:
            for root, place in zip(self.nest.roots, body.results, strict=True):
                self._store(t.emitter(1), root, place, self.values)
            return
        low, high = body.box[0]
        if len(self.nest.bodies) > 1 and high != BATCH:
            start, stop = self._most(t, start, str(low)), self._least(t, stop, str(high))
        self._nest(0, start, stop)

    def _nest(self, loop: int, start: str, stop: str) -> None:
        t = self.text
        if loop == self.loops - 1:
            self._innermost(start, stop)
            return

        def body(index: str, carried: list[str]) -> Sequence[str]:
            outside = dict(self.pointers)
            self._advance(loop, index)
            self._scalars(loop + 1)
            ending = [r for r in self.nest.roots if r.reduced and r.kept(self.loops) == loop + 1]
            for root in ending:
                self._begin(root)
            low, high = self.body.box[loop + 1]
            self._nest(loop + 1, str(low), str(high))
            for root in ending:
                self._add_to_result(root, self._ended(root))
            self.pointers = outside
            return []

        t.loop(start, stop, 1, body)

    def _advance(self, loop: int, index: str) -> None:
        """Every pointer moved to this round of a loop."""
        moves: dict[int | Expr, int] = {k: i.strides[loop] for k, i in enumerate(self.body.code) if isinstance(i, Load)}
        moves.update({r.node: r.strides[loop] for r in self.nest.roots})
        for key, stride in moves.items():
            if stride:
                self.pointers[key] = self._moved(self.pointers[key], index, stride)

    def _moved(self, pointer: str, index: str, stride: int) -> str:
        t = self.text
        offset = index if stride == 1 else t.line(f"mul i64 {index}, {stride}")
        return t.line(f"getelementptr double, ptr {pointer}, i64 {offset}")

    def _scalars(self, level: int) -> None:
        """What the body has at this level of the loops, numbers that no loop inside it changes."""
        e = self.text.emitter(1)
        for k, instruction in enumerate(self.body.code):
            if self.level[k] != level or level == self.loops > 0:
                continue
            if isinstance(instruction, Load):
                value = self.text.line(f"load double, ptr {self.pointers[k]}, align 8")
                self.values[k] = as_truth(e, value) if instruction.node.dtype == BOOL else value
            elif isinstance(instruction, Operation):
                self.values[k] = e.operation(instruction.node, [self.values[a] for a in instruction.arguments])
            else:
                self.values[k] = e.constant(instruction)

    # --- the innermost loop ---

    def _innermost(self, start: str, stop: str) -> None:
        t, loop = self.text, self.loops - 1
        low, high = self.body.box[loop]
        length = None if high == BATCH or (loop == 0 and self.nest.units(1) > 1) else high - low
        self.lanes = self._width(BATCH if high == BATCH else high - low)
        outside = self._outside()
        reduced = [r for r in self.nest.roots if r.reduced and r.kept(self.loops) < self.loops]
        if length is not None and length < self.lanes:
            self._tail(start, stop, outside, reduced)
            return
        rounds = t.line(f"sub i64 {stop}, {start}")
        full = t.line(f"and i64 {rounds}, {-self.lanes}")  # a multiple of the lanes, which are a power of two
        middle = t.line(f"add i64 {start}, {full}")
        if reduced:
            self._blocks(start, middle, outside, reduced)
        else:
            t.loop(start, middle, self.lanes, lambda index, _: self._round(index, None, outside, reduced, []))
        cut_by_units = loop == 0 and self.nest.units(1) > 1 and len(self.nest.bodies) > 1
        if high == BATCH or (high - low) % self.lanes or cut_by_units:
            inside, after = t.name("l"), t.name("l")
            t.do(f"br i1 {t.line(f'icmp slt i64 {middle}, {stop}')}, label %{inside}, label %{after}")
            t.lines.append(f"{inside}:")
            self._tail(middle, stop, outside, reduced)
            t.do(f"br label %{after}")
            t.lines.append(f"{after}:")

    def _width(self, length: int) -> int:
        """Two registers, or one for short loops, or single numbers."""
        if length == 1:
            return 1
        lanes = self.target.lanes
        return lanes if length != BATCH and length < 2 * lanes else 2 * lanes

    def _outside(self) -> dict[int, str]:
        """The values of outer levels that the innermost loop reads, in every lane; constants are made where they are used."""
        e = self.text.emitter(self.lanes)
        read = {a for k, i in enumerate(self.body.code) if self.level[k] == self.loops and isinstance(i, Operation) for a in i.arguments}
        read |= {place for place in self.body.results if self.level[place] < self.loops}
        wide = {}
        for k in sorted(read):
            instruction = self.body.code[k]
            if self.level[k] < self.loops and isinstance(instruction, Load | Operation):
                wide[k] = spread(e, self.values[k], "i1" if instruction.node.dtype == BOOL else "double")
        return wide

    def _blocks(self, start: str, stop: str, outside: dict[int, str], reduced: list[Root]) -> None:
        """Whole vectors in blocks, each block's results joined to those before."""
        t = self.text
        e = t.emitter(self.lanes)

        def block(first: str, _: list[str]) -> Sequence[str]:
            last = self._least(t, t.line(f"add i64 {first}, {BLOCK * self.lanes}"), stop)
            start_values = [(e.type, v) for r in reduced for v in (literal_in(e, START[r.operation]), literal_in(e, 0.0))]
            states = t.loop(
                first, last, self.lanes, lambda index, carried: self._round(index, None, outside, reduced, carried), start_values
            )
            for k, root in enumerate(reduced):
                self._join(root, states[2 * k], states[2 * k + 1])
            return []

        t.loop(start, stop, BLOCK * self.lanes, block)

    def _tail(self, start: str, stop: str, outside: dict[int, str], reduced: list[Root]) -> None:
        """What is left, less than a vector, under a mask."""
        t, e = self.text, self.text.emitter(self.lanes)
        if self.lanes == 1:
            mask = None
        else:
            left = spread(e, t.line(f"sub i64 {stop}, {start}"), "i64")
            places = f"<{', '.join(f'i64 {k}' for k in range(self.lanes))}>"
            mask = t.line(f"icmp ult {e.integer} {places}, {left}")
        start_values = [v for r in reduced for v in (literal_in(e, START[r.operation]), literal_in(e, 0.0))]
        states = self._round(start, mask, outside, reduced, start_values)
        for k, root in enumerate(reduced):
            self._join(root, states[2 * k], states[2 * k + 1])

    def _round(self, index: str, mask: str | None, outside: dict[int, str], reduced: list[Root], carried: Sequence[str]) -> list[str]:
        """One vector: everything computed, stored, and the states of what is reduced, two registers each."""
        e, loop = self.text.emitter(self.lanes), self.loops - 1
        values = dict(outside)
        for k, instruction in enumerate(self.body.code):
            if self.level[k] < self.loops:
                continue
            if isinstance(instruction, Load):
                values[k] = self._loaded(e, k, instruction, index, mask)
            elif isinstance(instruction, Operation):
                arguments = [self._value(e, values, a) for a in instruction.arguments]
                values[k] = e.operation(instruction.node, arguments)
        states = list(carried)
        for root, place in zip(self.nest.roots, self.body.results, strict=True):
            value = self._value(e, values, place)
            if _is_bool(self.body.code[place]):
                value = e.select(value, e.constant(1.0), e.constant(0.0))
            if root in reduced:
                k = reduced.index(root)
                if mask is not None:
                    value = e.select(mask, value, literal_in(e, START[root.operation]))
                states[2 * k : 2 * k + 2] = quickly_joined(e, root.operation, (states[2 * k], states[2 * k + 1]), value)
                continue
            pointer = self._moved(self.pointers[root.node], index, root.strides[loop])
            if root.reduced:
                value = combined(e, root.operation, vector_load(e, pointer, mask), value)
            vector_store(e, value, pointer, mask)
        return states

    def _value(self, e: Emitter, values: dict[int, str], place: int) -> str:
        instruction = self.body.code[place]
        return e.constant(instruction) if isinstance(instruction, float | bool) else values[place]

    def _loaded(self, e: Emitter, k: int, load: Load, index: str, mask: str | None) -> str:
        stride = load.strides[self.loops - 1]
        pointer = self._moved(self.pointers[k], index, stride)
        value = vector_load(e, pointer, mask) if stride == 1 or e.lanes == 1 else gather(e, pointer, stride, mask)
        return as_truth(e, value) if load.node.dtype == BOOL else value

    def _store(self, e: Emitter, root: Root, place: int, values: dict[int, str]) -> None:
        value = self._value(e, values, place)
        if _is_bool(self.body.code[place]):
            value = e.select(value, e.constant(1.0), e.constant(0.0))
        self.text.do(f"store double {value}, ptr {self.pointers[root.node]}, align 8")

    # --- reductions ---

    def _begin(self, root: Root) -> None:
        t, width = self.text, self._width(self.nest.lengths[-1])
        e = t.emitter(width)
        if root.node not in self.sums:
            self.sums[root.node] = t.memory(e.type), t.memory(e.type)
        total, error = self.sums[root.node]
        t.do(f"store {e.type} {literal_in(e, START[root.operation])}, ptr {total}, align 64")
        t.do(f"store {e.type} {literal_in(e, 0.0)}, ptr {error}, align 64")

    def _join(self, root: Root, value: str, beside: str) -> None:
        """A block's state joined to that of those before it."""
        t, e = self.text, self.text.emitter(self.lanes)
        places = self.sums[root.node]
        state = t.line(f"load {e.type}, ptr {places[0]}, align 64"), t.line(f"load {e.type}, ptr {places[1]}, align 64")
        after = joined(e, root.operation, state, value)
        if root.operation in {"maximum", "minimum"}:
            after = after[0], combined(e, "add", after[1], beside)
        for register, place in zip(after, places, strict=True):
            t.do(f"store {e.type} {register}, ptr {place}, align 64")

    def _ended(self, root: Root) -> str:
        """The number that a reduction has come to."""
        t, e = self.text, self.text.emitter(self._width(self.nest.lengths[-1]))
        total, beside = (t.line(f"load {e.type}, ptr {place}, align 64") for place in self.sums[root.node])
        return ended(t.emitter(1), root.operation, (across(t, root.operation, total, e.lanes), across(t, "add", beside, e.lanes)))

    def _add_to_result(self, root: Root, value: str) -> None:
        t, pointer = self.text, self.pointers[root.node]
        if any(d < root.kept(self.loops) for d in root.reduced):
            value = combined(t.emitter(1), root.operation, t.line(f"load double, ptr {pointer}, align 8"), value)
        t.do(f"store double {value}, ptr {pointer}, align 8")


def _levels(body: Body) -> list[int]:
    """For each instruction how many of the outer loops it needs to know."""
    levels: list[int] = []
    for instruction in body.code:
        if isinstance(instruction, Load):
            levels.append(max((d + 1 for d, stride in enumerate(instruction.strides) if stride), default=0))
        elif isinstance(instruction, Operation):
            levels.append(max((levels[a] for a in instruction.arguments), default=0))
        else:
            levels.append(0)
    return levels


def _is_bool(instruction: Instruction) -> bool:
    if isinstance(instruction, Load | Operation):
        return instruction.node.dtype == BOOL
    return isinstance(instruction, bool)

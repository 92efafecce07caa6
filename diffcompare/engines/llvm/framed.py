"""Large functions of scalars whose values lie in a frame, a slot for each: what the interpreter and rolled loops have in common."""

from __future__ import annotations

import ctypes
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...dsl.constants import constant, literal
from ...dsl.function import Function
from ...transforms.tape.form import Tape, Taped
from ..base import Array
from .points import read, written
from .scalar import Scalars, addresses
from .target import Machine, Target, function_pointer

POINTER = ctypes.c_void_p


class Framed(Scalars):
    """A function whose code works on a frame: inputs in the first slots, then constants, then a slot for each operation.

    code: what the machine code reads beside it; results: the slots of the outputs. Subclasses write the code: @point(code, frame)
    for one point, and @block(code, frame) for as many as a vector has lanes; each is compiled when it is first needed.
    """

    def __init__(self, function: Function, tape: Tape, code: Array, results: Array, target: Target, threads: int) -> None:
        counted = Function("counted", tape.inputs, [constant(0.0)] * len(tape.outputs), False)
        super().__init__(counted if isinstance(function, Taped) else function, counted, threads)
        self.function = function
        self.work = len(tape.op)
        self.block = target.lanes
        self._target = target
        self._code, self._results = code, results
        self._frame = np.zeros(tape.size + target.lanes)
        self._frame[len(tape.inputs) : len(tape.inputs) + len(tape.constants)] = [float(literal(c)) for c in tape.constants]
        self._frames: list[Array] = []
        self._wide: list[Array] = []

    @abstractmethod
    def point_machine(self) -> Machine:
        """Code with @point."""

    @abstractmethod
    def block_machine(self) -> Machine:
        """Code with @points, by way of block_by_block."""

    @cached_property
    def _point(self) -> tuple[Callable[..., None], Machine]:
        machine = self.point_machine()
        return function_pointer(machine, "point", POINTER, POINTER), machine

    @cached_property
    def _points(self) -> tuple[Callable[..., None], Machine]:
        machine = self.block_machine()
        return function_pointer(machine, "points", ctypes.c_int64, *[POINTER] * 6, ctypes.c_int64, ctypes.c_int64), machine

    def ready(self) -> None:
        self._point  # noqa: B018  compiled when it is asked for

    def _taken(self, frames: list[Array], points: int) -> Array:
        """A frame that no other call has, for so many points side by side."""
        try:
            return frames.pop()
        except IndexError:
            return np.repeat(self._frame, points)

    def run_point(self, inputs: Any, outputs: Any) -> None:
        frame = self._taken(self._frames, 1)
        frame[: self._inputs] = inputs
        self._point[0](self._code.ctypes.data, frame.ctypes.data)
        outputs[:] = frame[self._results].tolist()
        self._frames.append(frame)

    def run_blocks(self, count: int, inputs: Sequence[int], steps: Sequence[int], outputs: Sequence[int]) -> None:
        wide = self._taken(self._wide, self.block)
        data = (self._code.ctypes.data, wide.ctypes.data, self._results.ctypes.data)
        self._points[0](count, addresses(inputs), addresses(steps), addresses(outputs), *data, self._inputs, self._outputs)
        self._wide.append(wide)


_POINTS = """
define void @points(i64 %blocks, ptr %inputs, ptr %steps, ptr %outputs, ptr %program, ptr %frame, ptr %results, i64 %n, i64 %m) #0 {{
entry:
  %any = icmp sgt i64 %blocks, 0
  br i1 %any, label %block, label %end
block:
  %b = phi i64 [ 0, %entry ], [ %b1, %written ]
  %at = mul i64 %b, {n}
  br label %read
{read}{write}written:
  %b1 = add i64 %b, 1
  %more = icmp slt i64 %b1, %blocks
  br i1 %more, label %block, label %end
end:
  ret void
}}
"""


def block_by_block(kind: str, lanes: int) -> str:
    """@points(blocks, ...): @block for one block of points after the other, its inputs read and its outputs written.

    kind: the type of a vector of so many lanes.
    """
    place = f"""
  %r = getelementptr i32, ptr %results, i64 %j
  %place = load i32, ptr %r
  %place64 = sext i32 %place to i64
  %had = getelementptr {kind}, ptr %frame, i64 %place64"""
    write = "compute:\n  call void @block(ptr %program, ptr %frame)\n" + written(kind, "%at", place)
    return _POINTS.format(n=lanes, read=read(kind, "%at", "%block", "%frame"), write=write)

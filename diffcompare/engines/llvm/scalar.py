"""A scalar schedule as machine code: the kernel over batches and the entry for single points."""

from __future__ import annotations

import ctypes
import math
import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property, reduce
from itertools import pairwise
from operator import or_
from typing import Any

import numpy as np

from ...dsl.function import Function
from ...dsl.shapes import broadcast_shape
from ..base import Array, Compiled
from ..schedule import Schedule
from .emit import scalar_module, vector_module
from .fastcall import Entry, available, builtin
from .layout import address
from .loops import AGAIN
from .memory import ALIGNMENT, Memory, on_lines
from .target import Machine, Target, function_pointer, once

WORK_A_THREAD = 1_000_000
"""Operations that make a thread worth waking: handing work to one takes some 60 µs, in which a kernel does 100,000."""
STREAMED = 6 * 2**20
"""Bytes of results beyond which they are written past the caches, which would first read each line of memory that is written."""
LINE = 8 * ALIGNMENT
"""Bytes of a line of cache."""
PADDED = 64
"""Points from which the rows of a table are made longer, by an eighth at most."""
SCHEDULED = 500
"""Operations up to which LLVM's optimising code generation is worth its time; a longer body runs no faster by it."""


class Scalars(Compiled):
    """A function of scalars, or of arrays written out entry by entry, over columns of points.

    Subclasses give `run_blocks`, which computes whole blocks of `block` points, and `run_point`. work: operations at a point.
    """

    block: int
    work: int = 20

    def __init__(self, function: Function, scalars: Function, threads: int) -> None:
        self.function = function
        self._threads = threads
        self._cores = [i.shape for i in function.inputs]
        self._shapes = [o.shape for o in function.outputs]
        self._inputs, self._outputs = len(scalars.inputs), len(scalars.outputs)
        self._flat = all(s == () for s in self._shapes)
        self._memory = Memory()
        if self._flat and all(s == () for s in self._cores):
            self.single, self.direct, self.into = self._one, self._new_columns, self._given_columns

    @abstractmethod
    def run_blocks(self, count: int, inputs: Sequence[int], steps: Sequence[int], outputs: Sequence[int]) -> None:
        """`count` blocks from and to these addresses; step 0 reads an input's first block for every block, 1 moves on."""

    @abstractmethod
    def run_point(self, inputs: Any, outputs: Any) -> None:
        """One point, from an array of doubles to another."""

    def _one(self, *values: float) -> tuple[float, ...]:
        given = (ctypes.c_double * self._inputs)(*values)
        result = (ctypes.c_double * self._outputs)()
        self.run_point(given, result)
        return tuple(result)

    def _new_columns(self, values: Sequence[Any]) -> list[Array] | None:
        """The results for columns of one length; None for anything else, which `__call__` takes."""
        count = _length(values)
        if count is None:
            return None
        results = [self._memory.column(count) for _ in range(self._outputs)]
        self._run(count, values, [1] * self._inputs, results)
        return results

    def _given_columns(self, values: Sequence[Any], blocks: Sequence[Any]) -> bool:
        """The same into columns; False, with nothing done, for anything else, which `write` takes."""
        count = _length((*values, *blocks)) if len(blocks) == self._outputs else None
        if count is None or not all(b.flags.writeable for b in blocks) or _overlap(values, blocks, 8 * count):
            return False
        self._run(count, values, [1] * self._inputs, blocks)
        return True

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        joint = self._joint(values)
        count = math.prod(joint)
        tables, outputs = [], []
        for shape in self._shapes:
            rows = math.prod(shape)
            room = -count % ALIGNMENT if rows > 1 and count >= PADDED else 0  # so that every row begins on a line of cache
            table = self._memory.column(rows * (count + room)).reshape((rows, count + room))[:, :count]
            tables.append(table)
            # entry by entry as the kernel writes them: the axes of an array come last as a view, which moves nothing
            output = table.reshape((*shape, *joint))
            outputs.append(np.moveaxis(output, range(len(shape)), range(-len(shape), 0)) if shape else output)
        self._run(count, *self._tables(values, joint), tables)
        return outputs

    def write(self, values: Sequence[Array], blocks: Sequence[Array]) -> None:
        joint = self._joint(values)
        if not self._flat or not all(_writable(b, joint, values) for b in blocks):
            super().write(values, blocks)
            return
        self._run(math.prod(joint), *self._tables(values, joint), [b.reshape(-1) for b in blocks])

    def _joint(self, values: Sequence[Array]) -> tuple[int, ...]:
        return broadcast_shape([v.shape[: v.ndim - len(s)] for v, s in zip(values, self._cores, strict=True)])

    def _run(self, count: int, inputs: Sequence[Array], steps: Sequence[int], results: Sequence[Array]) -> None:
        """Points in columns, or in the rows of tables, into such: whole blocks in place, what remains by way of a padded block.

        steps: 1 for inputs that vary, 0 for those that repeat one block.
        """
        blocks, rest = divmod(count, self.block)
        each = [s for table, s in zip(inputs, steps, strict=True) for _ in range(_rows(table))]
        if blocks:
            self._share(blocks, _addresses(inputs), each, _addresses(results))
        if rest:
            start = blocks * self.block
            last = [_padded(c[..., start:], self.block) if s else c for c, s in zip(inputs, steps, strict=True)]
            ends = [on_lines(_rows(r) * self.block).reshape((*r.shape[:-1], self.block)) for r in results]
            self.run_blocks(1, _addresses(last), each, _addresses(ends))
            for result, end in zip(results, ends, strict=True):
                result[..., start:] = end[..., :rest]

    def _share(self, blocks: int, inputs: Sequence[int], steps: Sequence[int], outputs: Sequence[int]) -> None:
        """The kernel over all blocks, in as many pieces as there are threads worth waking; the first is done here."""
        pieces = min(self._threads, blocks * self.block * self.work // WORK_A_THREAD)
        if pieces <= 1:
            self.run_blocks(blocks, inputs, steps, outputs)
            return
        edges = [blocks * k // pieces for k in range(pieces + 1)]

        def piece(a: int, b: int) -> None:
            ahead = 8 * a * self.block
            self.run_blocks(b - a, [i + ahead * s for i, s in zip(inputs, steps, strict=True)], steps, [o + ahead for o in outputs])

        first, *others = pairwise(edges)
        work = [pool(self._threads).submit(piece, a, b) for a, b in others]
        piece(*first)
        for other in work:
            other.result()

    def _tables(self, values: Sequence[Array], joint: tuple[int, ...]) -> tuple[list[Array], list[int]]:
        """For each input a table of its entries by the points of the batch, and 1; one block of points, and 0, where it does not vary."""
        tables: list[Array] = []
        steps: list[int] = []
        for value, core in zip(values, self._cores, strict=True):
            size = math.prod(core)
            varies = value.size != size
            if varies:
                tables.append(np.ascontiguousarray(np.broadcast_to(value, joint + core).reshape((-1, size)).T))
            else:
                tables.append(np.repeat(value.reshape((size, 1)), self.block, axis=1))
            steps.append(int(varies))
        return tables, steps


class Kernel(Scalars):
    """Straight-line machine code, optimised by LLVM; for single points and for batches each is compiled when it is first needed."""

    def __init__(self, function: Function, plan: Schedule, target: Target, threads: int) -> None:
        super().__init__(function, plan.function, threads)
        self.work = len(plan.body)
        self.block = target.block
        self._plan, self._target = plan, target
        self._scalar_text = scalar_module(plan, target)
        self._code = ctypes.c_void_p()
        # what is compiled, and who holds it: made once, for the code that another thread runs must stay
        self._compiling = threading.Lock()
        self._points: tuple[Callable[..., None], Machine] | None = None
        self._batches: dict[bool, tuple[Callable[..., int], Machine]] = {}

    def _vector_text(self, streamed: bool) -> str:
        return vector_module(self._plan, self._target, streamed)

    @cached_property
    def source(self) -> str:  # type: ignore[override]  # written when it is asked for
        return f"{self._scalar_text}\n{self._vector_text(False)}"

    def _point(self) -> Callable[..., None]:
        """The scalar code."""
        with self._compiling:
            if self._points is None:
                machine = self._compiled(self._scalar_text)
                self._points = function_pointer(machine, "single", ctypes.c_void_p, ctypes.c_void_p), machine
                self._code.value = machine.address("single")
            return self._points[0]

    def _batch(self, streamed: bool) -> Callable[..., int]:
        """The vector code. streamed: whether it writes past the caches."""
        with self._compiling:
            if streamed not in self._batches:
                machine = self._compiled(self._vector_text(streamed))
                call = function_pointer(machine, "batch", *[ctypes.c_int64] * 2, *[ctypes.c_void_p] * 5, result=ctypes.c_int64)
                self._batches[streamed] = call, machine
            return self._batches[streamed][0]

    def _compiled(self, text: str) -> Machine:
        return Machine(text, 2 if len(self._plan.body) <= SCHEDULED else 0)

    def ready(self) -> None:
        self._point()

    def run_blocks(self, count: int, inputs: Sequence[int], steps: Sequence[int], outputs: Sequence[int]) -> None:
        large = 8 * count * self.block * len(outputs) > STREAMED
        streamed = (large or list(self._batches) == [True]) and not reduce(or_, outputs, 0) % LINE
        batch = self._batch(streamed)
        where = addresses(inputs), addresses(steps), addresses(outputs)
        done = batch(0, count, *where, *(self._rare_code() if self._code.value else (None, None)))
        if done < count:  # at a rare case, with no scalar code yet
            batch(done, count, *where, *self._rare_code())

    def _rare_code(self) -> tuple[int | None, int]:
        self.ready()
        return self._code.value, _again().address("again")

    def run_point(self, inputs: Any, outputs: Any) -> None:
        self._point()(inputs, outputs)

    def builtin(self, result: type | None, fallback: Callable[..., Any]) -> Callable[..., Any] | None:
        if self.single is None or not available():
            return None
        return builtin(Entry(self.function.name, self._code, self.function.names, self._outputs, self), result, fallback)


@once
def _again() -> Machine:
    return Machine(AGAIN, 2)


def addresses(numbers: Sequence[int]) -> Any:
    """64-bit integers in a row, for machine code to read."""
    return (ctypes.c_int64 * max(len(numbers), 1))(*numbers)


FLOAT64 = np.dtype(np.float64)


def _length(columns: Sequence[Any]) -> int | None:
    """The length of arrays that are all doubles in a row, of one length; None where one is anything else."""
    if not columns or type(columns[0]) is not np.ndarray:
        return None
    shape = columns[0].shape
    for c in columns:
        if type(c) is not np.ndarray or c.dtype is not FLOAT64 or c.strides != (8,) or c.shape != shape:
            return None
    return int(shape[0])


def _overlap(values: Sequence[Array], blocks: Sequence[Array], size: int) -> bool:
    """Whether a block shares memory with a value or with another block, all of so many bytes in a row."""
    starts = [address(b) for b in blocks]
    apart = sorted(starts)
    return any(b - a < size for a, b in pairwise(apart)) or any(-size < a - b < size for a in map(address, values) for b in starts)


def _rows(table: Array) -> int:
    return 1 if table.ndim == 1 else len(table)


def _addresses(tables: Sequence[Array]) -> list[int]:
    """Of the rows of all tables, in order; a column is one row."""
    found: list[int] = []
    for table in tables:
        first, rows, stride = address(table), _rows(table), table.strides[0]
        found.extend(range(first, first + rows * stride, stride) if rows > 1 else [first] * rows)
    return found


def _padded(table: Array, size: int) -> Array:
    """The table with so many columns, the last one repeated."""
    return np.concatenate([table, np.repeat(table[..., -1:], size - table.shape[-1], axis=-1)], axis=-1)


def _writable(block: Array, joint: tuple[int, ...], values: Sequence[Array]) -> bool:
    """Whether the kernel may write straight into an array: doubles in a row, nothing of which it has still to read."""
    return (
        block.shape == joint
        and block.dtype == np.float64
        and block.flags.c_contiguous
        and block.flags.writeable
        and not any(np.may_share_memory(block, v) for v in values)
    )


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """The threads that large batches are shared among, started at first use."""
    return ThreadPoolExecutor(threads, thread_name_prefix="diffcompare-llvm")

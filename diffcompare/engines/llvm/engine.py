"""Functions as LLVM kernels: a loop over vectors of points for batches, a scalar entry for single calls.

Arrays are written out entry by entry, so this engine is for functions of up to LIMIT scalar operations.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ...dsl.function import Function
from ...errors import TooLarge, Unsupported
from ...transforms.lower import lower
from ...transforms.scalarize import scalarize
from ..base import Array, Compiled, Engine
from ..schedule import Schedule, schedule

if TYPE_CHECKING:
    from .target import Machine

LIMIT = 20_000
"""Scalar operations beyond which straight-line code takes LLVM too long."""
OPTIMISED = 2_000
"""Up to this many operations LLVM optimises fully; beyond, its time grows faster than the code."""


POINTS_A_THREAD = 50_000
"""Points that make a thread worth waking: handing work to one costs about as much as a kernel over a few thousand."""


class LlvmEngine(Engine):
    """Vector kernels by LLVM for functions of up to LIMIT scalar operations, else TooLarge.

    threads: at most so many work on one large batch; all this process may use, by default.
    """

    name = "llvm"

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or available_threads()

    def __reduce__(self) -> Any:
        return type(self), (self.threads,)

    def compile(self, function: Function, precision: str = "float64") -> LlvmCompiled:
        if precision != "float64":
            raise Unsupported(f"engine llvm computes in float64, not {precision}; use numpy or jax")
        try:
            import llvmlite  # noqa: F401
        except ImportError:
            raise Unsupported("engine llvm needs llvmlite, which is not installed: pip install 'diffcompare[llvm]'") from None
        plan = schedule(scalarize(function.with_outputs(lower(function.outputs)), LIMIT))
        if len(plan.body) > LIMIT:
            raise TooLarge(f"engine llvm takes up to {LIMIT} scalar operations, {function.name} has {len(plan.body)}; use numpy or python")
        return LlvmCompiled(function, plan, self.threads)


def available_threads() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LlvmCompiled(Compiled):
    """A function as machine code."""

    def __init__(self, function: Function, plan: Schedule, threads: int) -> None:
        from .emit import module
        from .target import Machine, function_pointer, target

        self.function = function
        self._plan = plan
        self._threads = threads
        self._target = target()
        self.source = module(plan, self._target)
        self._machine: Machine = Machine(self.source, 2 if len(plan.body) <= OPTIMISED else 0)
        pointer = ctypes.c_void_p
        self._batch = function_pointer(self._machine, "batch", ctypes.c_int64, pointer, pointer, pointer)
        self._single = function_pointer(self._machine, "single", pointer, pointer)
        self._cores = [i.shape for i in function.inputs]
        self._shapes = [o.shape for o in function.outputs]
        self._inputs, self._outputs = len(plan.inputs), len(plan.outputs)
        if all(s == () for s in (*self._cores, *self._shapes)):
            self.single = self._one

    def builtin(self, result: type | None, fallback: Callable[..., Any]) -> Callable[..., Any] | None:
        from .fastcall import available, builtin

        if self.single is None or not available() or len(self._plan.body) > OPTIMISED:
            return None
        return builtin(self._plan, self._target, result, fallback)

    def _one(self, *values: float) -> tuple[float, ...]:
        given = (ctypes.c_double * self._inputs)(*values)
        result = (ctypes.c_double * self._outputs)()
        self._single(given, result)
        return tuple(result)

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        joint = np.broadcast_shapes(*(v.shape[: v.ndim - len(s)] for v, s in zip(values, self._cores, strict=True)))
        count, lanes = math.prod(joint), self._target.lanes
        blocks = -(-count // lanes)
        columns, steps = self._columns(values, joint, blocks * lanes)
        results = [np.empty(blocks * lanes) for _ in range(self._outputs)]
        self._run(blocks, columns, steps, results)
        return self._assembled([r[:count] for r in results], joint)

    def _run(self, blocks: int, columns: list[Array], steps: list[int], results: list[Array]) -> None:
        """The kernel over all blocks, in as many pieces as there are threads worth waking."""
        pieces = max(1, min(self._threads, blocks * self._target.lanes // POINTS_A_THREAD))
        edges = [blocks * k // pieces for k in range(pieces + 1)]
        if pieces == 1:
            self._piece(0, blocks, columns, steps, results)
        else:
            work = [pool(self._threads).submit(self._piece, a, b, columns, steps, results) for a, b in pairwise(edges)]
            for piece in work:
                piece.result()

    def _piece(self, first: int, last: int, columns: list[Array], steps: list[int], results: list[Array]) -> None:
        offset = 8 * first * self._target.lanes
        pointers = (ctypes.c_void_p * max(self._inputs, 1))(*(c.ctypes.data + offset * s for c, s in zip(columns, steps, strict=True)))
        moving = (ctypes.c_int64 * max(self._inputs, 1))(*steps)
        outputs = (ctypes.c_void_p * max(self._outputs, 1))(*(r.ctypes.data + offset for r in results))
        self._batch(last - first, pointers, moving, outputs)

    def _columns(self, values: Sequence[Array], joint: tuple[int, ...], padded: int) -> tuple[list[Array], list[int]]:
        """For each scalar input its values over the batch, padded to whole vectors; one vector where it does not vary."""
        lanes, count = self._target.lanes, math.prod(joint)
        columns: list[Array] = []
        steps: list[int] = []
        for value, core in zip(values, self._cores, strict=True):
            batch = value.shape[: value.ndim - len(core)]
            size = math.prod(core)
            if math.prod(batch) == 1:
                columns.extend(np.full(lanes, v) for v in value.reshape(size))
                steps.extend([0] * size)
                continue
            flat = np.broadcast_to(value, joint + core).reshape((count, size)).T
            for column in flat:
                if padded == count:
                    columns.append(np.ascontiguousarray(column))
                else:
                    whole = np.empty(padded)
                    whole[:count], whole[count:] = column, column[-1]
                    columns.append(whole)
            steps.extend([1] * size)
        return columns, steps

    def _assembled(self, results: list[Array], joint: tuple[int, ...]) -> list[Array]:
        """One array for each output; each scalar output is its own column already."""
        outputs, start = [], 0
        for shape in self._shapes:
            size = math.prod(shape)
            part = results[start : start + size]
            outputs.append(np.stack(part, axis=-1).reshape(joint + shape) if shape and size else _column(part, joint + shape))
            start += size
        return outputs


def _column(part: list[Array], shape: tuple[int, ...]) -> Array:
    return part[0].reshape(shape) if part else np.empty(shape)


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """The threads that large batches are shared among, started at first use."""
    return ThreadPoolExecutor(threads, thread_name_prefix="diffcompare-llvm")


llvm_engine = LlvmEngine()

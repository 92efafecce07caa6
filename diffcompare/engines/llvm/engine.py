"""Functions as LLVM kernels: a loop over vectors of points for batches, a scalar entry for single calls, loops over arrays.

Functions of a few scalar operations for each array operation are written out entry by entry. `source` shows which way was
taken: IR for up to OPTIMISED scalar operations, beyond them IR of loops that were found, or a line that tells of the interpreter.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from ...dsl.core import Expr
from ...dsl.elementwise import Elementwise
from ...dsl.function import Function
from ...errors import Unsupported
from ...transforms.lower import lower
from ...transforms.nothing import unit
from ...transforms.scalarize import scalarize
from ...transforms.tape.form import Tape, Taped, tape_of
from ...transforms.tape.lower import lowered as lowered_tape
from ..base import Compiled, Engine
from ..schedule import schedule

LIMIT = 1_000_000
"""Scalar operations up to which arrays are written out entry by entry; functions of scalars may have any number."""
OPTIMISED = 2_000
"""Up to this many operations LLVM optimises fully; beyond, its time grows faster than the code."""


class LlvmEngine(Engine):
    """Machine code by LLVM; TooLarge for arrays that would be more than LIMIT scalar operations.

    threads: at most so many work on one large batch; all this process may use, by default.
    """

    name = "llvm"
    entrywise = True

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or available_threads()

    def __reduce__(self) -> Any:
        return type(self), (self.threads,)

    def compile(self, function: Function, precision: str = "float64") -> Compiled:
        if precision != "float64":
            raise Unsupported(f"engine llvm computes in float64, not {precision}; use numpy or jax")
        try:
            import llvmlite  # noqa: F401
        except ImportError:
            raise Unsupported("engine llvm needs llvmlite, which is not installed: pip install 'diffcompare[llvm]'") from None
        from .emit import has_kernel
        from .target import target

        if isinstance(function, Taped) or len(function.order) > OPTIMISED:
            tape = self._tape(function)
            if tape is not None and len(tape.op) > OPTIMISED:
                return self._by_tape(function, tape)
        keep = has_kernel(target())
        lowered = function.with_outputs(lower(function.outputs, keep))
        order = lowered.order
        entries = partial(self._by_entries, function, lowered, order)
        if all(_is_scalar(node) for node in (*order, *lowered.inputs)) or any(node.primitive is unit for node in order):
            return entries()
        from .arrays.function import as_arrays

        return as_arrays(function, lowered, keep, target(), self.threads, entries) or entries()

    def _by_entries(self, function: Function, scalars: Function, order: list[Expr]) -> Compiled:
        """The function with its arrays written out entry by entry. scalars: the same without composites; order: its nodes."""
        from .emit import has_kernel, has_named_kernel
        from .scalar import Kernel
        from .target import target

        if not all(_is_scalar(node) for node in (*order, *scalars.inputs)):
            scalars = scalarize(scalars, LIMIT)
            order = scalars.order
        if sum(1 for node in order if node.args) <= OPTIMISED:
            return Kernel(function, schedule(scalars, has_kernel(target())), target(), self.threads)
        tape = self._tape(scalars)
        if tape is None:
            tape = tape_of(scalars.with_outputs(lower(scalars.outputs, has_named_kernel(target()))))
        assert tape is not None  # all nodes are scalar functions
        return self._by_tape(function, tape)

    def _tape(self, function: Function) -> Tape | None:
        """The tape of a function, without composites; None where it has none or lowering is the graph's."""
        from .emit import has_named_kernel
        from .target import target

        whole = tape_of(function)
        return None if whole is None else lowered_tape(whole, has_named_kernel(target()))

    def _by_tape(self, function: Function, tape: Tape) -> Compiled:
        """A function of many operations: loops if it consists of loops, else a program for the interpreter."""
        from .interpreter import Interpreted
        from .rerolled import Rerolled, rolled
        from .target import target

        found = rolled(tape)
        return Interpreted(function, tape, target(), self.threads) if found is None else Rerolled(function, found, target(), self.threads)


def _is_scalar(node: Expr) -> bool:
    return not node.shape and (not node.args or isinstance(node.primitive, Elementwise))


def available_threads() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


llvm_engine = LlvmEngine()

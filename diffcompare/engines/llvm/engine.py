"""Functions as LLVM kernels: a loop over vectors of points for batches, a scalar entry for single calls, loops over arrays.

Functions of a few scalar operations for each array operation are written out entry by entry.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from ...dsl.core import Expr
from ...dsl.elementwise import Elementwise
from ...dsl.function import Function
from ...dsl.walk import postorder
from ...errors import Unsupported
from ...transforms.lower import lower
from ...transforms.nothing import unit
from ...transforms.scalarize import scalarize
from ..base import Compiled, Engine
from ..schedule import schedule

LIMIT = 1_000_000
"""Scalar operations beyond which straight-line code takes LLVM too long."""
OPTIMISED = 2_000
"""Up to this many operations LLVM optimises fully; beyond, its time grows faster than the code."""


class LlvmEngine(Engine):
    """Vector kernels by LLVM for functions of up to LIMIT scalar operations, else TooLarge.

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

        keep = has_kernel(target())
        lowered = function.with_outputs(lower(function.outputs, keep))
        entries = partial(self._by_entries, function, lowered)
        order = postorder(lowered.outputs)
        if all(_is_scalar(node) for node in (*order, *lowered.inputs)) or any(node.primitive is unit for node in order):
            return entries()
        from .arrays.function import as_arrays

        return as_arrays(function, lowered, keep, target(), self.threads, entries) or entries()

    def _by_entries(self, function: Function, lowered: Function) -> Compiled:
        """The function with its arrays written out entry by entry."""
        from .emit import has_kernel, has_named_kernel
        from .interpreter import Interpreted
        from .scalar import Kernel
        from .target import target

        scalars, order = lowered, postorder(lowered.outputs)
        if not all(_is_scalar(node) for node in (*order, *scalars.inputs)):
            scalars = scalarize(scalars, LIMIT)
            order = postorder(scalars.outputs)
        operations = sum(1 for node in order if node.args)
        if operations > OPTIMISED:
            scalars = scalars.with_outputs(lower(scalars.outputs, has_named_kernel(target())))
            return Interpreted(function, scalars, target(), self.threads)
        return Kernel(function, schedule(scalars, has_kernel(target())), target(), self.threads)


def _is_scalar(node: Expr) -> bool:
    return not node.shape and (not node.args or isinstance(node.primitive, Elementwise))


def available_threads() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


llvm_engine = LlvmEngine()

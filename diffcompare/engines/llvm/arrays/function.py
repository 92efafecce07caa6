"""Array functions: fused loops in machine code between NumPy's matrix products, run over memory planned beforehand."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ....dsl.core import Expr
from ....dsl.function import Function
from ....transforms.cost import cost
from ....transforms.guards import without_idle_guards
from ....transforms.products import pairwise as pairwise_products
from ....transforms.tidy import tidied
from ...base import Array, Compiled
from ...kernels import constant_in, kernel
from ...schedule import Schedule, schedule
from ..memory import Memory
from ..target import Machine, Target, function_pointer
from .bodies import bodies
from .calls import NumpyCall, PlainProduct, Product, numpy_step
from .code import NestText
from .fusion import REDUCTIONS, Fused, Kernel, fuse, known
from .nests import Nest, nest
from .storage import Layout, Workspace
from .team import team

NODES = 8_000
"""Array operations beyond which loops take LLVM too long: some ten seconds."""
OPTIMISED = 1_000
"""Up to this many LLVM schedules their instructions; beyond, that takes longer than it brings."""
ENTRIES_A_NODE = 4
"""Scalar operations, reading and writing among them, for each array operation up to which entries are better written out."""
SMALL = 300
"""Scalar operations up to which code for single entries is compiled too, for batches."""
MANY = 64
"""Points that are such a batch."""
KEPT_BYTES = 256 * 2**20
"""Workspaces larger than that are not kept for the next call."""
WORTH_SHARING = 10e6
"""Operations of a kernel that are worth a second thread: some 100 µs, where waking one takes up to 30."""


def as_arrays(
    function: Function, lowered: Function, keep: Callable[[Expr], bool], target: Target, threads: int, entries: Callable[[], Compiled]
) -> Compiled | None:
    """`lowered`, which is `function` without composites but those to keep, in loops over arrays; None where entries are fewer.

    entries: compiles it written out entry by entry. Batches of small functions with reductions go there: a vector holds an
    entry of several points, where a sum over a short array would leave most of it empty.
    """
    outputs = tidied(without_idle_guards(pairwise_products(lowered.outputs, sums=True)))
    plan = schedule(lowered.with_outputs(outputs), keep)
    operations = cost(lowered).operations + sum(n.size for n in (*lowered.inputs, *outputs))
    if len(plan.body) > NODES or operations <= ENTRIES_A_NODE * len(plan.body):
        return None
    short_loops = operations <= SMALL and any(n.primitive.name in {*REDUCTIONS, "einsum"} for n in plan.body)
    return ArrayFunction(function, plan, target, threads, entries if short_loops else None)


class ArrayFunction(Compiled):
    """A function of arrays, compiled once for each choice of inputs that carry a batch.

    entries: compiles the function entry by entry, for batches; None where that is too long.
    """

    def __init__(
        self, function: Function, plan: Schedule, target: Target, threads: int, entries: Callable[[], Compiled] | None = None
    ) -> None:
        self.function = function
        self._entries = entries
        self._by_entries: Compiled | None = None
        self._plan, self._target, self._threads = plan, target, threads
        self._shapes = [i.shape for i in plan.inputs]
        self._lock = threading.Lock()
        self._variants: dict[frozenset[int], Variant] = {}
        self._constants = _constant_values(plan)
        self._single = self._variant(frozenset())
        self.source = self._single.source

    def prepare_for(self, shapes: Sequence[tuple[int, ...]]) -> None:
        batches = [s[: len(s) - len(core)] for s, core in zip(shapes, self._shapes, strict=True)]
        self._variant(frozenset(k for k, b in enumerate(batches) if math.prod(b) > 1))

    def _variant(self, batched: frozenset[int]) -> Variant:
        with self._lock:
            if batched not in self._variants:
                self._variants[batched] = Variant(self._plan, self._constants, batched, self._target, self._threads)
            return self._variants[batched]

    def direct(self, values: Sequence[Any]) -> list[Any] | None:
        """As a call, of one point: from arrays of float64, in row-major order, and floats; scalars come back as floats."""
        arrays = []
        for v, shape in zip(values, self._shapes, strict=True):
            if type(v) is np.ndarray and v.shape == shape and v.dtype == np.float64 and v.flags.c_contiguous:
                arrays.append(v)
            elif type(v) is float and not shape:
                arrays.append(np.asarray(v))
            else:
                return None
        return [r if r.shape else float(r) for r in self._single.run(arrays, 1)]

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        batches = [v.shape[: v.ndim - len(core)] for v, core in zip(values, self._shapes, strict=True)]
        if not any(batches):
            return self._single.run([np.ascontiguousarray(v, np.float64) for v in values], 1)
        joint = np.broadcast_shapes(*batches)
        count = math.prod(joint)
        if not count:
            return [np.empty(joint + o.shape) for o in self._plan.outputs]
        if self._entries is not None and count >= MANY:
            with self._lock:
                self._by_entries = self._by_entries or self._entries()
            return self._by_entries(values)
        batched = frozenset(k for k, b in enumerate(batches) if math.prod(b) > 1)
        arrays = []
        for k, (v, i) in enumerate(zip(values, self._plan.inputs, strict=True)):
            whole = np.broadcast_to(v, joint + i.shape).reshape((count, *i.shape)) if k in batched else v.reshape(i.shape)
            arrays.append(np.ascontiguousarray(whole, np.float64))
        results = self._variant(batched).run(arrays, count)
        return [_over(r, joint, o.shape) for r, o in zip(results, self._plan.outputs, strict=True)]


def _over(result: Array, joint: tuple[int, ...], core: tuple[int, ...]) -> Array:
    """A result, with or without one batch axis, over the joint batch."""
    if result.size == math.prod(joint) * math.prod(core):
        return result.reshape(joint + core)
    return np.array(np.broadcast_to(result, joint + core))


def _constant_values(plan: Schedule) -> dict[Expr, Array]:
    """The values of constants and of what depends on no input, as they lie in memory."""
    values: dict[Expr, Any] = {c: constant_in(c, np.dtype(float)) for c in plan.constants}
    with np.errstate(all="ignore"):
        for node in plan.prelude:
            values[node] = kernel(node)[0](*(np.asarray(values[a]) for a in node.args))
    return {n: np.ascontiguousarray(values[n], np.float64) for n in (*plan.constants, *known(plan))}


class Variant:
    """The steps for calls in which the inputs at some positions carry a batch."""

    def __init__(self, plan: Schedule, constants: dict[Expr, Array], batched: frozenset[int], target: Target, threads: int) -> None:
        self._nodes = len(plan.body)
        self._threads = threads
        fused = fuse(plan, batched, target)
        self._form = fused.form
        leaves = {*plan.inputs, *constants}
        self._nests = {
            at: nest(step, fused.form, bodies(step, fused.form, leaves, fused.stored))
            for at, step in enumerate(fused.steps)
            if isinstance(step, Kernel)
        }
        layout = Layout(fused, self._nests, plan.inputs, list(constants), plan.outputs)
        self._layout = layout
        self._constants = {layout.place[n]: v for n, v in constants.items()}
        self._steps = self._compiled(fused, leaves, target)
        self._take = _take if all(isinstance(s, Pass) for s in self._steps) else _take_quietly
        waiting = {o: k for k, o in enumerate(o for o in dict.fromkeys(plan.outputs) if o not in leaves)}
        self._written = [(layout.place[o], o.shape, o.size, o in fused.form.batched) for o in waiting]
        self._outputs = [(o, waiting.pop(o, None)) for o in plan.outputs]
        self._spaces: dict[int, list[Workspace]] = {}
        self._memory = Memory()

    def _compiled(self, fused: Fused, leaves: set[Expr], target: Target) -> list[Step]:
        functions, declarations = [], set()
        for at, found in self._nests.items():
            text, needed = NestText(f"pass{at}", found, self._layout.place, self._layout.parts, target).functions()
            functions += text
            declarations |= needed
        bits = 64 * target.lanes
        attributes = f'attributes #0 = {{ nounwind "prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}" }}'
        self.source = "\n".join([*_described(fused), *sorted(declarations), *functions, attributes])
        machine = Machine(self.source, 2 if self._nodes <= OPTIMISED else 0) if functions else None
        steps: list[Step] = []
        for at, step in enumerate(fused.steps):
            if isinstance(step, Kernel):
                assert machine is not None
                steps.append(Pass(machine, f"pass{at}", self._nests[at], self._threads))
            else:
                steps.append(numpy_step(step, self._layout, fused.form, self._threads))
        return steps

    def run(self, inputs: Sequence[Array], batch: int) -> list[Array]:
        """The outputs, each with a batch axis where it depends on an input that has one."""
        spaces = self._spaces.setdefault(batch, [])
        try:
            space = spaces.pop()
        except IndexError:
            space = Workspace(self._layout, self._form, self._constants, batch)
        for k, array in enumerate(inputs):
            space.put(k, array)
        results = []
        for place, shape, size, batched in self._written:
            result = self._memory.column(batch * size).reshape((batch, *shape)) if batched else self._memory.column(size).reshape(shape)
            space.put(place, result)
            results.append(result)
        self._take(self._steps, space, batch)
        outputs = [self._copied(o, space, batch) if k is None else results[k] for o, k in self._outputs]
        for place, *_ in self._written:
            space.arrays[place] = None  # whose memory serves again as soon as the caller lets it go
        if space.bytes <= KEPT_BYTES:
            if len(self._spaces) > 8:
                self._spaces.clear()
            spaces.append(space)
        return outputs

    def _copied(self, node: Expr, space: Workspace, batch: int) -> Array:
        shape = (batch, *node.shape) if node in self._form.batched else node.shape
        return np.array(space.arrays[self._layout.place[node]]).reshape(shape)


class Pass:
    """A nest of loops in machine code, its units shared among threads where they are worth it."""

    def __init__(self, machine: Machine, name: str, nest: Nest, threads: int) -> None:
        self._machine, self._nest, self._threads = machine, nest, threads
        number = ctypes.c_int64
        self._run = function_pointer(machine, name, ctypes.c_void_p, number, number, number)
        self._finish = function_pointer(machine, f"{name}_finish", ctypes.c_void_p) if nest.joins else None
        self._parts: tuple[int, list[tuple[int, int]]] = (-1, [])

    def _ranges(self, batch: int) -> list[tuple[int, int]]:
        """The ranges of units, one for each thread that is worth waking."""
        known, ranges = self._parts
        if known != batch:
            units = self._nest.units(batch)
            pieces = min(self._threads, units) if self._nest.operations(batch) >= WORTH_SHARING else 1
            ranges = list(pairwise(units * k // pieces for k in range(pieces + 1)))
            self._parts = batch, ranges
        return ranges

    def run(self, space: Workspace, batch: int) -> None:
        shares = self._ranges(batch)
        if len(shares) == 1:
            self._run(space.pointer, batch, *shares[0])
        else:
            team(self._threads).run([partial(self._run, space.pointer, batch, first, last) for first, last in shares])
        if self._finish is not None:
            self._finish(space.pointer)


Step = Pass | NumpyCall | Product | PlainProduct


def _take(steps: Sequence[Step], space: Workspace, batch: int) -> None:
    for step in steps:
        step.run(space, batch)


_take_quietly = np.errstate(all="ignore")(_take)
"""Where NumPy is asked too, which would warn."""


def _described(fused: Fused) -> list[str]:
    """The steps as comments."""
    lines = []
    for at, step in enumerate(fused.steps):
        if isinstance(step, Kernel):
            what = ", ".join(f"{r.primitive.name}{r.shape}" for r in step.roots)
            lines.append(f"; pass{at} over {('batch', *step.space[1:]) if step.space[:1] == (-1,) else step.space}: {what}")
        else:
            params = " ".join(str(step.params).split())
            lines.append(f"; numpy: {step.primitive.name}{params} of {', '.join(str(a.shape) for a in step.args)}"[:120])
    return lines

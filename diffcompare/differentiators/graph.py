"""The methods that give back a Function: manual, symbolic and automatic differentiation share how theirs is run."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..dsl.constants import constant
from ..dsl.contraction import einsum
from ..dsl.core import Expr
from ..dsl.function import Function
from ..dsl.shapes import Shape, size_of
from ..dsl.structural import add_terms
from ..engines.base import Array, Engine
from ..transforms.cost import Cost, cost
from ..transforms.tables import written_out
from .base import Differentiator, Request, Runner

WRITTEN = 60_000
"""Operations of all sweeps together up to which an engine that writes arrays out gets them as one Function."""


@dataclass(frozen=True)
class Seed:
    """Inputs of a derivative that run through all unit directions of their joint entries, on a leading axis.

    after: whether the direction's axes stand behind a block's own (columns of a Jacobian) or before them (rows).
    """

    inputs: tuple[Expr, ...]
    after: bool

    @property
    def shapes(self) -> list[Shape]:
        return [i.shape for i in self.inputs]

    @property
    def entries(self) -> int:
        return sum(i.size for i in self.inputs)


@dataclass(frozen=True)
class Derived:
    """A derivative as a Function of (inputs of the primal, directions given at the call, inputs of the seeds).

    Its outputs are the blocks of the request. With seeds, the first `plain` outputs are blocks as they are; each other
    output makes one block for each seed input (outputs outermost for columns, seed inputs outermost for rows).
    """

    function: Function
    seeds: tuple[Seed, ...] = ()
    plain: int = 0

    @property
    def sweeps(self) -> int:
        """Evaluations of the function at one point: combinations of unit directions."""
        return int(np.prod([s.entries for s in self.seeds], dtype=np.int64))

    def written_out(self) -> Derived:
        """The same without seeds, for engines that write arrays out; itself where there are none."""
        if not self.seeds:
            return self
        return Derived(written_out(self.function, [s.inputs for s in self.seeds], self.seeds[0].after, self.plain))


class GraphDifferentiator(Differentiator):
    """A method that answers with a Function of the graph."""

    @abstractmethod
    def derive(self, request: Request) -> Derived:
        """The derivative asked for; raises Unsupported or TooLarge naming the reason."""

    def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Runner:
        return GraphRunner(self.derive(request), engine, precision, memory)


class GraphRunner(Runner):
    """A compiled derivative, its seeds run through in chunks that fit the memory given."""

    def __init__(self, derived: Derived, engine: Engine, precision: str, memory: int) -> None:
        self.function = derived.function
        self.sweeps = derived.sweeps
        started = time.perf_counter()
        if engine.entrywise and derived.seeds and 0 < self.cost.operations <= WRITTEN:
            derived = derived.written_out()
        self._derived = derived
        self._compiled = engine.compile(derived.function, precision)
        seeded = {i: s.entries for s in derived.seeds for i in s.inputs}
        self._compiled.prepare_for([((seeded[i], *i.shape) if i in seeded else i.shape) for i in derived.function.inputs])
        self.compile_s = time.perf_counter() - started
        self._memory = memory
        self._dtype = np.dtype(precision)
        self.single = None if derived.seeds else self._compiled.single
        if not derived.seeds:
            self.direct, self.into = self._compiled.direct, self._compiled.into

    def builtin(self, result: type | None, fallback: Callable[..., Any]) -> Callable[..., Any] | None:
        return None if self._derived.seeds else self._compiled.builtin(result, fallback)

    def ready(self) -> None:
        self._compiled.ready()

    @cached_property
    def source(self) -> str:  # type: ignore[override]  # written when it is asked for
        return self._compiled.source

    @cached_property
    def _one(self) -> Cost:
        return cost(self.function)

    @property
    def cost(self) -> Cost:
        """Operations of one call at one point: those of the compiled function, for every unit direction."""
        return self._one * self.sweeps

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        given = [*values, *directions]
        if not self._derived.seeds:
            return self._compiled(given)
        cores = [len(i.shape) for i in self.function.inputs]
        batches = [v.shape[: v.ndim - core] for v, core in zip(given, cores, strict=False)]
        joint = np.broadcast_shapes(*batches)
        first, *rest = self._derived.seeds
        inner = int(np.prod([s.entries for s in rest], dtype=np.int64))
        bytes_each = self._dtype.itemsize * max(self._one.peak, 1) * max(size_of(joint), 1) * max(inner, 1)
        chunk = max(1, self._memory // bytes_each)
        parts = []
        for start in range(0, max(first.entries, 1), chunk):
            ranges = [range(start, min(start + chunk, first.entries)), *(range(s.entries) for s in rest)]
            parts.append(self._compiled([*given, *self._unit_directions(ranges, len(joint))]))
        return self._blocks([np.concatenate(p) if len(p) > 1 else p[0] for p in zip(*parts, strict=True)], joint)

    def write(self, values: Sequence[Array], directions: Sequence[Array], blocks: Sequence[Array]) -> None:
        if self._derived.seeds:
            super().write(values, directions, blocks)
        else:
            self._compiled.write([*values, *directions], blocks)

    def _unit_directions(self, ranges: Sequence[range], batch_ndim: int) -> list[Array]:
        """For each seed input its entries of the unit vectors in the range, on the seed's own leading axis."""
        arrays: list[Array] = []
        for k, (seed, chosen) in enumerate(zip(self._derived.seeds, ranges, strict=True)):
            unit = np.eye(seed.entries, dtype=self._dtype)[chosen.start : chosen.stop] if seed.entries else np.zeros((0, 0))
            lead = [1] * len(ranges)
            lead[k] = len(chosen)
            start = 0
            for shape in seed.shapes:
                size = size_of(shape)
                arrays.append(unit[:, start : start + size].reshape(*lead, *(1,) * batch_ndim, *shape))
                start += size
        return arrays

    def _blocks(self, outputs: Sequence[Array], joint: Shape) -> list[Array]:
        """Seed axes moved from the front to where their block has them."""
        derived, n = self._derived, len(self._derived.seeds)
        plain = [o[(0,) * n] for o in outputs[: derived.plain]]
        tables = []
        for output in outputs[derived.plain :]:
            core = output.shape[n + len(joint) :]
            tables.append([_placed(output, position, derived.seeds, joint, core) for position in _positions(derived.seeds)])
        if derived.seeds[0].after:
            return plain + [block for table in tables for block in table]
        return plain + [block for row in zip(*tables, strict=True) for block in row]


def _positions(seeds: Sequence[Seed]) -> list[tuple[tuple[slice, Shape], ...]]:
    """For each choice of one input from each seed: its slice of the seed's axis and its shape."""
    choices: list[tuple[tuple[slice, Shape], ...]] = [()]
    for seed in seeds:
        start, mine = 0, []
        for shape in seed.shapes:
            mine.append((slice(start, start + size_of(shape)), shape))
            start += size_of(shape)
        choices = [(*c, m) for c in choices for m in mine]
    return choices


def _placed(output: Array, position: tuple[tuple[slice, Shape], ...], seeds: Sequence[Seed], joint: Shape, core: Shape) -> Array:
    part = output[tuple(s for s, _ in position)]
    n, b = len(position), len(joint)
    # (seeds, batch, core) -> (batch, core, seeds) or (batch, seeds, core)
    order = (
        [*range(n, n + b), *range(n + b, part.ndim), *range(n)]
        if seeds[0].after
        else [*range(n, n + b), *range(n), *range(n + b, part.ndim)]
    )
    shapes = [size for _, shape in position for size in shape]
    tail = (*core, *shapes) if seeds[0].after else (*shapes, *core)
    return np.ascontiguousarray(part.transpose(order)).reshape((*joint, *tail))


_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def contract(block: Expr, direction: Expr, last: bool = True) -> Expr:
    """A Jacobian block times a direction over the block's last axes (J t), or over its first (c J)."""
    n, m = len(block.shape), len(direction.shape)
    labels = _LETTERS[:n]
    summed, kept = (labels[n - m :], labels[: n - m]) if last else (labels[:m], labels[m:])
    if n == 0:
        return block * direction
    return einsum(f"{labels},{summed}->{kept}", block, direction)


def total(terms: Sequence[Expr]) -> Expr:
    """The sum of at least one term."""
    result = add_terms(terms)
    return constant(0.0) if result is None else result

"""The primal at shifted points: evaluated in batches that fit the memory given, on a new leading axis.

Entries of the inputs differentiated are counted through, raveled one after another in the order of the request.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..dsl.function import Function
from ..dsl.shapes import Shape, size_of
from ..engines.base import Array, Engine
from ..transforms.cost import Cost, cost
from .base import Request

Positions = Sequence[Sequence[Array]]
"""For each layer, for each input differentiated, raveled: where an entry goes in that layer if it is the one that moves."""
Move = tuple[Array, Positions]
"""(entries, positions): row r of the chunk moves entry entries[r] to its position in each layer."""


class Primal:
    """A function compiled for evaluation at points that differ from given ones in few entries."""

    def __init__(self, function: Function, request: Request, engine: Engine, precision: str, memory: int) -> None:
        started = time.perf_counter()
        self._compiled = engine.compile(function, precision)
        self.compile_s = time.perf_counter() - started
        self.source = self._compiled.source
        self.single = self._compiled.single
        self.function = function
        self.dtype = np.dtype(precision)
        self.cores = [i.shape for i in function.inputs]
        self.shapes = [o.shape for o in function.outputs]
        position = {node: k for k, node in enumerate(request.function.inputs)}
        self.places = [position[w] for w in request.wrt]
        self.sizes = [w.size for w in request.wrt]
        self.starts = [int(s) for s in np.cumsum([0, *self.sizes])]
        self._memory = memory

    @cached_property
    def cost(self) -> Cost:
        """Operations of one evaluation."""
        return cost(self.function)

    @property
    def entries(self) -> int:
        """The number of entries differentiated with respect to."""
        return self.starts[-1]

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        return self._compiled(values)

    def spread(self, values: Sequence[Array]) -> tuple[list[Array], Shape]:
        """The values with batch axes of length 1 put in front so that all have as many, and the joint batch shape."""
        batches = [v.shape[: v.ndim - len(c)] for v, c in zip(values, self.cores, strict=False)]
        joint = np.broadcast_shapes(*batches)
        return [v.reshape((1,) * (len(joint) - len(b)) + v.shape) for v, b in zip(values, batches, strict=False)], joint

    def raveled(self, arrays: Sequence[Array]) -> list[Array]:
        """Arrays for the inputs differentiated with their core axes made one."""
        return [a.reshape((*a.shape[: a.ndim - len(self.cores[p])], n)) for a, p, n in zip(arrays, self.places, self.sizes, strict=True)]

    def chunks(self, rows: int, points: int, joint: Shape) -> Iterator[slice]:
        """Slices of `rows` such that `points` evaluations for each row, over the joint batch, fit the memory (one row always does)."""
        floats = max(self.cost.peak, 1) + sum(size_of(s) for s in self.shapes) + self.entries
        each = self.dtype.itemsize * floats * max(size_of(joint), 1) * max(points, 1)
        size = max(1, int(self._memory // each))
        for start in range(0, rows, size):
            yield slice(start, min(start + size, rows))

    def moved(self, values: Sequence[Array], moves: Sequence[Move]) -> list[Array]:
        """The values with the inputs that a move touches given two axes in front, (layers, rows), and moved.

        Positions broadcast with the values, raveled; all moves have as many rows and layers.
        """
        result = list(values)
        rows, layers = len(moves[0][0]), len(moves[0][1])
        for k, x in enumerate(self.raveled([values[p] for p in self.places])):
            flat: Array | None = None
            for entries, positions in moves:
                here = np.flatnonzero((entries >= self.starts[k]) & (entries < self.starts[k + 1]))
                if not here.size:
                    continue
                if flat is None:
                    flat = np.array(np.broadcast_to(x, (layers, rows, *x.shape)))
                local = entries[here] - self.starts[k]
                for layer, position in enumerate(positions):
                    flat[layer, here, ..., local] = np.moveaxis(position[k][..., local], -1, 0)
            if flat is not None:
                place = self.places[k]
                result[place] = flat.reshape((*flat.shape[:-1], *self.cores[place]))
        return result

    def gathered(self, arrays: Sequence[Array], entries: Array, joint: Shape) -> Array:
        """The chosen entries of raveled arrays on a leading axis: (rows,) + joint batch."""
        result = np.empty((len(entries), *joint), self.dtype)
        for k, a in enumerate(arrays):
            here = np.flatnonzero((entries >= self.starts[k]) & (entries < self.starts[k + 1]))
            if here.size:
                result[here] = np.moveaxis(a[..., entries[here] - self.starts[k]], -1, 0)
        return result

    def blocks(self, joint: Shape, cores: Sequence[Shape]) -> list[Array]:
        """For each core shape and each input differentiated an empty block, its input axes raveled."""
        return [np.empty((*joint, *core, n), self.dtype) for core in cores for n in self.sizes]

    def store(self, blocks: Sequence[Array], chunk: slice, rows: Array) -> None:
        """Write rows (rows,) + batch + core of consecutive entries into one block for each input differentiated."""
        for k, block in enumerate(blocks):
            first, last = max(chunk.start, self.starts[k]), min(chunk.stop, self.starts[k + 1])
            if first < last:
                part = rows[first - chunk.start : last - chunk.start]
                block[..., first - self.starts[k] : last - self.starts[k]] = np.moveaxis(part, 0, -1)

    def shaped(self, blocks: Sequence[Array]) -> list[Array]:
        """Raveled blocks with the axes of their inputs again."""
        cores = [self.cores[p] for p in self.places]
        return [b.reshape((*b.shape[:-1], *cores[k % len(cores)])) for k, b in enumerate(blocks)]


def shifted(xs: Sequence[Array], steps: Sequence[Array], multiple: float) -> list[Array]:
    """x + m h, rounded, for each input. Minus x it is the step taken: exact, unless m h is far larger than x."""
    return [np.add(x, np.multiply(h, x.dtype.type(multiple))) if multiple else x for x, h in zip(xs, steps, strict=True)]


def differences(positions: Sequence[Array], xs: Sequence[Array]) -> list[Array]:
    """The steps taken from xs to positions."""
    return [np.subtract(p, x) for p, x in zip(positions, xs, strict=True)]


def weighted_sum(values: Sequence[Array], vectors: Sequence[Array], ndims: Sequence[int]) -> Any:
    """Σ values · vectors over the core axes (the last `ndim` of each part), an exact zero in a vector winning over infinity."""
    total: Any = 0.0
    for value, vector, ndim in zip(values, vectors, ndims, strict=True):
        product = value * vector
        product = np.where((vector == 0) & np.isinf(value), product.dtype.type(0), product)
        total = total + product.sum(axis=tuple(range(-ndim, 0)))
    return total

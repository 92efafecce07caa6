"""Which engine suits a function: the plainest that is about as fast as any to prepare and to call CALLS times, by counted work.

Times are estimates for one core of 2024 and one point, good to a factor of 2 or so; what they depend on is counted. No clock is
read, so the choice is the same at every run on machines with the same engines installed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ..dsl.contraction import Einsum
from ..dsl.core import BOOL
from ..dsl.function import Function
from ..dsl.walk import postorder
from ..transforms.cost import ARITHMETIC, operations
from ..transforms.lower import lower
from ..transforms.tape.form import tape_of
from ..transforms.tape.lower import lowered

CALLS = 1000
"""Calls of a prepared derivative that are reckoned with: an optimisation, a table."""
GRADIENT = 4
"""A derivative in one direction costs at most about so many times its function (Griewank, Walther: Evaluating Derivatives)."""


MANY = 2_000
"""Nodes beyond which scalar operations are counted on a tape: in a tenth of the time, some equal ones twice."""
DOUBT = 2
"""Estimates closer than that tell nothing apart."""


@dataclass(frozen=True)
class Work:
    """What one call at one point does: array operations (`nodes`), scalar operations with each function of mathematics as 10,
    floating-point operations within products of matrices. scalar: whether there are no arrays at all."""

    nodes: int
    operations: float
    products: float
    scalar: bool


@dataclass(frozen=True)
class Choice:
    """An engine's name and why it is taken; `others` in the order in which they would be taken after it."""

    engine: str
    reason: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Speed:
    """Seconds: to prepare at all and for each array operation; to call at all, for each array operation, for each scalar one."""

    prepare: float
    prepare_node: float
    call: float
    node: float
    operation: float
    product: float = 5e-11

    def each(self, work: Work) -> float:
        """Of one call."""
        return self.call + self.node * work.nodes + self.operation * work.operations + self.product * work.products

    def total(self, work: Work) -> float:
        """Of preparing and CALLS calls."""
        return self.prepare + self.prepare_node * work.nodes + CALLS * self.each(work)


SCALARS = {
    "python": Speed(5e-4, 2e-5, 3e-7, 4e-8, 1e-9),
    "numpy": Speed(1e-3, 5e-5, 1e-5, 5e-7, 0.0),
    "llvm": Speed(2.5e-2, 2e-5, 1e-7, 1e-9, 1e-9),
}
ARRAYS = {
    "numpy": Speed(1e-3, 5e-5, 8e-6, 8e-7, 6e-10),
    "llvm": Speed(2e-2, 3e-4, 1.5e-5, 2e-7, 6e-11),
    "jax": Speed(1e-1, 3e-3, 5e-5, 1e-6, 2e-10),
}
"""From the plainest to the least plain. jax, slow to prepare and to call, stands in where llvm is missing."""


def work(function: Function, passes: int = 1, directions: int = 1) -> Work:
    """The work of a function. passes: how often its operations are done in one direction, a gradient's GRADIENT times."""
    if len(function.order) > MANY:
        tape = tape_of(function)
        written = None if tape is None else lowered(tape, lambda node: False)
        if written is not None:
            counts = np.bincount(written.op, minlength=len(written.kinds)).tolist()
            each = sum(n * (1.0 if kind.name in ARITHMETIC else 10.0) for kind, n in zip(written.kinds, counts, strict=True))
            real = all(node.dtype != BOOL for node in function.inputs) and all(written.dtype(o) != BOOL for o in written.outputs.tolist())
            return Work(len(written.op) * passes, each * passes * directions, 0.0, real)
    order = [n for n in postorder(lower(function.outputs)) if n.args]
    entries = products = 0.0
    for node in order:
        for kind, n in operations(node):
            if isinstance(node.primitive, Einsum):
                products += n
            else:
                entries += n * (1.0 if kind in ARITHMETIC else 10.0)
    scalar = all(n.shape == () for n in order) and all(n.shape == () and n.dtype != BOOL for n in (*function.inputs, *function.outputs))
    return Work(len(order) * passes, entries * passes * directions, products * passes * directions, scalar)


def choose(work: Work, engines: Collection[str], precision: str = "float64") -> Choice:
    """The plainest engine, of those that there are, whose time for preparing and CALLS calls is at most DOUBT times the least."""
    speeds = SCALARS if work.scalar else ARRAYS
    able = [n for n in speeds if n in engines and (precision == "float64" or n not in {"python", "llvm"})] or ["numpy"]
    time = {n: speeds[n].total(work) for n in able}
    best = next(n for n in able if time[n] <= DOUBT * min(time.values()))
    ranked = sorted(able, key=lambda n: time[n])
    counted = f"{work.nodes:,} operations"
    if not work.scalar:
        counted += f" on {work.operations + work.products:,.0f} numbers"
    times = ", ".join(f"{n} {_seconds(time[n])}" for n in ranked)
    return Choice(best, f"{counted}; preparing and {CALLS:,} calls by estimate: {times}", tuple(n for n in ranked if n != best))


def _seconds(t: float) -> str:
    return f"{t:.2g} s" if t >= 1 else f"{t * 1e3:.2g} ms"

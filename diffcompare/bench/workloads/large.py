"""Gradients of 10^5 operations: a loop written out, and a random graph."""

from __future__ import annotations

import random

from ...differentiators.base import Operator
from ...dsl.arithmetic import sqrt
from ...dsl.core import Expr
from ...dsl.elementary import cos, sin
from ...dsl.function import Function, function, symbols
from ..workload import Bar, Group, Kind, Phase, Workload

OPERATIONS = 100_000
CONTENDERS = ("diffcompare llvm", "diffcompare python", "diffcompare numpy", "casadi", "heyoka", "jax")


def chain(operations: int) -> Function:
    """x ← a sin(x) + y, three operations a step."""
    x, a, y = inputs = symbols("x a y")
    for _ in range(operations // 3):
        x = a * sin(x) + y
    return function(inputs, x, name="chain")


def graph(operations: int, seed: int = 7) -> Function:
    """Each operation is drawn from products, means, sines, cosines and roots, of a value not used yet and of any value."""
    draw = random.Random(seed)
    inputs = symbols(" ".join(f"x{k}" for k in range(10)))
    values: list[Expr] = list(inputs)
    unused: list[Expr] = list(inputs)
    for _ in range(operations // 2):
        a = unused.pop(draw.randrange(len(unused))) if len(unused) > 20 else draw.choice(values)
        b = draw.choice(values)
        rule = draw.randrange(5)
        made = (a * b, 0.5 * (a + b), sin(a) * b, cos(a + b), sqrt(1 + a * a))[rule]
        values.append(made)
        unused.append(made)
    total = unused[0]
    for rest in unused[1:]:
        total = total + rest
    return function(inputs, total, name="graph")


def _large(name: str, title: str, f: Function, twin: Function, bars: tuple[Bar, ...]) -> Workload:
    values = tuple(0.1 + 0.07 * k for k in range(len(f.inputs)))

    def smaller() -> Workload:
        return Workload(name, title, twin, Operator.GRADIENT, Kind.FLOATS, values, CONTENDERS)

    return Workload(name, title, f, Operator.GRADIENT, Kind.FLOATS, values, CONTENDERS, bars, twin=smaller)


def _bars(prepare: float, stretch: float | None) -> tuple[Bar, ...]:
    return Bar("diffcompare llvm", "casadi", 0.6), Bar("diffcompare llvm", "casadi", prepare, stretch, Phase.PREPARE)


def _chain() -> list[Workload]:
    f, twin = chain(OPERATIONS), chain(3000)
    return [_large("chain of 10^5", "gradient of a loop of 33,333 steps written out, 10^5 operations", f, twin, _bars(2.0, 0.25))]


def _graph() -> list[Workload]:
    f, twin = graph(OPERATIONS), graph(3000)
    return [_large("random graph of 10^5", "gradient of a random graph of 10^5 operations", f, twin, _bars(1.0, 0.25))]


LARGE = (
    Group("chain", "A loop written out", _chain, processes=3),
    Group("graph", "A random graph", _graph, processes=3),
)

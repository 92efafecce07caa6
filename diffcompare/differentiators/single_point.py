"""Differences at one point of a function of scalars, on floats: what an array of one point costs is most of a short call.

Bit for bit the results of the batched runners, whose order of operations these repeat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .base import Operator

Single = Callable[..., tuple[float, ...]]
FIRST = {Operator.DERIVATIVE, Operator.GRADIENT, Operator.JACOBIAN, Operator.VALUE_AND_GRADIENT}


def differences(single: Single, places: Sequence[int], nodes: Sequence[int], step: Callable[[float], float], valued: bool) -> Single:
    """f(*inputs) -> blocks of first derivatives by a stencil of two nodes; valued: the outputs before them.

    single: the primal on floats. places: the inputs differentiated. step(x): h at x.
    """

    def call(*inputs: float) -> tuple[float, ...]:
        centre = single(*inputs) if valued or 0 in nodes else ()
        columns = []
        for place in places:
            x = inputs[place]
            h = step(x)
            low, high = (x + h * m if m else x for m in nodes)
            below, above = (
                single(*inputs[:place], at, *inputs[place + 1 :]) if m else centre for at, m in zip((low, high), nodes, strict=True)
            )
            gap = (high - x) - (low - x)
            columns.append([_divided(b - a, gap) for a, b in zip(below, above, strict=True)])
        blocks = [block for row in zip(*columns, strict=True) for block in row]
        return (*centre, *blocks) if valued else tuple(blocks)

    return call


def complex_steps(single: Single, places: Sequence[int], step: Callable[[float], float], outputs: int) -> Single:
    """f(*inputs) -> blocks of first derivatives by the complex step; the outputs that `single` gives after them come first.

    single: (inputs, imaginary parts) -> imaginary parts of the outputs, then any other values.
    """

    def call(*inputs: float) -> tuple[float, ...]:
        columns: list[list[float]] = []
        plain: tuple[float, ...] = ()
        for k, place in enumerate(places):
            h = step(inputs[place])
            sides = [0.0] * len(places)
            sides[k] = h
            results = single(*inputs, *sides)
            columns.append([_divided(r, h) for r in results[:outputs]])
            plain = results[outputs:]
        return (*plain, *(block for row in zip(*columns, strict=True) for block in row))

    return call


def power_below(wanted: float) -> float:
    """The largest power of two up to a positive number; NaN for what has none."""
    return math.ldexp(1.0, math.frexp(wanted)[1] - 1) if math.isfinite(wanted) else math.nan


def _divided(a: float, b: float) -> float:
    """a / b as IEEE 754 has it, where Python raises."""
    if b:
        return a / b
    return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)

"""The null method: it answers zeros at once, so that timing it times the interface and the protocol and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..differentiate import find_engine
from ..differentiators.base import Differentiator, Request, Runner
from ..engines.base import Array, Engine
from ..transforms.cost import Cost
from .cell import Question

DISPATCHES = ("machine code", "floats", "arrays")
"""The ways of a call into an engine, see Derivative.dispatch; each has its overhead."""


class _Zeros(Runner):
    def __init__(self, request: Request, floats: bool) -> None:
        self.function = request.function
        self._blocks = [np.zeros(shape) for shape in request.blocks]
        if floats and not any(request.blocks):
            nothing = (0.0,) * len(self._blocks)
            self.single = lambda *inputs: nothing

    @property
    def cost(self) -> Cost | None:
        return Cost()

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        return self._blocks


class Null(Differentiator):
    """Zeros of the right shapes. floats: reached as a scalar engine is, with floats; as arrays otherwise."""

    family = "null"

    def __init__(self, floats: bool) -> None:
        self.floats = floats
        self.name = "null.floats" if floats else "null.arrays"

    def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Runner:
        return _Zeros(request, self.floats)

    def __reduce__(self) -> Any:
        return Null, (self.floats,)


def null_call(question: Question, dispatch: str, values: Sequence[Any], along: Mapping[str, Any]) -> Callable[[], object]:
    """A call that does nothing, on the same way as a method's.

    Machine code is reached without Python between: a function of C that takes any numbers stands for it.
    """
    if dispatch == "machine code":
        return partial("".format, *values)
    q = question
    engine = find_engine("numpy", q.function)
    nothing = Null(dispatch == "floats").prepare(q.function, q.operator, engine, q.wrt or None, order=q.order, precision=q.precision)
    return partial(nothing, *values, **along)

"""The function itself on our engine, for ratios of a gradient to its function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...differentiate import prepare
from ..contender import Contender, Ready
from ..workload import Workload


class Primal(Contender):
    """The value, by the engine that the gradient runs on."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.name = f"function alone, {engine}"
        self.source = f"diffcompare.value(f, engine={engine!r})"

    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        def start() -> Callable[[], Ready]:
            f, values = prepare(workload.function, "value", engine=self.engine), workload.values
            return lambda: Ready(partial(f, *values), lambda r: [])

        return start


primal_llvm = Primal("llvm")

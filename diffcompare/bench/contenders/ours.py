"""diffcompare itself: the prepared derivative, through its public call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...differentiate import prepare
from ...differentiators.base import Derivative
from ..contender import Array, Contender, Ready
from ..workload import Kind, Workload


class Ours(Contender):
    """One method on one engine. raw: arrays of the engine in and out (JAX)."""

    def __init__(self, engine: str, method: str = "ad.reverse", name: str = "", raw: bool = False) -> None:
        self.name = name or f"diffcompare {engine}"
        self.engine, self.method, self.raw = engine, method, raw
        self.source = f"diffcompare.{{operator}}(f, method={method!r}, engine={engine!r})"
        if engine == "llvm":
            self.source += "; preparing ends with the first batch, or with .ready() for one point, as that is when it compiles"

    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        w = workload

        def start() -> Callable[[], Ready]:
            d = prepare(w.function, w.operator, w.wrt or None, method=self.method, engine=self.engine, raw=self.raw)
            if w.kind is Kind.POINTS:
                d(*w.values)  # the code for batches is compiled when one comes
            else:
                d.ready()
            return lambda: self._bound(d, w)

        return start

    def _bound(self, d: Derivative, w: Workload) -> Ready:
        values = self._values(w)
        if self.raw:
            return Ready(lambda: synchronised(d(*values)), flat)
        if w.kind is not Kind.POINTS or any(w.request.blocks):
            return Ready(partial(d, *values), flat)
        return Ready(partial(d, *values, out=d(*values)), flat)

    def _values(self, w: Workload) -> Sequence[Any]:
        if not self.raw:
            return w.values
        import jax

        return [jax.device_put(np.asarray(v, float)) for v in w.values]


def synchronised(result: Any) -> Any:
    """Arrays of JAX, alone or in lists and tuples, once they are computed."""
    import jax

    if isinstance(result, tuple):  # JAX looks into tuples of its own kinds alone, and Named is none
        for part in result:
            synchronised(part)
        return result
    return jax.block_until_ready(result)  # type: ignore[no-untyped-call]


def flat(result: Any) -> list[Array]:
    """A result of ours as its blocks in order."""
    if isinstance(result, tuple):
        return [a for part in result for a in flat(part)]
    return [np.asarray(result)]


ours_llvm = Ours("llvm")
ours_llvm_forward = Ours("llvm", "ad.forward", "diffcompare llvm, ad.forward")
ours_numpy = Ours("numpy")
ours_python = Ours("python")
ours_jax = Ours("jax", raw=True)

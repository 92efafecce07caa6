"""heyoka: diff_tensors and cfunc, batches through outputs=, as its documentation advises.

It keeps what it has compiled in memory and on disk, so that the same expression is compiled once in a machine's life: a
second preparation takes a third of the time or less. Both caches are off here, since preparing is what is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...differentiators.base import Operator, Request
from ...differentiators.peers.heyoka import peer_heyoka
from ..contender import Array, Contender, Ready
from ..workload import Kind, Workload
from .cut import cut

COMPACT = 5_000
"""Nodes of all expressions beyond which the compact mode of cfunc is taken: slower to run, but LLVM ends."""


class HeyokaContender(Contender):
    """aligned: whether arrays begin on 64 bytes, by which its kernels gain; those of NumPy begin on 16."""

    def __init__(self, aligned: bool) -> None:
        self.aligned = aligned
        self.name = "heyoka, aligned" if aligned else "heyoka"
        self.source = "heyoka.cfunc of heyoka.diff_tensors, outputs= given" + (", arrays on 64 bytes" if aligned else "")
        self.source += "; its caches of compiled code are off"

    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        written = peer_heyoka.written(Request(workload.function, Operator.VALUE, ()))
        compile_anew()
        return lambda: self._prepared(workload, *written)

    def _prepared(self, w: Workload, variables: list[Any], outputs: list[Any]) -> Callable[[], Ready]:
        import heyoka as hy

        order = 2 if w.operator is Operator.HESSIAN else 1
        tensors = hy.diff_tensors(outputs, variables, order)
        if order == 2:
            expressions = [e for row in tensors.hessian(0) for e in row]
        else:
            expressions = list(np.asarray(tensors.jacobian, dtype=object).ravel())
        compiled = hy.cfunc(expressions, variables, compact_mode=sum(map(len, expressions)) > COMPACT)
        return lambda: self._ready(w, compiled, len(expressions))

    def _ready(self, w: Workload, compiled: Any, entries: int) -> Ready:
        if w.kind is Kind.POINTS:
            inputs = self._laid(np.stack([np.asarray(v) for v in w.values]) if len(w.values) > 1 else _rows(w.values[0]))
            results = self._laid(np.empty((entries, inputs.shape[1])))
            return Ready(partial(compiled, inputs, outputs=results), lambda r: cut(results.T, w))
        inputs, results = np.array(w.values, float), np.empty(entries)
        return Ready(partial(compiled, inputs, outputs=results), lambda r: cut(results, w))

    def _laid(self, array: Array) -> Array:
        """The array at an address that is, or is not, a multiple of 64."""
        room = np.empty(array.size + 16)
        skip = (-room.ctypes.data % 64) // 8 + (0 if self.aligned else 2)
        laid = room[skip : skip + array.size].reshape(array.shape)
        laid[...] = array
        return laid


def compile_anew() -> None:
    """Let this process compile every expression anew."""
    from heyoka import llvm_state

    llvm_state.set_memcache_limit(0)
    llvm_state.set_diskcache_enabled(False)


def _rows(points: Array) -> Array:
    """Points (n, entries) or (n,) as one row for each entry."""
    return points.reshape(len(points), -1).T


heyoka_usual = HeyokaContender(aligned=False)
heyoka_aligned = HeyokaContender(aligned=True)

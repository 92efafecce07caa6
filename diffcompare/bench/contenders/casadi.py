"""CasADi: gradient, jacobian or hessian of an SX graph, called through Function.buffer; many points through Function.map."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...differentiators.base import Operator
from ...differentiators.peers.casadi import peer_casadi
from ...errors import Unsupported
from ..contender import Array, Contender, Ready
from ..workload import Kind, Workload
from .cut import cut


class CasadiContender(Contender):
    """kind: "buffer", what its documentation advises for speed, or "call", what its tutorials show."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name = "casadi" if kind == "buffer" else "casadi, plain call"
        self.source = "casadi.Function of an SX derivative, " + ("through Function.buffer" if kind == "buffer" else "called with floats")

    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        if self.kind == "call" and workload.kind is not Kind.FLOATS:
            raise Unsupported("the plain call is compared with single calls")
        primal = peer_casadi.written(workload.function)
        return lambda: self._prepared(workload, primal)

    def _prepared(self, w: Workload, primal: Any) -> Callable[[], Ready]:
        import casadi as ca

        kind: Any = ca.SX if primal.class_name() == "SXFunction" else ca.MX
        point = kind.sym("point", primal.size1_in(0))
        wrt = self._wrt(w)
        value = primal(point)
        if w.operator is Operator.HESSIAN:
            table = ca.hessian(value, point)[0][wrt, wrt]
        elif w.operator is Operator.JACOBIAN:
            table = ca.jacobian(value, point)[:, wrt].T  # columns are rows of ours
        else:
            table = ca.gradient(value, point)[wrt]
        compiled = ca.Function("derivative", [point], [ca.densify(ca.vec(table))])
        return lambda: self._ready(w, compiled)

    def _ready(self, w: Workload, compiled: Any) -> Ready:
        points = np.stack([np.reshape(v, (w.points, -1)) for v in w.values], axis=1).reshape(w.points, -1) if w.points > 1 else None
        given = np.concatenate([np.ravel(v) for v in w.values]) if points is None else np.ascontiguousarray(points)
        results = np.empty((w.points, compiled.size1_out(0)))
        if self.kind == "call":
            return Ready(partial(compiled, given), lambda r: cut(np.asarray(r).ravel(), w))
        mapped = compiled if w.points == 1 else compiled.map(w.points)
        buffer, run = mapped.buffer()
        buffer.set_arg(0, memoryview(given.reshape(-1).data))
        buffer.set_res(0, memoryview(results.reshape(-1).data))
        kept = buffer, given

        def blocks(result: Any) -> list[Array]:
            assert kept  # the buffer has addresses only, so what they point to stays with it
            return cut(results if w.points > 1 else results[0], w)

        return Ready(run, blocks)

    def _wrt(self, w: Workload) -> list[int]:
        """The places in the column of all inputs that are differentiated with respect to."""
        places: list[int] = []
        start = 0
        for i in w.function.inputs:
            if not w.wrt or i.params[0] in w.wrt:
                places.extend(range(start, start + i.size))
            start += i.size
        return places


casadi_buffer = CasadiContender("buffer")
casadi_call = CasadiContender("call")

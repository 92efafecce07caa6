"""`peer.heyoka`: heyoka's derivatives of our function in its expressions, compiled by its own LLVM.

Arrays are written out entry by entry. All derivatives come from heyoka.diff_tensors, which picks forward or reverse mode,
and run as one heyoka.cfunc, batches by its SIMD evaluation over many points. Choices are heyoka.select.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...engines.base import Array, Engine
from ..base import Request, Runner
from .library import FlatRunner, Peer
from .scalars import Algebra, written

LIMIT = 2_000
"""Scalar operations, and entries of a result: beyond, LLVM compiles for more than half a minute."""
COMPACT = 200
"""Expressions beyond which the compact mode of cfunc, slower to run, compiles sooner."""


class PeerHeyoka(Peer):
    """heyoka.diff_tensors and heyoka.cfunc."""

    name = "peer.heyoka"
    library = "heyoka"
    install = "diffcompare[peers-large]"

    def answer(self, request: Request, engine: Engine, memory: int) -> Runner:
        return HeyokaRunner(request)

    def written(self, request: Request) -> tuple[list[Any], list[Any]]:
        """(variables, expressions) of heyoka for the request; raises Unsupported or TooLarge."""
        self._load()
        return written(request, Heyoka())


class HeyokaRunner(FlatRunner):
    """A request as one compiled function of heyoka."""

    def __init__(self, request: Request) -> None:
        import heyoka

        super().__init__(request)
        variables, expressions = written(request, Heyoka())
        self.source = "\n".join(map(str, expressions[:20]))
        size = sum(len(e) for e in expressions)
        started = time.perf_counter()
        self._run = heyoka.cfunc(expressions, variables, compact_mode=size > COMPACT) if expressions else None
        self.compile_s = time.perf_counter() - started

    def evaluate(self, points: Array) -> Array:
        if self._run is None:
            return np.empty((len(points), 0))
        if len(points) == 1:
            return np.asarray(self._run(points[0]))[None]
        return np.asarray(self._run(np.ascontiguousarray(points.T))).T


class Heyoka(Algebra):
    """heyoka.expression."""

    owner = "peer.heyoka"
    limit = LIMIT
    kept = frozenset({"sigmoid", "relu", "gauss"})

    def __init__(self) -> None:
        import heyoka as hy

        self._hy = hy

        def maximum(x: Any, y: Any) -> Any:
            return hy.select(hy.gt(x, y), x, y)

        def minimum(x: Any, y: Any) -> Any:
            return hy.select(hy.lt(x, y), x, y)

        zero, one = self.constant(0.0), self.constant(1.0)
        self._forms: dict[str, Callable[..., Any]] = {
            "add": lambda x, y: x + y,
            "sub": lambda x, y: x - y,
            "mul": lambda x, y: x * y,
            "div": lambda x, y: x / y,
            "neg": lambda x: -x,
            "pow": lambda x, y: x**y,
            "real": lambda x: x,
            "le": hy.lte,
            "ne": hy.neq,
            "logical_and": lambda x, y: hy.logical_and([x, y]),
            "logical_or": lambda x, y: hy.logical_or([x, y]),
            "logical_not": lambda x: hy.eq(x, zero),
            "where": hy.select,
            "maximum": maximum,
            "minimum": minimum,
            "abs": lambda x: hy.select(hy.gt(x, zero), x, -x),
            "sign": lambda x: hy.select(hy.gt(x, zero), one, hy.select(hy.lt(x, zero), -one, x)),
            "erfc": hy.erfc,
            "exp2": lambda x: self.constant(2.0) ** x,
            "log2": lambda x: hy.log(x) / self.constant(math.log(2.0)),
            "log10": lambda x: hy.log(x) / self.constant(math.log(10.0)),
            "gauss": lambda x: hy.exp(-(x ** self.constant(2.0))),
            "hypot": lambda x, y: hy.sqrt(x * x + y * y),
            **{name: getattr(hy, name) for name in _SAME},
        }

    def symbol(self, k: int) -> Any:
        return self._hy.expression(f"x{k}")

    def constant(self, value: float | bool) -> Any:
        return self._hy.expression(float(value))

    def elementwise(self, name: str) -> Callable[..., Any] | None:
        return self._forms.get(name)

    def sum(self, terms: Sequence[Any]) -> Any:
        return self._hy.sum(list(terms)) if terms else self.constant(0.0)

    def gradient(self, expression: Any, variables: Sequence[Any]) -> list[Any]:
        return list(self._hy.diff_tensors([expression], list(variables), 1).gradient)

    def hessian(self, expression: Any, variables: Sequence[Any]) -> list[list[Any]]:
        return [list(row) for row in self._hy.diff_tensors([expression], list(variables), 2).hessian(0)]

    def derivative(self, expression: Any, variable: Any, order: int) -> Any:
        return self._hy.diff_tensors([expression], [variable], order)[[0, order]]


_SAME = "sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh exp expm1 log log1p sqrt erf sigmoid relu lt eq".split()
"""Functions that heyoka names as we do."""

peer_heyoka = PeerHeyoka()

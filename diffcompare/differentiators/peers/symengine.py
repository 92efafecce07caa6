"""`peer.symengine`: SymEngine's symbolic derivatives of our function, run by its Lambdify with LLVM and shared subexpressions.

Arrays are written out entry by entry; Lambdify broadcasts over batches. SymEngine rewrites while it builds (x + x is 2 x),
so it evaluates a form of its own choice. abs, maximum and minimum are Piecewise: the derivatives of its own Abs, Max and
Min it leaves as Derivative(...), which nothing can compile.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...engines.base import Array, Engine
from ...errors import Unsupported
from ..base import Request, Runner
from .library import FlatRunner, Peer
from .scalars import Algebra, written

LIMIT = 5_000
"""Scalar operations, and entries of a result: SymEngine recurses, and a chain of 60,000 operations ends the process."""


class PeerSymengine(Peer):
    """diff and Lambdify of SymEngine."""

    name = "peer.symengine"
    library = "symengine"

    def answer(self, request: Request, engine: Engine, memory: int) -> Runner:
        return SymengineRunner(request)


class SymengineRunner(FlatRunner):
    """A request as one Lambdify."""

    def __init__(self, request: Request) -> None:
        import symengine as se

        super().__init__(request)
        variables, expressions = written(request, Symengine())
        self.source = "\n".join(map(str, expressions[:20]))
        started = time.perf_counter()
        backend = "llvm" if se.have_llvm else "lambda"
        try:
            self._run = se.Lambdify(variables, expressions, cse=True, backend=backend) if expressions else None
        except RuntimeError as error:
            raise Unsupported(
                f"peer.symengine: SymEngine cannot compile the {request.operator} of {request.function.name}: {error}"
            ) from error
        self.compile_s = time.perf_counter() - started

    def evaluate(self, points: Array) -> Array:
        if self._run is None:
            return np.empty((len(points), 0))
        return np.asarray(self._run(points)).reshape(len(points), -1)


class Symengine(Algebra):
    """Expressions of SymEngine."""

    owner = "peer.symengine"
    limit = LIMIT
    kept = frozenset({"gauss", "digamma", "trigamma"})

    def __init__(self) -> None:
        import symengine as se

        def where(condition: Any, x: Any, y: Any) -> Any:
            return se.Piecewise((x, condition), (y, True))

        def power(x: Any, y: Any) -> Any:
            whole = isinstance(y, se.RealDouble) and float(y).is_integer()
            return x ** (se.Integer(int(float(y))) if whole else y)

        self._se = se
        self._forms: dict[str, Callable[..., Any]] = {
            "add": lambda x, y: x + y,
            "sub": lambda x, y: x - y,
            "mul": lambda x, y: x * y,
            "div": lambda x, y: x / y,
            "neg": lambda x: -x,
            "pow": power,
            "real": lambda c: where(c, se.RealDouble(1.0), se.RealDouble(0.0)),
            "where": where,
            "maximum": lambda x, y: where(se.Gt(x, y), x, y),
            "minimum": lambda x, y: where(se.Lt(x, y), x, y),
            "abs": lambda x: where(se.Gt(x, 0), x, -x),
            "hypot": lambda x, y: se.sqrt(x**2 + y**2),
            "lt": se.Lt,
            "le": se.Le,
            "eq": se.Eq,
            "ne": se.Ne,
            "logical_and": se.And,
            "logical_or": se.Or,
            "logical_not": se.Not,
            "exp2": lambda x: 2**x,
            "log2": lambda x: se.log(x) / math.log(2.0),
            "log10": lambda x: se.log(x) / math.log(10.0),
            "gauss": lambda x: se.exp(-(x**2)),
            "lgamma": se.loggamma,
            "ceil": se.ceiling,
            "mod": lambda x, y: x - y * se.floor(x / y),
            "floor_divide": lambda x, y: se.floor(x / y),
            "expm1": lambda x: se.exp(x) - 1,
            "log1p": lambda x: se.log(x + 1),
            **{name: getattr(se, name) for name in _SAME},
        }

    def symbol(self, k: int) -> Any:
        return self._se.Symbol(f"v{k}")  # not x0, x1, ...: its cse takes such a name for itself if no result depends on it

    def constant(self, value: float | bool) -> Any:
        if isinstance(value, bool):
            return self._se.true if value else self._se.false
        return self._se.RealDouble(value)

    def elementwise(self, name: str) -> Callable[..., Any] | None:
        return self._forms.get(name)

    def sum(self, terms: Sequence[Any]) -> Any:
        return self._se.Add(*terms) if terms else self.constant(0.0)

    def gradient(self, expression: Any, variables: Sequence[Any]) -> list[Any]:
        return [self._se.diff(expression, v) for v in variables]

    def hessian(self, expression: Any, variables: Sequence[Any]) -> list[list[Any]]:
        return [self.gradient(slope, variables) for slope in self.gradient(expression, variables)]

    def derivative(self, expression: Any, variable: Any, order: int) -> Any:
        for _ in range(order):
            expression = self._se.diff(expression, variable)
        return expression


_SAME = "sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh exp log sqrt erf erfc gamma digamma trigamma sign floor".split()
"""Functions that SymEngine names as we do."""

peer_symengine = PeerSymengine()

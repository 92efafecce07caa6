"""What the peers that take differences of values share: the compiled primal as a function of a vector, and what they promise."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...dsl.shapes import Shape, size_of
from ...engines.base import Array, Engine
from ...errors import Unsupported
from ..base import Operator, Request
from ..ladder import Status
from ..shifts import Primal
from ..stencils import Stencil, stencil
from .library import Peer, PeerRunner, tabled

Vector = Callable[[Any], Array]
"""(..., entries of wrt) -> (..., entries of the outputs)."""
Guess = tuple[Any, Any, Any]
"""A value with the library's estimate of its error and a Status, all of one shape."""


class DifferencePeer(Peer):
    """A peer that only calls the function: it runs on every engine, the function compiled by that engine.

    kind: the stencil that bounds its error for judgement, at its default step: no method should be worse than that.
    lacks: for an operator, why the library does not give it.
    """

    home = None
    kind = "central"
    lacks: Mapping[Operator, str]

    def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Any:
        if request.operator in self.lacks:
            raise Unsupported(f"{self.name} gives no {request.operator}: {self.lacks[request.operator]}")
        return super().runner(request, engine, precision, memory)

    def stencil(self, order: int = 1) -> Stencil:
        """The stencil that it should not be worse than."""
        return stencil(self.kind, order)

    def scales(self, x: Array) -> Array:
        """max(1, |x|), the scale of that stencil's step."""
        return np.asarray(np.maximum(np.abs(x), 1.0))

    def relative_step(self, order: int, precision: str = "float64") -> float:
        """That stencil's step, in units of the scale."""
        return self.stencil(order).step(float(np.finfo(precision).eps))

    def expected_error(self, order: int = 1, precision: str = "float64") -> float:
        """The size of its error, in units that the function sets."""
        epsilon, h = float(np.finfo(precision).eps), self.relative_step(order, precision)
        return float(max(h ** self.stencil(order).accuracy, epsilon / h**order))


class DifferenceRunner(PeerRunner):
    """A request answered from values of the primal. Batches go through point by point unless a subclass knows better."""

    def __init__(self, request: Request, engine: Engine, memory: int) -> None:
        super().__init__(request)
        self.primal = Primal(request.function, request, engine, "float64", memory)
        self.compile_s, self.source = self.primal.compile_s, self.primal.source
        self.evaluated = 0
        """Points at which the function has been evaluated."""
        self.calls = 1
        if request.operator is not Operator.VALUE:
            inputs = len(request.function.inputs)
            arrays = [np.full(c, 0.5) for c in self.cores]
            self(arrays[:inputs], arrays[inputs:])
            self.calls = self.evaluated

    @abstractmethod
    def at_a_point(self, f: Vector, u: Array, direction: Array, estimate: bool) -> Guess:
        """The derivative of f at u, (outputs, inputs), or (outputs,) along a direction; errors only if asked for."""

    def vector(self, values: Sequence[Array]) -> Vector:
        """The function of the entries differentiated, the other inputs at these values, whose batch goes with its leading axes."""
        primal = self.primal

        def f(u: Any) -> Array:
            u = np.asarray(u, np.float64)
            full = list(values)
            for place, (a, b) in zip(primal.places, pairwise(primal.starts), strict=True):
                full[place] = u[..., a:b].reshape((*u.shape[:-1], *primal.cores[place]))
            self.evaluated += size_of(u.shape[:-1])
            results = [r.reshape((*r.shape[: r.ndim - len(s)], -1)) for r, s in zip(primal(full), primal.shapes, strict=True)]
            return results[0] if len(results) == 1 else np.concatenate(results, axis=-1)

        return f

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        if self.request.operator is Operator.VALUE:
            return self.primal(values)
        return [value for value, _, _ in self._guesses(values, directions, estimate=False)]

    def estimates(self, values: Sequence[Array], directions: Sequence[Array]) -> Sequence[tuple[Array, Array, Array]]:
        """The library's own error estimates; a status is UNDEFINED where the library says that it failed."""
        if self.request.operator is Operator.VALUE:
            raise Unsupported("values carry no error estimate")
        return self._guesses(values, directions, estimate=True)

    def _guesses(self, values: Sequence[Array], directions: Sequence[Array], estimate: bool) -> list[Guess]:
        joint = self.joint([*values, *directions])
        wide = [np.broadcast_to(a, joint + c) for a, c in zip([*values, *directions], self.cores, strict=True)]
        n = len(values)
        with np.errstate(all="ignore"):
            tables = self.over_batch(wide[:n], wide[n:], joint, estimate)
        return list(zip(*(self._blocks(t, joint) for t in tables), strict=True))

    def over_batch(self, values: Sequence[Array], directions: Sequence[Array], joint: Shape, estimate: bool) -> tuple[Array, ...]:
        """(value, error, status), each batch + what at_a_point gives; values and directions have the whole batch."""
        n, along = self.primal.entries, bool(directions)
        m = n if self.request.operator is Operator.HESSIAN else sum(map(size_of, self.primal.shapes))
        shape = (*joint, m) if along else (*joint, m, n)
        tables = (np.empty(shape), np.full(shape, np.inf), np.zeros(shape))
        for where in np.ndindex(joint):
            point = [v[where] for v in values]
            direction = self.raveled([d[where] for d in directions]) if along else np.empty(0)
            guess = self.at_a_point(self.vector(point), self.raveled([point[p] for p in self.primal.places]), direction, estimate)
            for table, part in zip(tables, guess, strict=True):
                table[where] = np.reshape(part, table[where].shape)
        return tables

    def raveled(self, arrays: Sequence[Array], joint: Shape = ()) -> Array:
        """Arrays joint + core as one, joint + (entries,)."""
        return np.concatenate([a.reshape((*joint, size_of(a.shape[len(joint) :]))) for a in arrays], axis=-1)

    def _blocks(self, table: Array, joint: Shape) -> list[Array]:
        request = self.request
        outputs, inputs = [o.shape for o in request.function.outputs], [w.shape for w in request.wrt]
        if request.operator in (Operator.DERIVATIVE, Operator.JVP):
            return tabled(table.reshape((*joint, sum(map(size_of, outputs)), 1)), outputs, [()])
        return tabled(table, inputs if request.operator is Operator.HESSIAN else outputs, inputs)


def status_of(success: Any) -> Any:
    """CONVERGED where a library says that it succeeded, UNDEFINED elsewhere."""
    return np.where(success, int(Status.CONVERGED), int(Status.UNDEFINED))

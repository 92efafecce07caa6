"""`peer.numdifftools`: differences at many steps, extrapolated, of our function compiled by the engine.

Derivative takes a batch of scalars in one call; Gradient, Jacobian and Hessian go through a batch point by point.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...dsl.shapes import Shape
from ...engines.base import Array, Engine
from ...errors import Unsupported
from ..base import Operator, Request, Runner
from .blackbox import DifferencePeer, DifferenceRunner, Guess, Vector, status_of
from .library import quiet

HIGHEST = 10
"""Order of derivative up to which numdifftools has rules."""
LACKS = {
    Operator.VJP: "numdifftools has Jacobians and directional derivatives only",
    Operator.HVP: "numdifftools has whole Hessians only",
    Operator.VALUE_AND_GRADIENT: "numdifftools.Gradient gives the gradient alone",
}


class PeerNumdifftools(DifferencePeer):
    """numdifftools.Derivative, Gradient, Jacobian, Hessian, directionaldiff, with their default steps and order."""

    name = "peer.numdifftools"
    library = "numdifftools"
    lacks = LACKS

    def answer(self, request: Request, engine: Engine, memory: int) -> Runner:
        f = request.function
        scalar = len(f.outputs) == 1 and f.outputs[0].shape == ()
        if request.operator is Operator.JVP and not scalar:
            raise Unsupported("peer.numdifftools gives the jvp of one scalar output: numdifftools.directionaldiff takes no others")
        if request.order > 1 and (request.order > HIGHEST or not all(o.shape == () for o in f.outputs)):
            raise Unsupported(f"peer.numdifftools gives derivatives up to order {HIGHEST}, those beyond the first of scalar outputs")
        return NumdifftoolsRunner(request, engine, memory)


class NumdifftoolsRunner(DifferenceRunner):
    """A request answered by numdifftools; NaN where an argument is NaN, for which it finds no step and ends in IndexError."""

    def at_a_point(self, f: Vector, u: Array, direction: Array, estimate: bool) -> Guess:
        import numdifftools as nd

        if self.request.operator is Operator.JVP:
            length = float(np.linalg.norm(direction))
            if length == 0:  # directionaldiff divides by it
                return np.zeros(1), np.zeros(1), np.zeros(1)
            result = nd.directionaldiff(lambda t: f(t)[0], u, direction, full_output=estimate)
            guess = _guess(result, estimate)
            return guess[0] * length, guess[1] * length, guess[2]
        if self.request.operator is Operator.GRADIENT:
            return _guess(nd.Gradient(lambda t: f(t)[0], full_output=estimate)(u), estimate)
        if self.request.operator is Operator.HESSIAN:
            return _guess(nd.Hessian(lambda t: f(t)[0], full_output=estimate)(u), estimate)
        return _guess(nd.Jacobian(f, full_output=estimate)(u), estimate)

    def over_batch(self, values: Sequence[Array], directions: Sequence[Array], joint: Shape, estimate: bool) -> tuple[Array, ...]:
        undefined = np.zeros(joint, np.bool_)
        known = list(values)
        for place in self.places:
            missing = np.isnan(values[place])
            undefined |= missing.any(axis=tuple(range(len(joint), missing.ndim)))
            known[place] = np.where(missing, 0.0, values[place])
        with quiet():  # numdifftools warns where every step gave NaN
            tables = self._over_batch(known, directions, joint, estimate)
        for table, nothing in zip(tables, (np.nan, np.inf, status_of(False)), strict=True):
            table[undefined] = nothing
        return tables

    def _over_batch(self, values: Sequence[Array], directions: Sequence[Array], joint: Shape, estimate: bool) -> tuple[Array, ...]:
        scalars = all(s == () for s in self.primal.shapes)
        if self.request.operator is not Operator.DERIVATIVE or not scalars or not np.prod(joint):
            return super().over_batch(values, directions, joint, estimate)
        import numdifftools as nd

        f = self.vector([v.reshape((-1, *c)) for v, c in zip(values, self.cores, strict=False)])
        x = values[self.places[0]].ravel()
        guesses = []
        for k in range(len(self.primal.shapes)):
            d = nd.Derivative(lambda t, k=k: f(t[..., None])[..., k], n=self.request.order, full_output=estimate)
            guesses.append(_guess(d(x), estimate))
        return tuple(
            np.stack([np.broadcast_to(p, x.shape) for p in parts], axis=-1).reshape((*joint, -1)) for parts in zip(*guesses, strict=True)
        )


def _guess(result: object, estimate: bool) -> Guess:
    """(value, error, status) of a result, full or not."""
    if not estimate:
        value = np.asarray(result)
        return value, np.full(value.shape, np.inf), np.zeros(value.shape)
    value, error = (np.asarray(getattr(result, n)) for n in ("estimate", "error_estimate"))
    return value, error.reshape(value.shape), status_of(np.isfinite(value))


peer_numdifftools = PeerNumdifftools()

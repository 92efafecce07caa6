"""`peer.scipy.*`: SciPy's differences of our function compiled by the engine.

differentiate: scipy.differentiate, steps that shrink until its error estimate is small; a batch in one call.
approx_fprime: scipy.optimize.approx_fprime, forward differences with one step of 1.49e-8, point by point.
approx_derivative: what SciPy's optimisers call for jac="3-point", central differences with a relative step, point by point.
It has no public name: it has been scipy.optimize._numdiff.approx_derivative since SciPy 0.17.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dsl.shapes import Shape, size_of
from ...engines.base import Array, Engine
from ...errors import Unsupported
from ..base import Operator, Request, Runner
from .blackbox import DifferencePeer, DifferenceRunner, Guess, Vector, status_of

FORWARD_STEP = 1.4901161193847656e-08
"""The default of approx_fprime: the root of ε, whatever x is."""
LACKS = {
    Operator.JVP: "scipy.differentiate has no directional derivatives",
    Operator.VJP: "scipy.differentiate has whole Jacobians only",
    Operator.HVP: "scipy.differentiate has whole Hessians only",
    Operator.VALUE_AND_GRADIENT: "scipy.differentiate.jacobian gives derivatives alone",
}


class PeerDifferentiate(DifferencePeer):
    """scipy.differentiate.derivative, jacobian and hessian with their defaults; SciPy 1.15 brought them."""

    name = "peer.scipy.differentiate"
    library = "scipy.differentiate"
    install = "scipy>=1.15"
    lacks = LACKS

    def answer(self, request: Request, engine: Engine, memory: int) -> Runner:
        if request.order > 1:
            raise Unsupported(f"{self.name} gives first derivatives and Hessians, not a derivative of order {request.order}")
        return DifferentiateRunner(request, engine, memory)


class DifferentiateRunner(DifferenceRunner):
    """A request answered by scipy.differentiate, the whole batch in one call."""

    def at_a_point(self, f: Vector, u: Array, direction: Array, estimate: bool) -> Guess:
        raise AssertionError("scipy.differentiate takes the whole batch")

    def over_batch(self, values: Sequence[Array], directions: Sequence[Array], joint: Shape, estimate: bool) -> tuple[Array, ...]:
        from scipy import differentiate

        n, m, batch = self.primal.entries, sum(map(size_of, self.primal.shapes)), size_of(joint)
        flat = [v.reshape((batch, *c)) for v, c in zip(values, self.cores, strict=False)]
        if not batch:
            return tuple(np.zeros((*joint, m, n)) for _ in range(3))
        x = self.raveled([flat[p] for p in self.primal.places], (batch,)).T
        found: Any
        if self.request.operator is Operator.HESSIAN:
            found, rows = differentiate.hessian(self._columns(flat, 3), x), n
        elif self.request.operator is Operator.DERIVATIVE and all(c == () for c in (*self.cores, *self.primal.shapes)) and m == 1:
            found, rows = differentiate.derivative(self._scalar, x[0], args=self._others(flat)), 1
        else:
            found, rows = differentiate.jacobian(self._columns(flat, 2), x), m
        value = found.ddf if self.request.operator is Operator.HESSIAN else found.df
        return tuple(np.moveaxis(t, -1, 0).reshape((*joint, rows, n)) for t in (value, found.error, status_of(found.success)))

    def _others(self, flat: Sequence[Array]) -> tuple[Array, ...]:
        return tuple(v for k, v in enumerate(flat) if k != self.places[0])

    def _scalar(self, x: Array, *others: Array) -> Array:
        """One scalar output of scalar inputs, entry by entry; SciPy leaves entries out that have converged."""
        full = list(others)
        full.insert(self.places[0], x)
        self.evaluated += x.size
        lead = np.broadcast_shapes(*(v.shape for v in full))
        return self.primal([np.broadcast_to(v, lead) for v in full])[0]

    def _columns(self, flat: Sequence[Array], place: int) -> Callable[[Array], Array]:
        """f for SciPy: entries first; the batch is axis `place` wherever SciPy adds axes, and all there is if it adds none."""

        def f(xi: Array) -> Array:
            lead = xi.shape[1:]
            at = place - 1 if len(lead) > place - 1 else len(lead) - 1
            behind = len(lead) - 1 - at
            others = [v.reshape((v.shape[0], *(1,) * behind, *v.shape[1:])) for v in flat]
            result = np.moveaxis(self.vector(others)(np.moveaxis(xi, 0, -1)), -1, 0)
            return result[0] if self.request.operator is Operator.HESSIAN else result

        return f


class PeerOptimize(DifferencePeer):
    """SciPy's differences for optimisers: approx_fprime, or approx_derivative with three points."""

    library = "scipy.optimize"
    lacks: dict[Operator, str]

    def __init__(self, public: bool) -> None:
        self.public = public
        self.name = "peer.scipy.approx_fprime" if public else "peer.scipy.approx_derivative"
        self.kind = "forward" if public else "central"
        first = "it gives first derivatives alone"
        whole = "it gives whole Jacobians" if public else "it gives whole Jacobians and directional derivatives"
        self.lacks = {Operator.HESSIAN: first, Operator.HVP: first, Operator.VJP: whole, Operator.VALUE_AND_GRADIENT: first}
        if public:
            self.lacks[Operator.JVP] = whole

    def answer(self, request: Request, engine: Engine, memory: int) -> Runner:
        if request.order > 1:
            raise Unsupported(f"{self.name} gives first derivatives, not one of order {request.order}")
        return OptimizeRunner(request, engine, memory, self.public)

    def scales(self, x: Array) -> Array:
        return np.ones_like(x) if self.public else super().scales(x)

    def relative_step(self, order: int, precision: str = "float64") -> float:
        return FORWARD_STEP if self.public else super().relative_step(order, precision)

    def __reduce__(self) -> Any:
        return type(self), (self.public,)


class OptimizeRunner(DifferenceRunner):
    """A request answered by scipy.optimize's differences, which estimate no error."""

    def __init__(self, request: Request, engine: Engine, memory: int, public: bool) -> None:
        self._public = public
        super().__init__(request, engine, memory)

    def at_a_point(self, f: Vector, u: Array, direction: Array, estimate: bool) -> Guess:
        from scipy.optimize import _numdiff, approx_fprime

        value: Any
        if self._public:
            value = approx_fprime(u, f)
        elif self.request.operator is Operator.JVP:
            value = _numdiff.approx_derivative(f, u, as_linear_operator=True) @ direction
        else:
            value = _numdiff.approx_derivative(f, u)
        return value, np.full(np.shape(value), np.inf), np.zeros(np.shape(value))

    def estimates(self, values: Sequence[Array], directions: Sequence[Array]) -> Sequence[tuple[Array, Array, Array]]:
        raise Unsupported("scipy.optimize's differences estimate no error; scipy.differentiate and fd.adaptive do")


peer_scipy_differentiate = PeerDifferentiate()
peer_scipy_approx_derivative = PeerOptimize(public=False)
peer_scipy_approx_fprime = PeerOptimize(public=True)

"""Automatic differentiation: `ad.forward` and `ad.reverse`, transforms of the graph.

Where everything is scalar, all sweeps are laid into one Function and share what they have in common. Arrays run one
sweep over a leading axis of unit directions. Second derivatives by ad.reverse are forward over reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..dsl.constants import constant
from ..dsl.core import Expr, fresh
from ..dsl.function import Function
from ..dsl.structural import sum as sum_over
from ..transforms.forward import tangents, zero_like
from ..transforms.reverse import cotangents
from ..transforms.tape.forward import directional_of
from ..transforms.tape.reverse import gradient_of
from .base import Operator, Request
from .graph import Derived, GraphDifferentiator, Seed, total

ONE = constant(1.0)


class _AutoDiff(GraphDifferentiator):
    family = "ad"

    def derive(self, request: Request) -> Derived:
        rules: dict[Operator, Callable[[Request], Derived]] = {
            Operator.VALUE: lambda r: Derived(r.function),
            Operator.DERIVATIVE: self._derivative,
            Operator.GRADIENT: self._jacobian,
            Operator.JACOBIAN: self._jacobian,
            Operator.VALUE_AND_GRADIENT: self._jacobian,
            Operator.HESSIAN: self._hessian,
            Operator.JVP: self._jvp,
            Operator.VJP: self._vjp,
            Operator.HVP: self._hvp,
        }
        return rules[request.operator](request)

    def _derivative(self, request: Request) -> Derived:
        (x,) = request.wrt
        outputs = list(request.function.outputs)
        for _ in range(request.order):
            outputs = self._directional(outputs, [x], [ONE])
        return _derived(request, outputs)

    def _jvp(self, request: Request) -> Derived:
        directions = _directions(request)
        return _derived(request, self._directional(request.function.outputs, request.wrt, directions), directions)

    def _directional(self, outputs: Sequence[Expr], wrt: Sequence[Expr], directions: Sequence[Expr]) -> list[Expr]:
        raise TypeError(f"{self.name} has no directional derivative")

    def _jacobian(self, request: Request) -> Derived:
        raise TypeError(f"{self.name} has no jacobian")

    def _hessian(self, request: Request) -> Derived:
        raise TypeError(f"{self.name} has no hessian")

    def _vjp(self, request: Request) -> Derived:
        raise TypeError(f"{self.name} has no vjp")

    def _hvp(self, request: Request) -> Derived:
        raise TypeError(f"{self.name} has no hvp")


class Forward(_AutoDiff):
    """Tangents carried from inputs to outputs: one sweep a column of the Jacobian."""

    name = "ad.forward"

    def _directional(self, outputs: Sequence[Expr], wrt: Sequence[Expr], directions: Sequence[Expr]) -> list[Expr]:
        return forward_sweep(outputs, wrt, directions)

    def _jvp(self, request: Request) -> Derived:
        taped = directional_of(request.function, request.wrt, _directions(request), _name(request))
        return super()._jvp(request) if taped is None else Derived(taped)

    def _jacobian(self, request: Request) -> Derived:
        plain = request.function.outputs if request.operator is Operator.VALUE_AND_GRADIENT else ()
        return columns(request, request.function.outputs, plain=plain)

    def _vjp(self, request: Request) -> Derived:
        directions = _directions(request)
        weighted = total([sum_over(c * o) for c, o in zip(directions, request.function.outputs, strict=True)])
        return columns(request, [weighted], directions)

    def _hvp(self, request: Request) -> Derived:
        directions = _directions(request)
        return columns(request, forward_sweep(request.function.outputs, request.wrt, directions), directions)

    def _hessian(self, request: Request) -> Derived:
        outputs = request.function.outputs
        if _all_scalar(request.wrt):
            gradient = [forward_sweep(outputs, [x], [ONE])[0] for x in request.wrt]
            return columns(request, gradient)
        first, second = (_seed_inputs(request.wrt) for _ in range(2))
        along = forward_sweep(forward_sweep(outputs, request.wrt, first), request.wrt, second)
        return _derived(request, along, (*first, *second), seeds=(Seed(first, True), Seed(second, True)))


class Reverse(_AutoDiff):
    """Cotangents carried from outputs to inputs: one sweep a row of the Jacobian, so one for a gradient."""

    name = "ad.reverse"

    def _directional(self, outputs: Sequence[Expr], wrt: Sequence[Expr], directions: Sequence[Expr]) -> list[Expr]:
        # the cotangents c -> cᵀJ are linear in c; reverse mode once more, with respect to c, gives J t
        rows = [fresh("row", o.shape) for o in outputs]
        pulled = reverse_sweep(outputs, rows, wrt)
        weighted = total([sum_over(p * t) for p, t in zip(pulled, directions, strict=True)])
        return reverse_sweep([weighted], [ONE], rows)

    def _jacobian(self, request: Request) -> Derived:
        f = request.function
        plain = list(f.outputs) if request.operator is Operator.VALUE_AND_GRADIENT else []
        taped = gradient_of(f, request.wrt, bool(plain), _name(request))
        if taped is not None:
            return Derived(taped)
        if _all_scalar(f.outputs):
            blocks = [c for k in range(len(f.outputs)) for c in reverse_sweep([f.outputs[k]], [ONE], request.wrt)]
            return _derived(request, plain + blocks)
        rows = _seed_inputs(f.outputs)
        return _derived(request, reverse_sweep(f.outputs, rows, request.wrt), rows, seeds=(Seed(rows, False),))

    def _vjp(self, request: Request) -> Derived:
        directions = _directions(request)
        return _derived(request, reverse_sweep(request.function.outputs, directions, request.wrt), directions)

    def _hvp(self, request: Request) -> Derived:
        directions = _directions(request)
        taped = directional_of(request.function, request.wrt, directions, _name(request), gradients=True)
        if taped is not None:
            return Derived(taped)
        gradient = reverse_sweep(request.function.outputs, [ONE], request.wrt)
        return _derived(request, forward_sweep(gradient, request.wrt, directions), directions)

    def _hessian(self, request: Request) -> Derived:
        return columns(request, reverse_sweep(request.function.outputs, [ONE], request.wrt))


def forward_sweep(outputs: Sequence[Expr], wrt: Sequence[Expr], directions: Sequence[Expr]) -> list[Expr]:
    """The tangents of the outputs, zeros written out."""
    results = tangents(outputs, dict(zip(wrt, directions, strict=True)))
    return [zero_like(o) if t is None else t for o, t in zip(outputs, results, strict=True)]


def reverse_sweep(outputs: Sequence[Expr], seeds: Sequence[Expr], wrt: Sequence[Expr]) -> list[Expr]:
    """The cotangents of the inputs `wrt`, zeros written out."""
    results = cotangents(outputs, seeds, wrt)
    return [zero_like(x) if c is None else c for x, c in zip(wrt, results, strict=True)]


def columns(request: Request, outputs: Sequence[Expr], directions: Sequence[Expr] = (), plain: Sequence[Expr] = ()) -> Derived:
    """The Jacobian of the outputs with respect to the request's inputs by forward mode, column by column."""
    if _all_scalar(request.wrt):
        sweeps = [forward_sweep(outputs, [x], [ONE]) for x in request.wrt]
        return _derived(request, [*plain, *(sweep[k] for k in range(len(outputs)) for sweep in sweeps)], directions)
    seeds = _seed_inputs(request.wrt)
    results = [*plain, *forward_sweep(outputs, request.wrt, seeds)]
    return _derived(request, results, (*directions, *seeds), seeds=(Seed(seeds, True),), plain=len(plain))


def _derived(
    request: Request, outputs: Sequence[Expr], extra: Sequence[Expr] = (), seeds: tuple[Seed, ...] = (), plain: int = 0
) -> Derived:
    return Derived(Function(_name(request), (*request.function.inputs, *extra), outputs, False), seeds, plain)


def _name(request: Request) -> str:
    """Of the derivative as a Function."""
    return f"{request.operator}_{request.function.name}"


def _directions(request: Request) -> tuple[Expr, ...]:
    assert request.directions is not None
    keyword, nodes = request.directions
    return tuple(fresh(f"{keyword}_{n.params[0] if keyword == 'tangent' else k}", n.shape) for k, n in enumerate(nodes))


def _seed_inputs(nodes: Sequence[Expr]) -> tuple[Expr, ...]:
    return tuple(fresh(f"seed_{k}", n.shape) for k, n in enumerate(nodes))


def _all_scalar(nodes: Sequence[Expr]) -> bool:
    return all(n.shape == () for n in nodes)


forward = Forward()
reverse = Reverse()

"""Every operator from composable function transformations as JAX named them, which torch.func has too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..base import Operator, Request


@dataclass(frozen=True)
class Transforms:
    """grad, value_and_grad, jacfwd, jacrev, hessian of a function with argnums=; jvp and vjp at a point: JAX's signatures."""

    grad: Callable[..., Any]
    value_and_grad: Callable[..., Any]
    jacfwd: Callable[..., Any]
    jacrev: Callable[..., Any]
    hessian: Callable[..., Any]
    jvp: Callable[..., Any]
    vjp: Callable[..., Any]


def at_a_point(request: Request, f: Callable[..., Sequence[Any]], t: Transforms) -> Callable[..., list[Any]]:
    """The blocks of the request at one point, as a function of (inputs, directions); f gives a sequence of outputs.

    Jacobians by jacrev or jacfwd, whichever has fewer sweeps; products with a Hessian forward over reverse.
    """
    inputs = request.function.inputs
    n = len(inputs)
    place = tuple(k for w in request.wrt for k, i in enumerate(inputs) if i is w)

    def scalar(*values: Any) -> Any:
        return f(*values)[0]

    def of_wrt(values: Sequence[Any]) -> Callable[..., tuple[Any, ...]]:
        def g(*chosen: Any) -> tuple[Any, ...]:
            full = list(values)
            for k, c in zip(place, chosen, strict=True):
                full[k] = c
            return tuple(f(*full))

        return g

    def at(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(values[k] for k in place)

    def derivative(*values: Any) -> list[Any]:
        g: Callable[..., Any] = of_wrt(values)
        for _ in range(request.order):
            g = t.jacfwd(g)
        return list(g(*at(values)))

    def jacobian(*values: Any) -> list[Any]:
        fewer_rows = sum(o.size for o in request.function.outputs) <= sum(w.size for w in request.wrt)
        rows = (t.jacrev if fewer_rows else t.jacfwd)(of_wrt(values), argnums=tuple(range(len(place))))(*at(values))
        return [block for row in rows for block in row]

    def hvp(*values: Any) -> list[Any]:
        gradient = t.grad(lambda *w: of_wrt(values[:n])(*w)[0], argnums=tuple(range(len(place))))
        return list(t.jvp(gradient, at(values), tuple(values[n:]))[1])

    def value_and_gradient(*values: Any) -> list[Any]:
        value, gradient = t.value_and_grad(scalar, argnums=place)(*values)
        return [value, *gradient]

    rules: dict[Operator, Callable[..., list[Any]]] = {
        Operator.VALUE: lambda *values: list(f(*values)),
        Operator.DERIVATIVE: derivative,
        Operator.GRADIENT: lambda *values: list(t.grad(scalar, argnums=place)(*values)),
        Operator.VALUE_AND_GRADIENT: value_and_gradient,
        Operator.JACOBIAN: jacobian,
        Operator.HESSIAN: lambda *values: [b for row in t.hessian(scalar, argnums=place)(*values) for b in row],
        Operator.JVP: lambda *values: list(t.jvp(of_wrt(values[:n]), at(values), tuple(values[n:]))[1]),
        Operator.VJP: lambda *values: list(t.vjp(of_wrt(values[:n]), *at(values))[1](tuple(values[n:]))),
        Operator.HVP: hvp,
    }
    return rules[request.operator]

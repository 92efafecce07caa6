"""`peer.jax`: JAX's own automatic differentiation of our function written in jax.numpy.

The function reaches JAX as a user of JAX would write it (jax.nn.softplus, jnp.linalg.norm, x ** 2), so every
derivative rule applied is JAX's. Gradients by jax.grad, Jacobians by jacfwd or jacrev, whichever has fewer sweeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dsl.core import Expr
from ...dsl.elementwise import number
from ...engines.base import Array, Engine
from ...engines.jax import Executables, Forms, to_jax
from ...errors import Unsupported
from ...transforms.cost import Cost
from ..base import Differentiator, Operator, Request, Runner


class PeerJax(Differentiator):
    """jax.jvp, jax.vjp, jax.grad, jacfwd, jacrev and hessian, jitted; batches through vmap. Runs on engine jax alone."""

    name = "peer.jax"
    family = "peer"

    def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Runner:
        if engine.name != "jax":
            raise Unsupported(f"peer.jax is JAX's own differentiation and runs on engine jax, not {engine.name}")
        return JaxRunner(request, precision)


class JaxRunner(Runner):
    """A request answered by JAX, compiled once for each combination of argument shapes."""

    def __init__(self, request: Request, precision: str) -> None:
        self._request = request
        self.function = request.function
        self._point = _at_a_point(request, to_jax(request.function, precision, _forms()))
        nodes = () if request.directions is None else request.directions[1]
        self._cores = [n.shape for n in (*request.function.inputs, *nodes)]
        self._executables = Executables(self._batched, np.dtype(precision))
        started = time.perf_counter()
        self._executables.prepare_for(tuple(self._cores))
        self.compile_s = time.perf_counter() - started
        self.source = f"jax.jit of JAX's {request.operator} of {request.function.name}"

    @property
    def cost(self) -> Cost | None:
        """JAX's operations are not counted."""
        return None

    def _batched(self, *values: Any) -> list[Any]:
        import jax
        import jax.numpy as jnp

        batches = [v.shape[: v.ndim - len(s)] for v, s in zip(values, self._cores, strict=True)]
        joint = np.broadcast_shapes(*batches)
        if not joint:
            return self._point(*values)
        flat = [jnp.broadcast_to(v, joint + s).reshape((-1, *s)) if b else v for v, s, b in zip(values, self._cores, batches, strict=True)]
        results = jax.vmap(self._point, in_axes=tuple(0 if b else None for b in batches))(*flat)
        return [r.reshape(joint + r.shape[1:]) for r in results]

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        return self._executables([*values, *directions])


def _at_a_point(request: Request, f: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """The blocks of the request at one point, as a function of (inputs, directions) for JAX to trace."""
    import jax

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
            g = jax.jacfwd(g)
        return list(g(*at(values)))

    def jacobian(*values: Any) -> list[Any]:
        fewer_rows = sum(o.size for o in request.function.outputs) <= sum(w.size for w in request.wrt)
        rows = (jax.jacrev if fewer_rows else jax.jacfwd)(of_wrt(values), argnums=tuple(range(len(place))))(*at(values))
        return [block for row in rows for block in row]

    def hvp(*values: Any) -> list[Any]:
        gradient = jax.grad(lambda *w: of_wrt(values[:n])(*w)[0], argnums=tuple(range(len(place))))
        return list(jax.jvp(gradient, at(values), tuple(values[n:]))[1])

    rules: dict[Operator, Callable[..., list[Any]]] = {
        Operator.VALUE: f,
        Operator.DERIVATIVE: derivative,
        Operator.GRADIENT: lambda *values: list(jax.grad(scalar, argnums=place)(*values)),
        Operator.VALUE_AND_GRADIENT: lambda *values: _flat_pair(jax.value_and_grad(scalar, argnums=place)(*values)),
        Operator.JACOBIAN: jacobian,
        Operator.HESSIAN: lambda *values: [b for row in jax.hessian(scalar, argnums=place)(*values) for b in row],
        Operator.JVP: lambda *values: list(jax.jvp(of_wrt(values[:n]), at(values), tuple(values[n:]))[1]),
        Operator.VJP: lambda *values: list(jax.vjp(of_wrt(values[:n]), *at(values))[1](tuple(values[n:]))),
        Operator.HVP: hvp,
    }
    return rules[request.operator]


def _forms() -> Forms:
    """What a user of JAX would call for our composites and for whole powers."""
    import jax
    import jax.numpy as jnp
    from jax.scipy import special

    def over_axes(function: Callable[..., Any]) -> Callable[[Expr], Callable[..., Any]]:
        return lambda node: lambda x: function(x, axis=node.params[0] if len(node.params[0]) > 1 else node.params[0][0])

    def always(function: Callable[..., Any]) -> Callable[[Expr], Callable[..., Any]]:
        return lambda node: function

    def whole_power(node: Expr) -> Callable[..., Any] | None:
        exponent = number(node.args[1])
        return (lambda x, n: x ** int(exponent)) if exponent is not None and exponent.is_integer() else None

    def vector_norm(node: Expr) -> Callable[..., Any] | None:
        return over_axes(jnp.linalg.norm)(node) if len(node.params[0]) == 1 else None

    return {
        "sigmoid": always(jax.nn.sigmoid),
        "softplus": always(jax.nn.softplus),
        "relu": always(jax.nn.relu),
        "logsumexp": over_axes(special.logsumexp),
        "softmax": over_axes(jax.nn.softmax),
        "norm": vector_norm,
        "pow": whole_power,
    }


def _flat_pair(pair: tuple[Any, Sequence[Any]]) -> list[Any]:
    return [pair[0], *pair[1]]


peer_jax = PeerJax()

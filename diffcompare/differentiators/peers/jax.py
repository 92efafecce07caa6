"""`peer.jax`: JAX's own automatic differentiation of our function written in jax.numpy.

The function reaches JAX as a user of JAX would write it (jax.nn.softplus, jnp.linalg.norm, x ** 2), so every
derivative rule applied is JAX's. Gradients by jax.grad, Jacobians by jacfwd or jacrev, whichever has fewer sweeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...dsl.core import Expr
from ...dsl.elementwise import number
from ...dsl.function import Function
from ...engines.base import Array, Engine
from ...engines.jax import Executables, Forms, to_jax
from ...errors import Unsupported
from ...transforms.cost import Cost
from ..base import Differentiator, Request, Runner
from .functional import Transforms, at_a_point


class PeerJax(Differentiator):
    """jax.jvp, jax.vjp, jax.grad, jacfwd, jacrev and hessian, jitted; batches through vmap. Runs on engine jax alone."""

    name = "peer.jax"
    home = "jax"
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
        self._point = at_a_point(request, jax_code(request.function, precision), jax_transforms())
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


def jax_code(function: Function, precision: str = "float64") -> Callable[..., list[Any]]:
    """The function as a user of JAX would write it, a list of outputs from its inputs; call it inside jax.enable_x64(True)."""
    return to_jax(function, precision, _forms())


def jax_transforms() -> Transforms:
    """JAX's own."""
    import jax

    return Transforms(jax.grad, jax.value_and_grad, jax.jacfwd, jax.jacrev, jax.hessian, jax.jvp, jax.vjp)


def _forms() -> Forms:
    """What a user of JAX would call for our composites and for whole powers."""
    import jax
    import jax.numpy as jnp
    from jax.scipy import special, stats

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
        "log_sigmoid": always(jax.nn.log_sigmoid),
        "gauss": always(lambda x: jnp.exp(-(x**2))),
        "sinc": always(jnp.sinc),
        "digamma": always(special.digamma),
        "trigamma": always(lambda x: special.polygamma(1, x)),
        "xlogy": always(special.xlogy),
        "relu": always(jax.nn.relu),
        "leaky_relu": always(jax.nn.leaky_relu),
        "gelu": always(partial(jax.nn.gelu, approximate=False)),
        "silu": always(jax.nn.silu),
        "normal_cdf": always(stats.norm.cdf),
        "normal_pdf": always(stats.norm.pdf),
        "logsumexp": over_axes(special.logsumexp),
        "softmax": over_axes(jax.nn.softmax),
        "log_softmax": over_axes(jax.nn.log_softmax),
        "norm": vector_norm,
        "pow": whole_power,
    }


peer_jax = PeerJax()

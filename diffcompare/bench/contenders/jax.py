"""JAX: jax.jit of jax.grad (jacfwd, jacrev, hessian; vmapped for many points), arrays on its device, results waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...differentiators.peers.functional import at_a_point
from ...differentiators.peers.jax import jax_code, jax_transforms
from ...errors import TooLarge
from ..contender import Contender, Ready
from ..workload import Kind, Workload
from .ours import synchronised

X64 = "JAX_ENABLE_X64"
"""The environment variable by which a process of JAX computes in float64; the measuring processes have it set."""
LIMIT = 10_000
"""Operations of unrolled scalar code beyond which XLA compiles for minutes, or crashes."""


class Jax(Contender):
    """The function as its user writes it: the workload's own code, or our graph node by node in jax.numpy."""

    name = "jax"
    source = "jax.jit(jax.grad(f)) in float64, of plain jax.numpy code; many points by vmap"

    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        from ...transforms.cost import cost

        if workload.code is None and workload.kind is not Kind.ARRAYS and cost(workload.function).operations > LIMIT:
            raise TooLarge(f"XLA does not compile straight-line code of more than {LIMIT} operations in reasonable time")
        import jax
        import jax.numpy as jnp

        w = workload
        code = jax_code(w.function) if w.code is None else lambda *values: [w.code(jnp, *values)]  # type: ignore[misc]
        values = [jax.device_put(np.asarray(v, float)) for v in w.values]
        return lambda: _prepared(w, code, values)


def _prepared(w: Workload, code: Callable[..., Any], values: list[Any]) -> Callable[[], Ready]:
    import jax

    one = at_a_point(w.request, code, jax_transforms())
    if w.kind is Kind.FLOATS:
        call = _on_floats(w, one)
        return lambda: Ready(call, lambda r: [np.asarray(a) for a in r])
    run = jax.jit(jax.vmap(one) if w.kind is Kind.POINTS else one).lower(*values).compile()
    return lambda: Ready(lambda: synchronised(run(*values)), lambda r: [np.asarray(a) for a in r])


def _on_floats(w: Workload, one: Callable[..., Any]) -> Callable[[], Any]:
    """A call as from a program that has floats and wants floats: through jit's own dispatch."""
    import jax

    run, values = jax.jit(one), w.values

    def call() -> Any:
        return [float(a) for a in run(*values)]

    call()
    return call


jax_grad = Jax()

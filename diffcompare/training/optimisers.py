"""The optimisers, other people's: gd, momentum and adam of optax, newton and lbfgs of SciPy. The only door to optax."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engines.jax import x64
from ..errors import DiffCompareError, Unsupported
from ..problem import Array

DENSE = 200
"""Parameters up to which Newton's method takes the whole Hessian; beyond, Hessian times vector."""


@dataclass(frozen=True)
class Optimiser:
    """what: a line about it. rate: its learning rate where none is given; None where it finds its own steps, on full batches alone."""

    name: str
    what: str
    rate: float | None


OPTIMISERS = {
    o.name: o
    for o in (
        Optimiser("gd", "x - rate · gradient (optax.sgd)", 0.1),
        Optimiser("momentum", "gradient descent with momentum 0.9 (optax.sgd)", 0.03),
        Optimiser("adam", "steps scaled by running means of gradient and its square (optax.adam)", 0.05),
        Optimiser("newton", "trust region on the whole Hessian, or by products with it (scipy trust-exact, trust-ncg)", None),
        Optimiser("lbfgs", "curvature guessed from the last ten gradients (scipy L-BFGS-B)", None),
    )
}


def find_optimiser(name: str) -> Optimiser:
    """The optimiser of this name; raises DiffCompareError naming those there are."""
    if name not in OPTIMISERS:
        near = difflib.get_close_matches(str(name), OPTIMISERS, n=1)
        guess = f", did you mean {near[0]!r}?" if near else ""
        raise DiffCompareError(f"no optimizer is named {name!r}{guess}; there are: {', '.join(OPTIMISERS)}")
    return OPTIMISERS[name]


def stepper(name: str, rate: float) -> Callable[[Array, Array], Array]:
    """The next position from a position and the gradient there, by gd, momentum or adam; it remembers earlier gradients.

    Raises Unsupported naming the extra where optax is not installed.
    """
    try:
        import optax
    except ImportError:
        raise Unsupported(f'the optimizer {name} is optax\'s: pip install "diffcompare[train]", or take newton or lbfgs') from None

    made = {"gd": lambda: optax.sgd(rate), "momentum": lambda: optax.sgd(rate, momentum=0.9), "adam": lambda: optax.adam(rate)}
    transform = made[name]()
    double = np.dtype(np.float64)
    state: Any = None

    def step(position: Array, gradient: Array) -> Array:
        nonlocal state
        with x64(double):
            if state is None:
                state = transform.init(position)
            updates, state = transform.update(gradient, state, position)
            return np.asarray(optax.apply_updates(position, updates))

    return step


@dataclass(frozen=True)
class Objective:
    """What SciPy's optimisers are given: value and gradient of a flat position, and one of hessian and product (at, along)."""

    value: Callable[[Array], float]
    gradient: Callable[[Array], Array]
    hessian: Callable[[Array], Array] | None = None
    product: Callable[[Array, Array], Array] | None = None


def minimise(name: str, objective: Objective, start: Array, steps: int, after_step: Callable[[Array], None]) -> tuple[bool, str]:
    """Run newton or lbfgs for at most so many steps; (whether it says that it converged, what it says).

    after_step is called with the position after each step, and may raise to stop.
    """
    from scipy.optimize import minimize

    def reached(intermediate_result: Any) -> None:
        after_step(np.array(intermediate_result.x))

    options: dict[str, Any] = {"maxiter": steps}
    if name == "lbfgs":
        method = "L-BFGS-B"
        options |= {"ftol": 0.0, "gtol": 1e-8, "maxfun": 20 * steps}
    else:
        method = "trust-exact" if objective.hessian is not None else "trust-ncg"
        options |= {"gtol": 1e-8}
    found: Any = minimize(  # type: ignore[call-overload]  # the stubs know each method's arguments apart
        objective.value,
        start,
        method=method,
        jac=objective.gradient,
        hess=objective.hessian,
        hessp=objective.product,
        callback=reached,
        options=options,
    )
    return bool(found.success), " ".join(str(found.message).split())

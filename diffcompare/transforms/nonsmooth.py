"""What derivatives say at kinks: the convention of each function's row, NaN, or an error that names the function.

The function is rewritten before it is differentiated: each function with a kink becomes one of the same value whose
partials hold away from the kink alone. So the methods that differentiate the graph need not know of it, and kinks inside
the evaluation of smooth functions (softplus is written with maximum and abs) are none.
"""

from __future__ import annotations

from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

import numpy as np

from ..dsl.arithmetic import inside
from ..dsl.composite import Reduction
from ..dsl.core import Expr, Primitive, collector_paused
from ..dsl.elementwise import Elementwise, Partial
from ..dsl.function import Function
from ..dsl.walk import with_arguments
from ..errors import DiffCompareError, DomainError

POLICIES = ("convention", "nan", "raise")


def at_kinks(function: Function, policy: str) -> Function:
    """The function with derivatives that follow the policy at kinks.

    With "raise" every branch counts, also one that a `where` does not take. Raises DiffCompareError for other policies.
    """
    if policy not in POLICIES:
        raise DiffCompareError(f"nonsmooth={policy!r} is not known; there are: {', '.join(POLICIES)}")
    if policy == "convention":
        return function
    order = function.order
    occurring = {p: guarded(p, policy) for p in set(map(attrgetter("primitive"), order))}
    kinked = {p: other for p, other in occurring.items() if other is not p}
    if not kinked:
        return function
    new: dict[Expr, Expr] = {}
    with collector_paused():
        for node in order:
            primitive = kinked.get(node.primitive)
            new[node] = with_arguments(node, new) if primitive is None else primitive.apply([new[a] for a in node.args], node.params)
    return function.with_outputs([new[o] for o in function.outputs])


@lru_cache(maxsize=256)
def guarded(primitive: Primitive, policy: str) -> Primitive:
    """The primitive with derivatives that follow the policy at its kinks; itself if it has none."""
    if isinstance(primitive, Elementwise) and primitive.kinks is not None:
        return GuardedElementwise(primitive, policy)
    if isinstance(primitive, Reduction) and primitive.kinks is not None:
        return GuardedReduction(primitive, policy)
    return primitive


class Barrier(Elementwise):
    """(smooth, value, *arguments) -> value where it is smooth; elsewhere NaN, or DomainError under "raise", to every order.

    The arguments do not enter the value. Their derivative is 0 away from the kink, so that derivatives of a constant slope
    know of it too. NumPy and Python floats alone can raise.
    """

    def __init__(self, base: Elementwise | Reduction, policy: str, arity: int) -> None:
        raising = policy == "raise"
        check = partial(_checked, base.name, base.convention) if raising else None
        super().__init__(
            f"smooth_part_of_{base.name}",
            2 + arity,
            partials=lambda y, smooth, value, *args: (None, self(smooth, 1.0, *args), *(self(smooth, 0.0, *args) for _ in args)),
            evaluate=None if raising else lambda smooth, value, *args: inside(smooth, value),
            array=check,
            scalar=check,
            takes_bool=True,
        )
        self._recipe = (base, policy, arity)

    def __reduce__(self) -> Any:
        return barrier, self._recipe


@lru_cache(maxsize=256)
def barrier(base: Elementwise | Reduction, policy: str, arity: int) -> Barrier:
    """The barrier at the kinks of a function of so many arguments."""
    return Barrier(base, policy, arity)


def _checked(name: str, convention: str, smooth: Any, value: Any, *args: Any) -> Any:
    if not np.all(smooth):
        raise DomainError(f"{name} is at a kink, where it has no derivative; nonsmooth='convention' takes: {convention}")
    return value if isinstance(smooth, bool) else np.where(smooth, value, value)


class GuardedElementwise(Elementwise):
    """An elementwise function whose partials hold away from its kinks; step functions have the derivative 0 there."""

    def __init__(self, base: Elementwise, policy: str) -> None:
        super().__init__(
            base.name,
            base.arity,
            partials=self._smooth_partials,
            evaluate=lambda *args: base.apply(args),
            domain=base.domain,
            singular=base.singular,
            dtype=base.dtype,
            takes_bool=base.takes_bool,
        )
        self.base = base
        self.policy = policy

    def _smooth_partials(self, y: Expr, *args: Expr) -> tuple[Partial, ...]:
        base = self.base
        assert base.kinks is not None
        kink = base.kinks(*args)
        partials = (0.0,) * base.arity if base.partials is None else base.partials(y, *args)
        keep = barrier(base, self.policy, base.arity)
        return tuple(None if p is None else keep(~kink, p, *args) for p in partials)

    def __reduce__(self) -> Any:
        return guarded, (self.base, self.policy)


class GuardedReduction(Reduction):
    """A reduction whose slope holds away from its kinks."""

    def __init__(self, base: Reduction, policy: str) -> None:
        super().__init__(base.name, self._smooth_slope, evaluate=lambda x, axes: base.apply([x], (axes,)))
        self.base = base
        self.policy = policy

    def _smooth_slope(self, y: Expr, x: Expr, axes: tuple[int, ...]) -> Expr:
        base = self.base
        assert base.kinks is not None
        return barrier(base, self.policy, 1)(~base.kinks(y, x, axes), base.slope(y, x, axes), x)

    def __reduce__(self) -> Any:
        return guarded, (self.base, self.policy)

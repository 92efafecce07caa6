"""fd.adaptive: real differences on a whole ladder of steps at once, which choose for themselves and say how far to trust them."""

from __future__ import annotations

from typing import Any

from ..engines.base import Array, Engine
from ..errors import DiffCompareError, Unsupported
from . import noise as noises
from .adaptive_first import AdaptiveRunner
from .adaptive_second import SecondRunner
from .base import Differentiator, Operator, Request, Runner
from .finite_difference import FiniteDifference
from .ladder import Status
from .stencils import Stencil


class AdaptiveDifference(Differentiator):
    """First and second derivatives from central differences at steps of all lengths, extrapolated, with an estimate of their error.

    For each entry of the inputs two ladders of steps that halve from rung to rung, one down from max(|x|, 1), one from
    min(|x|, 1) to 2^8 units in the last place of x, both sides, evaluated together (137 evaluations in float64); see
    ladder.py for what becomes of them. Where the function is not defined on one side, one-sided differences.
    derivative.estimate(...) gives value, error and status; the error holds for at least 99 of 100 points of each family in
    tests/differentiators/test_adaptive.py. A jvp is the sum over all entries, so it costs as much as a gradient, and an hvp
    as much as a Hessian: for each two entries four such ladders of corners.
    noise: the relative error of the function's values where it is known and larger than what shows: noise that varies from step
    to step is measured, and so is rounding that leaves the values the same over short steps, as in a function that computes
    in float32. "estimate" measures it in another way beside, with 42 evaluations more (see noise.py).
    What the bounds of the audit assume: never worse than fd.central with its default step.
    """

    family = "fd"

    def __init__(self, noise: float | str = 0.0) -> None:
        if not (noise == noises.ESTIMATE if isinstance(noise, str) else 0 <= noise < 1):
            raise DiffCompareError(f"fd.adaptive: noise is a relative error between 0 and 1, got {noise!r}, or {noises.ESTIMATE!r}")
        self.noise = noise
        self.name = f"fd.adaptive(noise={noise!r})" if noise else "fd.adaptive"
        self._promise = FiniteDifference("central")

    def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Runner:
        if request.order > 2:
            raise Unsupported(f"fd.adaptive gives first and second derivatives, not one of order {request.order}: use fd.central")
        if request.operator not in (Operator.HESSIAN, Operator.HVP) and request.order < 2:
            return AdaptiveRunner(request, engine, precision, memory, self.noise)
        if isinstance(self.noise, str):
            what = "a derivative of order 2" if request.order == 2 else request.operator.value
            raise Unsupported(f"{self.name} measures the noise for first derivatives, not for {what}: leave noise= out, or state it")
        return SecondRunner(request, engine, precision, memory, self.noise)

    def stencil(self, order: int = 1) -> Stencil:
        """The stencil of the central difference that this method is never worse than."""
        return self._promise.stencil(order)

    def scales(self, x: Array) -> Array:
        """The scale of its step."""
        return self._promise.scales(x)

    def relative_step(self, order: int, precision: str = "float64") -> float:
        """Its step, in units of the scale."""
        return self._promise.relative_step(order, precision)

    def expected_error(self, order: int = 1, precision: str = "float64") -> float:
        """Its error, in the units of FiniteDifference.expected_error."""
        return self._promise.expected_error(order, precision)

    def __reduce__(self) -> Any:
        return type(self), (self.noise,)


adaptive = AdaptiveDifference()

__all__ = ["AdaptiveDifference", "Status", "adaptive"]

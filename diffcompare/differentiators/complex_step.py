"""fd.complex: the derivative as Im f(x + ih) / h, without a difference and so without cancellation.

Squire & Trapp, SIAM Review 40 (1998) 110-112. The function is turned into real arithmetic on pairs (re, im) by
transforms/complexify.py, so it runs on every engine. The truncation error is h² f'''/6, far below rounding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from ..dsl.function import Function
from ..dsl.shapes import Shape
from ..engines.base import Array, Engine
from ..errors import Unsupported
from ..transforms.complexify import complexify
from ..transforms.cost import Cost
from . import single_point
from .base import Operator, Request, Runner
from .shifts import Primal, weighted_sum
from .single_point import FIRST, Single

SECOND = {Operator.HESSIAN, Operator.HVP}
EPSILON, TINY = float(np.finfo(np.float64).eps), float(np.finfo(np.float64).tiny)
AT_ZERO = math.sqrt(float(np.finfo(np.float64).smallest_subnormal)) / 4


class ComplexRunner(Runner):
    """First derivatives by the complex step.

    h is a power of two, at most ε² |x| for |x| <= 1: an absolute step is not small beside a small x. For large x, where it
    would underflow in f' h, it is ε² √|x|, still small beside 1 up to |x| = 1e48, so that sin keeps its digits there. At
    x = 0 it is so small that h² is 0. scale="absolute" is ε² max(1, |x|), "relative" ε² |x|; step= replaces ε², and is h
    itself without scale=. A power of two keeps h t and the quotient exact: the step taken is the step asked for.

    What is read off is h f', so a derivative loses digits below 1e-308 / h and is 0 below 1e-324 / h: that of cos is 0
    for |x| < 1e-146 and that of tanh past 340. No step serves every function there: one that shows x near 1e-200 is far
    beyond the length over which log and 1/x vary. scale="absolute" is for those that vary over 1; it shows derivatives
    down to 1e-276. h itself is at least 1e-292, which is not small beside |x| < 1e-284.
    """

    def __init__(self, request: Request, engine: Engine, precision: str, memory: int, step: float | None, scale: str | None) -> None:
        operator = request.operator
        if operator in SECOND or request.order > 1:
            what = operator.value if operator in SECOND else f"a derivative of order {request.order}"
            raise Unsupported(f"fd.complex gives first derivatives; {what} would need a second difference: use fd.central")
        self._request, self._step, self._scale = request, step, scale
        started = time.perf_counter()
        self._valued = operator in (Operator.VALUE, Operator.VALUE_AND_GRADIENT)
        pairs = request.function if operator is Operator.VALUE else _imaginary(request, self._valued)
        spent = time.perf_counter() - started
        self._primal = Primal(pairs, request, engine, precision, memory)
        self._imaginary = len(request.function.inputs)
        self.function = request.function
        self.compile_s, self.source = self._primal.compile_s, self._primal.source
        self.derive_s = spent
        self.single = self._single(operator)
        self.calls = 1 if operator in (Operator.VALUE, Operator.DERIVATIVE, Operator.JVP) else self._primal.entries

    def _single(self, operator: Operator) -> Single | None:
        """The call on floats, where the engine has one."""
        primal = self._primal
        if operator is Operator.VALUE or primal.single is None:
            return primal.single
        if operator not in FIRST:
            return None
        return single_point.complex_steps(primal.single, primal.places, self.step_at, len(self._request.function.outputs))

    @property
    def cost(self) -> Cost:
        """Operations of all evaluations of the function on pairs."""
        return self._primal.cost * self.calls

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        if self._request.operator is Operator.VALUE:
            return self._primal(values)
        spread, joint = self._primal.spread(values)
        with np.errstate(all="ignore"):
            if self._request.operator is Operator.JVP:
                return self._jvp(spread, joint, directions)
            if self._request.operator is Operator.VJP:
                return self._vjp(spread, joint, directions)
            return self._jacobian(spread, joint)

    def _steps(self, values: Sequence[Array]) -> list[Array]:
        return self._primal.raveled([self.step(values[p]) for p in self._primal.places])

    def step(self, x: Array) -> Array:
        """h at x, a power of two unless the user gave the step itself; NaN where x is not finite."""
        info, size, one = np.finfo(x.dtype), np.abs(x), x.dtype.type(1)
        if self._step is not None and self._scale is None:
            h = np.full_like(x, self._step)
        else:
            factor = info.eps**2 if self._step is None else x.dtype.type(self._step)
            lengths = {"absolute": np.maximum(size, one), "relative": size, None: np.minimum(size, np.sqrt(size))}
            wanted = np.maximum(lengths[self._scale] * factor, info.tiny / info.eps)
            at_zero = np.sqrt(info.smallest_subnormal) / 4  # its square is 0
            wanted = wanted if self._scale == "absolute" else np.where(size == 0, at_zero, wanted)
            h = np.ldexp(one, np.frexp(wanted)[1] - 1)
        return np.where(np.isfinite(x), h, x.dtype.type(np.nan)).astype(x.dtype, copy=False)

    def step_at(self, x: float) -> float:
        """step() of one float."""
        if not math.isfinite(x):
            return math.nan
        if self._step is not None and self._scale is None:
            return self._step
        size, factor = abs(x), EPSILON**2 if self._step is None else self._step
        if self._scale == "absolute":
            return single_point.power_below(max(max(size, 1.0) * factor, TINY / EPSILON))
        if size == 0:
            return single_point.power_below(AT_ZERO)
        return single_point.power_below(max((size if self._scale == "relative" else min(size, math.sqrt(size))) * factor, TINY / EPSILON))

    def _chunks(self, values: list[Array], joint: Shape) -> Iterator[tuple[slice, list[Array], list[Array]]]:
        """(slice of entries, blocks at the real point, for each output the derivatives (rows,) + joint batch + core)."""
        primal, request = self._primal, self._request
        steps = self._steps(values)
        zeros = [np.zeros_like(values[p]) for p in primal.places]
        count = len(request.function.outputs)
        for chunk in primal.chunks(primal.entries, 1, joint):
            entries = np.arange(chunk.start, chunk.stop)
            still = list(values)
            for place, zero in zip(primal.places, zeros, strict=True):
                still[place] = zero
            moved = primal.moved(still, [(entries, [steps])])
            sides = [np.zeros(primal.cores[p], primal.dtype) if moved[p] is still[p] else moved[p][0] for p in primal.places]
            results = primal([*values, *sides])
            h = primal.gathered(steps, entries, joint)
            outputs = request.function.outputs
            slopes = [r / h.reshape(h.shape + (1,) * len(o.shape)) for r, o in zip(results[:count], outputs, strict=True)]
            yield chunk, [r[0] for r in results[count:]], slopes

    def _jacobian(self, values: list[Array], joint: Shape) -> list[Array]:
        primal, n = self._primal, len(self._primal.sizes)
        outputs = [o.shape for o in self._request.function.outputs]
        blocks = primal.blocks(joint, outputs)
        still = [np.zeros(primal.cores[p], primal.dtype) for p in primal.places]
        plain = [] if primal.entries or not self._valued else primal([*values, *still])[len(outputs) :]
        for chunk, plain, slopes in self._chunks(values, joint):  # noqa: B007  the value is the same in each chunk
            for k, slope in enumerate(slopes):
                primal.store(blocks[k * n : (k + 1) * n], chunk, slope)
        if self._request.operator is Operator.DERIVATIVE:
            return [b[..., 0] for b in blocks]
        return [*plain, *primal.shaped(blocks)]

    def _vjp(self, values: list[Array], joint: Shape, directions: Sequence[Array]) -> list[Array]:
        primal = self._primal
        ndims = [len(o.shape) for o in self._request.function.outputs]
        batch = np.broadcast_shapes(joint, *(d.shape[: d.ndim - n] for d, n in zip(directions, ndims, strict=True)))
        vectors = [d.reshape((1,) * (len(batch) + n - d.ndim) + d.shape) for d, n in zip(directions, ndims, strict=True)]
        blocks = primal.blocks(batch, [()])
        lead = (1,) * (len(batch) - len(joint))
        for chunk, _, slopes in self._chunks(values, joint):
            aligned = [s.reshape(s.shape[:1] + lead + s.shape[1:]) for s in slopes]
            primal.store(blocks, chunk, np.broadcast_to(weighted_sum(aligned, vectors, ndims), (chunk.stop - chunk.start, *batch)))
        return primal.shaped(blocks)

    def _jvp(self, values: list[Array], joint: Shape, directions: Sequence[Array]) -> list[Array]:
        """One evaluation at x + i h t, h such that no entry's h |t| exceeds the step of its own."""
        primal = self._primal
        cores = [primal.cores[p] for p in primal.places]
        batch = np.broadcast_shapes(joint, *(d.shape[: d.ndim - len(c)] for d, c in zip(directions, cores, strict=True)))
        wide = [v.reshape((1,) * (len(batch) + len(c) - v.ndim) + v.shape) for v, c in zip(values, primal.cores, strict=False)]
        tangents = [d.reshape((1,) * (len(batch) + len(c) - d.ndim) + d.shape) for d, c in zip(directions, cores, strict=True)]
        h = np.full(batch, primal.dtype.type(np.inf))
        for s, t in zip(self._steps(wide), primal.raveled(tangents), strict=True):
            h = np.minimum(h, np.min(np.where(t == 0, primal.dtype.type(np.inf), s / np.abs(t)), axis=-1, initial=np.inf))
        power = np.ldexp(primal.dtype.type(1), np.frexp(h)[1] - 1)
        h = np.where(np.isfinite(h), power, np.where(np.isinf(h), primal.dtype.type(1), h))  # no entry moves: any h serves
        sides = [h.reshape(h.shape + (1,) * len(c)) * t for t, c in zip(tangents, cores, strict=True)]
        results = primal([*wide, *sides])
        return [r / h.reshape(h.shape + (1,) * len(o.shape)) for r, o in zip(results, self._request.function.outputs, strict=True)]


def _imaginary(request: Request, valued: bool) -> Function:
    """(inputs, imaginary parts of the inputs differentiated) -> imaginary parts of the outputs, and the outputs as they are."""
    pairs = complexify(request.function, request.names)
    count = len(request.function.outputs)
    outputs = [*pairs.outputs[count:], *(request.function.outputs if valued else ())]
    return pairs.with_outputs(outputs, single=False)

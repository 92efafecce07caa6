"""Finite differences: quotients of values of the primal at shifted points; fd.complex has its runner in complex_step.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dsl.shapes import Shape
from ..engines.base import Array, Engine
from ..errors import DiffCompareError, Unsupported
from ..transforms.cost import Cost
from . import noise as noises
from . import single_point
from .base import Differentiator, Operator, Request, Runner
from .complex_step import ComplexRunner
from .shifts import Primal, differences, shifted, weighted_sum
from .single_point import FIRST, Single
from .stencils import KINDS, Stencil, stencil

SCALES = ("absolute", "relative")
TINY = float(np.finfo(np.float64).tiny / np.finfo(np.float64).eps ** 2)


class FiniteDifference(Differentiator):
    """Differences of values of the function; `FiniteDifference("central", step=1e-5)` is a method like "fd.central".

    kind: "forward", "backward", "central" or "complex".
    step: h in units of the scale; given without scale=, h itself. Default: ε^(1/(k+p)) for a derivative of order k and
        truncation order p, which balances truncation and rounding for a function that varies over one scale: ε^(1/2)
        forward, ε^(1/3) central, ε^(1/4) for second derivatives by central ones (Nocedal & Wright, section 8.1).
    scale: "absolute", max(1, |x|), or "relative", |x| (1 where x is 0 or so small that the step would underflow).
        The default is absolute, as in SciPy: it loses digits where f varies over lengths far below 1 (1/x near 0),
        relative loses all of them at every small x where f varies over lengths about 1, the commoner case.
    accuracy: truncation order of first and higher derivatives, 1 for one-sided and 2 for central kinds by default.
    noise: "estimate" measures the noise of the function and its higher derivative at every point, along every entry of the
        inputs, and takes the step that balances them (see noise.py): for functions with errors far above rounding, such as
        simulations, or of a length far from the scale. First derivatives only, and none along a tangent. expected_error and
        the bounds of the audit stay those of the default step.

    The quotient is by the difference of the arguments after rounding, never by the h that was asked for. A step so
    small that no argument moves gives NaN. Kinks have no convention here: the result is what the stencil sees.
    fd.complex: see complex_step.py, also for the derivatives so small that their product with the step is 0.
    """

    family = "fd"

    def __init__(
        self, kind: str, step: float | None = None, scale: str | None = None, accuracy: int | None = None, noise: str | None = None
    ) -> None:
        if kind not in (*KINDS, "complex"):
            raise DiffCompareError(f"finite differences are {', '.join(KINDS)} or complex, not {kind!r}")
        if scale is not None and scale not in SCALES:
            raise DiffCompareError(f"fd.{kind}: scale is {' or '.join(SCALES)}, not {scale!r}")
        if step is not None and not (step > 0 and np.isfinite(step)):
            raise DiffCompareError(f"fd.{kind}: a step is a positive finite number, got {step!r}")
        if kind == "complex" and accuracy is not None:
            raise DiffCompareError("fd.complex: accuracy= belongs to real differences; the complex step leaves no truncation error")
        if noise not in (None, noises.ESTIMATE):
            raise DiffCompareError(f"fd.{kind}: noise is {noises.ESTIMATE!r} or left out, not {noise!r}")
        if noise is not None and (kind == "complex" or step is not None):
            reason = "its error does not depend on the step" if kind == "complex" else "it finds the step: leave step= out"
            raise DiffCompareError(f"fd.{kind}: noise={noise!r} has no use here, {reason}")
        if kind != "complex":
            stencil(kind, 1, accuracy)  # refuses what makes no stencil
        self.kind, self.step, self.scale, self.accuracy, self.noise = kind, step, scale, accuracy, noise
        options = {"step": step, "scale": scale, "accuracy": accuracy, "noise": noise}
        given = ", ".join(f"{k}={v!r}" for k, v in options.items() if v is not None)
        self.name = f"fd.{kind}({given})" if given else f"fd.{kind}"

    def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Runner:
        if self.kind == "complex":
            return ComplexRunner(request, engine, precision, memory, self.step, self.scale)
        return DifferenceRunner(self, request, engine, precision, memory)

    def stencil(self, order: int = 1) -> Stencil:
        """Nodes and error constants for a derivative of this order; raises Unsupported for fd.complex, which has none."""
        if self.kind == "complex":
            raise Unsupported("fd.complex has no stencil of real points")
        return stencil(self.kind, order, self.accuracy)

    def relative_step(self, order: int, precision: str = "float64") -> float:
        """h in units of the scale, as given or by the rule for this order."""
        return self.step if self.step is not None else self.stencil(order).step(float(np.finfo(precision).eps))

    def scales(self, x: Array) -> Array:
        """The length that a step at x is measured in: max(1, |x|), |x| or 1."""
        size = np.abs(x)
        one = x.dtype.type(1)
        if self.scale is None and self.step is not None:
            return np.where(np.isfinite(x), one, x)
        if self.scale == "relative":
            info = np.finfo(x.dtype)
            return np.where(size < info.tiny / info.eps**2, one, size)
        larger: Array = np.maximum(size, one)
        return larger

    def scale_at(self, x: float) -> float:
        """scales() of one float."""
        size = abs(x)
        if self.scale is None and self.step is not None:
            return 1.0 if size < math.inf else x
        if self.scale == "relative":
            return 1.0 if size < TINY else size
        return max(size, 1.0)

    def expected_error(self, order: int = 1, precision: str = "float64") -> float:
        """max(h^p, ε/h^k): the error to expect, without the constants, in units that the function sets.

        With L the scale at the point, h in units of L, k the order and p the truncation order, a derivative is off by
        about C · expected_error · L^p |f^(k+p)| from truncation and S · expected_error · |f| / L^k from rounding, with
        C and S from stencil(order); ε^(p/(k+p)) where the default step balances both: ε^(1/2) forward, ε^(2/3)
        central, ε^(1/2) central of order 2 (hessian, hvp). f counts with the noise of its own evaluation, |f| times
        its condition. fd.complex: ε, the rounding of the values' own derivative, as automatic differentiation has it.
        """
        epsilon = float(np.finfo(precision).eps)
        if self.kind == "complex":
            return epsilon
        h = self.relative_step(order, precision)
        return float(max(h ** self.stencil(order).accuracy, epsilon / h**order))

    def error_bound(
        self, value: float, higher: float, length: float = 1.0, order: int = 1, precision: str = "float64", noise: float = 1.0
    ) -> float:
        """C h^p |f^(k+p)| + S · noise · ε |f| / h^k, the absolute error to first order, with h = relative step times `length`.

        value: the largest |f| on the stencil; higher: the largest |f^(order + truncation order)| there; length: the
        scale, scales(x); noise: the error of a value of f in ε |f|. For fd.complex ε·noise·|value| with value = f'.
        """
        epsilon = float(np.finfo(precision).eps)
        if self.kind == "complex":
            return noise * epsilon * value
        s, h = self.stencil(order), self.relative_step(order, precision) * length
        return s.truncation * h**s.accuracy * higher + s.rounding * noise * epsilon * value / h**order

    def __reduce__(self) -> Any:
        return type(self), (self.kind, self.step, self.scale, self.accuracy, self.noise)


class DifferenceRunner(Runner):
    """Real differences. Values and steps of the inputs differentiated have their core axes raveled."""

    def __init__(self, method: FiniteDifference, request: Request, engine: Engine, precision: str, memory: int) -> None:
        self._method, self._request, self._precision = method, request, precision
        self._order = {Operator.DERIVATIVE: request.order, Operator.HESSIAN: 2, Operator.HVP: 2}.get(request.operator, 1)
        second = request.operator in (Operator.HESSIAN, Operator.HVP)
        if second and method.accuracy not in (None, stencil(method.kind).accuracy):
            raise Unsupported(f"{method.name}: {request.operator} has stencils of the least accuracy only; leave accuracy= out")
        if method.noise is not None and (self._order > 1 or request.operator is Operator.JVP):
            what = f"a derivative of order {self._order}" if request.operator is Operator.DERIVATIVE else request.operator.value
            raise Unsupported(f"{method.name} finds steps for first derivatives along the axes, not for {what}: leave noise= out")
        self._stencil = method.stencil(self._order)
        self._first = method.stencil(1)
        self._primal = Primal(request.function, request, engine, precision, memory)
        self._step = method.relative_step(self._order, precision)
        self.function = request.function
        self.compile_s, self.source = self._primal.compile_s, self._primal.source
        self.single = self._single()
        self.calls = self._count()

    def _single(self) -> Single | None:
        """The call on floats, where the engine has one and the stencil two nodes."""
        primal, operator = self._primal, self._request.operator
        if self._method.noise is not None and operator is not Operator.VALUE:
            return None
        if operator is Operator.VALUE or primal.single is None:
            return primal.single
        if operator not in FIRST or self._stencil is not self._first or len(self._first.nodes) != 2:
            return None
        return single_point.differences(
            primal.single, primal.places, self._first.nodes, self._step_at, operator is Operator.VALUE_AND_GRADIENT
        )

    def _step_at(self, x: float) -> float:
        return self._method.scale_at(x) * self._step

    def _count(self) -> int:
        """Evaluations of the primal in one call at one point; the value at x itself counts once, and once more for the noise."""
        extra = 0
        if self._method.noise is not None and self._request.operator is not Operator.VALUE:
            extra = 1 + self._primal.entries * noises.evaluations(self._first)
        return extra + self._count_quotients()

    def _count_quotients(self) -> int:
        n, nodes = self._primal.entries, self._first.nodes
        centre = 0 in nodes
        gradient = (len(nodes) - centre) * n + centre
        match self._request.operator:
            case Operator.VALUE:
                return 1
            case Operator.DERIVATIVE | Operator.JVP:
                return len(self._stencil.nodes)
            case Operator.VALUE_AND_GRADIENT:
                return gradient + (not centre)
            case Operator.HESSIAN:
                return 1 + 2 * n + (1 if centre else 4) * (n * (n - 1) // 2)
            case Operator.HVP:
                return 2 * gradient
            case _:
                return gradient

    @property
    def cost(self) -> Cost:
        """Operations of all evaluations of the primal; the few of the differences are not counted."""
        return self._primal.cost * self.calls

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        if self._request.operator is Operator.VALUE:
            return self._primal(values)
        operators: dict[Operator, Callable[[list[Array], Shape, Sequence[Array]], list[Array]]] = {
            Operator.DERIVATIVE: self._derivative,
            Operator.GRADIENT: self._jacobian,
            Operator.JACOBIAN: self._jacobian,
            Operator.VALUE_AND_GRADIENT: self._jacobian,
            Operator.JVP: self._jvp,
            Operator.VJP: self._vjp,
            Operator.HVP: self._hvp,
            Operator.HESSIAN: self._hessian,
        }
        spread, joint = self._primal.spread(values)
        if self._method.noise is not None:  # every point has its own steps
            for place in self._primal.places:
                spread[place] = np.broadcast_to(spread[place], joint + self._primal.cores[place])
        with np.errstate(all="ignore"):
            return operators[self._request.operator](spread, joint, directions)

    # --- pieces ---

    def _wrt(self, values: Sequence[Array]) -> list[Array]:
        return self._primal.raveled([values[p] for p in self._primal.places])

    def _steps(self, values: list[Array], joint: Shape) -> list[Array]:
        usual = [self._method.scales(x) * x.dtype.type(self._step) for x in self._wrt(values)]
        return usual if self._method.noise is None else noises.steps(self._primal, values, joint, usual, self._first)

    def _slopes(self, values: list[Array], joint: Shape, steps: Sequence[Array], base: list[Array] | None) -> Any:
        """Chunks (slice of entries, for each output the first derivatives (rows,) + joint batch + output's shape).

        base: the outputs at the values, where the stencil uses them.
        """
        primal, nodes = self._primal, self._first.nodes
        shifts = [m for m in nodes if m]
        xs = self._wrt(values)
        positions = [shifted(xs, steps, m) for m in shifts]
        offsets = {m: differences(p, xs) for m, p in zip(shifts, positions, strict=True)}
        for chunk in primal.chunks(primal.entries, len(shifts), joint):
            entries = np.arange(chunk.start, chunk.stop)
            results = primal(primal.moved(values, [(entries, positions)]))
            moves = {m: primal.gathered(offsets[m], entries, joint) for m in shifts}
            quotients = []
            for k, (result, core) in enumerate(zip(results, primal.shapes, strict=True)):
                layers = dict(zip(shifts, result, strict=True))
                widened = {m: o.reshape(o.shape + (1,) * len(core)) for m, o in moves.items()}
                at = [layers[m] if m or base is None else base[k] for m in nodes]
                gaps = [widened[m] if m else np.zeros_like(widened[shifts[0]]) for m in nodes]
                quotients.append(self._first.difference(gaps, at))
            yield chunk, quotients

    def _base(self, values: list[Array]) -> list[Array] | None:
        """The outputs at the values themselves, if the stencil of first derivatives uses them."""
        return self._primal(values) if 0 in self._first.nodes else None

    # --- operators ---

    def _derivative(self, values: list[Array], joint: Shape, directions: Sequence[Array]) -> list[Array]:
        nodes = self._stencil.nodes
        xs, steps = self._wrt(values), self._steps(values, joint)
        positions = [shifted(xs, steps, m) for m in nodes]
        entry = np.zeros(1, dtype=np.intp)
        parts: list[list[Array]] = []
        for chunk in self._primal.chunks(len(nodes), 1, joint):
            results = self._primal(self._primal.moved(values, [(entry, positions[chunk])]))
            parts.append([r[:, 0] for r in results])
        blocks = []
        for result, core in zip(zip(*parts, strict=True), self._primal.shapes, strict=True):
            stacked = np.concatenate(result)
            offsets = [differences(p, xs)[0][..., 0] for p in positions]
            widened = [o.reshape(o.shape + (1,) * len(core)) for o in offsets]
            blocks.append(self._stencil.difference(widened, list(stacked)))
        return blocks

    def _jacobian(self, values: list[Array], joint: Shape, directions: Sequence[Array]) -> list[Array]:
        primal, n = self._primal, len(self._primal.sizes)
        base = self._base(values)
        blocks = primal.blocks(joint, primal.shapes)
        for chunk, quotients in self._slopes(values, joint, self._steps(values, joint), base):
            for k, q in enumerate(quotients):
                primal.store(blocks[k * n : (k + 1) * n], chunk, q)
        if self._request.operator is Operator.VALUE_AND_GRADIENT:
            return [*(primal(values) if base is None else base), *primal.shaped(blocks)]
        return primal.shaped(blocks)

    def _vjp(self, values: list[Array], joint: Shape, directions: Sequence[Array]) -> list[Array]:
        primal = self._primal
        ndims = [len(s) for s in primal.shapes]
        batch = np.broadcast_shapes(joint, *(d.shape[: d.ndim - n] for d, n in zip(directions, ndims, strict=True)))
        vectors = [d.reshape((1,) * (len(batch) + n - d.ndim) + d.shape) for d, n in zip(directions, ndims, strict=True)]
        blocks = primal.blocks(batch, [()])
        for chunk, quotients in self._slopes(values, joint, self._steps(values, joint), self._base(values)):
            lead = (1,) * (len(batch) - len(joint))
            aligned = [q.reshape(q.shape[:1] + lead + q.shape[1:]) for q in quotients]
            primal.store(blocks, chunk, np.broadcast_to(weighted_sum(aligned, vectors, ndims), (chunk.stop - chunk.start, *batch)))
        return primal.shaped(blocks)

    def _along(self, values: list[Array], joint: Shape, directions: Sequence[Array]) -> tuple[list[Array], list[Array], Array]:
        """(values with the tangents' batch axes, tangents, h): x + h t moves no entry by more than one step of its own."""
        primal = self._primal
        cores = [primal.cores[p] for p in primal.places]
        batch = np.broadcast_shapes(joint, *(d.shape[: d.ndim - len(c)] for d, c in zip(directions, cores, strict=True)))
        wide = [v.reshape((1,) * (len(batch) + len(c) - v.ndim) + v.shape) for v, c in zip(values, primal.cores, strict=True)]
        given = [d.reshape((1,) * (len(batch) + len(c) - d.ndim) + d.shape) for d, c in zip(directions, cores, strict=True)]
        tangents = primal.raveled(given)
        size = np.zeros(batch, primal.dtype)
        for x, t in zip(self._wrt(wide), tangents, strict=True):
            size = np.maximum(size, np.max(np.abs(t) / self._method.scales(x), axis=-1, initial=0))
        h = primal.dtype.type(self._step) / np.where(size == 0, primal.dtype.type(1), size)
        return wide, tangents, np.where(size == 0, primal.dtype.type(self._step), h)

    def _moved_along(
        self, values: list[Array], tangents: Sequence[Array], h: Array, nodes: Sequence[int]
    ) -> tuple[list[Array], list[Array]]:
        """(values at x + m h t on a leading axis of nodes m, how far each went along t: the projection of the rounded moves)."""
        primal, result = self._primal, list(values)
        along, norm = [np.zeros((), primal.dtype) for _ in nodes], np.zeros((), primal.dtype)
        for place, x, t in zip(primal.places, self._wrt(values), tangents, strict=True):
            step = h[..., None] * t
            at = np.stack(np.broadcast_arrays(*(x + step * primal.dtype.type(m) for m in nodes)))
            result[place] = at.reshape((*at.shape[:-1], *primal.cores[place]))
            unit = step / (self._method.scales(x) * primal.dtype.type(self._step))  # at most 1
            relative = (at - x) / (self._method.scales(x) * primal.dtype.type(self._step))
            along = [a + np.sum(r * unit, axis=-1) for a, r in zip(along, relative, strict=True)]
            norm = norm + np.sum(unit * unit, axis=-1)
        return result, [np.where(norm == 0, h * primal.dtype.type(m), a / norm * h) for a, m in zip(along, nodes, strict=True)]

    def _jvp(self, values: list[Array], joint: Shape, directions: Sequence[Array]) -> list[Array]:
        values, tangents, h = self._along(values, joint, directions)
        nodes = self._stencil.nodes
        moved, along = self._moved_along(values, tangents, h, nodes)
        blocks = []
        for result, core in zip(self._primal(moved), self._primal.shapes, strict=True):
            blocks.append(self._stencil.difference([a.reshape(a.shape + (1,) * len(core)) for a in along], list(result)))
        return blocks

    def _hvp(self, values: list[Array], joint: Shape, directions: Sequence[Array]) -> list[Array]:
        """The difference along t of gradients by differences: 4-point mixed second differences for the central kind."""
        primal = self._primal
        values, tangents, h = self._along(values, joint, directions)
        steps = [s[None] for s in self._steps(values, joint)]  # those of x at every node: truncation errors cancel
        moved, along = self._moved_along(values, tangents, h, self._first.nodes)
        batch = (len(self._first.nodes), *h.shape)
        gradients = primal.blocks(batch, [()])
        for chunk, (quotient,) in self._slopes(moved, batch, steps, self._base(moved)):
            primal.store(gradients, chunk, quotient)
        widened = [a[..., None] for a in along]
        return primal.shaped([self._first.difference(widened, list(g)) for g in gradients])

    def _hessian(self, values: list[Array], joint: Shape, directions: Sequence[Array]) -> list[Array]:
        """Second differences on the diagonal, differences of differences beside it, each divided by the steps taken."""
        primal, n = self._primal, self._primal.entries
        steps = self._steps(values, joint)
        table = np.empty((n, n, *joint), primal.dtype)
        singles = self._diagonal(values, joint, steps, table)
        low, high = self._first.nodes
        rows, columns = (np.asarray(a) for a in np.triu_indices(n, 1))
        corners = [(a, b) for a in (high, low) for b in (high, low)]
        evaluated = [(a, b) for a, b in corners if a and b]
        xs = self._wrt(values)
        at_node = {m: shifted(xs, steps, m) for m in (low, high)}
        gaps = [up - down for up, down in zip(*(differences(at_node[m], xs) for m in (high, low)), strict=True)]
        for chunk in primal.chunks(len(rows), len(evaluated), joint):
            i, j = rows[chunk], columns[chunk]
            moves = [(i, [at_node[a] for a, _ in evaluated]), (j, [at_node[b] for _, b in evaluated])]
            (result,) = primal(primal.moved(values, moves))
            at = dict(zip(evaluated, result, strict=True))
            for a, b in corners:
                if not (a and b):
                    at[a, b] = singles[a][i] if a else singles[b][j] if b else singles[0]
            mixed = (at[high, high] - at[high, low]) - (at[low, high] - at[low, low])
            mixed = mixed / primal.gathered(gaps, i, joint) / primal.gathered(gaps, j, joint)
            table[i, j] = table[j, i] = mixed
        return self._hessian_blocks(table)

    def _diagonal(self, values: list[Array], joint: Shape, steps: Sequence[Array], table: Array) -> dict[int, Array]:
        """Fills the diagonal; gives f at x (key 0) and, for each entry, at x + m h (key m)."""
        primal, nodes = self._primal, self._stencil.nodes
        shifts = [m for m in nodes if m]
        xs = self._wrt(values)
        positions = {m: shifted(xs, steps, m) for m in nodes}
        offsets = [differences(positions[m], xs) for m in nodes]
        (centre,) = primal(values)
        at: dict[int, Array] = {m: np.empty((primal.entries, *joint), primal.dtype) for m in shifts}
        for chunk in primal.chunks(primal.entries, len(shifts), joint):
            entries = np.arange(chunk.start, chunk.stop)
            (result,) = primal(primal.moved(values, [(entries, [positions[m] for m in shifts])]))
            for m, layer in zip(shifts, result, strict=True):
                at[m][chunk] = layer
            moves = [primal.gathered(o, entries, joint) for o in offsets]
            table[entries, entries] = self._stencil.difference(moves, [at[m][chunk] if m else centre for m in nodes])
        return {**at, 0: centre}

    def _hessian_blocks(self, table: Array) -> list[Array]:
        """The (n, n) + batch table as blocks batch + input + input."""
        primal, wrt = self._primal, self._request.wrt
        table = np.moveaxis(table, (0, 1), (-2, -1))
        batch, bounds = table.shape[:-2], list(zip(primal.starts, primal.starts[1:], strict=False))
        return [
            table[..., a:b, c:d].reshape((*batch, *u.shape, *v.shape))
            for u, (a, b) in zip(wrt, bounds, strict=True)
            for v, (c, d) in zip(wrt, bounds, strict=True)
        ]


forward = FiniteDifference("forward")
backward = FiniteDifference("backward")
central = FiniteDifference("central")
complex_step = FiniteDifference("complex")

"""Certification: raise the precision until every entry of a value or derivative is known to the last bit of float64."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from flint import arb, arb_series, ctx

from ..dsl.core import Expr
from ..dsl.function import Function, as_function
from ..errors import DiffCompareError, DomainError, ShapeError
from .balls import Ball, Condition, Vocabulary, centre
from .plans import Direction, Group, Plan, plan
from .program import Program, filled

Array = np.ndarray[Any, Any]
STRICT, LIMITS = Vocabulary(), Vocabulary(limits=True)
LIMIT_TERMS = 4
"""Further series terms where a derivative seems to be missing: each quotient 0/0 with a limit costs one."""
_lock = threading.RLock()


class Arithmetic:
    """The only place that sets FLINT's precision and series length, which are global to the process: under a lock, restored."""

    def __init__(self, precision: int, terms: int) -> None:
        self.wanted = precision, terms

    def __enter__(self) -> None:
        _lock.acquire()
        self.before = ctx.prec, ctx.cap
        ctx.prec, ctx.cap = self.wanted

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        ctx.prec, ctx.cap = self.before
        _lock.release()


@dataclass(frozen=True)
class Certified:
    """What is true of one operator at one point, entry by entry.

    The lists hold one block for each output and input in `wrt`, outputs first (for a Hessian output, input, input;
    for value and jvp one for each output; for vjp one for each input), of shape output + input (+ input).
    values: float64, rounded to nearest: infinite where the truth overflows; NaN where there is none.
    balls: object arrays of `arb` enclosing the truth.
    status: "ok" (known to the bits asked for, or rounding to one float64), or
      "kink": defined at the point but without this derivative: a corner, a jump, an infinite slope, the end of the domain,
          or a comparison that stayed undecided at the highest precision;
      "domain": not defined at the point;
      "removable": a quotient 0/0 with a finite limit; `values` holds the limit, which no evaluation in floats gives;
      "unresolved": more precision would be needed, or a magnitude beyond FLINT's exponents.
    precision: the highest that was needed, in bits.
    sensitivity: the sum over all inputs j of |x_j d(entry)/d x_j|, in floats, if asked for; NaN where not known.
    """

    operator: str
    values: list[Array]
    balls: list[Array]
    status: list[Array]
    precision: int
    sensitivity: list[Array] | None = None

    @property
    def ok(self) -> bool:
        """Whether every entry is certified."""
        return all(bool(np.all(s == "ok")) for s in self.status)

    @property
    def condition(self) -> list[Array]:
        """The relative condition number of each entry, sensitivity / |value|: inf where the value is 0 and moves, 0 where nothing moves it."""
        if self.sensitivity is None:
            raise DiffCompareError("the condition was not asked for: certify(..., condition=True)")
        with np.errstate(all="ignore"):
            return [np.where(s == 0, 0.0, s / np.abs(v)) for s, v in zip(self.sensitivity, self.values, strict=True)]


def is_certain(ball: arb, bits: int) -> bool:
    """Whether a ball has this many correct bits, or contains only numbers that round to one float64."""
    if not ball.is_finite():
        return False
    return ball.rel_accuracy_bits() >= bits or float(ball.lower()) == float(ball.upper())


def _next(precision: int, pending: Sequence[arb]) -> int:
    """The precision to try next for balls that are not certain at this one.

    NaN is mostly final, so it is given up in few steps; a ball around zero at 192 bits is mostly an exact zero, which
    rounds to one float64 once its radius is below 2^-1075.
    """
    if all(b.is_nan() for b in pending):
        return 4 * precision
    if precision >= 192 and any(b.is_finite() and b.contains(0) for b in pending):
        return max(2 * precision, 1536)
    return 2 * precision


class Point:
    """A program at a point: its output entries along directions."""

    def __init__(self, program: Program, inputs: Sequence[Expr], values: Sequence[Array]) -> None:
        self.program = program
        self.shapes = [i.shape for i in inputs]
        self.entries = [arb(v) for value in values for v in value.ravel().tolist()]
        self.ranges = list(itertools.pairwise(itertools.accumulate((i.size for i in inputs), initial=0)))
        self.known: dict[tuple[Direction, int, int, bool], list[Ball]] = {}

    def along(self, direction: Direction, keep: bool = False, vocabulary: Vocabulary = STRICT) -> list[Ball]:
        """All output entries as series along the direction; conditions count as 0 and 1. keep: to be asked for again."""
        key = direction, ctx.prec, ctx.cap, vocabulary.limits
        if keep and key in self.known:
            return self.known[key]
        moved: list[Ball] = list(self.entries)
        for position, component in direction:
            moved[position] = arb_series([self.entries[position], component])
        values = [filled(moved[a:b], shape) if shape else moved[a] for shape, (a, b) in zip(self.shapes, self.ranges, strict=True)]
        entries = [e for v in self.program.run(vocabulary, values) for e in _entries(v, vocabulary)]
        if keep:
            self.known[key] = entries
        return entries

    def limits(self, direction: Direction, keep: bool = False) -> list[Ball]:
        """The same with quotients 0/0 replaced by their limits along the direction."""
        return self.along(direction, keep, LIMITS)

    def shifted(self, position: int, shift: arb) -> Point:
        """The same program at a point with one entry moved."""
        other = object.__new__(Point)
        other.program, other.shapes, other.ranges, other.known = self.program, self.shapes, self.ranges, {}
        other.entries = [*self.entries[:position], self.entries[position] + shift, *self.entries[position + 1 :]]
        return other


def _entries(value: Any, vocabulary: Vocabulary) -> list[Ball]:
    entries = value.ravel().tolist() if isinstance(value, np.ndarray) else [value]
    return [vocabulary.where(e, arb(1), arb(0)) if isinstance(e, Condition) else e for e in entries]


class _Run:
    """One certification: the blocks while they are filled."""

    def __init__(self, point: Point, plan: Plan, bits: int, max_precision: int) -> None:
        self.point, self.plan, self.bits, self.max_precision = point, plan, bits, max_precision
        self.precision = 0
        sizes = [math.prod(shape) for shape in plan.shapes]
        self.balls: list[list[Any]] = [[None] * n for n in sizes]
        self.values: list[list[float]] = [[math.nan] * n for n in sizes]
        self.status: list[list[str]] = [["unresolved"] * n for n in sizes]
        self.sums: list[list[float]] = [[0.0] * n for n in sizes]

    def certify(self, group: Group) -> int:
        """Fill the entries of a group; the precision it took."""
        precision = min(self.bits + 26, self.max_precision)
        pending = list(range(len(group.places)))
        while True:
            with Arithmetic(precision, group.terms):
                balls = group.balls(self.point.along)
                for k in pending:
                    if is_certain(balls[k], self.bits):
                        self._put(group, k, balls[k], "ok", float(balls[k]))
            pending = [k for k in pending if not is_certain(balls[k], self.bits)]
            if not pending or precision >= self.max_precision:
                break
            precision = min(_next(precision, [balls[k] for k in pending]), self.max_precision)
        self.precision = max(self.precision, precision)
        if pending:
            self._explain(group, pending, balls)
        return precision

    def _put(self, group: Group, k: int, ball: arb, status: str, value: float) -> None:
        for block, index in group.places[k]:
            self.balls[block][index], self.status[block][index], self.values[block][index] = ball, status, value

    def _explain(self, group: Group, pending: Sequence[int], balls: Sequence[arb]) -> None:
        """Say why entries are not certain."""
        with Arithmetic(self.max_precision, 1):
            defined = [centre(v) for v in self.point.along((), keep=True)]
        with Arithmetic(self.bits + 122, group.terms + LIMIT_TERMS):
            longer = group.balls(self.point.along)
            limits = group.balls(self.point.limits)
            near = [centre(v) for v in self.point.limits(self._everywhere(), keep=True)]
        for k in pending:
            sources = [defined[s] for s in group.sources[k]]
            if not balls[k].is_nan() or not all(v.is_nan() or v.is_finite() for v in sources):
                self._put(group, k, balls[k], "unresolved", math.nan)
            elif is_certain(longer[k], self.bits):
                # branches that meet where their difference only touches zero: x² < 0 takes more terms than x to decide
                self._put(group, k, longer[k], "ok", float(longer[k]))
            elif limits[k].is_finite():
                self._put(group, k, limits[k], "removable", float(limits[k]))
            elif all(v.is_finite() for v in sources):
                self._put(group, k, balls[k], "kink", math.nan)
            elif all(near[s].is_finite() for s in group.sources[k]):
                value = float(near[group.sources[k][0]]) if group.terms == 1 else math.nan
                self._put(group, k, balls[k], "removable", value)
            else:
                self._put(group, k, balls[k], "domain", math.nan)

    def _everywhere(self) -> Direction:
        """A direction in which every input entry moves, none as fast as another."""
        return tuple((k, 1.0 + 0.6180339887498949 * (k + 1) % 1.0) for k in range(len(self.point.entries)))

    def sense(self, group: Group, precision: int) -> None:
        """Add |x_j d(entry)/d x_j| for every input entry j: the change for x_j (1 + 2^-40), times 2^40."""
        with Arithmetic(precision + 64, group.terms):
            here = group.balls(self.point.along)
            for position, x in enumerate(self.point.entries):
                if x == 0:
                    continue
                there = group.balls(self.point.shifted(position, x * arb(2) ** -40).along)
                for k, places in enumerate(group.places):
                    change = abs(float((there[k] - here[k]) * 2**40))
                    for block, index in places:
                        self.sums[block][index] += change

    def sensitivity(self) -> list[Array]:
        sums, status = self.blocks(self.sums, float), self.blocks(self.status, "<U10")
        return [np.where(s == "ok", total, math.nan) for total, s in zip(sums, status, strict=True)]

    def blocks(self, lists: Sequence[list[Any]], dtype: Any) -> list[Array]:
        return [np.array(entries, dtype=dtype).reshape(shape) for entries, shape in zip(lists, self.plan.shapes, strict=True)]


def _looked_up(f: Function, node: Expr, point: Mapping[str, Any]) -> Any:
    name = node.params[0]
    if name not in point:
        raise DiffCompareError(f"{f.name}: the point has no value for {name}; it has {', '.join(map(str, point)) or 'none'}")
    return point[name]


def _checked(f: Function, node: Expr, value: Any) -> Array:
    """The value as a float64 array of the input's shape, all finite."""
    array = np.asarray(value, dtype=np.float64)
    if array.shape != node.shape:
        raise ShapeError(f"{f.name}: input {node.params[0]} has shape {node.shape}, the point's value has shape {array.shape}")
    if not np.all(np.isfinite(array)):
        raise DomainError(f"{f.name}: the point must be finite, got {node.params[0]} = {array}")
    return array


def _chosen(f: Function, wrt: Sequence[str] | str | None) -> list[Expr]:
    if wrt is None:
        return list(f.inputs)
    return [f.input(n) for n in ((wrt,) if isinstance(wrt, str) else wrt)]


class Reference:
    """The certified truth of a Function, for many points: its graph is translated once.

    Points are exact: float64 inputs and constants are the numbers they hold. -0.0 is 0.
    """

    def __init__(self, function: Function | Expr | str) -> None:
        self.function = as_function(function)
        self.program = Program(self.function.inputs, self.function.outputs)

    def certify(
        self,
        operator: str,
        point: Mapping[str, Any],
        wrt: Sequence[str] | str | None = None,
        order: int = 1,
        *,
        tangent: Any = None,
        cotangent: Any = None,
        bits: int = 70,
        max_precision: int = 8192,
        condition: bool = False,
    ) -> Certified:
        """The operator's result at a point, see Certified.

        point: {input name: finite number or array of the input's shape}. wrt: inputs, all by default. order: of `derivative`,
        and of the directional derivative `jvp`.
        tangent (jvp, hvp): a value for each input in wrt, cotangent (vjp): for each output; a bare one, a sequence or a dict.
        Raises DomainError for values that are not finite, ShapeError for shapes that do not fit, Unsupported for a
        primitive without ball form.
        """
        f = self.function
        values = [_checked(f, i, _looked_up(f, i, point)) for i in f.inputs]
        chosen = _chosen(f, wrt)
        the_plan = plan(f, operator, chosen, order, tangent, cotangent)
        with _lock:
            run = _Run(Point(self.program, f.inputs, values), the_plan, bits, max_precision)
            for group in the_plan.groups:
                precision = run.certify(group)
                if condition:
                    run.sense(group, precision)
        sensitivity = run.sensitivity() if condition else None
        balls = [filled(entries, shape) for entries, shape in zip(run.balls, the_plan.shapes, strict=True)]
        return Certified(operator, run.blocks(run.values, float), balls, run.blocks(run.status, "<U10"), run.precision, sensitivity)

    def noise(
        self,
        point: Mapping[str, Any],
        digits: int = 53,
        operator: str = "value",
        wrt: Sequence[str] | str | None = None,
        order: int = 1,
        *,
        tangent: Any = None,
        cotangent: Any = None,
    ) -> list[Array]:
        """How far rounding every operation to this many binary digits may move each entry: a running error analysis.

        These are the radii of the balls that arithmetic of this precision ends with, so cancellation inside the formula
        counts, as a condition number with respect to the inputs does not. For a derivative the operations are those of
        the power series, so none of a rule. NaN where a ball is not finite.
        """
        f = self.function
        at = Point(self.program, f.inputs, [_checked(f, i, _looked_up(f, i, point)) for i in f.inputs])
        the_plan = plan(f, operator, _chosen(f, wrt), order, tangent, cotangent)
        radii = [np.full(shape, math.nan) for shape in the_plan.shapes]
        for group in the_plan.groups:
            with Arithmetic(digits, group.terms):
                balls = group.balls(at.along)
            for ball, places in zip(balls, group.places, strict=True):
                for block, index in places:
                    radii[block].flat[index] = float(ball.rad()) if ball.is_finite() else math.nan
        return radii


def certify(
    function: Function | Expr | str,
    operator: str,
    point: Mapping[str, Any],
    wrt: Sequence[str] | str | None = None,
    order: int = 1,
    **options: Any,
) -> Certified:
    """Reference(function).certify(...), for one point."""
    return Reference(function).certify(operator, point, wrt, order, **options)

"""The error that a method may make: its promise, times what the condition of the point turns it into."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..differentiators.stencils import Stencil, fornberg
from .accuracy import Truth
from .cell import Question
from .truth import FIRST, PARTS, Surroundings

Array = np.ndarray[Any, Any]

CONFIDENCE = 4.0
"""λ of Higham and Mary: rounding errors of N operations add up to more than λ √N u with probability below 2 exp(-λ²/2)."""
SWEEP = 5.0
"""Operations of a derivative per operation of the function: the cheap-gradient bound of Griewank and Walther."""
LEADING_TERMS = 2.0
"""What is left out of a truncation error, of higher order in the step, may be as large again as the terms that are counted."""
ELEMENTARY = 4.0
"""Balls grow by up to an ulp an operation; the functions of this library promise 4."""
COUNTED = 3
"""Terms of a truncation error that are counted."""


@runtime_checkable
class Differences(Protocol):
    """A method that takes differences of values, and promises the error that its stencils and steps have."""

    def stencil(self, order: int = 1) -> Stencil: ...
    def scales(self, x: Array) -> Array: ...
    def relative_step(self, order: int, precision: str = "float64") -> float: ...
    def expected_error(self, order: int = 1, precision: str = "float64") -> float: ...


def allowed(method: Any, question: Question, truth: Truth, near: Surroundings | None, point: int, primal_operations: int) -> Array:
    """The absolute error allowed to a method at each entry of the truth; NaN where it is not known.

    A method that promises differences with a truncation error gets `differences`, every other method `rounding`.
    """
    exact = rounding(truth, primal_operations, question.precision)
    if question.operator == "value" or not _truncates(method, question):
        return exact
    if near is None:
        return np.full(truth.values.shape, np.nan)
    values = int(np.prod(truth.shapes[0], dtype=np.int64)) if question.operator in PARTS else 0
    return np.concatenate([exact[:values], _Differences(method, question, near, point).allowed(truth.values[values:])])


def _truncates(method: Any, question: Question) -> bool:
    """Whether the method promises a truncation error: differences other than the complex step."""
    epsilon = float(np.finfo(question.precision).eps)
    return isinstance(method, Differences) and method.expected_error(1, question.precision) > epsilon


def orders_needed(methods: Sequence[Any], question: Question) -> int:
    """The orders of derivative that the bounds of these methods are made of; 0 if none of them truncates."""
    order = derivative_order(question)
    accuracies = [m.stencil(order).accuracy for m in methods if _truncates(m, question)]
    return order + max(accuracies) + COUNTED if accuracies and question.operator != "value" else 0


def leaves_promise(method: Any, question: Question, near: Surroundings, point: int) -> bool:
    """Whether some step of a difference is not small against the length over which f varies: its promise does not hold there."""
    if question.operator == "value" or not _truncates(method, question):
        return False
    found = _Differences(method, question, near, point)
    orders = {found.order, 1}
    firsts = [found.order + method.stencil(k).accuracy for k in orders]
    return any(bool(np.any(found._leaves_promise(i, first))) for i in range(len(near.lengths)) for first in firsts)


def derivative_order(question: Question) -> int:
    """1, 2 for hessian and hvp, the order asked for in derivative."""
    return {"derivative": question.order, "hessian": 2, "hvp": 2}.get(question.operator, 1)


def rounding(truth: Truth, primal_operations: int, precision: str = "float64") -> Array:
    """The absolute error allowed to a method that is exact but for rounding: λ √(5 n) ε (|D| + S), entry by entry.

    n: operations of the function, not of the method's derivative: a method gains nothing by doing more than 5 for each.
    S: the sensitivity Σ |x_j dD/dx_j|, so |D| + S is |D| (1 + condition number): what relative errors of ε in the
    inputs may do to any method. ε, twice the unit roundoff, since elementary functions err by up to an ulp.
    λ √N for the sum of N independent rounding errors: Higham and Mary, SIAM J. Sci. Comput. 41 (2019) A2815-A2835.
    To this comes N times the smallest subnormal, for results that underflow.
    """
    limits, operations = np.finfo(precision), SWEEP * primal_operations
    unit = CONFIDENCE * math.sqrt(operations) * float(limits.eps)
    return np.asarray(unit * np.abs(truth.values) + unit * truth.sensitivity + operations * float(limits.smallest_subnormal))


class _Differences:
    """The error allowed to differences: truncation, from the certified higher derivatives at the point, and rounding.

    A stencil with weights w and nodes m for the derivative of order k, at a step of h lengths, errs by
    Σ_{r >= k+p} h^(r-k) (Σ w m^r / r!) f^(r) from truncation; the first three terms are counted, twice, along each scaled
    direction. Values of f that err by e change it by up to e Σ|w| / h^k; e is ELEMENTARY
    times the radius that ball arithmetic of the same precision ends with. Mixed second derivatives have the truncation of each
    of their two differences (leading term, twice) and the product of their rounding factors.
    Where the Taylor term of f at distance h after those counted exceeds them all, h is not small against the length over
    which f varies: no truncation is allowed, since the method has left the ground of its promise.
    Where one of these quantities is beyond the largest float, no bound is known.
    """

    @np.errstate(all="ignore")
    def __init__(self, method: Differences, question: Question, near: Surroundings, point: int) -> None:
        q = question
        self.method, self.question, self.near = method, question, near
        self.order = derivative_order(q)
        self.step = method.relative_step(self.order, q.precision)
        self.noise = ELEMENTARY * near.noise + float(np.finfo(q.precision).smallest_subnormal)
        x = np.concatenate([np.ravel(q.points[point][n]) for n in q.wrt]).astype(np.float64)
        own = method.scales(x)
        if q.operator in ("jvp", "hvp"):
            tangent = np.concatenate([np.ravel(t) for t in q.directions["tangent"]])
            along = 1.0 / max(float(np.max(np.abs(tangent) / own, initial=0.0)), np.finfo(float).tiny)
            own = np.array([along]) if q.operator == "jvp" else np.append(own, along)
        self.h = self.step * own / near.lengths
        """The step along each direction, in units of the direction's length."""
        powers = np.array([[h**r / math.factorial(r) for r in range(near.single.shape[1])] for h in self.h])
        self.terms = np.abs(near.single) * powers[:, :, None]
        """[direction, r, output entry]: the Taylor terms of f at the distance of one step."""

    @np.errstate(all="ignore")
    def allowed(self, values: Array) -> Array:
        """For each entry of the truth, given its values; NaN where it is not known."""
        q, lengths = self.question, self.near.lengths
        floor = 4 * float(np.finfo(q.precision).eps) * np.abs(values)  # of the quotient itself
        n = len(lengths)
        if q.operator in ("derivative", "jvp"):
            result = self.along(0)
            for _ in range(self.order):  # one by one: a product of lengths may overflow
                result = result / lengths[0]
        elif q.operator in FIRST:
            table = np.array([self.along(i) / lengths[i] for i in range(n)])  # [entry of wrt, output entry]
            result = self._blocks(table)
        elif q.operator == "hvp":
            result = np.array([self.both(i, n - 1)[0] / lengths[i] / lengths[n - 1] for i in range(n - 1)])
        else:
            square = np.array([[self._second(i, j)[0] / lengths[i] / lengths[j] for j in range(n)] for i in range(n)])
            result = self._square(square)
        return np.where(np.isfinite(result), result + floor, np.nan)

    def along(self, i: int) -> Array:
        """For each output entry, of the derivative along a direction."""
        stencil, h = self.method.stencil(self.order), self.h[i]
        return np.asarray(self._truncation(stencil, i) + _size(stencil) * self.noise / h**self.order)

    def _truncation(self, stencil: Stencil, i: int) -> Array:
        k, first = stencil.order, stencil.order + stencil.accuracy
        total = sum(_moment(stencil, r) * math.factorial(r) * self.terms[i, r] for r in range(first, first + COUNTED)) / self.h[i] ** k
        return np.where(self._leaves_promise(i, first), 0.0, LEADING_TERMS * total)

    def _leaves_promise(self, i: int, first: int) -> Array:
        """For each output entry whether the first Taylor term that is not counted exceeds those that are; not where one is NaN."""
        end = first + COUNTED
        return np.asarray(self.terms[i, end] > np.max(self.terms[i, 1:end], axis=0))

    def both(self, i: int, j: int) -> Array:
        """For each output entry, of the mixed second derivative by a difference along i of differences along j."""
        stencil = self.method.stencil(1)
        p, c = stencil.accuracy, _moment(stencil, 1 + stencil.accuracy)
        mixed = self.near.mixed
        total = c * (self.h[j] ** p * np.abs(mixed[i, j][1 + p]) + self.h[i] ** p * np.abs(mixed[j, i][1 + p]))
        leaves = self._leaves_promise(i, 2 + p) | self._leaves_promise(j, 2 + p)
        return np.asarray(np.where(leaves, 0.0, LEADING_TERMS * total) + _size(stencil) ** 2 * self.noise / (self.h[i] * self.h[j]))

    def _second(self, i: int, j: int) -> Array:
        return self.along(i) if i == j else self.both(i, j)

    def _blocks(self, table: Array) -> Array:
        """A [entry of wrt, output entry] table in the order of the operator's blocks."""
        q = self.question
        if q.operator == "vjp":
            weights = np.concatenate([np.ravel(c) for c in q.directions["cotangent"]])
            return np.asarray(table @ np.abs(weights))
        outputs, inputs = [o.size for o in q.function.outputs], [q.function.input(n).size for n in q.wrt]
        rows = np.split(table.T, np.cumsum(outputs)[:-1])
        return np.concatenate([b.ravel() for row in rows for b in np.split(row, np.cumsum(inputs)[:-1], axis=1)])

    def _square(self, square: Array) -> Array:
        cuts = np.cumsum([self.question.function.input(n).size for n in self.question.wrt])[:-1]
        return np.concatenate([b.ravel() for rows in np.split(square, cuts) for b in np.split(rows, cuts, axis=1)])


def _moment(stencil: Stencil, r: int) -> float:
    """|Σ w m^r / r!|, the factor of h^(r-k) f^(r) in what the stencil gives."""
    total = sum(w * node**r for w, node in zip(fornberg(stencil.order, stencil.nodes), stencil.nodes, strict=True))
    return abs(float(total)) / math.factorial(r)


def _size(stencil: Stencil) -> float:
    """Σ |w|: what errors of the values are multiplied with, beside 1 / h^k."""
    return float(sum(abs(w) for w in fornberg(stencil.order, stencil.nodes)))

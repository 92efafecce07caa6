"""check_gradient, check_jacobian, check_hessian: a user's derivative held to the truth, or to honest differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dsl.function import Function
from ..errors import DiffCompareError, DomainError, ShapeError, Unsupported
from .diagnosis import Evidence, degenerate, kinds
from .graph import Untraceable, function_of
from .opaque import Opaque
from .result import UNDECIDED, WRONG, Check, Outcome
from .subject import Claim, Layout, Point, Subject, WrongClaim, claim, points
from .terms import derivatives
from .traced import Traced

Array = np.ndarray[Any, Any]

RESOLUTION = 1e-10
SECONDS = 20.0


def check_gradient(f: Any, grad: Any, at: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Check:
    """Whether grad is the gradient of f, a function of arrays or numbers that gives one number.

    f, grad: Python functions with the same arguments, Functions, expressions or text. grad gives an array of the shape of f's
    argument; for several arguments a sequence of them or a dict by name. at: an array or number for one argument, a tuple
    for several, a dict by name, or a list of these for several points. wrt: the arguments to differentiate by, all by
    default; others are passed on as they are.
    options: resolution, the relative error of an entry that must not go unseen (1e-10): where it could, the check is undecided.
    trace=False only evaluates f. seed, of random directions. seconds (20), about how long f is evaluated if it is not traced.

    Raises DiffCompareError, ShapeError or DomainError for an f or a point that cannot be checked. What is wrong
    with grad, exceptions included, is the result.
    """
    return _check("gradient", f, grad, at, wrt, **options)


def check_jacobian(f: Any, jac: Any, at: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Check:
    """Whether jac is the Jacobian of f, of shape output + input for each argument; else, at, wrt,
    options and errors included, as check_gradient."""
    return _check("jacobian", f, jac, at, wrt, **options)


def check_hessian(f: Any, hess: Any, at: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Check:
    """Whether hess is the Hessian of f, of shape input + input; for several arguments rows of blocks. Else, at, wrt, options
    and errors included, as check_gradient."""
    return _check("hessian", f, hess, at, wrt, **options)


OPERATORS: dict[str, Callable[..., Check]] = {"gradient": check_gradient, "jacobian": check_jacobian, "hessian": check_hessian}


def _check(
    operator: str,
    f: Any,
    derivative: Any,
    at: Any,
    wrt: str | Sequence[str] | None,
    *,
    resolution: float = RESOLUTION,
    trace: bool = True,
    seed: int = 0,
    seconds: float = SECONDS,
) -> Check:
    if not (isinstance(resolution, int | float) and 0 < resolution < 1):
        raise DiffCompareError(f"resolution is a relative error between 0 and 1, got {resolution!r}")
    if not (isinstance(seconds, int | float) and seconds > 0):
        raise DiffCompareError(f"seconds is a positive number, got {seconds!r}")
    function, claimed = Subject(f, "f"), Subject(derivative, operator)
    outcomes: list[Outcome] = []
    reasons: list[str] = []
    warnings: list[str] = []
    for point in points(function, at, wrt):
        job = _Job(operator, function, claimed, point, resolution, seed, seconds)
        outcomes.append(job.run(trace))
        reasons.append(job.why_not_traced)
        warnings += degenerate(point)
    why = next((r for r in reasons if r), "")
    return Check(operator, function.name, claimed.name, outcomes, float(resolution), why, tuple(dict.fromkeys(warnings)))


class _Job:
    """One point."""

    def __init__(self, operator: str, f: Subject, derivative: Subject, point: Point, target: float, seed: int, seconds: float) -> None:
        self.f, self.derivative, self.point = f, derivative, point
        self.target, self.seed, self.seconds = float(target), seed, seconds
        self.why_not_traced = ""
        self.values = f.values(point)
        if operator != "jacobian" and self.values.shape:
            raise ShapeError(
                f"{f.name} returned shape {self.values.shape} at the point; the {operator} is of one number, use check_jacobian"
            )
        if not np.all(np.isfinite(self.values)):
            raise DomainError(f"{f.name} is {self.values[~np.isfinite(self.values)][0]} at the point: choose one where it is finite")
        self.layout = Layout(f.name, operator, point.wrt, tuple(point.shapes), self.values.shape)

    def run(self, trace: bool) -> Outcome:
        try:
            claimed = claim(self.derivative, self.point, self.layout)
        except WrongClaim as wrong:
            return Outcome((), "", 0.0, problem=str(wrong))
        graph = self._graph(trace)
        if graph is not None:
            try:
                return self._traced(graph, claimed)
            except Unsupported as error:
                self.why_not_traced = str(error)
        return self._opaque(claimed)

    def _graph(self, trace: bool) -> Function | None:
        if not trace:
            self.why_not_traced = "trace=False was asked for"
            return None
        try:
            return function_of(self.f, self.point, self.values)
        except Untraceable as reason:
            self.why_not_traced = str(reason)
            return None

    def _traced(self, graph: Function, claimed: Claim) -> Outcome:
        judge = Traced(graph, self.point, claimed, self.derivative, self.target, self.seed)
        how = judge.run()
        truth, known = np.full(claimed.matrix.shape, np.nan), np.zeros(claimed.matrix.shape, bool)
        if judge.hint is not None:
            truth, known = judge.hint.copy(), np.isfinite(judge.hint)
        terms = None
        if self.layout.operator != "jacobian":
            terms = lambda: derivatives(graph, self.point, self.layout)  # noqa: E731
        return self._outcome(judge, claimed, f"traced: {how}", truth, known, terms)

    def _opaque(self, claimed: Claim) -> Outcome:
        judge = Opaque(self.f, self.point, claimed, self.values, self.target, self.seed, self.seconds)
        how = judge.run()
        shape = claimed.matrix.shape
        return self._outcome(judge, claimed, f"not traced: {how}", np.full(shape, np.nan), np.zeros(shape, bool), None)

    def _outcome(self, judge: Traced | Opaque, claimed: Claim, how: str, truth: Array, known: Array, terms: Any) -> Outcome:
        """The entries of a judge, and what mistake fits them. truth, known: what is known of entries beyond those judged."""
        wrong, tolerance = np.zeros(truth.shape, bool), np.zeros(truth.shape)
        entries = list(judge.entries.values())
        suspect = judge.suspect.copy() if isinstance(judge, Traced) else np.zeros(truth.shape, bool)
        for e in entries:
            cell = e.row, e.column
            truth[cell], known[cell], wrong[cell], tolerance[cell] = e.expected, e.verdict != UNDECIDED, e.verdict == WRONG, e.allowed
            suspect[cell] = wrong[cell]
        if np.any(wrong):
            wrong = suspect
        value = float(self.values) if not self.values.shape else None
        evidence = Evidence(self.layout, self.point, claimed.matrix, truth, wrong, known, tolerance, claimed.single, value, terms)
        warnings = list(judge.warnings)
        if claimed.single:
            warnings.append(f"{self.derivative.name} returned float32")
        if any(e.verdict == WRONG for e in entries) is False and not np.any(claimed.matrix):
            warnings.append("the whole claim is zero here: a stationary point shows few mistakes")
        return Outcome(entries, how, judge.resolution, judge.unseen, tuple(kinds(evidence)), tuple(warnings))

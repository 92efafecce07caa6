"""What the accuracy suite asks, and when an answer fails: the promise of each kind of method, derived from certified quantities."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..differentiate import engines, methods
from ..differentiators.base import Differentiator, Operator
from ..dsl.core import BUILT_IN, PRIMITIVES, input_
from ..dsl.elementwise import Elementwise
from ..dsl.function import Function
from ..errors import Unsupported
from ..measure.accuracy import Truth
from ..measure.bounds import ELEMENTARY, Differences, allowed, derivative_order, leaves_promise, orders_needed
from ..measure.cell import Question, leaves
from ..measure.plan import chosen, first_operator, fits, jobs
from ..measure.record import Measurement
from ..measure.run import Job, Limits, Session
from ..measure.sampling import sample, written
from ..measure.truth import Surroundings, certified
from ..problem import LIBRARY, Family, Problem, library
from ..reference import Reference
from ..registry import discover
from ..transforms.cost import cost

LIMITS = Limits(timeout_s=60.0, truth_s=120.0, timing_s=0.0)
QUICK = ("numpy", "python")
"""The engines that prepare a derivative at once; the others compile it for long."""
POINTS = 60
"""Random points of a function of the user's own; those that are listed, such as zeros and ends of the domain, come on top."""

VERDICTS = ("ok", "formula", "step", "estimate", "overconfident", "refused", "unjudged", "failed")
MEANING = {
    "ok": "within the bound of its method",
    "formula": "beyond it, within what rounding does to the terms of the formula itself",
    "estimate": "beyond the bound of exact methods, and within the error that the method itself estimates",
    "overconfident": "beyond both; an estimate is promised to hold at 99 of 100 points: one in a test passes, two fail",
    "step": "a difference whose step leaves the domain, or is not small against the length over which the function varies",
    "refused": "the method or the engine does not take the function",
    "unjudged": "the truth is not certified",
    "failed": "none of these",
}


# --- what is asked ---


@dataclass(frozen=True)
class Case:
    """One problem and operator: all methods on these engines, at all its points. slow: compiled for longer than it is worth daily."""

    problem: str
    operator: Operator
    engines: tuple[str, ...]
    slow: bool = False

    @property
    def id(self) -> str:
        return f"{self.problem}-{self.operator}" + ("" if self.engines == QUICK else "-compiled")

    def job(self) -> Job:
        """The case as a job for a Session."""
        own = [m for m in methods().values() if m.family != "peer"]  # other people's tools promise us nothing
        planned = jobs(chosen([self.problem]), full=True, methods=own, engines=list(self.engines))
        return next(j for j in planned if j.question.operator == self.operator)


def cases(patterns: Sequence[str] = ()) -> list[Case]:
    """Every operator that fits, of the problems that the patterns mean; without one, of the core and what plug-ins bring.

    On the engines that compile, operators other than the first of a problem are slow.
    """
    found = []
    compiling = tuple(n for n in engines() if n not in QUICK)
    for problem in chosen(patterns) if patterns else [*chosen([]), *brought()]:
        for operator in (o for o in Operator if fits(problem, o)):
            found += [Case(problem.name, operator, QUICK), Case(problem.name, operator, compiling, operator != first_operator(problem))]
    return list(dict.fromkeys(found))


def brought() -> list[Problem]:
    """The problems of plug-ins; a family at its default sizes."""
    own = discover(LIBRARY, (Problem, Family), plugins=False)
    return [e() if isinstance(e, Family) else e for name, e in library().items() if name not in own]


def own_functions() -> list[str]:
    """Functions of one or two numbers made with dc.primitive, in modules that are loaded; plug-ins of problems are."""
    brought()
    elementwise = [p for name, p in sorted(PRIMITIVES.items()) if name not in BUILT_IN and isinstance(p, Elementwise)]
    return [p.name for p in elementwise if p.arity in (1, 2) and not p.takes_bool]


def function_job(name: str, order: int) -> Job:
    """The first or second derivative of a function at points all over its domain, by each method that uses its own partials."""
    primitive = PRIMITIVES[name]
    assert isinstance(primitive, Elementwise)
    inputs = ("x", "y")[: primitive.arity]
    nodes = [input_(n) for n in inputs]
    f = Function(name, nodes, [primitive(*nodes)], True)
    points = list(sample(primitive, POINTS))
    labels = tuple(",".join(written(p)) for p in points)
    operator = ("gradient", "hessian")[order - 1]
    question = Question(f, operator, inputs, tuple(dict(zip(inputs, p, strict=True)) for p in points))
    who = tuple(methods()[n] for n in ("ad.forward", "ad.reverse", "symbolic"))
    return Job(name, question, who, tuple(engines()[n] for n in QUICK), labels, labels)


# --- the verdicts ---


def judged(session: Session, planned: Job) -> list[tuple[Measurement, str]]:
    """(record, verdict) of every method, engine and point; see MEANING."""
    by_name = {m.name: m for m in planned.methods}
    grounds = [_Ground(planned, k) for k in range(len(planned.labels))]
    place = {label: k for k, label in enumerate(planned.labels)}
    return [(r, _verdict(r, by_name[r.method], grounds[place[r.point]])) for r in session.run([planned], LIMITS)]


def failures(found: Sequence[tuple[Measurement, str]]) -> list[str]:
    """What is to be said of those that fail; among them methods whose estimate did not hold at two points or more."""
    wrong = Counter((r.method, r.engine) for r, verdict in found if verdict == "overconfident")
    return [
        f"{r.method} on {r.engine} at {r.point}: {r.status}, {r.message}"
        for r, verdict in found
        if verdict == "failed" or (verdict == "overconfident" and wrong[r.method, r.engine] > 1)
    ]


def _verdict(record: Measurement, method: Differentiator, ground: _Ground) -> str:
    if record.status in ("ok", "unjudged"):
        return record.status
    if record.status in ("unsupported", "too_large"):
        return "refused"
    if record.status not in ("inaccurate", "nan"):
        return "failed"
    if ground.explains(record, method):
        return "formula"
    honest = ground.estimated(record, method)
    if honest is not None:
        return "estimate" if honest else "overconfident"
    return "step" if isinstance(method, Differences) and ground.step_leaves(method) else "failed"


class _Ground:
    """Certified quantities at one point of a job that tell why an answer is beyond its bound; computed when one is."""

    def __init__(self, planned: Job, point: int) -> None:
        q = planned.question
        self.question = Question(q.function, q.operator, q.wrt, (q.points[point],), q.order, q.precision, q.directions)
        self.orders = orders_needed(planned.methods, q)
        self.at = q.points[point]

    @cached_property
    def reference(self) -> Reference:
        return Reference(self.question.function)

    @cached_property
    def truth(self) -> Truth:
        """With sensitivities, which come second."""
        return [found for _, found in certified(self.question, 0) if isinstance(found, Truth)][-1]

    @cached_property
    def near(self) -> Surroundings | None:
        return next((found for _, found in certified(self.question, self.orders) if isinstance(found, Surroundings)), None)

    @cached_property
    def noise(self) -> Any:
        """For each entry what rounding the operations of the formula may do to it: a running error analysis."""
        q = self.question
        operators = ("value", "gradient") if q.operator == "value_and_gradient" else (q.operator,)
        blocks = [b for o in operators for b in self.reference.noise(self.at, operator=o, wrt=q.wrt, order=q.order, **_along(q, o))]
        return np.concatenate([np.ravel(b) for b in blocks])

    def explains(self, record: Measurement, method: Differentiator) -> bool:
        """Whether all that is beyond the bound of the method may come of rounding the operations of the function's own formula.

        Of a large result the record holds the first entries and the worst, which are looked at.
        """
        if record.status != "inaccurate" or record.undefined_finite or record.worst_value is None or record.worst_truth is None:
            return False
        operations = max(cost(self.question.function).operations, 1)
        bound = np.fmax(ELEMENTARY * self.noise, allowed(method, self.question, self.truth, self.near, 0, operations))
        held, known = np.array(record.value), self.truth.status[: len(record.value)] == "ok"
        errors = np.abs(held - self.truth.values[: held.size])[known]
        worst = abs(record.worst_value - record.worst_truth) <= bound[record.worst]
        return bool(worst and np.all(errors <= bound[: held.size][known]))

    def estimated(self, record: Measurement, method: Differentiator) -> bool | None:
        """Whether the error is within the method's own estimate at the worst entry; None for a method that makes none."""
        q = self.question
        prepared = method.prepare(q.function, q.operator, engines()[record.engine], q.wrt or None, order=q.order)
        along = {keyword: parts[0] if len(parts) == 1 else tuple(parts) for keyword, parts in q.directions.items()}
        try:
            estimate = prepared.estimate(*(self.at[n] for n in q.function.names), **along)
        except Unsupported:
            return None
        if record.worst is None or record.worst_value is None or record.worst_truth is None:
            return False
        error = np.concatenate([np.ravel(b) for b in leaves(estimate.error)])[record.worst]
        return bool(abs(record.worst_value - record.worst_truth) <= error)

    def step_leaves(self, method: Differences) -> bool:
        """Whether a step leaves the domain, or is too long for the function at the point."""
        q = self.question
        x = np.concatenate([np.ravel(self.at[n]) for n in q.wrt]).astype(np.float64)
        order = derivative_order(q)
        if method.expected_error(order) <= np.finfo(float).eps:
            return False
        nodes = [float(n) for k in {1, order} for n in method.stencil(k).nodes]
        reach = 2 * method.relative_step(order) * method.scales(x)  # differences of differences go twice as far
        moves = itertools.product(range(x.size), {min(nodes), max(nodes)})
        if any(not self._defined(x + np.eye(x.size)[i] * reach[i] * node) for i, node in moves):
            return True
        return self.near is not None and leaves_promise(method, q, self.near, 0)

    def _defined(self, flat: Any) -> bool:
        q = self.question
        sizes = [q.function.input(n).size for n in q.wrt]
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        moved = {n: part.reshape(q.function.input(n).shape) for n, part in zip(q.wrt, parts, strict=True)}
        return self.reference.certify("value", {**self.at, **moved}).ok


def _along(question: Question, operator: str) -> dict[str, Any]:
    return dict(question.directions) if operator in ("jvp", "vjp", "hvp") else {}


# --- the table at the end of a run ---


def counts(found: Iterable[tuple[Measurement, str]]) -> list[tuple[str, str, str, int, float]]:
    """(method, engine, verdict, how many, the largest share of the bound that was used) of one case, for the summary."""
    kept: Counter[tuple[str, str, str]] = Counter()
    largest: dict[tuple[str, str, str], float] = {}
    for record, verdict in found:
        key = record.method, record.engine, verdict
        kept[key] += 1
        largest[key] = max(largest.get(key, 0.0), record.error_over_bound or 0.0)
    return [(*key, n, largest[key]) for key, n in kept.items()]


def summary(rows: Iterable[Sequence[Any]]) -> list[str]:
    """Lines of a table: for each method and engine how many answers had which verdict, and how much of the bound was used at most."""
    table: dict[tuple[str, str], Counter[str]] = {}
    used: dict[tuple[str, str], float] = {}
    for method, engine, verdict, n, over in rows:
        table.setdefault((method, engine), Counter())[verdict] += n
        if verdict == "ok":
            used[method, engine] = max(used.get((method, engine), 0.0), over)
    shown = [v for v in VERDICTS if any(c[v] for c in table.values())]
    cells = [["method", "engine", *shown, "bound used"]]
    cells += [[*key, *(str(table[key][v] or "") for v in shown), f"{100 * used.get(key, 0.0):.0f}%"] for key in sorted(table)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(cells[0]))]
    lines = ["  ".join(c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True))) for line in cells]
    return [*lines, *(f"{v}: {MEANING[v]}" for v in shown)]

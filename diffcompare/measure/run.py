"""Problems x operators x methods x engines x points -> records.

Methods run in one worker process, the reference in another; nothing that happens there stops the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import numpy as np

from ..differentiators.base import Differentiator
from ..engines.base import Engine
from ..errors import DiffCompareError
from ..transforms.cost import Cost, cost
from .accuracy import Judgement, Truth, judge
from .bounds import allowed, orders_needed
from .cell import Answer, Finished, Prepared, Question, Refusal, measure
from .environment import environment
from .interleaved import Samples, Timeable, interleaved
from .record import Measurement, Store, kept
from .rounds import batch_points
from .truth import Surroundings, certified
from .worker import LONGEST_S, MEMORY, Died, Hung, Raised, Worker

Cell = tuple[Differentiator, Engine]
STEPS = 2
"""Of progress in a cell: it answers, it is timed."""


@dataclass(frozen=True)
class Limits:
    """timeout_s: seconds for one method on one engine, all points; truth_s: for the reference, all points of a question;
    timing_s: for timing each phase of one method on one engine, 0 for no timing. Raises DiffCompareError for what is no such number.
    """

    timeout_s: float = 10.0
    truth_s: float = 30.0
    timing_s: float = 0.01

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = "at least 0" if name == "timing_s" else "above 0"
            if not isinstance(value, int | float) or not 0 <= value <= LONGEST_S or (value == 0 and name != "timing_s"):
                raise DiffCompareError(f"{name} is a number of seconds {least} and at most {LONGEST_S:g}, got {value!r}")


@dataclass(frozen=True)
class Job:
    """A question put to methods on engines. problem, source, labels, at: how its records name it and its points.

    batch: whether a batch of points is timed as well.
    """

    problem: str
    question: Question
    methods: tuple[Differentiator, ...]
    engines: tuple[Engine, ...]
    labels: tuple[str, ...]
    at: tuple[str, ...]
    source: str = ""
    batch: bool = True

    @property
    def cells(self) -> list[Cell]:
        """Every method on every engine; one that names an engine as its `home`, as other people's tools do, on that one only
        (on all if its home is not among them: their refusals say so).
        """
        named = {e.name for e in self.engines}
        homes = {m.name: home if (home := getattr(m, "home", "")) in named else "" for m in self.methods}
        return [(m, e) for m in self.methods for e in self.engines if homes[m.name] in ("", e.name)]

    def keys(self, method: Differentiator, engine: Engine) -> set[tuple[str, ...]]:
        """The keys of a cell's records, one for each point."""
        return {self.blank(method, engine, k).key for k in range(len(self.labels))}

    def title(self, method: Differentiator, engine: Engine) -> str:
        """What runs, in one line."""
        return f"{self.question.operator} of {self.problem} by {method.name} on {engine.name}"

    def blank(self, method: Differentiator, engine: Engine, point: int) -> Measurement:
        """The record of a cell at a point before anything has happened."""
        q = self.question
        return Measurement(
            problem=self.problem,
            source=self.source,
            operator=str(q.operator),
            order=q.order,
            wrt=",".join(q.wrt),
            method=method.name,
            family=method.family,
            engine=engine.name,
            precision=q.precision,
            point=self.labels[point],
            at=self.at[point],
            status="failed",
            message="not measured",
        )


@dataclass
class _Ground:
    """What is known of a job before any method runs: the truth by point, or why there is none."""

    cost: Cost
    truths: dict[int, Truth] = field(default_factory=dict)
    near: dict[int, Surroundings] = field(default_factory=dict)
    reason: str = ""

    @property
    def operations(self) -> int:
        """Of the function, at least 1."""
        return max(self.cost.operations, 1)


@dataclass
class _Attempt:
    """One cell so far: its records, one for each point, and what timing it needs to know if it has answered at every point."""

    records: list[Measurement]
    timeable: Timeable | None = None


class Session:
    """The two worker processes, started at first use and kept from one run to the next; close() ends them.

    memory: bytes that each may take.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self.bench = Worker(memory)
        self.court = Worker(memory)
        self._jobs = 0

    def run(
        self,
        jobs: Sequence[Job],
        limits: Limits,
        store: Store | None = None,
        done: Set[tuple[str, ...]] = frozenset(),
        told: Callable[[str, int], None] = lambda title, steps: None,
    ) -> Iterator[Measurement]:
        """The measurements as they come, each in the store before it is handed out.

        A question's methods answer one after another, then they are timed by turns: what cannot be timed comes first.
        done: keys measured before, which are not given again; cells that they cover are skipped. told: what runs next, and how many steps have
        been taken since the last word; a cell has STEPS.
        """
        here = environment()
        if store is not None:
            store.add(here)
        self.bench.start()
        self.court.start()
        for job in jobs:
            for record in self._job(job, limits, [c for c in job.cells if not job.keys(*c) <= done], told):
                if record.key in done:  # an interrupted run kept some points of the cell
                    continue
                stamped = replace(record, environment=here.id, timeout_s=limits.timeout_s)
                if store is not None:
                    store.add(stamped)
                yield stamped

    def _job(self, job: Job, limits: Limits, cells: Sequence[Cell], told: Callable[[str, int], None]) -> Iterator[Measurement]:
        if not cells:
            return
        told(f"the truth of {job.problem}", 0)
        ground = self._ground(job, limits)
        self._jobs += 1
        waiting: dict[int, _Attempt] = {}
        for k, (method, engine) in enumerate(cells):
            told(job.title(method, engine), 0)
            attempt = self._cell(job, method, engine, ground, limits, k)
            told("", 1)
            if attempt.timeable is not None and limits.timing_s > 0:
                waiting[k] = attempt
            else:
                yield from attempt.records
                told("", STEPS - 1)
        if waiting:
            told(f"timing {job.question.operator} of {job.problem}, {len(waiting)} methods by turns", 0)
            timeable = {k: a.timeable for k, a in waiting.items() if a.timeable is not None}
            found = interleaved(self.bench, job.question, self._jobs, timeable, limits.timing_s, limits.timeout_s, job.batch)
            for k, attempt in waiting.items():
                attempt.records[0] = _with_times(attempt.records[0], found[k], found[timeable[k].dispatch], job.question)
                yield from attempt.records
                told("", STEPS - 1)

    def close(self) -> None:
        """End both processes."""
        self.bench.stop()
        self.court.stop()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ground(self, job: Job, limits: Limits) -> _Ground:
        ground = _Ground(cost(job.question.function))
        try:
            for k, found in self.court.run(limits.truth_s, certified, job.question, orders_needed(job.methods, job.question)):
                if isinstance(found, Truth):
                    ground.truths[k] = found
                else:
                    ground.near[k] = found
        except Hung:
            ground.reason = f"certifying took longer than {limits.truth_s:g} s"
        except (Died, Raised) as error:
            ground.reason = f"not certified: {error}"
        return ground

    def _cell(self, job: Job, method: Differentiator, engine: Engine, ground: _Ground, limits: Limits, number: int) -> _Attempt:
        """One record for each point. What runs out of memory beside other cells is given a process of its own."""
        arguments = (job.question, method, engine, (self._jobs, number))
        events, end = self._events(limits, *arguments)
        if end.status == "too_large" and number and not any(isinstance(e, Refusal) for e in events):
            events, end = self._events(limits, *arguments)
        shared: dict[str, Any] = {"primal_operations": ground.operations}
        first: dict[str, Any] = {}
        answers: dict[int, Answer] = {}
        timeable = None
        for event in events:
            if isinstance(event, Prepared):
                shared |= {"derive_s": _clock(event.derive_s), "compile_s": _clock(event.compile_s)}
                shared |= {"operations": None if event.cost is None else event.cost.operations, "calls": event.calls}
                first |= _costs(event.cost, ground.cost)
            elif isinstance(event, Answer):
                answers[event.point] = event
                first = {"first_call_s": _clock(event.seconds), **first}
            elif isinstance(event, Finished):
                first |= {"peak_bytes": event.peak}
                calls = [a.seconds for a in answers.values()]
                once = shared["derive_s"] + shared["compile_s"] + calls[0]
                timeable = Timeable(method, engine, event.dispatch, min(calls), once)
        records = []
        for k in range(len(job.labels)):
            record = replace(job.blank(method, engine, k), **shared)
            verdict = _judged(job, method, answers[k], ground, k) if k in answers else {"status": end.status, "message": end.message}
            records.append(replace(record, **verdict))
        records[0] = replace(records[0], **first)
        return _Attempt(records, timeable)

    def _events(self, limits: Limits, *arguments: Any) -> tuple[list[Any], Refusal]:
        """What a cell said, and how it ended if not well."""
        events: list[Any] = []
        end = Refusal("failed", "the method gave no answer")
        try:
            for event in self.bench.run(limits.timeout_s, measure, *arguments):
                events.append(event)
                if isinstance(event, Refusal):
                    end = event
        except (Hung, Died, Raised) as error:
            end = _ending(error, limits, self.bench.memory)
        return events, end


def _with_times(record: Measurement, found: Samples, nothing: Samples, question: Question) -> Measurement:
    """The record with its samples; the preparation and first call that it has are the first of theirs."""
    first = (("derive_s", found.derive), ("compile_s", found.compile), ("first_call_s", found.first_call))
    phases: dict[str, Any] = {f"{n[:-2]}_samples_s": (getattr(record, n), *map(_clock, more)) for n, more in first}
    if found.call:
        phases |= {"call_s": _clock(min(found.call)), "call_median_s": _clock(median(found.call))}
        phases |= {"call_samples_s": tuple(map(_clock, found.call)), "calls_per_sample": found.calls}
    if found.batch:
        phases |= {"batch_point_s": _clock(min(found.batch)), "batch_samples_s": tuple(map(_clock, found.batch))}
        phases |= {"batch_points": batch_points(question)}
    if nothing.call:
        phases["overhead_s"] = _clock(min(nothing.call))
    return replace(record, **phases, message=record.message or found.trouble)


def _costs(own: Cost | None, primal: Cost) -> dict[str, Any]:
    if own is None:
        return {}
    weighted = {"weighted_operations": own.weighted(), "primal_weighted_operations": primal.weighted()}
    return weighted | {"peak_values": own.peak, "primal_peak_values": primal.peak}


def _clock(seconds: float) -> float:
    """Seconds to four digits: more than any clock here can tell."""
    return float(f"{seconds:.4g}")


def _ending(error: Hung | Died | Raised, limits: Limits, memory: int) -> Refusal:
    """The status of a cell whose process was lost."""
    if isinstance(error, Hung):
        return Refusal("timeout", f"no answer within {limits.timeout_s:g} s")
    if isinstance(error, Raised) and error.kind == "MemoryError":
        return Refusal("too_large", f"needs more than {memory / 2**30:.3g} GiB of memory" + (f": {error}" if str(error) else ""))
    if isinstance(error, Raised):
        return Refusal("failed", f"{error.kind}: {error}")
    return Refusal("failed", str(error))


def _judged(job: Job, method: Differentiator, answer: Answer, ground: _Ground, k: int) -> dict[str, Any]:
    """The verdict's fields."""
    if k not in ground.truths:
        flat = [v for b in answer.blocks for v in np.ravel(b).tolist()]
        return vars(Judgement("unjudged", ground.reason, kept(flat), len(flat)))
    truth = ground.truths[k]
    bound = allowed(method, job.question, truth, ground.near.get(k), k, ground.operations)
    verdict = judge(answer.blocks, truth, bound, job.question.precision)
    if verdict.status == "unjudged" and ground.reason:
        verdict = replace(verdict, message=ground.reason)
    return vars(verdict)

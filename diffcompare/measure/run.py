"""Problems x operators x methods x engines x points -> records.

Methods run in one worker process, the reference in another; nothing that happens there stops the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..differentiators.base import Differentiator
from ..engines.base import Engine
from ..errors import DiffCompareError
from ..transforms.cost import cost
from .accuracy import Judgement, Truth, judge
from .bounds import allowed, orders_needed
from .cell import Answer, Prepared, Question, Refusal, Timed, measure
from .environment import environment
from .record import Measurement, Store, kept
from .truth import Surroundings, certified
from .worker import MEMORY, Died, Hung, Raised, Worker


@dataclass(frozen=True)
class Limits:
    """timeout_s: seconds for one method on one engine, all points; truth_s: for the reference, all points of a question;
    timing_s: for timing one steady call, 0 for none. Raises DiffCompareError for what is no such number.
    """

    timeout_s: float = 10.0
    truth_s: float = 30.0
    timing_s: float = 0.02

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = "at least 0" if name == "timing_s" else "above 0"
            if not isinstance(value, int | float) or not 0 <= value < math.inf or (value == 0 and name != "timing_s"):
                raise DiffCompareError(f"{name} is a number of seconds {least}, got {value!r}")


@dataclass(frozen=True)
class Job:
    """A question put to methods on engines. problem, source, labels, at: how its records name it and its points."""

    problem: str
    question: Question
    methods: tuple[Differentiator, ...]
    engines: tuple[Engine, ...]
    labels: tuple[str, ...]
    at: tuple[str, ...]
    source: str = ""

    @property
    def cells(self) -> list[tuple[Differentiator, Engine]]:
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

    truths: dict[int, Truth] = field(default_factory=dict)
    near: dict[int, Surroundings] = field(default_factory=dict)
    reason: str = ""
    operations: int = 0


class Session:
    """The two worker processes, started at first use and kept from one run to the next; close() ends them.

    memory: bytes that each may take.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self.bench = Worker(memory)
        self.court = Worker(memory)

    def run(
        self,
        jobs: Sequence[Job],
        limits: Limits,
        store: Store | None = None,
        done: Set[tuple[str, ...]] = frozenset(),
        starting: Callable[[Job, Differentiator, Engine], None] = lambda job, method, engine: None,
    ) -> Iterator[Measurement]:
        """The measurements as they come, each in the store before it is handed out.

        done: keys measured before, which are skipped where they cover a cell. starting: told what runs next.
        """
        here = environment()
        if store is not None:
            store.add(here)
        self.bench.start()
        self.court.start()
        for job in jobs:
            cells = [c for c in job.cells if not job.keys(*c) <= done]
            ground = self._ground(job, limits) if cells else _Ground()
            for method, engine in cells:
                starting(job, method, engine)
                for record in self._cell(job, method, engine, ground, limits):
                    stamped = replace(record, environment=here.id, timeout_s=limits.timeout_s)
                    if store is not None:
                        store.add(stamped)
                    yield stamped

    def close(self) -> None:
        """End both processes."""
        self.bench.stop()
        self.court.stop()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ground(self, job: Job, limits: Limits) -> _Ground:
        ground = _Ground(operations=max(cost(job.question.function).operations, 1))
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

    def _cell(self, job: Job, method: Differentiator, engine: Engine, ground: _Ground, limits: Limits) -> list[Measurement]:
        """One record for each point."""
        shared: dict[str, Any] = {"primal_operations": ground.operations}
        first: dict[str, Any] = {}
        answers: dict[int, Answer] = {}
        end = Refusal("failed", "the method gave no answer")
        arguments = (job.question, method, engine, limits.timing_s, limits.timeout_s)
        try:
            for event in self.bench.run(limits.timeout_s, measure, *arguments):
                if isinstance(event, Prepared):
                    shared |= {"derive_s": _clock(event.derive_s), "compile_s": _clock(event.compile_s)}
                    shared |= {"operations": event.operations, "calls": event.calls}
                elif isinstance(event, Answer):
                    answers[event.point] = event
                    first = first or {"first_call_s": _clock(event.seconds)}
                elif isinstance(event, Timed):
                    t = event.timing
                    first |= {"call_s": _clock(t.best), "call_median_s": _clock(t.median)}
                    first |= {"call_samples_s": tuple(map(_clock, t.samples)), "calls_per_sample": t.calls}
                elif isinstance(event, Refusal):
                    end = event
        except (Hung, Died, Raised) as error:
            end = _ending(error, limits, self.bench.memory)
        records = []
        for k in range(len(job.labels)):
            record = replace(job.blank(method, engine, k), **shared, **(first if k == 0 else {}))
            verdict = _judged(job, method, answers[k], ground, k) if k in answers else {"status": end.status, "message": end.message}
            records.append(replace(record, **verdict))
        return records


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

"""audit: certify, ask everyone, judge. Each lane of contestants has a process of its own, and so has the reference."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...differentiators.base import Differentiator
from ...engines.base import Engine
from ...errors import DiffCompareError
from ..cell import Refusal
from ..environment import environment
from ..sampling import read
from ..worker import LONGEST_S, Died, Hung, Raised, Worker
from .plan import VALUE, Contestant, Subject, contestants, subjects
from .result import Audit
from .rows import Edge, Row, edges, row
from .work import Answers, Truths, answers, certified

Progress = Callable[[int, int, str], None]


def audit(
    libraries: str | Sequence[str] | None = None,
    functions: str | Sequence[str] | None = None,
    orders: Sequence[int] = (0, 1, 2),
    *,
    methods: str | Differentiator | Sequence[str | Differentiator] | None = None,
    engines: str | Engine | Sequence[str | Engine] | None = None,
    points: int | Iterable[Any] = 300,
    seed: int = 0,
    timeout: float = 60.0,
    isolated: bool = True,
    progress: Progress = lambda done, total, what: None,
) -> Audit:
    """How accurate everyone's values (order 0), first and second derivatives of elementwise functions are.

    libraries: names such as "jax", or "all"; jax by default. orders: of those three, which. functions: names, by default every function of one or two
    numbers. methods, engines: names, patterns or objects; ad.* and symbolic on all engines by default, "fd.*" may be asked.
    points: how many are drawn of each function (a few more are listed, see sampling), or the points themselves. seed: of
    the drawing. Errors are in ulp, digits lost in bits of 64.
    timeout: seconds for one process with one function. isolated=False computes in this process, without timeout.
    progress: told (done, total, what) as the work goes on. What goes wrong in a process is the status of its rows.

    Raises DiffCompareError for names that are none and points that are no numbers.
    """
    started = time.perf_counter()
    asked_orders = _checked(orders)
    plan = subjects(functions, points, seed)
    asked = contestants(libraries, methods, engines, asked_orders)
    if not 0 < timeout <= LONGEST_S:
        raise DiffCompareError(f"timeout is a positive number of seconds, at most {LONGEST_S:g}, got {timeout!r}")
    crew = _Crew(plan, asked, asked_orders, timeout, progress)
    crew.here() if not isolated else crew.in_processes()
    rows, found = crew.judged()
    seconds = time.perf_counter() - started
    count = points if isinstance(points, int) else 0
    return Audit(rows, found, {s.name: s.sample for s in plan}, environment(), count, seed, seconds)


def replay(text: str, isolated: bool = True) -> Audit:
    """One answer beside its truth: "tanh 1 peer.jax jax 0x1.4p+4", as the rows of an audit print it.

    Raises DiffCompareError for a text that is no such command.
    """
    parts = text.split()
    if len(parts) != 5 or parts[1] not in ("0", "1", "2"):
        raise DiffCompareError(f"a replay reads like 'tanh 1 peer.jax jax 0x1.4p+4': function, order, method, engine, point; got {text!r}")
    name, order, method, engine, at = parts
    libraries, methods = ([method], []) if method.startswith("peer.") else ([], [method])
    if method == VALUE:
        methods = []
    return audit(libraries, name, (int(order),), methods=methods, engines=engine, points=[read(at.split(","))], isolated=isolated)


def _checked(orders: Sequence[int]) -> tuple[int, ...]:
    if not orders or any(o not in (0, 1, 2) for o in orders):
        raise DiffCompareError(f"an audit is of orders 0 (the value), 1 and 2, got {', '.join(map(str, orders)) or 'none'}")
    return tuple(sorted(set(orders)))


@dataclass
class _Crew:
    """An audit while it runs: what was asked, and what has come in, by (function, contestant, order) and (function, order)."""

    plan: list[Subject]
    asked: list[Contestant]
    orders: tuple[int, ...]
    timeout_s: float
    progress: Progress
    answered: dict[tuple[str, int, int], Answers | Refusal] = field(default_factory=dict)
    truths: dict[tuple[str, int], Truths] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    done: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def lanes(self) -> dict[str, list[int]]:
        """The contestants, by index, of each process; those that compile for long come first."""
        found: dict[str, list[int]] = {}
        for k, contestant in enumerate(self.asked):
            found.setdefault(contestant.lane, []).append(k)
        return dict(sorted(found.items(), key=lambda lane: lane[0] == "ours"))

    def here(self) -> None:
        """Everything in this process."""
        for subject in self.plan:
            self._certify(subject, certified(subject.function, subject.columns, self.orders))
            for lane in self.lanes.values():
                self._answer(subject, lane, answers(subject.function, subject.columns, [self.asked[k] for k in lane]))

    def in_processes(self) -> None:
        """Each lane and the reference in a process of its own, as many at a time as there are cores."""
        tasks: list[Callable[[], None]] = [*(partial(self._lane, lane) for lane in self.lanes.values()), self._court]
        with ThreadPoolExecutor(min(len(tasks), max(2, os.cpu_count() or 1))) as pool:
            try:
                for ended in as_completed([pool.submit(task) for task in tasks]):
                    ended.result()
            except BaseException:
                self.stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _lane(self, lane: list[int]) -> None:
        with Worker() as worker:
            for subject in self.plan:
                if not self.stopped.is_set():
                    asked = [self.asked[k] for k in lane]
                    self._answer(subject, lane, worker.run(self.timeout_s, answers, subject.function, subject.columns, asked))

    def _court(self) -> None:
        with Worker() as worker:
            for subject in self.plan:
                if not self.stopped.is_set():
                    self._certify(subject, worker.run(self.timeout_s, certified, subject.function, subject.columns, self.orders))

    def _answer(self, subject: Subject, lane: list[int], replies: Iterator[tuple[int, int, Answers | Refusal]]) -> None:
        """The replies of one task into `answered`; where it ends early, its end is the answer of those who had no turn."""
        end = Refusal("failed", "the method gave no answer")
        try:
            for k, order, answer in replies:
                self.answered[subject.name, lane[k], order] = answer
        except Hung:
            end = Refusal("timeout", f"no answer within {self.timeout_s:g} s")
        except (Died, Raised) as error:
            end = Refusal("failed", str(error))
        for k in lane:
            for order in self.asked[k].orders:
                self.answered.setdefault((subject.name, k, order), end)
        self._step(f"{subject.name}: {self.asked[lane[0]].lane}")

    def _certify(self, subject: Subject, replies: Iterator[tuple[int, Truths]]) -> None:
        try:
            for order, truths in replies:
                self.truths[subject.name, order] = truths
        except Hung:
            self.reasons[subject.name] = f"certifying took longer than {self.timeout_s:g} s"
        except (Died, Raised) as error:
            self.reasons[subject.name] = f"not certified: {error}"
        self._step(f"{subject.name}: certified")

    def _step(self, what: str) -> None:
        self.done += 1
        self.progress(self.done, len(self.plan) * (len(self.lanes) + 1), what)

    def judged(self) -> tuple[list[Row], list[Edge]]:
        rows: list[Row] = []
        found: list[Edge] = []
        for subject in self.plan:
            for order in self.orders:
                truths: Truths | str = self.truths.get((subject.name, order)) or self.reasons[subject.name]
                given = {}
                for k, contestant in enumerate(self.asked):
                    if order in contestant.orders:
                        answer = self.answered[subject.name, k, order]
                        made = row(subject, contestant, order, answer, truths)
                        rows.append(made)
                        if isinstance(answer, Answers) and isinstance(truths, Truths) and answer.values.shape == truths.values.shape:
                            given[made.method, made.engine] = answer.values
                if isinstance(truths, Truths):
                    found += edges(subject, order, given, truths, list(given))
        return rows, found

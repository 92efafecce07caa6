"""What happens inside the worker process when the methods of one question are timed, turn by turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from ..differentiators.base import Derivative, Differentiator, Operator, Request
from ..engines.base import Engine
from .cell import Question, arguments, kept, prepared
from .null import null_call
from .speed import SAMPLES, Repeated, collector_parked

Array = np.ndarray[Any, Any]
Phase = Literal["prepare", "call", "batch"]

BATCH = 1000
"""Points of a batch, fewer where they and their results would be more than BATCH_ENTRIES numbers."""
BATCH_ENTRIES = 2**18
LOOPED_S = 0.25
"""A batch is timed where taking it point by point, as a method may, would take no longer."""
TRIES = 5
"""Calls of which the least tells how long one takes, whatever interrupts the others."""


class Turn(NamedTuple):
    """One sample to take. cell: a number of a cell, or a dispatch (see null.DISPATCHES) for the call that does nothing."""

    cell: int | str
    phase: Phase


@dataclass(frozen=True)
class Sample:
    """What a turn gave. seconds: (of one call,), of a batch for each point, or to (derive, compile, call first); empty where there
    are samples enough. calls: that the sample is the mean of. trouble: what was raised; the turns after it are empty.
    """

    seconds: tuple[float, ...] = ()
    calls: int = 1
    trouble: str = ""


def batch_points(question: Question) -> int:
    """The points of a batch for this question, the same for every method; 1 where one point is as much as a batch."""
    f = question.function
    wrt = tuple(f.input(n) for n in question.wrt)
    blocks = Request(f, Operator(question.operator), wrt, question.order).blocks
    entries = sum(i.size for i in f.inputs) + sum(int(np.prod(b, dtype=np.int64)) for b in blocks)
    return max(1, min(BATCH, BATCH_ENTRIES // max(entries, 1)))


def rounds(
    question: Question,
    cells: Mapping[int, tuple[Differentiator, Engine]],
    job: int,
    turns: Sequence[Turn],
    budget_s: float,
) -> Iterator[Sample]:
    """One Sample for each turn, in order. budget_s: for all samples of one phase of one cell, half of it for preparing again.

    A cell that this process has not prepared, since the one that had was lost, is prepared first, which no sample counts.
    """
    samplers: dict[Turn, Callable[[], Sample]] = {}
    for turn in turns:
        try:
            if turn not in samplers:
                samplers[turn] = _sampler(question, cells, job, turn, budget_s)
            yield samplers[turn]()
        except MemoryError:
            raise
        except Exception as error:  # whatever a method raises is its answer
            yield Sample(trouble=f"{type(error).__name__}: {error}")
            samplers[turn] = Sample


def _sampler(
    question: Question, cells: Mapping[int, tuple[Differentiator, Engine]], job: int, turn: Turn, budget_s: float
) -> Callable[[], Sample]:
    values, along = arguments(question, 0)
    if isinstance(turn.cell, str):
        return partial(_repeated, Repeated(null_call(question, turn.cell, values, along), budget_s), 1)
    method, engine = cells[turn.cell]
    if turn.phase == "prepare":
        return _Preparations(question, method, engine, budget_s / 2)
    found = kept((job, turn.cell))
    derivative = found or prepared(question, method, engine)
    call = partial(derivative, *values, **along)
    if found is None:
        call()  # an engine may compile at the first call
    if turn.phase == "call":
        return partial(_repeated, Repeated(call, budget_s), 1)
    points = batch_points(question)
    if points * min(_seconds(call) for _ in range(TRIES)) > LOOPED_S:
        return Sample
    batched = partial(derivative, *(np.repeat(np.asarray(v)[None], points, axis=0) for v in values), **along)
    batched()  # and again for the shape of a batch
    return partial(_repeated, Repeated(batched, budget_s), points)


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _repeated(repeated: Repeated, points: int) -> Sample:
    seconds = repeated.sample()
    return Sample() if seconds is None else Sample((seconds / points,), repeated.calls)


class _Preparations:
    """Prepares anew at each turn, and calls what it has prepared once, while the budget lasts."""

    def __init__(self, question: Question, method: Differentiator, engine: Engine, budget_s: float) -> None:
        self._prepare: Callable[[], Derivative] = partial(prepared, question, method, engine)
        self._arguments = arguments(question, 0)
        self._budget_s = budget_s
        self._taken = 1  # the first preparation, before the answers, was the first sample
        self._shortest_s = 0.0

    def __call__(self) -> Sample:
        if self._taken == SAMPLES or self._taken * self._shortest_s > self._budget_s:
            return Sample()
        values, along = self._arguments
        with collector_parked():
            derivative = self._prepare()
            first_s = _seconds(partial(derivative, *values, **along))
        seconds = (derivative.derive_s, derivative.compile_s, first_s)
        self._shortest_s = min(self._shortest_s, sum(seconds)) if self._taken > 1 else sum(seconds)
        self._taken += 1
        return Sample(seconds)

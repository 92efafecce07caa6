"""Timing the methods of one question by turns, so that drift of the machine hits all alike and a crash only its own cell."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..differentiators.base import Differentiator
from ..engines.base import Engine
from .cell import Question
from .null import DISPATCHES
from .rounds import Phase, Sample, Turn, batch_points, rounds
from .speed import SAMPLES
from .worker import Died, Hung, Raised, Worker


@dataclass(frozen=True)
class Timeable:
    """A cell that has answered. call_s: a call as its answers took it; prepare_s: preparation and the first call."""

    method: Differentiator
    engine: Engine
    dispatch: str
    call_s: float
    prepare_s: float


@dataclass
class Samples:
    """Of one cell: seconds of each sample by phase, in order; the calls that each of `call` is the mean of; what went wrong."""

    derive: list[float] = field(default_factory=list)
    compile: list[float] = field(default_factory=list)
    first_call: list[float] = field(default_factory=list)
    call: list[float] = field(default_factory=list)
    batch: list[float] = field(default_factory=list)
    calls: int = 0
    trouble: str = ""

    def add(self, phase: Phase, sample: Sample) -> None:
        """Enter what a turn gave."""
        if sample.trouble and not self.trouble:
            self.trouble = f"not timed to the end ({phase}): {sample.trouble}"
        if not sample.seconds:
            return
        if phase == "call":
            self.call += sample.seconds
            self.calls = sample.calls
        elif phase == "batch":
            self.batch += sample.seconds
        else:
            for samples, seconds in zip((self.derive, self.compile, self.first_call), sample.seconds, strict=True):
                samples.append(seconds)


def interleaved(
    worker: Worker, question: Question, job: int, cells: Mapping[int, Timeable], budget_s: float, timeout_s: float, batch: bool
) -> dict[int | str, Samples]:
    """The samples of every cell, and by dispatch those of calls that do nothing.

    budget_s: for each phase of a cell, half of it for preparing again. timeout_s: a call that takes a third of it is not
    timed, a turn that takes all of it is given up. A turn in which the process is lost ends that phase of its cell; the
    others go on in a new process.
    """
    turns = planned(question, cells, budget_s, timeout_s, batch)
    found: dict[int | str, Samples] = {turn.cell: Samples() for turn in turns}
    runners = {k: (c.method, c.engine) for k, c in cells.items()}
    while turns:
        taken = 0
        try:
            for sample in worker.run(timeout_s, rounds, question, runners, job, turns, budget_s, each=True):
                found[turns[taken].cell].add(turns[taken].phase, sample)
                taken += 1
            break
        except (Hung, Died, Raised) as error:
            culprit = turns[taken]
            found[culprit.cell].add(culprit.phase, Sample(trouble=str(error) or "no memory"))
            turns = [t for t in turns[taken:] if t != culprit]
    return found


def planned(question: Question, cells: Mapping[int, Timeable], budget_s: float, timeout_s: float, batch: bool) -> list[Turn]:
    """Every phase worth timing once a round, in an order that differs from round to round and is the same in every run."""
    batch = batch and batch_points(question) > 1
    phases = [Turn(dispatch, "call") for dispatch in DISPATCHES if any(c.dispatch == dispatch for c in cells.values())]
    for k, c in cells.items():
        if 3 * c.call_s < timeout_s:
            phases += [Turn(k, "call"), Turn(k, "batch")] if batch else [Turn(k, "call")]
        if c.prepare_s < budget_s:
            phases.append(Turn(k, "prepare"))
    shuffled = random.Random(0)
    return [turn for _ in range(SAMPLES) for turn in shuffled.sample(phases, len(phases))]

"""The timing protocol: calibrated batches of calls with the garbage collector parked."""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter
from typing import NamedTuple

SAMPLES = 10
"""Two sets of ten that do not overlap at all have a chance of 1e-5 to come from the same calls: enough among a thousand pairs."""
SHORTEST_BATCH_S = 2e-4
"""A batch lasts at least this long, so that the clock's own cost, below 1e-7 s, stays under a thousandth of it."""
SPARE = 1.5
"""A further sample is taken while all would fit within the budget times this."""
ENOUGH = 0.8
"""A batch fills its share if it lasts this part of it."""
LONG_S = 0.25
"""What takes so long is not repeated to see whether it was interrupted."""
MOST_CALLS = 10**9


class Summary(NamedTuple):
    """Of samples: the least, the quartiles, the greatest, and how many there are."""

    least: float
    lower: float
    median: float
    upper: float
    greatest: float
    size: int


def summary(samples: Sequence[float]) -> Summary | None:
    """None without samples; the quartiles of few lie between them, linearly."""
    if not samples:
        return None
    lower, median, upper = statistics.quantiles(samples, method="inclusive") if len(samples) > 1 else (samples[0],) * 3
    return Summary(min(samples), lower, median, upper, max(samples), len(samples))


@dataclass(frozen=True)
class Timing:
    """Samples of the steady single call. samples: seconds a call, each the mean over one batch of `calls` calls."""

    samples: tuple[float, ...]
    calls: int

    @property
    def best(self) -> float:
        """The least sample: interruptions by other programs only ever add."""
        return min(self.samples)

    @property
    def median(self) -> float:
        """The middle sample: what a user sees on this machine as it is."""
        return statistics.median(self.samples)


@contextmanager
def collector_parked() -> Iterator[None]:
    """No garbage collection inside; the collector's state restored."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Repeated:
    """A call that has been made before, sampled one batch at a time, so that others may be sampled between.

    The first sample finds how many calls fill a share of budget_s, SAMPLES such shares and as much to find it. Where one call
    takes longer than that, fewer samples are taken, at least one. What a busy machine adds to some batches costs no samples:
    the shortest so far tells how long one takes. The cost of the loop, some 10 ns a call, is part of each.
    """

    def __init__(self, call: Callable[[], object], budget_s: float, samples: int = SAMPLES) -> None:
        self.call = call
        self.budget_s = budget_s
        self.share_s = max(budget_s / (samples + 1), SHORTEST_BATCH_S)
        self.left = samples
        self.taken = 0
        self.calls = 0
        self._shortest_s = math.inf

    def sample(self) -> float | None:
        """Seconds a call, the mean over one batch; None once there are samples enough, or no time for another."""
        if not self.left or (self.taken and (self.taken + 1) * self._shortest_s > SPARE * self.budget_s):
            return None
        self.left -= 1
        self.taken += 1
        with collector_parked():
            seconds = _batch(self.call, self.calls) if self.calls else self._calibrate()
        self._shortest_s = min(self._shortest_s, seconds)
        return seconds / self.calls

    def _calibrate(self) -> float:
        """Grow the batch until it fills its share, twice, unless one call takes LONG_S; the seconds of the shorter one."""
        self.calls, seconds = 1, _batch(self.call, 1)
        while self.calls < MOST_CALLS:
            if seconds >= ENOUGH * self.share_s:
                if seconds >= LONG_S:
                    break
                seconds = min(seconds, _batch(self.call, self.calls))
                if seconds >= ENOUGH * self.share_s:
                    break
            fitting = round(self.calls * self.share_s / seconds) if seconds > 0 else 10 * self.calls
            self.calls = max(self.calls + 1, min(10 * self.calls, fitting))
            seconds = _batch(self.call, self.calls)
        return seconds


def steady(call: Callable[[], object], budget_s: float, samples: int = SAMPLES) -> Timing:
    """Time a call that has been made before, for about budget_s seconds, at least one call: all samples at once."""
    repeated = Repeated(call, budget_s, samples)
    taken = tuple(iter(repeated.sample, None))
    return Timing(taken, repeated.calls)


def _batch(call: Callable[[], object], calls: int) -> float:
    times = repeat(None, calls)
    started = perf_counter()
    for _ in times:
        call()
    return perf_counter() - started

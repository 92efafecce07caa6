"""The timing protocol: calibrated batches of calls with the garbage collector parked."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

SAMPLES = 5
SHORTEST_BATCH_S = 2e-4
"""A batch lasts at least this long, so that the clock's own cost, below 1e-7 s, stays under a thousandth of it."""


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


def steady(call: Callable[[], object], budget_s: float, samples: int = SAMPLES) -> Timing:
    """Time a call that has been made before, for about budget_s seconds, at least one call a sample.

    The batch grows until it fills its share of the budget; where one call takes longer than that, fewer samples
    are taken, at least one. The cost of the loop, some 20 ns a call, is part of the result.
    """
    share = max(budget_s / (samples + 1), SHORTEST_BATCH_S)
    with collector_parked():
        calls, seconds = 1, _batch(call, 1)
        while seconds < 0.8 * share and calls < 10**9:
            fitting = round(calls * share / seconds) if seconds > 0 else 10 * calls
            calls = max(calls + 1, min(10 * calls, fitting))
            seconds = _batch(call, calls)
        taken = [seconds / calls]
        spent = seconds
        while len(taken) < samples and spent + seconds <= 1.2 * budget_s:
            last = _batch(call, calls)
            taken.append(last / calls)
            spent += last
    return Timing(tuple(taken), calls)


def _batch(call: Callable[[], object], calls: int) -> float:
    repeat = range(calls)
    started = perf_counter()
    for _ in repeat:
        call()
    return perf_counter() - started

"""The timing protocol: contenders of one workload take turns, so that whatever slows the machine down hits all alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from ..measure.speed import collector_parked

SHORTEST_S = 5e-3
"""A turn lasts at least this long: the clock and the loop around short calls then vanish."""


def turns(calls: Mapping[str, Callable[[], Any]], rounds: int, seed: int, budget_s: float) -> dict[str, list[float]]:
    """Seconds a call, by contender, one sample for each round; fewer rounds, at least three, where they would take longer than budget_s.

    Each turn is as many calls as fill SHORTEST_S; their order is drawn anew in every round.
    """
    order = list(calls)
    draw = random.Random(seed)
    with collector_parked():
        batches = {name: _calibrated(call) for name, call in calls.items()}
        samples: dict[str, list[float]] = {name: [] for name in calls}
        started = perf_counter()
        for k in range(rounds):
            if k >= 3 and (perf_counter() - started) * (k + 1) / k > budget_s:
                break
            draw.shuffle(order)
            for name in order:
                samples[name].append(_turn(calls[name], batches[name]))
    return samples


def _calibrated(call: Callable[[], Any]) -> int:
    """Calls that take SHORTEST_S; also warms up."""
    n = 1
    while True:
        seconds = _turn(call, n) * n
        if seconds >= SHORTEST_S:
            return n
        n = max(n + 1, min(10 * n, round(1.2 * n * SHORTEST_S / max(seconds, 1e-9))))


def _turn(call: Callable[[], Any], n: int) -> float:
    """Seconds a call. The loop's own cost, some 10 ns a call, is part of it for all alike."""
    repeat = range(n)
    started = perf_counter()
    for _ in repeat:
        call()
    return (perf_counter() - started) / n

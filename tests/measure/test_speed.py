"""The timing protocol against calls of known duration."""

from __future__ import annotations

import gc
import time

import pytest

from diffcompare.measure.speed import collector_parked, steady


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_a_call_of_known_length_is_timed() -> None:
    timing = steady(lambda: spin(1e-3), 0.05)
    assert 1e-3 <= timing.best < 3e-3
    assert timing.best <= timing.median
    assert timing.best == min(timing.samples)


def test_short_calls_are_batched() -> None:
    timing = steady(lambda: None, 0.02)
    assert timing.calls > 100
    assert len(timing.samples) >= 2  # 5 on a machine that does nothing else
    assert timing.best < 1e-5


def test_a_call_longer_than_the_budget_is_made_once() -> None:
    calls: list[float] = []
    timing = steady(lambda: calls.append(time.sleep(0.05) or 0.0), 0.01)  # type: ignore[func-returns-value]
    assert len(calls) == 1
    assert len(timing.samples) == 1


def test_the_collector_is_parked_and_restored() -> None:
    seen: list[bool] = []
    steady(lambda: seen.append(gc.isenabled()), 0.001)
    assert not any(seen)
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), collector_parked():
        raise ZeroDivisionError
    assert gc.isenabled()

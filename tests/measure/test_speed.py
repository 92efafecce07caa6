"""The timing protocol against calls of known duration."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from diffcompare.measure import speed
from diffcompare.measure.speed import collector_parked, steady


class Clock:
    """A clock that only its calls move, so that a busy machine changes nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(speed, "perf_counter", lambda: self.now)

    def call_of(self, seconds: float) -> Callable[[], None]:
        def call() -> None:
            self.now += seconds

        return call


@pytest.mark.parametrize("seconds", [1e-7, 1e-3, 4e-3])
def test_a_call_of_known_length_is_timed(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    timing = speed.steady(Clock(monkeypatch).call_of(seconds), 0.05)
    assert timing.samples == pytest.approx([seconds] * speed.SAMPLES)
    assert timing.best == min(timing.samples)
    assert timing.best <= timing.median


def test_short_calls_are_batched_to_fill_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    timing = speed.steady(clock.call_of(1e-6), 0.06)
    assert timing.calls == pytest.approx(0.06 / (speed.SAMPLES + 1) / 1e-6, rel=0.3)
    assert clock.now < 2 * 0.06


def test_samples_stop_where_the_budget_ends_and_others_fit_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    one, other = speed.Repeated(clock.call_of(0.01), 0.03), speed.Repeated(clock.call_of(1e-3), 0.03)
    turns = [(one.sample(), other.sample()) for _ in range(12)]
    assert [a for a, _ in turns] == pytest.approx([0.01] * 4 + [None] * 8)
    assert [b for _, b in turns] == pytest.approx([1e-3] * 10 + [None] * 2)


def test_a_summary_has_the_least_the_quartiles_and_the_greatest() -> None:
    assert speed.summary([5.0, 1.0, 3.0, 2.0, 4.0]) == (1.0, 2.0, 3.0, 4.0, 5.0, 5)
    assert speed.summary([1.0, 2.0]) == (1.0, 1.25, 1.5, 1.75, 2.0, 2)
    assert speed.summary([7.0]) == (7.0, 7.0, 7.0, 7.0, 7.0, 1)
    assert speed.summary([]) is None


def test_a_call_longer_than_the_budget_is_made_as_seldom_as_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice where it is short enough to see whether it was interrupted, once where it is long."""
    clock = Clock(monkeypatch)
    for seconds, calls in ((0.05, 2), (0.3, 1)):
        clock.now = 0.0
        timing = speed.steady(clock.call_of(seconds), 0.01)
        assert timing.samples == pytest.approx([seconds])
        assert clock.now == pytest.approx(calls * seconds)


def test_a_busy_machine_costs_no_samples_and_does_not_spoil_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption of 30 ms at the very first call, and at every fourth batch after it."""
    clock = Clock(monkeypatch)
    call = clock.call_of(1e-6)
    batches = iter(range(1000))

    def batch(repeated: Callable[[], object], calls: int) -> float:
        interruption = 0.03 if next(batches) % 4 == 0 else 0.0
        return calls * 1e-6 + interruption

    monkeypatch.setattr(speed, "_batch", batch)
    timing = speed.steady(call, 0.02)
    assert len(timing.samples) == speed.SAMPLES
    assert timing.calls > 1000
    assert timing.best == pytest.approx(1e-6)


def test_the_collector_is_parked_and_restored() -> None:
    seen: list[bool] = []
    steady(lambda: seen.append(gc.isenabled()), 0.001)
    assert not any(seen)
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), collector_parked():
        raise ZeroDivisionError
    assert gc.isenabled()

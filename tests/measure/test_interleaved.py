"""Timing by turns: every method in every round, a crash only its own, memory and the interface's own cost beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle
import numpy as np
import pytest

import diffcompare as dc
from diffcompare.differentiate import engines, find_method
from diffcompare.differentiators.autodiff import reverse
from diffcompare.differentiators.base import Differentiator, Request, Runner
from diffcompare.engines.base import Engine
from diffcompare.measure import memory
from diffcompare.measure.cell import Question, measure
from diffcompare.measure.interleaved import Samples, Timeable, planned
from diffcompare.measure.memory import high_water
from diffcompare.measure.null import Null, null_call
from diffcompare.measure.record import Measurement
from diffcompare.measure.rounds import BATCH, BATCH_ENTRIES, Sample, Turn, batch_points, rounds
from diffcompare.measure.run import STEPS, Job, Limits, Session
from diffcompare.measure.speed import SAMPLES
from diffcompare.transforms.cost import Cost

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the worker cannot import a test

X, Y = dc.symbols("x y")
PLANE = dc.function([X, Y], dc.sin(X) * Y + X, name="plane")
QUESTION = Question(PLANE, "gradient", ("x", "y"), ({"x": 0.7, "y": 1.3}, {"x": 0.1, "y": 0.2}))
NUMPY = engines()["numpy"]


class Spoilt(Runner):
    """ad.reverse, spoilt after so many calls in this process."""

    def __init__(self, right: Runner, after: int, spoil: Callable[[list[Any]], list[Any]]) -> None:
        self.right, self.after, self.spoil = right, after, spoil
        self.function = right.function

    @property
    def cost(self) -> Cost | None:
        return self.right.cost

    def __call__(self, values: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        self.after -= 1
        blocks = self.right(values, given)
        return self.spoil(blocks) if self.after < 0 else blocks


def spoilt(name: str, after: int, spoil: Callable[[list[Any]], list[Any]]) -> Differentiator:
    class Method(Differentiator):
        family = "ad"

        def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Runner:
            return Spoilt(reverse.runner(request, engine, precision, memory), after, spoil)

    Method.name = name
    return Method()


def crash(blocks: list[Any]) -> list[Any]:
    os._exit(3)


def refuse(blocks: list[Any]) -> list[Any]:
    raise KeyError("enough")


def single(blocks: list[Any]) -> list[Any]:
    return [np.asarray(b, dtype=np.float32) for b in blocks]


METHODS = {
    "crashing when timed": spoilt("crashing when timed", 2, crash),
    "refusing when timed": spoilt("refusing when timed", 2, refuse),
    "in single precision": spoilt("in single precision", 0, single),
    "ad.reverse": find_method("ad.reverse"),
    "ad.forward": find_method("ad.forward"),
}


@pytest.fixture(scope="module")
def run() -> tuple[dict[tuple[str, str], Measurement], list[tuple[str, int]]]:
    """(records by method and point, what was told) of a job with methods that go wrong while they are timed."""
    told: list[tuple[str, int]] = []
    job = Job("plane", QUESTION, tuple(METHODS.values()), (NUMPY,), ("a", "b"), ("", ""))
    with Session() as session:
        found = list(session.run([job], Limits(timeout_s=20.0, timing_s=0.003), told=lambda title, steps: told.append((title, steps))))
    return {(m.method, m.point): m for m in found}, told


def test_what_goes_wrong_when_timed_stops_neither_its_answers_nor_the_others(run: Any) -> None:
    records, _ = run
    for method in ("crashing when timed", "refusing when timed"):
        assert {records[method, p].status for p in "ab"} == {"ok"}
        assert records[method, "a"].call_s is None
        assert "not timed to the end" in records[method, "a"].message
    assert "exit code 3" in records["crashing when timed", "a"].message
    assert "KeyError: 'enough'" in records["refusing when timed", "a"].message
    for method in ("ad.reverse", "ad.forward"):
        m = records[method, "a"]
        assert 1 <= len(m.call_samples_s) <= SAMPLES
        assert not m.message


def test_every_phase_has_its_samples_and_the_record_s_number_is_among_them(run: Any) -> None:
    records, _ = run
    m = records["ad.reverse", "a"]
    assert m.call_s == min(m.call_samples_s)
    assert m.batch_point_s == min(m.batch_samples_s)
    assert m.batch_points == BATCH
    assert m.overhead_s is not None
    for first, samples in (
        (m.derive_s, m.derive_samples_s),
        (m.compile_s, m.compile_samples_s),
        (m.first_call_s, m.first_call_samples_s),
    ):
        assert samples[0] == first
        assert 1 <= len(samples) <= SAMPLES
    assert not records["ad.reverse", "b"].call_samples_s


def test_a_result_in_another_precision_is_no_answer(run: Any) -> None:
    m = run[0]["in single precision", "a"]
    assert m.status == "failed"
    assert "the result is float32, asked for in float64" in m.message


def test_progress_counts_every_cell_to_its_end(run: Any) -> None:
    told = run[1]
    assert sum(steps for _, steps in told) == STEPS * len(METHODS)
    titles = [title for title, _ in told if title]
    assert titles[0] == "the truth of plane"
    assert titles[-1] == "timing gradient of plane, 4 methods by turns"


def test_a_part_that_is_not_there_yet_is_no_answer() -> None:
    class Promise:
        """What a library hands out before it has computed."""

    class Lazy(type(reverse)):  # type: ignore[misc]
        def prepare(self, *args: Any, **options: Any) -> Any:
            derivative = super().prepare(*args, **options)
            known = {name: getattr(derivative, name) for name in ("derive_s", "compile_s", "cost", "calls")}
            return type("Prepared", (), {**known, "ready": lambda self: self, "__call__": lambda *args: Promise()})()

    *_, last = measure(QUESTION, Lazy(), NUMPY)
    assert last.status == "failed"
    assert "a part of type Promise, not a float or a NumPy array" in last.message


# --- the order of turns ---


def cell(**more: Any) -> Timeable:
    return Timeable(**{"method": reverse, "engine": NUMPY, "dispatch": "arrays", "call_s": 1e-4, "prepare_s": 1e-3, **more})


def test_every_round_has_every_phase_once_in_an_order_of_its_own() -> None:
    turns = planned(QUESTION, {k: cell() for k in range(5)}, 0.02, 10.0, batch=True)
    size = 1 + 5 * 3
    by_round = [turns[k : k + size] for k in range(0, len(turns), size)]
    assert len(by_round) == SAMPLES
    assert all(len(set(r)) == size and set(r) == set(by_round[0]) for r in by_round)
    assert len({tuple(r) for r in by_round}) == SAMPLES
    assert turns == planned(QUESTION, {k: cell() for k in range(5)}, 0.02, 10.0, batch=True)


def test_what_would_take_too_long_is_not_timed() -> None:
    def phases(batch: bool = True, **more: Any) -> set[Turn]:
        return set(planned(QUESTION, {0: cell(**more)}, 0.02, 10.0, batch))

    nothing = Turn("arrays", "call")
    assert phases() == {nothing, Turn(0, "call"), Turn(0, "batch"), Turn(0, "prepare")}
    assert phases(batch=False) == {nothing, Turn(0, "call"), Turn(0, "prepare")}
    assert phases(call_s=5.0) == {nothing, Turn(0, "prepare")}
    assert phases(prepare_s=1.0) == {nothing, Turn(0, "call"), Turn(0, "batch")}


def test_a_batch_is_the_same_for_all_methods_and_bounded_in_memory() -> None:
    w = dc.symbol("w", shape=(300,))
    vector = dc.function([w], dc.exp(w))
    q = Question(vector, "jacobian", ("w",), ({"w": np.ones(300)},))
    assert batch_points(QUESTION) == BATCH
    assert batch_points(q) == BATCH_ENTRIES // (300 + 300 * 300)


def test_a_turn_that_has_samples_enough_or_has_failed_gives_nothing() -> None:
    turns = [Turn(0, "call")] * (SAMPLES + 2)
    taken = [bool(s.seconds) for s in rounds(QUESTION, {0: (reverse, NUMPY)}, 1, turns, 0.001)]
    assert taken == sorted(taken, reverse=True)
    assert taken[0]
    assert not any(taken[SAMPLES:])
    samples = list(rounds(QUESTION, {0: (METHODS["refusing when timed"], NUMPY)}, 1, turns, 0.001))
    assert [s for s in samples if s != Sample()] == [Sample(trouble="KeyError: 'enough'")]


def test_the_first_trouble_is_the_one_told() -> None:
    samples = Samples()
    samples.add("call", Sample(trouble="first"))
    samples.add("batch", Sample(trouble="second"))
    assert samples.trouble == "not timed to the end (call): first"


# --- the call that does nothing, and memory ---


@pytest.mark.parametrize("operator", ["value", "gradient", "jacobian", "hessian", "value_and_gradient"])
@pytest.mark.parametrize("floats", [False, True])
def test_the_null_method_answers_zeros_of_the_right_structure(operator: str, floats: bool) -> None:
    right = reverse.prepare(PLANE, operator, NUMPY)(0.7, 1.3)
    nothing = Null(floats).prepare(PLANE, operator, NUMPY)
    assert nothing.dispatch == ("floats" if floats else "arrays")
    assert np.ravel(nothing(0.7, 1.3)).tolist() == [0.0] * np.size(right) if operator != "value_and_gradient" else nothing(0.7, 1.3)[0] == 0


def test_each_dispatch_has_a_call_that_does_nothing() -> None:
    for dispatch in ("arrays", "floats", "machine code"):
        null_call(QUESTION, dispatch, [0.7, 1.3], {})()
    assert reverse.prepare(PLANE, "gradient", engines()["python"]).dispatch == "floats"
    assert reverse.prepare(PLANE, "gradient", NUMPY).dispatch == "arrays"
    assert reverse.prepare(PLANE, "gradient", engines()["llvm"]).dispatch in ("machine code", "floats")


def test_memory_that_is_taken_and_given_back_is_seen() -> None:
    with high_water() as first:
        np.ones(10**7).sum()
    if first.peak is None:
        pytest.skip("this system keeps no high-water mark of memory that can be set back")
    with high_water() as second:
        pass
    assert first.peak > 7 * 10**7
    assert second.peak is not None
    assert second.peak < 10**7


def test_without_a_high_water_mark_memory_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "none" / "here")
    with high_water() as found:
        np.ones(10**6)
    assert found.peak is None


def test_points_that_an_interrupted_run_kept_are_not_given_again() -> None:
    method = find_method("ad.reverse")
    job = Job("plane", QUESTION, (method,), (NUMPY,), ("a", "b"), ("", ""))
    first, _ = job.keys(method, NUMPY)
    with Session() as session:
        found = list(session.run([job], Limits(timeout_s=20.0, timing_s=0), done={first}))
    assert [m.key for m in found] == [k for k in job.keys(method, NUMPY) if k != first] and len(found) == 1

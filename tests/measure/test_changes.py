"""What is claimed between two sets of records, over records made up for the purpose: planted changes are found, chance is not."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from diffcompare.measure.changes import CHANCE, LEAST_RATIO, RANK, Changes, changes, probability
from diffcompare.measure.environment import Environment
from diffcompare.measure.record import STATUSES, Measurement

HERE = Environment("cpu", 2, "system", "python 3", "numpy=2.0 scipy=1.0", "", "abc", "r1", "2026-01-01T00:00:00+00:00")
LATER = replace(HERE, id="", code="def", revision="r2", packages="numpy=2.1 scipy=1.0")
ELSEWHERE = replace(HERE, id="", cpu="another cpu")
BASE = Measurement(
    problem="p", operator="gradient", method="m", family="ad", engine="numpy", status="ok", error_conditioned=0.5, environment=HERE.id
)


def drawn(rng: random.Random, middle: float, noise: float, size: int = 10) -> tuple[float, ...]:
    """Samples about the middle, skewed upwards as times are."""
    return tuple(middle * math.exp(abs(rng.gauss(0, noise))) for _ in range(size))


def run(seed: int, cells: int = 60, noise: float = 0.05, slower: Sequence[int] = (), factor: float = 1.3, **more: Any) -> list[Measurement]:
    """Timed cells; those numbered in slower take factor times as long."""
    rng = random.Random(seed)
    return [
        replace(BASE, method=f"m{k}", call_samples_s=drawn(rng, 1e-5 * (1 + k) * (factor if k in slower else 1.0), noise), **more)
        for k in range(cells)
    ]


def compared(old: Sequence[Measurement], new: Sequence[Measurement], after: Environment = HERE) -> Changes:
    return changes(old, [replace(m, environment=after.id) for m in new], {HERE.id: HERE}, {after.id: after})


def kinds(found: Changes) -> list[tuple[str, str, str]]:
    return [(c.kind, c.what, c.new.method) for c in found.changes]


# --- speed ---


@pytest.mark.parametrize("seed", range(20))
def test_one_method_slower_by_thirty_percent_is_found_among_sixty_and_nothing_else(seed: int) -> None:
    found = compared(run(seed), run(seed + 1000, slower=[7]))
    assert kinds(found) == [("slower", "call", "m7")]
    (change,) = found.regressions
    assert change.ratio == pytest.approx(1.3, rel=0.1)
    assert change.p is not None
    assert change.p < 1e-4


def test_faster_is_found_as_well_and_is_no_regression() -> None:
    found = compared(run(1), run(2, slower=[3], factor=1 / 1.3))
    assert kinds(found) == [("faster", "call", "m3")]
    assert not found.regressions


def test_where_nothing_changed_a_claim_is_as_rare_as_stated_however_noisy() -> None:
    """Noise that often makes medians differ by more than LEAST_RATIO: the test of the samples has to hold alone."""
    seeds = 200
    claims = [bool(compared(run(2 * s, 30, noise=0.5), run(2 * s + 1, 30, noise=0.5)).changes) for s in range(seeds)]
    assert sum(claims) <= CHANCE * seeds


def test_where_nothing_changed_on_a_quiet_machine_nothing_is_claimed() -> None:
    assert not any(compared(run(2 * s), run(2 * s + 1)).changes for s in range(50))


def test_a_change_too_small_to_matter_is_none_however_certain() -> None:
    found = compared(run(1, noise=1e-4), run(2, noise=1e-4, slower=[5], factor=LEAST_RATIO - 0.02))
    assert not found.changes
    assert kinds(compared(run(1, noise=1e-4), run(2, noise=1e-4, slower=[5], factor=LEAST_RATIO + 0.02))) == [("slower", "call", "m5")]


def test_what_all_methods_share_is_told_and_not_claimed_of_any() -> None:
    everything = compared(run(1), run(2, slower=range(60)))
    assert not everything.changes
    assert everything.common == pytest.approx(1.3, rel=0.05)
    worse = [
        replace(m, call_samples_s=tuple(1.5 * s for s in m.call_samples_s)) if m.method == "m7" else m for m in run(2, slower=range(60))
    ]
    assert kinds(compared(run(1), worse)) == [("slower", "call", "m7")]


def test_few_samples_claim_nothing() -> None:
    few = [replace(m, call_samples_s=m.call_samples_s[:3]) for m in run(1)]
    slow = [replace(m, call_samples_s=m.call_samples_s[:3]) for m in run(2, slower=[7], factor=5.0)]
    assert not compared(few, slow).changes


def test_a_slow_start_alone_is_no_change() -> None:
    """Half of the samples slow: an interruption moves the median and leaves the least where it is."""
    half = [replace(m, call_samples_s=(*m.call_samples_s[:3], *(2 * s for s in m.call_samples_s[3:]))) for m in run(1)]
    assert not compared(run(1), [*half[:5], *run(1)[5:]]).changes


def test_every_phase_is_compared() -> None:
    old, new = run(1, slower=[], noise=0.02), run(2, noise=0.02)
    old = [replace(m, batch_samples_s=m.call_samples_s, derive_samples_s=m.call_samples_s, compile_samples_s=m.call_samples_s) for m in old]
    new = [replace(m, batch_samples_s=m.call_samples_s, derive_samples_s=m.call_samples_s, compile_samples_s=m.call_samples_s) for m in new]
    twice = tuple(2 * s for s in new[3].batch_samples_s)
    new[3] = replace(new[3], batch_samples_s=twice)
    new[4] = replace(new[4], derive_samples_s=tuple(3 * s for s in new[4].derive_samples_s))
    assert sorted(kinds(compared(old, new))) == [("slower", "batch", "m3"), ("slower", "prepare", "m4")]
    assert compared(old, new).timed == 3 * 60


def test_the_probability_is_the_exact_one() -> None:
    low, high = [1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]
    assert probability(low, high) == pytest.approx(2 / math.comb(10, 5))
    assert probability(low, low) == pytest.approx(1.0)
    assert probability([1.0] * 5, [1.0] * 5) == 1.0


# --- the machine ---


def test_on_another_machine_times_are_refused_with_the_reason_and_accuracy_is_compared() -> None:
    new = run(2, slower=[7], factor=10.0)
    new[3] = replace(new[3], error_conditioned=50.0)
    found = compared(run(1), new, ELSEWHERE)
    assert kinds(found) == [("less accurate", "error", "m3")]
    assert found.refused == {"another machine: cpu was cpu, is another cpu": 60}
    assert (found.timed, found.compared) == (0, 60)


def test_records_of_an_unknown_machine_are_refused() -> None:
    found = changes(run(1), run(2, slower=[7]), {}, {HERE.id: HERE})
    assert not found.changes
    assert found.refused == {"the records do not say where the old ones were measured": 60}


def test_other_versions_on_one_machine_are_compared_and_named() -> None:
    found = compared(run(1), run(2, slower=[7]), LATER)
    assert kinds(found) == [("slower", "call", "m7")]
    assert found.software == ["numpy 2.0 → 2.1", "code abc → def", "revision r1 → r2"]
    assert not found.refused


# --- accuracy ---


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ({"error_conditioned": 0.5}, {"error_conditioned": 1.9}, None),
        ({"error_conditioned": 0.5}, {"error_conditioned": 2.1}, "less accurate"),
        ({"error_conditioned": 1e6}, {"error_conditioned": 1.9e6}, None),
        ({"error_conditioned": 1e6}, {"error_conditioned": 1e3}, "more accurate"),
        ({"error_conditioned": 0.0}, {"error_conditioned": math.inf}, "less accurate"),
        ({"error_conditioned": None, "error_ulp": 1.0}, {"error_conditioned": None, "error_ulp": 9.0}, "less accurate"),
        ({"error_conditioned": None}, {"error_conditioned": None}, None),
        ({"status": "ok"}, {"status": "nan"}, "worse"),
        ({"status": "ok"}, {"status": "unsupported"}, "worse"),
        ({"status": "unsupported"}, {"status": "inaccurate"}, "worse"),
        ({"status": "timeout"}, {"status": "ok"}, "better"),
    ],
)
def test_accuracy_is_compared_as_it_is(before: dict[str, Any], after: dict[str, Any], kind: str | None) -> None:
    found = compared([replace(BASE, **before)], [replace(BASE, **after)])
    assert [c.kind for c in found.changes] == ([kind] if kind else [])


def test_every_status_has_its_rank() -> None:
    assert set(RANK) == set(STATUSES)


def test_wrong_answers_are_not_compared_in_time() -> None:
    wrong = [replace(m, status="nan") for m in run(2, slower=[7], factor=9.0)]
    assert compared([replace(m, status="nan") for m in run(1)], wrong).timed == 0


def test_cells_of_one_side_are_counted_and_the_worst_changes_come_first() -> None:
    old, new = run(1, 12), run(2, 14, slower=[4])[1:]
    new[0] = replace(new[0], status="failed")
    new[1] = replace(new[1], error_conditioned=50.0)
    found = compared(old, new)
    assert (found.compared, found.only_old, found.only_new) == (11, 1, 2)
    assert [c.kind for c in found.changes] == ["worse", "less accurate", "slower"]


def test_nothing_against_nothing() -> None:
    found = changes([], [], {}, {})
    assert (found.changes, found.timed) == ([], 0)
    assert math.isnan(found.common)

"""The judgement over records made up for the purpose, and what recommend shows of one that was measured."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

import diffcompare as dc
from diffcompare.cli import app
from diffcompare.measure.payoff import Times, break_even, times
from diffcompare.measure.recommend import CLOSE, judgement, recommend
from diffcompare.measure.record import Measurement

BASE = Measurement(
    problem="p",
    operator="gradient",
    method="ad.reverse",
    family="ad",
    engine="numpy",
    status="ok",
    error_rel=1e-16,
    error_norm=1e-16,
    error_conditioned=0.5,
    error_over_bound=0.1,
    derive_s=1e-3,
    compile_s=1e-3,
    first_call_s=1e-4,
    call_s=1e-5,
)


def row(method: str, engine: str = "numpy", **more: Any) -> Measurement:
    return replace(BASE, method=method, engine=engine, **more)


QUICK_TO_PREPARE = row("quick.to.prepare", derive_s=1e-4, compile_s=0.0, call_s=2e-5)
QUICK_TO_CALL = row("quick.to.call", derive_s=1e-1, compile_s=0.0, call_s=1e-6)


# --- preparation against speed ---


def test_a_total_is_preparation_the_first_call_and_the_others() -> None:
    assert Times(2.0, 0.5, 0.25).total(1) == 2.5
    assert Times(2.0, 0.5, 0.25).total(5) == 3.5


def test_a_slower_preparation_pays_after_as_many_calls_as_make_the_totals_equal() -> None:
    quick, slow = Times(1.0, 0.5, 0.5), Times(4.0, 0.5, 0.25)
    pays = slow.pays_after(quick)
    assert pays == 13
    assert slow.total(13) <= quick.total(13)
    assert slow.total(12) > quick.total(12)
    assert quick.pays_after(slow) == 1
    assert Times(4.0, 0.5, 0.5).pays_after(quick) == math.inf


def test_break_even_is_against_what_is_prepared_first() -> None:
    pays = break_even([QUICK_TO_PREPARE, QUICK_TO_CALL, row("slower", derive_s=1.0, call_s=1.0), row("never", derive_s=None)])
    assert pays[("quick.to.prepare", "numpy")] == 1
    assert pays[("slower", "numpy")] == math.inf
    expected = (0.1 - 1e-4) / (2e-5 - 1e-6)
    assert pays[("quick.to.call", "numpy")] == pytest.approx(expected, abs=2)
    assert ("never", "numpy") not in pays
    assert break_even([]) == {}


def test_a_call_too_slow_to_repeat_counts_as_its_first() -> None:
    assert times(row("slow", call_s=None, first_call_s=3.0)) == Times(2e-3, 3.0, 3.0)


# --- the choice ---


def test_few_calls_take_what_is_prepared_fast_and_many_what_is_called_fast() -> None:
    both = [QUICK_TO_PREPARE, QUICK_TO_CALL]
    few, many = judgement(both, calls=10), judgement(both, calls=10**6)
    assert few.method == "quick.to.prepare"
    assert many.method == "quick.to.call"
    (behind,) = few.rejected
    assert (behind.method, behind.kind) == ("quick.to.call", "too slow to prepare")
    assert "pays after 5,259 calls" in behind.reason
    assert judgement(both, calls=5258).method == "quick.to.prepare"
    assert judgement(both, calls=5259).method == "quick.to.call"
    assert many.rejected[0].kind == "slower"


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"status": "inaccurate", "error_rel": 0.5, "error_norm": 0.5, "error_over_bound": 1e9, "message": "entry 0 is 1.0"}, "wrong"),
        ({"status": "inaccurate", "message": "the result has shape (2,), expected (3,)", "error_rel": None}, "wrong"),
        ({"status": "ok", "error_conditioned": 2 * CLOSE}, "inaccurate"),
        ({"status": "nan"}, "nan"),
        ({"status": "failed"}, "failed"),
        ({"status": "timeout"}, "timeout"),
        ({"status": "unjudged"}, "unjudged"),
        ({"status": "too_large"}, "too large"),
        ({"status": "unsupported"}, "unsupported"),
    ],
)
def test_what_is_not_right_is_never_taken_however_fast(more: dict[str, Any], kind: str) -> None:
    found = judgement([BASE, row("fast", call_s=1e-9, derive_s=0.0, **more)], calls=10**6)
    assert (found.method, found.engine) == ("ad.reverse", "numpy")
    assert [(r.method, r.kind) for r in found.rejected] == [("fast", kind)]
    assert judgement([row("fast", **more)]).method is None


def test_a_tolerance_decides_instead_of_each_method_s_promise() -> None:
    rough = row("fd.forward", error_rel=1e-7, error_norm=1e-8, error_conditioned=1e8, call_s=1e-6)
    broken = replace(rough, status="inaccurate", error_over_bound=3.0)
    misshapen = replace(rough, status="inaccurate", error_over_bound=None, error_rel=None, error_norm=None)
    for fast in (rough, broken):
        assert judgement([BASE, fast], tolerance=1e-6).method == "fd.forward"
        assert judgement([BASE, fast], tolerance=1e-8).method == "ad.reverse"
    assert judgement([BASE, misshapen], tolerance=1e-6).method == "ad.reverse"
    missed_zero = replace(rough, error_rel=1e-9, error_norm=math.inf)
    assert judgement([BASE, missed_zero], tolerance=1e-6).method == "ad.reverse"


def test_one_wrong_point_of_many_rejects() -> None:
    points = [row("fast", call_s=1e-9, point=p) for p in "abc"]
    points[1] = replace(points[1], status="nan", message="nan in 1 of 2 entries")
    right = [replace(BASE, point=p) for p in "abc"]
    found = judgement([*points, *right])
    assert found.method == "ad.reverse"
    assert found.rejected[0].reason == "at 1 of 3 points: nan in 1 of 2 entries"
    assert judgement([*right, row("fast", point="a")]).rejected[0].kind == "not measured"


def test_over_several_problems_the_mean_against_the_best_decides() -> None:
    rows = [row(m, problem=p, derive_s=0.0, compile_s=0.0, first_call_s=s, call_s=s) for m, p, s in
            [("a", "p", 1.0), ("a", "q", 8.0), ("b", "p", 2.0), ("b", "q", 2.0)]]  # fmt: skip
    found = judgement(rows, calls=10)
    assert found.method == "b"
    assert [c.relative for c in found.right] == pytest.approx([math.sqrt(2), 2.0])
    assert found.rejected[0].kind == "slower"


def test_nothing_right_says_what_comes_closest() -> None:
    rows = [row(f"fd.{k}", status="inaccurate", error_rel=10.0**-k, error_norm=1.0, error_over_bound=9.0) for k in (3, 5)]
    found = judgement(rows)
    assert (found.method, found.engine, found.right) == (None, None, ())
    assert "fd.5 on numpy, with a relative error of 1e-05" in found.reasons[1]
    assert judgement([]).reasons == ("nothing was measured",)


# --- measured and shown ---


@pytest.fixture(scope="module")
def tanh() -> Any:
    return dc.recommend("tanh(x)", at=25.0, methods=["ad.reverse", "peer.jax", "fd.central", "manual"], engines=["python", "jax"])


def test_far_out_on_tanh_what_rounds_to_zero_is_wrong(tanh: Any) -> None:
    assert (tanh.method, tanh.engine) == ("ad.reverse", "python")
    kinds = {(r.method, r.engine): r.kind for r in tanh.rejected}
    assert kinds[("peer.jax", "jax")] == "wrong"
    assert kinds[("fd.central", "python")] in ("inaccurate", "wrong")
    assert kinds[("manual", "python")] == "unsupported"


def test_it_reads_as_text_and_as_html(tanh: Any) -> None:
    text = repr(tanh)
    assert text.startswith("take ad.reverse on python for the gradient of tanh(x) with respect to x at x=25.0")
    assert "the fastest of 2 that are right, for 1,000 calls" in text
    assert "wrong: peer.jax: entry 0 is 0.0" in text
    assert "<strong>take ad.reverse on python" in tanh._repr_html_()
    nasty = judgement([row("<b>", status="failed", message="<script>")])._repr_html_()
    assert "<b>" not in nasty
    assert "<script>" not in nasty


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calls": 0}, "calls is a whole number of calls, at least 1, got 0"),
        ({"calls": 1.5}, "got 1.5"),
        ({"tolerance": 0.0}, "tolerance is a relative error above 0"),
        ({"tolerance": math.nan}, "got nan"),
        ({"at": None}, "needs a point"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(options: dict[str, Any], message: str) -> None:
    with pytest.raises(dc.DiffCompareError, match=message):
        recommend("x*y", **{"at": {"x": 1.0, "y": 2.0}, **options})


# --- the command ---


@pytest.mark.parametrize(
    ("method", "code", "start"), [("ad.reverse", 0, "take ad.reverse on python"), ("fd.central", 1, "take none of these")]
)
def test_the_command_prints_it_and_says_by_its_exit_code_whether_one_is_right(method: str, code: int, start: str) -> None:
    ran = CliRunner().invoke(app, ["recommend", "tanh(x)", "--at", "x=25", "--calls", "10", "--method", method, "--engine", "python"])
    assert (ran.exit_code, ran.output.startswith(start)) == (code, True), ran.output


def test_the_command_refuses_in_one_line_what_it_cannot_answer() -> None:
    with pytest.raises(dc.DiffCompareError, match="calls is a whole number"):
        CliRunner().invoke(app, ["recommend", "tanh(x)", "--at", "x=25", "--calls", "0"], catch_exceptions=False)

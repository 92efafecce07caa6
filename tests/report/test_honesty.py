"""The table of honest differences, measured again in small, and the promises that fd.adaptive makes in it."""

from __future__ import annotations

import csv
import math
import sys

import numpy as np
import pytest

from diffcompare.differentiators.ladder import Guess
from diffcompare.dsl import function, symbols
from diffcompare.dsl.elementary import exp, sin
from diffcompare.engines.numpy import NumpyEngine
from diffcompare.errors import DiffCompareError
from diffcompare.measure.honesty import ALLOWED, CONTESTANTS, FAMILIES, Answer, Counting, Honesty, certified, honesty
from diffcompare.measure.honesty import _figures as figures
from diffcompare.report.honesty import keeps_promise, main, markdown, table, write

x = symbols("x y")[0]
NAMES = [f.name for f in FAMILIES]
ROUNDING = {"log(1 + e^x)": 2.0**-52 * math.exp(15), "small part": 2.0**-52 * 1e9}
"""What rounding a value does to a difference over a step of 1, relative to the derivative, where that is far more than ε."""


@pytest.fixture(scope="module")
def measured() -> Honesty:
    return honesty(seeds=(10, 11), points=100)


@pytest.mark.parametrize("family", NAMES)
def test_fd_adaptive_keeps_its_promise(measured, family):
    for method in ("fd.adaptive", "fd.adaptive(noise='estimate')"):
        row = measured.row(family, method)
        assert row.honest >= 0.99
        assert row.claimed == 1.0
        assert row.median <= max(10 * measured.best_peer(family), ALLOWED)
        assert row.median < max(1e-12, 4 * ROUNDING.get(family, 0.0))  # where no peer is installed too
    assert keeps_promise(measured, family)


@pytest.mark.parametrize("family", NAMES)
def test_a_step_by_measured_noise_is_never_much_worse_and_often_far_better(measured, family):
    plain, found = (measured.row(family, m).median for m in ("fd.central", "fd.central(noise='estimate')"))
    assert found < 2 * plain
    assert found < max(1e-8, ROUNDING.get(family, 0.0) ** (2 / 3))


def test_every_method_is_asked_of_every_family(measured):
    assert [(r.family, r.method) for r in measured.rows] == [(f, c.name) for f in NAMES for c in CONTESTANTS]
    assert {r.points for r in measured.rows} == {200}
    assert measured.row("e^x", "fd.adaptive").evaluations == 137 + 0.0
    assert measured.row("log", "fd.central").evaluations == 2.0
    with pytest.raises(DiffCompareError, match=r"fd\.forward was not measured on log"):
        measured.row("log", "fd.forward")


def test_scipy_s_default_step_is_judged_as_its_users_meet_it(measured):
    row = measured.row("1/x", "peer.scipy.differentiate")
    if row.status != "ok":
        pytest.skip(row.status)
    assert row.honest < 0.5 < row.median  # steps of 0.5 around 1e-4
    assert 5 < row.evaluations < 100


def test_the_judgement_by_hand():
    truth = np.array([1.0, 2.0, 4.0, 8.0])
    right, late, silent, wrong = 1.0, 2.2, math.nan, 9.0
    found = figures(Answer(np.array([right, late, silent, wrong]), np.array([0.0, 0.3, math.inf, 0.5]), 1.0), truth)
    assert found["honest"] == 0.75  # who claims nothing does not lie
    assert found["claimed"] == 0.75
    assert found["p95"] == math.inf
    assert found["median"] == pytest.approx(0.125)
    assert found["estimate"] == pytest.approx(0.15)
    assert set(figures(Answer(truth, None, 1.0), truth)) == {"median", "p95"}


def test_the_logistic_map_is_the_sine_it_is_known_to_be():
    at = np.array([0.1, 0.3, 0.9])
    angle, n = np.arcsin(np.sqrt(at)), 2**8
    formula = next(f.formula for f in FAMILIES if f.name == "logistic")
    exact = n * np.sin(2 * n * angle) / np.sin(2 * angle)  # of sin²(n θ) by sin² θ
    np.testing.assert_allclose(certified(function([x], formula), at), exact, rtol=1e-11)


def test_the_truth_is_certified():
    at = np.array([0.1, 1.0])
    np.testing.assert_array_equal(certified(function([x], 3.0 * x), at), 3.0)
    with pytest.raises(DiffCompareError, match=r"the derivative of \S+ at 0x0\.0p\+0 is not certified: kink"):
        certified(function([x], (x * x) ** 0.5), np.array([0.0]))


def test_evaluations_are_counted_by_the_point():
    engine = Counting()
    compiled = engine.compile(function([x], exp(sin(x))))
    compiled([np.zeros((3, 4))])
    compiled([np.float64(1.0)])
    assert engine.points == 13
    np.testing.assert_array_equal(compiled([np.ones(2)])[0], NumpyEngine().compile(compiled.function)([np.ones(2)])[0])


def test_a_method_that_lies_breaks_the_promise(monkeypatch):
    from diffcompare.differentiators import ladder

    derivative = ladder.derivative

    def boastful(*arguments):
        value, error, status = derivative(*arguments)
        return Guess(value, error / 1000, status)

    monkeypatch.setattr(ladder, "derivative", boastful)
    found = honesty(seeds=(10,), points=50, families=FAMILIES[1:2])
    assert not keeps_promise(found, "sin 100x")
    assert "**no**" in markdown(found)


def test_a_library_that_is_missing_is_shown_as_not_installed(monkeypatch):
    for name in ("numdifftools", "scipy.differentiate"):
        monkeypatch.setitem(sys.modules, name, None)
    found = honesty(seeds=(0,), points=20, families=FAMILIES[:1])
    assert found.best_peer("e^x") == math.inf
    assert keeps_promise(found, "e^x")
    text = markdown(found)
    assert "| peer.numdifftools | not installed |" in text
    assert "none installed" in text
    assert "- peer.scipy.differentiate(initial_step=0.1|x|): scipy.differentiate is not installed" in text


def test_the_command_writes_the_report_and_the_numbers(tmp_path, capsys, measured):
    main(["--out", str(tmp_path), "--points", "10", "--seed", "5"])
    assert "report.md" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(FAMILIES) * len(CONTESTANTS)
    assert {r["points"] for r in rows} == {"10"}
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "10 with each of the seeds 5 of" in text
    again = list(csv.DictReader(table(measured).splitlines()))
    assert float(again[0]["median"]) == pytest.approx(measured.rows[0].median, rel=1e-5)
    assert [p.name for p in write(measured, tmp_path / "new")] == ["report.md", "results.csv"]

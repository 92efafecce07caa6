"""Spread and tally: percentiles are members of the data, zeros and infinities are equal to themselves, nothing is lost in a NaN."""

from __future__ import annotations

import math

import numpy as np

from diffcompare.measure.spread import Spread, componentwise, normwise, relative, spread, tally

INF, NAN = math.inf, math.nan


def test_percentiles_are_errors_that_occurred() -> None:
    errors = np.arange(100.0)[::-1]
    assert spread(errors) == Spread(100, 49.0, 94.0, 98.0, 99.0, 0)
    assert spread(np.array([1.0, INF, INF])) == Spread(3, INF, INF, INF, INF, 1)
    assert spread(np.array([3.0])) == Spread(1, 3.0, 3.0, 3.0, 3.0, 0)
    assert spread(np.array([])) == Spread(0)


def test_relative_errors() -> None:
    answer = np.array([0.0, INF, 1.1, NAN, 1.0, 1.0, 1.0])
    truth = np.array([-0.0, INF, 1.0, 1.0, 0.0, INF, NAN])
    expected = [0.0, 0.0, 1.1 - 1.0, INF, INF, INF]
    got = relative(answer, truth)
    assert got[:-1].tolist() == expected
    assert math.isnan(got[-1])


def test_a_small_entry_is_seen_componentwise_and_not_normwise() -> None:
    truth, answer = np.array([[1e10], [1.0]]), np.array([[1e10], [2.0]])
    assert componentwise(answer, truth).tolist() == [1.0]
    assert normwise(answer, truth).tolist() == [1e-10]


def test_entries_without_truth_are_left_out() -> None:
    truth, answer = np.array([[NAN, NAN], [2.0, NAN]]), np.array([[5.0, 5.0], [2.0, 5.0]])
    assert componentwise(answer, truth).tolist() == [0.0, 0.0]
    assert normwise(answer, truth).tolist() == [0.0, 0.0]
    assert normwise(np.array([[NAN]]), np.array([[1.0]])).tolist() == [INF]


def test_what_is_counted() -> None:
    cases = [
        # answer, truth, status, the counts it adds to
        (0.0, 0.0, "ok", {"zeros"}),
        (5e-324, 0.0, "ok", {"zeros"}),
        (1e-300, 0.0, "ok", {"zeros", "zeros_missed"}),
        (NAN, 0.0, "ok", {"zeros", "zeros_missed", "nonfinite"}),
        (INF, INF, "ok", {"overflows"}),
        (1.7976931348623157e308, INF, "ok", {"overflows"}),
        (-INF, INF, "ok", {"overflows", "overflows_missed"}),
        (NAN, INF, "ok", {"overflows", "overflows_missed"}),
        (INF, 1.0, "ok", {"nonfinite"}),
        (1.0, 2.0, "ok", set()),
        (-1.0, NAN, "domain", {"undefined", "undefined_finite"}),
        (NAN, NAN, "domain", {"undefined"}),
        (INF, NAN, "domain", {"undefined"}),
        (0.5, NAN, "kink", {"kinks"}),
        (1.0, NAN, "unresolved", {"uncertified"}),
        (1.0, 1.0, "removable", {"uncertified"}),
    ]
    for answer, truth, status, counted in cases:
        found = vars(tally(np.array([answer]), np.array([truth]), np.array([status])))
        assert {name for name, n in found.items() if n} == counted, (answer, truth, status)
    answers, truths, statuses = (np.array(column) for column in list(zip(*cases, strict=True))[:3])
    assert tally(answers, truths, statuses).zeros == 4

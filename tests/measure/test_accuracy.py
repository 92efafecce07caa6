"""The judge: distances between floats, and the verdict on answers whose faults are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from diffcompare.measure.accuracy import Truth, bits, judge, ulps

EPS = 2.0**-52


@pytest.mark.parametrize(
    ("answer", "truth", "distance"),
    [
        (1.0, 1.0, 0.0),
        (0.0, -0.0, 0.0),
        (1.0, 1.0 + EPS, 1.0),
        (1.0, 1.0 - EPS / 2, 1.0),
        (5e-324, -5e-324, 2.0),
        (0.0, 2.0**-1022, 2.0**52),
        (1.7976931348623157e308, math.inf, 1.0),
        (math.nan, math.nan, 0.0),
        (math.nan, 1.0, math.inf),
        (1.0, math.nan, math.inf),
        (math.inf, math.inf, 0.0),
        (1.0, 2.0, 2.0**52),
    ],
)
def test_ulps_count_the_floats_between(answer: float, truth: float, distance: float) -> None:
    assert float(ulps(np.array(answer), np.array(truth))) == distance
    assert float(ulps(np.array(truth), np.array(answer))) == distance


def test_ulps_are_exact_for_neighbours_of_large_ordinals() -> None:
    x = np.array([1e300, -1e300])
    assert ulps(np.nextafter(x, np.inf), x).tolist() == [1.0, 1.0]


def test_ulps_in_float32_are_of_float32() -> None:
    assert float(ulps(np.array(1.0 + 2.0**-23), np.array(1.0), "float32")) == 1.0


def test_bits_lost() -> None:
    assert bits(np.array([0.0, 1.0, 3.0, math.inf])).tolist() == [0.0, 1.0, 2.0, 64.0]


def truth(values: Any, status: str = "ok", sensitivity: float = 1.0) -> Truth:
    array = np.asarray(values, dtype=float)
    return Truth((array.shape,), array.ravel(), np.full(array.size, status), np.full(array.size, sensitivity))


def verdict(answer: Any, true: Truth, allowed: float = 1e-12) -> Any:
    return judge([np.asarray(answer, dtype=float)], true, np.full(true.values.shape, allowed))


def test_a_right_answer_is_ok_and_its_errors_are_zero() -> None:
    found = verdict([1.0, 0.0, -3.0], truth([1.0, 0.0, -3.0]))
    assert (found.status, found.message) == ("ok", "")
    assert (found.error_ulp, found.error_rel, found.error_norm, found.error_over_bound) == (0.0, 0.0, 0.0, 0.0)
    assert (found.judged, found.exact_zero) == (3, 1)


def test_an_error_beyond_the_bound_is_inaccurate_whatever_the_size_of_the_result() -> None:
    right = np.ones(10_000)
    wrong = right.copy()
    wrong[7] += 1e-9
    found = verdict(wrong, truth(right))
    assert found.status == "inaccurate"
    assert found.worst == 7
    assert found.error_over_bound == pytest.approx(1000, rel=1e-4)
    assert "1e+03 times the error allowed" in found.message


def test_the_bound_is_in_the_verdict() -> None:
    found = verdict([2.0], truth([2.0]), allowed=8 * EPS)
    assert found.bound_rel == pytest.approx(4 * EPS, rel=1e-4)
    assert found.bound_ulp == 4.0


def test_an_error_where_the_truth_is_zero_counts_absolutely() -> None:
    assert verdict([1e-13], truth([0.0])).status == "ok"
    found = verdict([1e-11], truth([0.0]))
    assert found.status == "inaccurate"
    assert found.error_rel is None
    assert found.error_norm == math.inf


def test_errors_are_componentwise_and_normwise() -> None:
    found = verdict([1e6 + 1.0, 2.0], truth([1e6, 1.0]), allowed=math.inf)
    assert found.error_rel == 1.0
    assert found.error_norm == 1e-6


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_or_infinity_where_the_truth_is_finite(value: float) -> None:
    found = verdict([1.0, value], truth([1.0, 2.0]), allowed=math.inf)
    assert found.status == "nan"
    assert "first at entry 1" in found.message


def test_infinity_where_the_truth_overflows_is_right() -> None:
    assert verdict([math.inf], truth([math.inf])).status == "ok"
    assert verdict([1.0], truth([math.inf])).status == "inaccurate"
    assert verdict([-math.inf], truth([math.inf])).status == "inaccurate"


def test_a_finite_answer_where_the_function_is_not_defined_is_inaccurate() -> None:
    found = verdict([-1.0], truth([math.nan], "domain"))
    assert (found.status, found.undefined_finite) == ("inaccurate", 1)
    assert verdict([math.nan], truth([math.nan], "domain")).status == "ok"


def test_kinks_are_counted_shown_and_not_judged() -> None:
    found = verdict([0.5], truth([math.nan], "kink"))
    assert (found.status, found.kinks, found.judged) == ("ok", 1, 0)
    assert "0.5" in found.message


def test_without_a_certified_truth_or_a_bound_nothing_is_said_to_be_ok() -> None:
    assert verdict([1.0], truth([math.nan], "unresolved")).status == "unjudged"
    found = verdict([1.5], truth([1.0]), allowed=math.nan)
    assert found.status == "unjudged"
    assert found.error_rel == 0.5


def test_a_result_of_another_shape_is_inaccurate() -> None:
    found = verdict(np.ones((3, 2)), truth(np.ones((2, 3))))
    assert found.status == "inaccurate"
    assert found.message == "the result has shape (3, 2), expected (2, 3)"


def test_a_long_result_is_cut_and_its_size_is_kept() -> None:
    found = verdict(np.ones(1000), truth(np.ones(1000)))
    assert len(found.value) == 256
    assert found.value_size == 1000

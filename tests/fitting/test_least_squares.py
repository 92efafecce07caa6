"""dc.fit: what it finds, with which method, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.errors import DiffCompareError, DomainError
from diffcompare.problem import find

X = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
Y = np.array([1.0, 2.9, 5.2, 7.1, 8.8])


@pytest.mark.parametrize("method", ["ad.forward", "ad.reverse", "symbolic"])
@pytest.mark.parametrize("algorithm", ["lm", "trf", "dogbox"])
def test_a_line_has_the_textbook_s_parameters_and_standard_errors(method: str, algorithm: str) -> None:
    found = dc.fit("a + b*x - y", {"a": 0.0, "b": 0.0}, {"x": X, "y": Y}, method=method, algorithm=algorithm)
    design = np.stack([np.ones(5), X], axis=1)
    (a, b), (rss,), *_ = np.linalg.lstsq(design, Y, rcond=None)
    assert (found.parameters.a, found.parameters.b, found.rss) == pytest.approx((a, b, rss), rel=1e-12)
    covariance = rss / 3 * np.linalg.inv(design.T @ design)
    assert tuple(found.errors) == pytest.approx(tuple(np.sqrt(np.diag(covariance))), rel=1e-12)
    assert found.deviation == pytest.approx(np.sqrt(rss / 3), rel=1e-12)
    assert found.converged
    assert 1 < found.jacobians <= found.evaluations


def test_parameters_have_more_digits_than_the_sum_of_squares_shows() -> None:
    """Where residuals remain, the sum is flat over half of the digits; Gauss-Newton steps find the others."""
    rate = dc.symbol("rate")
    x, y = np.linspace(0, 1, 6), np.array([1.0, 0.5, 0.45, 0.2, 0.25, 0.1])
    found = dc.fit(dc.function([rate], dc.exp(-rate * x) - y), 1.0, method="ad.forward")
    slope = np.sum((np.exp(-found.parameters * x) - y) * x * np.exp(-found.parameters * x))
    assert abs(slope) < 1e-15
    assert isinstance(found.parameters, float)


def test_a_problem_brings_its_points_and_its_formula_by_hand() -> None:
    (problem,) = find("nist_misra1a(observations=14)")
    found = dc.fit(problem, "second start", method="manual")
    assert found.parameters == pytest.approx(problem.point("near the minimum")["b"], rel=0.05)
    again = dc.fit(problem, "start", {"y": problem.points[0]["y"] * 2}, method="manual")
    assert again.parameters[0] == pytest.approx(2 * found.parameters[0], rel=1e-9)


def test_shapes_of_parameters_come_back() -> None:
    w = dc.symbol("w", shape=(2, 2))
    found = dc.fit(dc.function([w], w @ np.array([[1.0, 2.0], [0.5, 3.0]]) - np.eye(2)), np.zeros((2, 2)))
    assert found.parameters == pytest.approx(np.linalg.inv([[1.0, 2.0], [0.5, 3.0]]), rel=1e-13)
    assert np.isnan(found.deviation) and np.all(np.isnan(found.errors))  # as many residuals as parameters


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("a*x - y", {"a": 1.0}, {"x": X}), DiffCompareError, "neither a start nor data for its input 'y'"),
        (("a*x", {"a": 1.0}, {"x": X, "z": Y}), DiffCompareError, "f has no input 'z'; its inputs are a, x"),
        (("a*x", {"a": 1.0, "x": 2.0}, {"x": X}), DiffCompareError, "both a start and data for its input 'x'"),
        (("a*b*x", 1.0, {"x": X}), DiffCompareError, "2 inputs without data: start is a dict of a, b"),
        (("log(a)*x", {"a": -1.0}, {"x": X}), DomainError, r"f's residuals are not finite at the start \[-1.0\]"),
        (("sqrt(a)*x", {"a": 0.0}, {"x": X}), DomainError, "f's Jacobian is not finite at the start"),
        (("a*x*b", {"a": 1.0, "b": 2.0}, {"x": X[:1]}), DiffCompareError, "lm needs as many residuals as parameters, got 1 for 2"),
    ],
)
def test_what_cannot_be_fitted_is_refused(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        dc.fit(*arguments)


def test_numbers_that_are_none_are_refused() -> None:
    for arguments, message in (
        (("a*x", {"a": "one"}, {"x": X}), "fit: a is a number or an array of them, got 'one'"),
        (("a*x", {"a": 1.0}, {"x": ["1", "two"]}), "fit: x is a number or an array of them, got"),
        (("x", {}, {"x": X}), "fit: f has no parameter"),
    ):
        with pytest.raises(DiffCompareError, match=message):
            dc.fit(*arguments)
    with pytest.raises(DomainError, match="fit: the data for x are not finite: leave those out"):
        dc.fit("a*x", {"a": 1.0}, {"x": [1.0, np.nan]})
    with pytest.raises(DiffCompareError, match=r"tolerance is a relative error between 2.22e-16 and 1, got 0"):
        dc.fit("a*x", 1.0, {"x": X}, tolerance=0)
    with pytest.raises(DiffCompareError, match=r"evaluations is at least 1, or None for no limit, got 0"):
        dc.fit("a*x", 1.0, {"x": X}, evaluations=0)


def test_an_algorithm_that_is_none_is_refused() -> None:
    with pytest.raises(DiffCompareError, match="there is no algorithm 'newton'; there are lm, trf, dogbox"):
        dc.fit("a*x", 1.0, {"x": X}, algorithm="newton")

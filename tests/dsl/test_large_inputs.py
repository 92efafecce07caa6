"""Compositions at inputs of ±1000, where exp over- and underflows: finite, accurate to the last digits; guards keep the other branch out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.dsl.core import Expr
from diffcompare.reference import Reference

METHODS = ["ad.forward", "ad.reverse"]
ENGINES = ["python", "numpy"]
K = 1000.0
POINTS = {
    "all large": [K, K, K, K],
    "all small": [-K, -K, -K, -K],
    "mixed": [K, -K, K, 0.0],
    "one large": [-K, -K, K, -K],
    "near the largest": [K, K - 1.0, K - 30.0, -K],
    "near the smallest": [-K, 1.0 - K, 30.0 - K, -K],
}


def cross_entropy(z: Expr) -> Expr:
    """Of the first class, from logits."""
    return dc.logsumexp(z - z[0])


def gaussian_mixture(z: Expr) -> Expr:
    return dc.logsumexp(-0.5 * (z - 1.0) ** 2)


SCALARS: dict[str, Callable[[Expr], Expr]] = {
    "logsumexp": dc.logsumexp,
    "norm": dc.norm,
    "cross_entropy": cross_entropy,
    "cross_entropy_by_difference": lambda z: dc.logsumexp(z) - z[0],
    "softmax_of_one": lambda z: dc.softmax(z)[1],
    "log_softmax": lambda z: z[1] - dc.logsumexp(z),
    "gaussian_mixture": gaussian_mixture,
}


BY_DIFFERENCE = ("cross_entropy_by_difference", "log_softmax")


def assert_close(got: Any, truth: np.ndarray, scale: float) -> None:
    """Finite, and within 16 ulp of `scale`: four terms are summed, each product or quotient of them rounds."""
    got = np.asarray(got, dtype=float)
    assert np.all(np.isfinite(got))
    assert np.max(np.abs(got - truth)) <= 16 * math.ulp(scale)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", SCALARS)
def test_values_gradients_and_hessians_at_1000(name: str, point: str, engine: str, method: str) -> None:
    z = dc.symbol("z", shape=(4,))
    f = dc.function([z], SCALARS[name](z))
    reference, at = Reference(f), {"z": POINTS[point]}
    for operator in ("value", "gradient", "hessian"):
        certified = reference.certify(operator, at)
        assert certified.ok
        truth = certified.values[0]
        prepared = dc.prepare(f, operator, method=method, engine=engine)
        # a value by difference has terms as large as the logits; derivatives are sums of terms up to 1, or up to their own entries
        term = K if operator == "value" and name in BY_DIFFERENCE else 1.0
        assert_close(prepared(np.array(POINTS[point])), truth, max(term, float(np.max(np.abs(truth)))))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("point", POINTS)
def test_the_jacobian_of_softmax_at_1000(point: str, engine: str, method: str) -> None:
    z = dc.symbol("z", shape=(4,))
    f = dc.function([z], dc.softmax(z))
    truth = Reference(f).certify("jacobian", {"z": POINTS[point]}).values[0]
    assert_close(dc.jacobian(f, method=method, engine=engine)(np.array(POINTS[point])), truth, 1.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_norm_neither_overflows_nor_underflows(engine: str, method: str) -> None:
    z = dc.symbol("z", shape=(2,))
    prepared = dc.gradient(dc.function([z], dc.norm(z)), method=method, engine=engine)
    for scale in (1e-300, 1e-160, 1.0, 1e160, 1e300):
        assert_close(prepared(np.array([3.0, 4.0]) * scale), np.array([0.6, 0.8]), 1.0)


# --- where ---

GUARDED: dict[str, tuple[Callable[[Expr], Expr], float, float, float]] = {
    # the function, a point at which the branch not taken is infinite or NaN, the slope and the second derivative there
    "sqrt": (lambda x: dc.where(x > 0, dc.sqrt(x), 2.0 * x), 0.0, 2.0, 0.0),
    "log": (lambda x: dc.where(x > 0, dc.log(x), x * x), -1.0, -2.0, 2.0),
    "quotient": (lambda x: dc.where(dc.eq(x, 0.0), 1.0 + x, dc.sin(x) / x), 0.0, 1.0, 0.0),
    "overflow": (lambda x: dc.where(x < 100, x**3, dc.exp(x * x)), 50.0, 7500.0, 300.0),
    "nested": (lambda x: dc.exp(dc.where(x > 0, dc.sqrt(dc.log(x)), 3.0 * x)), -1.0, 3 * math.exp(-3), 9 * math.exp(-3)),
    "power": (lambda x: dc.where(x > 0, x**0.5, dc.square(x)) * x, -2.0, 12.0, -12.0),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", GUARDED)
def test_nothing_leaks_from_the_other_branch_to_second_order(name: str, engine: str, method: str) -> None:
    branches, at, slope, second = GUARDED[name]
    x = dc.symbol("x")
    f = dc.function([x], branches(x))
    first = dc.gradient(f, method=method, engine=engine)(at)
    both = dc.hessian(f, method=method, engine=engine)(at)
    assert abs(first - slope) <= 2 * math.ulp(slope), first
    assert abs(both - second) <= 2 * math.ulp(second), both

"""Quotients by one reciprocal: those of IEEE division but for the smallest numerators, and the same in batches and single calls."""

from __future__ import annotations

import math

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.engines.llvm.division import shared_divisors
from diffcompare.measure.accuracy import ulps

pytest.importorskip("llvmlite")
x, y, z = dc.symbols("x y z")
THREE = dc.function([x, y, z], (x / y, z / y, 1 / y))


def _numbers(n: int, exponents: int) -> np.ndarray:
    rng = np.random.default_rng(11)
    return rng.standard_normal(n) * 2.0 ** rng.integers(-exponents, exponents, n)


def test_quotients_are_rounded_right() -> None:
    a, b, c = _numbers(100_000, 300), _numbers(100_000, 301)[::-1].copy(), np.linspace(-3, 3, 100_000)
    found = dc.value(THREE, engine="llvm")(a, b, c)
    for mine, expected in zip(found, (a / b, c / b, 1 / b), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_quotients_over_the_whole_range_are_within_an_ulp() -> None:
    a, b = _numbers(50_000, 1020), _numbers(50_000, 1019)[::-1].copy()
    found = dc.value(THREE, engine="llvm")(a, b, a)[0]
    with np.errstate(all="ignore"):
        assert np.max(ulps(found, a / b)) <= 1


def test_edges_are_those_of_ieee_division() -> None:
    edges = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 5e-324, 1.7e308, 2.2e-308, 3.0]
    a, b = map(np.ravel, np.meshgrid(edges, edges))
    found = dc.value(THREE, engine="llvm")(a, b, a)[0]
    with np.errstate(all="ignore"):
        expected = a / b
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found)[found == 0], np.signbit(expected)[found == 0])


def test_a_batch_and_single_calls_agree() -> None:
    a, b = _numbers(300, 1000), _numbers(300, 999)[::-1].copy()
    f = dc.value(THREE, engine="llvm")
    np.testing.assert_array_equal(f(a, b, a)[0], [f(p, q, p)[0] for p, q in zip(a.tolist(), b.tolist(), strict=True)])


def test_only_what_is_divided_by_twice_is_shared() -> None:
    assert [d.params[0] for d in shared_divisors([x / y, z / y, z / x])] == ["y"]

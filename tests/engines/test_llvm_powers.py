"""Powers on engine llvm by own kernels: their error against balls over the whole range, and C99's values at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flint import arb

import diffcompare as dc
from diffcompare.dsl.core import FUNCTIONS
from diffcompare.engines.llvm.target import target
from diffcompare.measure.accuracy import ulps
from diffcompare.reference.certify import Arithmetic

pytest.importorskip("llvmlite")
OWN = pytest.mark.skipif(not target().fma, reason="this processor has no fused multiply-add: powers are the C library's")
x, y = dc.symbols("x y")


def _truth(columns: tuple[np.ndarray, ...], of: object) -> np.ndarray:
    with Arithmetic(300, 1):
        return np.array([float(of(*(arb(float(v)) for v in point)).mid()) for point in zip(*columns, strict=True)])  # type: ignore[operator]


def _points(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A quarter each: everywhere, large exponents, bases near 1, whole exponents."""
    rng = np.random.default_rng(7)
    wide = np.exp(rng.uniform(-300, 300, n)), rng.uniform(-2.3, 2.3, n)
    steep = np.exp(rng.uniform(-1, 1, n)), rng.uniform(-700, 700, n)
    near = 1 + rng.uniform(-1e-8, 1e-8, n), rng.uniform(-1e10, 1e10, n)
    whole = rng.uniform(0.1, 3, n), np.round(rng.uniform(-30, 30, n))
    first, second = (np.concatenate(c) for c in zip(wide, steep, near, whole, strict=True))
    return first, second


@OWN
@pytest.mark.parametrize(
    ("name", "of", "bound"),
    [
        ("pow", lambda a, b: a**b, 1),
        ("pow_less_1", lambda a, b: a ** (b - 1), 1),
        ("pow_less_2", lambda a, b: a ** (b - 2), 1),
        ("pow_slope", lambda a, b: b * a ** (b - 1), 2),
        ("pow_log", lambda a, b: a**b * a.log(), 3),
        ("pow_log_2", lambda a, b: a**b * a.log() ** 2, 4),
    ],
)
def test_any_exponent(name: str, of: object, bound: float) -> None:
    columns = _points(500)
    found = dc.value(dc.function([x, y], FUNCTIONS[name](x, y)), engine="llvm")(*columns)
    truth = _truth(columns, of)
    normal = (np.abs(truth) > 2.0**-1022) & np.isfinite(truth)
    assert normal.sum() > 1500
    assert np.max(ulps(found[normal], truth[normal])) <= bound


@OWN
@pytest.mark.parametrize("exponent", [0.5, 1.5, 5.0, 6.0, 7.0, 12.0, 20.0, 64.0, -1.5, -3.0, -12.0])
def test_constant_exponents_are_rounded_right_or_nearly(exponent: float) -> None:
    base = np.exp(np.random.default_rng(3).uniform(-9, 9, 500))
    found = dc.value(f"x**({exponent})", engine="llvm")(base)
    distance = ulps(found, _truth((base,), lambda a: a ** arb(exponent)))
    assert np.max(distance) <= 1 and np.mean(distance) < 0.02


def test_edges_are_those_of_the_c_library() -> None:
    bases = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 2.0, -2.0, 0.5, 5e-324, 1.7e308]
    exponents = [0.0, -0.0, 1.0, -1.0, 2.0, 3.0, -3.0, 0.5, -0.5, math.inf, -math.inf, math.nan, 1e300, 2.0**53, 2.0**53 + 2]
    a, b = map(np.ravel, np.meshgrid(bases, exponents))
    found = dc.value("x**y", engine="llvm")(a, b)
    with np.errstate(all="ignore"):
        expected = np.power(a, b)
    assert np.max(ulps(found, expected)) <= 1
    np.testing.assert_array_equal(np.signbit(found)[found == 0], np.signbit(expected)[found == 0])


def test_a_batch_and_single_calls_agree() -> None:
    a, b = _points(50)
    power = dc.value("x**y", engine="llvm")
    np.testing.assert_array_equal(power(a, b), [power(p, q) for p, q in zip(a.tolist(), b.tolist(), strict=True)])


@OWN
def test_y_minus_1_is_not_rounded() -> None:
    slope = dc.value(dc.function([x, y], FUNCTIONS["pow_slope"](x, y)), engine="llvm")
    assert slope(1e-300, 1e-20) == pytest.approx(float(math.exp(1e-20 * math.log(1e-300)) * 1e-20 / 1e-300), rel=1e-15)

"""taylor: coefficients worked out by hand, remainders that shrink as they should, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import diffcompare as dc

METHODS = ("ad.forward", "ad.reverse", "symbolic", "manual")


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_polynomial_against_its_gradient(method: str) -> None:
    x, y = dc.symbols("x y")
    f = dc.function([x, y], x**2 * y + y + 2, gradient=[2 * x * y, x**2 + 1], hessian=[[2 * y, 2 * x], [2 * x, 0.0]])
    t = dc.taylor(f, {"x": 3.0, "y": 4.0}, {"x": -24.0, "y": -10.0}, method=method)
    # c1 = -|gradient|², c2 = half of (24, 10) H (24, 10) = (8·576 + 2·6·240) / 2
    assert t.coefficients == (42.0, -676.0, 3744.0)
    assert t.order == 2
    assert t(0.5) == 42.0 - 338.0 + 936.0
    assert t.exact(0.01) < 42.0
    assert str(dc.taylor(f, {"x": 3.0, "y": 4.0}, {"x": 1.0}, method=method)) == "42.0 + 24.0*h + 4.0*h**2"


def test_of_one_number_to_any_order() -> None:
    t = dc.taylor("exp(x)", {"x": 0.0}, order=6)
    assert t.coefficients == pytest.approx([1 / math.factorial(k) for k in range(7)], rel=1e-15)
    assert dc.taylor("exp(x)", {"x": 0.0}, 2.0, order=3).coefficients == pytest.approx([1, 2, 2, 8 / 6], rel=1e-15)
    assert dc.taylor("exp(x)", {"x": 0.0}, order=0)(0.3) == 1.0


@pytest.mark.parametrize("order", [1, 2])
def test_the_remainder_shrinks_with_the_next_power(order: int) -> None:
    t = dc.taylor("log(x) + x*y - sin(y)", {"x": 2.0, "y": 5.0}, {"x": 1.0, "y": -1.0}, order=order)
    h = np.array([2e-3, 1e-3, 5e-4])
    slopes = np.log2(t.remainder(h)[:-1] / t.remainder(h)[1:])
    assert slopes == pytest.approx(order + 1, abs=0.02)


def test_arrays_and_inputs_that_stay_fixed() -> None:
    a, w = dc.symbol("a"), dc.symbol("w", shape=(3,))
    f = dc.function([a, w], dc.sum(a * w * w * w))
    along = {"w": np.array([1.0, 0.0, 2.0])}
    t = dc.taylor(f, {"a": 2.0, "w": [1.0, 2.0, 3.0]}, along)
    assert t.coefficients == (72.0, 114.0, 78.0)
    assert t(np.array([0.0, 1.0])).tolist() == [72.0, 264.0]
    mapped = dc.taylor(dc.function([a, w], a * w), {"a": 2.0, "w": [1.0, 2.0, 3.0]}, along, order=1)
    assert mapped.coefficients[1].tolist() == [2.0, 0.0, 4.0]
    assert mapped(np.array([0.0, 0.5])).tolist() == [[2.0, 4.0, 6.0], [3.0, 4.0, 8.0]]
    assert np.all(mapped.remainder(np.array([0.0, 0.5])) == 0.0)


def test_what_cannot_be_asked_says_why() -> None:
    at = {"x": 3.0, "y": 4.0}
    with pytest.raises(dc.Unsupported, match=r"taylor goes up to order 2 for functions of several numbers, got 3 .* come later"):
        dc.taylor("x**2*y", at, {"x": 1.0}, order=3)
    with pytest.raises(dc.DiffCompareError, match="taylor needs a direction: a dict with values for some of x, y"):
        dc.taylor("x**2*y", at)
    with pytest.raises(dc.DiffCompareError, match=r"the direction has \['z'\]; the inputs are x, y"):
        dc.taylor("x**2*y", at, {"z": 1.0})
    with pytest.raises(dc.ShapeError, match=r"the direction of x has shape \(\) and finite entries, got \[1.0, 2.0\]"):
        dc.taylor("x**2*y", at, {"x": [1.0, 2.0]})
    with pytest.raises(dc.DiffCompareError, match=r"the order of a Taylor polynomial is 0, 1, 2, \.\.\., got -1"):
        dc.taylor("exp(x)", {"x": 0.0}, order=-1)

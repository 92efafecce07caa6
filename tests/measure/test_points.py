"""Points as users give them: right ones come through bit for bit, wrong ones are refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffcompare.dsl import function, symbol, symbols
from diffcompare.errors import DiffCompareError, DomainError, ShapeError
from diffcompare.measure.points import checked, in_precision, read, text

x, y = symbols("x y")
w = symbol("w", shape=(3,))
F = function([x, y], x * y)
G = function([x, w], x * w)
H = function([x], x)


@given(st.floats(allow_nan=False, allow_infinity=False), st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_a_point_written_as_text_is_read_back_bit_for_bit(a: float, b: list[float]) -> None:
    point = checked(G, {"x": a, "w": b})
    back = checked(G, read(text(point)))
    assert np.float64(back["x"]).tobytes() == np.float64(a).tobytes()
    assert back["w"].tobytes() == np.array(b).tobytes()


@pytest.mark.parametrize(
    ("written", "point"),
    [
        ("x=3,y=4", {"x": 3.0, "y": 4.0}),
        (" x = 3e-2 , y=-4. ", {"x": 0.03, "y": -4.0}),
        ("x=0x1.8p+1,y=-0x1p-2", {"x": 3.0, "y": -0.25}),
        ("x=1,y=2,", {"x": 1.0, "y": 2.0}),
    ],
)
def test_text_is_read(written: str, point: dict[str, float]) -> None:
    assert checked(F, read(written)) == point


def test_lists_are_arrays() -> None:
    assert read("w=[[1,2],[3,4]],x=1")["w"].tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "a point reads like x=3,y=4, got ''"),
        ("x", "a point reads like x=3,y=4, got 'x'"),
        ("x=1,x=2", "gives x twice"),
        ("x=one", "x: 'one' is not a number"),
        ("x=", "x: 'nothing' is not a number"),
        ("x=[1,[2]]", "x: expected a list of numbers"),
        ("x=[1,2", "x: expected a list of numbers"),
        ("x=" + "[" * 100_000, "x: expected a list of numbers"),
        ("2=3", "a point reads like"),
    ],
)
def test_text_that_is_no_point_is_refused(written: str, message: str) -> None:
    with pytest.raises(DiffCompareError, match=message.replace("[", r"\[").replace("(", r"\(")):
        read(written)


@pytest.mark.parametrize(
    ("at", "error", "message"),
    [
        ({"x": 1.0}, DiffCompareError, "no value for 'y'; the inputs of f are x, y"),
        ({"x": 1.0, "y": 2.0, "z": 3.0}, DiffCompareError, "a value for 'z'"),
        (1.0, DiffCompareError, "a point is a mapping"),
        ({"x": float("nan"), "y": 1.0}, DomainError, "x must be finite, got nan"),
        ({"x": float("inf"), "y": 1.0}, DomainError, "x must be finite"),
        ({"x": [1.0, 2.0], "y": 1.0}, ShapeError, r"x has shape scalar, the point gives shape \(2,\)"),
        ({"x": "1", "y": 1.0}, TypeError, "x: expected a real number"),
        ({"x": 1j, "y": 1.0}, TypeError, "x: expected a real number"),
        ({"x": None, "y": 1.0}, TypeError, "x: expected a real number"),
        ({"x": 10**400, "y": 1.0}, TypeError, "x: expected a real number"),
        ({"x": [[1], [2, 3]], "y": 1.0}, TypeError, "x: expected a real number"),
    ],
)
def test_a_point_that_does_not_fit_is_refused_by_name(at: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        checked(F, at)


def test_one_input_takes_a_bare_value_and_integers_become_floats() -> None:
    assert checked(H, 3) == {"x": 3.0}
    assert isinstance(checked(H, 3)["x"], float)


def test_float32_points_are_rounded_before_anyone_is_asked() -> None:
    assert in_precision({"x": 0.1}, "float32") == {"x": float(np.float32(0.1))}
    with np.errstate(over="ignore"), pytest.raises(DomainError, match="beyond float32"):
        in_precision({"x": 1e300}, "float32")

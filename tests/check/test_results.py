"""What a check says: its verdict, its text, bad claims and bad questions by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.check import Check, CheckFailed, CheckUndecided, check_gradient, check_hessian, check_jacobian
from diffcompare.errors import DiffCompareError, DomainError, ShapeError


def f(x: float, y: float) -> float:
    return x**2 * y + y + 2


def g(x: float, y: float) -> Any:
    return 2 * x * y, x**2 + 1


def norm2(x: Any) -> Any:
    return np.sum(x**2)


AT = (3.0, 4.0)
X = np.array([0.5, -1.5, 2.5])


# --- ways to ask ---


@pytest.mark.parametrize("at", [AT, {"x": 3.0, "y": 4.0}, {"y": 4.0, "x": 3.0}, [AT, (1.5, -2.0)], (3, 4)])
def test_points_by_position_by_name_and_several(at: Any) -> None:
    assert check_gradient(f, lambda x, y: {"x": 2 * x * y, "y": x**2 + 1}, at=at).ok is True


@pytest.mark.parametrize("function", ["x**2*y + y + 2", f, dc.parse("x**2*y + y + 2")])
@pytest.mark.parametrize("claim", [g, lambda x, y: list(g(x, y)), lambda x, y: np.array(g(x, y))[:, None].reshape(2).tolist()])
def test_text_functions_and_python_functions(function: Any, claim: Any) -> None:
    assert check_gradient(function, claim, at=AT).ok is True


def test_a_claim_may_be_text() -> None:
    assert check_gradient(lambda x: x**3, "3*x**2", at=2.0).ok is True
    assert check_gradient("x**3", "2*x**2", at=2.0).ok is False


def test_wrt_leaves_other_arguments_as_they_are() -> None:
    def power(x: Any, n: int, mode: str) -> Any:
        return np.sum(x**n) if mode == "sum" else 0.0

    result = check_gradient(power, lambda x, n, mode: n * x ** (n - 1), at=(X, 3, "sum"), wrt="x")
    assert result.ok is True
    assert not result.why_not_traced
    with pytest.raises(DiffCompareError, match=r"mode = sum \(str\).*wrt= names"):
        check_gradient(power, lambda x, n, mode: x, at=(X, 3, "sum"))


def test_hessians_of_several_arguments_are_rows_of_blocks() -> None:
    def h(w: Any, b: float) -> Any:
        return np.sum(np.exp(w)) * b

    def rows(w: Any, b: float) -> Any:
        return {"w": {"w": np.diag(np.exp(w)) * b, "b": np.exp(w)}, "b": {"w": np.exp(w), "b": 0.0}}

    assert check_hessian(h, rows, at=(X, 1.5)).ok is True
    assert check_hessian(h, rows, at=(X, 1.5), trace=False, resolution=1e-6).ok is True


# --- claims that are no arrays of the right shape ---


def raising(x: Any) -> Any:
    raise ValueError("no luck")


@pytest.mark.parametrize(
    ("claim", "story"),
    [
        (lambda x: None, "returned None for x"),
        (lambda x: 2 * x[:2], r"returned shape \(2,\) for x, expected \(3,\)"),
        (lambda x: (2 * x)[:, None], r"returned shape \(3, 1\) for x, expected \(3,\)"),
        (lambda x: 2j * x, r"returned complex numbers for x \(dtype complex128\)"),
        (lambda x: "2x", "returned str for x"),
        (lambda x: [[1, 2], [3]], "rows of different lengths"),
        (raising, r"raised ValueError: no luck \(test_results.py, line"),
        (lambda x, y: x, "raised TypeError: .*missing 1 required positional argument"),
        (lambda x: {"z": x}, "returned values for z, expected x"),
    ],
)
def test_a_claim_that_is_no_array_of_the_shape_is_wrong_and_named(claim: Any, story: str) -> None:
    result = check_gradient(norm2, claim, at=X)
    assert result.ok is False
    with pytest.raises(CheckFailed, match=story):
        result.raise_if_failed()


def test_the_wrong_number_of_parts_is_named() -> None:
    result = check_gradient(f, lambda x, y: (x, y, 0.0), at=AT)
    assert "returned 3 parts, expected 2, for x, y" in str(result)


def test_a_transposed_shape_is_named() -> None:
    result = check_jacobian(lambda x: np.stack([x[0], x[1] * x[2]]), lambda x: np.ones((3, 2)), at=X)
    assert "expected (2, 3), its transpose" in str(result)


def test_nan_and_float32_are_named() -> None:
    nan = check_gradient(norm2, lambda x: np.where(x < 0, np.nan, 2 * x), at=X)
    assert (nan.ok, nan.kinds) == (False, ["NaN in 1 entry"])
    single = check_gradient(norm2, lambda x: (2 * x * np.pi / 3).astype(np.float32) * np.float32(3 / np.pi), at=X)
    assert any("returned float32" in w for o in single.outcomes for w in o.warnings)


# --- questions that cannot be asked ---


@pytest.mark.parametrize(
    ("function", "at", "error", "story"),
    [
        (norm2, np.array([1.0, np.nan]), DomainError, r"at= must be finite, x\[1\] is nan"),
        (norm2, np.array([]), ShapeError, "without entries"),
        (lambda x: x, X, ShapeError, "returned shape .*use check_jacobian"),
        (np.log, -1.0, DomainError, "log is nan at the point"),
        (lambda x: None, 1.0, DiffCompareError, "returned None at the point"),
        (lambda x: 1j, 1.0, DiffCompareError, "complex"),
        (lambda x: 1 / 0, 1.0, DiffCompareError, "raised ZeroDivisionError: division by zero .test_results.py"),
        (3.0, 1.0, DiffCompareError, "f: expected a function"),
        ("x + y", {"x": 1.0}, DiffCompareError, "has the inputs x, y"),
        ("x + y", {"x": 1.0, "y": [1.0]}, ShapeError, "y has shape scalar"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_question_that_cannot_be_asked_is_an_error(function: Any, at: Any, error: type[Exception], story: str) -> None:
    with pytest.raises(error, match=story):
        check_gradient(function, lambda *a: a[0], at=at)


@pytest.mark.parametrize("options", [{"resolution": 0.0}, {"resolution": 2}, {"seconds": -1}, {"wrt": "z"}])
def test_options_are_checked(options: Any) -> None:
    with pytest.raises(DiffCompareError, match=next(iter(options))):
        check_gradient(norm2, lambda x: 2 * x, at=X, **options)


# --- verdicts ---


def test_a_kink_is_undecided_and_says_so() -> None:
    for trace in (True, False):
        result = check_gradient(abs, np.sign, at=0.0, trace=trace)
        assert result.ok is None
        assert "kink" in str(result)


def test_rounding_that_hides_an_entry_makes_it_undecided_unless_the_formula_is_right() -> None:
    def chaos(x: Any) -> Any:
        for _ in range(45):
            x = 4 * x * (1 - x)
        return x

    def slope(x: Any) -> Any:
        d = 1.0
        for _ in range(45):
            d = d * 4 * (1 - 2 * x)
            x = 4 * x * (1 - x)
        return d

    right = check_gradient(chaos, slope, at=0.3)
    assert right.ok is True
    assert right.worst is not None
    assert "the formula is right" in right.worst.note
    number = slope(0.3)
    assert check_gradient(chaos, lambda x: number, at=0.3).ok is None


def test_a_function_that_depends_on_more_than_its_arguments_is_not_believed_when_traced() -> None:
    def sly(x: Any) -> Any:
        return x**2 if isinstance(x, float) else x**3

    result = check_gradient(sly, lambda x: 2 * x, at=1.5)
    assert result.ok is True
    assert "something else" in result.why_not_traced


def test_the_reason_why_a_function_was_not_traced_is_shown() -> None:
    result = check_gradient(lambda x: x if x > 0 else -x, np.sign, at=1.5)
    assert result.ok is True
    assert "truth value" in result.why_not_traced
    assert result.why_not_traced in str(result)


def test_a_function_that_writes_into_its_argument_does_not_change_the_point() -> None:
    x = X.copy()

    def destroys(v: Any) -> Any:
        v *= 2
        return float(np.sum(v**2))

    assert check_gradient(destroys, lambda v: 8 * v, at=x).ok is True
    assert np.array_equal(x, X)


def test_degenerate_points_are_warned_of() -> None:
    warned = str(check_gradient(norm2, lambda x: 2 * x, at=np.array([0.0, 1.0, 2.5, 2.5])))
    assert "x[0] is 0" in warned
    assert "x[1] is 1 or -1" in warned
    assert "x[2], x[3] are equal" in warned
    assert "warning" not in str(check_gradient(norm2, lambda x: 2 * x, at=X))


def test_a_stationary_point_shows_nothing_and_says_so() -> None:
    result = check_gradient(lambda x: np.sum((x - X) ** 2), lambda x: 3 * (x - X), at=X)
    assert "stationary" in str(result)


def test_no_tolerance_grows_with_size_and_none_is_absolute() -> None:
    for scale in (1e-200, 1.0, 1e200):
        for n in (1, 30, 3000):
            x = np.random.default_rng(n).uniform(1, 2, n)

            def claim(x: Any, scale: float = scale) -> Any:
                wrong = scale * np.cos(x)
                wrong[-1] *= 1 + 1e-9
                return wrong

            result = check_gradient(lambda x, s=scale: s * np.sum(np.sin(x)), claim, at=(x,))
            assert [e.column for e in result.wrong] == [n - 1]


# --- the result ---


def test_worst_is_the_entry_furthest_beyond_its_tolerance() -> None:
    result = check_gradient(f, lambda x, y: (2 * x * y + 1e-9, x**2), at=AT)
    assert result.worst is not None
    assert (result.worst.name, result.worst.claimed, result.worst.expected) == ("∂f/∂y", 9.0, 10.0)
    assert result.worst.error == -1.0
    assert result.worst.relative == 0.1
    assert math.isclose(result.worst.excess, 1 / result.worst.allowed)
    assert [e.name for e in result.wrong] == ["∂f/∂x", "∂f/∂y"]


def test_raise_if_failed() -> None:
    check_gradient(f, g, at=AT).raise_if_failed()
    undecided = check_gradient(abs, np.sign, at=0.0)
    with pytest.raises(CheckUndecided):
        undecided.raise_if_failed()
    undecided.raise_if_failed(undecided="allow")
    with pytest.raises(AssertionError, match=r"WRONG in 1 entry[\s\S]*one term is missing: that of y"):
        check_gradient(f, lambda x, y: (2 * x * y, x**2), at=AT).raise_if_failed()
    with pytest.raises(DiffCompareError, match="'raise' or 'allow'"):
        undecided.raise_if_failed("ignore")


def test_a_check_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"ask for \.ok"):
        bool(check_gradient(f, g, at=AT))


def test_text_and_html_tell_the_same() -> None:
    result: Check = check_gradient(f, lambda x, y: (2 * x * y, x**2), at=[AT, (1.0, 2.0)])
    text, html = str(result), result._repr_html_()
    for piece in ("WRONG in 2 entries", "one term is missing: that of y", "at point 1"):
        assert piece in text
        assert piece in html
    assert max(map(len, text.splitlines())) < 200
    assert "<lambda>" not in html


@pytest.mark.parametrize(
    ("claim", "kind"),
    [
        (lambda x: -2 * x, "sign"),
        (lambda x: x, "factor 1/2"),
        (lambda x: 6 * x, "factor 3"),
        (lambda x: 2 * x / 4, "factor 1/4"),
        (lambda x: 0 * x, "zero gradient"),
        (lambda x: 2 * x[::-1], "reverse order"),
        (lambda x: np.roll(2 * x, -1), "shifted by -1"),
        (lambda x: 2 * x + 3, "the same number, -3"),
        (lambda x: 2 + 0 * x, "a factor is missing: the input"),
        (lambda x: 2 * x * np.sum(x**2), "a factor too many: the function's value"),
        (lambda x: 2.00001 * x, "a constant with too few digits"),
        (lambda x: 2 * x * np.pi / 180, "factor π/180"),
        (lambda x: 2 * x[[0, 1, 3, 2]], r"x\[2\] and x\[3\] exchanged"),
        (lambda x: 2 * x[[0, 1, 1, 3]], r"∂norm2/∂x\[2\] is the derivative with respect to x\[1\]"),
    ],
)
def test_the_kind_of_mistake(claim: Any, kind: str) -> None:
    x = np.array([0.5, -1.5, 2.25, 3.125])
    for trace in (True, False):
        (found,) = check_gradient(norm2, claim, at=x, trace=trace).kinds
        assert kind.replace("\\", "") in found

"""The survey's figures 3 and 5 and table 1, with its numbers, and the same tables for other functions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import diffcompare as dc
from diffcompare.errors import DiffCompareError, ShapeError, Unsupported
from diffcompare.problem import Problem, find
from diffcompare.report.survey import STEPS, exponents, scaling, step_curve, swell_table

# --- figure 3 ---

FIGURE_3 = {
    # h: (forward, central), from the survey's curve of f = l4 at 0.2, recomputed in float64
    1e-2: (2.7e-1, 6.6e-2),
    1e-4: (3.4e-3, 6.6e-6),
    1e-6: (3.4e-5, 5.8e-10),
    1e-8: (3.3e-7, 4.5e-9),
    1e-10: (3.7e-7, 6.5e-7),
    1e-12: (6.1e-5, 6.1e-5),
    1e-14: (6.7e-3, 6.7e-3),
}


@pytest.fixture(scope="module")
def figure_3() -> pd.DataFrame:
    return step_curve(find("logistic_map(n=4)")[0], steps=list(FIGURE_3))


def row(table: pd.DataFrame, method: str, h: float) -> pd.Series[float]:
    (found,) = [r for _, r in table[table["method"] == method].iterrows() if r["h"] == h]
    return found


@pytest.mark.parametrize("h", FIGURE_3)
@pytest.mark.parametrize("method", ["fd.forward", "fd.central"])
def test_the_curve_of_figure_3(figure_3: pd.DataFrame, method: str, h: float) -> None:
    """Two digits where truncation rules; where rounding does, errors are as good as random, and only their size agrees."""
    expected = FIGURE_3[h][method == "fd.central"]
    found = row(figure_3, method, h)
    if found["truncation"] > 100 * found["rounding"]:
        assert float(f"{found['error']:.1e}") == expected
    else:
        assert expected / 10 < found["error"] < expected * 10


def test_the_asymptotes_are_the_error_where_each_rules(figure_3: pd.DataFrame) -> None:
    differences = figure_3[figure_3["method"].isin(["fd.forward", "fd.central"])]
    for _, r in differences.iterrows():
        if r["h"] <= 1e-3 and r["truncation"] > 100 * r["rounding"]:
            assert r["error"] == pytest.approx(r["truncation"], rel=0.03)
        assert r["error"] < 3 * (r["truncation"] + 10 * r["rounding"])


def test_exact_methods_and_the_complex_step_have_the_last_digits(figure_3: pd.DataFrame) -> None:
    exact = figure_3[figure_3["h"].isna()]
    assert list(exact["method"]) == ["ad.forward", "ad.reverse", "symbolic"]
    assert exact["error"].max() <= 7e-15
    small = figure_3[(figure_3["method"] == "fd.complex") & (figure_3["h"] < 1e-9)]
    assert small["error"].max() <= 7e-15


def test_f_and_its_slope_are_the_survey_s() -> None:
    f = find("logistic_map(n=4)")[0].function
    assert dc.value(f)(0.2) == pytest.approx(0.28901376, rel=1e-14)
    assert dc.derivative(f)(0.2) == pytest.approx(9.0660864, rel=1e-14)


SCALAR = [p for p in find("tag:core") if not p.function.output.shape]


@pytest.mark.parametrize("problem", SCALAR, ids=lambda p: p.name)
def test_a_curve_of_any_scalar_problem_falls_with_the_step_and_rises_again(problem: Problem) -> None:
    table = step_curve(problem, steps=[1e-3, 1e-5, 1e-7, 1e-15])
    assert set(table["method"]) == {"fd.forward", "fd.central", "fd.complex", "ad.forward", "ad.reverse", "symbolic"}
    without = table[table["value"].isna()]
    assert ((without["message"] != "") | (without["h"] == 1e-15)).all()  # a step too small to move x has no quotient
    slope = abs(table["value"][table["method"] == "ad.reverse"].iloc[0])
    assert table["error"][table["method"] == "ad.reverse"].iloc[0] <= 1e-9 * max(slope, 1.0)
    forward = table[table["method"] == "fd.forward"].set_index("h")
    ruled = forward[(forward["truncation"] > 1000 * forward["rounding"]) & (forward.index <= 1e-5)]
    assert np.allclose(ruled["error"], ruled["truncation"], rtol=0.1)


def test_a_method_that_refuses_has_one_row_with_its_reason() -> None:
    (refused,) = [r for _, r in step_curve(dc.parse("erf(x)"), {"x": 0.5}, steps=[1e-3, 1e-6]).iterrows() if r["message"]]
    assert (refused["method"], "erf has no complex form" in refused["message"]) == ("fd.complex", True)


def test_one_entry_of_an_array_and_one_input_of_several() -> None:
    helmholtz = find("helmholtz")[0]
    gradient = dc.gradient(helmholtz.function)(**helmholtz.points[0])
    for k in (0, 3):
        table = step_curve(helmholtz, entry=f"x[{k}]", steps=[1e-6])
        assert table["value"].iloc[-2] == pytest.approx(gradient[k], rel=1e-13)
    table = step_curve(dc.parse("x**2*s"), {"x": 3.0, "s": 4.0}, entry="s", steps=[0.5])
    assert list(table["value"]) == pytest.approx([9.0] * 6)
    assert STEPS[0] == 1e-16 and STEPS[-1] == 1.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: step_curve(find("softmax_probabilities")[0]), ShapeError, r"step_curve: .* needs one scalar output"),
        (lambda: step_curve(find("helmholtz")[0], entry="x[9]"), DiffCompareError, r"helmholtz has no entry 'x\[9\]': x has shape \(5,\)"),
        (lambda: step_curve(find("helmholtz")[0], entry="z"), DiffCompareError, r"no input 'z'"),
        (lambda: step_curve(dc.parse("abs(x)"), {"x": 0.0}), Unsupported, r"no certified derivative at 0.0 \(kink\)"),
        (lambda: scaling("seed_polynomial"), DiffCompareError, r"seed_polynomial has no size to vary"),
        (lambda: scaling("nothing_like_it"), DiffCompareError, r"there is no problem 'nothing_like_it'"),
    ],
)
def test_what_has_no_curve_is_refused_by_name(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()  # type: ignore[operator]


# --- table 1 ---


def test_table_1_expression_swell() -> None:
    table = swell_table()
    assert list(table["n"]) == [2, 3, 4, 5, 6, 7, 8, 9]
    assert list(table["function"]) == [3, 8, 18, 38, 78, 158, 318, 638]
    assert list(table["derivative"]) == [2, 21, 82, 264, 768, 2096, 5472, 13824]
    assert list(table["cse"]) == [2, 12, 27, 45, 67, 93, 123, 157]
    assert list(table["nodes"]) == [2, 10, 17, 25, 34, 44, 55, 67]
    assert set(np.diff(table["ad.reverse"])) == set(np.diff(table["ad.forward"][1:])) == {8}  # a sweep is linear
    assert table["symbolic"].iloc[-1] > 3 * table["ad.reverse"].iloc[-1]


def test_what_sympy_is_not_asked_is_left_empty() -> None:
    table = swell_table(sizes=[3, 14])
    assert table["derivative"].iloc[0] == 21
    assert math.isnan(table["derivative"].iloc[1])
    assert table["ad.reverse"].iloc[1] == 13 + 8 * 11


# --- figure 5 ---


def test_figure_5_the_helmholtz_energy() -> None:
    """The gradient over the function: reverse stays about 2, differences and forward mode grow with n."""
    table = scaling("helmholtz", (4, 8, 16, 32), ("ad.reverse", "ad.forward", "fd.forward", "fd.central"))
    reverse = table[table["method"] == "ad.reverse"]["ratio"]
    assert reverse.between(2.0, 2.5).all()
    assert list(table[table["method"] == "fd.forward"]["ratio"]) == pytest.approx([5, 9, 17, 33])
    assert list(table[table["method"] == "fd.central"]["ratio"]) == pytest.approx([8, 16, 32, 64])
    fitted = exponents(table).set_index("method")["exponent"]
    assert abs(fitted["ad.reverse"]) < 0.1
    assert all(abs(fitted[m] - 1) < 0.1 for m in ("ad.forward", "fd.forward", "fd.central"))


def test_a_refusal_is_a_row_with_its_reason_and_leaves_the_fit_to_the_others() -> None:
    table = scaling("logistic_map", (4, 16, 512), ("symbolic", "ad.reverse"))
    assert list(table[table["method"] == "symbolic"]["status"]) == ["ok", "ok", "too_large"]
    refused = table[table["status"] == "too_large"].iloc[0]
    assert math.isnan(refused["ratio"])
    assert "logistic_map" in refused["message"]
    fitted = exponents(table).set_index("method")
    assert list(fitted["over"]) == ["n", "n"]  # there is one input whatever n
    assert list(fitted["sizes"]) == [2, 3]
    assert fitted["exponent"]["symbolic"] > 1
    assert abs(fitted["exponent"]["ad.reverse"]) < 0.1

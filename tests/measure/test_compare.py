"""compare: what a user asks, what comes back, how it shows, and what cannot be asked."""

from __future__ import annotations

from io import StringIO
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import diffcompare as dc
from diffcompare.differentiate import engines, methods
from diffcompare.differentiators.finite_difference import FiniteDifference
from diffcompare.measure.compare import compare
from diffcompare.measure.comparison import Comparison, seconds
from diffcompare.measure.record import Measurement
from diffcompare.problem import find


@pytest.fixture(scope="module")
def all_of_them() -> Comparison:
    return compare("x**2*y + y + 2", at={"x": 3.0, "y": 4.0}, timing=0.001)


def test_every_method_runs_on_every_engine_or_at_its_home(all_of_them: Comparison) -> None:
    homes = {name: getattr(method, "home", "") or "" for name, method in methods().items()}
    expected = [(m, e) for m in methods() for e in engines() if homes[m] in ("", e)]
    assert [(r.method, r.engine) for r in all_of_them.records] == expected
    assert {r.status for r in all_of_them.records} <= {"ok", "unsupported"}


def test_the_seed_s_gradient_is_24_and_10_by_every_family(all_of_them: Comparison) -> None:
    answered = [r for r in all_of_them.records if r.status == "ok"]
    assert {r.family for r in answered} >= {"ad", "fd", "symbolic"}
    for r in answered:
        assert r.value == pytest.approx((24.0, 10.0), rel=1e-7)
        assert r.error_over_bound is not None
        assert r.error_over_bound <= 1
        assert r.first_call_s is not None
        assert r.call_s is not None
    by_ad = next(r for r in answered if r.method == "ad.reverse")
    assert (by_ad.value, by_ad.error_ulp, by_ad.error_rel) == ((24.0, 10.0), 0.0, 0.0)


def test_the_manual_family_says_what_is_missing(all_of_them: Comparison) -> None:
    reasons = {r.message for r in all_of_them.records if r.method == "manual"}
    assert all("no hand formula" in reason for reason in reasons)


def test_the_table_is_a_data_frame(all_of_them: Comparison) -> None:
    table = all_of_them.table
    assert len(table) == len(all_of_them.records)
    assert {"method", "engine", "status", "error_ulp", "call_s"} <= set(table.columns)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_it_shows_itself_at_every_width(all_of_them: Comparison, width: int) -> None:
    text = StringIO()
    Console(file=text, width=width).print(all_of_them)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert any("ad.reverse" in line and "ok" in line for line in lines)


def test_it_shows_itself_as_text_and_html(all_of_them: Comparison) -> None:
    assert "gradient of x**2*y + y + 2 with respect to x,y at x=3.0,y=4.0" in str(all_of_them)
    assert "\x1b" not in str(all_of_them)
    assert "<table" in all_of_them._repr_html_()
    nasty = Comparison([Measurement("<b>", "gradient", "m", "ad", "e", "failed", message="<script>")])
    assert "<script>" not in nasty._repr_html_()
    assert "<b>" not in nasty._repr_html_()


def test_methods_and_engines_are_chosen_by_name_pattern_or_object() -> None:
    wide = FiniteDifference("central", step=1e-3)
    found = compare("x*x", 3.0, methods=["ad.*", "fd.central", wide, "fd.central"], engines="python", timing=0).records
    assert [r.method for r in found] == ["ad.forward", "ad.reverse", "fd.central", wide.name]
    assert {r.engine for r in found} == {"python"}


def test_a_problem_is_asked_at_its_points_with_its_formulas() -> None:
    (problem,) = find("rosenbrock(n=3)")
    found = compare(problem, methods=["manual", "ad.reverse"], engines="numpy", timing=0)
    assert [r.point for r in found.records[: len(problem.points)]] == [p.label for p in problem.points]
    assert {r.status for r in found.records} == {"ok"}
    assert compare(problem, "start", methods="manual", engines="numpy", timing=0).records[0].point == "start"
    assert f"{len(problem.points)} points" in found.title


@pytest.mark.parametrize("operator", [*map(str, ("value", "gradient", "jacobian", "hessian", "jvp", "vjp", "hvp", "value_and_gradient"))])
def test_every_operator_is_judged(operator: str) -> None:
    found = compare("sin(x)*exp(y)", {"x": 0.7, "y": 0.3}, operator, methods=["ad.*", "fd.central"], engines="numpy", timing=0)
    assert [r.status for r in found.records] == ["ok"] * 3, found.notes


def test_directions_can_be_given() -> None:
    options: dict[str, Any] = {"methods": "ad.forward", "engines": "python", "timing": 0}
    (r,) = compare("x*y", {"x": 2.0, "y": 3.0}, "jvp", tangent={"x": 1.0, "y": 10.0}, **options).records
    assert r.value == (23.0,)
    (r,) = compare("x*y", {"x": 2.0, "y": 3.0}, "vjp", cotangent=2.0, **options).records
    assert r.value == (6.0, 4.0)
    w = dc.symbol("w", shape=(2,))
    (r,) = compare(w * w, {"w": [1.0, 2.0]}, "jvp", tangent=np.array([1.0, 1.0]), **options).records
    assert r.value == (2.0, 4.0)


def test_several_points_and_wrt_and_order() -> None:
    options: dict[str, Any] = {"methods": "ad.reverse", "engines": "python", "timing": 0}
    found = compare("x**3*y", [{"x": 1.0, "y": 2.0}, {"x": 2.0, "y": 2.0}], "derivative", wrt="x", order=2, **options)
    assert [(r.point, r.value) for r in found.records] == [("point 1", (12.0,)), ("point 2", (24.0,))]


def test_derivatives_with_respect_to_named_intermediates_are_judged() -> None:
    """w2 (x w1 + b1) + b2 by y1 = x w1 + b1 is w2, by x w1 w2."""
    x, w1, b1, w2, b2 = dc.symbols("x w1 b1 w2 b2")
    layers = dc.function([x, w1, b1, w2, b2], (x * w1 + b1).named("y1") * w2 + b2, name="layers")
    at = {"x": 2.0, "w1": 3.0, "b1": 1.0, "w2": 5.0, "b2": 7.0}
    found = compare(layers, at, wrt=["y1", "x"], methods=["ad.*", "fd.central", "symbolic"], engines="numpy", timing=0).records
    assert [(r.status, r.wrt, r.judged) for r in found] == [("ok", "y1,x", 2)] * 4, [r.message for r in found]
    assert found[0].value == (5.0, 15.0)
    assert found[0].at == "x=2.0,w1=3.0,b1=1.0,w2=5.0,b2=7.0"
    vector = dc.symbol("v", shape=(3,))
    squares = dc.function([vector], ((vector * vector).named("s") * vector).sum(), name="cubes")
    (r,) = compare(squares, {"v": [1.0, 2.0, 3.0]}, wrt="s", methods="ad.reverse", engines="numpy", timing=0).records
    assert (r.status, r.value) == ("ok", (1.0, 2.0, 3.0))


def test_float32_is_judged_as_float32() -> None:
    (r,) = compare("x*x*y", {"x": 0.1, "y": 0.3}, precision="float32", methods="ad.reverse", engines="numpy", timing=0).records
    assert r.status == "ok"
    assert r.error_ulp is not None
    assert r.error_ulp <= 2
    assert r.bound_rel is not None
    assert r.bound_rel > 1e-7


def test_a_constant_has_a_value_and_no_point() -> None:
    (r,) = compare("2 + 3", operator="value", methods="ad.reverse", engines="numpy", timing=0).records
    assert (r.status, r.value) == ("ok", (5.0,))


def test_a_kink_is_said_and_not_judged() -> None:
    (r,) = compare("abs(x)", {"x": 0.0}, methods="ad.reverse", engines="numpy", timing=0).records
    assert (r.status, r.kinks) == ("ok", 1)
    assert "kink" in r.message


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        ({"at": {"x": 1.0}}, dc.DiffCompareError, "no value for 'y'"),
        ({"at": None}, dc.DiffCompareError, "compare needs a point"),
        ({"at": {"x": 1.0, "y": float("nan")}}, dc.DomainError, "y must be finite"),
        ({"operator": "curl"}, dc.DiffCompareError, "no operator is named 'curl'"),
        ({"methods": "magic"}, dc.DiffCompareError, "no method is named 'magic'"),
        ({"methods": "magic.*"}, dc.DiffCompareError, r"nothing matches 'magic\.\*'"),
        ({"methods": 3}, dc.DiffCompareError, "methods and engines are names, patterns, objects or lists of them, got 3"),
        ({"methods": []}, dc.DiffCompareError, "no method or engine is chosen"),
        ({"engines": "steam"}, dc.DiffCompareError, "no engine is named 'steam'"),
        ({"wrt": "q"}, dc.DiffCompareError, "no input or named intermediate 'q'"),
        ({"wrt": ["x", "x"]}, dc.DiffCompareError, "wrt names different inputs"),
        ({"operator": "derivative"}, dc.ShapeError, "one scalar input"),
        ({"order": 2}, dc.Unsupported, "order= belongs to derivative"),
        ({"precision": "float16"}, dc.DiffCompareError, "a precision is float64 or float32"),
        ({"timeout": 0}, dc.DiffCompareError, "timeout_s is a number of seconds above 0"),
        ({"tangent": 1.0}, dc.ShapeError, "takes no tangent and no cotangent"),
        ({"operator": "jvp", "tangent": {"x": 1.0}}, dc.DiffCompareError, "no value for y"),
        ({"operator": "jvp", "tangent": (1.0, [2.0, 3.0])}, dc.ShapeError, "the tangent needs shapes"),
        ({"at": [{"x": 1.0, "y": 1.0}, {"x": 1.0}]}, dc.DiffCompareError, "no value for 'y'"),
    ],
)
def test_a_question_without_an_answer_is_refused_before_anything_runs(
    question: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        compare("x*y", **{"at": {"x": 1.0, "y": 2.0}, **question})


def test_a_gradient_of_an_array_names_the_jacobian() -> None:
    w = dc.symbol("w", shape=(2,))
    with pytest.raises(dc.ShapeError, match="jacobian"):
        compare(w * w, {"w": [1.0, 2.0]})


@pytest.mark.parametrize(("value", "text"), [(None, ""), (2.0, "2 s"), (0.00123, "1.23 ms"), (4.5e-6, "4.5 us"), (8e-9, "8 ns")])
def test_seconds_have_a_unit(value: float | None, text: str) -> None:
    assert seconds(value) == text

"""The sweeps as they are written: the survey's tables to the letter, and numbers that are the transforms' own."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.dsl.core import PRIMITIVES
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.walk import postorder
from diffcompare.errors import DiffCompareError, DomainError, ShapeError, TooLarge
from diffcompare.explain.notation import ADJOINT, ASCII, TANGENT, UNICODE, VALUE, decimal, split_name
from diffcompare.explain.reading import FORMS, evaluate, partials
from diffcompare.explain.trace import Trace
from diffcompare.problem import CORE, Family, Problem, library
from diffcompare.problems.teaching import survey_two_variables, two_layer_chain
from diffcompare.transforms.scalarize import entry_name

SURVEY = "log(x1) + x1*x2 - sin(x2)"
AT = {"x1": 2, "x2": 5}


def written(trace: Trace, kind: str) -> list[str]:
    return [line.equation(UNICODE) for line in trace.of(kind)]


# --- the survey, tables 2 and 3 ---

VALUES = [
    "v₋₁ = x₁ = 2",
    "v₀ = x₂ = 5",
    "v₁ = ln v₋₁ = ln 2 = 0.693",
    "v₂ = v₋₁ × v₀ = 2 × 5 = 10",
    "v₃ = sin v₀ = sin 5 = −0.959",
    "v₄ = v₁ + v₂ = 0.693 + 10 = 10.693",
    "v₅ = v₄ − v₃ = 10.693 − (−0.959) = 11.652",
    "y = v₅ = 11.652",
]


def test_table_2_of_the_survey_the_forward_sweep() -> None:
    trace = dc.steps(SURVEY, at=AT)
    assert written(trace, VALUE) == VALUES
    assert written(trace, TANGENT) == [
        "v̇₋₁ = ẋ₁ = 1",
        "v̇₀ = ẋ₂ = 0",
        "v̇₁ = v̇₋₁ / v₋₁ = 1 / 2 = 0.5",
        "v̇₂ = v̇₋₁ × v₀ + v̇₀ × v₋₁ = 1 × 5 + 0 × 2 = 5",
        "v̇₃ = v̇₀ × cos v₀ = 0 × cos 5 = 0",
        "v̇₄ = v̇₁ + v̇₂ = 0.5 + 5 = 5.5",
        "v̇₅ = v̇₄ − v̇₃ = 5.5 − 0 = 5.5",
        "ẏ = v̇₅ = 5.5",
    ]


def test_table_3_of_the_survey_the_reverse_sweep() -> None:
    trace = dc.steps(survey_two_variables.function, at=AT, mode="reverse")
    assert written(trace, VALUE) == VALUES
    assert written(trace, ADJOINT) == [
        "v̄₅ = ȳ = 1",
        "v̄₄ = v̄₅ × ∂v₅/∂v₄ = v̄₅ × 1 = 1 × 1 = 1",
        "v̄₃ = v̄₅ × ∂v₅/∂v₃ = v̄₅ × (−1) = 1 × (−1) = −1",
        "v̄₁ = v̄₄ × ∂v₄/∂v₁ = v̄₄ × 1 = 1 × 1 = 1",
        "v̄₂ = v̄₄ × ∂v₄/∂v₂ = v̄₄ × 1 = 1 × 1 = 1",
        "v̄₀ = v̄₃ × ∂v₃/∂v₀ = v̄₃ × cos v₀ = (−1) × cos 5 = −0.284",
        "v̄₋₁ = v̄₂ × ∂v₂/∂v₋₁ = v̄₂ × v₀ = 1 × 5 = 5",
        "v̄₀ = v̄₀ + v̄₂ × ∂v₂/∂v₀ = v̄₀ + v̄₂ × v₋₁ = −0.284 + 1 × 2 = 1.716",
        "v̄₋₁ = v̄₋₁ + v̄₁ × ∂v₁/∂v₋₁ = v̄₋₁ + v̄₁ / v₋₁ = 5 + 1 / 2 = 5.5",
        "x̄₁ = v̄₋₁ = 5.5",
        "x̄₂ = v̄₀ = 1.716",
    ]


def test_the_two_layer_chain_hands_its_adjoints_through_the_named_intermediate() -> None:
    point = {"x": 1, "w1": 2, "b1": 1, "w2": 2, "b2": 1}
    trace = dc.steps(two_layer_chain.function, at=point, mode="reverse")
    assert written(trace, VALUE)[5:] == [
        "v₁ = x × w₁ = 1 × 2 = 2",
        "y₁ = v₁ + b₁ = 2 + 1 = 3",
        "v₂ = y₁ × w₂ = 3 × 2 = 6",
        "v₃ = v₂ + b₂ = 6 + 1 = 7",
        "f = v₃ = 7",
    ]
    assert written(trace, ADJOINT) == [
        "v̄₃ = f̄ = 1",
        "v̄₂ = v̄₃ × ∂v₃/∂v₂ = v̄₃ × 1 = 1 × 1 = 1",
        "b̄₂ = v̄₃ × ∂v₃/∂b₂ = v̄₃ × 1 = 1 × 1 = 1",
        "ȳ₁ = v̄₂ × ∂v₂/∂y₁ = v̄₂ × w₂ = 1 × 2 = 2",
        "w̄₂ = v̄₂ × ∂v₂/∂w₂ = v̄₂ × y₁ = 1 × 3 = 3",
        "v̄₁ = ȳ₁ × ∂y₁/∂v₁ = ȳ₁ × 1 = 2 × 1 = 2",
        "b̄₁ = ȳ₁ × ∂y₁/∂b₁ = ȳ₁ × 1 = 2 × 1 = 2",
        "x̄ = v̄₁ × ∂v₁/∂x = v̄₁ × w₁ = 2 × 2 = 4",
        "w̄₁ = v̄₁ × ∂v₁/∂w₁ = v̄₁ × x = 2 × 1 = 2",
    ]


def test_a_derivative_with_respect_to_an_intermediate() -> None:
    point = {"x": 1, "w1": 2, "b1": 1, "w2": 2, "b2": 1}
    forward = dc.steps(two_layer_chain.function, at=point, wrt="y1")
    assert written(forward, TANGENT)[6:] == [
        "ẏ₁ = 1",
        "v̇₂ = ẏ₁ × w₂ + ẇ₂ × y₁ = 1 × 2 + 0 × 3 = 2",
        "v̇₃ = v̇₂ + ḃ₂ = 2 + 0 = 2",
        "ḟ = v̇₃ = 2",
    ]
    reverse = dc.steps(two_layer_chain.function, at=point, mode="reverse", wrt="y1")
    assert written(reverse, ADJOINT)[-1] == "ȳ₁ = v̄₂ × ∂v₂/∂y₁ = v̄₂ × w₂ = 1 × 2 = 2"


# --- numbers ---


def small(entry: Problem | Family) -> Problem:
    return entry if isinstance(entry, Problem) else entry(**{n: max(2, s.least) for n, s in entry.sizes.items()})


SMALL = [small(entry) for entry in library().values() if CORE in entry.tags]


def entries(problem: Problem, point: dict[str, Any]) -> tuple[str, np.ndarray[Any, Any]]:
    """(the first input differentiated, the Jacobian by its entries, a row for each entry of the output)."""
    name = problem.wrt[0]
    jacobian = dc.jacobian(problem.function, [name], method="ad.reverse", engine="numpy")(**point)
    return name, np.reshape(jacobian, (problem.function.output.size, -1))


@pytest.mark.parametrize("problem", SMALL, ids=lambda p: p.name)
def test_forward_sweeps_of_the_library_end_with_its_derivatives(problem: Problem) -> None:
    point = dict(problem.points[0])
    name, jacobian = entries(problem, point)
    first = entry_name(name, (0,) * np.ndim(point[name]))
    ends = [line.value for line in dc.steps(problem.function, point, wrt=first).of(TANGENT)][-len(jacobian) :]
    assert ends == pytest.approx(list(jacobian[:, 0]), rel=1e-9, abs=1e-9 * np.max(np.abs(jacobian)))


@pytest.mark.parametrize("problem", [p for p in SMALL if not p.function.output.shape], ids=lambda p: p.name)
def test_reverse_sweeps_of_the_library_end_with_its_gradients(problem: Problem) -> None:
    point = dict(problem.points[0])
    name, gradient = entries(problem, point)
    trace = dc.steps(problem.function, point, "reverse", wrt=name, numbered=True)
    ends = [line.value for line in trace.lines if line.symbol.kind == ADJOINT and line.symbol.name in trace.wrt]
    assert ends == pytest.approx(list(gradient[0]), rel=1e-9, abs=1e-9 * np.max(np.abs(gradient)))


BRANCHES = "where(x < y, sqrt(-x), log(x)) + maximum(x, y)*abs(y) + atan2(y, x) + x**y + tanh(x)**3 + x/y"


def test_a_branch_that_is_not_taken_hands_nothing_down_and_its_nan_stays_there() -> None:
    trace = dc.steps(BRANCHES, {"x": 1.5, "y": -2}, "reverse")
    gradient = dc.gradient(BRANCHES)(1.5, -2.0)
    assert [line.value for line in trace.of(ADJOINT)][-2:] == pytest.approx(list(gradient), rel=1e-14)
    assert any(math.isnan(line.value) for line in trace.of(VALUE))
    assert not any(math.isnan(line.value) for line in trace.of(ADJOINT))


def test_each_line_with_numbers_put_in_gives_its_value() -> None:
    """The numbers are rounded to three decimals, so the line computed from them is close, no more."""
    trace = dc.steps(BRANCHES, {"x": 1.5, "y": -2}, "reverse")
    words = {"ln": math.log, "sqrt": math.sqrt, "tanh": math.tanh, "sign": np.sign, "atan2": math.atan2, "cosh": math.cosh}
    words |= {"maximum": max, "where": lambda c, a, b: a if c else b, "nan": math.nan}
    checked = 0
    for line in trace.lines:
        numbers = line.sides(ASCII)[3]
        if numbers and not math.isnan(line.value):
            python = re.sub(r"\b([a-z]+) ([0-9.]+)", r"\1(\2)", numbers.replace("^", "**").replace("|-2|", "2"))
            assert eval(python, dict(words)) == pytest.approx(line.value, rel=5e-3, abs=2e-3), numbers  # noqa: S307  our own text
            checked += 1
    assert checked > 30


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_textbook_form_is_the_function_it_stands_for(name: str) -> None:
    primitive = PRIMITIVES[name]
    args = dc.symbols("a b")[: primitive.arity]  # type: ignore[attr-defined]
    for point in ((0.3, 0.7), (0.8, 1.9), (0.05, 0.2)):
        at = dict(zip(args, point, strict=False))
        here, there = evaluate([primitive.apply(args), FORMS[name](*args)], at)
        assert there == pytest.approx(here, rel=1e-14)


RULES = [p for p in PRIMITIVES.values() if isinstance(p, Elementwise) and p.partials is not None]


@pytest.mark.parametrize("primitive", RULES, ids=lambda p: p.name)
def test_a_rule_reads_as_what_it_computes(primitive: Elementwise) -> None:
    """What is written of a partial derivative has its value, wherever the function is defined."""
    args = [dc.symbols("a b c")[k] for k in range(primitive.arity)]
    result = dc.symbol("result")
    for numbers in ((0.3, 0.7, 0.2), (1.9, 0.8, 2.0), (0.6, 0.6, 1.0), (-0.4, 1.7, -1.0), (25.5, -0.5, 3.0)):
        chosen = numbers[: primitive.arity]
        if primitive.takes_bool or not all(x in d for x, d in zip(chosen, primitive.domain, strict=True)):
            continue
        node = primitive.apply(args)
        at = dict(zip(args, chosen, strict=True))
        at[result] = evaluate([node], at)[0]
        for true, read in zip(primitive.derivatives(node), partials(node, result, at), strict=True):
            if true is not None:
                assert read is not None
                assert evaluate([read], at) == pytest.approx(evaluate([dc.function(args, true).output], at), rel=1e-9, abs=0, nan_ok=True)


def test_composites_are_written_as_in_textbooks_unless_that_overflows() -> None:
    x = dc.symbol("x", (2,))
    assert written(dc.steps(dc.logsumexp(x), {"x": [1, 2]}), VALUE)[-2] == "v₄ = ln v₃ = ln 10.107 = 2.313"
    large = dc.steps(dc.logsumexp(x), {"x": [1000, 1001]}, "reverse")
    assert [line.value for line in large.of(ADJOINT)][-2:] == pytest.approx(list(dc.gradient(dc.logsumexp(x))([1000.0, 1001.0])), rel=1e-12)


def test_arrays_are_written_out_with_names_for_the_entries_of_named_ones() -> None:
    w, x = dc.symbol("W", (2, 2)), dc.symbol("x", (2,))
    f = dc.function([w, x], dc.tanh(w @ x).named("h").sum())
    trace = dc.steps(f, {"W": [[1, 2], [3, 4]], "x": [0.1, 0.2]}, "reverse", wrt="h")
    assert trace.wrt == ("h[0]", "h[1]")
    assert [line.equation(UNICODE).split(" = ")[0] for line in trace.of(ADJOINT)][-2:] == ["h̄[0]", "h̄[1]"]


def test_unused_inputs_constants_and_inputs_as_outputs() -> None:
    x, y = dc.symbols("x y")
    assert written(dc.steps(dc.function([x, y], x), {"x": 3, "y": 4}, "reverse"), ADJOINT) == [
        "v̄₋₁ = f̄ = 1",
        "v̄₀ = 0",
        "x̄ = v̄₋₁ = 1",
        "ȳ = v̄₀ = 0",
    ]
    assert written(dc.steps(dc.function([x], 2.5), {"x": 3}), TANGENT) == ["v̇₀ = ẋ = 1", "ẏ = 0"]
    assert written(dc.steps("x*x", {"x": 3}, "reverse"), ADJOINT)[1] == "v̄₀ = v̄₁ × ∂v₁/∂v₀ = v̄₁ × (v₀ + v₀) = 1 × (3 + 3) = 6"


# --- how it looks ---


def test_ascii_for_terminals_without_unicode() -> None:
    trace = dc.steps(SURVEY, AT, "reverse")
    assert [line.equation(ASCII) for line in trace.of(ADJOINT)][
        -3
    ] == "v_-1bar = v_-1bar + v1bar * dv1/dv_-1 = v_-1bar + v1bar / v_-1 = 5 + 1 / 2 = 5.5"
    assert all(line.equation(ASCII).isascii() for line in trace.lines)


def test_greek_and_long_names() -> None:
    trace = dc.steps("theta_1**2 * weight", {"theta_1": 2, "weight": -3}, numbered=False)
    assert written(trace, TANGENT) == [
        "θ̇₁ = 1",
        "dweight = 0",
        "v̇₁ = θ̇₁ × 2 × θ₁ = 1 × 2 × 2 = 4",
        "v̇₂ = v̇₁ × weight + dweight × v₁ = 4 × (−3) + 0 × 4 = −12",
        "ẏ = v̇₂ = −12",
    ]


@pytest.mark.parametrize(
    ("name", "parts"),
    [("x1", ("x", "1")), ("theta_1", ("theta", "1")), ("x[0, 1]", ("x", "[0, 1]")), ("alpha", ("alpha", "")), ("a_b", ("a_b", ""))],
)
def test_a_name_is_a_letter_and_what_stands_below(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.6931, "0.693"),
        (10.0, "10"),
        (-0.95892, "-0.959"),
        (0.012345, "0.0123"),
        (0.09, "0.09"),
        (-0.0, "0"),
        (1.5e-5, "1.5e-5"),
        (123456789.0, "1.23e8"),
        (0.0999996, "0.1"),
        (math.inf, "inf"),
        (1e300, "1e300"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert decimal(value) == text


def test_the_table_has_the_values_in_full() -> None:
    table = dc.steps(SURVEY, AT).table
    assert list(table.columns) == ["kind", "name", "step", "rule", "numbers", "value"]
    assert table["value"].iloc[2] == math.log(2)
    assert list(table["kind"]) == ["value"] * 8 + ["tangent"] * 8


def test_markdown_html_and_latex() -> None:
    forward = dc.steps(SURVEY, AT)
    assert forward.markdown.splitlines()[4] == "| v₁ = ln v₋₁ = ln 2 = 0.693 | v̇₁ = v̇₋₁ / v₋₁ = 1 / 2 = 0.5 |"
    assert '<td class="value">v<sub>−1</sub></td><td class="value">= x<sub>1</sub></td>' in forward.html
    assert (
        r"v_{1} & = \ln v_{-1} & = \ln 2 & = 0.693 & \dot{v}_{1} & = \frac{\dot{v}_{-1}}{v_{-1}} & = \frac{1}{2} & = 0.5" in forward.latex
    )
    backward = dc.steps(SURVEY, AT, "reverse")
    assert r"\bar{v}_{0} & = \bar{v}_{3} \times \frac{\partial v_{3}}{\partial v_{0}} & = \bar{v}_{3} \times \cos v_{0}" in backward.latex
    assert backward.markdown.count("| --- |") == 2
    assert ("<p>Forward sweep of f(x1, x2) = log(x1) + x1*x2 - sin(x2) at x1 = 2, x2 = 5") in forward._repr_html_()


def test_html_escapes_what_is_not_its_own() -> None:
    html = dc.steps("where(x < 1, x, x**2)", {"x": 0.5}).html
    assert "v<sub>0</sub> &lt; 1" in html
    assert "v<sub>0</sub><sup>2</sup>" in html


def test_latex_has_as_many_brackets_closed_as_opened() -> None:
    latex = dc.steps(BRANCHES + " + exp(-x**2) + 1e-7*sqrt(abs(x))", {"x": 1.5, "y": -2}, "reverse").latex
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left") == latex.count(r"\right")


def test_str_is_a_table_without_trailing_spaces() -> None:
    text = str(dc.steps(SURVEY, AT))
    assert " v₄  = v₁ + v₂   = 0.693 + 10         = 10.693   v̇₄  = v̇₁ + v̇₂              = 0.5 + 5        = 5.5" in text.splitlines()
    assert not any(line.endswith(" ") for line in text.splitlines())
    assert repr(dc.steps(SURVEY, AT)).startswith("<Trace: Forward sweep of")


# --- refusals ---


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: dc.steps("x*y", {"x": 1, "y": 2}, "sideways"), DiffCompareError, r"no mode 'sideways'; the modes are forward and reverse"),
        (lambda: dc.steps("x*y", {"x": 1}), DiffCompareError, r"no value for 'y'"),
        (lambda: dc.steps("x*y", {"x": 1, "y": math.inf}), DomainError, r"y must be finite"),
        (lambda: dc.steps("x*y", {"x": 1, "y": 2}, wrt="z"), DiffCompareError, r"f has no input or named intermediate 'z'; there are x, y"),
        (lambda: dc.steps("x*y", {"x": 1, "y": 2}, wrt=["x", "y"]), DiffCompareError, r"with respect to one variable, got x, y"),
        (lambda: dc.steps(dc.softmax(dc.symbol("x", (3,))), {"x": [1, 2, 3]}, "reverse"), ShapeError, r"one scalar output, f has 3"),
        (lambda: dc.steps(dc.symbol("x", (400,)).sum(), {"x": np.ones(400)}), TooLarge, r"f has 400 scalar inputs; up to 300"),
        (lambda: dc.steps(dc.sin(dc.symbol("x", (299,))).sum(), {"x": np.ones(299)}), TooLarge, r"f has 597 operations; up to 300"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_name(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()  # type: ignore[operator]


def test_nothing_of_the_function_is_lost_in_the_sweep() -> None:
    """Every operation of a scalar function has a line of its own."""
    f = dc.parse(SURVEY)
    operations = sum(1 for n in postorder(f.outputs) if n.args)
    assert len(dc.steps(f, AT).of(VALUE)) == operations + len(f.inputs) + 1

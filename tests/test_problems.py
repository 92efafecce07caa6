"""The problem library: every formula, point and size, judged by the certified reference.

How far a result may lie from the truth is not a tolerance but an enclosure: the graph of the derivative, with each
rounding written into it as a factor 1 + ball, evaluated in ball arithmetic (see `enclosure`).
"""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.dsl.constants import constant, literal
from diffcompare.dsl.core import BOOL, Expr, input_
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.function import Function
from diffcompare.dsl.walk import postorder
from diffcompare.engines.numpy import NumpyEngine
from diffcompare.errors import DiffCompareError, DomainError, ShapeError
from diffcompare.problem import Family, Point, Problem, Size, family, find, library
from diffcompare.reference import certify
from diffcompare.reference.balls import Vocabulary, arb
from diffcompare.reference.certify import Arithmetic, Certified
from diffcompare.reference.program import Program, filled
from diffcompare.transforms.forward import tangents, zero_like
from diffcompare.transforms.lower import lower
from diffcompare.transforms.reverse import cotangents

LIBRARY = library()


def _instances() -> list[Problem]:
    """Every problem; families at their default and at sizes 1 and 2 as far as their limits allow."""
    found = []
    for entry in LIBRARY.values():
        if isinstance(entry, Problem):
            found.append(entry)
            continue
        found.append(entry())
        allowed = [n for n in (1, 2) if all(s.least <= n and n % s.step == 0 for s in entry.sizes.values())]
        found += [entry(**dict.fromkeys(entry.sizes, n)) for n in allowed]
    return found


INSTANCES = _instances()
CASES = [pytest.param(p, o, id=f"{p.name}-{o}") for p in INSTANCES for o in p.operators]


@cache
def truth_at(problem: Problem, operator: str, label: str) -> Certified:
    """What is certified of a problem at a point: every road is judged by it."""
    return certify(problem.function, operator, problem.point(label), wrt=problem.wrt)


RANGE = "range"
"""The tag of formulas whose intermediates overflow or vanish: there the formulas worked out by hand alone give the truth."""

# --- three roads to a derivative, each one Function whose outputs are the blocks (output, input[, input]) ---


def by_hand(problem: Problem, operator: str) -> Function:
    formulas, names = problem.function.formulas[operator], problem.wrt
    keys = [(a, b) for a in names for b in names] if operator == "hessian" else [(a,) for a in names]
    return problem.function.with_outputs([formulas[k] for k in keys], single=False)


def by_forward(problem: Problem, operator: str) -> Function:
    f = problem.function
    wrt = [f.input(n) for n in problem.wrt]
    first = _columns(f.outputs, wrt)
    return f.with_outputs(_columns(first, wrt) if operator == "hessian" else first, single=False)


def by_reverse(problem: Problem, operator: str) -> Function:
    """Rows by reverse mode; second derivatives forward over reverse."""
    f = problem.function
    wrt = [f.input(n) for n in problem.wrt]
    rows = [_columns_of_transpose(f.output, i) for i in wrt]
    return f.with_outputs(_columns(rows, wrt) if operator == "hessian" else rows, single=False)


def _unit(shape: tuple[int, ...], k: int) -> Expr:
    vector = np.zeros(int(np.prod(shape)))
    vector[k] = 1.0
    return constant(vector.reshape(shape))


def _columns(outputs: list[Expr], wrt: list[Expr]) -> list[Expr]:
    """For each output and input the derivative along each entry of the input, on new last axes."""
    blocks = []
    for output in outputs:
        for i in wrt:
            moved = [tangents([output], {i: _unit(i.shape, k)})[0] for k in range(i.size)]
            columns = [zero_like(output) if t is None else t for t in moved]
            blocks.append(dc.reshape(dc.stack(columns, axis=-1), output.shape + i.shape))
    return blocks


def _columns_of_transpose(output: Expr, i: Expr) -> Expr:
    rows = [cotangents([output], [_unit(output.shape, k)], [i])[0] for k in range(output.size)]
    return dc.reshape(dc.stack([zero_like(i) if r is None else r for r in rows]), output.shape + i.shape)


ROADS = {"manual": by_hand, "forward": by_forward, "reverse": by_reverse}

# --- the enclosure of everything that rounding can do ---

EXACT = {"neg", "abs", "sign", "floor", "where", "maximum", "minimum", "real", "inside"}
ROUNDED_ONCE = {"add", "sub", "mul", "div", "chain_mul", "sqrt"}
UNDERFLOW = arb(0, 2.0**-1022)
"""What is below the smallest normal number may be computed as any other such number, 0 too."""
LIBRARY_CALL = 8
"""Half-ulps that a call of the mathematical library may err: 4 ulp, twice what NumPy's and SciPy's own tests allow."""


def enclosure(derivative: Function, point: Point) -> list[np.ndarray]:
    """For each output an object array of balls that contain its exact value and all that an engine may compute.

    On the lowered graph, as the engine runs it, each elementwise result is multiplied by 1 ± k u with u = 2**-53: k = 1
    for IEEE operations, LIBRARY_CALL for the others, and each summand of a sum or contraction of n by 1 ± n u, which covers
    every order of summation (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, eq. 4.4). Constants that
    are no short binary fractions count as rounded, so formulas that hold for 1/√2 or √(2π) are enclosed with them.
    """
    outputs, factors = _with_roundings(lower(derivative.outputs))
    program = Program([*derivative.inputs, *factors], outputs)
    with Arithmetic(128, 1):
        values = [_balls(np.asarray(point[i.params[0]]), i.shape) for i in derivative.inputs]
        values += [arb(1, k * 2.0**-53) for k in factors.values()]
        results = program.run(Vocabulary(), values)
    return [r if isinstance(r, np.ndarray) else filled([r], ()) for r in results]


def _balls(value: np.ndarray, shape: tuple[int, ...]):
    entries = [arb(v) for v in value.ravel().tolist()]
    return filled(entries, shape) if shape else entries[0]


def _with_roundings(outputs: list[Expr]) -> tuple[list[Expr], dict[Expr, int]]:
    """The outputs with factors for the roundings, and for each factor, an input, its half-ulps."""
    factors: dict[Expr, int] = {}

    def rounded(node: Expr, half_ulps: int) -> Expr:
        factor = input_(f"rounding_{half_ulps}")
        factors[factor] = half_ulps
        return node * factor

    new: dict[Expr, Expr] = {}
    for node in postorder(outputs):
        args, primitive = [new[a] for a in node.args], node.primitive
        if primitive.name in ("sum", "einsum", "scatter"):
            args[0] = rounded(args[0], _summands(node) + len(args))
        result = primitive.apply(args, node.params) if args else node
        if isinstance(primitive, Elementwise) and node.dtype != BOOL and primitive.name not in EXACT:
            result = rounded(result, 1 if primitive.name in ROUNDED_ONCE else LIBRARY_CALL)
        elif primitive.name == "constant" and not _short(np.asarray(literal(node), dtype=float)):
            result = rounded(result, 1)
        new[node] = result
    return [new[o] for o in outputs], factors


def _short(value: np.ndarray) -> bool:
    """Whether all numbers are binary fractions that nobody rounded."""
    return bool(np.all((value * 1024 == np.floor(value * 1024)) | ~np.isfinite(value)))


def _summands(node: Expr) -> int:
    """How many terms are added into one entry at most."""
    if node.primitive.name == "einsum":
        inputs, output = node.params
        sizes = {label: n for labels, a in zip(inputs, node.args, strict=True) for label, n in zip(labels, a.shape, strict=True)}
        return int(np.prod([n for label, n in sizes.items() if label not in output]))
    if node.primitive.name == "scatter":
        return int(np.unique(node.params[1].value, return_counts=True)[1].max(initial=1))
    return node.args[0].size // max(node.size, 1)


# --- every problem at every point ---


@pytest.mark.parametrize(("problem", "operator"), CASES)
@pytest.mark.parametrize("road", ROADS)
def test_derivatives_and_the_truth_lie_in_the_enclosure(problem: Problem, operator: str, road: str) -> None:
    derivative = ROADS[road](problem, operator)
    compiled = NumpyEngine().compile(derivative)
    in_range = road == "manual" or RANGE not in problem.tags
    for point in problem.points:
        truth = truth_at(problem, operator, point.label)
        assert truth.ok, f"{point.label}: {truth.status}"
        values = compiled([np.asarray(point[n]) for n in problem.function.names])
        for block, exact, balls in zip(values, truth.balls, enclosure(derivative, point), strict=True):
            assert np.shape(block) == exact.shape == balls.shape
            for got, true, ball in zip(np.ravel(block).tolist(), exact.ravel(), balls.ravel(), strict=True):
                if in_range:
                    assert (ball + UNDERFLOW).contains(arb(got)), f"{point.label}: computed {got}, truth {true}, enclosure {ball}"
                assert ball.overlaps(true), f"{point.label}: truth {true}, enclosure {ball}"


@pytest.mark.parametrize("problem", [p for p in INSTANCES if RANGE in p.tags], ids=lambda p: p.name)
def test_what_is_said_to_leave_the_range_does(problem: Problem) -> None:
    """At some point the rules of differentiation, right as algebra, give a number far from the truth, or none."""
    compiled = NumpyEngine().compile(by_reverse(problem, problem.operators[0]))

    def off(point: Point) -> bool:
        truth = truth_at(problem, problem.operators[0], point.label)
        values = compiled([np.asarray(point[n]) for n in problem.function.names])
        return any(not np.allclose(v, t, rtol=0.5, atol=0.0) for v, t in zip(values, truth.values, strict=True))

    assert any(off(p) for p in problem.points)


@pytest.mark.parametrize(("problem", "operator"), CASES)
def test_a_formula_wrong_in_the_ninth_digit_is_caught(problem: Problem, operator: str) -> None:
    """At the start point the enclosure is narrow: a largest entry wrong by 1e-9 leaves it."""
    formula = by_hand(problem, operator)
    point = problem.points[0]
    truth = truth_at(problem, operator, point.label)
    for exact, balls in zip(truth.values, enclosure(formula, point), strict=True):
        if np.any(exact != 0):
            k = int(np.argmax(np.abs(exact)))
            assert not balls.ravel()[k].contains(arb(exact.ravel()[k]) * (1 + arb(1e-9)))


@pytest.mark.parametrize("problem", INSTANCES, ids=lambda p: p.name)
def test_a_problem_has_three_points_or_more_the_start_first_and_formulas_for_its_operators(problem: Problem) -> None:
    assert len(problem.points) >= 3
    assert problem.points[0].label == "start"
    assert problem.operators
    assert set(problem.operators) <= set(problem.function.formulas)


@pytest.mark.parametrize("problem", INSTANCES, ids=lambda p: p.name)
def test_the_value_at_every_point_is_certified_and_finite(problem: Problem) -> None:
    for point in problem.points:
        truth = certify(problem.function, "value", point)
        assert truth.ok
        assert np.all(np.isfinite(truth.values[0]))


# --- numbers from the literature ---


def _at_start(problem: Problem, operator: str) -> list[np.ndarray]:
    return certify(problem.function, operator, problem.points[0], wrt=problem.wrt).values


def test_the_seed_polynomial_is_42_with_gradient_24_10() -> None:
    (problem,) = find("seed_polynomial")
    assert dict(problem.points[0]) == {"x": 3.0, "y": 4.0}
    assert _at_start(problem, "value") == [42.0]
    assert _at_start(problem, "gradient") == [24.0, 10.0]


def test_the_gradient_of_three_variables_at_1_2_3_is_8_7_27() -> None:
    (problem,) = find("three_variables")
    assert dict(problem.points[0]) == {"x": 1.0, "y": 2.0, "z": 3.0}
    assert _at_start(problem, "gradient") == [8.0, 7.0, 27.0]


def test_the_survey_s_trace_at_2_5() -> None:
    (problem,) = find("survey_two_variables")
    assert dict(problem.points[0]) == {"x1": 2.0, "x2": 5.0}
    assert [f"{v:.3f}" for v in (*_at_start(problem, "value"), *_at_start(problem, "gradient"))] == ["11.652", "5.500", "1.716"]


def test_the_survey_s_logistic_map_at_one_fifth() -> None:
    (problem,) = find("logistic_map")
    assert problem.name == "logistic_map(n=4)"
    assert dict(problem.points[0]) == {"x": 0.2}
    assert [f"{float(v):.10g}" for v in (*_at_start(problem, "value"), *_at_start(problem, "derivative"))] == ["0.28901376", "9.0660864"]


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_the_slope_of_the_logistic_map_at_its_fixed_point_is_a_power_of_minus_2(n: int) -> None:
    problem = LIBRARY["logistic_map"](n=n)
    assert certify(problem.function, "derivative", problem.point("fixed point")).values == [(-2.0) ** (n - 1)]


def test_the_chain_s_middle_is_named_so_that_dy2_dw1_is_dy2_dy1_times_dy1_dw1() -> None:
    (problem,) = find("two_layer_chain")
    shifted = problem.function.shifted(["y1"])
    whole = by_reverse(problem, "gradient").outputs[problem.wrt.index("w1")]
    (outer_slope,) = cotangents(shifted.outputs, [constant(1.0)], [shifted.input("y1")])
    assert outer_slope is shifted.input("w2")
    start = [np.float64(problem.points[0][n]) for n in problem.function.names]
    (value,) = NumpyEngine().compile(problem.function.with_outputs([whole]))(start)
    assert value == problem.points[0]["w2"] * problem.points[0]["x"]


def test_black_scholes_start_is_the_textbook_price() -> None:
    """The example of every option calculator: S = K = 100, sigma 20 %, one year, 5 %: price 10.4506, delta 0.6368, vega 37.524."""
    (problem,) = find("black_scholes")
    delta, _, vega, _, _ = _at_start(problem, "gradient")
    assert [f"{float(v):.4f}" for v in (*_at_start(problem, "value"), delta, vega)] == ["10.4506", "0.6368", "37.5240"]


def test_linear_regression_at_its_fitted_parameters_is_nearly_stationary() -> None:
    (problem,) = find("linear_regression")
    slope = certify(problem.function, "gradient", problem.point("fitted"), wrt="theta").values[0]
    assert np.max(np.abs(slope)) < 1e-5


def test_the_second_derivatives_of_softmax_keep_their_digits_where_one_entry_rules() -> None:
    """1 - s is exactly 0 in floats at this point; the rule of the graph does not form it."""
    problem = LIBRARY["softmax_probabilities"](n=2)
    point = problem.point("one rules")
    truth = certify(problem.function, "jacobian", point).values[0]
    (jacobian,) = NumpyEngine().compile(by_reverse(problem, "jacobian"))([point["x"]])
    assert 0 < abs(truth[0, 0]) < 1e-15
    np.testing.assert_array_max_ulp(jacobian, truth, maxulp=4)


# --- sizes ---


@pytest.mark.parametrize("name", [n for n, e in LIBRARY.items() if isinstance(e, Family)])
@pytest.mark.parametrize("bad", [0, -1, 10**30, 2.0, "3", None, True, np.float64(2)])
def test_a_bad_size_is_refused_with_its_range(name: str, bad: object) -> None:
    entry = LIBRARY[name]
    size, limits = next(iter(entry.sizes.items()))
    with pytest.raises(
        DiffCompareError,
        match=rf"{name}: the size {size} is an integer from {limits.least} to {limits.most}( in steps of {limits.step})? .*, got",
    ):
        entry(**{size: bad})


def test_sizes_are_positional_or_named_numpy_integers_too_and_the_name_says_them() -> None:
    entry = LIBRARY["linear_regression"]
    assert entry(5, 2).name == entry(samples=np.int64(5), features=2).name == "linear_regression(samples=5, features=2)"
    assert entry().sizes == entry.defaults
    assert entry(features=4).sizes == {"samples": entry.defaults["samples"], "features": 4}
    with pytest.raises(DiffCompareError, match="linear_regression has no size 'n'; its sizes are samples, features"):
        entry(n=3)
    with pytest.raises(DiffCompareError, match="got twice the size 'samples'"):
        entry(3, samples=3)
    with pytest.raises(DiffCompareError, match="got 3 values"):
        entry(3, 4, 5)


@pytest.mark.parametrize("name", ["log_sum_exp", "rosenbrock", "speelpenning"])
def test_the_largest_sizes_are_built_without_a_matrix(name: str) -> None:
    """n² entries would be 80 GB: formulas of second derivatives hold no constant of that size."""
    entry = LIBRARY[name]
    problem = entry(n=entry.sizes["n"].most)
    constants = [n for n in postorder(problem.function.formulas["hessian"].values()) if n.primitive.name == "constant"]
    assert max(n.size for n in constants) <= problem.sizes["n"]
    (gradient,) = NumpyEngine().compile(by_hand(problem, "gradient"))([problem.points[0]["x"]])
    assert np.all(np.isfinite(gradient))


def test_a_family_knows_the_tags_of_its_problems() -> None:
    assert all(entry().tags == entry.tags for entry in LIBRARY.values() if isinstance(entry, Family))


def test_synthetic_data_is_the_same_at_every_build() -> None:
    for name in ("linear_regression", "logistic_regression"):
        one, two = LIBRARY[name](), LIBRARY[name]()
        for p, q in zip(one.points, two.points, strict=True):
            assert all(np.array_equal(p[n], q[n]) for n in p)


# --- text ---


def test_find_takes_names_sizes_and_shell_patterns() -> None:
    def names(text: str) -> list[str]:
        return [p.name for p in find(text)]

    assert names("rosenbrock") == ["rosenbrock(n=4)"]
    assert names(" rosenbrock ( n = 8 ) ") == ["rosenbrock(n=8)"]
    assert names("linear_regression(features=2, samples=7)") == ["linear_regression(samples=7, features=2)"]
    assert names("l*_regression") == ["linear_regression(samples=20, features=3)", "logistic_regression(samples=20, features=3)"]
    assert names("s[eo]*_p*") == ["seed_polynomial", "softmax_probabilities(n=5)"]
    assert names("seed_polynomial()") == ["seed_polynomial"]
    assert names("l*_regression(samples=4)") == ["linear_regression(samples=4, features=3)", "logistic_regression(samples=4, features=3)"]
    assert len(names("*")) == len(LIBRARY)
    assert names("tag:core") == [p.name for p in find("*") if "core" in p.tags]
    assert names(" tag:sur*") == ["helmholtz(n=5)", "logistic_map(n=4)", "survey_two_variables"]
    assert names("tag:survey(n=3)") == ["helmholtz(n=3)", "logistic_map(n=3)"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rosenbrok", "there is no problem 'rosenbrok'; did you mean rosenbrock"),
        ("Rosenbrock", "there is no problem"),
        ("tag:cores", "no problem has the tag 'cores'; the tags are .*core, "),
        ("tag:", "no problem has the tag ''"),
        ("tag:core(m=3)", "no problem 'tag:core' has the sizes m"),
        ("", "expected the name of a problem"),
        ("(n=3)", "expected the name of a problem"),
        ("rosenbrock(n=3", "the bracket after rosenbrock is not closed"),
        ("rosenbrock(3)", r"sizes read like rosenbrock\(n=8\), got '3'"),
        ("rosenbrock(n=3,)", "sizes read like"),
        ("rosenbrock(n=3, n=4)", "the size n is given twice"),
        ("rosenbrock(m=3)", "no problem 'rosenbrock' has the sizes m: rosenbrock has n"),
        ("seed_polynomial(n=3)", "seed_polynomial has none"),
        ("rosenbrock(n=1)", "the size n is an integer from 2 to 100000 .*, got 1"),
        ("mgh_22_extended_powell(n=6)", "the size n is an integer from 4 to 1000 in steps of 4 .*, got 6"),
        ("mgh_35_chebyquad(n=6, m=5)", "mgh_35_chebyquad: m residuals of n variables need m >= n, got m=5 and n=6"),
        ("rosenbrock(n=+-5)", r"got '\+-5'"),
        ("rosenbrock(n=2.5)", r"got '2\.5'"),
        ("rosenbrock(n=\u0664)", "is an integer"),  # a digit, but not an ASCII one
        ("rosenbrock(n=" + "9" * 900 + ")", "is an integer from"),
        ("rosenbrock(n=__import__('os').getpid())", "is an integer from|sizes read like"),
        ("x" * 10**6, "at most 1000 characters, got 1000000"),
    ],
)
def test_text_that_means_no_problem_is_refused(text: str, message: str) -> None:
    with pytest.raises(DiffCompareError, match=message):
        find(text)


# --- what a problem is made of ---


def _square(**changes: object) -> Problem:
    x = dc.symbol("x", shape=(2,))
    parts = {"function": dc.function([x], dc.sum(x * x), name="square"), "points": (Point("start", x=[1.0, 2.0]),), "source": "here"}
    return Problem(**{**parts, **changes})


def test_defaults_of_a_problem() -> None:
    problem = _square()
    assert (problem.name, problem.wrt, problem.operators, problem.data) == ("square", ("x",), ("gradient", "hessian"), ())
    assert problem.point("start") is problem.points[0]
    assert find("logistic_map")[0].operators == ("derivative", "hessian")
    assert find("softmax_probabilities")[0].operators == ("jacobian",)
    assert find("linear_regression")[0].data == ("X", "y")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"points": ()}, DiffCompareError, "square: a problem has points"),
        ({"points": (Point("a", x=[1, 2]), Point("a", x=[3, 4]))}, DiffCompareError, "different labels"),
        ({"points": (Point("a", y=[1, 2]),)}, DiffCompareError, "point 'a' has values for y; the inputs are x"),
        ({"points": (Point("a", x=[1, 2, 3]),)}, ShapeError, r"point 'a' has x of shape \(3,\), the input has shape \(2,\)"),
        ({"points": (Point("a", x=[1, np.inf]),)}, DomainError, "point 'a' has a value of x that is not finite"),
        ({"source": " "}, DiffCompareError, "cites its source"),
        ({"wrt": ("z",)}, DiffCompareError, "has no input 'z'"),
        ({"operators": ("grad",)}, DiffCompareError, "there is no operator 'grad'"),
    ],
)
def test_a_problem_that_does_not_fit_together_is_refused(changes: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        _square(**changes)


def test_an_unknown_point_is_refused_with_those_there_are() -> None:
    with pytest.raises(DiffCompareError, match="square has no point 'end'; its points are start"):
        _square().point("end")


def test_points_are_read_only_copies_that_pickle() -> None:
    given = np.array([1.0, 2.0])
    point = Point("start", x=given, y=3)
    given[0] = 9.0
    assert point["x"].tolist() == [1.0, 2.0]
    assert isinstance(point["y"], float)
    with pytest.raises(ValueError, match="read-only"):
        point["x"][0] = 5.0
    again = pickle.loads(pickle.dumps(point))
    assert (again.label, again["x"].tolist(), again["y"]) == ("start", [1.0, 2.0], 3.0)
    assert not again["x"].flags.writeable
    assert repr(point) == "Point('start', {'x': array([1., 2.]), 'y': 3.0})"


@pytest.mark.parametrize("problem", INSTANCES, ids=lambda p: p.name)
def test_problems_pickle(problem: Problem) -> None:
    again = pickle.loads(pickle.dumps(problem))
    assert (again.name, again.wrt, again.sizes, again.operators) == (problem.name, problem.wrt, problem.sizes, problem.operators)
    assert all(a is b for a, b in zip(again.function.outputs, problem.function.outputs, strict=True))


def test_families_pickle_by_name() -> None:
    for entry in LIBRARY.values():
        if isinstance(entry, Family):
            assert pickle.loads(pickle.dumps(entry)) is entry


def test_a_family_names_the_sizes_of_its_builder() -> None:
    with pytest.raises(DiffCompareError, match="lonely: the builder takes n, the sizes are m"):

        @family(m=Size(1, 1, 2, "entries"))
        def lonely(n: int) -> Problem:
            return _square()

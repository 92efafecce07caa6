"""The scenarios of DifferentiationInterfaceTest: number, vector, matrix to number, vector, matrix, by every operator.

Its names: pushforward is jvp, pullback is vjp; what it calls batchified is several tangents at once, and its in-place
functions f!(y, x) are calls with out=. Values whose key ends in vecF are flattened column by column, as Julia does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.differentiate import methods
from diffcompare.measure.accuracy import Truth, judge
from diffcompare.measure.bounds import allowed, orders_needed
from diffcompare.measure.cell import Question
from diffcompare.measure.truth import Surroundings, certified
from diffcompare.transforms.cost import cost

pytestmark = pytest.mark.corpus
Array = np.ndarray[Any, Any]

ROUNDINGS = 64 * 2.0**-52
"""Relative; the expected numbers are sums of up to 36 terms, computed in float64 as ours are."""


def num_to_vec(x: Any) -> Any:
    return np.sin(np.array([1.0, 2.0]) * x)


def arr_to_num(x: Any) -> Any:
    return np.sum(np.outer(x.reshape(-1) ** 4, x.reshape(-1) ** 6))


def vec(x: Any) -> Any:
    """The entries column by column."""
    return x.T.reshape(-1)


def diffsquarecube(x: Any) -> Any:
    d = np.diff(x)
    return np.concatenate([d**2, d**3])


SCENARIOS: dict[str, Callable[[Any], Any]] = {
    "num_to_num": np.sin,
    "onevec_to_onevec": np.sin,
    "num_to_vec": num_to_vec,
    "num_to_mat": lambda x: np.stack([num_to_vec(x), num_to_vec(3 * x)], axis=1),
    "arr_to_num vector(6)": arr_to_num,
    "arr_to_num matrix(2x3)": arr_to_num,
    "vec_to_vec": lambda x: np.concatenate([np.sin(x), np.cos(x)]),
    "vec_to_mat": lambda x: np.stack([np.sin(x), np.cos(x)], axis=1),
    "mat_to_vec": lambda x: np.concatenate([vec(np.sin(x)), vec(np.cos(x))]),
    "mat_to_mat": lambda x: np.stack([vec(np.sin(x)), vec(np.cos(x))], axis=1),
    "sparse diffsquare": lambda x: np.diff(x) ** 2,
    "sparse diffsquarecube": diffsquarecube,
    "sparse sumdiffcube": lambda x: np.sum(np.diff(x) ** 3),
}

OPERATORS: dict[str, dict[str, Any]] = {
    "y": {"operator": "value"},
    "derivative": {"operator": "derivative"},
    "second_derivative": {"operator": "derivative", "order": 2},
    "gradient": {"operator": "gradient"},
    "jacobian": {"operator": "jacobian"},
    "hessian": {"operator": "hessian"},
    "pushforward": {"operator": "jvp"},
    "pullback": {"operator": "vjp"},
    "hvp": {"operator": "hvp"},
}
SECOND = ("second_derivative", "hessian", "hessian_vecF", "hvp")
FIRST_ONLY = ("fd.complex",)
DIRECTIONS = {"jvp": ("tangent", "dx"), "hvp": ("tangent", "dx"), "vjp": ("cotangent", "dy")}
EXACT = ("ad.forward", "ad.reverse", "symbolic")
DIFFERENCES = tuple(name for name in methods() if name.startswith("fd."))


class Scenario:
    """One function at its point, and the numbers that are expected of it."""

    def __init__(self, name: str, entry: dict[str, Any]) -> None:
        self.name, self.entry = name, entry
        self.x = np.asarray(entry["x"])
        self.function = dc.trace(SCENARIOS[name], x=self.x.shape)
        self.keys = [k for k in entry if k.removesuffix("_vecF") in OPERATORS]

    def options(self, key: str) -> dict[str, Any]:
        return OPERATORS[key.removesuffix("_vecF")]

    def direction(self, key: str) -> dict[str, Array]:
        """{"tangent": dx} or {"cotangent": dy} where the operator takes one."""
        operator = self.options(key)["operator"]
        if operator not in DIRECTIONS:
            return {}
        keyword, given = DIRECTIONS[operator]
        shape = self.x.shape if keyword == "tangent" else self.function.output.shape
        return {keyword: self._read(given, shape)}

    def expected(self, key: str) -> Array:
        x, y = self.x.shape, self.function.output.shape
        shapes = {"gradient": x, "jacobian": y + x, "hessian": x + x, "hvp": x, "vjp": x}
        return self._read(key.removesuffix("_vecF"), shapes.get(self.options(key)["operator"], y))

    def _read(self, key: str, shape: tuple[int, ...]) -> Array:
        if key in self.entry:
            array = np.asarray(self.entry[key])
            assert array.shape == shape
            return array
        return np.reshape(np.asarray(self.entry[f"{key}_vecF"]), shape, order="F")


@cache
def scenarios(path: Path) -> dict[str, Scenario]:
    entries = json.loads(path.read_text(encoding="utf-8"))["scenarios"]
    return {entry["name"]: Scenario(entry["name"], entry) for entry in entries}


@pytest.fixture(params=SCENARIOS)
def scenario(request, corpora):
    return scenarios(corpora / "di_scenarios" / "scenarios.json")[request.param]


def close(answer: Any, expected: Array, rounding: float = ROUNDINGS) -> bool:
    return np.shape(answer) == expected.shape and bool(np.all(np.abs(answer - expected) <= rounding * np.abs(expected)))


def test_every_scenario_with_numbers_is_here(corpora):
    known = scenarios(corpora / "di_scenarios" / "scenarios.json")
    assert known.keys() == SCENARIOS.keys()
    assert sum(len(s.keys) for s in known.values()) == 51
    assert {k.removesuffix("_vecF") for s in known.values() for k in s.keys} == OPERATORS.keys()


@pytest.mark.parametrize("engine", ["python", "numpy"])
@pytest.mark.parametrize("method", EXACT)
def test_expected_numbers(scenario, method, engine):
    for key in scenario.keys:
        d = dc.prepare(scenario.function, method=method, engine=engine, **scenario.options(key))
        assert close(d(scenario.x, **scenario.direction(key)), scenario.expected(key)), key


@pytest.mark.parametrize("name", ["num_to_mat", "arr_to_num matrix(2x3)", "mat_to_vec", "sparse sumdiffcube"])
def test_expected_numbers_on_jax(corpora, name):
    scenario = scenarios(corpora / "di_scenarios" / "scenarios.json")[name]
    for key in scenario.keys:
        d = dc.prepare(scenario.function, method="ad.reverse", engine="jax", **scenario.options(key))
        assert close(d(scenario.x, **scenario.direction(key)), scenario.expected(key)), key


@cache
def truth(scenario: Scenario, key: str) -> tuple[Question, Truth, Surroundings]:
    """The question, what is certified of it, and what differences depend on."""
    options = scenario.options(key)
    directions = {k: (v,) for k, v in scenario.direction(key).items()}
    question = Question(
        scenario.function, options["operator"], ("x",), ({"x": scenario.x},), options.get("order", 1), directions=directions
    )
    _, (_, known), (_, near) = certified(question, orders_needed([methods()[m] for m in DIFFERENCES], question))
    return question, known, near


@pytest.mark.parametrize("method", DIFFERENCES)
def test_differences_are_within_their_resolution(scenario, method):
    for key in (k for k in scenario.keys if not k.startswith("y")):
        if method in FIRST_ONLY and key in SECOND:
            with pytest.raises(dc.Unsupported, match=f"{method} gives first derivatives"):
                dc.prepare(scenario.function, method=method, **scenario.options(key))
            continue
        question, known, near = truth(scenario, key)
        limits = allowed(methods()[method], question, known, near, 0, cost(scenario.function).operations)
        for engine in ("python", "numpy"):
            d = dc.prepare(scenario.function, method=method, engine=engine, **scenario.options(key))
            verdict = judge([np.asarray(d(scenario.x, **scenario.direction(key)))], known, limits)
            assert verdict.status == "ok", (key, engine, verdict.message)


@pytest.mark.parametrize("method", ["ad.forward", "ad.reverse", "symbolic"])
def test_several_tangents_or_cotangents_at_once(scenario, method):
    scales = np.array([1.0, -2.0, 0.0, 4.0])
    for key in (k for k in scenario.keys if scenario.direction(k)):
        ((keyword, given),) = scenario.direction(key).items()
        expected = scenario.expected(key)
        d = dc.prepare(scenario.function, method=method, engine="numpy", **scenario.options(key))
        several = d(scenario.x, **{keyword: np.multiply.outer(scales, given)})
        assert close(several, np.multiply.outer(scales, expected)), key


@pytest.mark.parametrize("method", ["ad.forward", "ad.reverse", "symbolic"])
def test_several_points_at_once_and_buffers_for_the_result(scenario, method):
    points = np.stack([scenario.x, scenario.x + 1, scenario.x / 2])
    for key in scenario.keys:
        d = dc.prepare(scenario.function, method=method, engine="numpy", **scenario.options(key))
        direction, expected = scenario.direction(key), scenario.expected(key)
        out = np.empty((3, *expected.shape))
        assert d(points, **direction, out=out) is out
        assert close(out[0], expected), key
        assert all(close(row, np.asarray(d(x, **direction)), 1e-14) for row, x in zip(out, points, strict=True)), key


# --- the families that are given by formulas, without numbers ---

LINE = np.linspace(1.0, 2.0, 50)


def banded(width: int) -> Array:
    """A random matrix of the size of LINE with this many bands."""
    matrix = np.random.default_rng(width).normal(size=(50, 50))
    return np.tril(np.triu(matrix, -(width // 2)), (width - 1) // 2)


@pytest.mark.parametrize("engine", ["python", "numpy"])
@pytest.mark.parametrize("method", ["ad.forward", "ad.reverse"])
@pytest.mark.parametrize("width", [5, 10, 20])
def test_linear_maps_and_quadratic_forms_of_squares(method, engine, width):
    a = banded(width)
    both = a + a.T
    linear = dc.trace(lambda x: a @ x**2, x=LINE.shape)
    form = dc.trace(lambda x: x**2 @ a @ x**2, x=LINE.shape)
    options = {"method": method, "engine": engine}
    assert near(dc.jacobian(linear, **options)(LINE), 2 * a * LINE)
    assert near(dc.gradient(form, **options)(LINE), 2 * LINE * (both @ LINE**2))
    assert near(dc.hessian(form, **options)(LINE), 2 * np.diag(both @ LINE**2) + 4 * np.outer(LINE, LINE) * both)


def near(answer: Any, expected: Array) -> bool:
    """Within roundings of the largest entry, zeros of the pattern exactly."""
    close_enough = np.max(np.abs(answer - expected)) <= ROUNDINGS * np.max(np.abs(expected))
    return np.shape(answer) == expected.shape and bool(close_enough) and bool(np.all(answer[expected == 0] == 0))


@pytest.mark.parametrize("method", ["ad.forward", "ad.reverse", "symbolic", "fd.complex"])
def test_identity_sum_copy_and_constants(method):
    x, constant = np.arange(1.0, 7.0), 0.42
    assert dc.derivative(dc.trace(lambda x: x, x=()), method=method)(3.0) == 1.0
    assert np.array_equal(dc.gradient(dc.trace(np.sum, a=(6,)), method=method)(x), np.ones(6))
    assert np.array_equal(dc.jacobian(dc.trace(np.copy, a=(6,)), method=method)(x), np.eye(6))
    scaled = dc.trace(lambda x, c: c * np.sum(x), x=(6,), c=())
    assert np.array_equal(dc.gradient(scaled, wrt="x", method=method)(x, constant), np.full(6, constant))


def test_complex_points_are_refused():
    with pytest.raises(TypeError, match="expected real numbers, got complex numbers"):
        dc.gradient("x**2")(1.0 + 2.0j)

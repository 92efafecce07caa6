"""What methods are allowed: enough for honest rounding and truncation, nothing for a step that has lost its promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from diffcompare.differentiate import engines
from diffcompare.differentiators.autodiff import forward, reverse
from diffcompare.differentiators.finite_difference import FiniteDifference
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.elementary import exp, log, sin
from diffcompare.dsl.structural import stack
from diffcompare.measure.bounds import allowed, orders_needed, rounding
from diffcompare.measure.cell import Question, directions, leaves
from diffcompare.measure.truth import Surroundings, Truth, certified

x, y, z = symbols("x y z")
v = symbol("v", shape=(3,))
EPS = 2.0**-52
SMOOTH = function([x, y, z], sin(x) * exp(y) + log(z) * x, name="smooth")
POINT = {"x": 0.7, "y": -1.3, "z": 2.1}
STENCILS = [
    FiniteDifference("forward"),
    FiniteDifference("backward"),
    FiniteDifference("central"),
    FiniteDifference("central", accuracy=4),
    FiniteDifference("central", scale="relative"),
    FiniteDifference("forward", step=1e-3),
]


def ask(f: Any, operator: str, point: Any, methods: Any, wrt: Any = None, order: int = 1) -> tuple[Question, Truth, Surroundings | None]:
    names = tuple(wrt or f.names)
    q = Question(f, operator, names, (point,), order, directions=directions(f, operator, names))
    found = [r for _, r in certified(q, orders_needed(methods, q))]
    truth = next(r for r in reversed(found) if isinstance(r, Truth))
    return q, truth, next((r for r in found if isinstance(r, Surroundings)), None)


def error(method: Any, q: Question, truth: Truth) -> Any:
    d = method.prepare(q.function, q.operator, engines()["numpy"], q.wrt, order=q.order)
    along = {k: p[0] if len(p) == 1 else p for k, p in q.directions.items()}
    got = np.concatenate([b.ravel() for b in leaves(d(*(q.points[0][n] for n in q.function.names), **along))])
    return np.abs(got - truth.values)


def bound(method: Any, q: Question, truth: Truth, near: Surroundings | None) -> Any:
    return allowed(method, q, truth, near, 0, 10)


def test_rounding_follows_its_formula() -> None:
    truth = Truth(((2,),), np.array([3.0, 0.0]), np.array(["ok", "ok"]), np.array([1.0, 0.0]))
    got = rounding(truth, 20)
    assert got[0] == pytest.approx(4 * math.sqrt(100) * EPS * 4.0)
    assert got[1] == 100 * 5e-324, "nothing moves this zero: only underflow is allowed"


@pytest.mark.parametrize("operator", ["value", "gradient", "hessian", "jvp", "vjp", "hvp", "value_and_gradient"])
@pytest.mark.parametrize("method", [forward, reverse, FiniteDifference("complex")], ids=lambda m: m.name)
def test_exact_methods_stay_within_rounding(operator: str, method: Any) -> None:
    if method.family == "fd" and operator in ("hessian", "hvp"):
        pytest.skip("the complex step gives first derivatives")
    q, truth, near = ask(SMOOTH, operator, POINT, [method])
    assert near is None
    assert np.all(error(method, q, truth) <= bound(method, q, truth, near))


@pytest.mark.parametrize("operator", ["gradient", "hessian", "jvp", "vjp", "hvp", "value_and_gradient"])
@pytest.mark.parametrize("method", STENCILS, ids=lambda m: m.name)
def test_differences_stay_within_their_bound_which_is_not_loose(operator: str, method: Any) -> None:
    if operator in ("hessian", "hvp") and method.accuracy == 4:
        pytest.skip("second derivatives of several inputs have stencils of the least accuracy only")
    q, truth, near = ask(SMOOTH, operator, POINT, [method])
    got, limit = error(method, q, truth), bound(method, q, truth, near)
    assert np.all(got <= limit)
    second = operator in ("hessian", "hvp")
    promise = method.expected_error(2 if second else 1)
    values = 1 if operator == "value_and_gradient" else 0
    assert np.all(limit[values:] < 1000 * promise), "of order one, as the function and its derivatives are here"


def test_a_jacobian_of_several_outputs_and_inputs_has_its_bounds_in_the_order_of_its_blocks() -> None:
    f = function([x, v], [stack([sin(x), 1e6 * x]), x * v[0] + v[2]], name="several")
    central = FiniteDifference("central")
    q, truth, near = ask(f, "jacobian", {"x": 0.7, "v": np.array([1.0, 2.0, 3.0])}, [central])
    got, limit = error(central, q, truth), bound(central, q, truth, near)
    assert truth.shapes == ((2,), (2, 3), (), (3,))
    assert np.all(got <= limit)
    assert limit[1] > 1e4 * limit[0], "rounding is in proportion to the output's size"


@pytest.mark.parametrize("order", [1, 2, 3])
def test_higher_derivatives_of_one_input(order: int) -> None:
    f = function([x], sin(x) * exp(x), name="one")
    for method in STENCILS:
        q, truth, near = ask(f, "derivative", {"x": 1.1}, [method], order=order)
        if order > 1 and method.step is not None:
            continue  # 1e-3 is no step for a third derivative: rounding alone is 1e-7 / h
        assert np.all(error(method, q, truth) <= bound(method, q, truth, near)), (method.name, order)


def test_a_step_that_leaves_the_scale_of_the_function_is_allowed_no_truncation() -> None:
    f = function([x], log(x), name="pole")
    method = FiniteDifference("forward")
    q, truth, near = ask(f, "gradient", {"x": 1e-12}, [method])
    assert error(method, q, truth) / truth.values > 0.5
    assert bound(method, q, truth, near) / truth.values < 1e-3


def test_cancellation_inside_the_formula_counts_as_noise_of_its_values() -> None:
    f = function([x], (x + 1e6) - 1e6, name="cancelling")
    central = FiniteDifference("central")
    q, truth, near = ask(f, "gradient", {"x": 0.3}, [central])
    assert near is not None
    assert 1e-12 < near.noise[0] < 1e-8
    assert 1e-8 < error(central, q, truth)[0] <= bound(central, q, truth, near)[0] < 1e-3


def test_without_certified_surroundings_differences_have_no_bound() -> None:
    q, truth, _ = ask(SMOOTH, "gradient", POINT, [])
    assert np.all(np.isnan(bound(FiniteDifference("central"), q, truth, None)))


def test_mixed_derivatives_are_told_apart() -> None:
    f = function([x, y], x**3 * y + 5 * x**2 * y**2 + 7 * x * y**3, name="mixed")
    _, _, near = ask(f, "hessian", {"x": 0.0, "y": 0.0}, [FiniteDifference("central")])
    assert near is not None
    # [once along the first, m times along the second] at the origin, where lengths are 1
    assert near.mixed[0, 1][:, 0] == pytest.approx([0, 0, 0, 42])
    assert near.mixed[1, 0][:, 0] == pytest.approx([0, 0, 0, 6])


def test_the_sensitivity_of_a_function_of_many_inputs_is_estimated_near_the_exact_one() -> None:
    u = symbol("u", shape=(300,))
    a = symbol("a")
    f = function([a, u], exp(a * u[0]) + (a * a * u * u).sum(), name="many")
    point = {"a": 0.7, "u": np.linspace(-1, 1, 300)}
    _, truth, _ = ask(f, "gradient", point, [], wrt=["a"])
    exact = abs(0.7 * (2 * (point["u"] ** 2).sum() + math.exp(-0.7))) + np.sum(np.abs(4 * 0.7 * point["u"] ** 2))
    assert 0.05 * exact < truth.sensitivity[0] < 1.01 * exact


@pytest.mark.parametrize("operator", ["gradient", "hessian", "hvp", "jvp", "derivative"])
@pytest.mark.parametrize("at", [(1e200, 1e200), (1e150, 1e-200), (1.7e308, 1.0), (1.7976e308, 1.7e308)], ids=str)
def test_near_the_largest_float_no_bound_is_known_and_none_is_zero(operator: str, at: tuple[float, float]) -> None:
    f = function([x, y], x * x / y + x * y)
    method, order = FiniteDifference("central"), 3 if operator == "derivative" else 1
    point = dict(zip("xy", at, strict=True))
    q, truth, near = ask(f, operator, point, [method], ("x",) if operator == "derivative" else None, order)
    found = bound(method, q, truth, near)
    assert np.all(np.isnan(found) | (found > 0) | (truth.values == 0))
    assert np.all(rounding(truth, 10)[np.isfinite(truth.sensitivity)] < np.inf)

"""The certified truth against closed forms and mpmath; each signal of a point without derivative; nothing global changed."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
from flint import arb, arb_series

from diffcompare.dsl import Function, arithmetic, elementary, function, symbol, symbols
from diffcompare.dsl.composite import Composite, logsumexp, norm, softmax
from diffcompare.dsl.composite import max as max_over
from diffcompare.dsl.composite import min as min_over
from diffcompare.dsl.core import BUILT_IN, FUNCTIONS, PRIMITIVES, Expr, constant
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.structural import Structural, broadcast, concatenate, diagonal, einsum, index, stack, transpose
from diffcompare.dsl.structural import sum as sum_over
from diffcompare.errors import DiffCompareError, DomainError, ShapeError, Unsupported
from diffcompare.reference import Certified, Reference, certify
from diffcompare.reference.balls import Vocabulary
from diffcompare.reference.certify import is_certain

x, y = symbols("x y")
w = symbol("w", shape=(3,))
where, ne, lt, le = arithmetic.where, arithmetic.ne, arithmetic.lt, arithmetic.le
sin, exp, log = elementary.sin, elementary.exp, elementary.log


def of_x(expression: Expr, at: float, operator: str = "derivative", **options: Any) -> Certified:
    return certify(function([x], expression), operator, {"x": at}, **options)


def only(certified: Certified) -> tuple[float, str]:
    """The value and status of the only entry."""
    return certified.values[0].item(), str(certified.status[0].item())


# --- operators ---

SEED = function([x, y], x**2 * y + y + 2)
AT = {"x": 3.0, "y": 4.0}


def test_every_operator_of_the_seed_polynomial() -> None:
    assert certify(SEED, "value", AT).values == [42.0]
    assert certify(SEED, "gradient", AT).values == [24.0, 10.0]
    assert certify(SEED, "jacobian", AT, wrt="y").values == [10.0]
    assert certify(SEED, "hessian", AT).values == [8.0, 6.0, 6.0, 0.0]
    assert certify(SEED, "jvp", AT, tangent=(1.0, 2.0)).values == [44.0]
    assert certify(SEED, "vjp", AT, cotangent=2.5).values == [60.0, 25.0]
    assert certify(SEED, "hvp", AT, tangent={"x": 1.0, "y": 2.0}).values == [20.0, 6.0]
    assert certify(SEED, "derivative", AT, wrt="x", order=2).values == [8.0]
    assert certify(SEED, "derivative", AT, wrt="x", order=3).values == [0.0]
    assert certify(SEED, "hessian", AT).ok


def test_blocks_nest_outputs_first_and_have_shape_output_then_input() -> None:
    f = function([w, x], [einsum("i,j->ij", w, w) * x, sum_over(w)])
    at = {"w": [1.0, 2.0, 3.0], "x": 2.0}
    assert [v.shape for v in certify(f, "value", at).values] == [(3, 3), ()]
    assert [v.shape for v in certify(f, "jacobian", at).values] == [(3, 3, 3), (3, 3), (3,), ()]
    second = certify(f, "hessian", at)
    assert [v.shape for v in second.values[:4]] == [(3, 3, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3)]
    v = np.array(at["w"])
    unit = np.eye(3)
    expected = np.einsum("ik,j->ijk", unit, v) + np.einsum("i,jk->ijk", v, unit)
    assert np.array_equal(certify(f, "jacobian", at).values[0], 2.0 * expected)
    assert np.array_equal(second.values[1], expected)
    assert np.array_equal(second.values[2], expected)
    assert [v.shape for v in certify(f, "hvp", at, tangent=([1.0, 0.0, 0.0], 1.0)).values] == [(3, 3, 3), (3, 3), (3,), ()]


def test_a_hessian_is_symmetric_to_the_bit_and_its_products_agree() -> None:
    f = function([w], logsumexp(w) * norm(w) + sum_over(exp(w)))
    at = {"w": [0.3, -1.7, 2.2]}
    certified = certify(f, "hessian", at)
    (hessian,) = certified.values
    assert certified.ok
    assert np.array_equal(hessian, hessian.T)
    for v in ([1.0, 0.0, 0.0], [0.1, -0.7, 1e-3], [0.0, 2.0, 1.0], [0.0, 0.0, 0.0]):
        (product,) = certify(f, "hvp", at, tangent=v).values
        assert np.allclose(product, hessian @ v, rtol=1e-14, atol=0)


def test_jvp_and_vjp_are_contractions_of_the_jacobian() -> None:
    f = function([w], [softmax(w), norm(w)])
    at = {"w": [0.5, 1.5, -2.0]}
    blocks = certify(f, "jacobian", at).values
    t, c = np.array([0.25, -1.0, 3.0]), (np.array([1.0, 2.0, -0.5]), 4.0)
    pushed = certify(f, "jvp", at, tangent=t).values
    assert np.allclose(pushed[0], blocks[0] @ t, rtol=1e-14)
    assert np.allclose(pushed[1], blocks[1] @ t, rtol=1e-14)
    assert np.allclose(certify(f, "vjp", at, cotangent=c).values[0], c[0] @ blocks[0] + c[1] * blocks[1], rtol=1e-13)


def test_directional_derivatives_of_higher_order() -> None:
    f = function([x, y], exp(x) * y)
    assert certify(f, "jvp", {"x": 0.0, "y": 3.0}, order=3, tangent=(1.0, 2.0)).values == [3.0 + 3 * 2.0]


# --- against closed forms and mpmath ---

MPMATH: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "chain_mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "abs": abs,
    "pow": lambda a, b: a**b,
    "maximum": max,
    "minimum": min,
    "sech2": lambda a: mpmath.sech(a) ** 2,
    "gauss": lambda a: mpmath.exp(-a * a),
    "softplus": lambda a: mpmath.log1p(mpmath.exp(a)),
    "relu": lambda a: max(a, mpmath.mpf(0)),
    "cbrt": lambda a: mpmath.sign(a) * mpmath.cbrt(abs(a)),
    "exp2": lambda a: mpmath.mpf(2) ** a,
    "log2": lambda a: mpmath.log(a, 2),
    "lgamma": lambda a: mpmath.log(abs(mpmath.gamma(a))),
    "mod": lambda a, b: a - b * mpmath.floor(a / b),
    "atan2": mpmath.atan2,
}
NATIVE = sorted(
    (p for n, p in PRIMITIVES.items() if n in BUILT_IN and isinstance(p, Elementwise) and p.ball and p.partials and not p.takes_bool),
    key=lambda p: p.name,
)


def _inside(primitive: Elementwise) -> list[tuple[float, ...]]:
    numbers = (0.4375, 1.5, -0.625, 2.75, -3.3)
    columns = [[v for v in numbers if v in d] for d in primitive.domain]
    return [tuple(c[(k + 2 * j) % len(c)] for j, c in enumerate(columns)) for k in range(3)]


def _worst_disagreement(primitive: Elementwise) -> float:
    """The largest relative difference of value and gradient from mpmath's at 60 digits."""
    oracle = MPMATH.get(primitive.name) or getattr(mpmath, primitive.name)
    inputs = symbols([f"x{k}" for k in range(primitive.arity)])
    reference = Reference(function(inputs, primitive(*inputs)))
    worst = 0.0
    with mpmath.workdps(60):
        for at in _inside(primitive):
            point = dict(zip(reference.function.names, at, strict=True))
            got = [reference.certify("value", point), reference.certify("gradient", point)]
            balls = [b.item() for c in got for b in c.balls]
            exact = [mpmath.mpf(v) for v in at]
            orders = [(0,) * primitive.arity, *(tuple(int(i == j) for i in range(primitive.arity)) for j in range(primitive.arity))]
            for ball, order in zip(balls, orders, strict=True):
                true = mpmath.diff(oracle, tuple(exact), order) if primitive.arity > 1 else mpmath.diff(oracle, exact[0], order[0])
                mine = mpmath.mpf(ball.mid().str(40, radius=False))
                worst = max(worst, float(abs(mine - true) / (abs(true) + mpmath.mpf(10) ** -30)))
    return worst


@pytest.mark.parametrize("primitive", NATIVE, ids=lambda p: p.name)
def test_ball_forms_agree_with_mpmath(primitive: Elementwise) -> None:
    assert _worst_disagreement(primitive) < 2.0**-69


@pytest.mark.parametrize("primitive", [p for p in NATIVE if p.arity == 1], ids=lambda p: p.name)
def test_a_planted_error_of_1e_18_in_a_ball_form_disagrees(primitive: Elementwise, monkeypatch: pytest.MonkeyPatch) -> None:
    right = primitive.ball
    assert right is not None
    monkeypatch.setattr(primitive, "ball", lambda b, z: right(b, z) * (1 + arb("1e-18")))
    assert _worst_disagreement(primitive) > 1e-19


def test_derivatives_of_high_order() -> None:
    assert only(of_x(sin(x), 0.0, order=7)) == (-1.0, "ok")
    assert only(of_x(exp(2.0 * x), 0.0, order=10)) == (1024.0, "ok")
    with mpmath.workdps(50):
        expected = float(mpmath.diff(mpmath.tanh, mpmath.mpf(0.5), 6))
    assert only(of_x(elementary.tanh(x), 0.5, order=6)) == (expected, "ok")


def _logistic(n: int) -> Function:
    z = x
    for _ in range(n):
        z = 4.0 * z * (1.0 - z)
    return function([x], z)


def test_the_logistic_map_is_exact_where_floats_have_lost_every_digit() -> None:
    value, slope = Fraction(0.3), Fraction(1)
    for _ in range(12):
        value, slope = 4 * value * (1 - value), 4 * slope * (1 - 2 * value)
    assert only(certify(_logistic(12), "derivative", {"x": 0.3})) == (float(slope), "ok")
    with mpmath.workdps(400):
        v, s = mpmath.mpf(0.3), mpmath.mpf(1)
        for _ in range(20):
            v, s = 4 * v * (1 - v), 4 * s * (1 - 2 * v)
        assert only(certify(_logistic(20), "derivative", {"x": 0.3})) == (float(s), "ok")
    assert certify(_logistic(200), "derivative", {"x": 0.3}).precision > 192


def test_cancellation_raises_the_precision() -> None:
    certified = of_x((1.0 - elementary.cos(x)) / x**2, 1e-40, "value")
    assert only(certified) == (0.5, "ok")
    assert certified.precision > 300


def test_exact_zeros_are_certified() -> None:
    circle = sin(x) ** 2 + elementary.cos(x) ** 2
    assert only(of_x(circle, 1.0)) == (0.0, "ok")
    assert only(of_x(circle, 1.0, "value")) == (1.0, "ok")
    assert certify(function([w], sum_over(exp(w))), "hessian", {"w": [1.0, 2.0, 3.0]}).values[0][0, 1] == 0.0
    assert certify(function([x, y], sin(x)), "gradient", AT).balls[1].item().is_zero()


def test_results_beyond_float64_round_to_infinity_and_zero() -> None:
    assert only(of_x(exp(x), 1000.0)) == (math.inf, "ok")
    assert only(of_x(exp(x), -800.0)) == (0.0, "ok")
    assert only(of_x(exp(x), -740.0)) == (math.exp(-740.0), "ok")
    assert only(of_x(elementary.tanh(x), 300.0)) == (float(4 / mpmath.exp(mpmath.mpf(600))), "ok")


def test_constants_are_exact_floats_and_are_not_folded_with_rounding() -> None:
    # pow_less_1 has no ball form: its evaluation contains y - 1, which for the constant 1e-20 rounds to -1 in floats
    (value, _) = only(of_x(arithmetic.pow_less_1(x, 1e-20), 1e300, "value"))
    assert value == float(mpmath.mpf(1e300) ** (mpmath.mpf(1e-20) - 1))
    assert only(of_x(x * 0.1, 3.0, "value")) == (float(Fraction(0.1) * 3), "ok")


# --- arrays ---


def _close(certified: Certified, expected: list[np.ndarray]) -> bool:
    return certified.ok and all(np.allclose(v, e, rtol=1e-14, atol=1e-300) for v, e in zip(certified.values, expected, strict=True))


def test_array_operations() -> None:
    v = np.array([1.0, 2.0, 3.0])
    m = symbol("m", shape=(2, 3))
    values = np.arange(6.0).reshape(2, 3)
    at = {"w": v, "m": values}
    f = function(
        [w, m],
        [
            m @ w,
            transpose(m),
            concatenate([w, 2.0 * w]),
            stack([w, w + 1.0], axis=1),
            index(w, np.array([2, 0, 0])),
            diagonal(einsum("i,j->ij", w, w)),
            sum_over(m, axis=0),
            broadcast(sum_over(w), (2, 2)),
            max_over(m, axis=1),
            min_over(w),
            where(lt(w, 2.5), w, -w),
            sum_over(m[:, ::-1] * w),
        ],
    )
    expected = [
        values @ v,
        values.T,
        np.concatenate([v, 2 * v]),
        np.stack([v, v + 1], axis=1),
        v[[2, 0, 0]],
        v * v,
        values.sum(axis=0),
        np.full((2, 2), 6.0),
        values.max(axis=1),
        np.array(1.0),
        np.array([1.0, 2.0, -3.0]),
        np.array((values[:, ::-1] * v).sum()),
    ]
    assert _close(certify(f, "value", at), expected)
    jacobian = certify(f, "jacobian", at)
    assert jacobian.ok
    assert np.array_equal(jacobian.values[0], values)
    assert np.array_equal(jacobian.values[4], np.concatenate([np.eye(3), 2.0 * np.eye(3)]))
    assert np.array_equal(jacobian.values[17][:, :, 2], np.eye(2))
    assert np.array_equal(jacobian.values[20], np.diag([1.0, 1.0, -1.0]))


def test_array_functions_do_not_overflow() -> None:
    f = function([w], [logsumexp(w), softmax(w), norm(w)])
    huge = certify(f, "value", {"w": [1e5, 1e5, -1e5]})
    assert _close(huge, [np.array(1e5 + math.log(2.0)), np.array([0.5, 0.5, 0.0]), np.array(1e5 * math.sqrt(3.0))])
    assert certify(f.with_outputs([norm(w)]), "value", {"w": [3e300, 4e300, 0.0]}).values == [5e300]
    gradient = certify(f.with_outputs([logsumexp(w)]), "gradient", {"w": [1e5, 1e5, -1e5]})
    assert _close(gradient, [np.array([0.5, 0.5, 0.0])])


def test_empty_arrays_and_boolean_outputs() -> None:
    empty = symbol("e", shape=(0,))
    assert certify(function([empty], sum_over(empty * 2.0)), "value", {"e": np.zeros(0)}).values == [0.0]
    assert certify(function([empty], sum_over(empty)), "gradient", {"e": np.zeros(0)}).values[0].shape == (0,)
    assert only(of_x(lt(x, 1.0), 0.5, "value")) == (1.0, "ok")
    assert only(of_x(lt(x, 1.0), 0.5)) == (0.0, "ok")
    assert only(of_x(lt(x, 1.0), 1.0))[1] == "kink"


# --- points without a derivative ---

nan = math.nan
SIGNALS: list[tuple[str, Expr, float, tuple[float, str], tuple[float, str]]] = [
    # expression, point, (value, status), (derivative, status)
    ("abs", abs(x), 0.0, (0.0, "ok"), (nan, "kink")),
    ("relu", elementary.relu(x), 0.0, (0.0, "ok"), (nan, "kink")),
    ("maximum", arithmetic.maximum(x, 2.0 - x), 1.0, (1.0, "ok"), (nan, "kink")),
    ("a tie of equal slopes", arithmetic.maximum(sin(x), x), 0.0, (0.0, "ok"), (1.0, "ok")),
    ("a tie with itself", arithmetic.maximum(sin(x), sin(x)), 1.0, (math.sin(1.0), "ok"), (math.cos(1.0), "ok")),
    ("an undecided tie", arithmetic.maximum(arithmetic.sqrt(x) ** 2, x), 2.0, (2.0, "ok"), (nan, "kink")),
    ("sign", arithmetic.sign(x), 0.0, (0.0, "ok"), (nan, "kink")),
    ("floor at a jump", arithmetic.floor(x), 2.0, (2.0, "ok"), (nan, "kink")),
    ("floor between jumps", arithmetic.floor(x), 2.5, (2.0, "ok"), (0.0, "ok")),
    ("an infinite slope", arithmetic.sqrt(x), 0.0, (0.0, "ok"), (nan, "kink")),
    ("the end of a domain", elementary.asin(x), 1.0, (math.pi / 2, "ok"), (nan, "kink")),
    ("one side", x**1.5, 0.0, (0.0, "ok"), (nan, "kink")),
    ("the root of a square", arithmetic.sqrt(x**2), 0.0, (0.0, "ok"), (nan, "kink")),
    ("hypot at the origin", elementary.hypot(x, 2.0 * x), 0.0, (0.0, "ok"), (nan, "kink")),
    ("the cut of atan2", elementary.atan2(x, -1.0), 0.0, (math.pi, "ok"), (nan, "kink")),
    ("beside the cut", elementary.atan2(-1.0, x), 0.0, (-math.pi / 2, "ok"), (1.0, "ok")),
    ("an integer power below 0", x**3, -2.0, (-8.0, "ok"), (12.0, "ok")),
    ("an integer power at 0", x**3, 0.0, (0.0, "ok"), (0.0, "ok")),
    ("a negative integer power", x**-1.0, -2.0, (-0.5, "ok"), (-0.25, "ok")),
    ("log below 0", log(x), -1.0, (nan, "domain"), (nan, "domain")),
    ("log at 0", log(x), 0.0, (nan, "domain"), (nan, "domain")),
    ("asin past 1", elementary.asin(x), 1.5, (nan, "domain"), (nan, "domain")),
    ("a power below 0", x**0.5, -1.0, (nan, "domain"), (nan, "domain")),
    ("a pole", 1.0 / x, 0.0, (nan, "domain"), (nan, "domain")),
    ("a sum with NaN", x + log(x - 5.0), 1.0, (nan, "domain"), (nan, "domain")),
    ("sin(x)/x", sin(x) / x, 0.0, (1.0, "removable"), (0.0, "removable")),
    ("(x²-1)/(x-1)", (x**2 - 1.0) / (x - 1.0), 1.0, (2.0, "removable"), (1.0, "removable")),
    ("sinc by where", where(ne(x, 0.0), sin(x) / x, 1.0), 0.0, (1.0, "ok"), (0.0, "removable")),
    ("the branch taken", where(lt(x, 0.0), log(x), x * x), 1.0, (1.0, "ok"), (2.0, "ok")),
    ("branches that agree", where(lt(abs(x), 1.0), 0.5 * x * x, abs(x) - 0.5), 1.0, (0.5, "ok"), (1.0, "ok")),
    ("branches that do not", where(lt(x, 1.0), x, 2.0 * x), 1.0, (2.0, "ok"), (nan, "kink")),
    ("a condition that touches", where(lt(x * x, 0.0), -x, x), 0.0, (0.0, "ok"), (1.0, "ok")),
    ("a flat crossing", where(lt(x**3, 0.0), -x, x), 0.0, (0.0, "ok"), (nan, "kink")),
]


@pytest.mark.parametrize(("expression", "at", "value", "derivative"), [s[1:] for s in SIGNALS], ids=[s[0] for s in SIGNALS])
def test_signals(expression: Expr, at: float, value: tuple[float, str], derivative: tuple[float, str]) -> None:
    for operator, expected in (("value", value), ("derivative", derivative)):
        got, status = only(of_x(expression, at, operator))
        assert status == expected[1]
        assert got == expected[0] or (math.isnan(got) and math.isnan(expected[0]))


def test_second_derivatives_at_joints() -> None:
    huber = where(lt(abs(x), 1.0), 0.5 * x * x, abs(x) - 0.5)
    assert only(of_x(huber, 1.0, order=2))[1] == "kink"
    assert only(of_x(abs(x**2), 0.0, order=2)) == (2.0, "ok")
    assert only(of_x(x**2.5, 0.0, order=2))[1] == "kink"


def test_status_is_of_each_entry() -> None:
    f = function([w], abs(w))
    certified = certify(f, "jacobian", {"w": [-1.0, 0.0, 2.0]})
    assert certified.status[0].diagonal().tolist() == ["ok", "kink", "ok"]
    assert not certified.ok
    assert certified.values[0][0].tolist() == [-1.0, 0.0, 0.0]
    assert certify(function([w], sum_over(elementary.relu(w))), "gradient", {"w": [-1.0, 0.0, 2.0]}).status[0].tolist() == [
        "ok",
        "kink",
        "ok",
    ]
    assert certify(function([w], norm(w)), "gradient", {"w": np.zeros(3)}).status[0].tolist() == ["kink"] * 3
    assert certify(function([w], max_over(w)), "gradient", {"w": [1.0, 2.0, 2.0]}).status[0].tolist() == ["ok", "kink", "kink"]


def test_magnitudes_beyond_the_exponents_are_unresolved() -> None:
    assert only(of_x(exp(exp(exp(x))), 1e5, "value"))[1] == "unresolved"


def test_the_limit_of_precision_is_kept() -> None:
    certified = certify(_logistic(400), "derivative", {"x": 0.3}, max_precision=200)
    assert certified.status[0].item() == "unresolved"
    assert certified.precision == 200


# --- the condition of a point ---


def test_condition_numbers() -> None:
    value = certify(function([x, y], x - y), "value", {"x": 1.0, "y": 0.999}, condition=True)
    assert value.condition[0] == pytest.approx(1.999 / 0.001, rel=1e-9)
    gradient = certify(function([x, y], x * y), "gradient", AT, condition=True)
    assert [float(c) for c in gradient.condition] == pytest.approx([1.0, 1.0])
    tanh = of_x(elementary.tanh(x), 20.0, condition=True)
    assert tanh.condition[0] == pytest.approx(40.0, rel=1e-9)
    second = certify(SEED, "hessian", AT, condition=True)
    assert [float(c) for c in second.condition] == pytest.approx([1.0, 1.0, 1.0, 0.0])
    zero = of_x(sin(x), math.pi / 2, order=2, condition=True)
    assert zero.condition[0] == pytest.approx(0.0, abs=1e-10)
    stationary = of_x((x - 1.0) ** 2, 1.0, condition=True)
    assert stationary.condition[0] == math.inf
    assert np.isnan(of_x(abs(x), 0.0, condition=True).condition[0])
    with pytest.raises(DiffCompareError, match="condition=True"):
        _ = of_x(sin(x), 1.0).condition


# --- independence ---


def test_no_derivative_rule_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    f = function([w, x], sum_over(softmax(elementary.tanh(w) * x)) + logsumexp(w) * norm(w) + elementary.sigmoid(x) ** x)
    at = {"w": [0.1, 0.2, 0.7], "x": 1.25}
    before = certify(f, "hessian", at).values

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the reference used a derivative rule")

    for kind in (Elementwise, Structural, Composite):
        for rule in ("jvp", "vjp", "derivatives", "transpose", "slope"):
            if hasattr(kind, rule):
                monkeypatch.setattr(kind, rule, refuse)
    for primitive in PRIMITIVES.values():
        for rule in ("partials", "slope"):
            if getattr(primitive, rule, None) is not None:
                monkeypatch.setattr(primitive, rule, refuse)
    after = certify(f, "hessian", at)
    assert after.ok
    assert all(np.array_equal(a, b) for a, b in zip(before, after.values, strict=True))


def test_a_user_function_without_ball_form_runs_by_its_evaluation() -> None:
    bump = Elementwise("bump_of_the_reference", evaluate=lambda z: exp(-z * z) * (z - 0.1), partials=lambda v, z: (v,))
    (got, status) = only(of_x(bump(x), 0.75))
    with mpmath.workdps(40):
        assert status == "ok"
        assert got == float(mpmath.diff(lambda z: mpmath.exp(-z * z) * (z - mpmath.mpf(0.1)), mpmath.mpf(0.75)))
    opaque = Elementwise("opaque_of_the_reference", array="sin", partials=lambda v, z: (v,))
    with pytest.raises(Unsupported, match="opaque_of_the_reference: give it a ball form"):
        of_x(opaque(x), 0.75)


def test_long_chains_need_no_recursion() -> None:
    z = x
    for _ in range(20_000):
        z = sin(z) + x
    assert sys.getrecursionlimit() < 20_000
    assert of_x(z, 0.5).ok


# --- nothing global is changed ---


def test_the_precision_of_flint_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flint.ctx, "prec", 77)
    monkeypatch.setattr(flint.ctx, "cap", 5)
    of_x(sin(x) ** 2 + elementary.cos(x) ** 2, 1.0)
    assert (flint.ctx.prec, flint.ctx.cap) == (77, 5)

    def fail(b: Any, z: Any) -> Any:
        raise ZeroDivisionError("in a ball form")

    monkeypatch.setattr(elementary.sin, "ball", fail)
    with pytest.raises(ZeroDivisionError, match="in a ball form"):
        of_x(sin(x), 1.0)
    assert (flint.ctx.prec, flint.ctx.cap) == (77, 5)


def test_threads_do_not_disturb_each_other() -> None:
    reference = Reference(function([x], sin(exp(x)) / (1.0 + x * x)))
    points = np.linspace(-2.0, 2.0, 40).tolist()
    expected = {(p, k): only(reference.certify("derivative", {"x": p}, order=k)) for p in points for k in (1, 2, 3)}
    wrong: list[Any] = []

    def work(order: int) -> None:
        wrong.extend(p for p in points if only(reference.certify("derivative", {"x": p}, order=order)) != expected[p, order])

    threads = [threading.Thread(target=work, args=(1 + k % 3,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    assert len(expected) == 120


# --- refusals ---


def test_refusals_name_the_thing_and_the_value() -> None:
    with pytest.raises(DomainError, match=r"point must be finite, got x = nan"):
        of_x(sin(x), math.nan)
    with pytest.raises(DomainError, match=r"y = inf"):
        certify(SEED, "gradient", {"x": 1.0, "y": math.inf}, wrt="x")
    with pytest.raises(ShapeError, match=r"input w has shape \(3,\), the point's value has shape \(2,\)"):
        certify(function([w], norm(w)), "value", {"w": [1.0, 2.0]})
    with pytest.raises(DiffCompareError, match=r"no value for y; it has x"):
        certify(SEED, "value", {"x": 1.0})
    with pytest.raises(DiffCompareError, match=r"no input 'z'"):
        certify(SEED, "gradient", AT, wrt="z")
    with pytest.raises(DiffCompareError, match=r"unknown operator 'slope'; the reference knows value"):
        certify(SEED, "slope", AT)
    with pytest.raises(ShapeError, match=r"gradient is of scalar outputs, got shapes \(3,\); use jacobian"):
        certify(function([w], sin(w)), "gradient", {"w": [1.0, 2.0, 3.0]})
    with pytest.raises(ShapeError, match=r"with respect to one scalar input, got x of shape \(\), y of shape \(\)"):
        certify(SEED, "derivative", AT)
    with pytest.raises(DiffCompareError, match="the tangent is missing"):
        certify(SEED, "jvp", AT)
    with pytest.raises(ShapeError, match="the tangent has 3 parts for x, y"):
        certify(SEED, "jvp", AT, tangent=(1.0, 2.0, 3.0))
    with pytest.raises(DomainError, match="the cotangent for output 0 must be finite"):
        certify(SEED, "vjp", AT, cotangent=math.inf)


# --- the vocabulary, each form against a second formula ---

b = Vocabulary()
ONE = arb(1)


def _exps(z: Any) -> tuple[Any, Any]:
    return z.exp(), (-z).exp()


SECOND: dict[str, tuple[Callable[[Any], Any], tuple[float, ...]]] = {
    "abs": (lambda z: z if _c(z) > 0 else -z, (0.7, -2.5)),
    "sqrt": (lambda z: (z.log() / 2).exp(), (0.7, 30.0)),
    "cbrt": (lambda z: (z.log() / 3).exp() if _c(z) > 0 else -((-z).log() / 3).exp(), (0.7, 30.0, -8.0)),
    "expm1": (lambda z: z.exp() - 1, (1e-9, -40.0, 3.0)),
    "log1p": (lambda z: (1 + z).log(), (1e-9, -0.75, 3.0)),
    "exp2": (lambda z: (z * arb(2).log()).exp(), (0.7, -30.0)),
    "log2": (lambda z: z.log() / arb(2).log(), (0.7, 30.0)),
    "log10": (lambda z: z.log() / arb(10).log(), (0.7, 30.0)),
    "sec": (lambda z: 1 / z.cos(), (0.7, -2.0)),
    "csc": (lambda z: 1 / z.sin(), (0.7, -2.0)),
    "cot": (lambda z: 1 / z.tan(), (0.7, -2.0)),
    "asec": (lambda z: arb.pi() / 2 - (1 / z).asin(), (1.25, -3.0)),
    "acsc": (lambda z: arb.pi() / 2 - (1 / z).acos(), (1.25, -3.0)),
    "acot": (lambda z: (arb.pi() / 2 if _c(z) > 0 else -arb.pi() / 2) - z.atan(), (0.25, -3.0)),
    "sinh": (lambda z: (z.exp() - (-z).exp()) / 2, (1e-5, -3.0, 40.0)),
    "cosh": (lambda z: (z.exp() + (-z).exp()) / 2, (1e-5, -3.0, 40.0)),
    "tanh": (lambda z: (z.exp() - (-z).exp()) / (z.exp() + (-z).exp()), (1e-5, -3.0, 20.0)),
    "sech2": (lambda z: 4 / (z.exp() + (-z).exp()) ** 2, (1e-5, -3.0, 20.0)),
    "sech": (lambda z: 2 / (z.exp() + (-z).exp()), (1e-5, -3.0, 20.0)),
    "csch": (lambda z: 2 / (z.exp() - (-z).exp()), (0.25, -3.0, 20.0)),
    "coth": (lambda z: (z.exp() + (-z).exp()) / (z.exp() - (-z).exp()), (0.25, -3.0, 20.0)),
    "asinh": (lambda z: (z + (1 + z * z).sqrt()).log(), (1e-5, -3.0, 1e5)),
    "acosh": (lambda z: (z + (z * z - 1).sqrt()).log(), (1.0001, 3.0, 1e5)),
    "atanh": (lambda z: ((1 + z) / (1 - z)).log() / 2, (1e-5, -0.75, 0.999)),
    "asech": (lambda z: (1 / z + (1 / (z * z) - 1).sqrt()).log(), (1e-3, 0.25, 0.99)),
    "acsch": (lambda z: (1 / z + (1 / (z * z) + 1).sqrt()).log(), (1e-3, 0.25, 9.0)),
    "acoth": (lambda z: ((z + 1) / (z - 1)).log() / 2, (1.001, -3.0, 50.0)),
    "lgamma": (lambda z: b.abs(z.gamma()).log(), (0.25, 7.5, -0.75, -3.25)),
    "digamma": (lambda z: b.digamma(z + 3) - 1 / z - 1 / (z + 1) - 1 / (z + 2), (0.25, 7.5, -0.75, -3.25)),
}


def _c(z: Any) -> Any:
    return z if isinstance(z, arb) else z[0]


def _coefficients(value: Any) -> list[arb]:
    return [value] if isinstance(value, arb) else [value[k] for k in range(value.prec)]


@pytest.mark.parametrize("name", SECOND)
def test_vocabulary_against_a_second_formula(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flint.ctx, "prec", 300)
    monkeypatch.setattr(flint.ctx, "cap", 6)
    second, centres = SECOND[name]
    for centre in centres:
        for argument in (arb(centre), arb_series([centre, 2, -0.5])):
            mine, other = _coefficients(getattr(b, name)(argument)), _coefficients(second(argument))
            assert len(mine) == len(other)
            for p, q in zip(mine, other, strict=True):
                assert p.overlaps(q), (name, centre)
                assert p.rel_accuracy_bits() > 100 or (p.is_zero() and q.contains(0)), (name, centre, p)


def test_digamma_is_the_derivative_of_lgamma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flint.ctx, "prec", 200)
    monkeypatch.setattr(flint.ctx, "cap", 6)
    for centre in (0.25, 3.5, -1.75):
        z = arb_series([centre, 1])
        slope = b.lgamma(z).derivative()
        assert all(slope[k].overlaps(b.digamma(z)[k]) for k in range(5))


def test_vocabulary_of_two_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flint.ctx, "prec", 300)
    monkeypatch.setattr(flint.ctx, "cap", 6)
    for p, q in ((0.7, 2.0), (3.0, -1.5)):
        u, v = arb_series([p, 1, 2]), arb_series([q, -1, 0.5])
        for mine, other in (
            (b.pow(u, v), (v * u.log()).exp()),
            (b.atan2(v, u), (v / u).atan()),
            (b.atan2(u, v), arb.pi() / 2 - (v / u).atan()),
            (b.mod(u, v), u - v * (0 if q > p else -2)),
            (b.div(u, v), u * v.inv()),
        ):
            assert all(m.overlaps(o) for m, o in zip(_coefficients(mine), _coefficients(other), strict=True))


def test_rounding_functions() -> None:
    for at, down, up, even in ((2.5, 2, 3, 2), (3.5, 3, 4, 4), (-2.5, -3, -2, -2), (2.25, 2, 3, 2), (-0.75, -1, 0, -1), (4.0, 4, 4, 4)):
        assert (b.floor(arb(at)), b.ceil(arb(at)), b.round(arb(at))) == (down, up, even)
    assert isinstance(b.floor(arb_series([2.5, 1])), arb)
    assert b.floor(arb_series([2, 1]))[1].is_nan()
    assert b.ceil(arb_series([2, 1]))[1].is_nan()
    assert b.round(arb_series([2.5, 1]))[1].is_nan()
    assert b.round(arb_series([2, 1])) == 2
    assert not b.floor(arb(2, 0.5)).is_exact()


def test_a_ball_is_certain_by_bits_or_by_rounding_to_one_float() -> None:
    assert is_certain(arb(1) / 3, 50)
    assert not is_certain(arb(1) / 3, 70)
    assert is_certain(arb(0, 1e-320) * arb(2) ** -100, 70)
    assert not is_certain(arb(0, 1e-320), 70)
    assert not is_certain(arb("nan"), 1)
    assert constant(1.0) is FUNCTIONS["real"](constant(True))

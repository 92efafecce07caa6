"""The certified truth against closed forms and mpmath; each signal of a point without derivative; nothing global changed."""

from __future__ import annotations

import math
import sys
import threading
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest

from diffcompare.dsl import Function, arithmetic, elementary, function, powers, symbol, symbols
from diffcompare.dsl.composite import logsumexp, norm, softmax
from diffcompare.dsl.composite import max as max_over
from diffcompare.dsl.composite import min as min_over
from diffcompare.dsl.contraction import diagonal, einsum
from diffcompare.dsl.core import PRIMITIVES, Expr
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.indexing import index
from diffcompare.dsl.structural import broadcast, concatenate, stack, transpose
from diffcompare.dsl.structural import sum as sum_over
from diffcompare.errors import DiffCompareError, DomainError, ShapeError, Unsupported
from diffcompare.reference import Certified, Reference, certify

x, y = symbols("x y")
w = symbol("w", shape=(3,))
where, ne, lt = arithmetic.where, arithmetic.ne, arithmetic.lt
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
    (value, _) = only(of_x(powers.pow_less_1(x, 1e-20), 1e300, "value"))
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


def test_mixed_derivatives_where_the_function_is_flat_along_one_argument_at_the_point_alone() -> None:
    # d/dx x**0 is 0 for every x, and yet d²/dx dy x**y = x**(y-1) (1 + y log x) is 1/x at y = 0
    mixed = certify("x**y", "hessian", {"x": 2.0, "y": 0.0})
    assert [float(v) for v in mixed.values] == [0.0, 0.5, 0.5, 0.48045301391820144]
    # the limit of x**(y-1) (1 + y log x) at (0, 1) is -inf
    assert certify("x**y", "hessian", {"x": 0.0, "y": 1.0}).status[1] != "ok"


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


def test_noise_counts_the_cancellation_inside_a_formula() -> None:
    # x (c + x) - c x: the value x² and the derivative 2x are well conditioned, the terms are c x and c
    c = 1e8 / 3
    cancelling, plain = Reference(function([x], x * (c + x) - x * c)), Reference(function([x], x * x))
    at, unit = {"x": 1 / 3}, 2.0**-53
    for operator, size in (("value", c / 3), ("derivative", c)):
        assert size * unit / 4 < cancelling.noise(at, 53, operator)[0] < 8 * size * unit
        assert plain.noise(at, 53, operator)[0] < unit
        assert plain.noise(at, 24, operator)[0] < 2.0**-23
    assert [n.shape for n in Reference(function([w, x], norm(w) * x)).noise({"w": [1.0, 2.0, 3.0], "x": 1.0}, 53, "gradient")] == [(3,), ()]
    assert np.isnan(Reference(function([x], log(x))).noise({"x": -1.0})[0])


def test_no_derivative_rule_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    f = function([w, x], sum_over(softmax(elementary.tanh(w) * x)) + logsumexp(w) * norm(w) + elementary.sigmoid(x) ** x)
    at = {"w": [0.1, 0.2, 0.7], "x": 1.25}
    before = certify(f, "hessian", at).values

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the reference used a derivative rule")

    for kind in {type(p) for p in PRIMITIVES.values()}:
        for rule in ("jvp", "vjp", "derivatives", "transpose"):
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

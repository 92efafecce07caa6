"""fd.adaptive: accuracy and honesty on the families that break other adaptive methods, edges, kinks, noise, every operator."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from diffcompare.differentiate import derivative, gradient, hessian, hvp, jacobian, jvp, prepare, value_and_gradient, vjp
from diffcompare.differentiators import ladder
from diffcompare.differentiators.adaptive import AdaptiveDifference
from diffcompare.differentiators.ladder import Status
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.arithmetic import abs_, maximum, sqrt, where
from diffcompare.dsl.composite import logsumexp
from diffcompare.dsl.elementary import asin, atan, exp, log, relu, sin, tanh
from diffcompare.dsl.structural import stack
from diffcompare.dsl.structural import sum as total
from diffcompare.engines.numpy import NumpyEngine
from diffcompare.errors import DiffCompareError, TooLarge, Unsupported
from diffcompare.reference import Reference

EPS = float(np.finfo(np.float64).eps)
x, y = symbols("x y")
w = symbol("w", (3,))


def logistic(n: int) -> Any:
    value = x
    for _ in range(n - 1):
        value = 4.0 * value * (1.0 - value)
    return value


def logistic_slope(t: arb, n: int = 8) -> arb:
    slope = arb(1)
    for _ in range(n - 1):
        slope, t = 4 * slope * (1 - 2 * t), 4 * t * (1 - t)
    return slope


@dataclass(frozen=True)
class Family:
    """f, its derivative in ball arithmetic, points; others: the best median relative error of numdifftools 0.11 and
    scipy.differentiate 1.17 (also with initial_step=0.1|x|) on 150 such points."""

    f: Any
    slope: Callable[[arb], arb]
    points: Callable[[np.random.Generator, int], np.ndarray]
    others: float = 0.0


FAMILIES = {
    "exp": Family(exp(x), lambda t: t.exp(), lambda r, n: r.uniform(-2, 2, n), 1.1e-14),
    "sin 100x": Family(sin(100.0 * x), lambda t: 100 * (100 * t).cos(), lambda r, n: r.uniform(-2, 2, n), 7.9e-14),
    "log": Family(log(x), lambda t: 1 / t, lambda r, n: 10 ** r.uniform(-4, 1, n), 2e-14),
    "1/x": Family(1.0 / x, lambda t: -1 / t**2, lambda r, n: 10 ** r.uniform(-6, -2, n), 1.4e-14),
    "logistic": Family(logistic(8), logistic_slope, lambda r, n: r.uniform(0, 1, n), 4.1e-13),
    "x cubed": Family(x**3, lambda t: 3 * t**2, lambda r, n: 10 ** r.uniform(0, 12, n), 8.5e-15),
    "sin far out": Family(sin(x), lambda t: t.cos(), lambda r, n: 10 ** r.uniform(3, 8, n), 1.1e-14),
    "sqrt everywhere": Family(sqrt(x), lambda t: 1 / (2 * t.sqrt()), lambda r, n: 10 ** r.uniform(-300, 300, n)),
    "saturating": Family(tanh(x), lambda t: 1 / t.cosh() ** 2, lambda r, n: r.uniform(-20, 20, n)),
    "composed": Family(exp(sin(3.0 * x)), lambda t: 3 * (3 * t).cos() * (3 * t).sin().exp(), lambda r, n: r.uniform(-5, 5, n)),
    "peak": Family(1.0 / (1.0 + 1e4 * x * x), lambda t: -20000 * t / (1 + 10000 * t * t) ** 2, lambda r, n: r.uniform(-1, 1, n)),
    "fast and far out": Family(sin(1e4 * x), lambda t: 10000 * (10000 * t).cos(), lambda r, n: 10 ** r.uniform(3, 8, n)),
    "log(1 + e^x)": Family(log(1.0 + exp(x)), lambda t: 1 / (1 + (-t).exp()), lambda r, n: r.uniform(-25, -5, n)),
    "tiny": Family(atan(x), lambda t: 1 / (1 + t * t), lambda r, n: 10 ** r.uniform(-300, 3, n)),
}


def truth(slope: Callable[[arb], arb], points: np.ndarray) -> np.ndarray:
    before, ctx.prec = ctx.prec, 400
    try:
        return np.array([float(slope(arb(float(t)))) for t in points])
    finally:
        ctx.prec = before


def estimated(f: Any, at: Any, method: Any = "fd.adaptive", **options: Any) -> Any:
    return derivative(function([x], f), method=method, engine="numpy", **options).estimate(np.asarray(at))


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_error_is_at_most_the_estimate_for_99_points_of_100(name, seed):
    family = FAMILIES[name]
    at = family.points(np.random.default_rng(seed), 600)
    exact = truth(family.slope, at)
    found = estimated(family.f, at)
    honest = np.abs(found.value - exact) <= found.error + 4 * EPS * np.abs(exact)
    assert honest.mean() >= 0.99
    assert (found.status == Status.CONVERGED).all()


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.others])
def test_it_is_as_accurate_as_the_best_of_numdifftools_and_scipy(name):
    family = FAMILIES[name]
    at = family.points(np.random.default_rng(2), 600)
    exact = truth(family.slope, at)
    found = estimated(family.f, at)
    assert np.median(np.abs(found.value / exact - 1)) <= max(2 * family.others, 4 * EPS)
    assert np.median(found.error / np.abs(exact)) <= 20 * max(family.others, 4 * EPS)  # and its estimate is not idle


# --- edges, kinks, noise ---


def test_the_edge_of_the_domain_is_met_from_inside():
    both = estimated(where(x < 0.0, log(x), exp(x)), [0.0])  # undefined below 0
    assert both.status == Status.ONE_SIDED
    assert abs(both.value[0] - 1.0) <= both.error[0] < 1e-10
    near = 1.0 - 1e-10
    found = estimated(asin(x), [near])
    assert abs(found.value[0] - 1 / math.sqrt((1 - near) * (1 + near))) <= found.error[0] < 1.0


def test_kinks_are_named():
    for f, value in ((abs_(x), 0.0), (relu(x), 0.5), (where(x < 0.0, x, 3.0 * x), 2.0)):
        found = estimated(f, [0.0])
        assert found.status == Status.KINK
        assert found.value[0] == pytest.approx(value)
        assert found.error[0] == pytest.approx({0.0: 1.0, 0.5: 0.5, 2.0: 1.0}[value])
    away = estimated(abs_(x), [1e-10, -2.0])
    np.testing.assert_allclose(away.value, [1.0, -1.0], rtol=1e-15)
    assert (away.status == Status.CONVERGED).all()


def test_where_nothing_agrees_the_error_is_infinite():
    found = estimated(sqrt(x), [0.0, -1.0, math.nan, math.inf])
    assert (found.status == Status.UNDEFINED).all()
    assert np.isinf(found.error).all()
    assert np.isnan(found.value[1:]).all()


def test_a_value_that_stands_still_over_short_steps_and_then_climbs_is_no_zero_derivative():
    """Entries of 1e-6 of a function whose intermediate results are of size 1: no short step shows, nor measures, its rounding."""
    softplus = estimated(log(1.0 + exp(x)), [-25.0, -18.0, -12.0])
    exact = 1 / (1 + np.exp([25.0, 18.0, 12.0]))
    assert np.all(np.abs(softplus.value - exact) <= softplus.error) and np.all(softplus.error < 1e-3 * exact)
    top = 4.0 * x * (1.0 - x)
    top = 4.0 * top * (1.0 - top)  # near 1/2 the first result is 1 - 4e-18 t², the second a staircase of ε
    found = estimated(top, [0.5 + 1e-9])
    assert abs(found.value[0] - 32 * 1e-9) <= found.error[0]
    assert found.error[0] < 1e-12
    flat = estimated(where(x < 0.3, 2.0, 2.0 + x), [0.0])  # a jump farther off is no rounding
    assert (flat.value[0], flat.status[0]) == (0.0, Status.CONVERGED) and flat.error[0] < 1e-13


def test_a_function_that_computes_in_single_precision_may_have_its_noise_stated():
    class Rounded(NumpyEngine):
        """float64 outside, float32 inside."""

        def compile(self, function, precision="float64"):
            compiled = super().compile(function, "float32")
            run = type(compiled).__call__

            class Single(type(compiled)):
                def __call__(self, values):
                    return [r.astype(np.float64) for r in run(self, [v.astype(np.float32) for v in values])]

            compiled.__class__ = Single
            return compiled

    at = np.random.default_rng(3).uniform(-2, 2, 300)
    d = prepare(function([x], exp(x)), "derivative", method=AdaptiveDifference(noise=2.0**-23), engine=Rounded())
    found = d.estimate(at)
    honest = np.abs(found.value - np.exp(at)) <= found.error
    assert honest.mean() >= 0.99
    assert np.median(np.abs(found.value / np.exp(at) - 1)) < 1e-4


def test_float32_is_measured_against_its_own_epsilon():
    at = np.random.default_rng(4).uniform(-2, 2, 400).astype(np.float32)
    for f, slope in ((exp(x), np.exp), (sin(100.0 * x), lambda t: 100 * np.cos(100 * t))):
        found = estimated(f, at, precision="float32")
        exact = slope(at.astype(np.float64))
        assert found.value.dtype == np.float32
        assert np.mean(np.abs(found.value - exact) <= found.error + 4e-7 * np.abs(exact)) >= 0.97  # 15 rungs measure less well than 44
        assert np.median(np.abs(found.value / exact - 1)) < 1e-4


# --- operators ---


def leaves(result: Any) -> list[np.ndarray]:
    return [leaf for part in result for leaf in leaves(part)] if isinstance(result, tuple) else [np.asarray(result)]


PAIR = function([w, x], [tanh(w * x), logsumexp(w) * x])
SCALAR = function([w, x], logsumexp(w * x) * sin(total(w)))


@pytest.mark.parametrize("memory", [2**26, 1])
def test_every_operator_agrees_with_automatic_differentiation_within_its_estimate(memory):
    rng = np.random.default_rng(5)
    at = rng.normal(size=(4, 3)), rng.normal(size=(2, 1))
    tangent = rng.normal(size=3), np.zeros((5, 1, 1))
    cases = [
        (jacobian, PAIR, {}),
        (gradient, SCALAR, {}),
        (value_and_gradient, SCALAR, {}),
        (jvp, PAIR, {"tangent": tangent}),
        (vjp, PAIR, {"cotangent": (rng.normal(size=3), rng.normal(size=4))}),
    ]
    for operator, f, extra in cases:
        found = operator(f, method="fd.adaptive", engine="numpy", memory=memory).estimate(*at, **extra)
        expected = operator(f, method="ad.reverse", engine="numpy")(*at, **extra)
        for v, error, status, e in zip(*map(leaves, (found.value, found.error, found.status, expected)), strict=True):
            assert v.shape == error.shape == status.shape == e.shape
            assert np.all(np.abs(v - e) <= error + 8 * EPS * (1 + np.abs(e))), operator
            assert np.max(error) < 1e-11 and not status.any()


def test_a_call_gives_the_value_of_the_estimate():
    d = gradient(SCALAR, method="fd.adaptive", engine="numpy")
    at = np.array([0.1, 0.2, 0.3]), 2.0
    for a, b in zip(leaves(d(*at)), leaves(d.estimate(*at).value), strict=True):
        np.testing.assert_array_equal(a, b)
    assert d.calls == 1 + 136 * 4
    again = pickle.loads(pickle.dumps(d))
    assert again.estimate(*at).error.x == d.estimate(*at).error.x
    assert isinstance(gradient(function([x], exp(x)), method="fd.adaptive").estimate(1.0).error, float)


# --- second derivatives ---

SURFACES = {
    "product": (x * y * exp(x * y), (-2.0, 2.0), (-2.0, 2.0)),
    "log and square": (log(x) * y**2, (1e-4, 10.0), (-5.0, 5.0)),
    "quotient": (x / y, (-2.0, 2.0), (1e-3, 1.0)),
    "bell": (exp(-(x**2) - y**2), (-3.0, 3.0), (-3.0, 3.0)),
    "valley": ((1.0 - x) ** 2 + 100.0 * (y - x**2) ** 2, (-2.0, 2.0), (-2.0, 2.0)),
    "distance": (sqrt(x * x + y * y), (-1.0, 1.0), (-1.0, 1.0)),
    "power": (x**y, (0.01, 5.0), (-3.0, 3.0)),
    "fast and far out": (sin(100.0 * x) * sin(y), (-2.0, 2.0), (-1e5, 1e5)),
    "log(1 + e^x)": (log(1.0 + exp(x + y)), (-10.0, 10.0), (-10.0, 10.0)),
    "ridge": (1.0 / (1.0 + 1e4 * (x - y) ** 2), (-1.0, 1.0), (-1.0, 1.0)),
}


def drawn(rng: np.random.Generator, low: float, high: float, n: int) -> np.ndarray:
    return np.exp(rng.uniform(math.log(low), math.log(high), n)) if low > 0 else rng.uniform(low, high, n)


def certified(f: Any, **columns: np.ndarray) -> np.ndarray:
    """The Hessian's entries from ball arithmetic, (entries, points)."""
    reference = Reference(f)
    points = [dict(zip(columns, p, strict=True)) for p in zip(*(c.tolist() for c in columns.values()), strict=True)]
    return np.array([[v.item() for v in reference.certify("hessian", p).values] for p in points]).T


def second_honesty(name: str, seed: int) -> float:
    family = FAMILIES[name]
    at = family.points(np.random.default_rng(seed), 300)
    (exact,) = certified(function([x], family.f), x=at)
    found = estimated(family.f, at, order=2)
    with np.errstate(invalid="ignore"):  # where the truth is beyond the floats, so is the answer
        return float(np.mean((np.abs(found.value - exact) <= found.error + 4 * EPS * np.abs(exact)) | (found.value == exact)))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_error_of_a_second_derivative_is_at_most_the_estimate_for_99_points_of_100(name, seed):
    assert second_honesty(name, seed) >= 0.99


@pytest.mark.parametrize("name", SURFACES)
def test_so_it_is_for_each_entry_of_a_hessian_and_central_differences_are_far_behind(name):
    f, rng = function([x, y], SURFACES[name][0]), np.random.default_rng(7)
    at = {n: drawn(rng, *box, 600) for n, box in zip("xy", SURFACES[name][1:], strict=True)}
    exact = certified(f, **at)
    found = hessian(f, method="fd.adaptive", engine="numpy").estimate(**at)
    value, error, status = (np.array([np.broadcast_to(b, 600) for b in leaves(p)]) for p in (found.value, found.error, found.status))
    assert (np.abs(value - exact) <= error + 4 * EPS * np.abs(exact)).mean(axis=1).min() >= 0.99
    assert not status.any()
    plain = np.array([np.broadcast_to(b, 600) for b in leaves(hessian(f, method="fd.central", engine="numpy")(**at))])
    size = np.abs(exact).max(axis=0)
    assert 100 * np.median(np.abs(value - exact) / size) <= np.nanmedian(np.abs(plain - exact) / size)  # NaN: a step out of the domain
    assert np.median(error / size) < 1e-8  # and the estimate is not idle


def test_where_second_derivatives_end_or_jump_the_status_says_so():
    corner = estimated(where(x < 0.0, -(x**2), x**2), [0.0, 1.0], order=2)  # -2 from the left, 2 from the right
    assert corner.status.tolist() == [Status.KINK, Status.CONVERGED]
    assert corner.value[0] == pytest.approx(0.0, abs=1e-12) and corner.error[0] == pytest.approx(2.0)
    bent = estimated(abs_(x), [0.0, 1.0], order=2)  # the first derivative jumps
    assert bent.status.tolist() == [Status.UNDEFINED, Status.CONVERGED] and bent.error[0] == math.inf and bent.error[1] < 1e-12
    tie = hessian(function([x, y], maximum(x, y)), method="fd.adaptive").estimate(1.0, 1.0)
    assert [int(s) for s in leaves(tie.status)] == [Status.UNDEFINED] * 4
    edge = estimated(where(x < 0.0, log(x), exp(x)), [0.0], order=2)
    assert edge.status == Status.ONE_SIDED
    assert abs(edge.value[0] - 1.0) <= edge.error[0] < 1e-6
    nowhere = estimated(sqrt(x), [0.0, -1.0, math.nan, math.inf], order=2)
    assert (nowhere.status == Status.UNDEFINED).all() and np.isinf(nowhere.error).all()


def test_a_square_that_loses_its_last_term_over_short_steps_deceives_no_second_derivative(monkeypatch):
    """Near its minimum Rosenbrock's function is 1e-14 and free of noise, but x² near 1 keeps nothing of h² below h = 1e-8."""
    f = function([x, y], 100.0 * (y - x**2) ** 2 + (1.0 - x) ** 2)
    at = 1.0000001, 1.0000002
    expected = leaves(hessian(f)(*at))
    found = hessian(f, method="fd.adaptive").estimate(*at)
    for v, error, e in zip(leaves(found.value), leaves(found.error), expected, strict=True):
        assert abs(v - e) <= error + 4 * EPS * abs(e) and error < 1e-10
    monkeypatch.setattr("diffcompare.differentiators.adaptive_first.np.spacing", np.zeros_like)
    deceived = derivative(function([x], f(x, at[1])), order=2, method="fd.adaptive").estimate(at[0])
    assert abs(deceived.value - expected[0]) > 100 * deceived.error


@pytest.mark.parametrize("memory", [2**26, 1])
def test_hessians_and_products_with_them_agree_with_automatic_differentiation_within_their_estimate(memory):
    rng = np.random.default_rng(8)
    at = rng.normal(size=(4, 3)), rng.normal(size=(2, 1))
    tangent = rng.normal(size=(5, 1, 1, 3)), np.zeros(())
    for operator, extra in ((hessian, {}), (hvp, {"tangent": tangent})):
        for wrt in (None, ["x", "w"]) if operator is hessian else (None,):
            found = operator(SCALAR, wrt=wrt, method="fd.adaptive", engine="numpy", memory=memory).estimate(*at, **extra)
            expected = operator(SCALAR, wrt=wrt, method="ad.reverse", engine="numpy")(*at, **extra)
            for v, error, status, e in zip(*map(leaves, (found.value, found.error, found.status, expected)), strict=True):
                assert v.shape == error.shape == status.shape == e.shape
                assert np.all(np.abs(v - e) <= error + 8 * EPS * (1 + np.abs(e))), operator
                assert np.max(error) < 1e-8 and not status.any()
    d = derivative(function([x], stack([sin(x), x**3])), order=2, method="fd.adaptive")
    np.testing.assert_allclose(d(2.0), [-math.sin(2.0), 12.0], rtol=1e-11)
    assert d.calls == 1 + 136
    assert hessian(SCALAR, method="fd.adaptive").calls == 1 + 136 * 4 + 272 * 6


def test_the_noise_of_a_function_may_be_stated_for_second_derivatives_and_single_precision_knows_its_own():
    at = np.random.default_rng(9).uniform(-2, 2, 300).astype(np.float32)
    found = estimated(exp(x), at, precision="float32", order=2)
    exact = np.exp(at.astype(np.float64))
    assert found.value.dtype == np.float32
    assert np.mean(np.abs(found.value - exact) <= found.error + 4e-7 * np.abs(exact)) >= 0.97  # as for first derivatives
    assert np.median(np.abs(found.value / exact - 1)) < 1e-2
    stated = estimated(exp(x), [1.0], AdaptiveDifference(noise=1e-6), order=2)
    assert 1e-6 < stated.error[0] < 0.1


def test_refusals_name_the_reason():
    with pytest.raises(Unsupported, match=r"first and second derivatives, not one of order 3: use fd\.central"):
        derivative(function([x], exp(x)), order=3, method="fd.adaptive")
    with pytest.raises(Unsupported, match=r"measures the noise for first derivatives, not for hessian: leave noise= out"):
        hessian(SCALAR, method=AdaptiveDifference(noise="estimate"))
    many = symbol("many", (86,))
    with pytest.raises(
        TooLarge, match=r"hvp of f with respect to 86 entries takes 1005857 evaluations; the limit is 1000000: use fd\.central"
    ):
        hvp(function([many], total(many)), method="fd.adaptive")
    with pytest.raises(Unsupported, match=r"does not estimate its error; fd\.adaptive does"):
        gradient(SCALAR, method="ad.reverse").estimate(np.zeros(3), 1.0)
    with pytest.raises(DiffCompareError, match=r"noise is a relative error between 0 and 1, got -1"):
        AdaptiveDifference(noise=-1)


def honesty(name: str) -> float:
    family = FAMILIES[name]
    at = family.points(np.random.default_rng(6), 300)
    exact = truth(family.slope, at)
    found = estimated(family.f, at)
    return float(np.mean(np.abs(found.value - exact) <= found.error + 4 * EPS * np.abs(exact)))


def test_each_safeguard_is_needed(monkeypatch):
    """Without agreement with shorter steps long ones that hop over periods win; unmeasured noise and powers of two are overconfident."""
    with monkeypatch.context() as patch:
        patch.setattr(ladder, "_agreeing", lambda values, radius, lost, broken: ~lost & ~broken)
        assert honesty("fast and far out") < 0.9
    with monkeypatch.context() as patch:
        patch.setattr(ladder, "TREAD", 0.0)
        assert honesty("log(1 + e^x)") < 0.9
    with monkeypatch.context() as patch:
        patch.setattr(ladder, "NOISE", 0.0)
        assert honesty("logistic") < 0.9
    with monkeypatch.context() as patch:
        patch.setattr("diffcompare.differentiators.adaptive_first.MANTISSA", 0.5)
        assert honesty("sin 100x") < 0.99

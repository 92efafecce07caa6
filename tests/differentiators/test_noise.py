"""noise="estimate": the measured noise against the true one, the steps it leads to, every operator that takes it, refusals."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from diffcompare.differentiate import derivative, gradient, hessian, hvp, jacobian, jvp, value_and_gradient, vjp
from diffcompare.differentiators import noise
from diffcompare.differentiators.adaptive import AdaptiveDifference
from diffcompare.differentiators.finite_difference import FiniteDifference
from diffcompare.differentiators.stencils import stencil
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.composite import logsumexp
from diffcompare.dsl.elementary import exp, log, sin, tanh
from diffcompare.engines.numpy import NumpyEngine
from diffcompare.errors import DiffCompareError, Unsupported

EPS = float(np.finfo(np.float64).eps)
x, y = symbols("x y")
w = symbol("w", (3,))
Change = Callable[[np.ndarray], np.ndarray]


class Changed(NumpyEngine):
    """An engine whose values go through `change`."""

    def __init__(self, change: Change) -> None:
        self.change = change

    def compile(self, function: Any, precision: str = "float64") -> Any:
        compiled, change = super().compile(function, precision), self.change

        class Through(type(compiled)):  # type: ignore[misc]
            def __call__(self, values: Any) -> Any:
                return [change(np.asarray(r)) for r in super().__call__(values)]

        compiled.__class__ = Through
        return compiled


def rounded(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).astype(np.float64)


def noisy(sigma: float, seed: int) -> Change:
    rng = np.random.default_rng(seed)
    return lambda values: np.asarray(values * (1 + sigma * rng.standard_normal(np.shape(values))))


SMOOTH = {
    "exp": (np.exp, lambda r: r.uniform(-2, 2, 600)),
    "sin": (np.sin, lambda r: 10 ** r.uniform(-6, 6, 600)),
    "log": (np.log, lambda r: 10 ** r.uniform(-4, 1, 600)),
    "1/x": (np.reciprocal, lambda r: 10 ** r.uniform(-6, -2, 600)),
    "cube": (lambda t: t**3, lambda r: 10 ** r.uniform(0, 12, 600)),
}


def measured(f: Change, at: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):  # log on a line that leaves its domain
        return noise.measured(f(np.stack(noise.lines(at))), f(at), EPS)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("sigma", [1e-3, 1e-6, 1e-10, 1e-14])
def test_random_noise_is_measured_within_a_factor_4(name, sigma):
    f, points = SMOOTH[name]
    at = points(np.random.default_rng(1))
    change = noisy(sigma, 2)
    found = measured(lambda t: change(f(t)), at) / (sigma * np.abs(f(at)))
    assert np.mean((found > 0.25) & (found < 4)) >= 0.99


@pytest.mark.parametrize("name", SMOOTH)
def test_rounding_to_float32_is_measured_within_a_factor_4(name):
    f, points = SMOOTH[name]
    at = points(np.random.default_rng(3))
    true = np.spacing(np.abs(f(at)).astype(np.float32)) / math.sqrt(12)
    found = measured(lambda t: rounded(f(t)), at) / true
    assert np.mean((found > 0.25) & (found < 4)) >= 0.97


def test_the_estimate_is_the_paper_s():
    """sigma_j by its formula, and the first of three levels that agree."""
    line = np.random.default_rng(4).standard_normal(7) * 1e-3 + 1
    levels = [math.sqrt(math.factorial(j) ** 2 / math.factorial(2 * j) * np.mean(np.diff(line, j) ** 2)) for j in range(1, 7)]
    assert noise.ecnoise(line).sigma == pytest.approx(levels[0], rel=1e-12)
    assert np.isnan(noise.ecnoise(np.ones(7)).sigma)  # too short a line
    assert np.isnan(noise.ecnoise(np.exp(np.arange(7.0))).sigma)  # too long
    with np.errstate(invalid="ignore"):
        assert np.isnan(noise.ecnoise(np.array([1.0, np.nan, 1, 1, 1, 1, 1])).sigma)


def test_no_point_of_a_line_is_rounded():
    at = np.concatenate([np.random.default_rng(5).uniform(1.2, 1.8, 100), 10 ** np.random.default_rng(6).uniform(0.1, 0.2, 9) * 2.0**300])
    for k in range(len(noise.RELATIVE)):
        steps = np.diff(np.insert(np.stack(noise.lines(at)[6 * k : 6 * k + 6]), 3, at, axis=0), axis=0)
        assert np.all(steps == steps[0])


def test_steps_minimize_the_mean_square_error():
    assert noise.best_step(stencil("forward"), np.array(1e-8), np.array(3.0)) == pytest.approx(8**0.25 * math.sqrt(1e-8 / 3))
    assert noise.best_step(stencil("central"), np.array(1e-8), np.array(3.0)) == pytest.approx((3 * 1e-8 / 3) ** (1 / 3))


def errors(method: Any, change: Change, f: Any = exp, slope: Any = np.exp, at: Any = None) -> np.ndarray:
    points = np.random.default_rng(7).uniform(-2, 2, 500) if at is None else at
    d = derivative(function([x], f(x)), method=method, engine=Changed(change))
    return np.asarray(np.abs(d(points) / slope(points) - 1))


@pytest.mark.parametrize(("kind", "default", "measured"), [("forward", 0.5, 3e-4), ("central", 1e-3, 8e-6)])
def test_a_function_rounded_to_float32(kind, default, measured):
    assert np.median(errors(FiniteDifference(kind), rounded)) > default
    found = errors(FiniteDifference(kind, noise="estimate"), rounded)
    assert measured / 10 < np.median(found) < measured
    assert np.max(found) < 10 * measured


def test_fd_adaptive_sees_that_a_function_is_rounded_to_float32_with_and_without_the_estimate():
    at = np.random.default_rng(8).uniform(-2, 2, 500)
    for method in (AdaptiveDifference(), AdaptiveDifference("estimate")):
        found = derivative(function([x], exp(x)), method=method, engine=Changed(rounded)).estimate(at)
        assert np.mean(np.abs(found.value - np.exp(at)) <= found.error) >= 0.99
        assert np.median(found.error / np.exp(at)) < 1e-5
        assert np.median(errors(method, rounded)) < 2e-6


@pytest.mark.parametrize("sigma", [1e-4, 1e-8, 1e-12])
def test_with_random_noise_errors_are_what_the_theory_of_the_step_says(sigma):
    """Forward: sigma |f| √2 / h and h |f''| / 2 at the best step, √(√8 sigma) together for exp."""
    found = np.sqrt(np.mean(errors(FiniteDifference("forward", noise="estimate"), noisy(sigma, 9)) ** 2))
    assert 0.3 < found / math.sqrt(math.sqrt(2) * sigma) < 3


def test_exact_functions_lose_nothing_and_short_lengths_gain():
    def same(values: np.ndarray) -> np.ndarray:
        return values

    for kind in ("forward", "central"):
        plain, measured = (np.median(errors(m, same)) for m in (FiniteDifference(kind), FiniteDifference(kind, noise="estimate")))
        assert measured < 2 * plain
    at = 10 ** np.random.default_rng(10).uniform(-6, -2, 500)
    pole = {"f": lambda t: 1.0 / t, "slope": lambda t: -1 / t**2, "at": at}
    assert np.median(errors(FiniteDifference("central"), same, **pole)) > 1e-3
    assert np.median(errors(FiniteDifference("central", noise="estimate"), same, **pole)) < 1e-9


def leaves(result: Any) -> list[np.ndarray]:
    return [leaf for part in result for leaf in leaves(part)] if isinstance(result, tuple) else [np.asarray(result)]


PAIR = function([w, x], [tanh(w * x), logsumexp(w) * x])
SCALAR = function([w, x], logsumexp(w * x) * sin(x))


@pytest.mark.parametrize("memory", [2**26, 1])
@pytest.mark.parametrize("engine", ["numpy", "python"])
def test_every_operator_of_first_order_with_batches(memory, engine):
    rng = np.random.default_rng(11)
    at = rng.normal(size=(4, 3)), rng.normal(size=(2, 1))
    cotangent = rng.normal(size=3), rng.normal(size=4)
    cases = [(jacobian, PAIR, {}), (gradient, SCALAR, {}), (value_and_gradient, SCALAR, {}), (vjp, PAIR, {"cotangent": cotangent})]
    for operator, f, extra in cases:
        expected = operator(f, method="ad.reverse", engine="numpy")(*at, **extra)
        for kind, tolerance in (("forward", 1e-6), ("backward", 1e-6), ("central", 1e-8)):
            d = operator(f, method=FiniteDifference(kind, noise="estimate"), engine=engine, memory=memory)
            for a, b in zip(leaves(d(*at, **extra)), leaves(expected), strict=True):
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_nothing_raises_where_nothing_can_be_measured():
    at = [0.0, -1.0, math.nan, math.inf, 1e-310, 1e300]
    for f in (log(x), x * 0.0 + 2.0, 3.0 * x, exp(x)):
        for kind in ("forward", "central"):
            found = derivative(function([x], f), method=FiniteDifference(kind, noise="estimate"), engine="numpy")(np.array(at))
            assert found.shape == (6,)
    assert derivative(function([x], 3.0 * x), method=FiniteDifference("central", noise="estimate"))(2.0) == pytest.approx(3.0, rel=1e-10)
    constant = gradient(function([x, y], exp(x) + 0.0 * y), method=FiniteDifference("forward", noise="estimate"))
    assert constant(1.0, 2.0).y == 0.0


def test_evaluations_are_counted_and_methods_survive_pickling():
    d = gradient(SCALAR, method=FiniteDifference("forward", noise="estimate"), engine="numpy")
    assert d.calls == 5 + 1 + 4 * (noise.EVALUATIONS + 2 * 5 * 2)
    assert gradient(SCALAR, method=AdaptiveDifference("estimate"), engine="numpy").calls == 1 + 4 * (136 + noise.EVALUATIONS)
    for method in (FiniteDifference("central", noise="estimate"), AdaptiveDifference("estimate")):
        assert pickle.loads(pickle.dumps(method)).name == method.name


def test_refusals_name_the_reason():
    method = FiniteDifference("central", noise="estimate")
    for operator in (hessian, hvp, jvp):
        with pytest.raises(Unsupported, match=r"finds steps for first derivatives along the axes, not for (hessian|hvp|jvp)"):
            operator(SCALAR, method=method)
    with pytest.raises(Unsupported, match=r"not for a derivative of order 2"):
        derivative(function([x], exp(x)), order=2, method=method)
    with pytest.raises(DiffCompareError, match=r"it finds the step: leave step= out"):
        FiniteDifference("central", step=1e-3, noise="estimate")
    with pytest.raises(DiffCompareError, match=r"fd.complex: .* its error does not depend on the step"):
        FiniteDifference("complex", noise="estimate")
    with pytest.raises(DiffCompareError, match=r"noise is 'estimate' or left out, not 'guess'"):
        FiniteDifference("central", noise="guess")
    with pytest.raises(DiffCompareError, match=r"between 0 and 1, got 'guess', or 'estimate'"):
        AdaptiveDifference("guess")

"""Finite differences: weights, the steps taken, every operator, batches and chunks, the errors promised, planted faults."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffcompare.differentiate import derivative, gradient, hessian, hvp, jacobian, jvp, prepare, value, value_and_gradient, vjp
from diffcompare.differentiators import finite_difference
from diffcompare.differentiators.finite_difference import FiniteDifference
from diffcompare.differentiators.stencils import Stencil, fornberg, stencil, weights
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.composite import logsumexp, norm
from diffcompare.dsl.elementary import cos, exp, log, sigmoid, sin, tanh
from diffcompare.dsl.structural import sum as total
from diffcompare.engines.base import Compiled
from diffcompare.engines.numpy import NumpyEngine, numpy_engine
from diffcompare.errors import DiffCompareError, Unsupported

EPS = float(np.finfo(np.float64).eps)
x, y, b = symbols("x y b")
w = symbol("w", (3,))
X = symbol("X", (2, 3))
SEED = function([x, y], x**2 * y + y + 2, name="seed")
PAIR = function([w, X, b], [tanh(X @ w + b), total(w * w) * exp(b)], name="pair")
SCALAR = function([w, X, b], logsumexp(X @ w + b) * sin(total(w)) + norm(w) * sigmoid(b), name="scalar")
REAL = ("fd.forward", "fd.backward", "fd.central")
ALL = (*REAL, "fd.complex")
ERROR = {"fd.forward": 1e-7, "fd.backward": 1e-7, "fd.central": 1e-10, "fd.complex": 2e-15}
SECOND_ERROR = {"fd.forward": 2e-4, "fd.backward": 2e-4, "fd.central": 2e-7}
"""Ten times what these functions of size about 1 show: ε^(1/2), ε^(2/3), ε; second derivatives ε^(1/3), ε^(1/2)."""


def leaves(result):
    return [leaf for part in result for leaf in leaves(part)] if isinstance(result, tuple) else [np.asarray(result)]


def worst(got, expected):
    """The largest error beside 1 + |expected|; shapes must agree."""
    pairs = list(zip(leaves(got), leaves(expected), strict=True))
    assert [g.shape for g, _ in pairs] == [e.shape for _, e in pairs]
    return max(float(np.max(np.abs(g - e) / (1 + np.abs(e)), initial=0.0)) for g, e in pairs)


def batches():
    rng = np.random.default_rng(0)
    return rng.normal(size=(5, 3)), rng.normal(size=(4, 1, 2, 3)), rng.normal(size=5)


class Recorder(NumpyEngine):
    """The numpy engine, keeping the inputs of every evaluation."""

    def compile(self, function, precision="float64"):
        compiled = super().compile(function, precision)
        record = self.record = []

        class Spy(Compiled):
            source, single = compiled.source, None

            def __call__(self, values):
                record.append([np.array(v) for v in values])
                return compiled(values)

        return Spy()


# --- weights ---


def test_fornberg_gives_the_published_weights():
    assert fornberg(1, (-1, 0, 1)) == (Fraction(-1, 2), 0, Fraction(1, 2))
    assert fornberg(2, (-2, -1, 0, 1, 2)) == tuple(Fraction(n, 12) for n in (-1, 16, -30, 16, -1))
    assert fornberg(4, (-2, -1, 0, 1, 2)) == (1, -4, 6, -4, 1)
    assert fornberg(1, (0, 1, 2)) == (Fraction(-3, 2), 2, Fraction(-1, 2))
    assert fornberg(3, (0, 1, 2, 3, 4)) == tuple(Fraction(n, 2) for n in (-5, 18, -24, 14, -3))


@given(
    order=st.integers(0, 6),
    extra=st.integers(1, 4),
    start=st.integers(-8, 3),
    spread=st.integers(1, 3),
)
@settings(deadline=None)
def test_fornberg_is_exact_for_every_polynomial_it_can_be(order, extra, start, spread):
    nodes = [Fraction(start + k * spread, 2) for k in range(order + extra)]
    found = fornberg(order, nodes)
    for degree in range(len(nodes)):
        exact = math.factorial(order) if degree == order else 0
        assert sum(c * n**degree for c, n in zip(found, nodes, strict=True)) == exact


def test_fornberg_refuses_what_has_no_weights():
    with pytest.raises(ValueError, match=r"order 2 needs at least 3 nodes, got 2"):
        fornberg(2, (0, 1))
    with pytest.raises(ValueError, match=r"nodes must differ, got 0, 1, 1"):
        fornberg(1, (0, 1, 1))


def test_the_recursion_on_arrays_is_the_one_on_fractions():
    nodes = [np.array([-2.0, -4.0]), np.array([-1.0, -2.0]), np.array([1.0, 2.0]), np.array([2.0, 4.0])]
    own = np.array(weights(3, nodes))
    exact = [[float(c) for c in fornberg(3, [int(n[k]) for n in nodes])] for k in range(2)]
    np.testing.assert_allclose(own.T, exact, rtol=1e-15)


def test_stencils_are_the_smallest_of_their_kind():
    assert stencil("central").nodes == (-1, 1)
    assert stencil("central", 2).nodes == (-1, 0, 1)
    assert stencil("central", 3).nodes == (-2, -1, 1, 2)
    assert stencil("central", 1, 4).nodes == (-2, -1, 1, 2)
    assert stencil("forward", 2).nodes == (0, 1, 2)
    assert stencil("backward", 1, 3).nodes == (-3, -2, -1, 0)
    with pytest.raises(Unsupported, match=r"fd\.central: accuracy is a positive even integer, got 3"):
        stencil("central", 1, 3)


def test_the_constants_of_the_error_are_the_textbooks():
    assert stencil("forward").truncation == 1 / 2
    assert stencil("central").truncation == 1 / 6
    assert stencil("central", 2).truncation == 1 / 12
    assert stencil("central", 1, 4).truncation == 1 / 30
    assert [stencil(k).rounding for k in ("forward", "central")] == [2, 1]
    assert stencil("central", 2).rounding == 4


# --- values ---


@pytest.mark.parametrize("engine", ["python", "numpy"])
@pytest.mark.parametrize("method", ALL)
def test_the_article_s_first_example(method, engine):
    options = {"method": method, "engine": engine}
    assert value(SEED, **options)(3.0, 4.0) == 42.0
    assert worst(gradient(SEED, **options)(3.0, 4.0), (24.0, 10.0)) <= ERROR[method] * 10
    assert worst(value_and_gradient(SEED, **options)(3.0, 4.0), (42.0, (24.0, 10.0))) <= ERROR[method] * 10
    assert worst(jvp(SEED, **options)(3.0, 4.0, tangent=(1.0, 2.0)), 44.0) <= ERROR[method] * 10
    assert worst(vjp(SEED, **options)(3.0, 4.0, cotangent=3.0), (72.0, 30.0)) <= ERROR[method] * 10
    if method in SECOND_ERROR:
        assert worst(hessian(SEED, **options)(3.0, 4.0), ((8.0, 6.0), (6.0, 0.0))) <= SECOND_ERROR[method] * 10
        assert worst(hvp(SEED, **options)(3.0, 4.0, tangent=(1.0, 2.0)), (20.0, 6.0)) <= SECOND_ERROR[method] * 10


@pytest.mark.parametrize("memory", [2**26, 3000, 1])
@pytest.mark.parametrize("method", ALL)
def test_every_operator_agrees_with_automatic_differentiation_over_mixed_batches(method, memory):
    rng = np.random.default_rng(1)
    at = batches()
    tangent = rng.normal(size=3), rng.normal(size=(4, 1, 2, 3)), rng.normal(size=5)
    cotangent = rng.normal(size=(5, 2)), rng.normal(size=(3, 1, 1))
    cases = [
        (jacobian, PAIR, {}),
        (gradient, SCALAR, {}),
        (value_and_gradient, SCALAR, {}),
        (jvp, PAIR, {"tangent": tangent}),
        (vjp, PAIR, {"cotangent": cotangent}),
    ]
    for operator, f, extra in cases:
        got = operator(f, method=method, engine="numpy", memory=memory)(*at, **extra)
        assert worst(got, operator(f, method="ad.reverse", engine="numpy")(*at, **extra)) <= ERROR[method] * 10, operator
    if method in SECOND_ERROR:
        for operator, extra in ((hessian, {}), (hvp, {"tangent": tangent})):
            got = operator(SCALAR, method=method, engine="numpy", memory=memory)(*at, **extra)
            assert worst(got, operator(SCALAR, method="ad.reverse", engine="numpy")(*at, **extra)) <= SECOND_ERROR[method] * 10


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("lead", [((), ()), ((4,), ()), ((), (4,)), ((2, 1), (4,)), ((1,), (2, 4)), ((0,), ())])
def test_batches_of_every_shape(method, lead):
    rng = np.random.default_rng(2)
    f = function([w, x], [total(exp(w) * x), w * x])
    at = rng.normal(size=(*lead[0], 3)), rng.normal(size=lead[1])
    assert worst(jacobian(f, method=method)(*at), jacobian(f, method="ad.forward")(*at)) <= ERROR[method] * 10


@pytest.mark.parametrize("method", ALL)
def test_wrt_chooses_and_orders_the_blocks(method):
    at = batches()
    got = gradient(SCALAR, wrt=["b", "w"], method=method, engine="numpy")(*at)
    assert got.names == ("b", "w")
    assert worst(got, gradient(SCALAR, wrt=["b", "w"], method="ad.reverse", engine="numpy")(*at)) <= ERROR[method] * 10


@pytest.mark.parametrize("method", REAL)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_derivatives_of_every_order(method, order):
    at = np.linspace(-1.0, 1.0, 9)
    f = function([x], [exp(x), sin(2.0 * x)])
    got = derivative(f, order=order, method=method, engine="numpy")(at)
    exact = np.exp(at), 2.0**order * np.sin(2.0 * at + order * math.pi / 2)
    kind = FiniteDifference(method.removeprefix("fd."))
    for g, e, size in zip(got, exact, (math.e, 1.0), strict=True):
        higher = 2.0 ** (order + kind.stencil(order).accuracy) if size == 1.0 else math.e**1.5
        assert np.max(np.abs(g - e)) <= 2 * kind.error_bound(size, higher, order=order, noise=2.0)


def test_higher_accuracy_is_more_accurate():
    at = np.linspace(0.5, 2.0, 20)
    f = function([x], exp(x))
    errors = [worst(derivative(f, method=FiniteDifference("central", accuracy=p), engine="numpy")(at), np.exp(at)) for p in (2, 4, 6)]
    assert errors[0] > 20 * errors[1] and errors[1] > errors[2]
    one_sided = [worst(gradient(f, method=FiniteDifference("forward", accuracy=p), engine="numpy")(at), np.exp(at)) for p in (1, 3)]
    assert one_sided[0] > 100 * one_sided[1]


# --- the step ---


@pytest.mark.parametrize("method", REAL)
def test_a_linear_function_shows_the_step_actually_taken(method):
    """3x has no truncation error: with h itself in the quotient the result would be off by the rounding of x + h, 1e-8."""
    at = np.random.default_rng(4).uniform(1.0, 100.0, 200)
    doubled = derivative(function([x], 2.0 * x), method=method, engine="numpy")(at)  # 2x is exact
    np.testing.assert_array_equal(doubled, 2.0)
    assert jvp(function([x], 2.0 * x), method=method)(3.7, tangent=1.0) == pytest.approx(2.0, rel=4 * EPS)
    step = FiniteDifference(method.removeprefix("fd.")).relative_step(1)
    naive = (2.0 * (at + step * at) - 2.0 * at) / (step * at)
    assert np.max(np.abs(naive - 2.0)) > 1e-12


def test_a_quadratic_shows_the_steps_of_second_derivatives():
    """(x - 3)² at dyadic points: exact in float64, so its second derivative comes out as 2 but for the weights' rounding."""
    at = 3.0 + np.arange(-8, 9) * 2.0**-4
    f = function([x, y], (x - 3.0) ** 2 + x * y)
    second = derivative(function([x], (x - 3.0) ** 2), order=2, method="fd.central", engine="numpy")(at)
    np.testing.assert_allclose(second, 2.0, rtol=1e-7)
    assert hessian(f, method="fd.central", engine="numpy")(3.5, 0.0).x.y == pytest.approx(1.0, rel=1e-7)


def test_the_points_evaluated_are_those_divided_by():
    engine = Recorder()
    at = 0.1
    got = prepare(function([x], exp(x)), "gradient", method="fd.central", engine=engine)(at)
    (points,) = engine.record[-1]
    low, high = sorted(points.ravel())
    assert got == (np.exp(high) - np.exp(low)) / (high - low)
    h = EPS ** (1 / 3)
    assert (low, high) == (at - h, at + h)


def test_scales_and_steps():
    at = np.array([0.0, 1e-3, -2.0, 1e6, 1e-300, math.inf, math.nan])
    np.testing.assert_array_equal(FiniteDifference("central").scales(at), [1.0, 1.0, 2.0, 1e6, 1.0, math.inf, math.nan])
    np.testing.assert_array_equal(FiniteDifference("central", scale="relative").scales(at), [1.0, 1e-3, 2.0, 1e6, 1.0, math.inf, math.nan])
    assert FiniteDifference("central", step=1e-5).relative_step(1) == 1e-5
    engine = Recorder()
    gradient(function([x], exp(x)), method=FiniteDifference("forward", step=2.0**-10), engine=engine)(1024.0)
    assert engine.record[-1][0].ravel() == [1024.0 + 2.0**-10]
    gradient(function([x], exp(x)), method=FiniteDifference("forward", step=2.0**-10, scale="absolute"), engine=engine)(1024.0)
    assert engine.record[-1][0].ravel() == [1025.0]


def test_relative_scale_holds_near_a_singularity_and_absolute_near_zero():
    small = np.geomspace(1e-6, 1e-2, 50)
    inverse = function([x], 1.0 / x)
    relative = FiniteDifference("central", scale="relative")
    close = np.max(np.abs(derivative(inverse, method=relative, engine="numpy")(small) * -(small**2) - 1))
    far = np.max(np.abs(derivative(inverse, method="fd.central", engine="numpy")(small) * -(small**2) - 1))
    assert close < 1e-9
    assert far > 0.1
    growth = function([x], exp(x))
    assert abs(gradient(growth, method=relative)(1e-10) - 1) > 1e-3
    assert abs(gradient(growth, method="fd.central")(1e-10) - 1) < 1e-10


@pytest.mark.parametrize("method", ALL)
def test_nothing_is_inspected_and_non_finite_points_give_nan(method):
    f = function([x, y], exp(x) * y)
    got = gradient(f, method=method, engine="numpy")(np.array([math.nan, math.inf, -math.inf, 0.0]), 1.0)
    assert np.isnan(got.x[:3]).all() and got.x[3] == pytest.approx(1.0, rel=1e-7)
    assert got.y[3] == pytest.approx(1.0, rel=1e-7)
    assert jvp(f, method=method, engine="numpy")(1.0, 1.0, tangent=(0.0, 0.0)) == 0.0
    assert math.isnan(jvp(f, method=method, engine="numpy")(1.0, 1.0, tangent=(math.nan, 0.0)))


@pytest.mark.parametrize("method", REAL)
def test_a_step_too_small_to_move_the_argument_gives_nan(method):
    with_tiny = FiniteDifference(method.removeprefix("fd."), step=1e-20)
    assert math.isnan(gradient(function([x], exp(x)), method=with_tiny)(1.0))


@pytest.mark.parametrize("method", REAL)
def test_a_tangent_of_any_size_and_along_one_axis(method):
    f = function([w], total(sin(w)))
    at = np.array([0.3, 1.0, 50.0])
    for size in (1e-200, 1.0, 1e200):
        got = jvp(f, method=method)(at, tangent=size * np.array([1.0, -2.0, 0.5]))
        assert got / size == pytest.approx(np.cos(at) @ [1.0, -2.0, 0.5], abs=1e-6)
    columns = [jvp(f, method=method)(at, tangent=row) for row in np.eye(3)]
    np.testing.assert_array_equal(columns, gradient(f, method=method)(at))


def test_complex_steps_are_powers_of_two_that_vary_with_the_point():
    runner = prepare(function([x], exp(x)), "gradient", method="fd.complex", engine="numpy")._runner
    at = np.array([0.0, 1e-200, -0.7, 1.0, 1e40, 1e300])
    h = runner.step(at)
    np.testing.assert_array_equal(np.frexp(h)[0], 0.5)
    assert h[0] ** 2 == 0.0
    assert np.all(h[1:] <= 2.0**-104 * np.minimum(np.abs(at[1:]), np.sqrt(np.abs(at[1:]))))
    assert np.isnan(runner.step(np.array([math.nan, math.inf]))).all()


@pytest.mark.parametrize(("f", "at", "slope"), [(log(x), 1e124, 1e-124), (1.0 / x, 1e64, -1e-128), (1.0 / x, 1e140, -1e-280)], ids=str)
def test_the_complex_step_does_not_underflow_at_large_arguments(f, at, slope):
    """h = 1e-200 loses 61 bits here; so does a real difference of any step."""
    assert gradient(function([x], f), method="fd.complex")(at) == pytest.approx(slope, rel=1e-15)


def test_a_derivative_whose_product_with_the_complex_step_underflows_is_0_and_an_absolute_step_shows_it():
    d = derivative(function([x], cos(x)), method="fd.complex", engine="numpy")
    absolute = derivative(function([x], cos(x)), method=FiniteDifference("complex", scale="absolute"), engine="numpy")
    at = np.array([1e-130, 1e-200, 1e-270])
    assert d(at[0]) == pytest.approx(-1e-130, rel=1e-15)
    assert d(1e-147) == d(at[1]) == 0.0
    np.testing.assert_allclose(absolute(at), -at, rtol=1e-15)
    assert absolute(1e-295) == 0.0
    tail = derivative(function([x], tanh(x)), method="fd.complex")
    assert tail(310.0) == pytest.approx(derivative(function([x], tanh(x)))(310.0), rel=1e-15)
    assert tail(340.0) == 0.0 < derivative(function([x], tanh(x)))(340.0)


def test_the_least_complex_step_is_small_beside_arguments_from_1e_284():
    d = derivative(function([x], log(x)), method="fd.complex")
    assert d(1e-284) == pytest.approx(1e284, rel=1e-15)
    assert d(1e-292) != pytest.approx(1e292, rel=0.1)


def test_the_complex_step_stays_small_beside_the_period_of_sin():
    at = np.array([1e8, 1e20, 1e40])
    np.testing.assert_allclose(derivative(function([x], sin(x)), method="fd.complex", engine="numpy")(at), np.cos(at), rtol=1e-15)


# --- memory, calls, costs ---


@pytest.mark.parametrize("method", ALL)
def test_chunks_do_not_change_a_bit_of_elementwise_results(method):
    f = function([w, x], [exp(w) * x, total(w) * x])
    at = np.random.default_rng(5).normal(size=(7, 3)), np.random.default_rng(6).normal(size=7)
    for operator, extra in ((jacobian, {}), (vjp, {"cotangent": (np.ones(3), 2.0)})):
        whole, chunked = (operator(f, method=method, engine="numpy", memory=m)(*at, **extra) for m in (2**30, 1))
        for one, other in zip(leaves(whole), leaves(chunked), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("operator", [gradient, hessian])
def test_chunks_stay_within_the_memory(operator):
    v = symbol("v", (40,))
    memory = 30_000
    engine = Recorder()
    d = operator(function([v], total(sin(v) * cos(v))), method="fd.central", engine=engine, memory=memory)
    d(np.linspace(0.0, 1.0, 40))
    evaluated = engine.record
    assert len(evaluated) > 1
    assert max(points[0].size // 40 for points in evaluated) * d.cost.peak * 8 <= memory


@pytest.mark.parametrize("method", REAL)
@pytest.mark.parametrize("operator", ["value", "gradient", "jacobian", "value_and_gradient", "jvp", "vjp", "hessian", "hvp", "derivative"])
def test_calls_counts_the_evaluations_of_the_primal(method, operator):
    engine = Recorder()
    f = function([x], exp(x)) if operator == "derivative" else function([w], total(exp(w)))
    d = prepare(f, operator, method=method, engine=engine)
    extra = {"jvp": {"tangent": np.ones(3)}, "hvp": {"tangent": np.ones(3)}, "vjp": {"cotangent": 1.0}}.get(operator, {})
    d(np.array(0.5) if operator == "derivative" else np.linspace(0.0, 1.0, 3), **extra)
    core = 0 if operator == "derivative" else 1
    points = sum(math.prod(v[0].shape[: v[0].ndim - core]) for v in engine.record)
    assert d.calls == points
    assert d.cost.operations == d.calls * prepare(f, "value", method=method).cost.operations


def test_results_pickle_and_configured_methods_keep_their_options():
    method = FiniteDifference("central", step=1e-5, scale="relative")
    assert method.name == "fd.central(step=1e-05, scale='relative')"
    d = gradient(SEED, method=method)
    again = pickle.loads(pickle.dumps(d))
    assert again(3.0, 4.0) == d(3.0, 4.0)
    assert again.method == method.name
    assert pickle.loads(pickle.dumps(FiniteDifference("complex"))).name == "fd.complex"


# --- errors promised ---


def logistic(n: int):
    l = x  # noqa: E741  the survey's name
    for _ in range(n - 1):
        l = 4.0 * l * (1.0 - l)  # noqa: E741
    return function([x], l)


FIGURE_3 = {1e-2: (2.7e-1, 6.6e-2), 1e-4: (3.4e-3, 6.6e-6), 1e-6: (3.4e-5, None), 1e-8: (3.3e-7, None)}
"""Absolute error of forward and central differences of the logistic map l4 at 0.2 (Baydin et al., JMLR 18(153), 2018, figure 3)
where truncation rules; None where rounding does, and with it the order of the operations."""


@pytest.mark.parametrize("engine", ["python", "numpy"])
def test_the_error_curve_of_the_survey(engine):
    f, slope = logistic(4), 9.0660864
    for h, (forward, central) in FIGURE_3.items():
        for kind, published in (("forward", forward), ("central", central)):
            error = abs(derivative(f, method=FiniteDifference(kind, step=h), engine=engine)(0.2) - slope)
            if published is not None:
                assert error == pytest.approx(published, rel=0.05), (kind, h)
    for h in (1e-6, 1e-8, 1e-10, 1e-12, 1e-14):
        central = FiniteDifference("central", step=h)
        error = abs(derivative(f, method=central, engine=engine)(0.2) - slope)
        # values of l4 at 0.2 err by up to 16 ε: three doublings of the map's errors, |4 - 8l| <= 3.4 each
        assert error <= central.error_bound(0.29, 4e5, noise=16.0), h
    assert error > 1e-4  # at 1e-14 rounding has eaten the result: the curve turns up again
    assert abs(derivative(f, method="fd.complex", engine=engine)(0.2) - slope) < 2e-14


def test_expected_errors_are_the_balance_of_the_step_rule():
    assert FiniteDifference("forward").expected_error() == pytest.approx(EPS**0.5)
    assert FiniteDifference("central").expected_error() == pytest.approx(EPS ** (2 / 3))
    assert FiniteDifference("central").expected_error(2) == pytest.approx(EPS**0.5)
    assert FiniteDifference("central", accuracy=4).expected_error() == pytest.approx(EPS**0.8)
    assert FiniteDifference("complex").expected_error() == EPS
    assert FiniteDifference("central", step=1e-2).expected_error() == 1e-4
    assert FiniteDifference("central", step=1e-12).expected_error() == pytest.approx(EPS / 1e-12)
    assert FiniteDifference("central").expected_error(precision="float32") == pytest.approx(2.0 ** (-23 * 2 / 3))


@pytest.mark.parametrize("kind", ["forward", "backward", "central"])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("step", [None, 1e-1, 1e-2, 1e-5])
def test_the_error_bound_holds_for_sin(kind, order, step):
    method = FiniteDifference(kind, step=step)
    at = np.random.default_rng(7).uniform(-3.0, 3.0, 500)
    got = derivative(function([x], sin(x)), order=order, method=method, engine="numpy")(at)
    error = np.max(np.abs(got - np.sin(at + order * math.pi / 2)))
    length = 1.0 if step is not None else 3.0
    assert error <= method.error_bound(1.0, 1.0, length=length, order=order, noise=3.0)  # 3: what rounding x = 3 adds at |f'| = 1


def test_float32_steps_by_its_own_epsilon():
    at = np.linspace(-1.0, 1.0, 50, dtype=np.float32)
    truth = np.exp(at.astype(np.float64))
    for method, bound in (("fd.forward", 3e-3), ("fd.central", 1e-4), ("fd.complex", 4e-7)):
        got = derivative(function([x], exp(x)), method=method, engine="numpy", precision="float32")(at)
        assert got.dtype == np.float32
        assert np.max(np.abs(got / truth - 1)) < bound
    second = derivative(function([x], exp(x)), order=2, method="fd.central", engine="numpy", precision="float32")(at)
    assert np.max(np.abs(second / truth - 1)) < 1e-2


# --- refusals and planted faults ---


def test_refusals_name_the_reason():
    with pytest.raises(Unsupported, match=r"fd\.complex gives first derivatives; hessian would need a second difference: use fd\.central"):
        hessian(SEED, method="fd.complex")
    with pytest.raises(Unsupported, match=r"a derivative of order 2 would need"):
        derivative(function([x], exp(x)), order=2, method="fd.complex")
    with pytest.raises(Unsupported, match=r"hessian has stencils of the least accuracy only"):
        hessian(SEED, method=FiniteDifference("central", accuracy=4))
    with pytest.raises(DiffCompareError, match=r"forward, backward, central or complex, not 'middle'"):
        FiniteDifference("middle")
    with pytest.raises(DiffCompareError, match=r"scale is absolute or relative, not 'log'"):
        FiniteDifference("central", scale="log")
    with pytest.raises(DiffCompareError, match=r"a step is a positive finite number, got 0"):
        FiniteDifference("central", step=0)
    with pytest.raises(DiffCompareError, match=r"accuracy= belongs to real differences"):
        FiniteDifference("complex", accuracy=4)


def gradient_of_scalar():
    at = batches()
    return worst(gradient(SCALAR, method="fd.central", engine="numpy")(*at), gradient(SCALAR, method="ad.reverse", engine="numpy")(*at))


def test_planted_faults_are_caught(monkeypatch):
    assert gradient_of_scalar() < 1e-9
    for fault in (
        lambda self, offsets, values: (values[1] - values[0]) / offsets[1],  # twice the derivative
        lambda self, offsets, values: (values[0] - values[1]) / (offsets[1] - offsets[0]),  # its sign
        lambda self, offsets, values: values[1] * 0.0,
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Stencil, "difference", fault)
            assert not gradient_of_scalar() < 1e-2
    with monkeypatch.context() as patch:  # divides by h, not by the step taken, which here is another
        patch.setattr(
            finite_difference,
            "differences",
            lambda positions, xs: [p * 0 + 1e-5 * np.sign(p - x) for p, x in zip(positions, xs, strict=True)],
        )
        assert not gradient_of_scalar() < 1e-2


def test_the_method_evaluates_nothing_but_the_compiled_primal():
    """A function that the graph gets right and the engine wrong: differences see the engine, so the fault shows."""

    class Wrong(NumpyEngine):
        def compile(self, function, precision="float64"):
            compiled = super().compile(function, precision)

            class Doubled(Compiled):
                source, single = compiled.source, None

                def __call__(self, values):
                    return [2.0 * r for r in compiled(values)]

            return Doubled()

    assert gradient(SEED, method="fd.central", engine=Wrong())(3.0, 4.0).x == pytest.approx(48.0)
    assert gradient(SEED, method="fd.central", engine=numpy_engine)(3.0, 4.0).x == pytest.approx(24.0)

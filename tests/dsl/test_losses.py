"""Losses and activations: text, operators and NumPy code alike; stable where textbook forms are not; conventions at kinks."""

from __future__ import annotations

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest

import diffcompare as dc
from diffcompare.reference import certify

ENGINES = ("python", "numpy", "llvm", "jax")
METHODS = ("ad.forward", "ad.reverse", "symbolic")
LOGITS = [[0.0, 0.0, 0.0], [50.0, 0.0, -1.0], [-1000.0, 1000.0, 999.0], [3.0, 3.0, -2.0], [0.1, -0.2, 0.3]]

ELEMENTWISE = ("gelu", "silu", "hinge", "exponential_loss", "logistic_loss", "zero_one_loss")
WITH_PARAMETER = ("huber", "leaky_relu", "binary_cross_entropy")


@pytest.mark.parametrize("name", [*ELEMENTWISE, *WITH_PARAMETER])
def test_text_operators_and_numpy_code_give_one_graph(name: str) -> None:
    x = dc.symbol("x")
    parameter = (0.25,) * (name in WITH_PARAMETER)
    function = getattr(dc, name)
    by_operators = dc.function([x], function(x, *parameter))
    by_text = dc.parse(f"{name}({', '.join(['x', *map(str, parameter)])})")
    traced = dc.trace(lambda x: function(np.negative(-x), *parameter), x=())
    assert by_operators.output is by_text.output is traced.output


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [*ELEMENTWISE, *WITH_PARAMETER])
def test_values_and_slopes_are_the_same_on_all_engines(name: str, engine: str) -> None:
    f = dc.parse(f"{name}(x{', 0.25' * (name in WITH_PARAMETER)})")
    points = np.array([-30.0, -2.0, -0.3, 0.7, 3.0, 25.0])
    for prepared in (dc.value, dc.derivative):
        expected = np.array([_mp(name, x, prepared is dc.derivative) for x in points])
        got = prepared(f, engine=engine)(points)
        assert np.allclose(got, expected, rtol=3e-15, atol=1e-300), name


def _mp(name: str, x: float, slope: bool) -> float:
    """The textbook formula in 60 digits, its derivative by differences there."""
    sigmoid = lambda t: 1 / (1 + mpmath.exp(-t))  # noqa: E731
    formula: dict[str, Any] = {
        "gelu": lambda t: t * mpmath.ncdf(t),
        "silu": lambda t: t * sigmoid(t),
        "hinge": lambda t: max(1 - t, mpmath.mpf(0)),
        "exponential_loss": lambda t: mpmath.exp(-t),
        "logistic_loss": lambda t: mpmath.log1p(mpmath.exp(-t)),
        "zero_one_loss": lambda t: mpmath.mpf(t <= 0),
        "huber": lambda t: t * t / 2 if abs(t) <= 0.25 else (abs(t) - mpmath.mpf("0.125")) / 4,
        "leaky_relu": lambda t: t if t > 0 else t / 4,
        "binary_cross_entropy": lambda t: mpmath.log1p(mpmath.exp(t)) - t / 4,
    }
    with mpmath.workdps(60):
        return float(mpmath.diff(formula[name], x) if slope else formula[name](mpmath.mpf(x)))


@pytest.mark.parametrize(
    ("text", "at", "slope"),
    [
        ("hinge(x)", 1.0, 0.0),
        ("leaky_relu(x, 0.1)", 0.0, 0.1),
        ("zero_one_loss(x)", 0.0, 0.0),
        ("zero_one_loss(x)", -3.0, 0.0),
        ("huber(x, 2)", 2.0, 2.0),
        ("abs(x)", 0.0, 0.0),
    ],
)
def test_conventions_at_kinks(text: str, at: float, slope: float) -> None:
    for method, engine in itertools.product(METHODS, ("python", "numpy")):
        assert dc.derivative(text, method=method, engine=engine)(at) == slope


@pytest.mark.parametrize("name", [*ELEMENTWISE, *WITH_PARAMETER])
def test_what_is_not_a_number_stays_so(name: str) -> None:
    f = dc.parse(f"{name}(x{', 0.25' * (name in WITH_PARAMETER)})")
    assert np.isnan(dc.value(f)(np.nan))
    assert np.isnan(dc.derivative(f)(np.nan)) or name == "zero_one_loss"  # a step: its derivative is 0 as a matter of structure


def test_what_has_no_meaning_is_undefined() -> None:
    for text in ("huber(x, -1)", "binary_cross_entropy(x, -1)"):
        assert np.isnan(dc.value(text)(1.0)) and np.isnan(dc.derivative(text)(1.0))


def test_the_approximation_of_gelu_is_near_it() -> None:
    x = np.linspace(-6, 6, 201)
    v = dc.symbol("v", shape=x.shape)
    difference = dc.value(dc.function([v], dc.gelu_tanh(v) - dc.gelu(v)))(x)
    assert 1e-4 < np.max(np.abs(difference)) < 5e-4


# --- several classes ---


def _exact(z: list[float], y: list[float]) -> tuple[float, list[float]]:
    """The cross-entropy and its gradient in 80 digits."""
    with mpmath.workdps(1000):
        e = [mpmath.exp(v) for v in z]
        total = mpmath.fsum(e)
        value = mpmath.fsum(t * (mpmath.log(total) - v) for v, t in zip(z, y, strict=True))
        return float(value), [float(x / total - t) for x, t in zip(e, y, strict=True)]


@pytest.mark.parametrize(("method", "engine"), [(m, e) for m in METHODS for e in ENGINES if e != "jax" or m == "ad.reverse"])
@pytest.mark.parametrize(("z", "true"), list(itertools.product(LOGITS, (0, 1))))
def test_cross_entropy_keeps_its_digits(z: list[float], true: int, method: str, engine: str) -> None:
    logits, targets = dc.symbol("z", shape=(3,)), dc.symbol("y", shape=(3,))
    f = dc.function([logits, targets], dc.cross_entropy(logits, targets))
    y = [float(k == true) for k in range(3)]
    value, gradient = _exact(z, y)
    flushed = 1e-300  # jax flushes subnormals
    assert dc.value(f, engine=engine)(z, y) == pytest.approx(value, rel=2e-15, abs=flushed)
    got = dc.gradient(f, wrt="z", method=method, engine=engine)(z, y)
    assert got == pytest.approx(gradient, rel=4e-15, abs=flushed)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("z", LOGITS)
def test_the_logarithm_of_softmax_is_certified_to_second_order(z: list[float], method: str) -> None:
    x = dc.symbol("x", shape=(3,))
    f = dc.function([x], dc.sum(dc.log_softmax(x) * np.array([0.2, 0.5, 1.5])))
    truth = np.array(certify(f, "hessian", {"x": np.array(z)}).values).reshape(3, 3)
    assert dc.hessian(f, method=method)(z) == pytest.approx(truth, rel=1e-14, abs=1e-15 * np.max(np.abs(truth)))


def test_the_logarithm_of_softmax_along_other_axes_and_in_batches() -> None:
    x = dc.symbol("x", shape=(2, 3))
    points = np.random.default_rng(5).normal(size=(4, 2, 3))
    for axis in (0, 1, (0, 1)):
        f = dc.function([x], dc.log_softmax(x, axis))
        e = np.exp(points)
        along = tuple(a - 2 for a in (axis if isinstance(axis, tuple) else (axis,)))
        assert np.allclose(dc.value(f)(points), np.log(e / e.sum(axis=along, keepdims=True)), rtol=1e-14, atol=1e-15)
        assert np.allclose(dc.jacobian(f, method="ad.forward")(points), dc.jacobian(f)(points), rtol=1e-14, atol=1e-15)


def test_targets_of_another_shape_are_refused() -> None:
    z, y = dc.symbol("z", shape=(3,)), dc.symbol("y")
    with pytest.raises(dc.ShapeError, match=r"cross_entropy: the logits have shape \(3,\), the targets \(\); write class numbers as rows"):
        dc.cross_entropy(z, y)

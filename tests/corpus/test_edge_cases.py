"""Published derivatives at edges: powers at zero (ChainRules.jl), JAX's special points, the complex-step example of Squire and Trapp."""

from __future__ import annotations

import math
import re

import pytest

import diffcompare as dc
from diffcompare.reference import certify

METHODS = ("ad.forward", "ad.reverse", "symbolic")
SQUIRE_TRAPP = "exp(x)/sqrt(sin(x)^3 + cos(x)^3)"
SPECIAL = {
    "sinh": [0.0],
    "cosh": [0.0],
    "tanh": [0.0, 1000.0],
    "sin": [0.0, math.pi, math.pi / 2, math.pi / 4],
    "cos": [0.0, math.pi, math.pi / 2, math.pi / 4],
    "tan": [0.0],
    "asin": [0.0],
    "acos": [0.0],
    "atan": [0.0, 1000.0],
    "erf": [0.0, 10.0],
    "erfc": [0.0, 10.0],
    "arcsinh": [0.0, 1000.0],
    "arccosh": [1000.0],
    "arctanh": [0.0],
    "sinc": [0.0],
}
"""The points of jax/tests/lax_autodiff_test.py and lax_numpy_test.py, where both orders are checked."""


@pytest.mark.corpus
@pytest.mark.parametrize("method", METHODS)
def test_powers_at_zero(corpora, method):
    text = (corpora / "derivatives" / "edge_cases.md").read_text(encoding="utf-8")
    rows = re.findall(r"\((-?[\d.]+), (-?[\d.]+)\) *=> *\(([^,]+), ([^)]+)\)", text)
    assert len(rows) == 15
    both = dc.gradient("x**p", method=method)
    for x, p, *published in rows:
        by_x, by_p = map(float, published)
        slopes = both(float(x), float(p))
        alone = dc.derivative(dc.parse(f"x**{p}", inputs="x"), method=method)(float(x))
        assert slopes.x == alone == by_x, (x, p)
        # NaN stands there for x**p log(x) at x = 0 and p <= 0, whose limit from the right is -inf: ours is the limit
        assert slopes.p == (-math.inf if math.isnan(by_p) else by_p), (x, p)


@pytest.mark.parametrize(("name", "at"), [(name, at) for name, points in SPECIAL.items() for at in points])
@pytest.mark.parametrize("method", METHODS)
def test_special_points_of_jax(name, at, method):
    f = dc.parse(f"{name}(x)")
    for order in (1, 2):
        truth = certify(f, "derivative", {"x": at}, order=order)
        assert truth.ok
        expected = float(truth.values[0])
        assert abs(dc.derivative(f, order=order, method=method)(at) - expected) <= 4 * math.ulp(expected), order


@pytest.mark.parametrize("method", METHODS)
def test_squire_and_trapp(method):
    assert dc.value(SQUIRE_TRAPP)(1.5) == pytest.approx(4.497780053946162, rel=4e-16)
    assert dc.derivative(SQUIRE_TRAPP, method=method)(1.5) == pytest.approx(4.053427893898621, rel=1e-15)
    assert dc.derivative(SQUIRE_TRAPP, order=2, method=method)(1.5) == pytest.approx(9.463073681596601, rel=2e-15)


def test_squire_and_trapp_by_the_complex_step():
    assert dc.derivative(SQUIRE_TRAPP, method="fd.complex")(1.5) == pytest.approx(4.053427893898621, rel=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_a_published_expectation_that_is_wrong(method):
    # math.js asserts -2/(1 - (2x)²) for acoth(2x); the sign is wrong
    x = 1.25
    assert dc.derivative("acoth(2*x)", method=method)(x) == pytest.approx(2 / (1 - 4 * x**2), rel=1e-15)

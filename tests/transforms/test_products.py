"""Products of arrays, shared where they differ by numbers alone."""

import numpy as np
import pytest

from diffcompare.differentiate import engines, gradient, value
from diffcompare.dsl import function, symbol
from diffcompare.dsl.contraction import Einsum, einsum
from diffcompare.dsl.core import Expr
from diffcompare.dsl.elementary import exp, log
from diffcompare.dsl.walk import postorder
from diffcompare.engines.schedule import schedule
from diffcompare.transforms.products import pairwise

rng = np.random.default_rng(3)
A = rng.uniform(0.5, 1.5, (6, 6))
A = A + A.T
x = symbol("x", (6,))
s, t = symbol("s"), symbol("t")


def _matrix_products(outputs):
    return [n for n in postorder(outputs) if isinstance(n.primitive, Einsum) and max(len(a.shape) for a in n.args) == 2]


def _energy(v: Expr) -> Expr:
    return log(v @ (A @ v)) * exp(einsum("i->", v))


SCALED = {
    "a number of the call": x * s,
    "on the left": s * x,
    "a constant": 2.5 * x,
    "a sign": -x,
    "several": -((x * s) * t),
    "both operands": x * s,
}


@pytest.mark.parametrize("case", SCALED)
def test_a_product_of_a_scaled_array_shares_the_one_that_is_there(case):
    scaled = SCALED[case]
    both = [einsum("ij,j->i", A, x), einsum("ij,j->i", 3.0 * symbol("M", (6, 6)) if case == "both operands" else A, scaled)]
    if case == "both operands":
        both[0] = einsum("ij,j->i", symbol("M", (6, 6)), x)
    shared = pairwise(both)
    assert len(_matrix_products(both)) == 2 and len(_matrix_products(shared)) == 1
    inputs = [x, s, t, symbol("M", (6, 6))]
    at = np.linspace(-1, 1, 6), 1.7, -0.3, A
    plain, mine = (gradient(function(inputs, einsum("i,i->", *o) + einsum("i->", o[1])), engine="numpy")(*at) for o in (both, shared))
    for a, b in zip(plain, mine, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


def test_a_product_of_a_scaled_array_alone_stays():
    alone = [einsum("ij,j->i", A, x * s), einsum("ij,j->i", A, x * t), einsum("ij,j->i", A, x * x)]
    assert len(_matrix_products(pairwise(alone))) == 3
    huge = function([x, s], einsum("ij,j->i", A, x * s))
    assert np.isfinite(gradient(function([x, s], einsum("i->", huge.outputs[0])), engine="numpy")(np.full(6, 1e300), 1e-300).x).all()


def test_an_energy_and_its_gradient_need_one_product():
    d = gradient(function([x], _energy(x)), engine="numpy")
    assert len(_matrix_products(schedule(d.function).outputs)) == 1
    at = np.linspace(0.1, 0.4, 6)
    q, e = at @ A @ at, np.exp(at.sum())
    for engine in engines():
        found = gradient(function([x], _energy(x)), engine=engine)(at)
        np.testing.assert_allclose(found, e * (2 * A @ at / q + np.log(q)), rtol=1e-13)


def test_batches_of_the_factor():
    f = function([x, s], [einsum("ij,j->i", A, x), einsum("ij,j->i", A, x * s)])
    at, factors = np.linspace(-1, 1, 6), np.array([1.0, -2.0, 0.5])
    for engine in ("numpy", "jax", "llvm"):
        plain, scaled = value(f, engine=engine)(at, factors)
        np.testing.assert_allclose(scaled, factors[:, None] * (A @ at), rtol=1e-14)
        assert plain.shape == (3, 6)

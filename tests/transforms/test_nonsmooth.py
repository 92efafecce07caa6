"""Derivatives at kinks by policy: the convention of the row, NaN, or an error that names the function."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from diffcompare.differentiate import derivative, gradient, hessian, prepare, value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.composite import max as largest
from diffcompare.dsl.composite import norm
from diffcompare.dsl.core import BUILT_IN, FUNCTIONS, PRIMITIVES
from diffcompare.dsl.elementary import log, softplus
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.grammar import parse
from diffcompare.dsl.structural import sum as total
from diffcompare.errors import DiffCompareError, DomainError, Unsupported

x, y = symbols("x y")
v = symbol("v", (3,))
nan = math.nan
METHODS = ("ad.forward", "ad.reverse", "symbolic")

AT_KINKS = [
    ("abs(x)", 0.0),
    ("sign(x)", 0.0),
    ("floor(x)", 2.0),
    ("ceil(x)", 2.0),
    ("round(x)", 2.5),
    ("maximum(x, 1)", 1.0),
    ("minimum(x, 1)", 1.0),
    ("relu(x)", 0.0),
    ("clip(x, 0, 1)", 1.0),
    ("mod(x, 3)", 6.0),
    ("floor_divide(x, 3)", 6.0),
    ("hypot(x, 0*x)", 0.0),
    ("atan2(x, -1)", 0.0),
    ("acot(x)", 0.0),
    ("leaky_relu(x, 0.1)", 0.0),
    ("hinge(x)", 1.0),
    ("zero_one_loss(x)", 0.0),
]


def test_every_function_with_a_kink_is_here() -> None:
    kinked = {n for n, p in PRIMITIVES.items() if n in BUILT_IN and isinstance(p, Elementwise) and p.kinks is not None and p.promised == 2}
    assert {text.partition("(")[0] for text, _ in AT_KINKS} == kinked


@pytest.mark.parametrize(("text", "at"), AT_KINKS)
@pytest.mark.parametrize("method", METHODS)
def test_derivatives_are_nan_at_kinks_and_unchanged_elsewhere(text: str, at: float, method: str) -> None:
    f = parse(text)
    for engine in ("numpy", "python", "jax"):
        d = derivative(f, method=method, engine=engine, nonsmooth="nan")
        plain = derivative(f, method=method, engine=engine)
        assert math.isnan(d(at)) and not math.isnan(plain(at))
        assert d(at + 0.3) == plain(at + 0.3)
    assert math.isnan(derivative(f, order=2, method=method, nonsmooth="nan")(at))
    assert value(f, nonsmooth="nan", method=method)(at) == value(f)(at)


@pytest.mark.parametrize(("text", "at"), AT_KINKS)
@pytest.mark.parametrize("engine", ["numpy", "python"])
def test_an_error_names_the_function_and_its_convention(text: str, at: float, engine: str) -> None:
    name = text.partition("(")[0]
    for method in METHODS:
        d = derivative(parse(text), method=method, engine=engine, nonsmooth="raise")
        with pytest.raises(DomainError, match=f"^{name} is at a kink, where it has no derivative; nonsmooth='convention' takes: "):
            d(at)
        with pytest.raises(DomainError, match=name):
            d(np.array([at + 0.3, at]))
        assert d(at + 0.3) == derivative(parse(text))(at + 0.3)


def test_reductions() -> None:
    tie, origin = np.array([2.0, 1.0, 2.0]), np.zeros(3)
    np.testing.assert_array_equal(gradient(function([v], largest(v)), nonsmooth="nan")(tie), [nan, 0.0, nan])
    np.testing.assert_array_equal(gradient(function([v], largest(v)), nonsmooth="nan")(np.arange(3.0)), [0.0, 0.0, 1.0])
    assert np.isnan(gradient(function([v], norm(v)), method="ad.forward", nonsmooth="nan")(origin)).all()
    with pytest.raises(DomainError, match=r"max is at a kink, .* 1/k to each of k ties"):
        gradient(function([v], largest(v)), nonsmooth="raise")(tie)
    with pytest.raises(DomainError, match=r"norm is at a kink, .* 0 at the origin"):
        hessian(function([v], norm(v)), nonsmooth="raise")(origin)


def test_kinks_inside_the_evaluation_of_smooth_functions_are_none() -> None:
    f = function([x], softplus(x) + FUNCTIONS["log_sigmoid"](x))
    assert derivative(f, nonsmooth="raise")(0.0) == 1.0
    assert hessian(f, nonsmooth="nan")(0.0) == 0.0


def test_nothing_leaks_from_a_branch_not_taken() -> None:
    f = function([v], total(FUNCTIONS["where"](v > 0, log(v), abs(v))))
    np.testing.assert_array_equal(gradient(f, nonsmooth="nan")(np.array([1.0, 2.0, -1.0])), [1.0, 0.5, -1.0])


def test_prepared_derivatives_pickle() -> None:
    f = function([x, v], abs(x) + largest(v) * x)
    for policy in ("nan", "raise"):
        d = gradient(f, nonsmooth=policy)
        again = pickle.loads(pickle.dumps(d))
        assert again(2.0, np.arange(3.0)).x == d(2.0, np.arange(3.0)).x == 3.0
    assert math.isnan(pickle.loads(pickle.dumps(gradient(f, nonsmooth="nan")))(0.0, np.arange(3.0)).x)


def test_refusals() -> None:
    f = function([x], abs(x))
    for method in ("fd.central", "fd.complex", "manual"):
        with pytest.raises(
            Unsupported, match=f"{method} does not differentiate the graph and takes nonsmooth='convention' alone, not 'nan'"
        ):
            prepare(f, "gradient", method=method, nonsmooth="nan")
    for engine in ("jax", "llvm"):
        with pytest.raises(Unsupported, match=f"engine {engine} cannot raise at a kink; use engine python or numpy"):
            gradient(f, engine=engine, nonsmooth="raise")
    with pytest.raises(DiffCompareError, match="nonsmooth='mean' is not known; there are: convention, nan, raise"):
        gradient(f, nonsmooth="mean")

"""Fewer operations for the same numbers."""

import numpy as np
import pytest

from diffcompare.dsl import function, symbol
from diffcompare.dsl.arithmetic import chain_mul, div, mul, neg
from diffcompare.dsl.structural import broadcast, broadcast_
from diffcompare.dsl.walk import postorder
from diffcompare.engines.kernels import chain_mul as guarded_product
from diffcompare.engines.numpy import numpy_engine
from diffcompare.transforms.tidy import tidied

x, v = symbol("x"), symbol("v", (3,))
EDGES = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1e300, -2.5])


def _names(node):
    return {n.primitive.name for n in postorder([node])} - {"input", "constant"}


@pytest.mark.parametrize("factor", [2.5, -3.0, 1e-30, 1e30])
def test_a_guarded_product_with_an_ordinary_constant_is_plain_and_the_same(factor):
    (plain,) = tidied([chain_mul(factor, x)])
    assert _names(plain) == {"mul"} and _names(tidied([chain_mul(x, factor)])[0]) == {"mul"}
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal((factor * EDGES).view(np.int64), guarded_product(factor, EDGES).view(np.int64))


@pytest.mark.parametrize("factor", [0.0, -0.0, np.inf, np.nan, 1e-300, 1e300, 1e-40])
def test_other_constants_keep_their_guard(factor):
    """Zero and infinity need it; what is either in single precision may be compiled for that."""
    assert "chain_mul" in _names(tidied([chain_mul(factor, x)])[0])


def test_guarded_products_with_constant_arrays():
    assert _names(tidied([chain_mul(np.array([1.0, -2.0, 3.0]), v)])[0]) == {"mul"}
    assert _names(tidied([chain_mul(np.array([1.0, 0.0, 3.0]), v)])[0]) == {"chain_mul"}


def test_an_array_of_one_entry_repeats_as_a_number():
    spread = broadcast(np.array([2.5]), (3,))
    (node,) = tidied([v * spread])
    assert {n.shape for n in postorder([node]) if n.primitive.name == "constant"} == {()}
    compiled = numpy_engine.compile(function([v], v * spread))
    assert "2.5" in compiled.source and compiled([np.ones(3)])[0].tolist() == [2.5] * 3


@pytest.mark.parametrize("make", [lambda a, b: (-a) / b, lambda a, b: (-a) * b, lambda a, b: (-b) * a, lambda a, b: (-b) / a])
def test_a_sign_goes_to_what_is_repeated(make):
    row = symbol("row", (8,))
    (node,) = tidied([make(row, broadcast(x, (8,)))])
    assert not any(n.primitive is neg and n.shape for n in postorder([node]))
    f = function([row, x], node)
    plain = {"mul": np.multiply, "div": np.divide}[node.primitive.name]
    for number in EDGES:
        with np.errstate(all="ignore"):
            a, b = (EDGES, number) if node.args[1].primitive is broadcast_ or node.primitive is mul else (number, EDGES)
            truth = -plain(a, b)
        found = numpy_engine.compile(f)([EDGES, np.asarray(number)])[0]
        np.testing.assert_array_equal(np.isnan(found), np.isnan(truth))
        known = ~np.isnan(truth)
        np.testing.assert_array_equal(found[known].view(np.int64), truth[known].view(np.int64))


def test_a_quotient_that_is_there_is_not_computed_again_for_its_sign():
    row, spread = symbol("row", (8,)), broadcast(x, (8,))
    y = row / spread
    outputs = tidied([y, -y / spread])
    assert sum(n.primitive is div for n in postorder(outputs)) == 2 and not any(n.primitive is neg and n.shape for n in postorder(outputs))

"""Directions written out in one graph: the same blocks as sweep by sweep, and nothing computed for structural zeros."""

from __future__ import annotations

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.dsl.function import Function, function, symbol
from diffcompare.dsl.named import Named
from diffcompare.transforms.nothing import NOTHING, applied
from diffcompare.transforms.scalarize import scalarize
from diffcompare.transforms.tables import written_out


def _several() -> Function:
    x, A, s = symbol("x", shape=(3,)), symbol("A", shape=(2, 3)), symbol("s")
    return function([x, A, s], (dc.tanh(A @ x) * s, dc.logsumexp(x) + s * dc.sum(A * A)), name="several")


def _scalar() -> Function:
    x, A, s = symbol("x", shape=(3,)), symbol("A", shape=(2, 3)), symbol("s")
    return function([x, A, s], dc.sum(dc.sin(A @ x) ** 2) * s + dc.norm(x) * dc.prod(x), name="scalar")


VALUES = {"x": np.array([0.3, -1.2, 2.0]), "A": np.array([[1.0, 0.5, -0.25], [0.125, 2.0, 1.5]]), "s": 0.75}


def _leaves(result: object) -> list[np.ndarray]:
    if isinstance(result, tuple | Named):
        return [a for part in result for a in _leaves(part)]
    return [np.asarray(result)]


@pytest.mark.parametrize("method", ["ad.forward", "ad.reverse"])
@pytest.mark.parametrize(("f", "operator"), [(_several(), "jacobian"), (_scalar(), "hessian"), (_scalar(), "gradient")], ids=str)
def test_the_blocks_are_those_of_sweeps(f: Function, operator: str, method: str) -> None:
    swept = dc.prepare(f, operator, method=method, engine="numpy")
    written = dc.prepare(f, operator, method=method, engine="python")
    for values in (VALUES, {**VALUES, "x": np.array([[0.3, -1.2, 2.0], [1.0, 1.0, 0.5]])}):
        for a, b in zip(_leaves(swept(**values)), _leaves(written(**values)), strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def test_cost_is_that_of_the_sweeps_on_every_engine() -> None:
    costs = [dc.jacobian(_several(), engine=e).cost for e in ("numpy", "python")]
    assert costs[0] == costs[1]


def test_a_diagonal_jacobian_costs_its_diagonal() -> None:
    x, seed = symbol("x", shape=(50,)), symbol("seed", shape=(50,))
    swept = function([x, seed], (dc.exp(x) * seed,), name="columns")
    whole = scalarize(written_out(swept, [[swept.inputs[1]]], after=True))
    used = {o for o in whole.outputs if o.primitive.name != "constant"}
    assert len(whole.outputs) == 2500 and len(used) == 50 and all(o.primitive.name == "exp" for o in used)


def test_nothing_times_infinity_is_nothing() -> None:
    table = dc.jacobian(_roots(), engine="python")(np.array([0.0, 4.0]))
    np.testing.assert_array_equal(table, [[np.inf, 0.0], [0.0, 0.25]])


def _roots() -> Function:
    x = symbol("x", shape=(2,))
    return function([x], dc.sqrt(x), name="roots")


def test_rules_of_nothing() -> None:
    from diffcompare.dsl.core import FUNCTIONS

    x = symbol("x")
    assert applied(FUNCTIONS["add"], [NOTHING, x]) is x
    assert applied(FUNCTIONS["sub"], [x, NOTHING]) is x
    assert applied(FUNCTIONS["sub"], [NOTHING, x]).primitive.name == "neg"
    assert applied(FUNCTIONS["mul"], [x, NOTHING]) is NOTHING
    assert applied(FUNCTIONS["div"], [NOTHING, x]) is NOTHING
    assert applied(FUNCTIONS["where"], [dc.lt(x, 0.0), NOTHING, NOTHING]) is NOTHING
    assert applied(FUNCTIONS["where"], [dc.lt(x, 0.0), x, NOTHING]).primitive.name == "where"

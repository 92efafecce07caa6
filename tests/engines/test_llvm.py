"""The llvm engine: values, edges, any array, machines without vector functions, sizes."""

import math
import sys
import threading

import numpy as np
import pytest

from diffcompare.differentiate import engines, gradient, prepare, value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.arithmetic import where
from diffcompare.dsl.core import PRIMITIVES
from diffcompare.dsl.elementary import exp, log, sin, tanh
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.structural import sum as total
from diffcompare.engines.llvm import engine
from diffcompare.engines.llvm import target as machine
from diffcompare.errors import TooLarge, Unsupported
from diffcompare.problem import find

pytest.importorskip("llvmlite", reason="engine llvm needs the extra llvm")
arrays = pytest.importorskip("diffcompare.engines.llvm.arrays.function")

x, y = symbols("x y")
v = symbol("v", (5,))
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 1e308, -1e308, 710.0, -745.0, math.inf, -math.inf, math.nan]
PLAIN = machine.Target(2, "", frozenset())
MACHINES = {
    "this machine": None,
    "no vector functions": PLAIN,
    "single lanes": machine.Target(1, "", frozenset()),
    "interpreter": None,
    "interpreter, no vector functions": PLAIN,
}


def _flat(result):
    return np.concatenate([_flat(r) for r in result]) if isinstance(result, tuple) else np.ravel(result)


@pytest.fixture(params=MACHINES, ids=str)
def on(request, monkeypatch):
    if MACHINES[request.param] is not None:
        machine.target()  # LLVM itself is made ready
        monkeypatch.setattr(machine, "target", lambda: MACHINES[request.param])
    return request.param


@pytest.mark.parametrize("problem", find("tag:core"), ids=lambda p: p.name)
def test_agrees_with_numpy_on_every_problem(problem, on):
    operator = problem.operators[0]
    at = dict(problem.point("start"))
    a = _flat(prepare(problem.function, operator, problem.wrt, engine="llvm")(**at))
    b = _flat(prepare(problem.function, operator, problem.wrt, engine="numpy")(**at))
    assert np.max(abs(a - b)) <= 1e-13 * np.max(abs(b))


@pytest.mark.parametrize("name", sorted(n for n, p in PRIMITIVES.items() if isinstance(p, Elementwise)))
def test_every_elementwise_function_agrees_at_edges_or_is_refused(name, on):
    primitive = PRIMITIVES[name]
    inputs = [x, y, symbol("z")][: primitive.arity]
    args = [a > 0.3 if primitive.takes_bool else a for a in inputs]
    f = function(inputs, primitive.apply(args) * 1.0)
    mine = value(f, engine="llvm")
    grid = np.array(EDGES + list(np.random.default_rng(0).normal(size=19)))
    columns = [np.roll(grid, 5 * k) for k in range(primitive.arity)]
    a, b = mine(*columns), value(f, engine="numpy")(*columns)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    np.testing.assert_array_equal(np.isinf(a), np.isinf(b))
    finite = np.isfinite(b)
    # libmvec promises 4 ulp; compositions of two. Near a zero of its own a function is measured by its larger term.
    term = primitive.bound(()).term if primitive.bound(()) is not None else None
    scale = np.array(
        [
            max(abs(t), term(*at) if term and np.isfinite(at).all() else 0.0)
            for t, *at in zip(b[finite].tolist(), *(c[finite].tolist() for c in columns), strict=True)
        ]
    )
    assert np.all(abs(a[finite] - b[finite]) <= 16 * np.spacing(np.minimum(scale, 1e308))), name


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9, 16, 33])
@pytest.mark.parametrize(
    "make",
    [
        lambda n: np.linspace(0, 1, 5 * n).reshape(n, 5),
        lambda n: np.asfortranarray(np.linspace(0, 1, 5 * n).reshape(n, 5)),
        lambda n: np.ones((n, 10))[:, ::2],
        lambda n: np.linspace(0, 1, 5 * n).reshape(n, 5)[::-1, ::-1],
        lambda n: np.ones((n, 5), np.float32),
        lambda n: np.ones((n, 5), int),
        lambda n: np.ones((n, 5), bool),
        lambda n: np.broadcast_to(1.0, (n, 5)),
        lambda n: np.frombuffer(bytes(8 * 5 * n + 8)[8:], float).reshape(n, 5),
        lambda n: np.linspace(0, 1, 5 * n).reshape(1, n, 5),
    ],
)
def test_any_array_of_any_length_is_taken(make, n):
    a = make(n)
    before = np.array(a)
    result = gradient(function([v], total(v * v * sin(v))), engine="llvm")(a)
    truth = 2 * before.astype(float) * np.sin(before.astype(float)) + before.astype(float) ** 2 * np.cos(before.astype(float))
    assert result.shape == a.shape and result.dtype == np.float64
    np.testing.assert_allclose(result, truth, rtol=1e-14)
    np.testing.assert_array_equal(a, before)


def test_batches_broadcast():
    d = gradient(function([x, v], total(exp(v) * x)), engine="llvm")
    at = np.linspace(0, 1, 4)[:, None], np.linspace(0, 1, 15).reshape(3, 5)
    truth = gradient(function([x, v], total(exp(v) * x)), engine="numpy")(*at)
    np.testing.assert_allclose(d(*at).v, truth.v, rtol=1e-14)
    assert d(*at).x.shape == (4, 3)


def test_a_branch_not_taken_leaks_nothing():
    d = gradient(function([x, y], where(x > 0, log(x) * y, x * y)), engine="llvm")
    assert d(-1.0, 2.0) == (2.0, -1.0)
    np.testing.assert_array_equal(d(np.full(9, -1.0), 2.0).x, 2.0)


def test_no_multiply_add_is_contracted():
    a, b, c = symbols("a b c")
    d = value(function([a, b, c], a * b + c), engine="llvm")
    at = 1 + 2.0**-30, 1 + 2.0**-30, -(1 + 2.0**-29)
    assert d(*at) == 0.0  # fused it would be 2**-60
    np.testing.assert_array_equal(d(*(np.full(16, e) for e in at)), 0.0)


def test_large_functions_are_programs_of_the_interpreter(monkeypatch):
    monkeypatch.setattr(arrays, "NODES", 0)  # no loops over arrays
    big = symbol("big", (60, 60))
    f = function([big], total(tanh(big) * big))
    at = np.linspace(-3, 3, 3600).reshape(60, 60)
    d = gradient(f, engine="llvm")
    assert "for the interpreter" in d.source and "for the interpreter" not in gradient(function([v], total(tanh(v))), engine="llvm").source
    truth = gradient(f, engine="numpy")(at)
    np.testing.assert_allclose(d(at), truth, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(d(np.stack([at] * 5)), np.stack([truth] * 5), rtol=1e-14, atol=1e-15)


def test_a_long_chain_is_an_ordinary_function():
    total_ = x
    for k in range(5000):
        total_ = sin(total_) * y + 0.001 * k
    d = gradient(function([x, y], total_), engine="llvm")
    np.testing.assert_allclose(d(0.3, 0.4), gradient(function([x, y], total_), engine="python")(0.3, 0.4), rtol=1e-12)


def test_programs_may_be_called_from_several_threads(monkeypatch):
    monkeypatch.setattr(engine, "OPTIMISED", -1)
    d = value(function([x, y], sin(x) * exp(y) + x), engine="llvm")
    known = [d(float(k), 0.5) for k in range(50)]
    wrong = []

    def run():
        for _ in range(20):
            wrong.extend(k for k in range(50) if d(float(k), 0.5) != known[k])
            wrong.extend(np.flatnonzero(d(np.arange(50.0), 0.5) != known))

    threads = [threading.Thread(target=run) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_sizes_beyond_its_own_are_refused(monkeypatch):
    monkeypatch.setattr(engine, "LIMIT", 1000)
    monkeypatch.setattr(arrays, "NODES", 0)
    big = symbol("big", (20, 20))
    with pytest.raises(TooLarge, match="more than 1000 scalar operations"):
        value(function([big], total(tanh(big) * big + 1)), engine="llvm")


def test_without_llvmlite_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    with pytest.raises(Unsupported, match=r"pip install 'diffcompare\[llvm\]'"):
        value(function([x], sin(x)), engine="llvm")


def test_float32_is_refused():
    with pytest.raises(Unsupported, match="llvm computes in float64"):
        value(function([x], sin(x)), engine="llvm", precision="float32")


def test_listed():
    assert "llvm" in engines()

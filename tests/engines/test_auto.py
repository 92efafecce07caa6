"""The engine that `auto` takes: a table of functions and what is installed, the reason it gives, what happens where it refuses."""

import pickle

import numpy as np
import pytest

from diffcompare.differentiate import automatic, engines, gradient, prepare
from diffcompare.differentiators.base import Operator
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.composite import logsumexp
from diffcompare.dsl.contraction import matmul
from diffcompare.dsl.elementary import sin
from diffcompare.dsl.structural import sum as total
from diffcompare.engines import auto
from diffcompare.engines.auto import ARRAYS, SCALARS, Work, choose, work
from diffcompare.errors import ShapeError, Unsupported

x, y = symbols("x y")
ALL = frozenset({"python", "numpy", "llvm", "jax"})


def _chain(n):
    value = x
    for k in range(n):
        value = sin(value) * y + 0.01 * k
    return function([x, y], value)


def _vector(n):
    v = symbol("v", (n,))
    return function([v], logsumexp(sin(v) * v) + total(v * v))


def _product(n):
    a, b = symbol("a", (n, n)), symbol("b", (n, n))
    return function([a, b], total(matmul(a, b)))


TABLE = [
    (function([x], sin(x)), ALL, "float64", "python"),
    (_chain(100), ALL, "float64", "python"),
    (_chain(2000), ALL, "float64", "llvm"),
    (_chain(2000), ALL - {"llvm"}, "float64", "python"),
    (_vector(5), ALL, "float64", "numpy"),
    (_vector(5), ALL, "float32", "numpy"),
    (_vector(100_000), ALL, "float64", "llvm"),
    (_vector(1_000_000), ALL - {"llvm"}, "float64", "jax"),
    (_vector(1_000_000), ALL - {"llvm", "jax"}, "float64", "numpy"),
    (_vector(1_000_000), ALL, "float32", "jax"),
    (_product(300), ALL, "float64", "numpy"),  # BLAS does the work on every engine
]


@pytest.mark.parametrize(("f", "installed", "precision", "chosen"), TABLE)
def test_the_choice_follows_the_work(f, installed, precision, chosen):
    assert automatic(f, Operator.GRADIENT, precision, installed).engine == chosen


@pytest.mark.parametrize("of", [_chain(2000), function([x, y], _chain(1500).output ** 2 + abs(y))])
def test_scalar_operations_counted_on_a_tape_are_those_of_the_graph(of, monkeypatch):
    by_tape = work(of, 4)
    monkeypatch.setattr(auto, "MANY", 10**9)
    assert by_tape == work(of, 4)


def test_a_jacobian_is_work_for_each_output():
    v = symbol("v", (300,))
    f = function([v], sin(v) * total(v))
    assert automatic(f, Operator.VALUE, among=ALL).engine == "numpy"
    assert automatic(f, Operator.JACOBIAN, among=ALL).engine == "llvm"


def test_estimates_within_a_factor_of_two_leave_the_plainest():
    work = Work(nodes=60, operations=1e4, products=0.0, scalar=False)
    times = {n: s.total(work) for n, s in ARRAYS.items()}
    assert min(times, key=times.get) == "llvm" and times["numpy"] < 2 * times["llvm"]
    assert choose(work, ALL).engine == "numpy" and choose(work, ALL).others == ("llvm", "jax")
    assert set(SCALARS) | set(ARRAYS) == ALL <= set(engines())


def test_the_reason_is_told_and_pickled():
    d = gradient(function([x], sin(x)))
    assert "python" in d.engine_reason and "1,000 calls by estimate" in repr(d)
    assert pickle.loads(pickle.dumps(d)).engine_reason == d.engine_reason
    assert gradient(function([x], sin(x)), engine="numpy").engine_reason == ""


def test_where_the_engine_refuses_the_next_one_answers(monkeypatch):
    pytest.importorskip("llvmlite")

    def refuse(self, f, precision="float64"):
        raise Unsupported("no form")

    monkeypatch.setattr(type(engines()["llvm"]), "compile", refuse)
    f = _chain(2000)
    assert automatic(f, among=ALL).engine == "llvm"
    d = gradient(f)
    assert d.engine == "python" and "llvm refused: no form" in d.engine_reason
    np.testing.assert_allclose(d(0.3, 0.4), gradient(f, engine="numpy")(0.3, 0.4))


def test_raw_results_and_errors_at_kinks_leave_the_engines_that_have_them():
    v = symbol("v", (3,))
    assert prepare(function([v], total(v)), "gradient", raw=True).engine == "jax"
    assert prepare(_vector(100_000), "gradient", nonsmooth="raise").engine == "numpy"
    with pytest.raises(ShapeError, match="one scalar output"):
        gradient(function([v], v * 2.0))
    with pytest.raises(Unsupported, match="order= belongs to derivative"):
        prepare(function([x], sin(x)), "gradient", order=2)

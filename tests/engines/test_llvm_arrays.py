"""Arrays on the llvm engine: every core problem, random graphs, sums and their accuracy, hostile arrays, threads, memory."""

import math
import random
import sys
import threading
import weakref
from functools import partial

import numpy as np
import pytest

from diffcompare.differentiate import gradient, prepare, value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.contraction import einsum
from diffcompare.dsl.core import FUNCTIONS as F
from diffcompare.dsl.elementary import exp, sin, tanh
from diffcompare.dsl.structural import sum as total
from diffcompare.engines.llvm import target as machine
from diffcompare.engines.llvm.engine import LlvmEngine
from diffcompare.errors import DiffCompareError
from diffcompare.measure.compare import compare
from diffcompare.problem import find

pytest.importorskip("llvmlite", reason="engine llvm needs the extra llvm")
arrays = pytest.importorskip("diffcompare.engines.llvm.arrays.function")
calls = pytest.importorskip("diffcompare.engines.llvm.arrays.calls")
blas = pytest.importorskip("diffcompare.engines.llvm.arrays.blas")
team = pytest.importorskip("diffcompare.engines.llvm.arrays.team")

x, y = symbols("x y")
MACHINES = {
    "no vector functions": machine.Target(2, "", frozenset()),
    "four lanes": machine.Target(4, "", frozenset()),
    "single lanes": machine.Target(1, "", frozenset()),
}
PROBLEMS = [p for p in find("tag:core") if any(n.shape for n in (*p.function.inputs, *p.function.outputs))]
OPERATORS = ("value", "gradient", "jacobian", "hessian", "jvp", "vjp", "hvp")
U = 2.0**-53


@pytest.fixture
def loops(monkeypatch):
    """Loops for arrays however short they are."""
    monkeypatch.setattr(arrays, "ENTRIES_A_NODE", 0)
    monkeypatch.setattr(arrays, "SMALL", 0)


def _flat(result):
    return np.concatenate([_flat(r) for r in result]) if isinstance(result, tuple) else np.ravel(result)


def _directions(d, f, rng):
    if d.operator in ("jvp", "hvp"):
        return {"tangent": {n: rng.normal(size=f.input(n).shape) for n in d.wrt}}
    return {"cotangent": tuple(rng.normal(size=o.shape) for o in f.outputs)} if d.operator == "vjp" else {}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_every_operator_of_every_core_problem_with_and_without_a_batch(problem, loops):
    rng = np.random.default_rng(0)
    at = dict(problem.point("start"))
    many = {k: v * (1 + 1e-3 * rng.uniform(size=(3, *(1,) * np.ndim(v)))) if k in (problem.wrt or at) else v for k, v in at.items()}
    for operator in OPERATORS:
        try:
            truth = prepare(problem.function, operator, problem.wrt, engine="numpy")
        except DiffCompareError:
            continue
        mine = prepare(problem.function, operator, problem.wrt, engine="llvm")
        options = _directions(truth, problem.function, rng)
        for point in (at, many):
            a, b = _flat(mine(**point, **options)), _flat(truth(**point, **options))
            assert a.shape == b.shape
            assert np.max(abs(a - b), initial=0) <= 1e-13 * np.max(abs(b), initial=0), operator


@pytest.mark.parametrize("problem", [p for p in PROBLEMS if "gradient" in p.operators], ids=lambda p: p.name)
def test_gradients_keep_their_promise_against_certified_truth(problem):
    table = compare(problem.function, dict(problem.point("start")), wrt=problem.wrt, methods=["ad.reverse"], engines=["llvm"]).table
    assert list(table["status"]) == ["ok"]


def _grown(r, pool):
    """One more expression made of those there are, or None."""
    a, b, axis = r.choice(pool), r.choice(pool), None
    if a.ndim and r.random() < 0.7:
        axis = r.randrange(a.ndim)
    along = (slice(None),) * (axis or 0)
    makers = [
        lambda: F[r.choice(["add", "sub", "mul", "maximum"])](a, b) if a.shape == b.shape or not b.shape else None,
        lambda: F[r.choice(["tanh", "exp", "sin", "sigmoid", "abs", "erf", "cos"])](a * 0.3),
        lambda: a / (1.5 + a * a),
        lambda: F[r.choice(["sum", "max", "min", "logsumexp", "norm"])](a, axis=axis, keepdims=r.random() < 0.5),
        lambda: a[(*along, slice(r.randrange(a.shape[axis]), None, r.choice([1, 1, 2])))] if axis is not None else None,
        lambda: a[(*along, slice(None, None, -1))] if axis is not None else None,
        lambda: F["transpose"](a),
        lambda: a.reshape((-1,)),
        lambda: a.reshape(tuple(reversed(a.shape))),
        lambda: F["concatenate"]([a, a * 2.0], axis=axis) if axis is not None else None,
        lambda: a @ b if a.ndim == 2 and b.ndim in (1, 2) and a.shape[1] == b.shape[0] else None,
        lambda: F["where"](a > 0.1, a, sin(a)),
        lambda: a[(*along, np.array([0, 0, a.shape[axis] - 1]))] if axis is not None else None,
        lambda: F["cumsum"](a, axis=axis) if axis is not None else None,
        lambda: F["broadcast"](a, (2, *a.shape)),
        lambda: F["softmax"](a) if a.ndim else None,
    ]
    return r.choice(makers)()


def _random_functions(seed):
    r = random.Random(seed)
    shapes = [r.choice([(), (3,), (17,), (40,), (3, 5), (4, 4), (1, 6), (2, 3, 5), (20, 33)]) for _ in range(r.randint(1, 3))]
    inputs = [symbol(f"x{k}", s) for k, s in enumerate(shapes)]
    pool = list(inputs)
    for _ in range(r.randint(4, 14)):
        grown = _grown(r, pool)
        if grown is not None and grown.size < 3000:
            pool.append(grown)
    outputs = r.sample(pool, min(len(pool), r.randint(1, 3)))
    return function(inputs, outputs), function(inputs, sum((total(sin(o)) for o in outputs), 0.0) * 1.0)


def _agree(f, operator, seed, leads):
    rng = np.random.default_rng(seed)
    mine, truth = (prepare(f, operator, engine=e) for e in ("llvm", "numpy"))
    for lead in leads:
        shapes = [(lead if k % 2 == 0 else ()) + i.shape for k, i in enumerate(f.inputs)]
        at = [rng.normal(size=s) for s in shapes]
        a, b = _flat(mine(*at)), _flat(truth(*at))
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)  # conditions of random graphs reach 1e4


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs(seed, loops):
    values, scalar = _random_functions(seed)
    _agree(values, "value", seed, [(), (4,), (3, 1), (0,), (1,)])
    _agree(scalar, "gradient", seed, [(), (4,)])


@pytest.mark.parametrize("name", MACHINES)
def test_random_graphs_on_other_machines(name, loops, monkeypatch):
    machine.target()  # LLVM itself is made ready
    monkeypatch.setattr(machine, "target", lambda: MACHINES[name])
    for seed in range(100, 104):
        _agree(_random_functions(seed)[1], "gradient", seed, [(), (4,)])


@pytest.mark.parametrize("n", [0, 1, 7, 16, 17, 1000, 100_003])
def test_the_error_of_a_sum_does_not_grow_with_its_length(n, loops):
    v = symbol("v", (n,))
    terms = np.random.default_rng(n).normal(size=n) * np.logspace(0, 8, n)
    found = value(function([v], total(v)), engine="llvm")(terms)
    assert abs(found - math.fsum(terms)) <= 70 * U * math.fsum(abs(terms))


def test_reductions_of_special_numbers(loops):
    v = symbol("v", (40,))
    f = value(function([v], [total(v), F["max"](v), F["min"](v), F["prod"](v)]), engine="llvm")
    plain = np.linspace(-2, 2, 40)
    for place, number in [(3, np.inf), (39, -np.inf), (17, np.nan), (39, np.nan), (0, np.nan)]:
        at = plain.copy()
        at[place] = number
        np.testing.assert_array_equal(f(at), [at.sum(), at.max(), at.min(), at.prod()])
    both = np.where(np.arange(40) == 5, np.inf, np.where(np.arange(40) == 21, -np.inf, plain))
    np.testing.assert_array_equal(f(both), [np.nan, np.inf, -np.inf, np.nan if (both == 0).any() else both.prod()])


def test_threads_change_no_bit(monkeypatch, loops):
    monkeypatch.setattr(arrays, "WORTH_SHARING", 0)
    v = symbol("v", (70_001,))
    f = function([v], F["logsumexp"](sin(v) * v) + total((v[1:] - v[:-1]) ** 2))
    at = np.random.default_rng(0).normal(size=70_001)
    one, three = (gradient(f, engine=LlvmEngine(n))(at) for n in (1, 3))
    np.testing.assert_array_equal(one, three)
    truth = gradient(f, engine="numpy")(at)
    assert np.max(abs(one - truth)) <= 1e-13 * np.max(abs(truth))


HOSTILE = [
    lambda n: np.asfortranarray(np.linspace(0, 1, 30 * n).reshape(n, 30)),
    lambda n: np.ones((n, 60))[:, ::2],
    lambda n: np.linspace(0, 1, 30 * n).reshape(n, 30)[::-1, ::-1],
    lambda n: np.linspace(0, 1, 30 * n, dtype=np.float32).reshape(n, 30),
    lambda n: np.ones((n, 30), int),
    lambda n: np.ones((n, 30), bool),
    lambda n: np.broadcast_to(1.0, (n, 30)),
    lambda n: np.frombuffer(bytes(8 * 30 * n + 8)[8:], float).reshape(n, 30),
]


@pytest.mark.parametrize("n", [0, 1, 7])
@pytest.mark.parametrize("make", HOSTILE)
def test_any_array_is_taken(make, n, loops):
    a = make(n)
    before = np.array(a)
    v = symbol("v", (30,))
    result = gradient(function([v], total(v * v * sin(v))), engine="llvm")(a)
    b = before.astype(float)
    assert result.shape == a.shape and result.dtype == np.float64
    np.testing.assert_allclose(result, 2 * b * np.sin(b) + b * b * np.cos(b), rtol=1e-14)
    np.testing.assert_array_equal(a, before)


def test_results_are_new_and_stay_as_they_are(loops):
    v = symbol("v", (20_000,))
    f = value(function([v], [v, v, v * 1.5, total(v), v[::-1], 3.0 + 0 * v, exp(v)]), engine="llvm")
    a, b = np.linspace(0, 1, 20_000), np.linspace(1, 2, 20_000)
    first = f(a)
    kept = [np.array(r) for r in first]
    second = f(b)
    for k, r in enumerate(first):
        np.testing.assert_array_equal(r, kept[k])
        assert not np.shares_memory(r, a) and not any(np.shares_memory(r, s) for s in (*first[:k], *second))
    np.testing.assert_array_equal(a, np.linspace(0, 1, 20_000))


def test_one_derivative_in_many_threads(loops):
    v, w = symbol("v", (300,)), symbol("w", (300, 300))
    d = gradient(function([v, w], F["logsumexp"](tanh(w @ v)) + total(exp(-v * v))), engine="llvm")
    rng = np.random.default_rng(0)
    inputs = [(rng.normal(size=300), rng.normal(size=(300, 300))) for _ in range(6)]
    truth = [d(*i) for i in inputs]
    wrong = []

    def run(k):
        for _ in range(20):
            result = d(*inputs[k])
            if not all(np.array_equal(a, b) for a, b in zip(result, truth[k], strict=True)):
                wrong.append(k)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def _steps(name, **sizes):
    problem = find(f"{name}({', '.join(f'{k}={n}' for k, n in sizes.items())})")[0]
    source = gradient(problem.function, wrt=problem.wrt, engine="llvm").source
    return [line for line in source.splitlines() if line.startswith("; ")]


def test_passes_over_memory_are_as_few_as_they_can_be():
    assert len(_steps("rosenbrock", n=1000)) == 1
    assert len(_steps("log_sum_exp", n=1000)) == 3  # the largest, the sum of exponentials, the quotients
    assert sum("einsum" in s for s in _steps("helmholtz", n=100)) == 1  # A x, which x·(A x) and its gradient share
    assert len(_steps("logistic_regression", samples=1000, features=10)) == 3  # product, slopes, product


def test_compiled_loops_are_let_go_of():
    v = symbol("v", (500,))
    d = gradient(function([v], total(sin(v) * v)), engine="llvm")
    d(np.ones(500))
    variant = weakref.ref(next(iter(d._runner._compiled._variants.values())))
    assert variant() is not None
    del d
    assert variant() is None


def test_many_calls_take_no_more_memory(loops):
    resource = pytest.importorskip("resource", reason="tells the memory that a process has taken, not on Windows")

    def taken():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak

    v = symbol("v", (2000,))
    d = gradient(function([v], total(sin(v) * v)), engine="llvm")
    batches = [np.ones((k, 2000)) for k in range(1, 30)]
    for b in batches:
        d(b)
    before = taken()
    for _ in range(20):
        for b in batches:
            d(b)
    for _ in range(3000):
        d(batches[0][0])
    assert taken() - before < 16 * 2**20  # what 580 results of 29 sizes took together is 140 MB


def test_a_team_does_all_the_work_and_raises_what_a_piece_raised():
    done = []
    crew = team.Team(2)
    crew.run([partial(done.append, k) for k in range(50)])
    assert sorted(done) == list(range(50))
    with pytest.raises(ZeroDivisionError):
        crew.run([partial(done.append, 1), lambda: 1 / 0])


@pytest.mark.parametrize("shared", [False, True], ids=["one thread", "two threads"])
@pytest.mark.parametrize(
    "spec", ["a,a->", "ab,b->a", "ab,a->b", "b,ab->a", "a,ab->b", "ab,bc->ac", "ab,cb->ac", "ba,bc->ac", "ba,cb->ac", "ab,bc->ca"]
)
def test_products_in_every_order_of_axes(spec, shared, monkeypatch):
    for name, value_ in (("WORTH_SHARING", 0.0), ("WORTH_READING", 0)) if shared else ():
        monkeypatch.setattr(calls, name, value_)
    sizes = dict(zip("abc", (40, 30, 50), strict=True))
    left, right = spec.partition("->")[0].split(",")
    p, q = (symbol(n, tuple(sizes[c] for c in labels)) for n, labels in (("p", left), ("q", right)))
    rng = np.random.default_rng(4)
    at = [rng.normal(size=i.shape) for i in (p, q)]
    f = function([p, q], einsum(spec, sin(p), q) * 2.0)
    d = value(f, engine=LlvmEngine(threads=2))
    truth = 2.0 * np.einsum(spec, np.sin(at[0]), at[1])
    bound = 100 * 2**-52 * np.einsum(spec, *map(abs, at))
    assert np.all(abs(d(*at) - truth) <= bound)
    assert np.all(abs(d(*map(np.asfortranarray, at)) - truth) <= bound)  # not as the kernels take them


def test_the_threads_of_blas_are_as_before():
    controls = blas._controls()
    if controls is None:
        pytest.skip("NumPy brings no OpenBLAS here")
    get, _ = controls
    before = get()
    with blas.one_thread:
        assert get() == 1
        with blas.one_thread:
            assert get() == 1
        assert get() == 1
    assert get() == before

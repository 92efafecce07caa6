"""What every engine promises: bit-equal batches, fresh results, nothing global changed, threads, big functions."""

import math
import pickle
import threading
import warnings

import numpy as np
import pytest

from diffcompare.differentiate import engines, find_engine, gradient, prepare, value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.arithmetic import floor, maximum, sign, where
from diffcompare.dsl.composite import logsumexp
from diffcompare.dsl.contraction import einsum
from diffcompare.dsl.core import PRIMITIVES
from diffcompare.dsl.elementary import exp, log, sin, tanh
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.structural import sum as total
from diffcompare.errors import ShapeError, TooLarge, Unsupported

x, y = symbols("x y")
v = symbol("v", (5,))
EXACT = ("python", "numpy")
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 1e308, -1e308, 5e-324, 710.0, -745.0, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize("name", sorted(n for n, p in PRIMITIVES.items() if isinstance(p, Elementwise)))
def test_batch_equals_loop_bit_for_bit_at_edges(name, engine):
    primitive = PRIMITIVES[name]
    inputs = [x, y, symbol("z")][: primitive.arity]
    args = [a > 0 if primitive.takes_bool and k == 0 else a for k, a in enumerate(inputs)]
    f = value(function(inputs, primitive.apply(args) * 1.0), engine=engine)
    grid = np.array(EDGES + list(np.random.default_rng(0).normal(size=20)))
    columns = [a.ravel() for a in np.meshgrid(*[grid] * primitive.arity)] if primitive.arity < 3 else [grid, grid[::-1], np.roll(grid, 3)]
    many = f(*columns)
    loop = np.array([f(*(float(c[k]) for c in columns)) for k in range(len(columns[0]))])
    np.testing.assert_array_equal(many.view(np.uint64)[~np.isnan(many)], loop.view(np.uint64)[~np.isnan(loop)])
    np.testing.assert_array_equal(np.isnan(many), np.isnan(loop))


@pytest.mark.parametrize("name", sorted(n for n, p in PRIMITIVES.items() if isinstance(p, Elementwise)))
def test_python_gives_what_ieee_gives_at_edges(name):
    primitive = PRIMITIVES[name]
    inputs = [x, y, symbol("z")][: primitive.arity]
    args = [a > 0 if primitive.takes_bool and k == 0 else a for k, a in enumerate(inputs)]
    f = function(inputs, primitive.apply(args) * 1.0)
    a, b = value(f, engine="python"), value(f, engine="numpy")
    for k, e in enumerate(EDGES):
        at = [e, EDGES[(k * 7 + 3) % len(EDGES)], EDGES[(k * 5 + 1) % len(EDGES)]][: primitive.arity]
        one, two = a(*at), b(*at)
        assert math.isnan(one) == math.isnan(two), (name, at, one, two)
        if not math.isnan(one):
            assert (math.isinf(one) == math.isinf(two) and one == pytest.approx(two, rel=1e-15, abs=0)) or abs(one - two) < 1e-320, (
                name,
                at,
                one,
                two,
            )


@pytest.mark.parametrize("engine", EXACT)
def test_nothing_global_is_changed_and_nothing_warns(engine):
    before = np.geterr()
    d = gradient(function([x, y], log(x) / y + exp(1000 * x)), engine=engine)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        d(-1.0, 0.0)
        d(np.array([-1.0, 0.0, 1e308]), 0.0)
    assert np.geterr() == before
    with np.errstate(all="raise"):
        d(np.array([-1.0, 0.0, 1e308]), 0.0)


@pytest.mark.parametrize("engine", EXACT)
def test_results_are_never_aliased(engine):
    f = function([v], [v, v, v * 1.0, total(v), v[::-1], 3.0 + 0 * v])
    a = np.arange(5.0)
    results = value(f, engine=engine)(a)
    for k, r in enumerate(results):
        assert not np.shares_memory(r, a)
        assert all(not np.shares_memory(r, other) for other in results[:k] if isinstance(other, np.ndarray))
        if isinstance(r, np.ndarray):
            r[...] = 9.0
    np.testing.assert_array_equal(a, np.arange(5.0))
    again = value(f, engine=engine)(a)
    np.testing.assert_array_equal(again[0], np.arange(5.0))


@pytest.mark.parametrize("engine", EXACT)
def test_one_derivative_in_many_threads(engine):
    d = gradient(function([v, x], logsumexp(tanh(v) * x) + total(exp(v) * exp(v) / (1.0 + exp(v)))), engine=engine)
    inputs = np.random.default_rng(0).normal(size=(16, 7, 5))
    truth = [d(i, 2.0) for i in inputs]
    wrong = []

    def run(k):
        for _ in range(30):
            r = d(inputs[k], 2.0)
            if not (np.array_equal(r.v, truth[k].v) and np.array_equal(r.x, truth[k].x)):
                wrong.append(k)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize(
    "make",
    [
        lambda n: np.zeros((n, 5)),
        lambda n: np.asfortranarray(np.ones((n, 5))),
        lambda n: np.ones((n, 10))[:, ::2],
        lambda n: np.ones((n, 5), np.float32),
        lambda n: np.ones((n, 5), int),
        lambda n: np.ones((n, 5), bool),
        lambda n: np.broadcast_to(1.0, (n, 5)),
    ],
)
@pytest.mark.parametrize("n", [0, 1, 17])
def test_any_array_is_taken(engine, make, n):
    a = make(n)
    a.setflags(write=False)
    d = gradient(function([v], total(v * v * sin(v))), engine=engine)
    result = d(a)
    truth = 2 * a.astype(float) * np.sin(a.astype(float)) + a.astype(float) ** 2 * np.cos(a.astype(float))
    assert result.shape == (n, 5)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, truth, rtol=1e-15)


@pytest.mark.parametrize("engine", EXACT)
def test_a_tape_beyond_the_source_limit_gives_the_same(engine, monkeypatch):
    from diffcompare.engines import numpy as numpy_module
    from diffcompare.engines import python as python_module

    f = function([x, v], [total(where(v > x, exp(v), tanh(v))) * maximum(x, 0.5) * sign(x), floor(x * v)])
    at = 0.3, np.linspace(-1, 1, 5)
    printed = value(f, engine=engine)
    for module in (numpy_module, python_module):
        monkeypatch.setattr(module, "SOURCE_LIMIT", 3)
    taped = value(f, engine=engine)
    assert "tape" in taped.source
    for a, b in zip(printed(*at), taped(*at), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(printed(0.3, np.ones((4, 5))), taped(0.3, np.ones((4, 5))), strict=True):
        np.testing.assert_array_equal(a, b)


def test_contractions_agree_within_the_rounding_of_their_sums():
    rng = np.random.default_rng(0)
    a, b = symbol("a", (6, 7)), symbol("b", (2, 7, 5))
    f = einsum("ij,kjl->kil", a, b)
    at = rng.normal(size=(6, 7)), rng.normal(size=(2, 7, 5))
    bound = 7 * 2**-52 * np.einsum("ij,kjl->kil", *map(abs, at))
    assert np.all(abs(value(f, engine="numpy")(*at) - np.einsum("ij,kjl->kil", *at)) <= bound)
    assert np.all(abs(value(f, engine="python")(*at) - np.einsum("ij,kjl->kil", *at)) <= bound)


def test_float32_stays_float32():
    f = function([v, x], [tanh(v) * x + 0.1, total(v * np.arange(5.0)), math.pi * exp(x)])
    results = value(f, engine="numpy", precision="float32")(np.ones(5), 0.5)
    assert all(np.asarray(r).dtype == np.float32 for r in results)
    with pytest.raises(Unsupported, match="python computes in float64"):
        value(f, engine="python", precision="float32")


def test_python_refuses_what_would_take_too_long():
    big = symbol("big", (800, 800))
    with pytest.raises(TooLarge, match="more than 500000 scalar operations"):
        value(function([big], total(exp(big))), engine="python")


def test_auto_takes_python_for_small_scalars_and_numpy_for_arrays():
    assert find_engine("auto", function([x], sin(x))).name == "python"
    assert find_engine("auto", function([v], total(v))).name == "numpy"


@pytest.mark.parametrize("name", sorted(engines()))
def test_engines_pickle(name):
    assert pickle.loads(pickle.dumps(engines()[name])).name == name


def test_buffers_of_dead_values_are_written_into():
    source = value(function([v], total(exp(sin(v) * 2.0) + 1.0)), engine="numpy").source
    assert source.count("out=") == 3


def test_arrays_as_numpy_takes_them_and_any_others_give_the_same():
    f = function([v, x], total(exp(v) * x) + x * x)
    d, at = prepare(f, "value_and_gradient", engine="numpy"), np.linspace(-1, 1, 5)
    truth = d(list(at), [2.0])  # a batch of one point
    for given in ((at, 2.0), (at, np.asarray(2.0)), (at, 2), (at[::-1][::-1], 2.0), (list(at), 2.0)):
        y, g = d(*given)
        assert type(y) is float and type(g.x) is float and type(g.v) is np.ndarray and g.v.flags.owndata
        assert (y, g.x, g.v.tolist()) == (truth[0][0], truth[1].x[0], truth[1].v[0].tolist())
    single = value(function([x], where(x > 0, x, 2.0)), engine="numpy", precision="float32")
    number = np.asarray(3.0, np.float32)
    assert single(number).dtype == np.float32 and not np.shares_memory(single(number), number)
    with pytest.raises(ShapeError, match=r"v: expected shape \(5,\)"):
        d(np.ones(4), 2.0)


@pytest.mark.parametrize("engine", ["numpy", "llvm", "jax"])
@pytest.mark.parametrize("operator", ["jvp", "vjp", "hvp"])
def test_directions_as_arrays_and_any_others_give_the_same(operator, engine):
    f = function([v, x], total(exp(v) * v) * x * x) if operator == "hvp" else function([v, x], [total(exp(v)) * x, v * x])
    at, t = (np.linspace(-1, 1, 5), 2.0), (np.linspace(0, 1, 5), 0.5)
    given = {"cotangent": t[::-1]} if operator == "vjp" else {"tangent": t}
    d, truth = prepare(f, operator, engine=engine), prepare(f, operator, engine="numpy")([list(at[0])], [at[1]], **given)
    for how in (given, {k: [np.asarray(p).tolist() for p in parts] for k, parts in given.items()}):
        for mine, right in zip(d(*at, **how), truth, strict=True):
            np.testing.assert_allclose(mine, right[0], rtol=1e-14)
    with pytest.raises(TypeError, match=rf"{operator} is called as d"):
        d(*at)
    with pytest.raises(TypeError, match=rf"{operator} is called as d"):
        d(*at, tangent=t, cotangent=t)
    with pytest.raises(ShapeError, match=f"{next(iter(given))} for .*: expected shape"):
        d(*at, **{k: [np.ones(3), np.ones(3)] for k in given})


def test_choices_of_numbers_divide_as_numpy_does():
    f = function([x, y], 1.0 / where(x > 0, 0.0, y) + 1.0 / where(x > 0, y, -0.0))
    for engine in EXACT:
        assert value(f, engine=engine)(1.0, 2.0) == math.inf
        assert value(f, engine=engine)(-1.0, 2.0) == -math.inf


@pytest.mark.parametrize("method", ["ad.forward", "ad.reverse"])
def test_chunks_of_directions_change_nothing(method):
    f = function([v, x], [v * v[::-1] * x, total(v) * x])
    at = np.random.default_rng(0).normal(size=(3, 5)), 2.0
    whole = prepare(f, "jacobian", method=method, engine="numpy")(*at)
    pieces = prepare(f, "jacobian", method=method, engine="numpy", memory=1)(*at)
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(a.v, b.v)
        np.testing.assert_array_equal(a.x, b.x)

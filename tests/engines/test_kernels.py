"""Our own vector kernels: their worst error against balls, special arguments, and one answer for a point alone and in a batch."""

import dataclasses
import math

import flint
import numpy as np
import pytest

from diffcompare.differentiate import gradient, value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.core import FUNCTIONS
from diffcompare.dsl.elementary import exp, sin
from diffcompare.engines.llvm import engine
from diffcompare.problem import library

pytest.importorskip("llvmlite", reason="engine llvm needs the extra llvm")
from diffcompare.engines.llvm import target as machine

x = symbol("x")
TINY = [5e-324, 1e-310, 2.2250738585072014e-308, 1e-300, 1e-17, 1e-8]
EDGES = [0.0, -0.0, math.inf, -math.inf, math.nan, *TINY, *(-t for t in TINY), 1.7976931348623157e308, -1.7976931348623157e308]
WORST = {"exp": 1.0, "gauss": 1.0, "log": 0.9, "erf": 1.35, "tanh": 1.4, "sin": 1.45, "cos": 1.45}
"""In ulp; the docstrings of the kernels say what was found on many more points."""
STRATA = {
    "exp": [(-1, 1), (-745.2, -708), (-708, 709.78)],
    "gauss": [(0, 1), (0, 6), (26, 27.3)],
    "log": [(0.5, 2), (0.99, 1.01), (0, 1e6), (5e-324, 2.3e-308)],
    "erf": [(-1, 1), (0.9, 1.1), (1, 6)],
    "tanh": [(-0.625, 0.625), (0.6, 0.7), (-20, 20)],
    "sin": [(-4, 4), (-1e4, 1e4), (1.3e8, 1.4e8)],
    "cos": [(-4, 4), (-1e4, 1e4), (1.57, 1.572)],
}
BALL = {"gauss": lambda a: (-(a * a)).exp(), **{n: (lambda a, n=n: getattr(a, n)()) for n in WORST if n != "gauss"}}


def _machines():
    """This machine's vectors, and those of machines without AVX-512's instruction for powers of two, AVX or libmvec."""
    here = machine.target()
    if not here.fma:
        pytest.skip("this processor fuses no multiply-adds, so our kernels are not used")
    portable = dataclasses.replace(here, scalef=False)
    return {"here": here, "without scalef": portable, "pairs": dataclasses.replace(portable, lanes=2, prefix="", functions=frozenset())}


@pytest.fixture(params=["here", "without scalef", "pairs"])
def on(request, monkeypatch):
    chosen = _machines()[request.param]
    monkeypatch.setattr(machine, "target", lambda: chosen)
    return request.param


def _ulps(name, xs, ys):
    old = flint.ctx.prec
    flint.ctx.prec = 140
    try:
        truths = [BALL[name](flint.arb(v)) for v in xs.tolist()]
        return [abs(float((flint.arb(y) - t) / flint.arb(math.ulp(float(t))))) for y, t in zip(ys.tolist(), truths, strict=True)]
    finally:
        flint.ctx.prec = old


@pytest.mark.parametrize("name", WORST)
def test_worst_error(name, on):
    kernel = value(function([x], FUNCTIONS[name](x)), engine="llvm")
    rng = np.random.default_rng(5)
    near = np.arange(1, 60) * (math.pi / 2)
    for low, high in STRATA[name]:
        xs = np.concatenate([rng.uniform(low, high, 150), near[(near > low) & (near < high)]])
        assert max(_ulps(name, xs, kernel(xs))) <= WORST[name], (low, high)


@pytest.mark.parametrize("name", WORST)
def test_special_arguments(name, on):
    f = function([x], FUNCTIONS[name](x))
    xs = np.array(EDGES)
    found, known = value(f, engine="llvm")(xs), value(f, engine="numpy")(xs)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(known))
    np.testing.assert_array_equal(np.signbit(found[~np.isnan(found)]), np.signbit(known[~np.isnan(known)]))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(np.isinf(found), np.isinf(known))
    finite = np.isfinite(known)
    assert np.all(abs(found[finite] - known[finite]) <= 2 * np.spacing(abs(known[finite])))


@pytest.mark.parametrize("name", WORST)
@pytest.mark.parametrize("program", [False, True])
def test_a_point_alone_and_in_a_batch_have_the_same_bits(name, program, on, monkeypatch):
    if program:
        monkeypatch.setattr(engine, "OPTIMISED", -1)
    d = gradient(function([x], FUNCTIONS[name](x) * 3.0 + x), engine="llvm")
    rng = np.random.default_rng(6)
    xs = np.concatenate([rng.uniform(0.01, 3, 40), EDGES, rng.uniform(-3, 3, 7), [1e9, -1e9, 1e22]])
    np.testing.assert_array_equal(d(xs), [d(float(v)) for v in xs])


def test_a_gradient_has_the_same_bits_in_a_batch(on):
    problem = library()["black_scholes"]
    d = gradient(problem.function, engine="llvm")
    points = np.array([list(p.values()) for p in problem.points for _ in range(7)])
    rows = points * np.random.default_rng(7).uniform(0.9, 1.1, points.shape)
    np.testing.assert_array_equal(np.stack(d(*rows.T), axis=-1), [d(*map(float, row)) for row in rows])


@pytest.mark.parametrize("name", WORST)
def test_a_kernel_called_often_has_the_same_bits(name, on):
    """It is then a function of its own."""
    shifts = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
    often = value(function([x], tuple(FUNCTIONS[name](x + s) for s in shifts)), engine="llvm")
    once = value(function([x], FUNCTIONS[name](x)), engine="llvm")
    assert "_of_" in often.source and "_of_" not in once.source
    xs = np.concatenate([np.linspace(0.1, 9, 40), EDGES, [1e9, -1e9]])
    for s, found in zip(shifts, often(xs), strict=True):
        np.testing.assert_array_equal(found, once(xs + s))


def test_a_rare_case_changes_no_other_point(on):
    """One far argument sends its block to the scalar code; all answers are those without it."""
    a, b = symbols("a b")
    d = gradient(function([a, b], sin(a) * exp(b)), engine="llvm")
    xs = np.linspace(0.1, 2, 64)
    plain = d(xs, xs)
    disturbed = xs.copy()
    disturbed[[5, 40]] = [1e15, math.nan]
    found = d(disturbed, xs)
    others = np.delete(np.arange(64), [5, 40])
    for p, q in zip(plain, found, strict=True):
        np.testing.assert_array_equal(p[others], q[others])
    assert found.a[5] == pytest.approx(math.cos(1e15) * math.exp(xs[5]), rel=1e-14) and math.isnan(found.a[40])


def test_machines_without_fused_multiply_adds_use_the_library(monkeypatch):
    monkeypatch.setattr(machine, "target", lambda: machine.Target(2, "", frozenset()))
    d = value(function([x], exp(x)), engine="llvm")
    assert "llvm.fma" not in d.source
    assert d(1.0) == math.exp(1.0)

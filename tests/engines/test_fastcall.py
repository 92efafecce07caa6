"""Single calls in machine code: every call means what it means without the entry; nothing leaks."""

import gc
import math
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

from diffcompare.differentiate import derivative, gradient, hessian, value, value_and_gradient
from diffcompare.differentiators.base import Derivative
from diffcompare.dsl import function, symbols
from diffcompare.dsl.elementary import sin
from diffcompare.dsl.named import Named

pytest.importorskip("llvmlite", reason="engine llvm needs the extra llvm")
fastcall = pytest.importorskip("diffcompare.engines.llvm.fastcall")
pytestmark = pytest.mark.skipif(not fastcall.available(), reason="this Python does not lay out its objects as the entry reads them")

x, y = symbols("x y")
F = function([x, y], x**2 * y + sin(y) + 2, name="seed")
D = gradient(F, engine="llvm")


def test_the_object_s_call_is_the_builtin():
    assert type(type(D).__call__).__name__ == "builtin_function_or_method"
    assert isinstance(D, Derivative)
    assert "gradient of seed" in repr(D)


def test_every_kind_of_argument_means_the_same():
    expected = gradient(F, engine="numpy")(3.0, 4.0)
    for result in (D(3.0, 4.0), D(3, 4), D(x=3.0, y=4.0), D(3.0, y=4.0), D(np.float64(3), True * 4), D(np.array(3.0), 4.0)):
        assert isinstance(result, Named) and result.names == ("x", "y")
        assert result == pytest.approx(expected, rel=1e-15)
        assert all(type(v) is float for v in result)
    assert D(np.ones(3), 4.0).x.shape == (3,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: D(), "missing the argument 'x'"),
        (lambda: D(1.0), "missing the argument 'y'"),
        (lambda: D(1.0, 2.0, 3.0), "takes 2 arguments"),
        (lambda: D(1.0, z=2.0), "no argument 'z'"),
        (lambda: D("1", 2.0), "x: expected real numbers"),
        (lambda: D(1j, 2.0), "x: expected real numbers"),
        (lambda: D(1.0, None), "y: expected real numbers"),
        (lambda: D(1.0, 2.0, tangent=1.0), "takes no tangent"),
    ],
)
def test_wrong_calls_raise_as_without_it(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_float_subclasses_are_numbers():
    class Half(float):
        pass

    assert D(Half(0.5), 1.0) == pytest.approx(D(0.5, 1.0))


def test_names_in_any_order_and_mixed_with_places():
    for result in (D(y=4.0, x=3.0), D(3, y=4.0), D(x=3.0, y=4), D(**{"".join(["x"]): 3.0, "".join(["y"]): 4.0})):
        assert result == D(3.0, 4.0)


@pytest.mark.parametrize("call", [lambda n: D(n, 1.0), lambda n: D(x=n, y=1.0), lambda n: D(1.0, -n)])
def test_integers_are_converted_as_float_does_or_overflow(call):
    assert D(2**53 + 1, -1) == D(float(2**53 + 1), -1.0)
    with pytest.raises(OverflowError, match="int too large to convert to float"):
        call(10**400)


def test_special_values_flow_through():
    assert math.isnan(D(math.nan, 1.0).x) and D(math.inf, 1.0).x == math.inf
    assert math.copysign(1.0, derivative(function([x], -x * x), engine="llvm")(0.0)) == -1.0


def test_one_output_is_bare_and_other_structures_take_the_long_way():
    assert type(value(F, engine="llvm")(3.0, 4.0)) is float
    assert type(gradient(F, wrt="x", engine="llvm")(3.0, 4.0)) is float
    assert hessian(F, engine="llvm")(3.0, 4.0).x.y == 6.0
    assert value_and_gradient(F, engine="llvm")(3.0, 4.0)[1].x == 24.0


def test_results_are_ordinary_objects():
    r = D(3.0, 4.0)
    assert gc.is_tracked(r) and pickle.loads(pickle.dumps(r)) == r
    a, b = r
    assert (a, b) == (r.x, r["y"])
    assert pickle.loads(pickle.dumps(D))(3.0, 4.0) == r


def test_threads():
    wrong = []

    def run(k):
        wrong.extend(i for i in range(2000) if D(float(k), float(i)).x != 2.0 * k * i)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


LEAKS = """
import gc, resource
from diffcompare.differentiate import gradient
from diffcompare.dsl import function, symbols
from diffcompare.dsl.elementary import exp

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def prepare(n):
    for _ in range(n):
        gradient(function([x, y], exp(x * y) + x), engine="llvm")(0.5, 0.25)
        gc.collect()  # a class is always part of a cycle

def call(n):
    for _ in range(n):
        d(3.0, 4.0)

x, y = symbols("x y")
d = gradient(x**2 * y, engine="llvm")
for work, first, again in ((prepare, 50, 200), (call, 300_000, 1_000_000)):
    work(first)
    before = peak()
    work(again)
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory in KiB is what Linux reports")
def test_prepares_and_calls_leak_nothing():
    # in a process of its own, whose heap is small: each collection visits all of it
    done = subprocess.run([sys.executable, "-c", LEAKS], capture_output=True, text=True, check=True)
    prepares, calls = map(int, done.stdout.split())
    assert prepares < 1000  # LLVM's pass pipeline alone would leave 55 KiB at each
    assert calls < 1000


def test_a_derivative_no_longer_used_is_freed():
    gc.collect()
    before = len(Derivative.__subclasses__())
    d = gradient(function([x], sin(x)), engine="llvm")
    assert len(Derivative.__subclasses__()) == before + 1
    del d
    gc.collect()
    assert len(Derivative.__subclasses__()) == before


def test_a_result_that_somebody_holds_keeps_its_numbers():
    draw = np.random.default_rng(5).normal(size=(500, 2)).tolist()
    expected = [tuple(gradient(F, engine="python")(*p)) for p in draw]
    held = [D(*p) for p in draw]
    parts = [D(*p)[k % 2] for k, p in enumerate(draw)]
    unpacked = [(a, b) for a, b in (D(*p) for p in draw)]
    views = [iter(D(*p)) for p in draw]
    for k, want in enumerate(expected):
        assert tuple(held[k]) == unpacked[k] == tuple(views[k]) == pytest.approx(want)
        assert parts[k] == held[k][k % 2]


def test_a_result_that_nobody_holds_is_given_again():
    first = id(D(1.0, 2.0))
    assert {id(D(float(k), 2.0)) for k in range(10)} == {first}
    one = D(1.0, 2.0)
    two = D(2.0, 2.0)
    assert one is not two
    for k in range(10):
        two = D(float(k), 2.0)  # at the time of the call the one before is still held
    assert two.x == 36.0
    assert one == D(1.0, 2.0)


def test_what_is_kept_goes_with_the_derivative():
    d = gradient(x**2 * y, engine="llvm")
    d(1.0, 2.0)  # the first call compiles, and answers in Python
    results = {id(d(1.0, 2.0))}
    alive = [o for o in gc.get_objects() if id(o) in results]
    assert len(alive) == 1
    kept = sys.getrefcount(alive[0])
    del d
    gc.collect()
    left = sys.getrefcount(alive[0])
    assert left == kept - 1


def test_garbage_collected_in_the_midst_of_a_call_may_call_again():
    d = gradient(x**2 * y + y, engine="llvm")

    class Calls:
        def __del__(self):
            seen.append(tuple(d(3.0, 4.0)))

    seen, held = [], []
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for k in range(300):
            knot = Calls()
            knot.self = knot
            del knot
            held.append(d(float(k), 2.0))
    finally:
        gc.set_threshold(*threshold)
    assert [tuple(h) for h in held] == [(4.0 * k, k * k + 1.0) for k in range(300)]
    assert seen
    assert set(seen) == {(24.0, 10.0)}

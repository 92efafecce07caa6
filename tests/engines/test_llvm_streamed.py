"""Large results of engine llvm are written past the caches: the same numbers, wherever they begin and however many they are."""

import numpy as np
import pytest

from diffcompare.differentiate import gradient, jacobian, value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.elementary import log, sin

pytest.importorskip("llvmlite", reason="engine llvm needs the extra llvm")
scalar = pytest.importorskip("diffcompare.engines.llvm.scalar")

x, y = symbols("x y")


@pytest.fixture
def streamed(monkeypatch):
    """All batches are large."""
    monkeypatch.setattr(scalar, "STREAMED", 0)
    taken = []
    batch = scalar.Kernel._batch
    monkeypatch.setattr(scalar.Kernel, "_batch", lambda self, streamed: (taken.append(streamed), batch(self, streamed))[1])
    return taken


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 64, 1000, 100_003])
def test_the_numbers_are_those_of_single_points(streamed, count):
    points = np.random.default_rng(1).uniform(0.1, 3.0, size=(2, count))
    d = gradient(function([x, y], log(x * y) * y), engine="llvm")
    result = d(*points)
    some = range(0, count, max(1, count // 50))
    assert [tuple(r[k] for r in result) for k in some] == [tuple(d(*points[:, k].tolist())) for k in some]
    # small arrays are NumPy's own and begin anywhere
    assert count < 20_000 or (streamed and all(streamed))


def test_buffers_that_begin_between_lines_are_written_as_ever(streamed):
    d = value("x**2 + y", engine="llvm")
    room = np.zeros(1008)
    start = 1 + -room.ctypes.data // 8 % 8
    d(np.arange(992.0), np.ones(992), out=room[start : start + 992])
    np.testing.assert_array_equal(room[start : start + 992], np.arange(992.0) ** 2 + 1)
    assert streamed
    assert not any(streamed)
    assert not room[:start].any()


def test_rows_of_tables_begin_on_lines_whatever_the_number_of_points(streamed):
    points = np.random.default_rng(2).normal(size=(20_001, 3))
    v = symbol("v", (3,))
    f = function([v], sin(v) * v[0])
    result = jacobian(f, engine="llvm")(points)
    np.testing.assert_allclose(result, jacobian(f, engine="numpy")(points), rtol=1e-14, atol=1e-16)
    assert streamed
    assert all(streamed)


def test_a_rare_case_in_a_streamed_batch_is_computed_by_scalar_code(streamed):
    points = np.full(50_000, 2.0)
    points[[3, 777, 49_999]] = 0.0, -1.0, np.inf
    d = value(function([x], log(x) * x), engine="llvm")
    result = d(points)
    np.testing.assert_array_equal(result[[0, 3, 777, 49_999]], [d(p) for p in (2.0, 0.0, -1.0, np.inf)])
    assert all(streamed)


def test_only_results_beyond_the_bound_are_streamed():
    d = value("x*y", engine="llvm")
    kernel = d._runner._compiled
    d(np.ones(1000), np.ones(1000))
    assert list(kernel._batches) == [False]
    d(np.ones(3_000_000), 2.0)
    assert list(kernel._batches) == [False, True]

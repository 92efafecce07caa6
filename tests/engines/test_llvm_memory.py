"""Where results on llvm lie: arrays that callers give, memory taken again, never that of a result still in use."""

import gc

import numpy as np
import pytest

from diffcompare.differentiate import gradient
from diffcompare.dsl import function, symbols
from diffcompare.dsl.elementary import exp, sin

pytest.importorskip("llvmlite", reason="engine llvm needs the extra llvm")
from diffcompare.engines.llvm.memory import KEPT, LARGEST, WORTHWHILE, Memory

x, y = symbols("x y")
F = function([x, y], exp(x) * sin(y) + x)
D = gradient(F, engine="llvm")


def _points(n, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (2, n))


def _spaced(a):
    return np.repeat(a, 3)[::3]


def _misplaced(a):
    room = np.empty(8 * len(a) + 8, np.uint8)[4 : 4 + 8 * len(a)].view(np.float64)
    room[:] = a
    return room


def _frozen(a):
    a = a.copy()
    a.setflags(write=False)
    return a


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 15, 16, 17, 33, 1000, 100_003])
@pytest.mark.parametrize("laid", [np.copy, _spaced, _misplaced, _frozen, lambda a: a[::-1], np.float32, lambda a: a.reshape(1, -1).T.T])
def test_any_layout_of_any_length(n, laid):
    a, b = (laid(c) for c in _points(n))
    truth = np.exp(a.astype(float)) * np.sin(b.astype(float)) + 1, np.exp(a.astype(float)) * np.cos(b.astype(float))
    for result in (D(a, b), D(a, b, out=(np.empty(a.shape), np.empty(a.shape)))):
        for mine, expected in zip(result, truth, strict=True):
            np.testing.assert_allclose(mine, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(
    "buffer",
    [
        lambda n: np.empty(n),
        lambda n: np.empty(2 * n)[::2],
        lambda n: np.empty(n, np.float32),
        lambda n: _misplaced(np.empty(n)),
        lambda n: np.empty(n)[::-1],
    ],
)
def test_results_go_into_any_float_array(buffer):
    a, b = _points(37)
    out = buffer(37), buffer(37)
    result = D(a, b, out=out)
    assert result is out
    np.testing.assert_allclose(out[0], np.exp(a) * np.sin(b) + 1, rtol=1e-6)
    np.testing.assert_allclose(out[1], np.exp(a) * np.cos(b), rtol=1e-6)


@pytest.mark.parametrize("shift", [0, 1, 5, 16])
def test_results_may_take_the_place_of_arguments(shift):
    a, b = _points(100)
    expected = D(a, b).x
    room = np.concatenate([a, np.zeros(shift)])
    D(room[:100], b, out=(room[shift:], np.empty(100)))
    np.testing.assert_array_equal(room[shift:], expected)


def test_a_result_still_in_use_is_not_written_to():
    first, second = _points(WORTHWHILE + 5), _points(WORTHWHILE + 5, 1)
    kept = D(*first)
    part = D(*first).x[10:20]
    before = np.array(kept), part.copy()
    for _ in range(4):
        D(*second)
    np.testing.assert_array_equal(np.array(kept), before[0])
    np.testing.assert_array_equal(part, before[1])


def test_memory_that_nobody_has_is_taken_again_and_bounded():
    memory = Memory()
    column = memory.column(WORTHWHILE)
    place = column.ctypes.data
    assert place % 64 == 0 and column.flags.writeable
    assert memory.column(WORTHWHILE).ctypes.data != place
    view = column[5:]
    del column
    assert memory.column(WORTHWHILE).ctypes.data != place
    del view
    gc.collect()
    assert memory.column(WORTHWHILE).ctypes.data == place
    held = [memory.column(WORTHWHILE) for _ in range(2 * KEPT)]
    assert len({c.ctypes.data for c in held}) == 2 * KEPT
    assert memory.column(LARGEST + 1).base is None and memory.column(10).base is None

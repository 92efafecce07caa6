"""Columns of doubles go to the kernels of engine llvm without conversions; anything else gets the same answers or the same errors."""

import numpy as np
import pytest

from diffcompare.differentiate import gradient, jacobian, value
from diffcompare.dsl import function, symbols
from diffcompare.engines.llvm import layout
from diffcompare.errors import ShapeError

pytest.importorskip("llvmlite", reason="engine llvm needs the extra llvm")
scalar = pytest.importorskip("diffcompare.engines.llvm.scalar")

TEXT = "x*exp(y) + sin(x*y)"
COUNTS = [0, 1, 7, 15, 16, 17, 100, 1001]


def _columns(count):
    draw = np.random.default_rng(3)
    return draw.normal(size=count), draw.normal(size=count)


@pytest.fixture(scope="module")
def d():
    return gradient(TEXT, engine="llvm")


@pytest.fixture(scope="module")
def plain():
    return gradient(TEXT, engine="numpy")


@pytest.mark.parametrize("count", COUNTS)
def test_new_and_given_columns_agree_with_numpy(d, plain, count):
    x, y = _columns(count)
    for result in (d(x, y), d(x, y, out=(np.empty(count), np.empty(count)))):
        np.testing.assert_allclose(np.array(result), np.array(plain(x, y)), rtol=1e-14)


ODD = {
    "strided": lambda a: np.repeat(a, 2)[::2],
    "reversed": lambda a: a[::-1].copy()[::-1],
    "float32": lambda a: a.astype(np.float32),
    "other byte order": lambda a: a.astype(">f8"),
    "integers": lambda a: (10 * a).astype(int),
    "a list": lambda a: a.tolist(),
    "two axes": lambda a: a.reshape(4, -1),
    "a subclass": lambda a: np.ma.masked_array(a),
    "read only": lambda a: np.frombuffer(a.tobytes()),
    "16 bytes off": lambda a: np.concatenate([[0.0, 0.0], a])[2:],
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), offset=1),
}


@pytest.mark.parametrize("change", ODD)
def test_other_arguments_get_the_same_answers(d, plain, change):
    x, y = (ODD[change](c) for c in _columns(100))
    np.testing.assert_allclose(np.array(d(x, y)), np.array(plain(x, y)), rtol=1e-13)


def test_results_may_overlap_arguments_and_each_other(d, plain):
    x, y = _columns(100)
    expected = np.array(plain(x, y))
    d(x, y, out=(y, x))
    np.testing.assert_allclose([y, x], expected, rtol=1e-14)
    room = np.empty(116)
    room[:100], other = _columns(100)
    d(room[:100], other, out=(room[16:], np.empty(100)))
    np.testing.assert_allclose(room[16:], expected[0], rtol=1e-14)


@pytest.mark.parametrize(
    "out",
    [np.empty(3), (np.empty(3),), (np.empty(3), np.empty(4)), (np.empty(3), np.empty(3, dtype=int)), (np.empty(3), None)],
    ids=["bare", "too few", "wrong length", "integers", "no array"],
)
def test_wrong_buffers_are_refused_by_name(d, out):
    with pytest.raises(ShapeError, match="out= needs"):
        d(np.ones(3), np.ones(3), out=out)


def test_a_list_is_no_buffer_of_one_block():
    d = value("x**2", engine="llvm")
    with pytest.raises(ShapeError, match="out= needs a float array of shape"):
        d(np.ones(3), out=[np.empty(3)])


def test_read_only_buffers_are_refused(d):
    with pytest.raises(ValueError, match="read-only"):
        d(np.ones(20), np.ones(20), out=(np.empty(20), np.frombuffer(np.ones(20).tobytes())))


def test_structures_within_structures_take_buffers_as_ever():
    x, y = symbols("x y")
    d = jacobian(function([x, y], [x * y, x + y]), engine="llvm")
    result = d(np.arange(20.0), np.ones(20))
    out = [[np.empty(20), np.empty(20)], [np.empty(20), np.empty(20)]]
    d(np.arange(20.0), np.ones(20), out=out)
    np.testing.assert_array_equal(np.array(out), np.array(result))


def test_batch_false_still_refuses_columns():
    with pytest.raises(ShapeError, match="prepared with batch=False"):
        gradient(TEXT, engine="llvm", batch=False)(np.ones(20), np.ones(20))


def test_the_address_is_numpys():
    for a in (np.empty(3), np.empty((3, 4))[1:, 2], np.empty(0), np.frombuffer(b"\0" * 9, offset=1)):
        assert layout.address(a) == a.ctypes.data == layout._asked(a)

"""Code of engine llvm is compiled when it is first needed: for single points, for batches, and for rare cases inside a batch."""

import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from diffcompare.differentiate import gradient, value
from diffcompare.dsl import function, symbols
from diffcompare.dsl.arithmetic import where
from diffcompare.dsl.elementary import exp, log
from diffcompare.dsl.walk import postorder
from diffcompare.engines.llvm.nans import witnesses

pytest.importorskip("llvmlite", reason="engine llvm needs the extra llvm")
once = pytest.importorskip("diffcompare.engines.llvm.target").once
scalar = pytest.importorskip("diffcompare.engines.llvm.scalar")

x, y = symbols("x y")


@pytest.fixture
def compiled(monkeypatch):
    """The texts that LLVM compiles, as long as the test runs."""
    texts = []

    class Machine(scalar.Machine):
        def __init__(self, text, optimisation):
            texts.append(text)
            super().__init__(text, optimisation)

    monkeypatch.setattr(scalar, "Machine", Machine)
    return texts


def _kinds(texts):
    return [kind for text in texts for kind in ("single", "batch") if f"@{kind}(" in text.split("again(")[0]]


def test_nothing_is_compiled_before_it_is_needed(compiled):
    d = gradient("x*exp(x) + y**2", engine="llvm")
    assert _kinds(compiled) == []
    d(1.0, 2.0)
    d(1.5, 2.5)
    assert _kinds(compiled) == ["single"]
    d(np.ones(3), 2.0)
    d(np.ones(50), 2.0)
    assert _kinds(compiled) == ["single", "batch"]


def test_ready_compiles_for_single_points_and_counts_the_time(compiled):
    d = gradient("x*exp(x) + y**2", engine="llvm")
    before = d.compile_s
    assert d.ready() is d and d.compile_s > before and _kinds(compiled) == ["single"]
    d(1.0, 2.0)
    assert _kinds(compiled) == ["single"]


def test_a_rare_case_in_the_first_batch_is_computed_by_scalar_code_compiled_then(compiled):
    points = np.full(1000, 2.0)
    points[[0, 17, 500, 999]] = 0.0, -1.0, 5e-324, math.inf
    d = value(function([x], log(x) * x), engine="llvm")
    result = d(points)
    assert _kinds(compiled) == ["batch", "single"]
    np.testing.assert_array_equal(result, [d(p) for p in points.tolist()])


def test_threads_that_call_first_at_once_agree():
    points = np.linspace(-1.0, 3.0, 4001)
    d = gradient(function([x, y], log(x) * exp(y)), engine="llvm")
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: (d(points, 0.5).x, d(0.7, 0.5)), range(8)))
    for column, single in results:
        np.testing.assert_array_equal(column, results[0][0])
        assert single == results[0][1]


def test_a_witness_is_an_output_where_the_nan_is_passed_on():
    product = x * y
    outputs = [product + 1.0, x - y]
    assert witnesses([product], postorder(outputs), outputs) == [outputs[0]]


def test_a_nan_that_no_operation_passes_on_is_its_own_witness():
    product, other = x * y, x / y
    outputs = [where(x < y, product, 0.0) + 1.0, exp(other)]
    assert witnesses([product, other], postorder(outputs), outputs) == [product, other]


@pytest.mark.parametrize("seed", range(40))
def test_where_a_suspect_is_nan_a_witness_is(seed):
    draw = np.random.default_rng(seed)
    nodes = [x, y]
    for _ in range(30):
        a, b = (nodes[k] for k in draw.integers(len(nodes), size=2))
        nodes.append([a + b, a * b, a - b, where(a < b, a, b), exp(a), a / b][draw.integers(6)])
    outputs = nodes[-3:]
    order = [n for n in postorder(outputs) if n.args]
    suspects = [n for n in order if n.primitive.name == "mul"]
    found = witnesses(suspects, order, outputs)
    for suspect in suspects:
        nan = {suspect}
        for n in order:
            if n.primitive.name in {"add", "sub", "mul", "div"} and nan & set(n.args):  # every other operation may hide it
                nan.add(n)
        assert nan & set(found)


def test_what_many_threads_ask_for_first_is_made_once():
    made = []
    get = once(lambda: (time.sleep(0.05), made.append(1), object())[2])
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: get(), range(8)))) == 1
    assert made == [1]

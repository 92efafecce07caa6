"""The graph: interning, immutability, walks, pickles, and what an expression refuses."""

import copy
import gc
import math
import pickle
import threading

import numpy as np
import pytest

from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.constants import constant, literal
from diffcompare.dsl.core import FUNCTIONS, PRIMITIVES, fresh, live_nodes
from diffcompare.dsl.elementary import exp, log, sin
from diffcompare.dsl.structural import concatenate
from diffcompare.dsl.walk import postorder, rebuild, walk
from diffcompare.errors import DiffCompareError, ShapeError

x, y = symbols("x y")
v = symbol("v", (3,))


def test_equal_expressions_are_one_object():
    assert sin(x) * y + 2 is sin(x) * y + 2
    assert symbol("v", (3,)) is v
    assert symbol("v", (4,)) is not v


def test_constants_are_kept_by_bit_pattern():
    assert constant(0.0) is not constant(-0.0)
    assert math.copysign(1, literal(constant(-0.0))) == -1
    assert constant(math.nan) is constant(math.nan)
    assert constant(True) is not constant(1.0)
    assert constant(np.float64(2.0)) is constant(2)


def test_array_constants_are_copied_frozen_and_shared_by_value():
    data = np.array([1.0, 2.0])
    node = constant(data)
    assert constant([1.0, 2.0]) is node
    data[0] = 9.0
    assert literal(node)[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        literal(node)[0] = 9.0


@pytest.mark.parametrize("value", [1j, "text", object(), np.array(["a"]), [1j]])
def test_what_is_not_real_is_refused(value):
    with pytest.raises(TypeError, match=r"complex|real number"):
        constant(value)


def test_an_integer_beyond_float64_is_refused():
    with pytest.raises(DiffCompareError, match="too large for float64"):
        constant(10**400)


@pytest.mark.parametrize(
    ("rewritten", "kept"),
    [(x * 1, x), (1 * x, x), (x / 1, x), (x - 0.0, x), (x + (-0.0), x), (FUNCTIONS["neg"](-x), x), (x**1, x), (x * -1, -x)],
)
def test_float_exact_rewriting(rewritten, kept):
    assert rewritten is kept


@pytest.mark.parametrize("expr", [x - x, 0 * x, x / x, x + 0.0, log(exp(x)), (x + y) - x, x**0, 0 / x])
def test_rewriting_that_is_not_float_exact_or_widens_the_domain_is_not_done(expr):
    assert literal(expr) is None and expr is not x and expr is not y


def test_constants_fold_only_where_rounding_is_correct():
    assert literal(constant(0.1) + 0.2) == 0.1 + 0.2
    assert literal(constant(1.0) / 0.0) == math.inf
    assert literal(exp(constant(1.0))) is None


def test_an_expression_is_immutable():
    with pytest.raises(AttributeError, match="immutable"):
        x.shape = (2,)
    with pytest.raises(AttributeError, match="immutable"):
        del x.shape
    with pytest.raises(TypeError, match=r"np\.where"):
        v[0] = 1.0


@pytest.mark.parametrize(
    ("use", "advice"),
    [
        (lambda: bool(x > 0), "where"),
        (lambda: float(x), "not a number"),
        (lambda: math.sin(x), "dc.sin"),
        (lambda: int(x), "floor"),
        (lambda: [1, 2][x], "index"),
        (lambda: np.array([x, y]), "np.stack"),
        (lambda: v[x], "where"),
        (lambda: len(x), "no length"),
        (lambda: list(x), "cannot be iterated"),
    ],
)
def test_what_an_expression_is_not_names_what_to_use(use, advice):
    with pytest.raises(TypeError, match=advice):
        use()


def test_equality_builds_a_comparison_and_identity_serves_containers():
    assert (x == y).primitive.name == "eq"
    assert {x: 1}[x] == 1
    assert len({x, y, x}) == 2


def test_unknown_operands_are_left_to_python():
    with pytest.raises(TypeError, match="unsupported operand"):
        x + "a"


def test_copies_and_pickles_are_the_node_itself():
    e = sin(x) * constant([1.0, 2.0]) + v[0]
    assert copy.copy(e) is e
    assert copy.deepcopy(e) is e
    assert pickle.loads(pickle.dumps(e)) is e


def test_a_made_input_comes_out_of_a_pickle_as_a_new_one():
    t = fresh("tangent")
    other = pickle.loads(pickle.dumps(t * 2))
    assert other is not t * 2


def test_a_chain_of_100000_nodes_is_an_ordinary_expression():
    e = x
    for _ in range(100_000):
        e = sin(e)
    assert len(postorder([e])) == 100_001
    assert rebuild([e], {x: y})[0].shape == ()
    assert pickle.loads(pickle.dumps(function([x], e))).output is e
    assert len(repr(e)) < 200


def test_expressions_no_longer_used_are_freed():
    gc.collect()
    before = live_nodes()
    e = x
    for k in range(1000):
        e = sin(e) * float(k)
    assert live_nodes() >= before + 2000
    del e
    gc.collect()
    assert live_nodes() <= before


def test_threads_agree_on_one_node():
    made = []
    barrier = threading.Barrier(8)

    def build():
        barrier.wait()
        e = x
        for k in range(300):
            e = sin(e) + 0.125 * k
        made.append(e)

    threads = [threading.Thread(target=build) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len({id(e) for e in made}) == 1


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ShapeError, match=r"add: .*\(3,\) and \(2,\)"):
        v + symbol("u", (2,))


def test_wrong_number_of_arguments_is_named():
    with pytest.raises(TypeError, match="sin takes 1 argument, got 2"):
        sin(x, y)


def test_every_primitive_is_found_by_its_own_name():
    assert all(p.name == name for name, p in PRIMITIVES.items())
    assert {"sin", "where", "einsum", "logsumexp"} <= set(FUNCTIONS) | set(PRIMITIVES)


def test_bool_counts_as_zero_or_one_in_arithmetic():
    assert ((x > 0) * 2.0).args[1].primitive.name in ("real", "constant")
    assert (x > 0).dtype == "bool"
    assert ((x > 0) + (y > 0)).dtype == "real"


def test_expressions_from_another_process_are_ordinary():
    """Their dtype is an equal text, not the same object."""
    data = pickle.dumps(symbol("only_there") * 2.0)
    product = pickle.loads(data)
    assert (product + exp(product) * product).dtype == "real"


@pytest.mark.parametrize("seed", range(8))
def test_a_walk_sees_nodes_in_postorder_and_where_their_arguments_stand(seed):
    draw = np.random.default_rng(seed)
    nodes = [x, y, constant(2.0)]
    for _ in range(200):
        a, b = (nodes[k] for k in draw.integers(len(nodes), size=2))
        nodes.append([a * b, a + b, sin(a), a - a, exp(b)][draw.integers(5)])
    roots = [nodes[k] for k in draw.integers(len(nodes), size=5)] * 2
    seen = walk(roots)
    assert all(a is b for a, b in zip(seen.order, postorder(roots), strict=True))
    assert all(n.primitive is p for n, p in zip(seen.order, seen.primitives, strict=True))
    assert all(seen.order[k] is a for k, a in zip(seen.links, [a for n in seen.order for a in n.args], strict=True))
    assert all(seen.order[k] is r for k, r in zip(seen.ends, roots, strict=True))
    assert seen.scalar


def test_a_walk_over_arrays_and_over_nothing():
    many = concatenate([v * (0.1 * k) for k in range(300)] + [v])
    seen = walk([many, many])
    assert not seen.scalar and all(a is b for a, b in zip(seen.order, postorder([many]), strict=True))
    assert walk([]).order == []

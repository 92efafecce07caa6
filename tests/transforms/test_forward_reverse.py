"""Both modes: agreement, edges, branches, zero times infinity, sizes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffcompare.differentiate import gradient, hessian, jacobian, prepare, value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.arithmetic import abs_, maximum, minimum, sqrt, where
from diffcompare.dsl.composite import logsumexp, norm, softmax
from diffcompare.dsl.composite import max as largest
from diffcompare.dsl.constants import constant
from diffcompare.dsl.core import Expr
from diffcompare.dsl.elementary import asin, exp, expm1, hypot, log, log1p, relu, sigmoid, sin, softplus, tan, tanh
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.structural import concatenate, reshape, stack
from diffcompare.dsl.structural import sum as total
from diffcompare.dsl.walk import postorder
from diffcompare.errors import DiffCompareError
from diffcompare.transforms.forward import jvp, tangents
from diffcompare.transforms.reverse import cotangents, vjp

x, y = symbols("x y")
v = symbol("v", (4,))
MODES = ("ad.forward", "ad.reverse")
NAN, INF = math.nan, math.inf


def _pattern(a):
    a = np.asarray(a, float)
    return np.where(np.isnan(a), "nan", np.where(np.isposinf(a), "+inf", np.where(np.isneginf(a), "-inf", "finite")))


def _both(expr, at, operator=gradient, **options):
    f = function([x, y], expr) if isinstance(expr, Expr) and not expr.shape else expr
    return [np.ravel(np.stack([np.asarray(r) for r in operator(f, method=m, **options)(*at)])) for m in MODES]


@pytest.mark.parametrize("method", MODES)
@pytest.mark.parametrize("engine", ["python", "numpy"])
@pytest.mark.parametrize(
    ("expr", "at", "expected"),
    [
        (sqrt(x) + sqrt(y), (0.0, 1.0), (INF, 0.5)),
        (log(x) + y, (0.0, 1.0), (INF, 1.0)),
        (1 / x + y, (0.0, 1.0), (-INF, 1.0)),
        (asin(x) * y, (1.0, 0.0), (0.0, math.pi / 2)),
        (x * sqrt(y), (0.0, 0.0), (0.0, 0.0)),
        (x**0.5 + y**2, (0.0, 3.0), (INF, 6.0)),
        (log(x) * y, (-1.0, 1.0), (NAN, NAN)),
        (log1p(x) + y, (-2.0, 1.0), (NAN, 1.0)),
        (hypot(x, y), (0.0, 0.0), (0.0, 0.0)),
        (sqrt(x * x + y * y), (0.0, 0.0), (0.0, 0.0)),
        (abs_(x) + relu(y), (0.0, 0.0), (0.0, 0.0)),
        (maximum(x, y), (2.0, 2.0), (0.5, 0.5)),
        (minimum(x, y), (2.0, 3.0), (1.0, 0.0)),
        (maximum(x, 0.0) + y, (0.0, 1.0), (0.5, 1.0)),
        (relu(x) + y, (NAN, 1.0), (NAN, 1.0)),
        (where(x > 0, log(x), y), (-1.0, 2.0), (0.0, 1.0)),
        (where(x > 0, sqrt(x) * log(x) / x, y), (-1.0, 2.0), (0.0, 1.0)),
        (where((x > 0) & (y > 0), log(x * y), x + y), (-1.0, 2.0), (1.0, 1.0)),
    ],
)
def test_edges_follow_the_conventions(method, engine, expr, at, expected):
    result = gradient(function([x, y], expr), method=method, engine=engine)(*at)
    np.testing.assert_array_equal(result, expected)


def test_written_out_norm_at_the_origin_is_the_same_in_both_modes():
    a, b = _both(sqrt(x * x + y * y), (0.0, 0.0))
    np.testing.assert_array_equal(_pattern(a), _pattern(b))


@pytest.mark.parametrize("method", MODES)
def test_a_branch_not_taken_leaks_nothing_to_second_order(method):
    f = function([x, y], where(x > 0, log(x) * sqrt(x), x * x * y))
    h = hessian(f, method=method)(-1.0, 2.0)
    assert (h.x.x, h.x.y, h.y.x, h.y.y) == (4.0, -2.0, -2.0, 0.0)


@pytest.mark.parametrize("method", MODES)
@pytest.mark.parametrize(
    "inner",
    [
        lambda e: total(where(e > 0, log(e), 0.0)),
        lambda e: total(where(reshape(e, (2, 2)) > 0, log(reshape(e, (2, 2))), 0.0)),
        lambda e: total(where(e[::-1] > 0, log(e)[::-1], 0.0)),
        lambda e: where(e[0] > 0, log(e[0]), 0.0) + total(where(e[1:] > 0, sqrt(e[1:]), 0.0)),
        lambda e: total(concatenate([where(e > 0, log(e), 0.0), e])) - total(e),
        lambda e: total(where(stack([e, e]) > 0, log(stack([e, e])), 0.0)) / 2,
    ],
)
def test_guards_pass_through_rearrangements(method, inner):
    at = np.array([-1.0, 2.0, -3.0, 4.0])
    result = gradient(function([v], inner(v)), method=method)(at)
    assert np.isfinite(result).all()
    assert (result[at > 0] > 0).all()


def test_a_scalar_branch_broadcast_over_an_array_keeps_its_guard():
    f = function([x, v], total(where(v > 0, log(x) * v, v)))
    for method in MODES:
        result = gradient(f, method=method)(-1.0, -np.ones(4))
        assert result.x == 0.0


ATOMS = [x, y, 2.0, -1.0, 0.5, 0.0]
UNARY = [exp, sin, tanh, log, sqrt, abs_, relu, sigmoid, softplus, expm1, log1p, asin, tan, lambda e: -e]
BINARY = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / b,
    maximum,
    hypot,
    lambda a, b: where(a < b, a, b * b),
]
expressions = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(UNARY), inner).map(lambda p: p[0](p[1])),
        st.tuples(st.sampled_from(BINARY), inner, inner).map(
            lambda p: p[0](p[1], p[2]) if isinstance(p[1], Expr) or isinstance(p[2], Expr) else x
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(expressions, st.floats(-3, 3), st.floats(-3, 3))
def test_modes_agree_on_random_expressions(e, a, b):
    f = function([x, y], e + 0.0 * x + 0.0 * y)
    forward, reverse = _both(f, (a, b), engine="numpy")
    finite = np.isfinite(forward) & np.isfinite(reverse)
    scale = _sum_of_paths(f, (a, b))
    assert np.all(np.abs(forward[finite] - reverse[finite]) <= 1e-13 * np.maximum(scale, 1e-300)[finite])


def _sum_of_paths(f, at):
    """Σ over paths of |products of partials|: what rounding in either order of summation is relative to."""

    magnitude = {i: np.eye(2)[k] for k, i in enumerate(f.inputs)}
    for node in postorder([f.output]):
        if node in magnitude:
            continue
        total_ = np.zeros(2)
        if node.args and isinstance(node.primitive, Elementwise):
            for k, a in enumerate(node.args):
                one = [constant(1.0) if j == k else None for j in range(len(node.args))]
                t = node.primitive.jvp(node, one)
                if t is not None:
                    with np.errstate(all="ignore"):
                        total_ = total_ + np.nan_to_num(abs(value(function(list(f.inputs), t))(*at)) * magnitude[a], nan=INF)
        magnitude[node] = total_
    return magnitude[f.output]


@pytest.mark.parametrize(
    "at", [(0.0, 1.0), (0.0, 0.0), (-0.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (1.0, 1.0), (INF, 1.0), (NAN, 1.0), (800.0, -800.0)]
)
@pytest.mark.parametrize("outer", UNARY)
@pytest.mark.parametrize("inner", BINARY[:6])
def test_modes_have_the_same_nan_and_infinity_pattern_at_edges(outer, inner, at):
    for f in (function([x, y], outer(x) + outer(y)), function([x, y], inner(outer(x), y)), function([x, y], inner(x, outer(y)))):
        forward, reverse = _both(f, at, engine="numpy")
        np.testing.assert_array_equal(_pattern(forward), _pattern(reverse), err_msg=repr(f))


def test_jvp_and_vjp_are_adjoint_on_arrays():
    rng = np.random.default_rng(0)
    f = function([v, x], softmax(tanh(v) * x) + logsumexp(v) * norm(v) - largest(v) * v[::-1])
    at = rng.normal(size=4), 0.7
    t = rng.normal(size=4), rng.normal()
    c = rng.normal(size=4)
    pushed = prepare(f, "jvp", method="ad.forward")(*at, tangent=t)
    pulled = prepare(f, "vjp", method="ad.reverse")(*at, cotangent=c)
    assert np.dot(c, pushed) == pytest.approx(np.dot(pulled.v, t[0]) + pulled.x * t[1], rel=1e-13)


def test_transforms_apply_to_each_other():
    f = function([x], sin(x) * exp(x))
    second = [
        jvp(jvp(f), ["x"]),
        vjp(jvp(f), ["x"]),
        jvp(vjp(f), ["x"]),
        vjp(vjp(f), ["x"]),
    ]
    truth = 2 * math.cos(0.7) * math.exp(0.7)
    for g in second:
        d = prepare(g, "value")(*([0.7] + [1.0] * (len(g.inputs) - 1)))
        assert d == pytest.approx(truth, rel=1e-15)


def test_no_perturbation_confusion():
    # D(x -> x D(y -> x + y, 1), 1) = 1 (Siskind & Pearlmutter 2005)
    inner = function([x, y], x + y)
    (slope,) = tangents(inner.outputs, {y: constant(1.0)})
    f = function([x], x * slope)
    assert prepare(f, "derivative", method="ad.forward")(1.0) == 1.0


def test_reading_n_entries_one_by_one_costs_n_not_n_squared():
    from diffcompare.transforms.cost import cost

    n = 64
    w = symbol("w", (n,))
    e = w[0] * w[1]
    for k in range(1, n - 1):
        e = e + w[k] * w[k + 1]
    assert cost(gradient(function([w], e)).function).operations < 10 * n


def test_cotangents_of_intermediate_nodes():
    inner = x * y
    (c,) = cotangents([sin(inner) + inner], [function([x], x).output * 0 + 1.0], [inner])
    assert prepare(function([x, y], c), "value")(0.5, 2.0) == pytest.approx(math.cos(1.0) + 1)


def test_named_intermediates_can_be_differentiated_with_respect_to():
    # the article's two layers: y1 = x w1 + b1, y2 = y1 w2 + b2
    w1, b1, w2, b2 = symbols("w1 b1 w2 b2")
    f = function([x, w1, b1, w2, b2], (x * w1 + b1).named("y1") * w2 + b2)
    at = (2.0, 3.0, 1.0, 5.0, 7.0)
    for method in MODES:
        d = gradient(f, wrt=["y1", "w1", "w2"], method=method)
        # dy2/dw1 = dy2/dy1 dy1/dw1: the path through y1 counts beside dy2/dy1 itself
        assert d(*at) == (5.0, 10.0, 7.0)
        assert d(np.full(3, 2.0), *at[1:])["w1"].tolist() == [10.0] * 3
        assert gradient(f, wrt="w1", method=method)(*at) == 10.0
        assert gradient(f, wrt="y1", method=method)(*at) == 5.0


def test_nested_intermediates_count_every_path():
    f = function([x], sin(((x * x).named("a") * 2.0).named("b")) + x)
    for method in ("ad.forward", "ad.reverse", "fd.central", "symbolic"):
        d = gradient(f, wrt=["a", "b", "x"], method=method)(0.5)
        np.testing.assert_allclose(d, [2 * math.cos(0.5), math.cos(0.5), 2 * math.cos(0.5) + 1], rtol=1e-9)
    with pytest.raises(DiffCompareError, match="no input or named intermediate 'c'; inputs: x; named intermediates: a, b"):
        gradient(f, wrt="c")


@pytest.mark.parametrize("method", MODES)
def test_a_chain_of_100000_nodes(method):
    e = x
    for _ in range(50_000):
        e = sin(e) * 1.0000001
    d = prepare(function([x], e), "derivative", method=method, engine="numpy")
    at, truth = 0.5, 1.0
    for _ in range(50_000):
        at, truth = math.sin(at) * 1.0000001, truth * math.cos(at) * 1.0000001
    assert d(0.5) == pytest.approx(truth, rel=1e-10)


def test_jacobian_of_several_outputs_nests_outputs_first():
    f = function([x, v], [x * v, total(v) * x])
    for method in MODES:
        j = jacobian(f, method=method)(2.0, np.arange(4.0))
        assert j[0].x.shape == (4,) and j[0].v.shape == (4, 4) and j[1].v.shape == (4,)
        np.testing.assert_array_equal(j[0].v, 2 * np.eye(4))


def test_zero_size_inputs_give_empty_blocks():
    w = symbol("w", (0,))
    f = function([w, x], total(w * x) + x)
    for method in MODES:
        g = gradient(f, method=method)(np.zeros(0), 2.0)
        assert g.w.shape == (0,) and g.x == 1.0

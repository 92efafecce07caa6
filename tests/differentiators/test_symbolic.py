"""The symbolic family: its formulas against derivatives in 50 digits, every operator, kinks, sizes, planted faults."""

import math
import pickle
import subprocess
import sys
import time
from functools import reduce
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from diffcompare.differentiate import derivative, gradient, hessian, hvp, jacobian, jvp, prepare, value, value_and_gradient, vjp
from diffcompare.differentiators import symbolic as family
from diffcompare.differentiators.base import Operator, Request
from diffcompare.differentiators.symbolic import symbolic
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.arithmetic import abs_, floor, maximum, minimum, sign, sqrt, where
from diffcompare.dsl.composite import Reduction, logsumexp, norm, softmax
from diffcompare.dsl.composite import max as largest
from diffcompare.dsl.composite import min as smallest
from diffcompare.dsl.constants import constant, literal
from diffcompare.dsl.core import CONSTANT, FUNCTIONS
from diffcompare.dsl.elementary import cos, exp, expm1, hypot, log, log1p, relu, sigmoid, sin, softplus, tanh
from diffcompare.dsl.grammar import parse
from diffcompare.dsl.structural import broadcast_value, concatenate, reshape, stack
from diffcompare.dsl.structural import sum as total
from diffcompare.dsl.walk import postorder
from diffcompare.errors import TooLarge
from diffcompare.problems.maps import logistic_map
from diffcompare.problems.optimisation import rosenbrock
from diffcompare.problems.reductions import log_sum_exp, speelpenning
from diffcompare.transforms import sympy as door
from diffcompare.transforms.lower import lower
from diffcompare.transforms.sympy import graph, rules

x, y, z = symbols("x y z")
v, w, m = symbol("v", (3,)), symbol("w", (300,)), symbol("m", (2, 3))
NAN, INF = math.nan, math.inf
AT = {"x": 0.7, "y": -1.3, "z": 2.1, "v": np.array([0.3, -1.2, 0.8]), "m": np.array([[0.5, -0.4, 1.5], [-2.0, 0.25, 0.75]])}

# --- the judge: the graph evaluated in 50 digits, differentiated by mpmath's differences ---

DIGITS = 50
EXACT = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b if b else mpmath.nan,  # only ever in a branch not taken
    "chain_mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "pow": mpmath.power,
    "abs": abs,
    "sign": mpmath.sign,
    "floor": mpmath.floor,
    "maximum": max,
    "minimum": min,
    "where": lambda c, a, b: a if c else b,
    "real": mpmath.mpf,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "logical_and": lambda a, b: a and b,
    "logical_or": lambda a, b: a or b,
    "logical_not": lambda a: not a,
    **{n: getattr(mpmath, n) for n in "sqrt exp expm1 log log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh hypot erf".split()},
}


def _array(a):
    result = np.empty(np.shape(a), dtype=object)
    for at, entry in np.ndenumerate(np.asarray(a, dtype=object)):
        result[at] = mpmath.mpf(entry)
    return result


def exact(outputs, inputs, at):
    """The outputs as arrays of numbers with DIGITS digits."""
    outputs = lower(outputs)
    known = dict(zip(inputs, map(_array, at), strict=True))
    for node in postorder(outputs, stop=known):
        if node in known:
            continue
        args, primitive = [known[a] for a in node.args], node.primitive
        if primitive is CONSTANT:
            known[node] = literal(node) if node.dtype == "bool" else _array(literal(node))
        elif primitive.name == "broadcast":
            known[node] = broadcast_value(args[0], node.args[0].shape, node.shape)
        elif isinstance(primitive, Reduction):
            pick = max if primitive.name == "max" else min
            known[node] = np.asarray(np.apply_along_axis(pick, node.params[0][0], args[0]), dtype=object)
        elif primitive.name in EXACT:
            known[node] = np.asarray(np.frompyfunc(EXACT[primitive.name], len(args), 1)(*args), dtype=object)
        else:
            known[node] = np.asarray(primitive.evaluate(node.params, *args), dtype=object)
    return [known[o] for o in outputs]


def truth(f, at, order=1):
    """The Jacobian of a function of scalars (or its Hessian) in about 20 digits."""
    n = len(f.inputs)

    def entry(k, orders):
        return mpmath.diff(lambda *p: exact(f.outputs, f.inputs, p)[k].item(), tuple(at), tuple(orders))

    unit = np.eye(n, dtype=int)
    if order == 1:
        return [entry(k, unit[j]) for k in range(len(f.outputs)) for j in range(n)]
    return [entry(0, unit[i] + unit[j]) for i in range(n) for j in range(n)]


def assert_exact(f, at, operator=Operator.JACOBIAN):
    """The formulas of the symbolic derivative are the derivative: in 50 digits they agree to 15 (mpmath's differences to 20)."""
    with mpmath.workdps(DIGITS):
        at = [mpmath.mpf(a) for a in at]
        d = symbolic.derive(Request(f, operator, f.inputs)).function
        ours = [o.item() for o in exact(d.outputs, d.inputs, at)]
        theirs = truth(f, at, 2 if operator is Operator.HESSIAN else 1)
        scale = max(1, *(abs(t) for t in theirs))
        assert all(abs(a - b) <= scale * mpmath.mpf(10) ** -15 for a, b in zip(ours, theirs, strict=True)), (ours, theirs)


def _smooth(depth):
    if depth == 0:
        return st.sampled_from([x, y, constant(2.0), constant(0.1), constant(-1.5)])
    below = _smooth(depth - 1)
    two = st.tuples(below, below)
    return st.one_of(
        two.map(lambda p: p[0] + p[1]),
        two.map(lambda p: p[0] - p[1]),
        two.map(lambda p: p[0] * p[1]),
        two.map(lambda p: p[0] / (2.5 + p[1] * p[1])),
        two.map(lambda p: (1.5 + p[0] * p[0]) ** sin(p[1])),
        two.map(lambda p: where(p[0] < p[1], p[0] * p[0], p[1])),
        two.map(lambda p: maximum(*p)),
        two.map(lambda p: minimum(p[0], 0.3) * p[1]),
        two.map(lambda p: hypot(p[0], 1.25 + p[1] * p[1])),
        two.map(lambda p: logsumexp(stack([*p, x]))),
        two.map(lambda p: softmax(stack([*p, y]))[1]),
        two.map(lambda p: norm(stack([*p, constant(0.75)]))),
        two.map(lambda p: largest(stack([*p, constant(0.77)]))),
        below.map(lambda e: e**2),
        below.map(lambda e: e**3),
        below.map(lambda e: exp(sin(e))),
        below.map(lambda e: log(1.25 + e * e)),
        below.map(lambda e: log1p(e * e)),
        below.map(lambda e: sqrt(1.25 + e * e)),
        below.map(lambda e: (1.25 + e * e) ** -1.5),
        *(below.map(f) for f in (sin, cos, tanh, abs_, sigmoid, softplus, relu)),
        below.map(lambda e: expm1(cos(e))),
    )


def _away_from_kinks(e, at):
    """Whether no kink or jump of the expression is near the point: mpmath's differences must not cross one."""
    nearest = []
    for node in postorder(lower([e])):
        if node.primitive.name in ("maximum", "minimum", "lt", "le", "eq", "ne"):
            nearest.append(node.args[0] - node.args[1])
        elif node.primitive.name in ("abs", "sign", "max"):
            row = node.args[0]
            nearest += [row] if not row.shape else [row[i] - row[j] for i in range(len(row)) for j in range(i)]
    with mpmath.workdps(DIGITS):
        return all(abs(a.item()) > 1e-3 for a in exact(nearest, (x, y), at))


@settings(deadline=None, max_examples=100)
@given(_smooth(3), st.sampled_from([(0.7, -1.3), (-0.4, 0.9), (1.6, 1.1)]))
def test_the_formulas_are_the_derivative(e, at):
    assume(_away_from_kinks(e, at))
    assert_exact(function([x, y], [e]), at)


@settings(deadline=None, max_examples=20)
@given(_smooth(2), st.sampled_from([(0.7, -1.3), (-0.4, 0.9)]))
def test_the_formulas_of_second_derivatives_are_the_derivative(e, at):
    assume(_away_from_kinks(e, at))
    assert_exact(function([x, y], e), at, Operator.HESSIAN)


@pytest.mark.parametrize(
    ("table", "name", "planted"),
    [
        (graph.NATIVE, "sin", sympy.sinh),
        (graph.NATIVE, "exp", sympy.sin),
        (graph.NATIVE, "erf", sympy.atan),
    ],
)
def test_a_planted_wrong_slope_is_caught(monkeypatch, table, name, planted):
    f = function([x, y], [FUNCTIONS[name](x * y) + x])
    assert_exact(f, (0.7, -1.3))
    monkeypatch.setitem(table, name, planted)
    rules.slopes.cache_clear()
    rules._partials.cache_clear()
    try:
        with pytest.raises(AssertionError):
            assert_exact(f, (0.7, -1.3))
    finally:
        rules.slopes.cache_clear()
        rules._partials.cache_clear()


def test_a_dropped_term_of_the_product_rule_is_caught(monkeypatch):
    f = function([x, y], [sin(x) * x * y])
    right = rules._rule

    def dropped(node, inner, varying):
        return right(node, inner, varying[:1] if node.is_Mul else varying)

    monkeypatch.setattr(rules, "_rule", dropped)
    with pytest.raises(AssertionError):
        assert_exact(f, (0.7, -1.3))


# --- every operator ---

SCALARS = function([x, y, z], sin(x * y) * exp(z / 3) + log(z) * x**2.5 + 0.1 * y, name="scalars")
ARRAYS = function([v, m, x], logsumexp(m @ v) + norm(v) * x + total(softmax(m, axis=0) * m) + largest(v * x), name="arrays")
SEVERAL = function([v, x], [v * x, stack([sin(v[0] * v[1]), x * x]), v[2] / x], name="several")


def _close(ours, theirs):
    """The same structure of the same numbers, up to the rounding of two evaluations of some ten terms each."""
    if isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            _close(a, b)
        return
    assert np.shape(ours) == np.shape(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=2**-46, atol=2**-50)


@pytest.mark.parametrize("f", [SCALARS, ARRAYS], ids=lambda f: f.name)
@pytest.mark.parametrize("operator", [gradient, jacobian, hessian, value_and_gradient])
@pytest.mark.parametrize("engine", ["python", "numpy"])
def test_operators_agree_with_reverse_mode(f, operator, engine):
    at = {n: AT[n] for n in f.names}
    _close(operator(f, method="symbolic", engine=engine)(**at), operator(f, method="ad.reverse", engine="numpy")(**at))


@pytest.mark.parametrize("f", [SCALARS, ARRAYS, SEVERAL], ids=lambda f: f.name)
def test_products_with_directions_agree_with_reverse_mode(f):
    at = {n: AT[n] for n in f.names}
    tangent = {i.params[0]: np.linspace(-1, 2, i.size).reshape(i.shape) for i in f.inputs}
    cotangent = [np.linspace(0.5, 2, o.size).reshape(o.shape) for o in f.outputs]
    cotangent = cotangent[0] if f.single else cotangent
    _close(jvp(f, method="symbolic")(**at, tangent=tangent), jvp(f, method="ad.reverse")(**at, tangent=tangent))
    _close(vjp(f, method="symbolic")(**at, cotangent=cotangent), vjp(f, method="ad.reverse")(**at, cotangent=cotangent))
    if f.single:
        _close(hvp(f, method="symbolic")(**at, tangent=tangent), hvp(f, method="ad.reverse")(**at, tangent=tangent))


def test_several_outputs_and_some_of_the_inputs():
    at = {n: AT[n] for n in SEVERAL.names}
    for wrt in (None, "x", ["x", "v"]):
        _close(jacobian(SEVERAL, wrt=wrt, method="symbolic")(**at), jacobian(SEVERAL, wrt=wrt, method="ad.reverse")(**at))


def test_derivatives_of_higher_order():
    f = function([x], exp(sin(x)) * x)
    for order in (1, 2, 3, 5):
        d = derivative(f, order=order, method="symbolic")
        with mpmath.workdps(DIGITS):
            theirs = mpmath.diff(lambda t: mpmath.exp(mpmath.sin(t)) * t, mpmath.mpf(0.7), order)
        assert d(0.7) == pytest.approx(float(theirs), rel=2**-48)
    curve = function([x], stack([sin(x), x**3]))
    _close(derivative(curve, order=2, method="symbolic")(0.7), np.array([-math.sin(0.7), 4.2]))


def test_a_hessian_of_three_inputs_is_symmetric_and_named():
    h = hessian(SCALARS, method="symbolic")(0.7, -1.3, 2.1)
    assert h.x.y == h.y.x == pytest.approx(math.exp(0.7) * (math.cos(-0.91) + 0.91 * math.sin(-0.91)), rel=2**-48)
    assert h.y.z == h.z.y


def test_named_intermediates_batches_and_pickles():
    inner = sin(x).named("s")
    f = function([x, y], inner * inner * y)
    assert gradient(f, wrt="s", method="symbolic")(0.5, 3.0) == 2 * math.sin(0.5) * 3.0
    d = gradient(ARRAYS, method="symbolic", engine="numpy")
    batch = np.stack([AT["v"], 2 * AT["v"]])
    result = d(batch, AT["m"], 0.7)
    assert result.v.shape == (2, 3)
    assert result.m.shape == (2, 2, 3)
    np.testing.assert_array_equal(result.v[1], d(2 * AT["v"], AT["m"], 0.7).v)
    again = pickle.loads(pickle.dumps(d))
    np.testing.assert_array_equal(again(batch, AT["m"], 0.7).m, result.m)


def test_arrays_without_entries():
    e = symbol("e", (0,))
    f = function([e, x], total(e) + x * x)
    g = gradient(f, method="symbolic")(np.zeros(0), 3.0)
    assert g.e.shape == (0,)
    assert g.x == 6.0


def test_constant_derivatives_follow_the_batch():
    d = gradient(function([x, y], 3 * x + y), method="symbolic", engine="numpy")
    np.testing.assert_array_equal(d(np.zeros(4), 1.0).x, np.full(4, 3.0))


# --- conventions ---


@pytest.mark.parametrize(
    ("e", "at", "expected"),
    [
        (abs_(x) + y, (0.0, 0.0), (0.0, 1.0)),
        (abs_(x) * y, (-2.0, 3.0), (-3.0, 2.0)),
        (sign(x) + floor(y), (0.0, 1.0), (0.0, 0.0)),
        (relu(x) + relu(y), (0.0, 2.0), (0.0, 1.0)),
        (maximum(x, y), (2.0, 2.0), (0.5, 0.5)),
        (minimum(x, y), (2.0, 3.0), (1.0, 0.0)),
        (maximum(x, 0.0) + y, (0.0, 1.0), (0.5, 1.0)),
        (largest(stack([x, y, x])), (1.0, 1.0), (2 / 3, 1 / 3)),
        (smallest(stack([x, y, x])), (1.0, 2.0), (1.0, 0.0)),
        (hypot(x, y), (0.0, 0.0), (0.0, 0.0)),
        (norm(stack([x, y])), (0.0, 0.0), (0.0, 0.0)),
        (norm(stack([x, y])), (3 * 2.0**700, 4 * 2.0**700), (0.6, 0.8)),
        (logsumexp(stack([x, y])), (1000.0, 1000.0), (0.5, 0.5)),
        (sqrt(x) + y, (0.0, 1.0), (INF, 1.0)),
        (log(x) + y, (-1.0, 1.0), (NAN, 1.0)),
        (log(x) + y, (-0.0, 1.0), (INF, 1.0)),
        (log1p(x) + y, (-2.0, 1.0), (NAN, 1.0)),
        (x**1.0 + y**2, (0.0, 0.0), (1.0, 0.0)),
        (x**2 + y**3, (0.0, 0.0), (0.0, 0.0)),
        (x**0.5 + y**1.5, (0.0, 0.0), (INF, 0.0)),
        (x**-1.0 * y, (2.0, 0.0), (-0.0, 0.5)),
        (x**y, (0.0, 2.0), (0.0, 0.0)),
        (x**y, (0.0, 1.0), (1.0, 0.0)),
        (where(x > 0, log(x), y), (-1.0, 2.0), (0.0, 1.0)),
        (where(x > 0, sqrt(x) * log(x) / x, y), (-1.0, 2.0), (0.0, 1.0)),
        (sigmoid(x) + softplus(y), (-800.0, 800.0), (0.0, 1.0)),
        (expm1(x) + log1p(y), (-50.0, 1e-20), (math.exp(-50.0), 1.0)),
    ],
)
@pytest.mark.parametrize("engine", ["python", "numpy"])
def test_conventions_at_kinks_and_edges(e, at, expected, engine):
    np.testing.assert_array_equal(tuple(gradient(function([x, y], e), method="symbolic", engine=engine)(*at)), expected)


def test_second_derivatives_where_evaluation_forms_have_kinks():
    assert derivative(function([x], softplus(x)), order=2, method="symbolic")(0.0) == 0.25
    assert derivative(function([x], abs_(x)), order=2, method="symbolic")(0.0) == 0.0


def test_what_is_sympys_own_is_shown_as_it_is():
    d = derivative(function([x], FUNCTIONS["erf"](x)), method="symbolic")
    with mpmath.workdps(DIGITS):
        theirs = float(mpmath.diff(mpmath.erf, mpmath.mpf(5.3)))
    assert 2**-52 < abs(d(5.3) / theirs - 1) < 2**-46  # exp(-x**2) rounds x**2; the row's slope does not


@pytest.mark.parametrize(
    ("formula", "at"),
    [
        (sqrt(x * x + y * y), (0.0, 0.0)),
        (sqrt(x * y), (0.0, 0.0)),
        (sqrt(x**3) + y, (0.0, 1.0)),
        (exp(sqrt(x**2)) * y, (0.0, 2.0)),
        (FUNCTIONS["asin"](FUNCTIONS["cos"](x)) + y, (0.0, 1.0)),
        (FUNCTIONS["cbrt"](x**2) + sqrt(y**2), (0.0, 0.0)),
    ],
    ids=str,
)
def test_an_inner_derivative_of_exactly_zero_wins_over_an_infinite_slope(formula: Any, at: tuple[float, float]) -> None:
    f = function([x, y], formula)
    assert tuple(gradient(f, method="symbolic")(*at)) == tuple(gradient(f, method="ad.reverse")(*at))


ENDS = "sqrt({0}) cbrt({0}) ({0})**0.5 ({0})**1.5 ({0})**y asin(1-({0})) asech(1-({0})) asec(1+({0}))".split()
INNER = ["x", "x*y", "x**2", "x**2+y**2", "x*y**2", "x-y", "abs(x)", "sin(x)"]
AROUND = ["{0}", "x*{0}", "{0}*{0}", "x**3*{0}", "exp({0})", "x/(y+{0})", "1/(1+{0})", "x/({0})", "where(x>0, {0}, 0)"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("operator", [gradient, hessian])
def test_an_exact_zero_wins_over_infinity_in_products_as_in_reverse_mode(end: str, operator: Any) -> None:
    for around, inner in product(AROUND, INNER):
        f = parse(around.format(end.format(inner)))
        ours, theirs = (operator(f, method=m, engine="numpy") for m in ("symbolic", "ad.reverse"))
        for at in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (1.0, 1.0)]:
            point = {n: v for n, v in zip("xy", at, strict=True) if n in f.names}
            if math.isfinite(value(f)(**point)):
                a, b = (np.array(d(**point)) for d in (ours, theirs))
                # of two mirrored entries reverse mode may give NaN for one; here they are one formula
                known = ~(np.isnan(b) | np.isnan(b.T))
                np.testing.assert_allclose(a[known], b[known], rtol=1e-12, err_msg=f"{f} at {at}")


def test_an_exact_zero_of_a_direction_wins_over_an_infinite_entry():
    f = function([x, y], sqrt(x) + sqrt(y))
    assert jvp(f, method="symbolic")(0.0, 1.0, tangent={"x": 0.0, "y": 2.0}) == 1.0
    g = function([v], sqrt(v))
    np.testing.assert_array_equal(jvp(g, method="symbolic")(np.zeros(3), tangent=np.array([0.0, 1.0, 0.0])), [0.0, INF, 0.0])
    np.testing.assert_array_equal(vjp(g, method="symbolic")(np.zeros(3), cotangent=np.array([0.0, 1.0, 0.0])), [0.0, INF, 0.0])


# --- sizes ---


@pytest.mark.parametrize(
    ("f", "operator", "text"),
    [
        (logistic_map(n=512).function, "derivative", r"1533 scalar operations nested 1022 deep"),
        (
            log_sum_exp(n=1000).function,
            "gradient",
            r"gradient of 1000 entries takes SymPy at least 1005000 steps; .* use ad.forward or ad.reverse",
        ),
        (log_sum_exp(n=100_000).function, "hessian", r"99999 scalar operations"),
        (speelpenning(n=1000).function, "gradient", r"999 scalar operations"),
        (rosenbrock(n=1000).function, "hessian", r"hessian of 1000000 entries"),
        (function([w], sin(w)), "jacobian", r"jacobian of 90000 entries .* limits are 10000, 100 and 200000"),
        (function([x], reduce(lambda e, _: sin(e), range(101), x)), "derivative", r"101 scalar operations nested 101 deep"),
        (function([x], reduce(lambda e, _: sin(e) + e, range(100_000), x)), "derivative", r"200000 scalar operations nested 200000 deep"),
    ],
    ids=["logistic_map", "log_sum_exp", "log_sum_exp hessian", "speelpenning", "rosenbrock", "jacobian", "depth", "chain"],
)
def test_large_functions_are_refused_before_sympy_is_called(monkeypatch, f, operator, text):
    def never(*args):
        raise AssertionError("SymPy was called")

    monkeypatch.setattr(door, "to_sympy", never)
    start = time.process_time()
    with pytest.raises(TooLarge, match=f"symbolic: .*{text}"):
        prepare(f, operator, method="symbolic", engine="numpy")
    assert time.process_time() - start < 10  # one to two seconds for 200,000 operations; differentiating them would take hours


def test_products_of_many_factors_are_refused_as_their_terms_come():
    with pytest.raises(TooLarge, match="differentiating logistic_map takes SymPy more than 200000 steps"):
        prepare(logistic_map(n=51).function, "hessian", method="symbolic", engine="numpy")


@pytest.mark.parametrize("n", [9, 51])
def test_the_largest_logistic_maps(n):
    problem = logistic_map(n=n)
    at = 0.75
    d = derivative(problem.function, method="symbolic")
    assert d(at) == pytest.approx((-2.0) ** (n - 1), rel=2**-46 * n)


def test_long_sums_and_products_are_one_level():
    f = function([x, y], reduce(lambda e, k: e + x * (y + k), range(300), x))
    _close(gradient(f, method="symbolic")(0.7, -1.3), gradient(f, method="ad.reverse")(0.7, -1.3))


def test_too_little_stack_is_said_so():
    f = function([x], reduce(lambda e, _: sin(e) * cos(e), range(50), x))

    def deep(n):
        return prepare(f, "derivative", method="symbolic", engine="python") if n == 0 else deep(n - 1)

    limit = sys.getrecursionlimit()
    depth = len(_frames())
    with pytest.raises((TooLarge, RecursionError)) as caught:
        deep(limit - depth - 40)
    assert isinstance(caught.value, TooLarge)
    assert "called from deep within a program" in str(caught.value)
    assert sys.getrecursionlimit() == limit


def _frames():
    frame, found = sys._getframe(), []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found


def test_the_graph_shares_what_the_formulas_repeat():
    d = derivative(logistic_map(n=9).function, method="symbolic", engine="numpy")
    assert door.swell(logistic_map(n=9).function)["derivative"] == 13824
    assert d.cost.operations < 300


def test_blocks_of_whole_arrays_use_the_array_itself():
    f = symbolic.derive(Request(function([v], logsumexp(v)), Operator.GRADIENT, (v,))).function
    assert softmax(v) in set(postorder(f.outputs))


# --- nothing else is loaded or changed ---


def test_sympy_is_loaded_only_when_it_derives():
    code = (
        "import sys; from diffcompare.differentiators.symbolic import symbolic; from diffcompare.dsl import function, symbol; "
        "from diffcompare.differentiators.base import Operator, Request; from diffcompare.errors import TooLarge; "
        "x = symbol('x', (100_000,)); f = function([x], x.sum() ** 2)\n"
        "try: symbolic.derive(Request(f, Operator.GRADIENT, (x,)))\n"
        "except TooLarge: pass\n"
        "print('sympy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert ran.stdout.strip() == "False"


def test_limits_have_their_reasons_beside_them():
    assert (family.DEPTH, family.OPERATIONS, family.STEPS) == (100, 10_000, 200_000)


def test_concatenated_and_reshaped_blocks():
    f = function([m, x], reshape(concatenate([m, m * x], axis=0), (2, 6)))
    at = {"m": AT["m"], "x": 0.7}
    _close(jacobian(f, method="symbolic")(**at), jacobian(f, method="ad.reverse")(**at))

"""The door to SymPy: both directions, constants bit for bit, domains, SymPy's own derivatives, the swell of formulas."""

import math
import time

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy.core.parameters import distribute

from diffcompare.differentiate import value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.arithmetic import abs_, floor, maximum, minimum, sign, sqrt, where
from diffcompare.dsl.composite import logsumexp, norm, softmax
from diffcompare.dsl.composite import max as largest
from diffcompare.dsl.constants import constant
from diffcompare.dsl.contraction import einsum
from diffcompare.dsl.core import BOOL, CONSTANT, PRIMITIVES, Expr, fresh, input_
from diffcompare.dsl.custom import primitive
from diffcompare.dsl.elementary import erf, exp, log, sin, tanh
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.function import Function
from diffcompare.dsl.structural import stack
from diffcompare.dsl.structural import sum as total
from diffcompare.dsl.walk import postorder
from diffcompare.errors import TooLarge, Unsupported
from diffcompare.problems.maps import logistic_map
from diffcompare.transforms.sympy import Work, differentiate, from_sympy, swell, to_sympy
from diffcompare.transforms.sympy.graph import NATIVE
from diffcompare.transforms.sympy.rules import slopes
from diffcompare.transforms.sympy.terms import nodes, number, opaque

x, y = symbols("x y")
NAN, INF = math.nan, math.inf
ROWS = [p for p in PRIMITIVES.values() if isinstance(p, Elementwise)]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda p: p.name)


def _round_trip(*outputs: Expr, inputs=(x, y)) -> list[Expr]:
    entries, expressions = to_sympy(Function("f", inputs, outputs, False))
    return from_sympy(expressions, entries, inputs)


# --- there and back ---


@every_row
def test_every_row_comes_back_as_the_same_node(row):
    arguments = [input_(f"a{k}", (), BOOL if row.takes_bool and k == 0 else "real") for k in range(row.arity)]
    node = row(*arguments)
    (back,) = _round_trip(node, inputs=arguments)
    assert back is node


def _integers(depth):
    """Expressions that are exact on small integers in whatever order they are evaluated."""
    if depth == 0:
        return st.sampled_from([x, y, constant(2.0), constant(-1.0), constant(3.0)])
    below = _integers(depth - 1)
    two = st.tuples(below, below)
    return st.one_of(
        below,
        two.map(lambda p: p[0] + p[1]),
        two.map(lambda p: p[0] - p[1]),
        two.map(lambda p: p[0] * p[1]),
        two.map(lambda p: maximum(*p)),
        two.map(lambda p: minimum(*p)),
        two.map(lambda p: where(p[0] < p[1], p[0], p[1] * p[1])),
        below.map(lambda e: -e),
        below.map(lambda e: e**2),
        below.map(lambda e: e / 4 * 4),
        below.map(abs_),
        below.map(lambda e: floor(e / 2)),
        below.map(sign),
    )


@settings(deadline=None, max_examples=150)
@given(_integers(3))
def test_a_round_trip_keeps_every_value(e):
    (back,) = _round_trip(e)
    at = np.array([-3.0, -1.0, 0.0, 1.0, 2.0]), np.array([2.0, 0.0, -2.0, 1.0, 2.0])
    before, after = (np.broadcast_to(value(function([x, y], f), engine="numpy")(*at), (5,)) for f in (e, back))
    assert before.tolist() == after.tolist()


@pytest.mark.parametrize(
    "bits",
    [0.1, 0.1 + 0.2, 1e-320, 5e-324, -0.0, 0.0, 1.7976931348623157e308, 2.0**53 + 2, 1 / 3, 1024.25, math.pi, INF, -INF, NAN],
)
def test_constants_come_back_bit_for_bit(bits):
    assert from_sympy([number(bits)], [], [])[0] is constant(bits)
    for e in (maximum(x, bits), where(x < y, x, bits), sqrt(x * constant(bits)), x + exp(y + constant(bits))):
        (back,) = _round_trip(e)
        found = [n.params[0] for n in postorder([back]) if n.primitive is CONSTANT]
        assert found == [n.params[0] for n in postorder([e]) if n.primitive is CONSTANT]


def test_a_nan_keeps_its_payload_and_a_bool_its_type():
    payload = np.array([0x7FF8000000000123], dtype=np.uint64).view(np.float64)[0].item()
    a, b = from_sympy([number(payload), number(True)], [], [])
    assert a is constant(payload)
    assert b is constant(True)


def test_constants_are_neither_merged_nor_rounded():
    _, (e,) = to_sympy(function([x], 0.1 * x + 0.2 * x + 0.1))
    assert len(e.args) == 3
    (d,) = differentiate([e], sympy.Symbol("x", real=True))
    (back,) = from_sympy([d], [], [])
    assert value(function([x], back + 0.0 * x))(1.0) == 0.1 + 0.2


def test_inputs_made_by_a_transform_do_not_meet_a_users_of_the_same_name():
    other = fresh("x")
    entries, (e,) = to_sympy(Function("f", [x, other], [x - other], True))
    assert len(set(entries)) == 2
    assert e != 0


def test_entries_of_arrays_are_symbols_in_row_major_order():
    m = symbol("m", (2, 2))
    entries, expressions = to_sympy(function([m, x], [m.T, x * total(m)]))
    assert [str(e) for e in entries] == ["m[0, 0]", "m[0, 1]", "m[1, 0]", "m[1, 1]", "x"]
    assert expressions[:4] == [entries[0], entries[2], entries[1], entries[3]]
    assert expressions[4] == entries[4] * sympy.Add(*entries[:4])


def test_contractions_and_reductions_are_entries_of_the_arrays():
    m, v = symbol("m", (2, 3)), symbol("v", (3,))
    entries, (a, b, c) = to_sympy(function([m, v], [einsum("ij,j->i", m, v), logsumexp(v)]))
    assert a == sum(entries[j] * entries[6 + j] for j in range(3))
    assert b == sum(entries[3 + j] * entries[6 + j] for j in range(3))
    assert c.func is opaque(PRIMITIVES["logsumexp"])
    (back,) = from_sympy([c], entries, [*m.reshape(-1), *v])
    assert back is logsumexp(v)


def test_what_sympy_makes_of_numbers_and_roots_comes_back():
    t = sympy.Symbol("t", real=True)
    for e, at, expected in [
        (sympy.sqrt(t), 2.0, math.sqrt(2.0)),
        (1 / sympy.sqrt(t), 2.0, 1 / math.sqrt(2.0)),
        (t**-1, 3.0, 1 / 3),
        (t**-2, 3.0, 1 / 3 / 3),
        (sympy.Rational(2, 3) * t, 5.0, 10 / 3),
        (sympy.Rational(-1, 3) * t, 5.0, -5 / 3),
        (t + sympy.pi, 0.0, math.pi),
        (t + sympy.E, 0.0, math.e),
        (t + sympy.Float(0.1), 0.0, 0.1),
        (sympy.exp(t) + sympy.Abs(t), 1.0, math.e + 1.0),
        (t ** sympy.Rational(5, 2), 4.0, 32.0),
        (1 - t, 0.25, 0.75),
        (-t - 1, 0.25, -1.25),
    ]:
        (back,) = from_sympy([e], [t], [x])
        assert value(function([x], back))(at) == expected, e


def test_what_has_no_counterpart_is_refused_by_name():
    t = sympy.Symbol("t", real=True)
    with pytest.raises(Unsupported, match="besselj has no counterpart"):
        from_sympy([sympy.besselj(0, t)], [t], [x])
    with pytest.raises(Unsupported, match="'nothing_of_the_kind', which is no function of the DSL"):
        to_sympy(function([x], Elementwise("odd_form", sympy=lambda sp, a: sp.nothing_of_the_kind(a))(x)))


def test_shared_expressions_stay_shared():
    e = x
    for _ in range(40):
        e = sin(e) * e
    (back,) = _round_trip(e)
    assert len(postorder([back])) <= 3 * len(postorder([e]))


# --- domains ---

OUTSIDE = [
    (exp(log(x)), -1.0),
    (log(exp(x)) + log(x), -1.0),
    (x / x, 0.0),
    (x * (1 / x), 0.0),
    (0.0 * log(x), -1.0),
    (log(x) - log(x), -1.0),
    (2.0 * log(x) - log(x) - log(x) + x, -1.0),
    (sqrt(x) * sqrt(x), -1.0),
    (sqrt(x) ** 2, -1.0),
    (x**0.5 * x**0.5, -1.0),
    (x**2.5 / x**2.5, -1.0),
    (1 / x - 1 / x, 0.0),
    (sin(PRIMITIVES["asin"](x)), 2.0),
    (tanh(PRIMITIVES["atanh"](x)) if "atanh" in PRIMITIVES else log(x), -2.0),
]


@pytest.mark.parametrize(("e", "at"), OUTSIDE, ids=[str(k) for k in range(len(OUTSIDE))])
def test_a_function_and_its_derivative_stay_undefined_where_the_function_is(e, at):
    entries, expressions = to_sympy(function([x], e))
    for results in (expressions, differentiate(expressions, entries[0])):
        (back,) = from_sympy(results, entries, [x])
        assert math.isnan(value(function([x], back), engine="numpy")(at))


@every_row
def test_slopes_are_nan_outside_the_domain_of_the_row(row):
    outside = [(k, p) for k, d in enumerate(row.domain) for p in (d.lo - 1.0, d.hi + 1.0) if math.isfinite(p) and row.partials is not None]
    arguments = symbols([f"a{k}" for k in range(row.arity)])
    for k, p in outside:
        if row.arity > 1 and row.name in ("div", "pow", "pow_slope", "pow_less_1", "pow_less_2", "pow_log", "pow_log_2"):
            continue  # defined for negative arguments with some others
        entries, expressions = to_sympy(function(arguments, row(*arguments)))
        for symbol_ in entries:
            (back,) = from_sympy(differentiate(expressions, symbol_), entries, arguments)
            at = [p if j == k else 0.5 for j in range(row.arity)]
            assert math.isnan(value(Function("d", arguments, [back], True), engine="numpy")(*at)), (row.name, at)


def test_absolute_values_are_not_made_of_squares():
    _, (e,) = to_sympy(function([x], sqrt(x**2)))
    assert e.func is opaque(PRIMITIVES["sqrt"])


def test_a_number_is_not_distributed_over_a_sum():
    entries, expressions = to_sympy(function([x], 1.5 * (1 - x) ** 2))
    (back,) = from_sympy(differentiate(expressions, entries[0]), entries, [x])
    near = 1.0 + 2.0**-50
    assert value(function([x], back))(near) == 3.0 * 2.0**-50


def test_a_tower_of_powers_is_left_alone():
    start = time.process_time()
    tower = PRIMITIVES["pow"](9.0, PRIMITIVES["pow"](9.0, PRIMITIVES["pow"](9.0, x * 0.0 + 9.0)))
    entries, expressions = to_sympy(function([x], tower))
    differentiate(expressions, entries[0])
    assert time.process_time() - start < 10


# --- SymPy's own differentiation ---


def _smooth(depth):
    if depth == 0:
        return st.sampled_from([x, y, constant(2.0), constant(0.1), constant(-1.5)])
    below = _smooth(depth - 1)
    two = st.tuples(below, below)
    return st.one_of(
        below,
        two.map(lambda p: p[0] + p[1]),
        two.map(lambda p: p[0] - p[1]),
        two.map(lambda p: p[0] * p[1]),
        two.map(lambda p: p[0] / p[1]),
        two.map(lambda p: p[0] ** p[1]),
        two.map(lambda p: where(p[0] < p[1], *p)),
        two.map(lambda p: norm(stack(p))),
        two.map(lambda p: softmax(stack([*p, x]))[0]),
        below.map(lambda e: e**3),
        below.map(lambda e: e**-0.5),
        *(below.map(f) for f in (sin, exp, log, tanh, sqrt, erf, abs_)),
    )


@settings(deadline=None, max_examples=150)
@given(_smooth(3))
def test_differentiation_gives_what_sympys_diff_gives(e):
    entries, expressions = to_sympy(function([x, y], e))
    for s in entries:
        with distribute(False):
            (ours,), theirs = differentiate(expressions, s), expressions[0].diff(s)
            # f - f that keeps the domain of f is kept here, while SymPy's diff collects its derivative to 0
            assert ours == theirs or sympy.expand(_plain(ours) - _plain(theirs)) == 0


def _plain(e):
    """With SymPy's own products where an exact zero wins over infinity."""
    return e.replace(opaque(PRIMITIVES["chain_mul"]), lambda a, b: a * b)


@pytest.mark.parametrize("name", sorted(set(NATIVE) & {p.name for p in ROWS}))
def test_native_slopes_are_sympys(name):
    t = sympy.Symbol("t", real=True)
    (slope,) = slopes(opaque(PRIMITIVES[name])(t))
    (back,) = from_sympy([slope], [t], [x])
    at = 1.25 if name == "acosh" else 0.375
    theirs = float(NATIVE[name](t).diff(t).subs(t, sympy.Rational(at)).evalf(30))
    assert value(function([x], back))(at) == pytest.approx(theirs, rel=2**-50)


def test_deeper_than_sympys_diff_can_go():
    e = x
    for _ in range(150):
        e = sin(e)
    entries, expressions = to_sympy(function([x], e))
    with pytest.raises(RecursionError):
        expressions[0].diff(entries[0])
    (back,) = from_sympy(differentiate(expressions, entries[0]), entries, [x])
    assert len(postorder([back])) == 1 + 149 + 150 + 149  # x, the sines but the outermost, the cosines, their products


def test_work_is_counted_and_limited():
    entries, expressions = to_sympy(function([x], sin(x) * exp(x) * x))
    work = Work("f", 9)
    with pytest.raises(TooLarge, match="differentiating f takes SymPy more than 9 steps"):
        differentiate(expressions, entries[0], work)
    assert work.done == 11  # sin, exp, and three factors that vary of three


# --- a user's rows ---


def test_a_users_row_without_a_form_is_differentiated_by_its_partials():
    cube = primitive("cube_of_a_user", lambda a: a * a * a, lambda a: 3 * a * a)
    entries, expressions = to_sympy(function([x], cube(2 * x)))
    (back,) = from_sympy(differentiate(expressions, entries[0]), entries, [x])
    assert value(function([x], back))(1.5) == 6 * 9.0


def test_a_users_form_in_sympys_own_functions():
    row = Elementwise("own_form", sympy=lambda sp, a: sympy.besselj(0, a))
    entries, expressions = to_sympy(function([x], row(x)))
    assert differentiate(expressions, entries[0]) == [-sympy.besselj(1, entries[0])]
    power = Elementwise("own_power", 2, sympy=lambda sp, a, b: a**b)
    entries, expressions = to_sympy(function([x, y], power(x, y)))
    with pytest.raises(Unsupported, match=r"made Pow x\*\*y, which has no rule here"):
        differentiate(expressions, entries[0])


# --- the swell ---


def test_the_surveys_table_of_expression_swell():
    table = [swell(logistic_map(n=n + 1).function) for n in range(1, 9)]
    assert [row["function"] for row in table[:7]] == [3, 8, 18, 38, 78, 158, 318]
    assert [row["derivative"] for row in table] == [2, 21, 82, 264, 768, 2096, 5472, 13824]
    assert [row["cse"] for row in table] == [2, 12, 27, 45, 67, 93, 123, 157]
    assert [row["temporaries"] for row in table] == [0, 3, 8, 14, 20, 27, 35, 44]
    assert [row["nodes"] for row in table] == [2, 10, 17, 25, 34, 44, 55, 67]


def test_the_swell_of_functions_and_of_gradients():
    assert swell(function([x, y], x * y))["derivative"] == 0
    counts = swell(function([x], PRIMITIVES["sigmoid"](x) + abs_(x) + x**2.5 + largest_of(x)))
    assert counts["function"] > 0


def largest_of(e):
    return maximum(e, 1.0)


def test_swell_refuses_what_it_cannot_count():
    with pytest.raises(TooLarge, match=r"has 49149 operations; the limit is 5000"):
        swell(logistic_map(n=15).function)
    with pytest.raises(Unsupported, match="f has arrays; scalarize it first"):
        swell(function([symbol("v", (2,))], largest(symbol("v", (2,)))))
    with pytest.raises(Unsupported, match="SymPy has no hypot"):
        swell(function([x], PRIMITIVES["hypot"](x, 1.0)))


def test_nothing_of_sympys_is_changed():
    before = dict(sympy.core.parameters.global_parameters.__dict__)
    entries, expressions = to_sympy(function([x], sin(x) * (1 - x)))
    differentiate(expressions, entries[0])
    assert dict(sympy.core.parameters.global_parameters.__dict__) == before
    assert all(n.is_commutative for n in nodes(expressions))

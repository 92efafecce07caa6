"""Expressions to text, short forms, LaTeX and drawings; text parses back to the very node."""

import math
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.arithmetic import eq, le, logical_and, logical_not, logical_or, lt, where
from diffcompare.dsl.constants import constant
from diffcompare.dsl.core import CONSTANT, FUNCTIONS, PRIMITIVES, fresh
from diffcompare.dsl.elementary import exp, log, sin
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.grammar import parse
from diffcompare.dsl.latex import symbol_latex
from diffcompare.dsl.show import EXPANDED, WIDTH, brief, dot, latex, text
from diffcompare.dsl.walk import free_inputs, postorder
from diffcompare.errors import ParseError

a, b, c, x, y = symbols("a b c x y")
w = symbol("w", (3,))
A = symbol("A", (2, 3))


# --- text ---


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (x, "x"),
        (x**2 * y + y + 2, "x**2*y + y + 2"),
        (a - (b - c), "a - (b - c)"),
        (a - b - c, "a - b - c"),
        (a + (b + c), "a + (b + c)"),
        (a / (b / c), "a/(b/c)"),
        (a * (b * c), "a*(b*c)"),
        (a / b * c, "a/b*c"),
        ((a**b) ** c, "(a**b)**c"),
        (a ** (b**c), "a**b**c"),
        (-(x**2), "-x**2"),
        ((-x) ** 2, "(-x)**2"),
        (constant(-2.0) ** x, "(-2)**x"),
        (x ** constant(-2.0), "x**-2"),
        (2 ** (-x), "2**(-x)"),
        (-a * b, "-a*b"),
        (-(a * b), "-(a*b)"),
        (a * -b, "a*(-b)"),
        (a - (-b), "a - (-b)"),
        (a - constant(-2.0), "a - (-2)"),
        (constant(-2.0) * x, "-2*x"),
        ((a + b) * c, "(a + b)*c"),
        (lt(a + b, c), "a + b < c"),
        (where(le(x, 0.0), -x, x), "where(x <= 0, -x, x)"),
        (lt(x, y) + 1, "real(x < y) + 1"),
        (logical_or(lt(x, y), True), "logical_or(x < y, True)"),
        (constant(0.1) * x, "0.1*x"),
        (constant(1e22) * x, "1e+22*x"),
        (x + constant(-0.0) * y, "x + -0.0*y"),
    ],
)
def test_text_has_the_brackets_it_needs_and_no_more(expression, expected):
    assert text(expression) == expected
    assert str(expression) == expected
    assert parse(text(expression)).output is expression


@pytest.mark.parametrize("value", [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, -1 / 3, 1e16, 2.0**53, 123456789.125])
def test_constants_come_back_bit_for_bit(value):
    assert parse(text(constant(value))).output is constant(value)
    assert parse(text(x * constant(value) + 1)).output is x * constant(value) + 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_constants_that_are_not_finite_are_shown_and_do_not_parse(value):
    shown = text(constant(value))
    assert shown == repr(value)
    with pytest.raises(ParseError, match="not a finite number"):
        parse(shown)


SCALAR = sorted((p for p in PRIMITIVES.values() if isinstance(p, Elementwise)), key=lambda p: p.name)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0, math.pi])


@st.composite
def expressions(draw):
    """A random scalar expression with sharing: each step applies a primitive to earlier values."""
    values = [*symbols("x y theta_1 gamma t1 lambda"), constant(draw(numbers)), constant(draw(st.booleans()))]
    for _ in range(draw(st.integers(0, 25))):
        primitive = draw(st.sampled_from(SCALAR + [PRIMITIVES[n] for n in ("add", "sub", "mul", "div", "neg", "pow")] * 4))
        arguments = [values[-draw(st.integers(1, len(values)))] for _ in range(primitive.arity)]
        values.append(primitive(*arguments))
        if draw(st.booleans()):
            values.append(constant(draw(numbers)))
    return values[-1]


def finite(node):
    return all(math.isfinite(n.params[0].value) for n in postorder([node]) if n.primitive is CONSTANT)


@given(expressions().filter(finite))
@settings(max_examples=1000, deadline=None)
def test_text_parses_to_the_very_node(expression):
    shown = text(expression)
    assert shown.isascii()
    assert parse(shown).output is expression


@given(expressions(), st.integers(1, 30))
@settings(max_examples=200, deadline=None)
def test_shared_text_parses_to_the_very_node(expression, doublings):
    """Beyond EXPANDED terms the shared parts are defined first."""
    for k in range(doublings):
        expression = expression * expression if k % 2 else sin(expression) - expression
    shown = text(expression)
    assert len(shown) < 50_000
    if finite(expression):
        assert parse(shown).output is expression


def test_shared_parts_are_defined_first_under_free_names():
    node = symbol("t1") + y
    for _ in range(10):
        node = node * node
    lines = text(node).splitlines()
    assert lines[0] == "t2 = t1 + y;"
    assert lines[1] == "t3 = t2*t2;"
    assert lines[-1] == "t11*t11"
    assert parse(text(node)).output is node


def test_a_long_chain_is_written_and_read():
    node = x
    for _ in range(50_000):
        node = sin(node) + y
    assert parse(text(node)).output is node


def test_names_that_are_constants_parse_when_declared():
    f = function(list(symbols("e pi True")), sum(symbols("e pi True")))
    assert parse(text(f), inputs=f.names).output is f.output


def test_what_transforms_make_cannot_be_spelled():
    assert text(fresh("tangent_x") * x) == "tangent_x'*x"
    with pytest.raises(ParseError, match="quotes and primes"):
        parse(text(fresh("tangent_x") * x))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (2 * w, "2*w"),
        (w + np.arange(3.0), "w + [0.0, 1.0, 2.0]"),
        (w + np.zeros((100, 3)), "w + array(0, 0, 0, ..., shape=(100, 3))"),
        (w[0] * w[-1], "w[0]*w[2]"),
        (w[::2], "w[:3:2]"),
        (w[::-1], "w[2::-1]"),
        (A[1], "A[1]"),
        (A[:, 1], "A[:, 1]"),
        (A[:, [2, 0, 1]], "A[:, [2, 0, 1]]"),
        (A.T, "A.T"),
        (A @ w, "einsum('ij,j->i', A, w)"),
        (w.sum(), "sum(w)"),
        (A.sum(axis=1), "sum(A, axis=-1)"),
        (A.max(), "max(A)"),
        (A.reshape(6), "reshape(A, (6,))"),
        (FUNCTIONS["stack"]([x, y]), "stack([x, y])"),
        (FUNCTIONS["stack"]([w, w], axis=1), "stack([w, w], axis=1)"),
        (FUNCTIONS["concatenate"]([w, w]), "concatenate([w, w], axis=-1)"),
        (FUNCTIONS["broadcast"](x, (3,)), "broadcast(x, (3,))"),
        (FUNCTIONS["softmax"](w), "softmax(w, (-1,))"),
        ((x * y).named("u"), "named(x*y, 'u')"),
    ],
)
def test_array_operations_are_readable(expression, expected):
    assert text(expression) == expected


def test_a_function_shows_its_outputs():
    assert text(function([x, y], x * y)) == "x*y"
    assert text(function([x, y], [x * y, x + y], name="g")) == "g[0] = x*y\ng[1] = x + y"
    assert str(function([x, y], x * y)) == "x*y"


# --- short forms ---


def test_repr_is_short():
    assert repr(x * y + 1) == "x*y + 1"
    assert repr(function([x, y], x * y, name="g")) == "Function(g(x, y) = x*y)"
    assert repr(function([x, y], [x * y, x], name="g")) == "Function(g(x, y) = (x*y, x))"


def chain(count):
    node = x
    for _ in range(count):
        node = node * y + 1
    return node


def doubled(count):
    node = x
    for _ in range(count):
        node = sin(node) * node
    return node


@pytest.mark.parametrize(
    "big",
    [
        chain(100_000),
        doubled(1000),
        sum(symbols([f"x{i}" for i in range(5000)])),
        symbol("x" * 1000),
        w + np.ones((1000, 3)),
        constant(np.ones(10_000)),
    ],
    ids=["deep", "shared", "wide", "name", "broadcast", "array"],
)
def test_a_short_form_costs_nothing_however_large_the_graph(big):
    f = function(free_inputs([big]), [big] * 50)
    start = time.process_time()
    for _ in range(10):
        assert len(brief(big)) <= WIDTH
        assert len(brief(f)) <= WIDTH
    assert time.process_time() - start < 1


def test_deep_parts_of_a_short_form_are_left_out():
    assert brief(chain(100)) == "((((... + 1)*y + 1)*y + 1)*y + 1)*y + 1"


# --- LaTeX ---


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (x**2 * y + y + 2, r"x^{2} \, y + y + 2"),
        (x / (1 + y), r"\frac{x}{1 + y}"),
        ((x / y) ** 2, r"(\frac{x}{y})^{2}"),
        (-(x**2), "-x^{2}"),
        ((-x) ** 2, "(-x)^{2}"),
        (x * 2, r"x \cdot 2"),
        (FUNCTIONS["sqrt"](x) * sin(y), r"\sqrt{x} \, \sin\left(y\right)"),
        (exp(-x) * log(y), r"e^{-x} \, \log\left(y\right)"),
        (FUNCTIONS["asin"](x) + FUNCTIONS["erf"](x), r"\arcsin\left(x\right) + \operatorname{erf}\left(x\right)"),
        (abs(x) - FUNCTIONS["floor"](y), r"\left|x\right| - \left\lfloor y\right\rfloor"),
        (2 * constant(math.pi), "6.283185307179586"),
        (x * math.pi, r"x \cdot \pi"),
        (x * 1e-7, r"x \cdot (1 \cdot 10^{-7})"),
        (where(lt(x, y), x, y) + 1, r"(\begin{cases} x & \text{if } x < y \\ y & \text{otherwise} \end{cases}) + 1"),
        (logical_and(le(x, y), logical_not(eq(x, 0.0))), r"x \le y \land \lnot (x = 0)"),
        (x + math.inf, r"x + \infty"),
        (A @ w, r"A \, w"),
        (A.T, r"{A}^{\mathsf{T}}"),
        (w[0] * A[:, 1][0], r"{w}_{0} \, {{A}_{:, 1}}_{0}"),
        (FUNCTIONS["norm"](w), r"\left\lVert w\right\rVert"),
    ],
)
def test_latex(expression, expected):
    assert latex(expression) == expected
    assert expression._repr_latex_() == f"$${expected}$$"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x", "x"),
        ("theta", r"\theta"),
        ("theta_1", r"\theta_{1}"),
        ("x1", "x_{1}"),
        ("k_spring", r"k_{\mathrm{spring}}"),
        ("a_b_2", "a_{b, 2}"),
        ("speed", r"\mathrm{speed}"),
        ("_x", r"\mathrm{\_x}"),
    ],
)
def test_names_in_latex(name, expected):
    assert symbol_latex(name) == expected


def test_latex_of_large_expressions_stays_small():
    assert latex(chain(10_000)) == r"\text{an expression of 20,003 nodes}"
    shown = latex(doubled(20))
    assert shown.startswith(r"\begin{aligned} t_{1} &= \sin\left(x\right) \, x \\ ")
    assert len(shown) < 100 * 20


@given(expressions())
@settings(max_examples=200, deadline=None)
def test_latex_has_balanced_braces(expression):
    shown = latex(expression)
    assert shown.count("{") == shown.count("}")
    assert shown.count(r"\left") == shown.count(r"\right")


# --- drawing ---


def test_dot_has_a_node_for_each_expression_and_an_edge_for_each_argument():
    shown = dot(sin(x) * sin(x) + y)
    assert len(re.findall(r"label=", shown)) == 5
    assert len(re.findall(r"->", shown)) == 5
    assert shown.startswith("digraph {")
    assert shown.endswith("}\n")
    assert 'label="mul"' in shown


def test_dot_escapes_what_graphviz_reads():
    assert r'label="a\"b\\"' in dot(fresh('a"b\\') + 1)


def test_the_bound_for_written_out_text_counts_terms():
    small = doubled(7)
    assert ";" not in text(small)
    assert ";" in text(doubled(10))
    assert EXPANDED == 500

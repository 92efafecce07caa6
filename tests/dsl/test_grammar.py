"""Text to Function: the grammar, the names, the errors, and text that is hostile."""

import math
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffcompare.dsl import core, symbol, symbols
from diffcompare.dsl.aliases import ALIASES, canonical, lookup, nearest
from diffcompare.dsl.arithmetic import eq, le, logical_and, lt, maximum, minimum, ne, where
from diffcompare.dsl.constants import constant, literal
from diffcompare.dsl.core import CONSTANT, FUNCTIONS, PRIMITIVES
from diffcompare.dsl.elementary import atan2, cos, exp, log, sin
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.grammar import LONGEST, parse, scalar_names
from diffcompare.dsl.walk import postorder
from diffcompare.errors import DiffCompareError, ParseError, ShapeError

a, b, c, x, y = symbols("a b c x y")


def answer(text):
    """The Function of a text, or the ParseError that refuses it."""
    try:
        return parse(text)
    except ParseError as caught:
        return caught


def error(text, **options):
    with pytest.raises(ParseError) as caught:
        parse(text, **options)
    return caught.value


# --- structure ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", x),
        (" ( x )\n", x),
        ("x + y", x + y),
        ("a - b - c", (a - b) - c),
        ("a - (b - c)", a - (b - c)),
        ("a/b/c", (a / b) / c),
        ("a/(b/c)", a / (b / c)),
        ("a*b/c*a", ((a * b) / c) * a),
        ("a + b*c", a + b * c),
        ("(a + b)*c", (a + b) * c),
        ("a**b**c", a ** (b**c)),
        ("(a**b)**c", (a**b) ** c),
        ("a^b^c", a ** (b**c)),
        ("-x**2", -(x**2)),
        ("(-x)**2", (-x) ** 2),
        ("2**-x", 2 ** (-x)),
        ("2**-x**2", 2 ** (-(x**2))),
        ("2**-x*y", (2 ** (-x)) * y),
        ("-a*b", (-a) * b),
        ("-(a*b)", -(a * b)),
        ("a*-b", a * (-b)),
        ("a - -b", a - (-b)),
        ("--x", x),
        ("+x - +y", x - y),
        ("x < y", lt(x, y)),
        ("x <= y", le(x, y)),
        ("x > y", lt(y, x)),
        ("x >= y", le(y, x)),
        ("x == y", eq(x, y)),
        ("x != y", ne(x, y)),
        ("x + y < 2*x", lt(x + y, 2 * x)),
        ("where(x < y, x, -y)", where(lt(x, y), x, -y)),
        ("where(logical_and(a < b, b < c), a, b)", where(logical_and(lt(a, b), lt(b, c)), a, b)),
        ("atan2(y, x + 1)", atan2(y, x + 1)),
        ("sin(cos(x)) (", None),
        ("sin (x)", sin(x)),
        ("greater(x, y)", lt(y, x)),
        ("max(x, y) - min(x, y)", maximum(x, y) - minimum(x, y)),
        ("exp(-x**2/2)/sqrt(2*pi)", exp(-(x**2) / 2) / FUNCTIONS["sqrt"](2 * constant(math.pi))),
        ("t = x*y; t + sin(t)", x * y + sin(x * y)),
        ("t = x; u = t + t; u*t", (x + x) * x),
    ],
)
def test_text_is_the_expression_that_operators_build(text, expected):
    if expected is None:
        assert "missing" in str(error(text))
    else:
        assert parse(text).output is expected


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1.0), ("1.", 1.0), (".5", 0.5), ("1e-3", 1e-3), ("1.5E+10", 1.5e10), ("007", 7.0), ("0.1", 0.1)]
)
def test_numbers_are_read_as_python_reads_them(text, value):
    assert literal(parse(text).output) == value


@pytest.mark.parametrize("text", ["-0.0", "-0", "0*-1"])
def test_a_negative_zero_keeps_its_sign(text):
    assert math.copysign(1, literal(parse(text).output)) == -1


def test_a_number_of_many_digits_is_rounded_correctly():
    assert literal(parse("0." + "1" * 100_000).output) == float("0." + "1" * 400)


# --- names ---


def test_inputs_come_in_order_of_first_appearance():
    assert parse("y*x + sin(z) + x").names == ("y", "x", "z")


def test_declared_inputs_keep_their_order_and_may_be_unused():
    assert parse("x + y", inputs=["y", "z", "x"]).names == ("y", "z", "x")
    assert parse("x + y", inputs="y, x").names == ("y", "x")


def test_any_identifier_is_a_name():
    f = parse("lambda*I + gamma - beta/N + _q1 + sin", inputs=["lambda", "I", "gamma", "beta", "N", "_q1", "sin"])
    assert f.names == ("lambda", "I", "gamma", "beta", "N", "_q1", "sin")
    assert parse("lambda*I + gamma + if").names == ("lambda", "I", "gamma", "if")


def test_a_name_of_a_function_is_a_variable_unless_called():
    f = parse("log*log(x) + exp")
    assert f.names == ("log", "x", "exp")
    assert f.output is symbol("log") * log(x) + symbol("exp")


def test_pi_and_e_are_constants_unless_declared():
    assert literal(parse("pi").output) == math.pi
    assert literal(parse("e").output) == math.e
    f = parse("pi*e", inputs=["e", "pi"])
    assert f.names == ("e", "pi")
    assert f.output is symbol("pi") * symbol("e")


def test_letters_of_other_scripts_are_names_when_declared():
    assert parse("2*θ + х", inputs=["θ", "х"]).names == ("θ", "х")


def test_array_inputs_work_entry_by_entry():
    f = parse("a*sin(w) + 1", inputs={"a": (), "w": (3,)})
    w = symbol("w", (3,))
    assert [i is j for i, j in zip(f.inputs, (a, w), strict=True)] == [True, True]
    assert f.output is a * sin(w) + 1
    assert f.output.shape == (3,)


def test_array_inputs_that_do_not_broadcast_are_shown_in_the_text():
    with pytest.raises(ShapeError, match=r"(?s)mul: arguments must broadcast.*\(3,\) and \(2,\).*1 \+ v\*w\n {7}\^ character 6 of 7"):
        parse("1 + v*w", inputs={"v": 3, "w": (2,)})


def test_the_name_is_the_functions():
    assert parse("x", name="g").name == "g"


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_each_alias_is_the_function_it_stands_for(alias):
    target = ALIASES[alias]
    assert alias not in FUNCTIONS, f"{alias} is a function of its own: the alias is dead"
    if target not in FUNCTIONS:
        assert canonical(alias) is None
        assert lookup(alias) is None
        pytest.skip(f"{target} does not exist")
    assert canonical(alias) == target
    arity = 2 if target in ("gt", "ge") else FUNCTIONS[target].arity
    arguments = [a, b, c][:arity]
    listed = ", ".join("abc"[:arity])
    assert parse(f"{alias}({listed})").output is FUNCTIONS[target](*arguments)


@pytest.mark.parametrize("name", sorted(n for n, p in PRIMITIVES.items() if isinstance(p, Elementwise)))
def test_every_scalar_primitive_is_called_by_its_name(name):
    primitive = PRIMITIVES[name]
    arguments = symbols(" ".join(f"x{i}" for i in range(primitive.arity)))
    assert parse(f"{name}({', '.join(i.params[0] for i in arguments)})").output is FUNCTIONS[name](*arguments)
    assert name in scalar_names()


def test_a_users_primitive_parses_by_itself():
    mine = core.register(Elementwise("parsed_square", partials=lambda y, x: (2.0 * x,), evaluate=lambda x: x * x))
    try:
        assert parse("1 + parsed_square(x)").output is 1 + mine(x)
    finally:
        del core.PRIMITIVES["parsed_square"], core.FUNCTIONS["parsed_square"]


# --- errors: what happened, where, and what to write ---


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "the text is empty"),
        (" \n", 0, "the text is empty"),
        ("2x", 1, "write 2*x for a product"),
        ("2(x)", 1, r"write 2*(...) for a product"),
        ("x y", 2, "write x*y for a product"),
        ("(x)(y)", 3, "write (...)*(...) for a product"),
        ("x(x + 1)", 0, "unknown function x"),
        ("x + x(x + 1)", 5, "write x*(...) for a product"),
        ("pi(x)", 2, "write pi*(...) for a product"),
        ("sin x", 4, "write sin(x)"),
        ("sin^2(x)", 5, "write sin(...)**2"),
        ("1.2.3", 3, "one decimal point"),
        ("1_000", 1, "without underscores"),
        ("1e", 1, "the exponent of 1e has no digits"),
        ("1e999", 0, "too large for float64"),
        ("1 + 1e-999", 4, "too small for float64"),
        ("nan*x", 0, "nan is not a finite number"),
        ("x + Infinity", 4, "Infinity is not a finite number"),
        ("x + 1/0", 5, "gives the constant inf"),
        ("x + 0/0", 5, "gives the constant nan"),
        ("sinn(x)", 0, "unknown function sinn: did you mean sin or sinh"),
        ("Sin(x)", 0, "did you mean sin"),
        ("frobnicate(x)", 0, "unknown function frobnicate: diffcompare list functions"),
        ("sum(x)", 0, "sum works on arrays"),
        ("atan2(x)", 0, "atan2 takes 2 arguments, got 1"),
        ("1 + sin(x, y)", 4, "sin takes 1 argument, got 2"),
        ("sin()", 0, "sin takes 1 argument, got 0"),
        ("where(x < 0, x)", 0, "where takes 3 arguments, got 2"),
        ("sin(x", 3, "never closed"),
        ("((x)", 0, "never closed"),
        ("x)", 1, "closes nothing"),
        ("sin(x))", 6, "closes nothing"),
        ("()", 1, "the brackets are empty"),
        ("x +", 3, "missing on the right of the operator +"),
        ("x + * y", 4, "missing on the right of the operator +, before this '*'"),
        ("* x", 0, "starts with the operator *"),
        ("(/x)", 1, "the bracket starts with the operator /"),
        ("atan2(x, )", 9, "an expression is missing before this ')'"),
        ("atan2(, x)", 6, "an expression is missing before this ','"),
        ("x, y", 1, "a comma separates the arguments of a function only"),
        ("1,5", 1, "the decimal sign is a point"),
        ("a < b < c", 6, "write logical_and(a < b, b < c)"),
        ("x if y else z", 2, "write where(condition, a, b)"),
        ("x and y", 2, "write logical_and(a, b)"),
        ("np.sin(x)", 2, "write sin(x), not np.sin(x)"),
        ("x // 2", 3, "write floor(a/b)"),
        ("x % 2", 2, "write mod(a, b)"),
        ("|x|", 0, "write abs(x)"),
        ("x!", 1, "write gamma(n + 1)"),
        ("x[0]", 1, "write round brackets"),
        ("x = 3", 0, "the text ends with a definition"),
        ("x == 3 = y", 7, "write == to compare"),
        ("x; y", 1, "before a ; stands a definition"),
        ("t = 1;", 6, "the text ends after ';'"),
        ("x = x + 1; x", 0, "x is defined through itself"),
        ("t = 1; t = 2; t", 7, "t has a meaning already"),
        ("t = (1; t", 4, "never closed"),
        ("x$", 1, "'$' is not part of a formula"),
        ("x\x00y", 1, "U+0000, a control character, is not part of a formula: leave it out"),
        ("__import__('os')", 0, "unknown function __import__"),
        ("x.__class__", 1, "a dot belongs to a number"),
    ],
)
def test_an_error_names_the_mistake_its_place_and_the_fix(text, position, message):
    caught = error(text)
    assert message in str(caught)
    assert caught.position == position


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("х + 1", 0, "х (U+0445, CYRILLIC SMALL LETTER HA) is not ASCII: write x, or declare the name with inputs="),
        ("ax + aх", 6, "write x"),
        ("x − 1", 2, "− (U+2212, MINUS SIGN) is not ASCII: write -"),
        ("2×x", 1, "write *"),
        ("2·x", 1, "write *"),
        ("x²", 1, "² (U+00B2, SUPERSCRIPT TWO) is not ASCII: write **2"),
        ("x ≤ 1", 2, "write <="),
        ("ｘ + 1", 0, "ｘ (U+FF58, FULLWIDTH LATIN SMALL LETTER X) is not ASCII: write x"),
        ("sin（x）", 3, "write ("),
        ("θ + 1", 0, "write theta"),
        ("2*π", 2, "write pi"),
        ("√x", 0, "write sqrt(...)"),
        ("2\u00a0*x", 1, "write a plain space"),
        ("x\u200b+1", 1, "(U+200B, ZERO WIDTH SPACE) is not ASCII: leave it out"),
        ("x + ٣", 4, "write 3"),
        ("\ud800", 0, "U+D800, not a character of Unicode"),
    ],
)
def test_a_look_alike_is_named_with_its_fix(text, position, message):
    caught = error(text)
    assert message in str(caught)
    assert caught.position == position


def test_an_unknown_name_is_compared_with_the_inputs():
    assert "unknown name theta2: the inputs are theta1, x; did you mean theta1?" in str(error("x*theta2", inputs=["theta1", "x"]))
    assert "unknown name q: the inputs are none; add it to inputs=" in str(error("q", inputs=[]))
    assert "sin is a function and needs its arguments" in str(error("sin + x", inputs=["x"]))


def test_a_declared_name_before_a_bracket_is_no_call():
    message = str(error("gamma(x + 1)", inputs=["gamma", "x"]))
    assert "write gamma*(...)" in message
    message = str(error("log(x + 1)", inputs=["log", "x"]))
    assert "log is declared as a variable, so this is a product: write log*(...), or rename the variable" in message


def test_the_place_is_shown_by_a_caret():
    assert str(error("x + y\n  + 2z")).endswith("\n    + 2z\n       ^ character 12 of 12")
    assert str(error("x +")).endswith("\n  x +\n     ^ the end of the text")


def test_a_long_line_is_clipped_around_the_place():
    text = "x + " * 1000 + "2y" + " + x" * 1000
    shown, caret = str(error(text)).splitlines()[1:]
    assert shown.startswith("  ...")
    assert shown.endswith("...")
    assert len(shown) < 80
    assert shown[caret.index("^")] == "y"
    assert "character 4002 of 8002" in caret


def test_what_is_not_text_is_refused():
    with pytest.raises(TypeError, match="parse takes text, got int"):
        parse(3)
    with pytest.raises(DiffCompareError, match="identifier"):
        parse("x", inputs=["x", "2y"])
    with pytest.raises(DiffCompareError, match="'x' is given twice"):
        parse("x", inputs=["x", "x"])


# --- hostile text: a right answer or one clear error, in bounded time ---

MANY = 20_000
MEGABYTE = 1_000_000


@pytest.mark.parametrize("count", [MANY, MANY + 1])
def test_many_minus_signs(count):
    assert parse("-" * count + "x").output is (-x if count % 2 else x)


def test_many_nested_brackets():
    assert parse("(" * MANY + "x" + ")" * MANY).output is x
    assert error("(" * MANY + "x" + ")" * (MANY - 1)).position == 0
    assert "closes nothing" in str(error("(" * MANY + "x" + ")" * (MANY + 1)))


def test_many_nested_calls():
    node = x
    for _ in range(MANY):
        node = atan2(1.0, node)
    assert parse("atan2(1, " * MANY + "x" + ")" * MANY).output is node


def test_towers_of_powers():
    nine = constant(9.0)
    assert parse("9**9**9**9").output is nine ** (nine ** (nine**nine))
    assert parse("**".join(["9"] * MANY)).output.primitive.name == "pow"


@pytest.mark.parametrize(
    "text",
    [
        "x+" * (MEGABYTE // 2) + "x",
        "1+" * (MEGABYTE // 2) + "1",
        "x" * MEGABYTE,
        "x" * MEGABYTE + "(1)",
        " " * MEGABYTE,
        " " * (MEGABYTE // 2) + "x" + "\n" * (MEGABYTE // 2),
        "-" * MEGABYTE,
        "(" * MEGABYTE,
        ")" * MEGABYTE,
        "<" * MEGABYTE,
        "," * MEGABYTE,
        "=" * MEGABYTE,
        ";" * MEGABYTE,
        "sin(" * (MEGABYTE // 4),
        "7" * MEGABYTE,
        "0." + "7" * MEGABYTE,
        "1e" + "9" * MEGABYTE,
        "x+" * (MEGABYTE // 2) + "х",
        "\x00" * MEGABYTE,
        "².²" * (MEGABYTE // 3),
        "+".join(f"x{i}" for i in range(MEGABYTE // 8)),
        "x" * (LONGEST + 1),
    ],
    ids=lambda t: f"{t[:4]!r}",
)
def test_a_megabyte_is_answered_in_bounded_time(text):
    start = time.process_time()
    result = answer(text)
    if isinstance(result, ParseError):
        assert len(str(result)) < 500
    # about 2 s on a slow machine; a quadratic reading takes hours
    assert time.process_time() - start < 30


@given(st.text(alphabet=st.sampled_from("xy12.e+-*/^()<>=!,;& \n\0\u0445\u2212²θ_") | st.characters(), max_size=30))
@settings(max_examples=500, deadline=None)
def test_any_text_is_answered_or_refused(text):
    result = answer(text)
    if isinstance(result, ParseError):
        assert 0 <= result.position <= len(text)
        assert "^" in str(result)
    else:
        assert result.output.shape == ()


@given(st.lists(st.sampled_from(["x", "y", "1", "2.5", "+", "-", "*", "/", "**", "(", ")", "<", "sin(", "atan2(", ","]), max_size=12))
@settings(max_examples=500, deadline=None)
def test_what_is_read_means_what_python_means(words):
    """Python's own grammar is the judge: the two accept the same texts of these words, and build the same expression."""
    text = " ".join(words)
    spoken = re.sub(r"sin\( *\)|atan2\( *\)", "", text)
    try:
        code = compile(text.strip(), "<text>", "eval")
        meant = eval(code, {"__builtins__": {}}, {"x": x, "y": y, "sin": sin, "atan2": atan2})  # noqa: S307 - made of the words above only
    except (SyntaxError, TypeError, ZeroDivisionError, OverflowError):
        return
    if isinstance(meant, tuple) or callable(meant) or ", )" in text or spoken.count("<") > 1:
        return
    result = answer(text)
    if isinstance(result, ParseError):
        assert "constant" in str(result) or "chain" in str(result), text
        return
    got = result.output
    if isinstance(meant, core.Expr):
        assert got is meant
    else:  # Python computes with numbers where the grammar builds a graph of constants
        assert np.isclose(float(meant), _evaluated(got), rtol=1e-12, equal_nan=True)


def _evaluated(node):
    """The value of an expression of constants."""
    values = {}
    names = {"pow": np.power, "sin": np.sin, "atan2": np.arctan2, "lt": np.less, "real": float}
    for n in postorder([node]):
        values[n] = literal(n) if n.primitive is CONSTANT else names[n.primitive.name](*(values[i] for i in n.args))
    return float(values[node])


def test_the_nearest_names_ignore_case_and_giants():
    assert nearest("SIN", ["sin", "cos"]) == ["sin"]
    assert nearest("x" * 100, ["x" * 99]) == []
    assert cos(x) is parse("cos(x)").output

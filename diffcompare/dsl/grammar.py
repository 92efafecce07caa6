"""Text to Function: a tokenizer and precedence climbing on explicit stacks; nothing of the text is ever evaluated by Python.

    text         = { name "=" expression ";" } expression          definitions first, such as t = x*y; t + sin(t)
    expression   = arithmetic [ ("<" | "<=" | ">" | ">=" | "==" | "!=") arithmetic ]
    arithmetic   = + - (loosest), then * /, then unary - and +, then ** or ^ (tightest)
    value        = number | name | name "(" expression { "," expression } ")" | "(" expression ")"

+ - * / group to the left, ** to the right; -x**2 is -(x**2), 2**-x is allowed. Numbers are 1, 1., .5, 1e-3. White space, line
ends included, separates words and means nothing else. pi, e, True and False are constants unless declared. A name before a
bracket is a function: any scalar function of the DSL, also under its names in ALIASES, max and min of two arguments included.
Work and memory are linear in the length of the text, which may not exceed LONGEST.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from ..errors import ParseError, ShapeError
from .aliases import ALIASES, canonical, lookup, nearest
from .constants import constant, literal
from .core import CONSTANT, FUNCTIONS, Expr, collector_paused, input_
from .elementwise import Elementwise
from .function import Function, symbol
from .lookalikes import describe

LONGEST = 2_000_000
"""The most characters a text may have."""

CONSTANTS: dict[str, float | bool] = {"pi": math.pi, "e": math.e, "True": True, "False": False}
NOT_FINITE = {"nan", "inf", "infinity"}
TEXT_NAMES = {"max": "maximum", "min": "minimum"}
"""Names that mean a scalar function in text and a reduction of an array in Python."""

COMPARISON, SUM, PRODUCT, SIGN, POWER = 1, 2, 3, 4, 5
BINARY: dict[str, tuple[int, str]] = {
    "<": (COMPARISON, "lt"),
    "<=": (COMPARISON, "le"),
    ">": (COMPARISON, "gt"),
    ">=": (COMPARISON, "ge"),
    "==": (COMPARISON, "eq"),
    "!=": (COMPARISON, "ne"),
    "+": (SUM, "add"),
    "-": (SUM, "sub"),
    "*": (PRODUCT, "mul"),
    "/": (PRODUCT, "div"),
    "**": (POWER, "pow"),
    "^": (POWER, "pow"),
}
WORDS = {
    "if": "where(condition, a, b)",
    "else": "where(condition, a, b)",
    "and": "logical_and(a, b)",
    "or": "logical_or(a, b)",
    "not": "logical_not(a)",
}

NUMBER = r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?"
TOKEN = re.compile(rf"[ \t\r\n]*({NUMBER}|[^\W0-9]\w*|\*\*|[<>=!]=|[^ \t\r\n])", re.ASCII)
WIDE_TOKEN = re.compile(rf"[ \t\r\n]*({NUMBER}|[^\W0-9]\w*|\*\*|[<>=!]=|[^ \t\r\n])")

Inputs = Mapping[str, Any] | Iterable[str]


def parse(text: str, inputs: Inputs | None = None, name: str = "f") -> Function:
    """The Function that a formula describes.

    inputs: the names of the inputs in order (a list, or text such as "x y"), or a dict from name to shape; array inputs
    work entry by entry. Without it the inputs are the names of the text in order of first appearance, each a real number.
    Raises ParseError, whose message shows the place; ShapeError if array inputs do not broadcast.
    """
    if not isinstance(text, str):
        raise TypeError(f"parse takes text, got {type(text).__name__}")
    if len(text) > LONGEST:
        raise ParseError(
            f"the text has {len(text):,} characters; the longest that is read has {LONGEST:,}: build it with operators", LONGEST
        )
    declared: dict[str, Expr] | None = None
    listed: list[Expr] = []
    if inputs is not None:
        listed = _declared(inputs)
        declared = {i.params[0]: i for i in listed}
    with collector_paused():
        reader = _Reader(text, declared)
        output = reader.read()
        return Function(name, listed if declared is not None else list(reader.found.values()), [output], True)


Builder = Callable[[list[Expr]], Expr]


def scalar_function(name: str) -> tuple[Builder, int] | None:
    """What builds a call of this name from its arguments, and how many it takes; None if no scalar function has the name."""
    name = TEXT_NAMES.get(name, name)
    function = lookup(name)
    if isinstance(function, Elementwise):
        return function.apply, function.arity
    if function is not None and canonical(name) in ("gt", "ge"):
        compare = function  # a > b is b < a: a function of the table, not a primitive
        return (lambda args: compare(*args)), 2
    return None


def _builder(name: str) -> Builder:
    rule = scalar_function(name)
    assert rule is not None, name
    return rule[0]


def scalar_names() -> list[str]:
    """Every name that can be called in text."""
    return sorted(n for n in {*FUNCTIONS, *ALIASES, *TEXT_NAMES} if scalar_function(n) is not None)


def _declared(inputs: Inputs) -> list[Expr]:
    if isinstance(inputs, str):
        inputs = inputs.replace(",", " ").split()
    shapes = dict(inputs) if isinstance(inputs, Mapping) else None
    return [symbol(n, () if shapes is None else shapes[n]) for n in (inputs if shapes is None else shapes)]


class _Reader:
    """One reading of one text.

    values: the values read and not yet used. pending: (precedence, function, token, count) for what waits for its
    right end: operators with their number of arguments, brackets (precedence 0) with the number of values before them.
    """

    def __init__(self, text: str, declared: dict[str, Expr] | None) -> None:
        self.text = text
        self.pattern = TOKEN if text.isascii() else WIDE_TOKEN
        self.end = len(text.rstrip(" \t\r\n"))  # the pattern is quadratic in white space that no token follows
        self.tokens: list[str] = self.pattern.findall(text, 0, self.end)
        self.declared = declared
        self.found: dict[str, Expr] = {}
        self.defined: dict[str, Expr] = {}
        self.values: list[Expr] = []
        self.pending: list[tuple[int, str | None, int, int]] = []
        self.functions: dict[str, tuple[Builder, int] | None] = {}
        self.numbers: dict[str, Expr] = {}
        self.target: tuple[str, int] | None = None
        self.builders = {name: _builder(name) for name in ("neg", *(name for _, name in BINARY.values()))}

    def read(self) -> Expr:
        """The expression; the walk over the tokens alternates between wanting a value and wanting an operator."""
        tokens = self.tokens
        if not tokens:
            raise error_at(self.text, 0, "the text is empty: write an expression such as x**2 + y")
        i, wanting = self._definition(0), True
        while i < len(tokens):
            if wanting:
                wanting = self._value(i, tokens[i])
            elif tokens[i] == ";":
                i, wanting = self._finish_definition(i), True
                continue
            else:
                wanting = self._operator(i, tokens[i])
            i += 1
        if wanting:
            self._missing(len(tokens))
        self._reduce(1)
        if self.pending:
            self.refuse("this bracket is never closed: add a )", self.pending[-1][2])
        if self.target is not None:
            name, at = self.target
            self.refuse(
                f"the text ends with a definition: leave out {_clip(name)} =, or add ; and the expression that uses {_clip(name)}", at
            )
        return self.values.pop()

    # --- where a value is wanted ---

    def _value(self, i: int, token: str) -> bool:
        """Take a token where a value is wanted; whether one is still wanted after it."""
        first = token[0]
        if first.isalpha() or first == "_":
            return self._name(i, token)
        if "0" <= first <= "9" or (first == "." and len(token) > 1):
            known = self.numbers.get(token)
            if known is None:
                known = self.numbers[token] = constant(self._number(i, token))
            self.values.append(known)
            return False
        if token == "-":
            self.pending.append((SIGN, "neg", i, 1))
        elif token == "(":
            called = self.tokens[i - 1] if i and self._calls(i - 1) else None
            self.pending.append((0, called, i, len(self.values)))
        elif token != "+":
            self._missing(i)
        return True

    def _name(self, i: int, name: str) -> bool:
        if not name.isascii() and name not in (self.declared or {}):
            self.refuse_character(i)
        if self._calls(i):
            return True
        known = self.defined.get(name)
        if known is None:
            known = (self.found if self.declared is None else self.declared).get(name)
        if known is None:
            known = self._new_name(i, name)
        self.values.append(known)
        return False

    def _calls(self, i: int) -> bool:
        """Whether token i is the name of a function before a bracket; a declared name never is."""
        tokens = self.tokens
        name = tokens[i]
        if i + 1 >= len(tokens) or tokens[i + 1] != "(" or name in self.defined or (self.declared is not None and name in self.declared):
            return False
        if name not in self.functions:
            self.functions[name] = scalar_function(name)
        return self.functions[name] is not None

    def _new_name(self, i: int, name: str) -> Expr:
        followed = i + 1 < len(self.tokens) and self.tokens[i + 1] == "("
        if followed and name not in CONSTANTS:
            self._unknown_function(i, name)
        if name in CONSTANTS:
            return constant(CONSTANTS[name])
        if name.lower() in NOT_FINITE:
            self.refuse(f"{name} is not a finite number; a variable of that name is declared with inputs=", i)
        if self.declared is None:
            self.found[name] = input_(name)
            return self.found[name]
        if scalar_function(name) is not None:
            self.refuse(f"{name} is a function and needs its arguments: write {name}(...)", i)
        near = nearest(name, self.declared)
        hint = f"did you mean {' or '.join(near)}?" if near else "add it to inputs="
        listed = _listed(self.declared)
        raise self.error(f"unknown name {_clip(name)}: the inputs are {listed}; {hint}", i)

    def _unknown_function(self, i: int, name: str) -> NoReturn:
        if canonical(name) is not None:
            self.refuse(f"{name} works on arrays and text holds scalar functions only: write it in Python, with dc.trace", i)
        near = nearest(name, scalar_names())
        hint = f"did you mean {' or '.join(near)}?" if near else "diffcompare list functions shows those there are"
        self.refuse(f"unknown function {_clip(name)}: {hint} (a product is written {_clip(name)}*(...))", i)

    def _number(self, i: int, token: str) -> float:
        value = float(token)
        if math.isinf(value):
            self.refuse(f"the number {_clip(token)} is too large for float64 (the largest is 1.8e308)", i)
        if value == 0 and re.split("[eE]", token)[0].strip("0."):
            self.refuse(f"the number {_clip(token)} is too small for float64: it would become 0", i)
        return value

    def _missing(self, i: int) -> NoReturn:
        """Refuse token i, which stands where a value is wanted."""
        tokens = self.tokens
        before = tokens[i - 1] if i else ""
        token = tokens[i] if i < len(tokens) else ""
        if token and token not in BINARY and token not in (")", ",", ";"):
            self.refuse_character(i)
        if token == "/" and before == "/":
            self.refuse("// is not an operator here: write floor(a/b)", i)
        if before == "(" and token == ")":
            called = self.pending[-1][1] if self.pending else None
            if called is not None:
                self._wrong_count(called, i - 2, 0)
            self.refuse("the brackets are empty: write an expression between them", i)
        if before == "" or before in ("(", ",", ";"):
            start = {"": "the text starts", "(": "the bracket starts", ",": "the argument starts", ";": "the expression starts"}[before]
            if not token:
                self.refuse(f"the text ends after {before!r}, where an expression is wanted", i)
            if token in (")", ",", ";"):
                self.refuse(f"an expression is missing before this {token!r}", i)
            self.refuse(f"{start} with the operator {token}: something is missing on its left", i)
        self.refuse(f"something is missing on the right of the operator {before}" + f", before this {token!r}" * bool(token), i)

    # --- where an operator is wanted ---

    def _operator(self, i: int, token: str) -> bool:
        """Take a token where an operator is wanted; whether a value is wanted after it."""
        rule = BINARY.get(token)
        if rule is not None:
            rank, name = rule
            self._reduce(rank + 1 if rank in (POWER, COMPARISON) else rank)
            if rank == COMPARISON and self.pending and self.pending[-1][0] == COMPARISON:
                self.refuse("comparisons do not chain: write logical_and(a < b, b < c)", i)
            self.pending.append((rank, name, i, 2))
            return True
        if token == ")":
            self._close(i)
            return False
        if token != ",":
            self._juxtaposed(i, token)
        self._reduce(1)
        if not self.pending or self.pending[-1][1] is None:
            between = self.tokens[i - 1][-1:].isdigit() and "".join(self.tokens[i + 1 : i + 2])[:1].isdigit()
            self.refuse("a comma separates the arguments of a function only" + "; the decimal sign is a point" * between, i)
        return True

    def _close(self, i: int) -> None:
        self._reduce(1)
        if not self.pending:
            self.refuse("this bracket closes nothing: remove it, or open one before", i)
        _, called, opened, base = self.pending.pop()
        if called is None:
            return
        rule = self.functions[called]
        assert rule is not None
        build, arity = rule
        if len(self.values) - base != arity:
            self._wrong_count(called, opened - 1, len(self.values) - base)
        self._apply(build, arity, opened - 1)

    def _wrong_count(self, called: str, i: int, got: int) -> NoReturn:
        rule = self.functions[called]
        assert rule is not None
        self.refuse(f"{called} takes {rule[1]} argument{'s' * (rule[1] != 1)}, got {got}", i)

    def _reduce(self, rank: int) -> None:
        """Apply the waiting operators that bind at least as tightly as `rank`."""
        pending = self.pending
        while pending and pending[-1][0] >= rank:
            _, name, i, count = pending.pop()
            self._apply(self.builders[name or ""], count, i)

    def _apply(self, build: Builder, count: int, i: int) -> None:
        """Replace the last `count` values by what is built from them."""
        values = self.values
        try:
            node = build(values[-count:])
        except ShapeError as error:
            raise ShapeError(f"{error}\n{excerpt(self.text, self.position(i))}") from None
        if node.primitive is CONSTANT and not node.shape and not math.isfinite(literal(node)):
            self.refuse(f"this gives the constant {literal(node)}: the numbers of a formula must stay finite", i)
        del values[-count:]
        values.append(node)

    def _juxtaposed(self, i: int, token: str) -> NoReturn:
        """Refuse token i, which stands directly after a value."""
        before = self.tokens[i - 1]
        if token != "(" and not token[0].isalnum() and token[0] not in "_.":
            self.refuse_character(i)
        if token == ".":
            self.refuse_character(i)
        if not token.isascii() and token not in (self.declared or {}):
            self.refuse_character(i)
        if token in WORDS:
            self.refuse(f"the word {token} is not an operator here: write {WORDS[token]}", i)
        glued = self.position(i) == self.position(i - 1) + len(before)
        if before[0].isdigit() and glued and token[0] == ".":
            self.refuse("a number has one decimal point", i)
        if before[0].isdigit() and glued and token[0] == "_":
            self.refuse("write numbers without underscores, such as 1000000 or 1e6", i)
        if before[0].isdigit() and glued and token in ("e", "E"):
            self.refuse(f"the exponent of {_clip(before)}{token} has no digits; a product is written {_clip(before)}*{token}", i)
        if token == "(" and i > 2 and self.tokens[i - 2] in ("^", "**") and scalar_function(self.tokens[i - 3]) is not None:
            function = self.tokens[i - 3]
            self.refuse(f"a power of a function stands after its brackets: write {function}(...)**{before}", i)
        if before[0].isalpha() and self.declared is None and scalar_function(before) is not None and token != "(":
            self.refuse(f"the arguments of {before} stand in brackets: write {before}({_clip(token)})", i)
        left = "(...)" if before == ")" else _clip(before)
        right = "(...)" if token == "(" else _clip(token)
        if token == "(" and scalar_function(before) is not None:
            self.refuse(f"{before} is declared as a variable, so this is a product: write {left}*{right}, or rename the variable", i)
        self.refuse(f"an operator is missing here: write {left}*{right} for a product", i)

    # --- definitions ---

    def _definition(self, i: int) -> int:
        """Step over `name =` at the start of a definition; the index of the first token of the expression."""
        tokens = self.tokens
        self.target = None
        if i + 1 < len(tokens) and tokens[i + 1] == "=" and (tokens[i][0].isalpha() or tokens[i][0] == "_"):
            name = tokens[i]
            if not name.isascii():
                self.refuse_character(i)
            if name in self.defined or name in (self.found if self.declared is None else self.declared):
                self.refuse(f"{_clip(name)} has a meaning already: choose another name for this definition", i)
            self.target = (name, i)
            return i + 2
        return i

    def _finish_definition(self, i: int) -> int:
        self._reduce(1)
        if self.pending:
            self.refuse("this bracket is never closed: add a )", self.pending[-1][2])
        if self.target is None:
            self.refuse("a text has one expression; before a ; stands a definition, name = expression", i)
        name, at = self.target
        if name in self.found:
            self.refuse(f"{_clip(name)} is defined through itself: choose another name for this definition", at)
        self.defined[name] = self.values.pop()
        return self._definition(i + 1)

    # --- errors ---

    def position(self, i: int) -> int:
        """The character at which token i starts; the end of the text for the token after the last."""
        for k, match in enumerate(self.pattern.finditer(self.text, 0, self.end)):
            if k == i:
                return match.start(1)
        return len(self.text)

    def refuse(self, message: str, i: int) -> NoReturn:
        """Raise ParseError at token i."""
        raise self.error(message, i)

    def error(self, message: str, i: int) -> ParseError:
        return error_at(self.text, self.position(i), message)

    def refuse_character(self, i: int) -> NoReturn:
        """Raise ParseError at the first character of token i that no formula contains."""
        token = self.tokens[i]
        k = next((k for k, c in enumerate(token) if not c.isascii()), 0)
        hint = ""
        if token[k].isalpha():
            hint = ", or declare the name with inputs=" if self.declared is None else ", or add the name to inputs="
        raise error_at(self.text, self.position(i) + k, describe(token[k]) + hint)


def error_at(text: str, position: int, message: str) -> ParseError:
    """A ParseError whose message shows the place in the text."""
    return ParseError(f"{message}\n{excerpt(text, position)}", position)


def excerpt(text: str, position: int, width: int = 60) -> str:
    """The line of the text around a character, clipped, with a caret below the character and its number."""
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    left = max(start, min(position - width // 2, end - width))
    right = min(end, left + width)
    shown = "".join(c if c.isprintable() else "?" for c in text[left:right])
    place = f"character {position + 1} of {len(text)}" if position < len(text) else "the end of the text"
    lead, trail = "..." * (left > start), "..." * (right < end)
    return f"  {lead}{shown}{trail}\n  {' ' * (len(lead) + position - left)}^ {place}"


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(_clip(n) for n in listed[:8]) + f" and {len(listed) - 8} more" * (len(listed) > 8) or "none"


def _clip(text: str, width: int = 30) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."

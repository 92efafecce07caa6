"""How the lines of a sweep are written: v₁ = ln v₋₁ in Unicode, v1 = ln v_-1 in ASCII, HTML and LaTeX from the same expressions.

v̇ (dv in ASCII) is the tangent of v, v̄ (vbar) its adjoint.
"""

from __future__ import annotations

import html
import itertools
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..dsl.core import CONSTANT, Expr
from ..dsl.elementwise import Elementwise
from ..dsl.latex import NAMED, latex_layout, symbol_latex
from ..dsl.layout import ATOM, POWER, PRODUCT, SIGN, SUM, Layout, Part, pieces
from ..dsl.show import text_layout

VALUE, TANGENT, ADJOINT = "value", "tangent", "adjoint"
DIGITS = 3
"""Decimals of a number in a step; the values themselves keep all of theirs."""
CONSTANT_DIGITS = 6
DOT, BAR = "\u0307", "\u0304"
GREEK_LETTERS = dict(
    zip(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
        "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split(),
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ",
        strict=True,
    )
)
SUBSCRIPTS = str.maketrans("0123456789-", "₀₁₂₃₄₅₆₇₈₉₋")
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Symbol(NamedTuple):
    """A quantity of a sweep: the value, tangent or adjoint of the variable `name`, or of the k-th v where name is ""."""

    kind: str
    name: str = ""
    k: int = 0

    def of(self, kind: str) -> Symbol:
        return self._replace(kind=kind)


class Slope(NamedTuple):
    """The partial derivative ∂of/∂by."""

    of: Symbol
    by: Symbol


Sign = Symbol | Slope | float
"""What stands for a node in a written step: a symbol, a partial derivative, or a number put in."""


def decimal(value: float, digits: int = DIGITS) -> str:
    """The number with at most so many decimals, as many significant digits where it is small, an exponent far from 1."""
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    size = abs(value)
    if size == 0 or (size < 1e15 and value == int(value) and len(str(int(size))) <= digits + 4):
        return str(int(value))
    if size >= 1e6 or size < 1e-4:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{_trimmed(mantissa)}e{int(exponent)}"
    return _trimmed(f"{value:.{digits}f}" if size >= 0.1 else f"{value:.{digits - 1 - math.floor(math.log10(size))}f}")


def _trimmed(written: str) -> str:
    return written.rstrip("0").rstrip(".") if "." in written else written


@dataclass(frozen=True)
class Notation:
    """Plain text in ASCII; the other notations change what they write better.

    An expression is written by `step`, with a sign for each node that is not written out.
    """

    times: str = " * "
    minus: str = "-"
    logarithm: str = "ln"
    unlike_calls: frozenset[str] = frozenset(("neg", "abs", "real", "logical_not"))
    """Functions of one argument that are not written by their name in front of it."""

    def step(self, root: Expr, signs: Mapping[Expr, Sign]) -> str:
        """The expression with the signs of its nodes put in."""

        def layout(node: Expr) -> Layout:
            if node in signs:
                return self._atom(self.sign(signs[node]))
            if node.primitive is CONSTANT:
                return self._atom(self.constant(node))
            return self._layout(node, layout)

        return "".join(self._bare(root, layout) or pieces(root, layout, {}))

    def sign(self, sign: Sign) -> str:
        """A symbol, a partial derivative or a number."""
        if isinstance(sign, Slope):
            return f"d{self.symbol(sign.of)}/d{self.symbol(sign.by)}"
        return self.symbol(sign) if isinstance(sign, Symbol) else self.number(sign)

    def symbol(self, s: Symbol) -> str:
        plain = s.name or (f"v_{s.k}" if s.k < 0 else f"v{s.k}")
        return {VALUE: plain, TANGENT: f"d{plain}", ADJOINT: f"{plain}bar"}[s.kind]

    def number(self, value: float, digits: int = DIGITS) -> str:
        return decimal(value, digits).replace("-", self.minus)

    def constant(self, node: Expr) -> str:
        """A constant's value; of an array its first entry."""
        value = node.params[0].value
        if isinstance(value, bool):
            return str(value)
        if not node.shape:
            return self.number(float(f"{value:.{CONSTANT_DIGITS}g}"), CONSTANT_DIGITS)
        return "[]" if not node.size else f"[{decimal(float(value.flat[0]))}{', ...' * (node.size > 1)}]"

    # --- the text of one node ---

    def _atom(self, written: str) -> Layout:
        return (SIGN if written.startswith(self.minus) else ATOM), [written]

    def _layout(self, node: Expr, layout: Callable[[Expr], Layout]) -> Layout:
        args, name = tuple(map(_repeated, node.args)), node.primitive.name
        if name == "neg":
            return SIGN, [self.minus, Part(args[0], POWER)]
        if name in ("add", "sub"):
            between = " + " if name == "add" else f" {self.minus} "
            return SUM, [Part(args[0], SUM), between, Part(args[1], PRODUCT, signed=False)]
        if name == "mul":
            last: Sequence[str | Part] = self._bare(args[1], layout) or [Part(args[1], POWER, signed=False)]
            return PRODUCT, [Part(args[0], PRODUCT, signed=False), self.times, *last]
        if name == "div":
            return self._quotient(args)
        if name == "pow":
            return POWER, [Part(args[0], ATOM), *self._exponent(args[1])]
        if name == "einsum" and is_product(*node.params):
            inner = [part for a in args for part in (" @ ", Part(a, POWER, signed=False))]
            return PRODUCT, inner[1:]
        if name == "abs":
            return ATOM, ["|", Part(args[0]), "|"]
        if isinstance(node.primitive, Elementwise) and node.primitive.arity == 1:
            return ATOM, [self.called(name), "(", Part(args[0]), ")"]
        if name == "softmax" and node.params[0] == (-1,):  # along the last axis, as by default
            return ATOM, ["softmax(", Part(args[0]), ")"]
        return self._other(node)

    def _bare(self, node: Expr, layout: Callable[[Expr], Layout]) -> list[str] | None:
        """ln v for a function of a single sign, which needs no brackets where nothing follows it; None for anything else."""
        primitive = node.primitive
        if not isinstance(primitive, Elementwise) or primitive.arity != 1 or primitive.name in self.unlike_calls:
            return None
        rank, inner = layout(node.args[0])
        if rank != ATOM or len(inner) != 1 or not isinstance(inner[0], str):
            return None
        return [self.called(primitive.name), " ", inner[0]]

    def called(self, name: str) -> str:
        """The name of a function as it is written before its argument."""
        return self.logarithm if name == "log" else self.escaped(name)

    def _quotient(self, args: tuple[Expr, ...]) -> Layout:
        return PRODUCT, [Part(args[0], PRODUCT, signed=False), " / ", Part(args[1], POWER, signed=False)]

    def _exponent(self, exponent: Expr) -> list[str | Part]:
        return ["^", Part(exponent, POWER, signed=False)]

    def _other(self, node: Expr) -> Layout:
        rank, inner = text_layout(node)
        return rank, [self.escaped(p) if isinstance(p, str) else p for p in inner]

    def escaped(self, written: str) -> str:
        return written


class Unicode(Notation):
    """Dots, bars and subscripts by Unicode's own characters."""

    def __init__(self) -> None:
        super().__init__(times=" × ", minus="−")

    def sign(self, sign: Sign) -> str:
        return f"∂{self.symbol(sign.of)}/∂{self.symbol(sign.by)}" if isinstance(sign, Slope) else super().sign(sign)

    def symbol(self, s: Symbol) -> str:
        head, tail = ("v", str(s.k)) if not s.name else split_name(s.name)
        head = GREEK_LETTERS.get(head, head)
        lower = self.lowered(tail) if tail.lstrip("-").isdigit() else self.escaped(tail)
        if len(head) > 1:  # an accent belongs to one letter
            plain = self.escaped(head) + lower
            return {VALUE: plain, TANGENT: f"d{plain}", ADJOINT: f"{plain}bar"}[s.kind]
        accented = head + {VALUE: "", TANGENT: DOT, ADJOINT: BAR}[s.kind]
        return self.escaped(unicodedata.normalize("NFC", accented)) + lower  # one character where there is one: all fonts draw it well

    def number(self, value: float, digits: int = DIGITS) -> str:
        return super().number(value, digits).replace("inf", "∞")

    def lowered(self, digits: str) -> str:
        return digits.translate(SUBSCRIPTS)

    def raised(self, digits: str) -> str:
        return digits.translate(SUPERSCRIPTS)

    def _exponent(self, exponent: Expr) -> list[str | Part]:
        value = exponent.params[0].value if exponent.primitive is CONSTANT else None
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
            return [self.raised(str(int(value)))]
        return super()._exponent(exponent)


class Html(Unicode):
    """Subscripts and superscripts as elements; everything else escaped."""

    def lowered(self, digits: str) -> str:
        return f"<sub>{digits.replace('-', '−')}</sub>"

    def raised(self, digits: str) -> str:
        return f"<sup>{digits.replace('-', '−')}</sup>"

    def escaped(self, written: str) -> str:
        return html.escape(written, quote=False)


FENCED = frozenset(("sqrt", "cbrt", "exp", "floor", "ceil"))
"""Functions with a form of their own in LaTeX."""


class Latex(Notation):
    """LaTeX for mathematics mode."""

    def __init__(self) -> None:
        super().__init__(times=r" \times ", logarithm=r"\ln", unlike_calls=self.unlike_calls | FENCED)

    def sign(self, sign: Sign) -> str:
        if isinstance(sign, Slope):
            return rf"\frac{{\partial {self.symbol(sign.of)}}}{{\partial {self.symbol(sign.by)}}}"
        return super().sign(sign)

    def symbol(self, s: Symbol) -> str:
        head, tail = ("v", str(s.k)) if not s.name else split_name(s.name)
        letter, lower = symbol_latex(head), f"_{{{tail.strip('[]')}}}" if tail else ""
        accent = {VALUE: "{}", TANGENT: r"\dot{{{}}}", ADJOINT: r"\bar{{{}}}"}[s.kind]
        return accent.format(letter) + lower

    def number(self, value: float, digits: int = DIGITS) -> str:
        mantissa, _, exponent = super().number(value, digits).partition("e")
        mantissa = mantissa.replace("inf", r"\infty").replace("nan", r"\text{nan}")
        return rf"{mantissa} \cdot 10^{{{exponent}}}" if exponent else mantissa

    def called(self, name: str) -> str:
        if name == "log":
            return self.logarithm
        upright = name.replace("_", r"\_")
        return f"\\{NAMED[name]}" if name in NAMED else rf"\operatorname{{{upright}}}"

    def _layout(self, node: Expr, layout: Callable[[Expr], Layout]) -> Layout:
        if node.primitive.name == "abs" or node.primitive.name in FENCED:
            return latex_layout(node)
        return super()._layout(node, layout)

    def _quotient(self, args: tuple[Expr, ...]) -> Layout:
        return POWER, [r"\frac{", Part(args[0]), "}{", Part(args[1]), "}"]

    def _exponent(self, exponent: Expr) -> list[str | Part]:
        return ["^{", Part(exponent), "}"]

    def _other(self, node: Expr) -> Layout:
        return latex_layout(node)


def _repeated(node: Expr) -> Expr:
    """What a broadcast repeats: functions entry by entry do that without saying so."""
    while node.primitive.name == "broadcast":
        node = node.args[0]
    return node


def is_product(inputs: tuple[str, ...], output: str) -> bool:
    """Whether an einsum is a product of matrices and vectors as @ writes it: A x, x A y."""
    joined = all(a[-1:] == b[:1] != "" for a, b in itertools.pairwise(inputs))
    ends = len(inputs) > 1 and inputs[0][:-1] + inputs[-1][1:] == output
    return joined and ends and all(len(part) == 2 for part in inputs[1:-1]) and max(map(len, inputs)) <= 2


def split_name(name: str) -> tuple[str, str]:
    """A name's letter or word, and what stands below it: x1 is x with 1, x[0] is x with [0], theta_1 is theta with 1."""
    numbered = re.fullmatch(r"([^\W\d_]+)_?(\d+)", name)
    if numbered:
        return numbered[1], numbered[2]
    entry = re.fullmatch(r"(.*)(\[[^\]]*\])", name)
    return (entry[1], entry[2]) if entry else (name, "")


ASCII = Notation()
UNICODE = Unicode()
HTML = Html()
LATEX = Latex()

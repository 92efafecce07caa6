"""The LaTeX of one node, for mathematics mode. show.latex puts the nodes together."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .core import CONSTANT, INPUT, Expr
from .elementwise import Elementwise
from .layout import ATOM, COMPARISON, LOOSE, POWER, PRODUCT, SIGN, SUM, Layout, Part, picked

GREEK = set(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()
)
NAMED = {
    **{n: n for n in ("sin", "cos", "tan", "sec", "csc", "cot", "sinh", "cosh", "tanh", "coth", "log")},
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
}
"""Functions with a command of their own in LaTeX."""
COMPARISONS = {"lt": "<", "le": r"\le", "eq": "=", "ne": r"\ne"}
CONNECTIVES = {"logical_and": r"\land", "logical_or": r"\lor"}
FENCES = {
    "abs": (r"\left|", r"\right|"),
    "floor": (r"\left\lfloor ", r"\right\rfloor"),
    "ceil": (r"\left\lceil ", r"\right\rceil"),
    "norm": (r"\left\lVert ", r"\right\rVert"),
    "sqrt": (r"\sqrt{", "}"),
    "cbrt": (r"\sqrt[3]{", "}"),
}


def latex_layout(node: Expr) -> Layout:
    """How tightly the node's LaTeX binds, and its parts."""
    primitive = node.primitive
    name = primitive.name
    if primitive is INPUT:
        return ATOM, [symbol_latex(str(node.params[0]))]
    if primitive is CONSTANT:
        return _constant(node.params[0].value)
    args = node.args
    if isinstance(primitive, Elementwise):
        args = tuple(_inner(a) for a in args)
        if name in ARITHMETIC:
            return ARITHMETIC[name](args)
        if name in COMPARISONS:
            return COMPARISON, [Part(args[0], SUM), f" {COMPARISONS[name]} ", Part(args[1], SUM)]
        if name in CONNECTIVES:
            return LOOSE, [Part(args[0], COMPARISON), f" {CONNECTIVES[name]} ", Part(args[1], COMPARISON)]
    elif name in ARRAY_FORMS:
        form = ARRAY_FORMS[name](node)
        if form is not None:
            return form
    if name in FENCES:
        return ATOM, [FENCES[name][0], Part(args[0]), FENCES[name][1]]
    command = f"\\{NAMED[name]}" if name in NAMED else rf"\operatorname{{{_escaped(name)}}}"
    inner: list[Part | str] = [f"{command}\\left("]
    for k, a in enumerate(args):
        inner.extend([", "] * (k > 0))
        inner.append(Part(a))
    return ATOM, [*inner, r"\right)"]


def _inner(node: Expr) -> Expr:
    while node.primitive.name == "broadcast":
        node = node.args[0]
    return node


def _sum(args: tuple[Expr, ...]) -> Layout:
    return SUM, [Part(args[0], SUM), " + ", Part(args[1], PRODUCT, signed=False)]


def _difference(args: tuple[Expr, ...]) -> Layout:
    return SUM, [Part(args[0], SUM), " - ", Part(args[1], PRODUCT, signed=False)]


def _product(args: tuple[Expr, ...]) -> Layout:
    left, right = args
    # two numbers side by side would read as one
    digit = right.primitive is CONSTANT or (right.primitive.name == "pow" and right.args[0].primitive is CONSTANT)
    return PRODUCT, [Part(left, PRODUCT), r" \cdot " if digit else r" \, ", Part(right, POWER, signed=False)]


def _quotient(args: tuple[Expr, ...]) -> Layout:
    return POWER, [r"\frac{", Part(args[0]), "}{", Part(args[1]), "}"]


def _power(args: tuple[Expr, ...]) -> Layout:
    return POWER, [Part(args[0], ATOM), "^{", Part(args[1]), "}"]


def _exponential(args: tuple[Expr, ...]) -> Layout:
    return POWER, ["e^{", Part(args[0]), "}"]


def _negative(args: tuple[Expr, ...]) -> Layout:
    return SIGN, ["-", Part(args[0], POWER)]


def _not(args: tuple[Expr, ...]) -> Layout:
    return ATOM, [r"\lnot ", Part(args[0], ATOM)]


def _cases(args: tuple[Expr, ...]) -> Layout:
    condition, a, b = args
    return LOOSE, [r"\begin{cases} ", Part(a), r" & \text{if } ", Part(condition), r" \\ ", Part(b), r" & \text{otherwise} \end{cases}"]


ARITHMETIC: dict[str, Callable[[tuple[Expr, ...]], Layout]] = {
    "add": _sum,
    "sub": _difference,
    "mul": _product,
    "div": _quotient,
    "pow": _power,
    "exp": _exponential,
    "neg": _negative,
    "logical_not": _not,
    "where": _cases,
}


def _entry(node: Expr) -> Layout | None:
    """x_{i} for an entry of a vector, A_{i, :} and A_{:, j} for a row and a column."""
    entry = picked(node)
    if entry is None:
        return None
    x, axis, i = entry
    keys = [":"] * (x.ndim + axis) + [str(i)] + [":"] * (-axis - 1)
    return ATOM, ["{", Part(x, ATOM), f"}}_{{{', '.join(keys)}}}"]


def _transpose(node: Expr) -> Layout | None:
    return (POWER, ["{", Part(node.args[0], ATOM), r"}^{\mathsf{T}}"]) if node.ndim == 2 else None


def _einsum(node: Expr) -> Layout | None:
    """A b and A B for products of matrices and vectors, the labels as a subscript otherwise."""
    inputs, output = node.params
    if len(inputs) == 2 and inputs[0][-1:] == inputs[1][:1] and inputs[0][:-1] + inputs[1][1:] == output and len(inputs[0]) == 2:
        return PRODUCT, [Part(node.args[0], PRODUCT), r" \, ", Part(node.args[1], POWER, signed=False)]
    inner: list[Part | str] = [rf"\operatorname{{einsum}}_{{\mathtt{{{','.join(inputs)} \to {output}}}}}\left("]
    for k, a in enumerate(node.args):
        inner.extend([", "] * (k > 0))
        inner.append(Part(a))
    return ATOM, [*inner, r"\right)"]


ARRAY_FORMS: dict[str, Callable[[Expr], Layout | None]] = {"reshape": _entry, "transpose": _transpose, "einsum": _einsum}


def _constant(value: Any) -> Layout:
    if isinstance(value, np.ndarray):
        return ATOM, [rf"\text{{array {value.shape}}}"]
    if isinstance(value, bool):
        return ATOM, [rf"\text{{{value}}}"]
    if not math.isfinite(value):
        shown = {True: r"\text{nan}", False: r"-\infty" if value < 0 else r"\infty"}[math.isnan(value)]
        return (SIGN if shown.startswith("-") else ATOM), [shown]
    if value == math.pi:
        return ATOM, [r"\pi"]
    mantissa, _, exponent = repr(float(value)).partition("e")
    mantissa = mantissa.removesuffix(".0") if mantissa != "-0.0" else mantissa
    sign = mantissa.startswith("-")
    if exponent:
        return (SIGN if sign else PRODUCT), [rf"{mantissa} \cdot 10^{{{int(exponent)}}}"]
    return (SIGN if sign else ATOM), [mantissa]


def symbol_latex(name: str) -> str:
    """A name as a symbol: theta_1 and x1 with subscripts, Greek letters by their names, longer words upright."""
    head, _, rest = name.partition("_")
    digits = re.fullmatch(r"(.*?[^0-9])([0-9]+)", head)
    subscripts = [s for s in rest.split("_") if s]
    if digits:
        head, subscripts = digits[1], [digits[2], *subscripts]
    if not head:
        return rf"\mathrm{{{_escaped(name)}}}"
    shown = _letter(head)
    return shown + (f"_{{{', '.join(map(_letter, subscripts))}}}" if subscripts else "")


def _letter(word: str) -> str:
    if word in GREEK:
        return f"\\{word}"
    return word if len(word) == 1 or word.isdigit() else rf"\mathrm{{{_escaped(word)}}}"


def _escaped(word: str) -> str:
    return re.sub(r"([\\{}$&#^_%~])", lambda m: r"\textbackslash " if m[1] == "\\" else "\\" + m[1], word)

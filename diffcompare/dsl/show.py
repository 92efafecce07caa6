"""Expr and Function to text, to one short line for repr, and to a Graphviz drawing. LaTeX is in latex.py.

text(e) of a scalar expression is ASCII that parses back to the very node: parse(text(e)).output is e. Where sharing makes the
written-out expression longer than EXPANDED terms, shared parts are defined first, a line each, in the grammar's own form:

    t1 = x*y;
    sin(t1) + t1

Not in the grammar, and shown all the same: nan and inf, array operations, array constants, the inputs that transforms make
(tangents and cotangents, marked by a prime). Bool inputs and inputs named pi, e, True, False or nan parse when declared.
Every walk is iterative, and linear in the number of distinct nodes and the length of what it returns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .constants import Literal
from .core import CONSTANT, INPUT, Expr, is_fresh
from .elementwise import Elementwise
from .function import Function
from .latex import latex_layout
from .layout import ATOM, COMPARISON, POWER, PRODUCT, SIGN, SUM, Layout, Part, picked, pieces
from .shapes import Shape
from .walk import postorder

EXPANDED = 500
"""The most terms an expression with shared parts is written out with."""
WIDTH = 80
"""The most characters of a short form."""

INFIX: dict[str, tuple[str, int]] = {
    "add": (" + ", SUM),
    "sub": (" - ", SUM),
    "mul": ("*", PRODUCT),
    "div": ("/", PRODUCT),
    "lt": (" < ", COMPARISON),
    "le": (" <= ", COMPARISON),
    "eq": (" == ", COMPARISON),
    "ne": (" != ", COMPARISON),
}


def text(x: Expr | Function) -> str:
    """The whole expression, or a Function's outputs (one `name[i] = ...` a line where there are several)."""
    outputs = [x] if isinstance(x, Expr) else list(x.outputs)
    names, definitions = _shared(outputs)
    lines = [f"{names[node]} = {_written(node, names, defining=True)};\n" for node in definitions]
    if isinstance(x, Expr) or x.single:
        return "".join(lines) + _written(outputs[0], names)
    return "".join(lines) + "\n".join(f"{x.name}[{i}] = {_written(o, names)}" for i, o in enumerate(outputs))


def brief(x: Expr | Function) -> str:
    """At most WIDTH characters; deep parts are shown as ..., so that the cost does not depend on the size of the graph."""
    if isinstance(x, Expr):
        return _clip(_shallow(x), WIDTH)
    head = _clip(f"{x.name}({', '.join(_input_text(i) for i in x.inputs[:20])}{', ...' * (len(x.inputs) > 20)})", WIDTH // 2)
    shown = ", ".join(_shallow(o) for o in x.outputs[:10]) + ", ..." * (len(x.outputs) > 10)
    return _clip(f"{head} = {shown if x.single else f'({shown})'}", WIDTH)


def latex(x: Expr | Function) -> str:
    """LaTeX for mathematics mode; beyond EXPANDED distinct nodes only their number, shared parts defined in lines of their own."""
    outputs = [x] if isinstance(x, Expr) else list(x.outputs)
    count = len(postorder(outputs))
    if count > EXPANDED:
        return rf"\text{{an expression of {count:,} nodes}}"
    names, definitions = _shared(outputs)
    symbols = {node: f"t_{{{name[1:]}}}" for node, name in names.items()}
    lines = [f"{symbols[node]} &= {''.join(pieces(node, latex_layout, symbols, defining=True))}" for node in definitions]
    results = ["".join(pieces(o, latex_layout, symbols)) for o in outputs]
    if len(results) == 1 and not lines:
        return results[0]
    return r"\begin{aligned} " + r" \\ ".join([*lines, *(f"& {r}" for r in results)]) + r" \end{aligned}"


def dot(x: Expr | Function) -> str:
    """The graph in Graphviz's language: a node for each distinct expression, arguments above their users, in order."""
    outputs = [x] if isinstance(x, Expr) else list(x.outputs)
    order = postorder(outputs)
    number = {node: i for i, node in enumerate(order)}
    lines = ["digraph {", "  ordering=in;", '  node [fontname="monospace"];']
    for node, i in number.items():
        shape = {True: "box", False: "ellipse"}[node.primitive is INPUT or node.primitive is CONSTANT]
        bold = ", penwidth=2" if any(node is o for o in outputs[:100]) else ""
        lines.append(f"  n{i} [label={_quoted(_label(node))}, shape={shape}{bold}];")
    lines.extend(f"  n{number[a]} -> n{i};" for node, i in number.items() for a in node.args)
    return "\n".join([*lines, "}"]) + "\n"


# --- sharing ---


def _shared(outputs: Sequence[Expr]) -> tuple[dict[Expr, str], list[Expr]]:
    """Names for the nodes to define first, and those nodes in order; none while the whole has at most EXPANDED terms."""
    order = postorder(outputs)
    terms: dict[Expr, int] = {}
    uses: dict[Expr, int] = {}
    for node in order:
        terms[node] = min(1 + sum(terms[a] for a in node.args), EXPANDED + 1)
        for a in node.args:
            uses[a] = uses.get(a, 0) + 1
    if sum(terms[o] for o in outputs) <= EXPANDED:
        return {}, []
    for o in outputs:
        uses[o] = uses.get(o, 0) + 1
    definitions = [n for n in order if uses[n] > 1 and n.args]
    taken = {n.params[0] for n in order if n.primitive is INPUT}
    free = (name for k in itertools.count(1) if (name := f"t{k}") not in taken)
    return dict(zip(definitions, free, strict=False)), definitions


def _written(root: Expr, names: Mapping[Expr, str], defining: bool = False) -> str:
    return "".join(pieces(root, text_layout, names, defining))


def _shallow(root: Expr, depth: int = 8) -> str:
    """The text with what lies deeper than `depth` left out, and stopped when it is long enough to be clipped."""
    parts: list[str] = []
    length = 0
    for part in pieces(root, text_layout, {}, depth=depth):
        parts.append(part)
        length += len(part)
        if length > 2 * WIDTH:
            break
    return "".join(parts)


def _clip(shown: str, width: int) -> str:
    return shown if len(shown) <= width else f"{shown[: width - 3]}..."


# --- the text of one node ---


def text_layout(node: Expr) -> Layout:
    """How tightly the node's text binds, and its parts."""
    primitive = node.primitive
    name = primitive.name
    if primitive is INPUT:
        return ATOM, [_input_text(node)]
    if primitive is CONSTANT:
        shown = _constant_text(node.params[0].value, node.shape)
        return (SIGN if shown.startswith("-") else ATOM), [shown]
    if not isinstance(primitive, Elementwise):
        return ARRAY_FORMS.get(name, _call)(node)
    args = [_inner(a) for a in node.args]
    if name == "neg":
        return SIGN, ["-", Part(args[0], POWER)]
    if name in INFIX:
        sign, rank = INFIX[name]
        # + - * / group to the left; comparisons do not group at all
        right = {SUM: PRODUCT, PRODUCT: POWER, COMPARISON: SUM}[rank]
        return rank, [Part(args[0], max(rank, SUM)), sign, Part(args[1], right, signed=rank == COMPARISON)]
    if name == "pow":
        return POWER, [Part(args[0], ATOM), "**", Part(args[1], SIGN, signed=args[1].primitive is CONSTANT)]
    return ATOM, [f"{name}(", *_separated([Part(a) for a in args]), ")"]


def _inner(node: Expr) -> Expr:
    """The argument of an entry-by-entry function without its broadcasts, which such a function makes by itself."""
    while node.primitive.name == "broadcast":
        node = node.args[0]
    return node


def _separated(parts: Iterable[Part | str]) -> Iterator[Part | str]:
    for k, part in enumerate(parts):
        if k:
            yield ", "
        yield part


def _input_text(node: Expr) -> str:
    name = str(node.params[0])
    return f"{name}'" if is_fresh(node) and name.isidentifier() else name


def _constant_text(value: Any, shape: Shape) -> str:
    if isinstance(value, np.ndarray):
        return _array_text(value, shape)
    if isinstance(value, bool):
        return str(value)
    # repr gives the shortest digits that read back to the same float64; 2.0 is written 2, -0.0 keeps its point
    shown = repr(float(value))
    return shown[:-2] if shown.endswith(".0") and shown != "-0.0" else shown


def _array_text(value: np.ndarray[Any, Any], shape: Shape, count: int = 6) -> str:
    if value.size <= count:
        return str(value.tolist())
    first = ", ".join(_constant_text(v, ()) for v in value.ravel()[:3].tolist())
    return f"array({first}, ..., shape={shape})"


# --- array operations: read by people, not by the grammar ---


def _call(node: Expr) -> Layout:
    """name(arguments, parameters)"""
    parameters = [_parameter_text(p) for p in node.params]
    return ATOM, [f"{node.primitive.name}(", *_separated([*(Part(a) for a in node.args), *parameters]), ")"]


def _parameter_text(value: Any) -> str:
    if isinstance(value, Literal):
        return _constant_text(value.value, np.shape(value.value))
    return _clip(repr(value), 40)


def _reduction(node: Expr) -> Layout:
    axes = node.params[0]
    every = len(axes) == node.args[0].ndim
    axis = "" if every else f", axis={axes[0] if len(axes) == 1 else axes}"
    return ATOM, [f"{node.primitive.name}(", Part(node.args[0]), f"{axis})"]


def _indexed(node: Expr, axis: int, key: object) -> Layout:
    keys = [":"] * (node.ndim + axis) + [str(key)]
    return ATOM, [Part(node, ATOM), f"[{', '.join(keys)}]"]


def _slice(node: Expr) -> Layout:
    axis, start, stop, step = node.params
    key = f"{start or ''}:{'' if stop is None else stop}{f':{step}' if step != 1 else ''}"
    return _indexed(node.args[0], axis, key)


def _take(node: Expr) -> Layout:
    axis, indices = node.params
    return _indexed(node.args[0], axis, _constant_text(indices.value, indices.value.shape))


def _reshape(node: Expr) -> Layout:
    entry = picked(node)
    return ATOM, ["reshape(", Part(node.args[0]), f", {node.shape})"] if entry is None else _indexed(*entry)[1]


def _transpose(node: Expr) -> Layout:
    (part,), (axes,) = node.args, node.params
    if axes == tuple(range(-1, -len(axes) - 1, -1)):
        return ATOM, [Part(part, ATOM), ".T"]
    return _call(node)


def _concatenate(node: Expr) -> Layout:
    """stack([...]) where every part was given the joined axis for it, concatenate([...]) otherwise."""
    place = node.ndim + node.params[0]
    if all(a.primitive.name == "reshape" and a.shape == _with_axis(a.args[0].shape, place) for a in node.args):
        axis = f", axis={place}" * (place > 0)
        return ATOM, ["stack([", *_separated(Part(a.args[0]) for a in node.args), f"]{axis})"]
    return ATOM, ["concatenate([", *_separated(Part(a) for a in node.args), f"], axis={node.params[0]})"]


def _with_axis(shape: Shape, place: int) -> Shape:
    return (*shape[:place], 1, *shape[place:])


def _einsum(node: Expr) -> Layout:
    inputs, output = node.params
    return ATOM, [f"einsum('{','.join(inputs)}->{output}', ", *_separated(Part(a) for a in node.args), ")"]


ARRAY_FORMS: dict[str, Callable[[Expr], Layout]] = {
    **dict.fromkeys(("sum", "max", "min", "prod", "logsumexp", "norm"), _reduction),
    "slice": _slice,
    "take": _take,
    "reshape": _reshape,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "einsum": _einsum,
}


# --- drawing ---


def _label(node: Expr) -> str:
    if node.primitive is INPUT:
        return _input_text(node) + f" {node.shape}" * bool(node.shape)
    if node.primitive is CONSTANT:
        return _clip(_constant_text(node.params[0].value, node.shape), 40)
    parameters = ", ".join(_parameter_text(p) for p in node.params)
    return _clip(node.primitive.name + f" {parameters}" * bool(parameters), 40)


def _quoted(label: str) -> str:
    escaped = label.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""A prepared derivative in a notebook: its formula while that is short, who computes it, and what a call costs."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..dsl.arithmetic import mul
from ..dsl.core import Expr
from ..dsl.elementwise import number
from ..dsl.latex import symbol_latex
from ..dsl.show import latex
from ..dsl.walk import postorder
from ..transforms.cost import cost

if TYPE_CHECKING:
    from .base import Derivative

SHOWN = 60
"""The most distinct nodes of a formula that is shown."""


def derivative_html(d: Derivative) -> str:
    """The formula in LaTeX, and a table of method, engine, operations and preparation."""
    shown = formula(d)
    rows = [
        ("method", f"{d.method} ({d.family})"),
        ("engine", f"{d.engine}, {d.precision}"),
        ("a call at a point", _work(d)),
        ("prepared in", f"{1e3 * d.derive_s:.3g} ms for the derivative, {1e3 * d.compile_s:.3g} ms for the code"),
    ]
    table = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    title = f"{d.operator} of {d.primal.name} with respect to {', '.join(d.wrt)}"
    return f"<p>{html.escape(title)}</p>{f'<p>$${html.escape(shown, quote=False)}$$</p>' if shown else ''}<table>{table}</table>"


def formula(d: Derivative) -> str:
    """The derivative in LaTeX, a line for each of its parts; "" where it is no formula of the inputs, or a long one.

    What guards against zeros and infinities (0 times infinity, the end of a domain, the sign of a zero) is left out.
    """
    f = d.function
    if d.calls or d.operator == "value" or len(f.inputs) != len(d.primal.inputs) + _directions(d) or len(postorder(f.outputs)) > SHOWN:
        return ""
    outputs = _plain(f.outputs)
    names = _parts(d)
    if len(names) != len(outputs):
        return r" \\ ".join(latex(o) for o in outputs) if len(outputs) == 1 else ""
    lines = [f"{name} &= {latex(o)}" for name, o in zip(names, outputs, strict=True)]
    return lines[0].replace(" &= ", " = ", 1) if len(lines) == 1 else r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"


def _directions(d: Derivative) -> int:
    nodes = {"jvp": len(d.wrt), "hvp": len(d.wrt), "vjp": len(d.primal.outputs)}
    return nodes.get(d.operator, 0)


def _plain(outputs: Sequence[Expr]) -> list[Expr]:
    new: dict[Expr, Expr] = {}
    for node in postorder(outputs):
        args = [new[a] for a in node.args]
        match node.primitive.name:
            case "chain_mul":
                new[node] = mul(*args)
            case "inside":
                new[node] = args[1]
            case "add" if number(args[1]) == 0.0:
                new[node] = args[0]
            case _:
                new[node] = node.primitive.apply(args, node.params) if args else node
    return [new[o] for o in outputs]


def _parts(d: Derivative) -> list[str]:
    """What each block of the result is, in LaTeX."""
    f, by = symbol_latex(d.primal.name), [symbol_latex(n) for n in d.wrt]
    first = [rf"\frac{{\partial {f}}}{{\partial {x}}}" for x in by]
    match d.operator:
        case "gradient":
            return first
        case "value_and_gradient":
            return [f, *first]
        case "jacobian" if len(d.primal.outputs) == 1:
            return first
        case "hessian":
            return [rf"\frac{{\partial^2 {f}}}{{\partial {x} \, \partial {z}}}" for x in by for z in by]
        case _:
            return []


def _work(d: Derivative) -> str:
    own = d.cost
    if own is None:
        return "operations are not counted: another program computes it"
    primal = cost(d.primal).weighted()
    ratio = f", {own.weighted() / primal:.3g} times the function" if primal else ""
    calls = f", {d.calls} calls of the function" if d.calls else ""
    return f"{own.operations:,} operations{ratio}{calls}; {own.peak:,} values alive at once"

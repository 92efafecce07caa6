"""The swell of formulas: how SymPy's derivatives grow as trees, and what is left of that when common parts are shared."""

from __future__ import annotations

from typing import Any

import sympy

from ...dsl.core import Expr, fresh
from ...dsl.elementwise import Elementwise
from ...dsl.function import Function
from ...dsl.walk import postorder
from ...errors import TooLarge, Unsupported
from .convert import Vocabulary, filled, run
from .graph import all_native
from .terms import Basic, nodes


class Plain(Vocabulary):
    """The vocabulary with SymPy's own functions and all of its automatic evaluation, as in a SymPy session."""

    number = staticmethod(lambda value: sympy.Rational(value) if float(value).is_integer() else sympy.Float(value))
    add = staticmethod(sympy.Add)
    mul = staticmethod(sympy.Mul)
    neg = staticmethod(lambda x: -x)
    sub = staticmethod(lambda a, b: a - b)
    div = staticmethod(lambda a, b: a / b)
    pow = staticmethod(lambda x, y: x**y)

    def call(self, *args: Basic, primitive: Elementwise) -> Basic:
        if primitive.evaluate is None:
            return getattr(self, primitive.name)(*args)
        inputs = [fresh(f"argument_{k}") for k in range(len(args))]
        (result,) = run([primitive.evaluate(*inputs)], {i: filled((), [a]) for i, a in zip(inputs, args, strict=True)}, self)
        return result.item()

    def __getattr__(self, name: str) -> Any:
        if name not in all_native():
            raise Unsupported(f"swell: SymPy has no {name}")
        return all_native()[name]


SWELL_LIMIT = 5_000
"""Operations of the function written out as a tree, up to which SymPy's count of its derivative takes seconds."""


def swell(function: Function) -> dict[str, int]:
    """How SymPy's derivative of a scalar function grows: operation counts of its formulas, as SymPy counts them.

    function, derivative: as trees (the derivative as diff gives it, not simplified); cse, temporaries: the derivative after
    SymPy's cse; nodes: its distinct subexpressions other than numbers and symbols, what a shared graph would hold.
    With several inputs, the sum over the gradient. Raises TooLarge above SWELL_LIMIT; Unsupported for array functions.
    Source: Baydin et al., Automatic Differentiation in Machine Learning: a Survey, JMLR 18(153), table 1.
    """
    if any(n.shape for n in postorder([*function.outputs, *function.inputs])):
        raise Unsupported(f"swell: {function.name} has arrays; scalarize it first")
    size = _tree_operations(function)
    if size > SWELL_LIMIT:
        raise TooLarge(f"swell: {function.name} written out as a tree has {size} operations; the limit is {SWELL_LIMIT}")
    symbols = [sympy.Symbol(f"x{k}", real=True) for k in range(len(function.inputs))]
    values = {i: filled((), [s]) for i, s in zip(function.inputs, symbols, strict=True)}
    outputs = [r.item() for r in run(function.outputs, values, Plain())]
    derivatives = [o.diff(s) for o in outputs for s in symbols]
    temporaries, reduced = sympy.cse(derivatives)
    return {
        "function": int(sum(sympy.count_ops(o) for o in outputs)),
        "derivative": int(sum(sympy.count_ops(d) for d in derivatives)),
        "cse": int(sum(sympy.count_ops(e) for e in [*(t for _, t in temporaries), *reduced])),
        "temporaries": len(temporaries),
        "nodes": sum(1 for n in nodes(derivatives) if n.args),
    }


def _tree_operations(function: Function) -> int:
    size: dict[Expr, int] = {}
    for node in postorder(function.outputs):
        size[node] = sum(size[a] for a in node.args) + bool(node.args)
    return sum(size[o] for o in function.outputs)

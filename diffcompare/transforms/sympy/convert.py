"""From the graph to SymPy: the vocabulary of the rows' sympy= forms, and functions of arrays entry by entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import sympy

from ...dsl.arithmetic import pow_
from ...dsl.composite import Composite
from ...dsl.constants import literal
from ...dsl.contraction import Einsum
from ...dsl.core import CONSTANT, INPUT, PRIMITIVES, Expr, is_fresh
from ...dsl.elementwise import Elementwise
from ...dsl.function import Function
from ...dsl.structural import Structural, Sum, broadcast_value
from ...dsl.walk import postorder
from ...errors import Unsupported
from .terms import ZERO, Basic, Opaque, Reciprocal, add, multiply, negate, number, opaque, shared

Array = np.ndarray[Any, Any]
LARGEST_POWER = 64
"""Up to here x**n is SymPy's power, differentiated by it; larger ones follow the row of pow."""


class Vocabulary:
    """What the sympy= forms of the rows are written in: sp.add, sp.div, sp.compare("<", a, b), and sp.NAME for every row NAME."""

    number = staticmethod(number)
    add = staticmethod(add)
    mul = staticmethod(multiply)
    neg = staticmethod(negate)

    def call(self, *args: Basic, primitive: Elementwise) -> Basic:
        """A row without a sympy= form."""
        return opaque(primitive)(*args)

    @staticmethod
    def sub(a: Basic, b: Basic) -> Basic:
        return add(a, negate(b))

    @staticmethod
    def div(a: Basic, b: Basic) -> Basic:
        if b.is_Rational and b is not ZERO:
            return multiply(a, 1 / b)
        return multiply(a, Reciprocal(b))

    @staticmethod
    def pow(x: Basic, y: Basic) -> Basic:
        # Not for numbers (9**9**9 hangs) nor for products: SymPy makes (x*y)**2 x**2*y**2, which overflows where x*y does not
        if y.is_Integer and 2 <= y <= LARGEST_POWER and not (x.is_Number or x.is_Mul):
            return x**y
        return opaque(pow_)(x, y)

    @staticmethod
    def compare(sign: str, a: Basic, b: Basic) -> Basic:
        return opaque(PRIMITIVES[{"<": "lt", "<=": "le", "==": "eq", "!=": "ne"}[sign]])(a, b)

    def __getattr__(self, name: str) -> type[Opaque]:
        primitive = PRIMITIVES.get(name)
        if not isinstance(primitive, Elementwise):
            raise Unsupported(f"symbolic: a sympy= form uses {name!r}, which is no function of the DSL")
        return opaque(primitive)


SP = Vocabulary()


def to_sympy(function: Function) -> tuple[list[Basic], list[Basic]]:
    """(symbols, expressions): a real symbol for each entry of each input, an expression for each entry of each output.

    Entries are in row-major order, inputs and outputs in theirs. A scalar input x is the symbol x, an entry of an array
    x[0, 1]. Array functions (norm, logsumexp, max...) stand as functions of all entries. Raises Unsupported for a
    primitive without a form.
    """
    values: dict[Expr, Array] = {}
    for position, node in enumerate(function.inputs):
        name = f"{node.params[0]}#{position}" if is_fresh(node) else node.params[0]
        labels = [f"{name}[{', '.join(map(str, at))}]" if node.shape else name for at in np.ndindex(node.shape)]
        values[node] = filled(node.shape, [sympy.Symbol(label, real=True) for label in labels])
    symbols = [e for i in function.inputs for e in values[i].flat]
    return symbols, [e for result in run(function.outputs, values) for e in result.flat]


def run(outputs: Sequence[Expr], values: Mapping[Expr, Array], sp: Any = SP) -> list[Array]:
    """The outputs as arrays of SymPy expressions, the nodes in `values` given."""
    values = dict(values)
    for node in postorder(outputs, stop=values):
        if node not in values:
            values[node] = _evaluate(node, [values[a] for a in node.args], sp)
    return [values[o] for o in outputs]


def _evaluate(node: Expr, args: list[Array], sp: Any) -> Array:
    primitive = node.primitive
    if primitive is CONSTANT:
        return filled(node.shape, [sp.number(v) for v in np.asarray(literal(node)).flat])
    if primitive is INPUT:
        raise Unsupported(f"{node.params[0]!r} is not an input of the function")
    if isinstance(primitive, Elementwise):
        form = primitive.sympy or partial(type(sp).call, primitive=primitive)
        return filled(node.shape, [shared(form(sp, *entries)) for entries in zip(*(a.flat for a in args), strict=True)])
    if isinstance(primitive, Composite):
        return _composite(node, args[0])
    if isinstance(primitive, Sum):
        axes = node.params[0]
        flat = np.moveaxis(args[0], axes, range(-len(axes), 0)).reshape(*node.shape, -1)
        return filled(node.shape, [add(*flat[at]) if flat.shape[-1] else number(0.0) for at in np.ndindex(node.shape)])
    if isinstance(primitive, Einsum):
        return _einsum(node, args)
    if isinstance(primitive, Structural):
        if primitive.name == "broadcast":
            return broadcast_value(args[0], node.args[0].shape, node.shape)
        result = np.asarray(primitive.evaluate(node.params, *args), dtype=object)
        return filled(node.shape, [e if isinstance(e, sympy.Basic) else number(e) for e in result.flat])
    raise Unsupported(f"symbolic: {primitive.name} has no form in SymPy")


def _composite(node: Expr, x: Array) -> Array:
    """An array function along axes, each slice of its argument as a vector."""
    axes: tuple[int, ...] = node.params[0]
    kind = opaque(node.primitive)
    moved = np.moveaxis(x, axes, range(-len(axes), 0))
    batch, core = moved.shape[: moved.ndim - len(axes)], moved.shape[moved.ndim - len(axes) :]
    vectors = moved.reshape(*batch, -1)
    if node.shape == batch:
        return filled(node.shape, [shared(kind(ZERO, *vectors[at])) for at in np.ndindex(batch)])
    entries = [shared(kind(sympy.Integer(k), *vectors[at])) for at in np.ndindex(batch) for k in range(vectors.shape[-1])]
    return np.moveaxis(filled((*batch, *core), entries), range(-len(axes), 0), axes)


def _einsum(node: Expr, args: Sequence[Array]) -> Array:
    """Sums of products, each sum built at once."""
    labels, output = node.params
    sizes = {c: n for part, a in zip(labels, args, strict=True) for c, n in zip(part, a.shape, strict=True)}
    summed = [c for c in sizes if c not in output]
    entries = []
    for at in np.ndindex(node.shape):
        place = dict(zip(output, at, strict=True))
        terms = []
        for inner in np.ndindex(*(sizes[c] for c in summed)):
            place.update(zip(summed, inner, strict=True))
            terms.append(multiply(*(a[tuple(place[c] for c in part)] for part, a in zip(labels, args, strict=True))))
        entries.append(add(*terms) if terms else number(0.0))
    return filled(node.shape, entries)


def filled(shape: tuple[int, ...], entries: Iterable[Any]) -> Array:
    listed = list(entries)
    flat = np.empty(len(listed), dtype=object)
    for k, entry in enumerate(listed):  # flat[:] = entries would ask each expression for its length
        flat[k] = entry
    return flat.reshape(shape)

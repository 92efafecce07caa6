"""An array Function as a Function of scalars: each entry an expression of its own."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np

from ..dsl.composite import Composite, Reduction, reduce_entries
from ..dsl.constants import as_expr, constant, literal
from ..dsl.core import CONSTANT, INPUT, Expr, fresh
from ..dsl.elementwise import Elementwise
from ..dsl.function import Function
from ..dsl.structural import Structural, broadcast_value, label_
from ..dsl.walk import postorder
from ..errors import TooLarge, Unsupported
from .nothing import NOTHING, Unit, applied, written

Array = np.ndarray[Any, Any]
LIMIT = 200_000


def scalarize(function: Function, limit: int = LIMIT, named: bool = False) -> Function:
    """The same function with one scalar input x[i, j] for each entry of each input, and one output for each entry.

    Entries are in row-major order, inputs and outputs in theirs. Scalar inputs stay as they are.
    named: whether an intermediate array named y gives entries named y[i, j]; otherwise they have no names.
    Raises TooLarge beyond `limit` scalar operations; Unsupported for an array function without a native entry form
    (lower the function first).
    """
    if not named and len(function.order) <= limit and is_scalar(function):
        return Function(function.name, function.inputs, function.outputs, function.single and len(function.outputs) == 1)
    values: dict[Expr, Array] = {i: _entries(i) for i in function.inputs}
    inputs = [e for i in function.inputs for e in values[i].flat]
    count = 0
    for node in postorder(function.outputs):
        if node not in values:
            values[node] = _evaluate(node, [values[a] for a in node.args])
            if named and node.primitive.name == "named":
                values[node] = _named(values[node], node.params[0])
            count += sum(e is not NOTHING for e in values[node].flat)
            if count > limit:
                raise TooLarge(f"{function.name}: more than {limit} scalar operations when every array entry is written out")
    outputs = [written(e) for o in function.outputs for e in values[o].flat]
    return Function(function.name, inputs, outputs, function.single and len(outputs) == 1)


def is_scalar(function: Function) -> bool:
    """Whether all is written in functions of scalars already."""
    primitives, shapes = zip(*map(attrgetter("primitive", "shape"), (*function.inputs, *function.order)), strict=True)
    return not any(shapes) and all(p is INPUT or p is CONSTANT or isinstance(p, Elementwise) for p in set(primitives))


def _entries(node: Expr) -> Array:
    """The scalar inputs that stand for the entries of an input."""
    result = np.empty(node.shape, dtype=object)
    for where in np.ndindex(node.shape):
        result[where] = node if not node.shape else fresh(entry_name(node.params[0], where))
    return result


def _named(values: Array, name: str) -> Array:
    """The entries under names of their own; the name itself where there is only one."""
    entries = [label_.apply([e], (entry_name(name, k),)) for k, e in zip(np.ndindex(values.shape), values.flat, strict=True)]
    return _filled(values.shape, entries)


def entry_name(name: str, where: tuple[int, ...]) -> str:
    """x[i, j]; x itself where it is a scalar."""
    return f"{name}[{', '.join(map(str, where))}]" if where else name


def _evaluate(node: Expr, args: list[Array]) -> Array:
    primitive = node.primitive
    if primitive is CONSTANT:
        value = np.asarray(literal(node))
        return _filled(value.shape, [constant(v) for v in value.flat])
    if primitive is INPUT:
        raise Unsupported(f"{node.params[0]!r} is not an input of the function")
    if isinstance(primitive, Unit):
        return _filled(node.shape, primitive.entries(node))
    if isinstance(primitive, Elementwise):
        return _filled(node.shape, [applied(primitive, entries) for entries in zip(*(a.flat for a in args), strict=True)])
    if isinstance(primitive, Structural):
        if primitive.name == "broadcast":
            return broadcast_value(args[0], node.args[0].shape, node.shape)
        result = primitive.evaluate(node.params, *args)
        return _filled(node.shape, [e if e is NOTHING else as_expr(e) for e in result.flat])
    if isinstance(primitive, Reduction) and primitive.entry is not None:
        return reduce_entries(primitive, args[0], node.params[0])
    if isinstance(primitive, Composite) and primitive.evaluate is not None:
        raise Unsupported(f"{primitive.name} is written out by lowering; lower the function before scalarize")
    raise Unsupported(f"{primitive.name} has no form on single entries")


def _filled(shape: tuple[int, ...], entries: list[Any]) -> Array:
    flat = np.empty(len(entries), dtype=object)
    for k, entry in enumerate(entries):  # flat[:] = entries would ask each expression for its length
        flat[k] = entry
    return flat.reshape(shape)

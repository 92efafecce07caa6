"""`peer.casadi`: CasADi's algorithmic differentiation of our function written in its symbols, evaluated by its virtual machine.

SX graphs of scalar operations up to SCALAR operations, as its manual advises, MX graphs of whole arrays beyond. Calls go
through Function.buffer, batches through Function.map. Not compiled to C: that needs a compiler.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...dsl.constants import literal
from ...dsl.contraction import Einsum
from ...dsl.core import CONSTANT, Expr
from ...dsl.elementwise import Elementwise, number
from ...dsl.function import Function
from ...dsl.shapes import Shape, size_of
from ...dsl.structural import Broadcast, Concatenate, Label, Reshape, Scatter, Structural, Sum, broadcast_value
from ...dsl.walk import postorder
from ...engines.base import Array, Engine
from ...errors import Unsupported
from ...transforms.cost import cost
from ...transforms.lower import lower
from ..base import Operator, Request, Runner
from .library import FlatRunner, Peer

SCALAR = 10_000
"""Scalar operations up to which the function is an SX graph."""


class PeerCasadi(Peer):
    """gradient, jacobian, hessian and jtimes of CasADi, which pick their modes and exploit sparsity themselves."""

    name = "peer.casadi"
    library = "casadi"

    def answer(self, request: Request, engine: Engine, memory: int) -> Runner:
        return CasadiRunner(request)

    def written(self, function: Function) -> Any:
        """The function itself as a casadi.Function from the column of its inputs to that of its outputs; may raise Unsupported.

        Of SX where all inputs are scalars or it has up to SCALAR operations, else of MX.
        """
        import casadi as ca

        self._load()
        kind: Any = ca.SX if all(i.shape == () for i in function.inputs) or cost(function).operations <= SCALAR else ca.MX
        point = kind.sym("point", sum(i.size for i in function.inputs))
        outputs = _written(function, _cut(point, [i.size for i in function.inputs]), kind)
        return ca.Function("function", [point], [ca.densify(ca.vertcat(*outputs))])


class CasadiRunner(FlatRunner):
    """A request as one CasADi Function of one column."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        started = time.perf_counter()
        self._compiled = _compiled(request)
        self.compile_s = time.perf_counter() - started
        self.source = str(self._compiled)
        self._entries = sum(size_of(b) for b in request.blocks)
        self._local = threading.local()

    def evaluate(self, points: Array) -> Array:
        results = np.empty((len(points), self._entries))
        if not results.size:
            return results
        buffer, run = self._buffer(len(points))
        buffer.set_arg(0, memoryview(points.reshape(-1).data))  # a point is a column, so rows of ours are CasADi's columns
        buffer.set_res(0, memoryview(results.reshape(-1).data))
        run()
        return results

    def _buffer(self, points: int) -> tuple[Any, Callable[[], None]]:
        """This thread's evaluator for as many points as in its last call; made anew when the number changes."""
        known: tuple[int, Any, Callable[[], None]] | None = getattr(self._local, "known", None)
        if known is None or known[0] != points:
            compiled = self._compiled if points == 1 else self._compiled.map(points)
            known = self._local.known = (points, *compiled.buffer())
        return known[1], known[2]


def _compiled(request: Request) -> Any:
    """column of all inputs and directions -> column of all blocks, each in row-major order."""
    import casadi as ca

    f = request.function
    kind: Any = ca.SX if cost(f).operations <= SCALAR else ca.MX
    nodes = [*f.inputs, *(request.directions[1] if request.directions else ())]
    point = kind.sym("point", sum(n.size for n in nodes))
    parts = _cut(point, [n.size for n in nodes])
    wrt = kind.sym("wrt", sum(w.size for w in request.wrt))
    inputs = list(parts[: len(f.inputs)])
    places = [k for w in request.wrt for k, i in enumerate(f.inputs) if i is w]
    for place, part in zip(places, _cut(wrt, [w.size for w in request.wrt]), strict=True):
        inputs[place] = part
    outputs = _written(f, inputs, kind)
    blocks = _blocks(request, outputs, wrt, ca.vertcat(*parts[len(f.inputs) :]))
    inner = ca.Function("inner", [point, wrt], [ca.densify(ca.vertcat(*blocks))])
    return ca.Function("derivative", [point], [inner(point, ca.vertcat(*(parts[p] for p in places)))])


def _cut(column: Any, sizes: Sequence[int]) -> list[Any]:
    import casadi as ca

    return list(ca.vertsplit(column, np.cumsum([0, *sizes]).tolist())) if sizes else []


def _blocks(request: Request, outputs: list[Any], wrt: Any, direction: Any) -> list[Any]:
    """Columns, one for each block."""
    import casadi as ca

    joined = ca.vertcat(*outputs)
    widths = [w.size for w in request.wrt]

    def table(matrix: Any, heights: Sequence[int]) -> list[Any]:
        """The parts of a matrix by rows and columns, each in row-major order."""
        tops, lefts = np.cumsum([0, *heights]).tolist(), np.cumsum([0, *widths]).tolist()
        whole = ca.densify(matrix)
        return [ca.vec(whole[a:b, c:d].T) for a, b in pairwise(tops) for c, d in pairwise(lefts)]

    def derivative() -> list[Any]:
        result = joined
        for _ in range(request.order):
            result = ca.jtimes(result, wrt, type(wrt).ones(wrt.shape[0], 1))
        return [ca.densify(result)]

    match request.operator:
        case Operator.VALUE:
            return outputs
        case Operator.DERIVATIVE:
            return derivative()
        case Operator.GRADIENT:
            return [ca.densify(ca.gradient(joined, wrt))]
        case Operator.VALUE_AND_GRADIENT:
            return [joined, ca.densify(ca.gradient(joined, wrt))]
        case Operator.JACOBIAN:
            return table(ca.jacobian(joined, wrt), [o.size for o in request.function.outputs])
        case Operator.HESSIAN:
            return table(ca.hessian(joined, wrt)[0], widths)
        case Operator.JVP:
            return [ca.densify(ca.jtimes(joined, wrt, direction))]
        case Operator.VJP:
            return [ca.densify(ca.jtimes(joined, wrt, direction, True))]
        case Operator.HVP:
            return [ca.densify(ca.jtimes(ca.gradient(joined, wrt), wrt, direction))]


# --- the function in CasADi's vocabulary: each array is a column, in row-major order ---


def _written(function: Function, inputs: Sequence[Any], kind: Any) -> list[Any]:
    """The outputs as columns."""
    forms = _forms()

    def own(node: Expr) -> Callable[..., Any] | None:
        form = forms.get(node.primitive.name)
        return None if form is None else form(node)

    outputs = lower(function.outputs, lambda node: own(node) is not None)
    columns: dict[Expr, Any] = dict(zip(function.inputs, inputs, strict=True))
    for node in postorder(outputs):
        if node in columns:
            continue
        if node.primitive is CONSTANT:
            columns[node] = kind(_dense(np.asarray(literal(node), float).ravel()))
        else:
            columns[node] = (own(node) or _call(node))(*(columns[a] for a in node.args))
    return [columns[o] for o in outputs]


def _dense(values: Array) -> Any:
    import casadi as ca

    return ca.DM(values.reshape(-1, 1)) if values.size else ca.DM(0, 1)


def _forms() -> dict[str, Callable[[Expr], Callable[..., Any] | None]]:
    """What a user of CasADi would call for our composites and for whole powers."""
    import casadi as ca

    def of_all(function: Callable[[Any], Any]) -> Callable[[Expr], Callable[..., Any] | None]:
        return lambda node: function if not node.shape and len(node.params[0]) == len(node.args[0].shape) else None

    def whole_power(node: Expr) -> Callable[..., Any] | None:
        exponent = number(node.args[1])
        return (lambda x, n: x ** int(exponent)) if exponent is not None and exponent.is_integer() else None

    def softplus(x: Any) -> Any:
        # one smooth form on each side; max(x, 0) + log1p(exp(-|x|)) has two kinks at 0, and their second derivatives do not cancel
        return ca.if_else(x > 0, x + ca.log1p(ca.exp(-x)), ca.log1p(ca.exp(x)))

    return {
        "softplus": lambda node: softplus,
        "gauss": lambda node: lambda x: ca.exp(-(x**2)),
        "logsumexp": of_all(ca.logsumexp),
        "norm": of_all(ca.norm_2),
        "pow": whole_power,
    }


def _call(node: Expr) -> Callable[..., Any]:
    primitive = node.primitive
    if isinstance(primitive, Elementwise):
        return _elementwise(primitive)
    if isinstance(primitive, Structural):
        return _structural(node)
    if primitive.name in ("max", "min", "prod"):
        return lambda x: _folded(x, node)
    raise Unsupported(f"peer.casadi has no form of {primitive.name}")


_NAMES = {
    "abs": "fabs",
    "maximum": "fmax",
    "minimum": "fmin",
    "pow": "power",
    "mul": "times",
    "sub": "minus",
    "add": "plus",
    "div": "rdivide",
    "logical_and": "logic_and",
    "logical_or": "logic_or",
    "logical_not": "logic_not",
    "where": "if_else",
}
"""CasADi's names where they are not ours."""


def _elementwise(primitive: Elementwise) -> Callable[..., Any]:
    import casadi as ca

    own: dict[str, Callable[..., Any]] = {
        "neg": lambda x: -x,
        "real": lambda x: x,
        "exp2": lambda x: 2**x,
        "log2": lambda x: ca.log(x) / math.log(2),
        "erfc": lambda x: 1 - ca.erf(x),
        "mod": lambda x, y: x - y * ca.floor(x / y),
        "floor_divide": lambda x, y: ca.floor(x / y),
        "chain_mul": lambda p, t: ca.if_else(ca.logic_or(p == 0, t == 0), ca.if_else(ca.logic_or(p != p, t != t), p * t, 0), p * t),
    }
    found: Callable[..., Any] | None = own.get(primitive.name) or getattr(ca, _NAMES.get(primitive.name, primitive.name), None)
    if found is None:
        raise Unsupported(f"peer.casadi has no form of {primitive.name}")
    return found


def _structural(node: Expr) -> Callable[..., Any]:
    import casadi as ca

    primitive, params = node.primitive, node.params
    assert isinstance(primitive, Structural)
    positions = [np.arange(a.size).reshape(a.shape) for a in node.args]
    if isinstance(primitive, Label | Reshape):
        return lambda x: x
    if isinstance(primitive, Broadcast):
        index = broadcast_value(positions[0], node.args[0].shape, node.shape)
        return lambda x: ca.repmat(x, node.size, 1) if node.args[0].size == 1 else _picked(x, index)
    if isinstance(primitive, Sum):
        return lambda x: _column(ca.sum1(_by_column(x, node.args[0].shape, params[0])))
    if isinstance(primitive, Concatenate):
        starts = np.cumsum([0, *(a.size for a in node.args)])
        joined = primitive.evaluate(params, *(p + s for p, s in zip(positions, starts, strict=False)))
        return lambda *parts: _picked(ca.vertcat(*parts), joined)
    if isinstance(primitive, Einsum):
        return _product(node)
    if isinstance(primitive, Scatter):
        targets = np.moveaxis(np.arange(node.size).reshape(node.shape), params[0], 0)[params[1].value]
        return _placed(np.moveaxis(targets, 0, params[0]), node)
    if primitive.name == "embed_diagonal":
        targets = np.empty(node.args[0].size, dtype=np.intp)
        laid = primitive.evaluate(params, positions[0] + 1).ravel()
        targets[laid[laid > 0] - 1] = np.flatnonzero(laid)
        return _placed(targets, node)
    return lambda x: _picked(x, primitive.evaluate(params, positions[0]))


def _picked(x: Any, index: Array) -> Any:
    """Entries of a column by position."""
    flat = index.ravel().tolist()
    return x if flat == list(range(x.shape[0])) else x[flat]


def _placed(targets: Array, node: Expr) -> Callable[..., Any]:
    """Entries added at positions of a column of zeros."""
    import casadi as ca

    matrix = ca.DM.triplet(targets.ravel().tolist(), list(range(targets.size)), ca.DM.ones(targets.size), node.size, targets.size)
    return lambda x: ca.densify(ca.mtimes(matrix, x))


def _by_column(x: Any, shape: Shape, axes: Sequence[int]) -> Any:
    """A matrix whose columns run through `axes` (negative), one for each place in the other axes."""
    import casadi as ca

    kept = [a for a in range(-len(shape), 0) if a not in axes]
    index = np.arange(size_of(shape)).reshape(shape).transpose([len(shape) + a for a in (*kept, *axes)])
    rows = size_of(tuple(shape[a] for a in axes))
    return ca.reshape(_picked(x, index), rows, size_of(shape) // max(rows, 1))


def _column(row: Any) -> Any:
    import casadi as ca

    return ca.densify(ca.vec(row))


def _folded(x: Any, node: Expr) -> Any:
    """max, min or prod by halves, in whole rows."""
    import casadi as ca

    pick = {"max": ca.fmax, "min": ca.fmin, "prod": ca.times}[node.primitive.name]
    rows = _by_column(x, node.args[0].shape, node.params[0])
    while rows.shape[0] > 1:
        half = rows.shape[0] // 2
        rest = rows[2 * half :, :]
        rows = ca.vertcat(pick(rows[:half, :], rows[half : 2 * half, :]), rest)
    return _column(rows)


def _product(node: Expr) -> Callable[..., Any]:
    """A contraction: one matrix product where no label is kept from both sides, else products entry by entry, summed."""
    import casadi as ca

    labels, output = node.params
    sizes = {c: n for part, a in zip(labels, node.args, strict=True) for c, n in zip(part, a.shape, strict=True)}
    everything = [*output, *(c for c in sizes if c not in output)]
    shape = tuple(sizes[c] for c in everything)

    def spread(x: Any, part: str, arg: Expr) -> Any:
        index = np.arange(arg.size).reshape(arg.shape).transpose([part.index(c) for c in everything if c in part])
        index = index.reshape([sizes[c] if c in part else 1 for c in everything])
        return _picked(x, np.broadcast_to(index, shape))

    def entrywise(*values: Any) -> Any:
        result = spread(values[0], labels[0], node.args[0])
        for value, part, arg in zip(values[1:], labels[1:], node.args[1:], strict=True):
            result = result * spread(value, part, arg)
        summed = tuple(range(len(output) - len(shape), 0))
        return _column(ca.sum1(_by_column(result, shape, summed))) if summed else result

    if len(labels) != 2 or any(c in labels[0] and c in labels[1] for c in output):
        return entrywise
    inner = [c for c in labels[0] if c in labels[1]]
    rows, columns = ([c for c in output if c in part] for part in labels)
    order = np.arange(node.size).reshape([sizes[c] for c in (*rows, *columns)]).transpose([[*rows, *columns].index(c) for c in output])

    def matrix(x: Any, part: str, arg: Expr) -> Any:
        return _by_column(x, arg.shape, [part.index(c) - len(part) for c in inner])

    def matmul(a: Any, b: Any) -> Any:
        # columns of both run through the inner labels; the transposed product's columns are the rows of ours
        return _picked(_column(ca.mtimes(matrix(b, labels[1], node.args[1]).T, matrix(a, labels[0], node.args[0]))), order)

    def arranged(part: str, kept: list[str]) -> bool:
        return [c for c in part if c in kept] == kept

    return matmul if arranged(labels[0], rows) and arranged(labels[1], columns) else entrywise


peer_casadi = PeerCasadi()

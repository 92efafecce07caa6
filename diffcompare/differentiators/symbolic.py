"""The symbolic family: every entry of the derivative is an expression that SymPy differentiated, brought back into the graph.

Each output entry becomes an expression of the input entries and is differentiated with respect to each; the blocks are
put together from the results. Common subexpressions are shared again on the way back, so what is left of the swell of
formulas is what SymPy's flattened products make of it. transforms/sympy.py says which rules are SymPy's own and what its
automatic evaluation changes. jvp, vjp and hvp contract the full Jacobian or Hessian with the direction.

Where a function is finite and a slope of it infinite (sqrt at 0), an exact zero beside that slope wins, as in automatic
differentiation: x*sqrt(x) has the slope 0 at 0. Where a function is infinite itself (1/x, log at 0), arithmetic is that
of the formulas and 0 * inf is NaN, except in a product with a direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..dsl.composite import Composite
from ..dsl.constants import constant
from ..dsl.contraction import Einsum
from ..dsl.core import FUNCTIONS, Expr, fresh
from ..dsl.elementwise import Elementwise
from ..dsl.function import Function
from ..dsl.shapes import size_of
from ..dsl.structural import Sum, reshape, stack
from ..dsl.structural import sum as sum_over
from ..dsl.walk import postorder
from ..errors import TooLarge
from .base import Operator, Request
from .graph import Derived, GraphDifferentiator, contract, total

if TYPE_CHECKING:
    from ..transforms.sympy import Work

Table = list[list[Any]]
"""SymPy expressions: rows for entries of the outputs, columns for entries of the inputs."""

DEPTH = 100
"""Nested levels, a chain of sums or of products counting as one. SymPy orders terms by a comparison that recurses some
three frames a level: sin(e) * cos(e) nested 300 to 400 levels deep ended in RecursionError at Python's limit of 1000."""

OPERATIONS = 10_000
"""Scalar operations of a function with every array entry written out; to build one takes SymPy 20 to 100 microseconds."""

STEPS = 200_000
"""Arguments of nodes differentiated (transforms.sympy.Work) and entries of the result; each takes 5 to 50 microseconds."""

STEPS_PER_ENTRY = 5
"""What to bring back an entry of the result costs, most of them zeros in a large one."""


class Symbolic(GraphDifferentiator):
    """SymPy's derivative, entry by entry; TooLarge, with the count, for functions beyond the sizes in transforms/sympy.py."""

    name = "symbolic"
    family = "symbolic"

    def derive(self, request: Request) -> Derived:
        f, operator = request.function, request.operator
        if operator is Operator.VALUE:
            return Derived(f)
        nodes = () if request.directions is None else request.directions[1]
        directions = tuple(fresh("direction", n.shape) for n in nodes)
        try:
            outputs = _outputs(request, directions)
        except RecursionError as e:
            raise TooLarge(f"symbolic: SymPy ran out of Python's recursion limit on {f.name}, called from deep within a program") from e
        return Derived(Function(f"{operator}_{f.name}", (*f.inputs, *directions), outputs, False))


def _outputs(request: Request, directions: Sequence[Expr]) -> list[Expr]:
    f, formulas = request.function, _Formulas(request)
    match request.operator:
        case Operator.DERIVATIVE:
            return formulas.blocks([[e] for e in formulas.derivative()], [o.shape for o in f.outputs], [()])
        case Operator.HESSIAN:
            return formulas.hessian()
        case Operator.JVP:
            rows = _rows(formulas.jacobian(), len(directions))
            return [total([formulas.product(b, t, True) for b, t in zip(row, directions, strict=True)]) for row in rows]
        case Operator.VJP:
            columns = zip(*_rows(formulas.jacobian(), len(request.wrt)), strict=True)
            return [total([formulas.product(b, c, False) for b, c in zip(column, directions, strict=True)]) for column in columns]
        case Operator.HVP:
            rows = _rows(formulas.hessian(), len(directions))
            return [total([formulas.product(b, t, True) for b, t in zip(row, directions, strict=True)]) for row in rows]
        case Operator.VALUE_AND_GRADIENT:
            return [f.output, *formulas.jacobian()]
    return formulas.jacobian()


def _rows(blocks: Sequence[Expr], n: int) -> list[Sequence[Expr]]:
    return [blocks[k : k + n] for k in range(0, len(blocks), n)]


class _Formulas:
    """A request's function as SymPy expressions, and its derivatives as blocks of the graph."""

    def __init__(self, request: Request) -> None:
        check_size(request)
        from ..transforms import sympy as door  # takes half a second to load, so not before it is needed

        self.request = request
        self.symbols, self.expressions = door.to_sympy(request.function)
        self.work: Work = door.Work(request.function.name, STEPS)
        self._differentiate = door.differentiate
        self._from_sympy = door.from_sympy
        entries = {i: _entries(i) for i in request.function.inputs}
        self.entries = [e for i in request.function.inputs for e in entries[i]]
        place = dict(zip(self.entries, self.symbols, strict=True))
        self.wrt = [place[e] for i in request.wrt for e in entries[i]]
        self.singular = any(isinstance(n.primitive, Elementwise) and n.primitive.singular(n) for n in postorder(request.function.outputs))

    def derivative(self) -> list[Any]:
        results = self.expressions
        for _ in range(self.request.order):
            results = self._differentiate(results, self.wrt[0], self.work)
        return results

    def _jacobian_table(self) -> Table:
        columns = [self._differentiate(self.expressions, s, self.work) for s in self.wrt]
        return [[column[k] for column in columns] for k in range(len(self.expressions))]

    def jacobian(self) -> list[Expr]:
        return self.blocks(self._jacobian_table(), [o.shape for o in self.request.function.outputs], [i.shape for i in self.request.wrt])

    def hessian(self) -> list[Expr]:
        """The blocks of the Hessian, its lower triangle the mirror of the upper."""
        (gradient,) = self._jacobian_table()
        upper = [self._differentiate(gradient[: j + 1], s, self.work) for j, s in enumerate(self.wrt)]
        table = [[upper[max(i, j)][min(i, j)] for j in range(len(self.wrt))] for i in range(len(self.wrt))]
        shapes = [i.shape for i in self.request.wrt]
        return self.blocks(table, shapes, shapes)

    def blocks(self, table: Table, above: Sequence[tuple[int, ...]], across: Sequence[tuple[int, ...]]) -> list[Expr]:
        """The table cut into one array for each pair of shapes, rows outermost."""
        self.work.spend(STEPS_PER_ENTRY * sum(map(len, table)))
        flat = self._from_sympy([e for row in table for e in row], self.symbols, self.entries)
        width = sum(size_of(s) for s in across)
        rows = [flat[k * width : (k + 1) * width] for k in range(len(table))]
        blocks: list[Expr] = []
        top = 0
        for outer in above:
            left = 0
            for inner in across:
                chosen = [row[left : left + size_of(inner)] for row in rows[top : top + size_of(outer)]]
                blocks.append(_array([e for row in chosen for e in row], (*outer, *inner)))
                left += size_of(inner)
            top += size_of(outer)
        return blocks

    def product(self, block: Expr, direction: Expr, last: bool) -> Expr:
        """A block times a direction over the block's last axes, or its first; an exact zero wins over infinity."""
        if not self.singular:
            return contract(block, direction, last)
        if last:
            spread = reshape(direction, (1,) * (len(block.shape) - len(direction.shape)) + direction.shape)
            axes = range(-len(direction.shape), 0)
        else:
            spread = reshape(direction, direction.shape + (1,) * (len(block.shape) - len(direction.shape)))
            axes = range(len(direction.shape))
        return sum_over(FUNCTIONS["chain_mul"](block, spread), axis=tuple(axes))


class _Node(NamedTuple):
    """What check_size knows of an entry of a node.

    depth: nested levels below it. kind: its kind of level. terms: how many arguments it has in SymPy, where sums of sums
    and products of products are one. varying: on how many input entries it may depend.
    """

    depth: int
    kind: str
    terms: int
    varying: int


def check_size(request: Request) -> None:
    """Raises TooLarge with the counts, before SymPy is loaded, where it would end in RecursionError or take minutes.

    Steps are estimated from below on the graph: each entry of a node is differentiated with respect to each input entry
    it may depend on, for a Hessian with respect to each pair. `Work` counts those done.
    """
    f, second = request.function, request.operator in (Operator.HESSIAN, Operator.HVP)
    wrt, width = set(request.wrt), sum(i.size for i in request.wrt)
    known: dict[Expr, _Node] = {}
    steps: dict[Expr, int] = {}
    operations = 0
    for node in postorder(f.outputs):
        arity, inner = _arity(node), [known[a] for a in node.args]
        varying = min(width, max((n.varying for n in inner), default=int(node in wrt)) * max(arity, 1))
        if arity == 0:
            known[node] = max(inner, default=_Node(0, "", 1, varying))
            continue
        kind = _KIND.get(node.primitive.name, node.primitive.name)
        flat = [kind in ("sum", "product") and n.kind == kind for n in inner]
        terms = sum(n.terms if same else 1 for n, same in zip(inner, flat, strict=True)) + arity - len(inner)
        depth = max(n.depth + (not same) for n, same in zip(inner, flat, strict=True))
        for a in (a for a, same in zip(node.args, flat, strict=True) if same):
            steps.pop(_source(a), None)
        known[node] = _Node(depth, kind, terms, varying)
        operations += node.size * max(arity - 1, 1)
        steps[node] = node.size * terms * varying * ((varying + 1) // 2 if second else 1)
    depth = max((known[o].depth for o in f.outputs), default=0)
    entries = width * (width if second else sum(o.size for o in f.outputs))
    count = sum(steps.values()) + STEPS_PER_ENTRY * entries
    if operations > OPERATIONS or depth > DEPTH or count > STEPS:
        raise TooLarge(
            f"symbolic: {f.name} has {operations} scalar operations nested {depth} deep, whose {request.operator} of {entries} entries "
            f"takes SymPy at least {count} steps; the limits are {OPERATIONS}, {DEPTH} and {STEPS}: use ad.forward or ad.reverse"
        )


_KIND = {"add": "sum", "sub": "sum", "neg": "sum", "sum": "sum", "einsum": "sum", "mul": "product"}


def _source(node: Expr) -> Expr:
    """The node whose entries these are."""
    while node.args and _arity(node) == 0:
        node = node.args[0]
    return node


def _arity(node: Expr) -> int:
    """How many entries of the arguments each entry of the node is made of, 0 where it is one of them."""
    primitive = node.primitive
    if isinstance(primitive, Einsum):
        sizes = {c: n for part, a in zip(node.params[0], node.args, strict=True) for c, n in zip(part, a.shape, strict=True)}
        return size_of(tuple(n for c, n in sizes.items() if c not in node.params[1]))
    if isinstance(primitive, Sum):
        return node.args[0].size // max(node.size, 1)
    if isinstance(primitive, Composite):
        return size_of(tuple(node.args[0].shape[a] for a in node.params[0]))
    return primitive.arity if isinstance(primitive, Elementwise) else 0


def _entries(node: Expr) -> list[Expr]:
    """The entries of an input as scalars, in row-major order."""
    if not node.shape:
        return [node]
    flat = reshape(node, (-1,)) if node.size else node
    return [flat[k] for k in range(node.size)]


def _array(entries: Sequence[Expr], shape: tuple[int, ...]) -> Expr:
    if not shape:
        return entries[0]
    return reshape(stack(entries), shape) if entries else constant(np.zeros(shape))


symbolic = Symbolic()

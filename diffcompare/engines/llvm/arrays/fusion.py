"""Which nodes of an array function get memory, and which loops compute them.

A node without memory is computed wherever it is read. Nodes with memory (`stored`) belong to kernels: all those of one
stage over one space of loops are computed in one pass. Matrix products and whatever else has no loop of ours are steps
of NumPy between the kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cache

from ....dsl.core import BOOL, REAL, Expr, fresh, intern
from ....dsl.elementwise import Elementwise
from ....dsl.shapes import Shape
from ....dsl.structural import Label, Reshape
from ....errors import Unsupported
from ....transforms.cost import ARITHMETIC
from ...schedule import Schedule
from ..emit import Emitter
from ..target import Target
from .access import Access, Form, is_view, only_units, pieces

CHEAP = 6.0
"""Operations up to which a value is computed again in a second kernel rather than stored and loaded."""
ELEMENTARY = 20.0
REDUCTIONS = {"sum": "add", "max": "maximum", "min": "minimum", "prod": "mul"}
"""Reductions with loops of ours, and the operation of two partial results."""


Key = tuple[int, bool, Shape]


@dataclass(frozen=True, eq=False)
class Kernel:
    """Loops over `space` that compute the nodes `roots`; a reduction's space is its argument's."""

    space: Shape
    roots: tuple[Expr, ...]


@dataclass(frozen=True, eq=False)
class Fused:
    """steps: kernels and NumPy's nodes, in order of execution. stored: every node with memory of its own."""

    form: Form
    steps: list[Kernel | Expr]
    stored: set[Expr]


def fuse(plan: Schedule, batched: frozenset[int], target: Target) -> Fused:
    """The schedule as kernels and NumPy's steps, for calls in which the inputs at these positions carry a batch axis."""
    has_loop = cache(lambda primitive: _has_loop(primitive, target))
    return _Fusion(plan, Form(frozenset(n for n, d in plan.depends.items() if d & batched)), has_loop).result()


def _has_loop(primitive: Elementwise, target: Target) -> bool:
    """Whether an elementwise function can be computed in machine code."""
    inputs = [fresh("x", (), BOOL if primitive.takes_bool else REAL) for _ in range(primitive.arity)]
    e = Emitter(target, 1)
    try:
        e.operation(intern(primitive, tuple(inputs), (), (), primitive.dtype), [f"%x{k}" for k in range(primitive.arity)])
    except Unsupported:
        return False
    return True


class _Fusion:
    def __init__(self, plan: Schedule, form: Form, has_loop: Callable[[Elementwise], bool]) -> None:
        self.form = form
        self.leaves = {*plan.inputs, *plan.constants, *known(plan)}
        self.body = [n for n in (*plan.prelude, *plan.body) if n not in self.leaves]
        self.outputs = plan.outputs
        self.kind = {n: _kind(n, has_loop) for n in self.body}
        self.weight = self._weights()
        self.stored: set[Expr] = set()
        self.cut: set[Expr] = set()
        self.near: dict[Expr, int] = {}
        self.far: dict[Expr, int] = {}

    def result(self) -> Fused:
        self._store_what_must_be()
        while True:
            self._find_cuts()
            self._assign_stages()
            more = self._computed_too_often()
            if not more:
                return Fused(self.form, self._steps(), self.stored)
            self.stored |= more

    def _weights(self) -> dict[Expr, float]:
        """Operations to compute a node from leaves and reductions, those that two arguments share counted twice."""
        weight: dict[Expr, float] = {}
        for node in self.body:
            below = 0.0 if self.kind[node] in {"numpy", "reduce"} else sum(weight.get(a, 0.0) for a in node.args)
            weight[node] = min((operations(node) if self.kind[node] == "point" else 0.0) + below, 1e9)
        return weight

    def _store_what_must_be(self) -> None:
        """Outputs, what NumPy computes or reads, reductions, and what is reshaped across axes."""
        self.stored.update(o for o in self.outputs if o not in self.leaves)
        self.stored.update(n for n in self.body if self.kind[n] in {"numpy", "reduce"})
        for node in self.body:
            if self.kind[node] == "flat":
                self.stored.update(a for a in node.args if a not in self.leaves)
        for node in self.body:
            if self.kind[node] == "numpy":
                bases = {memory_of(a, self.leaves, self.stored) for a in node.args}
                self.stored |= bases - self.leaves

    def _find_cuts(self) -> None:
        """The nodes whose loops fall into pieces. A reduction's do not: its argument is stored first."""
        self.cut.clear()
        for node in self.body:
            pieced = [a for a in node.args if a in self.cut and a not in self.stored]
            if self.kind[node] == "reduce":
                self.stored.update(pieced)
            elif self.kind[node] == "piece" or (pieced and self.kind[node] in {"point", "view"}):
                self.cut.add(node)

    def _assign_stages(self) -> None:
        """For each node the first stage at which it can be read, in the loops that compute it (near) or in others (far)."""
        near, far = self.near, self.far
        near.update(dict.fromkeys(self.leaves, 0))
        far.update(dict.fromkeys(self.leaves, 0))
        for node in self.body:
            kind = self.kind[node]
            ready = max((near[a] if self._together(node, a) else far[a] for a in node.args), default=0)
            if node not in self.stored:
                near[node], far[node] = ready, max((far[a] for a in node.args), default=0)
            elif kind in {"reduce", "numpy"} or node in self.cut:
                near[node] = far[node] = ready + 1
            else:
                near[node], far[node] = ready, ready + 1

    def _together(self, node: Expr, a: Expr) -> bool:
        """Whether a loop over the entries of `node` is at each step at that entry of its argument."""
        keeps_places = self.kind[node] in {"point", "reduce"} or isinstance(node.primitive, Label) or _drops_units(node)
        return keeps_places and self.form.space(a) == self._space(node)

    def _space(self, node: Expr) -> Shape:
        return self.form.space(node.args[0] if self.kind[node] == "reduce" else node)

    def _key(self, node: Expr) -> Key:
        """Of the kernel that computes a stored node: stage, whether it falls into pieces, space."""
        whole = self.kind[node] == "reduce" or node in self.cut
        return self.near[node] - whole, node in self.cut, self._space(node)

    def _computed_too_often(self) -> set[Expr]:
        """Nodes that several kernels, or one at several places, would compute, where that costs more than memory."""
        readers: dict[Expr, set[tuple[Key, Access]]] = {}
        more: set[Expr] = set()
        for node in reversed(self.body):
            if self.kind[node] == "numpy":
                continue
            if node in self.stored:
                readers[node] = {(self._key(node), self._own(node))}
            reads = readers.get(node, set())
            dear = self.kind[node] == "point" and self.weight[node] > CHEAP
            if dear and node not in self.stored and (len(reads) > 1 or any(map(_repeats, reads))):
                more.add(node)
                reads = {((self.near[node], node in self.cut, self._space(node)), self._own(node))}
            for key, access in reads:
                for a, inner in self._arguments(node, access):
                    if a not in self.leaves and a not in self.stored:
                        readers.setdefault(a, set()).add((key, inner))
        return more

    def _own(self, node: Expr) -> Access:
        return self.form.identity(node.args[0] if self.kind[node] == "reduce" else node)

    def _arguments(self, node: Expr, access: Access) -> list[tuple[Expr, Access]]:
        kind = self.kind[node]
        if kind == "flat":
            return []
        if kind == "reduce":
            return [(node.args[0], access)]
        if kind != "piece":
            return [(a, self.form.argument(node, k, access)) for k, a in enumerate(node.args)]
        found = pieces(node)
        assert found is not None
        axis, parts = found
        return [(p.source, self.form.piece(node, axis, p, access)) for p in parts]

    def _steps(self) -> list[Kernel | Expr]:
        kernels: dict[Key, list[Expr]] = {}
        calls: dict[int, list[Expr]] = {}
        for node in self.body:
            if self.kind[node] == "numpy":
                calls.setdefault(self.near[node] - 1, []).append(node)
            elif node in self.stored:
                kernels.setdefault(self._key(node), []).append(node)
        steps: list[Kernel | Expr] = []
        for stage in sorted({*calls, *(stage for stage, _, _ in kernels)}):
            steps += calls.get(stage, [])
            mine = [key for key in kernels if key[0] == stage]
            steps += [Kernel(key[2], tuple(kernels[key])) for key in sorted(mine, key=lambda k: k[1])]
        return steps


def known(plan: Schedule) -> list[Expr]:
    """Nodes that depend on no input and are computed beforehand; views of constants stay views."""
    return [n for n in plan.prelude if not is_view(n)]


def _kind(node: Expr, has_loop: Callable[[Elementwise], bool]) -> str:
    """How a node is computed: point (entry by entry), view, flat (a view of other axes), reduce, piece, or by NumPy."""
    primitive = node.primitive
    if isinstance(primitive, Elementwise):
        return "point" if has_loop(primitive) else "numpy"
    if is_view(node):
        return "view"
    if isinstance(primitive, Reshape):
        return "flat"
    if primitive.name in REDUCTIONS:
        return "reduce"
    return "numpy" if pieces(node) is None else "piece"


def operations(node: Expr) -> float:
    """Of one entry of an elementwise node, in additions."""
    name = node.primitive.name
    if name in {"div", "sqrt"}:
        return 4.0
    return 1.0 if name in ARITHMETIC else ELEMENTARY


def _drops_units(node: Expr) -> bool:
    return isinstance(node.primitive, Reshape) and only_units(node)


def _repeats(read: tuple[Key, Access]) -> bool:
    """Whether a kernel would compute the same entry again and again: an outer loop does not move it, an inner one does."""
    (_, _, space), access = read
    moving = {loop for loop, step, _ in access if loop is not None}
    return bool(moving) and len(moving) <= max(moving) < len(space)


def memory_of(node: Expr, leaves: Container[Expr], stored: Container[Expr]) -> Expr:
    """The leaf or stored node whose memory a chain of views shows."""
    while node not in leaves and node not in stored and (is_view(node) or isinstance(node.primitive, Reshape)):
        node = node.args[0]
    return node

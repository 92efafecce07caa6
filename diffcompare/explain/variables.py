"""The variables of a function at a point, in the order of evaluation: what a sweep has a line for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..dsl.core import BOOL, INPUT, Expr, fresh
from ..dsl.function import Function
from ..dsl.walk import postorder, rebuild
from ..errors import DiffCompareError
from .notation import VALUE, Symbol
from .reading import evaluate, partials, total

NUMBERED = 3
"""Up to so many inputs are v_(1-n) to v_0 as in textbooks; of more, nobody remembers which is which."""


class Variables:
    """The inputs and operations of a function of scalars at a point.

    rows: the variables, level by level: what can be computed at once stands together. Constants and conditions are no
    variables but are written inside the operations that use them; a named node takes the row of the operation it names.
    operation: for each row that is no input the node that computes it. symbol, value: of each row.
    stand: an input to stand for the row in what is written about it. local: the row's operation on such stand-ins.
    parents: for each row the variables it depends on, with the partial derivatives by them as they read at the point.
    """

    def __init__(self, function: Function, point: Sequence[float], numbered: bool | None = None) -> None:
        self.function = function
        self.at = dict(zip(function.inputs, point, strict=True))
        self.operation = operations(function.outputs)
        self.rows = by_level(function.inputs, self.operation)
        self.symbol = _symbols(function.inputs, self.rows, len(point) <= NUMBERED if numbered is None else numbered)
        self.value = dict(zip(self.rows, evaluate(self.rows, self.at), strict=True))
        self.stand = {row: fresh("v") for row in self.rows}
        self.local = {row: self._local(row) for row in self.operation}
        self.parents = {row: self._partials(row) for row in self.operation}
        self.results = result_names(function)

    def named(self, name: str) -> list[Expr]:
        """The input or named intermediate of this name, or the entries of one; raises DiffCompareError naming those there are."""
        known = {name_of(n): n for n in self.rows if n.primitive is INPUT or n.primitive.name == "named"}
        found = [n for known_as, n in known.items() if name in (known_as, known_as.partition("[")[0])]
        if not found:
            raise DiffCompareError(
                f"{self.function.name} has no input or named intermediate {name!r}; there are {', '.join(known) or 'none'}"
            )
        return found

    def depending(self, wrt: Sequence[Expr]) -> set[Expr]:
        """The rows that depend on one of those, themselves included."""
        found = set(wrt)
        for row in self.rows:
            if any(p in found for p in self.parents.get(row, ())):
                found.add(row)
        return found

    def _local(self, row: Expr) -> Expr:
        operation = self.operation[row]
        return operation.primitive.apply(rebuild(operation.args, self.stand), operation.params)

    def _partials(self, row: Expr) -> dict[Expr, Expr]:
        local, result = self.local[row], self.stand[row]
        by = {stand: r for r, stand in self.stand.items()}
        used = {n: self.value[by[n]] for n in (*postorder([local]), result) if n in by}
        found: dict[Expr, list[Expr]] = {}
        for argument, partial in zip(local.args, partials(local, result, used), strict=True):
            if partial is not None and argument in by:
                found.setdefault(by[argument], []).append(partial)
        return {variable: total(terms) for variable, terms in found.items()}


def name_of(node: Expr) -> str:
    """The name of an input or a named node."""
    return str(node.params[0])


def operations(outputs: Sequence[Expr]) -> dict[Expr, Expr]:
    """For each variable that is no input the node that computes it."""
    order = postorder(outputs)
    users: dict[Expr, int] = {}
    for node in (*(a for n in order for a in n.args), *outputs):
        users[node] = users.get(node, 0) + 1
    found: dict[Expr, Expr] = {}
    for node in order:
        if node.args and node.dtype != BOOL:
            inner = node.args[0]
            absorbs = node.primitive.name == "named" and inner in found and users[inner] == 1
            found[node] = found.pop(inner) if absorbs else node
    return found


def by_level(inputs: Sequence[Expr], operation: dict[Expr, Expr]) -> list[Expr]:
    """The inputs, then the operations by the longest way to them from an input."""
    level: dict[Expr, int] = {}
    for node in postorder([*inputs, *operation]):
        below = operation.get(node, node)
        level[node] = max((level[a] for a in below.args), default=0) + (node in operation)
    return [*inputs, *sorted(operation, key=level.__getitem__)]


def _symbols(inputs: Sequence[Expr], rows: Sequence[Expr], numbered: bool) -> dict[Expr, Symbol]:
    found: dict[Expr, Symbol] = {}
    for k, node in enumerate(inputs):
        found[node] = Symbol(VALUE, "", k + 1 - len(inputs)) if numbered else Symbol(VALUE, name_of(node))
    count = itertools.count(1)
    for node in rows[len(inputs) :]:
        found[node] = Symbol(VALUE, name_of(node)) if node.primitive.name == "named" else Symbol(VALUE, "", next(count))
    return found


def result_names(function: Function) -> list[Symbol]:
    """y, or another letter where the function has variables that begin with it; y1, y2, ... for several outputs."""
    taken = {
        name_of(n)[:1] for n in postorder([*function.inputs, *function.outputs]) if n.primitive is INPUT or n.primitive.name == "named"
    }
    letter = next((c for c in "yfzrq" if c not in taken | {"v"}), "result")
    if function.single or len(function.outputs) == 1:
        return [Symbol(VALUE, letter)]
    return [Symbol(VALUE, f"{letter}{k + 1}") for k in range(len(function.outputs))]

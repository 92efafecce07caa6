"""What a kernel computes at one point of its loops: straight-line code from loads to values, one for each box of the space.

A concatenation makes an entry come from one argument or another. The space is cut where that changes, and within each
box it is known.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from itertools import pairwise, product

import numpy as np

from ....dsl.arithmetic import add
from ....dsl.constants import literal
from ....dsl.core import Expr, fresh
from ....dsl.elementwise import Elementwise
from ....dsl.shapes import Shape
from ....dsl.structural import Reshape
from .access import BATCH, Access, Form, only_units, pieces
from .fusion import REDUCTIONS, Kernel, memory_of

Interval = tuple[int, int]
"""[start, stop) of a loop; (0, BATCH) for the whole batch."""
ADD = add(fresh("a"), fresh("b"))


@dataclass(frozen=True, eq=False)
class Load:
    """An entry of the memory of `node`, a leaf or stored: `offset`, and how far each loop moves it."""

    node: Expr
    strides: Shape
    offset: int


@dataclass(frozen=True, eq=False)
class Operation:
    """An elementwise node of values at these places of the body."""

    node: Expr
    arguments: tuple[int, ...]


Instruction = Load | Operation | float | bool


@dataclass
class Body:
    """box: an interval for each loop. results: for each root of the kernel the place of its value (a reduction's: of its argument)."""

    box: tuple[Interval, ...]
    code: list[Instruction] = field(default_factory=list)
    results: list[int] = field(default_factory=list)


def bodies(kernel: Kernel, form: Form, leaves: Container[Expr], stored: Container[Expr]) -> list[Body]:
    """The kernel's boxes, which together are its space."""
    writer = _Writer(kernel, form, leaves, stored)
    return [writer.body(box) for box in writer.boxes()]


class _Writer:
    def __init__(self, kernel: Kernel, form: Form, leaves: Container[Expr], stored: Container[Expr]) -> None:
        self.kernel = kernel
        self.form = form
        self.leaves = leaves
        self.stored = stored
        self.roots = [(r, form.identity(r)) for r in map(computed, kernel.roots)]
        self.own = {(r, form.identity(r)) for r in kernel.roots if computed(r) is r}

    def boxes(self) -> list[tuple[Interval, ...]]:
        """The space cut at every place where the argument of a piece begins or ends."""
        cuts: list[set[int]] = [{0} if n == BATCH else {0, n} for n in self.kernel.space]
        seen, stack = set(self.roots), list(self.roots)
        while stack:
            node, access = stack.pop()
            found = pieces(node) if self._is_computed(node, access) else None
            if found is not None:
                axis, parts = found
                loop, step, offset = access[len(access) + axis]
                if loop is not None:
                    edges = {edge for part in parts for edge in (part.start, part.stop)}
                    inside = {-(-(edge - offset) // step) if step > 0 else (edge - offset) // step + 1 for edge in edges}
                    cuts[loop] |= {c for c in inside if 0 < c < self.kernel.space[loop]}
            for inner in self._inner(node, access, None):
                if inner not in seen:
                    seen.add(inner)
                    stack.append(inner)
        intervals = [[(0, BATCH)] if n == BATCH else list(pairwise(sorted(c))) for n, c in zip(self.kernel.space, cuts, strict=True)]
        return list(product(*intervals))

    def body(self, box: tuple[Interval, ...]) -> Body:
        result = Body(box)
        places: dict[tuple[Expr, Access], int] = {}
        for root in self.roots:
            stack = [root]
            while stack:
                value = stack[-1]
                if value in places:
                    stack.pop()
                    continue
                waiting = [v for v in self._inner(*value, box) if v not in places]
                if waiting:
                    stack.extend(reversed(waiting))
                    continue
                places[value] = self._written(result.code, value, box, places)
                stack.pop()
            result.results.append(places[root])
        return result

    def _is_computed(self, node: Expr, access: Access) -> bool:
        """Whether this kernel computes the entry, rather than load it."""
        return (node, access) in self.own or (node not in self.leaves and node not in self.stored)

    def _inner(self, node: Expr, access: Access, box: tuple[Interval, ...] | None) -> list[tuple[Expr, Access]]:
        """The values that this one is made of in a box; in all boxes for None."""
        if node in self.leaves or not self._is_computed(node, access):
            return []
        found = pieces(node)
        if found is not None:
            axis, parts = found
            held = [p for p in parts if box is None or _holds(p.start, p.stop, access[len(access) + axis], box)]
            return [(p.source, self.form.piece(node, axis, p, access)) for p in held]
        if isinstance(node.primitive, Reshape) and not only_units(node):
            return []
        return [(a, self.form.argument(node, k, access)) for k, a in enumerate(node.args)]

    def _written(
        self, code: list[Instruction], value: tuple[Expr, Access], box: tuple[Interval, ...], places: dict[tuple[Expr, Access], int]
    ) -> int:
        """The place of a value whose parts have theirs."""
        node, access = value
        inner = self._inner(node, access, box)
        number = everywhere(node)
        if number is not None:
            code.append(number)
        elif pieces(node) is not None and self._is_computed(node, access):
            if not inner:
                code.append(0.0)
            for k, part in enumerate(inner):
                if k == 0 and len(inner) == 1:
                    return places[part]
                if k:
                    code.append(Operation(ADD, (places[inner[0]] if k == 1 else len(code) - 1, places[part])))
        elif not inner:
            code.append(self._load(node, access))
        elif isinstance(node.primitive, Elementwise):
            code.append(Operation(node, tuple(places[v] for v in inner)))
        else:
            return places[inner[0]]
        return len(code) - 1

    def _load(self, node: Expr, access: Access) -> Load:
        """A stored node, a leaf, or a reshape of one."""
        strides = [0] * len(self.kernel.space)
        offset = 0
        for (loop, step, start), stride in zip(access, self.form.strides(node), strict=True):
            offset += start * stride
            if loop is not None:
                strides[loop] += step * stride
        shown = node.args[0] if self._is_computed(node, access) and node not in self.leaves else node
        return Load(memory_of(shown, self.leaves, self.stored), tuple(strides), offset)


def everywhere(node: Expr) -> float | bool | None:
    """The number that every entry of a constant is, bit for bit; None for any other node."""
    value = literal(node)
    if not isinstance(value, np.ndarray):
        return value  # type: ignore[no-any-return]
    if not value.size or value.tobytes() != value.flat[:1].tobytes() * value.size:
        return None
    return value.flat[0].item()  # type: ignore[no-any-return]


def computed(root: Expr) -> Expr:
    """What a kernel's loops compute for a root: itself, or what it reduces."""
    return root.args[0] if root.primitive.name in REDUCTIONS else root


def _holds(start: int, stop: int, axis: tuple[int | None, int, int], box: tuple[Interval, ...]) -> bool:
    """Whether indices [start, stop) of an axis hold those that a box reads (a box reads either all or none of a piece)."""
    loop, step, offset = axis
    first = offset if loop is None else offset + step * box[loop][0]
    return start <= first < stop

"""Cost that does not depend on the machine: scalar operations by kind, and the values alive at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..dsl.composite import Reduction
from ..dsl.contraction import Einsum
from ..dsl.core import CONSTANT, INPUT, Expr, Primitive
from ..dsl.elementwise import Elementwise
from ..dsl.function import Function
from ..dsl.shapes import size_of
from ..dsl.structural import Scatter, Structural, Sum
from .lower import lower
from .order import evaluation_order


class Ratio(NamedTuple):
    """A cost as multiples of another: all operations, the same with a function weighing 10, values alive at once."""

    operations: float
    weighted: float
    peak: float


@dataclass(frozen=True)
class Cost:
    """Operations of one evaluation at one point.

    by_kind: scalar operations by primitive; a product of matrices counts its multiplications and additions.
    peak: scalars alive at once, inputs and constants not counted; of one evaluation where a method makes several.
    """

    by_kind: dict[str, int] = field(default_factory=dict)
    peak: int = 0

    @property
    def operations(self) -> int:
        """All scalar operations."""
        return sum(self.by_kind.values())

    def weighted(self, elementary: float = 10.0) -> float:
        """Operations with each function other than arithmetic and comparisons weighing `elementary`."""
        return sum(n * (1.0 if kind in ARITHMETIC else elementary) for kind, n in self.by_kind.items())

    def over(self, primal: Cost) -> Ratio:
        """This cost as multiples of the primal's; of a primal without operations or values they are of one."""
        return Ratio(
            self.operations / max(primal.operations, 1), self.weighted() / max(primal.weighted(), 1.0), self.peak / max(primal.peak, 1)
        )

    def __mul__(self, times: int) -> Cost:
        return Cost({k: n * times for k, n in self.by_kind.items()}, self.peak)

    def __add__(self, other: Cost) -> Cost:
        return Cost(dict(Counter(self.by_kind) + Counter(other.by_kind)), max(self.peak, other.peak))


ARITHMETIC = frozenset(
    "add sub mul div neg chain_mul abs sign maximum minimum where real lt le eq ne logical_and logical_or logical_not floor".split()
)


def cost(function: Function) -> Cost:
    """The cost of a function, composites written out, shared nodes counted once."""
    outputs = lower(function.outputs)
    order = evaluation_order(outputs)
    count: Counter[str] = Counter()
    scalar: Counter[Primitive] = Counter([n.primitive for n in order if not n.shape])
    for primitive, n in scalar.items():
        if isinstance(primitive, Elementwise):
            count[primitive.name] += n
    for node in order:
        if node.shape or not isinstance(node.primitive, Elementwise):
            for kind, n in operations(node):
                count[kind] += n
    return Cost({k: n for k, n in sorted(count.items()) if n}, _peak(order, outputs))


def operations(node: Expr) -> list[tuple[str, int]]:
    """(kind, how many) of the scalar operations of one node."""
    primitive = node.primitive
    if isinstance(primitive, Elementwise):
        return [(primitive.name, node.size)]
    if isinstance(primitive, Sum):
        return [("add", node.args[0].size - node.size)]
    if isinstance(primitive, Reduction):
        return [("maximum" if primitive.name == "max" else "minimum", node.args[0].size - node.size)]
    if isinstance(primitive, Scatter):
        indices = node.params[1].value
        return [("add", (len(indices) - len(set(indices.tolist()))) * (node.args[0].size // max(len(indices), 1)))]
    if isinstance(primitive, Einsum):
        labels = {c: n for part, a in zip(node.params[0], node.args, strict=True) for c, n in zip(part, a.shape, strict=True)}
        products = size_of(tuple(labels.values()))
        return [("mul", products * (len(node.args) - 1)), ("add", max(products - node.size, 0))]
    return []


def _peak(order: Sequence[Expr], outputs: Sequence[Expr]) -> int:
    last: dict[Expr, int] = {}
    for k, node in enumerate(order):
        for a in node.args:
            last[a] = k
    for o in outputs:
        last[o] = len(order)
    owns = {p: _owns(p) for p in {n.primitive for n in order}}
    views = [(k, node) for k, node in enumerate(order) if node.args and not owns[node.primitive]]
    for k, node in reversed(views):  # a view keeps the memory of its argument
        for a in node.args:
            last[a] = max(last[a], last.get(node, k))
    live = peak = 0
    dying: dict[int, int] = {}
    for k, node in enumerate(order):
        if owns[node.primitive]:
            size = node.size if node.shape else 1
            live += size
            peak = max(peak, live)
            end = last.get(node, k)
            dying[end] = dying.get(end, 0) + size
        if k in dying:
            live -= dying.pop(k)
    return peak


def _owns(primitive: Primitive) -> bool:
    """Whether its nodes take memory of their own."""
    return primitive not in (INPUT, CONSTANT) and not (isinstance(primitive, Structural) and primitive.view)

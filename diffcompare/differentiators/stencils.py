"""Stencils: where a finite difference evaluates, with which weights, how far apart, and what that promises.

A stencil for the derivative of order k with truncation order p evaluates at x + m h for integer nodes m. Its error is
C h^p |f^(k+p)| from truncation and S ε |f| / h^k from rounding, with C and S exact functions of Fornberg's weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from ..engines.base import Array
from ..errors import Unsupported

KINDS = ("forward", "backward", "central")


def fornberg(order: int, nodes: Sequence[int | Fraction]) -> tuple[Fraction, ...]:
    """The exact weights w with f^(order)(0) = Σ w_j f(nodes_j) for every polynomial of degree below len(nodes).

    Fornberg, Mathematics of Computation 51 (1988) 699-706. Cached. Raises ValueError for repeated nodes or too few.
    """
    return _fornberg(order, tuple(Fraction(n) for n in nodes))


@cache
def _fornberg(order: int, nodes: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    if order < 0 or len(nodes) <= order:
        raise ValueError(f"a derivative of order {order} needs at least {order + 1} nodes, got {len(nodes)}")
    if len(set(nodes)) < len(nodes):
        raise ValueError(f"nodes must differ, got {', '.join(map(str, nodes))}")
    return tuple(weights(order, nodes))


def weights(order: int, nodes: Sequence[Any]) -> list[Any]:
    """Fornberg's recursion at 0, for nodes that are Fractions (exact) or float arrays (a stencil for each point).

    Row k of the table holds the weights of the derivative of order k on the nodes seen so far.
    """
    zero = nodes[0] * 0
    table = [[zero for _ in nodes] for _ in range(order + 1)]
    table[0][0] = zero + 1
    last: Any = zero + 1
    for i in range(1, len(nodes)):
        product: Any = zero + 1
        top = min(i, order)
        for j in range(i):
            gap = nodes[i] - nodes[j]
            product = product * gap
            if j == i - 1:
                for k in range(top, -1, -1):
                    lower = k * table[k - 1][j] if k else zero
                    table[k][i] = last * (lower - nodes[j] * table[k][j]) / product
            for k in range(top, -1, -1):
                lower = k * table[k - 1][j] if k else zero
                table[k][j] = (nodes[i] * table[k][j] - lower) / gap
        last = product
    return table[order]


@dataclass(frozen=True)
class Stencil:
    """Nodes, in units of the step, for the derivative of this order with truncation order `accuracy`."""

    order: int
    accuracy: int
    nodes: tuple[int, ...]

    @property
    def truncation(self) -> float:
        """C: the truncation error is C h^accuracy |f^(order + accuracy)| to leading order."""
        power = self.order + self.accuracy
        total = sum(w * Fraction(n) ** power for w, n in zip(fornberg(self.order, self.nodes), self.nodes, strict=True))
        return abs(float(total / math.factorial(power)))

    @property
    def rounding(self) -> float:
        """S: values of f wrong by a relative ε change the result by at most S ε |f| / h^order."""
        return float(sum(abs(w) for w in fornberg(self.order, self.nodes)))

    def step(self, epsilon: float) -> float:
        """ε^(1 / (order + accuracy)): the step, in units of the function's length, that balances the two errors."""
        return float(epsilon ** (1.0 / (self.order + self.accuracy)))

    def difference(self, offsets: Sequence[Array], values: Sequence[Array]) -> Array:
        """The derivative from values at the offsets actually taken from x, one for each node; shapes broadcast.

        Two nodes give the plain quotient. More get Fornberg weights of their own at every point, since rounding
        x + m h makes the spacing uneven; they weigh differences from the first value, so a constant gives exactly 0.
        """
        if len(self.nodes) == 2 and self.order == 1:
            return (values[1] - values[0]) / (offsets[1] - offsets[0])  # type: ignore[no-any-return]
        unit = np.abs(offsets[-1] - offsets[0])
        own = weights(self.order, [o / unit for o in offsets])
        total = own[1] * (values[1] - values[0])
        for w, v in zip(own[2:], values[2:], strict=True):
            total = total + w * (v - values[0])
        for _ in range(self.order):
            total = total / unit
        return total  # type: ignore[no-any-return]


@cache
def stencil(kind: str, order: int = 1, accuracy: int | None = None) -> Stencil:
    """The smallest stencil of this kind: central -m..m (without 0 for odd orders), forward 0..n, backward -n..0.

    accuracy: the truncation order, by default 1 for one-sided and 2 for central stencils; even for central ones.
    """
    central = kind == "central"
    accuracy = (2 if central else 1) if accuracy is None else accuracy
    if accuracy < 1 or (central and accuracy % 2):
        raise Unsupported(f"fd.{kind}: accuracy is a positive {'even ' if central else ''}integer, got {accuracy}")
    if central:
        m = (order + 1) // 2 + accuracy // 2 - 1
        nodes = tuple(n for n in range(-m, m + 1) if n or order % 2 == 0)
    else:
        nodes = tuple(range(order + accuracy)) if kind == "forward" else tuple(range(1 - order - accuracy, 1))
    return Stencil(order, accuracy, nodes)

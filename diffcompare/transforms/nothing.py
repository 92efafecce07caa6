"""The structural zero: what an entry of a derivative is that no path leads to, while arrays are written out entry by entry.

It is no number: a product with it is nothing also where the other factor is infinite or NaN, as a tangent of None is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..dsl.constants import constant
from ..dsl.core import Expr
from ..dsl.elementwise import Elementwise
from ..dsl.shapes import Shape
from ..dsl.structural import Structural


class Nothing:
    """Stands beside expressions in arrays of objects, whose sums and products are Python's."""

    def __add__(self, other: Any) -> Any:
        return other

    __radd__ = __add__

    def __mul__(self, other: Any) -> Nothing:
        return self

    __rmul__ = __mul__


NOTHING = Nothing()

_RULES: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: y if x is NOTHING else x,
    "sub": lambda x, y: -y if x is NOTHING else x,
    "neg": lambda x: NOTHING,
    "mul": lambda x, y: NOTHING,
    "chain_mul": lambda x, y: NOTHING,
}
"""Of functions with at least one argument that is nothing; division and where have conditions of their own."""


def applied(primitive: Elementwise, entries: Sequence[Any]) -> Any:
    """An elementwise function of entries, some of which may be nothing."""
    if not any(e is NOTHING for e in entries):
        return primitive.apply(entries)
    if primitive.name in _RULES:
        return NOTHING if all(e is NOTHING for e in entries) else _RULES[primitive.name](*entries)
    if (primitive.name == "div" and entries[0] is NOTHING) or (primitive.name == "where" and entries[1] is entries[2]):
        return NOTHING
    return primitive.apply([written(e) for e in entries])


def written(entry: Any) -> Any:
    """The entry as an expression."""
    return constant(0.0) if entry is NOTHING else entry


class Unit(Structural):
    """A unit vector laid into a shape (params: the shape, the place of the 1, or None for no 1): 0 elsewhere structurally.

    It has no arguments and no form on engines that keep arrays whole.
    """

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        return params[0]  # type: ignore[no-any-return]

    def entries(self, node: Expr) -> list[Any]:
        """The node's entries in row-major order."""
        return [constant(1.0) if k == node.params[1] else NOTHING for k in range(node.size)]


unit = Unit("unit")

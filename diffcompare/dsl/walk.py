"""Walks over the graph, all iterative, and the flat form that is pickled."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .core import INPUT, Expr, Primitive, fresh, intern


def postorder(roots: Iterable[Expr], stop: Mapping[Expr, Any] | None = None) -> list[Expr]:
    """Every node below the roots once, arguments before their users; nodes in `stop` are not entered."""
    order: list[Expr] = []
    seen: set[Expr] = set()
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(() if stop is not None and root in stop else root.args))]
        while stack:
            node, arguments = stack[-1]
            for argument in arguments:
                if argument not in seen:
                    seen.add(argument)
                    stack.append((argument, iter(() if stop is not None and argument in stop else argument.args)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


@dataclass(frozen=True)
class Walk:
    """What one walk over a graph sees.

    order: every node below the roots once, arguments before their users, as in `postorder`; primitives: theirs.
    links: for each node after the other the places of its arguments in the order; ends: those of the roots.
    scalar: whether no node has axes.
    """

    order: list[Expr]
    primitives: list[Primitive]
    links: array[int]
    ends: list[int]
    scalar: bool


def walk(roots: Sequence[Expr]) -> Walk:
    """One walk over all nodes below the roots."""
    order: list[Expr] = []
    primitives: list[Primitive] = []
    links = array("q")
    scalar = True
    place: dict[Expr, int] = {}
    stack = [*roots][::-1]
    while stack:
        node = stack.pop()
        if node in place:
            continue
        args = node.args
        for a in args:
            if a not in place:
                stack.append(node)
                stack.extend(args[::-1])
                break
        else:
            place[node] = len(order)
            order.append(node)
            primitives.append(node.primitive)
            for a in args:
                links.append(place[a])
            if node.shape:
                scalar = False
    return Walk(order, primitives, links, [place[r] for r in roots], scalar)


def rebuild(roots: Sequence[Expr], replacements: Mapping[Expr, Expr]) -> list[Expr]:
    """The roots with some nodes replaced by others of the same shape."""
    new: dict[Expr, Expr] = dict(replacements)
    for node in postorder(roots, stop=replacements):
        if node not in replacements:
            new[node] = with_arguments(node, new)
    return [new[root] for root in roots]


def with_arguments(node: Expr, new: Mapping[Expr, Expr]) -> Expr:
    """The node with new arguments in place of its own; itself where all are its own."""
    for a in node.args:
        if new[a] is not a:
            return node.primitive.apply([new[a] for a in node.args], node.params)
    return node


def free_inputs(roots: Iterable[Expr]) -> list[Expr]:
    """The inputs below the roots, in order of first appearance reading arguments left to right."""
    return [node for node in postorder(roots) if node.primitive is INPUT]


def flatten(roots: Sequence[Expr]) -> tuple[list[tuple[Any, ...]], list[int]]:
    """(instructions, positions of the roots); an instruction is (primitive, argument positions, params, shape, dtype)."""
    position: dict[Expr, int] = {}
    instructions: list[tuple[Any, ...]] = []
    for node in postorder(roots):
        position[node] = len(instructions)
        instructions.append((node.primitive, tuple([position[a] for a in node.args]), node.params, node.shape, node.dtype))
    return instructions, [position[root] for root in roots]


def unflatten(flat: tuple[list[tuple[Any, ...]], list[int]]) -> list[Expr]:
    """The roots again; inputs that a transform had made become new ones, so they clash with none made here."""
    instructions, roots = flat
    nodes: list[Expr] = []
    for primitive, positions, params, shape, dtype in instructions:
        if primitive is INPUT and params[1] != 0:
            nodes.append(fresh(params[0], shape, dtype))
        else:
            nodes.append(intern(primitive, tuple([nodes[p] for p in positions]), params, shape, dtype))
    return [nodes[r] for r in roots]


def load_one(flat: tuple[list[tuple[Any, ...]], list[int]]) -> Expr:
    return unflatten(flat)[0]

"""A Function as a list of instructions with lifetimes, shared by the engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..dsl.core import CONSTANT, INPUT, Expr
from ..dsl.function import Function
from ..transforms.guards import without_idle_guards
from ..transforms.lower import lower
from ..transforms.order import evaluation_order
from ..transforms.products import pairwise
from ..transforms.tidy import tidied

SOURCE_LIMIT = 20_000
"""Up to this many instructions an engine prints source and compiles it; beyond, it runs a tape (compile() is superlinear)."""


@dataclass(frozen=True)
class Schedule:
    """Native instructions in the order of execution.

    prelude: nodes that depend on no input, evaluated once when compiled; body: the rest, in order.
    outputs: a node for each output.
    """

    function: Function
    inputs: tuple[Expr, ...]
    constants: tuple[Expr, ...]
    prelude: tuple[Expr, ...]
    body: tuple[Expr, ...]
    outputs: tuple[Expr, ...]
    depends: dict[Expr, frozenset[int]]
    """For each node the positions of the inputs that it depends on."""


def schedule(function: Function, keep: Callable[[Expr], bool] = lambda node: False) -> Schedule:
    """The instructions of a function, composites written out except those that the caller keeps."""
    outputs = lower(function.outputs, keep)
    order = evaluation_order(outputs)
    if len(order) <= SOURCE_LIMIT:
        fewer = tidied(without_idle_guards(pairwise(outputs)))
        if any(a is not b for a, b in zip(fewer, outputs, strict=True)):
            outputs, order = fewer, evaluation_order(fewer)
    depends = _dependencies(order, function.inputs)
    constants = tuple(n for n in order if n.primitive is CONSTANT)
    inner = [n for n in order if n.args]
    body = tuple(n for n in inner if depends[n])
    prelude = tuple(n for n in inner if not depends[n])
    return Schedule(function, function.inputs, constants, prelude, body, tuple(outputs), depends)


def _dependencies(order: Sequence[Expr], inputs: Sequence[Expr]) -> dict[Expr, frozenset[int]]:
    position = {node: frozenset([k]) for k, node in enumerate(inputs)}
    nothing: frozenset[int] = frozenset()
    depends: dict[Expr, frozenset[int]] = dict(position)
    for node in order:
        if node.primitive in (INPUT, CONSTANT):
            depends.setdefault(node, nothing)
            continue
        joint = nothing
        for a in node.args:
            part = depends[a]
            if not part <= joint:
                joint = joint | part if not joint <= part else part
        depends[node] = joint
    return depends


def lifetimes(reads: Sequence[tuple[Expr, Sequence[Expr]]], outputs: Sequence[Expr]) -> list[frozenset[Expr]]:
    """For each instruction (node, nodes it reads) the earlier nodes whose memory nothing reads after it.

    A node is not free while a view of it may be read, nor if it or a view of it is an output.
    """
    base: dict[Expr, Expr] = {}
    last: dict[Expr, int] = {}
    members: dict[Expr, list[Expr]] = {}
    for k, (node, sources) in enumerate(reads):
        is_view = getattr(node.primitive, "view", False)
        base[node] = base.get(sources[0], sources[0]) if is_view else node
        members.setdefault(base[node], []).append(node)
        last[base[node]] = k
        for a in sources:
            last[base.get(a, a)] = k
    kept = {base.get(o, o) for o in outputs}
    ends: list[list[Expr]] = [[] for _ in reads]
    for owner, k in last.items():
        if owner not in kept and owner in base:
            ends[k].extend(members[owner])
    return [frozenset(e) for e in ends]

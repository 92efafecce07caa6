"""A large scalar function as a program for the interpreter: runs of one operation on values that do not wait for one another.

A run pays for its dispatch once, and the slow functions of a run are computed as vectors. Every value has a slot of its own
in one frame; the results of a run lie side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...dsl.constants import literal
from ...dsl.core import BOOL, CONSTANT, Expr
from ...dsl.function import Function
from ..base import Array


@dataclass(frozen=True)
class Kind:
    """An operation: its name, which arguments are bools, whether its result is one."""

    name: str
    bools: tuple[bool, ...]
    result: bool


@dataclass(frozen=True)
class Program:
    """kinds: the operations that occur. code: for each run (operation + 1, count, first slot of its results, then the slots of each argument
    in a row), at the end 0.

    frame: the slots' values before the first run: inputs (0), constants. results: the slots of the outputs.
    """

    kinds: tuple[Kind, ...]
    code: Array
    frame: Array
    inputs: int
    results: Array
    operations: int
    runs: int


def program(function: Function, order: Sequence[Expr], slack: int) -> Program:
    """The program of a function of scalars without composites.

    order: its nodes, arguments before their users; slack: slots beyond the last that vectors may touch.
    """
    constants = [n for n in order if n.primitive is CONSTANT]
    body = [n for n in order if n.args]
    first = len(function.inputs) + len(constants)
    place = {node: k for k, node in enumerate((*function.inputs, *constants, *body))}
    args = [[place[a] for a in node.args] for node in body]
    kinds, numbers = _kinds(body)
    slot = list(range(first)) + [0] * len(body)
    filled = first
    code: list[int] = []
    runs = _runs(args, numbers, first)
    for run in runs:
        code += (numbers[run[0]] + 1, len(run), filled)
        for column in zip(*[args[k] for k in run], strict=True):
            code += [slot[a] for a in column]
        for k in run:
            slot[first + k] = filled
            filled += 1
    frame = np.zeros(filled + slack)
    frame[len(function.inputs) : first] = [float(literal(c)) for c in constants]
    code += [0] * (1 + slack)
    results = np.array([slot[place[o]] for o in function.outputs], dtype=np.int32)
    return Program(kinds, np.array(code, dtype=np.int32), frame, len(function.inputs), results, len(body), len(runs))


def _kinds(body: Sequence[Expr]) -> tuple[tuple[Kind, ...], list[int]]:
    """The operations that occur, and for each node which one it is."""
    known: dict[Kind, int] = {}
    by_name: dict[str, int] = {}
    numbers = []
    for node in body:
        name = node.primitive.name
        if name not in by_name:
            kind = Kind(name, tuple(a.dtype == BOOL for a in node.args), node.dtype == BOOL)
            by_name[name] = known.setdefault(kind, len(known))
        numbers.append(by_name[name])
    return tuple(known), numbers


def _runs(args: Sequence[Sequence[int]], kinds: Sequence[int], first: int) -> list[list[int]]:
    """An order of evaluation: nodes that are ready together and of one kind are one run.

    args: places of arguments, those below `first` known from the start. The kind with the node after which most is still
    to come goes first: what nothing waits for gathers into long runs.
    """
    height = [0] * (first + len(args))
    users: list[list[int]] = [[] for _ in height]
    waiting = []
    for k, mine in enumerate(args):
        inner = {a for a in mine if a >= first}
        waiting.append(len(inner))
        for a in inner:
            users[a].append(k)
    for k in range(len(args) - 1, -1, -1):
        above = height[first + k] + 1
        for a in args[k]:
            height[a] = max(height[a], above)
    ready: dict[int, list[int]] = {}
    top: dict[int, int] = {}
    fresh = [k for k, n in enumerate(waiting) if not n]
    runs: list[list[int]] = []
    while True:
        for k in fresh:
            kind, h = kinds[k], height[first + k]
            if kind in ready:
                ready[kind].append(k)
                top[kind] = max(top[kind], h)
            else:
                ready[kind], top[kind] = [k], h
        if not ready:
            return runs
        chosen = max(top, key=top.__getitem__)
        del top[chosen]
        run = ready.pop(chosen)
        runs.append(run)
        fresh = []
        for k in run:
            for u in users[first + k]:
                waiting[u] -= 1
                if not waiting[u]:
                    fresh.append(u)

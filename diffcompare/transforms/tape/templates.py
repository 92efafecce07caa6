"""Templates: what a rule of the graph answers for one operation, to be written for all operations that are alike to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np

from ...dsl.arithmetic import add, mul, sub
from ...dsl.core import CONSTANT, REAL, Expr, fresh, intern
from ...dsl.elementwise import Elementwise
from ...dsl.walk import postorder
from .form import Bools, Ints, Tape

ANY_CONSTANT = frozenset((add, mul, sub))
"""Functions whose rules ask of no constant which it is: it stays a placeholder, so that many constants make one kind."""
MANY = 1_000
"""Kinds of operation up to which templates are worth making."""

NO_OTHERS: Mapping[Expr, int] = MappingProxyType({})

Operand = int | Expr
"""A step's number, ~j for placeholder j, or a constant."""


@dataclass(frozen=True)
class Step:
    """One operation of a template."""

    kind: Elementwise
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Template:
    """Steps in order, and where each result is found; None for a result that is exactly zero."""

    steps: tuple[Step, ...]
    results: tuple[Operand | None, ...]


def template(results: Sequence[Expr | None], args: Sequence[Expr], others: Mapping[Expr, int] = NO_OTHERS) -> Template | None:
    """The results as operations on placeholders; None if they are no scalar functions of them.

    args: the placeholders from 0, a repeated one being the first; others: placeholders with their numbers.
    """
    known: dict[Expr, Operand] = {node: ~j for node, j in others.items()}
    known.update((node, ~j) for j, node in reversed(list(enumerate(args))))
    steps: list[Step] = []
    for node in postorder([r for r in results if r is not None], stop=dict(known)):
        if node in known:
            continue
        if node.primitive is CONSTANT and not node.shape:
            known[node] = node
        elif isinstance(node.primitive, Elementwise) and not node.shape:
            known[node] = len(steps)
            steps.append(Step(node.primitive, tuple(known[a] for a in node.args)))
        else:
            return None
    return Template(tuple(steps), tuple(None if r is None else known[r] for r in results))


def depending(tape: Tape, wrt: Sequence[int], ending: Bools | None = None) -> Bools:
    """For each value whether it depends on the inputs `wrt`; ending: operations that pass no dependence on."""
    varying = np.zeros(tape.size, dtype=bool)
    varying[: len(tape.op)] = True
    varying[~np.asarray(wrt, dtype=np.int64)] = True
    if ending is None and varying[tape.args].any(axis=0).all():
        return varying
    depends = varying.tolist()
    ends = [False] * len(tape.op) if ending is None else ending.tolist()
    for k, args in enumerate(zip(*tape.args.tolist(), strict=True)):
        depends[k] = not ends[k] and any(map(depends.__getitem__, args))
    return np.array(depends, dtype=bool)


@dataclass(frozen=True)
class Likeness:
    """Which operations are alike: of one kind, with the same constants and repetitions among the arguments.

    of: the class of each operation asked for, or -1. nodes: for each class an operation of the graph that stands for it.
    first: an operation of each class.
    """

    of: Ints
    first: Ints
    nodes: tuple[Expr, ...]


def likeness(tape: Tape, varying: Bools, asked: Bools | None = None) -> Likeness | None:
    """Classes of the operations; None if there are too many.

    varying: for each value whether rules may differentiate by it. asked: for each kind whether
    its operations are to be told apart at all.
    """
    n = len(tape.op)
    inputs, constants = len(tape.inputs), len(tape.constants)
    exact = np.array([k not in ANY_CONSTANT for k in tape.kinds], dtype=bool)[tape.op] if n else np.zeros(0, dtype=bool)
    key = tape.op.copy()
    size = max(len(tape.kinds), 1)
    width = len(tape.args)
    for j in range(width):
        column = tape.args[j]
        state = np.where(varying[column], 0, 1)
        number = ~column - inputs
        state = np.where((number >= 0) & exact, number + 2, state)
        key = key * (constants + 2) + state
        size *= constants + 2
        for i in range(j):
            key = key * 2 + (tape.args[i] == column)
            size *= 2
    if size >= 2**62:
        return None
    if asked is not None:
        wanted = asked[tape.op]
        key = np.where(wanted, key, -1)
    found, first, of = _classes(key, size)
    if len(found) > MANY:
        return None
    if asked is not None and len(found) and found[0] < 0:
        of, first = of - 1, first[1:]
    return Likeness(of, first, tuple(_node(tape, int(k), bool(exact[k])) for k in first))


def _classes(key: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    """np.unique with first indices and inverse, by a table where the keys are small; keys from -1."""
    if size > max(1 << 20, 4 * len(key)):
        return np.unique(key, return_index=True, return_inverse=True)
    table = np.full(size + 1, -1, dtype=np.int64)
    table[key[::-1] + 1] = np.arange(len(key) - 1, -1, -1)
    found = np.flatnonzero(table >= 0)
    number = np.empty(size + 1, dtype=np.int64)
    number[found] = np.arange(len(found))
    return found - 1, table[found], number[key + 1]


def _node(tape: Tape, k: int, exact: bool) -> Expr:
    """The operation with placeholders for all arguments but the constants that its rules may ask for."""
    kind = tape.kinds[tape.op[k]]
    args: list[Expr] = []
    values = tape.args[: kind.arity, k].tolist()
    for value in values:
        constant = ~value - len(tape.inputs)
        if value < 0 and constant >= 0 and exact:
            args.append(tape.constants[constant])
        else:
            args.append(placeholder(values.index(value), tape.dtype(value)))
    return intern(kind, tuple(args), (), (), kind.dtype)


@cache
def placeholder(j: int, dtype: str = REAL) -> Expr:
    """An input that stands for argument j."""
    return fresh(f"argument_{j}", (), dtype)


class Writer:
    """The arrays of a tape that is being written: operations at places that the caller chooses."""

    def __init__(self, tape: Tape, total: int) -> None:
        self.tape = tape
        self.kinds: dict[Elementwise, int] = {k: i for i, k in enumerate(tape.kinds)}
        self.constants: dict[Expr, int] = {c: ~(len(tape.inputs) + i) for i, c in enumerate(tape.constants)}
        self.op = np.zeros(total, dtype=np.int64)
        self.args = [np.zeros(total, dtype=np.int64) for _ in range(max(len(tape.args), 2))]

    def constant(self, node: Expr) -> int:
        """The value of a constant."""
        return self.constants.setdefault(node, ~(len(self.tape.inputs) + len(self.constants)))

    def put(self, kind: Elementwise, at: Ints, operands: Sequence[Ints | int]) -> None:
        """Operations of one kind at these places."""
        while len(self.args) < len(operands):
            self.args.append(self.args[-1].copy())
        self.op[at] = self.kinds.setdefault(kind, len(self.kinds))
        for j, column in enumerate(self.args):
            column[at] = operands[min(j, len(operands) - 1)]

    def finished(self, outputs: Ints) -> Tape:
        return Tape(self.tape.inputs, tuple(self.constants), tuple(self.kinds), self.op, np.array(self.args), outputs)

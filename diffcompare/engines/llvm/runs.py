"""A large scalar function as a program for the interpreter: runs of one operation on values that do not wait for one another.

A run pays for its dispatch once, and the slow functions of a run are computed as vectors. Every value has a slot of its own
in one frame; the results of a run lie side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...dsl.core import BOOL
from ...transforms.tape.form import Ints, Tape
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

    results: the slots of the outputs. Leaf j has slot j, and the operations those behind the leaves, in the order of the runs.
    """

    kinds: tuple[Kind, ...]
    code: Array
    results: Array
    operations: int
    runs: int


def program(tape: Tape, slack: int) -> Program:
    """The program of a function of scalars without composites. slack: numbers beyond the code that vectors may read."""
    kinds, number = kinds_of(tape)
    op = number[tape.op]
    n, first = len(op), tape.size - len(tape.op)
    turn = _turns(tape, op, len(kinds))
    bits = max(n, 1).bit_length()
    key = np.sort((turn << bits) | np.arange(n))
    order, turn = key & ((1 << bits) - 1), key >> bits
    slot = np.arange(tape.size)[::-1].copy()  # leaf ~j, the j-th from the end, has slot j
    slot[order] = np.arange(first, tape.size)
    arity = np.array([len(k.bools) for k in kinds], dtype=np.int64)
    begins = np.flatnonzero(np.diff(turn, prepend=-1))
    count = np.diff(begins, append=n)
    kind = op[order[begins]]
    start = np.cumsum(3 + arity[kind] * count) - (3 + arity[kind] * count)
    total = int((3 + arity[kind] * count).sum())
    code = np.zeros(total + 1 + slack, dtype=np.int32)
    code[start], code[start + 1], code[start + 2] = kind + 1, count, first + begins
    run = np.repeat(np.arange(len(begins)), count)
    place = start[run] + 3 + np.arange(n) - begins[run]
    for j, column in enumerate(tape.args):
        has = arity[kind][run] > j
        code[(place + j * count[run])[has]] = slot[column[order]][has]
    results = slot[tape.outputs].astype(np.int32)
    return Program(kinds, code, results, n, len(begins))


def kinds_of(tape: Tape) -> tuple[tuple[Kind, ...], Ints]:
    """The operations that occur, and for each kind of the tape which one it is."""
    found: dict[Kind, int] = {}
    number = np.zeros(len(tape.kinds), dtype=np.int64)
    table = np.full(len(tape.kinds), -1, dtype=np.int64)
    table[tape.op[::-1]] = np.arange(len(tape.op) - 1, -1, -1)
    for k in np.argsort(table, kind="stable").tolist():
        if table[k] >= 0:
            primitive = tape.kinds[k]
            bools = tuple(tape.dtype(a) == BOOL for a in tape.args[: primitive.arity, table[k]].tolist())
            number[k] = found.setdefault(Kind(primitive.name, bools, primitive.dtype == BOOL), len(found))
    return tuple(found), number


def _turns(tape: Tape, op: Ints, kinds: int) -> Ints:
    """When each operation is done: the kinds take turns, and each operation is done at the first turn of its kind after its arguments."""
    turn = [-1] * tape.size
    columns = tape.args.tolist()
    if len(columns) == 2:
        for k, (kind, a, b) in enumerate(zip(op.tolist(), *columns, strict=True)):
            last, other = turn[a], turn[b]
            last = max(last, other)
            turn[k] = last + 1 + (kind - last - 1) % kinds
    else:
        for k, (kind, *args) in enumerate(zip(op.tolist(), *columns, strict=True)):
            last = max([turn[a] for a in args]) + 1
            turn[k] = last + (kind - last) % kinds
    return np.array(turn[: len(op)], dtype=np.int64)

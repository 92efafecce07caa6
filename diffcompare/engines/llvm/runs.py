"""A large scalar function as a program for the interpreter: runs of one operation on values that do not wait for one another.

A run pays for its dispatch once, and the slow functions of a run are computed as vectors. Every value has a slot of its own
in one frame; the results of a run lie side by side.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ...dsl.core import BOOL
from ...transforms.tape.form import Ints, Tape
from ..base import Array
from .target import Machine, function_pointer


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
    kinds: dict[int, Kind] = {}
    table = np.full(len(tape.kinds), -1, dtype=np.int64)
    table[tape.op[::-1]] = np.arange(len(tape.op) - 1, -1, -1)
    for k in np.flatnonzero(table >= 0).tolist():
        primitive = tape.kinds[k]
        bools = tuple(tape.dtype(a) == BOOL for a in tape.args[: primitive.arity, table[k]].tolist())
        kinds[k] = Kind(primitive.name, bools, primitive.dtype == BOOL)
    # in an order of their own, so that all programs of these operations have one machine
    found = sorted(set(kinds.values()), key=lambda kind: (kind.name, kind.bools, kind.result))
    number = np.zeros(len(tape.kinds), dtype=np.int64)
    for k, kind in kinds.items():
        number[k] = found.index(kind)
    return tuple(found), number


def _turns(tape: Tape, op: Ints, kinds: int) -> Ints:
    """When each operation is done: the kinds take turns, and each operation is done at the first turn of its kind after its arguments."""
    turn = np.full(tape.size, -1, dtype=np.int64)
    args = np.ascontiguousarray(tape.args)
    call, _ = _compiled_turns()
    call(len(op), len(args), kinds, tape.size, op.ctypes.data, args.ctypes.data, turn.ctypes.data)
    return turn[: len(op)]


@cache
def _compiled_turns() -> tuple[Any, Machine]:
    machine = Machine(_TURNS, 2)
    return function_pointer(machine, "turns", *[ctypes.c_int64] * 4, *[ctypes.c_void_p] * 3), machine


_TURNS = """
define void @turns(i64 %n, i64 %width, i64 %kinds, i64 %size, ptr %op, ptr %args, ptr %turn) {
entry:
  %any = icmp sgt i64 %n, 0
  br i1 %any, label %operation, label %end
operation:
  %k = phi i64 [ 0, %entry ], [ %k1, %placed ]
  br label %argument
argument: ; the last turn of an argument; leaves, which are negative, stand at the end of the array, at turn -1
  %j = phi i64 [ 0, %operation ], [ %j1, %argument ]
  %last = phi i64 [ -1, %operation ], [ %later, %argument ]
  %row = mul i64 %j, %n
  %place = add i64 %row, %k
  %value.at = getelementptr i64, ptr %args, i64 %place
  %value = load i64, ptr %value.at
  %leaf = icmp slt i64 %value, 0
  %behind = add i64 %value, %size
  %index = select i1 %leaf, i64 %behind, i64 %value
  %had.at = getelementptr i64, ptr %turn, i64 %index
  %had = load i64, ptr %had.at
  %after = icmp sgt i64 %had, %last
  %later = select i1 %after, i64 %had, i64 %last
  %j1 = add i64 %j, 1
  %more = icmp slt i64 %j1, %width
  br i1 %more, label %argument, label %placed
placed: ; the first turn after it that is the kind's
  %from = add i64 %later, 1
  %kind.at = getelementptr i64, ptr %op, i64 %k
  %kind = load i64, ptr %kind.at
  %phase = srem i64 %from, %kinds
  %ahead = sub i64 %kind, %phase
  %past = icmp slt i64 %ahead, 0
  %round = add i64 %ahead, %kinds
  %wait = select i1 %past, i64 %round, i64 %ahead
  %now = add i64 %from, %wait
  %turn.at = getelementptr i64, ptr %turn, i64 %k
  store i64 %now, ptr %turn.at
  %k1 = add i64 %k, 1
  %going = icmp slt i64 %k1, %n
  br i1 %going, label %operation, label %end
end:
  ret void
}
"""

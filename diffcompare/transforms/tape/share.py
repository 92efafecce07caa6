"""Fewer operations on tapes: equal ones made one, those that no output needs left out."""

from __future__ import annotations

import numpy as np

from .form import Ints, Tape

ROUNDS = 6
"""Of sharing: each merges operations whose arguments the one before has merged. What is left then is computed twice."""


def shared(tape: Tape) -> Tape:
    """The tape with equal operations (of one kind, on the same values) computed once, by the first of them.

    Operations are compared where their hashes are equal to more than 40 bits. Should two different ones meet there, an equal
    one behind them stays: it is computed twice, and right.
    """
    args, outputs = tape.args, tape.outputs
    for _ in range(ROUNDS):
        later, first = _alike(tape.op, args)
        same = (tape.op[first] == tape.op[later]) & (args[:, first] == args[:, later]).all(axis=0)
        if not same.any():
            break
        moved = tape.by_value(np.arange(len(tape.op)))
        moved[later[same]] = first[same]
        before, args = args, moved[args]
        outputs = moved[outputs]
        if np.array_equal(before, args):
            break
    return Tape(tape.inputs, tape.constants, tape.kinds, tape.op, args, outputs)


def _alike(op: Ints, args: Ints) -> tuple[Ints, Ints]:
    """Operations with the hash of an earlier one, and the first of that hash."""
    mixed = op.astype(np.uint64)
    for column in args:
        mixed ^= column.view(np.uint64)
        mixed *= np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: multiplicative hashing, Knuth vol. 3, section 6.4
        mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    bits = np.uint64(len(op).bit_length())
    # sorted with the number in the lowest bits, so that the first of a group is the first operation
    key = np.sort((mixed >> bits << bits) | np.arange(len(op), dtype=np.uint64))
    number = (key & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    key >>= bits
    opens = np.ones(len(op), dtype=bool)
    opens[1:] = key[1:] != key[:-1]
    later = np.flatnonzero(~opens)
    first = number[np.flatnonzero(opens)[np.cumsum(opens)[later] - 1]]
    return number[later], first


def needed(tape: Tape) -> Tape:
    """The tape without operations that no output depends on."""
    n = len(tape.op)
    uses = np.zeros(tape.size, dtype=np.int64)
    for column in (*tape.args, tape.outputs):
        uses += np.bincount(tape.places(column), minlength=tape.size)
    idle = np.flatnonzero(uses[:n] == 0).tolist()
    if not idle:
        return tape
    alive = np.ones(n, dtype=bool)
    while idle:  # an operation that is left out may have been the last to use another
        k = idle.pop()
        alive[k] = False
        for a in tape.args[:, k].tolist():
            uses[a] -= 1
            if a >= 0 and not uses[a]:
                idle.append(a)
    moved = tape.by_value(np.cumsum(alive) - 1)
    return Tape(tape.inputs, tape.constants, tape.kinds, tape.op[alive], moved[tape.args[:, alive]], moved[tape.outputs])

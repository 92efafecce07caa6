"""Fewer operations on tapes: equal ones made one, those that no output needs left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from .form import Ints, Tape

ROUNDS = 6
"""Of sharing: each merges operations whose arguments the one before has merged. What is left then is computed twice."""


def shared(tape: Tape) -> Tape:
    """The tape with equal operations (of one kind, on the same values) computed once, by the first of them.

    Found by a table of hashes that keeps one operation each, so now and then an equal one is missed: it stays, and is right.
    """
    n = len(tape.op)
    bits = max(n, 1).bit_length() + 2
    first = np.arange(n)
    args, outputs = tape.args, tape.outputs
    for _ in range(ROUNDS):
        place = _hashed(tape.op, args) >> np.uint64(64 - bits)
        table = np.empty(1 << bits, dtype=np.int64)
        table[place[::-1]] = first[::-1]
        other = table[place]
        same = (other != first) & (tape.op[other] == tape.op)
        candidates = np.flatnonzero(same)
        repeated = candidates[(args[:, other[candidates]] == args[:, candidates]).all(axis=0)]
        if not len(repeated):
            break
        moved = tape.by_value(first)
        moved[repeated] = other[repeated]
        before, args = args, moved[args]
        outputs = moved[outputs]
        if np.array_equal(before, args):
            break
    return Tape(tape.inputs, tape.constants, tape.kinds, tape.op, args, outputs)


def _hashed(op: Ints, args: Ints) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """64 bits mixed of an operation and its arguments."""
    mixed = op.astype(np.uint64)
    for column in args:
        mixed ^= column.view(np.uint64)
        mixed *= np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: multiplicative hashing, Knuth vol. 3, section 6.4
        mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    return mixed


def needed(tape: Tape) -> Tape:
    """The tape without operations that no output depends on."""
    n = len(tape.op)
    uses = np.zeros(tape.size, dtype=np.int64)
    for column in (*tape.args, tape.outputs):
        uses += np.bincount(column % tape.size, minlength=tape.size)
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

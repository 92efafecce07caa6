"""Lowering of tapes: composites and small integer powers written out in the functions that engines know natively."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...dsl.core import Expr
from ..lower import expands, lower, may_expand
from .form import Ints, Tape
from .templates import Operand, Writer, likeness, template


def lowered(tape: Tape, keep: Callable[[Expr], bool]) -> Tape | None:
    """The tape without composites, as transforms.lower does it; None where the graph must serve."""
    asked = np.array([may_expand(k) for k in tape.kinds], dtype=bool)
    if not asked.any():
        return tape
    alike = likeness(tape, np.ones(tape.size, dtype=bool), asked)
    if alike is None:
        return None
    written = []
    for node in alike.nodes:
        one = template(lower([node], keep), node.args) if expands(node) and not keep(node) else None
        if one is not None and not (isinstance(one.results[0], int) and one.results[0] >= 0):
            return None
        written.append(one)
    lengths = np.array([1 if t is None else len(t.steps) for t in written] + [1], dtype=np.int64)[alike.of]
    start = np.cumsum(lengths) - lengths
    result = np.array([0 if t is None else t.results[0] for t in written] + [0], dtype=np.int64)[alike.of]
    moved = tape.by_value(start + result)
    args = moved[tape.args]
    writer = Writer(tape, int(lengths.sum()))
    at = start + result
    writer.op[at] = tape.op
    for j, column in enumerate(args):
        writer.args[j][at] = column
    for k, one in enumerate(written):
        if one is None:
            continue
        members = np.flatnonzero(alike.of == k)
        at, mine = start[members], args[:, members]
        for i, step in enumerate(one.steps):
            writer.put(step.kind, at + i, [_operand(writer, o, at, mine) for o in step.operands])
    return writer.finished(moved[tape.outputs])


def _operand(writer: Writer, operand: Operand, start: Ints, args: Ints) -> Ints | int:
    """An operand of a step for many operations at once, whose steps begin at `start`."""
    if isinstance(operand, Expr):
        return writer.constant(operand)
    return start + operand if operand >= 0 else args[~operand]

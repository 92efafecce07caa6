"""Forward mode on tapes: the same operations that transforms.forward writes, for all operations of a kind at once.

The steps of an operation's tangent stand right after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...dsl.constants import constant
from ...dsl.core import Expr, collector_paused
from ...dsl.function import Function
from .form import Bools, Ints, Tape, Taped, tape_of
from .reverse import LARGE, gradient
from .share import needed, shared
from .templates import Likeness, Operand, Template, Writer, depending, likeness, placeholder, template

TANGENT = 64
"""The number of the placeholder of the first argument's tangent, those of others follow; the operation itself is the one before."""
ITSELF = TANGENT - 1


def directional_of(function: Function, wrt: Sequence[Expr], directions: Sequence[Expr], name: str, gradients: bool = False) -> Taped | None:
    """The derivatives along directions of the outputs of a function of at least LARGE scalar operations, or of its gradient.

    A function of its inputs and the directions; None where the graph's own transforms must serve.
    """
    if len(function.order) < LARGE or any(d.shape for d in directions):
        return None
    with collector_paused():
        numbers = {node: j for j, node in enumerate(function.inputs)}
        chosen = [numbers[x] for x in wrt]
        tape = tape_of(function)
        if tape is not None and gradients:
            tape = gradient(tape, chosen, False)
        made = None if tape is None else tangents(tape, chosen, directions)
    return None if made is None else Taped(name, made, False)


def tangents(tape: Tape, wrt: Sequence[int], directions: Sequence[Expr]) -> Tape | None:
    """The tape of the outputs' tangents where the inputs `wrt` have the directions, further inputs, as tangents.

    None where a rule is no operation on arguments and tangents alone.
    """
    if not len(tape.op):
        return None
    whole = tape.with_inputs(directions)
    ending: Bools | None = None
    while True:
        varying = depending(whole, wrt, ending)
        alike = likeness(whole, varying)
        rules = None if alike is None else _rules(whole, alike, varying)
        if alike is None or rules is None:
            return None
        # an operation without a tangent ends the dependence of those that use it
        silent = np.array([t.results[0] is None for t in rules[0]], dtype=bool)[alike.of] & varying[: len(whole.op)]
        if not silent.any():
            break
        ending = silent if ending is None else ending | silent
    wild = _wild(whole, alike, varying, rules[1])
    pushed = _Push(whole, alike, varying, wild, rules[0])
    return None if pushed.missing else needed(shared(pushed.written(wrt)))


def _rules(tape: Tape, alike: Likeness, varying: Bools) -> tuple[list[Template], Bools] | None:
    """For each class its template where no tangent may be infinite, and whether a partial may be."""
    found = []
    for c in range(len(alike.nodes)):
        one = _template(tape, alike, varying, c, False)
        if one is None:
            return None
        found.append(one)
    kinds = [tape.kinds[k] for k in tape.op[alike.first].tolist()]
    return found, np.array([k.singular(node) for k, node in zip(kinds, alike.nodes, strict=True)], dtype=np.bool_)


def _template(tape: Tape, alike: Likeness, varying: Bools, c: int, wild: bool) -> Template | None:
    node = alike.nodes[c]
    has = varying[tape.args[: len(node.args), alike.first[c]]].tolist()
    incoming = [placeholder(TANGENT + j) if h else None for j, h in enumerate(has)]
    result = node.primitive.jvp(node, incoming, wild) if any(has) else None
    others = {t: TANGENT + j for j, t in enumerate(incoming) if t is not None}
    return template([result], node.args, {node: ITSELF, **others})


def _wild(tape: Tape, alike: Likeness, varying: Bools, singular: Bools) -> Bools:
    """The operations some tangent of whose arguments may be infinite."""
    n = len(tape.op)
    infinite = singular[alike.of] & varying[:n]
    if not infinite.any():
        return np.zeros(n, dtype=bool)
    found = [False] * tape.size
    arrives = [False] * n
    moving = varying[:n].tolist()
    for k, (here, args) in enumerate(zip(infinite.tolist(), zip(*tape.args.tolist(), strict=True), strict=True)):
        if moving[k]:
            arrives[k] = any(map(found.__getitem__, args))
            found[k] = here or arrives[k]
    return np.array(arrives, dtype=bool)


class _Push:
    """The arrays of a derivative by forward mode. missing: whether some operation has no template."""

    def __init__(self, tape: Tape, alike: Likeness, varying: Bools, wild: Bools, plain: list[Template]) -> None:
        n = len(tape.op)
        self.tape, self.varying = tape, varying
        self.templates = list(plain)
        self.missing = False
        rule = np.where(varying[:n], alike.of, -1)
        for c in np.flatnonzero(np.bincount(alike.of[wild], minlength=len(plain))).tolist():
            one = _template(tape, alike, varying, c, True)
            if one is None:
                self.missing = True
                return
            rule[wild & (alike.of == c)] = len(self.templates)
            self.templates.append(one)
        self.rule = rule
        steps = np.array([len(t.steps) for t in self.templates] + [0], dtype=np.int64)[rule]
        self.base = np.cumsum(steps) - steps + np.arange(n)
        self.moved = tape.by_value(self.base)
        self.args = self.moved[tape.args]
        self.writer = Writer(tape, n + int(steps.sum()))

    def written(self, wrt: Sequence[int]) -> Tape:
        """The tape with the outputs' tangents for outputs; the directions are the last inputs."""
        tape, writer = self.tape, self.writer
        self._tangents(wrt)
        writer.op[self.base] = tape.op
        for j, column in enumerate(writer.args):
            column[self.base] = self.args[min(j, len(self.args) - 1)]
        for k, one in enumerate(self.templates):
            members = np.flatnonzero(self.rule == k)
            for i, step in enumerate(one.steps):
                writer.put(step.kind, self.base[members] + 1 + i, [self._found(o, members) for o in step.operands])
        return writer.finished(np.where(self.varying[tape.outputs], self.tangent[tape.outputs], writer.constant(constant(0.0))))

    def _tangents(self, wrt: Sequence[int]) -> None:
        """The tangent of each value, -1 where it has none; one that is handed on unchanged is found at its origin."""
        tape = self.tape
        tangent = np.full(tape.size, -1, dtype=np.int64)
        first = len(tape.inputs) - len(wrt)
        tangent[~np.asarray(wrt, dtype=np.int64)] = ~np.arange(first, len(tape.inputs))
        source = np.arange(tape.size)
        for k, one in enumerate(self.templates):
            members = np.flatnonzero(self.rule == k)
            result = one.results[0]
            if result is None:
                continue
            if isinstance(result, int) and result <= ~TANGENT:
                source[members] = tape.places(tape.args[~result - TANGENT, members])
            else:
                tangent[members] = self._found(result, members)
        while True:
            further = source[source]
            if np.array_equal(further, source):
                break
            source = further
        self.tangent: Ints = tangent[source]

    def _found(self, operand: Operand, members: Ints) -> Ints | int:
        """An operand of a template for these operations."""
        if isinstance(operand, Expr):
            return self.writer.constant(operand)
        if operand >= 0:
            return self.base[members] + 1 + operand
        if operand <= ~TANGENT:
            handed: Ints = self.tangent[self.tape.args[~operand - TANGENT, members]]
            return handed
        return self.base[members] if operand == ~ITSELF else self.args[~operand, members]

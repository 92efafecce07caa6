"""Reverse mode on tapes: the same operations that transforms.reverse writes, for all operations of a kind at once.

Here it is found out which operations get a cotangent, whether it may be infinite, and where it is a constant; so each has a
template. sweep.py writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from ...dsl.arithmetic import add
from ...dsl.constants import constant
from ...dsl.core import CONSTANT, Expr, collector_paused
from ...dsl.elementwise import Elementwise
from ...dsl.function import Function
from .form import Bools, Ints, Tape, Taped, tape_of
from .share import needed, shared
from .sweep import COTANGENT, ITSELF, Sweep
from .templates import Likeness, Template, depending, likeness, placeholder, template

ONE = constant(1.0)
LARGE = 1_000
"""Nodes from which a tape is worth making: below, making templates takes longer than the graph's reverse mode."""


def gradient_of(function: Function, wrt: Sequence[Expr], value: bool, name: str) -> Taped | None:
    """The derivatives of a scalar function of at least LARGE operations with respect to inputs; None for any other function."""
    if len(function.order) < LARGE or len(function.outputs) != 1:
        return None
    with collector_paused():
        tape = tape_of(function)
        numbers = {node: j for j, node in enumerate(function.inputs)}
        made = None if tape is None else gradient(tape, [numbers[x] for x in wrt], value)
    return None if made is None else Taped(name, made, False)


def gradient(tape: Tape, wrt: Sequence[int], value: bool) -> Tape | None:
    """The tape of the derivatives of the only output with respect to these inputs, after the output itself if `value`.

    None where a rule is no operation on the arguments and the cotangent alone: the graph's reverse mode must serve.
    """
    if not len(tape.op) or len(tape.outputs) != 1 or tape.outputs[0] < 0 or not all(type(k).vjp is Elementwise.vjp for k in tape.kinds):
        return None
    varying = depending(tape, wrt)
    alike = likeness(tape, varying)
    if alike is None or not varying[tape.outputs[0]]:
        return None
    rules = Rules(tape, alike, varying)
    if not rules.known:
        return None
    state = _reached(tape, rules)
    found = _fixed(tape, rules, state)
    rule = None if found is None else _chosen(rules, state, found[1])
    if found is None or rule is None:
        return None
    sweep = Sweep(tape, rules.templates, rule, rules.passed[alike.of].T, found[0])
    outputs = [sweep.value(int(tape.outputs[0]))] if value else []
    return needed(shared(sweep.written([*outputs, *(sweep.cotangent(~j) for j in wrt)])))


class Rules:
    """The rules of a tape's operations as templates, by class, whether the cotangent may be infinite, and its constant.

    passed: for each class which arguments get a cotangent. whole: whether all do that could get one. known: whether
    all templates could be made.
    """

    def __init__(self, tape: Tape, alike: Likeness, varying: Bools) -> None:
        self.alike = alike
        self.singular = np.array(
            [tape.kinds[k].singular(n) for k, n in zip(tape.op[alike.first].tolist(), alike.nodes, strict=True)], dtype=np.bool_
        )
        self._active = varying[tape.args[:, alike.first]].T.tolist()
        self._made: dict[tuple[int, bool, Expr | None], int | None] = {}
        self.templates: list[Template] = []
        self.passed = np.zeros((len(alike.nodes), len(tape.args)), dtype=bool)
        self.whole = self.known = True
        for c, node in enumerate(alike.nodes):
            number = self.number(c, False, None)
            if number is None:
                self.known = False
                continue
            arity = len(node.args)
            self.passed[c, :arity] = [r is not None for r in self.templates[number].results]
            self.whole &= self.passed[c, :arity].tolist() == self._active[c][:arity]

    def number(self, c: int, wild: bool, cotangent: Expr | None) -> int | None:
        """The template of a class for a cotangent that is a constant or, if None, may be anything; None where there is none."""
        key = c, wild, cotangent
        if key not in self._made:
            node = self.alike.nodes[c]
            seed = placeholder(COTANGENT) if cotangent is None else cotangent
            parts = node.primitive.vjp(node, seed, wild)
            wanted = [p if active else None for p, active in zip(parts, self._active[c], strict=False)]
            made = template(wanted, node.args, {node: ITSELF, placeholder(COTANGENT): COTANGENT})
            self._made[key] = None if made is None else len(self.templates)
            if made is not None:
                self.templates.append(made)
        return self._made[key]


def _reached(tape: Tape, rules: Rules) -> Ints:
    """For each operation 0 where no cotangent comes, 2 where one may be infinite, else 1."""
    n, of = len(tape.op), rules.alike.of
    if rules.whole and not rules.singular.any():
        return np.ones(n, dtype=np.int64)
    singular = rules.singular[of][::-1].tolist()
    # a place of its own, behind all operations, stands for arguments that get nothing
    columns = [np.where(rules.passed[of, j] & (a >= 0), a, n)[::-1].tolist() for j, a in enumerate(tape.args)]
    if rules.whole:
        wild = [False] * (n + 1)
        for k, infinite, args in zip(range(n - 1, -1, -1), singular, zip(*columns, strict=True), strict=True):
            if infinite or wild[k]:
                for a in args:
                    wild[a] = True
        return 1 + np.array(wild[:n], dtype=np.int64)
    found = [0] * (n + 1)
    found[int(tape.outputs[0])] = 1
    for k, infinite, args in zip(range(n - 1, -1, -1), singular, zip(*columns, strict=True), strict=True):
        here = found[k]
        if here:
            if infinite or here == 2:
                for a in args:
                    found[a] = 2
            else:
                for a in args:
                    if not found[a]:
                        found[a] = 1
    return np.array(found[:n], dtype=np.int64)


def _fixed(tape: Tape, rules: Rules, state: Ints) -> tuple[dict[int, Expr], dict[int, int]] | None:
    """The cotangents that are constants, by value, and the templates of the operations that have one; None where there is none.

    The output's is 1, and sums hand it on: a sum of many terms has one for each.
    """
    reached, of = state > 0, rules.alike.of
    awaited = np.zeros(tape.size, dtype=np.int64)
    for j, column in enumerate(tape.args):
        awaited += np.bincount(tape.places(column[reached & rules.passed[of, j]]), minlength=tape.size)
    inputs = len(tape.inputs)
    output = int(tape.outputs[0])
    cotangent: dict[int, Expr] = {output: ONE}
    chosen: dict[int, int] = {}
    arrived: dict[int, list[tuple[int, int, Expr]]] = {}
    ready = [output]
    while ready:
        u = ready.pop()
        number = rules.number(int(of[u]), bool(state[u] == 2), cotangent[u])
        if number is None:
            return None
        chosen[u] = number
        for j, result in enumerate(rules.templates[number].results):
            if result is None:
                continue
            if not isinstance(result, Expr):
                constant_ = ~int(tape.args[~result, u]) - inputs if -ITSELF <= result < 0 else -1
                if constant_ < 0:
                    continue
                result = tape.constants[constant_]  # noqa: PLW2901  the same result by what stands at its place
            v = int(tape.args[j, u])
            parts = arrived.setdefault(v, [])
            parts.append((-u, j, result))
            if len(parts) == awaited[v]:
                total = reduce(add, [part for _, _, part in sorted(parts, key=lambda p: p[:2])])
                if total.primitive is not CONSTANT:
                    return None
                cotangent[v] = total
                if v >= 0:
                    ready.append(v)
    return cotangent, chosen


def _chosen(rules: Rules, state: Ints, chosen: dict[int, int]) -> Ints | None:
    """The template of every operation, -1 for those where no cotangent comes; None where there is none."""
    key = rules.alike.of * 2 + (state == 2)
    table = np.full(2 * len(rules.alike.nodes), -1, dtype=np.int64)
    for k in np.flatnonzero(np.bincount(key[state > 0], minlength=len(table))).tolist():
        number = rules.number(k // 2, k % 2 == 1, None)
        if number is None:
            return None
        table[k] = number
    rule = np.where(state > 0, table[key], -1)
    if chosen:
        rule[list(chosen)] = list(chosen.values())
    return rule

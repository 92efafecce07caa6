"""Tape: a function of scalars as arrays of integers; to and from the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from ...dsl.core import CONSTANT, INPUT, Expr, Primitive, collector_paused
from ...dsl.elementwise import Elementwise
from ...dsl.function import Function
from ...dsl.walk import walk

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Tape:
    """Operation k applies kinds[op[k]] to the values args[0, k], args[1, k], ...; arguments come before their users.

    A value is the number of an operation, or ~j for leaf j: the inputs come first among the leaves, then the constants.
    Values are so indices of arrays and lists that hold something for every operation and then for every leaf, last leaf first.
    Columns of args beyond an operation's arity repeat its last argument. outputs: values.
    """

    inputs: tuple[Expr, ...]
    constants: tuple[Expr, ...]
    kinds: tuple[Elementwise, ...]
    op: Ints
    args: Ints
    outputs: Ints

    @property
    def leaves(self) -> tuple[Expr, ...]:
        return (*self.inputs, *self.constants)

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.op) + len(self.inputs) + len(self.constants)

    def with_inputs(self, further: Sequence[Expr]) -> Tape:
        """The same function of further inputs, which it does not use, after its own."""
        first, n = -len(self.inputs), len(further)
        args, outputs = (np.where(values < first, values - n, values) for values in (self.args, self.outputs))
        return Tape((*self.inputs, *further), self.constants, self.kinds, self.op, args, outputs)

    def by_value(self, operations: Ints) -> Ints:
        """An array indexed by values: the number given for each operation, each leaf itself."""
        return np.concatenate([operations, np.arange(len(self.op) - self.size, 0)])

    def places(self, values: Ints) -> Ints:
        """Values as indices from 0 of an array indexed by values."""
        return np.where(values < 0, values + self.size, values)

    @cached_property
    def arity(self) -> Ints:
        """Of each kind."""
        return np.array([k.arity for k in self.kinds], dtype=np.int64)

    def dtype(self, value: int) -> str:
        """Of a value."""
        if value >= 0:
            return self.kinds[int(self.op[value])].dtype
        j = ~value - len(self.inputs)
        return self.constants[j].dtype if j >= 0 else self.inputs[~value].dtype


def tape_of(function: Function) -> Tape | None:
    """The tape of a function of scalars; None if some node is no scalar function."""
    if isinstance(function, Taped):
        return function.tape
    inputs, seen = function.inputs, function.walk
    order, primitives = seen.order, seen.primitives
    kinds = tuple(p for p in dict.fromkeys(primitives) if p is not INPUT and p is not CONSTANT)
    if not seen.scalar or any(i.shape for i in inputs) or not all(isinstance(p, Elementwise) for p in kinds):
        return None
    scalars = cast("tuple[Elementwise, ...]", kinds)
    known: dict[Primitive, int] = {p: k for k, p in enumerate((*kinds, INPUT, CONSTANT))}
    kind = np.fromiter(map(known.__getitem__, primitives), dtype=np.int64, count=len(order))
    inner = kind < len(kinds)
    value = np.cumsum(inner) - 1
    constants = [order[k] for k in np.flatnonzero(kind == len(kinds) + 1).tolist()]
    leaves = {leaf: ~j for j, leaf in enumerate((*inputs, *constants))}
    for k in np.flatnonzero(~inner).tolist():
        value[k] = leaves[order[k]]
    op = kind[inner]
    arity = np.array([k.arity for k in scalars], dtype=np.int64)[op]
    flat = value[np.frombuffer(seen.links, dtype=np.int64)] if len(seen.links) else np.zeros(0, dtype=np.int64)
    first = np.cumsum(arity) - arity
    columns = [flat[first + np.minimum(j, arity - 1)] for j in range(int(arity.max(initial=1)))]
    table = np.array(columns, dtype=np.int64).reshape(len(columns), len(op))
    return Tape(inputs, tuple(constants), scalars, op, table, value[np.array(seen.ends, dtype=np.int64)])


def expressions(tape: Tape) -> list[Expr]:
    """The outputs as expressions, each operation applied by its primitive, so simplified and shared as in any graph."""
    leaves = tape.leaves
    values: list[Expr] = []
    with collector_paused():
        for number, args in zip(tape.op.tolist(), zip(*tape.args.tolist(), strict=True), strict=True):
            kind = tape.kinds[number]
            values.append(kind.apply([values[a] if a >= 0 else leaves[~a] for a in args[: kind.arity]]))
        return [values[o] if o >= 0 else leaves[~o] for o in tape.outputs.tolist()]


class Taped(Function):
    """A Function held as a tape. Its outputs become expressions when they are asked for."""

    __slots__ = ("tape",)

    def __init__(self, name: str, tape: Tape, single: bool) -> None:
        self.name, self.inputs, self.single, self.formulas = name, tape.inputs, single, {}
        self.tape = tape

    def __getattr__(self, name: str) -> Any:
        if name == "outputs":
            self.outputs = tuple(expressions(self.tape))
        elif name == "walk":
            self.walk = walk(self.outputs)
        else:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self, name)

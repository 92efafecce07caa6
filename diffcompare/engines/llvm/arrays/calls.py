"""Steps that NumPy takes: matrix products by BLAS into memory that is there, and whatever has no loop of ours."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from ....dsl.contraction import Einsum
from ....dsl.core import BOOL, Expr
from ...base import Array
from ...kernels import kernel
from .access import Form
from .blas import one_thread
from .storage import Layout, Workspace
from .team import team

SMALL_PRODUCT = 50e6
"""Floating-point operations up to which a product is kept off BLAS's own threads."""
WORTH_SHARING = 4e6
"""Those that are worth a second thread of ours: some 80 µs, where waking one takes up to 30."""
WORTH_READING = 2_000_000
"""Entries of a matrix whose reading alone is worth it."""


class NumpyCall:
    """One node computed by NumPy from arrays of the workspace into one of them."""

    def __init__(self, node: Expr, layout: Layout, form: Form) -> None:
        self._target = _memory(node, layout, form)
        self._call, _ = kernel(node)
        self._arguments = [_value(a, layout, form) for a in node.args]

    def run(self, space: Workspace, batch: int) -> None:
        self._target(space, batch)[...] = self._call(*(argument(space, batch) for argument in self._arguments))


class Product:
    """A contraction of two arrays as one matrix product, or a stack of them, written where its result belongs.

    Small ones run on one thread of BLAS and, where that is worth it, on several of ours, each with a part of the rows.
    """

    def __init__(self, node: Expr, layout: Layout, form: Form, threads: int) -> None:
        (left, right), output = node.params
        if [c for c in output if c not in right] and [c for c in output if c not in left]:
            first_row = min(output.index(c) for c in output if c not in right)
            first_column = min(output.index(c) for c in output if c not in left)
            swapped = first_column < first_row
        else:
            swapped = False
        args = list(node.args)
        if swapped:
            left, right, args = right, left, args[::-1]
        shared = [c for c in left if c in right and c in output]
        summed = [c for c in left if c in right and c not in output]
        rows = [c for c in left if c not in right]
        columns = [c for c in right if c not in left]
        sizes = dict(zip(left + right, args[0].shape + args[1].shape, strict=True))
        self._arguments = [_value(a, layout, form) for a in args]
        self._target = _memory(node, layout, form)
        self._left = _arranged(left, [shared, rows, summed], sizes)
        self._right = _arranged(right, [shared, summed, columns], sizes)
        natural = [*shared, *rows, *columns]
        self._order = [natural.index(c) - len(natural) for c in output]
        self._natural = natural == list(output)
        self._core = tuple(sizes[c] for c in natural)
        self._stack = tuple(sizes[c] for c in shared)
        self._shape = tuple(math.prod(sizes[c] for c in group) for group in (rows, columns))
        self._operations = 2.0 * math.prod(sizes.values())
        self._threads = threads

    def run(self, space: Workspace, batch: int) -> None:
        a = self._left(self._arguments[0](space, batch))
        b = self._right(self._arguments[1](space, batch))
        target = self._target(space, batch)
        operations = self._operations * (batch if max(a.ndim, b.ndim) > 2 + len(self._stack) else 1)
        with one_thread if operations <= SMALL_PRODUCT else nullcontext():
            if not self._natural:
                c = np.matmul(a, b)
                lead = c.shape[: c.ndim - 2 - len(self._stack)]
                c = c.reshape(lead + self._core)
                target[...] = c.transpose(*range(len(lead)), *(c.ndim + k for k in self._order))
                return
            c = target.reshape(target.shape[: target.ndim - len(self._core)] + self._stack + self._shape)
            if self._stack or (a.ndim, b.ndim) == (3, 3):
                np.matmul(a, b, out=c)
            elif a.ndim == 3:
                _rows(a.reshape(-1, a.shape[-1]), b, c.reshape(-1, c.shape[-1]), operations, self._threads)
            elif b.ndim == 3 and b.shape[-1] == 1:
                _rows(b[..., 0], a.T, c[..., 0], operations, self._threads)
            elif b.ndim == 3:
                np.matmul(a, b, out=c)
            else:
                _rows(a, b, c, operations, self._threads)


class PlainProduct:
    """A product of vectors and matrices that lie in memory as they are multiplied, at one point."""

    def __init__(self, node: Expr, layout: Layout, threads: int) -> None:
        (left, right), output = node.params
        a, b = ((layout.place[x], x.shape) for x in node.args)
        (summed,) = set(left) & set(right)
        turned = left.replace(summed, "") + right.replace(summed, "") != output
        (self._left, self._left_shape), (self._right, self._right_shape) = (b, a) if turned else (a, b)
        first, second = (right, left) if turned else (left, right)
        self._left_turned, self._right_turned = first[-1] != summed, second[0] != summed
        self._target, self._shape = layout.place[node], node.shape
        self._operations = 2.0 * math.prod(dict(zip(left + right, a[1] + b[1], strict=True)).values())
        self._threads = threads

    def run(self, space: Workspace, batch: int) -> None:
        arrays = space.arrays
        a, b = arrays[self._left].reshape(self._left_shape), arrays[self._right].reshape(self._right_shape)
        a, b = a.T if self._left_turned else a, b.T if self._right_turned else b
        c = arrays[self._target].reshape(self._shape)
        if self._operations > SMALL_PRODUCT:
            np.dot(a, b, out=c)
            return
        with one_thread:
            _rows(a, b, c, self._operations, self._threads)


def _is_plain(node: Expr, layout: Layout, form: Form) -> bool:
    """Whether a product of two arrays is one of vectors and matrices in memory of their own, summed over one label, at one point."""
    (left, right), output = node.params
    shared = set(left) & set(right)
    return (
        max(len(left), len(right)) <= 2
        and len(shared) == 1
        and not shared & set(output)
        and not any(n in form.batched for n in (node, *node.args))
        and all(layout.base(a) is a and a.dtype != BOOL for a in node.args)
    )


def _rows(a: Array, b: Array, c: Array, operations: float, threads: int) -> None:
    """c = a b of matrices or vectors, in two parts for each thread where that is worth it, along the longer side of c.

    Two, so that little is left to wait for where another thread is late.
    """
    worth_it = operations >= WORTH_SHARING or max(a.size, b.size) >= WORTH_READING
    if not worth_it or operations > SMALL_PRODUCT or threads < 2 or not c.ndim:
        np.dot(a, b, out=c)
        return
    along_rows = a.ndim == 2 and (b.ndim == 1 or c.shape[0] >= c.shape[1])
    n = c.shape[0] if along_rows else c.shape[-1]
    work: list[Callable[[], object]] = []
    parts = 2 * threads
    for k in range(parts):
        part = slice(n * k // parts, n * (k + 1) // parts)
        if along_rows:
            work.append(partial(np.matmul, a[part], b, out=c[part]))
        else:
            work.append(partial(np.matmul, a, b[:, part], out=c[..., part]))
    team(threads).run(work)


Resolver = Callable[[Workspace, int], Array]


def _memory(node: Expr, layout: Layout, form: Form) -> Resolver:
    """What gives the array in which a node lies, for a length of the batch."""
    place, core, batched = layout.place[node], node.shape, node in form.batched
    return lambda space, batch: space.arrays[place].reshape((batch, *core) if batched else core)


def _value(node: Expr, layout: Layout, form: Form) -> Resolver:
    """What gives a node's value: the array in which it lies, or a view of it."""
    base, at = layout.base(node), node
    views: list[Callable[..., Any]] = []
    while at is not base:
        views.append(kernel(at)[0])
        at = at.args[0]
    views.reverse()
    memory, truth = _memory(base, layout, form), base.dtype == BOOL

    def value(space: Workspace, batch: int) -> Array:
        result: Any = memory(space, batch)
        if truth:
            result = result != 0
        for view in views:
            result = view(result)
        return result  # type: ignore[no-any-return]

    return value


def _arranged(labels: str, groups: list[list[str]], sizes: dict[str, int]) -> Callable[[Array], Array]:
    """Core axes in the order of the groups, the last two groups made one axis each; batch axes stay in front."""
    order = [labels.index(c) - len(labels) for group in groups for c in group]
    shape = (*(sizes[c] for c in groups[0]), *(math.prod(sizes[c] for c in group) for group in groups[1:]))
    moves = order != list(range(-len(order), 0))

    def arrange(x: Array) -> Array:
        lead = x.ndim - len(order)
        if moves:
            x = x.transpose(*range(lead), *(x.ndim + a for a in order))
        return x.reshape(x.shape[:lead] + shape)

    return arrange


def numpy_step(node: Expr, layout: Layout, form: Form, threads: int) -> NumpyCall | Product | PlainProduct:
    """The step that computes a node without loops of ours."""
    if isinstance(node.primitive, Einsum) and len(node.args) == 2:
        return PlainProduct(node, layout, threads) if _is_plain(node, layout, form) else Product(node, layout, form, threads)
    return NumpyCall(node, layout, form)

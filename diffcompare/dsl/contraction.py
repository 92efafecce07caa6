"""Diagonals and contractions: einsum, and the products of matrices and vectors that are cases of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .constants import as_expr, constant
from .core import Expr, function_of_the_dsl, register
from .shapes import Shape
from .structural import Array, Structural, broadcast, one_axis, one_dtype, reshape, transpose
from .structural import sum as sum_over


class Diagonal(Structural):
    """The diagonal of two axes as a new last axis (params: two negative axes of equal length)."""

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        a, b = params
        (shape,) = shapes
        if shape[a] != shape[b]:
            raise ShapeError(f"diagonal: axes {a} and {b} of shape {shape} must have equal length")
        return (*(n for k, n in enumerate(shape) if k - len(shape) not in (a, b)), shape[a])

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        return np.diagonal(values[0], axis1=params[0], axis2=params[1])

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        return embed_diagonal.apply([cotangent], node.params)


class EmbedDiagonal(Structural):
    """The last axis laid on the diagonal of two new axes, zero elsewhere: the transpose of diagonal (params: two axes)."""

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        (shape,) = shapes
        result: list[int] = list(shape[:-1])
        for axis in sorted(params):
            result.insert(len(shape) + 1 + axis, shape[-1])
        return tuple(result)

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        (x,) = values
        n = x.shape[-1]
        result = np.zeros((*x.shape, n), x.dtype if x.dtype != bool else float)
        result[..., np.arange(n), np.arange(n)] = x
        return np.moveaxis(result, (-2, -1), params)

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        return diagonal_.apply([cotangent], node.params)


class Einsum(Structural):
    """Products summed over labels (params: input labels, output labels), every argument under an ellipsis of batch axes.

    Normalised when built: within an argument no label repeats, every label is in the output or in another argument.
    """

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        inputs, output = params
        sizes: dict[str, int] = {}
        for labels, shape in zip(inputs, shapes, strict=True):
            for label, n in zip(labels, shape, strict=True):
                if sizes.setdefault(label, n) != n:
                    raise ShapeError(f"einsum {','.join(inputs)}->{output}: label {label!r} has sizes {sizes[label]} and {n}")
        return tuple(sizes[label] for label in output)

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        inputs, output = params
        if any(np.asarray(v).dtype == object for v in values):  # an engine may hand on a constant as a float
            return _object_einsum(inputs, output, values)
        spec = ",".join("..." + labels for labels in inputs) + "->..." + output
        return np.einsum(spec, *values, optimize=len(values) > 2)  # type: ignore[no-any-return]

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        inputs, output = node.params
        others = [labels for k, labels in enumerate(inputs) if k != i]
        args = [a for k, a in enumerate(node.args) if k != i]
        return einsum(f"{','.join([*others, output])}->{inputs[i]}", *args, cotangent)


def _object_einsum(inputs: Sequence[str], output: str, values: Sequence[Array]) -> Array:
    """Einsum over objects without batch axes, as sums of products without a leading zero."""
    sizes = {label: n for labels, v in zip(inputs, values, strict=True) for label, n in zip(labels, v.shape, strict=True)}
    summed = [label for label in sizes if label not in output]
    result = np.empty([sizes[label] for label in output], dtype=object)
    for where in np.ndindex(result.shape):
        at = dict(zip(output, where, strict=True))
        total: Any = None
        for inner in itertools.product(*(range(sizes[label]) for label in summed)):
            at.update(zip(summed, inner, strict=True))
            product: Any = None
            for labels, value in zip(inputs, values, strict=True):
                entry = value[tuple(at[label] for label in labels)]
                product = entry if product is None else product * entry
            total = product if total is None else total + product
        result[where] = 0.0 if total is None else total
    return result


diagonal_ = register(Diagonal("diagonal"))
embed_diagonal = register(EmbedDiagonal("embed_diagonal"))
einsum_ = register(Einsum("einsum"))


@function_of_the_dsl
def diagonal(x: Any, axis1: int = -2, axis2: int = -1) -> Expr:
    """The diagonal of two axes as a new last axis, as np.diagonal."""
    x = as_expr(x)
    a, b = (one_axis("diagonal", x.ndim, k) for k in (axis1, axis2))
    if a == b:
        raise ShapeError(f"diagonal: needs two different axes, got {axis1} and {axis2}")
    return diagonal_.apply([x], (a, b))


@function_of_the_dsl
def einsum(spec: str, *operands: Any) -> Expr:
    """Sums of products by labels, as np.einsum; batch axes need no ellipsis and one in the specification is refused.

    Scalar operands are multiplied in at the end.
    """
    args = [as_expr(o) for o in operands]
    inputs, output = _parse_einsum(spec, args)
    sizes: dict[str, int] = {}
    for labels, a in zip(inputs, args, strict=True):
        for label, n in zip(labels, a.shape, strict=True):
            if sizes.setdefault(label, n) != n:
                raise ShapeError(f"einsum {spec}: label {label!r} has sizes {sizes[label]} and {n}; broadcast the smaller first")
    missing = [label for label in output if label not in sizes]
    if missing or len(set(output)) < len(output):
        raise ShapeError(f"einsum {spec!r}: every output label must be in an operand, and once in the output")
    args = one_dtype([*args, constant(1.0)])[:-1]
    factors = [a for a, labels in zip(args, inputs, strict=True) if not labels]
    if factors and len(factors) < len(args):
        arrays = [(labels, a) for a, labels in zip(args, inputs, strict=True) if labels]
        product = einsum(f"{','.join(labels for labels, _ in arrays)}->{output}", *(a for _, a in arrays))
        for factor in factors:
            product = product * factor
        return product
    for k, labels in enumerate(inputs):
        inputs[k], args[k] = _normalise(labels, args[k], set(output).union(*(inputs[:k] + inputs[k + 1 :])))
    if len(args) == 1:
        return transpose(args[0], [inputs[0].index(label) for label in output]) if output else args[0]
    return einsum_.apply(args, (tuple(inputs), output))


def _parse_einsum(spec: str, args: Sequence[Expr]) -> tuple[list[str], str]:
    text = spec.replace(" ", "")
    if "." in text:
        raise ShapeError(f"einsum {spec!r}: leading axes are batch axes by themselves; leave the ellipsis out")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    if not all(c.isalpha() for c in "".join(inputs) + output):
        raise ShapeError(f"einsum {spec!r}: labels are letters")
    if not arrow:
        letters = "".join(inputs)
        output = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    if len(inputs) != len(args):
        raise ShapeError(f"einsum {spec!r}: {len(inputs)} operands in the specification, {len(args)} given")
    for labels, a in zip(inputs, args, strict=True):
        if len(labels) != a.ndim:
            raise ShapeError(f"einsum {spec!r}: operand {labels!r} has {len(labels)} labels and {a.ndim} axes, shape {a.shape}")
    return inputs, output


def _normalise(labels: str, x: Expr, needed: set[str]) -> tuple[str, Expr]:
    """Repeated labels become a diagonal, labels that nothing else needs a sum."""
    for label in sorted(set(labels)):
        while labels.count(label) > 1:
            a, b = labels.index(label), labels.rindex(label)
            x = diagonal(x, a, b)
            labels = labels[:a] + labels[a + 1 : b] + labels[b + 1 :] + label
    lone = [k for k, label in enumerate(labels) if label not in needed]
    if lone:
        x = sum_over(x, axis=tuple(lone))
        labels = "".join(label for label in labels if label in needed)
    return labels, x


@function_of_the_dsl
def matmul(a: Any, b: Any) -> Expr:
    """The matrix product a @ b of vectors and matrices, or of stacks of matrices by broadcasting, as np.matmul."""
    a, b = as_expr(a), as_expr(b)
    if not a.ndim or not b.ndim:
        raise ShapeError("matmul: scalars have no matrix product; use *")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else -1]:
        raise ShapeError(f"matmul: inner sizes differ, got {a.shape} and {b.shape}")
    stack_ndim = max(a.ndim, b.ndim) - 2
    if stack_ndim > 0:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a = broadcast(a, (*lead, *a.shape[-2:])) if a.ndim > 1 else a
        b = broadcast(b, (*lead, *b.shape[-2:])) if b.ndim > 1 else b
    letters = "abcdefgh"[: max(stack_ndim, 0)]
    left = letters + "ij" if a.ndim > 1 else "j"
    right = letters + "jk" if b.ndim > 1 else "j"
    return einsum(f"{left},{right}->{letters}{'i' * (a.ndim > 1)}{'k' * (b.ndim > 1)}", a, b)


@function_of_the_dsl
def dot(a: Any, b: Any) -> Expr:
    """np.dot for vectors and matrices (scalars multiply)."""
    x, y = as_expr(a), as_expr(b)
    if not x.ndim or not y.ndim:
        return x * y
    if x.ndim > 2 or y.ndim > 2:
        raise ShapeError(f"dot: takes vectors and matrices, got {x.shape} and {y.shape}; use matmul or einsum")
    return matmul(x, y)


@function_of_the_dsl
def outer(a: Any, b: Any) -> Expr:
    """All products of the entries of two arrays, shape (a.size, b.size), as np.outer."""
    a, b = as_expr(a), as_expr(b)
    return einsum("i,j->ij", reshape(a, (-1,)), reshape(b, (-1,)))


@function_of_the_dsl
def trace(x: Any) -> Expr:
    """The sum of the diagonal of a square matrix."""
    return einsum("ii->", x)

"""Array operations that are linear in each argument: their tangent is themselves, their cotangent their transpose.

Axes in parameters are negative, counted from the right, so that leading axes of a value pass through as batch axes.
One implementation serves numbers, expressions and balls: `evaluate` takes NumPy arrays of any dtype.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, SupportsIndex

import numpy as np

from ..errors import ShapeError
from .constants import Literal, as_expr, constant, literal
from .core import FUNCTIONS, REAL, Expr, Primitive, function_of_the_dsl, intern, register
from .shapes import Shape, as_shape, size_of

Array = np.ndarray[Any, Any]


class Structural(Primitive):
    """Linear in each argument.

    evaluate(params, *values): the value for NumPy arrays (float or object), leading batch axes included.
    transpose(node, i, cotangent): the cotangent of argument i.
    view: whether evaluate returns a view of its argument's memory (or may).
    """

    view = False

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        """The core shape of the result; raises ShapeError."""
        raise TypeError(f"{self.name} states no shape")

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        raise TypeError(f"{self.name} cannot be evaluated")

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        raise TypeError(f"{self.name} has no transpose")

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        shape = self.shape(params, *(a.shape for a in args))
        if all(a.primitive.name == "constant" for a in args) and size_of(shape) <= FOLD_LIMIT:
            return constant(self.evaluate(params, *(np.asarray(literal(a)) for a in args)))
        return intern(self, tuple(args), params, shape, args[0].dtype if len({a.dtype for a in args}) == 1 else REAL)

    def jvp(self, node: Expr, tangents: Sequence[Expr | None], wild: bool = False) -> Expr | None:
        terms = [self.apply([*node.args[:i], t, *node.args[i + 1 :]], node.params) for i, t in enumerate(tangents) if t is not None]
        return add_terms(terms)

    def vjp(self, node: Expr, cotangent: Expr, wild: bool = False) -> Sequence[Expr | None]:
        return [self.transpose(node, i, cotangent) for i in range(len(node.args))]


FOLD_LIMIT = 10_000
"""Structural operations on constants are evaluated when built up to this many entries."""


def add_terms(terms: Sequence[Expr]) -> Expr | None:
    """The sum of the terms, None if there are none."""
    total: Expr | None = None
    for term in terms:
        total = term if total is None else total + term
    return total


# --- broadcast and sum, transposes of each other ---


class Broadcast(Structural):
    """The argument repeated to a larger shape (params: the shape), by NumPy's rule for trailing axes."""

    view = True

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        (target,), (shape,) = params, shapes
        if len(shape) > len(target) or any(n not in (1, m) for n, m in zip(reversed(shape), reversed(target), strict=False)):
            raise ShapeError(f"broadcast: shape {shape} does not broadcast to {target}")
        return target  # type: ignore[no-any-return]

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        raise TypeError("broadcast needs its argument's core shape: use broadcast_value")

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        (x,) = args
        shape = self.shape(params, x.shape)
        if x.shape == shape:
            return x
        if x.primitive is self:
            aligned = (1,) * (len(x.shape) - len(x.args[0].shape)) + x.args[0].shape
            if len(x.shape) == len(shape) or all(n == 1 for n in aligned):
                x = x.args[0]
        return intern(self, (x,), params, shape, x.dtype)

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        shape, target = node.args[0].shape, node.shape
        extra = len(target) - len(shape)
        axes = tuple(k - len(target) for k in range(len(target)) if k < extra or shape[k - extra] != target[k])
        return reshape(sum_.apply([cotangent], (axes,)), shape)


def broadcast_value(value: Array, core: Shape, target: Shape) -> Array:
    """`value`, of shape batch + core, as a read-only view of shape batch + target."""
    return np.broadcast_to(align(value, len(core), len(target)), value.shape[: value.ndim - len(core)] + target)


def align(value: Array, ndim: int, target_ndim: int) -> Array:
    """`value` with axes of length 1 put between its batch axes and its `ndim` core axes."""
    if ndim == target_ndim:
        return value
    return value[(..., *(None,) * (target_ndim - ndim), *(slice(None),) * ndim)]


class Sum(Structural):
    """The sum over axes (params: a tuple of negative axes, ascending)."""

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        (axes,), (shape,) = params, shapes
        dropped = {a % len(shape) for a in axes}
        return tuple(n for k, n in enumerate(shape) if k not in dropped)

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        (x,), (axes,) = values, params
        if x.dtype != object:
            return np.add.reduce(x, axis=axes)  # type: ignore[no-any-return]
        if not x.size:
            return np.zeros(self.shape(params, x.shape)).astype(object)
        boxed = np.empty((), dtype=object)  # a single entry comes back bare, and may not become an array by itself
        boxed[()] = np.add.reduce(x, axis=axes)
        return boxed if len(axes) == x.ndim else boxed[()]

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        (x,), (axes,) = args, params
        if x.dtype != REAL:
            x = FUNCTIONS["real"](x)
        if not axes:
            return x
        if all(x.shape[a] == 1 for a in axes):
            return reshape(x, self.shape(params, x.shape))
        return super().apply([x], params)

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        shape = node.args[0].shape
        kept = list(shape)
        for a in node.params[0]:
            kept[a] = 1
        return broadcast(reshape(cotangent, tuple(kept)), shape)


# --- rearrangements ---


class Reshape(Structural):
    """The same entries in row-major order in another shape (params: new shape, number of old core axes)."""

    view = True

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        if size_of(params[0]) != size_of(shapes[0]):
            raise ShapeError(f"reshape: {shapes[0]} has {size_of(shapes[0])} entries, {params[0]} has {size_of(params[0])}")
        return params[0]  # type: ignore[no-any-return]

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        (x,) = values
        return x.reshape(x.shape[: x.ndim - params[1]] + params[0])

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        (x,) = args
        shape = self.shape(params, x.shape)
        while x.primitive is self:
            (x,) = x.args
        return x if x.shape == shape else super().apply([x], (shape, len(x.shape)))

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        return reshape(cotangent, node.args[0].shape)


class Transpose(Structural):
    """The axes in another order (params: for each new axis the old one, negative)."""

    view = True

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        return tuple(shapes[0][a] for a in params[0])

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        (x,), axes = values, params[0]
        batch = x.ndim - len(axes)
        return x.transpose(*range(batch), *(x.ndim + a for a in axes))

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        (x,), (axes,) = args, params
        if x.primitive is self:
            axes, x = tuple(x.params[0][a] for a in axes), x.args[0]
        if axes == tuple(range(-len(axes), 0)):
            return x
        return super().apply([x], (axes,))

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        axes = node.params[0]
        inverse = sorted(range(-len(axes), 0), key=lambda k: axes[k])
        return self.apply([cotangent], (tuple(inverse),))


class Slice(Structural):
    """x[start:stop:step] along one axis (params: negative axis, start, stop, step; stop None only for a step below 0)."""

    view = True

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        axis, start, stop, step = params
        shape = list(shapes[0])
        shape[axis] = len(range(shape[axis])[start:stop:step])
        return tuple(shape)

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        axis, start, stop, step = params
        return values[0][(..., slice(start, stop, step), *(slice(None),) * (-axis - 1))]

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        axis, start, stop, step = node.params
        n = node.args[0].shape[axis]
        return scatter.apply([cotangent], (axis, Literal(np.arange(n)[start:stop:step]), n))


class Take(Structural):
    """x[indices] along one axis (params: negative axis, indices as a Literal of a flat non-negative integer array)."""

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        axis, indices = params
        shape = list(shapes[0])
        shape[axis] = indices.value.size
        return tuple(shape)

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        return np.take(values[0], params[1].value, axis=params[0])  # type: ignore[no-any-return]

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        axis, indices = node.params
        return scatter.apply([cotangent], (axis, indices, node.args[0].shape[axis]))


class Scatter(Structural):
    """Zeros with x added at indices along one axis, the transpose of take (params: negative axis, indices, length)."""

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        axis, _, n = params
        shape = list(shapes[0])
        shape[axis] = n
        return tuple(shape)

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        (x,), (axis, indices, n) = values, params
        moved = np.moveaxis(x, axis, 0)
        result = np.zeros((n, *moved.shape[1:]), x.dtype if x.dtype != bool else float)
        if x.dtype == object:
            # an exact zero, not 0 + first term: expressions and balls stay as they are
            first = _first_use(indices.value)
            for k, index in enumerate(indices.value):
                untouched = np.equal(first[k], k)
                result[index] = moved[k] if untouched else result[index] + moved[k]
        elif (places := distinct_places(indices)) is not None:
            result[places] = moved
        else:
            np.add.at(result, indices.value, moved)
        return np.moveaxis(result, 0, axis)

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        axis, indices, _ = node.params
        return take_or_slice(cotangent, axis, indices.value)


def _first_use(indices: Array) -> Array:
    """For each position the first position that holds the same index."""
    _, first, inverse = np.unique(indices, return_index=True, return_inverse=True)
    return first[inverse]


@lru_cache(maxsize=256)
def distinct_places(indices: Literal) -> slice | Array | None:
    """Where a scatter may assign: a slice for ascending indices at even distances, else the indices; None where one repeats."""
    places: Array = np.asarray(indices.value)
    steps = np.diff(places)
    if steps.size and steps[0] > 0 and np.all(steps == steps[0]):
        return slice(int(places[0]), int(places[-1]) + 1, int(steps[0]))
    return places if np.unique(places).size == places.size else None


class Concatenate(Structural):
    """The arguments one after another along an axis (params: negative axis)."""

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        (axis,) = params
        first = shapes[0]
        rest = {tuple(n for k, n in enumerate(s) if k != axis % len(s)) for s in shapes if len(s) == len(first)}
        if len({len(s) for s in shapes}) != 1 or len(rest) != 1:
            raise ShapeError(f"concatenate: shapes must agree except along axis {axis}, got {' and '.join(map(str, shapes))}")
        shape = list(first)
        shape[axis] = builtins.sum(s[axis] for s in shapes)
        return tuple(shape)

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        (axis,) = params
        shapes = [list(v.shape) for v in values]
        for shape in shapes:
            shape[axis] = 1
        joint = list(np.broadcast_shapes(*shapes))
        parts = []
        for value in values:
            joint[axis] = value.shape[axis]
            parts.append(np.broadcast_to(value, joint))
        return np.concatenate(parts, axis=axis)

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        return args[0] if len(args) == 1 else super().apply(args, params)

    def jvp(self, node: Expr, tangents: Sequence[Expr | None], wild: bool = False) -> Expr | None:
        if all(t is None for t in tangents):
            return None
        parts = [constant(np.zeros(a.shape)) if t is None else t for a, t in zip(node.args, tangents, strict=True)]
        return self.apply(parts, node.params)

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        (axis,) = node.params
        start = builtins.sum(a.shape[axis] for a in node.args[:i])
        return slice_.apply([cotangent], (axis, start, start + node.args[i].shape[axis], 1))


class Label(Structural):
    """The argument under a name (params: the name), a place at which the graph can be cut."""

    view = True

    def shape(self, params: tuple[Any, ...], *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, params: tuple[Any, ...], *values: Array) -> Array:
        return values[0]

    def jvp(self, node: Expr, tangents: Sequence[Expr | None], wild: bool = False) -> Expr | None:
        return tangents[0]

    def transpose(self, node: Expr, i: int, cotangent: Expr) -> Expr:
        return cotangent


broadcast_ = register(Broadcast("broadcast"))
sum_ = register(Sum("sum"))
reshape_ = register(Reshape("reshape"))
transpose_ = register(Transpose("transpose"))
slice_ = register(Slice("slice"))
take_ = register(Take("take"))
scatter = register(Scatter("scatter"))
concatenate_ = register(Concatenate("concatenate"))
label_ = register(Label("named"))


# --- the functions users call ---


@function_of_the_dsl
def broadcast(x: Any, shape: Any) -> Expr:
    """x repeated to `shape`, as np.broadcast_to."""
    return broadcast_.apply([as_expr(x)], (as_shape(shape),))


@function_of_the_dsl
def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """The sum over `axis` (None for all, an integer or a tuple), as np.sum."""
    x = as_expr(x)
    axes = reduced_axes("sum", x, axis)
    return keep_axes(x, axes, sum_.apply([x], (axes,)), keepdims)


def reduced_axes(name: str, x: Expr, axis: Any) -> tuple[int, ...]:
    """Negative axes, ascending; raises ShapeError naming `name`."""
    if axis is None:
        return tuple(range(-x.ndim, 0))
    chosen = (axis,) if isinstance(axis, SupportsIndex) else tuple(axis)
    axes = tuple(sorted(one_axis(name, x.ndim, a) for a in chosen))
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{name}: axis {axis} names an axis twice")
    return axes


def one_axis(name: str, ndim: int, axis: Any) -> int:
    """The axis counted from the right; raises ShapeError naming `name`."""
    number = operator.index(axis)
    if not -ndim <= number < ndim:
        raise ShapeError(f"{name}: axis {number} is out of range for {ndim} axes")
    return number if number < 0 else number - ndim


def keep_axes(x: Expr, axes: tuple[int, ...], result: Expr, keepdims: bool) -> Expr:
    """The result of a reduction with its axes put back with length 1, if asked."""
    if not keepdims:
        return result
    return reshape(result, tuple(1 if k - x.ndim in axes else n for k, n in enumerate(x.shape)))


@function_of_the_dsl
def reshape(x: Any, shape: Any) -> Expr:
    """The entries of x in row-major order in another shape; one size may be -1."""
    x = as_expr(x)
    sizes = (operator.index(shape),) if isinstance(shape, SupportsIndex) else tuple(operator.index(n) for n in shape)
    if -1 in sizes:
        known = size_of(tuple(n for n in sizes if n != -1))
        if sizes.count(-1) > 1 or known == 0 or x.size % known:
            raise ShapeError(f"reshape: cannot infer -1 in {sizes} for shape {x.shape}")
        sizes = tuple(x.size // known if n == -1 else n for n in sizes)
    return reshape_.apply([x], (as_shape(sizes), x.ndim))


@function_of_the_dsl
def transpose(x: Any, *axes: Any) -> Expr:
    """x with its axes reversed, or in the order given, as np.transpose."""
    x = as_expr(x)
    if len(axes) == 1 and not isinstance(axes[0], SupportsIndex):
        axes = tuple(axes[0]) if axes[0] is not None else ()
    order = tuple(one_axis("transpose", x.ndim, a) for a in axes) if axes else tuple(range(-1, -x.ndim - 1, -1))
    if sorted(order) != list(range(-x.ndim, 0)):
        raise ShapeError(f"transpose: {axes} is not an order of the {x.ndim} axes of shape {x.shape}")
    return transpose_.apply([x], (order,))


@function_of_the_dsl
def concatenate(parts: Sequence[Any], axis: int = 0) -> Expr:
    """The parts one after another along an existing axis, as np.concatenate."""
    exprs = [as_expr(p) for p in parts]
    if not exprs:
        raise ShapeError("concatenate: needs at least one part")
    return concatenate_.apply(one_dtype(exprs), (one_axis("concatenate", exprs[0].ndim, axis),))


@function_of_the_dsl
def stack(parts: Sequence[Any], axis: int = 0) -> Expr:
    """The parts, all of one shape, along a new axis, as np.stack."""
    exprs = [as_expr(p) for p in parts]
    if not exprs:
        raise ShapeError("stack: needs at least one part")
    shape = exprs[0].shape
    if any(e.shape != shape for e in exprs):
        raise ShapeError(f"stack: all parts must have one shape, got {' and '.join(str(e.shape) for e in exprs)}")
    new = one_axis("stack", len(shape) + 1, axis)
    place = len(shape) + 1 + new
    return concatenate([reshape(e, (*shape[:place], 1, *shape[place:])) for e in exprs], new)


def one_dtype(exprs: list[Expr]) -> list[Expr]:
    if len({e.dtype for e in exprs}) > 1:
        return [FUNCTIONS["real"](e) for e in exprs]
    return exprs


@function_of_the_dsl
def named(x: Any, name: str) -> Expr:
    """x under a name, so that derivatives can be taken with respect to it."""
    if not name.isidentifier():
        raise ShapeError(f"named: {name!r} is not an identifier")
    return label_.apply([as_expr(x)], (name,))


def take_or_slice(x: Expr, axis: int, indices: Array) -> Expr:
    """x taken at flat non-negative indices along a negative axis; a slice where the indices are evenly spaced upwards."""
    n = x.shape[axis]
    if len(indices) and np.array_equal(indices, np.arange(n)):
        return x
    steps = np.unique(np.diff(indices))
    if len(indices) > 1 and len(steps) == 1 and steps[0] > 0:
        return slice_.apply([x], (axis, int(indices[0]), int(indices[-1]) + 1, int(steps[0])))
    return take_.apply([x], (axis, Literal(np.ascontiguousarray(indices, dtype=np.intp))))

"""A user's function and the derivative claimed for it: how both are called, and what each must give back."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..differentiate import value
from ..dsl.core import Expr
from ..dsl.function import Function, as_function
from ..dsl.shapes import Shape, size_of
from ..errors import DiffCompareError, DomainError, ShapeError

Array = np.ndarray[Any, Any]
NUMERIC = "fiub"


class WrongClaim(Exception):
    """A claim that cannot be compared entry by entry: the message says what it is instead of an array of the right shape."""


@dataclass(frozen=True)
class Point:
    """The arguments of one call.

    values: by name, in order: a float or a float64 array for each name in `wrt`, others as they were given.
    positional: whether they are passed by position.
    """

    values: Mapping[str, Any]
    wrt: tuple[str, ...]
    positional: bool

    @property
    def shapes(self) -> list[Shape]:
        """The shape of each input in `wrt`."""
        return [np.shape(self.values[n]) for n in self.wrt]

    @property
    def vector(self) -> Array:
        """The inputs in `wrt` one after another."""
        return np.concatenate([np.ravel(self.values[n]) for n in self.wrt]).astype(np.float64)

    def parts(self, vector: Array) -> dict[str, Any]:
        """One vector over the entries of `wrt` as a value for each input."""
        result, start = {}, 0
        for name, shape in zip(self.wrt, self.shapes, strict=True):
            part = vector[start : start + size_of(shape)].reshape(shape)
            result[name] = part.copy() if shape else float(part)
            start += size_of(shape)
        return result

    def moved(self, vector: Array) -> Point:
        """The point with other numbers for the inputs in `wrt`."""
        return Point({**self.values, **self.parts(vector)}, self.wrt, self.positional)

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """(positional, by name), arrays in `wrt` copied so that the callee may write into them."""
        values = {n: v.copy() if n in self.wrt and isinstance(v, np.ndarray) else v for n, v in self.values.items()}
        return (tuple(values.values()), {}) if self.positional else ((), values)


class Subject:
    """The function under test: `given`, callable at a Point, `known` where its graph is given and need not be traced.

    f: a Function, an expression or text of the expression language, or any Python function.
    """

    def __init__(self, f: Any, role: str) -> None:
        self.given = f
        self.known: Function | None = None
        self._call: Callable[..., Any]
        if isinstance(f, Function | Expr | str):
            self.known = as_function(f)
            self._call, self.name = value(self.known), self.known.name
        elif callable(f):
            self._call = f
            self.name = getattr(f, "__name__", None) or getattr(getattr(f, "func", None), "__name__", None) or type(f).__name__
        else:
            raise DiffCompareError(f"{role}: expected a function, an expression or text, got {type(f).__name__}")

    def __call__(self, point: Point) -> Any:
        args, named = point.arguments()
        return self._call(*args, **named)

    def names(self, count: int) -> list[str]:
        """The names of its first `count` arguments, x0, x1, ... where it does not tell."""
        if self.known is not None:
            names = list(self.known.names)
        else:
            names = _parameters(self.given)
        return [names[k] if k < len(names) else f"x{k}" for k in range(count)]

    def values(self, point: Point) -> Array:
        """The function's value at the point as a float64 array; raises DiffCompareError naming what it is instead."""
        try:
            result = self(point)
        except Exception as error:
            raise DiffCompareError(f"{self.name} {raised(error)}") from error
        array = np.asarray(result) if result is not None and not isinstance(result, Mapping) else np.array(None)
        if array.dtype.kind not in NUMERIC:
            what = "complex numbers" if array.dtype.kind == "c" else "None" if result is None else type(result).__name__
            raise DiffCompareError(f"{self.name} returned {what} at the point, expected real numbers")
        return array.astype(np.float64)


def _parameters(f: Any) -> list[str]:
    try:
        parameters = inspect.signature(f).parameters.values()
    except (ValueError, TypeError):  # some builtins do not tell
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def raised(error: BaseException) -> str:
    """What was raised, and on which line of the user's file."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    elsewhere = last.filename != __file__ and not last.filename.startswith("<frozen")  # importlib, on a syntax error
    place = f" ({Path(last.filename).name}, line {last.lineno})" if elsewhere else ""
    return f"raised {type(error).__name__}: {error}{place}"


# --- points ---


def points(f: Subject, at: Any, wrt: str | Sequence[str] | None) -> list[Point]:
    """The points of `at`: an array or number for one argument, a tuple of arguments, a dict by name, or a list of these.

    A list of numbers, or of lists of them, is one array. Raises DiffCompareError, ShapeError or DomainError.
    """
    several = isinstance(at, list) and bool(at) and all(isinstance(p, tuple | Mapping | np.ndarray) for p in at)
    return [_point(f, p, wrt) for p in (at if several else [at])]


def _point(f: Subject, at: Any, wrt: str | Sequence[str] | None) -> Point:
    if isinstance(at, Mapping):
        given, positional = dict(at), False
    else:
        arguments = at if isinstance(at, tuple) else (at,)
        given, positional = dict(zip(f.names(len(arguments)), arguments, strict=True)), True
    if not given:
        raise DiffCompareError(f"{f.name}: at= has no values")
    names = tuple(given) if wrt is None else (wrt,) if isinstance(wrt, str) else tuple(wrt)
    unknown = [n for n in names if n not in given]
    if unknown or not names:
        raise DiffCompareError(f"{f.name}: wrt names {unknown[0] if unknown else 'nothing'!r}; at= gives {', '.join(given)}")
    values = {n: _number(f.name, n, v) if n in names else v for n, v in given.items()}
    if f.known is not None:
        _fits(f.known, values)
    return Point(values, tuple(n for n in given if n in names), positional)


def _number(function: str, name: str, given: Any) -> Any:
    try:
        array = np.asarray(given)
    except ValueError:
        array = np.array(None)
    if array.dtype.kind not in NUMERIC:
        raise DiffCompareError(
            f"{function}: at= gives {name} = {str(given)[:60]} ({type(given).__name__}), which is no real number or array of them; "
            "wrt= names the arguments to differentiate by, others are passed as they are"
        )
    array = array.astype(np.float64)
    if not np.all(np.isfinite(array)):
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise DomainError(f"{function}: at= must be finite, {name}{where or ''} is {array[tuple(where)]}")
    if not array.size:
        raise ShapeError(f"{function}: at= gives {name} without entries, shape {array.shape}")
    return float(array) if not array.shape else array


def _fits(f: Function, values: Mapping[str, Any]) -> None:
    """The point has the inputs of a function whose graph is given, in their shapes."""
    if set(values) != set(f.names):
        raise DiffCompareError(f"{f.name} has the inputs {', '.join(f.names)}, at= gives {', '.join(values)}")
    for name in f.names:
        shape = f.input(name).shape
        if np.shape(values[name]) != shape:
            raise ShapeError(
                f"{f.name}: {name} has shape {shape or 'scalar'}, at= gives shape {np.shape(values[name]) or 'scalar'}; "
                "several points are a list of tuples or dicts"
            )


# --- claims ---


@dataclass(frozen=True)
class Layout:
    """Rows and columns of a derivative as one matrix, and their names.

    gradient: one row; jacobian: a row for each output entry; hessian: a row for each input entry. A column for each
    entry of the inputs in `wrt`.
    """

    function: str
    operator: str
    wrt: tuple[str, ...]
    shapes: tuple[Shape, ...]
    output: Shape

    @property
    def columns(self) -> int:
        return sum(size_of(s) for s in self.shapes)

    @property
    def rows(self) -> int:
        return self.columns if self.operator == "hessian" else size_of(self.output)

    def blocks(self) -> Iterator[tuple[slice, slice, Shape]]:
        """(rows, columns, shape) of each array that makes up the claim."""
        sides = list(zip(_slices(self.shapes), self.shapes, strict=True))
        for row, left in sides if self.operator == "hessian" else [(slice(0, self.rows), self.output)]:
            for column, right in sides:
                yield row, column, (*left, *right)

    def assembled(self, blocks: Sequence[Any]) -> Array:
        """Blocks as one matrix."""
        matrix = np.empty((self.rows, self.columns))
        for block, (row, column, _) in zip(blocks, self.blocks(), strict=True):
            matrix[row, column] = np.reshape(block, (row.stop - row.start, column.stop - column.start))
        return matrix

    def input(self, column: int) -> str:
        """Such as x[3]."""
        for name, part, shape in zip(self.wrt, _slices(self.shapes), self.shapes, strict=True):
            if part.start <= column < part.stop:
                return name + _index(column - part.start, shape)
        raise IndexError(column)

    def name(self, row: int, column: int) -> str:
        """Such as ∂f/∂x[3], ∂f[0]/∂x[3] or ∂²f/∂x[1]∂x[3]."""
        if self.operator == "hessian":
            return f"∂²{self.function}/∂{self.input(row)}∂{self.input(column)}"
        return f"∂{self.function}{_index(row, self.output)}/∂{self.input(column)}"


def _slices(shapes: Sequence[Shape]) -> list[slice]:
    ends = np.cumsum([size_of(s) for s in shapes]).tolist()
    return [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]


def _index(position: int, shape: Shape) -> str:
    return str([int(k) for k in np.unravel_index(position, shape)]) if shape else ""


@dataclass(frozen=True)
class Claim:
    """What the user's derivative gave at a point, as a matrix; single: whether any part of it was float32 or shorter."""

    layout: Layout
    matrix: Array
    single: bool


def claim(derivative: Subject, point: Point, layout: Layout) -> Claim:
    """The claim at a point; raises WrongClaim saying what the derivative gave instead of numbers of the right shapes."""
    try:
        result = derivative(point)
    except Exception as error:
        raise WrongClaim(raised(error)) from error
    shapes = [shape for *_, shape in layout.blocks()]
    parts = claim_parts(result, layout)
    arrays = [_array(p, layout, k, s) for k, (p, s) in enumerate(zip(parts, shapes, strict=True))]
    single = any(a.dtype.kind == "f" and a.dtype.itemsize < 8 for a in arrays)
    return Claim(layout, layout.assembled([a.astype(np.float64) for a in arrays]), single)


def claim_parts(result: Any, layout: Layout) -> list[Any]:
    """What a derivative returned, cut into the blocks of the layout; raises WrongClaim where it has other parts."""
    if layout.operator == "hessian":
        return _nested(result, layout)
    return _split(result, layout.wrt, next(layout.blocks())[-1], "")


def _nested(result: Any, layout: Layout) -> list[Any]:
    """The blocks of a Hessian: rows by input, then columns."""
    names, n = layout.wrt, len(layout.wrt)
    shapes = [shape for *_, shape in layout.blocks()]
    rows = _split(result, names, shapes[0], "") if n > 1 else [result]
    return [b for k, row in enumerate(rows) for b in _split(row, names, shapes[k * n], f" for {names[k]}")]


def _split(result: Any, names: Sequence[str], first: Shape, where: str) -> list[Any]:
    """One part for each name, from a bare value for one name, a sequence, or a mapping by name."""
    if isinstance(result, Mapping):
        if set(result) != set(names):
            raise WrongClaim(f"returned values{where} for {', '.join(map(str, result)) or 'nothing'}, expected {', '.join(names)}")
        return [result[n] for n in names]
    if len(names) == 1:
        wrapped = isinstance(result, tuple) and len(result) == 1 and first != np.shape(result)
        return [result[0] if wrapped else result]
    parts = list(result) if isinstance(result, tuple | list) else [result]
    if len(parts) != len(names):
        raise WrongClaim(
            f"returned {len(parts)} part{'s' * (len(parts) != 1)}{where}, expected {len(names)}, for {', '.join(names)}; "
            "wrt= names the arguments to differentiate by"
        )
    return parts


def _array(part: Any, layout: Layout, k: int, shape: Shape) -> Array:
    name = layout.wrt[k % len(layout.wrt)]
    if part is None:
        raise WrongClaim(f"returned None for {name}")
    try:
        array = np.asarray(part)
    except ValueError as error:
        raise WrongClaim(f"returned rows of different lengths for {name}") from error
    if array.dtype.kind == "c":
        raise WrongClaim(f"returned complex numbers for {name} (dtype {array.dtype}), expected real ones")
    if array.dtype.kind not in NUMERIC:
        raise WrongClaim(f"returned {type(part).__name__} for {name} (dtype {array.dtype}), expected real numbers")
    if array.shape != shape:
        hint = ", its transpose" if array.ndim > 1 and array.shape[::-1] == shape else ""
        raise WrongClaim(f"returned shape {array.shape or 'scalar'} for {name}, expected {shape or 'scalar'}{hint}")
    return array

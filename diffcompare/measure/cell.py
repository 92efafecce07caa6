"""What happens inside the worker process for one method on one engine: prepare, and call at each point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..differentiators.base import Derivative, Differentiator
from ..dsl.core import input_
from ..dsl.function import Function, function
from ..engines.base import Engine
from ..errors import DiffCompareError, ShapeError, TooLarge, Unsupported
from ..transforms.cost import Cost
from .memory import high_water

Array = np.ndarray[Any, Any]
Point = Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """A function, an operator and where: all that a cell and the reference have in common.

    directions: {"tangent": (one value for each input in wrt,)} or {"cotangent": (one for each output,)}, or nothing.
    """

    function: Function
    operator: str
    wrt: tuple[str, ...]
    points: tuple[Point, ...]
    order: int = 1
    precision: str = "float64"
    directions: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """The cell ends here with this status."""

    status: str
    message: str


@dataclass(frozen=True)
class Prepared:
    """Preparation is over: its seconds by phase, and the cost of one call."""

    derive_s: float
    compile_s: float
    cost: Cost | None
    calls: int


@dataclass(frozen=True)
class Answer:
    """The blocks at the point of this index. seconds: of this call; the call at the first point is the first of all."""

    point: int
    blocks: tuple[Array, ...]
    seconds: float


@dataclass(frozen=True)
class Finished:
    """Every point is answered. dispatch: of a call, see Derivative; peak: bytes of memory, see Measurement."""

    dispatch: str
    peak: int | None


Event = Refusal | Prepared | Answer | Finished
Key = tuple[int, int]
"""(the number of a job, the number of a cell in it)."""

_ready: dict[Key, Derivative] = {}
"""What this process has prepared for the present job, for timing it later."""
_warm: set[tuple[str, ...]] = set()


def measure(question: Question, method: Differentiator, engine: Engine, key: Key | None = None) -> Iterator[Event]:
    """The events of one cell, in order. key: keep what is prepared under this key until a cell of another job comes."""
    for old in [k for k in _ready if key is None or k[0] != key[0]]:
        del _ready[old]
    q = question
    warm_up(method, engine)
    with high_water() as memory:
        try:
            derivative = prepared(question, method, engine)
        except MemoryError:
            raise
        except Exception as error:  # whatever a method raises is its answer
            yield refusal(error, "while it was prepared")
            return
        yield Prepared(derivative.derive_s, derivative.compile_s, derivative.cost, derivative.calls)
        for k in range(len(q.points)):
            values, along = arguments(question, k)
            clock = time.perf_counter()
            try:
                result = derivative(*values, **along)
                seconds = time.perf_counter() - clock
                blocks = tuple(_finished(b, q.precision) for b in _flat(result))
            except MemoryError:
                raise
            except Exception as error:  # as above
                yield refusal(error, "when it was called")
                return
            yield Answer(k, blocks, seconds)
    if key is not None:
        _ready[key] = derivative
    yield Finished(derivative.dispatch, memory.peak)


def prepared(question: Question, method: Differentiator, engine: Engine) -> Derivative:
    """The question's derivative by this method on this engine, compiled for single points."""
    q = question
    return method.prepare(q.function, q.operator, engine, q.wrt or None, order=q.order, precision=q.precision).ready()


def kept(key: Key) -> Derivative | None:
    """What this process has prepared under the key, if it is still the one that has."""
    return _ready.get(key)


def arguments(question: Question, point: int) -> tuple[list[Any], dict[str, Any]]:
    """(the values, the directions by keyword) of a call at a point."""
    along = {keyword: parts[0] if len(parts) == 1 else tuple(parts) for keyword, parts in question.directions.items()}
    return [question.points[point][n] for n in question.function.names], along


def warm_up(method: Differentiator, engine: Engine) -> None:
    """Let the method and the engine load what they load only once, so that the first cell that uses them does not pay for it."""
    x = input_("x")
    square = function([x], x * x, "warm_up", derivative=2 * x)
    steps: dict[tuple[str, ...], Callable[[], object]] = {
        ("engine", engine.name): lambda: engine.compile(square)([np.ones(())]),
        ("method", method.name, engine.name): lambda: method.prepare(square, "derivative", engine),
    }
    for name, step in steps.items():
        if name not in _warm:
            _warm.add(name)
            try:
                step()
            except MemoryError:
                raise
            except Exception:  # what fails here fails in the cell itself, and is told there
                continue


def _finished(leaf: Any, precision: str) -> Array:
    """A part of a result, checked to be there already and of the precision asked for; as float64.

    A library may hand out arrays that are still being computed, or compute in single precision: either looks fast.
    """
    if not isinstance(leaf, float | np.ndarray | np.floating):
        raise TypeError(f"the result has a part of type {type(leaf).__name__}, not a float or a NumPy array")
    if (dtype := np.asarray(leaf).dtype) != np.dtype(precision):
        raise TypeError(f"the result is {dtype}, asked for in {precision}")
    return np.asarray(leaf, dtype=np.float64)


def refusal(error: Exception, when: str) -> Refusal:
    """The status that an exception of a method means."""
    if isinstance(error, TooLarge):
        return Refusal("too_large", str(error))
    if isinstance(error, Unsupported):
        return Refusal("unsupported", str(error))
    text = str(error) if isinstance(error, DiffCompareError) else f"{type(error).__name__}: {error}"
    return Refusal("failed", f"{when}: {text}")


def leaves(result: Any) -> Iterator[Array]:
    """The arrays of a result in the order of its blocks, whatever it nests them in, as float64."""
    for leaf in _flat(result):
        yield np.asarray(leaf, dtype=np.float64)


def _flat(result: Any) -> Iterator[Any]:
    if isinstance(result, tuple | list):
        for part in result:
            yield from _flat(part)
    else:
        yield result


def directions(function: Function, operator: str, wrt: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """The vectors that jvp, vjp and hvp are measured along where none are given: 1, -1/2, 1/4, -1/8, 1, ... over the entries.

    Exact in float32, of mixed sign and size, the same in every run.
    """
    if operator in ("jvp", "hvp"):
        keyword, shapes = "tangent", [function.input(n).shape for n in wrt]
    elif operator == "vjp":
        keyword, shapes = "cotangent", [o.shape for o in function.outputs]
    else:
        return {}
    parts = []
    start = 0
    for shape in shapes:
        size = int(np.prod(shape, dtype=np.int64))
        entries = np.resize([1.0, -0.5, 0.25, -0.125], start + size)[start:]
        parts.append(entries.reshape(shape) if shape else float(entries[0]))
        start += size
    return {keyword: tuple(parts)}


def checked_directions(question: Question) -> None:
    """Raises ShapeError where a direction does not fit the operator."""
    wanted = directions(question.function, question.operator, question.wrt)
    if set(wanted) != set(question.directions):
        given = ", ".join(question.directions) or "none"
        raise ShapeError(f"{question.operator} takes {', '.join(wanted) or 'no tangent and no cotangent'}, got {given}")
    for keyword, parts in wanted.items():
        given_shapes = [np.shape(p) for p in question.directions[keyword]]
        shapes = [np.shape(p) for p in parts]
        if given_shapes != shapes:
            raise ShapeError(f"the {keyword} needs shapes {', '.join(map(str, shapes))}, got {', '.join(map(str, given_shapes))}")

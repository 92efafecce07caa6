"""What happens inside the worker process for one method on one engine: prepare, call at each point, time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..differentiators.base import Differentiator
from ..dsl.function import Function
from ..engines.base import Engine
from ..errors import DiffCompareError, ShapeError, TooLarge, Unsupported
from .speed import Timing, steady

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
    operations: int | None
    calls: int


@dataclass(frozen=True)
class Answer:
    """The blocks at the point of this index. seconds: of this call; the call at the first point is the first of all."""

    point: int
    blocks: tuple[Array, ...]
    seconds: float


@dataclass(frozen=True)
class Timed:
    """Samples of the steady call at the first point."""

    timing: Timing


Event = Refusal | Prepared | Answer | Timed


def measure(question: Question, method: Differentiator, engine: Engine, timing_s: float, timeout_s: float) -> Iterator[Event]:
    """The events of one cell, in order. timing_s: seconds for timing the steady call, 0 for none; timeout_s: when the
    caller will give up: a steady call that would not end before is not timed.
    """
    started = time.monotonic()
    q = question
    try:
        derivative = method.prepare(q.function, q.operator, engine, q.wrt or None, order=q.order, precision=q.precision)
    except MemoryError:
        raise
    except Exception as error:  # whatever a method raises is its answer
        yield refusal(error, "while it was prepared")
        return
    yield Prepared(
        derivative.derive_s, derivative.compile_s, None if derivative.cost is None else derivative.cost.operations, derivative.calls
    )
    first_s = 0.0
    along = {keyword: parts[0] if len(parts) == 1 else tuple(parts) for keyword, parts in q.directions.items()}
    for k, point in enumerate(q.points):
        values = [point[n] for n in q.function.names]
        clock = time.perf_counter()
        try:
            result = derivative(*values, **along)
        except MemoryError:
            raise
        except Exception as error:  # as above
            yield refusal(error, "when it was called")
            return
        seconds = time.perf_counter() - clock
        first_s = first_s or seconds
        yield Answer(k, tuple(leaves(result)), seconds)
    left = timeout_s - (time.monotonic() - started)
    if timing_s > 0 and timing_s + 3 * first_s < left:
        values = [q.points[0][n] for n in q.function.names]
        yield Timed(steady(lambda: derivative(*values, **along), timing_s))


def refusal(error: Exception, when: str) -> Refusal:
    """The status that an exception of a method means."""
    if isinstance(error, TooLarge):
        return Refusal("too_large", str(error))
    if isinstance(error, Unsupported):
        return Refusal("unsupported", str(error))
    text = str(error) if isinstance(error, DiffCompareError) else f"{type(error).__name__}: {error}"
    return Refusal("failed", f"{when}: {text}")


def leaves(result: Any) -> Iterator[Array]:
    """The arrays of a result in the order of its blocks, whatever it nests them in."""
    if isinstance(result, tuple | list):
        for part in result:
            yield from leaves(part)
    else:
        yield np.asarray(result, dtype=np.float64)


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

"""What happens in the worker processes of an audit: certifying the points of a function, and answering at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...differentiators.base import Differentiator, Operator, Request
from ...differentiators.graph import GraphDifferentiator
from ...dsl.function import Function
from ...engines.base import Engine
from ...errors import Unsupported
from ...reference import Reference
from ..cell import Refusal, leaves, refusal
from .plan import OPERATORS, Contestant

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Truths:
    """What is certified of one order: arrays [block, point]. status "infinite" where an argument is no finite number."""

    values: Array
    status: Array
    condition: Array


@dataclass(frozen=True)
class Answers:
    """What one contestant answered for one order, an array [block, point]."""

    engine: str
    values: Array


def certified(function: Function, columns: Sequence[Array], orders: Sequence[int]) -> Iterator[tuple[int, Truths]]:
    """(order, truths) for each order."""
    reference = Reference(function)
    points = [dict(zip(function.names, p, strict=True)) for p in zip(*(c.tolist() for c in columns), strict=True)]
    finite = np.all(np.isfinite(np.array(columns)), axis=0)
    for order in orders:
        shape = len(function.names) ** order, len(points)
        values, condition = np.full(shape, np.nan), np.full(shape, np.nan)
        status = np.full(shape, "infinite", dtype="<U10")
        for k in np.flatnonzero(finite).tolist():
            found = reference.certify(OPERATORS[order], points[k], condition=True)
            values[:, k] = [v.item() for v in found.values]
            status[:, k] = [s.item() for s in found.status]
            condition[:, k] = [c.item() for c in found.condition]
        yield order, Truths(values, status, condition)


def answers(function: Function, columns: Sequence[Array], asked: Sequence[Contestant]) -> Iterator[tuple[int, int, Answers | Refusal]]:
    """(index of the contestant, order, its answers or why there are none).

    Methods that derive the very same graph have the same answers on an engine, which are computed once.
    """
    known: dict[Any, Answers | Refusal] = {}
    for k, contestant in enumerate(asked):
        for order in contestant.orders:
            key = _graph(contestant, function, order) or (k, order)
            if key not in known:
                known[key] = _answer(contestant, function, columns, order)
            yield k, order, known[key]


def _graph(contestant: Contestant, function: Function, order: int) -> Any:
    """The engine and the derivative as a graph, None where the method gives none."""
    if not isinstance(contestant.method, GraphDifferentiator):
        return None
    request = Request(function, Operator(OPERATORS[order]), function.inputs)
    try:
        return contestant.engines[0].name, contestant.method.derive(request).function.outputs
    except Unsupported:
        return None  # it will say so when it is prepared


def _answer(contestant: Contestant, function: Function, columns: Sequence[Array], order: int) -> Answers | Refusal:
    """On the first engine that takes the method; if none does, why the first of them did not."""
    refused: list[Refusal] = []
    for engine in contestant.engines:
        found = _on(contestant.method, engine, function, columns, order)
        if isinstance(found, Answers):
            return found
        refused.append(found)
        if found.status != "unsupported":
            break
    return refused[-1] if refused[-1].status != "unsupported" else refused[0]


def _on(method: Differentiator, engine: Engine, function: Function, columns: Sequence[Array], order: int) -> Answers | Refusal:
    try:
        derivative = method.prepare(function, OPERATORS[order], engine)
    except MemoryError:
        raise
    except Exception as error:  # whatever a method raises is its answer
        return refusal(error, "while it was prepared")
    try:
        blocks = list(leaves(derivative(*columns)))
    except MemoryError:
        raise
    except Exception as error:  # as above
        return refusal(error, "when it was called")
    return Answers(engine.name, np.array(blocks))

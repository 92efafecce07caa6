"""A user's function as a graph: traced on expressions, and believed only if it gives the function's own value."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..differentiate import value
from ..dsl.core import Expr
from ..dsl.function import Function
from ..dsl.structural import reshape, stack
from ..dsl.tracing import trace
from ..errors import DiffCompareError
from ..reference import Reference
from .rounding import EPSILON, ROUNDINGS, rounding
from .subject import Layout, Point, Subject, WrongClaim, claim_parts

Array = np.ndarray[Any, Any]


class Untraceable(Exception):
    """Why a function has no graph."""


def function_of(f: Subject, point: Point, values: Array) -> Function:
    """The graph of f in its inputs `wrt`, with one output; raises Untraceable with the reason.

    values: what f gives at the point, as the graph must too within rounding.
    """
    if f.known is not None:
        return _fixed(f.known, point)
    graph = _traced(f, point, lambda result: [result] if isinstance(result, Expr) else result)
    try:
        graph = _single(graph, values.shape)
        found = np.asarray(value(graph, engine="numpy")(**point.parts(point.vector)), dtype=np.float64)
        noise = rounding(Reference(graph), {n: point.values[n] for n in point.wrt})[0]
    except DiffCompareError as error:
        raise Untraceable(str(error)) from error
    allowed = ROUNDINGS * (EPSILON * np.abs(values) + np.where(np.isnan(noise), np.inf, noise))
    apart = ~(np.abs(found - values) <= allowed) & ~(np.isnan(found) & np.isnan(values))
    if np.any(apart):
        k = tuple(np.argwhere(apart)[0].tolist())
        raise Untraceable(
            f"on expressions it computes something else: {found[k]!r} at the point instead of {values[k]!r}; "
            "it depends on more than its arguments, or treats arrays differently"
        )
    return graph


def formula_of(derivative: Subject, point: Point, layout: Layout) -> Function:
    """The graph of a claimed derivative, an output for each block; raises Untraceable with the reason."""
    if derivative.known is not None:
        graph = _fixed(derivative.known, point)
    else:
        graph = _traced(derivative, point, lambda result: claim_parts(result, layout))
    shapes = [shape for *_, shape in layout.blocks()]
    if [o.shape for o in graph.outputs] != shapes:
        raise Untraceable(f"its graph has outputs of shape {[o.shape for o in graph.outputs]}")
    return graph


def _traced(f: Subject, point: Point, arranged: Any) -> Function:
    """Trace f with the inputs in `wrt` as expressions, all others as they are."""

    def on_expressions(**expressions: Any) -> Any:
        args, named = Point({**point.values, **expressions}, (), point.positional).arguments()
        return tuple(arranged(f.given(*args, **named)))

    try:
        return trace(on_expressions, **dict(zip(point.wrt, point.shapes, strict=True)))
    except WrongClaim as error:
        raise Untraceable(str(error)) from error
    except RecursionError:
        raise Untraceable("RecursionError: its recursion ends by values") from None
    except Exception as error:  # whatever a function does that was written for numbers
        first = str(error).split("\n", 1)[0]
        raise Untraceable(f"{type(error).__name__}: {first}") from error


def _fixed(known: Function, point: Point) -> Function:
    """A given graph with the inputs that are not in `wrt` held at their values."""
    if len(point.wrt) == len(known.names):
        return known
    from ..dsl.constants import constant

    values = [i if i.params[0] in point.wrt else constant(point.values[i.params[0]]) for i in known.inputs]
    outputs = known(*values)
    return Function(known.name, [known.input(n) for n in point.wrt], [outputs] if known.single else list(outputs), known.single)


def _single(graph: Function, shape: tuple[int, ...]) -> Function:
    """A list or tuple of numbers as the one array that NumPy would make of it."""
    outputs = graph.outputs
    joined = outputs[0] if len(outputs) == 1 and outputs[0].shape == shape else reshape(stack(outputs), shape)
    return graph.with_outputs([joined], single=True)

"""The certified truth of a question at its points, as the judge needs it. Runs in a worker process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..reference import Certified, Reference
from .accuracy import Truth
from .cell import Point, Question

PARTS = {"value_and_gradient": ("value", "gradient")}
"""Operators that the reference certifies as several."""


def certified(question: Question) -> Iterator[tuple[int, Truth]]:
    """(index, truth) for every point: first without the sensitivities, then, as they may take long, with them.

    Raises Unsupported for a function that the reference cannot evaluate.
    """
    reference = Reference(question.function)
    for k, point in enumerate(question.points):
        yield k, _truth(reference, question, point, condition=False)
    for k, point in enumerate(question.points):
        yield k, _truth(reference, question, point, condition=True)


def _truth(reference: Reference, question: Question, point: Point, condition: bool) -> Truth:
    parts = [_part(reference, question, point, operator, condition) for operator in PARTS.get(question.operator, (question.operator,))]
    values = [v for part in parts for v in part.values]
    if condition:
        sensitivity = [s for part in parts for s in part.sensitivity or []]
    else:
        sensitivity = [np.full(v.shape, np.nan) for v in values]
    return Truth(
        shapes=tuple(v.shape for v in values),
        values=_flat(values, np.float64),
        status=_flat([s for part in parts for s in part.status], np.str_),
        sensitivity=_flat(sensitivity, np.float64),
    )


def _part(reference: Reference, question: Question, point: Point, operator: str, condition: bool) -> Certified:
    return reference.certify(operator, point, question.wrt, question.order, condition=condition, **question.directions)


def _flat(blocks: list[Any], kind: Any) -> Any:
    return np.concatenate([np.ravel(b) for b in blocks] or [np.zeros(0)]).astype(kind)

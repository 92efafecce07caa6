"""The certified truth of a question at its points, as the judge needs it. Runs in a worker process of its own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..reference import Certified, Reference
from .accuracy import Truth
from .cell import Point, Question

Array = np.ndarray[Any, Any]

PARTS = {"value_and_gradient": ("value", "gradient")}
"""Operators that the reference certifies as several."""
FIRST = ("gradient", "jacobian", "vjp", "value_and_gradient")
"""Operators whose entries are first derivatives along the entries of the inputs, one by one."""
EXACT_SENSITIVITY = 256
"""Entries of all inputs up to which the sensitivity is summed over them one by one; beyond it is estimated."""
SIGNS = 4
"""Random changes of all inputs together from which a sensitivity is estimated."""
MIX = (1.0, -1.0, 2.0)


@dataclass(frozen=True)
class Surroundings:
    """What finite differences of a function at a point depend on, beside the derivative: certified, in units of one length.

    lengths: max(1, |x|) for each entry of the inputs in wrt, the length that a direction along it is scaled to; for jvp
    the one length of the tangent t, 1 / max |t_i| / lengths_i; for hvp that of t comes last.
    noise: for each output entry the error that rounding may cause in a value of f, at the point or one step away.
    single: [direction, m, output entry], the m-th derivative along each scaled direction, m from 0.
    mixed: {(i, j): [m, output entry]}, the derivatives of f once along direction i and m times along j, m = 0 to 3.
    """

    lengths: Array
    noise: Array
    single: Array
    mixed: dict[tuple[int, int], Array]


def certified(question: Question, orders: int) -> Iterator[tuple[int, Truth | Surroundings]]:
    """(index, truth) for every point: first without the sensitivities, then, as they may take long, with them, and last
    the surroundings with derivatives of up to this order, if it is not 0.

    Raises Unsupported for a function that the reference cannot evaluate.
    """
    reference = Reference(question.function)
    for k, point in enumerate(question.points):
        yield k, _truth(reference, question, point, condition=False)
    for k, point in enumerate(question.points):
        yield k, _truth(reference, question, point, condition=True)
    if orders:
        for k, point in enumerate(question.points):
            yield k, _surroundings(reference, question, point, orders)


def _truth(reference: Reference, question: Question, point: Point, condition: bool) -> Truth:
    exact = condition and sum(i.size for i in question.function.inputs) <= EXACT_SENSITIVITY
    parts = _parts(reference, question, point, exact)
    blocks = [v for part in parts for v in part.values]
    values = _flat(blocks, np.float64)
    if exact:
        sensitivity = _flat([s for part in parts for s in part.sensitivity or []], np.float64)
    elif condition:
        sensitivity = _estimated_sensitivity(reference, question, point, values)
    else:
        sensitivity = np.full(values.shape, np.nan)
    return Truth(tuple(v.shape for v in blocks), values, _flat([s for part in parts for s in part.status], np.str_), sensitivity)


def _estimated_sensitivity(reference: Reference, question: Question, point: Point, values: Array) -> Array:
    """An estimate of Σ |x_j dD/dx_j| from changes of all inputs by ± 2^-26 of themselves, signs at random: the largest of
    SIGNS such changes, each about sqrt(Σ (x_j dD/dx_j)²). So less than the sum, as random rounding errors are.
    """
    rng = np.random.default_rng(20180153)
    largest = np.zeros(values.shape)
    for _ in range(SIGNS):
        moved = {n: np.asarray(v) * (1 + 2.0**-26 * rng.choice([-1.0, 1.0], np.shape(v))) for n, v in point.items()}
        there = _flat([v for part in _parts(reference, question, moved, False) for v in part.values], np.float64)
        largest = np.maximum(largest, np.abs(there - values) * 2.0**26)
    return largest


def _parts(reference: Reference, question: Question, point: Point, condition: bool) -> list[Certified]:
    return [_part(reference, question, point, operator, condition) for operator in PARTS.get(question.operator, (question.operator,))]


def _part(reference: Reference, question: Question, point: Point, operator: str, condition: bool) -> Certified:
    return reference.certify(operator, point, question.wrt, question.order, condition=condition, **_directions(question))


def _directions(question: Question) -> dict[str, Any]:
    return dict(question.directions)


def _flat(blocks: Sequence[Any], kind: Any) -> Array:
    return np.concatenate([np.ravel(b) for b in blocks] or [np.zeros(0)]).astype(kind)


# --- what finite differences depend on ---


@np.errstate(all="ignore")  # what is beyond the largest float becomes inf or NaN, and no bound is made of it
def _surroundings(reference: Reference, question: Question, point: Point, orders: int) -> Surroundings:
    q = question
    x = _flat([point[n] for n in q.wrt], np.float64)
    lengths = np.maximum(1.0, np.abs(x))
    directions = list(np.diag(lengths))
    if q.operator in ("jvp", "hvp"):
        tangent = _flat(q.directions["tangent"], np.float64)
        length = 1.0 / max(float(np.max(np.abs(tangent) / lengths, initial=0.0)), np.finfo(float).tiny)
        directions = [tangent * length] if q.operator == "jvp" else [*directions, tangent * length]
        lengths = np.array([length]) if q.operator == "jvp" else np.append(lengths, length)

    def along(direction: Array, order: int) -> Array:
        return _along(reference, q, point, direction, order)

    single = np.array([[along(d, m) for m in range(orders + 1)] for d in directions])
    mixed: dict[tuple[int, int], Array] = {}
    for i, j in _pairs(q.operator, len(directions)):
        combined = [[along(directions[i] + c * directions[j], m) for m in (2, 3, 4)] for c in MIX]
        mixed[i, j], mixed[j, i] = _unmixed(single[i], single[j], np.array(combined))
    return Surroundings(lengths, _noise(reference, q, point, directions), single, mixed)


def _noise(reference: Reference, question: Question, point: Point, directions: Sequence[Array]) -> Array:
    """The largest over x and points one step away, along each direction and all at once; places without a value are left out.

    The step is 0.618... ε^(1/4) lengths, near the longest of the usual ones; no short fraction, since with those every
    operation may happen to be exact. To this comes what inputs wrong by ε would cause: softmax and its like subtract the
    largest entry first, which balls need not do and which rounds.
    """
    info = np.finfo(question.precision)
    h = (math.sqrt(5) - 1) / 2 * float(info.eps) ** 0.25
    together = sum(d / (1 + k / 3) for k, d in enumerate(directions))
    places = [point]
    for moved in (sign * h * d for d in (*directions, together) for sign in (1, -1)):
        parts = zip(question.wrt, _split(question, np.asarray(moved)), strict=True)
        there = {n: np.asarray(point[n]) + part for n, part in parts}
        if all(np.all(np.isfinite(v)) for v in there.values()):
            places.append({**point, **there})
    found = np.array([_flat(reference.noise(p, info.nmant + 1), np.float64) for p in places])
    value = reference.certify("value", point, question.wrt, condition=True)
    assert value.sensitivity is not None
    backward = float(info.eps) * _flat(value.sensitivity, np.float64)
    return np.where(np.isnan(found[0]), np.nan, np.max(np.nan_to_num(found, nan=0.0), axis=0) + np.nan_to_num(backward, nan=0.0))


def _split(question: Question, flat: Array) -> tuple[Array, ...]:
    """One vector over the entries of wrt as an array for each input."""
    parts, start = [], 0
    for n in question.wrt:
        node = question.function.input(n)
        parts.append(flat[start : start + node.size].reshape(node.shape))
        start += node.size
    return tuple(parts)


def _pairs(operator: str, n: int) -> list[tuple[int, int]]:
    if operator == "hessian":
        return list(itertools.combinations(range(n), 2))
    return [(i, n - 1) for i in range(n - 1)] if operator == "hvp" else []


def _along(reference: Reference, question: Question, point: Point, direction: Array, order: int) -> Array:
    """The derivative of this order along a direction over the entries of wrt, for every output entry; NaN where there is none."""
    if not np.all(np.isfinite(direction)):
        return np.full(sum(o.size for o in question.function.outputs), np.nan)
    if order == 0:
        return _flat(reference.certify("value", point, question.wrt).values, np.float64)
    return _flat(reference.certify("jvp", point, question.wrt, order, tangent=_split(question, direction)).values, np.float64)


def _unmixed(one: Array, other: Array, combined: Array) -> tuple[Array, Array]:
    """([f_ijᵐ], [f_jiᵐ]) for m = 0 to 3 from derivatives of order 2, 3, 4 along i, j and i + c j.

    The M-th derivative along i + c j is Σ_r binomial(M, r) cʳ f_(i^(M-r) j^r): linear equations for those with 0 < r < M.
    """
    outputs = one.shape[1]
    first, second = np.empty((4, outputs)), np.empty((4, outputs))
    first[0], second[0] = one[1], other[1]
    for order in (2, 3, 4):
        powers = np.array([[math.comb(order, r) * c**r for r in range(1, order)] for c in MIX])
        ends = np.array([one[order] + c**order * other[order] for c in MIX])
        solved = (
            np.linalg.lstsq(powers, combined[:, order - 2] - ends, rcond=None)[0]
            if np.all(np.isfinite(ends))
            else np.full((order - 1, outputs), np.nan)
        )
        first[order - 1], second[order - 1] = solved[order - 2], solved[0]
    return first, second

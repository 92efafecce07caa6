"""Special points: zeros, infinities, NaN, ends of the domain and beyond, kinks; and what is expected of a derivative there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...dsl.elementwise import Elementwise
from ..sampling import NORMAL_MIN, Point, Sample, ends, kinks

Array = np.ndarray[Any, Any]
INF, NAN = math.inf, math.nan

PAIRS: tuple[Point, ...] = (
    *itertools.product((0.0, -0.0), (0.0, -0.0)),
    *((a, b) for z in (0.0, -0.0) for s in (1.0, -1.0) for a, b in ((z, s), (s, z))),
    *itertools.product((1.0, -1.0), (1.0, -1.0)),
    *((a, b) for i in (INF, -INF) for o in (1.0, 0.0, INF) for a, b in dict.fromkeys(((i, o), (o, i)))),
    (NAN, 1.0),
    (1.0, NAN),
)

CONVENTIONS: dict[tuple[str, int], float] = {
    ("abs", 1): 0.0,
    ("relu", 1): 0.0,
    ("sign", 1): 0.0,
    ("floor", 1): 0.0,
    ("maximum", 1): 0.5,
    ("minimum", 1): 0.5,
    ("hypot", 1): 0.0,
    ("sqrt", 1): INF,
    ("asin", 1): INF,
    ("acos", 1): -INF,
}
"""The derivative that this library gives at a kink, for (function, order): the mean of both sides for abs, maximum and
minimum, 0 for relu and for jumps, the subgradient of least norm for hypot, the one-sided limit at the end of a domain."""


def special(primitive: Elementwise, given: Sequence[Point] = ()) -> Sample:
    """The special points of a function, each with its kind as the stratum: zero, infinity, nan, end, outside, kink, or point.

    given: points to take in their place.
    """
    points: list[Point]
    if given:
        points = list(given)
    elif primitive.arity == 1:
        (interval,) = primitive.domain
        edges = [v for e in ends(interval) for v in (e, e - 1.0, e + 1.0, *_beside(e))]
        values = [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, *edges, *(k[0] for k in kinks(primitive))]
        points = [(v,) for v in values]
    else:
        points = [*PAIRS, *kinks(primitive)]
    unique = {tuple(repr(v) for v in p): p for p in points}
    bent = set(kinks(primitive))
    return Sample.of([(_kind(primitive, p, bent), p) for p in unique.values()], primitive.arity)


def _beside(end: float) -> tuple[float, float]:
    """The normal numbers next to an end."""
    if end == 0:
        return -NORMAL_MIN, NORMAL_MIN
    return math.nextafter(end, -INF), math.nextafter(end, INF)


def _kind(primitive: Elementwise, point: Point, bent: set[Point]) -> str:
    if any(math.isnan(v) for v in point):
        return "nan"
    if any(math.isinf(v) for v in point):
        return "infinity"
    if point in bent:
        return "kink"
    at_end = any(v in ends(i) for v, i in zip(point, primitive.domain, strict=True))
    if any(v not in i for v, i in zip(point, primitive.domain, strict=True)):
        return "end" if at_end else "outside"
    return "end" if at_end else "zero" if 0.0 in point else "point"


def expected(primitive: Elementwise, order: int, point: Point, status: str, truth: float, constant: bool) -> tuple[str, float]:
    """(what is known at a special point, the value expected): certified, convention, undefined, nan, or nothing.

    status: of the reference; constant: whether the derivative is one number everywhere, so that it needs no argument.
    Nothing is expected of a constant where the function is not defined, of a smooth function of two numbers at NaN (x * y
    does not ask x for its slope), and of a jump at -0.0, which the reference takes for 0 and an engine for its left side.
    """
    if any(math.isnan(v) for v in point):
        return ("nan", NAN) if not constant and (primitive.arity == 1 or primitive.kinks is not None) else ("", NAN)
    if order == 0 and primitive.kinks is not None and has_negative_zero(point):
        return "", NAN
    if status == "ok":
        return "certified", truth
    if status == "domain" and not constant:
        return "undefined", NAN
    if status == "kink" and (primitive.name, order) in CONVENTIONS:
        return "convention", CONVENTIONS[primitive.name, order]
    return "", NAN


def has_negative_zero(point: Point) -> bool:
    """Whether some argument is -0.0."""
    return any(v == 0 and math.copysign(1.0, v) < 0 for v in point)


def verdict(known: str, wanted: float, answer: float) -> str:
    """right, wrong, or nothing where nothing is known. 4 ulp are right; so is anything that is not finite where f is not defined."""
    if known == "certified" and wanted and math.isfinite(wanted):
        return "right" if abs(answer - wanted) <= 4 * math.ulp(wanted) else "wrong"
    if known in ("certified", "convention"):
        return "right" if answer == wanted else "wrong"
    if known in ("undefined", "nan"):
        fits = math.isnan(answer) if known == "nan" else not math.isfinite(answer)
        return "right" if fits else "wrong"
    return ""

"""How errors are spread over many points: percentiles, the worst, and what is counted because an ulp cannot tell it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

NORMAL_MIN = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Spread:
    """Of some errors: how many, percentiles, the largest and where it is (the first such); None without errors.

    Percentiles are by nearest rank, so each is an error that occurred, and an infinite one stays infinite.
    """

    count: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None
    worst: int | None = None


def spread(errors: Array) -> Spread:
    """Of errors that are numbers or inf; NaN is not to be given."""
    errors = np.ravel(np.asarray(errors, dtype=np.float64))
    n = errors.size
    if not n:
        return Spread(0)
    ordered = np.sort(errors)
    p50, p95, p99 = (float(ordered[math.ceil(share * n) - 1]) for share in (0.5, 0.95, 0.99))
    return Spread(n, p50, p95, p99, float(ordered[-1]), int(np.argmax(errors)))


def relative(answer: Array, truth: Array) -> Array:
    """|answer - truth| / |truth| for each entry: 0 where they are equal, zeros and infinities too; inf where the answer is NaN,
    or is anything else where the truth is 0 or infinite. NaN where the truth is NaN.
    """
    return _quotient(_absolute(answer, truth), np.abs(np.asarray(truth, dtype=np.float64)))


def componentwise(answer: Array, truth: Array) -> Array:
    """For arrays [entry, point] the largest relative error of an entry, for each point; entries whose truth is 0 or NaN are left out."""
    truth = np.asarray(truth, dtype=np.float64)
    errors = np.where((truth == 0) | np.isnan(truth), 0.0, relative(answer, truth))
    return np.asarray(np.max(errors, axis=0))


def normwise(answer: Array, truth: Array) -> Array:
    """For arrays [entry, point] max |answer - truth| / max |truth| over the entries, for each point; entries without truth are left out.

    A small entry beside a large one may be wrong in every digit and this stays small: see componentwise for the other view.
    """
    truth = np.asarray(truth, dtype=np.float64)
    known = ~np.isnan(truth)
    error = np.where(known, _absolute(answer, truth), 0.0)
    size = np.where(known, np.abs(truth), 0.0)
    return _quotient(np.max(error, axis=0), np.max(size, axis=0))


def _absolute(answer: Array, truth: Array) -> Array:
    a, t = np.asarray(answer, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    with np.errstate(all="ignore"):
        error = np.where(a == t, 0.0, np.abs(a - t))
    return np.where(np.isnan(a) & ~np.isnan(t), math.inf, error)


def _quotient(error: Array, size: Array) -> Array:
    with np.errstate(all="ignore"):
        quotient = np.where(error == 0, 0.0, error / size)
    return np.where(np.isinf(error) & np.isinf(size), math.inf, quotient)


@dataclass(frozen=True)
class Tally:
    """Entries that are counted, not measured.

    zeros: the truth is 0 or rounds to it; zeros_missed: of those, answers that are NaN or not below the smallest normal number.
    overflows: the truth is beyond the largest number; overflows_missed: of those, answers other than that infinity or the
    largest number. nonfinite: answers NaN or infinite where the truth is a finite number.
    undefined: the function is not defined there; undefined_finite: of those, finite answers.
    kinks: no derivative exists; uncertified: the truth is not known.
    """

    zeros: int = 0
    zeros_missed: int = 0
    overflows: int = 0
    overflows_missed: int = 0
    nonfinite: int = 0
    undefined: int = 0
    undefined_finite: int = 0
    kinks: int = 0
    uncertified: int = 0


def tally(answer: Array, truth: Array, status: Array) -> Tally:
    """Of answers of the same shape as the truth; status: as the reference gives it, entry by entry."""
    a, t = np.asarray(answer, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    known, undefined = status == "ok", status == "domain"
    zero, over = known & (t == 0), known & np.isinf(t)
    largest = np.copysign(np.finfo(np.float64).max, t)
    return Tally(
        zeros=int(zero.sum()),
        zeros_missed=int((zero & ~(np.abs(a) < NORMAL_MIN)).sum()),
        overflows=int(over.sum()),
        overflows_missed=int((over & (a != t) & (a != largest)).sum()),
        nonfinite=int((known & np.isfinite(t) & ~np.isfinite(a)).sum()),
        undefined=int(undefined.sum()),
        undefined_finite=int((undefined & np.isfinite(a)).sum()),
        kinks=int((status == "kink").sum()),
        uncertified=int(np.isin(status, ("removable", "unresolved")).sum()),
    )

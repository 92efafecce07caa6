"""The judge: how far an answer is from the certified truth, in ulps, relatively and normwise, against a stated bound.

It knows answers, truths and bounds as arrays; it computes no derivative itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .record import kept

Array = np.ndarray[Any, Any]

_INTEGER = {np.dtype(np.float64): np.int64, np.dtype(np.float32): np.int32}


def ulps(answer: Array, truth: Array, precision: str = "float64") -> Array:
    """How many floats of this precision lie between answer and truth, elementwise, as float64.

    The difference of ordinals: 0 where equal (-0.0 and 0.0 are), 1 for neighbours, exact up to 2^53; the step from
    the largest number to infinity counts 1. inf where exactly one of them is NaN, 0 where both are.
    """
    dtype = np.dtype(precision)
    with np.errstate(over="ignore"):
        a, t = np.asarray(answer).astype(dtype), np.asarray(truth).astype(dtype)
    kind = _INTEGER[dtype]
    # the bits without the sign are the ordinal of the magnitude: consecutive floats have consecutive ones
    low, high = (np.abs(v).view(kind).astype(np.int64) for v in (a, t))
    apart = np.signbit(a) != np.signbit(t)
    same_sign = np.abs(low - high).astype(np.float64)
    distance = np.where(apart, low.astype(np.float64) + high.astype(np.float64), same_sign)
    nans = np.isnan(a).astype(int) + np.isnan(t)
    result: Array = np.select([nans == 1, nans == 2], [math.inf, 0.0], distance)
    return result


def bits(distance: Array | float) -> Any:
    """Bits lost for a distance in ulps, log2(1 + ulps): 0 for equal floats, at most 64."""
    return np.minimum(np.log2(1.0 + np.asarray(distance, dtype=np.float64)), 64.0)


@dataclass(frozen=True)
class Truth:
    """What is certified of one operator at one point, blocks raveled one after another.

    values: float64. status: "ok", "kink", "domain", "removable" or "unresolved" (see the reference).
    sensitivity: the sum over inputs of |x_j d(value)/d x_j|; NaN where not known.
    """

    shapes: tuple[tuple[int, ...], ...]
    values: Array
    status: Array
    sensitivity: Array

    @property
    def condition(self) -> Array:
        """sensitivity / |value|; 0 where nothing moves the value, inf where it is 0 and moves."""
        with np.errstate(all="ignore"):
            return np.where(self.sensitivity == 0, 0.0, self.sensitivity / np.abs(self.values))


@dataclass(frozen=True)
class Judgement:
    """The verdict on one answer: fields of a Measurement by the same names."""

    status: str
    message: str
    value: tuple[float, ...]
    value_size: int
    error_ulp: float | None = None
    error_rel: float | None = None
    error_norm: float | None = None
    bound_ulp: float | None = None
    bound_rel: float | None = None
    error_over_bound: float | None = None
    error_conditioned: float | None = None
    worst: int | None = None
    worst_value: float | None = None
    worst_truth: float | None = None
    condition: float | None = None
    judged: int = 0
    exact_zero: int = 0
    kinks: int = 0
    undefined: int = 0
    undefined_finite: int = 0
    uncertified: int = 0


def judge(blocks: Sequence[Array], truth: Truth, allowed: Array, precision: str = "float64") -> Judgement:
    """The verdict on an answer.

    blocks: the answer, one array for each block of the truth. allowed: for each entry of the truth the absolute error
    that the method may make there; NaN where no bound is known: errors are measured there, but not judged.
    status, the first that applies: inaccurate where a block has another shape; nan where an entry is NaN or infinite
    and its truth finite; inaccurate where an error exceeds what is allowed, or a finite number is given where the
    function is not defined; unjudged where no entry could be compared although derivatives may exist; ok.
    """
    answer = np.concatenate([np.ravel(np.asarray(b, dtype=np.float64)) for b in blocks] or [np.zeros(0)])
    facts: dict[str, Any] = {"value": kept(answer.tolist()), "value_size": answer.size}
    shapes = tuple(np.shape(b) for b in blocks)
    if shapes != truth.shapes:
        return Judgement("inaccurate", f"the result has shape {_listed(shapes)}, expected {_listed(truth.shapes)}", **facts)
    defined = truth.status == "ok"
    judged = defined & ~np.isnan(allowed)
    undefined = truth.status == "domain"
    facts |= {
        "judged": int(judged.sum()),
        "exact_zero": int((judged & (truth.values == 0)).sum()),
        "kinks": int((truth.status == "kink").sum()),
        "undefined": int((undefined | (truth.status == "removable")).sum()),
        "undefined_finite": int((undefined & np.isfinite(answer)).sum()),
        "uncertified": int(((truth.status == "unresolved") | (defined & ~judged)).sum()),
    }
    if defined.any():
        facts |= _errors(answer, truth, allowed, defined, precision)
    status, message = _verdict(answer, truth, judged, facts)
    return Judgement(status, message, **facts)


def _errors(answer: Array, truth: Truth, allowed: Array, defined: Array, precision: str) -> dict[str, Any]:
    """The error measures over the certified entries, and the entry whose error is largest against its bound."""
    a, t, b = answer[defined], truth.values[defined], allowed[defined]
    with np.errstate(all="ignore"):
        error = np.where(a == t, 0.0, np.abs(a - t))  # equal infinities differ by 0, not by NaN
        error[np.isnan(error)] = math.inf
        against = np.where((error == 0) | np.isnan(b), 0.0, error / b)
        worst = int(np.argmax(against))
        relative = (error / np.abs(t))[t != 0]
        largest = float(np.max(np.abs(t)))
        norm = float(np.max(error)) / largest if largest else (math.inf if np.any(error) else 0.0)
        gap = float(np.spacing(np.abs(np.dtype(precision).type(t[worst]))))
        conditions = truth.condition[defined]
        known = not math.isnan(b[worst])
        unit = float(np.finfo(precision).eps) * (np.abs(t) + truth.sensitivity[defined])
        conditioned = np.where(error == 0, 0.0, error / unit)
        return {
            "error_ulp": float(np.max(ulps(a, t, precision))),
            "error_rel": _digits(np.max(relative)) if relative.size else None,
            "error_norm": _digits(norm),
            "bound_ulp": _digits(b[worst] / gap) if known and math.isfinite(gap) else None,
            "bound_rel": _digits(b[worst] / abs(t[worst])) if known and t[worst] else None,
            "error_over_bound": _digits(against[worst]) if known else None,
            "error_conditioned": None if np.all(np.isnan(conditioned)) else _digits(np.nanmax(conditioned)),
            "worst": int(np.flatnonzero(defined)[worst]),
            "worst_value": float(a[worst]),
            "worst_truth": float(t[worst]),
            "condition": None if np.all(np.isnan(conditions)) else _digits(np.nanmax(conditions)),
        }


def _digits(value: Any) -> float:
    """A measure of error to five digits: its own meaning ends before."""
    return float(f"{float(value):.5g}")


def _verdict(answer: Array, truth: Truth, judged: Array, facts: dict[str, Any]) -> tuple[str, str]:
    wrong = (truth.status == "ok") & np.isfinite(truth.values) & ~np.isfinite(answer)
    if wrong.any():
        return (
            "nan",
            f"{answer[wrong][0]} in {int(wrong.sum())} of {answer.size} entries whose truth is finite, first at entry {np.flatnonzero(wrong)[0]}",
        )
    if (facts.get("error_over_bound") or 0.0) > 1:
        place, got, true = facts["worst"], facts["worst_value"], facts["worst_truth"]
        relative = f", relatively {abs(got - true) / abs(true):.2g}" if true else ""
        allowed = facts["error_over_bound"]
        return "inaccurate", f"entry {place} is {got!r}, the truth is {true!r}{relative}: {allowed:.2g} times the error allowed"
    if facts["undefined_finite"]:
        return "inaccurate", f"{facts['undefined_finite']} finite entries where the function is not defined"
    if not judged.any() and answer.size and facts["uncertified"]:
        return "unjudged", "no entry has a certified truth within the effort allowed"
    notes = [
        f"{facts['kinks']} entries at a kink, where no derivative exists: {_some(answer[truth.status == 'kink'])}"
        if facts["kinks"]
        else "",
        f"{facts['undefined']} entries where the function is not defined" if facts["undefined"] else "",
        f"{facts['uncertified']} entries without a certified truth" if facts["uncertified"] else "",
    ]
    return "ok", "; ".join(n for n in notes if n)


def _some(values: Array, limit: int = 4) -> str:
    listed = ", ".join(f"{v:.6g}" for v in values[:limit])
    return f"{listed}, ..." if values.size > limit else listed


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(str(s) for s in shapes[:4]) + (", ..." if len(shapes) > 4 else "")

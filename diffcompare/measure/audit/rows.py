"""The records of an audit: Row, how accurate one contestant is on one function and order; Edge, what was answered at a special point."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..accuracy import bits, ulps
from ..cell import Refusal
from ..sampling import NORMAL_MIN, Sample, written
from ..spread import componentwise, normwise, spread, tally
from .plan import VALUE, Contestant, Path, Subject
from .special import expected, has_negative_zero, verdict
from .work import Answers, Truths

Array = np.ndarray[Any, Any]

BAD = 4.0
"""A point is bad where an answer is further than this from the truth, in ulp."""


@dataclass(frozen=True)
class Row:
    """One contestant on one function: the value (order 0, method "value" on our engines), first or second derivatives.

    status: ok where it answered, else a status of Measurement with its message. points: of the sample; judged: entries
    whose truth is certified and, like the arguments, a normal number: p50_ulp to max_ulp, mean_bits and max_bits (bits
    lost, log2(1 + ulp), 64 for NaN) are over these, and bad of them are off by more than BAD ulp.
    worst_at: hex floats of the worst point, of the entry worst_by (x, or xy for d²/dx dy), with its stratum, answer, truth
    and condition number; max_conditioned: the largest of ulp / (1 + condition): large only where the method is at fault.
    max_rel: componentwise, the largest relative error of an entry; max_norm: normwise over the entries of a point.
    over_promise: the largest error in units of what this library promises of its own derivative; None for values.
    zeros ... undefined_finite: counts, see spread.Tally. subnormal: entries with a subnormal argument or truth, off by
    subnormal_ulp at most, subnormal_bad of them by more than BAD. engine: where it ran.
    """

    function: str
    order: int
    method: str
    engine: str
    family: str = ""
    status: str = "ok"
    message: str = ""
    points: int = 0
    judged: int = 0
    bad: int = 0
    p50_ulp: float | None = None
    p95_ulp: float | None = None
    p99_ulp: float | None = None
    max_ulp: float | None = None
    mean_bits: float | None = None
    max_bits: float | None = None
    worst_at: str = ""
    worst_by: str = ""
    worst_stratum: str = ""
    worst_value: float | None = None
    worst_truth: float | None = None
    worst_condition: float | None = None
    max_conditioned: float | None = None
    max_rel: float | None = None
    max_norm: float | None = None
    over_promise: float | None = None
    zeros: int = 0
    zeros_missed: int = 0
    overflows: int = 0
    overflows_missed: int = 0
    nonfinite: int = 0
    undefined: int = 0
    undefined_finite: int = 0
    kinks: int = 0
    uncertified: int = 0
    subnormal: int = 0
    subnormal_bad: int = 0
    subnormal_ulp: float | None = None

    @property
    def replay(self) -> str:
        """The command that computes the worst point again, alone; "" where there is none."""
        return replay_command(self.function, self.order, self.method, self.engine, self.worst_at) if self.worst_at else ""

    @property
    def bad_share(self) -> float:
        """Of the judged entries."""
        return self.bad / self.judged if self.judged else 0.0


@dataclass(frozen=True)
class Edge:
    """An answer at a special point, and who gave it.

    place: zero, infinity, nan, end, outside, kink, point. by: x, or xy for d²/dx dy. known: certified, convention, undefined
    (the function is), nan (an argument is), or "" where nothing is expected; truth: the value expected, None without one.
    who: the methods, with their engines where not all of a method's engines answered so. verdict: right, wrong or "".
    """

    function: str
    order: int
    by: str
    at: str
    place: str
    known: str
    truth: float | None
    answer: float
    verdict: str
    who: str


Record = Row | Edge


def to_json(record: Record) -> dict[str, Any]:
    """A flat dict for json.dumps: fields at their default are left out, numbers that JSON lacks are strings, floats have 17 digits at most."""
    row: dict[str, Any] = {"kind": "row" if isinstance(record, Row) else "edge"}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if value != field.default or math.isnan(value if isinstance(value, float) else 0.0):
            row[field.name] = repr(value) if isinstance(value, float) and not math.isfinite(value) else value
    return row


def from_json(row: Mapping[str, Any]) -> Record:
    """The inverse of to_json."""
    kind: type[Record] = Row if row["kind"] == "row" else Edge
    floats = {f.name for f in dataclasses.fields(kind) if str(f.type).startswith("float")}
    values: dict[str, Any] = {n: float(v) if n in floats and v is not None else v for n, v in row.items() if n != "kind"}
    return kind(**values)


def replay_command(function: str, order: int, method: str, engine: str, at: str) -> str:
    """What to type to see one answer beside its truth."""
    return f"diffcompare audit --replay '{function} {order} {method} {engine} {at}'"


def by(path: Path) -> str:
    """A path of arguments as letters: (0, 1) is xy."""
    return "".join("xy"[k] for k in path)


# --- rows ---


def row(subject: Subject, contestant: Contestant, order: int, answer: Answers | Refusal, truths: Truths | str) -> Row:
    """How accurate the answer is over the sample; truths: a text says why there are none."""
    blank = Row(subject.name, order, contestant.label, contestant.engines[0].name, contestant.method.family, points=len(subject.sample))
    if isinstance(answer, Refusal):
        return dataclasses.replace(blank, status=answer.status, message=answer.message)
    blank = dataclasses.replace(blank, engine=answer.engine)
    if isinstance(truths, str):
        return dataclasses.replace(blank, status="unjudged", message=truths)
    n = len(subject.sample)
    if answer.values.shape != truths.values.shape:
        message = f"the answer has shape {answer.values.shape}, expected {truths.values.shape}"
        return dataclasses.replace(blank, status="inaccurate", message=message)
    a, t, status, condition = (v[:, :n] for v in (answer.values, truths.values, truths.status, truths.condition))
    small = np.array([s == "subnormal" for s in subject.sample.strata])
    if subject.primitive.kinks is not None:
        # the reference takes -0.0 for 0, where a jump has another side
        status = np.where([has_negative_zero(p) for p in subject.sample], "kink", status)
    size = np.abs(t)
    normal = (status == "ok") & (size >= NORMAL_MIN) & np.isfinite(t) & ~small
    tiny = (status == "ok") & (size > 0) & np.isfinite(t) & ~normal
    distance = ulps(a, t)
    facts: dict[str, Any] = dataclasses.asdict(tally(a, t, status))
    low = spread(distance[tiny])
    facts |= {"subnormal": low.count, "subnormal_ulp": low.max, "subnormal_bad": int((distance[tiny] > BAD).sum())}
    facts |= _accuracy(subject, order, a, t, normal, distance, condition)
    if order and contestant.method.family != "peer":
        facts["over_promise"] = _over_promise(subject, order, t, normal, distance)
    return dataclasses.replace(blank, **facts)


def _accuracy(
    subject: Subject, order: int, answer: Array, truth: Array, normal: Array, distance: Array, condition: Array
) -> dict[str, Any]:
    """The fields about the judged entries, arrays [block, point]."""
    found = spread(distance[normal])
    if found.worst is None:
        return {"judged": 0}
    block, k = (int(i[found.worst]) for i in np.nonzero(normal))
    lost = bits(distance[normal])
    judged = np.where(normal, truth, np.nan)
    with np.errstate(all="ignore"):
        conditioned = distance / (1.0 + np.where(np.isnan(condition), 0.0, condition))
    return {
        "judged": found.count,
        "bad": int((distance[normal] > BAD).sum()),
        "p50_ulp": found.p50,
        "p95_ulp": found.p95,
        "p99_ulp": found.p99,
        "max_ulp": found.max,
        "mean_bits": float(f"{np.mean(lost):.4g}"),
        "max_bits": float(f"{np.max(lost):.4g}"),
        "worst_at": ",".join(written(_point(subject.sample, k))),
        "worst_by": by(subject.paths(order)[block]),
        "worst_stratum": subject.sample.strata[k],
        "worst_value": float(answer[block, k]),
        "worst_truth": float(truth[block, k]),
        "worst_condition": _digits(condition[block, k]),
        "max_conditioned": _digits(np.max(conditioned[normal])),
        "max_rel": _digits(np.max(componentwise(answer, judged))),
        "max_norm": _digits(np.max(normwise(answer, judged))),
    }


def _point(sample: Sample, k: int) -> tuple[float, ...]:
    return tuple(float(c[k]) for c in sample.columns)


def _digits(value: Any) -> float | None:
    """Four digits: these are measures, not results."""
    return None if np.isnan(value) else float(f"{float(value):.4g}")


def _over_promise(subject: Subject, order: int, truth: Array, normal: Array, distance: Array) -> float | None:
    """The largest error in units of the bound that the function's own row promises; None where nothing is promised."""
    worst = None
    for block, path in enumerate(subject.paths(order)):
        bound = subject.primitive.bound(path)
        if bound is None or not normal[block].any():
            continue
        errors = distance[block][normal[block]]
        if bound.term is not None:
            at = np.array(subject.sample.columns)[:, normal[block]].T.tolist()
            t = np.abs(truth[block][normal[block]])
            scale = np.array([max(v, float(bound.term(*p))) for v, p in zip(t.tolist(), at, strict=True)])
            errors = errors * np.spacing(t) / np.spacing(np.minimum(scale, np.finfo(float).max))
        over = float(np.max(errors)) / bound.ulp
        worst = over if worst is None else max(worst, over)
    return None if worst is None else _digits(worst)


# --- edges ---


def edges(
    subject: Subject, order: int, answered: Mapping[tuple[str, str], Array], truths: Truths, everyone: Sequence[tuple[str, str]]
) -> list[Edge]:
    """What was answered at the special points. answered: for (method, engine) its answers at all points; everyone: all who were asked."""
    n = len(subject.sample)
    found = []
    for block, path in enumerate(subject.paths(order)):
        known = truths.values[block, :n][truths.status[block, :n] == "ok"]
        constant = bool(known.size) and bool(np.all(known == known[0]))
        for k, (place, point) in enumerate(zip(subject.special.strata, subject.special, strict=True), start=n):
            what, wanted = expected(subject.primitive, order, point, str(truths.status[block, k]), float(truths.values[block, k]), constant)
            given: dict[str, list[tuple[str, str]]] = {}
            for who, values in answered.items():
                given.setdefault(repr(float(values[block, k]) + 0.0), []).append(who)  # -0.0 + 0.0 is 0.0
            for text, names in given.items():
                answer = float(text)
                truth = None if math.isnan(wanted) else wanted
                right = verdict(what, wanted, answer)
                at = ",".join(written(point))
                found.append(Edge(subject.name, order, by(path), at, place, what, truth, answer, right, together(names, everyone)))
    return found


def together(names: Sequence[tuple[str, str]], everyone: Sequence[tuple[str, str]]) -> str:
    """Some (method, engine) of all those in short: all, or each method, with its engines where it is not all of them."""
    if set(names) == set(everyone) and len(everyone) > 1:
        return "all"
    places: dict[str, str] = {}
    for method in dict.fromkeys(m for m, _ in names):
        here, there = ([e for m, e in group if m == method] for group in (names, everyone))
        places[method] = "" if set(here) == set(there) else f" on {' '.join(here)}"
    grouped: dict[str, list[str]] = {}
    for method, where in places.items():
        grouped.setdefault(where, []).append("values" if method == VALUE else method)
    return ", ".join(", ".join(methods) + where for where, methods in grouped.items())

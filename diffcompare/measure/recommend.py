"""Which method on which engine to take, and why: one judgement of records, for recommend and for every report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..differentiators.base import Differentiator, Operator
from ..dsl.function import Function, as_function
from ..engines.base import Engine
from ..errors import DiffCompareError
from ..problem import Problem
from .compare import compare
from .comparison import Comparison, seconds
from .payoff import Times, times
from .recommendation import Candidate, Recommendation, Rejected
from .record import Measurement, question

CALLS = 1000
"""Calls for which preparation is weighed against speed where nothing else is said."""
CLOSE = 1000.0
"""Where no tolerance is given: the largest error, in units of what inputs wrong by ε may cause, so three digits of sixteen.

Derivatives of graphs stay below 40 of them on the problems of this library, differences lose 1e5 of them and more.
"""
WORST_FIRST = ("failed", "timeout", "nan", "wrong", "inaccurate", "unjudged", "too large", "unsupported", "not measured")
"""The kinds of fault, and which of them is told where a method has several."""

Question = tuple[str, ...]
Who = tuple[str, str]


def recommend(
    f: Function | Problem | str | Any,
    operator: Operator | str | None = None,
    *,
    calls: int = CALLS,
    tolerance: float | None = None,
    at: Any = None,
    methods: str | Differentiator | Sequence[str | Differentiator] | None = None,
    engines: str | Engine | Sequence[str | Engine] | None = None,
    wrt: str | Sequence[str] | None = None,
    timeout: float = 10.0,
) -> Recommendation:
    """The method and the engine that are right and take least time for preparation and this many calls, measured now.

    operator: the gradient by default, the Jacobian of what is no number. calls: at single points, one after another.
    tolerance: the largest relative error to accept at any entry; by default only what inputs wrong by a rounding would
    cause as well, up to a factor CLOSE. The rest as in compare: at, methods, engines, wrt, timeout.

    Raises as compare does, and DiffCompareError for calls and a tolerance that are no such numbers.
    """
    check_wishes(calls, tolerance)
    if operator is None:
        function = f.function if isinstance(f, Problem) else as_function(f)
        number = len(function.outputs) == 1 and not function.outputs[0].shape
        operator = Operator.GRADIENT if number else Operator.JACOBIAN
    found = compare(f, at, operator, methods=methods, engines=engines, wrt=wrt, timeout=timeout)
    return judgement(found.records, calls, tolerance, Comparison(found.records).title)


def check_wishes(calls: int, tolerance: float | None) -> None:
    """Raises DiffCompareError where nothing can be recommended for these."""
    if not isinstance(calls, int) or isinstance(calls, bool) or calls < 1:
        raise DiffCompareError(f"calls is a whole number of calls, at least 1, got {calls!r}")
    if tolerance is not None and not (isinstance(tolerance, int | float) and 0 < tolerance < math.inf):
        raise DiffCompareError(f"tolerance is a relative error above 0, such as 1e-6, got {tolerance!r}")


def judgement(records: Iterable[Measurement], calls: int = CALLS, tolerance: float | None = None, title: str = "") -> Recommendation:
    """The choice among the methods and engines of the records: right at every point of every question that was asked, then
    least time for preparation and calls, relative to the best for each question (the geometric mean over the questions).
    """
    groups: dict[Who, list[Measurement]] = {}
    for m in records:
        groups.setdefault((m.method, m.engine), []).append(m)
    asked = {(question(m), m.point, m.at) for group in groups.values() for m in group}
    faults = {who: _fault(group, len(asked), tolerance) for who, group in groups.items()}
    timed = {who: _times(group) for who, group in groups.items() if faults[who] is None}
    right = sorted(_candidates(groups, timed, calls), key=lambda c: c.relative)
    rejected = [Rejected(*who, *fault) for who, fault in faults.items() if fault is not None]
    rejected.sort(key=lambda r: WORST_FIRST.index(r.kind))
    if right:
        rejected = [*(_behind(c, right[0], calls) for c in right[1:]), *rejected]
    reasons = tuple(_reasons(right, calls, tolerance) if right else _none(rejected, groups))
    return Recommendation(title, calls, tolerance, tuple(right), reasons, tuple(rejected))


# --- right or not ---


def _fault(group: Sequence[Measurement], asked: int, tolerance: float | None) -> tuple[str, str] | None:
    """(kind, reason) of the worst that keeps a method from being taken; None if nothing does."""
    found = [fault for m in group if (fault := _fault_at(m, tolerance)) is not None]
    if len(group) < asked:
        found.append(("not measured", f"{asked - len(group)} of {asked} points were not measured"))
    if not found:
        return None
    kind, reason = min(found, key=lambda fault: WORST_FIRST.index(fault[0]))
    times_found = sum(k == kind for k, _ in found)
    return kind, reason if asked == 1 or kind == "not measured" else f"at {times_found} of {asked} points: {reason}"


def _fault_at(m: Measurement, tolerance: float | None) -> tuple[str, str] | None:
    by_size = m.status == "ok" or (m.status == "inaccurate" and (m.error_over_bound or 0.0) > 1)
    if by_size and tolerance is not None:
        error = max(m.error_rel or 0.0, m.error_norm or 0.0)
        return None if error <= tolerance else ("inaccurate", f"the relative error is {error:.2g}")
    if m.status == "ok":
        units = m.error_conditioned or 0.0
        reason = f"the relative error is {m.error_rel or 0.0:.2g}, {units:.2g} times what inputs wrong by ε may cause"
        return None if units <= CLOSE else ("inaccurate", reason)
    return {"inaccurate": "wrong"}.get(m.status, m.status.replace("_", " ")), m.message


# --- fast or not ---


def _times(group: Sequence[Measurement]) -> dict[Question, Times]:
    return {question(m): t for m in group if (t := times(m)) is not None}


def _candidates(groups: Mapping[Who, Sequence[Measurement]], timed: Mapping[Who, dict[Question, Times]], calls: int) -> Iterator[Candidate]:
    """The right ones with their times, those that were never called left out."""
    best: dict[Question, float] = {}
    for found in timed.values():
        for asked, t in found.items():
            best[asked] = min(best.get(asked, math.inf), t.total(calls))
    for who, found in timed.items():
        if found:
            ratios = [t.total(calls) / best[asked] for asked, t in found.items()]
            relative = math.exp(math.fsum(map(math.log, ratios)) / len(ratios))
            yield Candidate(
                *who,
                points=len(groups[who]),
                relative=relative,
                error_rel=max(m.error_rel or 0.0 for m in groups[who]),
                error_conditioned=max(m.error_conditioned or 0.0 for m in groups[who]),
                times=tuple(found.values()),
            )


def _behind(c: Candidate, chosen: Candidate, calls: int) -> Rejected:
    """Why a right method is not the one to take."""
    reason = f"{_times_as_long(c, chosen)} times the time"
    if not c.single or not chosen.single:
        return Rejected(c.method, c.engine, "slower", reason)
    (own,), (its,) = c.times, chosen.times
    pays = own.pays_after(its)
    if calls < pays < math.inf:
        reason = f"prepared and called first in {seconds(own.total(1))}, it pays after {pays:,.0f} calls of {seconds(own.call_s)}"
        return Rejected(c.method, c.engine, "too slow to prepare", reason)
    return Rejected(c.method, c.engine, "slower", reason)


# --- in words ---


def _times_as_long(c: Candidate, chosen: Candidate) -> str:
    ratio = c.relative / chosen.relative
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def _reasons(right: Sequence[Candidate], calls: int, tolerance: float | None) -> Iterator[str]:
    chosen = right[0]
    accurate = f"its worst error {chosen.error_conditioned:.2g} times what inputs wrong by ε may cause"
    if tolerance is not None:
        accurate = f"its worst relative error {chosen.error_rel:.2g}, where {tolerance:g} is allowed"
    yield f"right at {'the point' if chosen.points == 1 else f'all {chosen.points} points'}, {accurate}"
    if chosen.single:
        (t,) = chosen.times
        yield (
            f"the fastest of {len(right)} that are right, for {calls:,} calls: {seconds(t.total(calls))} in all, "
            f"{seconds(t.prepare_s)} of it to prepare, {seconds(t.first_s)} for the first call, {seconds(t.call_s)} for each further one"
        )
    else:
        yield (
            f"for preparation and {calls:,} calls the fastest of {len(right)} that are right everywhere, "
            f"on average {chosen.relative:.2g} times the best time of these"
        )
    if len(right) > 1:
        listed = ", ".join(f"{c.method} on {c.engine} ({_times_as_long(c, chosen)}×)" for c in right[1:4])
        yield f"next by time: {listed}"


def _none(rejected: Sequence[Rejected], groups: Mapping[Who, Sequence[Measurement]]) -> Iterator[str]:
    if not groups:
        yield "nothing was measured"
        return
    yield "nothing that was measured is known to be right at every point"
    errors = {
        who: max(m.error_rel for m in g if m.error_rel is not None) for who, g in groups.items() if all(m.error_rel is not None for m in g)
    }
    if errors:
        (method, engine), error = min(errors.items(), key=lambda item: item[1])
        yield f"the closest is {method} on {engine}, with a relative error of {error:.2g}"

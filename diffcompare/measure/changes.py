"""What changed between two sets of records, and never more than their samples show.

Accuracy is compared as it is: the same code gives the same error on every run. Times are compared by a test of their
samples and by size, and only between records of one machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from .environment import Environment
from .record import STATUSES, Measurement, question

CHANCE = 0.05
"""The share of the changes of speed claimed that may be chance, in expectation (Benjamini and Hochberg 1995); where nothing
has changed, the probability that anything is claimed."""
LEAST_RATIO = 1.15
"""Medians and least samples both have to be this far apart, and beyond what all methods of the question share: two runs of
one program differ by as much in ways that no sample of one run shows."""
MANY = 10
"""Of so many methods on engines the median change is what they share: the machine, or code that all of them run."""
WORSE, MORE_UNITS = 2.0, 1.0
"""An error has changed if it is more than WORSE times the other, and MORE_UNITS of what inputs wrong by ε may cause."""
MACHINE = ("cpu", "cores", "system", "threads")
"""The fields of an environment that must agree for times to be compared."""
SOFTWARE = ("python", "packages", "code", "revision")

PHASES: dict[str, Callable[[Measurement], Sequence[float]]] = {
    "prepare": lambda m: [d + c for d, c in zip(m.derive_samples_s, m.compile_samples_s, strict=False)],
    "call": lambda m: m.call_samples_s,
    "batch": lambda m: m.batch_samples_s,
}
RANK = {s: k for k, s in enumerate(("ok", "unjudged", "unsupported", "too_large", "inaccurate", "nan", "timeout", "failed"))}
"""Statuses from best to worst."""


@dataclass(frozen=True)
class Change:
    """What became of one cell. kind: slower, faster, less accurate, more accurate, worse or better (another status).

    what: the phase, "error" or "status"; before, after: seconds (medians), units of error, or statuses.
    p: the probability of such samples where nothing has changed; None for what no chance is in.
    """

    new: Measurement
    kind: str
    what: str
    before: Any
    after: Any
    p: float | None = None

    @property
    def regression(self) -> bool:
        """Whether it is for the worse."""
        return self.kind in REGRESSIONS

    @property
    def ratio(self) -> float:
        """after over before; NaN for statuses, inf from 0."""
        if isinstance(self.before, str):
            return math.nan
        return self.after / self.before if self.before else math.inf


KINDS = ("worse", "less accurate", "slower", "better", "more accurate", "faster")
REGRESSIONS = KINDS[:3]


@dataclass
class Changes:
    """All changes, the worst kinds first. compared: cells in both; only_old, only_new: cells in one.

    timed: phases of cells whose times could be compared; common: the median ratio of these, new over old.
    refused: why times were not compared, with the number of cells. software: what else differs, in words.
    """

    changes: list[Change] = field(default_factory=list)
    compared: int = 0
    only_old: int = 0
    only_new: int = 0
    timed: int = 0
    common: float = math.nan
    refused: dict[str, int] = field(default_factory=dict)
    software: list[str] = field(default_factory=list)

    @property
    def regressions(self) -> list[Change]:
        """Those for the worse."""
        return [c for c in self.changes if c.regression]


class _Timing(NamedTuple):
    new: Measurement
    phase: str
    before: Sequence[float]
    after: Sequence[float]

    @property
    def ratio(self) -> float:
        return median(self.after) / median(self.before)

    def large(self, common: float) -> bool:
        """Whether medians and least samples agree on a change that is large, and not that of all."""
        least = min(self.after) / min(self.before)
        slower, faster = LEAST_RATIO * max(1.0, common), min(1.0, common) / LEAST_RATIO
        return min(self.ratio, least) >= slower or max(self.ratio, least) <= faster


def changes(
    old: Iterable[Measurement],
    new: Iterable[Measurement],
    before: Mapping[str, Environment],
    after: Mapping[str, Environment],
) -> Changes:
    """Of the latest record of each cell. before, after: the environments of the old and of the new records, by id."""
    olds, news = {m.key: m for m in old}, {m.key: m for m in new}
    both = [(olds[key], m) for key, m in news.items() if key in olds]
    found = Changes(compared=len(both), only_old=len(olds.keys() - news.keys()), only_new=len(news.keys() - olds.keys()))
    found.changes += [c for pair in both if (c := _accuracy(*pair)) is not None]
    timings: list[_Timing] = []
    for o, n in both:
        if o.status != "ok" or n.status != "ok" or not any(samples(o) and samples(n) for samples in PHASES.values()):
            continue
        reason = refusal(before.get(o.environment), after.get(n.environment))
        if reason:
            found.refused[reason] = found.refused.get(reason, 0) + 1
        else:
            timings += [_Timing(n, phase, b, a) for phase, samples in PHASES.items() if (b := samples(o)) and (a := samples(n))]
    found.timed = len(timings)
    found.common = median(t.ratio for t in timings) if timings else math.nan
    found.changes += _speed(timings)
    found.changes.sort(key=lambda c: (KINDS.index(c.kind), -abs(math.log(c.ratio)) if 0 < c.ratio < math.inf else -math.inf))
    used = ((before.get(o.environment), after.get(n.environment)) for o, n in both)
    found.software = list(dict.fromkeys(words for b, a in dict.fromkeys(used) if b and a for words in _software(b, a)))
    return found


# --- accuracy ---


def _accuracy(old: Measurement, new: Measurement) -> Change | None:
    """A change of status, or of the error by more than a rounding here or there."""
    assert set(RANK) == set(STATUSES)
    if old.status != new.status:
        return Change(new, "worse" if RANK[new.status] > RANK[old.status] else "better", "status", old.status, new.status)
    before, after = _error(old), _error(new)
    if before is None or after is None:
        return None
    if after > WORSE * before + MORE_UNITS:
        return Change(new, "less accurate", "error", before, after)
    if before > WORSE * after + MORE_UNITS:
        return Change(new, "more accurate", "error", before, after)
    return None


def _error(m: Measurement) -> float | None:
    """In units of what inputs wrong by ε may cause; in ulps where that is not known."""
    return m.error_ulp if m.error_conditioned is None else m.error_conditioned


# --- speed ---


def refusal(before: Environment | None, after: Environment | None) -> str:
    """Why times in these two environments are not compared; "" if they are."""
    if before is None or after is None:
        return f"the records do not say where the {'old' if before is None else 'new'} ones were measured"
    for name in MACHINE:
        a, b = getattr(before, name), getattr(after, name)
        if a != b:
            return f"another machine: {name} was {a or 'not set'}, is {b or 'not set'}"
    return ""


def _speed(timings: Sequence[_Timing]) -> Iterator[Change]:
    """The changes that are large, and significant among as many comparisons as were made."""
    groups: dict[tuple[str, ...], list[_Timing]] = {}
    for t in timings:
        groups.setdefault((*question(t.new), t.phase), []).append(t)
    shared = {group: median(t.ratio for t in found) if len(found) >= MANY else 1.0 for group, found in groups.items()}
    large = [t for group, found in groups.items() for t in found if t.large(shared[group])]
    tested = sorted(((probability(t.before, t.after), k) for k, t in enumerate(large)), key=lambda pair: pair[0])
    # Benjamini and Hochberg: the greatest rank whose p is below its share of CHANCE, of all comparisons, not of the large ones
    significant = max((k for k, (p, _) in enumerate(tested, start=1) if p <= CHANCE * k / len(timings)), default=0)
    for p, k in tested[:significant]:
        t = large[k]
        yield Change(t.new, "slower" if t.ratio > 1 else "faster", t.phase, median(t.before), median(t.after), p)


def probability(before: Sequence[float], after: Sequence[float]) -> float:
    """Of samples that lie as far apart, were they drawn alike (Mann and Whitney 1947, two-sided, exact where no two are equal)."""
    from scipy.stats import mannwhitneyu

    distinct = len({*before, *after}) == len(before) + len(after)
    return float(mannwhitneyu(before, after, alternative="two-sided", method="exact" if distinct else "asymptotic").pvalue)


def _software(before: Environment, after: Environment) -> Iterator[str]:
    """What differs beside the machine; packages one by one."""
    for name in SOFTWARE:
        a, b = getattr(before, name), getattr(after, name)
        if name == "packages":
            old, new = (dict(p.split("=", 1) for p in text.split()) for text in (a, b))
            for package in dict.fromkeys([*old, *new]):
                if old.get(package) != new.get(package):
                    yield f"{package} {old.get(package, 'absent')} → {new.get(package, 'absent')}"
        elif a != b:
            yield f"{name} {a or 'unknown'} → {b or 'unknown'}"

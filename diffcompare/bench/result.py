"""What findings say: median times, ratios taken turn by turn, the bars and whether they are met."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .workload import Bar, Group, Phase, Workload

Key = tuple[str, str, str]
"""Group, workload, contender."""


@dataclass(frozen=True)
class Ratio:
    """Our time over another's: the median over all turns, and where 10 and 90 of 100 of them lie."""

    median: float
    p10: float
    p90: float


@dataclass(frozen=True)
class Verdict:
    """A bar and what was measured. ours_s, theirs_s: medians, None where they were not measured; then `why` says so."""

    group: str
    workload: str
    bar: Bar
    against: str
    ratio: Ratio | None
    ours_s: float | None = None
    theirs_s: float | None = None
    why: str = ""

    @property
    def met(self) -> bool | None:
        """None where there is nothing to compare with."""
        return None if self.ratio is None else self.ratio.median <= self.bar.most


class Findings:
    """All rows of a run, by contender."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.turns: dict[tuple[Key, Phase], dict[int, list[float]]] = defaultdict(dict)
        self.ulp: dict[Key, tuple[float, float]] = {}
        self.refused: dict[Key, str] = {}
        self.failed: list[str] = []
        self.environment: dict[str, Any] = {}
        for row in rows:
            self._add(row)

    def _add(self, row: dict[str, Any]) -> None:
        match row["kind"]:
            case "environment":
                self.environment = row
            case "failed":
                self.failed.append(f"{row['group']}, process {row['process'] + 1}: {row['message']}")
            case "done":
                pass
            case kind:
                key = row["group"], row["workload"], row["contender"]
                if kind == "ulp":
                    self.ulp[key] = row["median"], row["worst"]
                elif kind == "refused":
                    self.refused[key] = row["message"]
                else:
                    self.turns[key, Phase(kind)][row["process"]] = row["seconds"]

    def seconds(self, key: Key, phase: Phase = Phase.RUN) -> float | None:
        """The median of all turns."""
        samples = [s for turns in self.turns.get((key, phase), {}).values() for s in turns]
        return statistics.median(samples) if samples else None

    def ratio(self, ours: Key, theirs: Key, phase: Phase) -> Ratio | None:
        """Of the turns that both took in the same round of the same process."""
        a, b = self.turns.get((ours, phase), {}), self.turns.get((theirs, phase), {})
        found = [x / y for process in a.keys() & b.keys() for x, y in zip(a[process], b[process], strict=False)]
        return _ratio(found) if found else None

    def measured(self, group: str, workload: str) -> list[str]:
        """Contenders with times."""
        return [c for (g, w, c), phase in self.turns if g == group and w == workload and phase is Phase.RUN]


def _ratio(samples: Sequence[float]) -> Ratio:
    p10, median, p90 = np.percentile(samples, [10, 50, 90])
    return Ratio(float(median), float(p10), float(p90))


# --- bars ---

NOT_PEERS = ("diffcompare", "copy", "numpy by hand", "function alone")
"""Beginnings of the names of contenders that "best" does not mean."""


def verdicts(found: Findings, group: Group, workloads: Sequence[Workload]) -> list[Verdict]:
    """Of every bar of a group."""
    rows = [_verdict(found, group, w, bar) for w in workloads for bar in w.bars]
    if group.mean:
        rows += [_mean(found, group, workloads, bar) for bar in group.bars]
    ready = [_ready(found, group, w) for w in workloads]
    return rows + [r for r in ready if r is not None]


def _verdict(found: Findings, group: Group, w: Workload, bar: Bar) -> Verdict:
    ours: Key = (group.name, w.name, bar.ours)
    mine = found.seconds(ours, bar.phase)
    if bar.against.endswith(" ns"):
        limit = float(bar.against.split()[0]) * 1e-9
        samples = [s / limit for turns in found.turns.get((ours, bar.phase), {}).values() for s in turns]
        return Verdict(group.name, w.name, bar, bar.against, _ratio(samples) if samples else None, mine, limit, found.refused.get(ours, ""))
    against = _best(found, group, w, bar.phase) if bar.against == "best" else bar.against
    if against is None or mine is None:
        return Verdict(group.name, w.name, bar, bar.against, None, mine, None, found.refused.get(ours, "no peer was measured"))
    theirs: Key = (group.name, w.name, against)
    ratio = found.ratio(ours, theirs, bar.phase)
    return Verdict(group.name, w.name, bar, against, ratio, mine, found.seconds(theirs, bar.phase), found.refused.get(theirs, ""))


def _best(found: Findings, group: Group, w: Workload, phase: Phase, most_s: float = math.inf) -> str | None:
    """The fastest peer, among those whose run takes at most most_s."""
    times = {}
    for name in found.measured(group.name, w.name):
        run, seconds = found.seconds((group.name, w.name, name)), found.seconds((group.name, w.name, name), phase)
        if run is not None and seconds is not None and run <= most_s and not name.startswith(NOT_PEERS):
            times[name] = seconds
    return min(times, key=lambda n: times[n]) if times else None


READY = Bar("diffcompare llvm", "best ready", 1.0, 0.5, Phase.PREPARE, "among those at most twice as slow to run")


def _ready(found: Findings, group: Group, w: Workload) -> Verdict | None:
    """From expression to callable, against the fastest peer within twice our run time; None where there is none."""
    ours: Key = (group.name, w.name, READY.ours)
    run, mine = found.seconds(ours), found.seconds(ours, Phase.PREPARE)
    if run is None or mine is None:
        return None
    against = _best(found, group, w, Phase.PREPARE, 2 * run)
    if against is None:
        return None
    theirs: Key = (group.name, w.name, against)
    return Verdict(group.name, w.name, READY, against, found.ratio(ours, theirs, Phase.PREPARE), mine, found.seconds(theirs, Phase.PREPARE))


COPIES = 3
"""Where the peer takes over so many copies, arithmetic decides, not memory."""


def _mean(found: Findings, group: Group, workloads: Sequence[Workload], bar: Bar) -> Verdict:
    """The geometric mean over the workloads where the peer takes over COPIES copies (bar.note "over ..."), or over the others."""
    chosen = []
    for w in workloads:
        theirs, copied = (found.seconds((group.name, w.name, n)) for n in (bar.against, "copy"))
        ratio = found.ratio((group.name, w.name, bar.ours), (group.name, w.name, bar.against), bar.phase)
        if theirs is not None and copied is not None and ratio is not None and (theirs > COPIES * copied) == bar.note.startswith("over"):
            chosen.append(ratio)
    name = f"geometric mean of {len(chosen)}"
    if not chosen:
        return Verdict(group.name, name, bar, bar.against, None, why="no such formula was measured")
    means = [statistics.geometric_mean(getattr(r, part) for r in chosen) for part in ("median", "p10", "p90")]
    return Verdict(group.name, name, bar, bar.against, Ratio(*means))

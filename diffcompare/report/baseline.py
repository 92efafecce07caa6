"""A report against an older one: what changed, measured again before it is claimed, in words and as rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import DiffCompareError
from ..measure.changes import CHANCE, KINDS, LEAST_RATIO, Change, Changes, changes
from ..measure.comparison import seconds
from ..measure.progress import measure_all
from ..measure.record import Records, packed, read
from ..measure.run import Job, Limits

CONFIRMATIONS = 2
"""Times that a cell is measured anew before a change of its speed is claimed: a busy moment does not come three times."""
COLUMNS = ("change", "problem", "operator", "point", "method", "engine", "what", "before", "after", "ratio", "p")
LISTED = 40
"""Changes that a terminal shows; the report and its data/changes.csv have all."""


def read_baseline(place: Path, out: Path, name: str) -> Records:
    """The records of an older report: its folder, or the file of records itself, called `name` in a report's folder data.

    Raises DiffCompareError where there are none, none can be read, or they are those of the report to be written at `out`.
    """
    path = place / "data" / name if place.is_dir() else place
    if not path.is_file() and not packed(path).is_file():
        raise DiffCompareError(f"no baseline at {path}: give the folder of an older report, or its data/{name}")
    if path.resolve() == (out / "data" / name).resolve():
        raise DiffCompareError(f"the baseline {place} is the report to be written: choose another folder with --out")
    records = read(path)
    if not records.measurements:
        reason = f": {records.complaints[0]}" if records.complaints else ", it is empty"
        raise DiffCompareError(f"the baseline {path} holds no measurement that can be read{reason}")
    return records


def changed(old: Records, planned: Sequence[Job], limits: Limits, path: Path) -> Changes:
    """What changed from the old records to those at the path, which are of what was planned.

    Cells of which a change of speed is to be claimed are measured again, CONFIRMATIONS times, which the path's records keep;
    the claims that come out each time remain. Raises KeyboardInterrupt where that is interrupted.
    """
    found = _changes(old, planned, path)
    for _ in range(CONFIRMATIONS):
        claimed = {c.new.key for c in found.changes if c.p is not None}
        if not claimed:
            break
        if not measure_all(planned, limits, path, again=claimed):
            raise KeyboardInterrupt
        before = {_claim(c) for c in found.changes}
        found = _changes(old, planned, path)
        found.changes = [c for c in found.changes if c.p is None or _claim(c) in before]
    return found


def _changes(old: Records, planned: Sequence[Job], path: Path) -> Changes:
    new = read(path)
    wanted = {key for job in planned for cell in job.cells for key in job.keys(*cell)}
    return changes(old.latest(), (m for m in new.latest() if m.key in wanted), old.environments, new.environments)


def _claim(c: Change) -> tuple[object, ...]:
    return (c.new.key, c.kind, c.what)


# --- in words ---


def sentences(found: Changes, name: str) -> list[str]:
    """What was compared with the report `name`, what was not and why, and how many changes there are."""
    listed = Counter(c.kind for c in found.changes)
    counts = ", ".join(f"{listed[k]} {k}" for k in KINDS if k in listed) or "no change"
    said = [f"against {name}: {counts}, in {found.compared} cells that both have"]
    alone = [f"{n} in the {which} report alone" for n, which in ((found.only_old, "old"), (found.only_new, "new")) if n]
    if alone:
        said.append(f"cells not compared: {', '.join(alone)}")
    if found.timed:
        said.append(
            f"times compared: {found.timed} phases of cells, all together {found.common:.2f} times the old; claimed are changes of at least "
            f"{LEAST_RATIO - 1:.0%}, beyond what the methods of a problem share, of which {CHANCE:.0%} or less may be chance, "
            f"and which came out again when measured again"
        )
    said += [f"times not compared in {n} cells: {reason}" for reason, n in found.refused.items()]
    if found.software:
        said.append(f"else different: {', '.join(found.software)}")
    return said


def rows(found: Sequence[Change]) -> Iterator[tuple[str, ...]]:
    """Each change as text, in the order of COLUMNS."""
    for c in found:
        timed = c.p is not None
        before, after = (seconds(v) if timed else v if isinstance(v, str) else f"{v:.3g}" for v in (c.before, c.after))
        ratio = "" if isinstance(c.before, str) else f"{c.ratio:.3g}"
        what = c.what if timed or c.what == "status" else "error, in what inputs wrong by ε may cause"
        m = c.new
        place = (m.source or m.problem, m.operator, m.at or m.point, m.method, m.engine)
        yield (c.kind, *place, what, before, after, ratio, f"{c.p:.1g}" if timed else "")


def text(found: Changes, name: str) -> str:
    """For a terminal: the sentences, and a line for each change."""
    lines = [" ".join(part for part in row if part) for row in _readable(found.changes[:LISTED])]
    more = [f"  and {left} more, in the report"] if (left := len(found.changes) - LISTED) > 0 else []
    return "\n".join([*sentences(found, name), *(f"  {line}" for line in lines), *more])


def _readable(found: Sequence[Change]) -> Iterator[tuple[str, ...]]:
    for change, problem, operator, point, method, engine, what, before, after, ratio, p in rows(found):
        of = f"{operator} of {problem}" + (f" at {point}" if point else "")
        yield (f"{change}:", f"{method} on {engine},", f"{of},", f"{what}:", f"{before} → {after}", ratio and f"({ratio}×)", p and f"p {p}")

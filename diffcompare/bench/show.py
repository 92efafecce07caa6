"""The report of a run: report.md with the bars first, then every contender's time and error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .contender import contenders
from .result import Findings, Verdict, verdicts
from .workload import Group, Phase, Workload


def seconds_text(seconds: float | None) -> str:
    """With a unit, three digits."""
    if seconds is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def report(found: Findings, groups: Sequence[Group]) -> str:
    """Markdown."""
    built = [(g, list(g.build())) for g in groups]
    rows = [v for g, workloads in built for v in verdicts(found, g, workloads)]
    parts = ["# diffcompare bench", _summary(rows), "## Bars", _bars(rows), "## Times"]
    for group, workloads in built:
        parts += [f"### {group.title}", _times(found, group, workloads)]
    parts += ["## Contenders", "\n".join(f"- **{c.name}**: {c.source}" for c in contenders().values())]
    if found.refused:
        refusals = sorted({f"- {w}: {c}: {text}" for (_, w, c), text in found.refused.items()})
        parts += ["## Who took no part, and why", "\n".join(refusals)]
    if found.failed:
        parts += ["## Processes that failed", "\n".join(f"- {f}" for f in found.failed)]
    e = found.environment
    parts += ["## Measured on", f"{e.get('cpu')}, {e.get('cores')} cores; {e.get('system')}; {e.get('python')}; {e.get('packages')}"]
    return "\n\n".join(p for p in parts if p) + "\n"


def _summary(rows: Sequence[Verdict]) -> str:
    run, prepare = ([v for v in rows if v.met is not None and v.bar.phase is phase] for phase in (Phase.RUN, Phase.PREPARE))
    text = f"{sum(bool(v.met) for v in run)} of {len(run)} bars of running are met, {sum(bool(v.met) for v in prepare)} of {len(prepare)} "
    text += "of preparing. A ratio is our time over theirs, both taken in the same round of the same process: below 1 we are faster. "
    text += "Given are the median and, in brackets, where 10 and 90 of 100 ratios lie."
    missed = [f"{v.workload} against {v.against}, {v.ratio.median:.2f} (bar {v.bar.most:g})" for v in run if not v.met and v.ratio]
    return text + ("\n\nMissed in running: " + "; ".join(missed) + "." if missed else "")


def _bars(rows: Sequence[Verdict]) -> str:
    head = ("workload", "ours", "against", "phase", "our time", "their time", "ratio [p10, p90]", "bar", "stretch", "met")
    return table(head, [_bar(v) for v in rows])


def _bar(v: Verdict) -> list[str]:
    ratio = f"{v.ratio.median:.2f} [{v.ratio.p10:.2f}, {v.ratio.p90:.2f}]" if v.ratio else f"not measured: {v.why}"
    stretch = "" if v.bar.stretch is None else f"{v.bar.stretch:g}" + (" met" if v.ratio and v.ratio.median <= v.bar.stretch else "")
    note = f" ({v.bar.note})" if v.bar.note else ""
    met = {True: "yes", False: "**no**", None: ""}[v.met]
    ours = v.bar.ours.removeprefix("diffcompare ")
    times = seconds_text(v.ours_s), seconds_text(v.theirs_s)
    return [v.workload, ours, v.against + note, v.bar.phase.value, *times, ratio, f"{v.bar.most:g}", stretch, met]


def _times(found: Findings, group: Group, workloads: Iterable[Workload]) -> str:
    rows = []
    for w in workloads:
        times = [(found.seconds((group.name, w.name, c)), c) for c in found.measured(group.name, w.name)]
        for seconds, name in sorted((s, c) for s, c in times if s is not None):
            key = group.name, w.name, name
            error = found.ulp.get(key)
            rows.append(
                [
                    w.name,
                    name,
                    seconds_text(seconds),
                    seconds_text(seconds / w.points) if w.points > 1 else "",
                    seconds_text(found.seconds(key, Phase.PREPARE)),
                    "" if error is None else f"{error[0]:.3g}",
                    "" if error is None else f"{error[1]:.3g}",
                ]
            )
    cores = "all cores" if group.cores is None else f"{group.cores} core{'s' if group.cores > 1 else ''}"
    head = ("workload", "contender", f"time, {cores}", "a point", "to prepare", "median ulp", "worst ulp")
    return table(head, rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)

"""How honest differences are, as a report on disk: `python -m diffcompare.report.honesty --out FOLDER`."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..measure.honesty import ALLOWED, EPSILON, FAMILIES, Honesty, Row, fields, honesty

LEGEND = """\
**honest** is the share of points whose error is at most the method's own estimate of it, plus 4 ε of the derivative; a point
where the method gives no finite estimate claims nothing and counts as honest. **claimed** is the share of points where it
gives one. Errors are relative to the derivative, which is certified by ball arithmetic and rounded once; a point without a
value counts as infinitely wrong. **estimate** is the median of the estimates, relative too: an estimate can be honest and
idle. **evaluations** of the function are counted, for each point, by the engine that all methods call."""


def markdown(found: Honesty) -> str:
    """The report: what the promise of fd.adaptive came to, the errors and the honesty of all, each family in full."""
    e = found.environment
    methods = list(dict.fromkeys(r.method for r in found.rows))
    families = [f for f in FAMILIES if any(r.family == f.name for r in found.rows)]
    count, seeds = len(found.seeds) * found.points, ", ".join(map(str, found.seeds))
    lines = [
        "# How honest differences are",
        "",
        f"{len(families)} functions of one number, {count} points each: {found.points} with each of the seeds {seeds} of NumPy's",
        "default_rng. Written by `python -m diffcompare.report.honesty`.",
        "",
        LEGEND,
        "",
        f"Measured {e.taken} on {e.cpu}, {e.cores} cores, {e.python}; {e.packages}; peers {found.libraries}; code {e.code}"
        + (f", revision {e.revision}." if e.revision else "."),
        "",
        "## The promise of fd.adaptive",
        "",
        "At least 99 % honest; median error at most 10 times that of the best peer, or 4 ε.",
        "",
        *_table(
            ["family", "points drawn", "honest", "median error", "best peer", "kept"], [_promise(found, f.name, f.where) for f in families]
        ),
    ]
    sheets: list[tuple[str, Callable[[Row], str]]] = [
        ("Honest", lambda r: "" if r.honest is None else _share(r.honest)),
        ("Median relative error", lambda r: _number(r.median)),
        ("95th percentile of the relative error", lambda r: _number(r.p95)),
        ("Median estimate, relative", lambda r: _number(r.estimate)),
        ("Claimed", lambda r: "" if r.claimed is None else _share(r.claimed)),
        ("Evaluations for each point", lambda r: "" if r.evaluations is None else f"{r.evaluations:.1f}"),
    ]
    for title, cell in sheets:
        body = [[m, *(_cell(found.row(f.name, m), cell) for f in families)] for m in methods]
        lines += ["", f"## {title}", "", *_table(["", *(f.name for f in families)], body)]
    reasons = dict.fromkeys(f"- {r.method}: {r.status}" for r in found.rows if r.status != "ok")
    if reasons:
        lines += ["", "## Without an answer", "", *reasons]
    return "\n".join(lines) + "\n"


def keeps_promise(found: Honesty, family: str) -> bool:
    """Whether fd.adaptive is honest for 99 points of 100, and within 10 of the best peer's median error or 4 ε."""
    row = found.row(family, "fd.adaptive")
    assert row.honest is not None and row.median is not None
    return row.honest >= 0.99 and row.median <= max(10 * found.best_peer(family), ALLOWED)


def _promise(found: Honesty, family: str, where: str) -> list[str]:
    row, best = found.row(family, "fd.adaptive"), found.best_peer(family)
    peer = "none installed" if best == float("inf") else _number(best)
    return [family, where, _share(row.honest or 0.0), _number(row.median), peer, "yes" if keeps_promise(found, family) else "**no**"]


def _cell(row: Row, cell: Callable[[Row], str]) -> str:
    if row.status == "ok":
        return cell(row)
    return "not installed" if "not installed" in row.status else "no answer"


def _share(part: float) -> str:
    return f"{100 * part:.1f} %"


def _number(number: float | None) -> str:
    if number is None:
        return ""
    return "< ε" if number < EPSILON else f"{number:.1e}"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *body]
    return ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines]


def table(found: Honesty) -> str:
    """The rows as comma-separated values with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields())
    for r in found.rows:
        writer.writerow(["" if (v := getattr(r, n)) is None else f"{v:.6g}" if isinstance(v, float) else v for n in fields()])
    return text.getvalue()


def write(found: Honesty, folder: Path) -> list[Path]:
    """report.md and results.csv in the folder; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"report.md": markdown(found), "results.csv": table(found)}
    for name, content in texts.items():
        (folder / name).write_text(content, encoding="utf-8", newline="\n")
    return [folder / name for name in texts]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write; exit code 1 if fd.adaptive does not keep its promise."""
    parser = argparse.ArgumentParser(prog="python -m diffcompare.report.honesty", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("reports/adaptive"), help="the folder to write to")
    parser.add_argument("--points", type=int, default=400, help="of each function with each seed")
    parser.add_argument("--seed", type=int, action="append", help="may be repeated; 0, 1 and 2 by default")
    given = parser.parse_args(arguments)
    found = honesty(tuple(given.seed or (0, 1, 2)), given.points)
    for path in write(found, given.out):
        sys.stdout.write(f"written to {path}\n")
    broken = [f.name for f in FAMILIES if not keeps_promise(found, f.name)]
    if broken:
        sys.stderr.write(f"fd.adaptive does not keep its promise on {', '.join(broken)}\n")
        raise SystemExit(1)


if __name__ == "__main__":
    main()

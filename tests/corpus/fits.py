"""NIST's nonlinear regressions fitted by diffcompare.fit; `python fits.py FOLDER` writes the table, with DIFFCOMPARE_CORPORA set.

Digits are NIST's: -log10 of the relative error against the certified value (LRE), the least over the parameters, at most 11,
the digits that are certified.
"""

from __future__ import annotations

import csv
import importlib.metadata
import os
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import diffcompare as dc
from diffcompare.differentiators.base import Differentiator
from diffcompare.differentiators.finite_difference import FiniteDifference
from diffcompare.fitting.least_squares import Fit
from diffcompare.problem import Family, library

METHODS: dict[str, str | Differentiator] = {
    **{name: name for name in ("manual", "ad.forward", "ad.reverse", "symbolic", "fd.central", "fd.forward")},
    "fd.central, relative": FiniteDifference("central", scale="relative"),
}
"""By column. fd.central's step is a part of max(1, |b|), a relative one a part of |b|."""
ALGORITHMS = ("lm", "trf")
CERTIFIED_DIGITS = 11
WANTED = 8
"""Digits to be reached."""
EVALUATIONS = 5000


@dataclass(frozen=True)
class DataSet:
    """One file: starts (2, n), the certified parameters and their standard deviations (n,), the sum of squares, data by input."""

    name: str
    level: str
    starts: np.ndarray
    certified: np.ndarray
    deviations: np.ndarray
    rss: float
    data: dict[str, np.ndarray]

    @property
    def family(self) -> Family:
        entry = library()[f"nist_{self.name.lower()}"]
        assert isinstance(entry, Family)
        return entry

    def fit(self, start: int, method: str | Differentiator, algorithm: str) -> Fit:
        """The fit to the measurements from start 0 or 1."""
        residuals = self.family(len(self.data["y"])).function
        return dc.fit(residuals, self.starts[start], self.data, method=method, algorithm=algorithm, evaluations=EVALUATIONS)

    def best(self, start: int, method: str | Differentiator) -> tuple[str, Fit]:
        """(algorithm, fit) with the least sum of squares; the first algorithm unless another finds one smaller by a thousandth."""
        tried = [(a, self.fit(start, method, a)) for a in ALGORITHMS]
        least = min(fitted.rss for _, fitted in tried)
        return next((a, fitted) for a, fitted in tried if fitted.rss <= 1.001 * least)


def read(path: Path) -> DataSet:
    """A .dat file, whose head says in which lines its parts stand."""
    lines = path.read_text(encoding="ascii").splitlines()

    def part(title: str) -> list[str]:
        first, last = next(m.groups() for line in lines[:12] if (m := re.search(rf"{title} +\(lines +(\d+) to +(\d+)\)", line)))
        return lines[int(first) - 1 : int(last)]

    def after(title: str) -> str:
        return next(line for line in lines if line.startswith(title)).partition(":")[2].split()[-1]

    table = np.array([line.partition("=")[2].split() for line in part("Starting Values") if "=" in line], dtype=float)
    columns = np.array([line.split() for line in part("Data") if line.strip()], dtype=float).T
    names = ("y", "x") if len(columns) == 2 else ("y", "x1", "x2")
    level = next(line.split()[0] for line in lines if "Level of Difficulty" in line).lower()
    rss = float(after("Residual Sum of Squares"))
    return DataSet(path.stem, level, table[:, :2].T, table[:, 2], table[:, 3], rss, dict(zip(names, columns, strict=True)))


def data_sets(corpora: Path) -> list[DataSet]:
    return [read(path) for path in sorted((corpora / "nist_strd").glob("*.dat"), key=lambda p: p.name.lower())]


def digits(got: Any, certified: Any) -> float:
    """The least LRE over the entries."""
    got, certified = np.atleast_1d(got), np.atleast_1d(certified)
    relative = np.abs(got - certified) / np.abs(certified)
    worst = float(np.max(np.where(np.isfinite(relative), relative, 1.0)))
    return float(CERTIFIED_DIGITS) if worst < 10.0**-CERTIFIED_DIGITS else max(0.0, -float(np.log10(worst)))


# --- the table ---


def rows(corpora: Path) -> Iterator[dict[str, Any]]:
    """A row for each data set and start: the fit with the Jacobian by hand, and the digits by each method."""
    for d in data_sets(corpora):
        for start in (0, 1):
            row: dict[str, Any] = {"data": d.name, "level": d.level, "n": len(d.certified), "m": len(d.data["y"]), "start": start + 1}
            for label, method in METHODS.items():
                algorithm, fitted = d.best(start, method)
                if label == "manual":
                    row["algorithm"] = algorithm
                    row["parameters"] = digits(fitted.parameters, d.certified)
                    row["sum of squares"] = digits(fitted.rss, d.rss)
                    row["deviations"] = digits(fitted.errors, d.deviations)
                    row["evaluations"], row["jacobians"] = fitted.evaluations, fitted.jacobians
                row[label] = digits(fitted.parameters, d.certified)
            sys.stderr.write(f"{row}\n")
            yield row


def report(table: Sequence[dict[str, Any]]) -> str:
    """The table as Markdown."""
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("scipy", "numpy"))
    lines = [
        "# NIST's nonlinear regressions",
        "",
        (
            f"The 27 data sets of NIST's reference data, fitted from both starts by diffcompare.fit: SciPy's least_squares ({versions}), "
            f"lm, or trf where lm ends at a larger sum of squares, tolerances of 1e-15, then Gauss-Newton steps. Digits are those that "
            f"agree with the certified values (LRE), of the worst parameter, at most {CERTIFIED_DIGITS}. Written by tests/corpus/fits.py."
        ),
        "",
        (
            "Lanczos1's sum of squares is 1.4e-25 of data with 14 digits: residuals in float64 keep 3 of its digits, whoever fits. "
            "fd.central takes steps of 6e-6 max(1, |b|): parameters of 1e-7, as Hahn1's, vanish beside them; relative steps do not."
        ),
        "",
        f"## Data sets with {WANTED} digits or more in every parameter, and the median of the digits",
        "",
        "| Jacobian by | from start 1 | median | from start 2 | median |",
        "| --- | --- | --- | --- | --- |",
    ]
    for method in METHODS:
        found = [[r[method] for r in table if r["start"] == start] for start in (1, 2)]
        cells = [f"{sum(d >= WANTED for d in ds)} of {len(ds)} | {statistics.median(ds):.1f}" for ds in found]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    reached = [sum(r["sum of squares"] >= WANTED for r in table if r["start"] == start) for start in (1, 2)]
    lines += ["", f"The sum of squares has {WANTED} digits for {reached[0]} data sets from start 1 and {reached[1]} from start 2.", ""]
    head = list(table[0])
    lines += [
        "## Each data set",
        "",
        "parameters, sum of squares, deviations: digits with the Jacobian by hand; then digits by method.",
        "",
    ]
    lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(_cell(r[h]) for h in head) + " |" for r in table]
    return "\n".join([*lines, ""])


def _cell(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def main(folder: Path) -> None:
    table = list(rows(Path(os.environ["DIFFCOMPARE_CORPORA"])))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(report(table), encoding="utf-8")
    with (folder / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: _cell(v) for k, v in row.items()} for row in table)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

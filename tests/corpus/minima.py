"""SciPy's optimisers on the problems of Moré, Garbow and Hillstrom with our derivatives; `python minima.py FOLDER` writes the table.

The minima are those published, from the corpora (DIFFCOMPARE_CORPORA), for its sizes.
"""

from __future__ import annotations

import csv
import importlib.metadata
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import diffcompare as dc
from diffcompare.problem import Problem, find
from diffcompare.reference import certify

SIZES = {6: "m=10", 11: "m=99", 12: "m=10", 16: "m=20", 18: "m=13", 20: "n=6", 21: "n=8", 22: "n=4", 23: "n=4", 24: "n=4", 25: "n=6"}
SIZES |= {26: "n=4", 27: "n=4", 28: "n=5", 29: "n=5", 30: "n=5", 31: "n=5", 32: "n=4, m=100", 33: "n=5, m=100", 34: "n=5, m=100"}
SIZES |= {35: "n=8, m=8"}
"""The sizes of the published minima."""
METHODS = ("manual", "ad.forward", "ad.reverse", "symbolic")
EPSILON = 2.0**-52
STEPS = 5000


@dataclass(frozen=True)
class Posed:
    """A problem of the paper: the sum of squares and the residuals, its number and the least value that is published."""

    number: int
    total: Problem
    residuals: Problem
    least: float

    def reached(self, f: float) -> bool:
        """Whether a value is the published minimum, to five digits, or 1e-10 where that is 0."""
        return f <= self.least + 1e-5 * self.least + 1e-10

    @property
    def start(self) -> np.ndarray:
        return np.array(self.total.points[0]["x"])


def posed(corpora: Path) -> Iterator[Posed]:
    with (corpora / "mgh" / "funconstrain_minima.tsv").open(encoding="utf-8") as file:
        least = {int(row["problem"]): float(row["fmin"]) for row in csv.DictReader(file, delimiter="\t")}
    for number in range(1, 36):
        sizes = f"({SIZES[number]})" if number in SIZES else ""
        found = find(f"mgh_{number:02d}_*{sizes}")
        total, residuals = sorted(found, key=lambda p: p.name.partition("(")[0].endswith("_residuals"))
        yield Posed(number, total, residuals, least[number])


# --- optimisers ---

Outcome = tuple[float, int]
"""(the value that was reached, evaluations of the function)"""


def _minimised(p: Posed, algorithm: str, **options: Any) -> Outcome:
    from scipy.optimize import minimize

    f = p.total.function
    second: dict[str, Any] = {}
    if algorithm == "trust-exact":
        second["hess"] = dc.hessian(f, method="manual")
    if algorithm == "trust-ncg":
        product = dc.hvp(f)
        second["hessp"] = lambda x, v: product(x, tangent=v)
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # trial steps overflow, and the optimiser turns back
        warnings.simplefilter("ignore")
        found = minimize(dc.value(f), p.start, jac=dc.gradient(f, method="manual"), method=algorithm, options=options, **second)
    return float(found.fun), int(found.nfev)


def _fitted(p: Posed) -> Outcome:
    f = p.residuals.function
    algorithm = "lm" if f.output.size >= p.start.size else "trf"
    found = dc.fit(f, p.start, method="manual", algorithm=algorithm, evaluations=STEPS)
    return found.rss, found.evaluations


OPTIMISERS: dict[str, Callable[[Posed], Outcome]] = {
    "BFGS": lambda p: _minimised(p, "BFGS", gtol=1e-9, maxiter=STEPS),
    "L-BFGS-B": lambda p: _minimised(p, "L-BFGS-B", gtol=1e-10, ftol=0.0, maxiter=STEPS, maxfun=STEPS),
    "trust-exact": lambda p: _minimised(p, "trust-exact", gtol=1e-9, maxiter=STEPS),
    "trust-ncg": lambda p: _minimised(p, "trust-ncg", gtol=1e-9, maxiter=STEPS),
    "dc.fit": _fitted,
}


# --- accuracy ---


def gradient_error(p: Problem, method: str) -> float:
    """The worst error of the gradient at the problem's points, in ε times the largest |g_j| + Σ_k |x_k ∂g_j/∂x_k| there."""
    gradient = dc.gradient(p.function, method=method, engine="numpy")
    worst = 0.0
    for point in p.points:
        certified = certify(p.function, "gradient", point, condition=True)
        size = np.abs(certified.values[0]) + np.asarray(certified.sensitivity[0], dtype=float)
        error = np.abs(gradient(**point) - certified.values[0])
        worst = max(worst, float(np.max(error) / (EPSILON * np.max(size))) if np.any(error) else 0.0)
    return worst


# --- the table ---


def rows(corpora: Path) -> Iterator[dict[str, Any]]:
    for p in posed(corpora):
        row: dict[str, Any] = {"problem": p.total.name, "n": p.start.size, "m": p.residuals.function.output.size, "minimum": p.least}
        for name, run in OPTIMISERS.items():
            value, evaluations = run(p)
            row[name], row[f"{name}: evaluations"], row[f"{name}: reached"] = value, evaluations, p.reached(value)
        row |= {method: gradient_error(p.total, method) for method in METHODS}
        sys.stderr.write(f"{row}\n")
        yield row


def report(table: Sequence[dict[str, Any]]) -> str:
    """The table as Markdown."""
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("scipy", "numpy"))
    worst = ", ".join(f"{method} {max(r[method] for r in table):.2g}" for method in METHODS)
    lines = [
        "# The problems of Moré, Garbow and Hillstrom",
        "",
        (
            f"SciPy's optimisers ({versions}) from the paper's starts: BFGS and L-BFGS-B with the gradient by hand, trust-exact with the "
            "Hessian by hand, trust-ncg with Hessian-vector products by ad.reverse, and dc.fit (least_squares) with the Jacobian by hand. "
            "A cell is the number of evaluations of f where the published minimum is reached to five digits (to 1e-10 where it is 0), "
            "else the value at the end: an optimiser that stopped early, or another local minimum, as 48.98 of problem 2 and 0.005656 of "
            "problem 18, which the paper lists too, and 0.0003028 of problem 26. Written by tests/corpus/minima.py."
        ),
        "",
        "## How many of the 35 minima are reached",
        "",
        "| " + " | ".join((*OPTIMISERS, "any")) + " |",
        "|" + " --- |" * (len(OPTIMISERS) + 1),
        "| "
        + " | ".join(str(sum(r[f"{name}: reached"] for r in table)) for name in OPTIMISERS)
        + f" | {sum(any(r[f'{name}: reached'] for name in OPTIMISERS) for r in table)} |",
        "",
        (
            f"The error of the gradient, worst over the start, 10 and 100 times the start and points near minima, judged by the certified "
            f"truth, in units of ε max(|g| + Σ |x_k ∂g/∂x_k|): {worst}."
        ),
        "",
    ]
    lines += ["| problem | n | m | minimum | " + " | ".join((*OPTIMISERS, *METHODS)) + " |"]
    lines += ["|" + " --- |" * (4 + len(OPTIMISERS) + len(METHODS))]
    for r in table:
        ends = [str(r[f"{o}: evaluations"]) if r[f"{o}: reached"] else f"{r[o]:.4g}" for o in OPTIMISERS]
        cells = [r["problem"], str(r["n"]), str(r["m"]), f"{r['minimum']:.7g}", *ends, *(f"{r[m]:.2g}" for m in METHODS)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def main(folder: Path) -> None:
    table = list(rows(Path(os.environ["DIFFCOMPARE_CORPORA"])))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(report(table), encoding="utf-8")
    with (folder / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in table)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What training teaches about derivatives, as tables with a sentence each: for a report, or to be read by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..differentiate import prepare
from ..errors import Unsupported
from ..explain.taylor import taylor
from ..measure.comparison import seconds
from ..problem import find
from .result import Training
from .run import train

FILE = "lessons.json"
METHODS = ("manual", "symbolic", "ad.forward", "ad.reverse", "fd.central", "fd.forward")
EXACT = METHODS[:4]
LOSSES = (
    *("linear_zero_one", "linear_hinge", "linear_exponential", "logistic_regression"),
    *("linear_absolute", "linear_huber", "linear_regression"),
)


@dataclass(frozen=True)
class Lesson:
    """name: of its chart and file. title: a question or claim. finding: the answer, generated from the table. Tables: see course()."""

    name: str
    title: str
    table: pd.DataFrame
    finding: str


@dataclass(frozen=True)
class Course:
    """lessons: those that could be made; missing: why others could not, an extra that is not installed."""

    lessons: tuple[Lesson, ...] = ()
    missing: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Lesson:
        return next(k for k in self.lessons if k.name == name)

    def __contains__(self, name: object) -> bool:
        return any(k.name == name for k in self.lessons)


def course(progress: Callable[[str], None] = lambda what: None) -> Course:
    """All lessons, in some eight seconds of one core.

    Columns of their tables: directions: angle (degrees), slope. remainders: h, order, remainder. descent: step, change,
    first, second (f(x - h g) - f(x), and what Taylor polynomials say of it). methods: method, step, seconds (steps times the
    median time of one), loss, distance. batches: batch, step, passes, seconds, loss. noise: method, precision, step, excess
    (loss over the least). losses: loss, status, measured as, quality, moved (distance from the start), unrest (of the loss
    over the last 10 steps).
    """
    found: list[Lesson] = []
    missing: dict[str, None] = {}
    for make in (directions, remainders, descent, methods, batches, noise, losses):
        progress(make.__name__)
        try:
            found.append(make())
        except Unsupported as reason:
            missing[str(reason)] = None
    return Course(tuple(found), tuple(missing))


def course_once(folder: Path, environment: str, progress: Callable[[str], None] = lambda what: None) -> Course:
    """The course kept in the folder if it was made in this environment, else a new one, which is kept: its seconds are measured once."""
    path = folder / FILE
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["environment"] == environment:
            rows = [Lesson(r["name"], r["title"], pd.read_csv(StringIO(r["table"])), r["finding"]) for r in kept["lessons"]]
            return Course(tuple(rows), tuple(kept["missing"]))
    made = course(progress)
    rows_of = [{"name": k.name, "title": k.title, "finding": k.finding, "table": k.table.to_csv(index=False)} for k in made.lessons]
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"environment": environment, "missing": made.missing, "lessons": rows_of}, indent=1)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return made


# --- one point, no training ---


def directions() -> Lesson:
    """The derivative along every unit vector at one point: the gradient is the steepest."""
    (problem,) = find("seed_polynomial")
    f, at = problem.function, problem.points[0]
    along = prepare(f, "jvp")
    angles = np.arange(0.0, 360.0, 1.0)
    slopes = along(**at, tangent=(np.cos(np.radians(angles)), np.sin(np.radians(angles))))
    gx, gy = prepare(f, "gradient")(**at)
    steepest, length = float(np.degrees(np.arctan2(gy, gx))), float(np.hypot(gx, gy))
    best = int(np.argmax(slopes))
    finding = (
        f"Of {len(angles)} directions the function climbs fastest along {angles[best]:.0f}°, by {slopes[best]:.4g} per unit of length; the "
        f"gradient ({gx:g}, {gy:g}) points along {steepest:.1f}° and has length {length:g}. Across it the slope is 0, against it {-length:g}."
    )
    return Lesson("directions", "The gradient is the steepest direction", pd.DataFrame({"angle": angles, "slope": slopes}), finding)


def remainders() -> Lesson:
    """What Taylor polynomials leave out, against the step."""
    (problem,) = find("survey_two_variables")
    f, at = problem.function, problem.points[0]
    gradient = prepare(f, "gradient")(**at)
    unit = {n: -float(g) / float(np.linalg.norm(gradient)) for n, g in zip(gradient.names, gradient, strict=True)}
    h = 10.0 ** np.arange(-5, 0.01, 0.125)
    tables, slopes = [], []
    for order in (1, 2):
        remainder = np.abs(taylor(f, at, unit, order).remainder(h))
        tables.append(pd.DataFrame({"h": h, "order": order, "remainder": remainder}))
        clear = (h <= 0.03) & (remainder > 1e-12)  # above rounding, below where later terms weigh
        slopes.append(float(np.polyfit(np.log(h[clear]), np.log(remainder[clear]), 1)[0]))
    finding = (
        f"The remainder of the polynomial of order 1 shrinks like h to the power {slopes[0]:.2f}, of order 2 like {slopes[1]:.2f}, down to "
        f"the rounding of f. So a small step h against the gradient lowers f by h |gradient|, less a part that shrinks faster than h."
    )
    return Lesson("remainders", "How the rest of a Taylor polynomial shrinks", pd.concat(tables, ignore_index=True), finding)


def descent() -> Lesson:
    """The change of f by steps of several lengths against the gradient, and what polynomials foretell."""
    (problem,) = find("rosenbrock(n=2)")
    f, at = problem.function, problem.points[0]
    gradient = prepare(f, "gradient")(**at)
    against = {f.names[0]: -gradient}
    first, second = (taylor(f, at, against, order) for order in (1, 2))
    h = np.linspace(0.0, 2.4e-3, 97)
    value = first.coefficients[0]
    table = pd.DataFrame({"step": h, "change": first.exact(h) - value, "first": first(h) - value, "second": second(h) - value})
    best = int(np.argmin(table["change"].to_numpy()))
    worse = table[(table["step"] > table["step"][best]) & (table["change"] > 0)]
    end = f"; from a rate of {worse['step'].iloc[0]:.3g} on, f rises" if len(worse) else ""
    finding = (
        f"A step of rate {table['step'][best]:.3g} against the gradient lowers f most, by {-table['change'][best]:.3g}, where the polynomial of "
        f"order 1 promises {-table['first'][best]:.3g}{end}."
    )
    return Lesson("descent", "Why a small step down the gradient lowers f", table, finding)


# --- training ---


def methods() -> Lesson:
    """One model trained with the gradients of each family."""
    found = train("breast_cancer_logistic(samples=60, features=3)", optimizer="momentum", methods=METHODS, steps=60)
    runs = {r.method: r for r in found.runs if r.status == "ok"}
    ends = [r.loss or 0.0 for r in runs.values()]
    worst = {kind: max(r.distance or 0.0 for m, r in runs.items() if (m in EXACT) == kind) for kind in (True, False)}
    cost = sorted((r.step_s or 0.0, m) for m, r in runs.items())
    finding = (
        f"After 60 steps the losses of all {len(runs)} methods agree to {max(ends) - min(ends):.0e} ({ends[0]:.4g}). Exact methods stay within "
        f"{worst[True]:.0e} of each other's parameters, differences within {worst[False]:.0e}. A gradient takes {seconds(cost[0][0])} by "
        f"{cost[0][1]} and {seconds(cost[-1][0])} by {cost[-1][1]}; {_accuracy(found)} of the samples held back are classified right."
    )
    table = found.curves[["method", "step", "seconds", "loss", "distance"]]
    # the busy machine's interruptions, of many steps' length, are no cost of a method
    table = table.assign(seconds=table["step"] * table["method"].map({m: r.step_s for m, r in runs.items()}))
    return Lesson("methods", "The same model, trained with each family's gradients", table, finding)


def _accuracy(found: Training) -> str:
    return f"{max(r.quality or 0.0 for r in found.runs):.0%}"


def batches() -> Lesson:
    """As many passes over the samples in batches of several sizes."""
    passes, tables, ends = 10, [], []
    for size in (None, 32, 8, 1):
        samples = 113 if size is None else size
        found = train(
            "iris_mlp(samples=113, hidden=3)", optimizer="gd", methods="ad.reverse", batch_size=size, steps=passes * (113 // samples)
        )
        (run,) = found.runs
        timed = found.curves.assign(batch=run.batch_size, seconds=found.curves["step"] * (run.step_s or 0.0))
        tables.append(timed[["batch", "step", "passes", "seconds", "loss"]])
        ends.append((run.loss or np.inf, run.batch_size, run.steps, run.step_s or 0.0))
        rises = float(np.mean(np.diff([k.loss for k in run.records]) > 0))
    least, full = min(ends), ends[0]
    finding = (
        f"After {passes} passes over the samples the loss is {least[0]:.3g} in batches of {least[1]} ({least[2]} steps) and {full[0]:.3g} with all "
        f"{full[1]} at once ({full[2]} steps): small batches buy more steps for the same samples. A gradient of {full[1]} samples takes "
        f"{seconds(full[3])}, of one {seconds(ends[-1][3])}; with single samples the loss rises in {rises:.0%} of the recorded steps."
    )
    return Lesson("batches", "Full batch against mini-batches", pd.concat(tables, ignore_index=True), finding)


def noise() -> Lesson:
    """Training with derivatives computed in float32: what noise does to the last digits of a loss."""
    name = "logistic_regression(samples=200, features=3)"
    least = min(r.loss or np.inf for r in train(name, optimizer="newton", methods="ad.reverse", steps=30).runs)
    tables, floors = [], {}
    for precision in ("float64", "float32"):
        found = train(
            name,
            optimizer="momentum",
            methods=["ad.reverse", "fd.central", "fd.forward"],
            steps=400,
            learning_rate=0.3,
            precision=precision,
        )
        curves = found.curves
        tables.append(
            pd.DataFrame({"method": curves["method"], "precision": precision, "step": curves["step"], "excess": curves["loss"] - least})
        )
        for r in found.runs:
            last = [k.loss - least for k in r.records[-20:]]
            floors[r.method, precision] = max(float(np.median(last)), 0.0)
    table = pd.concat(tables, ignore_index=True)
    table["excess"] = table["excess"].clip(lower=1e-17)  # the loss itself is rounded at 1e-16
    finding = (
        f"In float32 the loss stays {floors['fd.forward', 'float32']:.0e} above its least with fd.forward and {floors['fd.central', 'float32']:.0e} with "
        f"fd.central, where ad.reverse in the same precision comes to {floors['ad.reverse', 'float32']:.0e}; in float64 fd.forward comes to "
        f"{floors['fd.forward', 'float64']:.0e}. Where the gradient drowns in the noise of its differences, training stops."
    )
    return Lesson("noise", "What a noisy derivative does", table, finding)


def losses() -> Lesson:
    """Linear classifiers by each loss of a margin, and regressions by losses with and without a kink."""
    rows: dict[str, dict[str, Any]] = {}
    for name in LOSSES:
        (run,) = train(name, optimizer="gd", methods="ad.reverse", steps=200).runs
        kind = name.removeprefix("linear_").removesuffix("_regression").replace("regression", "squared")
        moved = float(np.linalg.norm(run.records[-1].position - run.records[0].position))
        tail = [k.loss for k in run.records[-10:]]
        rows[kind] = {
            "loss": kind,
            "status": run.status,
            "measured as": run.measured_as,
            "quality": run.quality,
            "moved": moved,
            "unrest": max(tail) - min(tail),
        }
    finding = (
        f"The 0-1 loss counts errors, and its derivative is 0 wherever it exists: the parameters never move (status {rows['zero_one']['status']}, "
        f"accuracy {rows['zero_one']['quality']:.0%}), while hinge, exponential and log loss reach {rows['hinge']['quality']:.0%}, "
        f"{rows['exponential']['quality']:.0%} and {rows['logistic']['quality']:.0%}. Over its last 10 steps the absolute loss, which has a kink "
        f"where residuals are 0, still moves by {rows['absolute']['unrest']:.0e}; Huber's, which is round there, by {rows['huber']['unrest']:.0e}."
    )
    return Lesson("losses", "Losses with useless derivatives, and with kinks", pd.DataFrame(list(rows.values())), finding)

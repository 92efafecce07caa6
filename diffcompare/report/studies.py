"""What a report shows beside its records: the survey's figures for its problems, costs against size, an audit of rules.

Curves and operation counts are computed when a report is written, and come out the same every time. Times against size are
measured as cells like all others, `sweep` says which; the audit is kept as a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..differentiators.base import Operator
from ..errors import ShapeError, TooLarge, Unsupported
from ..measure.audit.result import Audit
from ..measure.audit.result import read as read_audit
from ..measure.audit.rows import Record
from ..measure.choice import chosen_engines, chosen_methods
from ..measure.environment import environment
from ..measure.plan import fits, job
from ..measure.record import Measurement, Records
from ..measure.run import Job
from ..problem import Family, Problem, find, library
from ..training.course import Course, course_once
from ..transforms.cost import cost
from .survey import GRADIENTS, scaling, step_curve, swell_table

CURVE_STEPS = tuple(float(h) for h in 10.0 ** np.arange(-16, 0.01, 0.5))
LONGEST_CURVE = 5_000
"""A function with more operations has no curve of its step on the page: it would take too long."""
MOST_CURVES, MOST_FAMILIES = 20, 10
"""More problems are in the tables, not in figures of their own."""
SIZES = (2, 4, 8, 16, 32, 64)
SWEPT = "helmholtz"
TIMED_SIZES = SIZES[:-2]
"""The family that is timed at these sizes, as in the survey's figure 5; its truth takes too long beyond."""
SWEEP_ENGINES = ("python", "numpy")
SWEEP_METHODS = ("manual", "symbolic", "ad.reverse", "ad.forward", "fd.forward", "fd.central")
AUDITED = "exp log sqrt tanh asin acosh atan2 erf lgamma pow hypot expm1 sigmoid softplus abs maximum relu".split()
"""The functions of the audit that every report makes: some easy, some where libraries are known to lose digits, some with kinks."""
AUDIT_POINTS = 40
AUDIT_FILE = "audit.jsonl"


@dataclass(frozen=True)
class Studies:
    """curves: by problem, as `survey.step_curve` has them; without: by problem why it has none. swell, costs: as
    `survey.swell_table` and `survey.scaling` have them. sweep: records of SWEPT at several sizes. audit: its records.
    course: what training teaches. What is empty is left out of the report.
    """

    curves: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    swell: pd.DataFrame | None = None
    costs: pd.DataFrame | None = None
    sweep: Sequence[Measurement] = ()
    audit: Sequence[Record] = ()
    course: Course | None = None


def study(
    problems: Sequence[Problem],
    sweep: Sequence[Measurement] = (),
    audit: Sequence[Record] = (),
    course: Course | None = None,
    survey: bool = True,
) -> Studies:
    """The studies of these problems, and before them of the survey's own functions."""
    curves: dict[str, pd.DataFrame] = {}
    chosen = list({p.name: p for p in [*(find("logistic_map(n=4)") if survey else ()), *problems]}.values())
    without = {p.name: f"the first {MOST_CURVES} problems have one" for p in chosen[MOST_CURVES:]}
    for p in chosen[:MOST_CURVES]:
        operations = cost(p.function).operations
        try:
            if operations > LONGEST_CURVE:
                raise TooLarge(f"{operations:,} operations; curves are drawn up to {LONGEST_CURVE:,}")
            curves[p.name] = step_curve(p, steps=CURVE_STEPS)
        except ShapeError:
            without[p.name] = "its result is an array"
        except (Unsupported, TooLarge) as refusal:
            without[p.name] = str(refusal)
    names = dict.fromkeys([*([SWEPT] if survey else ()), *(p.name.partition("(")[0] for p in problems if p.sizes)])
    costs = [t for n in list(names)[:MOST_FAMILIES] if (t := _costs(n)) is not None]
    return Studies(
        curves, without, swell_table() if survey else None, pd.concat(costs, ignore_index=True) if costs else None, sweep, audit, course
    )


def _costs(name: str) -> pd.DataFrame | None:
    """The cost of a family's gradient at SIZES; None where it has no size or no gradient."""
    family = library().get(name)
    if not isinstance(family, Family) or not family.sizes:
        return None
    size = next(iter(family.sizes.values()))
    sizes = [n for n in SIZES if size.least <= n <= size.most]
    if len(sizes) < 2 or not fits(family(sizes[0]), Operator.GRADIENT) or cost(family(sizes[-1]).function).operations > 20 * LONGEST_CURVE:
        return None
    return scaling(name, sizes, GRADIENTS)


# --- times against size ---


def sweep() -> list[Job]:
    """The cells that time SWEPT at SIZES, at its first point: its gradient by the methods, its value once for each engine."""
    family = library()[SWEPT]
    assert isinstance(family, Family)
    engines = chosen_engines(list(SWEEP_ENGINES))
    found = []
    for n in TIMED_SIZES:
        problem = family(n)
        problem = replace(problem, points=problem.points[:1])
        found.append(job(problem, Operator.VALUE, chosen_methods(["ad.reverse"]), engines))
        found.append(job(problem, Operator.GRADIENT, chosen_methods(list(SWEEP_METHODS)), engines))
    return found


def timed(records: Sequence[Measurement]) -> pd.DataFrame:
    """The time of a gradient over that of its function on the same engine. Columns: problem (with engine), method, n, inputs, ratio,
    seconds; one size, as in the name of the problem, is read as n and as the number of inputs.
    """
    values = {(m.problem, m.engine): m.call_s for m in records if m.operator == "value"}
    rows: list[dict[str, Any]] = []
    for m in records:
        primal = values.get((m.problem, m.engine))
        if m.operator == "gradient" and m.call_s is not None and primal:
            name, n = m.problem.rstrip(")").split("(n=")
            rows.append(
                {"problem": f"{name} · {m.engine}", "method": m.method, "n": int(n), "ratio": m.call_s / primal, "seconds": m.call_s}
            )
    table = pd.DataFrame(rows, columns=["problem", "method", "n", "ratio", "seconds"])
    return table.assign(inputs=table["n"])


def crossovers(table: pd.DataFrame) -> pd.DataFrame:
    """From which size on reverse mode is the cheaper. table: problem, method, n, ratio.

    Columns: problem, method (the other), from (the size, interpolated between logarithms; 0 where it is cheaper at every size
    measured, NaN where at none).
    """
    rows = []
    for problem, group in table.groupby("problem", sort=False):
        ratio = group.pivot_table(index="n", columns="method", values="ratio")
        if "ad.reverse" not in ratio:
            continue
        for method in ratio.columns.drop("ad.reverse"):
            pair = ratio[["ad.reverse", method]].dropna()
            pair = pair[(pair > 0).all(axis=1)]
            ahead = np.asarray(np.log(pair[method] / pair["ad.reverse"]))
            rows.append({"problem": problem, "method": method, "from": _crossing(np.log(np.asarray(pair.index, dtype=float)), ahead)})
    return pd.DataFrame(rows, columns=["problem", "method", "from"])


def _crossing(x: np.ndarray[Any, Any], ahead: np.ndarray[Any, Any]) -> float:
    """exp(x) where `ahead` last turns positive for good; 0 where it is positive throughout, NaN where it ends otherwise."""
    if not len(x) or ahead[-1] <= 0:
        return float("nan")
    behind = np.nonzero(ahead <= 0)[0]
    if not len(behind):
        return 0.0
    k = int(behind[-1])
    return float(np.exp(x[k] - ahead[k] * (x[k + 1] - x[k]) / (ahead[k + 1] - ahead[k])))


# --- all of it ---


def gathered(problems: Sequence[Problem], records: Records, data: Path, beside: Sequence[Job] = (), thorough: bool = False) -> Studies:
    """The studies of a report: those of its problems; if thorough the survey's figures, the audit and the course, kept in data.

    records: in which the cells of `beside` are found, as far as they are measured.
    """
    wanted = {key for j in beside for c in j.cells for key in j.keys(*c)}
    found = [m for m in records.latest() if m.key in wanted]
    if not thorough:
        return study(problems, found, survey=False)
    here = environment().id
    return study(problems, found, audit_once(data, here), course_once(data, here))


# --- the audit ---


def audit_once(folder: Path, environment: str, progress: Callable[[int, int, str], None] = lambda done, total, what: None) -> list[Record]:
    """The records of the audit that every report makes: those in the folder if they were taken in this environment, else new ones."""
    from ..measure.audit import audit

    path = folder / AUDIT_FILE
    if path.exists() and f'"{environment}"' in path.read_text(encoding="utf-8").partition("\n")[0]:
        return read_audit(path)
    found: Audit = audit(
        ["jax"], AUDITED, (1, 2), methods=["ad.reverse", "symbolic"], engines=["numpy"], points=AUDIT_POINTS, progress=progress
    )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(found.jsonl(), encoding="utf-8", newline="\n")
    return found.records

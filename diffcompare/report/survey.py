"""The figures of the survey as tables of numbers, for its functions and for any other.

Baydin, Pearlmutter, Radul, Siskind: Automatic Differentiation in Machine Learning: a Survey, JMLR 18(153), 2018: figure 3,
the error of differences against their step; table 1, the swell of formulas; figure 5, the cost of a gradient against the
number of inputs. Nothing here is timed: the numbers are the same on every machine, but for the last bits of its libm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..differentiate import derivative, find_method, prepare
from ..differentiators.base import Derivative, Differentiator
from ..differentiators.finite_difference import FiniteDifference
from ..dsl.constants import constant
from ..dsl.core import Expr, input_
from ..dsl.function import Function
from ..errors import DiffCompareError, ShapeError, TooLarge, Unsupported
from ..measure.points import checked
from ..problem import Family, Problem, find, library
from ..reference import Reference
from ..transforms.cost import cost
from ..transforms.sympy import swell

EPS = float(np.finfo(np.float64).eps)
KINDS = ("forward", "central", "complex")
EXACT = ("ad.forward", "ad.reverse", "symbolic")
STEPS = tuple(float(h) for h in 10.0 ** np.arange(-16, 0.01, 0.25))
GRADIENTS = ("manual", "symbolic", "ad.reverse", "ad.forward", "fd.forward", "fd.central")

# --- figure 3: the step of a difference ---


def step_curve(
    problem: Problem | Function, at: Mapping[str, Any] | str | None = None, entry: str | None = None, steps: Sequence[float] = STEPS
) -> pd.DataFrame:
    """The error of differences against their step h, beside what explains it.

    problem: of one scalar output. at: a point, or of a problem the label of one; its first by default. entry: the variable
    differentiated, x or x[3], the first by default; the others stay where they are.

    Columns: method, h (NaN for methods without a step), value (NaN where h is too small to move x), error (absolute, against
    the certified derivative), truncation (the first term of the Taylor series left out: h/2 |f''|, h²/6 |f'''|), rounding
    (ε |f| / h; of the complex step, which takes no difference, ε |f'|), message (one row with the reason where a method
    refuses). Raises ShapeError for an array, Unsupported where the derivative is not certified.
    """
    function = problem.function if isinstance(problem, Problem) else problem
    if len(function.outputs) != 1 or function.output.shape:
        raise ShapeError(f"step_curve: {function.name} needs one scalar output, it has {[o.shape for o in function.outputs]}")
    along, x = _along(function, _point(problem, at), entry or (problem.wrt[0] if isinstance(problem, Problem) else function.names[0]))
    f, *slopes = _certified(along, x)
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        methods = {h: FiniteDifference(kind, step=h) for h in steps}
        rows += _measured(along, x, f"fd.{kind}", methods, partial(_asymptotes, kind, f, slopes))
    for name in EXACT:
        rows += _measured(along, x, name, {np.nan: find_method(name)}, lambda h: (0.0, EPS * abs(slopes[0])))
    table = pd.DataFrame(rows, columns=["method", "h", "value", "truncation", "rounding", "message"])
    table.insert(3, "error", (table["value"] - slopes[0]).abs())
    return table


def _measured(
    along: Function, x: float, name: str, methods: Mapping[float, Differentiator], asymptotes: Callable[[float], tuple[float, float]]
) -> list[dict[str, Any]]:
    """A row for each step, or one with the reason where the method refuses."""
    rows = []
    for h, method in methods.items():
        try:
            value = derivative(along, method=method, engine="numpy")(x)
        except (Unsupported, TooLarge) as refusal:
            return [{"method": name, "h": np.nan, "value": np.nan, "message": str(refusal)}]
        truncation, rounding = asymptotes(h)
        rows.append({"method": name, "h": h, "value": value, "truncation": truncation, "rounding": rounding, "message": ""})
    return rows


def _asymptotes(kind: str, f: float, slopes: Sequence[float], h: float) -> tuple[float, float]:
    truncation = h / 2 * abs(slopes[1]) if kind == "forward" else h * h / 6 * abs(slopes[2])
    return truncation, EPS * abs(slopes[0]) if kind == "complex" else EPS * abs(f) / h


def _point(problem: Problem | Function, at: Mapping[str, Any] | str | None) -> dict[str, Any]:
    if isinstance(problem, Problem):
        at = problem.points[0] if at is None else problem.point(at) if isinstance(at, str) else at
        return checked(problem.function, at)
    return checked(problem, at)


def _along(function: Function, point: Mapping[str, Any], entry: str) -> tuple[Function, float]:
    """(the function of one entry of its inputs, that entry's value), the others being constants."""
    name, bracket, places = entry.partition("[")
    shape = function.input(name).shape
    try:
        index = tuple(int(k) for k in places.rstrip("]").split(",")) if bracket else (0,) * len(shape)
        value = float(np.asarray(point[name])[index])
    except (ValueError, IndexError, TypeError):
        raise DiffCompareError(f"{function.name} has no entry {entry!r}: {name} has shape {shape or 'scalar'}") from None
    s = input_("s" if name != "s" else "t")
    values: dict[str, Expr] = {n: constant(v) for n, v in point.items()}
    rest, unit = np.array(point[name], dtype=float), np.zeros(shape)
    rest[index], unit[index] = -0.0, 1.0
    # rest + unit * s is s at the place and, but for the sign of a zero, the point everywhere else
    values[name] = s if not shape else constant(rest) + constant(unit) * s
    return Function(f"{function.name} along {entry}", (s,), [function(**values)], True), value


def _certified(along: Function, x: float) -> list[float]:
    """f and its first three derivatives."""
    reference = Reference(along)
    point = {along.names[0]: x}
    answers = [reference.certify("value", point), *(reference.certify("derivative", point, order=k) for k in (1, 2, 3))]
    if answers[1].status[0].flat[0] != "ok":
        raise Unsupported(f"step_curve: {along.name} has no certified derivative at {x!r} ({answers[1].status[0].flat[0]})")
    return [float(values[0].flat[0]) for values in (a.values for a in answers)]  # noqa: PD011  balls, not pandas


# --- table 1: the swell of formulas ---


def swell_table(family: Family | None = None, sizes: Sequence[int] = tuple(range(2, 10))) -> pd.DataFrame:
    """How a derivative grows with its function: as SymPy's tree, after SymPy's cse, as a shared graph, as a sweep of AD.

    family: of scalar functions, the survey's logistic map by default; its first size runs over `sizes`.
    Columns: the size; function, derivative (operations of the trees, as SymPy counts them), cse, nodes (distinct ones of the
    derivative); symbolic, ad.forward, ad.reverse (scalar operations of what the methods here evaluate). NaN where refused.
    """
    build = family or _logistic_map()
    size = next(iter(build.sizes))
    rows = []
    for n in sizes:
        problem = build(n)
        row: dict[str, Any] = {size: n}
        try:
            row |= {k: v for k, v in swell(problem.function).items() if k != "temporaries"}
        except (TooLarge, Unsupported):
            row |= dict.fromkeys(("function", "derivative", "cse", "nodes"))
        for method in ("symbolic", "ad.forward", "ad.reverse"):
            prepared, _ = _gradient(problem, method)
            row[method] = None if prepared is None or prepared.cost is None else prepared.cost.operations
        rows.append(row)
    return pd.DataFrame(rows)


def _logistic_map() -> Family:
    family = library()["logistic_map"]
    assert isinstance(family, Family)
    return family


# --- figure 5: the cost of a gradient against the number of inputs ---


def scaling(family: str = "helmholtz", sizes: Sequence[int] = (2, 4, 8, 16, 32, 64), methods: Sequence[str] = GRADIENTS) -> pd.DataFrame:
    """The cost of a gradient over that of the function, in operations with an elementary function weighing 10.

    family: the name of one, whose first size runs over `sizes`. Columns: problem, method, n, inputs (scalars differentiated),
    ratio (NaN where the method refuses), status (ok, too_large or unsupported), message (the reason).
    """
    entry = library().get(family)
    if not isinstance(entry, Family):
        (other,) = find(family)[:1]
        raise DiffCompareError(f"scaling: {other.name} has no size to vary; families have, such as helmholtz")
    rows = []
    for n in sizes:
        problem = entry(n)
        primal = cost(problem.function).weighted()
        inputs = sum(problem.function.input(name).size for name in problem.wrt)
        for method in methods:
            prepared, refusal = _gradient(problem, method)
            own = None if prepared is None else prepared.cost
            ratio = np.nan if own is None or not primal else own.weighted() / primal
            status = "ok" if refusal is None else "too_large" if isinstance(refusal, TooLarge) else "unsupported"
            message = "" if refusal is None else str(refusal)
            rows.append(
                {"problem": family, "method": method, "n": n, "inputs": inputs, "ratio": ratio, "status": status, "message": message}
            )
    return pd.DataFrame(rows)


def exponents(table: pd.DataFrame) -> pd.DataFrame:
    """For each problem and method of a scaling table the exponent p of ratio ~ inputs^p, or of n where the inputs stay the same.

    Fitted by least squares to the logarithms. Columns: problem, method, over (inputs or n), exponent, sizes (how many were
    measured); NaN with fewer than two.
    """
    rows = []
    for (problem, method), group in table.groupby(["problem", "method"], sort=False):
        over = "inputs" if len(set(group["inputs"])) > 1 else "n"
        known = group[group["ratio"] > 0]
        fit = np.polyfit(np.log(known[over]), np.log(known["ratio"]), 1)[0] if len(set(known[over])) > 1 else np.nan
        rows.append({"problem": problem, "method": method, "over": over, "exponent": float(fit), "sizes": len(known)})
    return pd.DataFrame(rows)


def _gradient(problem: Problem, method: str) -> tuple[Derivative | None, DiffCompareError | None]:
    """The gradient prepared, or the refusal."""
    try:
        return prepare(problem.function, "gradient", problem.wrt, method=method, engine="numpy"), None
    except (TooLarge, Unsupported) as refusal:
        return None, refusal

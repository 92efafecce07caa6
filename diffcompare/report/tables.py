"""Records -> pandas tables. Everything a report shows is here as data first."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from ..measure.comparison import seconds
from ..measure.record import STATUSES, Measurement

WORST_FIRST = ("failed", "timeout", "nan", "inaccurate", "unjudged", "too_large", "unsupported", "ok")
FIRST_ORDER = ("gradient", "jacobian")
"""The operators of the main tables: the gradient of a number, the Jacobian of an array."""


def frame(measurements: Iterable[Measurement]) -> pd.DataFrame:
    """One row for each measurement, columns as its fields, `who` for method and engine together, `short` for the problem,
    `record` the measurement itself.
    """
    measurements = list(measurements)
    short = _short({m.problem for m in measurements})
    rows = [vars(m) | {"who": f"{m.method} · {m.engine}", "short": short[m.problem], "record": m} for m in measurements]
    return pd.DataFrame(rows, columns=None if rows else [*Measurement.__dataclass_fields__, "who", "short", "record"])


def _short(problems: set[str]) -> dict[str, str]:
    """Each problem's name without its sizes where no other problem has that name."""
    names = [p.partition("(")[0] for p in problems]
    return {p: p.partition("(")[0] if names.count(p.partition("(")[0]) == 1 else p for p in problems}


def problems(cells: pd.DataFrame) -> pd.DataFrame:
    """The problems with their sizes: what was asked of each, and where."""
    groups = cells.groupby("problem", sort=False)
    table = groups.agg(operations=("primal_operations", "max"), wrt=("wrt", lambda w: max(w, key=len)))
    table["operators"] = groups["operator"].agg(lambda o: ", ".join(dict.fromkeys(o)))
    table["points"] = groups["point"].agg(lambda p: ", ".join(dict.fromkeys(p)))
    return table


def first_order(cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of first derivatives, of every problem: what the main tables compare."""
    return cells[cells["operator"].isin(FIRST_ORDER) & _main(cells)]


def _main(cells: pd.DataFrame) -> pd.Series[bool]:
    """Rows that are a problem's gradient, or its Jacobian where it has no gradient."""
    scalar = set(cells.loc[cells["operator"] == "gradient", "problem"])
    return (cells["operator"] == "gradient") | ~cells["problem"].isin(scalar)


def counts(cells: pd.DataFrame, by: str) -> pd.DataFrame:
    """How many cells of each `by` ended how."""
    table = pd.crosstab(cells[by], cells["status"])
    return table.reindex(columns=[s for s in STATUSES if s in table.columns])


def status(cells: pd.DataFrame, columns: str = "short") -> pd.DataFrame:
    """Methods and engines against problems or operators: ok, or how many of the points were something else."""
    return _pivot(cells, columns, status_of).fillna("")


def status_of(group: pd.DataFrame) -> str:
    return outcome(list(group["status"]))


def outcome(found: Sequence[str]) -> str:
    """ok, or how many of the statuses are something else, the worst first."""
    if len(set(found)) == 1:
        return found[0]
    return ", ".join(f"{found.count(s)} {s}" for s in WORST_FIRST if s in found and s != "ok") + f" of {len(found)}"


def _pivot(cells: pd.DataFrame, columns: str, value: Any) -> pd.DataFrame:
    groups = {key: value(group) for key, group in cells.groupby(["who", columns], sort=False)}
    who, across = sorted(set(cells["who"])), list(dict.fromkeys(cells[columns]))
    return pd.DataFrame([[groups.get((w, a)) for a in across] for w in who], index=pd.Index(who, name="method · engine"), columns=across)


def never_supported(cells: pd.DataFrame) -> list[str]:
    """Methods and engines of which every cell is unsupported: left out of the tables, named below them."""
    return [str(who) for who, group in cells.groupby("who", sort=False) if (group["status"] == "unsupported").all()]


def accuracy(cells: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The worst error of each method and engine in each problem, over its points; NaN where nothing was judged."""
    return _of_groups(cells, measure, "max")


def call_seconds(cells: pd.DataFrame) -> pd.DataFrame:
    """Seconds of a steady call at the first point."""
    return _of_groups(cells, "call_s", "min")


def _of_groups(cells: pd.DataFrame, column: str, how: Literal["min", "max"]) -> pd.DataFrame:
    """The greatest or least number of a column in each cell of a table of methods and engines against problems."""
    who, across = sorted(set(cells["who"])), list(dict.fromkeys(cells["short"]))
    known = cells.assign(number=pd.to_numeric(cells[column]))
    table = known.pivot_table(index="who", columns="short", values="number", aggfunc=how, sort=False)
    table = table.reindex(index=who, columns=across).astype(float)
    return table.rename_axis(index="method · engine", columns=None)


def cost_ratio(cells: pd.DataFrame) -> pd.DataFrame:
    """Operations of the derivative per operation of the function, by method: the same on every engine."""
    known = cells.dropna(subset=["operations", "primal_operations"])
    ratio = known.assign(ratio=known["operations"] / known["primal_operations"])
    table = ratio.pivot_table(index="method", columns="short", values="ratio", aggfunc="max", sort=False)
    return table.reindex(columns=list(dict.fromkeys(cells["short"])))


def phases(cells: pd.DataFrame) -> pd.DataFrame:
    """Median seconds by phase over the problems, of each method and engine."""
    timed = cells.dropna(subset=["call_s"])
    columns = ["derive_s", "compile_s", "first_call_s", "call_s"]
    table = timed.groupby("who", sort=False)[columns].median()
    table.index.name = "method · engine"
    return table.assign(problems=timed.groupby("who", sort=False)["problem"].nunique())


CALLS = 1000
"""Calls for which the standing weighs preparation against speed."""


def total_seconds(cells: pd.DataFrame) -> pd.DataFrame:
    """Seconds to prepare and call CALLS times; NaN where a phase was not timed."""
    once = [_of_groups(cells, phase, "min") for phase in ("derive_s", "compile_s", "first_call_s")]
    return once[0] + once[1] + once[2] + (CALLS - 1) * call_seconds(cells)


def standing(cells: pd.DataFrame) -> pd.DataFrame:
    """Each method on each engine as a whole: the cells it answered, how many of these are ok, those it did not take, its
    worst error, and its time for one call and for CALLS with preparation, relative to the best for the same problem
    (geometric mean over the problems it was timed on). Best first: right everywhere, then by time.
    """
    call, whole = relative(call_seconds(cells)), relative(total_seconds(cells))
    rows = []
    for who, group in cells.groupby("who", sort=False):
        answered = group[~group["status"].isin(["unsupported", "too_large"])]
        rows.append(
            {
                "method · engine": who,
                "answered": len(answered),
                "ok": int((answered["status"] == "ok").sum()),
                "not taken": len(group) - len(answered),
                "worst error": pd.to_numeric(answered["error_conditioned"]).max(),
                "call / best": call[who],
                f"{CALLS} calls / best": whole[who],
            }
        )
    rows.sort(key=lambda r: (int(r["ok"]) < int(r["answered"]), int(r["not taken"]) > 0, r[f"{CALLS} calls / best"]))
    columns = ["method · engine", "answered", "ok", "not taken", "worst error", "call / best", f"{CALLS} calls / best"]
    return pd.DataFrame(rows, columns=columns).set_index("method · engine")


def relative(times: pd.DataFrame) -> pd.Series[float]:
    """The geometric mean over the columns of each row's times against the least in the column; NaN without times."""
    ratios = times / times.min(axis=0)
    return pd.Series({who: math.exp(r.map(math.log).mean()) if len(r := row.dropna()) else math.nan for who, row in ratios.iterrows()})


REFUSED = ("unsupported", "too_large")


def wrong(cells: pd.DataFrame) -> pd.DataFrame:
    """Every cell that is neither ok nor refused, engines of one outcome together, worst first, with the command that
    measures it again.
    """
    bad = cells[~cells["status"].isin(["ok", *REFUSED])]
    rows = []
    for (_, operator, method, point, found), group in bad.groupby(["problem", "operator", "method", "point", "status"], sort=False):
        first = group.iloc[0]
        engines = ", ".join(dict.fromkeys(group["engine"]))
        where = {"problem": first["short"], "point": point, "operator": operator, "method": method, "engine": engines}
        rows.append(where | {"status": found, "reason": first["message"], "again": replay(first)})
    rows.sort(key=lambda r: WORST_FIRST.index(str(r["status"])))
    return pd.DataFrame(rows, columns=["problem", "point", "operator", "method", "engine", "status", "reason", "again"])


def refused(cells: pd.DataFrame) -> pd.DataFrame:
    """The refusals by reason: which methods, on which engines, for which operators of which problems."""
    bad = cells[cells["status"].isin(REFUSED)]
    rows = []
    for (method, found, message), group in bad.groupby(["method", "status", "message"], sort=False):
        listed = {c: ", ".join(dict.fromkeys(group[c])) for c in ("engine", "operator", "short")}
        everywhere = group["short"].nunique() == cells["short"].nunique()
        rows.append(
            {"method": method, "engine": listed["engine"], "status": found, "reason": message, "operator": listed["operator"]}
            | {"problem": "all" if everywhere else listed["short"], "cells": len(group)}
        )
    return pd.DataFrame(rows, columns=["method", "engine", "status", "reason", "operator", "problem", "cells"])


def replay(row: Any) -> str:
    """The command that measures a record again."""
    return f"{asked(row)} {shlex.join(['--method', row['method'], '--engine', row['engine']])}"


def asked(row: Any) -> str:
    """The command that asks a record's question, without the method and the engine."""
    words = ["diffcompare", "compare", row["source"] or row["problem"]]
    words += ["--at", row["at"]] if row["source"] else ["--point", row["point"]]
    words += ["--operator", row["operator"], "--wrt", row["wrt"]]
    words += ["--order", str(row["order"])] if row["order"] != 1 else []
    words += ["--precision", row["precision"]] if row["precision"] != "float64" else []
    return shlex.join(words)


# --- text ---


def shown(table: pd.DataFrame, kind: Mapping[str, str] | str = "") -> pd.DataFrame:
    """The table with its numbers as short text. kind: "seconds", "ulp" or "share", for all columns or by column name."""
    text = pd.DataFrame(index=table.index)
    for column in table.columns:
        unit = (
            kind if isinstance(kind, str) and kind else dict(kind or {}).get(str(column), "seconds" if str(column).endswith("_s") else "")
        )
        text[column] = [brief(v, unit) for v in table[column]]
    return text


def brief(value: Any, unit: str = "") -> str:
    """A number as short text, "" for none; anything else as it is."""
    if not isinstance(value, float | int) or isinstance(value, bool):
        return "" if value is None else str(value)
    if math.isnan(value):
        return ""
    if unit == "seconds":
        return seconds(value)
    if unit == "share":
        return f"{100 * value:.0f} %"
    if unit == "ulp" and value < 1e6:
        return f"{value:.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2g}" if abs(value) < 1e4 and not value.is_integer() else f"{value:.3g}"


def markdown(table: pd.DataFrame, index: bool = True) -> str:
    """A table in GitHub's Markdown; the index is the first column."""
    body = table.reset_index() if index else table
    names = [_cell(c) for c in body.columns]
    lines = [names, ["---"] * len(names), *([_cell(v) for v in row] for row in body.itertuples(index=False))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    text = " ".join(str(value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def select(cells: pd.DataFrame, leave_out: Sequence[str]) -> pd.DataFrame:
    """The rows of methods and engines that are not in leave_out."""
    return cells[~cells["who"].isin(leave_out)]

"""Records -> pandas tables. Everything a report shows is here as data first."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from ..measure.compare import seconds
from ..measure.record import STATUSES, Measurement

WORST_FIRST = ("failed", "timeout", "nan", "inaccurate", "unjudged", "too_large", "unsupported", "ok")
FIRST_ORDER = ("gradient", "jacobian")
"""The operators of the main tables: the gradient of a number, the Jacobian of an array."""


def frame(measurements: Iterable[Measurement]) -> pd.DataFrame:
    """One row for each measurement, columns as its fields, `who` for method and engine together."""
    rows = [vars(m) | {"who": f"{m.method} · {m.engine}"} for m in measurements]
    return pd.DataFrame(rows, columns=None if rows else [*Measurement.__dataclass_fields__, "who"])


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


def status(cells: pd.DataFrame, columns: str = "problem") -> pd.DataFrame:
    """Methods and engines against problems or operators: ok, or how many of the points were something else."""
    return _pivot(cells, columns, _status_of).fillna("")


def _status_of(group: pd.DataFrame) -> str:
    found = group["status"].value_counts()
    if len(found) == 1:
        return str(found.index[0])
    return ", ".join(f"{found[s]} {s}" for s in WORST_FIRST if s in found and s != "ok") + f" of {len(group)}"


def _pivot(cells: pd.DataFrame, columns: str, value: Any) -> pd.DataFrame:
    groups = {key: value(group) for key, group in cells.groupby(["who", columns], sort=False)}
    who, across = (list(dict.fromkeys(cells[c])) for c in ("who", columns))
    return pd.DataFrame([[groups.get((w, a)) for a in across] for w in who], index=pd.Index(who, name="method · engine"), columns=across)


def never_supported(cells: pd.DataFrame) -> list[str]:
    """Methods and engines of which every cell is unsupported: left out of the tables, named below them."""
    return [str(who) for who, group in cells.groupby("who", sort=False) if (group["status"] == "unsupported").all()]


def accuracy(cells: pd.DataFrame, measure: str = "error_ulp") -> pd.DataFrame:
    """The worst error of each method and engine in each problem, over its points; NaN where nothing was judged."""
    return _pivot(cells, "problem", lambda g: pd.to_numeric(g[measure]).max()).astype(float)


def call_seconds(cells: pd.DataFrame) -> pd.DataFrame:
    """Seconds of a steady call at the first point."""
    return _pivot(cells, "problem", lambda g: pd.to_numeric(g["call_s"]).min()).astype(float)


def cost_ratio(cells: pd.DataFrame) -> pd.DataFrame:
    """Operations of the derivative per operation of the function, by method: the same on every engine."""
    known = cells.dropna(subset=["operations", "primal_operations"])
    ratio = known.assign(ratio=known["operations"] / known["primal_operations"])
    table = ratio.pivot_table(index="method", columns="problem", values="ratio", aggfunc="max", sort=False)
    return table.reindex(columns=list(dict.fromkeys(cells["problem"])))


def phases(cells: pd.DataFrame) -> pd.DataFrame:
    """Median seconds by phase over the problems, of each method and engine."""
    timed = cells.dropna(subset=["call_s"])
    columns = ["derive_s", "compile_s", "first_call_s", "call_s"]
    table = timed.groupby("who", sort=False)[columns].median()
    table.index.name = "method · engine"
    return table.assign(problems=timed.groupby("who", sort=False)["problem"].nunique())


def standing(cells: pd.DataFrame) -> pd.DataFrame:
    """Each method on each engine as a whole: how many cells it answered and how many of these are ok, its worst errors,
    and its call time relative to the fastest for the same problem (geometric mean over the problems it was timed on).
    """
    times = call_seconds(cells)
    relative = times / times.min(axis=0)
    rows = []
    for who, group in cells.groupby("who", sort=False):
        answered = group[~group["status"].isin(["unsupported", "too_large"])]
        ratios = relative.loc[who].dropna() if who in relative.index else pd.Series(dtype=float)
        rows.append(
            {
                "method · engine": who,
                "answered": len(answered),
                "ok": int((answered["status"] == "ok").sum()),
                "not taken": len(group) - len(answered),
                "worst ulp": pd.to_numeric(answered["error_ulp"]).max(),
                "worst relative": pd.to_numeric(answered["error_rel"]).max(),
                "time / fastest": math.exp(ratios.map(math.log).mean()) if len(ratios) else math.nan,
            }
        )
    return pd.DataFrame(rows).set_index("method · engine") if rows else pd.DataFrame()


def not_ok(cells: pd.DataFrame) -> pd.DataFrame:
    """Every cell that is not ok, those of one reason in one row: what, where, why, and the command that measures it again."""
    bad = cells[cells["status"] != "ok"]
    rows = []
    keys = ["problem", "operator", "method", "status", "message"]
    for key, group in bad.groupby(keys, sort=False):
        problem, operator, method, found, message = key
        points = list(dict.fromkeys(group["point"]))
        everywhere = len(points) == cells.loc[cells["problem"] == problem, "point"].nunique()
        rows.append(
            {
                "problem": problem,
                "operator": operator,
                "method": method,
                "engine": ", ".join(dict.fromkeys(group["engine"])),
                "point": "all" if everywhere and len(points) > 1 else ", ".join(points),
                "status": found,
                "reason": message,
                "cells": len(group),
                "again": replay(group.iloc[0]),
            }
        )
    rows.sort(key=lambda r: WORST_FIRST.index(str(r["status"])))
    return pd.DataFrame(rows)


def replay(row: Any) -> str:
    """The command that measures a record again."""
    words = ["diffcompare", "compare", row["source"] or row["problem"]]
    words += ["--at", row["at"]] if row["source"] else ["--point", row["point"]]
    words += ["--operator", row["operator"], "--wrt", row["wrt"], "--method", row["method"], "--engine", row["engine"]]
    words += ["--order", str(row["order"])] if row["order"] != 1 else []
    words += ["--precision", row["precision"]] if row["precision"] != "float64" else []
    return shlex.join(words)


# --- text ---


def shown(table: pd.DataFrame, kind: str = "") -> pd.DataFrame:
    """The table with its numbers as short text. kind: "seconds" or "ulp" for all number columns; by column name otherwise."""
    text = pd.DataFrame(index=table.index)
    for column in table.columns:
        unit = kind or ("seconds" if str(column).endswith("_s") else "")
        text[column] = [_number(v, unit) for v in table[column]]
    return text


def _number(value: Any, unit: str) -> str:
    if not isinstance(value, float | int) or isinstance(value, bool):
        return "" if value is None else str(value)
    if math.isnan(value):
        return ""
    if unit == "seconds":
        return seconds(value)
    if unit == "ulp" and value < 1e6:
        return f"{value:.0f}"
    return str(value) if isinstance(value, int) else f"{value:.2g}" if abs(value) < 1e4 and not value.is_integer() else f"{value:.3g}"


def markdown(table: pd.DataFrame, index: bool = True) -> str:
    """A table in GitHub's Markdown; the index is the first column."""
    body = table.reset_index() if index else table
    names = [str(c) for c in body.columns]
    lines = [names, ["---"] * len(names), *([_cell(v) for v in row] for row in body.itertuples(index=False))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    text = " ".join(str(value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def select(cells: pd.DataFrame, leave_out: Sequence[str]) -> pd.DataFrame:
    """The rows of methods and engines that are not in leave_out."""
    return cells[~cells["who"].isin(leave_out)]

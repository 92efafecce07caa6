"""How accurate, how fast, how many operations: one picture, and the numbers behind it."""

from __future__ import annotations

import math
from functools import partial

import pandas as pd

from .. import tables
from ..blocks import Block, Chapter, Choice, Figure, Sheet
from ..given import Given
from ..studies import MOST_CURVES

SHARE = 2 / 3
"""Of the points whose error is not above the height of a mark: one point where a derivative is 0 would hide all others."""
FLOOR = 0.1
"""Errors below are drawn here: an exact answer has no place on a logarithmic axis."""


def accuracy(given: Given) -> Chapter | None:
    """Error against time for all problems and for each, then tables."""
    if given.main.empty:
        return None
    blocks: list[Block] = []
    figure = _figure(given.main)
    if figure is not None:
        blocks.append(figure)
    return Chapter("accuracy", "Accuracy against time", (*blocks, *_tables(given.main)))


def _figure(main: pd.DataFrame) -> Figure | None:
    plots = [("all problems", _all(main), "time of a call, against the fastest", False)]
    plots += [(str(p), _one(group), "time of a call", True) for p, group in list(main.groupby("short", sort=False))[:MOST_CURVES]]
    choices = tuple(
        Choice(label, partial(_draw, table, axis, seconds), _said(table)) for label, table, axis, seconds in plots if len(table)
    )
    if not choices:
        return None
    caption = (
        "Each mark is a method on an engine: the lower the more accurate, the further left the faster. Height is the "
        "[error](#def-error) that two points of three stay below, in units of what inputs wrong by ε may cause; hollow marks are wrong at some point. The "
        "dashed line is the Pareto front of those that are right: nothing is both faster and more accurate. "
        f"Errors below {FLOOR:g} are drawn at {FLOOR:g}."
    )
    return Figure("accuracy", caption, choices, "Problem")


def _draw(table: pd.DataFrame, axis: str, seconds: bool, narrow: bool) -> object:
    from .. import charts

    return charts.accuracy_against_time(table, narrow, axis, seconds)


def _all(main: pd.DataFrame) -> pd.DataFrame:
    relative = tables.relative(tables.call_seconds(main))
    return _marks(main, relative, lambda v: f"{v:.2g} times the time of the fastest")


def _one(group: pd.DataFrame) -> pd.DataFrame:
    times = pd.Series({who: pd.to_numeric(g["call_s"]).min() for who, g in group.groupby("who", sort=False)})
    return _marks(group, times, lambda v: f"{tables.brief(v, 'seconds')} a call")


def _marks(cells: pd.DataFrame, times: pd.Series[float], said: object) -> pd.DataFrame:
    """A row for each method on each engine that was timed and judged, with what the mark stands for in words."""
    assert callable(said)
    rows = []
    for who, group in cells.groupby("who", sort=False):
        errors = pd.to_numeric(group["error_conditioned"]).dropna()
        time = float(times.get(who, math.nan))
        usual = float(errors.quantile(SHARE, "lower")) if len(errors) else math.nan
        if not (time > 0 and math.isfinite(usual)):
            continue
        taken = group[~group["status"].isin(tables.REFUSED)]
        tip = f"{who}: {said(time)}, error {usual:.2g}, worst {errors.max():.2g}, {tables.status_of(group)}"
        first = group.iloc[0]
        rows.append(
            {"label": who, "family": first["family"], "engine": first["engine"], "time": time, "error": max(usual, FLOOR)}
            | {"right": bool((taken["status"] == "ok").all()), "tip": tip}
        )
    table = pd.DataFrame(rows, columns=["label", "family", "engine", "time", "error", "right", "tip"])
    if table.empty:
        return table
    table = table.assign(front=front(table))
    return table.assign(who=table["label"], label=_labels(table))


def _labels(table: pd.DataFrame) -> list[str]:
    """The names written beside marks of the front, those too near a written one left out."""
    written: list[tuple[float, float]] = []
    labels = dict.fromkeys(table.index, "")
    for k, r in table[table["front"]].sort_values("time").iterrows():
        x, y = math.log10(r["time"]), math.log10(r["error"])
        if all(abs(x - a) > 0.8 or abs(y - b) > 0.6 for a, b in written):
            written.append((x, y))
            labels[k] = r["label"]
    return list(labels.values())


def front(table: pd.DataFrame) -> list[bool]:
    """Which of the rows that are right are on the Pareto front of time and error: none is better in one and as good in the other."""
    points = list(zip(table["time"].tolist(), table["error"].tolist(), table["right"].tolist(), strict=True))
    right = [(t, e) for t, e, ok in points if ok]
    return [ok and not any(a <= t and b <= e and (a, b) != (t, e) for a, b in right) for t, e, ok in points]


def _said(table: pd.DataFrame) -> str:
    on_front = table[table["front"]].sort_values("time")["who"]
    return f"On the front, fastest first: {', '.join(on_front)}." if len(on_front) else ""


def _tables(main: pd.DataFrame) -> list[Block]:
    return [
        Sheet(
            "Worst error in units of what inputs allow",
            tables.accuracy(main, "error_conditioned"),
            "The worst over the points of each problem, in units of ε |D| (1 + [condition](#def-condition)).",
            folded=True,
        ),
        Sheet(
            "Worst error in ulp", tables.accuracy(main, "error_ulp"), "[ulp](#def-ulp)s of the truth, whatever the condition.", "ulp", True
        ),
        Sheet(
            "Worst relative error",
            tables.accuracy(main, "error_rel"),
            "The [relative error](#def-relative-error) of the worst entry.",
            folded=True,
        ),
        Sheet("Time of one call", tables.call_seconds(main), "A steady [call](#def-call) at the first point.", "seconds", True),
        Sheet(
            "Time by phase",
            tables.phases(main),
            "Medians over the problems.",
            folded=True,
            means={"derive_s": "derive", "compile_s": "compile", "first_call_s": "first call", "call_s": "call"},
        ),
        Sheet(
            "Operations per operation of the function",
            tables.cost_ratio(main),
            "[operations](#def-operations) of one call over those of the function: the same on every engine and machine.",
            folded=True,
        ),
    ]

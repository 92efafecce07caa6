"""The status of methods against problems, a mark for each engine, and the numbers behind each cell for the page's script."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from statistics import quantiles
from typing import Any

import pandas as pd

from ..measure.comparison import seconds
from ..measure.payoff import break_even
from ..measure.record import STATUSES, Measurement, question
from . import tables
from .blocks import Matrix
from .definitions import place

Row = dict[str, Any]
SHOWN = ("method", "family", "engine", "operator", "problem", "short", "status")
MARKS = {
    "ok": "✓",
    "inaccurate": "≠",
    "nan": "N",
    "unsupported": "–",
    "too_large": "L",
    "timeout": "T",
    "failed": "✕",
    "unjudged": "?",
}
"""The sign of each status: told apart without colour."""
JUDGED = ("error_conditioned", "error_ulp", "error_rel", "error_over_bound", "kinks")
COMPARED = ("worst_value", "worst_truth")
TIMED = (
    "derive_s",
    "compile_s",
    "first_call_s",
    "call_s",
    "call_median_s",
    "quartiles",
    "batch_point_s",
    "overhead_s",
    "pays_after",
    "peak_bytes",
    "operations",
    "calls",
)
"""Fields of records, but for quartiles (of the samples of call_s) and pays_after (calls, see measure.payoff)."""


def grid(given: Matrix) -> str:
    """The table in HTML, with what filters it."""
    problems = list(dict.fromkeys(given.cells["short"]))
    engines = sorted(set(given.cells["engine"]))
    methods: dict[str, list[Row]] = {}
    for row in rows_of(given.cells, SHOWN):
        methods.setdefault(row["method"], []).append(row)
    head = "".join(
        f'<th scope="col" class="up"><button type="button" class="sort"><span>{escape(str(p))}</span></button></th>' for p in problems
    )
    rows = "\n".join(_row(method, group, problems, engines) for method, group in sorted(methods.items()))
    return (
        f'<div class="matrix">{_filters(given.cells, engines)}<div class="scroll" tabindex="0" role="region" aria-label="{escape(given.title)}">'
        f'<table class="grid"><thead><tr><th scope="col"><button type="button" class="sort">method</button></th>'
        f'<th scope="col" class="num"><button type="button" class="sort">ok</button></th>{head}</tr></thead>\n'
        f'<tbody>{rows}</tbody></table></div><p class="none" hidden>No method fits.</p></div>'
    )


def rows_of(cells: pd.DataFrame, columns: Sequence[str]) -> list[Row]:
    """Each record as a dict of these columns, all at once: thousands of small tables would take seconds."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*(cells[c].tolist() for c in columns), strict=True)]


def _filters(cells: pd.DataFrame, engines: list[str]) -> str:
    found = [s for s in STATUSES if s in set(cells["status"])]
    legend = " ".join(
        f'<span class="key"><i class="{s}">{MARKS[s]}</i> <a class="term" href="#{place(s)}">{s.replace("_", " ")}</a></span>'
        for s in found
    )
    order = ", ".join(engines)
    choose = "".join(f'<option value="{escape(e)}">{escape(e)}</option>' for e in engines)
    statuses = "".join(f'<option value="{s}">{s.replace("_", " ")}</option>' for s in found)
    return (
        '<form class="filters" autocomplete="off"><label>Method <input type="search" name="text" placeholder="ad, fd.central …"></label> '
        f'<label>Engine <select name="engine"><option value="">all</option>{choose}</select></label> '
        f'<label>With a cell that is <select name="status"><option value="">anything</option>{statuses}</select></label></form>'
        f'<p class="legend">{legend} <span class="key">one mark where all engines agree, else in the order {escape(order)}</span></p>'
    )


def _row(method: str, group: list[Row], problems: list[Any], engines: list[str]) -> str:
    by_problem: dict[Any, list[Row]] = {}
    for row in group:
        by_problem.setdefault(row["short"], []).append(row)
    ok, count = sum(r["status"] == "ok" for r in group), len(group)
    tds = "".join(_cell(method, by_problem.get(p, []), engines) for p in problems)
    return (
        f'<tr data-family="{escape(group[0]["family"])}"><th scope="row">{escape(method)}</th>'
        f'<td class="num" data-v="{ok / count:.6f}">{ok}/{count}</td>{tds}</tr>'
    )


def _cell(method: str, group: list[Row], engines: list[str]) -> str:
    if not group:
        return "<td></td>"
    by_engine: dict[str, list[str]] = {}
    for row in group:
        by_engine.setdefault(row["engine"], []).append(row["status"])
    worst_of = {e: next(s for s in tables.WORST_FIRST if s in by_engine[e]) for e in engines if e in by_engine}
    one = len(set(worst_of.values())) == 1
    spans = {" ".join(worst_of): next(iter(worst_of.values()))} if one else worst_of
    marks = [f'<i class="{status}" data-e="{escape(e)}">{MARKS[status]}</i>' for e, status in spans.items()]
    said = [f"{e}: {tables.outcome(by_engine[e])}" for e in worst_of]
    worst = max(len(tables.WORST_FIRST) - tables.WORST_FIRST.index(status) for status in worst_of.values())
    label = escape(f"{method}, {group[0]['problem']}: {'; '.join(said)}")
    statuses = escape(" ".join(dict.fromkeys(r["status"] for r in group)))
    return (
        f'<td data-v="{worst}" data-s="{statuses}"><button type="button" class="cell" data-key="{escape(cell_key(group[0]))}" '
        f'aria-label="{label}">{"".join(marks)}</button></td>'
    )


# --- the numbers behind the cells ---


def cell_key(row: Row) -> str:
    """What a cell of the matrix is found by."""
    return f"{row['operator']}|{row['problem']}|{row['method']}"


def numbers(cells: pd.DataFrame, pays: Mapping[tuple[str, ...], float]) -> dict[str, Any]:
    """What the page's script shows of a cell: texts, each once, and for each cell its rows of indices into them and numbers.

    pays: by operator, problem, method and engine the calls after which its preparation pays.
    A row: engine, point, status, message, what replays it, then JUDGED and COMPARED; a time: engine, then TIMED.
    """
    texts: dict[str, int] = {}

    def index(text: Any) -> int:
        return texts.setdefault(str(text), len(texts))

    found: dict[str, Any] = {}
    for r in rows_of(cells, list(cells.columns)):
        cell = found.setdefault(
            cell_key(r), {"operator": r["operator"], "problem": r["problem"], "method": r["method"], "rows": [], "times": []}
        )
        said = [*(index(r[c]) for c in ("engine", "point", "status", "message")), index(tables.asked(r))]
        cell["rows"].append([*said, *(_number(r[c]) for c in JUDGED), *(_whole(r[c]) for c in COMPARED)])
        if not _missing(r["call_s"]):
            r |= {
                "quartiles": _quartiles(r["call_samples_s"]),
                "pays_after": pays.get((r["operator"], r["problem"], r["method"], r["engine"])),
            }
            cell["times"].append([index(r["engine"]), *(r[c] if c == "quartiles" else _number(r[c]) for c in TIMED)])
    return {"texts": list(texts), "cells": found, "judged": (*JUDGED, *COMPARED), "timed": TIMED}


def _quartiles(samples: Sequence[float]) -> str | None:
    """What half of the samples lie between, in words."""
    if len(samples) < 3:
        return None
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return f"{seconds(low)} to {seconds(high)}"


def break_evens(records: Iterable[Measurement]) -> dict[tuple[str, ...], float]:
    """By operator, problem, method and engine the calls after which it pays against what is ready first; of right answers alone."""
    asked: dict[tuple[str, ...], list[Measurement]] = {}
    for m in records:
        if m.status == "ok":
            asked.setdefault(question(m), []).append(m)
    return {(g[0].operator, g[0].problem, *who): pays for g in asked.values() for who, pays in break_even(g).items()}


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _whole(value: Any) -> str | None:
    """A number with all its digits."""
    return None if _missing(value) else repr(float(value))


def _number(value: Any) -> Any:
    """A number for JSON, with four digits; NaN and infinity as text, None where there is none."""
    if value is None:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else repr(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return int(value)
    return float(f"{value:.4g}")

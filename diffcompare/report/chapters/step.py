"""The step of a difference: truncation on one side, rounding on the other."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from ..blocks import Block, Chapter, Choice, Figure, Prose, Sheet, code
from ..given import Given


def step(given: Given) -> Chapter | None:
    """The error of differences against their step, for every problem that has a curve."""
    curves = given.studies.curves
    if not curves:
        return None
    drawn = {name: with_tips(table) for name, table in curves.items()}
    choices = tuple(Choice(name, partial(_draw, table), _best(table)) for name, table in drawn.items())
    caption = (
        "The absolute error of each difference against its step h, at the first point of the problem along its first variable, judged "
        "against the certified derivative. Thin dashed lines are what explains it: [truncation](#def-truncation) falls with h, "
        "[rounding](#def-rounding) rises as h falls. Automatic and symbolic derivatives have no step: they are the horizontal lines at the "
        "bottom. An error of 0 is not drawn. As figure 3 of the survey (Baydin et al. 2018), whose function is the logistic map."
    )
    blocks: list[Block] = [
        Prose("A difference is never better than its step. Differentiation by rules has no step to choose.", lead=True),
        Figure("steps", caption, choices, "Problem"),
    ]
    first = next(iter(curves))
    blocks.append(Sheet(f"The numbers for {first}", _numbers(curves[first]), folded=True, index=False))
    if given.studies.without:
        reasons: dict[str, list[str]] = {}
        for name, why in given.studies.without.items():
            reasons.setdefault(why, []).append(code(name))
        blocks.append(Prose(f"Without a curve: {'; '.join(_because(names, why) for why, names in reasons.items())}."))
    return Chapter("steps", "The step of a difference", tuple(blocks))


def _because(names: list[str], why: str) -> str:
    return f"{', '.join(names)} ({why})"


def _draw(table: pd.DataFrame, narrow: bool) -> object:
    from .. import charts

    return charts.step_error(table, narrow)


def with_tips(table: pd.DataFrame) -> pd.DataFrame:
    """The curve with the words of each mark; where a method has no answer its rows are left out."""
    known = table[np.isfinite(table["value"].astype(float))]  # a step onto a pole has an infinite value
    tips = [
        f"{r['method']}" + ("" if pd.isna(r["h"]) else f", h = {r['h']:.1e}") + f": error {r['error']:.2g}" for _, r in known.iterrows()
    ]
    return known.assign(tip=tips)


def _best(table: pd.DataFrame) -> str:
    """The least error of each difference and its step, and that of reverse mode."""
    said = []
    for method, group in table[table["h"].notna()].groupby("method", sort=False):
        r = group.sort_values("error").iloc[0]
        said.append(f"{method} {r['error']:.1e} at h = {r['h']:.0e}")
    exact = table[table["method"] == "ad.reverse"]["error"]
    if len(exact):
        said.append(f"ad.reverse {exact.iloc[0]:.1e} without a step")
    return f"Least errors: {', '.join(said)}."


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Errors by step, a column for each difference, at whole decades."""
    stepped = table[table["h"].notna()]
    wide = stepped.pivot_table(index="h", columns="method", values=["error"], sort=False)["error"].sort_index(ascending=False).reset_index()
    whole = [abs(float(f"{h:.0e}") / h - 1) < 1e-9 for h in wide["h"]]
    return wide[whole].rename_axis(columns=None)

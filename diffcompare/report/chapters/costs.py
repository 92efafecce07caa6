"""What a gradient costs against its function as inputs grow: in operations, and in time."""

from __future__ import annotations

from functools import partial

import pandas as pd

from ..blocks import Block, Chapter, Choice, Figure, Prose, Sheet
from ..given import Given
from ..studies import SWEPT, crossovers, timed
from ..survey import exponents


def costs(given: Given) -> Chapter | None:
    """Ratios against size for every family of the report, with exponents and crossovers, counted and timed."""
    counted = given.studies.costs
    if counted is None:
        return None
    clock = timed(given.studies.sweep)
    blocks: list[Block] = [*_lead(counted), _counted(counted)]
    if len(clock):
        blocks.append(_timed(clock))
    blocks.append(_exponents(counted, clock))
    blocks.append(_crossovers(counted, clock))
    return Chapter("scaling", "What a gradient costs", tuple(blocks))


def _lead(counted: pd.DataFrame) -> list[Block]:
    own = counted[(counted["problem"] == SWEPT) & counted["ratio"].notna()]
    if own.empty:
        return []
    n = int(own["n"].max())
    at = own[own["n"] == n].set_index("method")["ratio"]
    return [
        Prose(
            f"The gradient of the Helmholtz energy of {n} components costs {at['ad.reverse']:.2g} times the function by reverse mode, "
            f"{at['ad.forward']:.3g} times by forward mode, {at['fd.forward']:.3g} times by forward differences.",
            lead=True,
        )
    ]


def _counted(counted: pd.DataFrame) -> Figure:
    choices = []
    for problem, group in counted.groupby("problem", sort=False):
        known = group[group["ratio"] > 0].assign(panel="")
        if len(known):
            table = known.assign(tip=[f"{r['method']}, n = {r['n']}: {r['ratio']:.3g} times the function" for _, r in known.iterrows()])
            choices.append(Choice(f"{problem}", partial(_draw, table, "size n", "cost of gradient / cost of function"), _refusals(group)))
    caption = (
        "[Weighted operations](#def-weighted-operations) of the gradient over those of the function. For reverse mode it stays "
        "below 6 whatever n (Griewank and Walther 2008). The Helmholtz energy of a mixed fluid is figure 5 of the survey."
    )
    return Figure("scaling", caption, tuple(choices), "Family")


def _refusals(group: pd.DataFrame) -> str:
    refused = group[group["status"] != "ok"]
    return " ".join(
        f"{m} refuses n = {', '.join(map(str, g['n']))} ({g['status'].iloc[0].replace('_', ' ')})." for m, g in refused.groupby("method")
    )


def _timed(clock: pd.DataFrame) -> Figure:
    panel = clock["problem"].map(lambda p: p.rpartition(" · ")[2])
    tips = [f"{r['method']}, n = {r['n']}: {r['ratio']:.3g} times the function, {r['seconds']:.3g} s a call" for _, r in clock.iterrows()]
    table = clock.assign(panel="engine " + panel, tip=tips)
    caption = (
        "The same for the Helmholtz energy by the clock: a steady [call](#def-call) of the gradient over one of the function on the same "
        "engine. On engine python every operation takes its time; on numpy the overhead of each array operation hides how many numbers "
        "it works on, differences call the function once on all shifted points, and the symbolic formula is one of scalars."
    )
    choice = Choice(
        "Time of the gradient of the Helmholtz energy", partial(_draw, table, "components n", "time of gradient / time of function")
    )
    return Figure("scaling-time", caption, (choice,))


def _draw(table: pd.DataFrame, x: str, y: str, narrow: bool) -> object:
    from .. import charts

    return charts.scaling(table, narrow, x, y)


def _exponents(counted: pd.DataFrame, clock: pd.DataFrame) -> Sheet:
    fitted = [exponents(t).assign(of=of) for t, of in ((counted, "operations"), (clock, "time")) if len(t)]
    table = pd.concat(fitted, ignore_index=True).dropna(subset=["exponent"])
    wide = table.assign(exponent=table["exponent"].round(2) + 0.0).pivot_table(
        index=["problem", "of", "over"], columns="method", values="exponent", sort=False
    )
    note = (
        "The [exponent](#def-exponent) p of ratio ~ n^p: 0 for a cost in proportion to the function's, 1 for one more evaluation for each "
        "input. Over the number of inputs, or over n where the inputs stay the same."
    )
    return Sheet("Fitted exponents", wide.reset_index().rename_axis(columns=None), note, index=False)


def _crossovers(counted: pd.DataFrame, clock: pd.DataFrame) -> Sheet:
    parts = [crossovers(t).assign(of=of) for t, of in ((counted, "operations"), (clock, "time")) if len(t)]
    table = pd.concat(parts, ignore_index=True)
    smallest = {p: int(g["n"].min()) for t in (counted, clock) if len(t) for p, g in t.groupby("problem")}
    words = [
        "never" if pd.isna(v) else f"from {smallest[p]} or below" if v == 0 else f"from {v:.1f}"
        for p, v in zip(table["problem"], table["from"], strict=True)
    ]
    wide = (
        table.assign(words=words)
        .pivot_table(index=["problem", "of"], columns="method", values="words", aggfunc="first", sort=False)
        .fillna("")
    )
    note = "The size n from which on reverse mode is cheaper than each other method, among the sizes measured."
    return Sheet(
        "Crossovers: where reverse mode becomes the cheaper", wide.reset_index().rename_axis(columns=None), note, folded=True, index=False
    )

"""How formulas grow: a property of the tree in which a derivative is written out, not of the derivative."""

from __future__ import annotations

from functools import partial

import pandas as pd

from ..blocks import Chapter, Choice, Figure, Prose, Sheet
from ..given import Given

COLUMNS = ("derivative", "function", "cse", "nodes", "ad.reverse")
WORDS = {
    "n": "iterates n",
    "function": "function, as a tree",
    "derivative": "derivative, as a tree",
    "cse": "after common subexpressions",
    "nodes": "distinct nodes",
    "symbolic": "symbolic, as run here",
    "ad.forward": "forward mode",
    "ad.reverse": "reverse mode",
}


def swell(given: Given) -> Chapter | None:
    """Operations of the derivative of the logistic map, written out, shared, and as a sweep."""
    table = given.studies.swell
    if table is None:
        return None
    last = table.dropna().iloc[-1]
    lead = (
        f"Written out as a formula, the derivative of {int(last['n'])} iterates of the logistic map takes {int(last['derivative']):,} "
        f"operations; with common subexpressions named {int(last['cse'])}; one sweep of reverse mode takes {int(last['ad.reverse'])}."
    )
    caption = (
        "Operations of l(n) = 4 l(1 - l), iterated from x, and of its derivative. The swell is a property of the tree (Laue 2019): on a "
        "graph that shares its nodes it disappears, and a sweep of automatic differentiation adds a constant for each iterate. As table 1 "
        "of the survey, with SymPy's own count of its trees."
    )
    note = "Trees, common subexpressions and nodes as SymPy has them; the methods here evaluate the operations in the last three columns."
    shown = table.rename(columns=WORDS)
    choice = Choice("Expression swell of the logistic map", partial(_draw, long(table)))
    blocks = (
        Prose(lead, lead=True),
        Figure("swell", caption, (choice,)),
        Sheet("The numbers", shown, note, folded=True, index=False),
    )
    return Chapter("swell", "Expression swell", blocks)


def long(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each point drawn: n, what, count, tip."""
    rows = []
    for what in COLUMNS:
        for n, count in zip(table["n"], table[what], strict=True):
            if pd.notna(count):
                rows.append(
                    {"n": int(n), "what": what, "count": int(count), "tip": f"n = {int(n)}, {WORDS[what]}: {int(count):,} operations"}
                )
    return pd.DataFrame(rows)


def _draw(table: pd.DataFrame, narrow: bool) -> object:
    from .. import charts

    return charts.swell(table, narrow)

"""Which method to take, for how many calls, and what every other one lacks."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ...measure.recommend import CALLS
from .. import tables
from ..blocks import Block, Chapter, Points, Prose, Sheet, code
from ..given import Given
from ..verdict import choices, recommendations, rejected, verdict


def answer(given: Given) -> Chapter:
    """The sentences of the verdict, then its tables."""
    found = recommendations(given.first_records) if given.first_records else {}
    first, *others = verdict(found, given.cells)
    blocks: list[Block] = [Prose(first, lead=True)]
    if others:
        blocks.append(Points(tuple(others)))
    if found:
        sheets = (_by_calls(choices(found)), _rejected(rejected(given.first_records, found[CALLS])))
        blocks += [s for s in sheets if len(s.table)]
    if not given.main.empty:
        blocks.append(_standing(given))
    if given.left_out:
        blocks.append(Prose(f"Left out below, since they take none of these derivatives: {', '.join(map(code, given.left_out))}."))
    return Chapter("answer", "Verdict", tuple(blocks))


def _by_calls(table: pd.DataFrame) -> Sheet:
    note = (
        "Of the methods that are right at every point, the one whose preparation and calls together take least time: the mean over the "
        "problems, against the fastest for each."
    )
    means: Mapping[str, str] = dict.fromkeys(("time / best", "its time / best", "time by hand / best"), "N calls / best")
    return Sheet("By the number of calls", table, note, index=False, means=means)


def _rejected(table: pd.DataFrame) -> Sheet:
    note = (
        "For 1,000 calls, formulas by hand left aside. `inaccurate` here is a right answer that loses more than three digits beyond what its inputs allow, as differences "
        "do; `wrong` is beyond what the method itself promises. `diffcompare recommend` judges any function so."
    )
    return Sheet("What was rejected, and why", table, note, folded=True, index=False)


def _standing(given: Given) -> Sheet:
    means = {
        "worst error": "error",
        "not taken": "not taken",
        "call / best": "call / best",
        f"{tables.CALLS} calls / best": "N calls / best",
    }
    return Sheet("Every method on every engine", tables.standing(given.main), folded=True, means=means)

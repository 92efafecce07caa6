"""The judgement in a few sentences: which method to take, which not, and why."""

from __future__ import annotations

import pandas as pd

from . import tables


def verdict(main: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    """Sentences in Markdown about first derivatives (main) and about everything measured (cells)."""
    if cells.empty:
        return ["Nothing was measured."]
    found = cells["status"].value_counts()
    listed = ", ".join(f"{found[s]} {s}" for s in reversed(tables.WORST_FIRST) if s in found)
    sentences = [f"{len(cells)} cells, each one method on one engine at one point, were measured: {listed}."]
    if main.empty:
        return sentences
    standing = tables.standing(main)
    answered = standing[standing["answered"] > 0]
    right = answered[answered["ok"] == answered["answered"]]
    complete, partly = right[right["not taken"] == 0], right[right["not taken"] > 0]
    if len(complete):
        sentences.append(_choice(complete))
    if len(complete) > 1:
        others = [f"{who} ({_times(row)})" for who, row in complete.iloc[1:].iterrows()]
        sentences.append(f"Right at every point as well, with the time against the best: {', '.join(others)}.")
    if len(partly):
        listed = ", ".join(f"{who} (not {int(r['not taken'])} of {int(r['answered'] + r['not taken'])})" for who, r in partly.iterrows())
        sentences.append(f"Right wherever they answer: {listed}.")
    wrong = answered[answered["ok"] < answered["answered"]]
    if len(wrong):
        sentences.append(f"Not right everywhere: {', '.join(f'{who} ({_outcome(main, str(who))})' for who, _ in wrong.iterrows())}.")
    return sentences


def _choice(complete: pd.DataFrame) -> str:
    best = complete.iloc[0]
    return (
        f"For first derivatives of these problems take **{best.name}**: right at all {int(best['answered'])} points, its worst error "
        f"{best['worst error']:.1f} times what inputs wrong by ε may cause, and for preparation and {tables.CALLS} calls the fastest "
        f"of those that are right everywhere (on average {_times(best)} the best time of any)."
    )


def _times(row: pd.Series[float]) -> str:
    return f"{row[f'{tables.CALLS} calls / best']:.2g}×"


def _outcome(main: pd.DataFrame, who: str) -> str:
    group = main[main["who"] == who]
    found = group["status"].value_counts()
    listed = ", ".join(f"{found[s]} {s}" for s in tables.WORST_FIRST if s in found and s not in ("ok", *tables.REFUSED))
    return f"{listed} of {len(group)}"

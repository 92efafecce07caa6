"""The judgement of `measure.recommend` on a report's first derivatives, for few calls and for many, as sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..measure.recommend import CALLS, judgement
from ..measure.recommendation import Candidate, Recommendation
from ..measure.record import Measurement
from . import tables
from .blocks import code

SCENARIOS = {1: "once", CALLS: f"{CALLS:,} times", 1_000_000: "a million times"}
"""Numbers of calls for which a choice is named."""
NOTABLE = 1.1
"""Less of a difference in time is not worth a sentence."""
BY_HAND = "manual"
FAULTS = {
    "nan": "NaN where the derivative is finite",
    "wrong": "wrong somewhere by more than the method promises",
    "inaccurate": "right but far less accurate than the inputs allow",
    "unsupported": "some problems refused",
    "too large": "some problems refused as too large",
    "timeout": "no answer in time",
}
"""What the kinds of fault of a recommendation are called here; others go by their names."""


def recommendations(records: Sequence[Measurement]) -> dict[int, Recommendation]:
    """By number of calls what is to be taken, of all that was measured."""
    return {calls: judgement(records, calls) for calls in SCENARIOS}


def free(found: Recommendation) -> list[Candidate]:
    """What is right, best first, without formulas written by hand where anything else is right: they are to be written first."""
    return [c for c in found.right if c.method != BY_HAND] or list(found.right)


def verdict(found: dict[int, Recommendation], cells: pd.DataFrame) -> list[str]:
    """Sentences in the report's markup, the answer first; cells: everything measured."""
    if cells.empty:
        return ["Nothing was measured."]
    count = cells["status"].value_counts()
    listed = ", ".join(f"{count[s]:,} {s.replace('_', ' ')}" for s in reversed(tables.WORST_FIRST) if s in count)
    measured = f"{len(cells):,} cells, each one method on one engine at one point, were measured: {listed}."
    if not found:
        return [measured]
    return [*_choice(found), *_rejected(found[CALLS]), measured]


def _choice(found: dict[int, Recommendation]) -> list[str]:
    """What to take for the usual number of calls, for others, and what formulas by hand would gain."""
    usual = found[CALLS]
    if not usual.right:
        return [f"No method is right at every point of these problems: {'; '.join(usual.reasons)}."]
    choice = free(usual)[0]
    reason = (
        f"It is right at all {choice.points} points, its worst [error](#def-error) {choice.error_conditioned:.2g} times what inputs wrong by "
        f"ε may cause, and of all that are right everywhere it takes least time to prepare and call {SCENARIOS[CALLS]}."
    )
    sentences = [f"For first derivatives of these problems, take **{named(choice)}**.", reason]
    fastest = {words: (free(found[calls])[0], found[calls]) for calls, words in SCENARIOS.items()}
    differing = [f"**{named(c)}** called {words}" for words, (c, among) in fastest.items() if _gain(c, choice, among) > NOTABLE]
    if differing:
        sentences.append(f"Less time is taken by {', by '.join(differing)}.")
    by_hand = [c for c in usual.right if c.method == BY_HAND]
    if by_hand and choice.method != BY_HAND:
        share = by_hand[0].relative / choice.relative
        gained = f"take {share:.2g} times its time" if share >= 1 else f"save {100 * (1 - share):.0f} % of its time"
        sentences.append(f"Formulas written by hand, once somebody has written them, {gained}.")
    return sentences


def _gain(other: Candidate, choice: Candidate, found: Recommendation) -> float:
    """How many times as long the choice takes as the other, for this number of calls."""
    own = next(c for c in found.right if (c.method, c.engine) == (choice.method, choice.engine))
    return own.relative / other.relative


def _rejected(found: Recommendation) -> list[str]:
    """Who is right as well, and how many are rejected for which fault."""
    sentences = []
    rest = free(found)[1:]
    if rest:
        least = free(found)[0].relative
        listed = ", ".join(f"{named(c)} ({_ratio(c.relative / least)}×)" for c in rest[:4])
        more = f" and {len(rest) - 4} more" if len(rest) > 4 else ""
        sentences.append(f"Right everywhere as well, with the time against the choice: {listed}{more}.")
    kinds: dict[str, list[str]] = {}
    for r in found.rejected:
        if r.kind not in ("slower", "too slow to prepare"):
            kinds.setdefault(r.kind, []).append(r.method)
    if kinds:
        text = "; ".join(f"{FAULTS.get(kind, kind)}: {', '.join(map(code, dict.fromkeys(methods)))}" for kind, methods in kinds.items())
        sentences.append(f"Rejected. {text[0].upper()}{text[1:]}.")
    return sentences


def _ratio(value: float) -> str:
    return f"{value:.2g}" if value < 99.5 else f"{value:,.0f}"


def named(c: Candidate) -> str:
    """`ad.reverse` on `numpy`."""
    return f"{code(c.method)} on {code(c.engine)}"


# --- tables ---


def choices(found: dict[int, Recommendation]) -> pd.DataFrame:
    """For each number of calls the choice, its time against the best of any for the same problem, the next, and formulas by hand."""
    rows = []
    for calls, words in SCENARIOS.items():
        if not found[calls].right:
            continue
        order = free(found[calls])
        row = {"called": words, "take": _plain(order[0]), "time / best": order[0].relative}
        row |= {"else": _plain(order[1]), "its time / best": order[1].relative} if len(order) > 1 else {}
        by_hand = next((c for c in found[calls].right if c.method == BY_HAND), None)
        row |= {"by hand": _plain(by_hand), "time by hand / best": by_hand.relative} if by_hand is not None else {}
        rows.append(row)
    return pd.DataFrame(rows)


def _plain(c: Candidate) -> str:
    return f"{c.method} · {c.engine}"


def rejected(records: Sequence[Measurement], found: Recommendation) -> pd.DataFrame:
    """Every method that is not the choice, and why, engines of one reason together; formulas by hand only if they are the choice."""
    chosen_by_hand = bool(found.right) and free(found)[0].method == BY_HAND
    compared = found if chosen_by_hand else judgement([m for m in records if m.method != BY_HAND], found.calls)
    return pd.DataFrame(list(compared.listed()), columns=["kind", "method", "why"])

"""The derivative rules under audit: how many bits each keeps, and what is answered where no derivative exists."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd

from ...measure.audit.rows import Edge, Row
from .. import tables
from ..blocks import Block, Chapter, Choice, Figure, Prose, Sheet, code
from ..given import Given

ORDERS = {1: "first derivatives", 2: "second derivatives"}


def rules(given: Given) -> Chapter | None:
    """The heat map of bits lost, the worst points with what replays them, the kinks of the audit and of the records."""
    rows = [r for r in given.studies.audit if isinstance(r, Row)]
    kinked = _met(given.cells)
    if not rows and kinked.empty:
        return None
    blocks: list[Block] = []
    if rows:
        blocks += _audit(rows)
        blocks += _silent(rows)
        edges = kinks([r for r in given.studies.audit if isinstance(r, Edge)])
        note = "Where a function has no derivative there is no truth to judge by, only a convention. Listed is where answers differ."
        if len(edges):
            blocks.append(Sheet("Kinks, and what each answered", edges, note, index=False, folded=len(edges) > 12, means={"at": "kink"}))
    if len(kinked):
        blocks.append(Sheet("Kinks that the problems met", kinked, "Entries that were not judged.", index=False, folded=len(kinked) > 12))
    return Chapter("rules", "The rules under audit", tuple(blocks))


def _audit(rows: Sequence[Row]) -> list[Block]:
    table = heat(rows)
    lossy = table[table["bits"] > 10].groupby("who", sort=False)["function"].nunique()
    names = list(dict.fromkeys(table["who"]))
    said = ", ".join(f"{lossy.get(who, 0)} by {code(who.partition(' · ')[0])}" for who in names)
    caption = (
        "Bits lost at the worst of some hundred points all over the range of float64, by the derivative of each elementary function, "
        "against certified truth: 0 to 2 is all that arithmetic can keep, 52 leaves no digit, 64 is NaN. "
        "`diffcompare audit` covers every function."
    )
    worst = sorted((r for r in rows if r.bad), key=lambda r: -(r.mean_bits or 0.0))[:25]
    listed = pd.DataFrame(
        [
            {"function": r.function, "order": r.order, "who": f"{r.method} · {r.engine}", "bits lost": r.max_bits}
            | {"share of points": r.bad_share, "answer": repr(r.worst_value), "truth": repr(r.worst_truth), "again": r.replay}
            for r in worst
        ]
    )
    blocks: list[Block] = [
        Prose(
            f"Of {table['function'].nunique()} elementary functions, so many have a derivative that loses more than 10 bits somewhere: {said}.",
            lead=True,
        ),
        Figure("audit", caption, (Choice("Bits lost by function and method", partial(_draw, table)),)),
    ]
    if len(listed):
        note = "Share of points: off by more than 4 ulp. The last column computes the worst point again."
        means = {"bits lost": "bits lost"}
        blocks.append(
            Sheet("The worst points", listed, note, {"share of points": "share"}, folded=True, index=False, means=means, code=("again",))
        )
    return blocks


def _silent(rows: Sequence[Row]) -> list[Block]:
    """Who gave no answer that could be judged, and why."""
    reasons: dict[str, dict[str, None]] = {}
    for r in rows:
        if r.status != "ok":
            reasons.setdefault(f"{r.status.replace('_', ' ')}{f', {code(r.message)}' if r.message else ''}", {})[
                f"{r.method} · {r.engine}"
            ] = None
    said = "; ".join(f"{', '.join(map(code, who))} ({why})" for why, who in reasons.items())
    return [Prose(f"Not judged on some functions: {said}.")] if said else []


def heat(rows: Sequence[Row]) -> pd.DataFrame:
    """function, who, order in words, bits, tip of each row that was judged; functions and contestants in the order of the audit."""
    found = [
        {
            "function": r.function,
            "who": f"{r.method} · {r.engine}",
            "order": ORDERS.get(r.order, f"order {r.order}"),
            "bits": r.max_bits,
            "tip": f"{r.function}, order {r.order}, {r.method} on {r.engine}: {r.max_bits:.1f} bits at the worst of {r.judged} points",
        }
        for r in rows
        if r.max_bits is not None
    ]
    return pd.DataFrame(found, columns=["function", "who", "order", "bits", "tip"])


def _draw(table: pd.DataFrame, narrow: bool) -> object:
    from .. import charts

    return charts.lost_bits(table, narrow)


def kinks(edges: Sequence[Edge]) -> pd.DataFrame:
    """First derivatives at the kinks of the audit where answers differ or are not the convention: who answered what.

    A row for each derivative and place; zeros of either sign are one place where they are answered alike.
    """
    grouped: dict[tuple[str, str, str], list[Edge]] = {}
    for e in edges:
        if e.place == "kink" and e.order == 1:
            grouped.setdefault((e.function, e.by, e.at), []).append(e)
    rows: dict[tuple[str, ...], None] = {}
    for (function, by, at), found in grouped.items():
        if len(found) > 1 or found[0].verdict == "wrong":
            where = ", ".join(f"{n} = {float.fromhex(v) + 0.0:.4g}" for n, v in zip("xy", at.split(","), strict=False))
            answers = "; ".join(f"{tables.brief(e.answer) or 'nan'} ({e.who})" for e in found)
            convention = next((tables.brief(e.truth) for e in found if e.known == "convention"), "")
            rows[f"∂{function}/∂{by}", where, answers, convention] = None
    return pd.DataFrame(list(rows), columns=["derivative", "at", "answered", "convention"])


def _met(cells: pd.DataFrame) -> pd.DataFrame:
    """Points of problems with entries that have no derivative: who answered what."""
    rows = []
    for (problem, point, operator), group in cells[cells["kinks"] > 0].groupby(["short", "point", "operator"], sort=False):
        answers: dict[str, list[str]] = {}
        for _, r in group.iterrows():
            shown = ", ".join(tables.brief(v) or "nan" for v in r["value"][:6]) + (", …" if len(r["value"]) > 6 else "")
            answers.setdefault(shown, []).append(r["method"])
        said = "; ".join(f"{a} ({', '.join(dict.fromkeys(who))})" for a, who in answers.items())
        rows.append({"problem": problem, "point": point, "operator": operator, "entries": int(group["kinks"].max()), "answers": said})
    return pd.DataFrame(rows, columns=["problem", "point", "operator", "entries", "answers"])

"""Problems x methods x engines: how each cell ended."""

from __future__ import annotations

import pandas as pd

from .. import tables
from ..blocks import Block, Chapter, Matrix, Prose, Sheet
from ..given import Given


def status(given: Given) -> Chapter | None:
    """The matrix of first derivatives, those of the other operators, and every cell that is not ok."""
    if given.cells.empty:
        return None
    blocks: list[Block] = []
    if not given.main.empty:
        blocks.append(
            Prose(
                "The gradient of every problem with one output number, the Jacobian of the others; a mark for each engine, the worst over "
                "the points of a problem. Each cell opens its numbers."
            )
        )
        blocks.append(Matrix("First derivatives", given.main))
    blocks += _operators(given)
    wrong, refused = tables.wrong(given.cells), tables.refused(given.cells)
    if len(wrong):
        blocks.append(Sheet("Every answer that is wrong, late or missing", wrong, folded=True, index=False, code=("again",)))
    else:
        blocks.append(Prose("No answer was wrong, late or missing."))
    if len(refused):
        blocks.append(Sheet("What was refused, by reason", refused, folded=True, index=False))
    return Chapter("status", "Who is right where", tuple(blocks))


def _operators(given: Given) -> list[Block]:
    """A folded matrix for each operator that is not in the first one, over the problems asked for it."""
    cells = tables.select(given.cells, given.left_out)
    main = set(given.main.index)
    others = cells[~cells.index.isin(main)]
    blocks: list[Block] = []
    for operator, group in others.groupby("operator", sort=False):
        taken = tables.select(group, tables.never_supported(group))
        if len(taken):
            blocks.append(Matrix(f"{_words(str(operator))} of {_listed(taken)}", taken, folded=True))
    return blocks


def _words(operator: str) -> str:
    text = operator.replace("_", " ")
    return text if operator in ("jvp", "vjp", "hvp") else text[0].upper() + text[1:]


def _listed(cells: pd.DataFrame) -> str:
    names = list(dict.fromkeys(cells["short"]))
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} problems"

"""What changed against an older report."""

from __future__ import annotations

import pandas as pd

from ..baseline import COLUMNS, rows, sentences
from ..blocks import Block, Chapter, Points, Prose, Sheet
from ..given import Given


def changes(given: Given) -> Chapter | None:
    """How many changes there are and of which kinds, what was compared and what not, and each change."""
    if given.changes is None:
        return None
    first, *others = (s[0].upper() + s[1:] + "." for s in sentences(given.changes, given.baseline))
    blocks: list[Block] = [Prose(first, lead=True)]
    if others:
        blocks.append(Points(tuple(others)))
    if given.changes.changes:
        blocks.append(Sheet("Every change", pd.DataFrame(list(rows(given.changes.changes)), columns=list(COLUMNS)), index=False))
    return Chapter("changes", "What changed", tuple(blocks))

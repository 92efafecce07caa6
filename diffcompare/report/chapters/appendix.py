"""Where it was measured, on what, what the words mean, how to do any of it again."""

from __future__ import annotations

from .. import tables
from ..blocks import Block, Chapter, Points, Prose, Sheet
from ..given import Given


def appendix(given: Given) -> Chapter:
    """Problems, environments, the way to replay a row. The definitions follow it on the page."""
    blocks: list[Block] = []
    if len(given.cells):
        counts = tables.counts(given.cells, "operator")
        blocks += [
            Sheet(
                "Problems",
                tables.problems(given.cells),
                "What was asked of each, and where.",
                folded=True,
                means={"operations": "operations"},
            ),
            Sheet("Cells by operator", counts, folded=True),
        ]
    for e in given.used:
        blocks.append(
            Points(
                (
                    f"Processor: {e.cpu}, {e.cores} cores; {e.system}",
                    f"Software: {e.python}; {e.packages}",
                    f"Threads: {e.threads or 'not set'}",
                    f"Taken {e.taken} with code {e.code}{f' at revision {e.revision}' if e.revision else ''}; environment {e.id}",
                )
            )
        )
    blocks.append(
        Prose(
            "Each line of `data/records.jsonl` is one measurement, and the CSV files beside it hold the tables as numbers. Every cell of "
            "the matrix and every wrong answer has the command that measures it again, such as "
            '`diffcompare compare "rosenbrock(n=4)" --point start --operator gradient --method ad.reverse --engine numpy`.'
        )
    )
    return Chapter("environment", "Environment, and how to measure again", tuple(blocks))

"""The chapters of a report. A new one is a function of what is given and a place in CHAPTERS."""

from __future__ import annotations

from collections.abc import Callable

from ..blocks import Chapter
from ..given import Given
from .accuracy import accuracy
from .answer import answer
from .appendix import appendix
from .changes import changes
from .costs import costs
from .lessons import lessons
from .rules import rules
from .status import status
from .step import step
from .sweeps import sweeps
from .swell import swell

CHAPTERS: tuple[Callable[[Given], Chapter | None], ...] = (
    answer,
    changes,
    status,
    accuracy,
    step,
    swell,
    costs,
    sweeps,
    rules,
    lessons,
    appendix,
)
"""In the order of the page. One that has nothing to show gives None."""


def chapters(given: Given) -> list[Chapter]:
    """Those that have something to show."""
    return [c for make in CHAPTERS if (c := make(given)) is not None]

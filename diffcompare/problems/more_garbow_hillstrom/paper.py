"""Where the problems come from, and their names."""

from __future__ import annotations

from collections.abc import Callable

from ...problem import Size
from ..least_squares import Entry, LeastSquares, both

PAPER = "Moré, Garbow, Hillstrom: Testing Unconstrained Optimization Software, ACM Trans. Math. Softw. 7 (1981) 17-41"
TAGS = ("mgh", "optimisation")


def problem(number: int, declare: Callable[..., LeastSquares], *tags: str, **sizes: Size) -> tuple[Entry, Entry]:
    """Problem `number` of the paper and its residuals, named after the function that declares it: mgh_08_bard."""
    name = f"mgh_{number:02d}{declare.__name__}"
    return both(declare, name, f"{PAPER}, problem {number} of section 3", (*TAGS, *tags), **sizes)

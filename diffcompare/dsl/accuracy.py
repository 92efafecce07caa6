"""How accurate derivatives are promised to be: PROMISE, or a Bound of the row with its reason. The rule tests hold rows to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Path = tuple[int, ...]
"""With respect to which arguments, in order: (0, 1) is d²/dx dy."""


@dataclass(frozen=True)
class Bound:
    """An error in units of the last place, wherever the derivative is a normal number.

    term(*args): the size of the largest term of a derivative with an irrational zero inside the domain, or None. There a
    bound in ulp of the sum cannot hold; the error is then counted in ulp of the largest term.
    """

    ulp: float
    reason: str = ""
    term: Callable[..., float] | None = None

    def __str__(self) -> str:
        return f"{self.ulp:g}" + (" of the largest term" if self.term else "")


PROMISE = Bound(4.0)

SINGLE = 1.5
"""In float32 the bounds are so many times those in float64, in ulp of float32: elementary functions of that precision err by more.

They hold where value and derivative lie between 1e-30 and 1e30: closer to the ends of float32 factors over- and underflow.
"""

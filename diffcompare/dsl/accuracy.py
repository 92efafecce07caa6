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

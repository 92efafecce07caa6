"""What a check found: entries with their verdicts, and the one verdict over all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..errors import DiffCompareError

AGREES, WRONG, UNDECIDED = "agrees", "wrong", "undecided"


class CheckFailed(AssertionError, DiffCompareError):
    """A claimed derivative that is wrong, or that could not be decided; the message is the whole check."""


class CheckUndecided(CheckFailed):
    """Nothing wrong was found, but not everything could be seen."""


@dataclass(frozen=True)
class Entry:
    """One entry of a claimed derivative beside the truth, or beside an honest difference.

    allowed: the absolute error that rounding, or the difference's own error, explains. scale: what `resolution` is
    relative to: |expected|, or the largest entry beside it where that is 0. point: which of several points, from 0.
    """

    name: str
    row: int
    column: int
    claimed: float
    expected: float
    allowed: float
    verdict: str
    scale: float
    note: str = ""
    point: int = 0

    @property
    def error(self) -> float:
        """claimed - expected; 0 where both are the same infinity."""
        return 0.0 if self.claimed == self.expected else self.claimed - self.expected

    @property
    def relative(self) -> float:
        """|error| / |expected|: inf for a claim beside a zero."""
        return _ratio(abs(self.error), abs(self.expected))

    @property
    def resolution(self) -> float:
        """The smallest error that would have been seen, relative to `scale`."""
        return _ratio(self.allowed, self.scale)

    @property
    def excess(self) -> float:
        """|error| / allowed: above 1 it is not rounding. NaN counts as inf."""
        return math.inf if math.isnan(self.error) else _ratio(abs(self.error), self.allowed)


def _ratio(a: float, b: float) -> float:
    return 0.0 if a == 0 else a / b if b else math.inf


@dataclass(frozen=True)
class Outcome:
    """One point's findings, from either way of checking.

    entries: those looked at one by one. unseen: how many others may hide errors above the resolution asked for.
    resolution: relative errors above this would have been seen in every entry that was decided.
    how: one sentence on what was done.
    """

    entries: Sequence[Entry]
    how: str
    resolution: float
    unseen: int = 0
    kinds: Sequence[str] = ()
    warnings: Sequence[str] = ()
    problem: str = ""

    @property
    def ok(self) -> bool | None:
        if self.problem or any(e.verdict == WRONG for e in self.entries):
            return False
        return None if self.unseen or any(e.verdict == UNDECIDED for e in self.entries) else True


@dataclass(frozen=True)
class Check:
    """The result of check_gradient, check_jacobian or check_hessian.

    ok: True where every entry agrees at every point, False where one is wrong, None where nothing is wrong but an error
    above `target` could hide. entries: what was looked at one by one, of all points. kinds: mistakes that fit what is wrong.
    how: what was done, a sentence for each point. why_not_traced: why f was only evaluated, "" where its graph was used.
    resolution: relative errors of an entry above this would have been seen. target: the resolution asked for.
    """

    operator: str
    function: str
    derivative: str
    outcomes: Sequence[Outcome]
    target: float
    why_not_traced: str = ""
    warnings: Sequence[str] = field(default_factory=tuple)

    @property
    def ok(self) -> bool | None:
        verdicts = [o.ok for o in self.outcomes]
        return False if False in verdicts else None if None in verdicts else True

    @property
    def entries(self) -> list[Entry]:
        return [replace(e, point=k) for k, o in enumerate(self.outcomes) for e in o.entries]

    @property
    def worst(self) -> Entry | None:
        """The entry that rounding explains least; None where none was looked at."""
        rank = {WRONG: 2, UNDECIDED: 1, AGREES: 0}
        return max(self.entries, key=lambda e: (rank[e.verdict], e.excess), default=None)

    @property
    def wrong(self) -> list[Entry]:
        """The wrong entries that were looked at."""
        return [e for e in self.entries if e.verdict == WRONG]

    @property
    def kinds(self) -> list[str]:
        return list(dict.fromkeys(k for o in self.outcomes for k in o.kinds))

    @property
    def resolution(self) -> float:
        return max(o.resolution for o in self.outcomes)

    def raise_if_failed(self, undecided: str = "raise") -> None:
        """Raise CheckFailed if something is wrong, and CheckUndecided if not everything could be seen.

        undecided="allow" lets the second pass.
        """
        if undecided not in ("raise", "allow"):
            raise DiffCompareError(f"undecided is 'raise' or 'allow', got {undecided!r}")
        if self.ok is False:
            raise CheckFailed(str(self))
        if self.ok is None and undecided == "raise":
            raise CheckUndecided(str(self))

    def __bool__(self) -> bool:
        raise TypeError("a check is true, false or undecided: ask for .ok, or call raise_if_failed()")

    def __str__(self) -> str:
        from .show import text

        return text(self)

    def _repr_html_(self) -> str:
        from .show import html

        return html(self)

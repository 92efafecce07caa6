"""What preparing a derivative and calling it takes in all, and after how many calls a slower preparation pays."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .record import Measurement


@dataclass(frozen=True)
class Times:
    """Seconds of one method on one engine: to prepare it (derive, compile), for the first call, for every further one."""

    prepare_s: float
    first_s: float
    call_s: float

    def total(self, calls: int) -> float:
        """Seconds to prepare and make this many calls, at least one."""
        return self.prepare_s + self.first_s + (calls - 1) * self.call_s

    def pays_after(self, other: Times) -> float:
        """The least number of calls for which this one takes no longer in all than the other; inf if there is none."""
        behind = self.total(1) - other.total(1)
        if behind <= 0:
            return 1
        gain = other.call_s - self.call_s
        return 1 + math.ceil(behind / gain) if gain > 0 else math.inf


def times(m: Measurement) -> Times | None:
    """Of a record that has them. A call too slow to be timed again counts as its first."""
    if m.derive_s is None or m.compile_s is None or m.first_call_s is None:
        return None
    return Times(m.derive_s + m.compile_s, m.first_call_s, m.first_call_s if m.call_s is None else m.call_s)


def break_even(found: Iterable[Measurement]) -> dict[tuple[str, str], float]:
    """By (method, engine) the calls after which it pays against the one that is prepared and called first; 1 for that one,
    inf where a call is no faster.

    found: timed records of one question, of those that may be taken: what is wrong is no bargain.
    """
    timed = {(m.method, m.engine): t for m in found if (t := times(m)) is not None}
    if not timed:
        return {}
    base = min(timed.values(), key=lambda t: t.total(1))
    return {who: t.pays_after(base) for who, t in timed.items()}

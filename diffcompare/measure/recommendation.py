"""Recommendation: a choice of method and engine with its reasons, as text, in a terminal and in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .payoff import Times


@dataclass(frozen=True)
class Candidate:
    """A method on an engine that is right at every point.

    relative: time for preparation and calls over the best time for the same question, the geometric mean over questions.
    error_rel, error_conditioned: the worst over the points, see Measurement. times: one for each question.
    """

    method: str
    engine: str
    points: int
    relative: float
    error_rel: float
    error_conditioned: float
    times: tuple[Times, ...]

    @property
    def single(self) -> bool:
        """Whether one question was asked, so that its seconds mean something as they are."""
        return len(self.times) == 1


class Rejected(NamedTuple):
    """A method on an engine that is not to be taken. kind: slower, too slow to prepare, inaccurate (less than was wished),
    wrong (less than it promises), nan, failed, timeout, unjudged, too large, unsupported, not measured.
    """

    method: str
    engine: str
    kind: str
    reason: str


@dataclass(frozen=True, repr=False)
class Recommendation:
    """What to take and why. right: all that are right, best first; rejected: everything else than the first of these.

    method and engine are None where nothing is right; the reasons say so.
    """

    title: str
    calls: int
    tolerance: float | None
    right: tuple[Candidate, ...]
    reasons: tuple[str, ...]
    rejected: tuple[Rejected, ...]

    @property
    def method(self) -> str | None:
        """The name of the method to take."""
        return self.right[0].method if self.right else None

    @property
    def engine(self) -> str | None:
        """The name of the engine to run it on."""
        return self.right[0].engine if self.right else None

    @property
    def headline(self) -> str:
        """The choice in one line."""
        choice = f"take {self.method} on {self.engine}" if self.right else "take none of these"
        return f"{choice} for the {self.title}" if self.title else choice

    def listed(self) -> Iterator[tuple[str, str, str]]:
        """(kind, method, reasons) of what is rejected, each reason with the engines it is of."""
        groups: dict[tuple[str, str], dict[str, list[str]]] = {}
        for r in self.rejected:
            groups.setdefault((r.kind, r.method), {}).setdefault(r.reason, []).append(r.engine)
        for (kind, method), reasons in groups.items():
            yield kind, method, "; ".join(f"{reason} on {', '.join(engines)}" for reason, engines in reasons.items())

    def __str__(self) -> str:
        lines = [self.headline, *(f"  {reason}" for reason in self.reasons), "rejected:" if self.rejected else ""]
        lines += [f"  {kind}: {method}: {reason}" for kind, method, reason in self.listed()]
        return "\n".join(line for line in lines if line)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in self.reasons)
        cells = ("".join(f"<td>{html.escape(part)}</td>" for part in row) for row in self.listed())
        rows = "".join(f"<tr>{row}</tr>" for row in cells)
        head = "<tr><th>rejected</th><th>method</th><th>reason</th></tr>"
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if rows else ""
        return f"<p><strong>{html.escape(self.headline)}</strong></p><ul>{reasons}</ul>{table}"

"""Comparison: the records of compare, shown as a table in a terminal, as HTML in a notebook, or as a DataFrame."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from .record import Measurement, by_status

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult

COLUMNS = (
    "method",
    "engine",
    "status",
    "value",
    "error_ulp",
    "error_rel",
    "operations",
    "calls",
    "derive_s",
    "compile_s",
    "first_call_s",
    "call_s",
)


class Comparison:
    """What compare found. records: one Measurement for each method, engine and point.

    Shows itself as a table: in a terminal by print or by rich, in a notebook as HTML.
    """

    def __init__(self, records: Sequence[Measurement]) -> None:
        self.records = list(records)

    @property
    def table(self) -> pd.DataFrame:
        """A pandas DataFrame with a row for each record: what was asked of each, and what came out."""
        import pandas as pd

        columns = ["point", *COLUMNS, "message"] if self._points > 1 else [*COLUMNS, "message"]
        rows = [{c: shown_value(r, 4) if c == "value" else getattr(r, c) for c in columns} for r in self.records]
        return pd.DataFrame(rows, columns=columns)

    @property
    def title(self) -> str:
        """What was compared, in one line."""
        first = self.records[0]
        what = f"{first.operator} of {first.source or first.problem} with respect to {first.wrt}"
        where = f" at {first.at or first.point}" if self._points == 1 else f" at {self._points} points"
        return _clip(what, 100) + _clip(where, 60)

    @property
    def summary(self) -> str:
        """How many cells ended how."""
        return ", ".join(f"{n} {status}" for status, n in by_status(self.records))

    @property
    def notes(self) -> list[str]:
        """The summary, and each reason that records have with the methods and engines it is of."""
        reasons: dict[str, dict[str, list[str]]] = {}
        for r in self.records:
            if r.message:
                where = reasons.setdefault(r.message, {})
                where.setdefault(r.method + (f" at {r.point}" if self._points > 1 else ""), []).append(r.engine)
        listed = {m: "; ".join(f"{who} on {', '.join(e)}" for who, e in where.items()) for m, where in reasons.items()}
        return [self.summary, *(f"{where}: {message}" for message, where in listed.items())]

    @property
    def _points(self) -> int:
        return len({r.point for r in self.records})

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        width = options.max_width
        names = [n for n, (least, _) in CELLS.items() if width >= least and (n != "point" or self._points > 1)]
        table = Table(box=SIMPLE_HEAD, title=Text(self.title), title_justify="left", pad_edge=False)
        columns = {n: [n, *(CELLS[n][1](r) for r in self.records)] for n in names}
        others = sum(max(map(len, cells)) + 3 for n, cells in columns.items() if n != "value")
        room = max(options.max_width - others - 3, 5)  # for the value, which gives way to everything else
        columns["value"] = [_clip(c, room) for c in columns["value"]]
        for name in names:
            side: Literal["left", "right"] = "left" if name in LEFT else "right"
            table.add_column(name, justify=side, no_wrap=True, overflow="ellipsis")
        for row in list(zip(*columns.values(), strict=True))[1:]:
            table.add_row(*(Text(c, style=STYLES.get(c, "") if n == "status" else "") for n, c in zip(names, row, strict=True)))
        yield table
        yield from (Text(line) for line in self.notes)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=140, no_color=True, force_terminal=False)
        with console.capture() as capture:
            console.print(self)
        return "\n".join(line.rstrip() for line in capture.get().splitlines())

    def __repr__(self) -> str:
        return f"<Comparison: {self.title}; {self.summary}>"

    def _repr_html_(self) -> str:
        shown = self.table.drop(columns="message").to_html(index=False, na_rep="", border=0, float_format=lambda v: f"{v:.3g}")
        notes = "<br>".join(html.escape(line) for line in self.notes)
        return f"<p>{html.escape(self.title)}</p>{shown}<p>{notes}</p>"


LEFT = ("point", "method", "engine", "status", "value")
STYLES = {"ok": "green", "inaccurate": "yellow", "nan": "yellow", "unjudged": "yellow", "failed": "red", "timeout": "red"}


def _prepare(r: Measurement) -> str:
    return seconds(None if r.derive_s is None or r.compile_s is None else r.derive_s + r.compile_s)


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.3g}" if number < 1e5 else f"{number:.1e}"


CELLS: dict[str, tuple[int, Callable[[Measurement], str]]] = {
    "point": (0, lambda r: r.point),
    "method": (0, lambda r: r.method),
    "engine": (0, lambda r: r.engine),
    "status": (0, lambda r: r.status),
    "value": (0, lambda r: shown_value(r, 2)),
    "ulp": (0, lambda r: _short(r.error_ulp)),
    "relative": (100, lambda r: _short(r.error_rel)),
    "ops": (110, lambda r: "" if r.operations is None else str(r.operations)),
    "calls of f": (130, lambda r: "" if r.calls is None else str(r.calls)),
    "prepare": (90, _prepare),
    "first call": (120, lambda r: seconds(r.first_call_s)),
    "call": (0, lambda r: seconds(r.call_s)),
}
"""The columns in a terminal: the least width at which each is shown, and its text."""


def shown_value(r: Measurement, entries: int) -> str:
    """The first entries of a result, and how many there are if there are more."""
    listed = ", ".join(f"{v:.10g}" for v in r.value[:entries])
    return f"{listed}, ... ({r.value_size})" if r.value_size > entries else listed


def seconds(value: float | None) -> str:
    """A duration with a unit: 3 digits in ns, us, ms or s; "" for None."""
    if value is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def _clip(written: str, width: int) -> str:
    return written if len(written) <= width else written[: width - 3] + "..."

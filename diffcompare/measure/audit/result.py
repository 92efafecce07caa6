"""Audit: what an audit found. Its tables, its worst points with the commands that replay them, and its files."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DiffCompareError
from ..environment import Environment
from ..sampling import Sample
from .plan import PROMISED
from .rows import BAD, Edge, Record, Row, from_json, to_json, together

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

WHO = ("method", "engine", "family")


@dataclass(frozen=True, repr=False)
class Audit:
    """rows: one for each function, order and contestant. edges: what was answered at special points.

    samples: the points of each function, each with its stratum; Sample.rows() has them as hex floats. points, seed: what was
    asked for (points 0: they were given). Shows itself in a terminal (print, rich) and in a notebook.
    """

    rows: list[Row]
    edges: list[Edge]
    samples: Mapping[str, Sample]
    environment: Environment
    points: int
    seed: int
    seconds: float

    @property
    def records(self) -> list[Record]:
        """All of it, flat: rows first."""
        return [*self.rows, *self.edges]

    @property
    def table(self) -> pd.DataFrame:
        """A pandas DataFrame with a line for each row, its share of bad points and its replay command."""
        import pandas as pd

        return pd.DataFrame([{**dataclasses.asdict(r), "bad_share": r.bad_share, "replay": r.replay} for r in self.rows])

    def heat(self, order: int) -> pd.DataFrame:
        """Bits lost at the worst point, functions x contestants; NaN where nothing was judged."""
        import pandas as pd

        columns: dict[str, dict[str, float]] = {}
        for r in self.rows:
            if r.order == order:
                columns.setdefault(f"{r.method} {r.engine}", {})[r.function] = math.nan if r.max_bits is None else r.max_bits
        return pd.DataFrame(columns)

    def worst(self, count: int = 20) -> list[Row]:
        """The rows with bad points, those that lose most bits on average first; of rows with the same worst point only the first."""
        bad = sorted((r for r in self.rows if r.bad), key=lambda r: -(r.mean_bits or 0.0))
        unique: dict[tuple[str, int, str], Row] = {}
        for r in bad:
            unique.setdefault((r.function, r.order, r.worst_at), r)
        return list(unique.values())[:count]

    def wrong(self) -> list[Edge]:
        """The answers at special points that contradict the truth or the convention."""
        return [e for e in self.edges if e.verdict == "wrong"]

    @property
    def broken(self) -> list[Row]:
        """The rows of our own rules, on the engines that they promise for, whose error exceeds what their function promises."""
        return [r for r in self.rows if (r.method, r.engine) in PROMISED and (r.over_promise or 0.0) > 1.0]

    @property
    def title(self) -> str:
        """What was audited, in one line."""
        functions = len({r.function for r in self.rows})
        drawn = f"{self.points} random points and the listed ones of each (seed {self.seed})" if self.points else "at given points"
        return f"Audit of {functions} function{'s' * (functions != 1)}, {drawn}"

    def __rich__(self) -> Group:
        from .show import rich_view

        return rich_view(self)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=160, no_color=True)
        with console.capture() as capture:
            console.print(self)
        return capture.get().rstrip()

    def __repr__(self) -> str:
        return f"<{self.title}>"

    def _repr_html_(self) -> str:
        from .show import html_view

        return html_view(self)

    def markdown(self) -> str:
        """The report: tables, worst points with replay commands, special points."""
        from .show import markdown_view

        return markdown_view(self)

    # --- files ---

    def jsonl(self) -> str:
        """The records, one JSON object a line, the environment first. Rows with the same figures share a line, which names them in `who`."""
        lines = [{"kind": "environment", **self.environment.to_json(), "points": self.points, "seed": self.seed, "seconds": self.seconds}]
        return "".join(json.dumps(x, allow_nan=False, separators=(",", ":")) + "\n" for x in [*lines, *condensed(self.records)])

    def csv(self) -> str:
        """The rows as comma-separated values with a header."""
        names = [f.name for f in dataclasses.fields(Row)]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*names, "bad_share"])
        for r in self.rows:
            writer.writerow(["" if (v := getattr(r, n)) is None else v for n in names] + [f"{r.bad_share:.4g}"])
        return text.getvalue()

    def merged(self) -> str:
        """The same, shorter: rows that differ in who alone share a line, and of the figures those that a reader asks for first."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["function", "order", "who", *SHOWN])
        everyone = list(dict.fromkeys((r.method, r.engine) for r in self.rows))
        shared: dict[tuple[str, ...], list[Row]] = {}
        for r in self.rows:
            shared.setdefault((r.function, str(r.order), *(_figure(getattr(r, n)) for n in SHOWN)), []).append(r)
        for (function, order, *figures), rows in shared.items():
            asked = [w for w in everyone if any((r.method, r.engine) == w for r in self.rows if str(r.order) == order)]
            writer.writerow([function, order, together([(r.method, r.engine) for r in rows], asked), *figures])
        return text.getvalue()

    def special(self) -> str:
        """The wrong answers at special points as comma-separated values with a header."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = ("function", "by", "at", "place", "known", "truth", "answer", "who")
        writer.writerow(names)
        for e in self.wrong():
            writer.writerow([_figure(getattr(e, n)) for n in names])
        return text.getvalue()

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """report.md, heat.svg, table.csv and special.csv in the folder; their paths. No picture of an audit of values alone."""
        from .heatmap import heatmap
        from .show import markdown_view

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        picture = heatmap(self)
        texts = {"report.md": markdown_view(self, "heat.svg" if picture else ""), "table.csv": self.merged(), "special.csv": self.special()}
        texts |= {"heat.svg": picture} if picture else {}
        for name, content in texts.items():
            (place / name).write_text(content, encoding="utf-8", newline="\n")
        return [place / name for name in texts]


SHOWN = (
    *("status", "judged", "bad", "p50_ulp", "p99_ulp", "max_ulp", "max_bits", "worst_at", "worst_by", "worst_value", "worst_truth"),
    *("worst_condition", "over_promise", "nonfinite", "zeros_missed", "overflows_missed", "undefined_finite", "subnormal_bad"),
)
"""The columns of the table; the records have all of a row."""


def _figure(value: Any) -> str:
    """A field as text: six digits of a number, points as the shortest hex floats, nothing for nothing."""
    if isinstance(value, str) and "0x" in value:
        return re.sub(r"\.?0*p", "p", value)
    return "" if value is None or value == 0 else f"{value:.6g}" if isinstance(value, float) else str(value)


def condensed(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Flat dicts for JSON; rows that differ in the contestant alone become one, with `who` a list of [method, engine, family]."""
    merged: dict[str, dict[str, Any]] = {}
    for record in records:
        row = to_json(record)
        if isinstance(record, Row):
            who = [row.pop(n, "") for n in WHO]
            merged.setdefault(json.dumps(row), {**row, "who": []})["who"].append(who)
        elif record.who != "all" or record.verdict == "wrong":  # an answer that is everybody's and right tells nothing
            merged[json.dumps(row)] = row
    return list(merged.values())


def read(path: str | os.PathLike[str]) -> list[Record]:
    """The records of a file that Audit.write wrote; of the edges those that it holds. Raises DiffCompareError naming a line that is none."""
    records: list[Record] = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            if row["kind"] == "row":
                contestants = row.pop("who")
                records += [from_json({**row, **dict(zip(WHO, who, strict=True))}) for who in contestants]
            elif row["kind"] == "edge":
                records.append(from_json(row))
        except (ValueError, KeyError, TypeError) as error:
            raise DiffCompareError(f"{path}, line {number} is no record of an audit: {type(error).__name__}: {error}") from None
    return records


__all__ = ["BAD", "Audit", "condensed", "read"]

"""Training: what the runs of train were and how each went, as tables, as text, in notebooks and as files."""

from __future__ import annotations

import html
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DiffCompareError
from ..measure.comparison import seconds
from ..problem import Array
from ..problems.model import Model

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult


@dataclass
class Record:
    """After a step: seconds spent in derivatives so far, the loss over all training samples, the parameters as one vector, and
    its distance from that of ad.reverse in float64 after as many steps, None where that run had ended."""

    step: int
    seconds: float
    loss: float
    position: Array
    distance: float | None = None


@dataclass
class Run:
    """One run. status: ok; diverged; stuck, never moved; timeout; unsupported, too_large or failed, with the reason in message.

    quality: of the samples held back, measured_as says what; None where the run did not start or has no finite end.
    seed: of the order of samples. prepare_s: for preparing the derivatives; None where that failed.
    """

    problem: str
    optimizer: str
    batch_size: int
    method: str
    family: str
    engine: str
    precision: str
    learning_rate: float | None
    seed: int
    samples: int
    parameters: int
    status: str
    message: str
    prepare_s: float | None
    steps: int
    quality: float | None
    measured_as: str
    records: list[Record] = field(repr=False)

    @property
    def loss(self) -> float | None:
        """The last loss."""
        return self.records[-1].loss if self.records else None

    @property
    def distance(self) -> float | None:
        """From ad.reverse in float64, at the last step."""
        return self.records[-1].distance if self.records else None

    @property
    def step_s(self) -> float | None:
        """Seconds a step spent in derivatives: the median over the recorded ones, which an interruption does not change."""
        pairs = zip(self.records, self.records[1:], strict=False)
        each = [(b.seconds - a.seconds) / (b.step - a.step) for a, b in pairs]
        return statistics.median(each) if each else None


SUMMARY = (
    "optimizer",
    "batch_size",
    "method",
    "engine",
    "status",
    "steps",
    "loss",
    "quality",
    "distance",
    "step_s",
    "prepare_s",
    "message",
)


class Training:
    """What train found. model: what was trained; runs: one Run for each optimizer, batch size, method and engine.

    Shows itself as a table: in a terminal by print or by rich, in a notebook as HTML.
    """

    def __init__(self, model: Model, runs: Sequence[Run]) -> None:
        self.model = model
        self.runs = list(runs)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each run: how it ended."""
        import pandas as pd

        return pd.DataFrame([{c: getattr(r, c) for c in SUMMARY} for r in self.runs], columns=list(SUMMARY))

    @property
    def curves(self) -> pd.DataFrame:
        """A row for each recorded step of each run: step, passes over the samples, seconds in derivatives, loss, distance."""
        import pandas as pd

        columns = ("optimizer", "batch_size", "method", "engine", "step", "passes", "seconds", "loss", "distance")
        rows = [
            (r.optimizer, r.batch_size, r.method, r.engine, k.step, k.step * r.batch_size / r.samples, k.seconds, k.loss, k.distance)
            for r in self.runs
            for k in r.records
        ]
        return pd.DataFrame(rows, columns=list(columns))

    def parameters(self, method: str, optimizer: str | None = None) -> dict[str, Array]:
        """The last parameters by name, of the first run of this method; raises DiffCompareError where there is none."""
        from .subject import Parameters

        for r in self.runs:
            if r.method == method and optimizer in (None, r.optimizer) and r.records:
                return Parameters(self.model).parts(r.records[-1].position)
        raise DiffCompareError(f"no run of {method} was made; there are {', '.join(dict.fromkeys(r.method for r in self.runs))}")

    @property
    def title(self) -> str:
        """What was trained on what, in one line."""
        first = self.runs[0]
        held_back = 0 if self.model.held_back is None else len(self.model.held_back)
        what = f"{first.problem}: {first.parameters} parameters, {first.samples} samples, {held_back} held back"
        how = {
            "by": {r.optimizer for r in self.runs},
            "on": {r.engine for r in self.runs},
            "in": {r.precision for r in self.runs} - {"float64"},
            "in batches of": {str(r.batch_size) for r in self.runs} - {str(first.samples)},
        }
        return "; ".join([what, " ".join(f"{word} {values.pop()}" for word, values in how.items() if len(values) == 1)])

    @property
    def summary(self) -> str:
        """How many runs ended how."""
        return ", ".join(f"{n} {status}" for status, n in sorted(Counter(r.status for r in self.runs).items(), key=lambda p: -p[1]))

    @property
    def notes(self) -> list[str]:
        """The summary, what the columns mean, and each message with the runs it is of."""
        said: dict[str, list[Run]] = {}
        for r in self.runs:
            if r.message:
                said.setdefault(r.message, []).append(r)
        meaning = f"loss: of all training samples; {self.runs[0].measured_as}: of those held back; distance: from ad.reverse in float64"
        return [self.summary, meaning, *(f"{self._who(runs)}: {message}" for message, runs in said.items())]

    def _who(self, listed: list[Run]) -> str:
        """The runs in words: all, or methods by optimizer."""
        if len(listed) == len(self.runs):
            return "all"
        by_optimizer: dict[str, dict[str, None]] = {}
        for r in listed:
            by_optimizer.setdefault(r.optimizer, {})[r.method] = None
        return "; ".join(f"{o} with {', '.join(methods)}" for o, methods in by_optimizer.items())

    # --- as text ---

    def cells(self, width: int = 1000) -> list[dict[str, str]]:
        """The rows of the table as short text: what tells the runs apart, and the columns that have room in so many characters."""
        rows = [
            {
                "optimizer": r.optimizer,
                "batch": str(r.batch_size),
                "method": r.method,
                "engine": r.engine,
                "status": r.status,
                "steps": str(r.steps),
                "loss": _number(r.loss, ".6g"),
                r.measured_as: _number(r.quality, ".4g"),
                "distance": _number(r.distance, ".1e"),
                "a step": seconds(r.step_s),
                "prepare": seconds(r.prepare_s),
            }
            for r in self.runs
        ]
        dropped = {n for n in ("optimizer", "batch", "engine") if len({row[n] for row in rows}) == 1}
        for name in ("prepare", "steps", "distance"):
            if sum(max(len(v) for v in (n, *(row[n] for row in rows))) + 3 for n in rows[0] if n not in dropped) > width:
                dropped.add(name)
        return [{n: v for n, v in row.items() if n not in dropped} for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        rows = self.cells(options.max_width)
        table = Table(box=SIMPLE_HEAD, title=Text(self.title), title_justify="left", pad_edge=False)
        for name in rows[0]:
            words = name in ("optimizer", "method", "engine", "status")
            table.add_column(name, justify="left" if words else "right", no_wrap=True, overflow="ellipsis")
        for row in rows:
            table.add_row(*(Text(v, style=STYLES.get(v, "") if n == "status" else "") for n, v in row.items()))
        yield table
        yield from (Text(line) for line in self.notes)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=140, no_color=True, force_terminal=False)
        with console.capture() as capture:
            console.print(self)
        return "\n".join(line.rstrip() for line in capture.get().splitlines())

    def __repr__(self) -> str:
        return f"<Training of {self.title}; {self.summary}>"

    def _repr_html_(self) -> str:
        import pandas as pd

        shown = pd.DataFrame(self.cells()).to_html(index=False, border=0)
        notes = "<br>".join(html.escape(line) for line in self.notes)
        return f"<p>{html.escape(self.title)}</p>{shown}<p>{notes}</p>"

    # --- as data ---

    def json(self) -> str:
        """Every run with its curve and its last parameters; numbers that are not finite are null."""
        from .subject import Parameters

        parts = Parameters(self.model).parts
        names = ("problem", "precision", "learning_rate", "seed", "samples", "parameters", "measured_as", *SUMMARY)
        listed = []
        for r in self.runs:
            curve = {c: [getattr(k, c) for k in r.records] for c in ("step", "seconds", "loss", "distance")}
            last = {n: v.tolist() for n, v in parts(r.records[-1].position).items()} if r.records else None
            listed.append({**{n: getattr(r, n) for n in names}, "curve": curve, "last": last})
        return json.dumps(_plain(listed), indent=1, allow_nan=False)

    def csv(self) -> str:
        """The table, with a header."""
        return str(self.table.to_csv(index=False, lineterminator="\n"))

    def markdown(self) -> str:
        """The table as short text, for a page."""
        rows = self.cells()
        lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(r.values()) for r in rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def save(self, folder: str | Path) -> list[Path]:
        """Write runs.csv, curves.csv and training.json; their paths. Raises OSError where the folder cannot be written."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        texts = {
            "runs.csv": self.csv(),
            "curves.csv": self.curves.to_csv(index=False, lineterminator="\n"),
            "training.json": self.json() + "\n",
        }
        for name, written in texts.items():
            (folder / name).write_text(written, encoding="utf-8")
        return [folder / name for name in texts]


STYLES = {"ok": "green", "diverged": "red", "stuck": "yellow", "failed": "red", "timeout": "red"}


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _plain(value: Any) -> Any:
    """As JSON can say it."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and value - value != 0.0 else value

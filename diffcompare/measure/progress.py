"""A run in a terminal: what is measured now, how much of it is done, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from .environment import environment
from .record import Store, read
from .run import STEPS, Job, Limits, Session

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

WHOLE_RUN_S = 86400.0
"""The time left is estimated from the pace of all that is done: cells on one engine come in a row, and some engines are slow."""


def measure_all(
    planned: Sequence[Job], limits: Limits, path: Path, console: Console | None = None, again: Set[tuple[str, ...]] = frozenset()
) -> bool:
    """Run what the records at this path do not hold, adding to them; whether it came to the end or was interrupted.

    What was measured by the same code in the same environment is kept. again: keys to be measured once more all the same.
    """
    from rich.console import Console

    done = read(path).done(environment().id, limits.timeout_s) - again
    cells = [job.keys(*cell) <= done for job in planned for cell in job.cells]
    with Store(path) as store, Session() as session, bar(console or Console(stderr=True)) as progress:
        if any(cells) and not again:
            progress.console.print(f"{sum(cells)} cells were measured before by the same code on this machine and are kept", markup=False)
        task = progress.add_task("starting", total=STEPS * cells.count(False))

        def told(title: str, steps: int) -> None:
            progress.update(task, advance=steps, **({"description": title} if title else {}))  # type: ignore[arg-type]

        try:
            for _ in session.run(planned, limits, store, done, told):
                pass
        except KeyboardInterrupt:
            return False
    return True


def bar(console: Console, clock: Callable[[], float] = monotonic) -> Progress:
    """The bar with the time taken and the time left; it vanishes when it is done."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    return Progress(*columns, console=console, transient=True, speed_estimate_period=WHOLE_RUN_S, get_time=clock)

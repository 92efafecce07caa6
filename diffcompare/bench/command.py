"""`diffcompare bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    groups: Annotated[list[str] | None, typer.Argument(help="What to measure; everything by default.", show_default=False)] = None,
    out: Annotated[Path, typer.Option(help="The folder for report.md and results.jsonl.")] = Path("reports", "bench"),
    processes: Annotated[
        int | None, typer.Option(min=1, help="Fresh processes for each group, instead of its own number.", show_default=False)
    ] = None,
) -> None:
    """Our derivatives against those of heyoka, CasADi, JAX, Numba, SymPy, C and NumPy by hand, in interleaved turns."""
    from rich.console import Console

    from .result import Findings
    from .run import run
    from .show import report
    from .workload import find_groups
    from .workloads import GROUPS

    chosen = find_groups(groups or [], GROUPS)
    console = Console(stderr=True)
    rows = run(chosen, out / "results.jsonl", processes, console.print)
    text = report(Findings(rows), chosen)
    (out / "report.md").write_text(text, encoding="utf-8")
    typer.echo(text.split("## Times", maxsplit=1)[0].rstrip())
    typer.echo(f"\nwritten to {out / 'report.md'}")

"""The command train, as typer reads it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Form(StrEnum):
    """How train prints."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def train(
    problem: Annotated[str, typer.Argument(help="A model such as iris_mlp or 'mlp_tanh(samples=200)'.", show_default=False)],
    optimizer: Annotated[
        list[str] | None, typer.Option(help="gd, momentum, adam, newton or lbfgs; may be repeated.", show_default="adam")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="A method or a pattern such as 'ad.*'; may be repeated.", show_default="one or two of each family"),
    ] = None,
    engine: Annotated[list[str] | None, typer.Option(help="An engine or a pattern; may be repeated.", show_default="numpy")] = None,
    batch_size: Annotated[list[int] | None, typer.Option(help="Samples a step; may be repeated.", show_default="all samples")] = None,
    steps: Annotated[int, typer.Option(help="Steps of the optimizer.")] = 100,
    learning_rate: Annotated[float | None, typer.Option(help="Of gd, momentum and adam.", show_default="0.1, 0.03, 0.05")] = None,
    precision: Annotated[str, typer.Option(help="Of the derivatives: float64 or float32.")] = "float64",
    seed: Annotated[int, typer.Option(help="Of the order in which samples come into batches.")] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds for each run.")] = 60.0,
    output: Annotated[Form, typer.Option("--format", help="How to print.")] = Form.TABLE,
    out: Annotated[Path | None, typer.Option(help="A folder for runs.csv, curves.csv and training.json.", show_default=False)] = None,
) -> None:
    """Train a model with the derivatives of each method: loss, time and accuracy side by side."""
    from rich.console import Console
    from rich.progress import Progress

    from .run import train as run

    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("preparing", total=steps)
        found = run(
            problem,
            optimizer=optimizer or "adam",
            methods=method or None,
            engines=engine or "numpy",
            batch_size=batch_size or None,
            steps=steps,
            learning_rate=learning_rate,
            precision=precision,
            seed=seed,
            timeout=timeout,
            progress=lambda title, step: progress.update(task, description=title, completed=step),
        )
    if output is Form.TABLE:
        Console().print(found)
    else:
        typer.echo({Form.JSON: found.json, Form.CSV: found.csv, Form.MARKDOWN: found.markdown}[output]().rstrip())
    for path in found.save(out) if out else ():
        errors.print(f"written to {path}", markup=False, highlight=False)

"""The command fit, as typer reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .model import Fitted


def fit(
    model: Annotated[str, typer.Argument(help="An equation such as 'y = a*exp(-b*x)', or a formula to make 0.", show_default=False)],
    data: Annotated[Path, typer.Argument(help="A CSV file; its first line names the columns.", show_default=False)],
    start: Annotated[str, typer.Option(help="The parameters and where to begin: a=1,b=0.5.", show_default=False)],
    column: Annotated[
        list[str] | None, typer.Option(help="x=NAME where the column of x has another name; may be repeated.", show_default=False)
    ] = None,
    method: Annotated[str, typer.Option(help="The method of the Jacobian.")] = "ad.reverse",
    engine: Annotated[str, typer.Option(help="The engine.")] = "auto",
    algorithm: Annotated[str, typer.Option(help="lm, trf or dogbox, SciPy's least squares.")] = "lm",
    delimiter: Annotated[str, typer.Option(help="What separates the columns; tab for tabs.")] = ",",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit a model to data: parameters, standard errors, residual standard deviation. Exit code 0: converged, 1: not."""
    from .model import fit_table
    from .table import read_table

    found = fit_table(model, read_table(data, delimiter), _start(start), _columns(column or []), method, engine, algorithm)
    if as_json:
        import json

        typer.echo(json.dumps(found.to_json(), indent=1))
    else:
        from rich.console import Console

        Console().print(shown(found))
    raise typer.Exit(0 if found.fit.converged else 1)


def _start(given: str) -> dict[str, Any]:
    from ..errors import DiffCompareError
    from ..measure.points import read

    try:
        return read(given)
    except DiffCompareError as error:
        raise DiffCompareError(f"--start: {error}") from None


def _columns(given: list[str]) -> dict[str, str]:
    from ..errors import DiffCompareError

    found: dict[str, str] = {}
    for text in given:
        name, equals, column = (p.strip() for p in text.partition("="))
        if not equals or not name or not column:
            raise DiffCompareError(f"--column reads like x=NAME, got {text!r}")
        if name in found:
            raise DiffCompareError(f"--column gives {name} twice: {found[name]} and {column}")
        found[name] = column
    return found


def shown(found: Fitted) -> RenderableType:
    """The parameters as a table, and below it what is known of the residuals and of the algorithm."""
    import numpy as np
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("parameter")
    for title in ("value", "standard error"):
        table.add_column(title, justify="right")
    for name, value, error in zip(found.names, found.values, found.errors, strict=True):
        table.add_row(Text(name), f"{value:.10g}", f"{error:.4g}" if np.isfinite(error) else "unknown")
    fit, lines = found.fit, []
    if found.spare > 0:
        lines.append(
            f"residual standard deviation {fit.deviation:.6g}, {found.spare} degree{'s' * (found.spare != 1)} of freedom, sum of squares {fit.rss:.6g}"
        )
    else:
        lines.append(f"as many rows as parameters leave no residual to measure errors by; sum of squares {fit.rss:.6g}")
    if found.spare > 0 and not np.all(np.isfinite(found.errors)):
        lines.append("the data do not determine the parameters: the Jacobian is rank deficient")
    ended = "converged" if fit.converged else "not converged"
    lines.append(
        f"{ended}: {_counted(fit.evaluations, 'evaluation')}, {_counted(fit.jacobians, 'Jacobian')} by {found.method}: {fit.message}"
    )
    return Group(table, *map(Text, lines))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"

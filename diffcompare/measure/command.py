"""The command recommend, as typer reads it."""

from __future__ import annotations

from typing import Annotated

import typer


def recommend(
    function: Annotated[str, typer.Argument(help="A formula such as 'x**2*y + y + 2', or the name of a problem.", show_default=False)],
    at: Annotated[str | None, typer.Option(help="The point: x=3,y=4; arrays as w=[1,2,3].", show_default=False)] = None,
    point: Annotated[str | None, typer.Option(help="Of a problem: the label of one point; all by default.")] = None,
    operator: Annotated[str, typer.Option(help="value, derivative, gradient, jacobian, hessian, jvp, vjp, hvp, ...")] = "",
    calls: Annotated[int, typer.Option(help="How often the derivative will be called.")] = 1000,
    tolerance: Annotated[float | None, typer.Option(help="The largest relative error to accept; by default to rounding.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="A method or a pattern such as 'ad.*'; may be repeated.")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="An engine or a pattern; may be repeated.")] = None,
    wrt: Annotated[str | None, typer.Option(help="To differentiate with respect to: x,y. All inputs by default.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for each method on each engine.")] = 10.0,
) -> None:
    """Which method on which engine to take, and why not the others. Exit code 0: one can be taken, 1: none is right."""
    from .recommend import recommend as run
    from .subject import names, subject

    f, where = subject(function, at, point)
    found = run(
        f,
        operator or None,
        calls=calls,
        tolerance=tolerance,
        at=where,
        methods=method,
        engines=engine,
        wrt=names(wrt),
        timeout=timeout,
    )
    typer.echo(str(found))
    raise typer.Exit(0 if found.right else 1)

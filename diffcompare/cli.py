"""The command line: compare, report, audit, list. It reads arguments, calls the API and prints; heavy imports wait for a command."""

from __future__ import annotations

import io
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .bench.command import bench
from .errors import DiffCompareError
from .fitting.command import fit
from .gradbench.command import gradbench
from .measure.command import recommend
from .training.command import train

if TYPE_CHECKING:
    from .measure.changes import Changes
    from .measure.comparison import Comparison
    from .measure.record import Measurement
    from .measure.run import Job
    from .problem import Problem

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Compare ways to differentiate a function: by hand, by finite differences, symbolically and automatically.",
)

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, by the convention of shells."""


WIDE = ("tags", "points", "with respect to", "aliases", "kind", "arguments", "reason")
"""Columns of lists that a terminal has no room for; the other formats have them."""
FOLDED = {"domain": 22, "derivative": 36, "kinks": 24, "ulp 1": 9, "ulp 2": 9}
"""Columns of lists that run over several lines, and their width."""


class Format(StrEnum):
    """How compare prints."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class Page(StrEnum):
    """How steps prints."""

    TABLE = "table"
    HTML = "html"
    MARKDOWN = "markdown"
    LATEX = "latex"


class Mode(StrEnum):
    """Of automatic differentiation."""

    FORWARD = "forward"
    REVERSE = "reverse"


class FailOn(StrEnum):
    """What makes report fail."""

    REGRESSION = "regression"


class Kind(StrEnum):
    """What list lists."""

    PROBLEMS = "problems"
    METHODS = "methods"
    ENGINES = "engines"
    FUNCTIONS = "functions"


def main() -> None:
    """Run the command line; a question that cannot be asked is one line on standard error and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal of ASCII gets question marks
    try:
        app()
    except DiffCompareError as error:
        _complain(str(error))
    except OSError as error:
        if error.errno is None:
            raise
        _complain(f"{error.filename or 'the output'}: {error.strerror}")


def _version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(f"diffcompare {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """What belongs to no command."""


def _complain(message: str) -> None:
    sys.stderr.write(f"error: {message}\n")
    raise SystemExit(2)


# --- compare ---


@app.command()
def compare(
    function: Annotated[str, typer.Argument(help="A formula such as 'x**2*y + y + 2', or the name of a problem.", show_default=False)],
    at: Annotated[str | None, typer.Option(help="The point: x=3,y=4; arrays as w=[1,2,3].", show_default=False)] = None,
    point: Annotated[str | None, typer.Option(help="Of a problem: the label of one point.", show_default=False)] = None,
    operator: Annotated[str, typer.Option(help="value, derivative, gradient, jacobian, hessian, jvp, vjp, hvp, ...")] = "",
    method: Annotated[list[str] | None, typer.Option(help="A method or a pattern such as 'fd.*'; may be repeated.")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="An engine or a pattern; may be repeated.")] = None,
    wrt: Annotated[str | None, typer.Option(help="The inputs to differentiate with respect to: x,y. All by default.")] = None,
    order: Annotated[int, typer.Option(help="Of the operator derivative.")] = 1,
    precision: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    timeout: Annotated[float, typer.Option(help="Seconds for each method on each engine.")] = 10.0,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Every method on every engine at a point, judged against certified truth."""
    from .measure.compare import compare as run
    from .measure.subject import names, subject, usual_operator

    f, where = subject(function, at, point)
    comparison = run(
        f,
        where,
        operator or usual_operator(f),
        methods=method,
        engines=engine,
        wrt=names(wrt),
        order=order,
        precision=precision,
        timeout=timeout,
    )
    _print(comparison, output)


def _print(comparison: Comparison, output: Format) -> None:
    if output is Format.JSON:
        from .measure.record import dumps

        typer.echo(dumps(comparison.records))
    elif output is Format.CSV:
        typer.echo(_csv(comparison.records), nl=False)
    elif output is Format.MARKDOWN:
        from .report.tables import markdown, shown

        typer.echo(markdown(shown(comparison.table), index=False))
    else:
        from rich.console import Console

        Console().print(comparison)


def _csv(records: list[Measurement]) -> str:
    """The flat records with a header; a value's entries are separated by spaces."""
    import pandas as pd

    rows = [{k: " ".join(map(str, v)) if isinstance(v, list) else v for k, v in r.to_json().items()} for r in records]
    return str(pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))


app.command()(bench)
app.command()(recommend)
app.command()(gradbench)
app.command()(train)
app.command()(fit)

# --- report ---


@app.command()
def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Problems or patterns such as '*_regression' or 'tag:mgh'; tag:core by default.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("reports/latest"),
    method: Annotated[list[str] | None, typer.Option(help="A method or a pattern such as 'ad.*'; may be repeated.")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="An engine or a pattern; may be repeated.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Every operator on every problem.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Two problems unless some are named, first derivatives, less time each.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure again what has been measured.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds for each method on each engine.")] = 10.0,
    baseline: Annotated[Path | None, typer.Option(help="An older report, to tell what changed.", show_default=False)] = None,
    fail_on: Annotated[FailOn | None, typer.Option(help="Exit code 1 where it is found.", show_default=False)] = None,
) -> None:
    """Measure and write a report. Interrupted, it keeps what is measured; the same command goes on from there."""
    from .measure.plan import QUICK_S, chosen, jobs
    from .measure.progress import measure_all
    from .measure.run import Limits
    from .report.baseline import changed, read_baseline, text
    from .report.page import RECORDS
    from .report.studies import sweep

    if fail_on and baseline is None:
        raise DiffCompareError("--fail-on needs --baseline, the older report to compare with")
    old = None if baseline is None else read_baseline(baseline, out, RECORDS)
    for complaint in old.complaints if old else ():
        sys.stderr.write(f"warning: of the baseline, {complaint}\n")
    problems = chosen(names or [], quick)
    planned = jobs(problems, full, method, engine, quick)
    usual = not (names or method or engine or quick)
    beside = sweep() if usual else []
    limits = Limits(timeout_s=timeout, timing_s=QUICK_S) if quick else Limits(timeout_s=timeout)
    if fresh and (out / "data").is_dir():
        shutil.rmtree(out / "data")
    path = out / "data" / RECORDS
    finished = measure_all([*planned, *beside], limits, path)
    found = changed(old, planned, limits, path) if finished and old is not None else None
    written = _write(problems, planned, out, beside, finished and usual, found, str(baseline))
    if not finished:
        sys.stderr.write(f"stopped: {written} has what was measured; the same command goes on from there\n")
        raise SystemExit(INTERRUPTED)
    if found is not None:
        typer.echo(text(found, str(baseline)))
        raise typer.Exit(1 if fail_on and found.regressions else 0)


def _write(
    problems: list[Problem], planned: list[Job], out: Path, beside: list[Job], thorough: bool, changes: Changes | None, baseline: str
) -> Path:
    """The report of what was planned, from the records and from studies beside them; says how it came out."""
    from rich.console import Console

    from .measure.record import by_status, read
    from .report.page import EXTRA, RECORDS, can_draw, write
    from .report.studies import gathered

    records = read(out / "data" / RECORDS)
    wanted = {key for j in planned for c in j.cells for key in j.keys(*c)}
    measured = [m for m in records.latest() if m.key in wanted]
    for complaint in [*records.complaints, *([] if can_draw() else [EXTRA])]:
        sys.stderr.write(f"warning: {complaint}\n")
    with Console(stderr=True).status("computing the studies and drawing the page"):
        studies = gathered(problems, records, out / "data", beside, thorough)
        written = write(out, measured, records.environments, records.complaints, studies=studies, changes=changes, baseline=baseline)
    typer.echo(f"{len(measured)} cells: {', '.join(f'{n} {s}' for s, n in by_status(measured))}")
    typer.echo(f"written to {written}")
    return written


# --- audit ---


@app.command()
def audit(
    library: Annotated[list[str] | None, typer.Argument(help="Libraries beside ours, such as jax; or all.", show_default="jax")] = None,
    function: Annotated[list[str] | None, typer.Option(help="An elementwise function; may be repeated. All by default.")] = None,
    order: Annotated[list[int] | None, typer.Option(help="0 the value, 1, 2; may be repeated. All by default.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="A method of ours or a pattern; ad.* and symbolic by default.")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="An engine or a pattern; may be repeated.")] = None,
    points: Annotated[int, typer.Option(help="Random points of each function; those that are listed come on top.")] = 300,
    seed: Annotated[int, typer.Option(help="Of the random points.")] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds for one process with one function.")] = 60.0,
    again: Annotated[str | None, typer.Option("--replay", help="One answer, as a table prints it: 'tanh 1 peer.jax jax 0x1.4p+4'.")] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
    out: Annotated[
        Path | None, typer.Option(help="A folder for report.md, heat.svg, table.csv and special.csv.", show_default=False)
    ] = None,
) -> None:
    """How many digits the derivatives of elementwise functions keep, ours and other libraries', against certified truth."""
    from rich.console import Console
    from rich.progress import Progress

    from .measure.audit import audit as run
    from .measure.audit import replay

    if again is not None:
        found = replay(again)
    else:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("audit", total=None)
            found = run(
                library or None,
                function,
                tuple(order or (0, 1, 2)),
                methods=method,
                engines=engine,
                points=points,
                seed=seed,
                timeout=timeout,
                progress=lambda done, total, what: progress.update(task, completed=done, total=total),
            )
    texts = {Format.JSON: found.jsonl, Format.CSV: found.csv, Format.MARKDOWN: found.markdown}
    if output is Format.TABLE:
        Console().print(found)
    else:
        typer.echo(texts[output](), nl=False)
    if out is not None:
        for path in found.write(out):
            sys.stderr.write(f"written to {path}\n")


# --- steps and graph ---


@app.command()
def steps(
    function: Annotated[str, typer.Argument(help="A formula such as 'x**2*y + y + 2', or the name of a problem.", show_default=False)],
    at: Annotated[str | None, typer.Option(help="The point: x=3,y=4; arrays as w=[1,2,3].", show_default=False)] = None,
    point: Annotated[str | None, typer.Option(help="Of a problem: the label of one point; the first by default.")] = None,
    mode: Annotated[Mode, typer.Option(help="Tangents beside the values, or adjoints from the output down.")] = Mode.FORWARD,
    wrt: Annotated[str | None, typer.Option(help="With respect to: x,y. One of them in forward mode, the first by default.")] = None,
    names: Annotated[bool | None, typer.Option("--names/--numbers", help="Inputs by their names, or numbered as in textbooks.")] = None,
    output: Annotated[Page, typer.Option("--format", help="How to print.")] = Page.TABLE,
) -> None:
    """A sweep of automatic differentiation, line by line with its numbers."""
    from .explain.steps import steps as run

    f, where = _explained(function, at, point)
    trace = run(
        f, where, mode.value, None if wrt is None else [n.strip() for n in wrt.split(",")], numbered=None if names is None else not names
    )
    if output is Page.TABLE:
        from rich.console import Console

        Console().print(trace)
    else:
        typer.echo({Page.HTML: trace.html, Page.MARKDOWN: trace.markdown, Page.LATEX: trace.latex}[output])


@app.command()
def graph(
    function: Annotated[str, typer.Argument(help="A formula such as 'x**2*y + y + 2', or the name of a problem.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The SVG file to write.", show_default=False)],
    at: Annotated[str | None, typer.Option(help="The point: x=3,y=4. Without one, no numbers.", show_default=False)] = None,
    point: Annotated[str | None, typer.Option(help="Of a problem: the label of one point; the first by default.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="Tangents or adjoints; both by default.", show_default=False)] = None,
    wrt: Annotated[str | None, typer.Option(help="The tangents' direction; the first input by default.", show_default=False)] = None,
) -> None:
    """The graph of a function as an SVG picture, with values, tangents and adjoints."""
    from .explain.graph import graph as run

    f, where = _explained(function, at, point, needed=False)
    drawing = run(f, where, None if mode is None else mode.value, wrt)
    drawing.save(out)
    typer.echo(f"{drawing.nodes} nodes, written to {out}")


def _explained(function: str, at: str | None, point: str | None, needed: bool = True) -> tuple[Any, Any]:
    """(a Function, the point): of a problem the first point if none is given."""
    from .measure.subject import is_problem, subject
    from .problem import Problem

    if not needed and at is None and point is None and not is_problem(function):
        from .dsl.grammar import parse

        return parse(function), None
    f, where = subject(function, at, point)
    if not isinstance(f, Problem):
        return f, where
    return f.function, where if isinstance(where, dict) else f.point(where) if where else f.points[0]


# --- check ---


class Claimed(StrEnum):
    """What check takes the claim for."""

    GRADIENT = "gradient"
    JACOBIAN = "jacobian"
    HESSIAN = "hessian"


@app.command()
def check(
    function: Annotated[str, typer.Argument(help="MODULE:FUNCTION, the module of the current folder first.", show_default=False)],
    gradient: Annotated[str, typer.Option(help="MODULE:GRADIENT, the claimed derivative.", show_default=False)],
    at: Annotated[str, typer.Option(help="The point: x=3,w=[1,2]; a number or list; or MODULE:POINT.", show_default=False)],
    operator: Annotated[Claimed, typer.Option(help="What the claim is.")] = Claimed.GRADIENT,
    wrt: Annotated[
        str | None, typer.Option(help="Arguments to differentiate by, by name: x,w. All by default.", show_default=False)
    ] = None,
    resolution: Annotated[float, typer.Option(help="Relative error of an entry that must not go unseen.")] = 1e-10,
    trace: Annotated[bool, typer.Option(help="Trace the function, or only evaluate it.")] = True,
) -> None:
    """Hold a derivative written by hand to the truth. Exit code 0: agrees, 1: wrong, 2: cannot be asked, 3: undecided."""
    from .check.command import exit_code, run_check
    from .measure.points import read

    names = None if wrt is None else [n.strip() for n in wrt.split(",")]
    where = read(at) if "=" in at else at
    found = run_check(function, gradient, where, operator.value, names, resolution=resolution, trace=trace)
    typer.echo(str(found))
    raise typer.Exit(exit_code(found))


# --- list ---


@app.command("list")
def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)],
    names: Annotated[list[str] | None, typer.Argument(help="Of problems: patterns such as 'tag:core'; all by default.")] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """What there is: problems, methods, engines or functions."""
    import json

    from .report.listing import rows

    found = rows(kind.value, names or ())
    if output is Format.JSON:
        typer.echo(json.dumps(found, indent=1))
        return
    if output is not Format.TABLE:
        import pandas as pd

        from .report.tables import markdown

        table = pd.DataFrame(found)
        typer.echo(markdown(table, index=False) if output is Format.MARKDOWN else table.to_csv(index=False, lineterminator="\n").rstrip())
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, pad_edge=False, expand=True)
    *others, last = [name for name in found[0] if name not in WIDE]
    for name in others:
        shown.add_column(name, no_wrap=name not in FOLDED, overflow="fold", max_width=FOLDED.get(name))
    shown.add_column(last, no_wrap=True, overflow="ellipsis", ratio=1)
    for row in found:
        shown.add_row(*(Text(row[name]) for name in (*others, last)))
    Console().print(shown)

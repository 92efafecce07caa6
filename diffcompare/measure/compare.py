"""compare: every method on every engine on one function, at a point."""

from __future__ import annotations

import atexit
import fnmatch
import html
import os
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..differentiate import engines as all_engines
from ..differentiate import find_engine, find_method
from ..differentiate import methods as all_methods
from ..differentiators.base import Differentiator, Operator, Request, check_request
from ..dsl.function import Function, as_function
from ..engines.base import Engine
from ..errors import DiffCompareError
from ..problem import Point, Problem
from .cell import Question, checked_directions, directions
from .points import checked, in_precision, text
from .record import Measurement, by_status
from .run import Job, Limits, Session

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

COLUMNS = ("method", "engine", "status", "value", "error_ulp", "error_rel", "operations", "calls", "derive_s", "compile_s", "first_call_s", "call_s")


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
        rows = [{c: _shown_value(r) if c == "value" else getattr(r, c) for c in columns} for r in self.records]
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
    def _points(self) -> int:
        return len({r.point for r in self.records})

    def __rich__(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(self.title), caption=Text(self._caption()), caption_justify="left")
        head = ["point"] * (self._points > 1) + ["method", "engine", "status", "value", "ulp", "relative", "ops", "calls", "prepare", "first call", "call"]
        for name in head:
            table.add_column(name, justify="left" if name in ("point", "method", "engine", "status", "value") else "right", overflow="fold")
        for r in self.records:
            cells = [r.point] * (self._points > 1) + _cells(r)
            table.add_row(*(Text(c, style=_STYLES.get(r.status, "")) if c == r.status else Text(c) for c in cells))
        return table

    def _caption(self) -> str:
        lines = [self.summary + "; errors against the certified truth, seconds on this machine"]
        lines += [f"{r.method} on {r.engine}: {r.message}" for r in self.records if r.message]
        return "\n".join(dict.fromkeys(lines))

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=160, no_color=True)
        with console.capture() as capture:
            console.print(self)
        return capture.get().rstrip()

    def __repr__(self) -> str:
        return f"<Comparison: {self.title}; {self.summary}>"

    def _repr_html_(self) -> str:
        shown = self.table.drop(columns="message").to_html(index=False, na_rep="", border=0, float_format=lambda v: f"{v:.3g}")
        caption = "<br>".join(html.escape(line) for line in self._caption().splitlines())
        return f"<p>{html.escape(self.title)}</p>{shown}<p>{caption}</p>"


_STYLES = {"ok": "green", "inaccurate": "yellow", "nan": "yellow", "unjudged": "yellow", "failed": "red", "timeout": "red"}


def _cells(r: Measurement) -> list[str]:
    """The columns of the terminal's table after the point."""
    prepare = None if r.derive_s is None or r.compile_s is None else r.derive_s + r.compile_s
    times = [seconds(prepare), seconds(r.first_call_s), seconds(r.call_s)]
    errors = ["" if e is None else f"{e:.3g}" for e in (r.error_ulp, r.error_rel)]
    counts = ["" if n is None else str(n) for n in (r.operations, r.calls)]
    return [r.method, r.engine, r.status, _shown_value(r), *errors, *counts, *times]


def _shown_value(r: Measurement) -> str:
    listed = ", ".join(f"{v:.10g}" for v in r.value[:4])
    return f"{listed}, ... ({r.value_size})" if r.value_size > 4 else listed


def seconds(value: float | None) -> str:
    """A duration with a unit: 3 digits in ns, us, ms or s; "" for None."""
    if value is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def compare(
    f: Function | Problem | str | Any,
    at: Any = None,
    operator: Operator | str = Operator.GRADIENT,
    *,
    methods: str | Differentiator | Sequence[str | Differentiator] | None = None,
    engines: str | Engine | Sequence[str | Engine] | None = None,
    wrt: str | Sequence[str] | None = None,
    order: int = 1,
    tangent: Any = None,
    cotangent: Any = None,
    precision: str = "float64",
    timeout: float = 10.0,
    timing: float = 0.02,
) -> Comparison:
    """Every method on every engine, judged against the certified truth and timed.

    f: a Function, an expression, text, or a Problem. at: {input: value}, a list of such, or for a Problem the label of a
    point, all its points by default. methods, engines: names, shell patterns such as "fd.*", or objects; all by default.
    wrt: names of inputs. tangent, cotangent: as in a call of jvp, vjp, hvp; alternating ones by default.
    timeout: seconds for each method on each engine; timing: seconds for timing its steady call, 0 for none.
    Cells run in another process: what goes wrong in one is the status of its record.

    Raises DiffCompareError, ShapeError, DomainError or TypeError for a question that cannot be asked.
    """
    problem = f if isinstance(f, Problem) else None
    function = problem.function if problem else as_function(f)
    points = _points(function, problem, at)
    names = _wrt(function, wrt, problem)
    question = _question(function, operator, names, [p for _, p in points], order, precision, tangent, cotangent)
    job = Job(
        problem=problem.name if problem else function.name,
        source="" if problem else _source(function),
        question=question,
        methods=chosen_methods(methods),
        engines=chosen_engines(engines, function),
        labels=tuple(label for label, _ in points),
        at=tuple(text(p) for p in question.points),
    )
    limits = Limits(timeout_s=positive("timeout", timeout), timing_s=max(0.0, float(timing)))
    with _lock:
        return Comparison(list(_session().run([job], limits)))


# --- one session for all comparisons of a process: starting one takes longer than most comparisons ---

_lock = threading.Lock()
_sessions: dict[int, Session] = {}


def _session() -> Session:
    """This process's session; after a fork the child gets one of its own."""
    pid = os.getpid()
    if pid not in _sessions:
        _sessions[pid] = Session()
        atexit.register(_sessions[pid].close)
    return _sessions[pid]


# --- the question, checked ---


def _points(function: Function, problem: Problem | None, at: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if problem is not None and (at is None or isinstance(at, str)):
        chosen = problem.points if at is None else (problem.point(at),)
        return [(p.label, checked(function, p)) for p in chosen]
    if at is None and not function.names:
        at = {}
    if at is None:
        raise DiffCompareError(f"compare needs a point: at={{...}} with values for {', '.join(function.names)}")
    if isinstance(at, list | tuple) and at and all(isinstance(p, Mapping) for p in at):
        given = [(p.label if isinstance(p, Point) else f"point {k}", checked(function, p)) for k, p in enumerate(at, start=1)]
        repeated = [label for label, _ in given if [other for other, _ in given].count(label) > 1]
        if repeated:
            raise DiffCompareError(f"two points are labelled {repeated[0]!r}")
        return given
    return [(at.label if isinstance(at, Point) else "given", checked(function, at))]


def _wrt(function: Function, wrt: str | Sequence[str] | None, problem: Problem | None) -> tuple[str, ...]:
    if wrt is None:
        return problem.wrt if problem else function.names
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for n in names:
        function.input(n)
    if len(set(names)) < len(names) or not names:
        raise DiffCompareError(f"wrt names different inputs of {function.name} ({', '.join(function.names)}), got {', '.join(names) or 'none'}")
    return names


def _question(
    function: Function,
    operator: Operator | str,
    wrt: tuple[str, ...],
    points: Sequence[Mapping[str, Any]],
    order: int,
    precision: str,
    tangent: Any,
    cotangent: Any,
) -> Question:
    """The question that every method is asked; raises ShapeError or DiffCompareError where it has no answer."""
    try:
        operator = Operator(operator)
    except ValueError:
        raise DiffCompareError(f"no operator is named {operator!r}; there are: {', '.join(Operator)}") from None
    if precision not in ("float64", "float32"):
        raise DiffCompareError(f"a precision is float64 or float32, got {precision!r}")
    check_request(Request(function, operator, tuple(function.input(n) for n in wrt), order))
    along = directions(function, operator, wrt)
    for keyword, given in (("tangent", tangent), ("cotangent", cotangent)):
        if given is not None:
            along = {**along, keyword: _arranged(given, wrt if keyword == "tangent" else function.outputs)}
    rounded = tuple(in_precision(p, precision) for p in points)
    question = Question(function, str(operator), wrt, rounded, order, precision, along)
    checked_directions(question)
    return question


def _arranged(given: Any, parts: Sequence[Any]) -> tuple[Any, ...]:
    """A direction as one float or array for each part: a mapping by name, a sequence, or a bare value for one part."""
    if isinstance(given, Mapping):
        missing = [str(p) for p in parts if p not in given]
        if missing:
            raise DiffCompareError(f"the tangent has no value for {missing[0]}")
        listed = [given[p] for p in parts]
    else:
        listed = [given] if len(parts) == 1 and not isinstance(given, tuple) else list(given)
    arrays = [np.asarray(v, dtype=np.float64) for v in listed]
    return tuple(a if a.ndim else float(a) for a in arrays)


def chosen_methods(wanted: Any) -> tuple[Differentiator, ...]:
    """The methods of these names, patterns or objects, all for None; raises DiffCompareError for a name that is none."""
    return tuple(dict.fromkeys(m for w in _listed(wanted, Differentiator) for m in _matching(w, all_methods(), find_method)))


def chosen_engines(wanted: Any, function: Function) -> tuple[Engine, ...]:
    """The engines of these names, patterns or objects, all for None; `auto` is the one chosen for the function."""
    found = (e for w in _listed(wanted, Engine) for e in _matching(w, all_engines(), lambda name: find_engine(name, function)))
    return tuple(dict.fromkeys(found))


def _listed(wanted: Any, kind: type) -> list[Any]:
    if wanted is None:
        return ["*"]
    listed = [wanted] if isinstance(wanted, str | kind) else list(wanted)
    if not listed:
        raise DiffCompareError("no method or engine is chosen: name one, or leave the choice out for all")
    return listed


def _matching(wanted: Any, known: Mapping[str, Any], find: Any) -> list[Any]:
    if isinstance(wanted, str) and any(c in wanted for c in "*?["):
        found = [v for n, v in known.items() if fnmatch.fnmatchcase(n, wanted)]
        if not found:
            raise DiffCompareError(f"nothing matches {wanted!r}; there are: {', '.join(known)}")
        return found
    return [find(wanted)]


def positive(name: str, value: float) -> float:
    """The value as a float; raises DiffCompareError unless it is a positive finite number."""
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise DiffCompareError(f"{name} is a positive number of seconds, got {value!r}")
    return float(value)


def _source(function: Function) -> str:
    """The function as text that parses back, "" where it is long."""
    written = str(function)
    return written if len(written) <= 500 else ""


def _clip(written: str, width: int) -> str:
    return written if len(written) <= width else written[: width - 3] + "..."

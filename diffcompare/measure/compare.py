"""compare: every method on every engine on one function, at a point."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..differentiators.base import Differentiator, Operator, Request, check_request
from ..dsl.function import Function, as_function
from ..engines.base import Engine
from ..errors import DiffCompareError
from ..problem import Point, Problem
from .cell import Question, checked_directions, directions
from .choice import chosen_engines, chosen_methods
from .comparison import Comparison
from .points import checked, in_precision, text
from .run import Job, Limits, Session

PRECISIONS = ("float64", "float32")


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
    point, all its points by default. operator, order, precision: as of prepare. methods, engines: names, shell patterns such as "fd.*", or objects; all by default.
    wrt: names of inputs or of named intermediates. tangent, cotangent: as in a call of jvp, vjp, hvp; alternating ones by default.
    timeout: seconds for each method on each engine; timing: seconds for timing each of its phases, 0 for none.
    Cells run in another process: what goes wrong in one is the status of its record.

    Raises DiffCompareError, ShapeError, DomainError or TypeError for a question that cannot be asked.
    """
    problem = f if isinstance(f, Problem) else None
    function = problem.function if problem else as_function(f)
    points = _points(function, problem, at)
    names = _wrt(function, wrt, problem)
    if precision not in PRECISIONS:
        raise DiffCompareError(f"a precision is float64 or float32, got {precision!r}")
    rounded = [in_precision(p, precision) for _, p in points]
    question = _question(*_with_offsets(function, names, rounded), operator, names, order, precision, tangent, cotangent)
    job = Job(
        problem=problem.name if problem else function.name,
        source=_source(function) if not problem and set(names) <= set(function.names) else "",  # text does not name its parts
        question=question,
        methods=chosen_methods(methods),
        engines=chosen_engines(engines, function),
        labels=tuple(label for label, _ in points),
        at=tuple(map(text, rounded)),
    )
    limits = Limits(timeout_s=timeout, timing_s=timing)
    with _lock:
        found = list(_session().run([job], limits))
    rank = {key: k for k, cell in enumerate(job.cells) for key in job.keys(*cell)}
    return Comparison(sorted(found, key=lambda m: rank[m.key]))


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


def _points(function: Function, problem: Problem | None, at: Any) -> Sequence[tuple[str, Mapping[str, Any]]]:
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
    function.shifted([n for n in names if n not in function.names])  # raises where one is neither
    if len(set(names)) < len(names) or not names:
        raise DiffCompareError(
            f"wrt names different inputs of {function.name} ({', '.join(function.names)}), got {', '.join(names) or 'none'}"
        )
    return names


def _with_offsets(
    function: Function, names: Sequence[str], points: Sequence[Mapping[str, Any]]
) -> tuple[Function, list[Mapping[str, Any]]]:
    """The function and its points with an input, at 0, for each of the names that is an intermediate; see Function.shifted."""
    inner = [n for n in names if n not in function.names]
    if not inner:
        return function, list(points)
    shifted = function.shifted(inner)
    offsets = {n: np.zeros(shape) if (shape := shifted.input(n).shape) else 0.0 for n in inner}
    return shifted, [{**p, **offsets} for p in points]


def _question(
    function: Function,
    points: Sequence[Mapping[str, Any]],
    operator: Operator | str,
    wrt: tuple[str, ...],
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
    check_request(Request(function, operator, tuple(function.input(n) for n in wrt), order))
    along = directions(function, operator, wrt)
    for keyword, given in (("tangent", tangent), ("cotangent", cotangent)):
        if given is not None:
            along = {**along, keyword: _arranged(given, wrt if keyword == "tangent" else function.outputs)}
    question = Question(function, str(operator), wrt, tuple(points), order, precision, along)
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
        sequence = isinstance(given, tuple) or (isinstance(given, list) and len(parts) > 1)
        listed = list(given) if sequence else [given]
    arrays = [np.asarray(v, dtype=np.float64) for v in listed]
    return tuple(a if a.ndim else float(a) for a in arrays)


def _source(function: Function) -> str:
    """The function as text that parses back, "" where it is long."""
    written = str(function)
    return written if len(written) <= 500 else ""

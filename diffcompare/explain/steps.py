"""The sweeps of automatic differentiation, a line for each operation: values, then tangents beside them or adjoints after them.

The layout is that of Baydin, Pearlmutter, Radul, Siskind: Automatic Differentiation in Machine Learning: a Survey,
JMLR 18(153), 2018, tables 2 and 3: of n inputs the first is v_(1-n), the last v_0, and v_1, v_2, ... are the operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..dsl.arithmetic import sqrt
from ..dsl.constants import constant
from ..dsl.core import BOOL, INPUT, Expr, fresh
from ..dsl.elementary import exp, log
from ..dsl.elementwise import Elementwise, number
from ..dsl.function import Function, as_function
from ..dsl.structural import add_terms
from ..dsl.structural import sum as sum_over
from ..dsl.walk import postorder
from ..errors import DiffCompareError, ShapeError, TooLarge
from ..measure.points import checked
from ..transforms.forward import tangents
from ..transforms.lower import lower
from ..transforms.scalarize import scalarize
from .notation import ADJOINT, TANGENT, VALUE, Sign, Slope, Symbol
from .reading import evaluate, product, total
from .trace import Line, Trace
from .variables import Variables, name_of

MODES = ("forward", "reverse")
LIMIT = 300
"""The most operations that are written out."""
TEXTBOOK: dict[str, Callable[[Expr, tuple[int, ...]], Expr]] = {
    "softmax": lambda x, axes: exp(x) / sum_over(exp(x), axis=axes, keepdims=True),
    "logsumexp": lambda x, axes: log(sum_over(exp(x), axis=axes)),
    "norm": lambda x, axes: sqrt(sum_over(x**2, axis=axes)),
}
"""Composites without the shift or scale that keeps them from overflowing."""
ONE = constant(1.0)
NOTHING = constant(0.0)


def steps(f: Any, at: Any = None, mode: str = "forward", wrt: str | Sequence[str] | None = None, *, numbered: bool | None = None) -> Trace:
    """The forward or the reverse sweep of a function at a point, line by line, for reading.

    f: a Function, an expression or text; array functions are written out entry by entry. at: a mapping by name.
    wrt: inputs or named intermediates. Forward mode takes one, by default the first input: a sweep gives the derivatives
    with respect to it. Reverse mode has adjoints for all; wrt keeps the lines that lead to those named.
    numbered: whether inputs are v_(1-n) to v_0, as in the survey, or go by their names; up to three are, by default.

    Raises ShapeError for a reverse sweep from several outputs, TooLarge beyond LIMIT operations, DiffCompareError for a
    mode or a name that does not exist or a point that does not fit.
    """
    function = as_function(f)
    if mode not in MODES:
        raise DiffCompareError(f"steps: there is no mode {mode!r}; the modes are {' and '.join(MODES)}")
    point = checked(function, {} if at is None and not function.names else at)
    variables = Variables(*of_scalars(function, point), numbered)
    chosen = [row for n in ([wrt] if isinstance(wrt, str) else wrt or ()) for row in variables.named(n)]
    if mode == "reverse":
        wrt_rows = chosen or list(variables.function.inputs)
        lines = [*_values(variables), *_adjoints(variables, wrt_rows)]
    else:
        wrt_rows = chosen or list(variables.function.inputs[:1])
        if len(wrt_rows) != 1:
            listed = ", ".join(map(name_of, wrt_rows)) or "nothing"
            raise DiffCompareError(f"steps: a forward sweep is with respect to one variable, got {listed}; one sweep for each")
        lines = [*_values(variables), *_tangents(variables, wrt_rows[0])]
    return Trace(function, point, mode, tuple(map(name_of, wrt_rows)), tuple(lines))


def of_scalars(function: Function, point: Mapping[str, Any]) -> tuple[Function, list[float]]:
    """The function with arrays written out as scalars, and the value of each of its inputs; TooLarge beyond LIMIT."""
    values = [float(v) for name in function.names for v in np.ravel(point[name])]
    if len(values) > LIMIT:
        raise TooLarge(f"steps: {function.name} has {len(values)} scalar inputs; up to {LIMIT} are written out, take it smaller")
    if any(n.shape for n in postorder([*function.inputs, *function.outputs])):
        function = _written_out(function, values)
    operations = sum(1 for n in postorder(function.outputs) if n.args and n.dtype != BOOL)
    if operations > LIMIT:
        raise TooLarge(f"steps: {function.name} has {operations} operations; up to {LIMIT} are written out, take it smaller")
    return function, values


def _written_out(function: Function, values: Sequence[float]) -> Function:
    """An array function as one of scalars, its composites as textbooks have them unless that overflows here."""

    def is_elementwise(node: Expr) -> bool:
        return isinstance(node.primitive, Elementwise)

    plain = _in_textbook_forms(function.outputs)
    for outputs in (plain, function.outputs):
        written = scalarize(function.with_outputs(lower(outputs, keep=is_elementwise)), 20 * LIMIT, named=True)
        nodes = postorder(written.outputs)
        if outputs is plain and not np.all(np.isfinite(evaluate(nodes, dict(zip(written.inputs, values, strict=True))))):
            continue
        break
    return written


def _in_textbook_forms(outputs: Sequence[Expr]) -> list[Expr]:
    new: dict[Expr, Expr] = {}
    for node in postorder(outputs):
        args = [new[a] for a in node.args]
        form = TEXTBOOK.get(node.primitive.name)
        new[node] = form(args[0], *node.params) if form else node.primitive.apply(args, node.params) if args else node
    return [new[o] for o in outputs]


# --- values ---


def _values(v: Variables) -> list[Line]:
    """The forward sweep of values."""
    lines = []
    symbols, numbers = _signs(v)
    for row in v.rows:
        if row.primitive is INPUT:
            lines.append(_same(v.symbol[row], Symbol(VALUE, name_of(row)), v.value[row]))
        else:
            step = v.local[row]
            lines.append(Line(VALUE, v.symbol[row], ((step, symbols),), (step, numbers), v.value[row]))
    return lines + _results(v, VALUE, [v.value[o] if o in v.value else evaluate([o], v.at)[0] for o in v.function.outputs])


def _signs(v: Variables) -> tuple[dict[Expr, Sign], dict[Expr, Sign]]:
    """For each stand-in its symbol, and its number."""
    return {v.stand[r]: v.symbol[r] for r in v.rows}, {v.stand[r]: v.value[r] for r in v.rows}


def _same(symbol: Symbol, as_what: Symbol, value: float) -> Line:
    """symbol = as_what = value, the same quantity under another name."""
    steps = () if symbol == as_what else ((ONE, {ONE: as_what}),)
    return Line(symbol.kind, symbol, steps, None, value)


def _results(v: Variables, kind: str, values: Sequence[float]) -> list[Line]:
    """For each output the line that says which variable it is."""
    rows = zip(v.results, v.function.outputs, values, strict=True)
    return [_same(s.of(kind), v.symbol.get(o, s).of(kind), value) for s, o, value in rows]


# --- tangents ---


def _tangents(v: Variables, seed: Expr) -> list[Line]:
    """The forward sweep of tangents, that of `seed` being 1; the numbers are those of the transform."""
    found = tangents([*v.rows, *v.function.outputs], {seed: ONE})
    dots = evaluate([NOTHING if t is None else t for t in found], v.at)
    dot = {row: fresh("tangent") for row in v.rows}
    symbols, numbers = _signs(v)
    symbols |= {dot[r]: v.symbol[r].of(TANGENT) for r in v.rows}
    numbers |= {dot[r]: value for r, value in zip(v.rows, dots, strict=False)}
    lines = []
    for row, value in zip(v.rows, dots, strict=False):
        symbol = v.symbol[row].of(TANGENT)
        if row.primitive is INPUT:
            lines.append(_same(symbol, Symbol(TANGENT, name_of(row)), value))
            continue
        terms = [product(dot[by], partial) for by, partial in v.parents[row].items()]
        if row is seed or not terms:
            lines.append(_same(symbol, symbol, value))
        else:
            step = total(terms)
            lines.append(Line(TANGENT, symbol, ((step, symbols),), (step, numbers), value))
    return lines + _results(v, TANGENT, dots[len(v.rows) :])


# --- adjoints ---


def _adjoints(v: Variables, wrt: Sequence[Expr]) -> list[Line]:
    """The reverse sweep from the only output down, each contribution to an adjoint a line.

    Only variables that depend on one in `wrt` are visited. A branch that is not taken contributes nothing.
    """
    if len(v.function.outputs) != 1:
        n = len(v.function.outputs)
        raise ShapeError(
            f"steps: a reverse sweep starts from one scalar output, {v.function.name} has {n}; take one of them, or the forward mode"
        )
    (output,) = v.function.outputs
    active = v.depending(wrt)
    sums = _contributions(v, output, active)
    every = [s for row in sums for s in sums[row]]
    numbers = iter(evaluate(every, v.at))
    running = {row: [next(numbers) for _ in sums[row]] for row in sums}
    final = {row: running[row][-1] if row in running else 0.0 for row in v.rows}
    lines = [_same(v.symbol.get(output, v.results[0]).of(ADJOINT), v.results[0].of(ADJOINT), 1.0)]
    count = dict.fromkeys(v.rows, 0)
    for row in reversed(v.rows):
        if row in active and row not in sums:
            lines.append(_same(v.symbol[row].of(ADJOINT), v.symbol[row].of(ADJOINT), 0.0))
        for by, partial in v.parents.get(row, {}).items() if row in sums else ():
            if by in active:
                k = count[by]
                before = running[by][k - 1] if k else None
                lines.append(_handed_down(v, row, by, partial, final[row], before, running[by][k]))
                count[by] += 1
    ends = [r for r in v.function.inputs if r in set(wrt) and v.symbol[r].name != name_of(r)]
    return lines + [_same(Symbol(ADJOINT, name_of(r)), v.symbol[r].of(ADJOINT), final[r]) for r in ends]


def _contributions(v: Variables, output: Expr, active: set[Expr]) -> dict[Expr, list[Expr]]:
    """For each row the running sums of its adjoint as expressions, where it has one.

    The rules are the primitives' own, applied to the whole adjoint of each row from the output down.
    """
    sums: dict[Expr, list[Expr]] = {output: [ONE]} if output in active else {}
    wild: set[Expr] = set()
    for row in reversed(v.rows):
        if row not in sums or row not in v.operation:
            continue
        operation = v.operation[row]
        may_be_infinite = row in wild or (isinstance(operation.primitive, Elementwise) and operation.primitive.singular(operation))
        parts = operation.primitive.vjp(operation, sums[row][-1], row in wild)
        for by in v.parents[row]:
            if by in active:
                part = add_terms([p for a, p in zip(operation.args, parts, strict=True) if a is by and p is not None])
                assert part is not None
                earlier = sums.setdefault(by, [])
                earlier.append(earlier[-1] + part if earlier else part)
                if may_be_infinite:
                    wild.add(by)
    return sums


def _handed_down(v: Variables, row: Expr, by: Expr, partial: Expr, adjoint: float, before: float | None, after: float) -> Line:
    """The line by which a row hands its adjoint to one of the variables it depends on."""
    symbols, numbers = _signs(v)
    bar, slope, sum_so_far, factor = (fresh(n) for n in ("adjoint", "slope", "sum", "factor"))
    symbols |= {bar: v.symbol[row].of(ADJOINT), slope: Slope(v.symbol[row], v.symbol[by]), sum_so_far: v.symbol[by].of(ADJOINT)}
    numbers |= {bar: adjoint}
    if number(partial) in (1.0, -1.0):  # said, where elsewhere a factor of 1 goes without saying
        symbols[factor] = numbers[factor] = number(partial) or 0.0
        rule = bar * factor
    else:
        rule = product(bar, partial)
    step = bar * slope
    if before is not None:
        numbers[sum_so_far] = before
        rule, step = total([sum_so_far, rule]), sum_so_far + step
    return Line(ADJOINT, v.symbol[by].of(ADJOINT), ((step, symbols), (rule, symbols)), (rule, numbers), after)

"""What there is to write formulas with: each function's domain, derivative, convention at kinks and promised accuracy, as text.

Everything is read from the rows themselves, which the tests hold to it.
"""

from __future__ import annotations

import inspect
import itertools
from typing import Any

from .aliases import ALIASES
from .constants import constant
from .core import BOOL, FUNCTIONS, PRIMITIVES, Expr, input_
from .elementwise import Elementwise
from .show import brief, text

ARGUMENTS = ("x", "y", "z")
LONGEST = 100
"""Longer derivatives are shown with their deep parts left out."""
Row = dict[str, str]


def functions() -> list[Row]:
    """A row for each function, by name.

    function, aliases; kind: elementwise, condition or array; arguments: how many, or the signature of an array function;
    domain of each argument; derivative with respect to x, y, z, "0" for step functions; kinks: the derivative there;
    ulp 1, ulp 2: the promised errors of the first and second derivative in ulp, "exact" where the derivative is 0; reason: why a bound is not the usual one;
    what: the meaning, where the row has one.
    """
    return [_row(name, function) for name, function in sorted(FUNCTIONS.items())]


def _row(name: str, function: Any) -> Row:
    aliases = ", ".join(sorted(a for a, target in ALIASES.items() if target == name))
    if name in ("gt", "ge"):  # a > b is b < a: functions of the table, not primitives
        return _filled(function=name, aliases=aliases, kind="condition", arguments="2")
    if not isinstance(function, Elementwise):
        what = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
        signature = str(inspect.signature(function)).partition(" ->")[0]
        kinks = getattr(PRIMITIVES.get(name), "convention", "")
        return _filled(function=name, aliases=aliases, kind="array", arguments=_plain(signature), kinks=kinks, what=what)
    row = _filled(
        function=name,
        aliases=aliases,
        kind="condition" if function.dtype == BOOL else "elementwise",
        arguments=str(function.arity),
        domain=", ".join(map(str, function.domain)),
        what=function.doc,
    )
    if function.dtype != BOOL:
        row.update(derivative=derivative(function), kinks=function.convention, **_bounds(function))
    return row


def _filled(**given: str) -> Row:
    columns = ("function", "aliases", "kind", "arguments", "domain", "derivative", "kinks", "ulp 1", "ulp 2", "reason", "what")
    return {c: given.get(c, "") for c in columns}


def _plain(signature: str) -> str:
    """A signature without types, as they are all Any."""
    parameters = signature.strip("()").split(", ")
    return ", ".join(p.partition(":")[0] + (f"={p.partition(' = ')[2]}" if " = " in p else "") for p in parameters)


def derivative(function: Elementwise) -> str:
    """The partial derivatives as text: d/dx = ...; d/dy = ..."""
    names = ARGUMENTS[: function.arity]
    inputs = [input_(n, (), BOOL if function.takes_bool and k == 0 else "real") for k, n in enumerate(names)]
    node = function.apply(inputs)
    unit = constant(1.0)
    partials = [function.jvp(node, [unit if j == k else None for j in range(len(inputs))]) for k in range(len(inputs))]
    shown = ["0" if p is None else _shortened(p) for p in partials]
    return shown[0] if len(names) == 1 else "; ".join(f"d/d{n} = {s}" for n, s in zip(names, shown, strict=True))


def _shortened(partial: Expr) -> str:
    whole = text(partial)
    return whole if len(whole) <= LONGEST and "\n" not in whole else brief(partial)


def _bounds(function: Elementwise) -> Row:
    """The largest bound of each order over all arguments."""
    if function.partials is None:
        return {"ulp 1": "exact", "ulp 2": "exact"}
    row: Row = {}
    reasons: dict[str, None] = {}
    for order, name in ((1, "ulp 1"), (2, "ulp 2")):
        found = [function.bound(path) for path in itertools.product(range(function.arity), repeat=order)]
        known = [b for b in found if b is not None]
        worst = max(known, key=lambda b: b.ulp, default=None)
        row[name] = "none" if worst is None else str(next((b for b in known if b.term and b.ulp == worst.ulp), worst))
        reasons.update({b.reason: None for b in known if b.reason})
    row["reason"] = "; ".join(reasons)
    return row

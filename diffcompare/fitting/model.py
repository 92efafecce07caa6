"""A model as text, such as `y = a*exp(-b*x)`, with the columns of a table for some of its inputs and starts for the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dsl.core import BOOL
from ..dsl.grammar import parse
from ..errors import DiffCompareError
from ..problem import Array
from .least_squares import Fit, fit
from .table import Table, chosen

EQUALS = re.compile(r"(?<![<>=!])=(?!=)")


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fit of a model to a table: rows, and the parameters' names, values and standard errors."""

    model: str
    data: str
    rows: int
    names: tuple[str, ...]
    values: Array
    errors: Array
    method: str
    fit: Fit

    @property
    def spare(self) -> int:
        """Degrees of freedom: residuals less parameters."""
        return self.rows - len(self.names)

    def to_json(self) -> dict[str, Any]:
        """Plain data; what is not known is None."""
        pairs = zip(self.names, self.values.tolist(), self.errors.tolist(), strict=True)
        return {
            "model": self.model,
            "data": self.data,
            "rows": self.rows,
            "parameters": {n: {"value": v, "standard_error": _known(e)} for n, v, e in pairs},
            "residual_standard_deviation": _known(self.fit.deviation),
            "degrees_of_freedom": self.spare,
            "rss": self.fit.rss,
            "method": self.method,
            "converged": self.fit.converged,
            "message": self.fit.message,
            "evaluations": self.fit.evaluations,
            "jacobians": self.fit.jacobians,
        }


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def residuals(model: str) -> str:
    """The text of what is to be small: right side less left side of an equation, or the text itself where it is none."""
    head, semicolon, last = model.rpartition(";")
    sides = EQUALS.split(last)
    if len(sides) > 2:
        raise DiffCompareError(f"a model has one equation such as y = a*x, after definitions that end in ';'; got {last.strip()!r}")
    # each side by itself, so that an error shows what the user wrote
    if any(parse(head + semicolon + side).output.dtype == BOOL for side in sides):
        raise DiffCompareError(f"a model is an equation with one '=', such as y = a*x, not a comparison; got {last.strip()!r}")
    return model if len(sides) == 1 else f"{head}{semicolon} ({sides[1]}) - ({sides[0]})"


def fit_table(
    model: str, table: Table, start: Mapping[str, Any], columns: Mapping[str, str], method: str, engine: str, algorithm: str
) -> Fitted:
    """The parameters for which a model fits a table best: those inputs that have a start; the others are columns.

    columns: for an input the name of its column where that is not its own. Raises DiffCompareError for an input that is
    neither, a start or a column that no input takes, and fewer rows than parameters.
    """
    text = residuals(model)
    inputs = parse(text).names
    _account(inputs, table, start, columns)
    data = chosen(table, [n for n in inputs if n not in start], columns)
    rows = len(table.rows)
    names = [n for n in inputs if n in start]
    if rows < len(names):
        raise DiffCompareError(
            f"{table.name} has {rows} row{'s' * (rows != 1)} for {len(names)} parameters; a fit needs at least as many rows as parameters"
        )
    found = fit(text, start, data, method=method, engine=engine, algorithm=algorithm)
    values, errors = (np.ravel(p) for p in (found.parameters, found.errors))
    return Fitted(model, table.name, rows, tuple(names), values, errors, method, found)


def _account(inputs: tuple[str, ...], table: Table, start: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    """Every input has a start or a column, and every start and named column has its input."""
    for n, value in start.items():
        if n not in inputs:
            raise DiffCompareError(f"--start has a value for {n!r}, which the model does not have; it has {', '.join(inputs)}")
        if np.ndim(value) or not np.isfinite(value):
            raise DiffCompareError(f"--start: {n} must be a finite number, got {value}")
    for n, column in columns.items():
        if n not in inputs:
            raise DiffCompareError(f"--column {n}={column}: the model has no input {n!r}; it has {', '.join(inputs)}")
        if n in start:
            raise DiffCompareError(f"{n} has both a start and the column {column!r}; leave one of them out")
    missing = [n for n in inputs if n not in start and n not in columns and n not in table.header]
    if missing:
        n = missing[0]
        raise DiffCompareError(
            f"{n!r} is neither a parameter with a start nor a column of {table.name}, whose columns are {', '.join(table.header)}: "
            f"give --start {n}=1 or --column {n}=NAME"
        )
    if not start:
        raise DiffCompareError(f"there is nothing to fit: give the parameters' starts, such as --start {inputs[0] if inputs else 'a'}=1")
    if all(n in start for n in inputs):
        raise DiffCompareError(f"the model has no input with data: every one of {', '.join(inputs)} has a start")

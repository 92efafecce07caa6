"""The derivative as straight-line scalar code: the hand formula where the workload has one, else what reverse mode gives."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...differentiate import prepare
from ..workload import Workload


@dataclass(frozen=True)
class Plain:
    """source: the text that engine python runs, one instruction a line."""

    source: str

    @property
    def arguments(self) -> list[str]:
        """Names of the arguments."""
        return re.search(r"def run\((.*)\):", self.source).group(1).split(", ")  # type: ignore[union-attr]

    def as_python(self) -> Callable[..., tuple[float, ...]]:
        """A function on the names of the math module."""
        space: dict[str, Any] = dict(vars(math))
        exec(self.source, space)  # noqa: S102  our own text, no user's
        return space["run"]  # type: ignore[no-any-return]

    def as_sympy(self) -> tuple[list[Any], list[Any]]:
        """(symbols, expressions)."""
        import sympy as sp
        from sympy.codegen import cfunctions

        space: dict[str, Any] = {**vars(sp), **vars(cfunctions)}
        exec(self.source, space)  # noqa: S102  our own text, no user's
        symbols = [sp.Symbol(f"a{k}", real=True) for k in range(len(self.arguments))]
        return symbols, list(space["run"](*symbols))


def c_code(workload: Workload) -> str:
    """void run(long n, const double *restrict a, ..., double *restrict r0, ...): a loop over points.

    The hand formula where the workload has one, else SymPy's derivative; common subexpressions by SymPy.
    """
    import sympy as sp

    if workload.operator in workload.function.formulas:
        symbols, results = plain(workload).as_sympy()
    else:
        symbols, (f,) = plain_primal(workload).as_sympy()
        results = [sp.diff(f, s) for s in symbols]
    steps, results = sp.cse(results)
    inputs = [f"const double *restrict {s}_" for s in symbols]
    outputs = [f"double *restrict r{k}" for k in range(len(results))]
    lines = ["#include <math.h>", f"void run(long n, {', '.join([*inputs, *outputs])}) {{", "  for (long i = 0; i < n; ++i) {"]
    lines += [f"    const double {s} = {s}_[i];" for s in symbols]
    lines += [f"    const double {name} = {sp.ccode(e)};" for name, e in steps]
    lines += [f"    r{k}[i] = {sp.ccode(e)};" for k, e in enumerate(results)]
    return "\n".join([*lines, "  }", "}", ""])


def plain(workload: Workload) -> Plain:
    """The derivative of a workload of scalars."""
    f, operator = workload.function, workload.operator
    method = "manual" if operator in f.formulas else "ad.reverse"
    source = prepare(f, operator, workload.wrt or None, method=method, engine="python").source
    # a person multiplies: our product by which 0 beats infinity is no part of code by hand
    return Plain(re.sub(r"chain_mul\((\S+), (\S+)\)", r"\1 * \2", source))


def plain_primal(workload: Workload) -> Plain:
    """The function itself."""
    return Plain(prepare(workload.function, "value", engine="python").source)

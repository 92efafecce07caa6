"""The derivative as straight-line scalar code: the hand formula where the workload has one, else what reverse mode gives."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...differentiate import prepare
from ...errors import Unsupported
from ..workload import Workload


@dataclass(frozen=True)
class Plain:
    """source: the text that engine python runs, one instruction a line."""

    source: str

    @property
    def arguments(self) -> list[str]:
        """Names of the arguments."""
        return re.search(r"def run\((.*)\):", self.source).group(1).split(", ")  # type: ignore[union-attr]

    @property
    def steps(self) -> list[tuple[str, str]]:
        """(name, expression), in order."""
        return re.findall(r"^    (t\d+) = (.*)$", self.source, re.MULTILINE)

    @property
    def results(self) -> list[str]:
        """Names or numbers returned."""
        found = re.search(r"return \((.*)\)", self.source)
        return [r for r in found.group(1).split(", ") if r] if found else []

    def as_python(self) -> Callable[..., tuple[float, ...]]:
        """A function on the names of the math module."""
        space: dict[str, Any] = dict(vars(math))
        exec(self.source, space)  # noqa: S102  our own text, no user's
        return space["run"]  # type: ignore[no-any-return]

    def as_sympy(self) -> tuple[list[Any], list[Any]]:
        """(symbols, expressions)."""
        import sympy as sp

        space: dict[str, Any] = dict(vars(sp))
        exec(self.source, space)  # noqa: S102  our own text, no user's
        symbols = [sp.Symbol(a, real=True) for a in self.arguments]
        return symbols, list(space["run"](*symbols))

    def as_c(self) -> str:
        """void run(long n, const double *restrict x0, ..., double *restrict r0, ...): a loop over points."""
        for _, expression in self.steps:
            if " if " in expression or "**" in expression or "not " in expression:
                raise Unsupported(f"no C is written for {expression!r}")
        inputs = [f"const double *restrict {a}_" for a in self.arguments]
        outputs = [f"double *restrict r{k}" for k in range(len(self.results))]
        lines = ["#include <math.h>", f"void run(long n, {', '.join([*inputs, *outputs])}) {{", "  for (long i = 0; i < n; ++i) {"]
        lines += [f"    const double {a} = {a}_[i];" for a in self.arguments]
        lines += [f"    const double {name} = {_c(expression)};" for name, expression in self.steps]
        lines += [f"    r{k}[i] = {result};" for k, result in enumerate(self.results)]
        return "\n".join([*lines, "  }", "}", ""])


def _c(expression: str) -> str:
    return re.sub(r"\babs\(", "fabs(", expression)


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

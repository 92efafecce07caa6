"""SymPy: diff and lambdify with cse, run by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...differentiators.base import Operator
from ...errors import Unsupported
from ..contender import Contender, Ready
from ..workload import Kind, Workload
from .plain import plain_primal


class Sympy(Contender):
    """For functions of scalars."""

    name = "sympy lambdify"
    source = "sympy.lambdify(symbols, [diff(f, x) for x in symbols], 'numpy' or 'math', cse=True)"

    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        scalars = all(i.shape == () for i in workload.function.inputs)
        if workload.kind is Kind.ARRAYS or not scalars or workload.operator not in (Operator.GRADIENT, Operator.DERIVATIVE):
            raise Unsupported("SymPy is compared on gradients of functions of scalars")
        symbols, expressions = plain_primal(workload).as_sympy()
        return lambda: _prepared(workload, symbols, expressions[0])


def _prepared(w: Workload, symbols: Any, expression: Any) -> Callable[[], Ready]:
    import sympy as sp

    points = w.kind is Kind.POINTS
    run = sp.lambdify(symbols, [sp.diff(expression, s) for s in symbols], ["numpy", "scipy"] if points else "math", cse=True)
    values = w.values
    shape = (w.points,) if points else ()
    return lambda: Ready(partial(run, *values), lambda r: [np.broadcast_to(np.asarray(e, float), shape) for e in r])


sympy_lambdify = Sympy()

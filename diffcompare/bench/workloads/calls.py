"""Small gradients, one point a call: what a root finder or a simulation loop in Python pays."""

from __future__ import annotations

from ...differentiators.base import Operator
from ...dsl.function import as_function
from ...problems.finance import black_scholes
from ..workload import Bar, Group, Kind, Workload

TEN = " + ".join(f"sin(x{k})*x{k + 1}" for k in range(9)) + " + exp(-x9**2)"


def _calls() -> list[Workload]:
    bars = (
        Bar("diffcompare llvm", "casadi", 0.6, 0.45),
        Bar("diffcompare llvm", "numba", 0.6, 0.45),
        Bar("diffcompare llvm", "heyoka", 0.12, 0.10),
    )
    functions = {
        "2 inputs": (as_function("x**2*y + sin(x*y)"), (1.3, 0.7)),
        "5 inputs": (black_scholes.function, tuple(black_scholes.points[0].values())),
        "10 inputs": (as_function(TEN), tuple(0.1 * k + 0.05 for k in range(10))),
    }
    rest = ("numba", "casadi", "casadi, plain call", "heyoka", "sympy lambdify", "jax", "diffcompare python")
    return [
        Workload(
            f"call, {name}",
            f"gradient at one point given as floats, {name}",
            f,
            Operator.GRADIENT,
            Kind.FLOATS,
            values,
            ("diffcompare llvm", *rest),
            (*bars, *([Bar("diffcompare llvm", "130 ns", 1.0)] if name == "5 inputs" else [])),
        )
        for name, (f, values) in functions.items()
    ]


CALLS = Group("calls", "Single calls", _calls, processes=3)

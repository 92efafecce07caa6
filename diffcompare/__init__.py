"""diffcompare: hand-written, finite-difference, symbolic and automatic derivatives behind one interface.

Importing it loads nothing else: each public name loads its module when it is first used. Every function of the
expression language is here too, as dc.sin, dc.where, dc.logsumexp.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .check.operators import check_gradient, check_hessian, check_jacobian
    from .check.result import Check, CheckFailed, CheckUndecided
    from .differentiate import (
        derivative,
        gradient,
        hessian,
        hvp,
        jacobian,
        jvp,
        prepare,
        value,
        value_and_gradient,
        vjp,
    )
    from .dsl.custom import primitive
    from .dsl.function import Function, function, symbol, symbols
    from .dsl.grammar import parse
    from .dsl.named import Named
    from .dsl.tracing import trace
    from .errors import DiffCompareError, DomainError, ParseError, ShapeError, TooLarge, Unsupported
    from .explain.graph import graph
    from .explain.steps import steps
    from .explain.taylor import taylor
    from .fitting.least_squares import Fit, fit
    from .measure.audit import audit
    from .measure.compare import compare
    from .measure.recommend import recommend
    from .problem import Problem
    from .training.run import train

    __version__: str

__all__ = [
    "Check",
    "CheckFailed",
    "CheckUndecided",
    "DiffCompareError",
    "DomainError",
    "Fit",
    "Function",
    "Named",
    "ParseError",
    "Problem",
    "ShapeError",
    "TooLarge",
    "Unsupported",
    "__version__",
    "audit",
    "check_gradient",
    "check_hessian",
    "check_jacobian",
    "compare",
    "derivative",
    "fit",
    "function",
    "gradient",
    "graph",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "parse",
    "prepare",
    "primitive",
    "recommend",
    "steps",
    "symbol",
    "symbols",
    "taylor",
    "trace",
    "train",
    "value",
    "value_and_gradient",
    "vjp",
]

_NAMES = {
    "check.operators": "check_gradient check_hessian check_jacobian",
    "check.result": "Check CheckFailed CheckUndecided",
    "differentiate": "derivative gradient hessian hvp jacobian jvp prepare value value_and_gradient vjp",
    "dsl.custom": "primitive",
    "dsl.function": "Function function symbol symbols",
    "dsl.grammar": "parse",
    "dsl.named": "Named",
    "dsl.tracing": "trace",
    "errors": "DiffCompareError DomainError ParseError ShapeError TooLarge Unsupported",
    "explain.graph": "graph",
    "explain.steps": "steps",
    "explain.taylor": "taylor",
    "fitting.least_squares": "Fit fit",
    "measure.audit": "audit",
    "measure.compare": "compare",
    "measure.recommend": "recommend",
    "problem": "Problem",
    "training.run": "train",
}
_MODULE = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _MODULE:
        found = getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
        globals()[name] = found
        return found
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(__name__)
        except PackageNotFoundError:  # run from a checkout that was never installed
            return "unknown"
    if not name.startswith("_"):
        functions = _functions()
        if name in functions:
            return functions[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_functions()})


def _functions() -> dict[str, Any]:
    """The functions of the expression language by name: the table itself, so that a user's own appear as well."""
    import_module(f"{__name__}.dsl")
    return import_module(f"{__name__}.dsl.core").FUNCTIONS  # type: ignore[no-any-return]

"""The expression language. Importing it declares every primitive."""

from . import (
    arithmetic,
    composite,
    contraction,
    core,
    custom,
    elementary,
    exponential,
    hyperbolic,
    indexing,
    powers,
    rounding,
    running,
    special,
    structural,
    triangular,
    trigonometric,
)
from .function import Function, as_function, function, symbol, symbols

core.BUILT_IN.update(core.PRIMITIVES)

__all__ = [
    "Function",
    "arithmetic",
    "as_function",
    "composite",
    "contraction",
    "core",
    "custom",
    "elementary",
    "exponential",
    "function",
    "hyperbolic",
    "indexing",
    "powers",
    "rounding",
    "running",
    "special",
    "structural",
    "symbol",
    "symbols",
    "triangular",
    "trigonometric",
]

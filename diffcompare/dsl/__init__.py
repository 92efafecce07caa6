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
    special,
    structural,
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
    "special",
    "structural",
    "symbol",
    "symbols",
    "trigonometric",
]

"""The expression language. Importing it declares every primitive."""

from . import (
    activations,
    arithmetic,
    composite,
    contraction,
    core,
    custom,
    elementary,
    exponential,
    hyperbolic,
    indexing,
    losses,
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
    "activations",
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
    "losses",
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

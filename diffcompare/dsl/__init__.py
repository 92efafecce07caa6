"""The expression language. Importing it declares every primitive."""

from . import arithmetic, composite, contraction, core, custom, elementary, indexing, powers, structural
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
    "function",
    "indexing",
    "powers",
    "structural",
    "symbol",
    "symbols",
]

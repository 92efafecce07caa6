"""The expression language. Importing it declares every primitive."""

from . import arithmetic, composite, core, custom, elementary, structural
from .function import Function, as_function, function, symbol, symbols

core.BUILT_IN.update(core.PRIMITIVES)

__all__ = ["Function", "arithmetic", "as_function", "composite", "core", "custom", "elementary", "function", "structural", "symbol", "symbols"]

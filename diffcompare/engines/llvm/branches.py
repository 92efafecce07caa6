"""Kernels as functions of their own: for a scalar with two forms, and where one kernel is called many times.

Of two forms a processor guesses which is taken, and waits for neither condition nor choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .registers import Real, Truth

if TYPE_CHECKING:
    from .emit import Emitter


def either(name: str, x: Real, condition: Callable[[Real], Truth], usual: Callable[[Real], Real], other: Callable[[Real], Real]) -> Real:
    """usual(x) where condition(x) holds, else other(x); x is a scalar."""
    e = x.e
    symbol = f"either_{name}"
    e.declarations.add(_text(symbol, beside(e), condition, usual, other))
    return Real(e, e.line(f"call double @{symbol}(double {x.name})"))


def called(name: str, x: Real, kernel: Callable[[Real], Real]) -> Real:
    """kernel(x), by a function that treats every argument."""
    e, inner = x.e, beside(x.e)
    symbol = f"{name}_of_{e.suffix}"
    result = kernel(Real(inner, "%x"))
    text = [f"define internal {e.type} @{symbol}({e.type} %x) nounwind {{", *inner.lines, f"  ret {e.type} {result.name}", "}"]
    e.declarations.add("\n".join(text))
    return Real(e, e.line(f"call {e.type} @{symbol}({e.type} {x.name})"))


def beside(e: Emitter) -> Emitter:
    """An emitter of the same registers, for a function of its own."""
    other = type(e)(e.target, e.lanes)
    other.inline, other.declarations = True, e.declarations
    return other


def _text(symbol: str, e: Emitter, condition: Callable[[Real], Truth], usual: Callable[[Real], Real], other: Callable[[Real], Real]) -> str:
    x = Real(e, "%x")
    holds = condition(x)
    lines = [f"define internal double @{symbol}(double %x) nounwind {{", *e.lines, f"  br i1 {holds.name}, label %usual, label %other"]
    for label, form in (("usual", usual), ("other", other)):
        e.forget()
        result = form(x)
        lines += [f"{label}:", *e.lines, f"  ret double {result.name}"]
    return "\n".join([*lines, "}"])

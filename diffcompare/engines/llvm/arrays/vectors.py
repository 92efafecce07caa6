"""Vectors in LLVM IR: loads and stores under a mask, numbers in every lane, partial results joined."""

from __future__ import annotations

import struct

from ..emit import Emitter
from .text import FunctionText

OPERATIONS = {"add": "fadd", "mul": "fmul"}


def vector_load(e: Emitter, pointer: str, mask: str | None) -> str:
    """Entries side by side; 0 in the lanes outside the mask."""
    if mask is None:
        return e.line(f"load {e.type}, ptr {pointer}, align 8")
    symbol = f"llvm.masked.load.{e.suffix}.p0"
    e.declarations.add(f"declare {e.type} @{symbol}(ptr, i32 immarg, {e.bool}, {e.type})")
    return e.line(f"call {e.type} @{symbol}(ptr {pointer}, i32 8, {e.bool} {mask}, {e.type} zeroinitializer)")


def vector_store(e: Emitter, value: str, pointer: str, mask: str | None) -> None:
    """Entries side by side, those outside the mask left as they are."""
    if mask is None:
        e.lines.append(f"  store {e.type} {value}, ptr {pointer}, align 8")
        return
    symbol = f"llvm.masked.store.{e.suffix}.p0"
    e.declarations.add(f"declare void @{symbol}({e.type}, ptr, i32 immarg, {e.bool})")
    e.lines.append(f"  call void @{symbol}({e.type} {value}, ptr {pointer}, i32 8, {e.bool} {mask})")


def gather(e: Emitter, pointer: str, stride: int, mask: str | None) -> str:
    """Entries `stride` apart; 0 in the lanes outside the mask."""
    kind, symbol = f"<{e.lanes} x ptr>", f"llvm.masked.gather.{e.suffix}.v{e.lanes}p0"
    steps = ", ".join(f"i64 {k * stride}" for k in range(e.lanes))
    places = e.line(f"getelementptr double, ptr {pointer}, {e.integer} <{steps}>")
    chosen = mask or every(e, "i1", "true")
    e.declarations.add(f"declare {e.type} @{symbol}({kind}, i32 immarg, {e.bool}, {e.type})")
    return e.line(f"call {e.type} @{symbol}({kind} {places}, i32 8, {e.bool} {chosen}, {e.type} zeroinitializer)")


def every(e: Emitter, kind: str, text: str) -> str:
    """A literal in every lane."""
    return text if e.lanes == 1 else f"<{', '.join([f'{kind} {text}'] * e.lanes)}>"


def literal_in(e: Emitter, value: float) -> str:
    """A number in every lane, written in place rather than loaded from a table."""
    return every(e, "double", f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}")


def spread(e: Emitter, value: str, kind: str) -> str:
    """A scalar register (kind: double, i1 or i64) in every lane."""
    if e.lanes == 1:
        return value
    wide = f"<{e.lanes} x {kind}>"
    first = e.line(f"insertelement {wide} poison, {kind} {value}, i32 0")
    return e.line(f"shufflevector {wide} {first}, {wide} poison, <{e.lanes} x i32> zeroinitializer")


def as_truth(e: Emitter, value: str) -> str:
    """A bool that lies in memory as 0.0 or 1.0."""
    return e.line(f"fcmp une {e.type} {value}, {literal_in(e, 0.0)}")


def combined(e: Emitter, operation: str, a: str, b: str) -> str:
    """Two partial results of a reduction as one."""
    if operation in OPERATIONS:
        return e.line(f"{OPERATIONS[operation]} {e.type} {a}, {b}")
    return e.call(f"llvm.{operation}.{e.suffix}", [a, b])


State = tuple[str, str]
"""A reduction on its way: what it has come to, and beside it the error of a sum, or a NaN that a maximum has met."""


def joined(e: Emitter, operation: str, state: State, term: str) -> State:
    """A reduction with one more term.

    A sum keeps its error (Knuth: The Art of Computer Programming, vol. 2, 4.2.2).
    """
    total, beside = state
    if operation == "add":
        s = e.line(f"fadd {e.type} {total}, {term}")
        shadow = e.line(f"fsub {e.type} {s}, {total}")
        lost_total = e.line(f"fsub {e.type} {total}, {e.line(f'fsub {e.type} {s}, {shadow}')}")
        lost_term = e.line(f"fsub {e.type} {term}, {shadow}")
        return s, e.line(f"fadd {e.type} {beside}, {e.line(f'fadd {e.type} {lost_total}, {lost_term}')}")
    if operation == "mul":
        return e.line(f"fmul {e.type} {total}, {term}"), beside
    # two instructions where llvm.maximum, which keeps NaN by itself, takes six
    further = e.line(f"fcmp {'ogt' if operation == 'maximum' else 'olt'} {e.type} {term}, {total}")
    unknown = e.line(f"fcmp uno {e.type} {term}, {term}")
    return e.select(further, term, total), e.select(unknown, term, beside)


def quickly_joined(e: Emitter, operation: str, state: State, term: str) -> State:
    """The same within a block, where a sum does without its error."""
    if operation == "add":
        return e.line(f"fadd {e.type} {state[0]}, {term}"), state[1]
    return joined(e, operation, state, term)


def ended(e: Emitter, operation: str, state: State) -> str:
    """The number that a reduction has come to; where a sum is infinite its error is nothing to speak of."""
    total, beside = state
    if operation == "mul":
        return total
    known = e.line(f"fcmp ord {e.type} {beside}, {literal_in(e, 0.0)}")
    return e.select(
        known, e.line(f"fadd {e.type} {total}, {beside}") if operation == "add" else total, total if operation == "add" else beside
    )


def across(t: FunctionText, operation: str, value: str, lanes: int) -> str:
    """The lanes of a vector joined in pairs, halves with halves."""
    while lanes > 1:
        wide, half = f"<{lanes} x double>", lanes // 2
        parts = [
            t.line(f"shufflevector {wide} {value}, {wide} poison, <{half} x i32> <{', '.join(f'i32 {k + start}' for k in range(half))}>")
            for start in (0, half)
        ]
        if half == 1:
            parts = [t.line(f"extractelement <1 x double> {p}, i32 0") for p in parts]
        value = combined(t.emitter(half), operation, *parts)
        lanes = half
    return value

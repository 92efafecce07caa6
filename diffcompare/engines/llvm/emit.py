"""A scalar schedule as LLVM IR text: a block of vectors, a loop over a batch, and a scalar entry.

No fast-math flags and no contraction: every operation rounds as IEEE 754 says, so results are those of the formula.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from ...dsl.constants import literal
from ...dsl.core import BOOL, Expr
from ...errors import Unsupported
from ..schedule import Schedule
from .target import Target

SCALAR_LIBM = {
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sin": "sin", "cos": "cos", "tan": "tan",
    "asin": "asin", "acos": "acos", "atan": "atan", "atan2": "atan2", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "erf": "erf", "erfc": "erfc", "hypot": "hypot", "pow": "pow",
    "exp2": "exp2", "log2": "log2", "log10": "log10", "cbrt": "cbrt", "gamma": "tgamma", "lgamma": "lgamma",
}  # fmt: skip
"""Functions that every C library has, by our name."""

INTRINSICS = {
    "sqrt": "llvm.sqrt",
    "abs": "llvm.fabs",
    "floor": "llvm.floor",
    "ceil": "llvm.ceil",
    "round": "llvm.roundeven",
    "maximum": "llvm.maximum",
    "minimum": "llvm.minimum",
}
OPERATORS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
COMPARISONS = {"lt": "olt", "le": "ole", "eq": "oeq", "ne": "une"}
LOGIC = {"logical_and": "and", "logical_or": "or"}


class Emitter:
    """Lines of IR for operations on one register type: `double`, or a vector of `lanes` doubles."""

    def __init__(self, target: Target, lanes: int) -> None:
        self.target = target
        self.lanes = lanes
        self.type = "double" if lanes == 1 else f"<{lanes} x double>"
        self.bool = "i1" if lanes == 1 else f"<{lanes} x i1>"
        self.suffix = "f64" if lanes == 1 else f"v{lanes}f64"
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self._count = 0

    def constant(self, value: float | bool) -> str:
        """A number or bool in every lane."""
        if isinstance(value, bool):
            text = "true" if value else "false"
            return text if self.lanes == 1 else f"<{', '.join([f'i1 {text}'] * self.lanes)}>"
        bits = f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
        return bits if self.lanes == 1 else f"<{', '.join([f'double {bits}'] * self.lanes)}>"

    def line(self, text: str) -> str:
        """A new register with this right-hand side."""
        self._count += 1
        name = f"%v{self._count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def operation(self, node: Expr, args: Sequence[str]) -> str:
        """The register that holds a native elementwise node; raises Unsupported naming a primitive without LLVM form."""
        name = node.primitive.name
        if name in OPERATORS:
            return self.line(f"{OPERATORS[name]} {self.type} {args[0]}, {args[1]}")
        if name in COMPARISONS:
            return self.line(f"fcmp {COMPARISONS[name]} {self.type} {args[0]}, {args[1]}")
        if name in LOGIC:
            return self.line(f"{LOGIC[name]} {self.bool} {args[0]}, {args[1]}")
        if name in INTRINSICS:
            return self.call(f"{INTRINSICS[name]}.{self.suffix}", args)
        if name in _SHAPED:
            return _SHAPED[name](self, args)
        return self._function(name, args)

    def select(self, condition: str, a: str, b: str) -> str:
        return self.line(f"select {self.bool} {condition}, {self.type} {a}, {self.type} {b}")

    def call(self, symbol: str, args: Sequence[str]) -> str:
        """The result of a function of this register type."""
        self.declarations.add(f"declare {self.type} @{symbol}({', '.join([self.type] * len(args))})")
        return self.line(f"call {self.type} @{symbol}({', '.join(f'{self.type} {a}' for a in args)})")

    def _function(self, name: str, args: Sequence[str]) -> str:
        """A function of mathematics: libmvec's where there is one, else libm's lane by lane."""
        if name not in SCALAR_LIBM:
            raise Unsupported(f"{name} has no LLVM form; use engine numpy")
        if self.lanes == 1:
            return self.call(SCALAR_LIBM[name], args)
        if name in self.target.functions:
            return self.call(self.target.vector_symbol(name, len(args)), args)
        return self._lanewise(SCALAR_LIBM[name], args)

    def _lanewise(self, symbol: str, args: Sequence[str]) -> str:
        self.declarations.add(f"declare double @{symbol}({', '.join(['double'] * len(args))})")
        result = "poison"
        for lane in range(self.lanes):
            entries = [self.line(f"extractelement {self.type} {a}, i32 {lane}") for a in args]
            value = self.line(f"call double @{symbol}({', '.join(f'double {e}' for e in entries)})")
            result = self.line(f"insertelement {self.type} {result}, double {value}, i32 {lane}")
        return result


def _negative(e: Emitter, args: Sequence[str]) -> str:
    return e.line(f"fneg {e.type} {args[0]}")


def _not(e: Emitter, args: Sequence[str]) -> str:
    return e.line(f"xor {e.bool} {args[0]}, {e.constant(True)}")


def _where(e: Emitter, args: Sequence[str]) -> str:
    return e.select(args[0], args[1], args[2])


def _real(e: Emitter, args: Sequence[str]) -> str:
    return e.select(args[0], e.constant(1.0), e.constant(0.0))


def _sign(e: Emitter, args: Sequence[str]) -> str:
    """x at 0 and NaN, else ±1."""
    below = e.line(f"fcmp olt {e.type} {args[0]}, {e.constant(0.0)}")
    above = e.line(f"fcmp ogt {e.type} {args[0]}, {e.constant(0.0)}")
    return e.select(above, e.constant(1.0), e.select(below, e.constant(-1.0), args[0]))


def _chain_mul(e: Emitter, args: Sequence[str]) -> str:
    """p t, with 0 where one is exactly zero and the other infinite: the product is NaN and neither factor is."""
    product = e.line(f"fmul {e.type} {args[0]}, {args[1]}")
    undefined = e.line(f"fcmp uno {e.type} {product}, {product}")
    known = e.line(f"fcmp ord {e.type} {args[0]}, {args[1]}")
    return e.select(e.line(f"and {e.bool} {undefined}, {known}"), e.constant(0.0), product)


def _mod(e: Emitter, args: Sequence[str]) -> str:
    """The remainder with the sign of the divisor, as Python and NumPy define it; a zero has the divisor's sign too."""
    x, y = args
    remainder = e.line(f"frem {e.type} {x}, {y}")
    below = e.line(f"fcmp olt {e.type} {remainder}, {e.constant(0.0)}")
    negative = e.line(f"fcmp olt {e.type} {y}, {e.constant(0.0)}")
    exact = e.line(f"fcmp oeq {e.type} {remainder}, {e.constant(0.0)}")
    moved = e.line(f"fadd {e.type} {remainder}, {y}")
    signed = e.select(e.line(f"xor {e.bool} {below}, {negative}"), moved, remainder)
    return e.select(exact, e.call(f"llvm.copysign.{e.suffix}", [e.constant(0.0), y]), signed)


def _floor_divide(e: Emitter, args: Sequence[str]) -> str:
    """floor(x / y) of the exact quotient, by way of the remainder: x / y alone may round up to the next integer."""
    x, y = args
    remainder = e.line(f"frem {e.type} {x}, {y}")
    whole = e.line(f"fdiv {e.type} {e.line(f'fsub {e.type} {x}, {remainder}')}, {y}")
    below = e.line(f"fcmp olt {e.type} {remainder}, {e.constant(0.0)}")
    negative = e.line(f"fcmp olt {e.type} {y}, {e.constant(0.0)}")
    inexact = e.line(f"fcmp une {e.type} {remainder}, {e.constant(0.0)}")
    other_side = e.line(f"and {e.bool} {inexact}, {e.line(f'xor {e.bool} {below}, {negative}')}")
    whole = e.select(other_side, e.line(f"fsub {e.type} {whole}, {e.constant(1.0)}"), whole)
    floor = e.call(f"llvm.floor.{e.suffix}", [whole])
    low = e.line(f"fcmp ogt {e.type} {e.line(f'fsub {e.type} {whole}, {floor}')}, {e.constant(0.5)}")
    nearest = e.select(low, e.line(f"fadd {e.type} {floor}, {e.constant(1.0)}"), floor)
    quotient = e.line(f"fdiv {e.type} {x}, {y}")
    zero = e.line(f"fcmp oeq {e.type} {whole}, {e.constant(0.0)}")
    by_zero = e.line(f"fcmp oeq {e.type} {y}, {e.constant(0.0)}")
    signed = e.select(zero, e.call(f"llvm.copysign.{e.suffix}", [e.constant(0.0), quotient]), nearest)
    return e.select(by_zero, quotient, signed)


_SHAPED: dict[str, Callable[[Emitter, Sequence[str]], str]] = {
    "neg": _negative,
    "logical_not": _not,
    "where": _where,
    "real": _real,
    "sign": _sign,
    "chain_mul": _chain_mul,
    "mod": _mod,
    "floor_divide": _floor_divide,
}


def body(plan: Schedule, emitter: Emitter, inputs: Sequence[str]) -> list[str]:
    """The registers of the outputs, for registers of the inputs."""
    registers: dict[Expr, str] = dict(zip(plan.inputs, inputs, strict=True))
    registers.update({c: emitter.constant(literal(c)) for c in plan.constants})
    for node in (*plan.prelude, *plan.body):
        registers[node] = emitter.operation(node, [registers[a] for a in node.args])
    return [
        emitter.select(registers[o], emitter.constant(1.0), emitter.constant(0.0)) if o.dtype == BOOL else registers[o]
        for o in plan.outputs
    ]


def module(plan: Schedule, target: Target) -> str:
    """IR with @batch(blocks, inputs, steps, outputs) and @single(inputs, outputs).

    The code is as it should run, the body in the loop and nothing computed twice: LLVM only has to generate machine
    code, without its optimisation passes (they made no kernel faster, took longer than code generation, and leak).
    """
    vector, scalar = Emitter(target, target.lanes), Emitter(target, 1)
    parts = [_batch(plan, vector), _single(plan, scalar)]
    declarations = sorted(vector.declarations | scalar.declarations)
    bits = 64 * target.lanes
    attributes = f'attributes #0 = {{ nounwind "prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}" }}'
    return "\n".join([*declarations, *parts, attributes])


def _single(plan: Schedule, e: Emitter) -> str:
    loads = []
    for k in range(len(plan.inputs)):
        pointer = e.line(f"getelementptr double, ptr %inputs, i64 {k}")
        loads.append(e.line(f"load double, ptr {pointer}"))
    for k, result in enumerate(body(plan, e, loads)):
        pointer = e.line(f"getelementptr double, ptr %outputs, i64 {k}")
        e.lines.append(f"  store double {result}, ptr {pointer}")
    return "\n".join(["define void @single(ptr %inputs, ptr %outputs) #0 {", *e.lines, "  ret void", "}"])


def _batch(plan: Schedule, e: Emitter) -> str:
    """The loop over whole vectors; `steps` says of each input whether it moves (1) or repeats its first vector (0)."""
    inputs, outputs = range(len(plan.inputs)), range(len(plan.outputs))
    entry = [f"  %i{k} = getelementptr ptr, ptr %inputs, i64 {k}\n  %base{k} = load ptr, ptr %i{k}" for k in inputs]
    entry += [f"  %s{k} = getelementptr i64, ptr %steps, i64 {k}\n  %step{k} = load i64, ptr %s{k}" for k in inputs]
    entry += [f"  %o{k} = getelementptr ptr, ptr %outputs, i64 {k}\n  %result{k} = load ptr, ptr %o{k}" for k in outputs]
    loads = []
    for k in inputs:
        offset = e.line(f"mul i64 %at, %step{k}")
        pointer = e.line(f"getelementptr double, ptr %base{k}, i64 {offset}")
        loads.append(e.line(f"load {e.type}, ptr {pointer}, align 8"))
    for k, register in enumerate(body(plan, e, loads)):
        pointer = e.line(f"getelementptr double, ptr %result{k}, i64 %at")
        e.lines.append(f"  store {e.type} {register}, ptr {pointer}, align 8")
    return "\n".join(
        [
            "define void @batch(i64 %blocks, ptr noalias %inputs, ptr noalias %steps, ptr noalias %outputs) #0 {",
            "entry:",
            *entry,
            "  %any = icmp sgt i64 %blocks, 0",
            "  br i1 %any, label %loop, label %end",
            "loop:",
            "  %block = phi i64 [ 0, %entry ], [ %next, %loop ]",
            f"  %at = mul i64 %block, {e.lanes}",
            *e.lines,
            "  %next = add i64 %block, 1",
            "  %more = icmp slt i64 %next, %blocks",
            "  br i1 %more, label %loop, label %end",
            "end:",
            "  ret void",
            "}",
        ]
    )

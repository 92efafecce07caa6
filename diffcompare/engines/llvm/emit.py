"""A scalar schedule as LLVM IR text: a block of vectors, a loop over a batch, and a scalar entry.

No fast-math flags and no contraction: every operation rounds as IEEE 754 says, so results are those of the formula.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

from ...dsl.constants import literal
from ...dsl.core import BOOL, Expr
from ...dsl.elementwise import number
from ...errors import Unsupported
from ..schedule import Schedule
from .branches import called
from .loops import batch
from .polynomials import KERNELS
from .powers import emitted, has_power, is_product
from .registers import Real
from .special import SCIPY, defined
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


def has_kernel(target: Target) -> Callable[[Expr], bool]:
    """Whether a node has a kernel of our own on the target."""
    return lambda node: target.fma and (node.primitive.name in KERNELS or has_power(node))


def has_named_kernel(target: Target) -> Callable[[Expr], bool]:
    """Whether a node has a kernel that needs nothing but its arguments' values."""
    return lambda node: target.fma and node.primitive.name in KERNELS


def leaves_nan(node: Expr) -> bool:
    """Whether vector code gives NaN where the scalar code has a number, for whoever writes the loop to look for."""
    return node.primitive.name == "chain_mul" or is_product(node)


class Emitter:
    """Lines of IR for operations on one register type: `double`, or a vector of `lanes` doubles."""

    def __init__(self, target: Target, lanes: int) -> None:
        self.target = target
        self.lanes = lanes
        self.type = self._vector("double")
        self.bool = self._vector("i1")
        self.integer = self._vector("i64")
        self.suffix = "f64" if lanes == 1 else f"v{lanes}f64"
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self.table: list[str] = []
        """The numbers that vector code loads where it uses them, each use its own: kept in registers they would be spilled."""
        self.prefix = "v"
        """Of the registers' names."""
        self.inline = False
        """Whether constants stand in the code instead, for short loops in which registers suffice."""
        self.rare: list[str] | None = None
        """Bools of the lanes that have a rare case, which the scalar code then computes; None where every case is treated here."""
        self.often: frozenset[str] = frozenset()
        """The kernels that are functions of their own, compiled once for all their calls."""
        self._count = 0
        self._known: dict[tuple[str, str], Real] = {}
        self._shared: dict[tuple[str, str], Any] = {}

    def forget(self) -> None:
        """Begin a block of code that knows nothing of the others."""
        self.lines = []
        self._known, self._shared = {}, {}

    def _vector(self, scalar: str) -> str:
        return scalar if self.lanes == 1 else f"<{self.lanes} x {scalar}>"

    def constant(self, value: float | bool) -> str:
        """A number or bool in every lane."""
        if isinstance(value, bool):
            return self._every(f"i1 {'true' if value else 'false'}")
        bits = f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
        if self.lanes == 1 or self.inline:
            return self._every(f"double {bits}")
        self.table.append(bits)
        place = self.line(f"getelementptr double, ptr %table, i64 {len(self.table) - 1}")
        one = self.line(f"insertelement {self.type} poison, double {self.line(f'load double, ptr {place}')}, i32 0")
        return self.line(f"shufflevector {self.type} {one}, {self.type} poison, <{self.lanes} x i32> zeroinitializer")

    def whole(self, value: int) -> str:
        """A 64-bit integer in every lane."""
        return self._every(f"i64 {value}")

    def _every(self, text: str) -> str:
        return text.split()[1] if self.lanes == 1 else f"<{', '.join([text] * self.lanes)}>"

    def line(self, text: str) -> str:
        """A new register with this right-hand side."""
        self._count += 1
        name = f"%{self.prefix}{self._count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def operation(self, node: Expr, args: Sequence[str]) -> str:
        """The register that holds a native elementwise node; raises Unsupported naming a primitive without LLVM form."""
        if self.target.fma and has_power(node):
            return emitted(node, Real(self, args[0]), Real(self, args[1])).name
        if node.primitive.name == "div":
            scale = _exact_reciprocal(number(node.args[1]))
            if scale is not None:
                return self.line(f"fmul {self.type} {args[0]}, {self.constant(scale)}")
        return self.apply(node.primitive.name, args)

    def apply(self, name: str, args: Sequence[str]) -> str:
        """The register of a native elementwise function of these registers."""
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

    def own(self, name: str, x: Real) -> Real:
        """One of our own kernels, once for each argument."""
        key = name, x.name
        if key not in self._known:
            self._known[key] = called(name, x, KERNELS[name]) if name in self.often else KERNELS[name](x)
        return self._known[key]

    def shared(self, name: str, x: Real, make: Callable[[Real], Any]) -> Any:
        """What several kernels need of one argument, made once."""
        key = name, x.name
        if key not in self._shared:
            self._shared[key] = make(x)
        return self._shared[key]

    def as_real(self, node: Expr, register: str) -> str:
        """A node's register as doubles, 1 and 0 for bools."""
        return self.select(register, self.constant(1.0), self.constant(0.0)) if node.dtype == BOOL else register

    def scalef(self, x: str, n: str) -> str:
        """x 2^n by AVX-512's own instruction."""
        if self.lanes == 1:
            symbol, pair = "llvm.x86.avx512.mask.scalef.sd", "<2 x double>"
            self.declarations.add(f"declare {pair} @{symbol}({pair}, {pair}, {pair}, i8, i32)")
            a, b = (self.line(f"insertelement {pair} zeroinitializer, double {v}, i32 0") for v in (x, n))
            return self.line(
                f"extractelement {pair} {self.line(f'call {pair} @{symbol}({pair} {a}, {pair} {b}, {pair} {a}, i8 -1, i32 4)')}, i32 0"
            )
        symbol, wide = "llvm.x86.avx512.mask.scalef.pd.512", "<8 x double>"
        self.declarations.add(f"declare {wide} @{symbol}({wide}, {wide}, {wide}, i8, i32)")
        parts = zip(self._parts(x, 8), self._parts(n, 8), strict=True)
        return self._joined([self.line(f"call {wide} @{symbol}({wide} {a}, {wide} {b}, {wide} {a}, i8 -1, i32 4)") for a, b in parts])

    def _function(self, name: str, args: Sequence[str]) -> str:
        """A function of mathematics: our own kernel, else libmvec's, else libm's or SciPy's lane by lane."""
        if self.target.fma and name in KERNELS:
            return self.own(name, Real(self, args[0])).name
        if name in SCIPY:
            self.declarations.add(defined(name))
            return self._each_lane(f"special_{name}", args)
        if name not in SCALAR_LIBM:
            raise Unsupported(f"{name} has no LLVM form; use engine numpy")
        if self.lanes == 1:
            return self.call(SCALAR_LIBM[name], args)
        if name not in self.target.functions:
            return self.lanewise(SCALAR_LIBM[name], args)
        symbol, lanes = self.target.vector_symbol(name, len(args)), self.target.lanes
        kind = f"<{lanes} x double>"
        self.declarations.add(f"declare {kind} @{symbol}({', '.join([kind] * len(args))})")
        parts = zip(*(self._parts(a, lanes) for a in args), strict=True)
        return self._joined([self.line(f"call {kind} @{symbol}({', '.join(f'{kind} {a}' for a in part)})") for part in parts])

    def _parts(self, register: str, lanes: int) -> list[str]:
        """A register as several of fewer lanes."""
        if lanes == self.lanes:
            return [register]
        return [
            self.line(f"shufflevector {self.type} {register}, {self.type} poison, <{lanes} x i32> {_indices(range(k, k + lanes))}")
            for k in range(0, self.lanes, lanes)
        ]

    def _joined(self, parts: Sequence[str]) -> str:
        """The inverse of _parts."""
        joined = list(parts)
        while len(joined) > 1:
            lanes = self.lanes // len(joined)
            both = f"<{2 * lanes} x i32> {_indices(range(2 * lanes))}"
            kind = f"<{lanes} x double>"
            joined = [self.line(f"shufflevector {kind} {a}, {kind} {b}, {both}") for a, b in zip(joined[::2], joined[1::2], strict=True)]
        return joined[0]

    def lanewise(self, symbol: str, args: Sequence[str]) -> str:
        """A function of libm in each lane."""
        self.declarations.add(f"declare double @{symbol}({', '.join(['double'] * len(args))})")
        return self._each_lane(symbol, args)

    def _each_lane(self, symbol: str, args: Sequence[str]) -> str:
        if self.lanes == 1:
            return self.line(f"call double @{symbol}({', '.join(f'double {a}' for a in args)})")
        result = "poison"
        for lane in range(self.lanes):
            entries = [self.line(f"extractelement {self.type} {a}, i32 {lane}") for a in args]
            value = self.line(f"call double @{symbol}({', '.join(f'double {e}' for e in entries)})")
            result = self.line(f"insertelement {self.type} {result}, double {value}, i32 {lane}")
        return result


def _indices(lanes: Sequence[int]) -> str:
    return f"<{', '.join(f'i32 {k}' for k in lanes)}>"


def _exact_reciprocal(divisor: float | None) -> float | None:
    """1 / divisor where dividing and multiplying by it round alike: a power of two."""
    if divisor is None or not math.isfinite(divisor) or abs(math.frexp(divisor)[0]) != 0.5 or not 2.0**-1000 < abs(divisor) < 2.0**1000:
        return None
    return 1.0 / divisor


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
    if e.rare is not None:
        return product  # see leaves_nan
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


def registers(plan: Schedule, emitter: Emitter, inputs: Sequence[str]) -> dict[Expr, str]:
    """The register of every node, for registers of the inputs."""
    found: dict[Expr, str] = dict(zip(plan.inputs, inputs, strict=True))
    found.update({c: emitter.constant(literal(c)) for c in plan.constants})
    for node in (*plan.prelude, *plan.body):
        found[node] = emitter.operation(node, [found[a] for a in node.args])
    return found


def vector_module(plan: Schedule, target: Target, streamed: bool = False) -> str:
    """IR of @batch, the loop over blocks of points; streamed: writing past the caches, to results that begin on a line of cache.

    The code is as it should run, the body in the loop and nothing computed twice: LLVM only has to generate machine
    code, without its optimisation passes (they made no kernel faster, took longer than code generation, and leak).
    """
    e = Emitter(target, target.block)
    text = batch(plan, e, streamed)
    return "\n".join([*sorted(e.declarations), text, attributes(target)])


def scalar_module(plan: Schedule, target: Target) -> str:
    """IR of @single(inputs, outputs), for one point in arrays of doubles."""
    e = Emitter(target, 1)
    text = _single(plan, e)
    return "\n".join([*sorted(e.declarations), text, attributes(target)])


def attributes(target: Target) -> str:
    """Of functions that may use whole vectors, and the mark of stores past the caches."""
    bits = 64 * target.lanes
    return f'attributes #0 = {{ nounwind "prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}" }}\n!0 = !{{i32 1}}'


def _single(plan: Schedule, e: Emitter) -> str:
    loads = []
    for k in range(len(plan.inputs)):
        pointer = e.line(f"getelementptr double, ptr %inputs, i64 {k}")
        loads.append(e.line(f"load double, ptr {pointer}"))
    values = registers(plan, e, loads)
    for k, node in enumerate(plan.outputs):
        pointer = e.line(f"getelementptr double, ptr %outputs, i64 {k}")
        e.lines.append(f"  store double {e.as_real(node, values[node])}, ptr {pointer}")
    return "\n".join(["define void @single(ptr %inputs, ptr %outputs) #0 {", *e.lines, "  ret void", "}"])

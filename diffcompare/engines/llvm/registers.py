"""Registers of LLVM IR with the operators of Python, so that a kernel reads like its formula.

Every operation rounds as IEEE 754 says; multiply-adds are fused only where `fma` is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .emit import Emitter


@dataclass(frozen=True)
class Real:
    """A register of doubles, one in each lane. Numbers beside it are constants in every lane."""

    e: Emitter
    name: str

    def _binary(self, operation: str, a: Operand, b: Operand) -> Real:
        return Real(self.e, self.e.line(f"{operation} {self.e.type} {self._text(a)}, {self._text(b)}"))

    def _text(self, value: Operand) -> str:
        return value.name if isinstance(value, Real) else self.e.constant(value)

    def __add__(self, other: Operand) -> Real:
        return self._binary("fadd", self, other)

    def __sub__(self, other: Operand) -> Real:
        return self._binary("fsub", self, other)

    def __rsub__(self, other: float) -> Real:
        return self._binary("fsub", other, self)

    def __mul__(self, other: Operand) -> Real:
        return self._binary("fmul", self, other)

    def __truediv__(self, other: Operand) -> Real:
        return self._binary("fdiv", self, other)

    def __rtruediv__(self, other: float) -> Real:
        return self._binary("fdiv", other, self)

    def __neg__(self) -> Real:
        return Real(self.e, self.e.line(f"fneg {self.e.type} {self.name}"))

    def __abs__(self) -> Real:
        return Real(self.e, self.e.call(f"llvm.fabs.{self.e.suffix}", [self.name]))

    def compare(self, how: str, other: Operand) -> Truth:
        """how: a condition of LLVM's fcmp; those that begin with o are false for NaN."""
        return Truth(self.e, self.e.line(f"fcmp {how} {self.e.type} {self.name}, {self._text(other)}"))

    def choose(self, condition: Truth, other: Operand) -> Real:
        """self where the condition holds, else other."""
        return Real(self.e, self.e.select(condition.name, self.name, self._text(other)))

    def at_most(self, bound: float) -> Real:
        """The smaller of both; NaN stays."""
        limit = Real(self.e, self.e.constant(bound))
        return limit.choose(limit.compare("olt", self), self)

    def at_least(self, bound: float) -> Real:
        """The larger of both; NaN stays."""
        limit = Real(self.e, self.e.constant(bound))
        return limit.choose(limit.compare("ogt", self), self)

    def signed_as(self, other: Real) -> Real:
        """|self| with the sign of other."""
        return Real(self.e, self.e.call(f"llvm.copysign.{self.e.suffix}", [self.name, other.name]))

    @property
    def bits(self) -> Bits:
        return Bits(self.e, self.e.line(f"bitcast {self.e.type} {self.name} to {self.e.integer}"))


Operand = Real | float


@dataclass(frozen=True)
class Truth:
    """A register of bools."""

    e: Emitter
    name: str


@dataclass(frozen=True)
class Bits:
    """A register of 64-bit integers, the bit patterns of doubles."""

    e: Emitter
    name: str

    def _with(self, operation: str, value: int) -> Bits:
        return Bits(self.e, self.e.line(f"{operation} {self.e.integer} {self.name}, {self.e.whole(value)}"))

    def __add__(self, value: int) -> Bits:
        return self._with("add", value)

    def __and__(self, value: int) -> Bits:
        return self._with("and", value)

    def __or__(self, value: int) -> Bits:
        return self._with("or", value)

    def __lshift__(self, places: int) -> Bits:
        return self._with("shl", places)

    def __rshift__(self, places: int) -> Bits:
        """Zeros come in at the top."""
        return self._with("lshr", places)

    def __xor__(self, other: Bits) -> Bits:
        return Bits(self.e, self.e.line(f"xor {self.e.integer} {self.name}, {other.name}"))

    @property
    def is_nonzero(self) -> Truth:
        return Truth(self.e, self.e.line(f"icmp ne {self.e.integer} {self.name}, {self.e.whole(0)}"))

    @property
    def is_negative(self) -> Truth:
        """Whether the sign bit is set."""
        return Truth(self.e, self.e.line(f"icmp slt {self.e.integer} {self.name}, {self.e.whole(0)}"))

    def below(self, value: int) -> Truth:
        """Compared as unsigned integers."""
        return Truth(self.e, self.e.line(f"icmp ult {self.e.integer} {self.name}, {self.e.whole(value)}"))

    def at_least(self, value: int) -> Truth:
        """Compared as unsigned integers."""
        return Truth(self.e, self.e.line(f"icmp uge {self.e.integer} {self.name}, {self.e.whole(value)}"))

    @property
    def real(self) -> Real:
        return Real(self.e, self.e.line(f"bitcast {self.e.integer} {self.name} to {self.e.type}"))


def fma(a: Real, b: Operand, c: Operand) -> Real:
    """a b + c, rounded once."""
    return Real(a.e, a.e.call(f"llvm.fma.{a.e.suffix}", [a.name, a._text(b), a._text(c)]))


def polynomial(x: Real, coefficients: Sequence[float]) -> Real:
    """Σ coefficients[k] x**k by Estrin's scheme: neighbours by fused multiply-adds, so that few wait for one another."""
    terms: list[Operand] = list(coefficients)
    while len(terms) > 1:
        pairs: list[Operand] = [fma(x, b, a) for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[2 * len(pairs) :]
        x = x * x if len(terms) > 1 else x
    assert isinstance(terms[0], Real)
    return terms[0]

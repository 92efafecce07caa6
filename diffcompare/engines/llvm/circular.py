"""Own kernels of sin and cos: x less a multiple of π/2 in three parts, a polynomial for each, and the quadrant.

Arguments of FAR and beyond go to the C library, lane by lane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .branches import beside
from .coefficients import COS, SIN
from .registers import Bits, Real, fma, polynomial

if TYPE_CHECKING:
    from .emit import Emitter

FAR = 2.0**27
"""Below, n = x 2/π has 27 bits, and x - n HALF_PI[0] is exact."""
HALF_PI = (float.fromhex("0x1.921fb54442d18p+0"), float.fromhex("0x1.1a62633145c06p-54"), float.fromhex("0x1.c1cd129024e09p-107"))
"""π/2 as a sum, of positive parts so that -0.0 less none of it stays -0.0."""
TWO_OVER_PI = 0.6366197723675814
SHIFTER = 1.5 * 2.0**52


@dataclass(frozen=True)
class Turn:
    """sin r and cos r for x = n π/2 + r; bits: those of a double whose lowest are n's."""

    sine: Real
    cosine: Real
    bits: Bits


def sin(x: Real) -> Real:
    """1.45 ulp."""
    return _circular("sin", x, 0)


def cos(x: Real) -> Real:
    """sin one quadrant on; 1.45 ulp."""
    return _circular("cos", x, 1)


def _circular(name: str, x: Real, quadrants: int) -> Real:
    e = x.e
    if e.rare is not None:
        e.rare.append(abs(x).compare("oge", FAR).name)
        return _turned(e.shared("turn", x, _called_turn if name in e.often else _turn), quadrants)
    if e.lanes == 1:
        pair: tuple[Real, Real] = e.shared("sine and cosine", x, _both)
        return pair[quadrants]
    symbol = f"{name}_{e.suffix}"
    e.declarations.add(_guarded(symbol, name, beside(e), quadrants))
    return Real(e, e.line(f"call {e.type} @{symbol}({e.type} {x.name})"))


def _both(x: Real) -> tuple[Real, Real]:
    """sin x and cos x of a scalar, by a function of its own that branches for far arguments."""
    e, inner = x.e, beside(x.e)
    y = Real(inner, "%x")
    near = abs(y).compare("ult", FAR)
    lines = ["define internal { double, double } @sine_and_cosine(double %x) nounwind {", *inner.lines]
    lines.append(f"  br i1 {near.name}, label %near, label %far")
    for label in ("near", "far"):
        inner.forget()
        if label == "near":
            turn = _turn(y)
            pair = _turned(turn, 0).name, _turned(turn, 1).name
        else:
            pair = inner.call("sin", ["%x"]), inner.call("cos", ["%x"])
        first = inner.line(f"insertvalue {{ double, double }} poison, double {pair[0]}, 0")
        both = inner.line(f"insertvalue {{ double, double }} {first}, double {pair[1]}, 1")
        lines += [f"{label}:", *inner.lines, f"  ret {{ double, double }} {both}"]
    e.declarations.add("\n".join([*lines, "}"]))
    found = e.line(f"call {{ double, double }} @sine_and_cosine(double {x.name})")
    sine, cosine = (Real(e, e.line(f"extractvalue {{ double, double }} {found}, {k}")) for k in range(2))
    return sine, cosine


def _guarded(symbol: str, name: str, e: Emitter, quadrants: int) -> str:
    """A function of vectors that takes every argument: the kernel, and where a lane is far the C library's value in its place."""
    x = Real(e, "%x")
    near = _turned(_turn(x), quadrants)
    far = abs(x).compare("oge", FAR)
    some = e.line(f"icmp ne i{e.lanes} {e.line(f'bitcast {e.bool} {far.name} to i{e.lanes}')}, 0")
    before, e.lines = e.lines, []
    mixed = Real(e, e.lanewise(name, ["%x"])).choose(far, near)
    return "\n".join(
        [
            f"define internal {e.type} @{symbol}({e.type} %x) nounwind {{",
            *before,
            f"  br i1 {some}, label %far, label %near",
            "far:",
            *e.lines,
            f"  ret {e.type} {mixed.name}",
            "near:",
            f"  ret {e.type} {near.name}",
            "}",
        ]
    )


def _turn(x: Real) -> Turn:
    shifted = fma(x, TWO_OVER_PI, SHIFTER)
    n = shifted - SHIFTER
    # no part cancels the one before: below FAR no double is nearer to a multiple of π/2 than 2^-62
    r = fma(n, -HALF_PI[2], fma(n, -HALF_PI[1], fma(n, -HALF_PI[0], x)))
    z = r * r
    sine = fma(r * z, polynomial(z, SIN), r)
    cosine = fma(z, fma(z, polynomial(z, COS), -0.5), 1.0)
    # r + r³ P is +0.0 at -0.0, a sum of zeros of both signs
    return Turn(sine.signed_as(r), cosine, shifted.bits)


def _called_turn(x: Real) -> Turn:
    """_turn as a function of its own."""
    e, inner = x.e, beside(x.e)
    kind = f"{{ {e.type}, {e.type}, {e.integer} }}"
    turn = _turn(Real(inner, "%x"))
    parts = [(e.type, turn.sine.name), (e.type, turn.cosine.name), (e.integer, turn.bits.name)]
    whole = "poison"
    for k, (type_, part) in enumerate(parts):
        whole = inner.line(f"insertvalue {kind} {whole}, {type_} {part}, {k}")
    symbol = f"turn_of_{e.suffix}"
    head = f"define internal {kind} @{symbol}({e.type} %x) nounwind {{"
    e.declarations.add("\n".join([head, *inner.lines, f"  ret {kind} {whole}", "}"]))
    found = e.line(f"call {kind} @{symbol}({e.type} {x.name})")
    sine, cosine, bits = (e.line(f"extractvalue {kind} {found}, {k}") for k in range(3))
    return Turn(Real(e, sine), Real(e, cosine), Bits(e, bits))


def _turned(turn: Turn, quadrants: int) -> Real:
    n = turn.bits + quadrants if quadrants else turn.bits
    value = turn.cosine.choose((n & 1).is_nonzero, turn.sine)
    return (value.bits ^ ((n & 2) << 62)).real

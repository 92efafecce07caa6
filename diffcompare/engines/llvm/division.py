"""Division by what is divided by more than once: one reciprocal, and for each quotient a multiplication and its correction.

With y = 1/b rounded, q = a y and r = a - b q, which is exact, q + r y rounded is a/b rounded: Markstein, Computation of
Elementary Functions on the IBM RISC System/6000 Processor, IBM J. Res. Dev. 34 (1990), theorem 8.3. It holds as long as
nothing over- or underflows; beyond, numbers are divided. Where |a| is below 2^-960, r may be inexact and the result wrong by
an ulp. A division takes a processor as long as 16 to 32 multiplications, which meanwhile wait for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...dsl.core import Expr
from ...dsl.elementwise import number
from .registers import Real, Truth, fma

LEAST, MOST = 2.0**-500, 2.0**500
"""Divisors beyond are divided by."""


def shared_divisors(nodes: Sequence[Expr]) -> set[Expr]:
    """What at least two of the nodes divide by and is no constant."""
    counts = Counter(n.args[1] for n in nodes if n.primitive.name == "div" and number(n.args[1]) is None)
    return {divisor for divisor, n in counts.items() if n > 1}


def quotient(numerator: Expr, a: Real, b: Real) -> Real:
    """a / b, where b is divided by elsewhere too."""
    inverse: Real = b.e.shared("reciprocal", b, lambda b: 1.0 / b)
    if number(numerator) == 1:
        return inverse
    q = a * inverse
    result = fma(fma(-b, q, a), inverse, q).signed_as(q)  # of two zeros the sum is +0
    rare = b.e.rare
    if rare is not None:
        b.e.shared("rare divisor", b, lambda b: rare.append(_beyond(b).name))
        rare.append(result.compare("uno", result).name)
        return result
    known = result.choose(result.compare("ord", result), a / b)
    return (a / b).choose(_beyond(b), known)


def _beyond(b: Real) -> Truth:
    size = abs(b)
    return Truth(b.e, b.e.line(f"or {b.e.bool} {size.compare('ule', LEAST).name}, {size.compare('uge', MOST).name}"))

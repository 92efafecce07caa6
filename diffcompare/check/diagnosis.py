"""Which mistake fits a wrong claim: what the claim would have to be multiplied with, exchanged with or be added to be right.

A kind is named only if it makes every entry right that is known to be wrong, within `FIT`, and leaves those alone that
are right; the kinds are tried from the special to the general.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .subject import Layout, Point

Array = np.ndarray[Any, Any]

FIT = 1e-6
"""How well a kind must fit, relative to an entry: far above rounding, far below a coincidence."""
SINGLE = 2.0**-24
"""One rounding to float32, relative."""
MOST_SWAPS = 2_000


@dataclass(frozen=True)
class Evidence:
    """A claim beside the truth, as matrices.

    wrong: entries known to be wrong. known: entries whose truth is known. tolerance: the error of the truth given, 0 if it is
    certified. single: whether the claim came as float32. value: f at the point, if it is one number.
    terms: the derivative of each summand of f, by the summand's text, if the graph of f is known.
    """

    layout: Layout
    point: Point
    claim: Array
    truth: Array
    wrong: Array
    known: Array
    tolerance: Array
    single: bool
    value: float | None = None
    terms: Callable[[], Mapping[str, Array]] | None = None

    def fits(self, candidate: Array) -> bool:
        """Whether the candidate is the claim's idea of the truth: equal to the truth wherever the claim is wrong."""
        return self.same(candidate, self.truth, self.wrong)

    def same(self, a: Array, b: Array, where: Array) -> bool:
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(a - b) <= FIT * np.maximum(np.abs(a), np.abs(b)) + 4 * self.tolerance
        return bool(np.all((near | (a == b))[where]))


def kinds(evidence: Evidence) -> list[str]:
    """The mistakes that fit, the likeliest first; empty where none does."""
    if not np.any(evidence.wrong):
        return []
    with np.errstate(all="ignore"):
        for rule in (_not_finite, _zero, _single, _digits, _transposed, _sign_or_factor, _moved, _missing, _pattern):
            found = list(rule(evidence))
            if found:
                return found
    return []


def _not_finite(e: Evidence) -> Iterator[str]:
    bad = e.wrong & ~np.isfinite(e.claim)
    if np.any(bad):
        yield f"{'NaN' if np.any(np.isnan(e.claim[bad])) else 'infinity'} in {_count(bad)}"


def _zero(e: Evidence) -> Iterator[str]:
    if np.all(e.claim[e.wrong] == 0):
        yield "zero gradient: nothing is ever computed" if np.all(e.claim == 0) else f"{_count(e.wrong)} left at zero"


def _single(e: Evidence) -> Iterator[str]:
    """Off by about 2^-24: rounded to float32, or computed in it, where some entries may lose more by cancellation."""
    if e.single and np.all(e.claim == e.claim.astype(np.float32)):
        yield "float32 precision: the claim is a float32 array"
        return
    known = e.known & (e.truth != 0)
    off = (np.abs(e.claim - e.truth) / np.abs(e.truth))[known]
    rounded = np.all(e.claim[e.known] == e.claim[e.known].astype(np.float32))
    if rounded and np.all(off <= 4 * SINGLE):
        yield "float32 precision: every entry is a float32 number"
    elif np.count_nonzero(e.wrong) > 2 and SINGLE / 16 <= np.median(off) <= 16 * SINGLE and np.all(off <= 1000 * SINGLE) and _scattered(e):
        yield "float32 precision: errors of its size in all entries"


def _scattered(e: Evidence) -> bool:
    """Whether the relative errors differ, as rounding errors do and a wrong constant's do not."""
    off = ((e.claim - e.truth) / e.truth)[e.wrong & (e.truth != 0)]
    return bool(np.ptp(off) > 0.1 * np.max(np.abs(off)))


def _digits(e: Evidence) -> Iterator[str]:
    """Small relative errors: a constant with too few digits, or too few digits of everything."""
    off = np.abs(e.claim - e.truth)[e.wrong] / np.abs(e.truth)[e.wrong]
    if np.all(off <= 1e-4) and np.max(off, initial=0.0) > 0:
        ratio = (e.claim / e.truth)[e.wrong] - 1
        what = "a small perturbation" if np.count_nonzero(e.wrong) == 1 or _scattered(e) else "a constant with too few digits"
        yield f"{what}: relative error {ratio[np.argmax(np.abs(ratio))]:.1e}"


def _transposed(e: Evidence) -> Iterator[str]:
    if (
        e.claim.shape[0] > 1
        and e.claim.shape[0] == e.claim.shape[1]
        and not np.array_equal(e.claim, e.claim.T)
        and e.same(e.claim.T, e.truth, e.known)
    ):
        yield "transposed"
        return
    if e.layout.operator == "hessian" and np.any(e.wrong & (e.claim != e.claim.T)):
        asymmetric = np.argwhere(e.wrong & (e.claim != e.claim.T))
        if len(asymmetric) == 1 or not np.any((e.wrong & e.wrong.T)[e.claim != e.claim.T]):
            row, column = asymmetric[0].tolist()
            yield f"not symmetric: the entry mirrored from {e.layout.name(row, column)} is another number, and right"
            return
    start = 0
    for name, shape in zip(e.layout.wrt, e.layout.shapes, strict=True):
        part = slice(start, start + math.prod(shape))
        start = part.stop
        if len(shape) != 2 or min(shape) < 2 or not np.any(e.wrong[:, part]) or np.any(np.delete(e.wrong, np.r_[part], axis=1)):
            continue
        rows = e.claim[:, part].reshape(-1, *shape)
        for what, turned in (("transposed", _turned(rows)), ("raveled by columns instead of rows", _reraveled(rows))):
            if turned is not None and e.same(turned.reshape(rows.shape[0], -1), e.truth[:, part], e.wrong[:, part]):
                yield f"{what} in {name}"
                return


def _turned(rows: Array) -> Array | None:
    return rows.transpose(0, 2, 1) if rows.shape[1] == rows.shape[2] else None


def _reraveled(rows: Array) -> Array:
    n, a, b = rows.shape
    return rows.reshape(n, b, a).transpose(0, 2, 1)


def _sign_or_factor(e: Evidence) -> Iterator[str]:
    ratio = (e.claim / e.truth)[e.wrong]
    if not np.all(np.isfinite(ratio)) or np.any(ratio == 0):
        return
    r = float(np.median(ratio))
    if not e.same(np.full_like(e.truth, r) * e.truth, e.claim, e.wrong):
        yield from _variable_factor(e)
        return
    for name, value in _constants(e):
        if abs(r - value) <= FIT * abs(value):
            yield "sign" if value == -1 else f"factor {name}"
            return
    found = list(_variable_factor(e))
    if not found and np.count_nonzero(e.wrong) > 1:
        found = [f"factor {r:.10g}"]
    yield from found


def _constants(e: Evidence) -> Iterator[tuple[str, float]]:
    n, m = e.layout.columns, e.layout.rows
    plain: list[tuple[str, float]] = [("2", 2.0), ("1/2", 0.5), ("3", 3.0), ("1/3", 1 / 3), ("4", 4.0), ("1/4", 0.25)]
    if n > 1:
        plain += [
            (f"n = {n}", float(n)),
            (f"1/n = 1/{n}", 1 / n),
            (f"(n-1)/n with n = {n}", (n - 1) / n),
            (f"n/(n-1) with n = {n}", n / (n - 1)),
        ]
    if m > 1:
        plain += [(f"{m}, the number of rows", float(m)), (f"1/{m}, of the number of rows", 1 / m)]
    for value in e.point.values.values():
        sizes = np.shape(value) if isinstance(value, np.ndarray) else ()
        for size in sizes:
            plain += [(f"{size}, the length of an axis", float(size)), (f"1/{size}, of the length of an axis", 1 / size)]
    plain += [("π", math.pi), ("1/π", 1 / math.pi), ("π/180", math.pi / 180), ("180/π", 180 / math.pi)]
    plain += [("log 2", math.log(2)), ("1/log 2", 1 / math.log(2)), ("log 10", math.log(10)), ("1/log 10", 1 / math.log(10))]
    yield "-1", -1.0
    for name, value in plain:
        yield name, value
        yield f"-{name}", -value


def _variable_factor(e: Evidence) -> Iterator[str]:
    """A factor that is the input itself or the function's value."""
    x = np.broadcast_to(e.point.vector, e.claim.shape)
    if e.layout.operator != "hessian":
        for name, factor in (("x", x), ("x²", x**2)):
            which = "the input" if name == "x" else "the input's square"
            if e.fits(e.claim * factor):
                yield f"a factor is missing: {which}"
                return
            if e.same(e.truth * factor, e.claim, e.wrong):
                yield f"a factor too many: {which}"
                return
    if e.value not in (None, 0.0, 1.0):
        assert e.value is not None
        if e.fits(e.claim * e.value):
            yield "a factor is missing: the function's value"
        elif e.fits(e.claim / e.value):
            yield "a factor too many: the function's value"


def _moved(e: Evidence) -> Iterator[str]:
    """Right numbers in wrong places."""
    if not np.all(e.known):
        return
    for axis, what in ((1, "column"), (0, "row")):
        n = e.claim.shape[axis]
        if n < 2:
            continue
        which = "entries" if e.claim.shape[0] == 1 else f"{what}s"
        for shift in (1, -1, 2, -2):
            if n > 2 and abs(shift) < n and e.same(np.roll(e.claim, -shift, axis=axis), e.truth, e.known):
                yield f"wrong index: {which} shifted by {shift}"
                return
        if n > 2 and e.same(np.flip(e.claim, axis=axis), e.truth, e.known):
            yield f"wrong index: {which} in reverse order"
            return
    yield from _swapped(e)


def _swapped(e: Evidence) -> Iterator[str]:
    cells = [(int(r), int(c)) for r, c in np.argwhere(e.wrong)]
    claimed, true = e.claim[e.wrong], e.truth[e.wrong]
    if len(cells) > 1 and _near(np.sort(claimed), np.sort(true)):
        names = [e.layout.input(c) for _, c in cells]
        yield f"wrong index: {' and '.join(names)} exchanged" if len(cells) == 2 else "wrong index: the right numbers in another order"
        return
    if len(cells) * e.truth.size > MOST_SWAPS * MOST_SWAPS:
        return
    found = []
    for (r, c), value in zip(cells[:8], claimed.tolist(), strict=False):
        there = np.flatnonzero(np.abs(e.truth[r] - value) <= FIT * abs(value)) if value else np.array([], dtype=int)
        if len(there) != 1 or there[0] == c:
            return
        found.append(f"{e.layout.name(r, c)} is the derivative with respect to {e.layout.input(int(there[0]))}")
    yield from (f"wrong index: {text}" for text in found[:2])


def _near(a: Array, b: Array) -> bool:
    return bool(np.all(np.abs(a - b) <= FIT * np.maximum(np.abs(a), np.abs(b))))


def _missing(e: Evidence) -> Iterator[str]:
    """One summand of f whose derivative is missing, or counted with the wrong sign or twice."""
    if e.terms is None:
        return
    gap = e.truth - e.claim
    for text, term in e.terms().items():
        if not np.any(term[e.wrong]):
            continue
        for factor, what in ((1.0, "is missing"), (2.0, "has the wrong sign"), (-1.0, "is counted twice")):
            if e.same(e.claim + factor * term, e.truth, e.known) and np.any(gap[e.wrong]):
                yield f"one term {what}: that of {text}"
                return


def _pattern(e: Evidence) -> Iterator[str]:
    """What is left out, where only its form can be told."""
    gap = (e.truth - e.claim)[e.wrong]
    if len(gap) < 3 or not np.all(np.isfinite(gap)):
        return
    x = np.broadcast_to(e.point.vector, e.claim.shape)[e.wrong]
    if _near(gap, np.full_like(gap, np.median(gap))):
        yield f"one term missing: the same number, {np.median(gap):.6g}, in {_count(e.wrong)}"
    elif np.all(x != 0) and _near(gap / x, np.full_like(gap, np.median(gap / x))):
        yield f"one term missing: a multiple of the input, {np.median(gap / x):.6g} x"


def _count(mask: Array) -> str:
    n = int(np.count_nonzero(mask))
    return f"{n} entr{'y' if n == 1 else 'ies'}" if n < mask.size or n == 1 else "all entries"


def degenerate(point: Point) -> Sequence[str]:
    """What makes mistakes invisible at a point: zeros, ones, equal entries."""
    result = []
    x, names = point.vector, _names(point)
    for value, why in ((0.0, "factors and terms vanish"), (1.0, "powers and factors of it cannot be told apart")):
        places = np.flatnonzero(np.abs(x) == value)
        if places.size:
            result.append(f"{_listed(names, places)} {'is' if places.size == 1 else 'are'} {'0' if value == 0 else '1 or -1'}: {why}")
    values, counts = np.unique(x, return_counts=True)
    ties = (counts > 1) & (values != 0) & (np.abs(values) != 1)
    if np.any(ties):
        places = np.flatnonzero(x == values[ties][0])
        more = f", and {np.count_nonzero(ties) - 1} more such groups" if np.count_nonzero(ties) > 1 else ""
        result.append(f"{_listed(names, places)} are equal{more}: exchanged entries cannot be told apart, and max or sort has ties")
    return result


def _names(point: Point) -> Callable[[int], str]:
    layout = Layout("", "gradient", point.wrt, tuple(point.shapes), ())
    return layout.input


def _listed(name: Callable[[int], str], places: Array) -> str:
    shown = [name(int(k)) for k in places[:3]]
    return ", ".join(shown) + (f" and {places.size - 3} more" if places.size > 3 else "")

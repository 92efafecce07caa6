"""Directional derivatives of a function that can only be evaluated, with an honest error.

Steps of all lengths on both sides, extrapolated, and the error that shorter steps admit: the ladder of fd.adaptive, here
along any direction of a plain Python function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..differentiators.ladder import Guess, Ladder, Status, derivative, extrapolated
from .subject import Point, Subject

Array = np.ndarray[Any, Any]

FINE, WIDE = 44, 24
"""Rungs of the two ladders."""
CALLS = 2 * (FINE + WIDE)
"""Evaluations for one direction."""
MANTISSA = 0.7320508075688772
"""Of the longest step: a full one meets the rounding errors of f at random, powers of two the same ones again and again."""
UNIT = 2.0**-53
FEWEST_ULPS = 8.0


@dataclass(frozen=True)
class Slope:
    """A derivative along a direction for each output entry, what its error should keep to, and a Status of the ladder.

    order: the power of the step with which the Taylor remainder of the claim shrinks, 2 for a right one and 1 for a wrong
    one; NaN where it drowns in rounding. bound: how far off the claim can be at most, by the size of that remainder.
    """

    value: Array
    error: Array
    status: Array
    order: Array
    bound: Array


class Evaluations:
    """f near a point, on vectors over the entries of `wrt`; calls are counted, and what raises there counts as undefined."""

    def __init__(self, f: Subject, point: Point, centre: Array) -> None:
        self.f, self.point, self.centre, self.x = f, point, centre.ravel(), point.vector
        self.calls = 0
        self.raised = ""

    def __call__(self, x: Array) -> Array:
        self.calls += 1
        try:
            values = np.asarray(self.f(self.point.moved(x)), dtype=np.float64).ravel()
        except Exception as error:  # near the end of a domain Python functions raise where NumPy's give NaN
            self.raised = self.raised or f"{type(error).__name__}: {error}"
            return np.full(self.centre.shape, np.nan)
        return values if values.shape == self.centre.shape else np.full(self.centre.shape, np.nan)

    def size(self) -> Array:
        """|x| for each entry, of a zero the root mean square of the others, 1 if there are none."""
        size = np.abs(self.x)
        typical = float(np.sqrt(np.mean(size[size > 0] ** 2))) if np.any(size > 0) else 1.0
        return np.where(size > 0, size, typical)


def slope(f: Evaluations, v: Array, claimed: Array, jacobian: Callable[[Array], Array]) -> Slope:
    """The derivative of f along v beside the claimed one.

    jacobian(d): the claim's product with any vector d. x + t v is rounded; the claim accounts for that small difference
    of displacements, so that a direction need not be representable.
    """
    size = float(np.max(np.abs(v)))
    ladders = [
        _ladder(f, v, jacobian, length, rungs)
        for length, rungs in ((_step(min(1.0, 1.0 / size)), FINE), (_step(max(1.0, 1.0 / size)), WIDE))
    ]
    guess = derivative(ladders[0], ladders[1], UNIT)
    return Slope(guess.value, guess.error, guess.status, *_taylor(ladders[0], claimed))


def _step(top: float) -> float:
    return math.ldexp(MANTISSA, math.frexp(top)[1] - 1)


def _ladder(f: Evaluations, v: Array, jacobian: Callable[[Array], Array], longest: float, rungs: int) -> Ladder:
    h = np.ldexp(longest, -np.arange(rungs))
    up, down = np.empty((rungs, f.centre.size)), np.empty((rungs, f.centre.size))
    resolution = np.linalg.norm(np.spacing(np.abs(f.x))[v != 0])
    with np.errstate(all="ignore"):
        for k, t in enumerate(h.tolist()):
            for values, sign in ((up, 1.0), (down, -1.0)):
                there = f.x + sign * t * v
                values[k] = f(there) - jacobian((there - f.x) - sign * t * v)
    lost = np.broadcast_to((h * np.linalg.norm(v) < FEWEST_ULPS * resolution)[:, None], up.shape)
    return Ladder(h[:, None], up, down, f.centre, lost, np.zeros((rungs, 1)))


def _taylor(ladder: Ladder, claimed: Array) -> tuple[Array, Array]:
    """(order, bound) from the Taylor remainder of the claim, |f(x ± tv) - f(x) ∓ t g·v|, for each output entry.

    bound: the least of remainder / t over all steps, the larger side counting and rounding added: a wrong slope cannot be
    further off, since on short steps the remainder is t |(∇f - g)·v|.
    """
    t = ladder.h
    with np.errstate(all="ignore"):
        sides = [np.abs(values - ladder.centre - s * t * claimed) for values, s in ((ladder.up, 1), (ladder.down, -1))]
        remainder = np.fmax(*sides)
        noise = UNIT * (np.abs(ladder.up) + np.abs(ladder.centre) + t * np.abs(claimed)) + ladder.noise()
        bound = np.nanmin(np.where(ladder.lost | ~np.isfinite(remainder), np.inf, (remainder + 3 * noise) / t), axis=0)
        clear = np.isfinite(remainder) & (remainder > 100 * noise)
    order = np.full(remainder.shape[1], np.nan)
    for k in range(len(order)):
        # the shortest clear steps: longer ones see more than the leading term
        places = np.flatnonzero(clear[:-1, k] & clear[1:, k])[-4:]
        if places.size:
            order[k] = np.median(np.log2(remainder[places, k] / remainder[places + 1, k]))
    return order, bound


def curvature(f: Evaluations, u: Array, v: Array) -> Slope:
    """u'Hv from second differences, (f(x + tu + tv) + f(x - tu - tv) - f(x + tu - tv) - f(x - tu + tv)) / 4t², extrapolated."""
    none = np.zeros(f.centre.size)
    size = float(np.max(np.abs(np.concatenate([u + v, u - v]))))
    found: list[tuple[Array, Array]] = []
    for longest, rungs in ((_step(min(1.0, 1.0 / size)), FINE), (_step(max(1.0, 1.0 / size)), WIDE)):
        plus, minus = (_ladder(f, d, lambda _: none, longest, rungs) if np.any(d) else None for d in (u + v, u - v))
        here = plus or minus
        assert here is not None
        total, rounding = np.zeros(here.up.shape), np.zeros(here.up.shape)
        for ladder, sign, d in ((plus, 1.0, u + v), (minus, -1.0, u - v)):
            total += sign * (2 * f.centre if ladder is None else ladder.up + ladder.down)
            if ladder is not None:
                steepest = np.abs(ladder.up - ladder.down) / (2 * ladder.h * float(np.max(np.abs(d))))
                uneven = 2 * UNIT * float(np.sum(np.abs(f.x[d != 0]))) * steepest
                rounding += 2 * ladder.noise() + UNIT * (np.abs(ladder.up) + np.abs(ladder.down)) + uneven
        with np.errstate(all="ignore"):
            found.append(extrapolated(total / (4 * here.h**2), rounding / (4 * here.h**2), here, 2))
    (a, a_error), (b, b_error) = found
    wide = (b_error < a_error) & (np.abs(a - b) <= a_error + b_error)
    guess = Guess(np.where(wide, b, a), np.where(wide, b_error, a_error), np.zeros(a.shape))
    status = np.where(np.isfinite(guess.error), Status.CONVERGED, Status.UNDEFINED)
    return Slope(guess.value, guess.error, status, np.full(a.shape, np.nan), np.full(a.shape, np.inf))

"""Second derivatives from the values on ladders of steps, with an honest error: what ladder.py does for first ones.

One number moves: f(x + h) - 2 f(x) + f(x - h) over h². Two move together: the difference of the differences at four corners.
Both are even in the step, so the same extrapolation in h² removes their errors, and the same rule chooses among them.

One more rounding counts: an intermediate result of the size of x, such as x², is rounded to its last place and loses h²
where that is shorter, on all short steps alike, so that nothing varies from step to step. It acts as x rounded would, by the
slopes at the points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..engines.base import Array
from .ladder import Guess, Ladder, Status, at_edges, derivative, extrapolated, narrowed, staircase


@dataclass(frozen=True)
class Corners:
    """Values where two numbers move, by steps h and other_h: along takes both up or both down, across one up and one down.

    other_h, other_asymmetry: of the second number; those of the first stand in the ladders. last_place: the larger of the
    units in the last places of both, in units of their steps.
    """

    along: Ladder
    across: Ladder
    other_h: Array
    other_asymmetry: Array
    last_place: Array

    def quotients(self, noise: Array, floor: float) -> tuple[Array, Array]:
        """(mixed second differences, their rounding errors)."""
        a, b = self.along, self.across
        area = (2 * a.h + a.asymmetry) * (2 * self.other_h + self.other_asymmetry)
        quotient = ((a.up - b.up) - (b.down - a.down)) / area
        size = sum(np.abs(v) for v in (a.up, a.down, b.up, b.down))
        uneven = np.abs(quotient) * (np.abs(a.asymmetry) / a.h + np.abs(self.other_asymmetry) / self.other_h)
        inner = 4 * np.maximum.reduce([np.abs(v - a.centre) for v in (a.up, a.down, b.up, b.down)]) * self.last_place
        return quotient, (4 * noise + inner + floor * size) / area + uneven


def central(ladder: Ladder, noise: Array, floor: float, last_place: Array) -> tuple[Array, Array]:
    """(symmetric second differences, their rounding errors). last_place: the unit in the last place of x."""
    h, gap, even = ladder.h, ladder.h + ladder.asymmetry, ladder.asymmetry == 0
    up, down = ladder.up - ladder.centre, ladder.centre - ladder.down
    quotient = np.where(even, (up - down) / h / h, 2 * (up / h - down / gap) / (h + gap))
    size = np.abs(ladder.up) + 2 * np.abs(ladder.centre) + np.abs(ladder.down)
    # with uneven steps two rounded quotients are subtracted, and f''' no longer cancels
    uneven = np.where(even, 0, 8 * floor * np.abs(up) / h / h + np.abs(quotient) * np.abs(ladder.asymmetry) / h)
    inner = (np.abs(up + down) / 2 + np.abs(up - down)) * (last_place / h)  # the slopes at both ends
    return quotient, (4 * noise + inner + floor * size) / h / h + uneven


def one_sided(ladder: Ladder, right: bool, noise: Array, floor: float, last_place: Array) -> tuple[Array, Array]:
    """(second differences of x and two steps to one side, their rounding errors), a rung shorter than the ladder."""
    values, steps = (ladder.up, ladder.h) if right else (ladder.down, -ladder.h - ladder.asymmetry)
    slopes = (values - ladder.centre) / steps
    gap = np.abs(steps[:-1] - steps[1:])
    size = np.abs(values[:-1]) + 2 * np.abs(values[1:]) + np.abs(ladder.centre)
    inner = 2 * np.maximum(np.abs(slopes[1:]), np.abs(slopes[:-1])) * last_place
    rounding = (4 * noise + inner + floor * size) / np.abs(steps[1:]) / gap
    return 2 * (slopes[:-1] - slopes[1:]) / (steps[:-1] - steps[1:]), rounding


def second(fine: Ladder, wide: Ladder, floor: float, last_place: Array) -> Guess:
    """The second derivative along one number, from the two ladders of ladder.derivative.

    floor: the error that a value of f has at least, relative to it. last_place: the unit in the last
    place of x. A KINK is where the second derivatives from the two sides differ; where the first ones do, there is none:
    UNDEFINED.
    """
    noise = np.maximum(fine.noise(), staircase(fine, wide))
    value, error = narrowed(*(extrapolated(*central(one, noise, floor, last_place), one, 2) for one in (fine, wide)))
    (right, right_error), (left, left_error) = sides = [
        _from_one_side(fine, wide, right, noise, floor, last_place) for right in (True, False)
    ]
    gap = np.abs(right - left)
    kink = np.isfinite(gap) & np.isfinite(error) & (gap > 10 * (right_error + left_error))
    error = np.where(kink, np.maximum(error, gap / 2), error)
    status = np.where(kink, Status.KINK, np.where(np.isfinite(error), Status.CONVERGED, Status.UNDEFINED))
    value, error, status = at_edges(fine, sides, value, error, status)
    bent = derivative(fine, wide, floor).status == Status.KINK
    return _finished(value, error, status, bent, central(fine, noise, floor, last_place)[0])


def _from_one_side(fine: Ladder, wide: Ladder, right: bool, noise: Array, floor: float, last_place: Array) -> tuple[Array, Array]:
    found = []
    for one in (fine, wide):
        shorter = replace(one, h=one.h[1:], lost=one.lost[1:])
        found.append(extrapolated(*one_sided(one, right, noise, floor, last_place), shorter, 1))
    return narrowed(*found)


def mixed(fine: Corners, wide: Corners, floor: float) -> Guess:
    """The second derivative along two numbers, from corners scaled to the smaller and to the larger of |x| and 1 for each."""
    ladders = fine.along, fine.across, wide.along, wide.across
    noise = np.maximum(np.maximum(fine.along.noise(), fine.across.noise()), staircase(*ladders))
    value, error = narrowed(*(extrapolated(*one.quotients(noise, floor), one.along, 2) for one in (fine, wide)))
    status = np.where(np.isfinite(error), Status.CONVERGED, Status.UNDEFINED)
    bent = [derivative(a, b, floor).status == Status.KINK for a, b in ((fine.along, wide.along), (fine.across, wide.across))]
    return _finished(value, error, status, bent[0] | bent[1], fine.quotients(noise, floor)[0])


def _finished(value: Array, error: Array, status: Array, bent: Array, quotients: Array) -> Guess:
    """Without an estimate where the first derivative jumps; where nothing better is known, the quotient at about ε^(1/4), the textbook's step."""
    value, error = np.where(bent, quotients[len(quotients) // 3], value), np.where(bent, np.inf, error)
    known = np.isfinite(error) | np.isfinite(value)
    status = np.where(bent, Status.UNDEFINED, status)
    return Guess(np.where(known, value, quotients[len(quotients) // 3]), error, status.astype(np.int8))

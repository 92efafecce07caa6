"""The derivative of a function of one number from its values on a ladder of steps, with an honest error.

Extrapolation (Richardson, by Neville's scheme in h² or h with the steps taken) from every rung at every level, and a rule
to choose: a value counts only while it agrees, within rounding, with every value from shorter steps (Lepski's principle).
That keeps long steps out that hop over whole periods and agree with each other by accident, where other methods
are confidently wrong. Rounding is measured, on the shortest steps, from what no smooth function could do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from ..engines.base import Array

LEVELS = 6
"""Extrapolations of each value: seven central differences remove the terms h² to h^12."""
AGREEMENT = 3.0
"""Values agree if they differ by no more than this many times their rounding errors together."""
ROUNDING = 3.0
"""How much of its rounding error an estimate counts, beside the change to the next shorter step."""
SAMPLES = ((12, 1.0), (6, 1.5))
"""How many rungs from the shortest up measure the noise of the function, with a factor for the uncertainty of the fewer; the
smaller result counts, since on longer steps what is not noise may show."""
NOISE = 2.5
"""The largest of a few errors against their root mean square: √3 for errors spread evenly, and a measured mean square that is
itself uncertain by √2."""
TREAD = 1e-4
"""Values that move in steps of up to this part of the largest are rounded; longer ones may be jumps of the function itself."""
FEWEST_ULPS = 8.0
"""Steps of fewer units in the last place of x move it by too uneven amounts."""


class Status(IntEnum):
    """What stands behind a value: worse ones are larger."""

    CONVERGED = 0
    ONE_SIDED = 1
    """The function is not defined on the other side of the point."""
    KINK = 2
    """The derivatives from the two sides differ: the value is the symmetric one, the error half their gap."""
    UNDEFINED = 3
    """No two steps agree, or the function has no value here: the error is infinite."""


class Guess(NamedTuple):
    """A derivative, a bound that its error should keep to, infinite where nothing is known, and its status."""

    value: Array
    error: Array
    status: Array


@dataclass(frozen=True)
class Ladder:
    """Values of a function at x + h and x - h, and at x, for steps h that fall along the first axis.

    h, up, down: (rungs, ...), broadcasting; centre: (...). lost: rungs whose steps are below the resolution of x.
    asymmetry: by how much the step down is longer than the step up, after rounding.
    """

    h: Array
    up: Array
    down: Array
    centre: Array
    lost: Array
    asymmetry: Array

    def noise(self) -> Array:
        """The largest error of a value of the function near x, as far as it varies from step to step.

        From first and second differences freed of their smooth part by two extrapolations; both are needed, since rounding
        of an intermediate result may be odd or even around x.
        """
        near, far = self.h[2:] / self.h[1:-1], self.h[2:] / self.h[:-2]  # ratios, since h² may underflow
        odd, even = self.up - self.down, self.up - 2 * self.centre + self.down
        # what is left of independent errors of size 1: √2 √(1/16 + 25/4 + 16) and √6 √(1/256 + 25/16 + 16)
        from_odd = np.abs(odd[:-2] * far - 5 * odd[1:-1] * near + 4 * odd[2:]) / 6.68
        from_even = np.abs(even[:-2] * far**2 - 5 * even[1:-1] * near**2 + 4 * even[2:]) / 10.3
        usable = np.isfinite(from_odd) & np.isfinite(from_even) & ~self.lost[2:]
        rank = np.cumsum(usable[::-1], axis=0)[::-1]  # 1 for the shortest usable step
        estimates = [_mean_square(v, usable & (rank <= n)) * f for v in (from_odd, from_even) for n, f in SAMPLES]
        return np.asarray(NOISE * np.maximum(np.minimum(*estimates[:2]), np.minimum(*estimates[2:])))

    def changes(self) -> Array:
        """By how much the steps up and down change the value, one after another along the first axis; NaN of those that are lost."""
        return np.concatenate([np.where(self.lost, np.nan, np.abs(side - self.centre)) for side in (self.up, self.down)])

    def central(self, noise: Array, floor: float) -> tuple[Array, Array]:
        """(symmetric differences, their rounding errors)."""
        gap = 2 * self.h
        second = np.abs(self.up - 2 * self.centre + self.down) / self.h / self.h
        uneven = np.where(self.asymmetry == 0, 0, second * np.abs(self.asymmetry) / 2)
        rounding = (np.sqrt(2) * noise + floor * np.abs(self.up) + floor * np.abs(self.down)) / gap
        return (self.up - self.down) / (gap + self.asymmetry), rounding + uneven

    def one_sided(self, right: bool, noise: Array, floor: float) -> tuple[Array, Array]:
        """(differences to one side, their rounding errors)."""
        values, step = (self.up, self.h) if right else (self.down, -self.h)
        rounding = (2 * noise + floor * np.abs(values) + floor * np.abs(self.centre)) / self.h
        return (values - self.centre) / step, rounding


def _mean_square(values: Array, chosen: Array) -> Array:
    """The root mean square along the first axis of the values chosen, 0 of none."""
    return np.asarray(np.sqrt(np.sum(np.where(chosen, values, 0) ** 2, axis=0) / np.maximum(chosen.sum(axis=0), 1)))


def staircase(*ladders: Ladder) -> Array:
    """The least change of a value near x where some step leaves it the very same, 0 elsewhere.

    There an intermediate result is rounded more coarsely than the value, to the same number on all short steps: no
    difference between them shows it. 1 + 1e-6 x - 1 stands still over short steps and then climbs by ε.
    """
    changes = np.concatenate([one.changes() for one in ladders])
    size = np.max([np.max(np.where(np.isfinite(v), np.abs(v), 0), axis=0) for one in ladders for v in (one.up, one.down)], axis=0)
    least = np.min(np.where(changes > 0, changes, np.inf), axis=0)
    return np.asarray(np.where((changes == 0).any(axis=0) & (least <= TREAD * size), least, 0.0))


def extrapolated(quotients: Array, rounding: Array, ladder: Ladder, power: int) -> tuple[Array, Array]:
    """(the best value, its error) among all extrapolations of quotients whose error is a series in h**power."""
    broken = ~np.isfinite(quotients) & ~ladder.lost
    best = np.full(quotients.shape[1:], np.nan, quotients.dtype)
    error = np.full(quotients.shape[1:], np.inf, quotients.dtype)
    for level in range(min(LEVELS, len(quotients) - 2) + 1):
        if level:
            ratio = (ladder.h[:-level] / ladder.h[level:]) ** power
            quotients = quotients[1:] + (quotients[1:] - quotients[:-1]) / (ratio - 1)
            rounding = (ratio * rounding[1:] + rounding[:-1]) / (ratio - 1)
            broken = broken[1:] | broken[:-1]
        lost = ladder.lost[level:]
        agrees = _agreeing(quotients, AGREEMENT * rounding, lost, broken)
        change = np.where(lost[1:], np.inf, np.abs(quotients[:-1] - quotients[1:]))
        candidate = np.where(agrees[:-1], change + ROUNDING * rounding[:-1], np.inf)
        candidate = np.where(np.isnan(candidate), np.inf, candidate)
        place = np.argmin(candidate, axis=0)[None]
        smallest = np.take_along_axis(candidate, place, axis=0)[0]
        better = smallest < error
        best = np.where(better, np.take_along_axis(quotients, place, axis=0)[0], best)
        error = np.where(better, smallest, error)
    return best, error


def _agreeing(values: Array, radius: Array, lost: Array, broken: Array) -> Array:
    """For each rung whether its interval and those of all shorter steps have a point in common, none of them broken."""
    low = np.where(lost, -np.inf, np.where(broken, np.inf, values - radius))
    high = np.where(lost, np.inf, np.where(broken, -np.inf, values + radius))
    low, high = (f.accumulate(v[::-1], axis=0)[::-1] for f, v in ((np.fmax, low), (np.fmin, high)))
    return (low <= high) & ~lost & ~broken


def narrowed(fine: tuple[Array, Array], wide: tuple[Array, Array]) -> tuple[Array, Array]:
    """The guess from a ladder of longer steps where it is better and agrees with that from shorter ones."""
    (a, a_error), (b, b_error) = fine, wide
    use = ((b_error < a_error) & (np.abs(a - b) <= a_error + b_error)) | ~np.isfinite(a_error)
    return np.where(use, b, a), np.where(use, b_error, a_error)


def derivative(fine: Ladder, wide: Ladder, floor: float, known: Array | float = 0.0) -> Guess:
    """The derivative from a ladder scaled to the smaller of |x| and 1, and one scaled to the larger.

    floor: the error that a value of f has at least, relative to it. known: the standard deviation of its noise, where that is known.
    """
    noise = np.maximum(np.maximum(fine.noise(), staircase(fine, wide)), NOISE * known)
    value, error = narrowed(*(extrapolated(*ladder.central(noise, floor), ladder, 2) for ladder in (fine, wide)))
    sides = [
        narrowed(*(extrapolated(*ladder.one_sided(right, noise, floor), ladder, 1) for ladder in (fine, wide))) for right in (True, False)
    ]
    (right, right_error), (left, left_error) = sides
    gap = np.abs(right - left)
    kink = np.isfinite(gap) & (gap > 10 * (right_error + left_error))
    error = np.where(kink, np.maximum(error, gap / 2), error)
    status = np.where(kink, Status.KINK, np.where(np.isfinite(error), Status.CONVERGED, Status.UNDEFINED))
    value, error, status = at_edges(fine, sides, value, error, status)
    middle = len(fine.h) // 3  # about ε^(1/3): the textbook's step, where nothing better is known
    for plain in (fine.central(noise, floor), fine.one_sided(True, noise, floor), fine.one_sided(False, noise, floor)):
        value = np.where(np.isfinite(error) | np.isfinite(value), value, plain[0][middle])
    return Guess(value, error, status.astype(np.int8))


def at_edges(fine: Ladder, sides: Sequence[tuple[Array, Array]], value: Array, error: Array, status: Array) -> tuple[Array, Array, Array]:
    """Value, error and status, from one side where there is nothing beyond. sides: value and error from the right and the left."""
    for (side, side_error), beyond in zip(sides, (fine.down, fine.up), strict=True):
        edge = ~np.isfinite(error) & np.isfinite(side_error) & ~np.isfinite(np.where(fine.lost, np.nan, beyond)).any(axis=0)
        value, error = np.where(edge, side, value), np.where(edge, side_error, error)
        status = np.where(edge, Status.ONE_SIDED, status)
    return value, error, status

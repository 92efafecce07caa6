"""Repetition in tapes: loops that were written out, found again.

A stretch of a tape is a loop if operation k is of the kind of operation k - period, and each of its arguments moves from
repetition to repetition by a step that stays the same: by 0 what all repetitions read, by the period what the one before
has computed, by other steps a row of earlier results, forwards or backwards. This is checked for every operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .form import Bools, Tape

WINDOW = 48
"""Operations in a row that must come again for a period to be tried."""
ATTEMPTS = 24
"""Places where a loop is looked for, and periods that are tried at each: so the search takes time linear in the tape."""
LEAST = 8
"""Repetitions that make a loop."""


@dataclass(frozen=True)
class Loop:
    """`times` repetitions of `period` operations, from operation `start`."""

    start: int
    period: int
    times: int

    @property
    def stop(self) -> int:
        return self.start + self.period * self.times


def loops(tape: Tape, least: int = LEAST) -> list[Loop]:
    """Loops in the order of the tape, each the longest of its period about a place where one was looked for."""
    text = tape.op.astype(np.uint16).tobytes()
    found: list[Loop] = []
    gaps = [(0, len(tape.op))]
    for _ in range(ATTEMPTS):
        gaps = [g for g in gaps if g[1] - g[0] > 2 * WINDOW]
        if not gaps:
            break
        lo, hi = gap = max(gaps, key=lambda g: g[1] - g[0])
        gaps.remove(gap)
        middle = (lo + hi) // 2
        loop = _about(tape, text, middle, lo, hi, least)
        if loop is None:
            gaps += [(lo, middle), (middle, hi)]
        else:
            found.append(loop)
            gaps += [(lo, loop.start), (loop.stop, hi)]
    return sorted(found, key=lambda loop: loop.start)


def _about(tape: Tape, text: bytes, middle: int, lo: int, hi: int, least: int) -> Loop | None:
    """The loop about operation `middle`, within [lo, hi), of the period that covers most."""
    best: Loop | None = None
    for period in _periods(text, middle, hi):
        if (hi - lo) // period < least:
            break
        if not _regular(tape, period, middle, min(middle + 4 * period, hi))[2 * period :].all():
            continue
        start, stop = _run(_regular(tape, period, lo, hi), middle + 2 * period - lo, 2 * period)
        times = (stop - start) // period
        if times >= least and (best is None or period * times > best.period * best.times + period):
            best = Loop(lo + start, period, times)
            if 2 * (stop - start) > hi - lo:
                break
    return best


def _periods(text: bytes, at: int, stop: int) -> Iterator[int]:
    """How far from a place its operations come again, the nearest first."""
    here = text[2 * at : 2 * (at + WINDOW)]
    place = 2 * at
    for _ in range(ATTEMPTS):
        place = text.find(here, place + 1, 2 * stop)
        while place % 2 and place > 0:
            place = text.find(here, place + 1, 2 * stop)
        if place < 0:
            return
        yield place // 2 - at


def _regular(tape: Tape, period: int, lo: int, hi: int) -> Bools:
    """For each operation of [lo, hi) from the third repetition on whether it does what the two before it lead to expect."""
    op = tape.op[lo:hi]
    good = np.zeros(hi - lo, dtype=bool)
    good[2 * period :] = (op[2 * period :] == op[period:-period]) & (op[period:-period] == op[: -2 * period])
    for column in tape.args[:, lo:hi]:
        step = column[period:] - column[:-period]
        good[2 * period :] &= step[period:] == step[:-period]
        leaf = column < 0
        good[2 * period :] &= (leaf[2 * period :] == leaf[period:-period]) & (leaf[period:-period] == leaf[: -2 * period])
    return good


def _run(good: Bools, place: int, before: int) -> tuple[int, int]:
    """The stretch of good places about a good one, with the `before` places that the first of them were compared with."""
    bad = np.flatnonzero(~good)
    k = int(np.searchsorted(bad, place))
    start = int(bad[k - 1]) + 1 if k else 0
    stop = int(bad[k]) if k < len(bad) else len(good)
    return start - before, stop

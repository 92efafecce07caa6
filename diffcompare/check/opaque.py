"""A claim against honest differences, for a function that can only be called.

Along a direction v the claim g·v is held to the derivative from a ladder of steps, whose error is estimated to hold in at
least 99 of 100 cases. The claim's own rounding, 16 ε √Σ (g_j v_j)², is added to it. The claim agrees within that error, and is
wrong beyond four times it unless its Taylor remainder |f(x + tv) - f(x) - t g·v| / t falls below the difference found; anything
between is undecided. What agrees counts only as far as the error is small: relative to the entry it must not exceed the
resolution asked for, or the entry is undecided, since a mistake could hide there.

Every entry is a direction of its own while evaluations are affordable; otherwise a few entries are, and random directions
stand for the others: an entry k is seen with the resolution error / |g_k v_k|.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from ..differentiators.ladder import Status
from .differences import CALLS, Evaluations, Slope, curvature, slope
from .result import AGREES, UNDECIDED, WRONG, Entry
from .subject import Claim, Point, Subject
from .sums import culprit, together

Array = np.ndarray[Any, Any]
Cell = tuple[int, int]

EPSILON = 2.0**-52
CLAIM_ROUNDING = 16.0
MARGIN = 4.0
"""An error estimate that holds in 99 of 100 cases is too weak to accuse on: four times it is enough."""
MOST_CALLS = 60_000
DIRECTIONS = 4
ENOUGH = 4
"""Wrong entries after which no more are searched for."""
SAMPLE = 8


class Opaque:
    """The judgement of one claim at one point, from values of f alone."""

    def __init__(self, f: Subject, point: Point, claim: Claim, values: Array, target: float, seed: int, seconds: float) -> None:
        self.claim, self.layout, self.target = claim, claim.layout, target
        self.f = Evaluations(f, point, values)
        self.rng = np.random.default_rng(seed)
        self.entries: dict[Cell, Entry] = {}
        self.warnings: list[str] = []
        self.unseen = 0
        self.coverage = 0.0
        self.second = self.layout.operator == "hessian"
        start = time.perf_counter()
        self.f(self.f.x)
        self.affordable = min(MOST_CALLS, int(seconds / max(time.perf_counter() - start, 1e-9)))

    def run(self) -> str:
        """Judge the claim; a sentence on how."""
        n = self.layout.columns
        probes = n * (n + 1) if self.second else n
        if probes * CALLS <= self.affordable:
            self._everything()
            how = "every entry is compared with extrapolated differences"
        else:
            how = self._directions()
        if self.f.raised:
            self.warnings.append(f"near the point the function raised {self.f.raised}")
        return f"{how}, {self.f.calls} evaluations"

    @property
    def resolution(self) -> float:
        return max([self.coverage, *(e.resolution for e in self.entries.values() if e.verdict != UNDECIDED)])

    # --- entries ---

    def _everything(self) -> None:
        n = self.layout.columns
        for column in range(n):
            for row in range(column + 1) if self.second else [0]:
                self._look((row, column))

    def _look(self, cell: Cell) -> None:
        """Judge a cell, and those that its difference gives as well: the column of a Jacobian, the mirrored cell of a Hessian."""
        row, column = cell
        size = self.f.size()
        v = _unit(column, size)
        if self.second:
            u = _unit(row, size)
            found = curvature(self.f, u, v)
            for c in {cell, cell[::-1]}:
                self._judge(c, found, 0, size[row] * size[column])
            return
        matrix = self.claim.matrix
        with np.errstate(invalid="ignore"):
            found = slope(self.f, v, matrix[:, column] * v[column], lambda d: _finite(matrix[:, column]) * d[column])
        for r in range(self.layout.rows):
            self._judge((r, column), found, r, size[column])

    def _judge(self, cell: Cell, found: Slope, k: int, unit: float) -> None:
        """unit: the length, or product of lengths, of the directions behind the difference."""
        claimed = float(self.claim.matrix[cell])
        expected, error = float(found.value[k]) / unit, float(found.error[k]) / unit
        allowed = error + CLAIM_ROUNDING * EPSILON * abs(claimed)
        line = _finite(self.claim.matrix[cell[0]])
        scale = abs(expected) if abs(expected) > allowed else float(np.max(np.abs(line)))
        verdict, note = self._verdict(claimed - expected, allowed, float(found.bound[k]) / unit, found, k)
        if verdict == AGREES and claimed != 0 and not allowed <= self.target * abs(claimed):
            verdict, note = UNDECIDED, f"differences cannot see errors below {_share(allowed, abs(claimed))} of it"
        elif verdict == AGREES and claimed == 0 and not allowed <= self.target * scale:
            verdict, note = UNDECIDED, f"differences cannot tell it from 0 within {_share(allowed, scale)} of the largest entry"
        self.entries[cell] = Entry(self.layout.name(*cell), *cell, claimed, expected, allowed, verdict, abs(claimed) or scale, note)

    def _verdict(self, error: float, allowed: float, bound: float, found: Slope, k: int) -> tuple[str, str]:
        status, order = Status(int(found.status[k])), float(found.order[k])
        if status is Status.KINK:
            return UNDECIDED, "the derivatives from the two sides differ: a kink"
        if not math.isfinite(allowed):
            if math.isfinite(error) or not math.isfinite(float(found.value[k])):
                return UNDECIDED, "no two steps agree: rough, noisy, or not defined near the point"
            return WRONG, ""
        if abs(error) <= allowed:
            return AGREES, "a one-sided difference" if status is Status.ONE_SIDED else ""
        if abs(error) <= MARGIN * allowed:
            return UNDECIDED, f"off by {abs(error) / allowed:.1f} times the error of the difference"
        if abs(error) > 2 * bound:
            return UNDECIDED, f"the difference disagrees, but by the Taylor remainder it is off by at most {bound:.1e}"
        return WRONG, f"the Taylor remainder falls like t^{order:.2f}" if order < 1.5 else ""

    # --- random directions ---

    def _directions(self) -> str:
        count = max(1, min(DIRECTIONS, self.affordable // (4 * CALLS)))
        n, matrix = self.layout.columns, self.claim.matrix
        self.open = matrix.copy()
        size = np.abs(_finite(matrix)).max(axis=0)
        if self.affordable >= 4 * CALLS * SAMPLE:
            chosen = [
                0,
                n - 1,
                int(np.argmax(size)),
                int(np.argmin(np.where(size > 0, size, np.inf))),
                *self.rng.choice(n, SAMPLE // 2).tolist(),
            ]
            for k in dict.fromkeys(chosen):
                self._examine((k, k))
        for cell in np.argwhere(~np.isfinite(matrix))[:ENOUGH].tolist():
            self._examine((cell[0], cell[1]))
        best = np.full(matrix.shape, np.inf)
        for k in range(count):
            if self._wrong() >= ENOUGH:
                break
            best = np.fmin(best, self._along(k))
        self._covered(best)
        return f"{len(self.entries)} entries and {count} random directions are compared with extrapolated differences"

    def _wrong(self) -> int:
        return sum(e.verdict == WRONG for e in self.entries.values())

    def _examine(self, cell: Cell) -> None:
        known = set(self.entries)
        self._look(cell)
        for c in set(self.entries) - known:
            expected = self.entries[c].expected
            self.open[c] = expected if math.isfinite(expected) and self.entries[c].verdict == WRONG else float(_finite(self.open[c]))

    def _random(self, k: int) -> Array:
        """Every other direction in units of |x|, the others in units of 1."""
        size = self.f.size() if k % 2 == 0 else np.ones(self.layout.columns)
        return np.asarray(self.rng.choice([-1.0, 1.0], size.size) * self.rng.uniform(0.5, 1.0, size.size) * size)

    def _along(self, k: int) -> Array:
        """Hold the claim to one random direction, follow what is wrong to its entries; how far each entry is seen, absolute."""
        every, v = np.arange(self.layout.columns), self._random(k)
        u = self._random(k) if self.second else v
        while True:
            off, allowed = self._apart(u, v)
            if not np.any(off > MARGIN * allowed) or self._wrong() >= ENOUGH:
                break
            cell = self._followed(u, v, every)
            if cell in self.entries:
                self._unexplained(
                    f"a random direction is off by {np.max(off):.1e}, beyond its error {np.max(allowed):.1e}, and no entry is at fault"
                )
                return np.full(self.open.shape, np.inf)
            self._examine(cell)
        if np.any(off > allowed) and self._wrong() == 0:
            self._unexplained(f"a random direction is off by {np.max(off / allowed):.1f} times the error of the difference")
        with np.errstate(divide="ignore"):
            return np.asarray(allowed[:, None] / (np.abs(np.outer(u, v)) if self.second else np.abs(v)))

    def _followed(self, u: Array, v: Array, every: Array) -> Cell:
        def wrong(left: Array, right: Array) -> bool:
            off, allowed = self._apart(left, right)
            return bool(np.any(off > MARGIN * allowed))

        if self.second:
            row = culprit(every, lambda rows: wrong(_only(u, rows), v))
            return row, culprit(every, lambda columns: wrong(_only(u, np.array([row])), _only(v, columns)))
        return 0, culprit(every, lambda columns: wrong(u, _only(v, columns)))

    def _unexplained(self, what: str) -> None:
        self.unseen += 1
        self.warnings.append(what)

    def _apart(self, u: Array, v: Array) -> tuple[Array, Array]:
        """(|claim - difference|, what the difference's error and rounding of the claim explain) for each row."""
        matrix = _finite(self.open)
        if self.second:
            found, terms = curvature(self.f, u, v), (u[:, None] * matrix * v).reshape(1, -1)
        else:
            terms = matrix * v
            claimed = np.sum(terms, axis=1)
            used = np.flatnonzero(v)
            part = matrix if used.size == v.size else matrix[:, used]
            found = slope(self.f, v, claimed, lambda d: part @ (d if used.size == v.size else d[used]))
        claimed = np.array([math.fsum(row) for row in terms.tolist()])
        allowed = found.error + CLAIM_ROUNDING * EPSILON * together(terms)
        kinked = (found.status == Status.KINK) | ~np.isfinite(found.error)
        off = np.where(kinked, 0.0, np.abs(claimed - found.value))
        return off, np.where(kinked, np.inf, allowed)

    def _covered(self, seen: Array) -> None:
        """Which entries could hide more than the resolution asked for."""
        size = np.abs(_finite(self.claim.matrix))
        scale = np.where(size == 0, np.max(size, axis=1, keepdims=True), size)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(seen == 0, 0.0, seen / scale)
        for cell in self.entries:
            relative[cell] = 0.0
        hidden = ~(relative <= self.target)
        self.unseen += int(np.count_nonzero(hidden))
        self.coverage = float(np.max(relative, initial=0.0, where=~hidden))


def _unit(k: int, size: Array) -> Array:
    v = np.zeros(size.size)
    v[k] = size[k]
    return v


def _only(v: Array, units: Array) -> Array:
    result = np.zeros_like(v)
    result[units] = v[units]
    return result


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)


def _share(a: float, b: float) -> str:
    return f"{a / b:.0e}" if b and math.isfinite(a) else "anything"

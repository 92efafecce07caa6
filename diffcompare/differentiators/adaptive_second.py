"""fd.adaptive's second derivatives: ladders of steps along each entry of the inputs, and at four corners along each two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..dsl.shapes import Shape
from ..engines.base import Array
from ..errors import TooLarge
from . import second_ladder
from .adaptive_first import AdaptiveRunner
from .base import Operator
from .ladder import FEWEST_ULPS, Guess, Ladder
from .second_ladder import Corners
from .shifts import differences

UP, DOWN = 0, 1
CORNERS = ((UP, UP), (DOWN, DOWN), (UP, DOWN), (DOWN, UP))
"""To which side each of two entries goes."""


LIMIT = 1_000_000
"""Evaluations of the function at one point: a Hessian with respect to 85 entries. They take seconds."""


class SecondRunner(AdaptiveRunner):
    """hessian, hvp, and derivative of order 2. An hvp contracts the whole Hessian, and its errors."""

    def _count(self) -> int:
        n, rungs = self._primal.entries, sum(self._rungs.values())
        pairs = 0 if self._request.operator is Operator.DERIVATIVE else n * (n - 1) // 2
        count = 1 + 2 * rungs * n + len(CORNERS) * rungs * pairs
        if count > LIMIT:
            raise TooLarge(
                f"fd.adaptive: the {self._request.operator} of {self.function.name} with respect to {n} entries takes {count} evaluations; "
                f"the limit is {LIMIT}: use fd.central, ad.forward or ad.reverse"
            )
        return count

    def _guess(self, result: Array, centre: Array, steps: Array, resolution: Array) -> Guess:
        fine, wide = self._ladders(result, centre, steps, resolution)
        return second_ladder.second(fine, wide, self._floor, resolution.astype(np.float64))

    def estimates(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Guess]:
        """The blocks of the request with their errors and statuses."""
        spread, joint = self._primal.spread(values)
        with np.errstate(all="ignore"):
            centre = self._primal(spread)
            if self._request.operator is Operator.DERIVATIVE:
                return self._jacobian(spread, joint, centre)
            table = self._table(spread, joint, centre)
            return self._hessian(table) if self._request.operator is Operator.HESSIAN else self._along(table, joint, directions)

    def _table(self, values: list[Array], joint: Shape, centre: Sequence[Array]) -> Guess:
        """The Hessian (entries, entries) + joint batch."""
        n, dtype = self._primal.entries, self._primal.dtype
        table = Guess(np.empty((n, n, *joint), dtype), np.empty((n, n, *joint), dtype), np.empty((n, n, *joint), np.int8))
        for chunk, (guess,) in self._guesses(values, joint, centre):
            for part, rows in zip(table, guess, strict=True):
                part[np.arange(n)[chunk], np.arange(n)[chunk]] = rows
        for i, j, guess in self._mixed(values, joint, centre[0]):
            for part, rows in zip(table, guess, strict=True):
                part[i, j] = part[j, i] = rows
        return table

    def _mixed(self, values: list[Array], joint: Shape, centre: Array) -> Iterator[tuple[Array, Array, Guess]]:
        """(first entries, second entries, their mixed derivatives (rows,) + joint batch), by chunks."""
        primal = self._primal
        xs = primal.raveled([values[p] for p in primal.places])
        at = {kind: [self._positions(x, kind) for x in xs] for kind in self._rungs}
        sides = {
            kind: [[[pairs[rung][side] for pairs in at[kind]] for rung in range(n)] for side in (UP, DOWN)]
            for kind, n in self._rungs.items()
        }
        first = [layer for kind in self._rungs for a, _ in CORNERS for layer in sides[kind][a]]
        other = [layer for kind in self._rungs for _, b in CORNERS for layer in sides[kind][b]]
        resolution = [np.spacing(np.abs(x)) for x in xs]
        rows, columns = (np.asarray(a) for a in np.triu_indices(primal.entries, 1))
        for chunk in primal.chunks(len(rows), len(first), joint):
            i, j = rows[chunk], columns[chunk]
            parts = [
                primal(primal.moved(values, [(i, first[part]), (j, other[part])]))[0] for part in primal.chunks(len(first), len(i), joint)
            ]
            result, start, corners = np.concatenate(parts).astype(np.float64), 0, []
            for kind, n in self._rungs.items():
                steps = [[self._steps(sides[kind][side], xs, entries, joint) for side in (UP, DOWN)] for entries in (i, j)]
                units = [primal.gathered(resolution, entries, joint) for entries in (i, j)]
                layers = result[start : start + len(CORNERS) * n].reshape((len(CORNERS), n, *result.shape[1:]))
                corners.append(_corners(layers, np.asarray(centre, np.float64), steps, units))
                start += len(CORNERS) * n
            yield i, j, second_ladder.mixed(corners[0], corners[1], self._floor)

    def _steps(self, layers: Sequence[Sequence[Array]], xs: Sequence[Array], entries: Array, joint: Shape) -> Array:
        """How far each layer moves the entries: (layers, rows) + joint batch."""
        return np.stack([self._primal.gathered(differences(layer, xs), entries, joint) for layer in layers]).astype(np.float64)

    # --- operators ---

    def _hessian(self, table: Guess) -> list[Guess]:
        primal, blocks = self._primal, []
        bounds = [slice(a, b) for a, b in zip(primal.starts, primal.starts[1:], strict=False)]
        for u, rows in zip(self._request.wrt, bounds, strict=True):
            for v, columns in zip(self._request.wrt, bounds, strict=True):
                parts = [np.moveaxis(p[rows, columns], (0, 1), (-2, -1)) for p in table]
                blocks.append(Guess(*(np.ascontiguousarray(p).reshape((*p.shape[:-2], *u.shape, *v.shape)) for p in parts)))
        return blocks

    def _along(self, table: Guess, joint: Shape, directions: Sequence[Array]) -> list[Guess]:
        primal = self._primal
        cores = [primal.cores[p] for p in primal.places]
        batch = np.broadcast_shapes(joint, *(d.shape[: d.ndim - len(c)] for d, c in zip(directions, cores, strict=True)))
        given = [d.reshape((1,) * (len(batch) + len(c) - d.ndim) + d.shape) for d, c in zip(directions, cores, strict=True)]
        t = primal.gathered([np.broadcast_to(d, (*batch, d.shape[-1])) for d in primal.raveled(given)], np.arange(primal.entries), batch)
        lead = (1,) * (len(batch) - len(joint))
        value, error, status = (p.reshape(p.shape[:2] + lead + p.shape[2:]) for p in table)
        rows = Guess(
            np.sum(np.where(t == 0, 0, value * t), axis=1),
            np.sum(np.where(t == 0, 0, error * np.abs(t)), axis=1),
            np.max(np.where(t == 0, 0, status), axis=1, initial=0),
        )
        blocks = self._blocks(batch, [()])
        self._store(blocks, slice(0, primal.entries), rows, slice(None))
        return self._shaped(blocks)


def _corners(layers: Array, centre: Array, steps: Sequence[Sequence[Array]], units: Sequence[Array]) -> Corners:
    """From the values at all corners: (corners, rungs, rows) + joint batch; steps: for both entries those up and those down."""
    (up, down), (other_up, other_down) = steps
    lost = (up < FEWEST_ULPS * units[0]) | (other_up < FEWEST_ULPS * units[1])
    both_up, both_down, first_up, first_down = layers
    along = Ladder(up, both_up, both_down, centre, lost, -down - up)
    across = Ladder(up, first_up, first_down, centre, lost, -down - up)
    last_place = np.maximum(units[0] / up, units[1] / other_up)
    return Corners(along, across, other_up, -other_down - other_up, last_place)

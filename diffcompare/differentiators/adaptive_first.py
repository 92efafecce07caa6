"""fd.adaptive's first derivatives: ladders of steps along each entry of the inputs, evaluated together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..dsl.shapes import Shape
from ..engines.base import Array, Engine
from ..transforms.cost import Cost
from . import ladder
from . import noise as noises
from .base import Operator, Request, Runner
from .ladder import Guess, Ladder
from .shifts import Primal, differences, weighted_sum

MANTISSA = 0.7320508075688772
"""The longest step is this times a power of two: steps with a full mantissa meet the rounding errors of f at random, powers
of two meet the same ones again and again, so that the function looks less noisy than it is."""


class AdaptiveRunner(Runner):
    """Ladders for chunks of entries; positions take 136 numbers for each entry of the inputs beside the memory given."""

    def __init__(self, request: Request, engine: Engine, precision: str, memory: int, noise: float | str) -> None:
        self._request = request
        self._primal = Primal(request.function, request, engine, precision, memory)
        info = np.finfo(precision)
        self._measured = isinstance(noise, str)
        self._floor = float(info.eps) / 2 if isinstance(noise, str) else max(float(info.eps) / 2, noise)
        self._rungs = {"fine": info.nmant - 8, "wide": info.nmant // 2 - 2}
        self.function = request.function
        self.compile_s, self.source = self._primal.compile_s, self._primal.source
        self.single = self._primal.single if request.operator is Operator.VALUE else None
        self.calls = self._count()

    def _count(self) -> int:
        """Evaluations in one call at one point."""
        each = 2 * sum(self._rungs.values()) + (noises.EVALUATIONS if self._measured else 0)
        return 1 if self._request.operator is Operator.VALUE else 1 + each * self._primal.entries

    @property
    def cost(self) -> Cost:
        """Operations of all evaluations of the primal; those of the search are not counted."""
        return self._primal.cost * self.calls

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        if self._request.operator is Operator.VALUE:
            return self._primal(values)
        return [g.value for g in self.estimates(values, directions)]

    def estimates(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Guess]:
        """The blocks of the request with their errors and statuses."""
        spread, joint = self._primal.spread(values)
        with np.errstate(all="ignore"):
            centre = self._primal(spread)
            if self._request.operator is Operator.VALUE:
                return [self._exact(c) for c in centre]
            if self._request.operator is Operator.JVP:
                return self._jvp(spread, joint, centre, directions)
            if self._request.operator is Operator.VJP:
                return self._vjp(spread, joint, centre, directions)
            return self._jacobian(spread, joint, centre)

    def _exact(self, value: Array) -> Guess:
        return Guess(value, self._floor * np.abs(value), np.zeros(np.shape(value), np.int8))

    # --- the ladders ---

    def _positions(self, x: Array, kind: str) -> list[tuple[Array, Array]]:
        """(x + h, x - h) for the steps of one ladder, longest first; x - h is as far away unless it crosses a power of two."""
        size = np.abs(x)
        one = x.dtype.type(1)
        top = np.maximum(size, one) if kind == "wide" else np.where(size == 0, one, np.minimum(size, one))
        longest = np.ldexp(x.dtype.type(MANTISSA), np.frexp(top)[1] - 1)
        result = []
        for k in range(self._rungs[kind]):
            up = np.asarray(x + np.ldexp(longest, -k))
            result.append((up, np.asarray(x - (up - x))))
        return result

    def _guesses(self, values: list[Array], joint: Shape, centre: Sequence[Array]) -> Iterator[tuple[slice, list[Guess]]]:
        """Chunks (slice of entries, for each output the derivatives (rows,) + joint batch + core)."""
        primal = self._primal
        xs = primal.raveled([values[p] for p in primal.places])
        by_input = {kind: [self._positions(x, kind) for x in xs] for kind in self._rungs}
        layers = [
            [pairs[rung][side] for pairs in by_input[kind]] for kind, n in self._rungs.items() for side in (0, 1) for rung in range(n)
        ]
        steps_taken = len(layers)
        if self._measured:
            around = [noises.lines(x) for x in xs]
            layers += [[at[k] for at in around] for k in range(noises.EVALUATIONS)]
        for chunk in primal.chunks(primal.entries, len(layers), joint):
            entries = np.arange(chunk.start, chunk.stop)
            parts = [primal(primal.moved(values, [(entries, layers[part])])) for part in primal.chunks(len(layers), len(entries), joint)]
            results = [np.concatenate(p) for p in zip(*parts, strict=True)]
            steps = np.stack([primal.gathered(differences(layer, xs), entries, joint) for layer in layers[:steps_taken]])
            resolution = primal.gathered([np.spacing(np.abs(x)) for x in xs], entries, joint)
            guesses = []
            for result, middle, core in zip(results, centre, primal.shapes, strict=True):
                wide = (1,) * len(core)
                aligned = steps.reshape(steps.shape + wide), resolution.reshape(resolution.shape + wide)
                guesses.append(self._guess(result, middle, *aligned))
            yield chunk, guesses

    def _guess(self, result: Array, centre: Array, steps: Array, resolution: Array) -> Guess:
        """From the values of all layers, in float64 whatever they were computed in; those after the ladders measure the noise."""
        fine, wide = self._ladders(result, centre, steps, resolution)
        known = noises.measured(result[len(steps) :], centre, float(np.finfo(centre.dtype).eps)) if self._measured else 0.0
        return ladder.derivative(fine, wide, self._floor, known)

    def _ladders(self, result: Array, centre: Array, steps: Array, resolution: Array) -> list[Ladder]:
        """The fine and the wide ladder, from the values and the steps of all layers."""
        ladders, start = [], 0
        for n in self._rungs.values():
            up, down = slice(start, start + n), slice(start + n, start + 2 * n)
            h = steps[up].astype(np.float64)
            lost = np.broadcast_to(h < ladder.FEWEST_ULPS * resolution, result[up].shape)
            asymmetry = -steps[down].astype(np.float64) - h
            ladders.append(
                Ladder(h, result[up].astype(np.float64), result[down].astype(np.float64), np.asarray(centre, np.float64), lost, asymmetry)
            )
            start += 2 * n
        return ladders

    # --- operators ---

    def _blocks(self, batch: Shape, cores: Sequence[Shape]) -> tuple[list[Array], list[Array], list[Array]]:
        values, errors = self._primal.blocks(batch, cores), self._primal.blocks(batch, cores)
        return values, errors, [np.zeros(b.shape, np.int8) for b in values]

    def _store(self, blocks: Sequence[Sequence[Array]], chunk: slice, guess: Guess, places: slice) -> None:
        for block, rows in zip(blocks, (guess.value, guess.error, guess.status), strict=True):
            self._primal.store(block[places], chunk, rows)

    def _shaped(self, blocks: Sequence[Sequence[Array]]) -> list[Guess]:
        return [Guess(*parts) for parts in zip(*(self._primal.shaped(b) for b in blocks), strict=True)]

    def _jacobian(self, values: list[Array], joint: Shape, centre: Sequence[Array]) -> list[Guess]:
        primal, n = self._primal, len(self._primal.sizes)
        blocks = self._blocks(joint, primal.shapes)
        for chunk, guesses in self._guesses(values, joint, centre):
            for k, guess in enumerate(guesses):
                self._store(blocks, chunk, guess, slice(k * n, (k + 1) * n))
        if self._request.operator is Operator.DERIVATIVE:
            return [Guess(*(b[..., 0] for b in parts)) for parts in zip(*blocks, strict=True)]
        valued = self._request.operator is Operator.VALUE_AND_GRADIENT
        return [*(self._exact(c) for c in centre if valued), *self._shaped(blocks)]

    def _vjp(self, values: list[Array], joint: Shape, centre: Sequence[Array], directions: Sequence[Array]) -> list[Guess]:
        primal = self._primal
        ndims = [len(s) for s in primal.shapes]
        batch = np.broadcast_shapes(joint, *(d.shape[: d.ndim - n] for d, n in zip(directions, ndims, strict=True)))
        vectors = [d.reshape((1,) * (len(batch) + n - d.ndim) + d.shape) for d, n in zip(directions, ndims, strict=True)]
        blocks = self._blocks(batch, [()])
        lead = (1,) * (len(batch) - len(joint))
        for chunk, guesses in self._guesses(values, joint, centre):
            aligned = [[p.reshape(p.shape[:1] + lead + p.shape[1:]) for p in (g.value, g.error, g.status)] for g in guesses]
            value = weighted_sum([a[0] for a in aligned], vectors, ndims)
            error = weighted_sum([a[1] for a in aligned], [np.abs(v) for v in vectors], ndims)
            reached = [
                np.where(v == 0, 0, a[2]).max(axis=tuple(range(-n, 0)), initial=0) for a, v, n in zip(aligned, vectors, ndims, strict=True)
            ]
            shape = (chunk.stop - chunk.start, *batch)
            status = np.maximum.reduce(np.broadcast_arrays(*reached))
            self._store(blocks, chunk, Guess(*(np.broadcast_to(p, shape) for p in (value, error, status))), slice(None))
        return self._shaped(blocks)

    def _jvp(self, values: list[Array], joint: Shape, centre: Sequence[Array], directions: Sequence[Array]) -> list[Guess]:
        primal = self._primal
        cores = [primal.cores[p] for p in primal.places]
        batch = np.broadcast_shapes(joint, *(d.shape[: d.ndim - len(c)] for d, c in zip(directions, cores, strict=True)))
        tangents = primal.raveled(
            [d.reshape((1,) * (len(batch) + len(c) - d.ndim) + d.shape) for d, c in zip(directions, cores, strict=True)]
        )
        shapes = [(*batch, *core) for core in primal.shapes]
        totals = [[np.zeros(s, primal.dtype), np.zeros(s, primal.dtype), np.zeros(s, np.int8)] for s in shapes]
        for chunk, guesses in self._guesses(values, joint, centre):
            along = primal.gathered(tangents, np.arange(chunk.start, chunk.stop), batch)
            for total, guess, core in zip(totals, guesses, primal.shapes, strict=True):
                t = along.reshape(along.shape + (1,) * len(core))
                lead = (1,) * (len(batch) - len(joint))
                value, error, status = (p.reshape(p.shape[:1] + lead + p.shape[1:]) for p in (guess.value, guess.error, guess.status))
                total[0] = total[0] + np.sum(np.where(t == 0, 0, value * t), axis=0)
                total[1] = total[1] + np.sum(np.where(t == 0, 0, error * np.abs(t)), axis=0)
                total[2] = np.maximum(total[2], np.max(np.where(t == 0, 0, status), axis=0))
        return [Guess(*total) for total in totals]

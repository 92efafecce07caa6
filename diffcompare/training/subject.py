"""What is trained: a Model found by text, its parameters as one flat vector, and its samples in batches."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..errors import DiffCompareError
from ..problem import Array, Family, find, library
from ..problems.model import Model

USUAL = 200
"""Samples that a family named without sizes is trained on, or as many as it has."""


def find_model(problem: Any) -> Model:
    """A Model as it is, or the one that a text means; a family named without sizes has up to USUAL samples, not its few.

    Raises DiffCompareError for a text that means none or several, and for a problem that is no model.
    """
    if isinstance(problem, str):
        entry = library().get(problem.strip())
        if isinstance(entry, Family) and "samples" in entry.sizes:
            problem = entry(samples=min(USUAL, entry.sizes["samples"].most))
        else:
            name = problem.partition("(")[0].strip()
            if name.isidentifier() and name not in library():
                near = get_close_matches(name, _models(), n=1)
                guess = f"did you mean {near[0]}? " if near else ""
                raise DiffCompareError(f"there is no model {name!r}; {guess}models are {', '.join(_models())}")
            found = find(problem)
            if len(found) > 1:
                raise DiffCompareError(
                    f"train takes one problem, {problem!r} means {len(found)}: {', '.join(p.name for p in found[:5])}, ..."
                )
            (problem,) = found
    if not isinstance(problem, Model):
        raise DiffCompareError(f"{getattr(problem, 'name', problem)} has no samples to learn from; models are {', '.join(_models())}")
    return problem


def _models() -> list[str]:
    return [n for n, e in library().items() if "learning" in e.tags and "samples" in getattr(e, "sizes", {})]


class Parameters:
    """The parameters of a model as one vector: their names, their shapes and the start."""

    def __init__(self, model: Model) -> None:
        self.names = model.wrt
        self.shapes = [model.function.input(n).shape for n in self.names]
        self.start = self.flat(tuple(model.points[0][n] for n in self.names))

    def flat(self, parts: Any) -> Array:
        """One vector of the parts, given bare where there is only one."""
        listed = parts if isinstance(parts, tuple) else (parts,)
        return np.concatenate([np.ravel(p) for p in listed]).astype(np.float64)

    def parts(self, vector: Array) -> dict[str, Array]:
        """The parts by name."""
        ends = np.cumsum([int(np.prod(s)) for s in self.shapes])
        return {n: v.reshape(s) for n, s, v in zip(self.names, self.shapes, np.split(vector, ends[:-1]), strict=True)}

    def square(self, blocks: Any) -> Array:
        """The matrix of the blocks of a Hessian."""
        if len(self.names) == 1:
            n = int(np.prod(self.shapes[0]))
            return np.asarray(blocks, dtype=np.float64).reshape(n, n)
        sizes = [int(np.prod(s)) for s in self.shapes]
        rows = [[np.reshape(b, (n, m)) for b, m in zip(row, sizes, strict=True)] for row, n in zip(blocks, sizes, strict=True)]
        return np.block(rows).astype(np.float64)


def batches(samples: int, size: int, seed: int) -> Iterator[Any]:
    """Row numbers of batches for ever: all rows if they fit, else shuffled anew for each pass, a last smaller batch left out."""
    if size >= samples:
        while True:
            yield slice(None)
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(samples)
        for k in range(samples // size):
            yield order[k * size : (k + 1) * size]

"""Peer: a method that is another library. What all of them share: where they run, what they refuse, how points are packed."""

from __future__ import annotations

import threading
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from ...dsl.shapes import Shape, size_of
from ...engines.base import Array, Engine
from ...errors import Unsupported
from ...transforms.cost import Cost
from ..base import Derivative, Differentiator, Request, Runner


class Peer(Differentiator):
    """Another library's differentiation of our function, in float64.

    library: the module it is imported as; install: what pip installs it by.
    home: the one engine under which a library with an executor of its own is listed, so that tables show it once; NumPy
    arrays go in and out. None for libraries that call a compiled function: they run on every engine.
    """

    family = "peer"
    library: str
    install = "diffcompare[peers]"
    home: str | None = "numpy"

    @abstractmethod
    def answer(self, request: Request, engine: Engine, memory: int) -> Runner:
        """The request made executable by the library, which can be imported; raises Unsupported or TooLarge."""

    def prepare(self, *args: Any, **options: Any) -> Derivative:
        """As Differentiator.prepare. The import comes first, so that seconds of it do not count as the library's preparation."""
        self._load()
        return super().prepare(*args, **options)

    def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Runner:
        if self.home not in (None, engine.name):
            raise Unsupported(
                f"{self.name} runs what {self.library} itself makes of a function, once, on engine {self.home}, not {engine.name}"
            )
        if precision != "float64":
            raise Unsupported(f"{self.name} computes in float64, not {precision}")
        self._load()
        return self.answer(request, engine, memory)

    def _load(self) -> None:
        """Import the library; raises Unsupported where it is not installed, or is but does not load on this machine."""
        try:
            with quiet():
                import_module(self.library)
        except ModuleNotFoundError as error:
            if error.name != self.library:
                raise Unsupported(f"{self.name} cannot load {self.library} here: {error}") from error
            raise Unsupported(f"{self.name} needs {self.library}, which is not installed: pip install '{self.install}'") from None
        except (ImportError, OSError) as error:
            raise Unsupported(f"{self.name} cannot load {self.library} here: {error}") from error


class PeerRunner(Runner):
    """A request answered by a library; its operations are not counted."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.function = request.function
        nodes = () if request.directions is None else request.directions[1]
        self.cores: list[Shape] = [n.shape for n in (*request.function.inputs, *nodes)]
        """The shapes of the inputs, then of the directions."""
        inputs = request.function.inputs
        self.places = tuple(k for w in request.wrt for k, i in enumerate(inputs) if i is w)
        """Where among the inputs those differentiated are."""

    @property
    def cost(self) -> Cost | None:
        """Not known."""
        return None

    def joint(self, arrays: Sequence[Array]) -> Shape:
        """The batch shape that all arrays (inputs, then directions) broadcast to."""
        return np.broadcast_shapes(*(a.shape[: a.ndim - len(c)] for a, c in zip(arrays, self.cores, strict=True)))


class FlatRunner(PeerRunner):
    """A request answered by one compiled function of a flat vector, over many points at once."""

    @property
    def width(self) -> int:
        """Entries of a point: all inputs and directions."""
        return sum(size_of(c) for c in self.cores)

    @abstractmethod
    def evaluate(self, points: Array) -> Array:
        """The entries of all blocks, (points, entries), at C-contiguous points (points, width), at least one."""

    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        arrays = [*values, *directions]
        joint, blocks = self.joint(arrays), self.request.blocks
        n = size_of(joint)
        points, start = np.empty((n, self.width)), 0
        for a, core in zip(arrays, self.cores, strict=True):
            stop = start + size_of(core)
            points[:, start:stop] = np.broadcast_to(a, joint + core).reshape(n, stop - start) if joint else a.reshape(1, -1)
            start = stop
        ends = np.cumsum([size_of(b) for b in blocks])
        results = self.evaluate(points) if n else np.empty((0, int(ends[-1])))
        parts = np.split(results, ends[:-1], axis=1)
        return [np.ascontiguousarray(p).reshape(joint + b) for p, b in zip(parts, blocks, strict=True)]


_FILTERS = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """What a library warns of in its own code stays unsaid. Warning filters are the process's: one thread at a time here."""
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def tabled(table: Array, rows: Sequence[Shape], columns: Sequence[Shape]) -> list[Array]:
    """A table batch + (entries of all rows, entries of all columns) as blocks batch + row + column, rows outermost."""
    batch = table.shape[:-2]
    tops, lefts = (np.cumsum([0, *map(size_of, shapes)]).tolist() for shapes in (rows, columns))
    return [
        table[..., a:b, c:d].reshape(batch + row + column)
        for (a, b), row in zip(pairwise(tops), rows, strict=True)
        for (c, d), column in zip(pairwise(lefts), columns, strict=True)
    ]

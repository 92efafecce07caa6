"""Accesses: which entry of an array a loop reads, as an affine map of the loop's variables, and how views change it."""

from __future__ import annotations

from dataclasses import dataclass

from ....dsl.core import Expr
from ....dsl.elementwise import Elementwise
from ....dsl.shapes import Shape
from ....dsl.structural import Broadcast, Concatenate, Label, Reshape, Scatter, Slice, Transpose
from ...kernels import runs

BATCH = -1
"""The length of the batch axis, known when the function is called."""
PIECES = 8
"""A concatenation or scatter of more pieces is left to NumPy: each piece is a loop of its own."""

Axis = tuple[int | None, int, int]
"""(loop, step, offset): the index along an axis is step times the loop's variable plus offset; without a loop, offset."""
Access = tuple[Axis, ...]


@dataclass(frozen=True, eq=False)
class Piece:
    """Entries [start, stop) of an axis hold entries of `source`: at i its entry times * i + offset."""

    start: int
    stop: int
    source: Expr
    times: int
    offset: int


@dataclass(frozen=True, eq=False)
class Form:
    """How nodes lie in memory where some inputs carry a batch axis: in front of the core axes, rows last.

    batched: the nodes that have one.
    """

    batched: frozenset[Expr]

    def full(self, node: Expr) -> Shape:
        """The shape with the batch axis."""
        return (BATCH, *node.shape) if node in self.batched else node.shape

    def space(self, node: Expr) -> Shape:
        """The lengths of the loops over a node: its axes of length 1 need none."""
        return tuple(n for n in self.full(node) if n != 1)

    def identity(self, node: Expr) -> Access:
        """Every entry of the node, its axes looped over in order."""
        loops = iter(range(len(node.shape) + 1))
        return tuple((None, 0, 0) if n == 1 else (next(loops), 1, 0) for n in self.full(node))

    def strides(self, node: Expr) -> Shape:
        """Entries from one index to the next along each axis of the full shape."""
        strides, step = [], 1
        for n in reversed(node.shape):
            strides.append(step)
            step *= n
        return (*([step] if node in self.batched else []), *reversed(strides))

    def argument(self, node: Expr, k: int, access: Access) -> Access:
        """The access of argument k where `node`, elementwise or a view, is read by `access`."""
        a = node.args[k]
        lead = 1 if node in self.batched else 0
        batch, core = access[:lead], access[lead:]
        return (batch if a in self.batched else ()) + self._core(node, a, core)

    def piece(self, node: Expr, axis: int, piece: Piece, access: Access) -> Access:
        """The access of a piece's source where `node`, a concatenation or scatter along `axis`, is read by `access`."""
        inner = list(access[1:] if node in self.batched else access)
        loop, step, offset = inner[axis]
        inner[axis] = (loop, piece.times * step, piece.times * offset + piece.offset)
        return (access[:1] if piece.source in self.batched else ()) + tuple(inner)

    def _core(self, node: Expr, a: Expr, core: Access) -> Access:
        primitive, params = node.primitive, node.params
        inner: list[Axis]
        if isinstance(primitive, Elementwise | Label):
            return core
        if isinstance(primitive, Broadcast):
            extra = len(core) - len(a.shape)
            return tuple(
                (None, 0, 0) if n == 1 and m != 1 else axis for axis, n, m in zip(core[extra:], a.shape, node.shape[extra:], strict=True)
            )
        if isinstance(primitive, Transpose):
            inner = [(None, 0, 0)] * len(core)
            for axis, old in zip(core, params[0], strict=True):
                inner[old] = axis
            return tuple(inner)
        if isinstance(primitive, Slice):
            place, start, _, step = params
            loop, times, offset = core[place]
            inner = list(core)
            inner[place] = (loop, step * times, start + step * offset)
            return tuple(inner)
        assert isinstance(primitive, Reshape)
        moving = iter(axis for axis, n in zip(core, node.shape, strict=True) if n != 1)
        return tuple((None, 0, 0) if n == 1 else next(moving) for n in a.shape)


def only_units(node: Expr) -> bool:
    """Whether a reshape only adds or drops axes of length 1."""
    return [n for n in node.shape if n != 1] == [n for n in node.args[0].shape if n != 1]


def is_view(node: Expr) -> bool:
    """Whether each entry is an entry of the argument at an affine place."""
    return isinstance(node.primitive, Broadcast | Transpose | Slice | Label) or (isinstance(node.primitive, Reshape) and only_units(node))


def pieces(node: Expr) -> tuple[int, list[Piece]] | None:
    """(negative axis, the pieces) of a concatenation or scatter; None where they are too many or not contiguous.

    Pieces that overlap add; where there is none, the entry is 0.
    """
    if isinstance(node.primitive, Concatenate):
        (axis,) = node.params
        found = _parts(node)
    elif isinstance(node.primitive, Scatter):
        axis, indices, _ = node.params
        stretches = runs(indices.value, PIECES)
        if stretches is None or any(abs(step) != 1 for _, _, _, step in stretches):
            return None
        (x,) = node.args
        joined = isinstance(x.primitive, Concatenate) and x.params == (axis,)
        parts = _parts(x) if joined else [Piece(0, x.shape[axis], x, 1, 0)]
        found = [piece for run in stretches for part in parts for piece in _moved(part, *run)]
    else:
        return None
    return (axis, found) if len(found) <= PIECES else None


def _parts(node: Expr) -> list[Piece]:
    (axis,), start, found = node.params, 0, []
    for a in node.args:
        found.append(Piece(start, start + a.shape[axis], a, 1, -start))
        start += a.shape[axis]
    return found


def _moved(part: Piece, position: int, index: int, count: int, step: int) -> list[Piece]:
    """What lies of a part within positions [position, position + count), moved to the indices index, index + step, ..."""
    low, high = max(part.start, position), min(part.stop, position + count)
    if low >= high:
        return []
    ends = sorted((index + step * (low - position), index + step * (high - 1 - position)))
    # entry i is at position + step (i - index), there the part's entry at that place + offset
    return [Piece(ends[0], ends[1] + 1, part.source, step, position - step * index + part.offset)]

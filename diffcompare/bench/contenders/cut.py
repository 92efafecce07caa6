"""A row of all entries of a derivative, cut into its blocks."""

from __future__ import annotations

import numpy as np

from ...dsl.shapes import size_of
from ..contender import Array
from ..workload import Workload


def cut(entries: Array, workload: Workload) -> list[Array]:
    """Entries of shape points + (all entries,) as one array of shape points + block for each block."""
    blocks = workload.request.blocks
    ends = np.cumsum([size_of(b) for b in blocks])[:-1]
    parts = np.split(np.asarray(entries), ends, axis=-1)
    return [p.reshape(p.shape[:-1] + b) for p, b in zip(parts, blocks, strict=True)]

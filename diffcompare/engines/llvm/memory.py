"""Memory for results: what the caller has let go of is taken again, since pages of new memory cost as much as a kernel."""

from __future__ import annotations

import sys
import threading

import numpy as np

from ..base import Array

ALIGNMENT = 8
"""Doubles in a line of cache, at which columns begin."""
WORTHWHILE = 2**14
"""Entries from which the operating system clears new pages at each call: NumPy keeps smaller arrays, and so does malloc."""
KEPT = 32
"""Columns of one function that are remembered at most."""
LARGEST = 2**23
"""Entries beyond which nothing is kept: 64 MiB a column."""


class Memory:
    """Columns handed out; one is handed out again only when no array anywhere refers to it."""

    def __init__(self) -> None:
        self._blocks: list[Array] = []
        self._lock = threading.Lock()

    def column(self, entries: int) -> Array:
        """A new array of so many doubles, not set."""
        if not WORTHWHILE <= entries <= LARGEST or not hasattr(sys, "getrefcount"):
            return np.empty(entries)
        with self._lock:
            kept = [b for b in self._blocks if len(b) == entries + ALIGNMENT]
            for block in kept:
                if sys.getrefcount(block) == IDLE:
                    return _aligned(block, entries)
            block = np.empty(entries + ALIGNMENT)
            self._blocks = [*kept, block][-KEPT:]
            return _aligned(block, entries)


def on_lines(entries: int) -> Array:
    """A new array of so many doubles, not set, that begins on a line of cache."""
    return _aligned(np.empty(entries + ALIGNMENT), entries)


def _aligned(block: Array, entries: int) -> Array:
    start = -block.__array_interface__["data"][0] // 8 % ALIGNMENT
    return block[start : start + entries]


def _idle() -> int:
    """References that `column` sees of a block that nobody else has: two lists and its own, counted as this Python counts."""
    blocks = [np.empty(1)]
    kept = [b for b in blocks if len(b) == 1]
    for block in kept:
        return sys.getrefcount(block)
    raise AssertionError


IDLE = _idle() if hasattr(sys, "getrefcount") else 0

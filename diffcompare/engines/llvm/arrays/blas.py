"""NumPy's OpenBLAS on one thread for a while: for small products its threads cost more than they bring, and beside
other threads they wait for each other (48 ms were seen for a product of 0.1 ms)."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np


@cache
def _controls() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """(get, set) of the number of threads of the OpenBLAS that NumPy brings; None where NumPy has another BLAS."""
    for path in sorted((Path(np.__file__).parent.parent / "numpy.libs").glob("*openblas*")):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for name in (
            "scipy_openblas_{}_num_threads64_",
            "scipy_openblas_{}_num_threads",
            "openblas_{}_num_threads64_",
            "openblas_{}_num_threads",
        ):
            if hasattr(library, name.format("get")):
                get, put = (getattr(library, name.format(verb)) for verb in ("get", "set"))
                get.restype, put.argtypes, put.restype = ctypes.c_int, (ctypes.c_int,), None
                return get, put
    return None


class _OneThread:
    """A context, entered any number of times at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 0

    def __enter__(self) -> None:
        controls = _controls()
        if controls is None:
            return
        with self._lock:
            if not self._inside:
                self._before = controls[0]()
                controls[1](1)
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        controls = _controls()
        if controls is None:
            return
        with self._lock:
            self._inside -= 1
            if not self._inside:
                controls[1](self._before)


one_thread = _OneThread()
"""No threads of OpenBLAS inside, for all of this process; the number is put back when the last of several leaves."""

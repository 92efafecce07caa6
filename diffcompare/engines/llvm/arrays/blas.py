"""NumPy's OpenBLAS on one thread for a while: for small products its threads cost more than they bring, and beside
other threads they wait for each other (48 ms were seen for a product of 0.1 ms)."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

_lock = threading.Lock()
_inside = 0
_before = 0


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


@contextmanager
def one_thread() -> Iterator[None]:
    """No threads of OpenBLAS inside, for all of this process; the number is put back when the last of several leaves."""
    global _inside, _before  # noqa: PLW0603  the setting is the library's, one for the process
    controls = _controls()
    if controls is None:
        yield
        return
    get, put = controls
    with _lock:
        if not _inside:
            _before = get()
            put(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                put(_before)

"""Engine numpy lets go of arrays that nothing will read again: a long program on long arrays takes the memory of a few."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import diffcompare as dc

N = 50_000
STEPS = 40


def peak_in_arrays(f: dc.Function, x: np.ndarray) -> float:
    """The most memory taken by one call, in arrays of the size of x."""
    call = dc.value(f, engine="numpy")
    call(x)  # what is made once is not counted
    tracemalloc.start()
    try:
        call(x)
        return tracemalloc.get_traced_memory()[1] / x.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
def test_a_chain_of_ufuncs_and_copies_takes_a_few_arrays(batch: bool) -> None:
    n = 2 if batch else N
    x = dc.symbol("x", (n,))
    y = x
    for _ in range(STEPS):
        y = y + dc.sin(dc.concatenate([np.ones(1), y[:-1]]) * x)
    f = dc.function([x], y)
    values = np.linspace(0, 1, N).reshape(-1, n) if batch else np.linspace(0, 1, N)
    assert peak_in_arrays(f, values) < 7

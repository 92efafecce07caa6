"""Numba: the hand formula, or what reverse mode gives, as scalar Python code under njit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ...errors import Unsupported
from ..contender import Contender, Ready, missing
from ..workload import Kind, Workload
from .cut import cut
from .plain import Plain, plain


class Numba(Contender):
    """Straight-line code on the math module."""

    name = "numba"
    source = "numba.njit of the hand formula as straight-line Python"

    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        if workload.kind is not Kind.FLOATS:
            raise Unsupported("numba is compared on single calls; at many points C stands for it")
        try:
            import numba  # noqa: F401
        except ImportError:
            raise missing("numba") from None
        code = plain(workload)
        return lambda: _prepared(workload, code)


def _prepared(w: Workload, code: Plain) -> Callable[[], Ready]:
    import numba

    one, values = numba.njit(code.as_python()), w.values
    one(*values)  # compiles
    return lambda: Ready(partial(one, *values), lambda r: cut(np.array(r), w))


numba_njit = Numba()

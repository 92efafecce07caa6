"""NumPy by hand: the gradient that a person would write, as the workload gives it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ...errors import Unsupported
from ..contender import Contender, Ready
from ..workload import Workload


class Numpy(Contender):
    """The workload's own NumPy code of its gradient."""

    name = "numpy by hand"
    source = "the gradient as a person writes it in NumPy"

    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        gradient, values = workload.hand, workload.values
        if gradient is None:
            raise Unsupported("no NumPy code is given for this workload")
        return lambda: lambda: Ready(partial(gradient, *values), lambda r: [np.asarray(a) for a in (r if isinstance(r, tuple) else (r,))])


numpy_hand = Numpy()

"""Contender: somebody who computes the derivative of a workload, called as its own users would call it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..errors import Unsupported
from ..registry import discover
from .workload import Workload

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Ready:
    """A prepared derivative bound to its values.

    call: one execution, the result left where the contender leaves it, complete when the call returns.
    blocks: what a call gave, as arrays in the order of Request.blocks, of shape points + block.
    """

    call: Callable[[], Any]
    blocks: Callable[[Any], Sequence[Array]]


class Contender(ABC):
    """name: as tables show it. source: what is run, in words, for the notes of a report."""

    name: str
    source: str

    @abstractmethod
    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        """The workload's function in the contender's language; what is returned differentiates and compiles, and is timed.

        It gives back what binds the result to the workload's values, which is not timed.
        Raises Unsupported (or TooLarge) with the reason where the contender has no part in a workload.
        """


@cache
def contenders() -> dict[str, Contender]:
    """Everyone, by name."""
    return discover("diffcompare.bench.contenders", Contender)


def missing(library: str, extra: str = "") -> Unsupported:
    """The refusal of a contender whose library is not installed."""
    return Unsupported(f"{library} is not installed: pip install {extra or library}")

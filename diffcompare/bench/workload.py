"""Workload: what is timed, on which values, and the bars that our time is held to. Group: workloads measured in one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from ..differentiators.base import Operator, Request
from ..dsl.function import Function
from ..errors import DiffCompareError

Array = np.ndarray[Any, Any]


class Kind(StrEnum):
    """How a derivative is called: POINTS many points in one call, FLOATS one point as Python floats, ARRAYS one point of arrays."""

    POINTS = "points"
    FLOATS = "floats"
    ARRAYS = "arrays"


class Phase(StrEnum):
    """What is timed: RUN a call of what is ready; PREPARE from the function, written in the contender's language, to that."""

    RUN = "run"
    PREPARE = "prepare"


@dataclass(frozen=True)
class Bar:
    """Time of `ours` over time of the contender `against` ("best": the fastest of all that are not ours) is at most `most`.

    stretch: a harder goal, shown beside. phase: of the times. per: the bar holds for the geometric mean over a group.
    """

    ours: str
    against: str
    most: float
    stretch: float | None = None
    phase: Phase = Phase.RUN
    note: str = ""


@dataclass(frozen=True, eq=False)
class Workload:
    """One derivative at given values, and who computes it.

    values: for each input of the function an array (points + shape for Kind.POINTS) or a float. contenders: by name.
    hand: the same function as plain code of an array namespace (numpy, jax.numpy), and hand: its gradient in NumPy.
    twin: a smaller workload whose answers are judged instead of this one's, where truth would take too long here.
    """

    name: str
    title: str
    function: Function
    operator: Operator
    kind: Kind
    values: tuple[Any, ...]
    contenders: tuple[str, ...]
    bars: tuple[Bar, ...] = ()
    code: Callable[..., Any] | None = None
    hand: Callable[..., Any] | None = None
    wrt: tuple[str, ...] = ()
    twin: Callable[[], Workload] | None = None

    @property
    def request(self) -> Request:
        """The derivative as our methods are asked for it."""
        f = self.function
        return Request(f, self.operator, tuple(f.input(n) for n in self.wrt or f.names))

    @property
    def points(self) -> int:
        """In one call."""
        return len(self.values[0]) if self.kind is Kind.POINTS else 1


@dataclass(frozen=True)
class Group:
    """Workloads that one process measures, one after another.

    processes: fresh ones, started one after another. cores: that each may use; None for all. workloads: built in the process.
    """

    name: str
    title: str
    build: Callable[[], Sequence[Workload]]
    processes: int = 5
    cores: int | None = 1
    mean: bool = False
    bars: tuple[Bar, ...] = field(default=())


def find_groups(wanted: Sequence[str], known: Sequence[Group]) -> list[Group]:
    """The groups of these names, all for none; raises DiffCompareError naming those there are."""
    by_name = {g.name: g for g in known}
    unknown = [w for w in wanted if w not in by_name]
    if unknown:
        raise DiffCompareError(f"no benchmark is named {unknown[0]!r}; there are: {', '.join(by_name)}")
    return [by_name[w] for w in wanted] if wanted else list(known)

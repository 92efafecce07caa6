"""What a report is made from: records, where they were taken, and studies beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from ..measure.changes import Changes
from ..measure.environment import Environment
from ..measure.record import Measurement
from . import tables
from .studies import Studies


@dataclass(frozen=True)
class Given:
    """complaints: what could not be read. changes: against the older report `baseline`, None without one."""

    measurements: Sequence[Measurement]
    environments: Mapping[str, Environment]
    complaints: Sequence[str] = ()
    name: str = "diffcompare"
    studies: Studies = field(default_factory=Studies)
    changes: Changes | None = None
    baseline: str = ""

    @cached_property
    def cells(self) -> pd.DataFrame:
        """All records, as `tables.frame` has them."""
        return tables.frame(self.measurements)

    @cached_property
    def left_out(self) -> list[str]:
        """Methods on engines that take no first derivative of these problems."""
        return tables.never_supported(tables.first_order(self.cells))

    @cached_property
    def main(self) -> pd.DataFrame:
        """The first derivatives: what the report compares before all else."""
        return tables.select(tables.first_order(self.cells), self.left_out)

    @cached_property
    def first_records(self) -> list[Measurement]:
        """The records of first derivatives, with those of methods that take none."""
        return [self.measurements[k] for k in tables.first_order(self.cells).index]

    @property
    def used(self) -> list[Environment]:
        """The environments of the records shown."""
        ids = set(self.cells["environment"])
        return [e for i, e in self.environments.items() if i in ids]

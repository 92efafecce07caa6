"""What is measured, one kind of workload a file."""

from __future__ import annotations

from ..workload import Group
from .arrays import ARRAYS
from .batches import BATCHES
from .calls import CALLS
from .formulas import FORMULAS
from .large import LARGE
from .tables import TABLES

GROUPS: tuple[Group, ...] = (*BATCHES, FORMULAS, CALLS, *LARGE, *ARRAYS, *TABLES)
"""Every group, in the order of the report."""

"""Columns of numbers from a CSV file, every cell that is none refused with its line."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DiffCompareError
from ..problem import Array

Row = tuple[int, list[str]]
"""The number of a line of the file, and its cells."""


@dataclass(frozen=True)
class Table:
    """A CSV file as text: the names in its first line, and the lines below with their numbers, empty ones left out."""

    name: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]

    def column(self, name: str) -> Array:
        """The numbers of a column, one for each row. Raises DiffCompareError naming the line of a cell that is no finite number."""
        places = [k for k, n in enumerate(self.header) if n == name]
        if len(places) != 1:
            what = f"has no column {name!r}" if not places else f"has {len(places)} columns {name!r}"
            raise DiffCompareError(f"{self.name} {what}; its columns are {', '.join(self.header)}")
        return np.array([self._number(line, cells[places[0]], name) for line, cells in self.rows], dtype=np.float64)

    def _number(self, line: int, cell: str, column: str) -> float:
        try:
            value = float(cell)
        except ValueError:
            what = f"has {cell.strip()!r}, which is not a number" if cell.strip() else "has an empty cell"
            raise DiffCompareError(f"{self.name}, line {line}: column {column} {what}; correct it or leave the line out") from None
        if not math.isfinite(value):
            raise DiffCompareError(f"{self.name}, line {line}: column {column} has {cell.strip()}; leave the line out")
        return value


def read_table(path: Path, delimiter: str = ",") -> Table:
    """The table in a CSV file with the names of its columns in the first line, in UTF-8.

    Raises DiffCompareError for a file that is no such table, OSError for one that cannot be read.
    """
    delimiter = "\t" if delimiter in ("tab", "\\t") else delimiter
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DiffCompareError(f"a delimiter is one character such as ',' or ';', or tab, got {delimiter!r}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            rows = [(reader.line_num, cells) for cells in reader if any(c.strip() for c in cells)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DiffCompareError(f"{path} is no CSV file in UTF-8: {error}") from None
    if not rows:
        raise DiffCompareError(f"{path} is empty: its first line names the columns, those below have the numbers")
    header = tuple(name.strip() for name in rows[0][1])
    others = [d for d in (",", ";", "\t") if d != delimiter and d in header[0]]
    if len(header) == 1 and others:
        raise DiffCompareError(f"{path} has one column, {header[0]!r}: are they separated by {others[0]!r}? Say so by --delimiter")
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            raise DiffCompareError(f"{path}, line {line} has {len(cells)} cell{'s' * (len(cells) != 1)}, the header {len(header)}")
    if len(rows) == 1:
        raise DiffCompareError(f"{path} has no line of numbers below its header {delimiter.join(header)}")
    return Table(str(path), header, tuple(rows[1:]))


def chosen(table: Table, inputs: Iterable[str], names: Mapping[str, str]) -> dict[str, Array]:
    """For each input its column: that of the name given to it, or of its own."""
    return {n: table.column(names.get(n, n)) for n in inputs}

"""Measurement: one flat row of what was seen; JSON lines in and out.

A record file holds one JSON object a line: {"kind": "measurement", ...} or {"kind": "environment", ...}, each measurement
naming the environment it was taken in by its id. Reports are a function of such files alone.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DiffCompareError
from .environment import Environment

SCHEMA = 1
VALUES_KEPT = 256
"""A longer value is cut in its record: the first entries are kept and `value_size` says how many there were."""

STATUSES = ("ok", "inaccurate", "nan", "unjudged", "unsupported", "too_large", "timeout", "failed")


@dataclass(frozen=True)
class Measurement:
    """One method on one engine at one point, judged. None stands for: not measured, or no meaning here.

    problem, source: a name and the text that gives the function back (for `diffcompare compare`); at: the point as
    x=3.0,y=4.0 where it is scalar and short, else empty. wrt: names, comma-separated.
    status: one of STATUSES; message: its reason, empty for ok unless there is something to know.
    value: the flat result, blocks in order, C order, at most VALUES_KEPT of value_size entries.
    error_ulp, error_rel: the largest over entries whose truth is certified and (for rel) not 0; error_norm: the largest
    absolute error over the largest |truth|. bound_ulp, bound_rel: what the judge allowed at the worst entry, which is
    flat index `worst`, where the method gave worst_value for worst_truth. error_over_bound: error / bound there.
    error_conditioned: the largest error in units of ε |truth| (1 + condition), what inputs wrong by ε may cause.
    condition: the largest condition number of the certified entries. judged: entries compared; exact_zero: those with
    truth 0; kinks, undefined: entries where no derivative exists, not judged; undefined_finite: of the undefined, those
    that the method answered with a finite number; uncertified: entries without certified truth.
    operations: scalar operations of one call; calls: evaluations of the primal in one call; primal_operations: of f.
    weighted_operations: the same with each function beyond arithmetic weighing 10; peak_values: scalars alive at once, see Cost;
    primal_*: of f. These and the times below are in the record of the first point.
    timeout_s: the limit it was measured under.
    derive_s, compile_s, first_call_s: seconds of the first preparation and call, which are the first of derive_samples_s,
    compile_samples_s, first_call_samples_s; the others are of preparing again in the same process.
    call_s: the least of call_samples_s, seconds of a steady call, each the mean of calls_per_sample calls.
    batch_point_s: the least of batch_samples_s, seconds for each point of a batch of batch_points copies of the point.
    overhead_s: a call of the same kind that does nothing, through the same interface; part of call_s.
    peak_bytes: how far the resident memory of the process rose while the method was prepared and answered at every point;
    what the process had in hand already counts as nothing, so small methods show 0. None where the system does not tell.
    """

    problem: str
    operator: str
    method: str
    family: str
    engine: str
    status: str
    value: tuple[float, ...] = ()
    error_ulp: float | None = None
    error_rel: float | None = None
    operations: int | None = None
    derive_s: float | None = None
    compile_s: float | None = None
    first_call_s: float | None = None
    call_s: float | None = None
    message: str = ""
    source: str = ""
    point: str = ""
    at: str = ""
    wrt: str = ""
    order: int = 1
    precision: str = "float64"
    value_size: int = 0
    error_norm: float | None = None
    bound_ulp: float | None = None
    bound_rel: float | None = None
    error_over_bound: float | None = None
    error_conditioned: float | None = None
    worst: int | None = None
    worst_value: float | None = None
    worst_truth: float | None = None
    condition: float | None = None
    judged: int = 0
    exact_zero: int = 0
    kinks: int = 0
    undefined: int = 0
    undefined_finite: int = 0
    uncertified: int = 0
    primal_operations: int | None = None
    calls: int | None = None
    call_median_s: float | None = None
    call_samples_s: tuple[float, ...] = ()
    calls_per_sample: int = 0
    derive_samples_s: tuple[float, ...] = ()
    compile_samples_s: tuple[float, ...] = ()
    first_call_samples_s: tuple[float, ...] = ()
    batch_point_s: float | None = None
    batch_samples_s: tuple[float, ...] = ()
    batch_points: int = 0
    overhead_s: float | None = None
    weighted_operations: float | None = None
    primal_weighted_operations: float | None = None
    peak_values: int | None = None
    primal_peak_values: int | None = None
    peak_bytes: int | None = None
    timeout_s: float = 0.0
    environment: str = ""
    schema: int = SCHEMA

    @property
    def key(self) -> tuple[str, ...]:
        """What was measured, whatever came out: equal keys are the same cell."""
        return (
            self.problem,
            self.source,
            self.point,
            self.at,
            self.operator,
            self.wrt,
            str(self.order),
            self.method,
            self.engine,
            self.precision,
        )

    def to_json(self) -> dict[str, Any]:
        """A flat dict for json.dumps; numbers that JSON lacks become the strings "nan", "inf", "-inf"."""
        return {k: _plain(v) for k, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Measurement:
        """The inverse of to_json; fields of later versions are ignored.

        Raises DiffCompareError where a field is missing or has the wrong type.
        """
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name in row:
                values[field.name] = _typed(field.name, str(field.type), row[field.name])
            elif field.default is dataclasses.MISSING:
                raise DiffCompareError(f"a measurement without {field.name!r}")
        if values["status"] not in STATUSES:
            raise DiffCompareError(f"there is no status {values['status']!r}")
        return cls(**values)


def question(m: Measurement) -> tuple[str, ...]:
    """What was asked of a record's method, at whatever point: records of one question may be compared in time."""
    return (m.problem, m.source, m.operator, m.wrt, str(m.order), m.precision)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _typed(name: str, annotation: str, value: Any) -> Any:
    """The value as its field's type, by the annotation's text."""
    if annotation.startswith("tuple") and isinstance(value, list):
        return tuple(_typed(name, "float", v) for v in value)
    if value is None and annotation.endswith("None"):
        return None
    if annotation.startswith("float") and (isinstance(value, int | float) or value in ("nan", "inf", "-inf")):
        return float(value)
    kinds: dict[str, type] = {"int": int, "str": str}
    kind = kinds.get(annotation.partition(" ")[0])
    if kind is not None and isinstance(value, kind):
        return value
    raise DiffCompareError(f"a measurement whose {name} is {value!r}")


# --- files ---

_DEFAULTS = {
    f.name: _plain(f.default) for f in dataclasses.fields(Measurement) if f.default is not dataclasses.MISSING and f.name != "schema"
}
"""Fields that a line leaves out where they have these values."""


class Store:
    """A record file that is appended to.

    Each record is one write of one whole line to a descriptor opened with O_APPEND: two runs at once interleave lines,
    never parts of them, and what an interrupted run has measured is on disk. A last line left without its end by a
    crash is closed by the next Store, so that it spoils itself only. A packed file is unpacked first.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if packed(self.path).exists():
            self.path.write_bytes(content(self.path))
            packed(self.path).unlink()
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        size = os.fstat(self._descriptor).st_size
        if size:
            os.lseek(self._descriptor, size - 1, os.SEEK_SET)
            if os.read(self._descriptor, 1) != b"\n":
                self._write(b"\n")

    def add(self, record: Measurement | Environment) -> None:
        """Append one record."""
        kind = "measurement" if isinstance(record, Measurement) else "environment"
        row = {"kind": kind, **record.to_json()}
        if isinstance(record, Measurement):
            row = {k: v for k, v in row.items() if k not in _DEFAULTS or v != _DEFAULTS[k]}
        self._write(json.dumps(row, allow_nan=False, separators=(",", ":")).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        written = os.write(self._descriptor, line)
        if written != len(line):
            raise OSError(f"{self.path}: only {written} of {len(line)} bytes could be written; is the disk full?")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Records(NamedTuple):
    """What a record file holds. complaints: one line of text for each line of the file that could not be read."""

    measurements: list[Measurement]
    environments: dict[str, Environment]
    complaints: list[str]

    def latest(self) -> list[Measurement]:
        """The last measurement of each cell, in the order in which cells were first seen."""
        return list({m.key: m for m in self.measurements}.values())

    def done(self, environment: str, timeout_s: float) -> set[tuple[str, ...]]:
        """The keys measured in this environment: same code, versions and machine; without timeouts under a shorter limit."""
        here = (m for m in self.measurements if m.environment == environment)
        return {m.key for m in here if m.status != "timeout" or m.timeout_s >= timeout_s}


def read(path: str | os.PathLike[str]) -> Records:
    """The records of a file, or of the one that `packed` left in its place; of none if there is neither.

    A line that is no record (truncated, foreign, of an unknown kind) is reported with its number; the rest is used.
    """
    records = Records([], {}, [])
    path = Path(path)
    for number, line in enumerate(content(path).split(b"\n"), start=1):
        if line.strip():
            try:
                _add(records, line)
            except (ValueError, DiffCompareError) as error:  # ValueError: neither UTF-8 nor JSON
                records.complaints.append(f"{path.name}, line {number} is left out: {_reason(error, line)}")
    return records


def packed(path: Path) -> Path:
    """Where a file of records is kept by gzip: a twentieth of its size, for reports that are committed."""
    return path.with_name(f"{path.name}.gz")


def pack(path: Path) -> Path:
    """Put the packed file in the place of the plain one; its path."""
    packed(path).write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    path.unlink()
    return packed(path)


def content(path: Path) -> bytes:
    """What a file of records holds, plain or packed; nothing if there is none."""
    if path.exists() or not packed(path).exists():
        return path.read_bytes() if path.exists() else b""
    return gzip.decompress(packed(path).read_bytes())


def _add(records: Records, line: bytes) -> None:
    row = json.loads(line)
    if not isinstance(row, dict) or row.get("kind") not in ("measurement", "environment"):
        raise DiffCompareError("neither a measurement nor an environment")
    if row["kind"] == "measurement":
        records.measurements.append(Measurement.from_json(row))
    else:
        environment = Environment.from_json(row)
        records.environments[environment.id] = environment


def _reason(error: Exception, line: bytes) -> str:
    if isinstance(error, DiffCompareError):
        return str(error)
    return f"not JSON ({type(error).__name__}); it starts {line[:40]!r} and has {len(line)} bytes"


def dumps(measurements: Iterable[Measurement], indent: int | None = 1) -> str:
    """One JSON list of flat records."""
    return json.dumps([m.to_json() for m in measurements], allow_nan=False, indent=indent)


def kept(values: Sequence[float]) -> tuple[float, ...]:
    """As much of a value as a record holds."""
    return tuple(values[:VALUES_KEPT])


def by_status(measurements: Iterable[Measurement]) -> Iterator[tuple[str, int]]:
    """(status, how many) in the order of STATUSES, without those that did not occur."""
    found = [m.status for m in measurements]
    yield from ((s, found.count(s)) for s in STATUSES if s in found)

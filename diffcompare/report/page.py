"""Records -> a report on disk: report.md, index.html, data/*.csv. It reads records and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..measure.environment import Environment
from ..measure.record import Measurement, Store
from . import tables
from .verdict import verdict

RECORDS = "records.jsonl"


def write(
    folder: Path,
    measurements: Sequence[Measurement],
    environments: Mapping[str, Environment],
    complaints: Sequence[str] = (),
    name: str = "diffcompare",
) -> Path:
    """Write the report; its path. data/records.jsonl is written unless it is there: then the records came from it.

    complaints: what could not be read, shown at the top. Raises OSError where the folder cannot be written.
    """
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    if not (data / RECORDS).exists():
        with Store(data / RECORDS) as store:
            for environment in environments.values():
                store.add(environment)
            for measurement in measurements:
                store.add(measurement)
    sections = content(measurements, environments, complaints, name)
    for label, table in sections["data"].items():
        table.to_csv(data / f"{label}.csv", lineterminator="\n")
    _render("report.md.j2", folder / "report.md", sections)
    _render("index.html.j2", folder / "index.html", sections)
    return folder / "report.md"


def content(
    measurements: Sequence[Measurement], environments: Mapping[str, Environment], complaints: Sequence[str], name: str
) -> dict[str, Any]:
    """Everything the templates show, by name: tables of text, and under `data` the tables of numbers that become CSV."""
    cells = tables.frame(measurements)
    first = tables.first_order(cells)
    left_out = tables.never_supported(cells)
    main = tables.select(first, left_out)
    data = {
        "problems": tables.problems(cells),
        "status": tables.status(main),
        "standing": tables.standing(main),
        "error_conditioned": tables.accuracy(main, "error_conditioned"),
        "error_ulp": tables.accuracy(main, "error_ulp"),
        "error_rel": tables.accuracy(main, "error_rel"),
        "call_s": tables.call_seconds(main),
        "phases": tables.phases(main),
        "operations_ratio": tables.cost_ratio(main),
        "wrong": tables.wrong(cells).set_index("problem"),
        "refused": tables.refused(cells).set_index("method"),
    }
    used = set(cells["environment"])
    return {
        "name": name,
        "complaints": list(complaints),
        "verdict": verdict(main, cells),
        "counts": tables.counts(cells, "operator"),
        "total": len(cells),
        "left_out": left_out,
        "status": data["status"],
        "standing": tables.shown(data["standing"]),
        "problems": data["problems"],
        "error_conditioned": tables.shown(data["error_conditioned"]),
        "error_ulp": tables.shown(data["error_ulp"], "ulp"),
        "error_rel": tables.shown(data["error_rel"]),
        "call_s": tables.shown(data["call_s"], "seconds"),
        "phases": tables.shown(data["phases"]),
        "operations_ratio": tables.shown(data["operations_ratio"]),
        "by_operator": _by_operator(tables.select(cells, left_out)),
        "wrong": data["wrong"],
        "refused": data["refused"],
        "environments": [e for i, e in environments.items() if i in used],
        "kinks": int(cells["kinks"].sum()),
        "data": data,
    }


def _by_operator(cells: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The status by operator of each problem that was asked more than two of them."""
    asked = cells.groupby("problem", sort=False)["operator"].nunique()
    return {str(p): tables.status(cells[cells["problem"] == p], "operator") for p in asked.index[asked > 2]}


def _render(template: str, path: Path, sections: dict[str, Any]) -> None:
    from jinja2 import Environment as Jinja
    from jinja2 import PackageLoader, StrictUndefined

    jinja = Jinja(
        loader=PackageLoader("diffcompare.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=template.endswith(".html.j2"),
    )
    jinja.filters["markdown"] = tables.markdown
    jinja.filters["html"] = tables.html
    path.write_text(jinja.get_template(template).render(sections), encoding="utf-8", newline="\n")

"""The process that measures one group once: prepares every contender, times turns, judges answers; one JSON line for each finding."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from time import perf_counter
from typing import Any

import numpy as np

from ..differentiators.base import Operator
from ..dsl.function import as_function
from ..errors import DiffCompareError
from ..measure.accuracy import ulps
from ..reference import Reference
from .contender import Array, Contender, Ready, contenders
from .rounds import turns
from .workload import Group, Kind, Phase, Workload
from .workloads import GROUPS

ROUNDS = 9
BUDGET_S = 12.0
"""Seconds that the turns of one workload may take in one process."""
JUDGED = 100
"""Points of a workload whose answers are compared with certified truth."""


def findings(group: Group, process: int, judge: bool) -> Iterator[dict[str, Any]]:
    """Rows of one process: kind prepare, run, ulp or refused; seconds are those of a call."""
    for workload in group.build():
        ready: dict[str, Ready] = {}
        for name in workload.contenders:
            row = {"group": group.name, "workload": workload.name, "contender": name, "process": process}
            try:
                ready[name], seconds = _prepared(contenders()[name], workload)
            except (DiffCompareError, MemoryError, RecursionError) as error:
                yield {**row, "kind": "refused", "message": f"{error}"}
                continue
            yield {**row, "kind": Phase.PREPARE, "seconds": [seconds]}
        for name, samples in turns({n: r.call for n, r in ready.items()}, ROUNDS, process, BUDGET_S).items():
            yield {
                "group": group.name,
                "workload": workload.name,
                "contender": name,
                "process": process,
                "kind": Phase.RUN,
                "seconds": samples,
                "points": workload.points,
            }
        if judge:
            yield from _judged(group, workload, ready, process)


def _prepared(contender: Contender, workload: Workload) -> tuple[Ready, float]:
    """The contender ready to run, and the seconds from the function to there; first uses of its library come before."""
    if contender.name not in _warm:
        _warm.add(contender.name)
        with suppress(DiffCompareError):
            contender.given(_warming(workload.kind))()
    start = contender.given(workload)
    started = perf_counter()
    bind = start()
    seconds = perf_counter() - started
    return bind(), seconds


_warm: set[str] = set()


def _warming(kind: Kind) -> Workload:
    values: tuple[Any, ...] = (np.ones(8), np.ones(8)) if kind is Kind.POINTS else (1.0, 1.0)
    return Workload("first use", "x sin(y)", as_function("x*sin(y)"), Operator.GRADIENT, kind, values, ())


# --- accuracy ---


def _judged(group: Group, workload: Workload, ready: dict[str, Ready], process: int) -> Iterator[dict[str, Any]]:
    """The largest error in ulps of each contender, at up to JUDGED points of the workload or of its twin."""
    if workload.twin is not None:
        workload = workload.twin()
        ready = {name: contenders()[name].given(workload)()() for name in ready}
    every = max(1, workload.points // JUDGED)
    truth = _truth(workload, every)
    for name, r in ready.items():
        blocks = r.blocks(r.call())
        if blocks:  # a copy and the function alone have no derivative
            row = {"group": group.name, "workload": workload.name, "contender": name, "process": process, "kind": "ulp"}
            errors = _errors(workload, blocks, truth, every)
            yield {**row, "worst": float(np.max(errors, initial=0.0)), "median": float(np.median(errors)) if errors.size else 0.0}


def _truth(workload: Workload, every: int) -> list[list[Array]]:
    """Certified blocks at every so many points; NaN where no truth is certified."""
    w = workload
    reference = Reference(w.function)
    found = []
    for k in range(0, w.points, every):
        at = {n: (v[k] if w.kind is Kind.POINTS else v) for n, v in zip(w.function.names, w.values, strict=True)}
        certified = reference.certify(w.operator, at, wrt=w.wrt or None)
        found.append([np.where(s == "ok", v, math.nan) for v, s in zip(certified.values, certified.status, strict=True)])
    return found


def _errors(w: Workload, blocks: Any, truth: Any, every: int) -> Array:
    """In ulps, of every entry at every judged point that has a truth."""
    found = [np.empty(0)]
    for k, certified in enumerate(truth):
        for block, t in zip(blocks, certified, strict=True):
            answer = np.asarray(block)[k * every] if w.kind is Kind.POINTS else np.asarray(block)
            known = ~np.isnan(t)
            found.append(ulps(np.reshape(answer, t.shape)[known], t[known]))
    return np.concatenate(found)


def main() -> None:
    """GROUP PROCESS JUDGE(0 or 1) as arguments; lines of JSON on standard output, and nothing else there."""
    name, process, judge = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1"
    group = next(g for g in GROUPS if g.name == name)
    lines = sys.stdout
    with redirect_stdout(sys.stderr):
        for row in findings(group, process, judge):
            lines.write(json.dumps(row) + "\n")
            lines.flush()


if __name__ == "__main__":
    main()

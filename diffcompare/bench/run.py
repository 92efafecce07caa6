"""Run groups in fresh processes, one after another, and keep their findings as JSON lines, from which a run goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import DiffCompareError
from ..measure.environment import environment
from .contenders.jax import X64
from .workload import Group

PROCESS_S = 600.0
"""Seconds after which a process is given up."""


def run(
    groups: Sequence[Group], path: Path, processes: int | None = None, tell: Callable[[str], None] = lambda text: None
) -> list[dict[str, Any]]:
    """The findings of all groups, read from `path` as far as they are there, the rest measured and appended.

    processes: for each group, instead of its own number. tell: is given one line before each process. Findings of another
    machine, other versions or other code are not continued: DiffCompareError names the file. Lines that are not whole
    (a run that was cut off) are dropped, and their process is measured again.
    """
    rows = read(path) if path.exists() else []
    here = environment().to_json()
    rows = _own(rows, here, path)
    done = {(r["group"], r["process"]) for r in rows if r["kind"] == "done"}
    wanted = [(g, k) for g in groups for k in range(processes or g.processes)]
    rows = [r for r in rows if r["kind"] == "environment" or (r["group"], r["process"]) in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
        for place, (group, process) in enumerate(wanted):
            if (group.name, process) in done:
                continue
            tell(f"{place + 1} of {len(wanted)}: {group.title}, process {process + 1}")
            for row in _measured(group, process):
                rows.append(row)
                file.write(json.dumps(row) + "\n")
            file.flush()
    return rows


def read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file of findings; raises DiffCompareError for one that is none."""
    rows = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for k, line in enumerate(lines):
        try:
            row = json.loads(line)
        except ValueError:
            if k == len(lines) - 1:  # cut off while it was written
                continue
            raise DiffCompareError(f"{path}, line {k + 1}: no finding of a benchmark; remove the file to measure anew") from None
        if not isinstance(row, dict) or "kind" not in row:
            raise DiffCompareError(f"{path}, line {k + 1}: no finding of a benchmark; remove the file to measure anew")
        rows.append(row)
    return rows


def _own(rows: list[dict[str, Any]], here: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """The rows with the environment's in front; raises where they are of another one."""
    if not rows:
        return [{"kind": "environment", **here}]
    found = next((r for r in rows if r["kind"] == "environment"), {})
    if found.get("id") != here["id"]:
        raise DiffCompareError(
            f"{path} was measured on another machine, with other versions or other code; remove it, or give another --out"
        )
    return rows


def _measured(group: Group, process: int) -> Iterator[dict[str, Any]]:
    """The findings of one process, and a last one, "done"; a process that fails is a finding too."""
    command = [sys.executable, "-m", "diffcompare.bench.worker", group.name, str(process), "1" if process == 0 else "0"]
    threads = {} if group.cores is None else dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(group.cores))
    with _cores(group.cores):
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                encoding="utf-8",
                timeout=PROCESS_S,
                stdin=subprocess.DEVNULL,
                env={**os.environ, X64: "1", **threads},
            )
            output, failure = done.stdout, "" if done.returncode == 0 else f"exit code {done.returncode}: {done.stderr[-300:]}"
        except subprocess.TimeoutExpired as error:
            output = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ""
            failure = f"not done after {PROCESS_S:g} s"
    for line in output.splitlines():
        yield json.loads(line)
    if failure:
        yield {"kind": "failed", "group": group.name, "process": process, "message": failure}
    yield {"kind": "done", "group": group.name, "process": process}


@contextmanager
def _cores(count: int | None) -> Iterator[None]:
    """Processes started inside may use so many processors only, where the system lets itself be told."""
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

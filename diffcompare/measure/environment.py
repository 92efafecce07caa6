"""Environment: where and with which code something was measured."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import DiffCompareError

OWN = ("diffcompare", "numpy", "scipy", "sympy", "python-flint", "jax", "jaxlib", "llvmlite", "pandas")
PEERS = ("autograd", "casadi", "heyoka", "numdifftools", "symengine", "torch")
PACKAGES = (*OWN, *PEERS)
"""The packages whose versions can change a number."""
THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"),
    *("XLA_FLAGS", "JAX_PLATFORMS"),
)
"""Variables that say how many threads libraries take, and on what; unset ones leave it to the number of cores."""


@dataclass(frozen=True)
class Environment:
    """A machine, its software and a state of this package's code.

    id: a digest of everything that can change a result, so of all but revision and taken; equal ids may be compared.
    packages, threads: name=version and variable=value, separated by spaces. code: digest of the package's sources.
    revision: of the git repository that holds the package, "" if there is none. taken: UTC, ISO 8601.
    """

    cpu: str
    cores: int
    system: str
    python: str
    packages: str
    threads: str
    code: str
    revision: str
    taken: str
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            parts = (self.cpu, self.cores, self.system, self.python, self.packages, self.threads, self.code)
            object.__setattr__(self, "id", hashlib.blake2b(repr(parts).encode(), digest_size=6).hexdigest())

    def to_json(self) -> dict[str, Any]:
        """A flat dict for json.dumps."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Environment:
        """The inverse of to_json; raises DiffCompareError where a field is missing."""
        names = [f.name for f in dataclasses.fields(cls)]
        missing = [n for n in names if n not in row]
        if missing:
            raise DiffCompareError(f"an environment without {missing[0]!r}")
        return cls(**{n: row[n] for n in names})


def environment() -> Environment:
    """This process's, now."""
    return Environment(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        system=platform.platform(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=" ".join(f"{p}={v}" for p in PACKAGES if (v := _version(p))),
        threads=" ".join(f"{t}={os.environ[t]}" for t in THREADS if t in os.environ),
        code=code_hash(),
        revision=_revision(),
        taken=datetime.now(UTC).isoformat(timespec="seconds"),
    )


@cache
def code_hash() -> str:
    """A digest of this package's Python files, by path and content."""
    root = Path(__file__).parents[1]
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        digest.update(json.dumps([path.relative_to(root).as_posix(), len(content)]).encode())
        digest.update(content)
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    """The processor's name: Linux and macOS keep it in different places, elsewhere platform knows it."""
    info = Path("/proc", "cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor()
    return platform.processor() or platform.machine()


def _revision() -> str:
    """The commit that this package's sources are checked out at, with + if they differ from it; "" for an installed copy."""
    folder = str(Path(__file__).parents[1])
    if not _output("git", "-C", folder, "ls-files", "__init__.py"):
        return ""  # a repository may hold the environment that the package is installed in, without tracking it
    revision = _output("git", "-C", folder, "rev-parse", "--short=12", "HEAD")
    return revision + ("+" if revision and _output("git", "-C", folder, "status", "--porcelain", "--", ".") else "")


def _output(*command: str) -> str:
    """What a command prints, "" where it is not installed or fails."""
    try:
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=10, check=True, stdin=subprocess.DEVNULL
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""

"""C, compiled by the system's compiler: the hand formula, or SymPy's, as a loop over points."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ...errors import Unsupported
from ..contender import Array, Contender, Ready
from ..workload import Kind, Workload
from .cut import cut
from .plain import c_code


class C(Contender):
    """flags: of the compiler; with -ffast-math GCC calls the vector functions of glibc's libmvec."""

    def __init__(self, name: str, flags: str) -> None:
        self.name = name
        self.flags = flags.split()
        self.source = f"the hand formula, or SymPy's with cse, as a loop in C: cc {flags}"

    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        if workload.kind is not Kind.POINTS:
            raise Unsupported("C is compared at many points")
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise Unsupported("there is no C compiler: install one, or name it in CC")
        text = c_code(workload)
        return lambda: partial(_ready, workload, _built(text, [compiler, *self.flags]))


def _built(text: str, command: list[str]) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "run.c"), Path(folder, "run.so")
        source.write_text(text)
        done = subprocess.run(
            [*command, "-shared", "-fPIC", "-o", library, source, "-lm"],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise Unsupported(
                f"{' '.join(command)} fails: {done.stderr.strip().splitlines()[0] if done.stderr.strip() else done.returncode}"
            )
        return ctypes.CDLL(str(library))


def _ready(w: Workload, library: ctypes.CDLL) -> Ready:
    inputs = [np.ascontiguousarray(c) for v in w.values for c in np.reshape(v, (w.points, -1)).T]
    outputs = [np.empty(w.points) for b in w.request.blocks for _ in range(int(np.prod(b)))]
    addresses = [a.ctypes.data for a in (*inputs, *outputs)]
    run = library.run
    run.restype = None
    run.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * len(addresses)]

    def call() -> list[Array]:
        run(w.points, *addresses)
        return inputs  # kept by this closure: the library has their addresses only

    return Ready(call, lambda result: cut(np.stack(outputs, axis=-1), w))


c_plain = C("C -O3", "-O3")
c_fast = C("C fast-math", "-O3 -march=native -ffast-math")

"""The machine: its vector width, its vector mathematics, and the JIT that turns IR text into functions."""

from __future__ import annotations

import ctypes
import ctypes.util
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import llvmlite.binding as llvm

T = TypeVar("T")

_lock = threading.Lock()
"""LLVM's global state (symbols, targets) is not made for several threads at once."""

# glibc's vector functions (libmvec) by our name; every one exists since glibc 2.35 in SSE, AVX2 and AVX-512 form.
LIBMVEC = {
    name: name
    for name in "exp log sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh pow hypot erf erfc expm1 log1p exp2 log2 log10 cbrt".split()
}


@dataclass(frozen=True)
class Target:
    """Vectors of `lanes` doubles; `prefix` is libmvec's for that width, "" where there is no libmvec."""

    lanes: int
    prefix: str
    functions: frozenset[str]
    """Our names of the functions that libmvec has here."""
    fma: bool = False
    """Whether the machine fuses multiply-adds: our own kernels are made of them."""
    scalef: bool = False
    """Whether it has AVX-512's instruction for x 2^n."""

    @property
    def block(self) -> int:
        """The points of one round of a batch: two registers, whose instructions fill each other's waits."""
        return 2 * self.lanes

    def vector_symbol(self, name: str, arity: int) -> str:
        """The libmvec symbol of a function in this width."""
        return f"{self.prefix}{'v' * arity}_{LIBMVEC[name]}"


@cache
def target() -> Target:
    """This machine's: AVX-512, AVX2 or SSE on x86-64, NEON on 64-bit Arm, else pairs without vector functions."""
    with _lock:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    if "x86_64" not in llvm.get_process_triple():
        return Target(2, "", frozenset(), fma="aarch64" in llvm.get_process_triple() or "arm64" in llvm.get_process_triple())
    lanes, prefix = (8, "_ZGVeN8") if features.get("avx512f") else (4, "_ZGVdN4") if features.get("avx2") else (2, "_ZGVbN2")
    return Target(lanes, prefix, _available(prefix), fma=bool(features.get("fma")), scalef=bool(features.get("avx512f")))


def _available(prefix: str) -> frozenset[str]:
    """The functions of libmvec that are here; none on musl, macOS and Windows."""
    try:
        library = ctypes.CDLL("libmvec.so.1")
    except OSError:
        return frozenset()
    two = {"atan2", "pow", "hypot"}
    found = set()
    for name, symbol in LIBMVEC.items():
        full = f"{prefix}{'vv' if name in two else 'v'}_{symbol}"
        if hasattr(library, full):
            llvm.add_symbol(full, ctypes.cast(getattr(library, full), ctypes.c_void_p).value)
            found.add(name)
    return frozenset(found)


class Machine:
    """Compiled IR; lives as long as its functions are used. optimisation: of code generation, 0 to 3."""

    def __init__(self, text: str, optimisation: int) -> None:
        with _lock:
            module = llvm.parse_assembly(text)
            module.verify()
            cpu, features = _processor()
            machine = llvm.Target.from_default_triple().create_target_machine(
                cpu=cpu, features=features, opt=optimisation, codemodel="jitdefault"
            )
            self._engine = llvm.create_mcjit_compiler(module, machine)
            self._engine.finalize_object()

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))


def once(make: Callable[[], T]) -> Callable[[], T]:
    """make(), done once however many threads ask first: functools.cache may do it twice, and drop code that a thread runs."""
    made, making = cache(make), threading.Lock()

    def get() -> T:
        with making:
            return made()

    return get


@cache
def _processor() -> tuple[str, str]:
    """Its name and its features, as LLVM writes them."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def function_pointer(machine: Machine, name: str, *arguments: Any, result: Any = None) -> Any:
    """A ctypes function of the arguments' types; the call releases the GIL."""
    return ctypes.CFUNCTYPE(result, *arguments)(machine.address(name))

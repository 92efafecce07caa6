"""Engine: a compiler of Functions. Compiled: what it makes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dsl.function import Function
from ..errors import Unsupported

Array = np.ndarray[Any, Any]


class Compiled(ABC):
    """A Function made executable.

    Called with one float array for each input, of shape batch + core, where batch may differ between inputs; gives
    one new array for each output, of shape joint batch + core (a scalar may be a NumPy scalar). May be called from
    several threads; inspects no values; leaves NumPy's error state alone.
    single: the same for functions whose inputs and outputs are all scalars, floats in, a tuple of floats out; or None.
    direct: the same from arrays just as the engine takes them to new ones as it makes them, without conversions; None,
    not an answer, at any other arguments. into: the same into arrays, and whether it did. Both None where the engine
    has no such short way.
    source: what runs, as text.
    """

    function: Function
    source: str
    single: Callable[..., tuple[float, ...]] | None = None
    direct: Callable[[Sequence[Any]], list[Any] | None] | None = None
    into: Callable[[Sequence[Any], Sequence[Any]], bool] | None = None

    def prepare_for(self, shapes: Sequence[tuple[int, ...]]) -> None:  # noqa: B027  most engines compile once for all shapes
        """Compile for arguments of these shapes now rather than at their first call, where the engine compiles by shape."""

    def ready(self) -> None:  # noqa: B027  most engines compile everything when they are asked to
        """Compile now what single points need, where the engine waits for the first call."""

    def builtin(self, result: type | None, fallback: Callable[..., Any]) -> Callable[..., Any] | None:
        """`single` as a function in machine code, or None where the engine makes none.

        result: the tuple class of its answer, None for one bare float; fallback takes every call that is not all floats.
        """
        return None

    @abstractmethod
    def __call__(self, values: Sequence[Array]) -> list[Array]:
        """The outputs at these inputs."""

    def write(self, values: Sequence[Array], blocks: Sequence[Array]) -> None:
        """The outputs at these inputs into arrays of their shapes, without memory between where the engine can."""
        for block, result in zip(blocks, self(values), strict=True):
            block[...] = result


class Engine(ABC):
    """compile(function) gives a Compiled, or raises Unsupported or TooLarge naming the reason."""

    name: str
    precisions: tuple[str, ...] = ("float64",)
    entrywise: bool = False
    """Whether arrays are written out entry by entry, so that entries known to be zero cost nothing."""

    @abstractmethod
    def compile(self, function: Function, precision: str = "float64") -> Compiled:
        """Make the function executable in this precision."""

    def with_raw_results(self) -> Engine:
        """The same engine, handing over arrays of its own; raises Unsupported where it has none."""
        raise Unsupported(f"engine {self.name} computes with NumPy arrays and has no raw ones; raw=True is for engine jax")

    def handed_over(self, block: Array) -> Any:
        """A block of a result as users receive it: a float for a float64 scalar, a NumPy array otherwise."""
        return block.item() if not block.shape and block.dtype == np.float64 else block

    def __reduce__(self) -> Any:
        return type(self), ()

"""Further libraries of automatic differentiation on arrays, through the adapters that make them methods of ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...differentiate import prepare
from ...errors import Unsupported
from ..contender import Contender, Ready
from ..workload import Kind, Workload
from .ours import flat


class Adapted(Contender):
    """A method `peer.*`, called as such; the adapter costs some microseconds a call, so for arrays alone."""

    def __init__(self, library: str) -> None:
        self.name = library
        self.source = f"diffcompare's method peer.{library}"

    def given(self, workload: Workload) -> Callable[[], Callable[[], Ready]]:
        if workload.kind is not Kind.ARRAYS:
            raise Unsupported(f"{self.name} is compared on arrays")
        w = workload

        def start() -> Callable[[], Ready]:
            d = prepare(w.function, w.operator, w.wrt or None, method=f"peer.{self.name}", engine="numpy")
            return lambda: Ready(partial(d, *w.values), flat)

        return start


torch = Adapted("torch")
autograd = Adapted("autograd")

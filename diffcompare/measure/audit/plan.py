"""What an audit asks, and whom: functions with their points, methods with the engines they run on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...differentiate import DEFAULT_METHOD, find_method
from ...differentiate import engines as all_engines
from ...differentiate import methods as all_methods
from ...differentiators.base import Differentiator
from ...differentiators.peers.blackbox import DifferencePeer
from ...dsl.core import PRIMITIVES, REAL, input_
from ...dsl.elementwise import Elementwise
from ...dsl.function import Function
from ...engines.base import Engine
from ...errors import DiffCompareError
from ..choice import chosen_engines, chosen_methods
from ..sampling import Sample, given, sample
from .special import special

Array = np.ndarray[Any, Any]
Path = tuple[int, ...]

OPERATORS = ("value", "gradient", "hessian")
"""The operator of each order."""
OURS = ("ad.forward", "ad.reverse", "symbolic")
LIBRARIES = ("jax",)
"""Audited when no library is named."""
PROMISED = frozenset(itertools.product(("ad.forward", "ad.reverse"), ("numpy", "python")))
"""(method, engine) for which the bounds of the rows are promised; other engines have libraries of functions of their own."""
PEER = "peer."
VALUE = "value"
"""What the method is called in rows of order 0 on our engines, where no method has a part."""

SERVING = frozenset("sech2 one_minus_square pow_less_1 pow_less_2 pow_log pow_log_2 digamma_positive chain_mul".split())
"""With those named *_slope, functions that are there to serve others: audited where they are asked for by name."""


@dataclass(frozen=True)
class Subject:
    """A function, the points it is judged at, and the special points at which its behaviour is noted."""

    primitive: Elementwise
    sample: Sample
    special: Sample

    @property
    def name(self) -> str:
        return self.primitive.name

    @cached_property
    def function(self) -> Function:
        inputs = [input_(n) for n in ("x", "y")[: self.primitive.arity]]
        return Function(self.name, inputs, [self.primitive(*inputs)], True)

    @property
    def columns(self) -> list[Array]:
        """Both kinds of points, the sample first."""
        return [np.concatenate(pair) for pair in zip(self.sample.columns, self.special.columns, strict=True)]

    def paths(self, order: int) -> list[Path]:
        """With respect to which arguments: the blocks of the operator of this order."""
        return list(itertools.product(range(self.primitive.arity), repeat=order))


@dataclass(frozen=True)
class Contestant:
    """A method and the engines it may run on: the first that takes it is the one. orders: what it is asked."""

    method: Differentiator
    engines: tuple[Engine, ...]
    orders: tuple[int, ...]
    label: str

    @property
    def lane(self) -> str:
        """Contestants of one lane share a process: one library's crash is not another's."""
        if self.method.family == "peer":
            return self.method.name
        return "jax" if self.engines[0].name == "jax" else "ours"


def subjects(functions: Sequence[str] | str | None, points: int | Iterable[Any], seed: int) -> list[Subject]:
    """The functions of these names, all by default, with their points.

    points: how many are drawn of each function, or the points themselves: numbers, or sequences with one for each
    argument; then each function gets those with as many numbers as it has arguments.
    """
    if isinstance(functions, str):
        functions = [functions]
    chosen = (
        [_find(n) for n in functions]
        if functions is not None
        else [p for p in auditable() if p.name not in SERVING and not p.name.endswith("_slope")]
    )
    wanted = points if isinstance(points, int) else [(p,) if isinstance(p, int | float) else tuple(p) for p in points]
    found = []
    for p in chosen:
        drawn = sample(p, wanted, seed) if isinstance(wanted, int) else given(p, [w for w in wanted if len(w) == p.arity])
        if len(drawn):
            found.append(Subject(p, drawn, special(p) if isinstance(wanted, int) else special(p, list(drawn))))
    if not found:
        raise DiffCompareError("there is nothing to audit: no function takes as many arguments as the points have numbers")
    return found


def auditable() -> list[Elementwise]:
    """The elementwise functions of one or two real numbers, by name."""
    elementwise = [p for _, p in sorted(PRIMITIVES.items()) if isinstance(p, Elementwise)]
    return [p for p in elementwise if p.arity in (1, 2) and p.dtype == REAL and not p.takes_bool]


def _find(name: str) -> Elementwise:
    known = {p.name: p for p in auditable()}
    if name not in known:
        raise DiffCompareError(f"there is no elementwise function {name!r} to audit; there are: {', '.join(known)}")
    return known[name]


def contestants(libraries: Any, methods: Any, engines: Any, orders: Sequence[int]) -> list[Contestant]:
    """Our methods on our engines, the value on each engine, and the libraries.

    libraries: names such as "jax", or "all"; None means LIBRARIES. methods, engines: names, patterns or objects.
    Raises DiffCompareError for a library that is none.
    """
    wanted = OURS if methods is None else methods
    ours = [m for m in chosen_methods(wanted) if m.family != "peer"] if wanted else []
    places = list(all_engines().values()) if engines is None else chosen_engines(engines)
    found = [Contestant(find_method(DEFAULT_METHOD), (e,), (0,), VALUE) for e in places if 0 in orders]
    derivatives = tuple(o for o in orders if o)
    found += [Contestant(m, (e,), derivatives, m.name) for m in ours for e in places if derivatives]
    return found + [Contestant(m, _homes(m), tuple(orders), m.name) for m in peers(libraries)]


def peers(libraries: Any) -> list[Differentiator]:
    """The methods that are these libraries' own; "all" means those with rules of their own: differences must be named."""
    known = {n.removeprefix(PEER): m for n, m in all_methods().items() if m.family == "peer"}
    wanted = [libraries] if isinstance(libraries, str) else list(LIBRARIES if libraries is None else libraries)
    ruled = [n for n, m in known.items() if not isinstance(m, DifferencePeer)]
    names = ruled if wanted == ["all"] else [n.removeprefix(PEER) for n in wanted]
    for n in names:
        if n not in known:
            raise DiffCompareError(f"there is no library {n!r} to audit; there are: {', '.join(known)}")
    return [known[n] for n in names]


def _homes(method: Differentiator) -> tuple[Engine, ...]:
    """All engines, that of the method's own name first, then numpy: a peer takes one and refuses the others."""
    own = method.name.removeprefix(PEER)
    return tuple(sorted(all_engines().values(), key=lambda e: (e.name != own, e.name != "numpy", e.name)))

"""The method and engine of a session, and what they have prepared so far."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from ..differentiate import DEFAULT_METHOD, engines, find_method, prepare, value
from ..differentiators.base import Derivative, Operator
from ..dsl import Function
from ..errors import DiffCompareError

KEPT = 64
"""Prepared derivatives that a session keeps; the one that was made first goes first."""


class Tool:
    """Prepares derivatives by one method on one engine, each function of each shape once.

    fresh: whether something was prepared since `fresh` was last set to False, so that the next call is a first one.
    Raises DiffCompareError for a method or an engine that does not exist.
    """

    def __init__(self, method: str = DEFAULT_METHOD, engine: str = "auto") -> None:
        find_method(method)
        if engine not in (*engines(), "auto"):
            raise DiffCompareError(f"no engine is named {engine!r}; there are: auto, {', '.join(engines())}")
        self.method = method
        self.engine = engine
        self.fresh = False
        self._prepared: dict[Hashable, Derivative] = {}

    def prepared(
        self,
        build: Callable[..., Function],
        sizes: Sequence[int] = (),
        operator: Operator = Operator.VALUE,
        wrt: str | Sequence[str] | None = None,
    ) -> Derivative:
        """The operator of build(*sizes), from the shelf if it was asked for before; values need no method."""
        key = (build, tuple(sizes), operator, wrt if isinstance(wrt, str | None) else tuple(wrt))
        if key not in self._prepared:
            self.fresh = True
            if len(self._prepared) >= KEPT:
                del self._prepared[next(iter(self._prepared))]
            self._prepared[key] = self._prepare(build(*sizes), operator, wrt)
        return self._prepared[key]

    def _prepare(self, f: Function, operator: Operator, wrt: Any) -> Derivative:
        if operator is Operator.VALUE:
            return value(f, engine=self.engine)
        return prepare(f, operator, wrt, method=self.method, engine=self.engine)

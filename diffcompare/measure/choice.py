"""Which methods and engines: chosen by name, by pattern, or given as objects."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from ..differentiate import engines, find_engine, find_method, methods
from ..differentiators.base import Differentiator
from ..dsl.function import Function
from ..engines.base import Engine
from ..errors import DiffCompareError


def chosen_methods(wanted: Any) -> tuple[Differentiator, ...]:
    """The methods of these names, patterns or objects, all for None; raises DiffCompareError for a name that is none."""
    return tuple(dict.fromkeys(m for w in _listed(wanted, Differentiator) for m in _matching(w, methods(), find_method)))


def chosen_engines(wanted: Any, function: Function | None = None) -> tuple[Engine, ...]:
    """The engines of these names, patterns or objects, all for None; `auto` is the one chosen for the function, if it is given."""
    if function is None:
        function = Function("none", (), (), False)
    found = (e for w in _listed(wanted, Engine) for e in _matching(w, engines(), partial(find_engine, function=function)))
    return tuple(dict.fromkeys(found))


def _listed(wanted: Any, kind: type) -> list[Any]:
    if wanted is None:
        return ["*"]
    if isinstance(wanted, str | kind):
        return [wanted]
    if not isinstance(wanted, Iterable):
        raise DiffCompareError(f"methods and engines are names, patterns, objects or lists of them, got {wanted!r}")
    listed = list(wanted)
    if not listed:
        raise DiffCompareError("no method or engine is chosen: name one, or leave the choice out for all")
    return listed


def _matching(wanted: Any, known: Mapping[str, Any], find: Any) -> list[Any]:
    if isinstance(wanted, str) and any(c in wanted for c in "*?["):
        found = [v for n, v in known.items() if fnmatch.fnmatchcase(n, wanted)]
        if not found:
            raise DiffCompareError(f"nothing matches {wanted!r}; there are: {', '.join(known)}")
        return found
    return [find(wanted)]

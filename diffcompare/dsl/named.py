"""Named: a tuple with the inputs' names beside it, the one container of results for several inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from operator import itemgetter
from typing import Any


class Named(tuple[Any, ...]):
    """Values in the order of their names: r.x, r["lambda"], r[0], unpacking; equal to a plain tuple of the values.

    Unlike a namedtuple it takes any name and pickles by its names, without its class being importable.
    """

    __slots__ = ()
    names: tuple[str, ...] = ()

    def __new__(cls, names: Iterable[str], values: Iterable[Any]) -> Named:
        names, values = tuple(names), tuple(values)
        if len(names) != len(values):
            raise ValueError(f"Named: {len(names)} names for {len(values)} values")
        return maker(names)(values)

    def __reduce__(self) -> Any:
        return Named, (self.names, tuple(self))

    def __getattr__(self, name: str) -> Any:
        if name not in self.names:
            raise AttributeError(f"no value named {name!r}; the names are {', '.join(self.names)}")
        return self[self.names.index(name)]

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self.names:
                raise KeyError(f"no value named {key!r}; the names are {', '.join(self.names)}")
            return super().__getitem__(self.names.index(key))
        return super().__getitem__(key)

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self.names, self, strict=True))

    def __repr__(self) -> str:
        return f"Named({', '.join(f'{n}={v!r}' for n, v in zip(self.names, self, strict=True))})"


@cache
def class_of(names: tuple[str, ...]) -> type[Named]:
    """The subclass whose instances have these names; a tuple without further memory.

    By `_fields`, and by being called with the values, JAX and others know it for a namedtuple, and look inside it.
    """

    def new(cls: type[Named], *values: Any) -> Named:
        return tuple.__new__(cls, values)

    return type("Named", (Named,), {"__slots__": (), "names": names, "_fields": names, "__new__": new})


@cache
def maker(names: tuple[str, ...]) -> Callable[[Iterable[Any]], Named]:
    """A fast function from values to the Named of these names."""
    return partial(tuple.__new__, class_of(names))


def nester(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """A function from a sequence of values to one value bare, several as a Named."""
    return itemgetter(0) if len(names) == 1 else maker(names)


def nested(names: tuple[str, ...], values: Iterable[Any]) -> Any:
    """One value bare, several as a Named."""
    return nester(names)(tuple(values))

"""Named: a tuple with the inputs' names beside it, the one container of results for several inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Named(tuple[Any, ...]):
    """Values in the order of their names: r.x, r["lambda"], r[0], unpacking; equal to a plain tuple of the values.

    Unlike a namedtuple it takes any name and pickles without its class being importable.
    """

    names: tuple[str, ...]

    def __new__(cls, names: Iterable[str], values: Iterable[Any]) -> Named:
        self = super().__new__(cls, values)
        self.names = tuple(names)
        if len(self.names) != len(self):
            raise ValueError(f"Named: {len(self.names)} names for {len(self)} values")
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.names, tuple(self)

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__.get("names", ())
        if name not in names:
            raise AttributeError(f"no value named {name!r}; the names are {', '.join(names)}")
        return tuple.__getitem__(self, names.index(name))

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


def nested(names: tuple[str, ...], values: Iterable[Any]) -> Any:
    """One value bare, several as a Named."""
    values = tuple(values)
    return values[0] if len(values) == 1 else Named(names, values)

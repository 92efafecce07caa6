"""The registry: what a package of diffcompare holds, and what plug-ins add to it.

Nothing is listed by hand: a new method, engine or problem is a module-level object, and its module is all there is to add.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Protocol, TypeVar

from .errors import DiffCompareError

log = logging.getLogger(__name__)


class HasName(Protocol):
    """An object that states its own name."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...


T = TypeVar("T", bound=HasName)
Kind = type[T] | tuple[type[T], ...]


def discover(package: str, kind: Kind[T], plugins: bool = True) -> dict[str, T]:
    """Every module-level instance of `kind` (one or several) in the package and the modules below it, by name, in the order of names.

    Plug-ins come after them: entry points of the group `diffcompare.` + the last part of the package's name, each an
    instance of `kind` or a module that holds some. A plug-in that cannot be loaded, holds nothing of this kind or takes a
    name that is taken is left out and logged as a warning with its name and the reason: it stops neither the others nor
    the caller. Importing a module of the package itself has no such excuse: its error is raised. plugins=False leaves them out.

    Raises DiffCompareError where two objects of the package share a name, naming both modules.
    """
    found: dict[str, T] = {}
    origin: dict[str, str] = {}
    for module in _modules(import_module(package)):
        for instance in _instances(module, kind):
            twin = found.setdefault(instance.name, instance)
            where = origin.setdefault(instance.name, module.__name__)
            if twin is not instance:
                raise DiffCompareError(
                    f"two {_named(kind)} objects are named {instance.name!r}, one in {where}, one in {module.__name__}: rename one of them"
                )
    group = f"diffcompare.{package.rpartition('.')[2]}"
    for point in sorted(entry_points(group=group) if plugins else (), key=lambda p: (p.name, p.value)):
        _add_plugin(point, kind, found, origin)
    return dict(sorted(found.items()))


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    """The package and every module below it, imported, parents first."""
    yield package
    for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        module = import_module(info.name)
        if info.ispkg:
            yield from _modules(module)
        else:
            yield module


def _instances(module: ModuleType, kind: Kind[T]) -> list[T]:
    return [value for value in vars(module).values() if isinstance(value, kind)]


def _named(kind: Kind[T]) -> str:
    return " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))


def _add_plugin(point: EntryPoint, kind: Kind[T], found: dict[str, T], origin: dict[str, str]) -> None:
    """Enter what the plug-in brings; log a warning for what it cannot."""
    plugin = f"plug-in {point.name!r} ({point.value}, from {point.dist.name if point.dist else 'an unknown distribution'})"
    try:
        loaded = point.load()
    except Exception as error:  # a stranger's module may raise anything while it is imported
        log.warning("%s is left out: %s: %s", plugin, type(error).__name__, error)
        return
    instances = _instances(loaded, kind) if isinstance(loaded, ModuleType) else [loaded]
    if not instances or not all(isinstance(i, kind) for i in instances):
        log.warning("%s is left out: it is neither a %s nor a module that holds one", plugin, _named(kind))
        return
    for instance in instances:
        if found.setdefault(instance.name, instance) is not instance:
            log.warning("%r of %s is left out: the name is taken by %s", instance.name, plugin, origin[instance.name])
        else:
            origin.setdefault(instance.name, plugin)

"""registry.discover: what it finds, in which order, and what it does with plug-ins that fail."""

from __future__ import annotations

import importlib
import logging
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from diffcompare.errors import DiffCompareError
from diffcompare.registry import discover


@dataclass(frozen=True, eq=False)
class Kind:
    """What the temporary packages hold."""

    name: str


Write = Callable[[dict[str, str]], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes files under an importable folder; Kind is at hand in each module. Gives the name of the first package."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "kinds_under_test", sys.modules[__name__])
    before = set(sys.modules)

    def writer(files: dict[str, str]) -> str:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(("from kinds_under_test import Kind\n" if name.endswith(".py") else "") + text)
        importlib.invalidate_caches()
        return next(iter(files)).partition("/")[0]

    yield writer
    for name in set(sys.modules) - before:
        del sys.modules[name]


def plugin(name: str, *points: str, group: str) -> dict[str, str]:
    """The metadata of an installed distribution with these entry points."""
    listed = "\n".join(points)
    folder = f"{name.replace('-', '_')}-1.0.dist-info"
    return {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{folder}/entry_points.txt": f"[diffcompare.{group}]\n{listed}\n",
    }


def test_finds_instances_of_nested_modules_in_the_order_of_their_names(write: Write) -> None:
    package = write(
        {
            "zoo_a/__init__.py": "",
            "zoo_a/one.py": "first = Kind('wolf'); second = Kind('ape'); other = 3",
            "zoo_a/deep/__init__.py": "inside = Kind('cat')",
            "zoo_a/deep/two.py": "third = Kind('bee')",
        }
    )
    assert list(discover(package, Kind)) == ["ape", "bee", "cat", "wolf"]


def test_one_object_seen_in_two_modules_is_no_duplicate(write: Write) -> None:
    package = write(
        {"zoo_b/__init__.py": "from .one import ape", "zoo_b/one.py": "ape = Kind('ape')", "zoo_b/two.py": "from .one import ape"}
    )
    assert list(discover(package, Kind)) == ["ape"]


def test_a_duplicate_is_refused_with_both_modules(write: Write) -> None:
    package = write({"zoo_c/__init__.py": "", "zoo_c/one.py": "a = Kind('ape')", "zoo_c/two.py": "b = Kind('ape')"})
    with pytest.raises(DiffCompareError, match=r"two Kind objects are named 'ape', one in zoo_c\.one, one in zoo_c\.two: rename"):
        discover(package, Kind)


def test_two_of_one_name_in_one_module_are_refused(write: Write) -> None:
    package = write({"zoo_d/__init__.py": "a = Kind('ape'); b = Kind('ape')"})
    with pytest.raises(DiffCompareError, match=r"one in zoo_d, one in zoo_d"):
        discover(package, Kind)


def test_an_import_error_of_the_package_itself_is_raised(write: Write) -> None:
    package = write({"zoo_e/__init__.py": "", "zoo_e/one.py": "import no_such_module_anywhere"})
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        discover(package, Kind)


def test_plugins_bring_an_instance_or_a_module_of_them(write: Write) -> None:
    package = write(
        {
            "zoo_f/__init__.py": "a = Kind('ape')",
            "guest_f.py": "cow = Kind('cow'); bee = Kind('bee')",
            **plugin("guest_f", "cow = guest_f:cow", group="zoo_f"),
            **plugin("guest_g", "all = guest_f", group="zoo_f"),
        }
    )
    assert list(discover(package, Kind)) == ["ape", "bee", "cow"]


def test_plugins_are_found_by_the_last_part_of_the_package(write: Write) -> None:
    write(
        {
            "zoo_h/__init__.py": "",
            "zoo_h/inner_h/__init__.py": "a = Kind('ape')",
            "guest_h.py": "cow = Kind('cow')",
            **plugin("guest_h", "cow = guest_h:cow", group="inner_h"),
        }
    )
    assert list(discover("zoo_h.inner_h", Kind)) == ["ape", "cow"]


@pytest.mark.parametrize(
    ("text", "point", "reason"),
    [
        ("raise ValueError('no licence')", "guest_i:cow", "ValueError: no licence"),
        ("cow = Kind('cow')", "guest_i:sheep", "AttributeError: .*sheep"),
        ("cow = 3", "guest_i:cow", "neither a Kind nor a module that holds one"),
        ("cow = 3", "guest_i", "neither a Kind nor a module that holds one"),
        ("cow = Kind", "guest_i:cow", "neither a Kind nor a module that holds one"),
        ("cow = Kind('ape')", "guest_i:cow", "the name is taken by zoo_i"),
    ],
    ids=["raises", "no such attribute", "another type", "empty module", "the class itself", "taken name"],
)
def test_a_plugin_that_fails_is_named_and_stops_no_other(
    write: Write, caplog: pytest.LogCaptureFixture, text: str, point: str, reason: str
) -> None:
    package = write(
        {
            "zoo_i/__init__.py": "a = Kind('ape')",
            "guest_i.py": text,
            "guest_j.py": "owl = Kind('owl')",
            **plugin("guest-i", f"broken = {point}", group="zoo_i"),
            **plugin("guest-j", "whole = guest_j", group="zoo_i"),
        }
    )
    with caplog.at_level(logging.WARNING, logger="diffcompare"):
        assert list(discover(package, Kind)) == ["ape", "owl"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"plug-in 'broken' ({point}, from guest-i) is left out: " in record.getMessage()
    assert re.search(reason, record.getMessage())

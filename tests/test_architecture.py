"""The shape of the code: what `import diffcompare` loads, the size of files, what no file may hold."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "diffcompare").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}
HEAVY = {"altair", "flint", "jax", "llvmlite", "matplotlib", "numpy", "pandas", "pytest", "rich", "scipy", "sympy", "typer"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


every_module = pytest.mark.parametrize("path", MODULES, ids=relative)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# --- imports ---


def fresh_import() -> tuple[float, list[str]]:
    """(seconds, modules loaded) of `import diffcompare` in a new interpreter."""
    code = (
        "import json, sys, time; before = set(sys.modules); start = time.perf_counter(); import diffcompare; "
        "seconds = time.perf_counter() - start; print(json.dumps([seconds, sorted(set(sys.modules) - before)]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    seconds, loaded = json.loads(ran.stdout)
    return seconds, loaded


def test_import_takes_less_than_three_tenths_of_a_second() -> None:
    assert min(fresh_import()[0] for _ in range(5)) < 0.3


def test_import_loads_nothing_heavy() -> None:
    _, loaded = fresh_import()
    assert not HEAVY & {name.partition(".")[0] for name in loaded}
    assert "diffcompare" in loaded


# --- files ---


@every_module
def test_a_file_is_at_most_500_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


@every_module
def test_a_function_is_at_most_60_lines(path: Path) -> None:
    functions = [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    sizes = {f"{f.name}, line {f.lineno}": (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions}
    assert not {name: size for name, size in sizes.items() if size > 60}


@every_module
def test_a_module_is_named_for_an_idea_and_says_what_it_is(path: Path) -> None:
    assert path.stem not in DRAWERS
    assert ast.get_docstring(tree(path))


@every_module
def test_nothing_is_left_for_later(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"\b(?:TODO|FIXME|XXX|HACK)\b|raise NotImplementedError", text)


# --- text ---

TEXTS = {".cfg", ".csv", ".html", ".j2", ".json", ".jsonl", ".md", ".py", ".svg", ".toml", ".txt", ".typed", ".yaml", ".yml", ""}
ABSOLUTE = re.compile(r"(?<![\w.:/<>\])}*$~-])/[A-Za-z_][\w.-]*/[\w./-]+")
SYSTEM = {"/usr/bin/env", "/dev/null"}
UPWARDS = re.compile(r"(?:\.\./)+[\w./-]*")


def project_files() -> Iterator[Path]:
    for top in ("diffcompare", "tests", "reports", ".ci"):
        yield from (p for p in sorted((ROOT / top).rglob("*")) if p.is_file() and "__pycache__" not in p.parts)
    yield from (ROOT / name for name in ("README.md", "pyproject.toml", "noxfile.py", "LICENSE"))


def foreign_paths(text: str, folder: Path) -> list[str]:
    """Paths of one machine in a text: absolute ones, and relative ones that lead out of the project."""
    absolute = [m[0] for m in ABSOLUTE.finditer(text) if m[0] not in SYSTEM]
    outward = [m[0] for m in UPWARDS.finditer(text) if not (folder / m[0]).resolve().is_relative_to(ROOT)]
    return absolute + outward


def test_no_file_names_a_path_of_one_machine() -> None:
    texts = {p: p.read_text(encoding="utf-8") for p in project_files() if p.suffix in TEXTS}
    found = {relative(p): foreign_paths(text, p.parent) for p, text in texts.items()}
    assert not {name: paths for name, paths in found.items() if paths}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("see {}home/someone/data.csv".format("/"), 1),
        ("open('{}tmp/x.json')".format("/"), 1),
        ("{0}{0}{0}elsewhere/facts.md".format("../"), 1),
        ("https://example.org/a/b and a/b/c and </b> and #!/usr/bin/env", 0),
        ("reports/../README.md", 0),
    ],
)
def test_a_path_of_one_machine_is_recognised(text: str, count: int) -> None:
    assert len(foreign_paths(text, ROOT / "tests")) == count

"""The README: its two commands, and every example in it, run and compared with what it prints.

A block ```python is a doctest; all of them share one namespace, in order. A block ```console checked holds lines
`$ diffcompare ...`, each followed by exactly what it prints; the blocks share one folder, in order, in which there is
nothing but the files that blocks ```csv NAME hold. In a doctest
`# doctest: +ELLIPSIS`, and on a console block the word ELLIPSIS, lets `...` stand for any text (seconds, say).
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN = "import sys; sys.argv[0] = 'diffcompare'; from diffcompare.cli import main; main()"


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after the fence, the text, the line of the text in the file."""

    words: tuple[str, ...]
    text: str
    line: int


def blocks(markdown: str, language: str) -> list[Block]:
    """The fenced blocks of this language, in order."""
    found = re.finditer(r"^```([^\n`]+)\n(.*?)^```$", markdown, flags=re.MULTILINE | re.DOTALL)
    all_blocks = [Block(tuple(m[1].split()), m[2], markdown.count("\n", 0, m.start(2)) + 1) for m in found]
    return [b for b in all_blocks if b.words[0] == language]


def python_faults(markdown: str) -> list[str]:
    """What doctest finds wrong in the python blocks, one text for each block that fails."""
    namespace: dict[str, object] = {"__name__": "readme"}
    runner = doctest.DocTestRunner(verbose=False)
    faults: list[str] = []
    for block in blocks(markdown, "python"):
        test = doctest.DocTestParser().get_doctest(block.text, namespace, f"line {block.line}", "README.md", block.line - 1)
        said: list[str] = []
        runner.run(test, out=said.append, clear_globs=False)
        namespace.update(test.globs)
        if not test.examples:
            said.append(f"README.md, line {block.line}: a python block without >>> is not checked; give it another language")
        if said:
            faults.append("".join(said))
    return faults


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """(command, expected output) of a console block; a line that ends in a backslash goes on in the next."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, expected = part.replace("\\\n", " ").partition("\n")
        yield line, expected


def console_faults(markdown: str, folder: Path) -> list[str]:
    """Where a checked console block prints something else than it says, or fails."""
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"}
    faults: list[str] = []
    for block in blocks(markdown, "csv"):
        (folder / block.words[1]).write_text(block.text, encoding="utf-8")
    for block in blocks(markdown, "console"):
        if "checked" not in block.words:
            continue
        options = doctest.ELLIPSIS if "ELLIPSIS" in block.words else 0
        for command, expected in commands(block):
            program, *arguments = shlex.split(command)
            if program != "diffcompare":
                faults.append(f"README.md, line {block.line}: only diffcompare commands can be checked, not {command!r}")
                continue
            ran = subprocess.run(
                [sys.executable, "-c", RUN, *arguments], cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
            )
            if ran.returncode or not doctest.OutputChecker().check_output(expected, ran.stdout, options):
                printed = ran.stdout + (f"[exit status {ran.returncode}]\n{ran.stderr}" if ran.returncode else "")
                faults.append(f"README.md, line {block.line}: $ {command}\nexpected:\n{expected}\ngot:\n{printed}")
    return faults


def test_python_blocks_print_what_they_say() -> None:
    faults = python_faults(README)
    assert not faults, "\n".join(faults)


def test_console_blocks_print_what_they_say(tmp_path: Path) -> None:
    faults = console_faults(README, tmp_path)
    assert not faults, "\n".join(faults)


def test_there_is_an_example() -> None:
    assert blocks(README, "python")


def test_two_commands_one_runs_the_report_one_the_tests() -> None:
    run, test = (block.text.strip() for block in blocks(README, "sh"))
    assert run.endswith(".venv/bin/diffcompare report")
    assert test.endswith(".venv/bin/python -m nox")
    assert "\n" not in run + test


def test_continuous_integration_runs_the_readme_s_test_command() -> None:
    command = blocks(README, "sh")[1].text.strip()
    script = ROOT / ".ci" / "run"
    assert [line for line in script.read_text().splitlines() if "python3" in line] == [command]
    assert os.access(script, os.X_OK)


def test_the_method_added_in_20_lines_loads_as_a_plug_in(tmp_path: Path) -> None:
    (block,) = (b for b in blocks(README, "python") if "class Richardson" in b.text)
    (toml,) = (tomllib.loads(b.text) for b in blocks(README, "toml"))
    sources = [e.source for e in doctest.DocTestParser().get_examples(block.text)]
    method = "".join(sources[: [s.startswith("richardson =") for s in sources].index(True) + 1])
    assert len(method.splitlines()) <= 20
    ((group, points),) = toml["project"]["entry-points"].items()
    ((name, module),) = points.items()
    (tmp_path / f"{module}.py").write_text(method, encoding="utf-8")
    folder = tmp_path / f"{module}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
    arguments = ["compare", "x**2*y", "--at", "x=3,y=4", "--method", "fd.richardson", "--engine", "numpy"]
    ran = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert re.search(r"fd\.richardson +numpy .* 24, 9 ", ran.stdout), ran.stdout + ran.stderr


def test_a_wrong_output_is_caught_with_its_line() -> None:
    (fault,) = python_faults("text\n```python\n>>> 1 + 1\n2\n>>> 1 + 2\n4\n```\n")
    assert "line 5, in line 3" in fault
    assert "Expected:\n    4\nGot:\n    3" in fault


def test_blocks_share_a_namespace_and_whitespace_counts() -> None:
    assert not python_faults("```python\n>>> a = 'x  y'\n```\n\n```python\n>>> a\n'x  y'\n```\n")
    assert len(python_faults("```python\n>>> print('x  y')\nx y\n```\n")) == 1


def test_a_python_block_that_checks_nothing_is_refused() -> None:
    (fault,) = python_faults("```python\nf(x)\n```\n")
    assert "a python block without >>> is not checked" in fault


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ("```console checked\n$ rm -r everything\n```\n", "only diffcompare commands can be checked"),
        ("```console checked\n$ diffcompare no-such-command\n```\n", "exit status"),
        ("```console checked\n$ diffcompare --version\nwrong\n```\n", "expected:\nwrong\n"),
    ],
)
def test_a_console_block_that_is_wrong_is_caught(block: str, fault: str, tmp_path: Path) -> None:
    (found,) = console_faults(block, tmp_path)
    assert fault in found


def test_console_blocks_that_are_not_marked_are_left_alone(tmp_path: Path) -> None:
    assert not console_faults("```console\n$ diffcompare no-such-command\n```\n", tmp_path)


def test_commands_are_read_with_their_outputs() -> None:
    (block,) = blocks("```console checked\n$ diffcompare a \\\n  b\nout 1\nout 2\n$ diffcompare c\n```\n", "console")
    assert [(shlex.split(c), e) for c, e in commands(block)] == [(["diffcompare", "a", "b"], "out 1\nout 2\n"), (["diffcompare", "c"], "")]

"""The README's table of ideas: every command and every line of Python in it runs and gives what it says."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

import diffcompare as dc

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?P<idea>[^|`]+) \| `(?P<code>[^`|]+)` \| (?:`(?P<gives>[^`|]+)` )?\|$", re.MULTILINE)
TABLE = README.partition("| idea | to try it | gives |")[2].partition("\n\n")[0]
ROWS = [(m["idea"], m["code"], m["gives"]) for m in ROW.finditer(TABLE)]
SUBJECTS = ("graph", "loops", "conditions", "regression", "network", "losses", "batches", "Taylor", "direction", "Newton", "chain rule")


def test_every_row_of_the_table_is_read() -> None:
    assert len(ROWS) == TABLE.count("\n") - 1 >= 18
    assert all(any(subject in idea for idea, _, _ in ROWS) for subject in SUBJECTS)


@pytest.mark.parametrize(("code", "gives"), [(c, g) for _, c, g in ROWS if not c.startswith("diffcompare ")])
def test_a_line_of_python_gives_what_it_says(code: str, gives: str) -> None:
    found = eval(code, {"dc": dc, "np": np})  # noqa: S307  the README's own code
    assert " ".join(repr(found).split()) == " ".join(gives.split())


@pytest.mark.parametrize("code", [c for _, c, _ in ROWS if c.startswith("diffcompare ")])
def test_a_command_runs_in_an_empty_folder(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from diffcompare.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", shlex.split(code))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    assert len(capsys.readouterr().out.splitlines()) > 3 or (tmp_path / "graph.svg").exists()

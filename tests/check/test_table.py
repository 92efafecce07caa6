"""The committed comparison with other checkers covers the cases of planted.py, and says of ours what the tests say."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def cases() -> Any:
    spec = importlib.util.spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["planted"] = module  # where its dataclass looks for its annotations
    spec.loader.exec_module(module)
    return module


def test_the_committed_table_covers_every_case() -> None:
    planted = cases()
    with (ROOT / "reports" / "checkers" / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    groups = {"mistake": planted.planted(), "right": planted.right(), "right, out of reach": planted.out_of_reach()}
    expected = [(group, c.name, c.mistake, str(c.n), c.operator) for group, found in groups.items() for c in found]
    assert [(r["group"], r["case"], r["mistake"], r["n"], r["operator"]) for r in rows] == expected
    verdicts = {group: {r["diffcompare"] for r in rows if r["group"] == group} for group in groups}
    assert verdicts == {"mistake": {"found", "undecided"}, "right": {"agrees"}, "right, out of reach": {"undecided"}}

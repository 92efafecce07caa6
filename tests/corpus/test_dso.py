"""The 118 classic expressions of symbolic regression: Nguyen, Keijzer, Korns, Vladislavleva, Livermore and others (Petersen et al., ICLR 2021)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import diffcompare as dc

pytestmark = pytest.mark.corpus
POINTS = 12


def read(path: Path) -> Iterator[tuple[str, str, dict[str, tuple[float, float]]]]:
    """(name, expression, {variable: range of the training data}); variables that the expression does not use are inputs too."""
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            ranges = json.loads(row["train_spec"])
            variables = [f"x{k}" for k in range(1, int(row["variables"]) + 1)]
            yield row["name"], row["expression"], {v: _range(ranges.get(v, ranges.get("all"))) for v in variables}


def _range(specification: dict[str, list[float]]) -> tuple[float, float]:
    """{"U": [low, high, count]} or {"E": [low, high, step]}."""
    ((low, high, _),) = specification.values()
    return float(low), float(high)


def test_every_expression_parses_and_its_gradient_is_that_of_the_reference(corpora, tally):
    t = tally("DSO")
    for label, expression, ranges in read(corpora / "dso" / "benchmarks_classic.csv"):
        t.formula(label, expression, t.random_points(label, ranges, POINTS))
    assert t.refused.pop("Neat-6").startswith("unknown function harmonic")
    t.expect(formulas=118, parsed=117, differentiated=117, judged=117)


def test_an_unknown_function_is_named():
    with pytest.raises(dc.ParseError, match=r"unknown function harmonic"):
        dc.parse("harmonic(x1)")

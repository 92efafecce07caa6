"""The 118 classic expressions of symbolic regression: Nguyen, Keijzer, Korns, Vladislavleva, Livermore and others (Petersen et al., ICLR 2021)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
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
        ends = [{v: r[side] for v, r in ranges.items()} for side in (0, 1)]
        t.formula(label, expression, t.random_points(label, ranges, POINTS) + ends)
    assert t.refused["Neat-6"].startswith("unknown function harmonic")
    t.expect(formulas=118, refused=["Neat-6"], parsed=117, differentiated=117, judged=117, points=117 * (POINTS + 2))


def test_harmonic_numbers_through_digamma(corpora, tally):
    t = tally("DSO harmonic")
    ((expression, ranges),) = ((e, r) for name, e, r in read(corpora / "dso" / "benchmarks_classic.csv") if name == "Neat-6")
    text = expression.replace("harmonic(x1)", f"digamma(x1 + 1) + {np.euler_gamma!r}")
    t.formula("Neat-6", text, t.random_points("Neat-6", ranges, POINTS))
    t.expect(formulas=1, judged=1, entries=POINTS)
    assert [dc.value(text)(float(n)) for n in (1, 2, 4)] == pytest.approx([1, 3 / 2, 25 / 12], rel=1e-15)

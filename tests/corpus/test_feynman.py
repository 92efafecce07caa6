"""The 100 formulas of the Feynman Symbolic Regression Database (Udrescu and Tegmark, Science Advances 6, 2020)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.corpus
POINTS = 12


def read(path: Path) -> Iterator[tuple[str, str, dict[str, tuple[float, float]]]]:
    """(number in the lectures, formula, {variable: range}); rows without a formula are left out."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if row["Formula"]:
                variables = [(row[f"v{k}_name"], row[f"v{k}_low"], row[f"v{k}_high"]) for k in range(1, 11)]
                yield row["Filename"], row["Formula"], {name: (float(low), float(high)) for name, low, high in variables if name}


def test_every_formula_parses_and_its_gradient_is_that_of_the_reference(corpora, tally):
    t = tally("Feynman")
    for label, formula, ranges in read(corpora / "feynman" / "FeynmanEquations.csv"):
        t.formula(label, formula, t.random_points(label, ranges, POINTS))
    t.expect(formulas=100, parsed=100, differentiated=100, judged=100, points=1200, entries=4380, outside=0, kinks=0, unresolved=0)

"""Derivatives as two computer algebra systems expect them: the test suites of Algebrite and of Calculus.jl."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import diffcompare as dc
from diffcompare.reference import certify

pytestmark = pytest.mark.corpus
POINTS = 12
RANGE = (0.1, 3.0)
RANGES = {"arcsin": (-1.0, 1.0), "arccos": (-1.0, 1.0), "arctanh": (-1.0, 1.0), "arccosh": (1.0, 10.0), "abs": (-3.0, 3.0)}


def read(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file, delimiter="\t")


def names(row: dict[str, str]) -> list[str]:
    """The variables of a pair: the names that no bracket follows."""
    found = re.findall(r"\b[A-Za-z]\w*\b(?! *\()", f"{row['wrt']} {row['expr']} {row['expected']}")
    return list(dict.fromkeys(found))


def checked(corpora: Path, mark: str) -> list[dict[str, str]]:
    return [row for row in read(corpora / "derivatives" / "pairs.tsv") if row["numerically_checked"] == mark]


def test_the_pairs_marked_yes(corpora, tally):
    t = tally("derivative pairs")
    for k, row in enumerate(checked(corpora, "yes")):
        domain = next((r for name, r in RANGES.items() if f"{name}(" in row["expr"]), RANGE)
        label = f"{k} {row['expr']}"
        points = t.random_points(label, dict.fromkeys(names(row), domain), POINTS)
        t.formula(label, row["expr"], points, wrt=row["wrt"])
        # the two texts say the same: the certified derivative of the one is the certified value of the other
        f, expected = (dc.parse(row[part], inputs=names(row)) for part in ("expr", "expected"))
        for point in points:
            derivative, value = certify(f, "derivative", point, row["wrt"]), certify(expected, "value", point)
            assert derivative.ok and value.ok
            assert value.values[0] == pytest.approx(float(derivative.values[0]), rel=1e-12, abs=0.0), (row, point)
    t.expect(formulas=49, parsed=49, differentiated=49, judged=49, points=49 * POINTS, entries=49 * POINTS, cancelled=0)


def test_the_pairs_that_write_products_without_a_sign_are_refused_with_the_fix(corpora):
    texts = [row[part] for row in checked(corpora, "unparsed") for part in ("expr", "expected")]
    juxtaposed = [text for text in texts if re.search(r"\d[a-z]|\^2 [a-z]", text)]
    assert len(juxtaposed) == 4
    for text in juxtaposed:
        with pytest.raises(dc.ParseError, match=r"an operator is missing here: write \w+\*\w+ for a product"):
            dc.parse(text)


def test_where_written_as_ifelse(corpora):
    (row,) = (row for row in checked(corpora, "unparsed") if row["expected"].startswith("ifelse") and "2x" not in row["expected"])
    derivative, expected = dc.derivative(row["expr"]), dc.value(row["expected"])
    for x in (-2.5, 0.3, 0.99, 1.01, 7.0):
        assert derivative(x) == expected(x)

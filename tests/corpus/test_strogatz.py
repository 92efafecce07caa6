"""The right-hand sides of seven two-dimensional systems from Strogatz, Nonlinear Dynamics and Chaos, as PMLB describes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.corpus
POINTS = 24


def read(folder: Path) -> Iterator[tuple[str, str]]:
    """(name, right-hand side): the line x' = ... or y' = ... of each description."""
    for path in sorted(folder.glob("strogatz_*.yaml")):
        (side,) = re.findall(r"^ *[xy]' = (.+?) *$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        yield path.stem, side


def test_every_right_hand_side_parses_and_its_gradient_is_that_of_the_reference(corpora, tally):
    t = tally("Strogatz")
    for label, side in read(corpora / "strogatz"):
        t.formula(label, side, t.random_points(label, {"x": (-3.0, 3.0), "y": (-3.0, 3.0)}, POINTS))
    t.expect(formulas=14, parsed=14, differentiated=14, judged=14, points=14 * POINTS, entries=2 * 14 * POINTS)

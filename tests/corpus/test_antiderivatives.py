"""Antiderivatives of Apostol's and Stewart's calculus books, from the test suite of Rubi: their derivative is the integrand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.reference import Reference

pytestmark = pytest.mark.corpus
ENOUGH, TRIES = 4, 40
CONSTANTS = {"%e": "e", "%pi": "pi"}
HIGHER = ("Ei(", "Li(", "polylog(", "elliptic_f(", "GAMMA(")
"""Functions beyond the elementary ones: the exponential and logarithmic integrals, the polylogarithm, an elliptic integral,
the incomplete gamma function."""


def read(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(integrand, variable, antiderivatives) of each [integrand, variable, steps, antiderivative, ...] of a Maxima list."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = text[text.index("'[") + 2 :]
    for maxima, name in CONSTANTS.items():
        text = text.replace(maxima, name)
    fields, depth, start = [""], 0, 0
    for k, c in enumerate(text):
        if c in "[(":
            depth += 1
            start = k + 1 if depth == 1 else start
        elif c in "])":
            depth -= 1
        if (c == "," and depth == 1) or (c == "]" and depth == 0):
            fields.append(text[start:k].strip())
            start = k + 1
        if c == "]" and depth == 0:
            _, integrand, variable, _, *antiderivatives = fields
            yield integrand, variable, antiderivatives
            fields = [""]


def candidates(seed: str, variable: str, names: list[str]) -> list[dict[str, float]]:
    """Points of which some are inside most domains: the variable in [-3, 3], in [0, 1] and of magnitudes from 0.01 to 100 by turns."""
    rng = np.random.default_rng([ord(c) for c in seed])
    points = []
    for k in range(TRIES):
        x = [rng.uniform(-3, 3), rng.uniform(0, 1), rng.choice([-1, 1]) * 10 ** rng.uniform(-2, 2)][k % 3]
        points.append({variable: float(x), **{n: float(rng.uniform(0.5, 3)) for n in names if n != variable}})
    return points


BOOKS = {"Apostol": (175, 159, 158), "Stewart": (377, 377, 370)}
"""Antiderivatives in all, elementary ones, those that are real anywhere: the others are atanh of what is beyond ±1."""


@pytest.mark.parametrize("book", BOOKS)
def test_the_derivative_of_every_elementary_antiderivative_is_its_integrand(corpora, tally, book):
    t, differing, compared = tally(book), [], 0
    for k, (integrand, variable, antiderivatives) in enumerate(read(corpora / "rubi" / f"{book} Problems.mac")):
        names = sorted({*re.findall(r"\b[A-Za-z]\w*\b(?!\()", integrand), variable} - set(CONSTANTS.values()))
        for text in antiderivatives:
            label, points = f"{book} {k}", candidates(text, variable, names)
            t.formula(label, text, points, variable, ENOUGH)
            if label not in t.refused:
                found, different = compare(dc.parse(text, inputs=names), dc.parse(integrand, inputs=names), points, variable)
                compared += found > 0
                differing += [f"{label}: {text} is no antiderivative of {integrand}: {d}" for d in different]
            else:
                assert any(name in text for name in HIGHER), t.refused[label]
    assert not differing, "\n".join(differing)
    formulas, elementary, real = BOOKS[book]
    assert compared == real
    t.expect(formulas=formulas, parsed=elementary, differentiated=elementary, judged=real, refused=t.refused, cancelled=0.025)


def compare(f: dc.Function, integrand: dc.Function, points: list[dict[str, float]], variable: str) -> tuple[int, list[str]]:
    """(points compared, differences) of the certified derivative and the certified integrand.

    They may differ by what rounding the constants of the formulas to float64 does: 1/3 and the constant e are not exact.
    """
    one, other, compared, differences = Reference(f), Reference(integrand), 0, []
    for point in points:
        derivative, value = one.certify("derivative", point, variable), other.certify("value", point)
        if derivative.ok and value.ok:
            compared += 1
            a, b = float(derivative.values[0]), float(value.values[0])
            allowed = 8 * (one.noise(point, 53, "derivative", variable)[0] + other.noise(point)[0])
            if abs(a - b) > max(1e-12 * abs(b), allowed):
                differences.append(f"{a!r} and {b!r} at {point}")
        if compared == ENOUGH:
            break
    return compared, differences

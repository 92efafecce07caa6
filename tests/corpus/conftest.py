"""The folder of other people's problems, and the judge of derivatives at random points of them."""

from __future__ import annotations

import math
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.differentiators.base import Derivative
from diffcompare.reference import Reference

METHODS = ("ad.forward", "ad.reverse", "symbolic")
EPSILON = 2.0**-52
RELATIVE, CONDITIONED = 1e-12, 8 * EPSILON
"""The error allowed: RELATIVE, or CONDITIONED times the condition number of the derivative, whichever is larger."""
SMALLEST = 2.0**-1074
Ranges = Mapping[str, tuple[float, float]]
Point = dict[str, float]


@pytest.fixture(scope="session")
def corpora(pytestconfig: pytest.Config) -> Path:
    """The folder of the collections; the test is skipped, saying so, where there is none."""
    default = pytestconfig.rootpath / ".." / "shared" / "corpora"
    folder = Path(os.environ.get("DIFFCOMPARE_CORPORA", default))
    if not folder.is_dir():
        pytest.skip(f"no collections of problems at {folder}: set DIFFCOMPARE_CORPORA to their folder")
    return folder


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Iterator[Callable[[str], Tally]]:
    """tally(name) starts the record of one collection; what it found is printed at the end of the run."""
    made: list[Tally] = []

    def start(name: str) -> Tally:
        made.append(Tally(name))
        return made[-1]

    yield start
    for t in made:
        record_property("tally", t.summary())


def random_points(seed: str, ranges: Ranges, count: int) -> list[Point]:
    """Points in the ranges, the same in every run and for every order of the formulas."""
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    return [{name: float(rng.uniform(low, high)) for name, (low, high) in ranges.items()} for _ in range(count)]


class Tally:
    """One collection: what was covered, and how accurate it was.

    refused: {formula: why it was not parsed or differentiated}. wrong: every entry beyond its bound, in words.
    """

    random_points = staticmethod(random_points)

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self.refused: dict[str, str] = {}
        self.wrong: list[str] = []
        self.accuracy = {m: Accuracy() for m in METHODS}

    # --- judging ---

    def formula(self, label: str, text: str, points: Sequence[Point], wrt: str | None = None, enough: int | None = None) -> None:
        """Judge the gradient of a formula (or its derivative by `wrt`) by every method at the points.

        enough: how many points inside the domain suffice; the rest is not tried.
        """
        self.counts["formulas"] += 1
        try:
            function = dc.parse(text, inputs=list(points[0]))
        except dc.DiffCompareError as error:
            self.refused[label] = str(error)
            return
        self.counts["parsed"] += 1
        try:
            derivatives = {m: dc.gradient(function, wrt, method=m, engine="python") for m in METHODS}
        except dc.DiffCompareError as error:
            self.refused[label] = str(error)
            return
        self.counts["differentiated"] += 1
        reference, inside = Reference(function), 0
        for point in points:
            inside += self.judge(label, reference, derivatives, point, wrt)
            if inside == enough:
                break
        self.counts["judged"] += inside > 0

    def judge(self, label: str, reference: Reference, derivatives: Mapping[str, Derivative], point: Point, wrt: str | None = None) -> bool:
        """Compare derivatives with the certified one at a point; whether any entry has a certified value."""
        truth = reference.certify("gradient", point, wrt, condition=True)
        status = [str(s) for s in truth.status]
        self.counts["points"] += 1
        self.counts.update({"ok": "entries", "domain": "outside", "unresolved": "unresolved"}.get(s, "kinks") for s in status)
        sensitivity = truth.sensitivity or []
        names = [wrt] if wrt else list(point)
        noise: list[float] | None = None
        for method, derivative in derivatives.items():
            answer = derivative(**point)
            for k, value in enumerate(answer if len(names) > 1 else [answer]):
                self.accuracy[method].finite_outside += status[k] == "domain" and math.isfinite(value)
                if status[k] != "ok":
                    continue
                true = float(truth.values[k])
                error = abs(value - true) if value != true else 0.0
                bound = max(RELATIVE * abs(true), CONDITIONED * float(np.nan_to_num(sensitivity[k])), 4 * SMALLEST)
                cancelled = False
                if not error <= bound:
                    noise = noise or [float(n) for n in reference.noise(point, 53, "gradient", wrt)]
                    cancelled = error <= 8 * noise[k]
                    if not cancelled:
                        at = ", ".join(f"{n}={v!r}" for n, v in point.items())
                        self.wrong.append(
                            f"{label}: d/d{names[k]} by {method} is {value!r}, the truth {true!r}, {error / bound:.3g} bounds apart, at {at}"
                        )
                self.accuracy[method].add(error, true, bound, cancelled)
        return "ok" in status

    # --- the outcome ---

    def expect(self, *, refused: Iterable[str] = (), cancelled: float = 0.0, **counts: int) -> None:
        """Assert that nothing is wrong, that exactly these formulas are refused, and that coverage is what it was.

        cancelled: the share of entries that may be beyond the bound by cancellation within the formula.
        """
        assert not self.wrong, "\n".join(self.wrong)
        assert self.refused.keys() == set(refused), self.refused
        assert {k: self.counts[k] for k in counts} == counts
        for method, accuracy in self.accuracy.items():
            assert accuracy.cancelled <= cancelled * accuracy.compared, method

    def summary(self) -> dict[str, Any]:
        columns = ("formulas", "parsed", "differentiated", "judged", "points", "entries", "outside", "kinks", "unresolved")
        accuracy = [{"corpus": self.name, "method": m, **a.row()} for m, a in self.accuracy.items()]
        return {"coverage": {"corpus": self.name, **{c: self.counts[c] for c in columns}}, "accuracy": accuracy}


class Accuracy:
    """The errors of one method."""

    def __init__(self) -> None:
        self.compared = self.close = self.cancelled = self.finite_outside = 0
        self.relative = self.bounds = 0.0

    def add(self, error: float, true: float, bound: float, cancelled: bool) -> None:
        self.compared += 1
        self.close += error <= 4 * math.ulp(true)
        self.cancelled += cancelled
        if not cancelled:
            self.relative = max(self.relative, error / abs(true) if true else 0.0)
            self.bounds = max(self.bounds, error / bound)

    def row(self) -> dict[str, Any]:
        share = f"{100 * self.close / self.compared:.1f} %" if self.compared else "-"
        return {
            "compared": self.compared,
            "within 4 ulp": share,
            "worst relative": f"{self.relative:.1e}",
            "of the bound": f"{self.bounds:.1e}",
            "cancelled": self.cancelled,
            "finite outside": self.finite_outside,
        }

"""The folder of other people's problems, and the judge of derivatives at random points of them."""

from __future__ import annotations

import math
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.differentiators.base import Derivative
from diffcompare.dsl.core import BOOL
from diffcompare.dsl.walk import postorder
from diffcompare.reference import Reference, certify

METHODS = ("ad.forward", "ad.reverse", "symbolic")
EPSILON = 2.0**-52
RELATIVE, CONDITIONED = 1e-12, 8 * EPSILON
"""The error allowed: RELATIVE, or CONDITIONED times the condition number of the derivative, whichever is larger."""
CANCELLATION = 8
LARGE, NORMAL = 1e150, 2.0**-1022
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
            inside += self._judge(f"{label}: {text}", Place(text, reference, point, wrt), derivatives)
            if inside == enough:
                break
        self.counts["judged"] += inside > 0

    def _judge(self, label: str, place: Place, derivatives: Mapping[str, Derivative]) -> bool:
        """Compare derivatives with the certified one at a point; whether any entry has a certified value."""
        self.counts["points"] += 1
        self.counts.update({"ok": "entries", "domain": "outside", "unresolved": "unresolved"}.get(s, "kinks") for s in place.status)
        for method, derivative in derivatives.items():
            answer = derivative(**place.point)
            values = answer if len(place.names) > 1 else [answer]
            for name, value, status, true, bound in zip(place.names, values, place.status, place.truth, place.bound, strict=True):
                accuracy = self.accuracy[method]
                accuracy.finite_outside += status == "domain" and math.isfinite(value)
                if status == "ok":
                    error = abs(value - true) if value != true else 0.0
                    reason = None if error <= bound else place.excuse(name, error)
                    accuracy.add(error, true, bound, reason)
                    if reason == "wrong":
                        self.wrong.append(f"{label}: d/d{name} by {method} is {value!r}, the truth {true!r}, at {place.point}")
        return "ok" in place.status

    # --- the outcome ---

    def expect(self, *, refused: Iterable[str] = (), cancelled: float = 0.0, out_of_range: float = 0.0, **counts: int) -> None:
        """Assert that nothing is wrong, that exactly these formulas are refused, and that coverage is what it was.

        cancelled, out_of_range: the share of entries that may be beyond the bound for these reasons.
        """
        assert not self.wrong, "\n".join(self.wrong)
        assert self.refused.keys() == set(refused), self.refused
        assert {k: self.counts[k] for k in counts} == counts
        for method, accuracy in self.accuracy.items():
            assert accuracy.reasons["cancelled"] <= cancelled * accuracy.compared, method
            assert accuracy.reasons["out of range"] <= out_of_range * accuracy.compared, method

    def summary(self) -> dict[str, Any]:
        columns = ("formulas", "parsed", "differentiated", "judged", "points", "entries", "outside", "kinks", "unresolved")
        accuracy = [{"corpus": self.name, "method": m, **a.row()} for m, a in self.accuracy.items()]
        return {"coverage": {"corpus": self.name, **{c: self.counts[c] for c in columns}}, "accuracy": accuracy}


class Place:
    """A formula at a point: what is certified of its gradient, the error allowed, and why more may be excused."""

    def __init__(self, text: str, reference: Reference, point: Point, wrt: str | None) -> None:
        self.text, self.reference, self.point = text, reference, point
        self.names = [wrt] if wrt else list(point)
        certified = reference.certify("gradient", point, wrt, condition=True)
        self.status = [str(s) for s in certified.status]
        self.truth = [float(v) for v in certified.values]
        sensitivity = np.nan_to_num(np.array(certified.sensitivity, dtype=float))
        self.bound = [max(RELATIVE * abs(v), CONDITIONED * float(s)) for v, s in zip(self.truth, sensitivity, strict=True)]

    def excuse(self, name: str, error: float) -> str:
        """Why an error beyond the bound is the formula's own, as float64 evaluates it: "cancelled" or "out of range", else "wrong"."""
        rounding = self._rounding[name]
        if error <= CANCELLATION * rounding:
            return "cancelled"
        if self._leaves_the_range or abs(self.truth[self.names.index(name)]) < NORMAL:
            return "out of range"
        return "cancelled" if math.isnan(rounding) else "wrong"  # NaN: nothing bounds what rounding does, as in 1/(exp(x) - 1) near 0

    @cached_property
    def _rounding(self) -> dict[str, float]:
        """What rounding may do to each derivative, by two independent counts, the larger.

        The running error of the formula's power series; and that of the sum that the derivative is, of one term for each
        place where the variable stands: reverse mode adds these terms, and forward mode others.
        """
        names = list(self.point)
        text, places = spread_out(self.text, names)
        apart = Reference(dc.parse(text, inputs=list(places)))
        point = {place: self.point[name] for place, name in places.items()}
        terms = np.abs(np.array(apart.certify("gradient", point).values, dtype=float)) * EPSILON
        terms = terms + np.array(apart.noise(point, 53, "gradient"), dtype=float)
        together = dict(zip(names, self.reference.noise(self.point, 53, "gradient"), strict=True))
        return {n: max(float(together[n]), sum(float(t) for t, p in zip(terms, places.values(), strict=True) if p == n)) for n in names}

    @cached_property
    def _leaves_the_range(self) -> bool:
        """Whether an intermediate result is so large or small that it, or its derivatives, may leave float64."""
        function = self.reference.function
        nodes = [n for n in postorder(function.outputs) if n.dtype != BOOL]
        inner = certify(function.with_outputs(nodes, single=False), "value", self.point)
        sizes = [abs(float(v)) for v, ball in zip(inner.values, inner.balls, strict=True) if not ball.item().is_zero()]
        return any(not 1 / LARGE < s < LARGE for s in sizes)


def spread_out(text: str, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """(the text with each place of a variable named apart, {new name: variable})."""
    places: dict[str, str] = {}

    def apart(match: re.Match[str]) -> str:
        place = f"{match[0]}_at_{len(places)}"
        places[place] = match[0]
        return place

    alternatives = "|".join(map(re.escape, names))
    return re.sub(rf"(?<![\w.])(?:{alternatives})(?![\w(])", apart, text), places


class Accuracy:
    """The errors of one method; those beyond the bound for a reason are counted by it."""

    def __init__(self) -> None:
        self.compared = self.close = self.finite_outside = 0
        self.relative = self.bounds = 0.0
        self.reasons: Counter[str] = Counter()

    def add(self, error: float, true: float, bound: float, reason: str | None) -> None:
        self.compared += 1
        self.close += error <= 4 * math.ulp(true)
        if reason is not None:
            self.reasons[reason] += 1
        if reason in (None, "wrong") and error:
            self.relative = max(self.relative, error / abs(true) if true else math.inf)
            self.bounds = max(self.bounds, error / bound if bound else math.inf)

    def row(self) -> dict[str, Any]:
        share = f"{100 * self.close / self.compared:.1f} %" if self.compared else "-"
        return {
            "compared": self.compared,
            "within 4 ulp": share,
            "worst relative": f"{self.relative:.1e}",
            "of the bound": f"{self.bounds:.1e}",
            "cancelled": self.reasons["cancelled"],
            "out of range": self.reasons["out of range"],
            "wrong": self.reasons["wrong"],
            "finite outside": self.finite_outside,
        }

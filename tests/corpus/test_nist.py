"""Least squares through our Jacobians reaches NIST's certified parameters and sums of squares."""

from __future__ import annotations

import csv
import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffcompare.problem import Family, library

ROOT = Path(__file__).parents[2]


def _script() -> Any:
    """fits.py beside this file: it makes the committed table."""
    spec = importlib.util.spec_from_file_location("fits", Path(__file__).with_name("fits.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fits"] = module  # where its dataclass looks for its annotations
    spec.loader.exec_module(module)
    return module


fits = _script()
NAMES = [n for n, entry in library().items() if isinstance(entry, Family) and "nist" in entry.tags]


@cache
def data_sets(corpora: Path) -> dict[str, Any]:
    return {d.family.name: d for d in fits.data_sets(corpora)}


def test_there_are_27() -> None:
    assert len(NAMES) == 27


@pytest.mark.corpus
@pytest.mark.parametrize("name", NAMES)
def test_starts_and_parameters_of_the_problem_are_nist_s(name: str, corpora: Path) -> None:
    d = data_sets(corpora)[name]
    problem = d.family()
    assert [problem.point(label)["b"].tolist() for label in ("start", "second start")] == d.starts.tolist()
    np.testing.assert_allclose(problem.point("near the minimum")["b"], d.certified, rtol=5e-4)
    for predictor in [n for n in problem.data if n != "y"]:
        low, high = np.min(d.data[predictor]), np.max(d.data[predictor])
        assert np.all(
            (problem.points[0][predictor] > low - 0.01 * (high - low)) & (problem.points[0][predictor] < high * 1.01 + 0.01 * (high - low))
        )


@pytest.mark.corpus
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", [0, 1])
def test_the_certified_values_are_reached(name: str, start: int, corpora: Path) -> None:
    d = data_sets(corpora)[name]
    _, fitted = d.best(start, "ad.reverse" if start else "manual")
    assert fits.digits(fitted.parameters, d.certified) >= 8
    if name == "nist_lanczos1":  # its residuals are 1e-13 of data with 14 digits
        assert fitted.rss == pytest.approx(d.rss, rel=0.01)
        return
    assert fits.digits(fitted.rss, d.rss) >= 8
    assert fits.digits(fitted.errors, d.deviations) >= 8


@pytest.mark.corpus
@pytest.mark.parametrize("method", ["ad.forward", "symbolic"])
def test_other_methods_reach_them_too(method: str, corpora: Path) -> None:
    chosen = [data_sets(corpora)[f"nist_{n}"] for n in ("misra1c", "gauss3", "roszman1", "enso", "rat43")]
    assert min(fits.digits(d.fit(1, method, "lm").parameters, d.certified) for d in chosen) >= 8


def test_the_committed_table_is_of_every_data_set_and_start_and_reaches_the_goal() -> None:
    with (ROOT / "reports" / "nist" / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted((f"nist_{r['data'].lower()}", r["start"]) for r in rows) == sorted((n, s) for n in NAMES for s in ("1", "2"))
    for exact in ("manual", "ad.forward", "ad.reverse", "symbolic"):
        reached = {s: sum(float(r[exact]) >= 8 for r in rows if r["start"] == s) for s in ("1", "2")}
        assert reached["2"] >= 25
        assert reached["1"] >= 20

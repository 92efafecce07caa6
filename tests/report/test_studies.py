"""Studies beside the records: what is asked, what is kept, where lines cross."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from diffcompare.measure.audit.rows import Edge
from diffcompare.measure.environment import environment
from diffcompare.measure.record import Measurement
from diffcompare.problem import find
from diffcompare.report import studies
from diffcompare.report.chapters.rules import kinks
from diffcompare.report.studies import AUDIT_FILE, audit_once, crossovers, study, sweep, timed


def seconds(problem: str, operator: str, method: str, call_s: float | None) -> Measurement:
    return Measurement(problem, operator, method, "ad", "python", "ok", call_s=call_s)


def test_time_is_told_against_the_function_on_the_same_engine() -> None:
    records = [
        seconds("helmholtz(n=2)", "value", "ad.reverse", 2e-6),
        seconds("helmholtz(n=2)", "gradient", "ad.reverse", 5e-6),
        seconds("helmholtz(n=2)", "gradient", "symbolic", None),
        seconds("helmholtz(n=4)", "gradient", "ad.reverse", 5e-6),  # of which the function was not timed
    ]
    (row,) = timed(records).to_dict("records")
    assert (row["problem"], row["n"], row["inputs"]) == ("helmholtz · python", 2, 2)
    assert row["ratio"] == pytest.approx(2.5)
    assert timed([]).empty


def test_a_crossover_is_where_the_other_becomes_dearer_for_good() -> None:
    n = [2, 4, 8, 16]
    ratios = {
        "ad.reverse": [4.0, 4.0, 4.0, 4.0],
        "fd.forward": [1.0, 2.0, 8.0, 16.0],  # 4 at n = 5.66, halfway between 4 and 8 on a logarithmic axis
        "manual": [1.0, 1.0, 1.0, 1.0],
        "ad.forward": [5.0, 6.0, 7.0, 8.0],
        "symbolic": [0.0, 2.0, math.nan, 8.0],  # an exact 0 has no logarithm, a refusal no cost
    }
    table = pd.DataFrame(
        [{"problem": "f", "method": m, "n": k, "ratio": r} for m, values in ratios.items() for k, r in zip(n, values, strict=True)]
    )
    found = crossovers(table).set_index("method")["from"]
    assert found["fd.forward"] == pytest.approx(math.sqrt(32))
    assert math.isnan(found["manual"])
    assert found["ad.forward"] == 0
    assert found["symbolic"] == pytest.approx(8.0)


def test_the_sweep_asks_the_function_and_its_gradient_at_every_size() -> None:
    asked = {(j.problem, str(j.question.operator)) for j in sweep()}
    assert asked == {(f"helmholtz(n={n})", o) for n in studies.TIMED_SIZES for o in ("value", "gradient")}
    assert {len(j.labels) for j in sweep()} == {1}


def test_a_report_of_named_problems_studies_these_alone() -> None:
    found = study(find("seed_polynomial"), survey=False)
    assert list(found.curves) == ["seed_polynomial"]
    assert (found.swell, found.costs) == (None, None)
    assert study(find("polar_to_cartesian"), survey=False).without == {"polar_to_cartesian": "its result is an array"}


def test_a_function_that_would_take_too_long_has_no_curve_and_says_why() -> None:
    found = study(find("rosenbrock(n=2000)"), survey=False)
    assert not found.curves
    assert "operations; curves are drawn up to 5,000" in found.without["rosenbrock(n=2000)"]


def test_the_audit_is_made_once_for_each_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "AUDITED", ["abs"])
    monkeypatch.setattr(studies, "AUDIT_POINTS", 4)
    here = environment().id
    first = audit_once(tmp_path, here)
    assert {r.function for r in first} == {"abs"}
    before = (tmp_path / AUDIT_FILE).read_bytes()
    assert {r.function for r in audit_once(tmp_path, here)} == {"abs"}
    assert (tmp_path / AUDIT_FILE).read_bytes() == before
    (tmp_path / AUDIT_FILE).write_text((tmp_path / AUDIT_FILE).read_text().replace(here, "0" * len(here)))
    audit_once(tmp_path, here)
    assert here in (tmp_path / AUDIT_FILE).read_text().splitlines()[0]


def test_kinks_are_listed_where_answers_differ_and_once_for_both_zeros() -> None:
    edges = [
        Edge("abs", 1, "x", at, "kink", "convention", 0.0, a, v, who)
        for at in ("0x0.0p+0", "-0x0.0p+0")
        for a, v, who in ((0.0, "right", "ad"), (1.0, "wrong", "peer.jax"))
    ]
    edges.append(Edge("relu", 1, "x", "0x0.0p+0", "kink", "convention", 0.0, 0.0, "right", "all"))
    table = kinks(edges)
    assert table.to_numpy().tolist() == [["∂abs/∂x", "x = 0", "0 (ad); 1 (peer.jax)", "0"]]

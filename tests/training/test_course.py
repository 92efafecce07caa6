"""The lessons of training: every finding is told from its table, and the tables show what the article claims."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from diffcompare.training import course as lessons


@pytest.fixture(scope="module")
def made() -> dict[str, lessons.Lesson]:
    found = lessons.course()
    assert not found.missing
    return {k.name: k for k in found.lessons}


def test_the_gradient_is_the_steepest_direction(made: dict[str, lessons.Lesson]) -> None:
    table = made["directions"].table
    assert table["slope"].max() == pytest.approx(26.0, rel=1e-4)
    assert table.loc[table["slope"].idxmax(), "angle"] == 23.0
    assert np.allclose(table["slope"], 24 * np.cos(np.radians(table["angle"])) + 10 * np.sin(np.radians(table["angle"])))
    assert "climbs fastest along 23°" in made["directions"].finding


def test_remainders_shrink_like_the_second_and_third_power(made: dict[str, lessons.Lesson]) -> None:
    slopes = re.findall(r"(?:power|like) (\d\.\d\d)", made["remainders"].finding)
    assert [round(float(s), 1) for s in slopes] == [2.0, 3.0]


def test_a_small_step_against_the_gradient_lowers_f(made: dict[str, lessons.Lesson]) -> None:
    table = made["descent"].table
    assert table["change"][0] == 0 and (table["change"][1:10] < 0).all() and table["change"].iloc[-1] > 0
    assert "from a rate of 0.00172 on, f rises" in made["descent"].finding


def test_all_methods_learn_the_same(made: dict[str, lessons.Lesson]) -> None:
    ends = made["methods"].table.groupby("method")["loss"].last()
    assert set(ends.index) == set(lessons.METHODS)
    assert np.ptp(ends) < 1e-9
    apart = made["methods"].table.groupby("method")["distance"].last()
    assert apart[list(lessons.EXACT)].max() < 1e-13 < apart["fd.central"] < apart["fd.forward"]


def test_small_batches_learn_faster_for_the_same_samples(made: dict[str, lessons.Lesson]) -> None:
    ends = made["batches"].table.groupby("batch")["loss"].last()
    assert ends[1] < ends[8] < ends[32] < ends[113]
    assert made["batches"].table.groupby("batch")["passes"].max().between(8, 10).all()


def test_noise_stops_training_early(made: dict[str, lessons.Lesson]) -> None:
    ends = made["noise"].table.groupby(["precision", "method"])["excess"].apply(lambda e: e.tail(20).median())
    assert ends["float32", "fd.forward"] > 1e3 * ends["float32", "fd.central"] > 1e3 * ends["float64", "ad.reverse"]


def test_the_0_1_loss_is_stuck_and_says_so(made: dict[str, lessons.Lesson]) -> None:
    table = made["losses"].table.set_index("loss")
    assert table.loc["zero_one", "status"] == "stuck" and table.loc["zero_one", "moved"] == 0
    assert (table.drop("zero_one")["status"] == "ok").all()
    assert table.loc["absolute", "unrest"] > 1e6 * table.loc["huber", "unrest"]


def test_lessons_are_kept_for_one_environment(made: dict[str, lessons.Lesson], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []

    def made_again(progress: object) -> lessons.Course:
        asked.append(None)
        return lessons.Course(tuple(made.values()), ("why",))

    monkeypatch.setattr(lessons, "course", made_again)
    for environment in ("one", "one", "two"):
        again = lessons.course_once(tmp_path / "data", environment)
        assert again.missing == ("why",) and "noise" in again and "else" not in again
        assert [(k.name, k.title, k.finding) for k in again.lessons] == [(k.name, k.title, k.finding) for k in made.values()]
        assert all(k.table.shape == made[k.name].table.shape for k in again.lessons)
        assert again["directions"].table.equals(made["directions"].table)
    assert len(asked) == 2


def test_without_the_extra_what_needs_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optax", None)
    from diffcompare.problems import datasets

    datasets.load.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    found = lessons.course()
    assert [k.name for k in found.lessons] == ["directions", "remainders", "descent"]
    assert found.missing and all("diffcompare[train]" in reason for reason in found.missing)

"""Every chart is valid Vega-Lite, its colours have a dark counterpart, and what a mark stands for is with the mark."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diffcompare.problem import find
from diffcompare.report import charts
from diffcompare.report.chapters.accuracy import front
from diffcompare.report.chapters.step import with_tips
from diffcompare.report.chapters.swell import long
from diffcompare.report.survey import scaling, step_curve, swell_table

MARKS = pd.DataFrame(
    {
        "label": ["a · numpy", "b · jax", "", ""],
        "family": ["ad", "fd", "fd", "peer"],
        "engine": ["numpy", "jax", "python", "llvm"],
        "time": [1e-6, 1e-4, 2e-6, 5e-5],
        "error": [0.1, 1e9, 3.0, 0.1],
        "right": [True, False, True, True],
        "front": [True, False, False, False],
        "tip": ["one", "two", "three", "four"],
    }
)
COSTS = scaling("rosenbrock", (2, 4), ("manual", "ad.reverse", "fd.forward")).assign(panel="", tip="t")
LINES = pd.DataFrame({"line": ["one", "one", "ad.reverse"], "x": [1.0, 2.0, 4.0], "y": [1e-3, 1.0, 2.0]})
BITS = pd.DataFrame({"function": ["exp", "tanh"], "who": "ad.reverse · numpy", "order": "first", "bits": [1.0, 63.0], "tip": "t"})

DRAWN: dict[str, Callable[[bool], Any]] = {
    "accuracy": lambda narrow: charts.accuracy_against_time(MARKS, narrow, "time", True),
    "relative": lambda narrow: charts.accuracy_against_time(MARKS, narrow, "time", False),
    "steps": lambda narrow: charts.step_error(with_tips(step_curve(find("logistic_map")[0], steps=[1e-9, 1e-6, 1e-3])), narrow),
    "swell": lambda narrow: charts.swell(long(swell_table(sizes=[2, 3])), narrow),
    "scaling": lambda narrow: charts.scaling(COSTS, narrow, "n", "ratio"),
    "panels": lambda narrow: charts.scaling(pd.concat([COSTS.assign(panel=p) for p in "ab"]), narrow, "n", "ratio"),
    "lines": lambda narrow: charts.lines(LINES, narrow, ("x", "y"), (False, True)),
    "bits": lambda narrow: charts.lost_bits(BITS, narrow),
}
every_chart = pytest.mark.parametrize("name", DRAWN)


@every_chart
def test_a_chart_is_valid(name: str) -> None:
    for narrow in (False, True):
        DRAWN[name](narrow).to_dict(validate=True)


@every_chart
def test_every_colour_has_one_for_dark_readers(name: str) -> None:
    svg = charts.svg(DRAWN[name])
    used = set(re.findall(r'(?:fill|stroke)="(#[^"]*)"', svg))
    assert used <= set(charts.DARK)
    assert not re.findall(r'(?:fill|stroke)="(?!none|transparent|#)[^"]*"', svg)


@every_chart
def test_marks_say_what_they_are_on_the_page_and_the_file_is_whole(name: str) -> None:
    assert 'data-tip="' in charts.svg(DRAWN[name])
    alone = charts.svg(DRAWN[name], alone=True)
    assert alone.startswith('<svg xmlns="http://www.w3.org/2000/svg" width=')
    assert "prefers-color-scheme:dark" in alone
    assert "data-tip" not in alone


@every_chart
def test_a_narrow_chart_fits_a_phone(name: str) -> None:
    (width,) = re.findall(r'^<svg class="chart" width="([\d.]+)"', charts.svg(DRAWN[name], narrow=True))
    assert float(width) <= 358  # 390 less the margins of the page


def contrast(a: str, b: str) -> float:
    """Of two colours, by WCAG 2.1."""

    def luminance(colour: str) -> float:
        parts = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", sorted({*charts.FAMILIES.values(), *(c for c, _, _ in charts.LINES.values()), charts.INK, charts.SOFT}))
def test_lines_and_words_stand_out_in_light_and_in_dark(colour: str) -> None:
    assert contrast(colour, "#ffffff") >= 3.0
    assert contrast(charts.DARK[colour], charts.DARK["#ffffff"]) >= 3.0


def test_no_two_lines_differ_by_colour_alone() -> None:
    assert len({(str(dash), shape) for _, dash, shape in charts.LINES.values()}) == len(charts.LINES)
    assert len({(str(dash), shape) for _, dash, shape in charts.LINE_STYLES}) == len(charts.LINE_STYLES)


def test_the_front_joins_what_nothing_beats() -> None:
    table = pd.DataFrame({"time": [1.0, 2.0, 3.0, 1.0, 0.5], "error": [3.0, 2.0, 2.5, 3.0, 0.1], "right": [True, True, True, True, False]})
    assert front(table) == [True, True, False, True, False]

"""A step that lands on a pole has no error to draw."""

from __future__ import annotations

import math

import pandas as pd

from diffcompare.report.chapters.step import with_tips


def test_infinite_values_are_left_out_of_the_curve() -> None:
    curve = pd.DataFrame(
        {"method": "fd.backward", "h": [1.0, 0.1, 0.01], "value": [math.inf, 2.0, math.nan], "error": [math.inf, 1e-3, math.nan]}
    )
    shown = with_tips(curve)
    assert list(shown["h"]) == [0.1]
    assert list(shown["tip"]) == ["fd.backward, h = 1.0e-01: error 0.001"]

"""The call on floats gives bit for bit what a batch of one point gives, at edges too."""

from __future__ import annotations

import math

import numpy as np
import pytest

from diffcompare.differentiate import prepare
from diffcompare.differentiators.finite_difference import FiniteDifference
from diffcompare.dsl import function, symbols
from diffcompare.dsl.elementary import exp

x, y = symbols("x y")
EDGES = [0.0, -0.0, 1.0, -1.0, 0.3, 1e-3, -7.5, 1e-300, 5e-324, 1e17, -1e300, 1.7e308, math.inf, -math.inf, math.nan]
CONFIGURED = [
    "fd.forward",
    "fd.backward",
    "fd.central",
    "fd.complex",
    *(
        FiniteDifference(k, **o)
        for k in ("forward", "central", "complex")
        for o in ({"step": 1e-5}, {"scale": "relative"}, {"scale": "absolute"})
    ),
    FiniteDifference("backward", step=1e-4, scale="relative"),
    FiniteDifference("complex", step=1e-20, scale="relative"),
]


def blocks(result):
    return [block for part in result for block in blocks(part)] if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("method", CONFIGURED, ids=lambda m: m if isinstance(m, str) else m.name)
@pytest.mark.parametrize("operator", ["gradient", "value_and_gradient", "jacobian", "derivative"])
def test_a_call_on_floats_is_bit_for_bit_a_batch_of_one(method, operator):
    expression = exp(-x) * y + 1.0 / y if operator != "derivative" else exp(x) / x
    f = function([x, y] if operator != "derivative" else [x], [expression, x * x] if operator == "jacobian" else expression)
    d = prepare(f, operator, method=method, engine="python")
    for a in EDGES:
        for at in [(a,)] if operator == "derivative" else [(a, b) for b in (2.5, 0.0, a)]:
            single = blocks(d(*at)) if operator != "derivative" else [d(*at)]
            batch = d(*(np.array([t]) for t in at))
            many = blocks(batch) if operator != "derivative" else [batch]
            for s, m in zip(single, many, strict=True):
                np.testing.assert_array_equal(s, m[0], err_msg=f"{at}")
                assert math.isnan(s) or math.copysign(1.0, s) == math.copysign(1.0, m[0]), at

"""Guards that cannot fail go, others stay, and no result changes."""

import numpy as np
import pytest

from diffcompare.differentiate import gradient
from diffcompare.dsl import function, symbol
from diffcompare.dsl.arithmetic import abs_, le, maximum, where
from diffcompare.dsl.elementary import exp, log, log1p, sqrt
from diffcompare.dsl.structural import concatenate
from diffcompare.dsl.structural import sum as total
from diffcompare.dsl.walk import postorder
from diffcompare.engines.schedule import schedule
from diffcompare.transforms import guards
from diffcompare.transforms.guards import without_idle_guards
from diffcompare.transforms.lower import lower

v = symbol("v", (10,))
EDGES = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -1e300, 1e300, -2.5, 0.7])
IDLE = {
    "softplus": total(log1p(exp(v))),
    "log-sum-exp": log(total(exp(v))),
    "log of a sum of squares": total(log(v * v + 1.0)),
    "magnitude": total(log(abs_(v))),
    "pieces": total(log(concatenate([exp(v[3:]), sqrt(v[:3])]))),
    "larger of two": total(log(maximum(exp(v), abs_(v) * exp(-v)))),
}
NEEDED = {
    "log": total(log(v)),
    "a difference": total(log(exp(v) - 1.0)),
    "a quotient": total(log(exp(v) / v)),
    "1/-0": total(log(1.0 / sqrt(v))),
    "below -1": total(log1p(exp(v) - 1.5)),
}


def _guards(outputs):
    return sum(node.primitive is where for node in postorder(outputs))


@pytest.mark.parametrize("case", IDLE)
def test_idle_guards_go_and_nothing_else_changes(case, monkeypatch):
    f = function([v], IDLE[case])
    fewer = gradient(f, engine="numpy")
    assert _guards(schedule(fewer.function).outputs) < _guards(lower(fewer.function.outputs))
    monkeypatch.setattr(guards, "DEPTH", -1)  # no guard is idle any more
    whole = gradient(f, engine="numpy")
    for at in (EDGES, np.linspace(-3, 3, 10)):
        a, b = fewer(at), whole(at)
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        np.testing.assert_array_equal(a[~np.isnan(a)].view(np.int64), b[~np.isnan(b)].view(np.int64))


@pytest.mark.parametrize("case", NEEDED)
def test_needed_guards_stay(case):
    d = gradient(function([v], NEEDED[case]), engine="numpy")
    assert _guards(schedule(d.function).outputs) == _guards(lower(d.function.outputs)) > 0


def test_only_what_is_nan_with_the_guarded_value_goes_without():
    e = exp(v)
    kept = [where(le(0.0, e), v, np.nan), where(le(0.0, e), 1.0 / e, 0.0), where(le(0.5, e), 1.0 / e, np.nan)]
    assert without_idle_guards(kept) == kept
    assert without_idle_guards([where(le(0.0, e), 1.0 / e, np.nan)]) == [1.0 / e]
    # 0.1 + 0.2 is below 0.3 in single precision
    close = where(le(0.3, e + 0.1 + 0.2), e + 0.1 + 0.2, np.nan)
    assert without_idle_guards([close]) == [close]

"""Samples: inside the domain, the same for the same seed, written without loss, and in every stratum what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from diffcompare.dsl.core import PRIMITIVES
from diffcompare.dsl.elementwise import Elementwise, Interval
from diffcompare.errors import DiffCompareError
from diffcompare.measure.audit.plan import auditable
from diffcompare.measure.sampling import (
    NORMAL_MIN,
    SHARES,
    Sample,
    around,
    from_ordinal,
    given,
    kinks,
    ordinal,
    read,
    sample,
    written,
    zeros,
)

ALL = auditable()
every = pytest.mark.parametrize("primitive", ALL, ids=lambda p: p.name)
STRATA = {*SHARES, *(f"{a}/{b}" for a in SHARES for b in SHARES), "like", "tie", "end", "zero", "kink", "extreme", "subnormal"}


def primitive(name: str) -> Elementwise:
    found = PRIMITIVES[name]
    assert isinstance(found, Elementwise)
    return found


def stratum(s: Sample, name: str) -> list[tuple[float, ...]]:
    return [p for where, p in zip(s.strata, s, strict=True) if where == name]


# --- floats in order ---


def test_ordinals_count_floats() -> None:
    numbers = [-math.inf, -1.0, -5e-324, 0.0, 5e-324, 1.0, math.nextafter(1.0, 2.0), math.inf]
    places = ordinal(np.array(numbers)).tolist()
    assert places == sorted(places)
    assert places[2:5] == [-1, 0, 1] and places[6] == places[5] + 1
    assert ordinal(-0.0) == 0
    assert from_ordinal(np.array(places)).tolist() == numbers


def test_around_is_a_few_floats_on_either_side() -> None:
    assert around(1.0, 1).tolist() == [math.nextafter(1.0, 0.0), 1.0, math.nextafter(1.0, 2.0)]
    assert around(0.0, 1).tolist() == [-5e-324, 0.0, 5e-324]
    assert around(np.finfo(float).max, 2).size == 3


def test_of_the_floats_up_to_30_half_a_percent_exceeds_1() -> None:
    share = float(ordinal(30.0) - ordinal(1.0)) / float(ordinal(30.0))
    assert 0.004 < share < 0.005


# --- samples ---


@every
def test_points_lie_in_the_domain_and_in_known_strata(primitive: Elementwise) -> None:
    s = sample(primitive, 200)
    assert len(s) >= 200
    assert set(s.strata) <= STRATA
    for point in s:
        assert all(v in interval for v, interval in zip(point, primitive.domain, strict=True)), point


@every
def test_subnormal_numbers_are_a_stratum_of_their_own(primitive: Elementwise) -> None:
    s = sample(primitive, 100)
    assert [where == "subnormal" for where in s.strata] == [any(0 < abs(v) < NORMAL_MIN for v in p) for p in s]


@every
def test_no_point_comes_twice_and_the_seed_decides(primitive: Elementwise) -> None:
    s = sample(primitive, 100, seed=1)
    assert len({tuple(r[1:]) for r in s.rows()}) == len(s)
    assert sample(primitive, 100, seed=1).rows() == s.rows()
    assert sample(primitive, 100, seed=2).rows() != s.rows()


@every
def test_rows_hold_every_bit(primitive: Elementwise) -> None:
    s = sample(primitive, 50)
    back = Sample.from_rows(s.rows(), primitive.arity)
    assert back.strata == s.strata
    assert all(np.array_equal(a.view(np.int64), b.view(np.int64)) for a, b in zip(back.columns, s.columns, strict=True))


def test_the_random_strata_have_their_shares() -> None:
    s = sample(primitive("sin"), 1000)
    for name, share in SHARES.items():
        assert len(stratum(s, name)) > 0.85 * share * 1000, name
    magnitudes = [abs(x) for (x,) in stratum(s, "ordinal")]
    assert min(magnitudes) < 1e-200 and max(magnitudes) > 1e200
    assert all(1e-3 <= abs(x) <= 1e3 for (x,) in stratum(s, "log"))
    assert all(abs(x) <= 30 for (x,) in stratum(s, "uniform"))


def test_ends_of_a_domain_have_their_neighbours() -> None:
    points = {x for s in ("end", "near") for (x,) in stratum(sample(primitive("asin")), s)}
    assert {1.0, math.nextafter(1.0, 0.0), -1.0, math.nextafter(-1.0, 0.0)} <= points
    distances = [1.0 - abs(x) for (x,) in stratum(sample(primitive("asin"), 1000), "near") if 0.5 < abs(x) < 1.0]
    assert min(distances) < 1e-14 and max(distances) > 1e-3


def test_zeros_are_where_the_value_changes_its_sign() -> None:
    assert zeros(primitive("log")) == [1.0]
    found = zeros(primitive("sin"))
    assert found[0] == 0.0
    assert all(min(abs(r - k * math.pi) for k in range(-4, 5)) < 2e-15 for r in found)
    assert zeros(primitive("exp")) == []
    assert zeros(primitive("relu")) == []  # 0 over a stretch: nothing to look at


def test_kinks_and_ties() -> None:
    assert kinks(primitive("abs")) == [(0.0,)]
    assert (2.0,) in kinks(primitive("floor")) and (0.5,) not in kinks(primitive("floor"))
    s = sample(primitive("maximum"))
    ties = stratum(s, "tie")
    assert any(a == b for a, b in ties) and any(a == -b for a, b in ties)
    assert all(abs(int(ordinal(abs(a))) - int(ordinal(abs(b)))) <= 2 for a, b in ties)
    assert any(a == b != 0 for a, b in stratum(s, "kink"))


def test_extremes_hold_both_zeros_and_the_largest_numbers() -> None:
    found = [x for (x,) in stratum(sample(primitive("sin")), "extreme")]
    assert {str(x) for x in found} >= {"0.0", "-0.0"}
    assert {NORMAL_MIN, -NORMAL_MIN, np.finfo(float).max} <= set(found)
    assert all(x > 0 for (x,) in stratum(sample(primitive("log")), "extreme"))


# --- users' points, and refusals ---


def test_a_users_points_are_kept_wherever_they_lie() -> None:
    s = given(primitive("log"), [-1.0, 2])
    assert s.strata == ("user", "user") and [p for (p,) in s] == [-1.0, 2.0]
    assert list(given(primitive("hypot"), [(3, 4)])) == [(3.0, 4.0)]
    with pytest.raises(DiffCompareError, match=r"hypot takes 2 arguments, the point \(1.0,\) has 1"):
        given(primitive("hypot"), [(1.0,)])


def test_texts_of_points() -> None:
    assert read(["0x1.8p+1", "-3", " nan ", "-inf"])[:2] == (3.0, -3.0)
    assert read(written((-0.0, 0.1))) == (0.0, 0.1) and math.copysign(1.0, read(written((-0.0,)))[0]) == -1.0
    for text in ("0x1.0p+5000", "x", "", "1e"):
        with pytest.raises(DiffCompareError, match="is not a number"):
            read([text])


def test_what_cannot_be_sampled_is_refused() -> None:
    with pytest.raises(DiffCompareError, match="at least one point and at most 1000000, got 0"):
        sample(primitive("sin"), 0)
    with pytest.raises(DiffCompareError, match="where takes 3 arguments"):
        sample(primitive("where"))


def test_a_domain_far_from_zero_is_reached() -> None:
    far = Elementwise("far", domain=(Interval(100.0, 101.0),), evaluate=lambda x: x, partials=lambda y, x: (1.0,))
    s = sample(far, 100)
    assert len(stratum(s, "uniform")) == 30 and len(stratum(s, "ordinal")) == 20
    assert all(100.0 <= x <= 101.0 for (x,) in s)

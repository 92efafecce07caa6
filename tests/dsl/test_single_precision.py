"""float32 as a precision of preparation: nothing turns float64 on the way, and derivatives keep the digits that it has."""

from __future__ import annotations

import itertools
import math
import zlib

import numpy as np
import pytest

from diffcompare.differentiate import derivative, gradient, hessian, value
from diffcompare.dsl import function, symbols
from diffcompare.dsl.accuracy import SINGLE, Path
from diffcompare.dsl.constants import NORMAL_MIN
from diffcompare.dsl.core import BUILT_IN, FUNCTIONS, PRIMITIVES
from diffcompare.dsl.elementwise import Elementwise, Interval
from diffcompare.dsl.function import Function
from diffcompare.reference import Reference

SMOOTH = sorted(
    (p for n, p in PRIMITIVES.items() if n in BUILT_IN and isinstance(p, Elementwise) and p.partials and not p.takes_bool),
    key=lambda p: p.name,
)
every_function = pytest.mark.parametrize("primitive", SMOOTH, ids=lambda p: p.name)
LOW, HIGH = 1e-30, 1e30
COUNT = 150


def draws(domain: Interval, seed: int) -> np.ndarray:
    """Numbers of float32 inside a domain, of all magnitudes, and close to 0, ±1 and its ends."""
    rng = np.random.default_rng(seed)
    sign = rng.choice([-1.0, 1.0], size=(3, COUNT * 8))
    ends = [e for e in (domain.lo, domain.hi) if math.isfinite(e)] or [0.0, 1.0, -1.0]
    strata = [
        rng.uniform(-4, 4, COUNT * 8),
        sign[0] * 10.0 ** rng.uniform(-3, 3, COUNT * 8),
        sign[1] * 10.0 ** rng.uniform(-25, 25, COUNT * 8),
        rng.choice(ends, COUNT * 8) + sign[2] * 10.0 ** rng.uniform(-7, -1, COUNT * 8),
    ]
    numbers = np.stack(strata, axis=1).ravel().astype(np.float32)
    return np.array([n for n in numbers if float(n) in domain][:COUNT], np.float32)


def columns(primitive: Elementwise) -> list[np.ndarray]:
    return [draws(d, zlib.crc32(primitive.name.encode()) + k) for k, d in enumerate(primitive.domain)]


def single_ulp(size: float) -> float:
    return float(np.spacing(np.float32(min(size, HIGH))))


def worst_error(primitive: Elementwise, path: Path, got: np.ndarray, at: list[np.ndarray]) -> tuple[float, int]:
    """(the largest error in ulp of float32, points judged) of a derivative along a path."""
    names = [f"x{k}" for k in range(primitive.arity)]
    inputs = symbols(names)
    reference = Reference(Function(primitive.name, inputs, [primitive(*inputs)], True))
    bound = primitive.bound(path)
    assert bound is not None
    block = sum(k * primitive.arity**power for power, k in enumerate(reversed(path)))
    worst, judged = 0.0, 0
    for mine, point in zip(got.tolist(), zip(*(c.tolist() for c in at), strict=True), strict=True):
        named = dict(zip(names, point, strict=True))
        height = reference.certify("value", named)
        certified = reference.certify(("value", "gradient", "hessian")[len(path)], named)
        truth = float(certified.values[block])
        if certified.status[block] != "ok" or not all(LOW < abs(v) < HIGH or v == 0.0 for v in (truth, float(height.values[0]))):
            continue
        size = max(abs(truth), bound.term(*point) if bound.term else 0.0, LOW)
        judged += 1
        worst = max(worst, abs(mine - truth) / single_ulp(size) if math.isfinite(mine) else math.inf)
    return worst, judged


@every_function
def test_derivatives_of_numpy_in_float32_are_within_their_bound(primitive: Elementwise) -> None:
    inputs = symbols([f"x{k}" for k in range(primitive.arity)])
    f = function(inputs, primitive(*inputs))
    at = columns(primitive)
    names = f.names
    for order in range(1, primitive.promised + 1):
        table = (gradient, hessian)[order - 1](f, engine="numpy", precision="float32")(*at)
        for path in itertools.product(range(primitive.arity), repeat=order):
            got = table
            if primitive.arity > 1:
                for k in path:
                    got = getattr(got, names[k])
            assert got.dtype == np.float32
            bound = primitive.bound(path)
            assert bound is not None
            worst, judged = worst_error(primitive, path, np.broadcast_to(got, at[0].shape), at)
            assert worst <= SINGLE * bound.ulp, (primitive.name, path, worst)
            assert judged >= COUNT // 4, (primitive.name, path, judged)


@every_function
@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_everything_stays_float32(primitive: Elementwise, engine: str) -> None:
    inputs = symbols([f"x{k}" for k in range(primitive.arity)])
    f = function(inputs, primitive(*inputs))
    at = [np.float32(next(v for v in (0.7, 1.6, 0.9)[k:] if v in d)) for k, d in enumerate(primitive.domain)]
    for prepared in (value, hessian):
        result = prepared(f, engine=engine, precision="float32")(*(np.full(3, a) for a in at))
        exact = prepared(f, engine="numpy")(*(np.full(3, float(a)) for a in at))
        for mine, true in zip(flat(result), flat(exact), strict=True):
            assert mine.dtype == np.float32
            assert mine[0] == pytest.approx(true[0], rel=2e-5, abs=2e-6, nan_ok=True)


def flat(result: object) -> list[np.ndarray]:
    return [r for part in result for r in flat(part)] if isinstance(result, tuple) else [np.asarray(result)]


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_a_derivative_that_is_constant_is_float32_too(engine: str) -> None:
    (x,) = symbols("x")
    d = derivative(function([x], 3.0 * x), engine=engine, precision="float32")
    assert d(np.ones(4, np.float32)).dtype == np.float32
    assert np.asarray(value(function([x], x * 0.0 + 0.1), engine=engine, precision="float32")(np.ones(2))).dtype == np.float32


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_the_smallest_normal_number_is_that_of_the_precision(engine: str) -> None:
    (x,) = symbols("x")
    f = function([x], FUNCTIONS["where"](FUNCTIONS["lt"](x, NORMAL_MIN), 1.0, 2.0))
    at = np.array([1e-38, 1.2e-38], np.float32)
    np.testing.assert_array_equal(value(f, engine=engine, precision="float32")(at), [1.0, 2.0])
    np.testing.assert_array_equal(value(f, engine=engine)(at.astype(float)), [2.0, 2.0])

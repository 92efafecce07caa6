"""Where to look: float64 numbers inside a function's domain, drawn by strata, each point with the stratum it came from.

One distribution is not enough: of the floats in (0, 30] only 0.5 % exceed 1, so numbers uniform over the floats hardly
meet the place where 1 - tanh² has lost every digit, and uniform numbers never meet the ends of a domain.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dsl.core import input_
from ..dsl.elementwise import Elementwise, Interval
from ..dsl.function import Function
from ..engines.numpy import numpy_engine
from ..errors import DiffCompareError

Array = np.ndarray[Any, Any]
Point = tuple[float, ...]

NORMAL_MIN = float(np.finfo(np.float64).tiny)
NORMAL_MAX = float(np.finfo(np.float64).max)
REACH = 3
"""How many floats on either side of a place count as a few ulps around it."""
WIDTH = 30.0
"""`uniform` reaches this far from 0, or from the end of the domain that is nearest to 0."""
SHARES = {"ordinal": 0.2, "uniform": 0.3, "log": 0.25, "near": 0.25}
"""Of the points asked for, how many each random stratum gets: uniform over the floats, uniform, log-uniform around 1 (from
1/1000 to 1000), and close to 0, ±1 and the places, at distances log-uniform from 1e-17 to 0.1."""
PLACES = 8
"""Of the roots found, so many nearest to 0 are kept."""


@dataclass(frozen=True)
class Sample:
    """Points of one function: a column of numbers for each argument, and for each point the stratum it belongs to.

    strata: ordinal, uniform, log, near (for two arguments a pair such as uniform/log), like (two arguments of like
    magnitude), tie (equal, opposite, or a few ulps from it), end, zero, kink (a few ulps around ends of the domain, roots
    of the value, kinks), extreme (zeros, smallest and largest normal numbers), subnormal (some argument is), user.
    """

    columns: tuple[Array, ...]
    strata: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.strata)

    def __iter__(self) -> Iterator[Point]:
        return zip(*(c.tolist() for c in self.columns), strict=True)

    def rows(self) -> list[list[str]]:
        """The points as text that loses nothing: the stratum, and each argument as a hex float."""
        return [[s, *written(p)] for s, p in zip(self.strata, self, strict=True)]

    @classmethod
    def of(cls, points: Sequence[tuple[str, Point]], arity: int) -> Sample:
        """From (stratum, point) pairs."""
        table = np.array([p for _, p in points], dtype=np.float64).reshape(len(points), arity)
        return cls(tuple(table[:, k].copy() for k in range(arity)), tuple(s for s, _ in points))

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[str]], arity: int) -> Sample:
        """The inverse of rows()."""
        return cls.of([(row[0], read(row[1:])) for row in rows], arity)


def written(point: Point) -> tuple[str, ...]:
    """A point as hex floats, inf, -inf and nan by these names."""
    return tuple(float(v).hex() for v in point)


def read(texts: Sequence[str]) -> Point:
    """The point that hexadecimal or decimal texts describe, bit for bit; raises DiffCompareError for what is no number."""
    return tuple(_number(t.strip()) for t in texts)


def _number(text: str) -> float:
    try:
        return float.fromhex(text) if "0x" in text.lower() else float(text)
    except (ValueError, OverflowError):
        raise DiffCompareError(f"{text!r} is not a number; write 0.5, 0x1p-1, inf or nan") from None


# --- floats in order ---


def ordinal(x: Array | float) -> Array:
    """The place of each number among the floats, 0 for both zeros; neighbours differ by 1. NaN has none and is not to be given."""
    bits = np.asarray(x, dtype=np.float64).view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def from_ordinal(places: Array | int) -> Array:
    """The floats at these places; the inverse of ordinal, except that both zeros have become 0.0."""
    n = np.asarray(places, dtype=np.int64)
    return np.where(n < 0, np.int64(-(2**63)) - n, n).view(np.float64)


def around(x: float, reach: int = REACH) -> Array:
    """x and the `reach` finite floats on either side of it, in order."""
    limit = int(ordinal(NORMAL_MAX))
    places = int(ordinal(x)) + np.arange(-reach, reach + 1)
    return from_ordinal(places[np.abs(places) <= limit])


def contains(interval: Interval, x: Array) -> Array:
    """Which of the numbers lie in the interval."""
    return np.array([v in interval for v in x.tolist()], dtype=bool)


def ends(interval: Interval) -> list[float]:
    """The finite ends, open ones included."""
    return [e for e in (interval.lo, interval.hi) if math.isfinite(e)]


# --- drawing ---


def draws(interval: Interval, rng: np.random.Generator, stratum: str, count: int, places: Sequence[float] = ()) -> Array:
    """So many random numbers of one stratum inside the interval, none of them subnormal; fewer where it has no room for them.

    places: what `near` keeps close to, beside 0, ±1 and the ends.
    """
    anchors = np.array(sorted({0.0, 1.0, -1.0, *ends(interval), *places}))
    found: list[Array] = []
    for _ in range(8):
        x = _raw(interval, rng, stratum, count, anchors)
        found.append(x[contains(interval, x) & ((np.abs(x) >= NORMAL_MIN) | (x == 0))])
        if sum(map(len, found)) >= count:
            break
    return np.concatenate(found)[:count]


def _raw(interval: Interval, rng: np.random.Generator, stratum: str, count: int, anchors: Array) -> Array:
    """Numbers of a stratum, not all of them inside."""
    lo, hi = max(interval.lo, -NORMAL_MAX), min(interval.hi, NORMAL_MAX)
    if stratum == "ordinal":
        return from_ordinal(rng.integers(int(ordinal(lo)), int(ordinal(hi)), count, endpoint=True))
    if stratum == "uniform":
        start = min(max(0.0, lo), hi)
        return rng.uniform(max(lo, start - WIDTH), min(hi, start + WIDTH), count)
    signs = rng.choice([-1.0, 1.0], count)
    if stratum == "log":
        return np.asarray(signs * 10.0 ** rng.uniform(-3, 3, count))
    centre = rng.choice(anchors, count)
    return np.asarray(centre + signs * 10.0 ** rng.uniform(-17, -1, count) * np.maximum(1.0, np.abs(centre)))


def extremes(interval: Interval) -> list[float]:
    """Zeros, smallest and largest normal numbers, and what is next to them, inside the interval."""
    magnitudes = [0.0, NORMAL_MIN, 2 * NORMAL_MIN, math.nextafter(NORMAL_MAX, 0.0), NORMAL_MAX]
    return [v for m in magnitudes for v in (m, -m) if v in interval]


def subnormals(interval: Interval, rng: np.random.Generator, count: int) -> Array:
    """Subnormal numbers of every size inside the interval."""
    smallest = float(np.finfo(np.float64).smallest_subnormal)
    edges = [smallest, -smallest, NORMAL_MIN - smallest, smallest - NORMAL_MIN]
    x: Array = np.concatenate([edges, rng.choice([-1.0, 1.0], count) * 2.0 ** rng.uniform(-1074, -1022, count)])
    return np.asarray(x[contains(interval, x) & (np.abs(x) < NORMAL_MIN) & (x != 0)])


# --- a function's sample ---


MOST = 1_000_000
"""Points of one function; to certify each takes microseconds to milliseconds."""


def sample(primitive: Elementwise, count: int = 400, seed: int = 0) -> Sample:
    """About `count` random points of the function's domain, and beside them those of the strata that are listed, not drawn.

    The same for the same primitive, count and seed. For one or two arguments; raises DiffCompareError for more.
    """
    if not isinstance(count, int) or not 1 <= count <= MOST:
        raise DiffCompareError(f"a sample has at least one point and at most {MOST}, got {count!r}")
    if not isinstance(seed, int) or seed < 0:
        raise DiffCompareError(f"a seed is a whole number from 0, got {seed!r}")
    if primitive.arity not in (1, 2):
        raise DiffCompareError(f"{primitive.name} takes {primitive.arity} arguments: samples are drawn for one or two")
    rng = np.random.default_rng([seed, zlib.crc32(primitive.name.encode())])
    points = (_of_one if primitive.arity == 1 else _of_two)(primitive, rng, count)
    unique = {_key(p): (s, p) for s, p in reversed(points)}  # of equal points the first drawn stays
    return Sample.of([(_stratum(s, p), p) for s, p in reversed(unique.values())], primitive.arity)


def given(primitive: Elementwise, points: Iterable[float | Sequence[float]]) -> Sample:
    """The user's points, stratum `user`: a number, or a sequence with one for each argument. They may lie anywhere."""
    checked: list[tuple[str, Point]] = []
    for p in points:
        try:
            values = (float(p),) if isinstance(p, int | float) else tuple(float(v) for v in p)
        except (TypeError, ValueError):
            raise DiffCompareError(f"a point is a number, or a sequence of them with one for each argument, got {p!r}") from None
        if len(values) != primitive.arity:
            raise DiffCompareError(f"{primitive.name} takes {primitive.arity} arguments, the point {p!r} has {len(values)}")
        checked.append(("user", values))
    return Sample.of(checked, primitive.arity)


def _key(point: Point) -> tuple[tuple[float, bool], ...]:
    return tuple((v, math.copysign(1.0, v) < 0) for v in point)


def _stratum(drawn: str, point: Point) -> str:
    return "subnormal" if any(0 < abs(v) < NORMAL_MIN for v in point) else drawn


def _of_one(primitive: Elementwise, rng: np.random.Generator, count: int) -> list[tuple[str, Point]]:
    (interval,) = primitive.domain
    roots, bends = zeros(primitive), kinks(primitive)
    listed = {
        "extreme": extremes(interval),
        "end": [v for e in ends(interval) for v in around(e).tolist()],
        "zero": [v for r in roots for v in around(r).tolist()],
        "kink": [v for k in bends for v in around(k[0]).tolist()],
        "subnormal": subnormals(interval, rng, max(4, count // 20)).tolist(),
    }
    places = [*roots, *(k[0] for k in bends)]
    for stratum, share in SHARES.items():
        listed[stratum] = draws(interval, rng, stratum, math.ceil(share * count), places).tolist()
    return [(s, (v,)) for s, values in listed.items() for v in values if v in interval]


def _of_two(primitive: Elementwise, rng: np.random.Generator, count: int) -> list[tuple[str, Point]]:
    first, second = primitive.domain
    pools = [_pools(interval, rng, count) for interval in primitive.domain]
    points: list[tuple[str, Point]] = [("extreme", p) for p in itertools.product(*(_corners(i) for i in primitive.domain))]
    points += [("kink", k) for k in kinks(primitive)]
    names = [list(p) for p in pools]
    for i, (a, b) in enumerate(itertools.product(*names)):
        n = math.ceil(0.6 * count / (len(names[0]) * len(names[1])))
        left, right = (rng.permutation(pools[k][name])[:n].tolist() for k, name in ((0, a), (1, b)))
        points += [(a if a == b else f"{a}/{b}", p) for p in zip(left, right, strict=False)]
        if i == 0:  # both uniform over the floats
            points += _subnormal_pairs(primitive.domain, rng, max(4, count // 20))
    bases = np.concatenate([pools[0]["uniform"], pools[0]["log"], pools[0]["ordinal"][: count // 10]])
    chosen = rng.permutation(bases)[: math.ceil(0.4 * count)].tolist()
    for k, a in enumerate(chosen):
        if k % 2:
            b = a * rng.uniform(0.1, 10.0) * rng.choice([-1.0, 1.0])
            points.append(("like", (a, float(b))))
        else:
            b = math.copysign(1.0, rng.uniform(-1, 1)) * around(a, 2)[k // 2 % 5]
            points.append(("tie", (a, float(b))))
    return [(s, p) for s, p in points if p[0] in first and p[1] in second]


def _pools(interval: Interval, rng: np.random.Generator, count: int) -> dict[str, Array]:
    return {s: draws(interval, rng, s, count) for s in SHARES}


def _corners(interval: Interval) -> list[float]:
    values = [*extremes(interval), 1.0, -1.0, *(v for e in ends(interval) for v in around(e, 1).tolist())]
    return [v for v in values if v in interval and (v == 0 or abs(v) >= NORMAL_MIN)]


def _subnormal_pairs(domain: Sequence[Interval], rng: np.random.Generator, count: int) -> list[tuple[str, Point]]:
    """Pairs with a subnormal number in the first, the second or both places."""
    small = [subnormals(i, rng, count).tolist() for i in domain]
    usual = [draws(i, rng, "log", count).tolist() for i in domain]
    pairs = [(small[0], usual[1]), (usual[0], small[1]), (small[0], small[1])]
    return [("subnormal", p) for left, right in pairs for p in zip(left, right, strict=False)]


# --- places of note ---


def _inputs(primitive: Elementwise) -> list[Any]:
    return [input_(n) for n in ("x", "y")[: primitive.arity]]


def kinks(primitive: Elementwise) -> list[Point]:
    """Of simple points (small whole numbers and halves, ends of the domain) those where the primitive says it has a kink."""
    if primitive.kinks is None:
        return []
    inputs = _inputs(primitive)
    per_argument = [[v for v in (0.0, 1.0, -1.0, 0.5, 2.0, -3.0, *ends(i)) if v in i] for i in primitive.domain]
    candidates = list(dict.fromkeys(itertools.product(*per_argument)))
    columns = [np.array(c) for c in zip(*candidates, strict=True)]
    (bent,) = numpy_engine.compile(Function("kinks", inputs, [primitive.kinks(*inputs)], True))(columns)
    return [p for p, is_kink in zip(candidates, np.broadcast_to(bent, columns[0].shape).tolist(), strict=True) if is_kink]


def zeros(primitive: Elementwise) -> list[float]:
    """Where the value of a function of one argument changes its sign, to the nearest float: roots and poles, those nearest to 0."""
    (interval,) = primitive.domain
    (x,) = _inputs(primitive)
    compiled = numpy_engine.compile(Function("value", [x], [primitive(x)], True))

    def sign(v: Array) -> Array:
        return np.sign(np.asarray(compiled([v])[0], dtype=np.float64))

    grid = np.concatenate([np.linspace(-8, 8, 325), np.geomspace(1e-3, 1e3, 61), -np.geomspace(1e-3, 1e3, 61)])
    grid = np.unique(grid[contains(interval, grid)])
    signs = sign(grid)
    beside = np.concatenate([[1.0], signs, [1.0]])
    exact = grid[(signs == 0) & (beside[:-2] != 0) & (beside[2:] != 0)]  # not a stretch of zeros, as relu has and an underflow
    low, high = ordinal(grid[:-1]), ordinal(grid[1:])
    crossing = signs[:-1] * signs[1:] < 0
    low, high, left = low[crossing], high[crossing], signs[:-1][crossing]
    while np.any(high - low > 1):
        middle = low + (high - low) // 2
        same = sign(from_ordinal(middle)) == left
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return sorted([*exact.tolist(), *from_ordinal(high).tolist()], key=abs)[:PLACES]

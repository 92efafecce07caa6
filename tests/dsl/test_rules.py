"""Every partial derivative of every elementwise primitive against certified truth, orders 1 and 2, forward and reverse.

The bound is 4 ulp wherever the truth is a normal number; where a derivative passes through an irrational zero inside
the domain, 4 ulp of its largest term (TERMS); exceptions are rows of EXCEPTIONS, with their reason.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from diffcompare.dsl import arithmetic, elementary
from diffcompare.dsl.constants import constant
from diffcompare.dsl.core import BUILT_IN, PRIMITIVES, Expr, input_
from diffcompare.dsl.elementwise import Elementwise, Interval
from diffcompare.dsl.function import Function
from diffcompare.engines.numpy import numpy_engine
from diffcompare.reference import Reference
from diffcompare.transforms.forward import tangents
from diffcompare.transforms.reverse import cotangents

BOUND = 4.0
POINTS = 400
Path = tuple[int, ...]
"""With respect to which arguments, in order: (0, 1) is d²/dx dy."""

SMOOTH = sorted(
    (p for n, p in PRIMITIVES.items() if n in BUILT_IN and isinstance(p, Elementwise) and p.partials and not p.takes_bool),
    key=lambda p: p.name,
)

PIECES = {
    "hypot_slope": 1,
    "atan2_slope": 1,
    "pow_slope": 1,
    "pow_log": 1,
    "pow_less_1": 0,
    "pow_less_2": 0,
    "pow_log_2": 0,
}
"""Derivatives of two-argument functions that are primitives themselves, and the orders of theirs that are second derivatives
of the function they serve; beyond those no bound is promised (the third derivatives of pow have zeros along curves)."""


def _sech2(x: float) -> float:
    return float(np.cosh(np.minimum(abs(x), 350.0)) ** -2.0)


def _gauss(x: float) -> float:
    return math.exp(-min(x * x, 700.0))


def _sigmoid_slope(x: float) -> float:
    return 0.25 * _sech2(0.5 * x)


def _pow_mixed(x: float, y: float) -> float:
    log_of_first = (y - 1) * math.log(x)
    return max(1.0, abs(y * math.log(x))) * math.exp(min(max(log_of_first, -700.0), 700.0))


TERMS: dict[tuple[str, Path], Callable[..., float]] = {
    # 2 s (2 tanh² - s) vanishes where sinh² = 1/2
    ("sech2", (0, 0)): lambda x: max(2 * _sech2(x) ** 2, 4 * _sech2(x) * math.tanh(x) ** 2),
    # s (tanh(x/2)² - 2 s) vanishes where e^x = 2 + sqrt(3)
    ("sigmoid_slope", (0, 0)): lambda x: max(2 * _sigmoid_slope(x) ** 2, _sigmoid_slope(x) * math.tanh(x / 2) ** 2),
    # (4 x² - 2) g vanishes at 1/sqrt(2), (12 x - 8 x³) g at sqrt(3/2)
    ("gauss", (0, 0)): lambda x: _gauss(x) * max(2.0, 4.0 * x * x),
    ("gauss_slope", (0,)): lambda x: _gauss(x) * max(2.0, 4.0 * x * x),
    ("gauss_slope", (0, 0)): lambda x: _gauss(x) * max(12.0 * abs(x), 8.0 * abs(x) ** 3),
    # (6 x² - 2) / (1 + x²)³ vanishes at 1/sqrt(3)
    ("atan_slope", (0, 0)): lambda x: 2 / (1 + x * x) ** 2 * max(1.0, 4 * x * x / (1 + x * x)),
    # x**(y-1) (1 + y log x) vanishes along y log x = -1
    ("pow", (0, 1)): _pow_mixed,
    ("pow", (1, 0)): _pow_mixed,
    ("pow_slope", (1,)): _pow_mixed,
    ("pow_log", (0,)): _pow_mixed,
}
"""The largest term of derivatives with an irrational zero inside the domain, where a bound in ulp of the sum cannot hold."""

_SUM_OF_SQUARES = "1 + x² is rounded twice before it is squared: six roundings in a row"
_HYPOT = "hypot is itself rounded, and divides three or four times"
_THIRD = "serves the third derivative of the function whose slope it is"
EXCEPTIONS: dict[tuple[str, Path], tuple[float, str]] = {
    ("atan", (0, 0)): (8.0, _SUM_OF_SQUARES),
    ("atan_slope", (0,)): (8.0, _SUM_OF_SQUARES),
    ("atan2", (0, 1)): (8.0, _HYPOT),
    ("atan2", (1, 0)): (8.0, _HYPOT),
    ("atan2", (0, 0)): (6.0, _HYPOT),
    ("atan2", (1, 1)): (6.0, _HYPOT),
    ("atan2_slope", (0,)): (8.0, _HYPOT),
    ("atan2_slope", (1,)): (6.0, _HYPOT),
    ("hypot", (0, 0)): (5.0, _HYPOT),
    ("hypot", (1, 1)): (5.0, _HYPOT),
    ("hypot", (0, 1)): (5.0, _HYPOT),
    ("hypot", (1, 0)): (5.0, _HYPOT),
    ("hypot_slope", (0,)): (5.0, _HYPOT),
    ("hypot_slope", (1,)): (5.0, _HYPOT),
    **{(name, (0, 0)): (8.0, _THIRD) for name in ("asin_slope", "atan_slope", "gauss", "sech2", "sigmoid_slope")},
    ("gauss_slope", (0, 0)): (8.0, "serves the fourth derivative of erf"),
}

# --- where to look ---


def draws(domain: Interval, seed: int, count: int) -> np.ndarray:
    """Numbers inside a domain: its whole range of magnitudes, around one, and close to zero, one and the domain's ends."""
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], size=(5, count))
    close = 10.0 ** rng.uniform(-17, -1, size=(2, count))
    ends = [e for e in (domain.lo, domain.hi) if math.isfinite(e)] or [0.0, 1.0, -1.0]
    strata = [
        rng.uniform(-4.0, 4.0, count),
        signs[0] * 10.0 ** rng.uniform(-3, 3, count),
        signs[1] * 10.0 ** rng.uniform(-300, 300, count),
        rng.choice([0.0, 1.0, -1.0], count) + signs[2] * close[0],
        rng.choice(ends, count) + signs[3] * close[1],
        rng.uniform(-30.0, 30.0, count),
    ]
    mixed = np.stack(strata, axis=1).ravel()
    inside = [x for x in mixed.tolist() if x in domain]
    return np.array(inside[:count])


def points(primitive: Elementwise, count: int) -> list[np.ndarray]:
    """One array of numbers for each argument; for two arguments half of the pairs are of like magnitude."""
    seed = zlib.crc32(primitive.name.encode())
    columns = [draws(d, seed + k, count) for k, d in enumerate(primitive.domain)]
    n = min(len(c) for c in columns)
    columns = [c[:n] for c in columns]
    if len(columns) == 2 and primitive.domain[1] == primitive.domain[0]:
        like = columns[0] * np.random.default_rng(seed).uniform(0.1, 10.0, n)
        columns[1] = np.where(np.arange(n) % 2 == 0, columns[1], like)
    return columns


# --- the judge ---


@dataclass
class Verdict:
    """judged: how many points had a certified, normal truth; worst: the largest error there, in ulp, at `where`."""

    judged: int
    worst: float
    where: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.worst:.3g} ulp at ({', '.join(v.hex() for v in self.where)})"


def derived(primitive: Elementwise, path: Path, mode: str) -> Function:
    """The derivative of the primitive along a path, as the transform of this mode makes it."""
    inputs = [input_(f"x{k}") for k in range(primitive.arity)]
    y = primitive(*inputs)
    for k in path:
        (d,) = tangents([y], {inputs[k]: constant(1.0)}) if mode == "forward" else cotangents([y], [constant(1.0)], [inputs[k]])
        y = constant(0.0) if d is None else d
    return Function(primitive.name, inputs, [y], True)


def judge(computed: np.ndarray, primitive: Elementwise, path: Path, columns: list[np.ndarray]) -> Verdict:
    """The worst error of computed derivatives against certified truth, in units of the last place of the allowed scale."""
    names = [f"x{k}" for k in range(primitive.arity)]
    inputs = [input_(n) for n in names]
    reference = Reference(Function(primitive.name, inputs, [primitive(*inputs)], True))
    scale = TERMS.get((primitive.name, path))
    verdict = Verdict(0, 0.0, ())
    for got, at in zip(computed.tolist(), zip(*(c.tolist() for c in columns), strict=True), strict=True):
        certified = reference.certify(("value", "gradient", "hessian")[len(path)], dict(zip(names, at, strict=True)))
        block = sum(k * primitive.arity**power for power, k in enumerate(reversed(path)))
        truth, ball = float(certified.values[block]), certified.balls[block].item()
        if certified.status[block] != "ok" or not math.isfinite(truth) or (abs(truth) < 2.0**-1022 and truth != 0.0):
            continue
        verdict.judged += 1
        if truth == 0.0:
            error = 0.0 if got == 0.0 else math.inf
        else:
            unit = math.ulp(max(abs(truth), float(scale(*at)) if scale else 0.0))
            error = float(abs(ball - got)) / unit if math.isfinite(got) else math.inf
        if error > verdict.worst:
            verdict = Verdict(verdict.judged, error, at)
    return verdict


def verdicts(primitive: Elementwise, order: int, count: int = POINTS) -> dict[tuple[Path, str], Verdict]:
    """All partials of an order in both modes; a graph that both modes make alike is judged once."""
    columns = points(primitive, count)
    results: dict[tuple[Path, str], Verdict] = {}
    for path in itertools.product(range(primitive.arity), repeat=order):
        seen: set[Expr] = set()
        for mode in ("forward", "reverse"):
            function = derived(primitive, path, mode)
            if function.output in seen:
                continue
            seen.add(function.output)
            computed = np.broadcast_to(numpy_engine.compile(function)(columns)[0], columns[0].shape)
            results[path, mode] = judge(computed, primitive, path, columns)
    return results


# --- the tests ---

JUDGED = [(p, order) for p in SMOOTH for order in (1, 2) if order <= PIECES.get(p.name, 2)]
WRITTEN_OUT = [p for p in SMOOTH if p.evaluate is not None]


@pytest.mark.parametrize(("primitive", "order"), JUDGED, ids=lambda v: getattr(v, "name", str(v)))
def test_partials_are_within_their_bound(primitive: Elementwise, order: int) -> None:
    for (path, mode), verdict in verdicts(primitive, order).items():
        bound, _ = EXCEPTIONS.get((primitive.name, path), (BOUND, ""))
        assert verdict.worst <= bound, f"{primitive.name} {path} {mode}: {verdict}"
        assert verdict.judged >= POINTS // 2, f"{primitive.name} {path} {mode}: only {verdict.judged} points had a certified truth"


@pytest.mark.parametrize("primitive", WRITTEN_OUT, ids=lambda p: p.name)
def test_values_written_out_in_the_dsl_are_within_their_bound(primitive: Elementwise) -> None:
    (verdict,) = verdicts(primitive, 0).values()
    assert verdict.worst <= BOUND, f"{primitive.name}: {verdict}"
    assert verdict.judged >= POINTS // 2


@pytest.mark.parametrize("primitive", SMOOTH, ids=lambda p: p.name)
def test_a_planted_error_of_1e_13_in_a_partial_is_caught(primitive: Elementwise, monkeypatch: pytest.MonkeyPatch) -> None:
    right = primitive.partials
    assert right is not None

    def wrong(*args: Any) -> tuple[Any, ...]:
        return tuple(None if p is None else p * (1.0 + 1e-13) for p in right(*args))

    monkeypatch.setattr(primitive, "partials", wrong)
    for (path, mode), verdict in verdicts(primitive, 1, count=60).items():
        assert verdict.worst > 50.0, f"{primitive.name} {path} {mode}: {verdict}"


def test_a_planted_swap_of_partials_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = arithmetic.pow_.partials
    assert right is not None
    monkeypatch.setattr(arithmetic.pow_, "partials", lambda *args: tuple(reversed(right(*args))))
    assert all(v.worst > 1e6 for v in verdicts(arithmetic.pow_, 1, count=60).values())


def test_a_textbook_rule_for_tanh_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elementary.tanh, "partials", lambda y, x: (1.0 - y * y,))
    assert verdicts(elementary.tanh, 1)[(0,), "forward"].worst > 1e14


def test_every_exception_is_of_a_primitive_that_is_judged() -> None:
    known = {p.name: p for p in SMOOTH}
    for name, path in [*TERMS, *EXCEPTIONS]:
        assert len(path) <= PIECES.get(name, 2), (name, path)
        assert max(path) < known[name].arity, (name, path)
    assert set(PIECES) <= set(known)


AT_ZERO = [
    # x, p, d/dx, d/dp of x**p: ChainRules.jl, test/rulesets/Base/fastmath_able.jl, where x**p is defined near p
    (1.0, 2.0, 2.0, 0.0),
    (2.0, 2.0, 4.0, 2.772588722239781),
    (0.0, 2.0, 0.0, 0.0),
    (-0.0, 2.0, 0.0, 0.0),
    (0.0, 1.0, 1.0, 0.0),
    (-0.0, 1.0, 1.0, 0.0),
    (0.0, 0.5, math.inf, 0.0),
    (0.0, 3.5, 0.0, 0.0),
    (0.0, 0.0, 0.0, None),
    (-0.0, 0.0, 0.0, None),
    (0.0, -1.0, -math.inf, None),
    (-0.0, -1.0, -math.inf, None),
    (0.0, -2.0, -math.inf, None),
    (-0.0, -2.0, math.inf, None),
    (0.0, -1.5, -math.inf, None),
]


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize(("x", "p", "by_x", "by_p"), AT_ZERO)
def test_powers_at_zero(x: float, p: float, by_x: float, by_p: float | None, mode: str) -> None:
    variable = [numpy_engine.compile(derived(arithmetic.pow_, (k,), mode))([np.array(x), np.array(p)])[0].item() for k in (0, 1)]
    assert variable[0] == by_x
    assert by_p is None or abs(variable[1] - by_p) <= math.ulp(by_p)
    base = input_("x0")
    (slope,) = tangents([arithmetic.pow_(base, p)], {base: constant(1.0)})
    fixed = numpy_engine.compile(Function("pow", [base], [constant(0.0) if slope is None else slope], True))([np.array(x)])[0]
    assert float(fixed) == by_x


def test_second_derivatives_of_powers_at_zero() -> None:
    for p, expected in ((1.0, 0.0), (2.0, 2.0), (3.0, 0.0), (1.5, math.inf)):
        second = numpy_engine.compile(derived(arithmetic.pow_, (0, 0), "forward"))([np.array(0.0), np.array(p)])[0]
        assert float(second) == expected, p

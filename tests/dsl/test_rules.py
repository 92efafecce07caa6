"""Every partial derivative of every elementwise primitive against certified truth, orders 1 and 2, forward and reverse.

The bound is 4 ulp (PROMISE) wherever the truth is a normal number, or what the row says with its reason; where a derivative passes
through an irrational zero inside the domain, the error is counted in ulp of its largest term.
"""

from __future__ import annotations

import itertools
import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from diffcompare.dsl import arithmetic, elementary
from diffcompare.dsl.accuracy import Path
from diffcompare.dsl.constants import constant
from diffcompare.dsl.core import BUILT_IN, PRIMITIVES, Expr, input_
from diffcompare.dsl.elementwise import Elementwise, Interval
from diffcompare.dsl.function import Function
from diffcompare.engines.numpy import numpy_engine
from diffcompare.reference import Reference
from diffcompare.transforms.forward import tangents
from diffcompare.transforms.reverse import cotangents

POINTS = 400

SMOOTH = sorted(
    (p for n, p in PRIMITIVES.items() if n in BUILT_IN and isinstance(p, Elementwise) and p.partials and not p.takes_bool),
    key=lambda p: p.name,
)

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
    bound = primitive.bound(path)
    scale = bound.term if bound else None
    verdict = Verdict(0, 0.0, ())
    for got, at in zip(computed.tolist(), zip(*(c.tolist() for c in columns), strict=True), strict=True):
        certified = reference.certify(("value", "gradient", "hessian")[len(path)], dict(zip(names, at, strict=True)))
        block = sum(k * primitive.arity**power for power, k in enumerate(reversed(path)))
        truth, ball = float(certified.values[block]), certified.balls[block].item()
        if certified.status[block] != "ok" or not math.isfinite(truth) or (abs(truth) < 2.0**-1022 and truth != 0.0):
            continue
        verdict.judged += 1
        if truth == 0.0:
            # exactly 0, or below the smallest subnormal
            error = 0.0 if got == 0.0 else math.inf if ball.is_zero() else abs(got) / math.ulp(0.0)
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

JUDGED = [(p, order) for p in SMOOTH for order in (1, 2) if order <= p.promised]
WRITTEN_OUT = [p for p in SMOOTH if p.evaluate is not None]


@pytest.mark.parametrize(("primitive", "order"), JUDGED, ids=lambda v: getattr(v, "name", str(v)))
def test_partials_are_within_their_bound(primitive: Elementwise, order: int) -> None:
    for (path, mode), verdict in verdicts(primitive, order).items():
        bound = primitive.bound(path)
        assert bound is not None
        assert verdict.worst <= bound.ulp, f"{primitive.name} {path} {mode}: {verdict}"
        assert verdict.judged >= POINTS // 2, f"{primitive.name} {path} {mode}: only {verdict.judged} points had a certified truth"


@pytest.mark.parametrize("primitive", WRITTEN_OUT, ids=lambda p: p.name)
def test_values_written_out_in_the_dsl_are_within_their_bound(primitive: Elementwise) -> None:
    (verdict,) = verdicts(primitive, 0).values()
    bound = primitive.bound(())
    assert bound is not None
    assert verdict.worst <= bound.ulp, f"{primitive.name}: {verdict}"
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


@pytest.mark.parametrize("primitive", SMOOTH, ids=lambda p: p.name)
def test_every_exception_has_its_reason_and_a_derivative(primitive: Elementwise) -> None:
    for path, bound in primitive.bounds.items():
        assert bound.reason
        assert len(path) <= primitive.promised
        assert max(path, default=0) < primitive.arity


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

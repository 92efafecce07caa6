"""Planted mistakes are found or declared undecided, right claims pass; the gates of the checker."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffcompare.check import Check, check_gradient
from diffcompare.check.operators import OPERATORS

_spec = importlib.util.spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
assert _spec is not None
assert _spec.loader is not None
planted: Any = importlib.util.module_from_spec(_spec)
sys.modules["planted"] = planted  # where its dataclass looks for its annotations
_spec.loader.exec_module(planted)

WRONG, RIGHT, BEYOND = planted.planted(), planted.right(), planted.out_of_reach()


def label(case: Any) -> str:
    return f"{case.name} {case.mistake} {case.n}".replace(" ", "-")


def check(case: Any, **options: Any) -> Check:
    return OPERATORS[case.operator](case.f, case.claim, case.at, **options)


def test_there_are_thirty_of_each() -> None:
    assert min(len(WRONG), len(RIGHT)) >= 30
    assert {c.n for c in WRONG} >= {1, 2, 10, 1000, 100_000}
    assert {c.traceable for c in WRONG} == {True, False}


@pytest.mark.parametrize("case", WRONG, ids=label)
def test_a_planted_mistake_is_found_or_undecided(case: Any) -> None:
    result = check(case)
    assert result.ok is not True
    assert bool(result.why_not_traced) is not case.traceable
    below_resolution = case.n == 100_000 and not case.traceable and "1e-10" in case.mistake
    assert result.ok is (None if below_resolution else False)
    if case.fits and result.ok is False:
        assert any(case.fits in kind for kind in result.kinds), result.kinds


@pytest.mark.parametrize("case", RIGHT, ids=label)
def test_a_right_claim_passes(case: Any) -> None:
    result = check(case)
    assert result.ok is True, str(result)
    assert result.resolution <= result.target
    assert bool(result.why_not_traced) is not case.traceable


@pytest.mark.parametrize("case", [c for c in BEYOND if c.n < 1000], ids=label)
def test_a_right_claim_beyond_the_resolution_is_undecided_and_says_so(case: Any) -> None:
    result = check(case)
    assert result.ok is None
    assert "UNDECIDED" in str(result)
    assert "1e-10" in str(result)


@pytest.mark.parametrize("case", [c for c in BEYOND if c.name in ("compliance", "filled, 300")], ids=label)
def test_a_coarser_resolution_lets_it_pass(case: Any) -> None:
    result = check(case, resolution=1e-8)
    assert result.ok is True
    assert 1e-10 < result.resolution <= 1e-8


FAMILIES = {
    "exp": (np.exp, np.exp, lambda r: r.uniform(-2, 2)),
    "sin 100x": (lambda x: np.sin(100 * x), lambda x: 100 * np.cos(100 * x), lambda r: r.uniform(-3, 3)),
    "log": (np.log, lambda x: 1 / x, lambda r: 10 ** r.uniform(-4, 1)),
    "1/x": (lambda x: 1 / x, lambda x: -1 / x**2, lambda r: 10 ** r.uniform(-6, -2)),
    "cube": (lambda x: x**3, lambda x: 3 * x**2, lambda r: 10 ** r.uniform(0, 12)),
    "sin far out": (np.sin, np.cos, lambda r: 10 ** r.uniform(3, 8)),
    "root at its end": (lambda x: np.sqrt(1 - x), lambda x: -0.5 / np.sqrt(1 - x), lambda r: 1 - 10 ** r.uniform(-8, 0)),
    "corner nearby": (lambda x: abs(x - 1) + x * x, lambda x: np.sign(x - 1) + 2 * x, lambda r: 1 + 10 ** r.uniform(-12, 0)),
    "steps": (lambda x: np.sin(x) + 1e-6 * np.floor(x * 1e3), np.cos, lambda r: r.uniform(0, 3)),
    "float32 inside": (lambda x: float(np.exp(np.float32(x))), np.exp, lambda r: r.uniform(-2, 2)),
    "wiggles": (lambda x: np.sin(x) + 1e-9 * np.sin(1e9 * x), lambda x: np.cos(x) + np.cos(1e9 * x), lambda r: r.uniform(0, 3)),
}


@pytest.mark.parametrize("trace", [True, False], ids=["traced", "opaque"])
@pytest.mark.parametrize("name", FAMILIES)
def test_hard_functions_are_not_accused_and_their_mistakes_not_passed(name: str, trace: bool) -> None:
    f, g, draw = FAMILIES[name]
    rng = np.random.default_rng(5)
    for _ in range(25):
        x = float(draw(rng))
        assert check_gradient(f, g, x, trace=trace).ok is not False
        assert check_gradient(f, lambda x: g(x) * (1 + 1e-7), x, trace=trace).ok is not True


Q = np.linalg.qr(np.random.default_rng(3).normal(size=(20, 20)))[0]
FORMS = {
    "logsumexp": (lambda x: np.log(np.sum(np.exp(x))), lambda x: np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x))), 8, 10.0),
    "norm": (lambda x: np.sqrt(np.sum(x**2)), lambda x: x / np.linalg.norm(x), 9, 1e-8),
    "rotation": (lambda x: (Q @ x - 1) @ (Q @ x - 1), lambda x: 2 * (x - Q.T @ np.ones(20)), 20, 1.0),
    "rotation, multiplied out": (lambda x: (Q @ x - 1) @ (Q @ x - 1), lambda x: 2 * Q.T @ (Q @ x) - 2 * Q.T @ np.ones(20), 20, 1.0),
    "relu": (lambda x: np.sum(np.maximum(Q[:10] @ x, 0)), lambda x: Q[:10].T @ (Q[:10] @ x > 0), 20, 1.0),
    "product": (np.prod, lambda x: np.prod(x) / x, 7, 1.0),
    "variance": (np.var, lambda x: 2 * (x - np.mean(x)) / x.size, 15, 100.0),
    "variance by moments": (lambda x: np.mean(x**2) - np.mean(x) ** 2, lambda x: 2 * (x - np.mean(x)) / x.size, 15, 100.0),
    "sin²": (lambda x: np.sum(np.sin(x) ** 2), lambda x: np.sin(2 * x), 4, 100.0),
    "periods": (lambda x: np.sum(np.sin(2 * np.pi * x)), lambda x: 2 * np.pi * np.cos(2 * np.pi * x), 4, 1e4),
    "power": (lambda x: np.sum(np.abs(x) ** 2.5), lambda x: 2.5 * np.sign(x) * np.abs(x) * np.sqrt(np.abs(x)), 4, 1e9),
    "log-odds": (lambda x: np.sum(np.log(np.abs(x) / (1 + np.abs(x)))), lambda x: np.sign(x) / (np.abs(x) * (1 + np.abs(x))), 4, 1.0),
}


@pytest.mark.parametrize("name", FORMS)
def test_other_correct_formulas_pass_to_the_last_digits(name: str) -> None:
    f, g, n, scale = FORMS[name]
    rng = np.random.default_rng(11)
    for _ in range(40):
        result = check_gradient(f, g, scale * rng.normal(size=n))
        assert result.ok is True, str(result)


def test_operations_that_happen_to_be_exact_count_as_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 53 bits the ten terms of this entry add up without rounding in one order and not in another."""
    from diffcompare.check import rounding

    f, g, n, _ = FORMS["relu"]
    rng = np.random.default_rng(11)
    points = [rng.normal(size=n) for _ in range(40)]
    monkeypatch.setattr(rounding, "SHORT", 53)
    accused = [x for x in points if check_gradient(f, g, x).ok is False]
    monkeypatch.undo()
    assert accused
    assert all(check_gradient(f, g, x).ok is True for x in accused)


@pytest.mark.parametrize("relative", [1e-14, 1e-12, 1e-9])
def test_relative_errors_down_to_1e_14_are_found_where_the_function_is_traced(relative: float) -> None:
    for f, g, x in (
        (np.sin, np.cos, 1.0),
        (np.exp, np.exp, 3.0),
        (np.log, lambda x: 1 / x, 1e-5),
        (np.tanh, lambda x: np.cosh(x) ** -2, 0.5),
    ):
        assert check_gradient(f, g, x).ok is True
        wrong = check_gradient(f, lambda x, g=g: g(x) * (1 + relative), (x,))
        assert wrong.ok is False
        assert wrong.worst is not None
        assert wrong.worst.relative == pytest.approx(relative, rel=0.05)


@pytest.mark.parametrize(("relative", "ok"), [(0.0, True), (1e-12, None), (1e-9, None), (1e-5, False)])
def test_what_the_condition_number_may_explain_is_undecided(relative: float, ok: bool | None) -> None:
    result = check_gradient(np.sin, lambda x: np.cos(x) * (1 + relative), 1e8)
    assert result.ok is ok
    assert result.worst is not None
    assert ("condition number of 3e+08" in result.worst.note) is (ok is None)


def test_a_single_wrong_entry_of_many_is_found_by_halving_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffcompare.check.traced import Traced

    monkeypatch.setattr(Traced, "_by_reverse_mode", lambda self: None)
    n = 5000
    x = planted.numbers(40, n)
    for k, change in ((17, lambda v: v * (1 + 1e-9)), (3210, lambda v: -v), (n - 1, lambda v: v + 1e-7)):
        claim = planted.at_entry(planted.pseudo_huber_g, k, change)
        result = check_gradient(planted.pseudo_huber, claim, x)
        assert result.ok is False
        assert [e.column for e in result.wrong] == [k]
    assert check_gradient(planted.pseudo_huber, planted.pseudo_huber_g, x).ok is True


def test_a_long_jacobian_and_a_long_hessian_are_judged_through_products() -> None:
    n = 110
    M, x = planted.numbers(41, n, n), planted.numbers(42, n)

    def f(v: Any) -> Any:
        return np.tanh(M @ v / n)

    def jac(v: Any) -> Any:
        return M / n / np.cosh(M @ v / n)[:, None] ** 2

    def wrong(v: Any) -> Any:
        J = jac(v)
        J[77, 33] *= 1.0001
        return J

    assert OPERATORS["jacobian"](f, jac, x, resolution=1e-6).ok is True
    found = OPERATORS["jacobian"](f, wrong, x)
    assert (found.ok, [(e.row, e.column) for e in found.wrong]) == (False, [(77, 33)])

    hess = planted.rosenbrock_h
    assert OPERATORS["hessian"](planted.rosenbrock, hess, x).ok is True

    def crooked(v: Any) -> Any:
        H = hess(v)
        H[20, 21] *= 1 + 1e-8
        return H

    found = OPERATORS["hessian"](planted.rosenbrock, crooked, x)
    assert (found.ok, [(e.row, e.column) for e in found.wrong]) == (False, [(20, 21)])
    assert "not symmetric" in found.kinds[0] or "perturbation" in found.kinds[0]

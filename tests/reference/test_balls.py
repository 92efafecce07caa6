"""Ball forms: those of the rows against mpmath, those of the vocabulary each against a second formula."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import flint
import mpmath
import pytest
from flint import arb, arb_series

from diffcompare.dsl import function, symbols
from diffcompare.dsl.core import BUILT_IN, PRIMITIVES
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.reference import Reference
from diffcompare.reference.balls import Vocabulary
from diffcompare.reference.certify import is_certain
from diffcompare.reference.plans import taylor

MPMATH: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "chain_mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "abs": abs,
    "pow": lambda a, b: a**b,
    "maximum": max,
    "minimum": min,
    "sech2": lambda a: mpmath.sech(a) ** 2,
    "gauss": lambda a: mpmath.exp(-a * a),
    "softplus": lambda a: mpmath.log1p(mpmath.exp(a)),
    "relu": lambda a: max(a, mpmath.mpf(0)),
    "cbrt": lambda a: mpmath.sign(a) * mpmath.cbrt(abs(a)),
    "exp2": lambda a: mpmath.mpf(2) ** a,
    "log2": lambda a: mpmath.log(a, 2),
    "lgamma": lambda a: mpmath.log(abs(mpmath.gamma(a))),
    "mod": lambda a, b: a - b * mpmath.floor(a / b),
    "digamma_positive": mpmath.digamma,
    "trigamma": lambda a: mpmath.psi(1, a),
    "log_sigmoid": lambda a: -mpmath.log1p(mpmath.exp(-a)),
    "sinc": mpmath.sincpi,
    "atan2": mpmath.atan2,
    "normal_pdf": mpmath.npdf,
    "normal_cdf": mpmath.ncdf,
    "normal_slope": lambda a: -a * mpmath.npdf(a),
    "normal_bend": lambda a: (a * a - 1) * mpmath.npdf(a),
    "gelu": lambda a: a * mpmath.ncdf(a),
    "gelu_bend": lambda a: (2 - a * a) * mpmath.npdf(a),
    "gelu_slope": lambda a: mpmath.ncdf(a) + a * mpmath.npdf(a),
}
NATIVE = sorted(
    (p for n, p in PRIMITIVES.items() if n in BUILT_IN and isinstance(p, Elementwise) and p.ball and p.partials and not p.takes_bool),
    key=lambda p: p.name,
)


def _inside(primitive: Elementwise) -> list[tuple[float, ...]]:
    numbers = (0.4375, 1.5, -0.625, 2.75, -3.3)
    columns = [[v for v in numbers if v in d] for d in primitive.domain]
    return [tuple(c[(k + 2 * j) % len(c)] for j, c in enumerate(columns)) for k in range(3)]


def _worst_disagreement(primitive: Elementwise) -> float:
    """The largest relative difference of value and gradient from mpmath's at 60 digits."""
    oracle = MPMATH.get(primitive.name) or getattr(mpmath, primitive.name)
    inputs = symbols([f"x{k}" for k in range(primitive.arity)])
    reference = Reference(function(inputs, primitive(*inputs)))
    worst = 0.0
    with mpmath.workdps(60):
        for at in _inside(primitive):
            point = dict(zip(reference.function.names, at, strict=True))
            got = [reference.certify("value", point), reference.certify("gradient", point)]
            balls = [b.item() for c in got for b in c.balls]
            exact = [mpmath.mpf(v) for v in at]
            orders = [(0,) * primitive.arity, *(tuple(int(i == j) for i in range(primitive.arity)) for j in range(primitive.arity))]
            for ball, order in zip(balls, orders, strict=True):
                true = mpmath.diff(oracle, tuple(exact), order) if primitive.arity > 1 else mpmath.diff(oracle, exact[0], order[0])
                mine = mpmath.mpf(ball.mid().str(40, radius=False))
                worst = max(worst, float(abs(mine - true) / (abs(true) + mpmath.mpf(10) ** -30)))
    return worst


@pytest.mark.parametrize("primitive", NATIVE, ids=lambda p: p.name)
def test_ball_forms_agree_with_mpmath(primitive: Elementwise) -> None:
    assert _worst_disagreement(primitive) < 2.0**-69


@pytest.mark.parametrize("primitive", [p for p in NATIVE if p.arity == 1], ids=lambda p: p.name)
def test_a_planted_error_of_1e_18_in_a_ball_form_disagrees(primitive: Elementwise, monkeypatch: pytest.MonkeyPatch) -> None:
    right = primitive.ball
    assert right is not None
    monkeypatch.setattr(primitive, "ball", lambda b, z: right(b, z) * (1 + arb("1e-18")))
    assert _worst_disagreement(primitive) > 1e-19


# --- the vocabulary, each form against a second formula ---

b = Vocabulary()
ONE = arb(1)


def _exps(z: Any) -> tuple[Any, Any]:
    return z.exp(), (-z).exp()


SECOND: dict[str, tuple[Callable[[Any], Any], tuple[float, ...]]] = {
    "abs": (lambda z: z if _c(z) > 0 else -z, (0.7, -2.5)),
    "sqrt": (lambda z: (z.log() / 2).exp(), (0.7, 30.0)),
    "cbrt": (lambda z: (z.log() / 3).exp() if _c(z) > 0 else -((-z).log() / 3).exp(), (0.7, 30.0, -8.0)),
    "expm1": (lambda z: z.exp() - 1, (1e-9, -40.0, 3.0)),
    "log1p": (lambda z: (1 + z).log(), (1e-9, -0.75, 3.0)),
    "exp2": (lambda z: (z * arb(2).log()).exp(), (0.7, -30.0)),
    "log2": (lambda z: z.log() / arb(2).log(), (0.7, 30.0)),
    "log10": (lambda z: z.log() / arb(10).log(), (0.7, 30.0)),
    "sec": (lambda z: 1 / z.cos(), (0.7, -2.0)),
    "csc": (lambda z: 1 / z.sin(), (0.7, -2.0)),
    "cot": (lambda z: 1 / z.tan(), (0.7, -2.0)),
    "asec": (lambda z: arb.pi() / 2 - (1 / z).asin(), (1.25, -3.0)),
    "acsc": (lambda z: arb.pi() / 2 - (1 / z).acos(), (1.25, -3.0)),
    "acot": (lambda z: (arb.pi() / 2 if _c(z) > 0 else -arb.pi() / 2) - z.atan(), (0.25, -3.0)),
    "sinh": (lambda z: (z.exp() - (-z).exp()) / 2, (1e-5, -3.0, 40.0)),
    "cosh": (lambda z: (z.exp() + (-z).exp()) / 2, (1e-5, -3.0, 40.0)),
    "tanh": (lambda z: (z.exp() - (-z).exp()) / (z.exp() + (-z).exp()), (1e-5, -3.0, 20.0)),
    "sech2": (lambda z: 4 / (z.exp() + (-z).exp()) ** 2, (1e-5, -3.0, 20.0)),
    "sech": (lambda z: 2 / (z.exp() + (-z).exp()), (1e-5, -3.0, 20.0)),
    "csch": (lambda z: 2 / (z.exp() - (-z).exp()), (0.25, -3.0, 20.0)),
    "coth": (lambda z: (z.exp() + (-z).exp()) / (z.exp() - (-z).exp()), (0.25, -3.0, 20.0)),
    "asinh": (lambda z: (z + (1 + z * z).sqrt()).log(), (1e-5, -3.0, 1e5)),
    "acosh": (lambda z: (z + (z * z - 1).sqrt()).log(), (1.0001, 3.0, 1e5)),
    "atanh": (lambda z: ((1 + z) / (1 - z)).log() / 2, (1e-5, -0.75, 0.999)),
    "asech": (lambda z: (1 / z + (1 / (z * z) - 1).sqrt()).log(), (1e-3, 0.25, 0.99)),
    "acsch": (lambda z: (1 / z + (1 / (z * z) + 1).sqrt()).log(), (1e-3, 0.25, 9.0)),
    "acoth": (lambda z: ((z + 1) / (z - 1)).log() / 2, (1.001, -3.0, 50.0)),
    "lgamma": (lambda z: b.abs(z.gamma()).log(), (0.25, 7.5, -0.75, -3.25)),
    "digamma": (lambda z: b.digamma(z + 3) - 1 / z - 1 / (z + 1) - 1 / (z + 2), (0.25, 7.5, -0.75, -3.25)),
}


def _c(z: Any) -> Any:
    return z if isinstance(z, arb) else z[0]


def _coefficients(value: Any) -> list[arb]:
    return [value] if isinstance(value, arb) else [value[k] for k in range(value.prec)]


@pytest.mark.parametrize("name", SECOND)
def test_vocabulary_against_a_second_formula(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flint.ctx, "prec", 300)
    monkeypatch.setattr(flint.ctx, "cap", 6)
    second, centres = SECOND[name]
    for centre in centres:
        for argument in (arb(centre), arb_series([centre, 2, -0.5])):
            mine, other = _coefficients(getattr(b, name)(argument)), _coefficients(second(argument))
            assert len(mine) == len(other)
            for p, q in zip(mine, other, strict=True):
                assert p.overlaps(q), (name, centre)
                assert p.rel_accuracy_bits() > 100 or (p.is_zero() and q.contains(0)), (name, centre, p)


def test_digamma_is_the_derivative_of_lgamma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flint.ctx, "prec", 200)
    monkeypatch.setattr(flint.ctx, "cap", 6)
    for centre in (0.25, 3.5, -1.75):
        z = arb_series([centre, 1])
        slope = b.lgamma(z).derivative()
        assert all(slope[k].overlaps(b.digamma(z)[k]) for k in range(5))


def test_vocabulary_of_two_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flint.ctx, "prec", 300)
    monkeypatch.setattr(flint.ctx, "cap", 6)
    for p, q in ((0.7, 2.0), (3.0, -1.5)):
        u, v = arb_series([p, 1, 2]), arb_series([q, -1, 0.5])
        for mine, other in (
            (b.pow(u, v), (v * u.log()).exp()),
            (b.atan2(v, u), (v / u).atan()),
            (b.atan2(u, v), arb.pi() / 2 - (v / u).atan()),
            (b.mod(u, v), u - v * (0 if q > p else -2)),
            (b.div(u, v), u * v.inv()),
        ):
            assert all(m.overlaps(o) for m, o in zip(_coefficients(mine), _coefficients(other), strict=True))


def test_a_quotient_has_a_limit_only_where_the_order_of_the_zero_below_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flint.ctx, "cap", 4)
    limits, about_zero = Vocabulary(limits=True), arb(0, 1e-30)
    t, t_squared = arb_series([0, 1]), arb_series([0, 0, 1])
    assert limits.div(t_squared, t)[1] == 1
    # FLINT raises for the first two and gives 0 for the others
    for above in (arb(1), t, arb(0), arb_series([0, 0, 0, 0])):
        for below in (arb_series([about_zero, 1]), arb_series([0, about_zero]), arb_series([0, arb("nan"), 1]), arb_series([0, 0, 0, 0])):
            assert b.div(above, below).is_nan()
            assert limits.div(above, below).is_nan()
    assert limits.div(t, t_squared).is_nan()


@pytest.mark.parametrize("name", ["tanh", "sech", "digamma", "asinh", "acosh", "atanh", "lgamma", "cbrt", "log1p", "acot", "coth"])
def test_a_ball_without_bounds_or_value_gives_no_certain_derivative(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(flint.ctx, "cap", 3)
    for at in (arb("nan"), arb(0, 1e300)):
        for series in (arb_series([at, 1]), arb_series([at, arb("nan")])):
            assert not is_certain(taylor(getattr(b, name)(series), 1), 20)
            for other in (arb(1), arb_series([at, 1]), arb_series([1, 1])):
                assert not is_certain(taylor(b.atan2(series, other), 1), 20)


NO_VALUE = [n for n in dir(Vocabulary) if not n.startswith("_") and n not in ("number", "compare", "where") and "logical" not in n]


@pytest.mark.parametrize("name", NO_VALUE)
def test_no_function_makes_a_value_of_none(name: str) -> None:
    # one without a value counts as constant, so a finite ball of it would have the certain derivative 0
    form, none = getattr(b, name), arb("nan")
    arity = len(inspect.signature(form).parameters)
    others = [arb(1), arb(-2.5)] if arity == 2 else [None]
    for other in others:
        for given in ([none], [arb_series([none, 1])]):
            arguments = given if other is None else [*given, other]
            assert not is_certain(taylor(form(*arguments), 0), 1)
            assert not is_certain(taylor(form(*arguments), 1), 1)
            assert not is_certain(taylor(form(*reversed(arguments)), 1), 1)


@pytest.mark.parametrize(
    ("name", "at"), [("digamma", 2.0), ("digamma", -0.75), ("trigamma", 2.0), ("sinc", 0.0), ("sinc", 0.3), ("lgamma", 1.5)]
)
def test_functions_of_what_stays_constant_along_the_direction(name: str, at: float) -> None:
    y = getattr(b, name)(arb_series([at, 0]))
    assert taylor(y, 0).overlaps(getattr(b, name)(arb(at)))
    assert taylor(y, 1).overlaps(arb(0))


def test_rounding_functions() -> None:
    for at, down, up, even in ((2.5, 2, 3, 2), (3.5, 3, 4, 4), (-2.5, -3, -2, -2), (2.25, 2, 3, 2), (-0.75, -1, 0, -1), (4.0, 4, 4, 4)):
        assert (b.floor(arb(at)), b.ceil(arb(at)), b.round(arb(at))) == (down, up, even)
    assert isinstance(b.floor(arb_series([2.5, 1])), arb)
    assert b.floor(arb_series([2, 1]))[1].is_nan()
    assert b.ceil(arb_series([2, 1]))[1].is_nan()
    assert b.round(arb_series([2.5, 1]))[1].is_nan()
    assert b.round(arb_series([2, 1])) == 2
    assert not b.floor(arb(2, 0.5)).is_exact()


def test_a_ball_is_certain_by_bits_or_by_rounding_to_one_float() -> None:
    assert is_certain(arb(1) / 3, 50)
    assert not is_certain(arb(1) / 3, 70)
    assert is_certain(arb(0, 1e-320) * arb(2) ** -100, 70)
    assert not is_certain(arb(0, 1e-320), 70)
    assert not is_certain(arb("nan"), 1)

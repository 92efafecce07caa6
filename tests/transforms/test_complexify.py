"""Complex arithmetic as real code: every form against ball arithmetic, tiny imaginary parts, branches, arrays, refusals."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from flint import acb, ctx

from diffcompare.differentiate import gradient, jacobian
from diffcompare.dsl import complex_forms, function, symbol, symbols
from diffcompare.dsl.arithmetic import abs_, add, chain_mul, div, floor, maximum, minimum, mul, neg, pow_, sign, sqrt, sub, where
from diffcompare.dsl.composite import logsumexp, norm, softmax
from diffcompare.dsl.composite import max as largest
from diffcompare.dsl.composite import min as smallest
from diffcompare.dsl.contraction import diagonal, einsum
from diffcompare.dsl.core import BUILT_IN, PRIMITIVES
from diffcompare.dsl.elementary import (
    acos,
    asin,
    atan,
    atan2,
    cos,
    cosh,
    erf,
    exp,
    expm1,
    hypot,
    log,
    log1p,
    relu,
    sigmoid,
    sin,
    sinh,
    softplus,
    tan,
    tanh,
)
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.structural import concatenate, reshape, transpose
from diffcompare.dsl.structural import sum as total
from diffcompare.engines.numpy import numpy_engine
from diffcompare.errors import Unsupported
from diffcompare.transforms.complexify import complexify

x, y = symbols("x y")
v = symbol("v", (4,))
A = symbol("A", (3, 4))
LINE = (-math.inf, math.inf)
I = acb(0, 1)  # noqa: E741  the imaginary unit

TRUTH: list[tuple[Elementwise, Callable[..., acb], tuple[tuple[float, float], ...], float]] = [
    (neg, lambda z: -z, (LINE,), 0.5),
    (exp, lambda z: z.exp(), (LINE,), 4),
    (expm1, lambda z: z.expm1(), (LINE,), 4),
    (log, lambda z: z.log(), ((0, math.inf),), 4),
    (log1p, lambda z: z.log1p(), ((-1, math.inf),), 4),
    (sin, lambda z: z.sin(), (LINE,), 4),
    (cos, lambda z: z.cos(), (LINE,), 4),
    (tan, lambda z: z.tan(), (LINE,), 4),
    (asin, lambda z: z.asin(), ((-1, 1),), 4),
    (acos, lambda z: z.acos(), ((-1, 1),), 4),
    (atan, lambda z: z.atan(), (LINE,), 4),
    (sinh, lambda z: z.sinh(), (LINE,), 4),
    (cosh, lambda z: z.cosh(), (LINE,), 4),
    (tanh, lambda z: z.tanh(), (LINE,), 6),  # norm, tanh² + cos² / cosh², is 1 but for three roundings
    (sqrt, lambda z: z.sqrt(), ((0, math.inf),), 4),
    (sigmoid, lambda z: 1 / (1 + (-z).exp()), (LINE,), 4),
    (softplus, lambda z: z.exp().log1p(), (LINE,), 4),
    (add, lambda z, w: z + w, (LINE, LINE), 1),
    (sub, lambda z, w: z - w, (LINE, LINE), 1),
    (mul, lambda z, w: z * w, (LINE, LINE), 2),
    (chain_mul, lambda z, w: z * w, (LINE, LINE), 2),
    (div, lambda z, w: z / w, (LINE, LINE), 4),
    (hypot, lambda z, w: (z * z + w * w).sqrt(), (LINE, LINE), 5),
    (atan2, lambda z, w: -I * ((w + z * I) / (z * z + w * w).sqrt()).log(), (LINE, LINE), 6),
    (pow_, lambda z, w: (w * z.log()).exp(), ((0, math.inf), (-5, 5)), 4),
]
BY_NAME = [
    ("asinh", lambda z: (z + (z * z + 1).sqrt()).log(), (LINE,), 4),
    ("acosh", lambda z: (z + (z - 1).sqrt() * (z + 1).sqrt()).log(), ((1, math.inf),), 4),
    ("atanh", lambda z: ((1 + z) / (1 - z)).log() / 2, ((-1, 1),), 4),
    ("exp2", lambda z: (z * acb(2).log()).exp(), (LINE,), 4),
    ("log2", lambda z: z.log() / acb(2).log(), ((0, math.inf),), 4),
    ("log10", lambda z: z.log() / acb(10).log(), ((0, math.inf),), 4),
    ("cbrt", lambda z: z.root(3) if z.real > 0 else -(-z).root(3), (LINE,), 4),
    ("sinpi", lambda z: z.sin_pi(), (LINE,), 4),
    ("cospi", lambda z: z.cos_pi(), (LINE,), 4),
]
TRUTH += [(PRIMITIVES[name], *row) for name, *row in BY_NAME if name in PRIMITIVES]
"""(function, the same in ball arithmetic, its real domain, ulp allowed to each part at tiny imaginary parts)."""
BRANCHING = {"abs", "maximum", "minimum", "relu", "where", "lt", "le", "eq", "ne"}
each_form = pytest.mark.parametrize(("primitive", "truth", "domain", "ulps"), TRUTH, ids=[row[0].name for row in TRUTH])


def draws(low: float, high: float, seed: int, count: int = 240) -> np.ndarray:
    """Numbers inside the open interval: uniform, of all magnitudes to 1e±60, and close to finite ends."""
    rng = np.random.default_rng(seed)
    sign_ = rng.choice([-1.0, 1.0], count)
    strata = [rng.uniform(-4, 4, count), sign_ * 10.0 ** rng.uniform(-60, 60, count), sign_ * 10.0 ** rng.uniform(-3, 2, count)]
    ends = [e for e in (low, high) if math.isfinite(e)]
    if ends:
        strata.append(rng.choice(ends, count) + sign_ * 10.0 ** rng.uniform(-15, -1, count))
    mixed = np.stack(strata, axis=1).ravel()
    return mixed[(mixed > low) & (mixed < high)][:count]


def parts(primitive: Elementwise, columns: list[np.ndarray], sides: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    inputs = (x, y)[: primitive.arity]
    compiled = numpy_engine.compile(complexify(function(inputs, primitive(*inputs))))
    re, im = compiled([*columns, *sides])
    return re, im


def exact(truth: Callable[..., acb], columns: list[np.ndarray], sides: list[np.ndarray]) -> list[acb]:
    ctx_before, ctx.prec = ctx.prec, 2000
    try:
        rows = zip(zip(*columns, strict=True), zip(*sides, strict=True), strict=True)
        return [truth(*(acb(float(a), float(b)) for a, b in zip(*row, strict=True))) for row in rows]
    finally:
        ctx.prec = ctx_before


def in_ulp(got: float, true: object) -> float:
    """The distance in units in the last place; 0 where the truth is no normal number."""
    nearest = float(true)  # type: ignore[arg-type]
    if not 1e-290 < abs(nearest) < 1e290:
        return 0.0
    before, ctx.prec = ctx.prec, 2000
    try:
        return abs(float(true - got)) / math.ulp(nearest) if math.isfinite(got) else math.inf  # type: ignore[operator]
    finally:
        ctx.prec = before


def worse(re: float, im: float, true: acb) -> float:
    """The error of the worse part; 0 where the real part overflows, and the function with it."""
    return 0.0 if abs(float(true.real)) > 1e290 else max(in_ulp(re, true.real), in_ulp(im, true.imag))


@each_form
@pytest.mark.parametrize("relative", [1e-32, 1e-200])
def test_both_parts_keep_their_digits_at_tiny_imaginary_parts(primitive, truth, domain, ulps, relative):
    """One complex argument at a time: with several, the imaginary part is a sum whose terms may cancel."""
    seed = zlib.crc32(primitive.name.encode())
    for active in range(primitive.arity):
        columns = [draws(*d, seed=seed + k) for k, d in enumerate(domain)]
        n = min(map(len, columns))
        columns = [c[:n] for c in columns]
        sides = [np.clip(c * relative, -1e-10, 1e-10) if k == active else np.zeros(n) for k, c in enumerate(columns)]
        re, im = parts(primitive, columns, sides)
        worst = [worse(a, b, t) for a, b, t in zip(re, im, exact(truth, columns, sides), strict=True)]
        assert max(worst) <= ulps, [c[int(np.argmax(worst))] for c in columns]


@each_form
def test_forms_are_formulas_for_complex_numbers_not_slopes(primitive, truth, domain, ulps):
    """At imaginary parts as large as a third of the real ones, where re + i im f'(re) is wrong from the first digit."""
    seed = zlib.crc32(primitive.name.encode())
    rng = np.random.default_rng(seed)
    columns = [rng.uniform(max(low, -3), min(high, 3), 200) for low, high in domain]
    sides = [c * rng.uniform(-0.3, 0.3, 200) for c in columns]
    re, im = parts(primitive, columns, sides)
    for a, b, t in zip(re, im, exact(truth, columns, sides), strict=True):
        size = max(abs(float(t.real)), abs(float(t.imag)))
        assert max(abs(float(t.real) - a), abs(float(t.imag) - b)) <= 40 * np.finfo(float).eps * size


def test_every_function_with_a_complex_form_is_tested_here():
    tested = {row[0].name for row in TRUTH} | BRANCHING
    forms = {p.name for n, p in PRIMITIVES.items() if n in BUILT_IN and isinstance(p, Elementwise) and p.complex is not None}
    assert forms - {"mod"} == tested


def test_a_planted_wrong_form_is_caught(monkeypatch):
    monkeypatch.setattr(tan, "complex", lambda z: (complex_forms.tan(z)[0], z[1] * (1.0 + tan(z[0]) * tan(z[0]))))  # AD in disguise
    with pytest.raises(AssertionError):
        test_forms_are_formulas_for_complex_numbers_not_slopes(tan, lambda z: z.tan(), (LINE,), 4)
    monkeypatch.setattr(tan, "complex", lambda z: (complex_forms.tan(z)[0], complex_forms.tan(z)[1] * (1 + 1e-14)))
    with pytest.raises(AssertionError):
        test_both_parts_keep_their_digits_at_tiny_imaginary_parts(tan, lambda z: z.tan(), (LINE,), 4, 1e-32)


# --- powers ---


@pytest.mark.parametrize("n", [-3.0, -1.0, 2.0, 3.0, 5.0, 0.5, -0.5, 1.5, 2.5, 7.0])
def test_powers_with_a_constant_exponent(n):
    at = np.concatenate([-(10.0 ** np.linspace(-20, 20, 41)), 10.0 ** np.linspace(-20, 20, 41)])
    got = jacobian(function([x], x**n), method="fd.complex", engine="numpy")(at)
    with np.errstate(invalid="ignore"):
        true = n * at ** (n - 1)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(true))
    np.testing.assert_allclose(got, true, rtol=1e-15 * 4)


def test_integer_exponents_known_only_when_it_runs_take_negative_bases():
    d = gradient(function([x, y], pow_(x, y)), wrt="x", method="fd.complex", engine="numpy")
    np.testing.assert_allclose(d(-2.0, np.array([3.0, 2.0, -1.0])), [12.0, -4.0, -0.25], rtol=1e-15)
    assert math.isnan(d(-2.0, 2.5))
    along = gradient(function([x, y], pow_(x, y)), wrt="y", method="fd.complex", engine="numpy")
    np.testing.assert_allclose(along(np.array([2.0, 0.0]), 3.0), [8 * math.log(2), 0.0], rtol=4e-16)
    assert math.isnan(along(-2.0, 3.0))


# --- branches and edges ---


@pytest.mark.parametrize(
    ("expression", "at", "slope"),
    [
        (abs_(x), -2.0, -1.0),
        (abs_(x), 3.0, 1.0),
        (abs_(x), 0.0, 0.0),
        (relu(x), -2.0, 0.0),
        (relu(x), 2.0, 1.0),
        (relu(x), 0.0, 0.0),
        (maximum(x, 2.0 * x), 1.0, 2.0),
        (maximum(x, 2.0 * x), -1.0, 1.0),
        (maximum(x, -x), 0.0, 0.0),
        (minimum(x, 3.0 * x), 1.0, 1.0),
        (minimum(3.0 * x, x), 0.0, 2.0),
        (where(x < 1.0, x * x, 5.0 * x), 0.5, 1.0),
        (where(x < 1.0, x * x, 5.0 * x), 2.0, 5.0),
        (where(x < 1.0, 7.0, x), 0.5, 0.0),
        (sign(x) * x, -2.0, -1.0),
        (floor(x) * x, 2.5, 2.0),
    ],
    ids=str,
)
def test_functions_that_are_not_analytic_branch_on_the_real_part(expression, at, slope):
    assert gradient(function([x], expression), method="fd.complex")(at) == pytest.approx(slope, rel=1e-15)


@pytest.mark.parametrize("outside", [(log, -1.0), (log1p, -2.0), (sqrt, -4.0), (asin, 1.5), (acos, -1.5)], ids=lambda o: o[0].name)
def test_outside_its_real_domain_a_function_stays_undefined(outside):
    primitive, at = outside
    assert math.isnan(gradient(function([x], primitive(x)), method="fd.complex")(at))


def test_an_infinite_slope_leaves_the_neighbours_alone():
    f = function([v], total(sqrt(v)) + total(log(v + 1.0)))
    row = gradient(f, method="fd.complex")(np.array([0.0, 1.0, 4.0, 0.0]))
    np.testing.assert_allclose(row[1:3], [1.0, 0.45], rtol=1e-15)
    assert row[0] > 1e70 and row[3] > 1e70
    quotient = function([x, y], 1.0 / x + y)
    assert gradient(quotient, wrt="y", method="fd.complex")(0.0, 1.0) == 1.0


def test_norm_and_hypot_at_the_origin_follow_the_table_of_conventions():
    np.testing.assert_array_equal(gradient(function([v], norm(v)), method="fd.complex")(np.zeros(4)), np.zeros(4))
    assert gradient(function([x, y], hypot(x, y)), method="fd.complex")(0.0, 0.0) == (0.0, 0.0)


@pytest.mark.skipif("asinh" not in PRIMITIVES, reason="asinh is not declared")
def test_asinh_of_huge_arguments_takes_imaginary_parts_beyond_its_branch_points():
    slope = gradient(function([x], PRIMITIVES["asinh"](x)), method="fd.complex")
    assert [slope(1e100), slope(-1e300)] == pytest.approx([1e-100, 1e-300], rel=1e-15)


@pytest.mark.skipif("mod" not in PRIMITIVES, reason="mod is not declared")
def test_mod_keeps_the_multiple_of_the_real_parts():
    assert gradient(function([x], x * x % 3.0), method="fd.complex")(2.0) == 4.0
    assert gradient(function([x], 7.0 % x), method="fd.complex")(2.0) == -3.0


def test_saturated_functions_stay_finite():
    at = np.array([-800.0, -30.0, 0.0, 30.0, 300.0, 800.0])
    for f in (sigmoid(x), softplus(x), tanh(x)):
        ad = gradient(function([x], f), method="ad.forward", engine="numpy")(at)
        np.testing.assert_allclose(gradient(function([x], f), method="fd.complex", engine="numpy")(at), ad, rtol=2e-15, atol=1e-290)


# --- arrays ---


ARRAYS = {
    "product": total(einsum("ij,j->i", A, v) * einsum("ij,j->i", A, v)),
    "three factors": einsum("ij,j,j->", A, v, v),
    "rearranged": total(reshape(transpose(A), (12,)) ** 2 * concatenate([v, v * v, 2.0 * v])),
    "diagonal": total(diagonal(A[:, 1:]) * v[:3]),
    "logsumexp": logsumexp(A @ v),
    "softmax": total(softmax(A @ v) * A[:, 0]),
    "norm": norm(A) * norm(v),
    "extremes": largest(A) * smallest(v),
    "ties": total(largest(A * 0.0 + v, axis=1) * 1.0),
    "constant part": total(concatenate([v, 1.0 + 0.0 * A[0]]) ** 2),
}


@pytest.mark.parametrize("engine", ["python", "numpy"])
@pytest.mark.parametrize("name", ARRAYS)
def test_array_functions_agree_with_automatic_differentiation(name, engine):
    f = function([A, v], ARRAYS[name])
    rng = np.random.default_rng(3)
    at = rng.normal(size=(3, 4)), rng.normal(size=4)
    got, expected = (gradient(f, method=m, engine=engine)(*at) for m in ("fd.complex", "ad.reverse"))
    for g, e in zip(got, expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=2e-14, atol=1e-14 * np.max(np.abs(e)))


def test_only_what_depends_on_the_inputs_chosen_becomes_complex():
    f = function([x, y], sin(x) * exp(y))
    names = [i.params[0] for i in complexify(f, ["x"]).inputs]
    assert names == ["x", "y", "imaginary_x"]
    assert gradient(f, wrt="x", method="fd.complex")(1.0, 0.0) == pytest.approx(math.cos(1.0), rel=4e-16)


def test_derivatives_of_the_graph_can_be_differentiated_again():
    slope = gradient(function([x], tanh(x) * sigmoid(x) + x**2.5), method="ad.reverse").function
    second = gradient(slope, method="fd.complex", engine="numpy")(0.7)
    assert second == pytest.approx(gradient(slope, method="ad.forward", engine="numpy")(0.7), rel=4e-15)


def test_a_function_without_complex_form_is_refused_by_name():
    with pytest.raises(Unsupported, match=r"erf has no complex form, so fd\.complex cannot take it; use fd\.central"):
        gradient(function([x], erf(x) + x), method="fd.complex")
    assert gradient(function([x, y], erf(x) * y), wrt="y", method="fd.complex")(0.5, 1.0) == pytest.approx(math.erf(0.5), rel=4e-16)

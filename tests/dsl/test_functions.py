"""Functions beyond what the registry tests hold: conventions at kinks and edges, zeros in products, triangles, spreads, names."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from diffcompare.differentiate import derivative, gradient, hessian, jacobian, value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.aliases import ALIASES, lookup
from diffcompare.dsl.catalogue import functions
from diffcompare.dsl.composite import std, var
from diffcompare.dsl.core import FUNCTIONS, PRIMITIVES
from diffcompare.dsl.grammar import parse
from diffcompare.dsl.running import cumprod, cumsum, prod
from diffcompare.dsl.structural import sum as total
from diffcompare.dsl.triangular import tril, tril_fill, triu, triu_fill
from diffcompare.errors import ShapeError
from diffcompare.reference import certify

x, y = symbols("x y")
v = symbol("v", (5,))
A = symbol("A", (3, 4))
S = symbol("S", (3, 3))
inf, nan = math.inf, math.nan
MODES = ("ad.forward", "ad.reverse", "symbolic")

# --- kinks and edges ---

AT_EDGES = [
    # expression, point, value, derivative
    ("floor(x)", 2.0, 2.0, 0.0),
    ("ceil(x)", 2.5, 3.0, 0.0),
    ("ceil(x)", -0.5, -0.0, 0.0),
    ("round(x)", 2.5, 2.0, 0.0),
    ("round(x)", -0.5, -0.0, 0.0),
    ("mod(x, 3)", 7.5, 1.5, 1.0),
    ("mod(x, 3)", -7.5, 1.5, 1.0),
    ("mod(x, -3)", 7.5, -1.5, 1.0),
    ("mod(x, 3)", 6.0, 0.0, 1.0),
    ("mod(7.5, x)", 3.0, 1.5, -2.0),
    ("mod(0.7, x)", 0.1, 0.7 % 0.1, -6.0),  # floor(0.7 / 0.1) is 7 in floating point, 0.7 = 6 * 0.1 + 0.0999...
    ("mod(x, 0)", 1.0, nan, nan),
    ("floor_divide(x, 3)", 7.5, 2.0, 0.0),
    ("clip(x, 0, 2)", 1.0, 1.0, 1.0),
    ("clip(x, 0, 2)", 3.0, 2.0, 0.0),
    ("clip(x, 0, 2)", 0.0, 0.0, 0.5),
    ("clip(x, 0, 2)", 2.0, 2.0, 0.5),
    ("clip(x, 2, 0)", 1.0, 0.0, 0.0),
    ("cbrt(x)", 0.0, 0.0, inf),
    ("cbrt(x)", -8.0, -2.0, 1 / 12),
    ("acosh(x)", 1.0, 0.0, inf),
    ("acosh(x)", 0.5, nan, nan),
    ("acosh(x)", -3.0, nan, nan),
    ("atanh(x)", 1.0, inf, inf),
    ("atanh(x)", 2.0, nan, nan),
    ("acoth(x)", 1.0, inf, -inf),
    ("acoth(x)", 0.5, nan, nan),
    ("asec(x)", 1.0, 0.0, inf),
    ("asec(x)", -1.0, math.pi, inf),
    ("asec(x)", 0.5, nan, nan),
    ("acsc(x)", 1.0, math.pi / 2, -inf),
    ("acsc(x)", 0.0, nan, nan),
    ("acot(x)", 0.0, math.pi / 2, -1.0),
    ("acot(x)", -0.0, -math.pi / 2, -1.0),
    ("asech(x)", 1.0, 0.0, -inf),
    ("asech(x)", 0.0, inf, -inf),
    ("asech(x)", -0.5, nan, nan),
    ("acsch(x)", 5e-324, 745.1332191019411, -inf),
    ("acsch(x)", -5e-324, -745.1332191019411, -inf),
    ("log2(x)", -1.0, nan, nan),
    ("log10(x)", 0.0, -inf, inf),
    ("xlogy(x, 0)", 0.0, 0.0, -inf),
    ("xlogy(0, x)", 0.0, 0.0, 0.0),
    ("xlogy(0, x)", 3.0, 0.0, 0.0),
    ("xlogy(2, x)", -3.0, nan, nan),
    ("xlogy(0, x)", nan, nan, nan),
    ("sinc(x)", 0.0, 1.0, 0.0),
    ("sinc(x)", 1e300, 0.0, 1e-300),
    ("sinc(x)", 3.0, 0.0, -1 / 3),
    ("log_sigmoid(x)", -800.0, -800.0, 1.0),
    ("log_sigmoid(x)", 800.0, -0.0, 0.0),
    ("erfc(x)", 30.0, 0.0, 0.0),
    ("gamma(x)", -1.0, nan, nan),
    ("lgamma(x)", 5e-324, 744.4400719213812, -inf),
    ("gamma(x)", 5.0, 24.0, 24 * (25 / 12 - 0.57721566490153286)),
    ("sech(x)", 800.0, 0.0, -0.0),
    ("csch(x)", 0.0, inf, -inf),
    ("coth(x)", 400.0, 1.0, -0.0),
    ("reciprocal(x)", 0.0, inf, -inf),
    ("reciprocal(x)", -inf, -0.0, -0.0),
    ("square(x)", -3.0, 9.0, -6.0),
]


@pytest.mark.parametrize(("text", "at", "height", "slope"), AT_EDGES)
@pytest.mark.parametrize("engine", ["numpy", "python"])
def test_values_and_derivatives_at_edges(text: str, at: float, height: float, slope: float, engine: str) -> None:
    f = parse(text, inputs=["x"])
    assert value(f, engine=engine)(at) == pytest.approx(height, rel=1e-15, abs=0, nan_ok=True)
    for method in MODES:
        assert derivative(f, method=method, engine=engine)(at) == pytest.approx(slope, rel=1e-15, abs=0, nan_ok=True), method


def test_third_and_fourth_derivatives_exist_where_a_series_or_recurrence_evaluates() -> None:
    for name, at in (
        ("sinc", 0.0),
        ("sinc", 0.3),
        ("sinc", 1.7),
        ("lgamma", 0.7),
        ("lgamma", -2.3),
        ("digamma", 20.0),
        ("acoth", 1.5),
        ("asinh", 2.0),
    ):
        f = function([x], FUNCTIONS[name](x))
        for order in (3, 4):
            truth = certify(f, "derivative", {"x": at}, order=order).values[0].item()
            assert derivative(f, order=order)(at) == pytest.approx(truth, rel=1e-11, abs=1e-11), (name, at, order)


def test_python_computes_cube_roots_to_an_ulp() -> None:
    root = value(function([x], FUNCTIONS["cbrt"](x)), engine="python")
    rng = np.random.default_rng(0)
    with mpmath.workdps(40):
        for at in [*10.0 ** rng.uniform(-320, 308, 500), *rng.uniform(0, 10, 500)]:
            assert abs(root(at) - mpmath.cbrt(mpmath.mpf(float(at)))) <= math.ulp(root(at))


def test_remainders_of_python_and_numpy_are_the_same_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-100, 100, 2000) / 10, rng.integers(-100, 100, 2000) / 10
    for name in ("mod", "floor_divide"):
        f = function([x, y], FUNCTIONS[name](x, y))
        np.testing.assert_array_equal(value(f, engine="python")(a, b), value(f, engine="numpy")(a, b))


# --- products ---


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
@pytest.mark.parametrize("engine", ["numpy", "python", "jax"])
def test_the_derivatives_of_a_product_are_right_at_zeros(zeros: int, engine: str) -> None:
    at = np.array([3.0, -2.0, 5.0, 0.5, 4.0])
    at[:zeros] = 0.0
    f = function([v], prod(v))
    slope = [np.prod(np.delete(at, i)) for i in range(5)]
    bend = [[0.0 if i == j else np.prod(np.delete(at, [i, j])) for j in range(5)] for i in range(5)]
    assert value(f, engine=engine)(at) == np.prod(at)
    for method in ("ad.forward", "ad.reverse"):
        np.testing.assert_array_equal(gradient(f, method=method, engine=engine)(at), slope)
        np.testing.assert_array_equal(hessian(f, method=method, engine=engine)(at), bend)
    np.testing.assert_array_equal(gradient(f, method="symbolic")(at), slope)
    np.testing.assert_allclose(gradient(f, method="fd.complex")(at), slope, rtol=1e-15)
    np.testing.assert_array_equal(certify(f, "gradient", {"v": at}).values[0], slope)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_products_along_axes_and_in_batches(axis: int | tuple[int, ...] | None, keepdims: bool) -> None:
    at = np.random.default_rng(0).normal(size=(2, 3, 4))
    f = prod(A, axis=axis, keepdims=keepdims)
    for a in at:
        np.testing.assert_allclose(value(f)(a), np.prod(a, axis=axis, keepdims=keepdims), rtol=1e-15)
    slopes = gradient(total(f))(at)
    for a, s in zip(at, slopes, strict=True):
        np.testing.assert_allclose(s, np.broadcast_to(np.prod(a, axis=axis, keepdims=True), (3, 4)) / a, rtol=1e-14)


def test_the_product_of_nothing_is_one() -> None:
    assert value(function([v], prod(v[1:1]) + 0 * v[0]))(np.ones(5)) == 1.0


# --- running sums, triangles ---

LINEAR = {
    "cumsum": (cumsum(A), lambda A: np.cumsum(A)),
    "cumsum axis": (cumsum(A, axis=0), lambda A: np.cumsum(A, 0)),
    "cumsum last axis": (cumsum(A, axis=-1), lambda A: np.cumsum(A, -1)),
    "tril_fill": (tril_fill(A[0, :3]), lambda A: np.array([[A[0, 0], 0], [A[0, 1], A[0, 2]]])),
    "triu_fill": (triu_fill(A[1, :3], 3, 1), lambda A: np.array([[0, A[1, 0], A[1, 1]], [0, 0, A[1, 2]], [0, 0, 0]])),
    "stacked fill": (tril_fill(A[:, :3]), lambda A: np.stack([[[r[0], 0], [r[1], r[2]]] for r in A])),
    "tril": (tril(A, -1), lambda A: np.tril(A, -1)),
    "triu": (triu(A, 1), lambda A: np.triu(A, 1)),
}


@pytest.mark.parametrize("case", LINEAR)
@pytest.mark.parametrize("engine", ["numpy", "python", "jax"])
def test_linear_functions_and_their_transposes(case: str, engine: str) -> None:
    f, expected = LINEAR[case]
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 4))
    np.testing.assert_allclose(value(f, engine=engine)(a), expected(a), rtol=1e-14)
    weights = rng.normal(size=f.shape)
    slope = gradient(function([A], total(f * weights)), engine=engine)(a)
    assert np.sum(slope * b) == pytest.approx(np.sum(weights * expected(b)), rel=1e-13)
    np.testing.assert_allclose(jacobian(f, method="ad.forward", engine=engine)(a), jacobian(f, engine=engine)(a), rtol=1e-15)


def test_running_products() -> None:
    at = np.array([[1.0, 0.0, 3.0, -2.0], [2.0, 0.5, 4.0, 5.0], [1.0, 2.0, 0.0, 0.0]])
    for axis in (None, 0, 1):
        f = cumprod(A, axis=axis)
        np.testing.assert_array_equal(value(f)(at), np.cumprod(at, axis=axis))
        np.testing.assert_allclose(jacobian(f)(at), jacobian(f, method="fd.complex")(at), rtol=1e-15)


def test_what_a_triangle_cuts_off_leaves_no_nan() -> None:
    f = function([S], total(tril(FUNCTIONS["log"](S))))
    at = np.array([[1.0, -1.0, -1.0], [2.0, 3.0, 0.0], [1.0, 1.0, 1.0]])
    assert value(f)(at) == pytest.approx(math.log(6.0))
    for method in MODES:
        np.testing.assert_allclose(gradient(f, method=method)(at), np.tril(1 / np.where(at > 0, at, 1)), rtol=1e-15)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: tril_fill(v), "tril_fill: 5 entries do not fill a triangle with its diagonal; pass n= and k="),
        (lambda: triu_fill(v, 3), "triu_fill: the triangle of an 3 x 3 matrix at diagonal 0 has 6 entries, got 5"),
        (lambda: tril_fill(x), "tril_fill: needs a vector of entries, got a number"),
        (lambda: triu(v), r"triu: needs a matrix, got shape \(5,\)"),
        (lambda: cumsum(x, axis=0), "cumsum: a number has no axis 0"),
        (lambda: var(v, ddof=5), r"var: 5 entries along axis None of shape \(5,\) leave nothing to divide by with ddof=5"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(wrong: object, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        wrong()  # type: ignore[operator]


# --- variance and standard deviation ---


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("ddof", [0, 1])
def test_spreads(axis: int | tuple[int, ...] | None, ddof: int) -> None:
    at = np.random.default_rng(0).normal(size=(3, 4)) + 1e6
    for ours, theirs in ((var, np.var), (std, np.std)):
        f = ours(A, axis=axis, ddof=ddof)
        np.testing.assert_allclose(value(f)(at), theirs(at, axis=axis, ddof=ddof), rtol=1e-14)
        f = function([A], total(f))
        # to all digits, beside a mean of 1e6 that is rounded: the derivative's own sum over the distances makes up for it
        np.testing.assert_allclose(gradient(f)(at), certify(f, "gradient", {"A": at}).values[0], rtol=1e-13, atol=1e-16)


def test_the_deviation_of_equal_entries_has_derivative_zero() -> None:
    for method in ("ad.forward", "ad.reverse"):
        np.testing.assert_array_equal(gradient(std(v), method=method)(np.full(5, 0.1)), np.zeros(5))


def test_the_deviation_does_not_overflow() -> None:
    assert value(std(v))(np.array([1e200, -1e200, 1e200, -1e200, 0.0])) == pytest.approx(math.sqrt(0.8) * 1e200)


# --- names ---


@pytest.mark.parametrize("name", [n for n in dir(np) if isinstance(getattr(np, n), np.ufunc) and hasattr(lookup(n), "arity")])
def test_names_of_numpy_mean_what_they_mean_there(name: str) -> None:
    ufunc, row = getattr(np, name), lookup(name)
    assert row is not None
    arguments = [symbol(f"a{k}") for k in range(ufunc.nin)]
    at = [1.25, 1.5, 0.5][: ufunc.nin] if name in ("acosh", "arccosh") else [0.75, 1.5, 0.5][: ufunc.nin]
    ours = value(function(arguments, FUNCTIONS["real"](row(*arguments))), engine="numpy")(*at)
    assert ours == pytest.approx(float(ufunc(*at)), rel=1e-15)


def test_names_of_scipy() -> None:
    assert {ALIASES[n] for n in ("expit", "log_expit", "gammaln", "psi")} == {"sigmoid", "log_sigmoid", "lgamma", "digamma"}
    assert parse("psi(x)").output is parse("digamma(x)").output


def test_the_catalogue_tells_what_the_rows_promise() -> None:
    rows = {r["function"]: r for r in functions()}
    assert set(rows) == set(FUNCTIONS)
    assert rows["asin"]["domain"] == "[-1, 1]" and rows["asin"]["derivative"] == "asin_slope(x)" and "arcsin" in rows["asin"]["aliases"]
    assert rows["acoth"]["domain"] == "(-inf, inf) without [-1, 1]"
    assert rows["gamma"]["domain"] == "(-inf, inf) without {0, -1, -2, ...}"
    assert rows["abs"]["kinks"] == "0 at 0, the mean of -1 and 1"
    assert rows["mul"]["derivative"] == "d/dx = y; d/dy = x"
    assert rows["where"]["derivative"] == "d/dx = 0; d/dy = where(x, 1, 0); d/dz = where(x, 0, 1)"
    assert (rows["sin"]["ulp 1"], rows["sin"]["ulp 2"], rows["sin"]["reason"]) == ("4", "4", "")
    assert rows["atan"]["ulp 2"] == "8" and rows["atan"]["reason"]
    assert rows["sinc"]["ulp 1"] == "4 of the largest term"
    assert rows["floor"]["ulp 1"] == "exact"
    assert rows["prod"]["arguments"] == "x, axis=None, keepdims=False" and rows["prod"]["kind"] == "array"
    assert all(len(r["derivative"]) <= 300 for r in rows.values())
    assert rows["max"]["kinks"] == "1/k to each of k ties"
    assert rows["lt"]["kind"] == rows["gt"]["kind"] == "condition"


@pytest.mark.parametrize("name", sorted(n for n, p in PRIMITIVES.items() if getattr(p, "kinks", None) is not None))
def test_every_kink_has_its_convention_in_words(name: str) -> None:
    assert PRIMITIVES[name].convention

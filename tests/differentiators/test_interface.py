"""The one interface: arguments, batches, results, refusals."""

import pickle

import numpy as np
import pytest

from diffcompare.differentiate import derivative, gradient, hessian, hvp, jacobian, jvp, prepare, value, value_and_gradient, vjp
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.custom import primitive
from diffcompare.dsl.elementary import exp, sin
from diffcompare.dsl.named import Named
from diffcompare.dsl.structural import sum as total
from diffcompare.errors import DiffCompareError, ShapeError, Unsupported

x, y = symbols("x y")
w = symbol("w", (3,))
SEED = function([x, y], x**2 * y + y + 2, name="seed", gradient=[2 * x * y, x**2 + 1], hessian=[[2 * y, 2 * x], [2 * x, 0.0]])
MIXED = function([w, x], total(exp(w) * x) + x**3, name="mixed")
METHODS = ["manual", "ad.forward", "ad.reverse"]


@pytest.mark.parametrize("engine", ["python", "numpy"])
@pytest.mark.parametrize("method", METHODS)
def test_the_article_s_first_example(method, engine):
    d = gradient(SEED, method=method, engine=engine)
    assert d(3.0, 4.0) == (24.0, 10.0)
    assert repr(d(x=3.0, y=4.0)) == "Named(x=24.0, y=10.0)"
    assert type(d(3.0, 4.0).x) is float and type(d(3, np.float64(4)).x) is float
    assert value(SEED, engine=engine)(3.0, 4.0) == 42.0
    many = d(np.linspace(0, 1, 1000), 4.0)
    assert many.x.shape == many.y.shape == (1000,)
    np.testing.assert_allclose(many.x, 8 * np.linspace(0, 1, 1000), rtol=1e-15)
    assert hessian(SEED, method=method, engine=engine)(3.0, 4.0).x.y == 6.0
    assert value_and_gradient(SEED, method=method, engine=engine)(3.0, 4.0) == (42.0, (24.0, 10.0))
    assert jvp(SEED, method=method, engine=engine)(3.0, 4.0, tangent=(1.0, 2.0)) == 44.0
    assert jvp(SEED, method=method, engine=engine)(3.0, 4.0, tangent={"y": 2.0, "x": 1.0}) == 44.0
    assert vjp(SEED, method=method, engine=engine)(3.0, 4.0, cotangent=3.0) == (72.0, 30.0)
    assert hvp(SEED, method=method, engine=engine)(3.0, 4.0, tangent=(1.0, 2.0)) == (20.0, 6.0)
    assert gradient(SEED, wrt="y", method=method, engine=engine)(3.0, 4.0) == 10.0
    assert jacobian(SEED, wrt=["y", "x"], method=method, engine=engine)(3.0, 4.0).names == ("y", "x")


@pytest.mark.parametrize("method", ["ad.forward", "ad.reverse"])
@pytest.mark.parametrize(("lead_w", "lead_x"), [((), ()), ((4,), ()), ((), (4,)), ((4,), (4,)), ((2, 1), (4,)), ((1,), (2, 4)), ((0,), ())])
def test_mixed_batch_shapes(method, lead_w, lead_x):
    rng = np.random.default_rng(0)
    at_w, at_x = rng.normal(size=(*lead_w, 3)), rng.normal(size=lead_x)
    joint = np.broadcast_shapes(lead_w, lead_x)
    h = hessian(MIXED, method=method)(at_w, at_x)
    assert np.shape(h.w.w) == (*joint, 3, 3) and np.shape(h.w.x) == (*joint, 3) and np.shape(h.x.x) == joint
    g = gradient(MIXED, method=method)(at_w, at_x)
    full_w, full_x = np.broadcast_to(at_w, (*joint, 3)), np.broadcast_to(at_x, joint)
    np.testing.assert_allclose(g.w, np.exp(full_w) * full_x[..., None], rtol=1e-14)
    np.testing.assert_allclose(h.x.x, 6 * full_x, rtol=1e-14)


def test_batch_false_refuses_leading_axes():
    d = gradient(MIXED, batch=False)
    assert d(np.ones(3), 1.0).w.shape == (3,)
    with pytest.raises(ShapeError, match=r"batch=False: w has \(2,\) beyond its shape \(3,\)"):
        d(np.ones((2, 3)), 1.0)


def test_out_buffers():
    d = gradient(MIXED)
    out = (np.empty((2, 3)), np.empty(2))
    result = d(np.ones((2, 3)), 2.0, out=out)
    assert result is out
    np.testing.assert_array_equal(out[0], d(np.ones((2, 3)), 2.0).w)
    with pytest.raises(ShapeError, match=r"float array of shape \(2, 3\), got .*\(3,\)"):
        d(np.ones((2, 3)), 2.0, out=(np.empty(3), np.empty(2)))
    with pytest.raises(ShapeError, match="2 buffers"):
        d(np.ones((2, 3)), 2.0, out=np.empty(3))


def test_a_derivative_pickles():
    d = pickle.loads(pickle.dumps(hessian(SEED, method="ad.forward", engine="python")))
    assert d(3.0, 4.0).x.x == 8.0
    assert (d.method, d.engine, d.operator) == ("ad.forward", "python", "hessian")


def test_what_a_derivative_knows_of_itself():
    d = gradient(SEED, engine="numpy")
    assert d.function.names[:2] == ("x", "y")
    assert d.cost.by_kind["mul"] > 0 and d.cost.operations == sum(d.cost.by_kind.values())
    assert "t0 = 2.0 * x0" in d.source
    assert d.derive_s > 0 and d.compile_s > 0
    assert "gradient of seed with respect to x, y by ad.reverse on numpy" in repr(d)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gradient(function([w], exp(w))), ShapeError, r"gradient needs one scalar output, f has 1 of shape \(3,\); use jacobian"),
        (lambda: gradient(function([x], [x, x])), ShapeError, "2 of shape"),
        (lambda: hessian(function([w], exp(w))), ShapeError, "jacobian of its gradient"),
        (lambda: derivative(SEED), ShapeError, "one scalar input"),
        (lambda: derivative(MIXED, "w"), ShapeError, "one scalar input"),
        (lambda: prepare(SEED, "gradient", order=2), Unsupported, "belongs to derivative"),
        (lambda: derivative(SEED, "x", order=0), Unsupported, "positive integer"),
        (lambda: gradient(SEED, wrt="z"), DiffCompareError, "no input or named intermediate 'z'; inputs: x, y"),
        (lambda: gradient(SEED, wrt=[]), DiffCompareError, "wrt is empty"),
        (lambda: gradient(SEED, wrt=["x", "x"]), DiffCompareError, "twice"),
        (lambda: gradient(SEED, method="ad.revers"), DiffCompareError, "did you mean 'ad.reverse'"),
        (lambda: gradient(SEED, engine="nump"), DiffCompareError, "did you mean 'numpy'"),
        (lambda: prepare(SEED, "grad"), DiffCompareError, "no operator is named 'grad'"),
        (lambda: gradient(lambda a: a), TypeError, "dc.trace"),
        (lambda: gradient(3), TypeError, "got int"),
        (lambda: gradient(MIXED, method="manual"), Unsupported, "mixed has no hand formula gradient for w"),
        (lambda: gradient(function([], 1.0 + 0 * x)), DiffCompareError, "'x' is used"),
        (lambda: function(["x"], x), TypeError, r"takes symbols for inputs, such as dc.symbol\('x'\), got 'x'"),
        (lambda: function([x, y], x * y, hessian=[[0, 1]]), ShapeError, "the hessian of 2 inputs is 2 rows of 2 parts"),
        (lambda: function([x, y], x * y, hessian=3), ShapeError, "the hessian of 2 inputs is 2 rows of 2 parts"),
        (lambda: primitive("no_rule", lambda a: a, 3), TypeError, "no_rule: partials= is a function of the arguments, .* got 3"),
        (lambda: gradient(function([], 1.0)), ShapeError, "no inputs"),
        (lambda: gradient(SEED)(1.0), TypeError, "missing the argument 'y'"),
        (lambda: gradient(SEED)(1.0, 2.0, 3.0), TypeError, "takes 2 arguments"),
        (lambda: gradient(SEED)(1.0, z=2.0), TypeError, "no argument 'z'"),
        (lambda: gradient(SEED)(1.0, x=2.0), TypeError, "'x' twice"),
        (lambda: gradient(SEED)(1j, 2.0), TypeError, "x: expected real numbers, got complex"),
        (lambda: gradient(SEED)("1", 2.0), TypeError, "x: expected real numbers"),
        (lambda: gradient(SEED)(x, 2.0), TypeError, "is an expression"),
        (lambda: gradient(SEED)([[1.0], [1.0, 2.0]], 2.0), ShapeError, "different lengths"),
        (lambda: gradient(MIXED)(np.ones(4), 2.0), ShapeError, r"w: expected shape \(3,\).* got \(4,\)"),
        (lambda: gradient(MIXED)(1.0, 2.0), ShapeError, r"w: expected shape \(3,\)"),
        (lambda: gradient(SEED)(np.ones(2), np.ones(3)), ShapeError, r"batch axes do not broadcast: x \(2,\), y \(3,\)"),
        (lambda: gradient(SEED)(1.0, 2.0, tangent=1.0), TypeError, "takes no tangent"),
        (lambda: jvp(SEED)(1.0, 2.0), TypeError, "tangent="),
        (lambda: jvp(SEED)(1.0, 2.0, tangent=1.0), TypeError, "2 parts"),
        (lambda: jvp(SEED)(1.0, 2.0, tangent={"x": 1.0}), TypeError, "exactly x, y"),
        (lambda: vjp(SEED)(1.0, 2.0, tangent=1.0), TypeError, "cotangent="),
    ],
)
def test_refusals_name_the_thing_and_the_fix(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_values_are_not_inspected():
    d = gradient(SEED)
    assert np.isnan(d(np.nan, 1.0).x) and d(np.inf, 1.0).x == np.inf
    assert d(np.zeros(0), 1.0).x.shape == (0,)


def test_named_holds_any_name():
    n = Named(("lambda", "count"), (1.0, 2.0))
    assert n["lambda"] == 1.0 and n["count"] == 2.0 and n[1] == 2.0
    a, b = n
    assert (a, b) == n == (1.0, 2.0)
    again = pickle.loads(pickle.dumps(n))
    assert again == n and again.names == n.names
    with pytest.raises(AttributeError, match="no value named 'z'; the names are lambda, count"):
        _ = n.z
    with pytest.raises(KeyError, match="no value named"):
        n["z"]


def test_functions_compose():
    g = function([y], sin(y), name="g")
    h = function([x], g(x**2) * g(x))
    assert derivative(h)(1.0) == pytest.approx(2 * np.cos(1) * np.sin(1) + np.sin(1) * np.cos(1))
    with pytest.raises(TypeError, match=r"dc\.value\(g\)"):
        g(1.0)
    with pytest.raises(ShapeError, match=r"input y has shape \(\), got \(3,\)"):
        g(w)


def test_raveled_for_optimisers():
    from scipy import optimize

    f = function([w, x], total((w - 3.0) ** 2) + (x - w[0]) ** 2)
    r = f.raveled()
    d = value_and_gradient(r)
    best = optimize.minimize(d, np.zeros(4), jac=True)
    np.testing.assert_allclose(best.x, 3.0, atol=1e-5)
    assert f.raveled(wrt=["w"]).names == ("v", "x")


def test_derivatives_of_any_order():
    f = function([x], sin(x))
    for method in ("ad.forward", "ad.reverse"):
        assert derivative(f, order=4, method=method)(0.5) == pytest.approx(np.sin(0.5), rel=1e-15)

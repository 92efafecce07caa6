"""The jax engine and peer.jax: values, batches, the user's flag, sizes, refusals."""

import numpy as np
import pytest

from diffcompare import dsl
from diffcompare.differentiate import engines, gradient, hessian, methods, prepare, value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.arithmetic import maximum, where
from diffcompare.dsl.composite import logsumexp, norm, softmax
from diffcompare.dsl.contraction import diagonal, einsum
from diffcompare.dsl.core import PRIMITIVES
from diffcompare.dsl.elementary import erf, exp, log, relu, sigmoid, sin, softplus, sqrt, tanh
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.structural import concatenate, stack
from diffcompare.dsl.structural import sum as total
from diffcompare.errors import TooLarge, Unsupported
from diffcompare.problem import find

x, y = symbols("x y")
v = symbol("v", (4,))
A = symbol("A", (4, 4))


def _flat(result):
    return np.concatenate([_flat(r) for r in result]) if isinstance(result, tuple) else np.ravel(result)


@pytest.mark.parametrize("problem", find("tag:core"), ids=lambda p: p.name)
@pytest.mark.parametrize("method", ["ad.reverse", "peer.jax"])
def test_agrees_with_numpy_on_every_problem(problem, method):
    operator = problem.operators[0]
    truth = prepare(problem.function, operator, problem.wrt, engine="numpy")
    mine = prepare(problem.function, operator, problem.wrt, method=method, engine="jax")
    at = dict(problem.points[0])
    a, b = _flat(mine(**at)), _flat(truth(**at))
    assert np.max(abs(a - b)) <= 1e-12 * np.max(abs(b))


@pytest.mark.parametrize("name", sorted(n for n, p in PRIMITIVES.items() if isinstance(p, Elementwise)))
def test_every_elementwise_function_has_its_form(name):
    primitive = PRIMITIVES[name]
    inputs = [x, y, symbol("z")][: primitive.arity]
    args = [a > 0.3 if primitive.takes_bool else a for a in inputs]
    f = function(inputs, primitive.apply(args) * 1.0)
    at = [next(v for v in (0.7, 0.4, 0.9, 1.6)[k:] if v in d) for k, d in enumerate(primitive.domain)]
    assert value(f, engine="jax")(*at) == pytest.approx(value(f, engine="numpy")(*at), rel=1e-14)


ARRAYS = {
    "reductions": logsumexp(tanh(A @ v)) + norm(v) + total(softmax(v) * v),
    "rearrangements": total(concatenate([A[1:, ::2].T, stack([v[:3], v[1:]])]) * 2.0) + total(diagonal(A) * v[[3, 0, 0, 1]]),
    "einsum": einsum("ij,jk,k->", A, A, v) + einsum("ii->", A),
    "branches": total(where(v > 0, log(v), v * v)) + total(maximum(v, 0.5)),
}


@pytest.mark.parametrize("case", ARRAYS)
@pytest.mark.parametrize("lead", [(), (3,)])
@pytest.mark.parametrize("method", ["ad.forward", "ad.reverse", "peer.jax"])
@pytest.mark.parametrize("operator", ["gradient", "hessian"])
def test_arrays_and_batches(case, lead, method, operator):
    f = function([A, v], ARRAYS[case])
    rng = np.random.default_rng(0)
    at = rng.uniform(0.1, 1, size=(*lead, 4, 4)), rng.uniform(0.1, 1, size=(4,))
    mine = _flat(prepare(f, operator, method=method, engine="jax")(*at))
    np.testing.assert_allclose(mine, _flat(prepare(f, operator, engine="numpy")(*at)), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    ("operator", "extra"),
    [("value", {}), ("jacobian", {}), ("jvp", {"tangent": (1.0, 2.0)}), ("vjp", {"cotangent": ([1.0, 2.0], 3.0)})],
)
def test_peer_operators_with_several_outputs(operator, extra):
    f = function([x, y], [stack([x * y, sin(x)]), exp(y)])
    mine = prepare(f, operator, method="peer.jax", engine="jax")(0.5, 2.0, **extra)
    np.testing.assert_allclose(_flat(mine), _flat(prepare(f, operator, engine="numpy")(0.5, 2.0, **extra)), rtol=1e-14)
    batch = prepare(f, operator, method="peer.jax", engine="jax")(np.full(3, 0.5), 2.0, **extra)
    assert np.shape(_flat(batch)) == (3 * len(_flat(mine)),)


def test_peer_scalar_operators():
    f = function([x, y], sigmoid(x * y) + relu(x) * softplus(y) + x**3 * sqrt(y))
    for operator, extra in (("hvp", {"tangent": (1.0, 2.0)}), ("value_and_gradient", {}), ("hessian", {})):
        mine = prepare(f, operator, method="peer.jax", engine="jax")(0.5, 2.0, **extra)
        np.testing.assert_allclose(_flat(mine), _flat(prepare(f, operator, engine="numpy")(0.5, 2.0, **extra)), rtol=1e-13)
    third = prepare(function([x], sin(x)), "derivative", order=3, method="peer.jax", engine="jax")
    assert third(0.5) == pytest.approx(-np.cos(0.5), rel=1e-15)


def test_peer_uses_jax_s_own_forms_and_rules():
    # at 0 jax.nn.softplus has slope 1/2; written out as max(x, 0) + log1p(exp(-|x|)) JAX gives 0
    assert gradient(function([x], softplus(x)), method="peer.jax", engine="jax")(0.0) == 0.5
    # JAX's rule 1 - tanh² has no correct digit here; ours keeps them all
    at = 25.0
    truth = 4 * np.exp(-2 * at)
    assert gradient(function([x], tanh(x)), method="peer.jax", engine="jax")(at) == 0.0
    assert gradient(function([x], tanh(x)), method="ad.reverse", engine="jax")(at) == pytest.approx(truth, rel=1e-14)


def test_the_user_s_precision_flag_is_left_alone():
    import jax
    import jax.numpy as jnp

    before = jax.config.jax_enable_x64
    result = gradient(function([v], total(exp(v))), engine="jax")(np.ones(4))
    assert isinstance(result, np.ndarray) and result.dtype == np.float64
    assert jax.config.jax_enable_x64 == before
    assert jnp.ones(2).dtype == (jnp.float64 if before else jnp.float32)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_raw_results_are_jax_arrays_of_the_precision_asked_for(precision):
    import jax

    d = gradient(function([v, x], total(exp(v)) * x), engine="jax", raw=True, precision=precision)
    result = d(np.ones(4), 2.0)
    assert isinstance(result.v, jax.Array) and isinstance(result.x, jax.Array)
    assert result.v.dtype == result.x.dtype == precision
    np.testing.assert_allclose(np.asarray(result.v), 2 * np.e, rtol=1e-6)
    assert type(gradient(function([x], sin(x)), engine="jax")(1.0)) is float
    with pytest.raises(Unsupported, match="engine numpy computes with NumPy arrays"):
        gradient(function([x], sin(x)), engine="numpy", raw=True)


def test_float32():
    d = gradient(function([v], total(exp(v) * erf(v))), engine="jax", precision="float32")
    assert d(np.ones(4)).dtype == np.float32


def test_compile_time_is_its_own_phase():
    d = gradient(function([v], total(exp(v) * erf(v) * 1.25)), engine="jax")
    assert d.compile_s > 5 * d.derive_s


def test_too_many_instructions_are_refused_when_prepared():
    e = x
    for _ in range(6_000):
        e = sin(e) * 0.5
    with pytest.raises(TooLarge, match="engine jax takes up to 10000 instructions"):
        gradient(function([x], e), engine="jax")


def test_peer_runs_on_jax_alone():
    with pytest.raises(Unsupported, match="runs on engine jax, not numpy"):
        gradient(function([x], sin(x)), method="peer.jax", engine="numpy")


def test_a_function_without_jax_form_is_refused():
    opaque = dsl.custom.primitive("opaque_for_jax", None, lambda a: 2 * a, numpy=lambda a: a * a)
    with pytest.raises(Unsupported, match="opaque_for_jax has no JAX form"):
        value(function([x], opaque(x)), engine="jax")


def test_empty_batches():
    assert gradient(function([v], total(exp(v))), engine="jax")(np.zeros((0, 4))).shape == (0, 4)
    assert hessian(function([v], total(exp(v))), method="peer.jax", engine="jax")(np.zeros((0, 4))).shape == (0, 4, 4)


def test_listed():
    assert "jax" in engines() and "peer.jax" in methods()

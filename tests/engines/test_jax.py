"""The jax engine and peer.jax: values, batches, the user's flag, sizes, refusals."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from diffcompare import dsl
from diffcompare.differentiate import engines, gradient, hessian, methods, prepare, value
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.arithmetic import chain_mul, maximum, where
from diffcompare.dsl.composite import logsumexp, norm, softmax
from diffcompare.dsl.contraction import diagonal, einsum
from diffcompare.dsl.core import PRIMITIVES
from diffcompare.dsl.elementary import erf, exp, log, relu, sigmoid, sin, softplus, sqrt, tanh
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.structural import concatenate, stack
from diffcompare.dsl.structural import sum as total
from diffcompare.errors import ShapeError, TooLarge, Unsupported
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


def test_guarded_products_with_and_without_repetition():
    """XLA flushes subnormals, so none are here."""
    edges = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -2.5, 1e300])
    w = symbol("w", (7,))
    f = function([w, x], [chain_mul(w, x), chain_mul(x, w), chain_mul(w, w[::-1] * 1.0)])
    mine, truth = value(f, engine="jax"), value(f, engine="numpy")
    for e in edges:
        for a, b in zip(mine(edges, e), truth(edges, e), strict=True):
            np.testing.assert_array_equal(a, b)
            known = ~np.isnan(b)
            np.testing.assert_array_equal(np.signbit(a)[known], np.signbit(b)[known])


def _on_device(*values):
    import jax

    with jax.enable_x64(True):
        return [jax.device_put(np.asarray(a, float)) for a in values]


def test_raw_arrays_are_taken_as_they_are_and_give_the_same_numbers():
    import jax

    before = jax.config.jax_enable_x64
    d = gradient(function([v, x], total(exp(v)) * x), engine="jax", raw=True)
    at = np.linspace(-1, 1, 4), 2.0
    mine, through_numpy = d(*_on_device(*at)), d(*at)
    assert mine.names == ("v", "x") and all(isinstance(b, jax.Array) and b.dtype == np.float64 for b in mine)
    assert [np.asarray(b).tolist() for b in mine] == [np.asarray(b).tolist() for b in through_numpy]
    assert np.asarray(d(x=_on_device(2.0)[0], v=_on_device(at[0])[0]).v).tolist() == np.asarray(mine.v).tolist()
    assert jax.config.jax_enable_x64 == before
    both = prepare(function([v], total(exp(v))), "value_and_gradient", engine="jax", raw=True)(*_on_device(at[0]))
    assert float(both[0]) == np.exp(at[0]).sum() and np.asarray(both[1]).shape == (4,)


def test_raw_arrays_of_other_shapes_and_types_are_batches_conversions_or_errors():
    import jax.numpy as jnp

    d = gradient(function([v, x], total(exp(v)) * x), engine="jax", raw=True)
    two = np.ones((2, 4)), 3.0
    for _ in range(2):  # the second call finds the executable of these shapes
        assert np.asarray(d(*_on_device(*two)).x).shape == (2,)
    assert d(jnp.ones(4, "float32"), jnp.float32(2.0)).v.dtype == np.float64
    with pytest.raises(ShapeError, match=r"v: expected shape \(4,\).* got \(3,\)"):
        d(*_on_device(np.ones(3), 2.0))
    with pytest.raises(ShapeError, match="batch=False"):
        gradient(function([v], total(exp(v))), engine="jax", raw=True, batch=False)(*_on_device(np.ones((2, 4))))
    hv = prepare(function([v], total(exp(v))), "hvp", engine="jax", raw=True)
    assert np.asarray(hv(*_on_device(np.zeros(4)), tangent=_on_device(np.arange(4.0))[0])).tolist() == [0.0, 1.0, 2.0, 3.0]
    with pytest.raises(TypeError, match="gradient takes no tangent="):
        d(*_on_device(np.ones(4), 2.0), tangent=1.0)


def test_raw_arrays_in_several_threads():
    d = gradient(function([v], total(exp(v) * v)), engine="jax", raw=True)
    points = [_on_device(np.full(4, k / 10)) for k in range(20)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda p: np.asarray(d(*p)), points * 20))
    for k, g in enumerate(found):
        t = k % 20 / 10
        np.testing.assert_allclose(g, np.full(4, (1 + t) * np.exp(t)), rtol=1e-14)


def test_raw_arrays_of_another_device_are_brought_to_that_of_the_executable():
    code = """
import jax, numpy as np
from diffcompare import gradient
with jax.enable_x64(True):
    there = jax.device_put(np.float64(0.5), jax.devices()[1])
assert abs(float(gradient("sin(x)", engine="jax", raw=True)(there)) - np.cos(0.5)) < 1e-15
"""
    env = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


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


def test_jax_looks_inside_results_with_names():
    jax = pytest.importorskip("jax")
    result = gradient("x**2*y", engine="jax", raw=True)(3.0, 4.0)
    assert [type(leaf).__name__ for leaf in jax.tree.leaves(result)] == ["ArrayImpl", "ArrayImpl"]
    assert jax.block_until_ready(result) is not None
    doubled = jax.tree.map(lambda leaf: 2 * float(leaf), result)
    assert type(doubled) is type(result)
    assert doubled.x == 48.0
    assert doubled._asdict() == {"x": 48.0, "y": 18.0}

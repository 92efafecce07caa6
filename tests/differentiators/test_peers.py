"""Other people's tools as methods: what they answer and refuse, batches, arrays, their own rules, the user's state.

A library that is not installed has one duty: to be refused by name with the command that installs it.
"""

import itertools
import math
import pickle
import subprocess
import sys
import threading
import warnings
from functools import cache

import numpy as np
import pytest

from diffcompare import dsl
from diffcompare.differentiate import engines, gradient, hessian, jacobian, methods, prepare, value
from diffcompare.differentiators.base import Operator
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.arithmetic import maximum, minimum, where
from diffcompare.dsl.composite import logsumexp, norm, softmax
from diffcompare.dsl.composite import max as largest
from diffcompare.dsl.contraction import diagonal, einsum
from diffcompare.dsl.core import FUNCTIONS, PRIMITIVES
from diffcompare.dsl.elementary import exp, log, sin, softplus, tanh
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.structural import concatenate, stack
from diffcompare.dsl.structural import sum as total
from diffcompare.errors import TooLarge, Unsupported
from diffcompare.problem import find

x, y = symbols("x y")
v = symbol("v", (4,))
A = symbol("A", (4, 4))

PEERS = {n: m for n, m in methods().items() if m.family == "peer"}
LIBRARY = {n: getattr(m, "library", n.removeprefix("peer.")) for n, m in PEERS.items()}
ENGINE = {n: getattr(m, "home", None) or "numpy" for n, m in PEERS.items()}
DIFFERENCES = {n for n, m in PEERS.items() if hasattr(m, "stencil")}
SCALAR = {"peer.heyoka", "peer.symengine"}
EXACT = sorted(set(PEERS) - DIFFERENCES)
REFUSED = {
    "peer.numdifftools": {"vjp", "hvp", "value_and_gradient"},
    "peer.scipy.differentiate": {"jvp", "vjp", "hvp", "value_and_gradient"},
    "peer.scipy.approx_derivative": {"vjp", "hvp", "hessian", "value_and_gradient"},
    "peer.scipy.approx_fprime": {"jvp", "vjp", "hvp", "hessian", "value_and_gradient"},
}
"""Operators that a library does not have."""

every_peer = pytest.mark.parametrize("peer", PEERS)


@cache
def installed(peer):
    """Whether the peer's library can be imported; if not, its refusal says so."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            __import__(LIBRARY[peer])
    except ImportError:
        with pytest.raises(Unsupported, match=rf"{peer} needs {LIBRARY[peer]}, which is not installed: pip install '.+'"):
            prepare(x * y, "gradient", method=peer, engine=ENGINE[peer])
        return False
    return True


def prepared(f, operator, peer, wrt=None, **options):
    return prepare(f, operator, wrt, method=peer, engine=ENGINE[peer], **options)


def flat(result):
    return np.concatenate([flat(r) for r in result]) if isinstance(result, tuple) else np.ravel(result)


def agree(mine, truth, peer):
    """Within rounding of the largest entry; differences within their truncation, on functions of moderate size."""
    mine, truth = flat(mine), flat(truth)
    assert mine.shape == truth.shape
    assert np.max(abs(mine - truth), initial=0) <= (1e-5 if peer in DIFFERENCES else 1e-12) * np.max(abs(truth), initial=0)


def test_all_are_there():
    names = "autograd casadi heyoka jax numdifftools scipy.approx_derivative scipy.approx_fprime scipy.differentiate symengine torch"
    assert sorted(PEERS) == [f"peer.{n}" for n in names.split()]


def test_finding_them_imports_none_of_them():
    code = f"import sys; from diffcompare.differentiate import methods; methods(); print({sorted(set(LIBRARY.values()))!r} & sys.modules.keys())"
    code = code.replace("[", "{", 1).replace("]", "}", 1)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert ran.stdout.strip() == "set()"


# --- operators ---

PROBLEMS = find("tag:core")


LEAVES_THE_DOMAIN = {("peer.scipy.differentiate", "helmholtz")}
"""Where a library's first step, 0.5 here, evaluates the function outside its domain, and the answer is NaN."""


@every_peer
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_first_derivatives_of_every_problem(peer, problem):
    if not installed(peer):
        return
    operator = "jacobian" if problem.operators[0] == "jacobian" else "gradient"
    at = dict(problem.points[0])
    mine, truth = prepared(problem.function, operator, peer, problem.wrt)(**at), prepare(problem.function, operator, problem.wrt)(**at)
    if (peer, problem.name.partition("(")[0]) in LEAVES_THE_DOMAIN:
        assert np.isnan(flat(mine)).all()
    else:
        agree(mine, truth, peer)


SMOOTH = function([x, y], exp(0.3 * x) * sin(y) + x**3 / y + tanh(x * y))
SEVERAL = function([x, y], [stack([x * y, sin(x)]), exp(y) * x])
ALONG = {"jvp": {"tangent": (1.0, 2.0)}, "hvp": {"tangent": (1.0, 2.0)}, "vjp": {"cotangent": 1.5}}


@every_peer
@pytest.mark.parametrize("operator", Operator)
def test_every_operator_or_the_reason_why_not(peer, operator):
    if not installed(peer):
        return
    wrt = "x" if operator == "derivative" else None
    if operator in REFUSED.get(peer, ()):
        with pytest.raises(Unsupported, match=f"{peer} gives no {operator}: "):
            prepared(SMOOTH, operator, peer, wrt)
        return
    d, truth = prepared(SMOOTH, operator, peer, wrt), prepare(SMOOTH, operator, wrt, engine="numpy")
    extra = ALONG.get(operator, {})
    result = d(0.5, 2.0, **extra)
    agree(result, truth(0.5, 2.0, **extra), peer)
    assert type(result) is type(truth(0.5, 2.0, **extra))
    batch = d(np.array([0.5, 0.25, -1.0]), 2.0, **extra)
    agree(batch, truth(np.array([0.5, 0.25, -1.0]), 2.0, **extra), peer)
    empty = d(np.zeros((0, 2)), 2.0, **extra)
    assert flat(empty).shape == (0,)


@every_peer
@pytest.mark.parametrize(
    ("operator", "extra"), [("value", {}), ("jacobian", {}), ("jvp", ALONG["jvp"]), ("vjp", {"cotangent": ([1.0, 2.0], 3.0)})]
)
def test_several_outputs(peer, operator, extra):
    if not installed(peer) or operator in REFUSED.get(peer, ()):
        return
    if peer == "peer.numdifftools" and operator == "jvp":
        with pytest.raises(Unsupported, match="the jvp of one scalar output"):
            prepared(SEVERAL, operator, peer)
        return
    truth = prepare(SEVERAL, operator, engine="numpy")
    for at in ((0.5, 2.0), (np.array([[0.5, 1.0, 2.0]]), np.array([[2.0], [1.0]]))):
        mine = prepared(SEVERAL, operator, peer)(*at, **extra)
        agree(mine, truth(*at, **extra), peer)
        assert [np.shape(m) for m in mine] == [np.shape(t) for t in truth(*at, **extra)]


@every_peer
def test_some_of_the_inputs(peer):
    if installed(peer):
        f = function([A, x, v], total(A @ v * sin(x * v)))
        at = np.linspace(-1, 1, 16).reshape(4, 4), np.array([0.5, 0.7]), np.linspace(0.2, 1, 4)
        agree(prepared(f, "jacobian", peer, ("v", "x"))(*at), prepare(f, "jacobian", ("v", "x"))(*at), peer)


@every_peer
def test_derivatives_of_higher_order(peer):
    if not installed(peer):
        return
    f = function([x], sin(x) * x)
    if peer.startswith("peer.scipy"):
        with pytest.raises(Unsupported, match=f"{peer} gives first derivatives"):
            prepared(f, "derivative", peer, order=3)
        return
    at = np.array([0.5, 1.0])
    assert prepared(f, "derivative", peer, order=3)(at) == pytest.approx(-3 * np.sin(at) - at * np.cos(at), rel=1e-6)
    assert prepared(f, "derivative", peer, order=3)(0.5) == pytest.approx(-3 * np.sin(0.5) - 0.5 * np.cos(0.5), rel=1e-6)


# --- arrays and functions ---

ARRAYS = {
    "reductions": logsumexp(tanh(A @ v)) + norm(v) + total(softmax(v) * v) + total(FUNCTIONS["prod"](A, axis=1)),
    "along axes": total(logsumexp(A, axis=0) * v) + total(norm(A, axis=1)) + total(largest(A, axis=-1)) + total(softmax(A) * A),
    "rearrangements": total(concatenate([A[1:, ::2].T, stack([v[:3], v[1:]])]) * 2.0)
    + total(diagonal(A) * v[[3, 0, 0, 1]] ** 2)
    + A[::-1, 1] @ v,
    "einsum": einsum("ij,jk,k->", A, A, v) + einsum("ii->", A) + total(einsum("ij,ij->i", A, A) * v) + total(einsum("ij,kj->ki", A, A) @ v),
    "branches": total(where(v > 0.5, log(v), v * v)) + total(maximum(v, 0.5) * minimum(v, 0.7)),
}


@pytest.mark.parametrize("peer", EXACT)
@pytest.mark.parametrize("case", ARRAYS)
@pytest.mark.parametrize("operator", ["gradient", "hessian"])
def test_arrays_and_batches(peer, case, operator):
    if not installed(peer):
        return
    f = function([A, v], ARRAYS[case])
    rng = np.random.default_rng(0)
    single, batch = rng.uniform(0.1, 1, size=(4, 4)), rng.uniform(0.1, 1, size=(2, 1, 4, 4))
    mine, truth = prepared(f, operator, peer), prepare(f, operator, engine="numpy")
    vector = rng.uniform(0.1, 1, size=(3, 4))
    for at in ((single, vector[0]), (batch, vector)):
        np.testing.assert_allclose(flat(mine(*at)), flat(truth(*at)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("peer", EXACT)
def test_the_derivative_functions_of_ours_go_through_too(peer):
    """A gradient of ours, with scatters, diagonals laid out and guarded products, as a function to differentiate."""
    if not installed(peer):
        return
    rows = total(stack([v[1:3], v[[0, 0]]]) * A[:2, 1:3] ** 2) + total(diagonal(A) ** 3 * v)
    f = gradient(function([A, v], rows), method="ad.reverse").function
    at = np.linspace(0.1, 1, 16).reshape(4, 4), np.linspace(0.2, 2, 4)
    agree(prepared(f, "jacobian", peer)(*at), prepare(f, "jacobian")(*at), peer)


def _inside(primitive):
    """A point of the function's domain, where it has no kink."""
    starts = (0.7, 0.4, 0.9)[: primitive.arity]
    return [next(p for p in (a, a + 1.0) if p in d) for a, d in zip(starts, primitive.domain, strict=True)]


@pytest.mark.parametrize("peer", sorted(set(EXACT) - {"peer.jax"}))
def test_every_elementwise_function_agrees_or_is_refused_by_name(peer):
    if not installed(peer):
        return
    forms = 0
    for name, primitive in sorted(PRIMITIVES.items()):
        if not isinstance(primitive, Elementwise) or name.startswith("opaque"):
            continue
        inputs = [x, y, symbol("z")][: primitive.arity]
        f = function(inputs, primitive.apply([a > 0.3 for a in inputs] if primitive.takes_bool else inputs) * 1.0)
        try:
            mine = prepared(f, "gradient", peer)
        except Unsupported as error:
            assert peer.removeprefix("peer.") in str(error).lower()  # noqa: PT017  one of many, and most are answered
            continue
        forms += 1
        truth = flat(gradient(f, engine="numpy")(*_inside(primitive)))
        # 1e-9: PyTorch's trigamma errs by up to 4.9e-10
        np.testing.assert_allclose(flat(mine(*_inside(primitive))), truth, rtol=1e-9, atol=1e-13, err_msg=name)
    assert forms >= 50


@pytest.mark.parametrize(
    ("peer", "slope"),
    [("peer.torch", 0.0), ("peer.casadi", 0.0), ("peer.heyoka", 0.0), ("peer.symengine", 0.0), ("peer.autograd", 4 * np.exp(-50.0))],
)
def test_the_rules_are_the_library_s_own(peer, slope):
    # 1 - tanh² has no correct digit at 25, 1 / cosh² keeps them
    if installed(peer):
        assert gradient(function([x], tanh(x)), method=peer, engine="numpy")(25.0) == pytest.approx(slope, rel=1e-14)


@pytest.mark.parametrize("peer", EXACT)
def test_forms_are_smooth_where_the_function_is(peer):
    if installed(peer):
        assert hessian(function([x], softplus(x)), method=peer, engine=ENGINE[peer])(0.0) == pytest.approx(0.25, rel=1e-14)


def test_symengine_s_shared_subexpressions_keep_their_factors():
    # its cse calls a shared part x0, x1, ..., and takes the name of an argument on which no result depends
    if installed("peer.symengine"):
        names = symbols("x0 x1 x2 x3 x4 x5")
        a, b, c, d, e, _ = names
        f = function(names, (a * b + c) * d + e)
        at = [2.0, 1.0, 1.0, 3.9, 1.3, 0.0]
        agree(prepared(f, "vjp", "peer.symengine")(*at, cotangent=1.3), prepare(f, "vjp")(*at, cotangent=1.3), "peer.symengine")


@pytest.mark.parametrize("peer", ["peer.casadi", "peer.torch", "peer.autograd"])
def test_large_arrays(peer):
    if installed(peer):
        big = symbol("big", (200, 150))
        f = function([big], total(tanh(big @ big.T)) + logsumexp(big) + norm(big) + total(largest(big, axis=0)))
        at = np.random.default_rng(0).normal(size=(200, 150)) / 10
        agree(prepared(f, "gradient", peer)(at), gradient(f)(at), peer)


# --- refusals ---


@every_peer
def test_other_engines_and_precisions_are_refused(peer):
    if not installed(peer) or peer == "peer.jax":
        return
    with pytest.raises(Unsupported, match=f"{peer} computes in float64, not float32"):
        prepared(SMOOTH, "gradient", peer, precision="float32")
    for engine in engines():
        if peer in DIFFERENCES and engine != "llvm":
            agree(gradient(SMOOTH, method=peer, engine=engine)(0.5, 2.0), gradient(SMOOTH)(0.5, 2.0), peer)
        elif peer not in DIFFERENCES and engine != "numpy":
            with pytest.raises(Unsupported, match=f"{peer} runs what .* itself makes of a function, once, on engine numpy, not {engine}"):
                gradient(SMOOTH, method=peer, engine=engine)


@pytest.mark.parametrize("peer", sorted(set(PEERS) - {"peer.jax"}))
def test_a_library_that_is_missing_is_refused_when_prepared(peer, monkeypatch):
    monkeypatch.setitem(sys.modules, LIBRARY[peer], None)
    with pytest.raises(Unsupported, match=rf"^{peer} needs {LIBRARY[peer]}, which is not installed: pip install '.+'$"):
        prepared(SMOOTH, "gradient", peer)


def test_a_library_that_does_not_load_is_refused_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_peer.py").write_text("raise OSError('libbroken.so: wrong ELF class')\n")
    (tmp_path / "hungry_peer.py").write_text("import not_there_at_all\n")
    for name, reason in (("broken_peer", "libbroken.so: wrong ELF class"), ("hungry_peer", "No module named 'not_there_at_all'")):
        monkeypatch.setattr(type(PEERS["peer.autograd"]), "library", name)
        with pytest.raises(Unsupported, match=f"peer.autograd cannot load {name} here: {reason}"):
            prepared(SMOOTH, "gradient", "peer.autograd")


@pytest.mark.parametrize("peer", sorted(SCALAR))
def test_too_many_entries_are_refused_when_prepared(peer):
    if installed(peer):
        long = symbol("long", (6000,))
        with pytest.raises(TooLarge, match=rf"{peer} takes up to \d+ scalar operations, f has \d+"):
            prepared(function([long], total(sin(long) * long)), "gradient", peer)
        short = symbol("short", (100,))
        with pytest.raises(TooLarge, match=rf"{peer} takes up to \d+ entries of the result, f has 10000"):
            prepared(function([short], total(sin(short))), "hessian", peer)


@pytest.mark.parametrize("peer", EXACT)
def test_a_function_without_a_form_is_refused(peer):
    opaque = dsl.custom.primitive("opaque_for_peers", None, lambda a: 2 * a, numpy=lambda a: a * a, replace=True)
    if installed(peer) and peer != "peer.jax":
        with pytest.raises(Unsupported, match=f"{peer} has no form of opaque_for_peers"):
            prepared(function([x], opaque(x)), "gradient", peer)


def test_rules_that_autograd_does_not_have():
    if installed("peer.autograd"):
        with pytest.raises(Unsupported, match="autograd has no rule for the jvp of f: JVP of erf"):
            prepared(function([x], FUNCTIONS["erf"](x)), "jvp", "peer.autograd")
        with pytest.raises(Unsupported, match="autograd has no rule for the gradient of f: VJP of cbrt"):
            prepared(function([x], FUNCTIONS["cbrt"](x)), "gradient", "peer.autograd")


def test_what_symengine_leaves_unevaluated():
    if installed("peer.symengine"):
        with pytest.raises(Unsupported, match=r"SymEngine cannot compile the gradient of f: .*Derivative\(floor"):
            prepared(function([x], FUNCTIONS["floor"](x) * x), "gradient", "peer.symengine")


# --- the user's state ---


@every_peer
def test_threads_and_pickles(peer):
    if not installed(peer):
        return
    d = prepared(SMOOTH, "gradient", peer)
    points = [np.linspace(0.1, 1.0, n) for n in (1, 3, 3, 7)]
    expected = [flat(d(p, 2.0)) for p in points]
    found = {}

    def work(k):
        for _ in range(10):
            found[k] = flat(d(points[k], 2.0))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(points))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k, e in enumerate(expected):
        np.testing.assert_array_equal(found[k], e)
    np.testing.assert_array_equal(flat(pickle.loads(pickle.dumps(d))(points[1], 2.0)), expected[1])


@every_peer
def test_results_and_arguments_are_the_caller_s(peer):
    if installed(peer):
        d = prepared(function([v], total(exp(v))), "gradient", peer)
        at = np.ones(4)
        at.setflags(write=False)
        first = d(at)
        kept = first.copy()
        d(at * 2)
        np.testing.assert_array_equal(first, kept)
        first[0] = 5.0  # the result may be written to
        assert isinstance(d(at[::-1]), np.ndarray)


@every_peer
def test_the_error_state_and_the_warning_filters_stay(peer):
    if installed(peer):
        before, filters = np.geterr(), list(warnings.filters)
        d = prepared(function([x], log(x)), "gradient", peer)
        d(np.array([-1.0, 0.0, 1.0]))
        assert np.geterr() == before
        assert list(warnings.filters) == filters


def test_torch_s_modes_stay_and_do_not_matter():
    if not installed("peer.torch"):
        return
    import torch

    def state():
        return torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    before = state()
    f = function([v], total(exp(v) * v))
    truth = gradient(f)(np.ones(4))
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            inside = state()
            agree(prepared(f, "gradient", "peer.torch")(np.ones(4)), truth, "peer.torch")
            agree(prepared(f, "hessian", "peer.torch")(np.ones(4)), hessian(f)(np.ones(4)), "peer.torch")
            assert state() == inside
    assert state() == before


def test_error_estimates_are_the_libraries_own():
    for peer in ("peer.numdifftools", "peer.scipy.differentiate"):
        if installed(peer):
            for operator, wrt in (("gradient", None), ("jacobian", None), ("hessian", None), ("derivative", "x")):
                found = prepared(SMOOTH, operator, peer, wrt).estimate(0.5, 2.0)
                truth = flat(prepare(SMOOTH, operator, wrt)(0.5, 2.0))
                assert flat(found.error).shape == flat(found.status).shape == truth.shape
                assert not flat(found.status).any()
                assert np.all(abs(flat(found.value) - truth) <= flat(found.error) + 1e-9)
    with pytest.raises(Unsupported, match=r"scipy\.optimize's differences estimate no error"):
        prepared(SMOOTH, "gradient", "peer.scipy.approx_fprime").estimate(0.5, 2.0)


def test_a_nan_among_a_batch_s_points_is_nan_for_numdifftools_and_leaves_the_others_alone():
    if not installed("peer.numdifftools"):
        return
    at = np.array([0.5, math.nan, 2.0, math.inf])
    for f, operator in itertools.product([function([x], tanh(x)), function([x], [tanh(x), x])], ["derivative", "jacobian"]):
        d = prepared(f, operator, "peer.numdifftools")
        found, alone = d(at), [d(v) for v in at]
        np.testing.assert_array_equal(np.stack([found] if f.single else found, axis=-1).ravel(), np.ravel(alone))
        assert np.isnan(np.reshape(alone, (4, -1))[[1, 3]]).all() and np.isfinite(np.reshape(alone, (4, -1))[[0, 2]]).all()
        statuses = d.estimate(at).status
        assert [flat(s).tolist() for s in ([statuses] if f.single else statuses)] == [[0, 3, 0, 3]] * len(f.outputs)
    for operator in ("gradient", "hessian"):
        d = prepared(function([x, y], x * y), operator, "peer.numdifftools")
        assert np.isnan(flat(d(math.nan, 1.0))).all()
        assert np.isnan(flat(d(np.array([1.0, math.nan]), 1.0))[1::2]).all()


def test_evaluations_are_counted():
    two = {n: prepared(SMOOTH, "gradient", n).calls for n in ("peer.scipy.approx_fprime", "peer.scipy.approx_derivative")}
    assert two == {"peer.scipy.approx_fprime": 3, "peer.scipy.approx_derivative": 5}
    assert prepared(SMOOTH, "gradient", "peer.scipy.differentiate").calls > 10
    assert value(SMOOTH, method="peer.scipy.differentiate", engine="numpy").calls == 1
    assert jacobian(SMOOTH, method="peer.scipy.approx_derivative", engine="python").engine == "python"

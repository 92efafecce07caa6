"""Ordinary NumPy code as a Function: the same code on numbers is the truth."""

import functools
import math

import numpy as np
import pytest
import scipy.special

from diffcompare.differentiate import gradient, jacobian, value
from diffcompare.dsl import symbol, symbols
from diffcompare.dsl.aliases import ALIASES
from diffcompare.dsl.core import FUNCTIONS, Expr
from diffcompare.dsl.numpy_table import FORMS
from diffcompare.dsl.tracing import ADVICE, REDUCTIONS, UFUNCS, trace
from diffcompare.errors import DiffCompareError, ShapeError, Unsupported

x, y = symbols("x y")
w = symbol("w", (3,))
M = symbol("M", (3, 3))
C = np.array([0.5, -1.5, 2.0])

SHAPES = {"x": (), "y": (), "v": (3,), "u": (3,), "A": (3, 3), "B": (3, 4), "T": (2, 3, 4)}
RANDOM = np.random.default_rng(3)
POINTS = {n: RANDOM.uniform(0.2, 0.9, s) if s else float(RANDOM.uniform(0.2, 0.9)) for n, s in SHAPES.items()}


def check(fn):
    """The traced function has the value, shape and names of the code itself."""
    names = fn.__code__.co_varnames[: fn.__code__.co_argcount]
    f = trace(fn, **{n: SHAPES[n] for n in names})
    assert f.names == names
    expected = fn(*(POINTS[n] for n in names))
    got = value(f)(*(POINTS[n] for n in names))
    if f.single:
        expected, got = [expected], [got]
    for e, g, o in zip(expected, got, f.outputs, strict=True):
        assert o.shape == np.shape(e)
        np.testing.assert_allclose(g, e, rtol=1e-13, atol=1e-14)
    return f


# --- universal functions ---

SCALAR_UFUNCS = [u for u in vars(np).values() if isinstance(u, np.ufunc) and u.signature is None]
SCIPY_UFUNCS = [scipy.special.erf, scipy.special.expit, scipy.special.xlogy, scipy.special.erfc, scipy.special.gammaln, scipy.special.psi]
HAVE_NONE = {
    "frexp", "modf", "divmod", "ldexp", "gcd", "lcm", "left_shift", "right_shift", "bitwise_xor", "bitwise_count", "signbit", "copysign",
    "nextafter", "spacing", "isnat", "fmod", "fmax", "fmin", "logaddexp2", "trunc",
}  # fmt: skip


def arguments_of(ufunc, first, second):
    if ufunc in (np.bitwise_and, np.bitwise_or, np.invert):
        first, second = first > 0.5, second > 0.5
    if ufunc is np.arccosh:
        first = first + 1.0
    if ufunc is np.arctanh:
        first = 0.5 * first
    return [first, second][: ufunc.nin]


def attempt(ufunc, *arguments):
    """The expression, or the error that refuses it."""
    try:
        return ufunc(*arguments)
    except Unsupported as refused:
        return refused


@pytest.mark.parametrize("ufunc", list(dict.fromkeys(SCALAR_UFUNCS)) + SCIPY_UFUNCS, ids=lambda u: u.__name__)
def test_a_ufunc_has_its_form_or_is_refused_by_name(ufunc):
    p, q = symbols("p q", shape=3)
    made = attempt(ufunc, *arguments_of(ufunc, p, q))
    if isinstance(made, Unsupported):
        assert ufunc.__name__ in str(made)
        assert ufunc.__name__ in HAVE_NONE or ALIASES.get(ufunc.__name__, ufunc.__name__) not in FUNCTIONS
        return
    f = trace(lambda p, q: made, p=3, q=3)
    points = np.array([0.3, 0.6, 1.0]), np.array([0.7, 0.6, 0.25])
    expected = ufunc(*arguments_of(ufunc, *points))
    np.testing.assert_allclose(value(f)(*points), expected, rtol=1e-14, err_msg=ufunc.__name__)


def test_numbers_and_arrays_on_the_left_are_taken():
    assert np.float64(2.0) * x is 2.0 * x
    assert (np.float64(2.0) < x) is (x > 2.0)
    assert np.int64(2) ** x is 2.0**x
    check(lambda v: C * v + C - C / v)
    check(lambda A, v: np.eye(3) @ A @ v + C @ A)


# --- array functions ---

CODE = {
    "sum": lambda T: np.sum(T),
    "sum axis": lambda T: np.sum(T, axis=(0, 2)),
    "sum keepdims": lambda T: np.sum(T, 1, keepdims=True),
    "mean": lambda T: np.mean(T, axis=-1),
    "max": lambda T: np.max(T, axis=1),
    "amin": lambda T: np.amin(T),
    "any": lambda T: np.where(np.any(T > 0.85, axis=0), 1.0, 0.0),
    "all": lambda T: np.where(np.all(T > 0.25, axis=0), 1.0, 0.0),
    "var": lambda T: np.var(T, axis=1),
    "var ddof": lambda v: np.var(v, ddof=1),
    "std": lambda T: np.std(T, axis=(0, 1), keepdims=True),
    "ptp": lambda T: np.ptp(T, axis=2),
    "average": lambda v, u: np.average(v, weights=u),
    "average axis": lambda T: np.average(T, axis=1, weights=np.array([1.0, 2.0, 4.0])),
    "norm": lambda v: np.linalg.norm(v),
    "norm frobenius": lambda A: np.linalg.norm(A),
    "norm axis": lambda A: np.linalg.norm(A, axis=1),
    "norm 1": lambda v: np.linalg.norm(v - 0.5, 1),
    "norm inf": lambda v: np.linalg.norm(v - 0.5, np.inf),
    "vector norm": lambda A: np.linalg.vector_norm(A, axis=0),
    "vector norm all": lambda A: np.linalg.vector_norm(A),
    "cumsum": lambda T: np.cumsum(T, axis=1),
    "cumsum flat": lambda A: np.cumsum(A),
    "cumprod": lambda v: np.cumprod(v),
    "diff": lambda T: np.diff(T, n=2, axis=2),
    "trapezoid": lambda B: np.trapezoid(B, dx=0.1),
    "trapezoid x": lambda B: np.trapezoid(B, np.array([0.0, 1.0, 3.0]), axis=0),
    "einsum": lambda A, B, v: np.einsum("ij,jk,i->k", A, B, v),
    "einsum optimize": lambda A, v: np.einsum("ij,j", A, v, optimize=True),
    "dot": lambda A, v: np.dot(A, v),
    "inner": lambda A, B: np.inner(A, B.T),
    "vdot": lambda A: np.vdot(A, A),
    "outer": lambda v, u: np.outer(v, u),
    "tensordot": lambda T, B: np.tensordot(T, B),
    "tensordot axes": lambda T, B: np.tensordot(T, B, axes=([1, 2], [0, 1])),
    "tensordot int": lambda A, B: np.tensordot(A, B, 1),
    "kron": lambda v, A: np.kron(v, A),
    "cross": lambda v, u: np.cross(v, u),
    "cross stack": lambda A, v: np.cross(A, v),
    "trace": lambda A: np.trace(A),
    "trace offset": lambda B: np.trace(B, offset=1),
    "multi dot": lambda A, B: np.linalg.multi_dot([A, A, B]),
    "matrix power": lambda A: np.linalg.matrix_power(A, 5),
    "matrix power 0": lambda A: A + np.linalg.matrix_power(A, 0),
    "matmul": lambda T, B: np.matmul(T, B.T),
    "vecdot": lambda A, v: np.vecdot(A, v) + np.linalg.vecdot(A, A, axis=0) + np.linalg.matmul(A, v),
    "matvec": lambda T, A: np.matvec(np.transpose(T, (0, 2, 1)), A[:2]),
    "vecmat": lambda A, B: np.vecmat(A, B),
    "concatenate": lambda A, B: np.concatenate([A, B], axis=1),
    "concatenate flat": lambda A, v: np.concatenate((A, v), axis=None),
    "concatenate constants": lambda v: np.concatenate([v, [1.0, 2.0], np.zeros(2)]),
    "stack": lambda v, u: np.stack([v, u, v + u], axis=1),
    "stack numbers": lambda x, y: np.stack([x, 1.0, y]),
    "vstack": lambda v, A: np.vstack([v, A]),
    "hstack": lambda x, y: np.hstack([x, y]),
    "hstack 2": lambda A, B: np.hstack([A, B]),
    "dstack": lambda A: np.dstack([A, 2 * A]),
    "column_stack": lambda v, A: np.column_stack([v, A]),
    "append": lambda v, x: np.append(v, x),
    "block": lambda A, B: np.block([[A, B], [np.ones((1, 7))]]),
    "block flat": lambda v, x: np.block([v, x]),
    "reshape": lambda T: np.reshape(T, (4, -1)),
    "ravel": lambda T: np.ravel(T),
    "squeeze": lambda T: np.squeeze(T[:, :1], axis=1),
    "expand_dims": lambda A: np.expand_dims(A, (0, 2)),
    "atleast": lambda x, v: np.atleast_2d(v) + np.atleast_1d(x),
    "atleast_3d": lambda A: np.atleast_3d(A),
    "broadcast_to": lambda v: np.broadcast_to(v, (2, 3)),
    "broadcast_arrays": lambda v, x: sum(np.broadcast_arrays(v, x)),
    "meshgrid": lambda v, u: np.stack(np.meshgrid(v, u)),
    "meshgrid ij": lambda v, u: np.stack(np.meshgrid(v, u, indexing="ij")),
    "meshgrid three": lambda v, u, x: np.stack(np.meshgrid(v, u, np.stack([x, 2 * x]))),
    "transpose": lambda T: np.transpose(T, (2, 0, 1)),
    "swapaxes": lambda T: np.swapaxes(T, 0, 2),
    "moveaxis": lambda T: np.moveaxis(T, 0, -1),
    "matrix_transpose": lambda T: np.matrix_transpose(T),
    "roll": lambda T: np.roll(T, 1, axis=1),
    "flip": lambda T: np.flip(T, axis=(0, 2)),
    "fliplr": lambda A: np.fliplr(A),
    "rot90": lambda A: np.rot90(A),
    "repeat": lambda v: np.repeat(v, [1, 2, 3]),
    "tile": lambda v: np.tile(v, (2, 2)),
    "take": lambda T: np.take(T, [2, 0], axis=1),
    "delete": lambda v: np.delete(v, 1),
    "split": lambda B: np.split(B, 2, axis=1)[1],
    "array_split": lambda v: np.array_split(v, 2)[0],
    "diagonal": lambda B: np.diagonal(B, 1),
    "diag": lambda A: np.diag(A),
    "diag of vector": lambda v: np.diag(v, -1),
    "tril": lambda A: np.tril(A, -1),
    "triu": lambda T: np.triu(T),
    "pad": lambda v: np.pad(v, (1, 2)),
    "pad value": lambda A: np.pad(A, 1, constant_values=7.0),
    "pad edge": lambda v: np.pad(v, 2, mode="edge"),
    "where": lambda v, u: np.where(v > u, v, -u),
    "select": lambda v: np.select([v < 0.3, v < 0.6], [v, v * v], default=-1.0),
    "clip": lambda v: np.clip(v, 0.3, 0.6),
    "clip one side": lambda v: np.clip(v, 0.3, None),
    "clip keywords": lambda v: np.clip(v, min=0.3, max=0.6),
    "polyval": lambda v: np.polyval([2.0, -1.0, 0.5], v),
    "polyval of coefficients": lambda v, x: np.polyval(v, x),
    "linspace": lambda x, y: np.linspace(x, y, 5),
    "linspace arrays": lambda v, u: np.linspace(v, u, 4, endpoint=False),
    "zeros_like": lambda v: v + np.zeros_like(v) + np.ones_like(v) + np.full_like(v, 2.0),
    "shape": lambda T: T * np.shape(T)[0] * np.ndim(T) * np.size(T, 1),
    "reduce": lambda T: np.add.reduce(T) + np.maximum.reduce(T, axis=0),
    "accumulate": lambda T: np.add.accumulate(T, axis=2),
    "outer of a ufunc": lambda v, u: np.subtract.outer(v, u),
    "methods": lambda T: T.var(axis=1) + T.std() + T.clip(0.3, 0.4).cumsum(axis=0).squeeze().sum(axis=1),
    "more methods": lambda A: A.copy().diagonal() + A.trace() + A.swapaxes(0, 1)[0] + A.ravel().repeat(2)[:3] + A.astype(float)[1],
    "array methods": lambda A, v: A.T.dot(v) + A.reshape(9)[::4] + A.transpose().mean(axis=0) + A.max() + v.real,
    "indexing": lambda T: T[1, ..., ::-1] + T[0][:, [3, 2, 1, 0]] + T[:, None, 1].sum(),
    "builtins": lambda v: sum(v) + sum(a * a for a in v) + abs(-v) + len(v),
    "logic": lambda v, u: np.where(np.logical_and(v > 0.3, np.logical_not(u > 0.5)) | (v > 0.8), v, u),
    "isfinite": lambda v: np.where(np.isfinite(v) & ~np.isnan(v) & ~np.isinf(v), v, 0.0),
    "bool as number": lambda v: (v > 0.5) * v + (v > 0.5).astype(float).sum(),
}


@pytest.mark.parametrize("code", CODE.values(), ids=CODE)
def test_array_functions_mean_what_numpy_means(code):
    check(code)


def test_every_form_belongs_to_numpy_and_has_no_advice_against_it():
    for name in FORMS:
        head, _, tail = name.partition(".")
        known = getattr(getattr(np, head), tail) if tail else getattr(np, head, None)
        assert callable(known) or name == "row_stack", name
    assert not set(FORMS) & set(ADVICE)
    assert set(REDUCTIONS.values()) <= set(FORMS)
    assert not [n for n in UFUNCS if not hasattr(np, n)]


@pytest.mark.parametrize(
    "code",
    [
        lambda v: scipy.special.erf(v) * scipy.special.expit(v),
        pytest.param(
            lambda v, u: scipy.special.xlogy(v, u), marks=pytest.mark.skipif("xlogy" not in FUNCTIONS, reason="xlogy does not exist")
        ),
        pytest.param(lambda A: np.prod(A, axis=0), marks=pytest.mark.skipif("prod" not in FUNCTIONS, reason="prod does not exist")),
        pytest.param(lambda v: np.round(10 * v), marks=pytest.mark.skipif("round" not in FUNCTIONS, reason="round does not exist")),
        pytest.param(lambda v: np.round(v, 1), marks=pytest.mark.skipif("round" not in FUNCTIONS, reason="round does not exist")),
        pytest.param(lambda v: np.sinc(v), marks=pytest.mark.skipif("sinc" not in FUNCTIONS, reason="sinc does not exist")),
    ],
)
def test_functions_of_scipy_and_functions_to_come(code):
    check(code)


# --- whole programs ---


def neural_network_loss(weights1, bias1, weights2, bias2):
    """Mean cross-entropy of a small network on fixed data, as one writes it."""
    data = np.linspace(-1.0, 1.0, 10).reshape(5, 2)
    labels = np.array([0, 1, 2, 1, 0])
    hidden = np.tanh(data @ weights1 + bias1)
    logits = hidden @ weights2 + bias2
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_likelihood = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    picked = [log_likelihood[i, label] for i, label in enumerate(labels)]
    penalty = sum(np.sum(w**2) for w in (weights1, weights2))
    return -np.mean(np.stack(picked)) + 0.01 * penalty


def test_a_neural_network_traces_and_has_its_hand_gradient():
    shapes = {"weights1": (2, 4), "bias1": (4,), "weights2": (4, 3), "bias2": (3,)}
    f = trace(neural_network_loss, **shapes)
    assert f.name == "neural_network_loss"
    assert f.names == tuple(shapes)
    point = {n: RANDOM.normal(size=s) for n, s in shapes.items()}
    np.testing.assert_allclose(value(f)(**point), neural_network_loss(**point), rtol=1e-14)
    got = gradient(f)(**point)
    data = np.linspace(-1.0, 1.0, 10).reshape(5, 2)
    hidden = np.tanh(data @ point["weights1"] + point["bias1"])
    logits = hidden @ point["weights2"] + point["bias2"]
    residual = scipy.special.softmax(logits, axis=1)
    residual[np.arange(5), [0, 1, 2, 1, 0]] -= 1
    residual /= 5
    behind = residual @ point["weights2"].T * (1 - hidden**2)
    np.testing.assert_allclose(got.bias2, residual.sum(0), rtol=1e-12)
    np.testing.assert_allclose(got.weights2, hidden.T @ residual + 0.02 * point["weights2"], rtol=1e-12)
    np.testing.assert_allclose(got.bias1, behind.sum(0), rtol=1e-12)
    np.testing.assert_allclose(got.weights1, data.T @ behind + 0.02 * point["weights1"], rtol=1e-12)


def kepler(mean_anomaly, eccentricity, *, iterations=8):
    """The eccentric anomaly by Newton's method, a loop of static length."""
    anomaly = mean_anomaly
    for _ in range(iterations):
        anomaly = anomaly - (anomaly - eccentricity * np.sin(anomaly) - mean_anomaly) / (1 - eccentricity * np.cos(anomaly))
    return np.stack([np.cos(anomaly) - eccentricity, np.sqrt(1 - eccentricity**2) * np.sin(anomaly)])


def test_a_loop_of_newton_steps_traces():
    f = trace(kepler, mean_anomaly=(), eccentricity=())
    np.testing.assert_allclose(value(f)(1.2, 0.3), kepler(1.2, 0.3), rtol=1e-14)
    e = 0.3
    E = np.arctan2(kepler(1.2, e)[1] / np.sqrt(1 - e * e), kepler(1.2, e)[0] + e)
    by_hand = np.array([-np.sin(E), np.sqrt(1 - e * e) * np.cos(E)]) / (1 - e * np.cos(E))
    np.testing.assert_allclose(jacobian(f, wrt="mean_anomaly")(1.2, e), by_hand, rtol=1e-12)


def determinant(a):
    """By expansion along the first row, a recursion over the static size."""
    if len(a) == 1:
        return a[0, 0]
    rest = a[1:]
    return sum((-1) ** j * a[0, j] * determinant(np.delete(rest, j, axis=1)) for j in range(len(a)))


def test_a_recursion_traces():
    f = trace(determinant, a=(4, 4))
    point = RANDOM.normal(size=(4, 4))
    np.testing.assert_allclose(value(f)(point), np.linalg.det(point), rtol=1e-12)
    np.testing.assert_allclose(gradient(f)(point), np.linalg.det(point) * np.linalg.inv(point).T, rtol=1e-11)


# --- trace itself ---


def test_inputs_come_in_the_order_of_the_signature():
    f = trace(lambda b, a: a - b, a=(), b=())
    assert f.names == ("b", "a")
    assert f.name == "f"


def test_defaults_are_static_and_partial_functions_trace():
    def power(base, exponent=3):
        return base**exponent

    assert trace(power, base=()).output is symbol("base") ** 3
    assert trace(power, base=(), exponent=()).names == ("base", "exponent")
    assert trace(functools.partial(power, exponent=2), base=()).output is symbol("base") ** 2


def test_every_kind_of_parameter_is_passed():
    def f(a, /, b, *rest, c, **more):
        return a + 2 * b + 3 * c + 4 * more["d"]

    made = trace(f, a=(), b=(), c=(), d=(), fn=())
    assert made.names == ("a", "b", "c", "d", "fn")
    assert trace(np.sin, x=()).output is np.sin(x)


def test_results_become_outputs():
    assert trace(lambda x, y: (x + y, x * y), x=(), y=()).outputs == trace(lambda x, y: [x + y, x * y], x=(), y=()).outputs
    assert trace(lambda x: x, x=()).single
    assert not trace(lambda x: (x,), x=()).single
    assert trace(lambda x: 3.0, x=()).output is FUNCTIONS["add"](1.0, 2.0)
    assert trace(lambda x: np.eye(2), x=()).output.shape == (2, 2)


@pytest.mark.parametrize(
    ("fn", "shapes", "kind", "message"),
    [
        (lambda x: x, {}, DiffCompareError, "the shape of 'x' is missing"),
        (lambda x: x, {"x": (), "z": ()}, DiffCompareError, "has no argument 'z'; its arguments are x"),
        (lambda x: None, {"x": ()}, TypeError, "returned None: end it with return"),
        (lambda x: {"a": x}, {"x": ()}, TypeError, "returned dict: return expressions or numbers, alone or in a tuple"),
        (lambda x: [[x, x]], {"x": ()}, TypeError, "returned list.*np.stack joins a list"),
        (lambda x: x, {"x": "three"}, ShapeError, "a shape is a tuple of integers"),
        (lambda x: x, {"x": (-1,)}, ShapeError, "no negative sizes"),
        (3, {"x": ()}, TypeError, "trace takes a Python function, got int"),
        (x + y, {"x": ()}, TypeError, "trace takes a Python function, got Expr"),
    ],
)
def test_wrong_calls_of_trace(fn, shapes, kind, message):
    with pytest.raises(kind, match=f"(?s){message}"):
        trace(fn, **shapes)


# --- what has no form says which call it was and what to use instead ---


def branches(v):
    if v[0] > 0:
        return v
    return -v


def assigns(v):
    out = np.zeros(3)
    for i in range(3):
        out[i] = v[i] ** 2
    return out


def assigns_slices(v):
    out = np.zeros((2, 3))
    out[0] = v
    return out


def adds_in_place(v):
    out = np.zeros(3)
    out += v
    return out


def assigns_to_input(v):
    v[0] = 1.0
    return v


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (branches, r"no truth value \(0 < v\[0\]\): use where\(condition, a, b\) instead of if"),
        (lambda v: v if v[0] > 0 and v[1] > 0 else 0, "&, |, ~ instead of and, or, not"),
        (lambda v: max(v[0], v[1]), r"maximum\(a, b\) instead of max\(a, b\)"),
        (lambda v: np.array([v[0], v[1]]), r"instead of np.array\(\[a, b\]\) and y\[i\] = a use np.stack"),
        (lambda v: np.asarray(v), r"leave out np.asarray\(a\)"),
        (lambda v: np.sum([v[0], v[1]]), r"numpy.sum asks for one: lists of expressions are joined by np.stack\(\[a, b\]\)"),
        (lambda v: np.full(3, v[0]), r"numpy.full asks for one: use x \* np.ones\(shape\)"),
        (lambda v: scipy.special.logsumexp(v), r"scipy.special.logsumexp asks for one: use dc.logsumexp\(x, axis\)"),
        (lambda v: scipy.special.softmax(v), r"scipy.special.softmax asks for one: use dc.softmax\(x, axis\)"),
        (lambda v: scipy.special.log_softmax(v), r"use dc.log_softmax\(x, axis\)"),
        (lambda v: math.sin(v[0]), r"instead of float\(x\) or math.sin\(x\) use dc.sin\(x\) or np.sin\(x\)"),
        (lambda v: float(v[0]), r"is not a number \(v\[0\]\)"),
        (lambda v: int(v[0]), r"use floor\(x\) instead of int\(x\)"),
        (lambda v: v[0] // 2, r"no floor division // \(v\[0\]\): use floor\(x / y\)"),
        (lambda v: list(range(v[0])), "indices and sizes are static integers"),
        (assigns, r"assigns: an expression was assigned into a NumPy array; .*use np.stack"),
        (assigns_slices, r"y\[i\] = a use np.stack"),
        (adds_in_place, r"np.add: out= writes into an array.*x = x \+ y instead of x \+= y"),
        (assigns_to_input, r"immutable: x\[i\] = ... is not possible"),
        (lambda v: np.exp(v, out=np.zeros(3)), "np.exp: out= writes into an array"),
        (lambda v: np.sum(v, out=np.zeros(())), "np.sum: out= writes into an array"),
        (lambda v: np.add(v, v, where=np.ones(3, bool)), "np.add: where= has no form"),
        (lambda v: np.sum(v, where=v > 0), "np.sum: where= has no form"),
        (lambda v: np.sum(v, dtype=np.float32), "np.sum: dtype=.*float32.* has no form"),
        (lambda v: np.sum(v, initial=1.0), r"np.sum: got an unexpected keyword argument 'initial'; its arguments .* \(a, axis, keepdims\)"),
        (lambda v: np.ravel(v, order="F"), "np.ravel: order='F' has no form"),
        (lambda v: v[v > 0], "an expression is not an index.*use where"),
        (lambda v: C[v > 0], "does not become a NumPy array"),
        (lambda v: np.where(v > 0), r"np.where\(condition\) finds indices.*use np.where\(condition, a, b\)"),
        (lambda v: np.nonzero(v), "np.nonzero has no form .* depends on values"),
        (lambda v: np.argmax(v), "np.argmax has no form .* depends on values"),
        (lambda v: np.sort(v), "np.sort has no form .* depends on values"),
        (lambda v: np.take(C, v), "numpy.take asks for one: indices are static integers"),
        (lambda v: np.take(v, v), "np.take: indices, counts and axes are static integers"),
        (lambda v: np.allclose(v, v), r"np.allclose has no form .* np.abs\(a - b\) < tolerance"),
        (lambda v: np.linalg.solve(np.outer(v, v), v), "np.linalg.solve has no form .* write the elimination out"),
        (lambda v: np.linalg.norm(np.outer(v, v), 2), "np.linalg.norm: ord=2"),
        (lambda v: np.fft.fft(v), "np.fft.fft has no form .* no complex numbers"),
        (lambda v: np.interp(v, [0, 1], [0, 1]), r"np.interp has no form .* np.where\(x < limit, a, b\)"),
        (lambda v: np.full_like(C, v[0]), "np.copyto has no form .* never changed in place"),
        (lambda v: np.add.at(v, [0], 1.0), "np.add.at has no form .* never changed in place"),
        (lambda v: np.subtract.reduce(v), "np.subtract.reduce has no form .* a loop over the entries"),
        (lambda v: np.frexp(v), "np.frexp has no form"),
        (lambda v: scipy.special.jv(1, v), "the ufunc jv has no form"),
        (lambda v: np.bitwise_and(v, v), "np.bitwise_and works on conditions"),
        (lambda v: np.einsum(v, [0], v, [0]), "np.einsum: write the labels as text first"),
        (lambda v: np.pad(v, 1, mode="mean"), "np.pad: mode='mean' has no form"),
        (lambda v: v.astype(int), "astype.* has no form"),
        (lambda v: v.item(), "no attribute 'item': .*leave it out"),
        (lambda v: v.sort(), "no attribute 'sort': .* depends on values"),
        (lambda v: v * 1j, "complex"),
    ],
)
def test_what_has_no_form_names_the_call_and_the_fix(fn, message):
    with pytest.raises((TypeError, AttributeError), match=f"(?s){message}"):
        trace(fn, v=(3,))


def test_errors_of_the_function_itself_pass_through():
    def fails(v):
        raise ValueError("its own")

    with pytest.raises(ValueError, match=r"^its own$"):
        trace(fails, v=(3,))


def test_an_expression_has_the_methods_of_arrays_and_no_others():
    assert isinstance(w.var(), Expr)
    assert not hasattr(w, "frobnicate")
    assert not hasattr(w, "_repr_html_")
    with pytest.raises(AttributeError, match=r"no attribute 'frobnicate'$"):
        w.frobnicate()

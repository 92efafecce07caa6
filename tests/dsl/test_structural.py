"""Array operations against NumPy: values, shapes, batches, and the transpose law <A x, c> = <x, Aᵀ c>."""

import numpy as np
import pytest

from diffcompare.differentiate import value, vjp
from diffcompare.dsl import function, symbol
from diffcompare.dsl.composite import logsumexp, mean, norm, softmax
from diffcompare.dsl.composite import max as largest
from diffcompare.dsl.constants import constant
from diffcompare.dsl.contraction import diagonal, dot, einsum, matmul, outer, trace
from diffcompare.dsl.structural import broadcast, concatenate, reshape, stack, transpose
from diffcompare.dsl.structural import sum as total
from diffcompare.errors import ShapeError

A = symbol("A", (3, 4))
B = symbol("B", (4, 2))
S = symbol("S", (3, 3))
T = symbol("T", (2, 3, 4))
u = symbol("u", (3,))
v = symbol("v", (4,))
s = symbol("s")

MASK = np.array([True, False, True])

CASES = {
    "sum": (total(T), lambda T: T.sum()),
    "sum axis": (total(T, axis=(0, -1)), lambda T: T.sum((0, -1))),
    "sum keepdims": (total(T, axis=1, keepdims=True), lambda T: T.sum(1, keepdims=True)),
    "mean": (mean(A, axis=0), lambda A: A.mean(0)),
    "reshape": (reshape(T, (4, -1)), lambda T: T.reshape(4, 6)),
    "transpose": (transpose(T, 2, 0, 1), lambda T: T.transpose(2, 0, 1)),
    "T": (A.T, lambda A: A.T),
    "broadcast": (broadcast(u[:, None], (2, 3, 4)), lambda u: np.broadcast_to(u[:, None], (2, 3, 4))),
    "broadcast scalar": (broadcast(s, (2, 2)), lambda s: np.full((2, 2), s)),
    "concatenate": (concatenate([A, B.T], axis=0), lambda A, B: np.concatenate([A, B.T])),
    "stack": (stack([u, 2 * u], axis=1), lambda u: np.stack([u, 2 * u], 1)),
    "diagonal": (diagonal(S), lambda S: np.diagonal(S)),
    "trace": (trace(S), lambda S: np.trace(S)),
    "matmul": (A @ B, lambda A, B: A @ B),
    "matvec": (A @ v, lambda A, v: A @ v),
    "vecmat": (u @ A, lambda u, A: u @ A),
    "stacked matmul": (matmul(T, B), lambda T, B: T @ B),
    "dot": (dot(u, u), lambda u: u @ u),
    "outer": (outer(u, v), lambda u, v: np.outer(u, v)),
    "einsum three": (einsum("ij,jk,i->k", A, B, u), lambda A, B, u: np.einsum("ij,jk,i->k", A, B, u)),
    "einsum repeated label": (einsum("ii,i->i", S, u), lambda S, u: np.einsum("ii,i->i", S, u)),
    "einsum lone label": (einsum("ij,k->k", A, v), lambda A, v: np.einsum("ij,k->k", A, v)),
    "einsum implicit": (einsum("ji,jk", A, A), lambda A: np.einsum("ji,jk", A, A)),
    "einsum elementwise": (einsum("ij,ij->ij", A, A), lambda A: A * A),
    "integer": (T[1, -1], lambda T: T[1, -1]),
    "slices": (T[:, ::-1, 1:4:2], lambda T: T[:, ::-1, 1:4:2]),
    "ellipsis and None": (T[..., None, 0], lambda T: T[..., None, 0]),
    "integer array": (A[[2, 0, 2]], lambda A: A[[2, 0, 2]]),
    "2-d integer array": (u[np.array([[0, 1], [2, 0]])], lambda u: u[np.array([[0, 1], [2, 0]])]),
    "paired arrays": (S[np.arange(3), [2, 1, 0]], lambda S: S[np.arange(3), [2, 1, 0]]),
    "boolean mask": (A[MASK], lambda A: A[MASK]),
    "full mask": (S[np.eye(3, dtype=bool)], lambda S: S[np.eye(3, dtype=bool)]),
    "empty slice": (u[1:1], lambda u: u[1:1]),
    "array and integer": (T[0, [2, 1]], lambda T: T[0, [2, 1]]),
}


def _values(expr, seed=0, lead=()):
    f = value(expr)
    rng = np.random.default_rng(seed)
    return f, {i.params[0]: rng.normal(size=lead + i.shape) for i in f.primal.inputs}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", ["numpy", "python"])
def test_agrees_with_numpy(case, engine):
    expr, expected = CASES[case]
    _, at = _values(expr)
    truth = expected(**at)
    assert expr.shape == np.shape(truth)
    np.testing.assert_allclose(value(expr, engine=engine)(**at), truth, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("case", CASES)
def test_leading_axes_are_a_batch(case):
    f, at = _values(CASES[case][0], lead=(5,))
    one = [f(**{n: a[k] for n, a in at.items()}) for k in range(5)]
    np.testing.assert_allclose(f(**at), np.stack(one), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_a_batch_in_one_argument_reaches_all(case):
    f, at = _values(CASES[case][0])
    name = next(iter(at))
    many = np.stack([at[name], 2 * at[name]])
    truth = np.stack([f(**{**at, name: a}) for a in many])
    np.testing.assert_allclose(f(**{**at, name: many}), truth, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_cotangent_is_the_transpose_of_the_tangent(case):
    from diffcompare.differentiate import jvp

    expr, _ = CASES[case]
    f, at = _values(expr)
    rng = np.random.default_rng(1)
    t = {n: rng.normal(size=a.shape) for n, a in at.items()}
    c = rng.normal(size=expr.shape)
    forward = np.sum(c * jvp(expr, method="ad.forward", engine="numpy")(**at, tangent=t))
    pulled = vjp(expr, method="ad.reverse", engine="numpy")(**at, cotangent=c)
    parts = pulled if isinstance(pulled, tuple) else (pulled,)
    assert forward == pytest.approx(sum(np.sum(p * t[n]) for p, n in zip(parts, f.primal.names, strict=True)), rel=1e-12)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: reshape(T, (5, -1)), r"cannot infer -1 .*\(2, 3, 4\)"),
        (lambda: reshape(T, (7,)), "24 entries"),
        (lambda: A @ A, r"inner sizes differ, got \(3, 4\) and \(3, 4\)"),
        (lambda: concatenate([A, u]), "concatenate: shapes must agree"),
        (lambda: concatenate([]), "at least one"),
        (lambda: stack([u, v]), "one shape"),
        (lambda: A[5], "5 is out of range for axis"),
        (lambda: A[0, 0, 0], "3 indices"),
        (lambda: A[np.array([True, False])], "mask"),
        (lambda: T[[0, 1], :, [0, 1]], "adjacent axes"),
        (lambda: einsum("...i->i", u), "ellipsis"),
        (lambda: einsum("ij,jk->ik", A, u), "2 labels"),
        (lambda: einsum("i,i->i", u, v), "sizes 3 and 4"),
        (lambda: einsum("i->ii", u), "once in the output"),
        (lambda: total(A, axis=2), "axis 2 is out of range"),
        (lambda: total(A, axis=(0, -2)), "names an axis twice"),
        (lambda: transpose(A, 0, 0), "not an order"),
        (lambda: broadcast(u, (4,)), "does not broadcast"),
        (lambda: diagonal(A), "equal length"),
        (lambda: matmul(s, A), "use \\*"),
        (lambda: mean(u[1:1]), "no entries"),
        (lambda: largest(u[1:1]), "at least one entry"),
        (lambda: symbol("q", (-1,)), "negative"),
    ],
)
def test_shapes_that_do_not_fit_are_named(build, message):
    with pytest.raises(ShapeError, match=message):
        build()


def test_structural_operations_on_constants_are_evaluated():
    assert (constant(np.eye(2)) @ constant([1.0, 2.0])).primitive.name == "constant"


BIG = symbol("b", (4,))


@pytest.mark.parametrize("at", [np.full(4, 1000.0), np.array([-1000.0, 1000, 0, 1]), np.full(4, -np.inf), np.array([np.inf, 0, 1, 2])])
def test_logsumexp_and_softmax_do_not_overflow(at):
    from scipy import special

    np.testing.assert_allclose(value(logsumexp(BIG))(at), special.logsumexp(at), rtol=4e-16)
    if np.isfinite(at).all():
        np.testing.assert_allclose(value(softmax(BIG))(at), special.softmax(at), rtol=1e-15)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_norm_neither_overflows_nor_underflows(scale):
    assert value(norm(BIG))(np.array([3.0, 0, 4, 0]) * scale) == pytest.approx(5 * scale, rel=1e-15)


def test_reductions_along_axes():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2, 3, 4))
    np.testing.assert_allclose(value(norm(T, axis=1))(a), np.linalg.norm(a, axis=1), rtol=1e-15)
    np.testing.assert_array_equal(value(largest(T, axis=(0, 2), keepdims=True))(a), a.max((0, 2), keepdims=True))
    f = value(function([T], softmax(T, axis=1)))
    np.testing.assert_allclose(f(a).sum(1), 1.0, rtol=1e-15)

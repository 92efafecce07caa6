"""What the modules answer, against each benchmark written out once more in loops; its derivatives by complex steps."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.special import gammaln, multigammaln

from diffcompare.gradbench import modules
from diffcompare.gradbench.modules import MODULES
from diffcompare.gradbench.protocol import Session
from diffcompare.gradbench.tool import Tool

RNG = np.random.default_rng(31337)
TOLERANCE = 1e-12
"""In the suite's own measure; its golden sessions are held to 1e-10, its validation to 1e-4."""


def rho(expected: Any, got: Any) -> float:
    """The largest |x - y| / max(1, |x| + |y|) of two JSON values of one structure, GradBench's measure of difference."""
    if isinstance(expected, Mapping):
        assert expected.keys() == got.keys()
        return max(rho(expected[k], got[k]) for k in expected)
    if isinstance(expected, list):
        assert len(expected) == len(got)
        return max((rho(x, y) for x, y in zip(expected, got, strict=True)), default=0.0)
    return abs(expected - got) / max(1.0, abs(expected) + abs(got))


def answer(module: str, function: str, data: Any, tool: Tool | None = None) -> dict[str, Any]:
    message = {"id": 7, "kind": "evaluate", "module": module, "function": function, "input": data}
    return json.loads(Session(tool or Tool()).answer(json.dumps(message).encode()))


def output(module: str, function: str, data: Any, tool: Tool | None = None) -> Any:
    response = answer(module, function, data, tool)
    assert response["success"], response
    return response["output"]


def complex_step(f: Callable[..., Any], values: dict[str, Any], name: str) -> np.ndarray:
    """df/dvalues[name], exact to rounding: Im f(x + ih) / h."""
    base = np.asarray(values[name], dtype=complex)
    if not base.size:
        return base.real
    columns = []
    for k in np.ndindex(base.shape):
        moved = base.copy()
        moved[k] += 1e-30j
        columns.append(np.imag(f(**{**values, name: moved})) / 1e-30)
    return np.moveaxis(np.array(columns), 0, -1).reshape(*np.shape(columns[0]), *base.shape)


# --- gmm ---


def mixture(d: int, k: int, n: int, gamma: float = 1.0, m: int = 0, size: float = 1.0) -> dict[str, Any]:
    return {
        "d": d,
        "k": k,
        "n": n,
        "alpha": (size * RNG.standard_normal(k)).tolist(),
        "mu": (size * RNG.uniform(size=(k, d))).tolist(),
        "q": RNG.standard_normal((k, d)).tolist(),
        "l": RNG.standard_normal((k, d * (d - 1) // 2)).tolist(),
        "x": (size * RNG.standard_normal((n, d))).tolist(),
        "gamma": gamma,
        "m": m,
    }


def log_posterior(d, k, n, alpha, mu, q, l, x, gamma, m, **_):  # noqa: E741
    """The benchmark sample by sample and component by component."""
    total = -0.5 * n * d * math.log(2 * math.pi)
    for i in range(n):
        exponents = []
        for c in range(k):
            factor = np.diag(np.exp(q[c])).astype(complex)
            at = 0
            for column in range(d):
                for row in range(column + 1, d):
                    factor[row, column] = l[c][at]
                    at += 1
            y = factor @ (np.asarray(x[i]) - mu[c])
            exponents.append(alpha[c] + np.sum(q[c]) - 0.5 * np.sum(y * y))
        total += _log_sum_exp(np.array(exponents))
    total -= n * _log_sum_exp(np.asarray(alpha))
    freedom = d + m + 1
    constant = freedom * d * (math.log(gamma) - 0.5 * math.log(2)) - multigammaln(0.5 * freedom, d)
    squares = np.sum(np.exp(q) ** 2) + np.sum(np.asarray(l) ** 2)
    return total - 0.5 * gamma**2 * squares + m * np.sum(q) + k * constant


def _log_sum_exp(x: np.ndarray) -> Any:
    top = np.max(x.real)
    return np.log(np.sum(np.exp(x - top))) + top


MIXTURES = [mixture(2, 3, 6), mixture(3, 2, 4, gamma=0.7, m=2), mixture(1, 2, 3), mixture(5, 1, 2, m=1), mixture(2, 2, 5, size=30.0)]


@pytest.mark.parametrize("data", MIXTURES, ids=lambda d: f"d={d['d']},k={d['k']},n={d['n']}")
def test_gmm(data: dict[str, Any]) -> None:
    values = {name: np.array(v) if isinstance(v, list) else v for name, v in data.items()}
    assert rho(log_posterior(**values).real, output("gmm", "objective", data)) < TOLERANCE
    expected = {name: complex_step(log_posterior, values, name).tolist() for name in ("alpha", "mu", "q", "l")}
    assert rho(expected, output("gmm", "jacobian", data)) < TOLERANCE


def test_the_factor_of_the_prior_is_the_multivariate_gamma_function() -> None:
    """The suite sums log gamma; SciPy has the function by name."""
    a, d = 3.5, 4
    assert math.isclose(multigammaln(a, d), 0.25 * d * (d - 1) * math.log(math.pi) + sum(gammaln(a - 0.5 * j) for j in range(d)))


# --- kmeans ---


def clusters(n: int, k: int, d: int, size: float = 1.0) -> dict[str, Any]:
    points = size * RNG.uniform(size=(n, d))
    return {"points": points.tolist(), "centroids": points[-k:].tolist()}


@pytest.mark.parametrize(
    "data", [clusters(12, 3, 2), clusters(40, 7, 5), clusters(3, 3, 1), clusters(9, 2, 4, 1e-6), clusters(9, 2, 3, 1e6)]
)
def test_kmeans(data: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    points, centroids = np.array(data["points"]), np.array(data["centroids"])
    distances = np.array([[math.fsum((p - c) ** 2) for c in centroids] for p in points])
    nearest = distances.argmin(axis=1)
    step = [(c - points[nearest == j].mean(axis=0)).tolist() for j, c in enumerate(centroids)]
    for room in (modules.ROOM, 5 * centroids.size):  # in one part, and in parts of five points
        monkeypatch.setattr(modules, "ROOM", room)
        assert rho(math.fsum(distances.min(axis=1)), output("kmeans", "cost", data)) < TOLERANCE
        assert rho(step, output("kmeans", "dir", data)) < TOLERANCE


def test_a_centroid_without_points_makes_the_step_of_kmeans_undefined() -> None:
    data = {"points": [[0.0], [1.0]], "centroids": [[0.4], [9.0]]}
    assert output("kmeans", "cost", data) == pytest.approx(0.52)
    response = answer("kmeans", "dir", data)
    assert (response["success"], "output" in response) == (False, False)
    assert response["error"] == "centroid 1 is the nearest of no point: the Hessian is singular"


# --- ba ---


def observation(n: int, m: int, p: int, rotation: list[float]) -> dict[str, Any]:
    cam = [*rotation, 0.1, -0.3, -4.0, 500.0, 320.0, 240.0, -0.1, 0.02]
    return {"n": n, "m": m, "p": p, "cam": cam, "x": [0.4, 0.2, 1.5], "w": 0.9, "feat": [350.0, 250.0]}


def residual(cam, x, w, feat, **_):
    """The textbook's rotation, w = r/|r|, with its branch for no rotation."""
    r, v = np.asarray(cam[:3]), np.asarray(x) - np.asarray(cam[3:6])
    square = np.sum(r * r)
    if square != 0:
        angle = np.sqrt(square)
        axis = r / angle
        y = v * np.cos(angle) + np.cross(axis, v) * np.sin(angle) + axis * (np.sum(axis * v) * (1 - np.cos(angle)))
    else:
        y = v + np.cross(r, v)
    p = y[:2] / y[2]
    radius = np.sum(p * p)
    projected = np.asarray(cam)[6] * p * (1 + cam[9] * radius + cam[10] * radius**2) + np.asarray(cam)[7:9]
    return w * (projected - np.asarray(feat))


BUNDLES = [observation(2, 3, 12, [0.3, -0.2, 0.4]), observation(21, 115, 40, [2.0, 1.0, -1.5]), observation(1, 1, 10, [0.0, 0.0, 0.0])]


@pytest.mark.parametrize("data", BUNDLES, ids=lambda d: f"n={d['n']},m={d['m']},p={d['p']}")
def test_ba(data: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    n, m, p = data["n"], data["m"], data["p"]
    blocks = [complex_step(residual, data, name).reshape(2, -1) for name in ("cam", "x", "w")]
    values = np.concatenate(blocks, axis=1).ravel().tolist()
    columns = [*range(11), 11 * n, 11 * n + 1, 11 * n + 2, 11 * n + 3 * m]
    jacobian = {
        "rows": [*range(0, min(450, 30 * p), 15), 31 * p],
        "cols": [*columns, *columns, 11 * n + 3 * m + p - 1],
        "vals": [*values, -1.8],
    }
    objective = {
        "reproj_error": {"elements": residual(**data).tolist(), "repeated": p},
        "w_err": {"element": 1 - 0.9**2, "repeated": p},
    }
    if p < 15:  # the starts of p rows after those of the 2 p rows before them
        jacobian["rows"] = [*[*range(0, 30 * p, 15), *range(30 * p, 31 * p + 1)][:30], 31 * p]
    for part in (modules.OBSERVATIONS, 7):
        monkeypatch.setattr(modules, "OBSERVATIONS", part)
        assert rho(objective, output("ba", "objective", data)) < TOLERANCE
        assert rho(jacobian, output("ba", "jacobian", data)) < TOLERANCE


# --- the others ---


def test_hello_llsq_lse_det_and_ode() -> None:
    assert (output("hello", "square", 3), output("hello", "double", -1.5)) == (9.0, -3.0)
    x = [0.5, -1.0, 2.0]
    t = np.linspace(-1, 1, 9)
    powers = np.vander(t, 3, increasing=True)
    rest = np.sign(t) - powers @ x
    assert rho(0.5 * float(rest @ rest), output("llsq", "primal", {"x": x, "n": 9})) < TOLERANCE
    assert rho((-powers.T @ rest).tolist(), output("llsq", "gradient", {"x": x, "n": 9})) < TOLERANCE
    large = [1000.0, 999.0, -5.0]
    assert rho(1000 + math.log1p(math.exp(-1)), output("lse", "primal", {"x": large})) < TOLERANCE
    assert rho([1 / (1 + math.exp(-1)), 1 / (1 + math.e), 0.0], output("lse", "gradient", {"x": large})) < TOLERANCE
    matrix = RNG.uniform(size=(4, 4))
    flat = {"A": matrix.ravel().tolist(), "ell": 4}
    determinant = float(np.linalg.det(matrix))
    assert rho(determinant, output("det", "primal", flat)) < TOLERANCE
    assert rho((determinant * np.linalg.inv(matrix).T).ravel().tolist(), output("det", "gradient", flat)) < TOLERANCE
    # up to fourth order the method is exact: y_i = x_0 ... x_i 2**(i+1) / (i+1)!
    assert rho([2.0, 2.0 * 2, 6.0 * 8 / 6], output("ode", "primal", {"x": [1.0, 2.0, 3.0], "s": 4})) < TOLERANCE
    assert rho([8.0, 4.0, 8 / 3], output("ode", "gradient", {"x": [1.0, 2.0, 3.0], "s": 4})) < TOLERANCE


INPUTS = {
    "hello": 1.25,
    "llsq": {"x": [0.1, 0.2], "n": 5},
    "lse": {"x": [0.1, 0.2, 3.0]},
    "det": {"A": [1.0, 2.0, 3.0, 5.0], "ell": 2},
    "ode": {"x": [1.0, 2.0], "s": 2},
    "kmeans": clusters(6, 2, 2),
    "gmm": mixture(2, 2, 3),
    "ba": observation(1, 2, 3, [0.1, 0.2, 0.3]),
}


SCALARS = ("hello", "llsq", "lse")
"""Modules quick to compile."""


@pytest.mark.parametrize(
    ("method", "engine", "chosen"),
    [("manual", "numpy", MODULES), ("ad.forward", "python", MODULES), ("symbolic", "auto", SCALARS), ("ad.reverse", "jax", SCALARS)],
)
def test_every_function_by_other_methods_and_engines(method: str, engine: str, chosen: Sequence[str]) -> None:
    usual, other = Tool(), Tool(method, engine)
    for module in chosen:
        for name in MODULES[module]:
            assert rho(output(module, name, INPUTS[module], usual), output(module, name, INPUTS[module], other)) < TOLERANCE


def test_differences_are_as_good_as_differences_are() -> None:
    for module, name in (("gmm", "jacobian"), ("lse", "gradient"), ("llsq", "gradient")):
        error = rho(output(module, name, INPUTS[module]), output(module, name, INPUTS[module], Tool("fd.central", "numpy")))
        assert 1e-14 < error < 1e-8

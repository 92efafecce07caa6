"""Functions of arrays: one point a call, all cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...differentiators.base import Operator
from ...dsl.function import Function, function, symbol
from ..workload import Array, Bar, Group, Kind, Workload

OURS = ("diffcompare llvm", "diffcompare numpy", "diffcompare jax")
PEERS = ("jax", "torch", "autograd", "casadi")
R_T = 8.31446261815324 * 298.15


def _workload(
    name: str,
    title: str,
    make: Callable[[int], tuple[Any, Any, dict[str, Array], tuple[str, ...]]],
    size: int,
    judged: int,
    bars: Sequence[Bar],
) -> Workload:
    """The workload of a size; its answers are judged at a smaller one."""

    def of(n: int, twin: Callable[[], Workload] | None) -> Workload:
        code, hand, values, wrt = make(n)
        f = traced(name, code, values)
        rest = ("numpy by hand", "function alone, llvm")
        arrays = tuple(values.values())
        return Workload(name, title, f, Operator.GRADIENT, Kind.ARRAYS, arrays, (*OURS, *PEERS, *rest), tuple(bars), code, hand, wrt, twin)

    return of(size, lambda: of(judged, None))


def traced(name: str, code: Callable[..., Any], values: dict[str, Array]) -> Function:
    """The plain code run on symbols of these shapes."""
    inputs = [symbol(n, shape=np.shape(v)) for n, v in values.items()]
    return function(inputs, code(np, *inputs), name=name.partition("(")[0].replace(" ", "_"))


# --- helmholtz ---


def _helmholtz(n: int) -> tuple[Any, Any, dict[str, Array], tuple[str, ...]]:
    """The energy of problem helmholtz(n)."""
    spread = (np.arange(n) + 0.5) / n
    b, a = 0.2 + 0.6 * spread, R_T * (0.5 + 0.5 * spread)
    A = np.where(np.eye(n) > 0, np.sqrt(np.outer(a, a)), 0.9 * np.sqrt(np.outer(a, a)))
    root, up, down = 8**0.5, 1 + 2**0.5, 1 - 2**0.5

    def code(xp: Any, x: Any) -> Any:
        s = b @ x if xp is np else xp.dot(b, x)
        return R_T * xp.sum(x * xp.log(x / (1 - s))) - (x @ (A @ x)) / (root * s) * xp.log((1 + up * s) / (1 + down * s))

    def hand(x: Array) -> Any:
        s, Ax = b @ x, A @ x
        q, u = x @ Ax, 1 - s
        log_ratio = np.log((1 + up * s) / (1 + down * s))
        slope = 1 / (s * (1 + s * (2 - s))) - log_ratio / (root * s * s)
        return R_T * (np.log(x / u) + 1 + b * (x.sum() / u)) - 2 * log_ratio / (root * s) * Ax - (q * slope) * b

    return code, hand, {"x": np.full(n, 1 / n)}, ("x",)


# --- log-sum-exp, Rosenbrock ---


def _log_sum_exp(n: int) -> tuple[Any, Any, dict[str, Array], tuple[str, ...]]:
    def code(xp: Any, x: Any) -> Any:
        top = 3.0  # known of the values, as m = max(x) is not to be differentiated
        return top + xp.log(xp.sum(xp.exp(x - top)))

    def hand(x: Array) -> Any:
        e = np.exp(x - 3.0)
        return e / e.sum()

    return code, hand, {"x": np.linspace(-3, 3, n)}, ("x",)


def _rosenbrock(n: int) -> tuple[Any, Any, dict[str, Array], tuple[str, ...]]:
    def code(xp: Any, x: Any) -> Any:
        return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def hand(x: Array) -> Any:
        left = x[:-1]
        rise = x[1:] - left**2
        g = np.zeros_like(x)
        g[:-1] = -400 * left * rise - 2 * (1 - left)
        g[1:] += 200 * rise
        return g

    return code, hand, {"x": np.where(np.arange(n) % 2 == 0, -1.2, 1.0)}, ("x",)


# --- learning ---


def _mlp(batch: int) -> tuple[Any, Any, dict[str, Array], tuple[str, ...]]:
    """Softmax cross-entropy of a perceptron 784-128-10 (smaller for fewer samples), hidden units tanh."""
    rng = np.random.default_rng(10)
    d, h, k = (784, 128, 10) if batch >= 64 else (6, 4, 3)
    labels = np.eye(k)[rng.integers(0, k, batch)]
    samples = rng.standard_normal((batch, d))
    values = {"W": rng.standard_normal((d, h)) / d**0.5, "b": np.zeros(h), "V": rng.standard_normal((h, k)) / h**0.5, "c": np.zeros(k)}

    def code(xp: Any, W: Any, b: Any, V: Any, c: Any) -> Any:
        scores = xp.tanh(xp.matmul(samples, W) + b) @ V + c
        return (xp.sum(xp.log(xp.sum(xp.exp(scores), axis=1))) - xp.sum(scores * labels)) / batch

    def hand(W: Array, b: Array, V: Array, c: Array) -> tuple[Array, ...]:
        hidden = np.tanh(samples @ W + b)
        e = np.exp(hidden @ V + c)
        delta = (e / e.sum(axis=1, keepdims=True) - labels) / batch
        back = (delta @ V.T) * (1 - hidden * hidden)
        return samples.T @ back, back.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)

    return code, hand, values, tuple(values)


def _logistic_regression(samples: int) -> tuple[Any, Any, dict[str, Array], tuple[str, ...]]:
    rng = np.random.default_rng(11)
    features = 100 if samples >= 10_000 else 4
    X = rng.standard_normal((samples, features))
    sign = np.where(rng.random(samples) < 0.5, -1.0, 1.0)

    def code(xp: Any, theta: Any) -> Any:
        return xp.sum(xp.log1p(xp.exp(-sign * xp.matmul(X, theta)))) / samples

    def hand(theta: Array) -> Any:
        return -X.T @ (sign / (1 + np.exp(sign * (X @ theta)))) / samples

    return code, hand, {"theta": 0.1 * rng.standard_normal(features)}, ("theta",)


# --- the list ---


def _bars(best: float | None, stretch: float | None, jax: float | None, against: str = "best") -> tuple[Bar, ...]:
    bars = [Bar("diffcompare llvm", "function alone, llvm", 3.0, note="reverse mode")] if best else []
    if best:
        bars.append(Bar("diffcompare llvm", against, best, stretch))
    if jax:
        bars.append(Bar("diffcompare llvm", "jax", jax, 0.7))
    return (*bars, Bar("diffcompare jax", "jax", 1.05, 1.0), Bar("diffcompare numpy", "numpy by hand", 1.3, 1.1))


def _all() -> list[Workload]:
    return [
        _workload("helmholtz(1000)", "gradient of the Helmholtz energy of 1000 components", _helmholtz, 1000, 6, _bars(0.5, 0.4, None)),
        _workload("log_sum_exp(10^6)", "gradient of log-sum-exp of 10^6 entries", _log_sum_exp, 1_000_000, 50, _bars(0.5, 0.33, None)),
        _workload(
            "rosenbrock(10^5)", "gradient of the Rosenbrock function of 10^5 variables", _rosenbrock, 100_000, 20, _bars(0.6, 0.45, None)
        ),
        _workload("mlp 784-128-10", "gradient of a perceptron, batch of 64", _mlp, 64, 5, _bars(None, None, 0.85)),
        _workload(
            "logistic regression 10^4 x 100",
            "gradient of the log loss of 10^4 samples with 100 features",
            _logistic_regression,
            10_000,
            12,
            _bars(None, None, 0.85),
        ),
    ]


ARRAYS = (Group("arrays", "Arrays, all cores", _all, processes=3, cores=None),)

"""Losses of regressions: derivatives with respect to the parameters theta; the samples X, y are inputs that stay fixed."""

from __future__ import annotations

import numpy as np

from ..dsl import function, symbol
from ..dsl.contraction import einsum
from ..dsl.elementary import sigmoid, sigmoid_slope, softplus
from ..dsl.structural import sum as sum_of
from ..problem import Array, Point, Problem, Size, family

SEED = 20180153

SAMPLES = Size(20, 1, 100_000, "rows of X")
FEATURES = Size(3, 1, 100, "columns of X, the first of them ones")


def _design(samples: int, features: int) -> tuple[Array, Array, np.random.Generator]:
    """X with a first column of ones, parameters theta to generate y from, and the generator to go on with."""
    rng = np.random.default_rng(SEED)
    rows = rng.standard_normal((samples, features))
    rows[:, 0] = 1.0
    rows.setflags(write=False)
    return rows, rng.uniform(-2, 2, features), rng


@family(tags=("core", "learning", "regression"), samples=SAMPLES, features=FEATURES)
def linear_regression(samples: int, features: int) -> Problem:
    """The mean squared error 1/m Σ (Xθ - y)_i² of m samples."""
    x, y, theta = symbol("X", shape=(samples, features)), symbol("y", shape=(samples,)), symbol("theta", shape=(features,))
    residual = x @ theta - y
    inputs, truth, rng = _design(samples, features)
    targets = inputs @ truth + 0.1 * rng.standard_normal(samples)
    fitted = np.round(np.linalg.lstsq(inputs, targets, rcond=None)[0], 6)

    def at(label: str, values: Array) -> Point:
        return Point(label, X=inputs, y=targets, theta=values)

    return Problem(
        function=function(
            [x, y, theta],
            sum_of(residual**2) / samples,
            name="linear_regression",
            gradient={"theta": 2 / samples * (x.T @ residual)},
            hessian={("theta", "theta"): 2 / samples * (x.T @ x)},
        ),
        points=(
            at("start", np.zeros(features)),
            at("truth", truth),
            at("fitted", fitted),  # the sums of the gradient cancel to about 1e-6 of their terms
            at("far", np.full(features, -1e4)),
        ),
        source="Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, 2nd ed. (2009), section 3.2, eqs. (3.3)-(3.5), "
        "with 1/m in front of the sum of squares",
        wrt=("theta",),
    )


@family(tags=("core", "learning", "regression"), samples=SAMPLES, features=FEATURES)
def logistic_regression(samples: int, features: int) -> Problem:
    """The mean log loss of m samples with labels y of 0 or 1: 1/m Σ softplus(z) - y z for the logits z = Xθ.

    For labels of 0 and 1 that is the mean of softplus((1 - 2y) z), which does not cancel for large logits; nor does
    its slope (1 - 2y) sigmoid((1 - 2y) z), the textbook's sigmoid(z) - y.
    """
    x, y, theta = symbol("X", shape=(samples, features)), symbol("y", shape=(samples,)), symbol("theta", shape=(features,))
    sign = 1 - 2 * y
    margin = sign * (x @ theta)
    inputs, truth, rng = _design(samples, features)
    labels = (rng.uniform(size=samples) < 1 / (1 + np.exp(-(inputs @ truth)))).astype(float)

    def at(label: str, values: Array) -> Point:
        return Point(label, X=inputs, y=labels, theta=values)

    return Problem(
        function=function(
            [x, y, theta],
            sum_of(softplus(margin)) / samples,
            name="logistic_regression",
            gradient={"theta": x.T @ (sign * sigmoid(margin)) / samples},
            # the textbook's p (1 - p) as sigmoid_slope, which is even: 1 - p is 0 for large logits
            hessian={("theta", "theta"): einsum("ij,i,ik->jk", x, sigmoid_slope(margin), x) / samples},
        ),
        points=(
            at("start", np.zeros(features)),
            at("truth", truth),
            at("confident", 20 * truth),  # large logits: slopes from 1e-40 to 1
            at("wrong", -20 * truth),
        ),
        source="Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, 2nd ed. (2009), section 4.4.1, eqs. (4.20)-(4.22), "
        "with the sign changed and 1/m in front of the sum",
        wrt=("theta",),
    )

"""Softmax regression and perceptrons with two layers, their gradients as backpropagation by hand, in matrices.

X has a row for each sample, Y rows of 0 and 1 with a 1 for the sample's class, and the loss is the mean cross-entropy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..dsl import Function, function, symbol
from ..dsl.activations import gelu, gelu_slope, leaky_relu, silu, silu_slope
from ..dsl.arithmetic import lt, ne, real, where
from ..dsl.composite import softmax
from ..dsl.constants import constant
from ..dsl.contraction import einsum, embed_diagonal
from ..dsl.core import Expr
from ..dsl.elementary import relu, sech2, sigmoid, sigmoid_slope, softplus, tanh
from ..dsl.losses import cross_entropy
from ..dsl.structural import broadcast
from ..dsl.structural import sum as sum_of
from ..problem import Array, Family, Size, family
from .model import SEED, Model, Samples, design, model, right_classes, unseen

SAMPLES = Size(6, 1, 100_000, "rows of X")
FEATURES = Size(2, 1, 1000, "columns of X")
CLASSES = Size(3, 2, 100, "columns of Y")
HIDDEN = Size(3, 1, 1000, "units of the hidden layer")

SLOPE = 0.1
"""Of leaky relu below 0."""
ACTIVATIONS: dict[str, tuple[Callable[[Expr], Expr], Callable[[Expr], Expr]]] = {
    "sigmoid": (sigmoid, sigmoid_slope),
    "tanh": (tanh, sech2),
    "relu": (relu, lambda z: real(lt(0.0, z))),
    "leaky_relu": (lambda z: leaky_relu(z, SLOPE), lambda z: where(lt(0.0, z), 1.0, SLOPE)),
    "gelu": (gelu, gelu_slope),
    "silu": (silu, silu_slope),
    "softplus": (softplus, sigmoid),
}
"""Each with its slope."""

# --- softmax regression ---


def softmax_loss(samples: int, *, features: int, classes: int) -> Function:
    """1/m Σ cross-entropy of the logits XW, W of shape (features, classes)."""
    x, y = symbol("X", shape=(samples, features)), symbol("y", shape=(samples, classes))
    w = symbol("W", shape=(features, classes))
    logits = x @ w
    p = softmax(logits)
    return function(
        [x, y, w],
        sum_of(cross_entropy(logits, y)) / samples,
        name="softmax_regression",
        gradient={"W": x.T @ (p - y) / samples},
        hessian={("W", "W"): einsum("nf,ncd,ng->fcgd", x, _covariance(p), x) / samples},
    )


def _covariance(p: Expr) -> Expr:
    """diag(p) - p pᵀ of each row, with p (1 - p) as p times the sum of the others, which does not cancel."""
    classes = p.shape[-1]
    numbers = np.arange(classes)
    apart = ne(broadcast(constant(numbers[:, None]), (classes, classes)), broadcast(constant(numbers[None, :]), (classes, classes)))
    pairs = where(apart, einsum("nc,nd->ncd", p, p), 0.0)
    return embed_diagonal.apply([sum_of(pairs, axis=-1)], (-2, -1)) - pairs


def softmax_scores(samples: int, *, features: int, classes: int) -> Function:
    """XW."""
    x, w = symbol("X", shape=(samples, features)), symbol("W", shape=(features, classes))
    return function([x, w], x @ w, name="softmax_scores")


SOFTMAX_SOURCE = (
    "Bishop: Pattern Recognition and Machine Learning (2006), section 4.3.4, eqs. (4.104), (4.108)-(4.110), with 1/m in front of the sum"
)


def softmax_model(training: Samples, held_back: Samples, source: str = SOFTMAX_SOURCE, **named: Any) -> Model:
    """Softmax regression on these samples."""
    features, classes = training.X.shape[1], training.y.shape[1]
    sizes = {"features": features, "classes": classes}
    weights = np.random.default_rng(SEED).standard_normal((features, classes))
    return model(
        partial(softmax_loss, **sizes),
        partial(softmax_scores, **sizes),
        training,
        held_back,
        right_classes,
        {"start": {"W": np.zeros((features, classes))}, "random": {"W": weights}, "confident": {"W": 20 * weights}},
        source,
        **named,
    )


def _clouds(samples: int, features: int, classes: int, ones: bool) -> tuple[Samples, Samples]:
    """(training, held back): samples by turns around one centre for each class, a first column of ones if asked."""
    rows, _, rng = design(samples, features)
    others, _ = unseen(samples, features)
    centres = 1.5 * rng.standard_normal((classes, features))

    def around(noise: Array) -> Samples:
        labels = np.arange(len(noise)) % classes
        moved = noise + centres[labels]
        if ones or features == 1:
            moved[:, 0] = 1.0
        else:
            moved[:, 0] = moved[:, 1] ** 2 - 1.0  # no straight line parts the classes
        return Samples(moved, np.eye(classes)[labels])

    return around(rows), around(others)


@family(tags=("learning", "network"), samples=SAMPLES, features=FEATURES, classes=CLASSES)
def softmax_regression(samples: int, features: int, classes: int) -> Model:
    """The mean cross-entropy of m samples in several classes, for logits XW."""
    return softmax_model(*_clouds(samples, features, classes, ones=True))


# --- two layers ---


def mlp_loss(samples: int, *, features: int, hidden: int, classes: int, activation: str) -> Function:
    """1/m Σ cross-entropy of the logits σ(X W1 + b1) W2 + b2, its gradient backwards layer by layer."""
    x, y = symbol("X", shape=(samples, features)), symbol("y", shape=(samples, classes))
    parameters = _parameters(features, hidden, classes)
    w1, b1, w2, b2 = parameters
    apply, slope = ACTIVATIONS[activation]
    z1 = x @ w1 + b1
    a1 = apply(z1)
    z2 = a1 @ w2 + b2
    d2 = (softmax(z2) - y) / samples
    d1 = (d2 @ w2.T) * slope(z1)
    return function(
        [x, y, *parameters],
        sum_of(cross_entropy(z2, y)) / samples,
        name=f"mlp_{activation}",
        gradient={"W1": x.T @ d1, "b1": sum_of(d1, axis=0), "W2": a1.T @ d2, "b2": sum_of(d2, axis=0)},
    )


def _parameters(features: int, hidden: int, classes: int) -> tuple[Expr, Expr, Expr, Expr]:
    return (
        symbol("W1", shape=(features, hidden)),
        symbol("b1", shape=(hidden,)),
        symbol("W2", shape=(hidden, classes)),
        symbol("b2", shape=(classes,)),
    )


def mlp_scores(samples: int, *, features: int, hidden: int, classes: int, activation: str) -> Function:
    """σ(X W1 + b1) W2 + b2."""
    x, parameters = symbol("X", shape=(samples, features)), _parameters(features, hidden, classes)
    w1, b1, w2, b2 = parameters
    return function([x, *parameters], ACTIVATIONS[activation][0](x @ w1 + b1) @ w2 + b2, name="mlp_scores")


def _glorot(features: int, hidden: int, classes: int, scale: float) -> dict[str, Array]:
    """Weights of variance 2 / (ways in + ways out), times scale (Glorot, Bengio, AISTATS 2010), and small biases."""
    rng = np.random.default_rng(SEED)

    def weights(n: int, m: int) -> Array:
        return math.sqrt(2 / (n + m)) * scale * rng.standard_normal((n, m))

    return {
        "W1": weights(features, hidden),
        "b1": 0.1 * rng.standard_normal(hidden),
        "W2": weights(hidden, classes),
        "b2": 0.1 * rng.standard_normal(classes),
    }


MLP_SOURCE = (
    "Rumelhart, Hinton, Williams: Learning representations by back-propagating errors, Nature 323 (1986), in the matrix form of "
    "Goodfellow, Bengio, Courville: Deep Learning (2016), algorithms 6.3 and 6.4"
)


def mlp_model(training: Samples, held_back: Samples, hidden: int, activation: str, source: str = MLP_SOURCE, **named: Any) -> Model:
    """A perceptron with two layers on these samples."""
    sizes = {"features": training.X.shape[1], "hidden": hidden, "classes": training.y.shape[1]}
    return model(
        partial(mlp_loss, **sizes, activation=activation),
        partial(mlp_scores, **sizes, activation=activation),
        training,
        held_back,
        right_classes,
        {"start": _glorot(**sizes, scale=1.0), "small": _glorot(**sizes, scale=0.01), "saturated": _glorot(**sizes, scale=4.0)},
        source,
        operators=("gradient",),
        **named,
    )


def _mlp(activation: str) -> Family:
    def build(samples: int, features: int, hidden: int, classes: int) -> Model:
        return mlp_model(*_clouds(samples, features, classes, ones=False), hidden, activation)

    build.__doc__ = f"The mean cross-entropy of a perceptron with two layers and {activation.replace('_', ' ')} between them."
    sizes = {"samples": SAMPLES, "features": FEATURES, "hidden": HIDDEN, "classes": CLASSES}
    return Family(f"mlp_{activation}", build, sizes, ("learning", "network"))


mlp_sigmoid = _mlp("sigmoid")
mlp_tanh = _mlp("tanh")
mlp_relu = _mlp("relu")
mlp_leaky_relu = _mlp("leaky_relu")
mlp_gelu = _mlp("gelu")
mlp_silu = _mlp("silu")
mlp_softplus = _mlp("softplus")

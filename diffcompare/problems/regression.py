"""Linear models: derivatives of their losses with respect to the parameters theta; the samples X, y are inputs that stay fixed.

The loss is a mean over samples of a function of the residual Xθ - y, of the logit Xθ for labels 0 and 1, or of the margin
y Xθ for labels -1 and 1. Its gradient is Xᵀ times that function's slopes, its Hessian Xᵀ diag(second slopes) X.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..dsl import Function, function, symbol
from ..dsl.arithmetic import abs_, lt, real, sign
from ..dsl.constants import constant
from ..dsl.contraction import einsum
from ..dsl.core import Expr
from ..dsl.elementary import exp, sigmoid, sigmoid_slope, softplus
from ..dsl.losses import exponential_loss, hinge, huber, zero_one_loss
from ..dsl.rounding import clip
from ..dsl.structural import broadcast
from ..dsl.structural import sum as sum_of
from ..problem import Array, Family, Size, family
from .model import Model, Samples, design, model, right_signs, root_mean_square, unseen

ESL = "Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, 2nd ed. (2009)"
SAMPLES = Size(20, 1, 100_000, "rows of X")
FEATURES = Size(3, 1, 100, "columns of X, the first of them ones")
WIDTH = 1.0
"""Of Huber's loss, where it goes over from a square to a straight line."""


def _symbols(samples: int, features: int) -> tuple[Expr, Expr, Expr]:
    return symbol("X", shape=(samples, features)), symbol("y", shape=(samples,)), symbol("theta", shape=(features,))


def linear_scores(samples: int, *, features: int) -> Function:
    """Xθ."""
    x, _, theta = _symbols(samples, features)
    return function([x, theta], x @ theta, name="linear_scores")


# --- the mean squared error and the log loss, whose textbooks give all derivatives ---


def squared_loss(samples: int, *, features: int) -> Function:
    """1/m Σ (Xθ - y)_i²; its normal equations Xᵀ(Xθ - y) = 0 are the zero of the gradient."""
    x, y, theta = _symbols(samples, features)
    residual = x @ theta - y
    return function(
        [x, y, theta],
        sum_of(residual**2) / samples,
        name="linear_regression",
        gradient={"theta": 2 / samples * (x.T @ residual)},
        hessian={("theta", "theta"): 2 / samples * (x.T @ x)},
    )


def log_loss(samples: int, *, features: int) -> Function:
    """1/m Σ softplus(z) - y z for the logits z = Xθ and labels y of 0 and 1.

    For such labels that is the mean of softplus((1 - 2y) z), which does not cancel for large logits; nor does its slope
    (1 - 2y) sigmoid((1 - 2y) z), the textbook's sigmoid(z) - y.
    """
    x, y, theta = _symbols(samples, features)
    side = 1 - 2 * y
    margin = side * (x @ theta)
    return function(
        [x, y, theta],
        sum_of(softplus(margin)) / samples,
        name="logistic_regression",
        gradient={"theta": x.T @ (side * sigmoid(margin)) / samples},
        # the textbook's p (1 - p) as sigmoid_slope, which is even: 1 - p is 0 for large logits
        hessian={("theta", "theta"): einsum("ij,i,ik->jk", x, sigmoid_slope(margin), x) / samples},
    )


def _noisy(samples: int, features: int) -> tuple[Samples, Samples, Array]:
    """(training, held back, theta) with y = Xθ + noise of 0.1."""
    inputs, truth, rng = design(samples, features)
    targets = inputs @ truth + 0.1 * rng.standard_normal(samples)
    others, rng = unseen(samples, features)
    return Samples(inputs, targets), Samples(others, others @ truth + 0.1 * rng.standard_normal(len(others))), truth


def _labelled(samples: int, features: int) -> tuple[Samples, Samples, Array]:
    """(training, held back, theta) with labels 1 of probability sigmoid(Xθ), else 0."""
    inputs, truth, rng = design(samples, features)
    labels = rng.uniform(size=samples) < 1 / (1 + np.exp(-(inputs @ truth)))
    others, rng = unseen(samples, features)
    return Samples(inputs, labels), Samples(others, rng.uniform(size=len(others)) < 1 / (1 + np.exp(-(others @ truth)))), truth


LINEAR_SOURCE = f"{ESL}, section 3.2, eqs. (3.3)-(3.5), with 1/m in front of the sum of squares"
LOGISTIC_SOURCE = f"{ESL}, section 4.4.1, eqs. (4.20)-(4.22), with the sign changed and 1/m in front of the sum"


@family(tags=("core", "learning", "regression"), samples=SAMPLES, features=FEATURES)
def linear_regression(samples: int, features: int) -> Model:
    """The mean squared error 1/m Σ (Xθ - y)_i² of m samples."""
    training, held_back, truth = _noisy(samples, features)
    fitted = np.round(np.linalg.lstsq(training.X, training.y, rcond=None)[0], 6)
    return model(
        partial(squared_loss, features=features),
        partial(linear_scores, features=features),
        training,
        held_back,
        root_mean_square,
        {
            "start": {"theta": np.zeros(features)},
            "truth": {"theta": truth},
            "fitted": {"theta": fitted},  # the sums of the gradient cancel to about 1e-6 of their terms
            "far": {"theta": np.full(features, -1e4)},
        },
        LINEAR_SOURCE,
    )


@family(tags=("core", "learning", "regression"), samples=SAMPLES, features=FEATURES)
def logistic_regression(samples: int, features: int) -> Model:
    """The mean log loss of m samples with labels y of 0 or 1: 1/m Σ softplus(z) - y z for the logits z = Xθ."""
    training, held_back, truth = _labelled(samples, features)
    return model(
        partial(log_loss, features=features),
        partial(linear_scores, features=features),
        training,
        held_back,
        right_signs,
        {
            "start": {"theta": np.zeros(features)},
            "truth": {"theta": truth},
            "confident": {"theta": 20 * truth},  # large logits: slopes from 1e-40 to 1
            "wrong": {"theta": -20 * truth},
        },
        LOGISTIC_SOURCE,
    )


# --- other losses, each with its slope and the slope of that ---

Row = tuple[Callable[[Expr], Expr], Callable[[Expr], Expr], Callable[[Expr], Expr]]


def _nowhere(z: Expr) -> Expr:
    return broadcast(constant(0.0), z.shape)


RESIDUAL: dict[str, Row] = {
    "absolute": (abs_, sign, _nowhere),
    "huber": (lambda r: huber(r, WIDTH), lambda r: clip(r, -WIDTH, WIDTH), lambda r: real(lt(abs_(r), WIDTH))),
}
MARGIN: dict[str, Row] = {
    "hinge": (hinge, lambda z: -real(lt(z, 1.0)), _nowhere),
    "exponential": (exponential_loss, lambda z: -exp(-z), lambda z: exp(-z)),
    "zero_one": (zero_one_loss, _nowhere, _nowhere),
}


def other_loss(samples: int, *, features: int, name: str) -> Function:
    """1/m Σ of a loss of RESIDUAL or MARGIN by its name."""
    x, y, theta = _symbols(samples, features)
    if name in RESIDUAL:
        row, at, turn = RESIDUAL[name], x @ theta - y, None
    else:
        row, at, turn = MARGIN[name], y * (x @ theta), y
    value, slope, bend = row
    slopes = slope(at) if turn is None else turn * slope(at)
    bends = bend(at) if turn is None else turn * turn * bend(at)
    return function(
        [x, y, theta],
        sum_of(value(at)) / samples,
        name=f"linear_{name}",
        gradient={"theta": x.T @ slopes / samples},
        hessian={("theta", "theta"): einsum("ij,i,ik->jk", x, bends, x) / samples},
    )


def _other(samples: int, features: int, *, name: str, source: str) -> Model:
    if name in RESIDUAL:
        training, held_back, truth = _noisy(samples, features)
    else:
        training, held_back, truth = _labelled(samples, features)
        training, held_back = (Samples(s.X, 2 * s.y - 1) for s in (training, held_back))
    return model(
        partial(other_loss, features=features, name=name),
        partial(linear_scores, features=features),
        training,
        held_back,
        root_mean_square if name in RESIDUAL else right_signs,
        # from 0 every margin would be 0, the jump of the 0-1 loss
        {"start": {"theta": np.linspace(0.1, -0.2, features)}, "truth": {"theta": truth}, "wrong": {"theta": -truth}},
        source,
    )


def _family(name: str, source: str) -> Family:
    def build(samples: int, features: int) -> Model:
        return _other(samples, features, name=name, source=source)

    build.__doc__ = f"The mean {name.replace('_', '-')} loss of a linear model over m samples."
    return Family(f"linear_{name}", build, {"samples": SAMPLES, "features": FEATURES}, ("learning", "regression"))


linear_absolute = _family("absolute", f"{ESL}, section 10.6 and table 10.2: absolute loss, its gradient sign(y - f)")
linear_huber = _family("huber", f"{ESL}, section 10.6, eq. (10.23): Huber loss of width 1, half of the book's")
linear_hinge = _family("hinge", f"{ESL}, section 12.3.2, eq. (12.25) without the penalty: the loss of support vector machines")
linear_exponential = _family("exponential", f"{ESL}, section 10.4, eq. (10.8): exponential loss, as in AdaBoost")
linear_zero_one = _family("zero_one", f"{ESL}, section 10.6, figure 10.4: misclassification loss, a step with no useful derivative")

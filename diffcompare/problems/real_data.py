"""Models on real data: diabetes, breast cancer, iris and digits. Small by default, so that the reference can judge them."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..problem import Size, family
from .datasets import DATA_SETS, blocks, load, with_ones
from .model import Model, model, right_signs, root_mean_square
from .networks import MLP_SOURCE, SOFTMAX_SOURCE, mlp_model, softmax_model
from .regression import LINEAR_SOURCE, LOGISTIC_SOURCE, linear_scores, log_loss, squared_loss

TAGS = ("learning", "data")


def _samples(name: str, default: int) -> Size:
    return Size(default, 1, DATA_SETS[name].training, "samples to train with; a quarter of all is held back")


def _features(name: str, default: int) -> Size:
    return Size(default, 1, DATA_SETS[name].features, "features beside the constant 1")


HIDDEN = Size(3, 1, 1000, "units of the hidden layer")
SHRINK = Size(1, 1, 3, "images of 2**shrink x 2**shrink pixels, averaged from 8 x 8")


@family(tags=TAGS, samples=_samples("diabetes", 20), features=_features("diabetes", 3))
def diabetes_regression(samples: int, features: int) -> Model:
    """Linear regression of the progress of diabetes on age, sex, body mass and more, all standardised."""
    training, held_back = (with_ones(s, features) for s in load("diabetes"))
    return model(
        partial(squared_loss, features=features + 1),
        partial(linear_scores, features=features + 1),
        training.rows(slice(samples)),
        held_back,
        root_mean_square,
        {
            "start": {"theta": np.zeros(features + 1)},
            "tenths": {"theta": np.full(features + 1, 0.1)},
            "far": {"theta": np.full(features + 1, -1e4)},
        },
        f"{LINEAR_SOURCE}; data: {DATA_SETS['diabetes'].source}",
    )


@family(tags=TAGS, samples=_samples("breast_cancer", 20), features=_features("breast_cancer", 3))
def breast_cancer_logistic(samples: int, features: int) -> Model:
    """Logistic regression of benign against malignant tumours on measurements of cell nuclei."""
    training, held_back = (with_ones(s, features) for s in load("breast_cancer"))
    return model(
        partial(log_loss, features=features + 1),
        partial(linear_scores, features=features + 1),
        training.rows(slice(samples)),
        held_back,
        right_signs,
        {
            "start": {"theta": np.zeros(features + 1)},
            "all malignant": {"theta": np.full(features + 1, -1.0)},
            "wrong": {"theta": np.full(features + 1, 20.0)},
        },
        f"{LOGISTIC_SOURCE}; data: {DATA_SETS['breast_cancer'].source}",
    )


@family(tags=TAGS, samples=_samples("iris", 6), features=_features("iris", 2))
def iris_softmax(samples: int, features: int) -> Model:
    """Softmax regression of three kinds of iris on the sizes of sepal and petal."""
    training, held_back = (with_ones(s, features) for s in load("iris"))
    return softmax_model(training.rows(slice(samples)), held_back, f"{SOFTMAX_SOURCE}; data: {DATA_SETS['iris'].source}")


@family(tags=TAGS, samples=_samples("iris", 6), hidden=HIDDEN)
def iris_mlp(samples: int, hidden: int) -> Model:
    """A perceptron with two layers and tanh between them on the four features of iris."""
    training, held_back = load("iris")
    source = f"{MLP_SOURCE}; data: {DATA_SETS['iris'].source}"
    return mlp_model(training.rows(slice(samples)), held_back, hidden, "tanh", source)


@family(tags=TAGS, samples=_samples("digits", 4), shrink=SHRINK)
def digits_softmax(samples: int, shrink: int) -> Model:
    """Softmax regression of ten handwritten digits on their pixels, with a constant."""
    training, held_back = (with_ones(blocks(s, 2**shrink), 4**shrink) for s in load("digits"))
    source = f"{SOFTMAX_SOURCE}; data: {DATA_SETS['digits'].source}"
    return softmax_model(training.rows(slice(samples)), held_back, source, operators=("gradient",))


@family(tags=TAGS, samples=_samples("digits", 3), shrink=SHRINK, hidden=HIDDEN)
def digits_mlp(samples: int, shrink: int, hidden: int) -> Model:
    """A perceptron with two layers and relu between them on the pixels of ten handwritten digits."""
    training, held_back = (blocks(s, 2**shrink) for s in load("digits"))
    source = f"{MLP_SOURCE}; data: {DATA_SETS['digits'].source}"
    return mlp_model(training.rows(slice(samples)), held_back, hidden, "relu", source)

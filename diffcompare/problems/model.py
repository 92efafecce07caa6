"""Model: a problem that can be trained, the loss of a model's parameters on samples; and the seeded samples of synthetic ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dsl import Function
from ..errors import DiffCompareError
from ..problem import Array, Point, Problem

SEED = 20180153


@dataclass(frozen=True)
class Samples:
    """X: a row of features for each sample, the first of them 1 where the model has no other constant; y: the targets.

    y has shape (samples,), or (samples, classes) with rows of 0 and 1. Both are read-only.
    """

    X: Array
    y: Array

    def __post_init__(self) -> None:
        for name in ("X", "y"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, chosen: Any) -> Samples:
        """Those of these row numbers, or of a slice."""
        return Samples(self.X[chosen], self.y[chosen])


def root_mean_square(scores: Array, y: Array) -> float:
    return float(np.sqrt(np.mean((scores - y) ** 2)))


def right_signs(scores: Array, y: Array) -> float:
    """The share of labels -1 and 1, or 0 and 1, that a score's sign tells."""
    return float(np.mean((scores > 0) == (y > 0)))


def right_classes(scores: Array, y: Array) -> float:
    """The share of samples whose largest score is that of their class."""
    return float(np.mean(np.argmax(scores, axis=-1) == np.argmax(y, axis=-1)))


JUDGES: dict[Callable[[Array, Array], float], str] = {
    root_mean_square: "rms error",
    right_signs: "accuracy",
    right_classes: "accuracy",
}


@dataclass(frozen=True, eq=False, repr=False)
class Model(Problem):
    """A Problem whose function is the mean loss over samples X, y, written for any number of them.

    loss(m), scores(m): for m samples the loss of (X, y, *parameters) with its hand formulas, and the model's output of
    (X, *parameters), of shape (m,) or (m, classes). training, held_back: the samples. judge(scores, y): how good
    scores are, one of JUDGES. loss and scores are module-level functions or partials of them, so that a Model pickles.
    """

    loss: Callable[[int], Function] | None = None
    scores: Callable[[int], Function] | None = None
    training: Samples | None = None
    held_back: Samples | None = None
    judge: Callable[[Array, Array], float] = root_mean_square

    @property
    def measured_as(self) -> str:
        """What judge gives, in words."""
        return JUDGES[self.judge]


def model(
    loss: Callable[[int], Function],
    scores: Callable[[int], Function],
    training: Samples,
    held_back: Samples,
    judge: Callable[[Array, Array], float],
    parameters: Mapping[str, Mapping[str, Any]],
    source: str,
    **named: Any,
) -> Model:
    """The Model with a point for each label of `parameters`, on all training samples. Other arguments are Problem's."""
    if not parameters:
        raise DiffCompareError("a model has parameters to start from")
    points = tuple(Point(label, {"X": training.X, "y": training.y, **values}) for label, values in parameters.items())
    return Model(
        function=loss(len(training)),
        points=points,
        source=source,
        wrt=tuple(next(iter(parameters.values()))),
        loss=loss,
        scores=scores,
        training=training,
        held_back=held_back,
        judge=judge,
        **named,
    )


# --- synthetic samples ---


def design(samples: int, features: int, seed: int = SEED) -> tuple[Array, Array, np.random.Generator]:
    """X with a first column of ones, parameters theta to generate y from, and the generator to go on with."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((samples, features))
    rows[:, 0] = 1.0
    rows.setflags(write=False)
    return rows, rng.uniform(-2, 2, features), rng


def unseen(samples: int, features: int) -> tuple[Array, np.random.Generator]:
    """A third as many rows, 10 at least, that no model is fitted to, and the generator to go on with."""
    rows, _, rng = design(max(samples // 3, 10), features, SEED + 1)
    return rows, rng

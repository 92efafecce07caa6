"""The data sets that ship inside scikit-learn, standardised and split by a fixed permutation. The only door to sklearn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..errors import Unsupported
from ..problem import Array
from .model import SEED, Samples

HELD_BACK = 4
"""One sample in so many is held back."""


@dataclass(frozen=True)
class DataSet:
    """loader: of sklearn.datasets. samples, features, classes: known without loading; classes 0 for numbers, 2 for labels 0 and 1."""

    loader: str
    samples: int
    features: int
    classes: int
    source: str

    @property
    def training(self) -> int:
        """How many samples are there to train with."""
        return self.samples - self.samples // HELD_BACK


DATA_SETS = {
    "diabetes": DataSet(
        "load_diabetes", 442, 10, 0, "Efron, Hastie, Johnstone, Tibshirani: Least Angle Regression, Annals of Statistics 32 (2004)"
    ),
    "breast_cancer": DataSet(
        "load_breast_cancer", 569, 30, 2, "Street, Wolberg, Mangasarian: Nuclear feature extraction, SPIE 1905 (1993)"
    ),
    "iris": DataSet("load_iris", 150, 4, 3, "Fisher: The use of multiple measurements in taxonomic problems, Annals of Eugenics 7 (1936)"),
    "digits": DataSet(
        "load_digits", 1797, 64, 10, "Alpaydin, Kaynak: Optical recognition of handwritten digits, UCI Machine Learning Repository (1998)"
    ),
}


@cache
def load(name: str) -> tuple[Samples, Samples]:
    """(training, held back) samples of a data set of DATA_SETS, X without a column of ones.

    Columns have mean 0 and variance 1 over all samples, constant ones are 0; so have targets that are numbers. Raises
    Unsupported naming the extra where scikit-learn is not installed.
    """
    row = DATA_SETS[name]
    inputs, targets = _loader(name)(return_X_y=True)
    inputs = _standardised(np.asarray(inputs, dtype=np.float64))
    if row.classes == 0:
        targets = _standardised(np.asarray(targets, dtype=np.float64))
    elif row.classes > 2:
        targets = np.eye(row.classes)[targets]
    order = np.random.default_rng(SEED).permutation(row.samples)
    shuffled = Samples(inputs[order], targets[order])
    return shuffled.rows(slice(row.training)), shuffled.rows(slice(row.training, None))


def _loader(name: str) -> Callable[..., tuple[Array, Array]]:
    try:
        from sklearn import datasets
    except ImportError:
        raise Unsupported(f'the data set {name} ships inside scikit-learn: pip install "diffcompare[train]"') from None
    loader: Callable[..., tuple[Array, Array]] = getattr(datasets, DATA_SETS[name].loader)
    return loader


def _standardised(columns: Array) -> Array:
    spread = columns.std(axis=0)
    result: Array = (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return result


def with_ones(samples: Samples, features: int) -> Samples:
    """The first so many features, behind a column of ones."""
    return Samples(np.column_stack([np.ones(len(samples)), samples.X[:, :features]]), samples.y)


def blocks(samples: Samples, side: int) -> Samples:
    """Images of 8 x 8 pixels averaged to side x side; a side divides 8."""
    n = 8 // side
    images = samples.X.reshape(-1, side, n, side, n).mean(axis=(2, 4))
    return Samples(images.reshape(len(samples), -1), samples.y)

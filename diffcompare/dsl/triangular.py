"""Triangular matrices: filled from a vector, or what lies on one side of a diagonal of a matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ShapeError
from .arithmetic import where
from .constants import Literal, as_expr
from .core import Expr, function_of_the_dsl
from .structural import Array, reshape, scatter


@function_of_the_dsl
def tril_fill(x: Any, n: int | None = None, k: int = 0) -> Expr:
    """The n x n matrix with the entries of x, row by row, on and below diagonal k, and zeros elsewhere: L[np.tril_indices(n, k)] = x.

    x has shape (..., number of entries); n may be left out for k = 0. As in a covariance L @ L.T of Cholesky factors.
    """
    return _filled("tril_fill", as_expr(x), n, k, np.tril)


@function_of_the_dsl
def triu_fill(x: Any, n: int | None = None, k: int = 0) -> Expr:
    """The n x n matrix with the entries of x, row by row, on and above diagonal k, and zeros elsewhere: U[np.triu_indices(n, k)] = x."""
    return _filled("triu_fill", as_expr(x), n, k, np.triu)


def _filled(name: str, x: Expr, n: int | None, k: int, part: Callable[..., Array]) -> Expr:
    if not x.ndim:
        raise ShapeError(f"{name}: needs a vector of entries, got a number")
    m = x.shape[-1]
    if n is None:
        n = (math.isqrt(8 * m + 1) - 1) // 2
        if k or n * (n + 1) // 2 != m:
            raise ShapeError(f"{name}: {m} entries do not fill a triangle with its diagonal; pass n= and k=")
    places = np.flatnonzero(part(np.ones((n, n)), k))
    if places.size != m:
        raise ShapeError(f"{name}: the triangle of an {n} x {n} matrix at diagonal {k} has {places.size} entries, got {m}")
    return reshape(scatter.apply([x], (-1, Literal(places), n * n)), (*x.shape[:-1], n, n))


@function_of_the_dsl
def tril(x: Any, k: int = 0) -> Expr:
    """The matrix with zeros above diagonal k, as np.tril; what is cut off leaves no NaN behind."""
    matrix = _matrix("tril", x)
    return where(np.tril(np.ones(matrix.shape[-2:], bool), k), matrix, 0.0)


@function_of_the_dsl
def triu(x: Any, k: int = 0) -> Expr:
    """The matrix with zeros below diagonal k, as np.triu; what is cut off leaves no NaN behind."""
    matrix = _matrix("triu", x)
    return where(np.triu(np.ones(matrix.shape[-2:], bool), k), matrix, 0.0)


def _matrix(name: str, x: Any) -> Expr:
    matrix = as_expr(x)
    if matrix.ndim < 2:
        raise ShapeError(f"{name}: needs a matrix, got shape {matrix.shape}")
    return matrix

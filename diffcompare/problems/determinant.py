"""The determinant by minors: a program with exponentially many terms that share almost all of their work."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..dsl import Function, function, symbol
from ..dsl.constants import as_expr
from ..dsl.core import Expr
from ..dsl.structural import reshape, stack
from ..problem import Array, Point, Problem, Size, family

LARGEST = 12
"""Rows of the largest matrix: minors of the first rows are shared, which leaves n 2**(n-1) products of n!."""


def determinant_function(n: int) -> Function:
    """det A, expanded along the first row, the minors likewise; A: shape (n, n)."""
    a = symbol("A", (n, n))
    entries = [[a[i, j] for j in range(n)] for i in range(n)]
    minor = _minors(entries)
    every = tuple(range(n))
    return function([a], minor(every, every), name="determinant", gradient=[_cofactors(minor, n)])


def _minors(entries: list[list[Expr]]) -> Callable[[tuple[int, ...], tuple[int, ...]], Expr]:
    """minor(rows, columns), by expansion along its first row; each is built once."""
    known: dict[tuple[tuple[int, ...], tuple[int, ...]], Expr] = {((), ()): as_expr(1.0)}

    def minor(rows: tuple[int, ...], columns: tuple[int, ...]) -> Expr:
        if (rows, columns) not in known:
            total: Expr | None = None
            for k, column in enumerate(columns):
                term = entries[rows[0]][column] * minor(rows[1:], columns[:k] + columns[k + 1 :])
                total = term if total is None else total - term if k % 2 else total + term
            assert total is not None
            known[rows, columns] = total
        return known[rows, columns]

    return minor


def _cofactors(minor: Callable[[tuple[int, ...], tuple[int, ...]], Expr], n: int) -> Expr:
    """d det A / dA_ij = (-1)**(i+j) times the minor without row i and column j (Jacobi)."""
    every = tuple(range(n))
    without = [every[:i] + every[i + 1 :] for i in range(n)]
    signed = [minor(without[i], without[j]) * (-1.0) ** (i + j) for i in range(n) for j in range(n)]
    return reshape(stack(signed), (n, n))


@family(("gradbench", "program", "polynomial"), n=Size(3, 1, LARGEST, "rows; n 2**(n-1) products, the gradient n times as many"))
def determinant(n: int) -> Problem:
    """The determinant of a matrix, expanded by minors."""
    rng = np.random.default_rng(31337)
    matrix = rng.uniform(size=(n, n))
    scales = 10.0 ** np.linspace(-20, 20, n)

    def at(label: str, values: Array) -> Point:
        return Point(label, A=values)

    return Problem(
        function=determinant_function(n),
        points=(
            at("start", matrix),
            at("one", np.eye(n)),
            at("singular", np.add.outer(np.arange(n), np.arange(n)) + 1.0),  # of rank 2 at most
            at("badly scaled", matrix * scales[:, None]),
        ),
        source="Magnus, Neudecker: Matrix Differential Calculus with Applications in Statistics and Econometrics, 3rd ed. (2019), "
        "section 8.3: d det A = tr(A# dA) with the adjoint matrix A#; expansion by minors as in GradBench's eval det",
        operators=("gradient",),
    )

"""Problems of least squares: residuals with their derivatives by hand, declared once for the residuals and their sum of squares."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..dsl import Function, function
from ..dsl.constants import as_expr
from ..dsl.contraction import einsum, embed_diagonal
from ..dsl.core import Expr
from ..dsl.structural import broadcast, stack
from ..dsl.structural import sum as sum_of
from ..errors import DiffCompareError
from ..problem import Array, Family, Point, Problem, Size

Entry = Problem | Family


@dataclass(frozen=True)
class LeastSquares:
    """m residuals F of n variables x with derivatives worked out by hand.

    x: the input, shape (n,). residuals: F(x), (m,). jacobian: ∂F_i/∂x_j, (m, n). curvature: from weights w, (m,), the sum
    Σ w_i ∇²F_i, (n, n); None where all residuals are linear. points: by label the values of x, the start first. normal: JᵀJ in
    a form that keeps more digits than the product of the matrices, where there is one.
    """

    x: Expr
    residuals: Expr
    jacobian: Expr
    curvature: Callable[[Expr], Expr] | None
    points: Mapping[str, Any] = field(default_factory=dict)
    normal: Expr | None = None

    def residual_function(self, name: str) -> Function:
        """F with its Jacobian."""
        return function([self.x], self.residuals, name=name, jacobian=[self.jacobian])

    def objective(self, name: str) -> Function:
        """f = Σ F_i² with its gradient 2 JᵀF and its Hessian 2 (JᵀJ + Σ F_i ∇²F_i)."""
        hessian = 2 * (einsum("ij,ik->jk", self.jacobian, self.jacobian) if self.normal is None else self.normal)
        if self.curvature is not None:
            hessian = hessian + 2 * self.curvature(self.residuals)
        return function(
            [self.x],
            sum_of(self.residuals**2),
            name=name,
            gradient=[2 * einsum("ij,i->j", self.jacobian, self.residuals)],
            hessian=[[hessian]],
        )


def both(declare: Callable[..., LeastSquares], name: str, source: str, tags: Sequence[str], **sizes: Size) -> tuple[Entry, Entry]:
    """The sum of squares under this name and its residuals as NAME_residuals: Problems, or Families with these sizes.

    declare: takes the sizes; it is a function of the module that holds both under their names.
    """
    return (
        _entry(declare, LeastSquares.objective, name, source, (*tags, "sum of squares"), sizes),
        _entry(declare, LeastSquares.residual_function, f"{name}_residuals", source, (*tags, "residuals"), sizes),
    )


def _entry(
    declare: Callable[..., LeastSquares],
    made: Callable[[LeastSquares, str], Function],
    name: str,
    source: str,
    tags: tuple[str, ...],
    sizes: Mapping[str, Size],
) -> Entry:
    @functools.wraps(declare)
    def build(**chosen: int) -> Problem:
        declared = declare(**chosen)
        points = tuple(Point(label, x=x) for label, x in declared.points.items())
        return Problem(made(declared, name), points, source, tags)

    return Family(name, build, sizes, tags) if sizes else build()


# --- points ---


def scaled(start: Any, factors: Sequence[int] = (1, 10, 100), **others: Any) -> dict[str, Array]:
    """The start and its multiples, as test sets of optimisation have them; others by label, with _ for spaces."""
    x = np.asarray(start, dtype=np.float64)
    points = {"start" if k == 1 else f"{k} times the start": k * x for k in factors}
    return points | {label.replace("_", " "): np.asarray(value, dtype=np.float64) for label, value in others.items()}


def near(n: int, minimum: Any) -> dict[str, Array]:
    """The published minimum, rounded as it is printed, as a point where it has n variables; no point otherwise."""
    x = np.array(minimum, dtype=np.float64)
    return {"near the minimum": x} if x.size == n else {}


def enough(name: str, m: int, n: int) -> None:
    """Refuse fewer residuals than variables."""
    if m < n:
        raise DiffCompareError(f"{name}: m residuals of n variables need m >= n, got m={m} and n={n}")


# --- derivatives in the form that LeastSquares takes ---


def columns(m: int, *parts: Any) -> Expr:
    """An (m, n) matrix from n columns, each a number, a scalar or of shape (m,)."""
    return stack([broadcast(as_expr(p), (m,)) for p in parts], axis=1)


def rows(*table: Sequence[Any]) -> Expr:
    """A matrix from its entries, numbers or scalars."""
    return stack([stack([as_expr(entry) for entry in row]) for row in table])


def weighted(n: int, seconds: Mapping[tuple[int, int], Any]) -> Callable[[Expr], Expr]:
    """The curvature from second derivatives {(j, k): ∂²F_i/∂x_j∂x_k for all i, shape (m,)}, j <= k; those left out are 0."""

    def curvature(w: Expr) -> Expr:
        zero = as_expr(0.0)
        sums = {jk: einsum("i,i->", w, broadcast(as_expr(second), w.shape)) for jk, second in seconds.items()}
        return rows(*([sums.get((min(j, k), max(j, k)), zero) for k in range(n)] for j in range(n)))

    return curvature


def diagonal_matrix(entries: Expr) -> Expr:
    """The matrix with these entries, (n,), on its diagonal."""
    return embed_diagonal.apply([entries], (-2, -1))

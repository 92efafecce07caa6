"""Functions with which optimisers are tested."""

from __future__ import annotations

import numpy as np

from ..dsl import function, symbol
from ..dsl.constants import constant
from ..dsl.contraction import embed_diagonal
from ..dsl.structural import concatenate
from ..dsl.structural import sum as sum_of
from ..problem import Point, Problem, Size, family


@family(tags=("core", "optimisation", "polynomial"), n=Size(4, 2, 100_000, "variables; one valley term for each pair of neighbours"))
def rosenbrock(n: int) -> Problem:
    """Σ 100 (x_(i+1) - x_i²)² + (1 - x_i)²: a curved valley with its floor on x_(i+1) = x_i², least at (1, ..., 1)."""
    x = symbol("x", shape=(n,))
    left, right = x[:-1], x[1:]
    rise = right - left**2
    nothing = constant(np.zeros(1))
    slope_left = -400 * left * rise - 2 * (1 - left)
    # -400 rise + 800 x², not 1200 x² - 400 x_next: exact on the floor of the valley, where rise is 0
    bend_left = 800 * left**2 - 400 * rise + 2
    column, row = constant(np.zeros((n - 1, 1))), constant(np.zeros((1, n)))
    above = concatenate([concatenate([column, embed_diagonal.apply([-400 * left], (-2, -1))], axis=1), row])
    bends = concatenate([bend_left, nothing]) + concatenate([nothing, constant(np.full(n - 1, 200.0))])
    even = np.arange(n) % 2 == 0
    return Problem(
        function=function(
            [x],
            sum_of(100 * rise**2 + (1 - left) ** 2),
            name="rosenbrock",
            gradient=[concatenate([slope_left, nothing]) + concatenate([nothing, 200 * rise])],
            hessian=[[embed_diagonal.apply([bends], (-2, -1)) + above + above.T]],
        ),
        points=(
            Point("start", x=np.where(even, -1.2, 1.0)),
            Point("minimum", x=np.ones(n)),  # the gradient is exactly 0
            Point("near the minimum", x=1 + 1e-7 * np.where(even, 1.0, 2.0)),
            Point("valley", x=np.where(even, 0.3, 0.09)),
            Point("far", x=np.where(even, 1e5, -1e5)),
        ),
        source="Rosenbrock: An Automatic Method for Finding the Greatest or Least Value of a Function, Computer J. 3 (1960), "
        "f = 100 (x2 - x1²)² + (1 - x1)²; chained over the pairs of neighbours as scipy.optimize.rosen does",
    )

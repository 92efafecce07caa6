"""The polynomial that fits a step, by least squares: GradBench's llsq."""

from __future__ import annotations

import numpy as np

from ..dsl import Function, function, symbol
from ..dsl.structural import sum as sum_of
from ..problem import Array, Point, Problem, Size, family


def vandermonde(n: int, m: int) -> tuple[Array, Array]:
    """(powers t_i^0 ... t_i^(m-1), shape (n, m); sign t_i) at n equidistant t_i from -1 to 1."""
    t = -1 + 2 * np.arange(n) / max(n - 1, 1)
    return np.power(t[:, None], np.arange(m)), np.sign(t)


def llsq_function(n: int, m: int) -> Function:
    """½ |s - V x|² of coefficients x (m,), powers V (n, m) and targets s (n,)."""
    x, powers, s = symbol("x", (m,)), symbol("V", (n, m)), symbol("s", (n,))
    residual = s - powers @ x
    return function(
        [x, powers, s],
        0.5 * sum_of(residual**2),
        name="llsq",
        gradient={"x": -(powers.T @ residual)},
        hessian={("x", "x"): powers.T @ powers},
    )


@family(
    ("learning", "gradbench"),
    n=Size(6, 2, 20_000, "places where the polynomial is compared with the step"),
    m=Size(3, 1, 200, "coefficients"),
)
def llsq(n: int, m: int) -> Problem:
    """Half the sum of squared distances between a polynomial and the sign function at n places between -1 and 1."""
    powers, targets = vandermonde(n, m)
    # the fit of least norm, for more coefficients than places as well
    fitted = np.linalg.lstsq(powers, targets, rcond=None)[0]

    def at(label: str, x: Array) -> Point:
        return Point(label, x=x, V=powers, s=targets)

    return Problem(
        function=llsq_function(n, m),
        points=(
            at("start", np.linspace(0.1, 0.9, m)),
            at("zero", np.zeros(m)),
            at("near the fit", np.round(fitted, 3)),  # the sums of the gradient cancel to 1e-3 of their terms
            at("large", 1e8 * (-1.0) ** np.arange(m)),
        ),
        source="Moler: Numerical Computing with MATLAB, SIAM (2004), sections 5.2 and 5.5: the normal equations VᵀV x = Vᵀs; "
        "the step and the places as in GradBench's eval llsq",
        wrt=("x",),
    )

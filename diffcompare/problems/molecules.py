"""Atoms that attract and repel each other in pairs."""

from __future__ import annotations

import numpy as np

from ..dsl import function, symbol
from ..dsl.arithmetic import where
from ..dsl.constants import constant
from ..dsl.contraction import einsum
from ..dsl.core import Expr
from ..dsl.structural import sum as sum_of
from ..problem import Array, Point, Problem, Size, family

CLOSEST = 2.0 ** (1 / 6)
"""The distance of least energy of two atoms."""


@family(("physics", "chemistry"), n=Size(3, 2, 300, "atoms; n (n-1)/2 pairs"))
def lennard_jones(n: int) -> Problem:
    """4 Σ r⁻¹² - r⁻⁶ over all pairs of n atoms at x, shape (n, 3), in units of the pair's well: energy; minus the gradient: forces."""
    x = symbol("x", (n, 3))
    first, second = np.triu_indices(n, 1)
    apart = x[first] - x[second]
    s = 1 / sum_of(apart**2, axis=1) ** 3
    lattice = _lattice(n)
    rng = np.random.default_rng(20180153)
    shaken = lattice + 0.08 * rng.standard_normal((n, 3))

    def at(label: str, values: Array) -> Point:
        return Point(label, x=values)

    return Problem(
        function=function([x], 4 * sum_of(s * (s - 1)), name="lennard_jones", gradient=[_gradient(x)]),
        points=(
            at("start", CLOSEST * shaken),
            at("lattice", CLOSEST * lattice),  # the force between neighbours is a rounding error of 24 - 24
            at("squeezed", 0.1 * shaken),  # energies of 1e12, forces of 1e14
            at("vapour", 1e4 * shaken),  # forces of 1e-28
        ),
        source="Jones: On the Determination of Molecular Fields, Proc. R. Soc. London A 106 (1924); "
        "Wales, Doye: Global Optimization by Basin-Hopping, J. Phys. Chem. A 101 (1997), eq. (1)",
        operators=("gradient",),
    )


def _lattice(n: int) -> Array:
    """The first n places of a simple cubic lattice, as near to a cube as they come."""
    side = int(np.ceil(n ** (1 / 3) - 1e-9))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[:n].astype(float)


def _gradient(x: Expr) -> Expr:
    """Σ_j -24 (2 r⁻¹⁴ - r⁻⁸) (x_i - x_j), over a matrix of all pairs whose diagonal is masked."""
    (n, _) = x.shape
    apart = x[:, None, :] - x[None, :, :]
    itself = constant(np.eye(n) > 0)
    u = 1 / where(itself, 1.0, sum_of(apart**2, axis=2))
    s = u**3
    weight = where(itself, 0.0, -24 * s * (2 * s - 1) * u)
    return einsum("ij,ijk->ik", weight, apart)

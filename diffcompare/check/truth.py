"""The certified truth that claims are held to: single entries, and products with directions.

Truth comes from the reference's power series in ball arithmetic alone: no derivative rule of this package is met. How far
rounding may move an entry does too, but where reverse mode takes the function its graph is asked instead, evaluated in
balls of 53 bits: a series adds up what a gradient never adds up, and its tolerance would be larger. Never a verdict.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..differentiate import gradient
from ..dsl.function import Function
from ..errors import Unsupported
from ..reference import Certified, Reference
from .rounding import rounding
from .subject import Layout, Point

Array = np.ndarray[Any, Any]
Cell = tuple[int, int]
BITS = 150
"""Precision of second derivatives along sums and differences of directions, whose difference cancels."""
SHIFT = 2.0**-40
PATTERNS = 3
"""Random choices of signs: all three of independent sums are below a third of the root of the sum of squares in 2 of 100 cases."""


@dataclass(frozen=True)
class Fact:
    """What is certified of one cell: its value, the reference's status for it, the ball, and the rounding error of 53 bits."""

    value: float
    status: str
    ball: Any
    noise: float


class Truth(ABC):
    """The certified derivative of a function at a point."""

    def __init__(self, function: Function, point: Point, layout: Layout) -> None:
        self.function, self.point, self.layout = function, point, layout
        self.reference = Reference(function)
        self.at = {n: point.values[n] for n in point.wrt}
        self.facts: dict[Cell, Fact] = {}

    @abstractmethod
    def whole(self) -> None:
        """Certify every cell."""

    @abstractmethod
    def balls(self, cell: Cell, point: Point) -> dict[Cell, tuple[Any, float, str]]:
        """(ball, value, status) of a cell at a point, and of the cells that come with it."""

    @abstractmethod
    def noise(self, cell: Cell) -> dict[Cell, float]:
        """The rounding error of 53 bits in a cell, and in the cells that come with it."""

    def fact(self, cell: Cell) -> Fact:
        if cell not in self.facts:
            found, noise = self.balls(cell, self.point), self.noise(cell)
            self.facts |= {c: Fact(value, status, ball, noise[c]) for c, (ball, value, status) in found.items()}
        return self.facts[cell]

    def _keep(self, certified: Certified, noise: Sequence[Array]) -> None:
        lay = self.layout.assembled
        values, radii = lay(certified.values), lay(noise)
        for (row, column, _), balls, statuses in zip(self.layout.blocks(), certified.balls, certified.status, strict=True):
            width = column.stop - column.start
            for k, (ball, status) in enumerate(zip(balls.ravel().tolist(), statuses.ravel().tolist(), strict=True)):
                cell = row.start + k // width, column.start + k % width
                self.facts[cell] = Fact(float(values[cell]), status, ball, float(radii[cell]))

    def tangent(self, direction: Array, point: Point | None = None) -> list[Any]:
        """A direction over all entries as one value for each input, also with the inputs' numbers near `point`."""
        parts = (point or self.point).parts(direction)
        return [parts[n] for n in self.point.wrt]

    def unit(self, column: int) -> Array:
        e = np.zeros(self.layout.columns)
        e[column] = 1.0
        return e

    def sensitivity(self, cell: Cell, seed: int) -> float:
        """How fast relative errors of the inputs move a cell: the largest |Σ_j ± x_j dD/dx_j| over a few random choices of signs.

        From the certified cell at x_j (1 ± 2^-40), so no second derivative is needed. With independent input errors of
        size ε the cell moves by about ε times the root of the sum of squares, which these sums estimate.
        """
        here = self.fact(cell).ball
        rng, x, largest = np.random.default_rng(seed), self.point.vector, 0.0
        for _ in range(PATTERNS):
            moved = self.point.moved(x * (1 + SHIFT * rng.choice([-1.0, 1.0], x.size)))
            there = self.balls(cell, moved)[cell][0]
            largest = max(largest, abs(float(there - here)) / SHIFT)
        return largest


def slopes_of(function: Function) -> Reference | None:
    """The gradient by reverse mode, to be evaluated in balls; None where reverse mode does not take the function."""
    try:
        return Reference(gradient(function, engine="numpy").function)
    except Unsupported:
        return None


class FirstOrder(Truth):
    """A gradient (one row) or a Jacobian: a series along a direction gives one number for each row.

    radii: of a gradient, the rounding error of 53 bits in each entry where it is known; NaN elsewhere.
    """

    def __init__(self, function: Function, point: Point, layout: Layout) -> None:
        super().__init__(function, point, layout)
        self.radii = np.full((layout.rows, layout.columns), np.nan)
        slopes = slopes_of(function) if layout.operator == "gradient" else None
        if slopes is not None:
            self.radii = layout.assembled(rounding(slopes, self.at))

    def whole(self) -> None:
        certified = self.reference.certify("jacobian", self.at)
        radii = self.radii
        if np.any(np.isnan(radii)):
            own = self.layout.assembled(rounding(self.reference, self.at, "jacobian"))
            radii = np.where(np.isnan(radii), own, radii)
        self._keep(certified, [radii[row, column] for row, column, _ in self.layout.blocks()])

    def balls(self, cell: Cell, point: Point) -> dict[Cell, tuple[Any, float, str]]:
        at = {n: point.values[n] for n in point.wrt}
        certified = self.reference.certify("jvp", at, tangent=self.tangent(self.unit(cell[1])))
        parts = (certified.balls[0], certified.values[0], certified.status[0])
        return {(r, cell[1]): found for r, found in enumerate(zip(*(p.ravel().tolist() for p in parts), strict=True))}

    def noise(self, cell: Cell) -> dict[Cell, float]:
        if not np.isnan(self.radii[cell]):
            return {cell: float(self.radii[cell])}
        radii = rounding(self.reference, self.at, "jvp", tangent=self.tangent(self.unit(cell[1])))[0]
        return {(r, cell[1]): radius for r, radius in enumerate(radii.ravel().tolist())}

    def product(self, direction: Array) -> tuple[Array, bool]:
        """(the derivative along a direction for each row, whether all of it is certified)."""
        certified = self.reference.certify("jvp", self.at, tangent=self.tangent(direction))
        return certified.values[0].ravel(), certified.ok

    def radius(self, direction: Array) -> Array:
        """The rounding error of 53 bits in the derivative along a direction, for each row."""
        return rounding(self.reference, self.at, "jvp", tangent=self.tangent(direction))[0].ravel()


class SecondOrder(Truth):
    """A Hessian: second derivatives along sums and differences of directions, 4 u'Hv = D²(u + v) - D²(u - v)."""

    def __init__(self, function: Function, point: Point, layout: Layout) -> None:
        super().__init__(function, point, layout)
        self.slopes = slopes_of(function)

    def whole(self) -> None:
        certified = self.reference.certify("hessian", self.at)
        slopes, operator = (self.slopes, "jacobian") if self.slopes else (self.reference, "hessian")
        self._keep(certified, rounding(slopes, self.at, operator))

    def balls(self, cell: Cell, point: Point) -> dict[Cell, tuple[Any, float, str]]:
        u, v = self.unit(cell[0]), self.unit(cell[1])
        found = self._bilinear(u, v, point)
        return {cell: found, cell[::-1]: found}

    def _bilinear(self, u: Array, v: Array, point: Point) -> tuple[Any, float, str]:
        at = {n: point.values[n] for n in point.wrt}
        plus, minus = (self.reference.certify("jvp", at, order=2, tangent=self.tangent(d), bits=BITS) for d in (u + v, u - v))
        statuses = [str(c.status[0]) for c in (plus, minus)]
        status = next((s for s in statuses if s != "ok"), "ok")
        ball = (plus.balls[0].item() - minus.balls[0].item()) / 4
        return ball, float(ball), status

    def noise(self, cell: Cell) -> dict[Cell, float]:
        row, column = cell
        radius = self.radius(self.unit(row), self.unit(column))
        return {cell: radius, cell[::-1]: radius}

    def product(self, left: Array, right: Array) -> tuple[float, bool]:
        """(u'Hv, whether it is certified)."""
        _, value, status = self._bilinear(left, right, self.point)
        return value, status == "ok"

    def radius(self, left: Array, right: Array) -> float:
        """The rounding error of 53 bits in u'Hv; a series along u + v would count that of the larger u'Hu and v'Hv as well."""
        if self.slopes is not None:
            blocks = rounding(self.slopes, self.at, "jvp", tangent=self.tangent(right))
            return float(np.sum(np.abs(left) * np.concatenate([b.ravel() for b in blocks]), where=left != 0))
        return sum(self._along(d) for d in (left + right, left - right)) / 4

    def _along(self, direction: Array) -> float:
        return float(rounding(self.reference, self.at, "jvp", order=2, tangent=self.tangent(direction))[0])

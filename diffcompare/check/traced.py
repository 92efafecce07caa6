"""A claim against certified truth, for a function whose graph is known.

An entry D of a derivative that is computed in float64 may err by 4 (ε |D| + R), R what rounding every operation of a formula for
it may do to it, see rounding.py: no tolerance is chosen. An error beyond that is wrong, unless

- the claim can be traced too and its formula is right at high precision: then it only loses digits, which is noted;
- it is within 4 ε S beside, S the sensitivity of D to relative changes of the inputs: then another formula may be to blame as
  well as a mistake, and the entry is undecided.

Small derivatives are compared entry by entry. Long ones by products with random directions, each certified from one
power series: all claims' errors e_j together move a product with signs ± v_j by more than 6 √Σ (v_j e_j)² with a
probability below 4e-8 (Hoeffding), while a wrong entry moves it by its whole error. Halving the direction leads to the entry.
Reverse mode names further suspects; only the reference judges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..differentiate import prepare
from ..dsl.function import Function
from ..errors import DiffCompareError
from ..reference import Reference
from ..transforms.cost import cost
from .graph import Untraceable, formula_of
from .result import AGREES, UNDECIDED, WRONG, Entry
from .rounding import EPSILON, ROUNDINGS, rounding
from .subject import Claim, Point, Subject
from .sums import culprit, together
from .truth import Cell, FirstOrder, SecondOrder

Array = np.ndarray[Any, Any]

ENTRYWISE = 2_000_000
"""Ball operations (about as many microseconds) up to which every entry is certified."""
MOST_ENTRIES = 20_000
DIRECTIONS = 2
SPREAD = 6.0
AFFORDABLE = 8_000_000
"""Ball operations that the single entries of a long derivative may take, between 8 and 64 of them."""
ROUNDS = 5
HOPELESS = 1e12
"""Times the tolerance: an error that no condition number is tried on."""
ENOUGH = 8
"""Wrong entries after which a long derivative is not searched further."""
STATUS = {
    "kink": "no derivative here: a kink, a jump or the end of the domain",
    "domain": "the function is not defined here",
    "unresolved": "not certified at the highest precision",
}


class Traced:
    """The judgement of one claim at one point."""

    def __init__(self, function: Function, point: Point, claim: Claim, derivative: Subject, target: float, seed: int) -> None:
        self.claim, self.point, self.derivative, self.target, self.seed = claim, point, derivative, target, seed
        self.function, self.layout = function, claim.layout
        kind = SecondOrder if self.layout.operator == "hessian" else FirstOrder
        self.truth: FirstOrder | SecondOrder = kind(function, point, self.layout)
        self.rng = np.random.default_rng(seed)
        self.entries: dict[Cell, Entry] = {}
        self.warnings: list[str] = []
        self.unseen = 0
        self.coverage = 0.0
        """The relative error that products would show in any entry that was not looked at and is not counted as unseen."""
        self.hint: Array | None = None
        self.suspect = np.zeros(claim.matrix.shape, bool)
        """Entries in which reverse mode differs from the claim by more than rounding."""
        self.operations = cost(function).operations + self.layout.columns
        self.few = int(np.clip(AFFORDABLE // self.operations, 8, 64))

    def run(self) -> str:
        """Judge the claim; a sentence on how."""
        n, rows = self.layout.columns, self.layout.rows
        series = n * (n + 1) // 2 if self.layout.operator == "hessian" else n
        if series * self.operations <= ENTRYWISE and n * rows <= MOST_ENTRIES:
            self.truth.whole()
            for cell in np.ndindex(rows, n):
                self.entries[cell] = self._judged(cell)
            how = "every entry is compared with its certified value"
        else:
            how = self._long()
        self._second_thoughts()
        return how

    @property
    def resolution(self) -> float:
        return max([self.coverage, *(e.resolution for e in self.entries.values() if e.verdict != UNDECIDED)])

    # --- one entry ---

    def _judged(self, cell: Cell) -> Entry:
        fact = self.truth.fact(cell)
        claimed = float(self.claim.matrix[cell])
        size = abs(fact.value)
        noise = fact.noise if math.isfinite(fact.noise) else EPSILON * size
        allowed = ROUNDINGS * (EPSILON * size + noise)
        verdict, note = AGREES, ""
        if fact.status in STATUS:
            verdict, note = UNDECIDED, STATUS[fact.status]
        elif not (claimed == fact.value or abs(claimed - fact.value) <= allowed):
            verdict = WRONG
        scale = size or float(np.max(np.abs(self.claim.matrix[cell[0]]), initial=0.0, where=np.isfinite(self.claim.matrix[cell[0]])))
        entry = Entry(self.layout.name(*cell), *cell, claimed, fact.value, allowed, verdict, scale, note)
        if verdict == AGREES and entry.resolution > self.target:
            return replace(entry, verdict=UNDECIDED, note=f"rounding in {self.layout.function} itself hides errors below {allowed:.1e}")
        return entry

    def _second_thoughts(self) -> None:
        """What does not agree is looked at again: the claim's own formula, then the condition of the entry."""
        doubtful = [c for c, e in self.entries.items() if e.verdict != AGREES and self.truth.fact(c).status not in STATUS]
        if doubtful:
            self._formula(doubtful)
        accused = [c for c in doubtful if self.entries[c].verdict == WRONG]
        accused.sort(key=lambda c: self.entries[c].excess)
        factor = 0.0
        for k, cell in enumerate(accused):
            entry = self.entries[cell]
            if k < self.few and entry.excess < HOPELESS:
                factor = self.truth.sensitivity(cell, self.seed) / (abs(entry.expected) or 1.0)
            allowed = entry.allowed + ROUNDINGS * EPSILON * factor * (abs(entry.expected) or 1.0)
            if abs(entry.error) <= allowed:
                note = f"a condition number of {factor:.0e} explains errors up to {allowed:.1e}"
                self.entries[cell] = replace(entry, allowed=allowed, verdict=UNDECIDED, note=note)

    def _formula(self, cells: Sequence[Cell]) -> None:
        """Let entries pass whose formula is right, if the claim can be traced: certified, it agrees with the truth."""
        try:
            reference = Reference(formula_of(self.derivative, self.point, self.layout))
            found = reference.certify("value", self.truth.at)
            exact, status = self.layout.assembled(found.values), [np.all(s == "ok") for s in found.status]
            noise = self.layout.assembled(rounding(reference, self.truth.at))
        except (Untraceable, DiffCompareError):
            return
        if not all(status):
            return
        for cell in cells:
            entry = self.entries[cell]
            size = EPSILON * abs(entry.expected)
            own = ROUNDINGS * (size + noise[cell])
            tight = min(entry.allowed, self.target * abs(entry.expected))
            if abs(exact[cell] - entry.expected) <= tight and abs(entry.claimed - exact[cell]) <= own:
                lost = max(0.0, math.log2(max(abs(entry.error), size) / size)) if size else math.inf
                note = f"the formula is right; rounding in it loses {lost:.0f} bits" if lost >= 1 else "the formula is right"
                self.entries[cell] = replace(entry, verdict=AGREES, allowed=tight, note=note)

    # --- long derivatives ---

    def _long(self) -> str:
        looked_at = self._sampled()
        self.open = self.claim.matrix.copy()
        """The claim with every entry that was looked at replaced by the truth: products tell about the rest."""
        for cell in looked_at:
            self._look(cell)
        if self._wrong() < ENOUGH:
            (self._rows if self.layout.operator == "hessian" else self._products)()
            self._cover()
        return (
            f"{len(self.entries)} entries are compared with their certified values (a sample, and where reverse mode differs), "
            "the others through certified products with random directions"
        )

    def _wrong(self) -> int:
        return sum(e.verdict == WRONG for e in self.entries.values())

    def _look(self, cell: Cell) -> None:
        self.entries[cell] = self._judged(cell)
        fact = self.truth.fact(cell)
        self.open[cell] = 0.0 if fact.status in STATUS else fact.value

    def _sampled(self) -> list[Cell]:
        """Entries to look at: where reverse mode differs most, the largest, the smallest, the first, the last, some at random."""
        size = np.abs(self.claim.matrix).ravel()
        chosen = [0, size.size - 1, int(np.argmax(size)), int(np.argmin(np.where(size > 0, size, np.inf)))]
        chosen += self.rng.choice(size.size, min(size.size, self.few // 4), replace=False).tolist()
        self.hint = self._by_reverse_mode()
        if self.hint is not None:
            apart = np.abs(self.claim.matrix - self.hint) / self._explained(self.hint)
            apart = np.where(np.isnan(apart), np.inf, apart)
            self.suspect = apart > 1
            order = np.argsort(-apart, axis=None, kind="stable")[: self.few // 2]
            chosen += order[self.suspect.flat[order]].tolist()
        return [(int(k) // self.layout.columns, int(k) % self.layout.columns) for k in dict.fromkeys(chosen)]

    def _explained(self, values: Array) -> Array:
        """What rounding explains of entries of this size, as far as it is known of all; not 0."""
        radii = self.truth.radii if isinstance(self.truth, FirstOrder) else np.full(values.shape, np.nan)
        size = np.abs(values)
        return ROUNDINGS * (EPSILON * size + np.where(np.isfinite(radii), radii, EPSILON * size)) + float(np.finfo(float).tiny)

    def _by_reverse_mode(self) -> Array | None:
        """The derivative in float64 by reverse mode: whom to suspect, never whom to blame. None where it does not take f."""
        try:
            blocks = prepare(self.function, self.layout.operator, engine="numpy")(**self.truth.at)
        except DiffCompareError as error:
            self.warnings.append(f"reverse mode named no suspects: {error}")
            return None
        n = len(self.point.wrt)
        if n == 1:
            return self.layout.assembled([blocks])
        return self.layout.assembled([b for row in blocks for b in row] if self.layout.operator == "hessian" else list(blocks))

    def _products(self) -> None:
        """Products with all entries first, then with those that could still hide something, then these one by one."""
        self.seen = np.full(self.open.shape, np.inf)
        columns = np.arange(self.layout.columns)
        for k in range(ROUNDS):
            if not self._settled(self._direction(columns), columns):
                return
            if k + 1 >= DIRECTIONS:
                columns = np.flatnonzero(np.any(self._hidden(), axis=0))
                if columns.size * self.layout.rows <= self.few // 2:
                    break

    def _settled(self, v: Array, units: Array, left: Array | None = None) -> bool:
        """Follow a wrong product to its entries until it is right; False where that ends without one, or with enough."""
        row = 0 if left is None else int(np.flatnonzero(left)[0])
        while self._excess(units, v, left):
            if self._wrong() >= ENOUGH:
                return False
            column = culprit(units, lambda some: self._excess(some, v, left))
            cells = [(r, column) for r in range(self.layout.rows)] if left is None else [(row, column), (column, row)]
            if all(c in self.entries for c in cells):
                self._unexplained("a product with a random direction is off by more than rounding explains, and no entry is at fault")
                return False
            for cell in cells:
                self._look(cell)
        with np.errstate(divide="ignore", over="ignore"):
            seen = self._threshold(units, v, left)[:, None] / np.abs(v[units])
        rows = slice(None) if left is None else slice(row, row + 1)
        self.seen[rows, units] = np.fmin(self.seen[rows, units], seen)
        return True

    def _unexplained(self, what: str) -> None:
        if what not in self.warnings:
            self.unseen += 1
            self.warnings.append(what)

    def _direction(self, units: Array, row: int | None = None) -> Array:
        """Signs times powers of two, 0 beside these columns: products with them are exact. All entries count about alike."""
        values = _finite(self.open if row is None else self.open[row : row + 1])
        weight = np.max(self._explained(values) if self.layout.operator == "gradient" else np.abs(values), axis=0)
        weight = np.where(np.max(np.abs(values), axis=0) == 0, np.max(weight), weight)
        exponents = np.frexp(np.where(weight == 0, 1.0, weight))[1]
        middle = int(np.median(exponents[units]))
        signs = self.rng.choice([-1.0, 1.0], weight.size)
        return _only(signs * np.ldexp(1.0, np.clip(middle - exponents, -40, 40)), units)

    def _threshold(self, units: Array, v: Array, left: Array | None = None) -> Array:
        """What rounding explains of a product, for each row."""
        values = _finite(self.open) if left is None else (left @ _finite(self.open))[None]
        terms = values[:, units] * v[units]
        errors = ROUNDINGS * EPSILON * terms if left is not None else v[units] * self._explained(values)[:, units]
        own = SPREAD * together(errors)
        if isinstance(self.truth, SecondOrder):
            assert left is not None
            radius: float | Array = self.truth.radius(left, _only(v, units))
        elif self.layout.operator == "gradient" and np.all(np.isfinite(self.truth.radii)):
            radius = 0.0
        else:
            radius = self.truth.radius(_only(v, units))
        return np.asarray(own + ROUNDINGS * radius)

    def _excess(self, units: Array, v: Array, left: Array | None = None) -> bool:
        """Whether the claim's product with v over these columns differs from the certified one by more than rounding."""
        direction = _only(v, units)
        if isinstance(self.truth, SecondOrder):
            assert left is not None
            value, certified = self.truth.product(left, direction)
            true, open_ = np.array([value]), (left @ _finite(self.open) + 0 * left @ self.open)[None]
        else:
            true, certified = self.truth.product(direction)
            open_ = self.open
        if not np.all(np.isfinite(open_[:, units])):
            return True
        if not certified:
            self._unexplained("a product with a random direction is not certified: some entries have no derivative here")
        claimed = np.array([math.fsum(row) for row in (open_[:, units] * v[units]).tolist()])
        return bool(np.any(np.abs(claimed - true) > self._threshold(units, v, left) + EPSILON * np.abs(claimed)))

    def _hidden(self) -> Array:
        """The entries that were not looked at and could hide more than the resolution asked for."""
        size = np.abs(self.claim.matrix)
        scale = np.where(size == 0, np.max(size, axis=1, keepdims=True), size)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(self.seen == 0, 0.0, self.seen / scale)
        for cell in self.entries:
            relative[cell] = 0.0
        self.coverage = float(np.max(relative, initial=0.0, where=relative <= self.target))
        return np.asarray(~(relative <= self.target))

    def _cover(self) -> None:
        hidden = np.argwhere(self._hidden()).tolist()
        if len(hidden) <= self.few:
            for row, column in hidden:
                self._look((row, column))
        self.unseen += int(np.count_nonzero(self._hidden()))

    # --- long Hessians ---

    def _rows(self) -> None:
        """A product of each row with a random direction; of a very long Hessian of some rows."""
        self.seen = np.full(self.open.shape, np.inf)
        n = self.layout.columns
        affordable = max(ENOUGH, AFFORDABLE // self.operations)
        for row in range(n) if n <= affordable else sorted(self.rng.choice(n, affordable, replace=False).tolist()):
            units = np.arange(n)
            if not self._settled(self._direction(units, row), units, self.truth.unit(row)):
                return


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)


def _only(v: Array, units: Array) -> Array:
    """The direction with all other components zero."""
    result = np.zeros_like(v)
    result[units] = v[units]
    return result

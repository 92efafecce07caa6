"""A recurrent network, unrolled: long short-term memory as in ADBench, with hand-written backpropagation through time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..dsl import Function, function, symbol
from ..dsl.composite import logsumexp, softmax
from ..dsl.constants import constant
from ..dsl.core import Expr
from ..dsl.elementary import sech2, sigmoid, sigmoid_slope, tanh
from ..dsl.structural import concatenate, stack
from ..dsl.structural import sum as sum_of
from ..problem import Array, Point, Problem, Size, family


@dataclass(frozen=True)
class Layer:
    """Weights and biases of one layer, each of shape (b,), for the gates forget, in and out, and for the change."""

    weights: list[Expr]
    biases: list[Expr]


@dataclass(frozen=True)
class Cell:
    """What a layer computed at one step: `before` the nonlinearities, in the order of Layer; cell and hidden are the new state."""

    layer: Layer
    given: Expr
    old_hidden: Expr
    old_cell: Expr
    before: list[Expr]
    cell: Expr
    hidden: Expr


def lstm_function(layers: int, steps: int, width: int) -> Function:
    """The mean log loss of predicting each row of sequence (steps, b) from the rows before it.

    main_params (2 layers, 4b): rows of weights and of biases by turns; extra_params (3, b): weights in, weights and biases
    out; state (2 layers, b): rows hidden and cell by turns. The log of the sum has a further 2, as in ADBench.
    """
    main, extra = symbol("main_params", (2 * layers, 4 * width)), symbol("extra_params", (3, width))
    state, sequence = symbol("state", (2 * layers, width)), symbol("sequence", (steps, width))
    cells, predictions = _forward(main, extra, state, sequence)
    total = None
    for t, y in enumerate(predictions):
        term = sum_of(sequence[t + 1] * (y - logsumexp(_with_two(y))))
        total = term if total is None else total + term
    assert total is not None
    count = (steps - 1) * width
    return function(
        [main, extra, state, sequence],
        -total / count,
        name="lstm",
        gradient=_backward(extra, sequence, cells, predictions, -1 / count),
    )


def _with_two(y: Expr) -> Expr:
    """The scores with log 2 beside them: log(2 + Σ exp y) without overflow."""
    return concatenate([y, constant(np.array([math.log(2.0)]))])


def _forward(main: Expr, extra: Expr, state: Expr, sequence: Expr) -> tuple[list[list[Cell]], list[Expr]]:
    """(cells by step and layer, predictions by step)."""
    width = extra.shape[1]
    parts = [[row[k * width : (k + 1) * width] for k in range(4)] for row in (main[i] for i in range(main.shape[0]))]
    layers = [Layer(w, b) for w, b in zip(parts[::2], parts[1::2], strict=True)]
    states = [(state[2 * k], state[2 * k + 1]) for k in range(len(layers))]
    cells, predictions = [], []
    for t in range(sequence.shape[0] - 1):
        given = sequence[t] * extra[0]
        row = []
        for k, layer in enumerate(layers):
            row.append(_cell(layer, given, *states[k]))
            given = row[-1].hidden
            states[k] = (row[-1].hidden, row[-1].cell)
        cells.append(row)
        predictions.append(given * extra[1] + extra[2])
    return cells, predictions


def _cell(layer: Layer, given: Expr, hidden: Expr, cell: Expr) -> Cell:
    sources = (given, hidden, given, hidden)
    before = [s * w + b for s, w, b in zip(sources, layer.weights, layer.biases, strict=True)]
    forget, into, out = (sigmoid(z) for z in before[:3])
    new = cell * forget + into * tanh(before[3])
    return Cell(layer, given, hidden, cell, before, new, out * tanh(new))


def _backward(extra: Expr, sequence: Expr, cells: list[list[Cell]], predictions: list[Expr], scale: float) -> dict[str, Expr]:
    """From the last step to the first, from the top layer down: the adjoints of hidden and cell go to the step before."""
    depth = len(cells[0])
    main: list[list[Expr]] = [[] for _ in range(depth)]
    hidden: list[Expr | None] = [None] * depth
    cell: list[Expr | None] = [None] * depth
    ends: list[Expr] = []
    for t in reversed(range(len(cells))):
        target = sequence[t + 1]
        error = scale * (target - sum_of(target) * softmax(_with_two(predictions[t]))[:-1])
        adjoint = error * extra[1]
        for k in reversed(range(depth)):
            here = cells[t][k]
            slopes, adjoint, hidden[k], cell[k] = _cell_backward(here, _plus(adjoint, hidden[k]), cell[k])
            sources = (here.given, here.old_hidden, here.given, here.old_hidden)
            main[k].append(stack([concatenate([z * s for z, s in zip(slopes, sources, strict=True)]), concatenate(slopes)]))
        ends.append(stack([adjoint * sequence[t], error * cells[t][-1].hidden, error]))
    return {"main_params": concatenate([_total(rows) for rows in main]), "extra_params": _total(ends)}


def _cell_backward(here: Cell, hidden: Expr, cell: Expr | None) -> tuple[list[Expr], Expr, Expr, Expr]:
    """(adjoints before the nonlinearities, then of what was given, of the old hidden, of the old cell)."""
    forget, into, out = (sigmoid(z) for z in here.before[:3])
    change = tanh(here.before[3])
    inner = _plus(hidden * out * sech2(here.cell), cell)
    behind = [inner * here.old_cell, inner * change, hidden * tanh(here.cell)]
    slopes = [a * sigmoid_slope(z) for a, z in zip(behind, here.before[:3], strict=True)]
    slopes.append(inner * into * sech2(here.before[3]))
    weights = here.layer.weights
    given = slopes[0] * weights[0] + slopes[2] * weights[2]
    return slopes, given, slopes[1] * weights[1] + slopes[3] * weights[3], inner * forget


def _plus(a: Expr, b: Expr | None) -> Expr:
    return a if b is None else a + b


def _total(terms: list[Expr]) -> Expr:
    total = terms[0]
    for t in terms[1:]:
        total = total + t
    return total


@family(
    ("learning", "adbench", "program"),
    layers=Size(1, 1, 6, "layers"),
    steps=Size(3, 2, 100, "rows of the sequence; each step is unrolled, about 30 operations a layer"),
    width=Size(2, 1, 1000, "entries of each row"),
)
def lstm(layers: int, steps: int, width: int) -> Problem:
    """The log loss of a recurrent network with the gates of long short-term memory."""
    rng = np.random.default_rng(31337)
    main, extra = rng.standard_normal((2 * layers, 4 * width)), rng.standard_normal((3, width))
    state, sequence = rng.standard_normal((2 * layers, width)), rng.integers(0, 2, (steps, width)).astype(float)
    sequence[:, 0] = 1.0  # no row without a bit

    def at(label: str, factor: float, shift: Array | float = 0.0) -> Point:
        return Point(label, main_params=factor * main, extra_params=factor * extra + shift, state=state, sequence=sequence)

    return Problem(
        function=lstm_function(layers, steps, width),
        points=(
            at("start", 1.0),
            at("small weights", 1e-3),
            at("saturated", 12.0),  # gates shut and open: their slopes are as small as 1e-20
            at("large scores", 1.0, np.array([[0.0], [0.0], [800.0]])),  # exp(800) overflows
        ),
        source="Hochreiter, Schmidhuber: Long Short-Term Memory, Neural Computation 9 (1997); the variant with weights that are "
        "diagonal, and its loss, as in ADBench's objective lstm",
        wrt=("main_params", "extra_params"),
        operators=("gradient",),
    )

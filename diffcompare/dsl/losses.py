"""Losses that models are fitted by: of a residual (square and abs are others), of a margin, and of logits with their targets.

A margin is the label, -1 or 1, times the score; a logit is a score before sigmoid or softmax.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from .accuracy import Bound
from .arithmetic import abs_, eq, inside, le, lt, real, where
from .composite import Composite, max_, softmax_
from .constants import as_expr
from .core import Expr, function_of_the_dsl, register
from .elementary import exp, log1p, relu, sigmoid, softplus
from .elementwise import INF, LINE, POSITIVE, Elementwise, Interval
from .rounding import clip
from .shapes import Shape
from .structural import keep_axes, reduced_axes
from .structural import sum as sum_over

# --- of a residual ---

huber = register(
    Elementwise(
        "huber",
        2,
        evaluate=lambda r, d: inside(lt(0.0, d), where(le(abs_(r), d), 0.5 * (r * r), d * (abs_(r) - 0.5 * d))),
        partials=lambda y, r, d: (inside(lt(0.0, d), clip(r, -d, d)), inside(lt(0.0, d), relu(abs_(r) - d))),
        domain=(LINE, POSITIVE),
        doc="r²/2 up to |r| = d, then d (|r| - d/2) (Huber: Robust Estimation of a Location Parameter, 1964)",
    )
)

# --- of a margin ---

hinge = register(
    Elementwise(
        "hinge",
        evaluate=lambda z: relu(1.0 - z),
        partials=lambda y, z: (inside(eq(z, z), -real(lt(z, 1.0))),),
        kinks=lambda z: eq(z, 1.0),
        convention="0 at 1, as relu",
        doc="relu(1 - z) of a margin, the loss of support vector machines",
    )
)

exponential_loss = register(
    Elementwise(
        "exponential_loss",
        evaluate=lambda z: exp(-z),
        partials=lambda y, z: (-exp(-z),),
        doc="exp(-z) of a margin, the loss of AdaBoost",
    )
)

logistic_loss = register(
    Elementwise(
        "logistic_loss",
        evaluate=lambda z: softplus(-z),
        partials=lambda y, z: (-sigmoid(-z),),
        doc="log(1 + exp(-z)) of a margin, the log loss",
    )
)

zero_one_loss = register(
    Elementwise(
        "zero_one_loss",
        evaluate=lambda z: inside(eq(z, z), real(le(z, 0.0))),
        kinks=lambda z: eq(z, 0.0),
        convention="0 at the jump",
        doc="1 for a margin <= 0, else 0: errors counted; its derivative is 0 and of no use",
    )
)

# --- of logits ---


def _likely(y: Expr, value: Expr) -> Expr:
    """The value where y is a probability; labels of -1 and 1 are not."""
    return inside(le(0.0, y) & le(y, 1.0), value)


def _cross_size(z: float, y: float) -> float:
    return max((1.0 - y) / (1.0 + math.exp(min(-z, 700.0))), y / (1.0 + math.exp(min(z, 700.0))))


binary_cross_entropy = register(
    Elementwise(
        "binary_cross_entropy",
        2,
        # softplus(z) - y z in two terms of one sign
        evaluate=lambda z, y: _likely(y, (1.0 - y) * softplus(z) + y * softplus(-z)),
        # sigmoid(z) - y is 0 for a logit of 40 and y = 1; these terms do not cancel for y of 0 or 1
        partials=lambda b, z, y: (_likely(y, (1.0 - y) * sigmoid(z) - y * sigmoid(-z)), _likely(y, -z)),
        domain=(LINE, Interval(0.0, 1.0)),
        bounds={(0,): Bound(4.0, "sigmoid(z) - y vanishes where they are equal", _cross_size)},
        doc="log loss of a logit z for the probability y: -y log σ(z) - (1 - y) log σ(-z); NaN for a label of -1",
    )
)


class LogSoftmax(Composite):
    """x - log(sum(exp(x))) along axes. Its Jacobian is I - 1 sᵀ with s = softmax(x)."""

    def __init__(self) -> None:
        super().__init__("log_softmax")
        self.evaluate = _log_softmax_value

    def result_shape(self, shape: Shape, axes: tuple[int, ...]) -> Shape:
        return shape

    def jvp(self, node: Expr, tangents: Sequence[Expr | None], wild: bool = False) -> Expr | None:
        (t,), (x,), (axes,) = tangents, node.args, node.params
        if t is None:
            return None
        # the same for t - c; with c the tangent of the largest entry nothing cancels where its probability is nearly 1
        top = _top(x, axes)
        t = t - sum_over(top * t, axis=axes, keepdims=True) / sum_over(top, axis=axes, keepdims=True)
        return t - sum_over(softmax_.apply([x], (axes,)) * t, axis=axes, keepdims=True)

    def vjp(self, node: Expr, cotangent: Expr, wild: bool = False) -> Sequence[Expr | None]:
        (x,), (axes,) = node.args, node.params
        g = cotangent - softmax_.apply([x], (axes,)) * sum_over(cotangent, axis=axes, keepdims=True)
        # all entries add up to 0: the one of a sole largest x, which may cancel, is minus the others
        top = _top(x, axes)
        alone = lt(0.5, top) & lt(sum_over(top, axis=axes, keepdims=True), 1.5)
        return [where(alone, -sum_over(where(alone, 0.0, g), axis=axes, keepdims=True), g)]


def _largest(x: Expr, axes: tuple[int, ...]) -> Expr:
    return keep_axes(x, axes, max_.apply([x], (axes,)), True)


def _top(x: Expr, axes: tuple[int, ...]) -> Expr:
    """1 for the largest entries, 0 for the others."""
    return real(eq(x, _largest(x, axes)))


def _log_softmax_value(x: Expr, axes: tuple[int, ...]) -> Expr:
    # log1p of the other entries' share: log of 1 + it would lose a share below 1e-16, and so the log of a probability near 1
    largest = _largest(x, axes)
    x = x - where(lt(abs_(largest), INF), largest, 0.0)
    top = real(eq(x, 0.0))
    others = sum_over(where(lt(0.5, top), 0.0, exp(x)), axis=axes, keepdims=True)
    return x - log1p(others + (sum_over(top, axis=axes, keepdims=True) - 1.0))


log_softmax_ = register(LogSoftmax())


@function_of_the_dsl
def log_softmax(x: Any, axis: Any = -1) -> Expr:
    """The logarithms of softmax over `axis`, also where a probability is 1e-300 or 1 - 1e-30."""
    x = as_expr(x)
    return log_softmax_.apply([x], (reduced_axes("log_softmax", x, axis),))


@function_of_the_dsl
def cross_entropy(logits: Any, targets: Any, axis: Any = -1) -> Expr:
    """-Σ y log softmax(z) over `axis`: the log loss of several classes, from logits z and target probabilities y of their shape."""
    z, y = as_expr(logits), as_expr(targets)
    if z.shape != y.shape:
        raise ShapeError(f"cross_entropy: the logits have shape {z.shape}, the targets {y.shape}; write class numbers as rows of 0 and 1")
    return -sum_over(y * log_softmax(z, axis), axis=axis)

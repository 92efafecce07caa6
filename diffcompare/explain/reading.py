"""The rules of differentiation as they are read at one point: which branch is taken is known there, and guards have done their work.

A rule of the table is written to be right for every float64: log' is NaN below 0, pow' neither over- nor underflows. Read at
a point it is the line of the textbook: v̇ / v. Its number comes from the rule itself, never from what is written here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from ..dsl.activations import normal_cdf, normal_pdf
from ..dsl.arithmetic import mul, neg, pow_, sub
from ..dsl.constants import as_expr, constant, literal
from ..dsl.core import Expr
from ..dsl.elementary import cosh, exp, hypot, log, sigmoid
from ..dsl.elementwise import Elementwise, number
from ..dsl.function import Function
from ..dsl.walk import postorder, rebuild
from ..engines.numpy import numpy_engine

FORMS: dict[str, Callable[..., Expr]] = {
    "one_minus_square": lambda x: 1.0 - x**2,
    "asin_slope": lambda x: 1.0 / (1.0 - x**2) ** 0.5,
    "atan_slope": lambda x: 1.0 / (1.0 + x**2),
    "hypot_slope": lambda x, y: x / hypot(x, y),
    "atan2_slope": lambda x, y: x / (x**2 + y**2),
    "sech2": lambda x: 1.0 / cosh(x) ** 2,
    "gauss": lambda x: exp(-(x**2)),
    "gauss_slope": lambda x: -2.0 * x * exp(-(x**2)),
    "sigmoid_slope": lambda x: sigmoid(x) * sigmoid(-x),  # s (1 - s) is 0 for large x
    "normal_slope": lambda x: -x * normal_pdf(x),
    "gelu_bend": lambda x: (2.0 - x**2) * normal_pdf(x),
    "gelu_slope": lambda x: normal_cdf(x) + x * normal_pdf(x),
    "silu_slope": lambda x: sigmoid(x) * (1.0 + x * sigmoid(-x)),
    "pow_slope": lambda x, y: y * pow_(x, y - 1.0),
    "pow_log": lambda x, y: pow_(x, y) * log(x),
}
"""Functions that the table has for the sake of accuracy, as textbooks write them."""


def evaluate(outputs: list[Expr], at: Mapping[Expr, float]) -> list[float]:
    """The values of scalar expressions where their inputs have these values, by the numpy engine."""
    compiled = numpy_engine.compile(Function("steps", tuple(at), outputs, False))
    return [float(r) for r in compiled([np.asarray(v) for v in at.values()])]


def partials(node: Expr, result: Expr, at: Mapping[Expr, float]) -> list[Expr | None]:
    """The partial derivatives at a node of inputs, one for each argument, readable; None where there is no dependence.

    result: an input that stands for the node's own value. at: the values of the inputs, that one among them.
    """
    primitive = node.primitive
    if primitive.name == "named":
        return [constant(1.0)]
    if not isinstance(primitive, Elementwise):
        raise TypeError(f"{primitive.name} is no function of scalars")
    if primitive.name == "where":
        (taken,) = evaluate([node.args[0]], at)
        return [None, constant(1.0) if taken else None, None if taken else constant(1.0)]
    rules = [None if p is None else rebuild([as_expr(p)], {node: result})[0] for p in primitive.derivatives(node)]
    if primitive.name in ("maximum", "minimum"):
        return [None if p is None else constant(evaluate([p], at)[0]) for p in rules]
    return [None if p is None else readable(p, at) for p in rules]


def readable(rule: Expr, at: Mapping[Expr, float]) -> Expr:
    """A rule as it reads at the point: branches taken, |x| = x where x > 0, guards of zeros and infinities left out."""
    order = postorder([rule])
    values = dict(zip(order, evaluate(order, at), strict=True))
    new: dict[Expr, Expr] = {}
    for node in order:
        args = [new[a] for a in node.args]
        name = node.primitive.name
        if name == "where":
            new[node] = args[1] if values[node.args[0]] else args[2]
        elif name == "inside":
            new[node] = args[1] if values[node.args[0]] else constant(math.nan)
        elif (name == "abs" and not values[node.args[0]] < 0) or (name == "add" and number(args[1]) == 0.0):  # x + 0 is +0.0 at -0.0
            new[node] = args[0]
        elif name == "chain_mul":
            new[node] = mul(*args)
        elif name == "real":
            new[node] = constant(values[node])
        elif name in FORMS:
            new[node] = FORMS[name](*args)
        else:
            new[node] = node.primitive.apply(args, node.params) if args else node
    return new[rule]


def product(factor: Expr, partial: Expr) -> Expr:
    """factor × partial as one writes it: no × 1, divisions as divisions, signs in front."""
    name, args = partial.primitive.name, partial.args
    if name == "neg":
        return neg(product(factor, args[0]))
    if name == "div":
        top, bottom = args
        if number(top) == 1.0:
            return factor / bottom
        if number(top) == 0.5:
            return factor / (2.0 * bottom)
        return product(factor, top) / bottom if top.primitive is not neg else neg(product(factor, top.args[0]) / bottom)
    if name == "mul":
        value = literal(args[0])
        if isinstance(value, float) and value < 0:
            return neg(product(factor, constant(-value) * args[1]))
        return product(product(factor, args[0]), args[1])
    return factor * partial


def total(terms: list[Expr]) -> Expr:
    """The sum of at least one term, those with a sign in front subtracted."""
    result = terms[0]
    for term in terms[1:]:
        result = sub(result, term.args[0]) if term.primitive is neg else result + term
    return result

"""taylor: the polynomial that a function is near a point, along a direction, from prepared derivatives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..differentiate import DEFAULT_METHOD, prepare
from ..differentiators.base import Differentiator
from ..dsl.function import Function, as_function
from ..engines.base import Engine
from ..errors import DiffCompareError, ShapeError, Unsupported
from ..measure.points import checked

MOST = 2
"""The highest order for functions of several numbers."""


class Taylor:
    """f(x + h d) as c0 + c1 h + c2 h² + ...: called with a step h, or an array of steps, it gives the polynomial's values.

    coefficients: c0, c1, ...; floats for a scalar function, else arrays of its shape. at, direction: x and d by name.
    """

    def __init__(self, function: Function, at: Mapping[str, Any], direction: Mapping[str, Any], coefficients: Sequence[Any]) -> None:
        self.function = function
        self.at = dict(at)
        self.direction = dict(direction)
        self.coefficients = tuple(coefficients)
        self._value = prepare(function, "value")

    @property
    def order(self) -> int:
        """The highest power of h."""
        return len(self.coefficients) - 1

    def __call__(self, h: Any) -> Any:
        total = _power(h, 0, self.coefficients[-1])
        for c in reversed(self.coefficients[:-1]):
            total = total * _power(h, 1, c) + c
        return total

    def exact(self, h: Any) -> Any:
        """f(x + h d) itself."""
        h = np.asarray(h, dtype=np.float64)
        moved = {n: v + _power(h, 1, v) * self.direction[n] if n in self.direction else v for n, v in self.at.items()}
        return self._value(**moved)

    def remainder(self, h: Any) -> Any:
        """f(x + h d) less the polynomial: of the size of h to the power order + 1 for small h, down to rounding errors of f."""
        return self.exact(h) - self(h)

    def __str__(self) -> str:
        terms = [f"{c}" if k == 0 else f"{c}*h" if k == 1 else f"{c}*h**{k}" for k, c in enumerate(self.coefficients)]
        return " + ".join(terms).replace("+ -", "- ")

    def __repr__(self) -> str:
        return f"<Taylor polynomial of {self.function.name} of order {self.order}: {' '.join(str(self).split())}>"


def _power(h: Any, k: int, like: Any) -> Any:
    """h**k with axes for the entries of `like`."""
    h = np.asarray(h, dtype=np.float64)
    shaped = h.reshape(h.shape + (1,) * np.ndim(like)) ** k
    return (shaped * np.ones(np.shape(like)) * like)[()] if k == 0 else shaped[()]


def taylor(
    f: Any,
    at: Any,
    direction: Any = None,
    order: int = 2,
    *,
    method: str | Differentiator = DEFAULT_METHOD,
    engine: str | Engine = "auto",
) -> Taylor:
    """The Taylor polynomial of f at a point along a direction.

    f: a Function, an expression or text. at: {input: value}. direction: {input: value}, inputs left out stay fixed; for
    a function of one number 1 by default. order: any for a function of one number, up to 2 for others; 2 of several inputs
    takes a scalar function. method, engine: of the derivatives, as of prepare. Raises Unsupported beyond that, DiffCompareError, ShapeError or DomainError for a point or a
    direction that does not fit.
    """
    function = as_function(f)
    where = checked(function, at)
    alone = len(function.inputs) == 1 and function.inputs[0].shape == ()
    if not isinstance(order, int) or isinstance(order, bool) or order < 0:
        raise DiffCompareError(f"the order of a Taylor polynomial is 0, 1, 2, ..., got {order!r}")
    if order > MOST and not alone:
        raise Unsupported(
            f"taylor goes up to order {MOST} for functions of several numbers, got {order} for {function.name}; "
            "higher orders are for functions of one number, and for others they come later"
        )
    along = _direction(function, direction, alone)
    coefficients: list[Any] = [prepare(function, "value", engine=engine)(**where)]
    if alone:
        (slope,) = along.values()
        for k in range(1, order + 1):
            d = prepare(function, "derivative", method=method, engine=engine, order=k)
            coefficients.append(d(**where) * (slope**k / math.factorial(k)))
        return Taylor(function, where, along, coefficients)
    tangent = along if len(along) > 1 else next(iter(along.values()))
    if order >= 1:
        coefficients.append(prepare(function, "jvp", list(along), method=method, engine=engine)(**where, tangent=tangent))
    if order == MOST:
        product = prepare(function, "hvp", list(along), method=method, engine=engine)(**where, tangent=tangent)
        parts = product if len(along) > 1 else (product,)
        coefficients.append(0.5 * float(sum(np.vdot(d, p) for d, p in zip(along.values(), parts, strict=True))))
    return Taylor(function, where, along, coefficients)


def _direction(function: Function, given: Any, alone: bool) -> dict[str, Any]:
    """The direction by name, in the order of the inputs; raises DiffCompareError or ShapeError."""
    if given is None:
        if alone:
            return {function.names[0]: 1.0}
        raise DiffCompareError(f"taylor needs a direction: a dict with values for some of {', '.join(function.names)}")
    if not isinstance(given, Mapping):
        given = {function.names[0]: given} if len(function.inputs) == 1 else dict(zip(function.names, given, strict=False))
    unknown = [n for n in given if n not in function.names]
    if unknown or not given:
        raise DiffCompareError(f"the direction has {unknown or 'no entries'}; the inputs are {', '.join(function.names)}")
    along: dict[str, Any] = {}
    for i in function.inputs:
        name = i.params[0]
        if name in given:
            value = np.asarray(given[name], dtype=np.float64)
            if value.shape != i.shape or not np.all(np.isfinite(value)):
                raise ShapeError(f"the direction of {name} has shape {i.shape} and finite entries, got {value.tolist()}")
            along[name] = value if value.ndim else float(value)
    return along

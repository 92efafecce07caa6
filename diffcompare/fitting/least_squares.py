"""fit: the parameters that make a sum of squared residuals least, by scipy.optimize.least_squares with a prepared Jacobian."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..differentiate import DEFAULT_METHOD, prepare
from ..differentiators.base import Differentiator
from ..dsl.function import Function, as_function
from ..dsl.grammar import parse
from ..dsl.named import Named, nested
from ..engines.base import Engine
from ..errors import DiffCompareError, DomainError
from ..problem import Array, Problem

ALGORITHMS = ("lm", "trf", "dogbox")
TOLERANCE = 1e-15
"""Of f, of the parameters and of the gradient: nearly the rounding unit, so that a fit ends where no digit is left to be won."""
EPSILON = float(np.finfo(np.float64).eps)
"""Below it SciPy ignores a tolerance."""

POLISHING = 30
"""Gauss-Newton steps after an algorithm has converged, at most."""
NOISE = 1e-12
"""Relative differences of a sum of squares that may be rounding."""


@dataclass(frozen=True, eq=False)
class Fit:
    """What came of a fit.

    parameters: a Named of several, a bare number or array of one. rss: the sum of squared residuals there. deviation: the
    residual standard deviation s = √(rss / (m - n)) of m residuals and n parameters, NaN where m <= n. errors: the standard
    deviations of the parameters, in their form, the roots of the diagonal of s² (JᵀJ)⁻¹; NaN where m <= n or J is rank
    deficient. evaluations, jacobians: of the residuals and of the Jacobian. converged: whether the algorithm ended by a tolerance;
    message: how it ended, in SciPy's words.
    """

    parameters: Any
    rss: float
    deviation: float
    errors: Any
    evaluations: int
    jacobians: int
    converged: bool
    message: str


def fit(
    residuals: Any,
    start: Any,
    data: Mapping[str, Any] | None = None,
    *,
    method: str | Differentiator = DEFAULT_METHOD,
    engine: str | Engine = "auto",
    algorithm: str = "lm",
    tolerance: float = TOLERANCE,
    evaluations: int | None = None,
) -> Fit:
    """The parameters with the least sum of squared residuals, from a start, with the Jacobian by any method.

    residuals: a Problem, a Function, an expression, or text such as "b1*exp(-b2*x) - y"; its one output holds m numbers. start:
    the values of the n parameters by name, or the one value there is, or of a Problem the label of a point. data: the values of
    the other inputs; a Problem's own where none are given. engine: for both. algorithm: "lm" (MINPACK's Levenberg and Marquardt, needs m >= n),
    "trf" or "dogbox"; parameters are scaled by the Jacobian's columns. tolerance: relative, of the sum and of the parameters.
    evaluations: of the residuals by the algorithm, at most. Parameters and errors have the shapes and units of the start.
    Raises DiffCompareError for inputs without a value, an algorithm that is none and bounds that are no numbers, DomainError
    for data that are not finite and where the residuals or the Jacobian are not finite at the start.
    """
    if algorithm not in ALGORITHMS:
        raise DiffCompareError(f"fit: there is no algorithm {algorithm!r}; there are {', '.join(ALGORITHMS)}")
    if not EPSILON < tolerance < 1:
        raise DiffCompareError(f"fit: tolerance is a relative error between {EPSILON:.3g} and 1, got {tolerance!r}")
    if evaluations is not None and not evaluations >= 1:
        raise DiffCompareError(f"fit: evaluations is at least 1, or None for no limit, got {evaluations!r}")
    posed = _Posed(residuals, start, dict(data or {}), method, engine)
    posed.check(algorithm)
    from scipy.optimize import least_squares

    with np.errstate(all="ignore"):  # trial steps may leave the domain: the algorithm turns back
        found: Any = least_squares(
            posed.residuals,
            posed.start,
            jac=posed.jacobian,
            method=algorithm,  # type: ignore[arg-type]
            x_scale="jac",
            ftol=tolerance,
            xtol=tolerance,
            gtol=tolerance,
            max_nfev=evaluations,
        )
        x, values, jacobian = _polished(posed, found) if found.success else (found.x, found.fun, found.jac)
    rss, spare = float(values @ values), values.size - x.size
    deviation = float(np.sqrt(rss / spare)) if spare > 0 else float("nan")
    return Fit(
        parameters=posed.named(x),
        rss=rss,
        deviation=deviation,
        errors=posed.named(_standard_errors(jacobian, deviation)),
        evaluations=posed.evaluated,
        jacobians=posed.differentiated,
        converged=bool(found.success),
        message=str(found.message),
    )


def _polished(posed: _Posed, found: Any) -> tuple[Array, Array, Array]:
    """(parameters, residuals, Jacobian) after Gauss-Newton steps, as long as each is shorter than the one before.

    An algorithm that watches the sum of squares stops when the sum no longer changes: where the parameters are right to half
    of its digits. The steps -J⁺F are computed from J and F without that loss. Where they lead to a larger sum they are undone.
    """
    x, values, jacobian = found.x, found.fun, found.jac
    last = np.inf
    for _ in range(POLISHING):
        lengths = np.linalg.norm(jacobian, axis=0)
        if not np.all(np.isfinite(jacobian)) or not np.all(lengths > 0):
            break
        step = np.linalg.lstsq(jacobian / lengths, -values, rcond=None)[0] / lengths
        size = float(np.linalg.norm(step * lengths))
        if not size < last:
            break
        moved = posed.residuals(x + step)
        if not moved @ moved <= (1 + NOISE) * (values @ values):
            break
        x, values, last = x + step, moved, size
        jacobian = posed.jacobian(x)
    return x, values, jacobian


def _standard_errors(jacobian: Array, deviation: float) -> Array:
    """The deviation times √diag (JᵀJ)⁻¹, by singular values of J with columns of length 1."""
    m, n = jacobian.shape
    lengths = np.linalg.norm(jacobian, axis=0)
    if m <= n or not np.all(np.isfinite(jacobian)) or not np.all(lengths > 0):
        return np.full(n, np.nan)
    _, s, vt = np.linalg.svd(jacobian / lengths, full_matrices=False)
    if s[-1] <= np.finfo(float).eps * s[0]:
        return np.full(n, np.nan)
    return np.asarray(deviation * np.linalg.norm(vt / s[:, None], axis=0) / lengths)


class _Posed:
    """The question as a function of one vector: residuals and Jacobian as matrices, and how often they were asked for."""

    def __init__(self, residuals: Any, start: Any, data: dict[str, Any], method: str | Differentiator, engine: str | Engine) -> None:
        if isinstance(residuals, Problem) and isinstance(start, str):
            point = residuals.point(start)
            start, data = {n: point[n] for n in residuals.wrt}, {n: point[n] for n in residuals.data} | data
        function = _function(residuals, start, data)
        if not isinstance(start, Mapping):
            free = [n for n in function.names if n not in data]
            if len(free) != 1:
                raise DiffCompareError(f"fit: {function.name} has {len(free)} inputs without data: start is a dict of {', '.join(free)}")
            start = {free[0]: start}
        _account(function.name, function.names, start, data)
        self.function, self.data = function, data
        self.names = tuple(n for n in function.names if n in start)
        if not self.names:
            raise DiffCompareError(f"fit: {function.name} has no parameter: give start the value of at least one input")
        self.parts = {n: _numbers(n, start[n]) for n in self.names}
        self.start = np.concatenate([np.ravel(v) for v in self.parts.values()])
        self.value = prepare(function, "value", engine=engine, batch=False)
        self.slope = prepare(function, "jacobian", self.names, method=method, engine=engine, batch=False)
        self.evaluated = self.differentiated = 0

    def check(self, algorithm: str) -> None:
        """Refuse a start that no algorithm can leave."""
        m, n = self.function.output.size, self.start.size
        for name, given in self.data.items():
            if not np.all(np.isfinite(_numbers(name, given))):
                raise DomainError(f"fit: the data for {name} are not finite: leave those out")
        if algorithm == "lm" and m < n:
            raise DiffCompareError(f"fit: lm needs as many residuals as parameters, got {m} for {n}; take algorithm='trf'")
        with np.errstate(all="ignore"):
            values = {"residuals are": self.residuals(self.start), "Jacobian is": self.jacobian(self.start)}
        for what, value in values.items():
            if not np.all(np.isfinite(value)):
                raise DomainError(f"fit: {self.function.name}'s {what} not finite at the start {self.start.tolist()}")
        self.evaluated = self.differentiated = 0

    def residuals(self, x: Array) -> Array:
        self.evaluated += 1
        return np.ravel(self.value(**self._split(x), **self.data))

    def jacobian(self, x: Array) -> Array:
        self.differentiated += 1
        found = self.slope(**self._split(x), **self.data)
        blocks = found if isinstance(found, Named) else (found,)
        return np.concatenate([np.reshape(b, (self.function.output.size, -1)) for b in blocks], axis=1)

    def _split(self, x: Array) -> dict[str, Array]:
        values, start = {}, 0
        for name, part in self.parts.items():
            values[name] = np.reshape(x[start : start + part.size], part.shape)
            start += part.size
        return values

    def named(self, x: Array) -> Any:
        """A vector of the parameters in the form that derivatives with respect to them have."""
        return nested(self.names, (v if v.shape else float(v) for v in self._split(x).values()))


def _numbers(name: str, given: Any) -> Array:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise DiffCompareError(f"fit: {name} is a number or an array of them, got {given!r}") from None


def _function(residuals: Any, start: Any, data: Mapping[str, Any]) -> Function:
    """The residuals as a Function of one output; the inputs of a text have the shapes of their values."""
    if isinstance(residuals, str):
        values = {**data, **start} if isinstance(start, Mapping) else data
        shapes = {n: np.shape(values.get(n, 0.0 if isinstance(start, Mapping) else start)) for n in parse(residuals).names}
        function = parse(residuals, inputs=shapes)
    else:
        function = residuals.function if isinstance(residuals, Problem) else as_function(residuals)
    if len(function.outputs) != 1:
        raise DiffCompareError(f"fit: {function.name} has {len(function.outputs)} outputs: put the residuals into one array")
    return function


def _account(function: str, names: tuple[str, ...], start: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Refuse an input without a value, with two, or a value without an input."""
    for n in (*start, *data):
        if n not in names:
            raise DiffCompareError(f"fit: {function} has no input {n!r}; its inputs are {', '.join(names)}")
    for n in names:
        if (n in start) == (n in data):
            what = "both a start and data" if n in start else "neither a start nor data"
            raise DiffCompareError(f"fit: {function} has {what} for its input {n!r}")

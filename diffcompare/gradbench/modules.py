"""The modules of GradBench that are spoken, each a few functions: from the input of a message to a call to repeat.

A function is build(input, tool) -> Call; it raises DiffCompareError for an input that does not fit and for what the
tool's method or engine does not take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..differentiators.base import Operator
from ..dsl import Function, function, symbol
from ..dsl.composite import logsumexp, softmax
from ..errors import DomainError, ShapeError
from ..problems.bundle_adjustment import CAMERA, residual_function
from ..problems.clustering import kmeans_function
from ..problems.determinant import LARGEST, determinant_function
from ..problems.mixtures import gmm_function
from ..problems.polynomial_fit import llsq_function, vandermonde
from ..problems.runge_kutta import ode_function
from .inputs import Array, array, fits, integer, mapping, number, real
from .tool import Tool

ROOM = 2**21
"""Numbers in the largest intermediate array of k-means, 16 MiB: its points are taken in parts that keep to this."""
OBSERVATIONS = 4096
"""Observations of bundle adjustment in one call: they are independent, and a part of them stays in the cache."""
STEPS = 1000
"""Steps of ode that are unrolled into one graph."""


@dataclass(frozen=True)
class Call:
    """run(): what is timed. output(result): its JSON."""

    run: Callable[[], Any]
    output: Callable[[Any], Any]


Build = Callable[[Any, Tool], Call]


def _listed(result: Any) -> Any:
    """Numbers and arrays as JSON has them."""
    return np.asarray(result).tolist()


def _flat(result: Any) -> Any:
    """A number as it is, a matrix row after row."""
    values = np.asarray(result)
    return values.ravel().tolist() if values.ndim else values.item()


# --- hello: the square of a number, and its derivative ---


def _square() -> Function:
    x = symbol("x")
    return function([x], x * x, name="square", derivative=2 * x)


def _hello(operator: Operator, data: Any, tool: Tool) -> Call:
    return Call(partial(tool.prepared(_square, (), operator), number(data)), _listed)


# --- llsq, lse, det, ode: one array in ---


def _llsq(operator: Operator, data: Any, tool: Tool) -> Call:
    x, n = array(mapping(data), "x", None), integer(data, "n", 2)
    fits("the matrix of powers", n, len(x))
    powers, targets = vandermonde(n, len(x))
    prepared = tool.prepared(llsq_function, (n, len(x)), operator, "x")
    return Call(partial(prepared, x, powers, targets), _listed)


def _lse_function(n: int) -> Function:
    x = symbol("x", (n,))
    return function([x], logsumexp(x), name="lse", gradient=[softmax(x)])


def _lse(operator: Operator, data: Any, tool: Tool) -> Call:
    x = array(mapping(data), "x", None)
    return Call(partial(tool.prepared(_lse_function, x.shape, operator), x), _listed)


def _det(operator: Operator, data: Any, tool: Tool) -> Call:
    ell = integer(mapping(data), "ell", 1, LARGEST)
    matrix = array(data, "A", ell * ell).reshape(ell, ell)
    return Call(partial(tool.prepared(determinant_function, (ell,), operator), matrix), _flat)


def _ode(operator: Operator, data: Any, tool: Tool) -> Call:
    x, s = array(mapping(data), "x", None), integer(data, "s", 1, STEPS)
    fits("the stages of all steps", len(x), s, 12)
    of_last = operator is not Operator.VALUE
    return Call(partial(tool.prepared(ode_function, (len(x), s, of_last), operator), x), _listed)


# --- kmeans ---


class _Clusters:
    """Sums over the points, part after part."""

    def __init__(self, data: Any, tool: Tool) -> None:
        self.centroids = array(mapping(data), "centroids", None, None)
        k, d = self.centroids.shape
        points = array(data, "points", None, d)
        if not points.size or not k:
            raise ShapeError(f"points and centroids have entries, got shapes {points.shape} and {self.centroids.shape}")
        most = max(ROOM // (k * d), 1)
        self._parts = np.array_split(points, -(-len(points) // most))
        self._tool = tool

    def sum_of(self, operator: Operator, **direction: Array) -> Callable[[], Any]:
        """A call that adds up the operator over all points."""
        wrt = None if operator is Operator.VALUE else "centroids"
        calls = [
            partial(self._tool.prepared(kmeans_function, (len(p), *self.centroids.shape), operator, wrt), p, self.centroids, **direction)
            for p in self._parts
        ]
        return lambda: sum(call() for call in calls)


def _kmeans_cost(data: Any, tool: Tool) -> Call:
    return Call(_Clusters(data, tool).sum_of(Operator.VALUE), _listed)


def _kmeans_direction(data: Any, tool: Tool) -> Call:
    """Newton's step J / diag H; H is diagonal, so that its product with a vector of ones is the diagonal."""
    clusters = _Clusters(data, tool)
    gradient = clusters.sum_of(Operator.GRADIENT)
    curvature = clusters.sum_of(Operator.HVP, tangent=np.ones(clusters.centroids.shape))

    def output(parts: tuple[Array, Array]) -> Any:
        j, h = parts
        empty = np.flatnonzero(~np.any(h, axis=1))
        if empty.size:
            raise DomainError(f"centroid {empty[0]} is the nearest of no point: the Hessian is singular")
        return _listed(j / h)

    return Call(lambda: (gradient(), curvature()), output)


# --- gmm ---

MIXTURE = ("alpha", "mu", "q", "l")


def _gmm(operator: Operator, data: Any, tool: Tool) -> Call:
    d, k, n = (integer(mapping(data), name, 1) for name in ("d", "k", "n"))
    fits("the scaled distances", n, k, d)
    values = {
        "alpha": array(data, "alpha", k),
        "mu": array(data, "mu", k, d),
        "q": array(data, "q", k, d),
        "l": array(data, "l", k, d * (d - 1) // 2),
        "x": array(data, "x", n, d),
        "gamma": real(data, "gamma"),
        "m": real(data, "m"),
    }
    prepared = tool.prepared(gmm_function, (d, k, n), operator, None if operator is Operator.VALUE else MIXTURE)
    output = _listed if operator is Operator.VALUE else lambda r: {name: r[name].tolist() for name in MIXTURE}
    return Call(partial(prepared, **values), output)


# --- ba ---


class _Observations:
    """The p observations in parts: each a camera, a point and a weight of its own, all with the same numbers."""

    def __init__(self, data: Any) -> None:
        self.n, self.m, self.p = (integer(mapping(data), name, 1) for name in ("n", "m", "p"))
        fits("the Jacobian", self.p, 2 * (CAMERA + 4) + 1)
        one = [array(data, "cam", CAMERA), array(data, "x", 3), np.array(real(data, "w")), array(data, "feat", 2)]
        sizes = [min(OBSERVATIONS, self.p - start) for start in range(0, self.p, OBSERVATIONS)]
        self._parts = [[np.repeat(v[None], size, axis=0) for v in one] for size in sorted(set(sizes), reverse=True)]
        self._order = [0 if size == sizes[0] else 1 for size in sizes]

    def each(self, prepared: Callable[..., Any]) -> list[Any]:
        """The results, part after part."""
        return [prepared(*self._parts[k]) for k in self._order]


def _ba_objective(data: Any, tool: Tool) -> Call:
    observations = _Observations(data)
    prepared = tool.prepared(residual_function)

    def output(residuals: Array) -> Any:
        return {
            "reproj_error": {"elements": residuals[0, :2].tolist(), "repeated": len(residuals)},
            "w_err": {"element": float(residuals[0, 2]), "repeated": len(residuals)},
        }

    return Call(lambda: np.concatenate(observations.each(prepared)), output)


def _ba_jacobian(data: Any, tool: Tool) -> Call:
    """The sparse Jacobian by rows: two rows of 15 for each observation, then one entry for each weight."""
    observations = _Observations(data)
    prepared = tool.prepared(residual_function, (), Operator.JACOBIAN, ("cam", "x", "w"))

    def run() -> tuple[Array, Array]:
        jacobians = observations.each(prepared)
        projections = [np.concatenate([j.cam[:, :2], j.x[:, :2], j.w[:, :2, None]], axis=2).ravel() for j in jacobians]
        return np.concatenate(projections), np.concatenate([j.w[:, 2] for j in jacobians])

    return Call(run, partial(_sparse, observations.n, observations.m, observations.p))


def _sparse(n: int, m: int, p: int, values: tuple[Array, Array]) -> Any:
    """What GradBench compares: the first 30 entries of row starts, columns and values, and the last of each."""
    width = CAMERA + 4
    starts = np.concatenate([width * np.arange(2 * p), 2 * p * width + np.arange(p + 1)])
    columns = [*range(CAMERA), *range(CAMERA * n, CAMERA * n + 3), CAMERA * n + 3 * m]
    projections, weights = values
    return {
        "rows": [*starts[: 2 * width].tolist(), int(starts[-1])],
        "cols": [*columns, *columns, CAMERA * n + 3 * m + p - 1],
        "vals": [*projections[: 2 * width].tolist(), float(weights[-1])],
    }


# --- all of them ---

MODULES: Mapping[str, Mapping[str, Build]] = {
    "hello": {"square": partial(_hello, Operator.VALUE), "double": partial(_hello, Operator.DERIVATIVE)},
    "llsq": {"primal": partial(_llsq, Operator.VALUE), "gradient": partial(_llsq, Operator.GRADIENT)},
    "lse": {"primal": partial(_lse, Operator.VALUE), "gradient": partial(_lse, Operator.GRADIENT)},
    "det": {"primal": partial(_det, Operator.VALUE), "gradient": partial(_det, Operator.GRADIENT)},
    "ode": {"primal": partial(_ode, Operator.VALUE), "gradient": partial(_ode, Operator.GRADIENT)},
    "kmeans": {"cost": _kmeans_cost, "dir": _kmeans_direction},
    "gmm": {"objective": partial(_gmm, Operator.VALUE), "jacobian": partial(_gmm, Operator.GRADIENT)},
    "ba": {"objective": _ba_objective, "jacobian": _ba_jacobian},
}

"""How honest differences are: their error against the estimate they give of it, on functions that mislead methods, ours and others'."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np

from ..differentiate import derivative, find_engine, value
from ..differentiators.adaptive import AdaptiveDifference
from ..differentiators.base import Differentiator
from ..differentiators.finite_difference import FiniteDifference
from ..dsl import symbols
from ..dsl.elementary import exp, log, sin
from ..dsl.function import Function, function
from ..engines.base import Array, Compiled, Engine
from ..errors import DiffCompareError, Unsupported
from ..reference import Reference
from .environment import Environment, environment

EPSILON = float(np.finfo(np.float64).eps)
ALLOWED = 4 * EPSILON
"""Relative: an estimate need not count the rounding of the result itself."""
LIBRARIES = ("numdifftools", "scipy")
x = symbols("x y")[0]


# --- the functions ---


@dataclass(frozen=True)
class Family:
    """A function of x and how its points are drawn, with both in words."""

    name: str
    formula: Any
    points: Callable[[np.random.Generator, int], Array]
    where: str


def _logistic(steps: int) -> Any:
    """The map t -> 4 t (1 - t) applied so many times: sin²(2^steps θ) for x = sin² θ, with 2^steps periods."""
    result: Any = x
    for _ in range(steps):
        result = 4.0 * result * (1.0 - result)
    return result


def _uniform(low: float, high: float) -> Callable[[np.random.Generator, int], Array]:
    return lambda rng, n: rng.uniform(low, high, n)


def _decades(low: float, high: float) -> Callable[[np.random.Generator, int], Array]:
    return lambda rng, n: np.asarray(10 ** rng.uniform(low, high, n))


FAMILIES = (
    Family("e^x", exp(x), _uniform(-2, 2), "uniform on [-2, 2]"),
    Family("sin 100x", sin(100.0 * x), _uniform(-2, 2), "uniform on [-2, 2]"),
    Family("log", log(x), _decades(-4, 1), "log-uniform on [1e-4, 10]"),
    Family("1/x", 1.0 / x, _decades(-6, -2), "log-uniform on [1e-6, 1e-2]"),
    Family("logistic", _logistic(8), _uniform(0, 1), "the map applied 8 times, uniform on [0, 1]"),
    Family("x^3", x**3, _decades(0, 12), "log-uniform on [1, 1e12]"),
    Family("sin far out", sin(x), _decades(3, 8), "log-uniform on [1e3, 1e8]"),
    Family("log(1 + e^x)", log(1.0 + exp(x)), _uniform(-25, -5), "uniform on [-25, -5]"),
    Family("small part", 1e3 + 1e-6 * sin(x), _uniform(-2, 2), "1000 + 1e-6 sin x, uniform on [-2, 2]"),
)


# --- who is asked ---


class Answer(NamedTuple):
    """Derivatives, what the method says of their errors (None: nothing), evaluations of the function for each point."""

    value: Array
    error: Array | None
    evaluations: float


@dataclass(frozen=True)
class Contestant:
    """A method: `answer` raises Unsupported where its library is not installed. ours: of this package."""

    name: str
    answer: Callable[[Function, Array], Answer]
    ours: bool


class Counting(Engine):
    """The numpy engine, counting the points at which it evaluates."""

    name = "numpy"

    def __init__(self) -> None:
        self.points = 0

    def compile(self, function: Function, precision: str = "float64") -> Compiled:
        return Counted(self, find_engine("numpy", function).compile(function, precision))


class Counted(Compiled):
    """What the counting engine makes of a function of one number."""

    def __init__(self, engine: Counting, compiled: Compiled) -> None:
        self._engine, self._compiled = engine, compiled
        self.function, self.source = compiled.function, compiled.source

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        self._engine.points += np.size(values[0])
        return self._compiled(values)


def _method(method: str | Differentiator, ours: bool, estimates: bool = True) -> Contestant:
    """A method by its own name, with the estimate that it gives."""

    def answer(f: Function, at: Array) -> Answer:
        engine = Counting()
        d = derivative(f, method=method, engine=engine)
        engine.points = 0  # some try the function while they prepare
        if not estimates:
            return Answer(d(at), None, _each(engine, at))
        found = d.estimate(at)
        return Answer(np.asarray(found.value), np.asarray(found.error), _each(engine, at))

    return Contestant(method if isinstance(method, str) else method.name, answer, ours)


def _each(engine: Counting, at: Array) -> float:
    return engine.points / max(at.size, 1)


def _scipy_relative(f: Function, at: Array) -> Answer:
    """scipy.differentiate told the scale of x, as its documentation advises."""
    try:
        from scipy.differentiate import derivative as differentiate
    except ImportError as error:
        raise Unsupported("scipy.differentiate is not installed: it came with SciPy 1.15") from error
    engine = Counting()
    found = differentiate(value(f, engine=engine), at, initial_step=0.1 * np.abs(at))
    return Answer(np.asarray(found.df), np.asarray(found.error), _each(engine, at))


CONTESTANTS = (
    _method("fd.adaptive", ours=True),
    _method(AdaptiveDifference("estimate"), ours=True),
    _method("fd.central", ours=True, estimates=False),
    _method(FiniteDifference("central", noise="estimate"), ours=True, estimates=False),
    _method("peer.numdifftools", ours=False),
    _method("peer.scipy.differentiate", ours=False),
    Contestant("peer.scipy.differentiate(initial_step=0.1|x|)", _scipy_relative, ours=False),
)


# --- the judgement ---


@dataclass(frozen=True)
class Row:
    """One method on one family.

    median, p95: of the relative error, infinite where there is no value. honest: the share of points whose error is at most
    the estimate (+ 4ε of the truth), or where the method claims nothing (no finite estimate); None where it never claims.
    claimed: the share with a finite estimate. estimate: its median, relative. evaluations: of the function, for each point.
    status: "ok", or why there is no answer; then the figures are None.
    """

    family: str
    method: str
    ours: bool
    status: str
    points: int
    median: float | None = None
    p95: float | None = None
    honest: float | None = None
    claimed: float | None = None
    estimate: float | None = None
    evaluations: float | None = None


@dataclass(frozen=True)
class Honesty:
    """The rows, and where they come from."""

    rows: list[Row]
    environment: Environment
    libraries: str
    seeds: tuple[int, ...]
    points: int

    def row(self, family: str, method: str) -> Row:
        """The row of a method on a family; raises DiffCompareError if there is none."""
        for r in self.rows:
            if (r.family, r.method) == (family, method):
                return r
        raise DiffCompareError(f"{method} was not measured on {family}")

    def best_peer(self, family: str) -> float:
        """The least median error of other people's methods; infinite where none is installed."""
        return min((r.median for r in self.rows if r.family == family and not r.ours and r.median is not None), default=math.inf)


def honesty(seeds: Sequence[int] = (0, 1, 2), points: int = 400, families: Sequence[Family] = FAMILIES) -> Honesty:
    """Every contestant on every family, at `points` points drawn with each seed, against certified truth."""
    rows = []
    for family in families:
        f = function([x], family.formula)
        at = np.concatenate([family.points(np.random.default_rng(seed), points) for seed in seeds])
        truth = certified(f, at)
        rows += [_row(family, contestant, f, at, truth) for contestant in CONTESTANTS]
    libraries = " ".join(f"{name}={_version(name)}" for name in LIBRARIES)
    return Honesty(rows, environment(), libraries, tuple(seeds), points)


def certified(f: Function, at: Array) -> Array:
    """The derivative at each point, rounded to nearest; raises DiffCompareError where it cannot be certified."""
    reference, result = Reference(f), np.empty(at.shape)
    for k, point in enumerate(at):
        found = reference.certify("derivative", {"x": point})
        if not found.ok:
            raise DiffCompareError(f"the derivative of {f.name} at {float(point).hex()} is not certified: {found.status[0]}")
        result[k] = found.values[0]
    return result


def _row(family: Family, contestant: Contestant, f: Function, at: Array, truth: Array) -> Row:
    try:
        with np.errstate(all="ignore"):
            answer = contestant.answer(f, at)
    except Unsupported as reason:
        return Row(family.name, contestant.name, contestant.ours, str(reason), at.size)
    with np.errstate(all="ignore"):
        figures = _figures(answer, truth)
    return Row(family.name, contestant.name, contestant.ours, "ok", at.size, **figures, evaluations=answer.evaluations)


def _figures(answer: Answer, truth: Array) -> dict[str, float | None]:
    error, size = np.abs(answer.value - truth), np.abs(truth)
    relative = np.where(np.isfinite(error), error / size, np.inf)
    median, p95 = (float(np.quantile(relative, q, method="higher")) for q in (0.5, 0.95))
    if answer.error is None:
        return {"median": median, "p95": p95}
    claims = np.isfinite(answer.error)
    honest = (error <= answer.error + ALLOWED * size) | ~claims
    estimate = float(np.quantile(np.where(claims, answer.error / size, np.inf), 0.5, method="higher"))
    return {"median": median, "p95": p95, "honest": float(honest.mean()), "claimed": float(claims.mean()), "estimate": estimate}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def fields() -> list[str]:
    """The columns of a table of rows."""
    return [f.name for f in dataclasses.fields(Row)]

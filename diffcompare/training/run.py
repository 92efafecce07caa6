"""train: one model, the same start and the same batches, fitted with the derivatives of each method on each engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..differentiate import find_engine, find_method, prepare
from ..differentiators.base import Derivative, Differentiator
from ..dsl.function import Function
from ..engines.base import Engine
from ..errors import DiffCompareError, TooLarge, Unsupported
from ..measure.choice import chosen_engines, chosen_methods
from ..problem import Array
from ..problems.model import Model
from .optimisers import DENSE, Objective, Optimiser, find_optimiser, minimise, stepper
from .result import Record, Run, Training
from .subject import Parameters, batches, find_model

METHODS = ("manual", "ad.reverse", "ad.forward", "fd.central", "fd.forward")
"""One or two of each family, where none is named; symbolic with them on up to WRITTEN_OUT."""
WRITTEN_OUT = 1000
"""Samples times parameters up to which SymPy, for which each entry is an expression of its own, prepares in a few seconds."""
RECORDED = 200
"""Steps of a run that are recorded at most, evenly spread."""
RUNAWAY = 1e4
"""A loss of so many times that of the start, and 1, has diverged."""


@dataclass(frozen=True)
class Setting:
    """How one run is made. batch: samples a step."""

    method: Differentiator
    engine: Engine
    optimiser: Optimiser
    rate: float | None
    batch: int
    steps: int
    precision: str
    seed: int
    timeout: float


class _Stopped(Exception):
    """A run ended before its steps: (status, why)."""


def train(
    problem: Model | str,
    *,
    optimizer: str | Sequence[str] = "adam",
    methods: str | Differentiator | Sequence[str | Differentiator] | None = None,
    engines: str | Engine | Sequence[str | Engine] = "numpy",
    batch_size: int | Sequence[int | None] | None = None,
    steps: int = 100,
    learning_rate: float | None = None,
    precision: str = "float64",
    seed: int = 0,
    timeout: float = 60.0,
    progress: Callable[[str, int], None] | None = None,
) -> Training:
    """Train a model with each method's derivatives: loss against steps and seconds, distance between trajectories, accuracy.

    problem: a Model or its name. optimizer: gd, momentum, adam, newton or lbfgs.
    learning_rate: of the first three, by default 0.1, 0.03 and 0.05. methods, engines: names, patterns or objects.
    batch_size: samples a step, None for all of them. Several optimizers and batch sizes make a run of each. precision: that
    of the derivatives; parameters, and the losses that are recorded, are float64. seed: of the order of samples, the same
    for all methods. timeout: seconds for each run. progress: called with a run's title and each step.

    A run that cannot be made, diverges or never moves says so in its status. Raises DiffCompareError for a question that
    cannot be asked.
    """
    model = find_model(problem)
    settings = [
        Setting(m, e, o, learning_rate if o.rate is not None and learning_rate is not None else o.rate, b, steps, precision, seed, timeout)
        for o in _optimisers(optimizer)
        for b in _batch_sizes(batch_size, model, o)
        for m in chosen_methods(_usual_methods(model) if methods is None else methods)
        for e in chosen_engines(engines, model.function)
    ]
    for s in settings:
        _check(s)
    bowl = _Loss(model)
    baselines: dict[tuple[str, int], list[Record]] = {}
    runs: list[Run] = []
    for s in settings:
        group = (s.optimiser.name, s.batch)
        if group not in baselines:
            baselines[group] = _records(bowl, _baseline(s))
        runs.append(_run(bowl, s, baselines[group], progress))
    return Training(model, runs)


# --- the question, checked ---


def _usual_methods(model: Model) -> tuple[str, ...]:
    size = len(model.points[0]["X"]) * sum(model.function.input(n).size for n in model.wrt)
    return (*METHODS, "symbolic") if size <= WRITTEN_OUT else METHODS


def _optimisers(named: str | Sequence[str]) -> list[Optimiser]:
    listed = [named] if isinstance(named, str) else list(named)
    if not listed:
        raise DiffCompareError("no optimizer is named: name one, such as adam")
    return [find_optimiser(n) for n in dict.fromkeys(listed)]


def _batch_sizes(given: int | Sequence[int | None] | None, model: Model, optimiser: Optimiser) -> list[int]:
    samples = len(model.points[0]["X"])
    sizes = [given] if given is None or isinstance(given, int | np.integer) else list(given)
    for n in sizes:
        if n is not None and not 1 <= n <= samples:
            raise DiffCompareError(f"a batch of {model.name} has 1 to {samples} samples, got batch size {n}")
        if n is not None and n < samples and optimiser.rate is None:
            raise DiffCompareError(
                f"{optimiser.name} compares losses of one and the same sample: it takes all {samples} samples a step, got batch size {n}"
            )
    return list(dict.fromkeys(samples if n is None else int(n) for n in sizes))


def _check(setting: Setting) -> None:
    rate, name = setting.rate, setting.optimiser.name
    if setting.steps < 1:
        raise DiffCompareError(f"training takes at least one step, got steps={setting.steps}")
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise DiffCompareError(f"a learning rate is a positive number, got {rate}")
    if setting.precision not in ("float64", "float32"):
        raise DiffCompareError(f"a precision is float64 or float32, got {setting.precision!r}")
    if not setting.timeout > 0:
        raise DiffCompareError(f"a run takes a positive number of seconds, got timeout={setting.timeout}")
    if rate is not None:
        stepper(name, rate)  # raises where its library is not installed


def _baseline(setting: Setting) -> Setting:
    """The same by ad.reverse in float64: what trajectories are compared with."""
    method = find_method("ad.reverse")
    function = Function("none", (), (), False)
    return Setting(**{**vars(setting), "method": method, "engine": find_engine("numpy", function), "precision": "float64"})


# --- one run ---


class _Loss:
    """The loss of all training samples in float64, by which every run is judged alike, and the model's scores."""

    def __init__(self, model: Model) -> None:
        assert model.loss is not None and model.scores is not None and model.training is not None and model.held_back is not None
        self.model, self.training, self.held_back = model, model.training, model.held_back
        self.loss, self.scores = model.loss, model.scores
        self.parameters = Parameters(model)
        self._value = prepare(model.function, "value", engine="numpy")
        self._scores = prepare(self.scores(len(self.held_back)), "value", engine="numpy")

    def __call__(self, position: Array) -> float:
        return float(self._value(X=self.training.X, y=self.training.y, **self.parameters.parts(position)))

    def quality(self, position: Array) -> float:
        """How good the scores of the samples held back are."""
        scores = self._scores(X=self.held_back.X, **self.parameters.parts(position))
        return self.model.judge(np.asarray(scores), self.held_back.y)


class _Derivatives:
    """A method's derivatives at flat positions, their seconds counted."""

    def __init__(self, bowl: _Loss, setting: Setting) -> None:
        self.bowl, self.setting = bowl, setting
        self.function = bowl.loss(setting.batch)
        self.seconds = 0.0
        started = time.perf_counter()
        self._gradient = self._prepared("gradient")
        if setting.optimiser.rate is None:
            self._value = self._prepared("value")
        self.second: Derivative | None = None
        if setting.optimiser.name == "newton":
            self.second = self._prepared("hessian" if len(bowl.parameters.start) <= DENSE else "hvp")
        self.prepare_s = time.perf_counter() - started

    def _prepared(self, operator: str) -> Derivative:
        s = self.setting
        wrt = None if operator == "value" else self.bowl.model.wrt
        return prepare(self.function, operator, wrt, method=s.method, engine=s.engine, precision=s.precision)

    def _call(self, derivative: Derivative, position: Array, rows: Any, **named: Any) -> Any:
        batch, parts = (
            self.bowl.training.rows(rows) if not isinstance(rows, slice) else self.bowl.training,
            self.bowl.parameters.parts(position),
        )
        started = time.perf_counter()
        result = derivative(X=batch.X, y=batch.y, **parts, **named)
        self.seconds += time.perf_counter() - started
        return result

    def gradient(self, position: Array, rows: Any = slice(None)) -> Array:
        return self.bowl.parameters.flat(self._call(self._gradient, position, rows))

    def value(self, position: Array) -> float:
        return float(self._call(self._value, position, slice(None)))

    def hessian(self, position: Array) -> Array:
        assert self.second is not None
        return self.bowl.parameters.square(self._call(self.second, position, slice(None)))

    def product(self, position: Array, along: Array) -> Array:
        assert self.second is not None
        tangent = self.bowl.parameters.parts(along)
        parts = tangent if len(tangent) > 1 else next(iter(tangent.values()))
        return self.bowl.parameters.flat(self._call(self.second, position, slice(None), tangent=parts))


class _Watch:
    """What is recorded of a run, and when it ends before its time."""

    def __init__(self, bowl: _Loss, setting: Setting, derivatives: _Derivatives, report: Callable[[int], None]) -> None:
        self.bowl, self.setting, self.derivatives, self.report = bowl, setting, derivatives, report
        self.stride = -(-setting.steps // RECORDED)
        self.deadline = time.perf_counter() + setting.timeout
        self.records: list[Record] = []
        self.step = 0
        self.seen(bowl.parameters.start, 0)

    def seen(self, position: Array, step: int) -> None:
        """Record the step where it is its turn. Raises _Stopped for a loss that has run away, or when time is up."""
        self.step, self.position = step, position
        self.report(step)
        finite = bool(np.all(np.isfinite(position)))
        if finite and step % self.stride and step != self.setting.steps and time.perf_counter() < self.deadline:
            return
        loss = self.bowl(position) if finite else float("nan")
        self.records.append(Record(step, self.derivatives.seconds, loss, position))
        first = abs(self.records[0].loss)
        if not np.isfinite(loss) or loss > RUNAWAY * max(first, 1.0):
            raise _Stopped("diverged", f"the loss is {loss:.3g} after {step} steps")
        if time.perf_counter() >= self.deadline:
            raise _Stopped("timeout", f"{step} of {self.setting.steps} steps in {self.setting.timeout:g} s")

    def finish(self) -> None:
        """Record where the run ended, if that step had not its turn."""
        if self.records[-1].step != self.step:
            self.stride = 1
            self.seen(self.position, self.step)


def _records(bowl: _Loss, setting: Setting) -> list[Record]:
    """What the baseline recorded, as far as it came."""
    watch, _, _ = _made(bowl, setting, lambda step: None)
    return [] if watch is None else watch.records


def _run(bowl: _Loss, s: Setting, baseline: list[Record], progress: Callable[[str, int], None] | None) -> Run:
    title = f"{s.optimiser.name}, batches of {s.batch}: {s.method.name} on {s.engine.name}"
    watch, status, message = _made(bowl, s, lambda step: progress(title, step) if progress else None)
    records = [] if watch is None else watch.records
    known = {r.step: r.position for r in baseline}
    for r in records:
        apart = known.get(r.step)
        r.distance = None if apart is None else float(np.linalg.norm(r.position - apart))
    last = records[-1].position if records else None
    return Run(
        problem=bowl.model.name,
        optimizer=s.optimiser.name,
        batch_size=s.batch,
        method=s.method.name,
        family=s.method.family,
        engine=s.engine.name,
        precision=s.precision,
        learning_rate=s.rate,
        seed=s.seed,
        samples=len(bowl.training),
        parameters=len(bowl.parameters.start),
        status=status,
        message=message,
        prepare_s=None if watch is None else watch.derivatives.prepare_s,
        steps=0 if watch is None else watch.step,
        quality=None if last is None or not np.all(np.isfinite(last)) else bowl.quality(last),
        measured_as=bowl.model.measured_as,
        records=records,
    )


def _made(bowl: _Loss, setting: Setting, report: Callable[[int], None]) -> tuple[_Watch | None, str, str]:
    """(the watch, None where nothing could be prepared; status; message)."""
    watch = None
    try:
        with np.errstate(all="ignore"):  # a loss that runs away overflows, which is its status and no warning
            derivatives = _Derivatives(bowl, setting)
            watch = _Watch(bowl, setting, derivatives, report)
            message = _steps(setting, derivatives, watch)
    except TooLarge as reason:
        return watch, "too_large", str(reason)
    except Unsupported as reason:
        return watch, "unsupported", str(reason)
    except _Stopped as stopped:
        return watch, *stopped.args
    except Exception as fault:  # other people's methods may raise anything; it is the status of their run
        return watch, "failed", f"{type(fault).__name__}: {fault}"
    if watch.step == 0 or all(np.array_equal(r.position, watch.records[0].position) for r in watch.records):
        return watch, "stuck", f"the parameters never moved: {message or 'every gradient is 0'}"
    return watch, "ok", message


def _steps(setting: Setting, derivatives: _Derivatives, watch: _Watch) -> str:
    """All steps of the run; what is to be said of its end."""
    o, start = setting.optimiser, derivatives.bowl.parameters.start
    if o.rate is not None:
        assert setting.rate is not None
        _descend(stepper(o.name, setting.rate), start, setting, derivatives, watch)
        return ""
    dense = derivatives.second is not None and derivatives.second.operator == "hessian"
    objective = Objective(
        derivatives.value,
        derivatives.gradient,
        hessian=derivatives.hessian if dense else None,
        product=derivatives.product if derivatives.second is not None and not dense else None,
    )
    counted: Iterator[int] = iter(range(1, setting.steps + 1))
    converged, message = minimise(o.name, objective, start, setting.steps, lambda x: watch.seen(x, next(counted)))
    watch.finish()
    if converged:
        return f"converged after {watch.step} steps"
    return "" if watch.step == setting.steps else f"ended after {watch.step} steps: {message}"


def _descend(step: Callable[[Array, Array], Array], start: Array, setting: Setting, derivatives: _Derivatives, watch: _Watch) -> None:
    position = start
    for k, rows in zip(range(1, setting.steps + 1), batches(len(derivatives.bowl.training), setting.batch, setting.seed), strict=False):
        position = step(position, derivatives.gradient(position, rows))
        watch.seen(position, k)

"""Every planted fault gets its own status, and stops nothing: the honest method beside it is still measured."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cloudpickle
import numpy as np
import pytest

from diffcompare.differentiate import engines
from diffcompare.differentiators.autodiff import reverse
from diffcompare.differentiators.base import Differentiator, Request, Runner
from diffcompare.dsl import function, symbol, symbols
from diffcompare.dsl.elementary import exp, sin
from diffcompare.dsl.structural import stack
from diffcompare.engines.base import Engine
from diffcompare.measure.cell import Question, directions
from diffcompare.measure.record import Measurement
from diffcompare.measure.run import Job, Limits, Session
from diffcompare.transforms.cost import Cost

Blocks = list[Any]

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the worker cannot import a test


class Faulty(Runner):
    """Right answers by ad.reverse, then the fault."""

    def __init__(self, right: Runner, fault: Callable[[Blocks], Blocks]) -> None:
        self.right, self.fault = right, fault
        self.function = right.function

    @property
    def cost(self) -> Cost | None:
        return self.right.cost

    def __call__(self, values: Sequence[Any], given: Sequence[Any]) -> Blocks:
        return self.fault(self.right(values, given))


def planted(name: str, fault: Callable[[Blocks], Blocks]) -> Differentiator:
    """A method that differentiates right and then does something wrong."""

    class Planted(Differentiator):
        family = "ad"

        def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Runner:
            return Faulty(reverse.runner(request, engine, precision, memory), fault)

    Planted.name = name
    return Planted()


def hang(blocks: Blocks) -> Blocks:
    time.sleep(60)
    return blocks


def crash(blocks: Blocks) -> Blocks:
    sys.stderr.write("about to leave\n")
    sys.stderr.flush()
    os._exit(3)


def eat(blocks: Blocks) -> Blocks:
    eaten = []
    while True:
        eaten.append(np.empty(2**24))


def chatter(blocks: Blocks) -> Blocks:
    sys.stdout.write(f"user code prints, and reads {sys.stdin.read()!r}")
    sys.stdout.flush()
    os.write(1, b"\x00\x00\x00\x00garbage")
    return blocks


def refuse(blocks: Blocks) -> Blocks:
    raise KeyError("no such thing")


def leave(blocks: Blocks) -> Blocks:
    raise SystemExit(0)


FAULTS = {
    "hanging": (hang, "timeout", "no answer within 2 s"),
    "crashing": (crash, "failed", "exit code 3; its last words: about to leave"),
    "eating": (eat, "too_large", "needs more than 0.5 GiB of memory"),
    "raising": (refuse, "failed", "when it was called: KeyError: 'no such thing'"),
    "leaving": (leave, "failed", "SystemExit"),
    "nan": (lambda b: [np.full_like(x, np.nan) for x in b], "nan", "nan in 4 of 4 entries"),
    "zero": (lambda b: [np.zeros_like(x) for x in b], "inaccurate", "is 0.0, the truth is"),
    "transposed": (lambda b: [np.asarray(x).T for x in b], "inaccurate", "times the error allowed"),
    "wrong by 1e-9": (lambda b: [x * (1 + 1e-9) for x in b], "inaccurate", "relatively 1e-09"),
    "negated": (lambda b: [-x for x in b], "inaccurate", "relatively 2"),
    "one entry dropped": (lambda b: [np.where(np.arange(4).reshape(2, 2) == 2, 0.0, x) for x in b], "inaccurate", "entry 2 is 0.0"),
    "misshapen": (lambda b: [x[:1, :1].reshape(()) * np.ones(3) for x in b], "failed", "ValueError"),
    "printing": (chatter, "ok", ""),
    "honest": (lambda b: b, "ok", ""),
}


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Measurement]]:
    """One run over all faults, in one session, with the Jacobian of a map from the plane to itself."""
    x = symbol("x", shape=(2,))
    f = function([x], stack([sin(x[0]) * x[1], exp(x[0]) + 3 * x[1]]), name="plane")
    question = Question(f, "jacobian", ("x",), ({"x": np.array([0.7, 1.3])},))
    methods = tuple(planted(name, fault) for name, (fault, _, _) in FAULTS.items())
    job = Job("plane", question, methods, (engines()["numpy"],), ("start",), ("",))
    with Session(memory=2**29) as session:
        yield {m.method: m for m in session.run([job], Limits(timeout_s=2.0, timing_s=0.001))}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_gets_its_status(found: dict[str, Measurement], name: str) -> None:
    _, status, message = FAULTS[name]
    assert (found[name].status, message in found[name].message) == (status, True), found[name].message


def test_what_was_measured_before_the_fault_is_kept(found: dict[str, Measurement]) -> None:
    assert found["hanging"].derive_s is not None
    assert found["hanging"].operations == found["honest"].operations
    assert found["hanging"].first_call_s is None
    assert found["honest"].call_s is not None


def test_a_wrong_answer_is_recorded_with_the_bound_it_broke(found: dict[str, Measurement]) -> None:
    m = found["wrong by 1e-9"]
    assert m.error_rel == pytest.approx(1e-9, rel=1e-3)
    assert m.bound_rel is not None
    assert m.bound_rel < 1e-13
    assert m.error_over_bound is not None
    assert m.error_over_bound > 1e4


def test_wrong_by_a_billionth_is_caught_for_every_operator() -> None:
    x, y = symbols("x y")
    f = function([x, y], sin(x) * exp(y), name="wave")
    wrong, numpy = planted("wrong", lambda b: [v * (1 + 1e-9) for v in b]), engines()["numpy"]

    def job(operator: str) -> Job:
        q = Question(f, operator, ("x", "y"), ({"x": 0.7, "y": 0.3},), directions=directions(f, operator, ("x", "y")))
        return Job("wave", q, (reverse, wrong), (numpy,), ("start",), ("",))

    operators = ["value", "gradient", "jacobian", "hessian", "jvp", "vjp", "hvp", "value_and_gradient"]
    with Session() as session:
        found = [(m.operator, m.method, m.status) for m in session.run([job(o) for o in operators], Limits(timing_s=0))]
    assert found == [(o, m, s) for o in operators for m, s in (("ad.reverse", "ok"), ("wrong", "inaccurate"))]


def test_the_truth_that_takes_too_long_leaves_answers_unjudged() -> None:
    x = symbol("x", shape=(3000,))
    f = function([x], exp(sin(x)).sum(), name="long")
    q = Question(f, "gradient", ("x",), ({"x": np.linspace(0, 1, 3000)},))
    with Session() as session:
        (m,) = session.run([Job("long", q, (reverse,), (engines()["numpy"],), ("start",), ("",))], Limits(timing_s=0, truth_s=0.2))
    assert m.status == "unjudged"
    assert m.message == "certifying took longer than 0.2 s"
    assert m.value_size == 3000

"""Tapes: what they compute is, node for node, what the graph's transforms give."""

from __future__ import annotations

import pickle
import random
from functools import reduce
from operator import add

import numpy as np
import pytest

from diffcompare.differentiate import gradient, prepare
from diffcompare.differentiators.autodiff import ONE, forward_sweep, reverse_sweep
from diffcompare.dsl import function, symbols
from diffcompare.dsl.arithmetic import sqrt, where
from diffcompare.dsl.constants import constant
from diffcompare.dsl.core import PRIMITIVES, Expr, fresh
from diffcompare.dsl.elementary import cos, exp, log, sin, tanh
from diffcompare.dsl.elementwise import Elementwise
from diffcompare.dsl.function import Function
from diffcompare.dsl.walk import postorder
from diffcompare.problem import Problem, library
from diffcompare.transforms.lower import lower
from diffcompare.transforms.scalarize import scalarize
from diffcompare.transforms.tape import forward, reverse
from diffcompare.transforms.tape.form import Tape, Taped, expressions, tape_of
from diffcompare.transforms.tape.lower import lowered
from diffcompare.transforms.tape.reverse import gradient_of
from diffcompare.transforms.tape.share import needed, shared

x, y, z = symbols("x y z")
FUNCTIONS = [p for p in PRIMITIVES.values() if isinstance(p, Elementwise) and not p.takes_bool]
STAYING = {"where", "named", "label"}
"""What stays with the graph."""


def plain_problems() -> list[Problem]:
    found = [p for p in library().values() if isinstance(p, Problem) and len(p.function.outputs) == 1]
    return [
        p
        for p in found
        if not p.function.output.shape
        and len(p.function.order) <= 500
        and not STAYING & {n.primitive.name for n in postorder(lower([p.function.output]))}
    ]


def taped(f: Function) -> Tape:
    made = tape_of(f)
    assert made is not None
    return made


def operations(outputs: list[Expr]) -> int:
    return sum(1 for node in postorder(outputs) if node.args)


def assert_same(found: list[Expr], expected: list[Expr]) -> None:
    assert len(found) == len(expected) and all(a is b for a, b in zip(found, expected, strict=True))


def assert_same_gradient(f: Function, wrt: list[int], spare: int) -> None:
    """spare: how many operations the tape may have beyond the graph's."""
    made = reverse.gradient(taped(f), wrt, True)
    assert made is not None
    expected = [f.output, *reverse_sweep(f.outputs, [ONE], [f.inputs[j] for j in wrt])]
    assert_same(expressions(made), expected)
    assert operations(expected) <= len(made.op) <= operations(expected) + spare
    written = lowered(made, lambda node: False)
    if written is not None:
        assert_same(expressions(written), lower(expected))


def assert_same_tangents(f: Function, wrt: list[int], spare: int) -> None:
    """Of the function, and of its gradient where that is a tape."""
    chosen = [f.inputs[j] for j in wrt]
    directions = [fresh("direction") for _ in wrt]
    made = forward.tangents(taped(f), wrt, directions)
    assert made is not None
    assert made.inputs == (*f.inputs, *directions)
    expected = forward_sweep(f.outputs, chosen, directions)
    assert_same(expressions(made), expected)
    assert len(made.op) <= operations(expected) + spare
    slopes = reverse.gradient(taped(f), wrt, False)
    if slopes is not None:
        second = forward.tangents(slopes, wrt, directions)
        if second is not None:
            assert_same(expressions(second), forward_sweep(reverse_sweep(f.outputs, [ONE], chosen), chosen, directions))


@pytest.mark.parametrize("primitive", FUNCTIONS, ids=lambda p: p.name)
def test_the_gradient_of_each_function_is_that_of_the_graph(primitive):
    choices = [(x, y, z), (x, x, x), (exp(x) * y, 2.5 + y, z * y), (x * y, -x, x), (x, constant(3.0), y), (constant(2.0), x, y)]
    for args in choices:
        e = PRIMITIVES["real"].apply([primitive(*args[: primitive.arity])])
        f = function([x, y, z], sqrt(e * e + x) * e + e / (x + y) - e + 3.0 * x)
        for wrt in ([0, 1, 2], [0], [1, 0]):
            assert_same_gradient(f, wrt, 2)
            assert_same_tangents(f, wrt, 2)


@pytest.mark.parametrize("problem", plain_problems(), ids=lambda p: p.name)
def test_the_gradient_of_each_problem_is_that_of_the_graph(problem):
    f = problem.function
    if any(node.shape for node in f.order):
        f = scalarize(f.with_outputs(lower(f.outputs, lambda node: not node.shape)))
    assert_same_gradient(f, list(range(len(f.inputs))), 2)
    assert_same_tangents(f, [0], 2)


def random_function(operations: int, seed: int) -> Function:
    """Of all kinds of argument: inputs, constants, values used often, never and twice by one operation."""
    draw = random.Random(seed)
    values: list[Expr] = [x, y, z]
    for _ in range(operations):
        a, b = draw.choice(values[-8:]), draw.choice([*values, constant(draw.choice([0.5, 2.0, -1.0]))])
        values.append(draw.choice([a + b, a - b, a * b, sin(a), cos(a), a / (2.0 + cos(b)), sqrt(1.0 + a * a), -b, b**2, tanh(a), a * a]))
    return function([x, y, z], reduce(add, values[-5:]) + 3.0 * x)


@pytest.mark.parametrize("seed", range(20))
def test_the_gradient_of_random_functions_is_that_of_the_graph(seed):
    f = random_function(120, seed)
    assert_same_gradient(f, [0, 1, 2], 12)
    assert_same_tangents(f, [2, 0], 12)


def test_a_function_becomes_itself_again():
    f = random_function(200, 3)
    assert_same(expressions(taped(f)), list(f.outputs))
    assert_same(f.order, postorder(f.outputs))
    two = function([z, x], [x, sin(x), constant(2.0)])
    assert_same(expressions(taped(two)), list(two.outputs))


def test_cotangents_that_are_constants_are_worked_out():
    f = function([x, y], reduce(lambda a, b: a - b, [sin(x * (0.1 * k)) for k in range(50)]) + 2.0 * y + 1.0)
    made = reverse.gradient(taped(f), [0, 1], False)
    assert made is not None
    assert expressions(made)[1] is constant(2.0)
    assert_same_gradient(f, [0, 1], 0)


def test_functions_that_a_tape_cannot_take_are_the_graphs():
    guarded = function([x, y], where(x < y, sin(x), cos(y)))
    assert reverse.gradient(taped(guarded), [0, 1], False) is None
    assert reverse.gradient(taped(function([x, y], sin(x))), [1], False) is None  # depends on none of them
    assert reverse.gradient(taped(function([x, y], x)), [0], False) is None
    (v,) = symbols("v", (3,))
    assert tape_of(function([v], v)) is None


def test_steps_and_choices_have_tangents_too():
    f = function([x, y], [where(x < y, sin(x), abs(y) * x), PRIMITIVES["floor"](x) * y + PRIMITIVES["floor"](y), constant(2.0), y])
    assert_same_tangents_of_all(f)
    assert forward.tangents(taped(function([x], x)), [0], [fresh("direction")]) is None


def assert_same_tangents_of_all(f: Function) -> None:
    directions = [fresh("direction") for _ in f.inputs]
    made = forward.tangents(taped(f), range(len(f.inputs)), directions)
    assert made is not None
    assert_same(expressions(made), forward_sweep(f.outputs, f.inputs, directions))


def test_equal_operations_are_computed_once_and_idle_ones_not_at_all():
    f = taped(function([x, y], sin(x) * y + exp(sin(x) * y)))
    n = len(f.op)
    again = np.where(f.args >= 0, f.args + n, f.args)
    twice = Tape(f.inputs, f.constants, f.kinds, np.tile(f.op, 2), np.hstack([f.args, again]), f.outputs + n)
    fewer = needed(shared(twice))
    assert len(fewer.op) == n
    assert expressions(fewer)[0] is expressions(f)[0]


def test_all_equal_operations_of_a_long_tape_are_found():
    w = symbols(" ".join(f"w{k}" for k in range(2000)))
    f = function(w, reduce(add, [sin(e) * e * e * e + e for e in w]))
    made = reverse.gradient(taped(f), range(len(w)), False)
    assert made is not None
    assert len(made.op) == 12 * len(w)  # one missed would also break the pattern that loops are found by


def test_large_gradients_go_by_tape_and_their_graph_is_made_when_asked_for(monkeypatch):
    f = random_function(15000, 5)
    assert len(f.order) >= reverse.LARGE
    d = gradient(f, engine="llvm")
    assert isinstance(d.function, Taped)
    monkeypatch.setattr(reverse, "LARGE", 10**9)
    plain = gradient(f, engine="llvm")
    assert not isinstance(plain.function, Taped)
    assert_same(list(d.function.outputs), list(plain.function.outputs))
    assert d.cost == plain.cost
    at = 0.3, -0.7, 1.1
    assert tuple(d(*at)) == tuple(plain(*at))
    many = [np.linspace(-1, 1, 21), 0.4, np.linspace(2, 3, 21)]
    np.testing.assert_array_equal(np.asarray(d(*many)), np.asarray(plain(*many)))


@pytest.mark.parametrize("operator", ["gradient", "value_and_gradient", "jacobian", "hvp", "jvp"])
@pytest.mark.parametrize("engine", ["python", "numpy", "llvm"])
def test_every_engine_takes_a_function_held_as_a_tape(operator, engine, monkeypatch):
    f = random_function(9000, 8)
    method = "ad.forward" if operator == "jvp" else "ad.reverse"
    d = prepare(f, operator, wrt="y", engine=engine, method=method)
    assert isinstance(d.function, Taped)
    monkeypatch.setattr(reverse, "LARGE", 10**9)
    monkeypatch.setattr(forward, "LARGE", 10**9)
    plain = prepare(f, operator, wrt="y", engine=engine, method=method)
    assert not isinstance(plain.function, Taped)
    along = {"tangent": 0.7} if d.operator in ("hvp", "jvp") else {}
    np.testing.assert_array_equal(d(0.3, 0.2, 0.1, **along), plain(0.3, 0.2, 0.1, **along))


def test_a_taped_function_is_a_function():
    f = random_function(9000, 2)
    made = gradient_of(f, f.inputs, False, "slopes")
    assert made is not None and made.names == ("x", "y", "z")
    again = pickle.loads(pickle.dumps(made))
    assert_same(list(again.outputs), list(made.outputs))
    with pytest.raises(AttributeError, match="no attribute 'output_'"):
        getattr(made, "output_")  # noqa: B009  a misspelled name
    assert gradient_of(function([x], log(x)), [x], False, "small") is None

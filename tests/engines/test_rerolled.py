"""Loops written out, found again: the same bits as the interpreter's, and nothing taken for a loop that is none."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from diffcompare.differentiate import gradient, value
from diffcompare.dsl import function, symbols
from diffcompare.dsl.arithmetic import add, mul, real, sqrt, where
from diffcompare.dsl.core import Expr
from diffcompare.dsl.elementary import cos, exp, sin
from diffcompare.dsl.function import Function
from diffcompare.engines.llvm import rerolled
from diffcompare.engines.llvm.emit import has_named_kernel
from diffcompare.engines.llvm.interpreter import Interpreted
from diffcompare.engines.llvm.rerolled import Rerolled, rolled
from diffcompare.engines.llvm.target import target
from diffcompare.transforms.tape.form import Tape, tape_of
from diffcompare.transforms.tape.lower import lowered
from diffcompare.transforms.tape.repetition import LEAST, WINDOW, Loop, loops
from diffcompare.transforms.tape.reverse import gradient as reverse

x, y, a = symbols("x y a")
HERE = replace(target(), functions=frozenset())
"""This machine without libmvec, which the interpreter would call for a run of several operations, and a loop would not."""
Step = Callable[[list[Expr]], list[Expr]]


def taped(f: Function) -> Tape:
    made = tape_of(f)
    assert made is not None
    return made


def assert_same_bits(f: Function, tape: Tape) -> Rerolled:
    found = rolled(tape)
    assert found is not None
    fast, slow = Rerolled(f, found, HERE, 1), Interpreted(f, tape, HERE, 1)
    draw = np.random.default_rng(3)
    for _ in range(3):
        at = draw.uniform(-2, 2, len(f.inputs))
        np.testing.assert_array_equal(fast._one(*at), slow._one(*at))
    columns = draw.uniform(-2, 2, (len(f.inputs), 21))
    np.testing.assert_array_equal(fast(list(columns)), slow(list(columns)))
    return fast


RULES: list[Callable[[Expr, Expr], Expr]] = [
    lambda u, v: u * v,
    lambda u, v: 0.5 * (u + v),
    lambda u, v: sin(u) - v,
    lambda u, v: cos(u) * 0.9 + sin(u),
    lambda u, v: u / (2.0 + v * v),
    lambda u, v: where(u < v, u, 0.3 * v),
    lambda u, v: real(u < v) + sqrt(1.0 + v * v),
    lambda u, v: -u,
]


def random_step(draw: random.Random) -> Step:
    """A body of operations on the state, the invariants and what the body has computed."""
    shape = [(draw.choice(RULES), draw.random(), draw.random()) for _ in range(draw.randrange(4, 12))]

    def step(state: list[Expr]) -> list[Expr]:
        values = [*state, a, y]
        for rule, first, second in shape:
            values.append(rule(values[int(first * len(values))], values[int(second * len(values))]))
        return [0.7 * sin(v + s) for v, s in zip(values[::-1], state, strict=False)]

    return step


def repeated(seed: int, times: int, before: int = 0, after: int = 0) -> Function:
    """A state of one to three values, `times` steps, and other operations before and after them."""
    draw = random.Random(seed)
    state: list[Expr] = [x, x * y, y + a][: draw.randrange(1, 4)]
    for _ in range(before):
        state[0] = random_step(draw)(state)[0]
    step = random_step(draw)
    for _ in range(times):
        state = step(state)
    for _ in range(after):
        state[0] = random_step(draw)(state)[0]
    return function([x, y, a], [sum(state[1:], state[0]), state[0]])


@pytest.mark.parametrize("seed", range(24))
def test_random_loops_have_the_interpreters_bits(seed, monkeypatch):
    monkeypatch.setattr(rerolled, "VECTORS", 0)
    f = repeated(seed, 60, seed % 4, seed % 3)
    made = lowered(taped(f), has_named_kernel(HERE))
    assert made is not None
    assert "loops of" in assert_same_bits(f, made).source


@pytest.mark.parametrize("seed", range(24, 40))
def test_the_gradients_of_random_loops_have_the_interpreters_bits(seed, monkeypatch):
    monkeypatch.setattr(rerolled, "VECTORS", 0)
    f = repeated(seed, 60, seed % 4, seed % 3)
    f = f.with_outputs([f.outputs[0]], single=True)
    made = reverse(taped(f), [0, 2], True)
    if made is None:  # with where, by the graph
        f = gradient(f, wrt=("x", "a"), engine="python").function
        made = lowered(taped(f), has_named_kernel(HERE))
    else:
        made = lowered(made, has_named_kernel(HERE))
        f = function([x, y, a], [x, y, a])
    assert made is not None
    assert_same_bits(f, made)


def test_a_loop_and_the_loop_of_its_gradient_are_found():
    z = x
    for _ in range(1000):
        z = a * sin(z) + y
    tape = reverse(taped(function([x, y, a], z)), [0, 1, 2], False)
    assert tape is not None
    found = loops(tape)
    assert [loop.period for loop in found] == [4, 5]
    assert all(loop.times >= 995 for loop in found)
    assert found[0].stop <= found[1].start
    d = gradient(function([x, y, a], z), engine="llvm")
    assert "loops of" in d.source and "sine_and_cosine" in d.source
    np.testing.assert_allclose(d(0.3, 0.4, 0.9), gradient(function([x, y, a], z), engine="python")(0.3, 0.4, 0.9), rtol=1e-11)


def test_rows_of_inputs_and_of_constants_are_read_by_their_step():
    w = symbols(" ".join(f"w{k}" for k in range(500)))
    z = x
    for k, each in enumerate(w):
        z = (z + each) * (0.9 + 1e-4 * k)
    f = function([x, *w], z)
    found = loops(taped(f))
    assert found == [Loop(1, 2, 499)]  # the first step begins with an input, the others with the one before
    assert_same_bits(f, taped(f))


def steps(n: int) -> list[Expr]:
    z, rows = x, []
    for _ in range(n):
        z = a * sin(z) + y
        rows.append(z)
    return rows


def altered(tape: Tape, k: int, j: int, to: int) -> Tape:
    """The tape with another argument of one operation."""
    args = tape.args.copy()
    args[j, k] = to
    return Tape(tape.inputs, tape.constants, tape.kinds, tape.op, args, tape.outputs)


def test_an_operation_out_of_the_pattern_ends_the_loop():
    f = function([x, y, a], steps(300)[-1])
    tape = taped(f)
    assert [(loop.period, loop.times) for loop in loops(tape)] == [(3, 299)]
    k = 3 * 150 + 2  # an addition of y: of x instead, of an earlier value, and a subtraction
    op = tape.op.copy()
    op[k] = tape.op[0]
    other = Tape(tape.inputs, tape.constants, tape.kinds, op, tape.args, tape.outputs)
    for changed in (altered(tape, k, 1, ~0), altered(tape, k, 1, 7), altered(tape, k + 1, 0, k - 3), other):
        assert all(not loop.start <= k < loop.stop or k < loop.start + 2 * loop.period for loop in loops(changed))
        assert_same_bits(f, changed)


def test_near_repetitions_are_none():
    draw = random.Random(4)
    values: list[Expr] = [x, y, a]
    for _ in range(1500):  # always the same two operations, of arguments without order
        values.append(draw.choice(values) * 0.5 + draw.choice(values))
    f = function([x, y, a], sum(values[1:], values[0]))
    assert all(loop.period == 1 for loop in loops(taped(f)))  # the sum at the end, of values in a row
    assert rolled(taped(f)) is None
    few = function([x, y, a], steps(LEAST - 2)[-1])
    assert loops(taped(few)) == []


def test_loops_of_slow_functions_that_wait_for_nothing_are_the_interpreters():
    w = symbols(" ".join(f"w{k}" for k in range(1500)))
    z = exp(w[0])
    for each in w[1:]:
        z = z + exp(each)
    assert loops(taped(function(w, z)))
    assert "for the interpreter" in value(function(w, z), engine="llvm").source


def test_a_period_beyond_the_window_is_found():
    draw = random.Random(9)
    body = [draw.choice([add, mul]) for _ in range(3 * WINDOW)]
    z = x
    for _ in range(40):
        for rule in body:
            z = rule(z, a)
    f = function([x, a], z)
    assert [(loop.period, loop.times) for loop in loops(taped(f))] == [(3 * WINDOW, 39)]
    assert_same_bits(f, taped(f))

"""Costs that do not depend on the machine: counted by hand, bounded as theory says, growing as theory says."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.dsl.core import Expr
from diffcompare.problem import Problem, find
from diffcompare.transforms.cost import Cost, cost

x, y = dc.symbols("x y")
v = dc.symbol("v", (5,))
w = dc.symbol("w", (5,))
A, B = dc.symbol("A", (2, 3)), dc.symbol("B", (3, 4))


def counted(expr: Expr) -> dict[str, int]:
    return cost(dc.function([x, y, v, w, A, B], expr)).by_kind


# --- counts by hand ---


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (x, {}),
        (x * y + dc.sin(x), {"add": 1, "mul": 1, "sin": 1}),
        ((x + y) * dc.exp(x + y), {"add": 1, "exp": 1, "mul": 1}),  # x + y is one node
        (x**2, {"mul": 1}),
        (x**4, {"mul": 2}),
        (x**-1 / y, {"div": 2}),
        (x**2.5 + x**y, {"add": 1, "pow": 2}),
        (-x - abs(y), {"abs": 1, "neg": 1, "sub": 1}),
        (dc.where(x < y, dc.sqrt(x), 0.0), {"lt": 1, "sqrt": 1, "where": 1}),
        (dc.sigmoid(x), {"add": 1, "div": 1, "exp": 1, "neg": 1}),  # 1 / (1 + exp(-x))
    ],
    ids=repr,
)
def test_scalars(expr: Expr, expected: dict[str, int]) -> None:
    assert counted(expr) == expected


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (v * w, {"mul": 5}),
        (2 * v + x, {"add": 5, "mul": 5}),  # x is repeated without work
        (v.sum(), {"add": 4}),
        (v.max() + v.min(), {"add": 1, "maximum": 4, "minimum": 4}),
        (v[:3].sum() + v[4], {"add": 3}),  # slices and entries are free
        (A @ B, {"add": 16, "mul": 24}),  # 8 entries, each 3 products and 2 additions
        (v @ w, {"add": 4, "mul": 5}),
        ((A @ B).T.reshape(8).sum(), {"add": 16 + 7, "mul": 24}),
        (A.sum(axis=0), {"add": 3}),
        (dc.concatenate([v, w]), {}),
        (dc.norm(v), {"abs": 5, "add": 4, "div": 5, "logical_and": 1, "lt": 2, "maximum": 4, "mul": 6, "sqrt": 1, "where": 1}),
        (dc.softmax(v), {"abs": 1, "add": 4, "div": 5, "exp": 5, "lt": 1, "maximum": 4, "sub": 5, "where": 1}),
        (dc.logsumexp(v), {"abs": 1, "add": 5, "exp": 5, "log": 1, "lt": 1, "maximum": 4, "sub": 5, "where": 1}),
    ],
    ids=repr,
)
def test_arrays(expr: Expr, expected: dict[str, int]) -> None:
    assert counted(expr) == expected


def test_a_gradient_of_repeated_reads_adds_only_where_they_meet() -> None:
    """v[[0, 0, 1]] summed: the cotangent scatters three ones into five entries, two of them into the same."""
    f = dc.function([v], v[[0, 0, 1]].sum())
    assert dc.gradient(f, method="ad.reverse", engine="numpy").cost.by_kind == {"add": 1}


def test_an_elementary_function_weighs_ten() -> None:
    c = cost(dc.function([x, y], dc.sin(x) * y + dc.where(x < y, x, 1.0)))
    assert (c.operations, c.weighted(), c.weighted(elementary=1.0)) == (5, 14.0, 5.0)


def test_costs_add_and_repeat() -> None:
    a, b = Cost({"add": 2}, 3), Cost({"add": 1, "sin": 1}, 7)
    assert (a + b).by_kind == {"add": 3, "sin": 1}
    assert (a + b).peak == 7
    assert ((a * 4).by_kind, (a * 4).peak) == ({"add": 8}, 3)


def test_costs_are_multiples_of_the_primal_s() -> None:
    a, f = Cost({"add": 6, "sin": 2}, 6), Cost({"mul": 1, "sin": 1}, 4)
    assert a.over(f) == (8 / 2, 26 / 11, 6 / 4)
    assert a.over(Cost()) == (8.0, 26.0, 6.0)
    d = dc.gradient("x**2*y + y + 2", method="ad.reverse", engine="numpy")
    assert d.cost is not None
    assert d.relative_cost == d.cost.over(cost(d.primal))


@pytest.mark.parametrize(
    ("method", "calls"),
    [("fd.forward", 6), ("fd.backward", 6), ("fd.central", 10), ("fd.complex", 5), ("ad.forward", 0), ("ad.reverse", 0), ("symbolic", 0)],
)
def test_a_gradient_by_five_inputs_evaluates_the_function_so_often(method: str, calls: int) -> None:
    f = dc.function([v], dc.sin(v).sum())
    d = dc.gradient(f, method=method, engine="numpy")
    assert d.calls == calls
    if calls and method != "fd.complex":  # the complex step evaluates it on pairs
        assert d.relative_cost is not None
        assert d.relative_cost.operations == calls


# --- memory by hand ---


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (x, 0),
        (x + y, 1),
        (dc.sin(dc.cos(dc.exp(x))), 2),  # an argument and its result
        ((x + y) * (x - y), 3),
        (((x + y) * (x - y)) / (x * y), 3),  # the sum and the difference are dead when x * y is made
        (dc.sin(v), 5),
        (dc.sin(v).sum(), 6),
        (A @ B, 8),
        (v[:2] + v[3:], 2),  # views of an input take nothing
        (dc.sin(v)[:1] * 2 + dc.cos(x), 5 + 1),  # cos(x) when sin(v) is dead
        (dc.sin(v)[:1] + dc.cos(x), 5 + 1 + 1),  # the slice keeps all of sin(v)
    ],
    ids=repr,
)
def test_peak_of_live_values(expr: Expr, expected: int) -> None:
    assert cost(dc.function([x, y, v, w, A, B], expr)).peak == expected


def test_a_view_keeps_its_argument_alive() -> None:
    """sin(v) has 5 entries; they wait for the largest of them as a slice of one waits for the other."""
    waves = dc.sin(v)
    assert cost(dc.function([v], waves[:1] + dc.exp(waves[1:2]))).peak == 5 + 2


# --- the cheap-gradient bound ---

BOUND = 6.0
"""Griewank, Walther: Evaluating Derivatives, 2nd ed. (2008), section 3.4; the survey's section 3.2."""

PROBLEMS = find("tag:core")
SCALAR = [p for p in PROBLEMS if len(p.function.outputs) == 1 and not p.function.output.shape]


def by_name(p: Problem) -> str:
    return p.name


@pytest.mark.parametrize("operator", ["gradient", "value_and_gradient"])
@pytest.mark.parametrize("problem", SCALAR, ids=by_name)
def test_a_reverse_gradient_costs_less_than_six_functions(problem: Problem, operator: str) -> None:
    prepared = dc.prepare(problem.function, operator, problem.wrt, method="ad.reverse", engine="numpy")
    assert prepared.cost is not None
    assert prepared.cost.weighted() < BOUND * cost(problem.function).weighted()


@pytest.mark.parametrize("problem", PROBLEMS, ids=by_name)
@pytest.mark.parametrize(("operator", "method"), [("jvp", "ad.forward"), ("vjp", "ad.reverse")])
def test_one_sweep_costs_less_than_six_functions(problem: Problem, operator: str, method: str) -> None:
    prepared = dc.prepare(problem.function, operator, problem.wrt, method=method, engine="numpy")
    assert prepared.cost is not None
    assert prepared.cost.weighted() < BOUND * cost(problem.function).weighted()


@pytest.mark.parametrize("problem", SCALAR, ids=by_name)
def test_a_forward_gradient_costs_less_than_six_functions_a_column(problem: Problem) -> None:
    prepared = dc.gradient(problem.function, problem.wrt, method="ad.forward", engine="numpy")
    columns = sum(problem.function.input(n).size for n in problem.wrt)
    assert prepared.cost is not None
    assert prepared.cost.weighted() < BOUND * columns * cost(problem.function).weighted()


def test_the_bound_can_fail() -> None:
    """A hand formula that computes every product of all others anew costs n times the function."""
    f = find("speelpenning(n=64)")[0].function
    (entry,) = f.inputs
    others = dc.stack([dc.prod(dc.concatenate([entry[:k], entry[k + 1 :]])) for k in range(64)])
    assert cost(dc.function([entry], others)).weighted() > BOUND * cost(f).weighted()


# --- growth ---


def exponent(ratio: Callable[[Problem], float], family: str, sizes: tuple[int, ...]) -> float:
    """The slope of log ratio over log n."""
    ratios = [ratio(find(f"{family}(n={n})")[0]) for n in sizes]
    return float(np.polyfit(np.log(sizes), np.log(ratios), 1)[0])


def gradient_over_function(method: str) -> Callable[[Problem], float]:
    def ratio(p: Problem) -> float:
        c = dc.gradient(p.function, p.wrt, method=method, engine="numpy").cost
        assert c is not None
        return c.weighted() / cost(p.function).weighted()

    return ratio


SIZES = (8, 16, 32, 64, 128)


@pytest.mark.parametrize("family", ["logistic_map", "helmholtz", "speelpenning", "log_sum_exp", "rosenbrock"])
def test_reverse_gradients_grow_as_the_function(family: str) -> None:
    assert abs(exponent(gradient_over_function("ad.reverse"), family, SIZES)) < 0.1


@pytest.mark.parametrize("method", ["ad.forward", "fd.forward", "fd.central"])
@pytest.mark.parametrize("family", ["helmholtz", "speelpenning", "log_sum_exp", "rosenbrock"])
def test_forward_gradients_and_differences_grow_by_the_number_of_inputs(family: str, method: str) -> None:
    assert abs(exponent(gradient_over_function(method), family, SIZES) - 1.0) < 0.1


@pytest.mark.parametrize("method", ["ad.forward", "fd.forward", "fd.central"])
def test_of_one_input_forward_mode_and_differences_are_as_cheap(method: str) -> None:
    """logistic_map(n) has one input whatever n: one sweep, two values."""
    assert abs(exponent(gradient_over_function(method), "logistic_map", SIZES)) < 0.1


def test_the_reverse_sweep_holds_the_values_of_a_program() -> None:
    """Its memory grows with the length of the program, forward mode's does not (the survey, section 3.2)."""
    peaks = {
        m: [dc.gradient(find(f"logistic_map(n={n})")[0].function, method=m, engine="numpy").cost.peak for n in (8, 64)]  # type: ignore[union-attr]
        for m in ("ad.forward", "ad.reverse")
    }
    assert peaks["ad.forward"] == [5, 5]
    assert math.isclose(peaks["ad.reverse"][1] / peaks["ad.reverse"][0], 8, rel_tol=0.2)


# --- expression swell ---


def test_the_raw_symbolic_tree_swells_and_the_shared_graph_of_the_sweeps_does_not() -> None:
    """Table 1 of the survey: the trees multiply, by the function's size and more; a reverse sweep adds 7 operations a step."""
    from diffcompare.transforms.sympy import swell

    trees = [swell(find(f"logistic_map(n={n})")[0].function)["derivative"] for n in (4, 6, 8)]
    assert trees == [82, 768, 5472]
    sweeps = [dc.gradient(find(f"logistic_map(n={n})")[0].function, method="ad.reverse", engine="numpy").cost for n in (4, 6, 8)]
    counts = [c.operations for c in sweeps if c is not None]
    assert np.all(np.diff(counts) == counts[1] - counts[0])
    assert 10 <= counts[1] - counts[0] <= 18  # for two steps

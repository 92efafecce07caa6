"""What a report measures: which operators of which problems, at which points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..differentiators.base import NEEDS_SCALAR_OUTPUT, Differentiator, Operator
from ..engines.base import Engine
from ..errors import DiffCompareError
from ..problem import CORE, TAG, Problem, find
from .cell import Question, directions
from .choice import chosen_engines, chosen_methods
from .points import checked
from .run import Job

EVERY_OPERATOR = ("seed_polynomial", "log_sum_exp")
"""The problems, one of scalars and one of arrays, of which the default report asks every operator."""
QUICK = ("seed_polynomial", "log_sum_exp")
"""The problems of a quick report: one of scalars, and one of arrays with points that are hard."""
QUICK_S = 0.005
"""Seconds for timing each phase of a cell in a quick report."""


def chosen(patterns: Sequence[str], quick: bool = False) -> list[Problem]:
    """The problems that any of the patterns means, each once; without patterns those of the tag CORE, or QUICK.

    Raises DiffCompareError where a pattern means nothing.
    """
    found = [p for pattern in patterns or (QUICK if quick else [TAG + CORE]) for p in find(pattern)]
    return list({p.name: p for p in found}.values())


def jobs(problems: Sequence[Problem], full: bool = False, methods: Any = None, engines: Any = None, quick: bool = False) -> list[Job]:
    """The methods on the engines, by name or pattern, all by default: the gradient (the Jacobian of an array) of every problem at
    all its points, and every operator of the problems EVERY_OPERATOR, of all with full, of none if quick.

    Batches are timed for the first of these, which the main tables compare.
    """
    if not problems:
        raise DiffCompareError(f"no problem is chosen: name one, or a set of them such as {TAG}{CORE}")
    who = (chosen_methods(methods), chosen_engines(engines))
    planned = [job(p, first_operator(p), *who) for p in problems]
    for p in problems:
        if full or (not quick and p.name.partition("(")[0] in EVERY_OPERATOR):
            others = (job(p, o, *who) for o in Operator if o != first_operator(p) and fits(p, o))
            planned += [replace(j, batch=False) for j in others]
    return planned


def first_operator(problem: Problem) -> Operator:
    """gradient for one scalar output, jacobian otherwise."""
    return Operator.GRADIENT if fits(problem, Operator.GRADIENT) else Operator.JACOBIAN


def fits(problem: Problem, operator: Operator) -> bool:
    """Whether the operator takes the problem's shapes; derivative takes its first scalar input."""
    f = problem.function
    if operator in NEEDS_SCALAR_OUTPUT:
        return len(f.outputs) == 1 and f.outputs[0].shape == ()
    return operator is not Operator.DERIVATIVE or bool(_scalars(problem))


def _scalars(problem: Problem) -> list[str]:
    return [n for n in problem.wrt if problem.function.input(n).shape == ()]


def job(problem: Problem, operator: Operator, methods: tuple[Differentiator, ...], engines: tuple[Engine, ...]) -> Job:
    """The operator asked of a problem at all its points."""
    f = problem.function
    wrt = tuple(_scalars(problem)[:1]) if operator is Operator.DERIVATIVE else problem.wrt
    points = tuple(checked(f, p) for p in problem.points)
    return Job(
        problem=problem.name,
        question=Question(f, str(operator), wrt, points, directions=directions(f, operator, wrt)),
        methods=methods,
        engines=engines,
        labels=tuple(p.label for p in problem.points),
        at=("",) * len(points),  # the labels say it
    )

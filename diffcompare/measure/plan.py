"""What a report measures: which operators of which problems, at which points."""

from __future__ import annotations

from collections.abc import Sequence

from ..differentiate import engines, methods
from ..differentiators.base import NEEDS_SCALAR_OUTPUT, Operator
from ..errors import DiffCompareError
from ..problem import Problem, find, library
from .cell import Question, directions
from .points import checked
from .run import Job

EVERY_OPERATOR = ("seed_polynomial", "log_sum_exp")
"""The problems, one of scalars and one of arrays, of which the default report asks every operator."""


def chosen(patterns: Sequence[str]) -> list[Problem]:
    """The problems that any of the patterns means, each once; the whole library without patterns.

    Raises DiffCompareError where a pattern means nothing.
    """
    found = [p for pattern in patterns or ["*"] for p in find(pattern)]
    return list({p.name: p for p in found}.values())


def jobs(problems: Sequence[Problem], full: bool = False) -> list[Job]:
    """All methods on all engines: the gradient (the Jacobian of an array) of every problem at all its points, and every
    operator of the problems EVERY_OPERATOR, or of all with full.
    """
    if not problems:
        raise DiffCompareError(f"no problem is chosen; there are {', '.join(library())}")
    planned = [_job(p, first_operator(p)) for p in problems]
    for p in problems:
        if full or p.name.partition("(")[0] in EVERY_OPERATOR:
            planned += [_job(p, o) for o in Operator if o != first_operator(p) and fits(p, o)]
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


def _job(problem: Problem, operator: Operator) -> Job:
    f = problem.function
    wrt = tuple(_scalars(problem)[:1]) if operator is Operator.DERIVATIVE else problem.wrt
    points = tuple(checked(f, p) for p in problem.points)
    return Job(
        problem=problem.name,
        question=Question(f, str(operator), wrt, points, directions=directions(f, operator, wrt)),
        methods=tuple(methods().values()),
        engines=tuple(engines().values()),
        labels=tuple(p.label for p in problem.points),
        at=("",) * len(points),  # the labels say it
    )

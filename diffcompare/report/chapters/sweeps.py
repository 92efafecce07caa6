"""The sweeps of automatic differentiation line by line, and the graph they run over."""

from __future__ import annotations

from ...explain.graph import graph
from ...explain.steps import steps
from ...problem import find
from ..blocks import Chapter, Picture, Prose, Written
from ..given import Given

EXAMPLE = "survey_two_variables"


def sweeps(given: Given) -> Chapter | None:
    """The survey's tables 2 and 3 and the graph of their function; only in reports that have studies at all."""
    if given.studies.swell is None:
        return None
    (problem,) = find(EXAMPLE)
    f, at = problem.function, problem.points[0]
    forward, reverse = steps(f, at, "forward"), steps(f, at, "reverse")
    drawing = graph(f, at)
    blocks = (
        Prose(
            "Automatic differentiation evaluates the function and applies the chain rule to each operation: forward beside it, or backward "
            "after it. Here is every line of both for y = ln x₁ + x₁x₂ − sin x₂ at (2, 5), tables 2 and 3 of the survey."
        ),
        Prose("**Forward**: one sweep gives the derivatives of everything by one input, the tangents v̇ = ∂v/∂x₁."),
        Written(forward.html, forward.markdown),
        Prose("**Reverse**: one sweep gives the derivatives of one output by everything, the adjoints v̄ = ∂y/∂v."),
        Written(reverse.html, reverse.markdown),
        Picture(
            "graph",
            "The graph that both sweeps run over. Each card has the value of its node, its tangent v̇ by x₁ and its adjoint v̄: the "
            "derivatives of the output by every intermediate are there for the taking. `diffcompare steps` and `diffcompare graph` draw "
            "them for any formula.",
            drawing.svg,
            "Graph of y = ln x1 + x1 x2 - sin x2 with value, tangent and adjoint at every node",
        ),
    )
    return Chapter("sweeps", "The sweeps, line by line", blocks)

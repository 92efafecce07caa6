"""What training teaches about derivatives: why to go down the gradient, batches, noise, useless derivatives and kinks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd

from ...training.course import Course
from ..blocks import Block, Chapter, Choice, Figure, Prose, Sheet
from ..given import Given

BATCHES = {1: "single samples", 113: "all 113 at once"}


def lessons(given: Given) -> Chapter | None:
    """The lessons of the course, each with its finding; None in reports without one."""
    course = given.studies.course
    if course is None or not course.lessons:
        return None
    blocks: list[Block] = [
        Prose(
            "Whoever computes the gradient, training takes the same way. What differs is the time, and what noise leaves over.", lead=True
        )
    ]
    for name, caption, choices in _figures(course):
        blocks += [Prose(f"**{course[name].title}.** {course[name].finding}"), Figure(f"lesson-{name}", caption, choices)]
    if "losses" in course:
        lesson = course["losses"]
        blocks += [Prose(f"**{lesson.title}.** {lesson.finding}"), Sheet("Linear models by their loss", lesson.table, index=False)]
    blocks += [Prose(f"Left out: {reason}.") for reason in course.missing]
    blocks.append(Prose("`diffcompare train` does the same with any model, optimizer, method, engine and batch size."))
    return Chapter("lessons", "Learning with derivatives", tuple(blocks))


def _figures(course: Course) -> list[tuple[str, str, tuple[Choice, ...]]]:
    """(lesson, caption, charts) of what is drawn and could be made."""
    found: list[tuple[str, str, tuple[Choice, ...]]] = []
    if "directions" in course:
        table = course["directions"].table.rename(columns={"slope": "y"}).assign(line="along the direction")
        chart = _choice("Slope", table, ("angle", "direction, degrees"), "derivative along the unit vector")
        found.append(("directions", "The derivative of x²y + y + 2 at (3, 4) along every unit vector.", (chart,)))
    if "remainders" in course:
        table = course["remainders"].table
        table = table.assign(line=[f"order {k}" for k in table["order"]]).rename(columns={"remainder": "y"})
        chart = _choice("Remainder", table[table["y"] > 0], ("h", "step h"), "|f(x + h d) − polynomial|", log_x=True, log_y=True)
        found.append(("remainders", "ln x₁ + x₁x₂ − sin x₂ at (2, 5) against the gradient, less its Taylor polynomials.", (chart,)))
    if "descent" in course:
        named = {"change": "f", "first": "order 1", "second": "order 2"}
        table = course["descent"].table.rename(columns=named).melt("step", list(named.values()), "line", "y")
        chart = _choice("Change", table, ("step", "rate"), "f(x − rate · gradient) − f(x)")
        found.append(
            ("descent", "Rosenbrock's function from its start against the gradient, and what Taylor polynomials foretell.", (chart,))
        )
    return found + _trained(course)


def _trained(course: Course) -> list[tuple[str, str, tuple[Choice, ...]]]:
    """The figures of training runs."""
    found: list[tuple[str, str, tuple[Choice, ...]]] = []
    if "methods" in course:
        table = course["methods"].table.assign(line=lambda t: t["method"])
        loss = table.rename(columns={"loss": "y"})
        apart = table[table["distance"] > 0].rename(columns={"distance": "y"})
        choices: tuple[Choice, ...] = (
            _choice("Loss by seconds", loss[loss["seconds"] > 0], ("seconds", "seconds in gradients"), "loss", log_x=True),
            _choice("Loss by steps", loss, ("step", "steps"), "loss"),
            _choice("Distance", apart, ("step", "steps"), "distance from ad.reverse", log_y=True),
        )
        caption = (
            "Logistic regression on 60 samples of the breast cancer data, gradient descent with momentum, from the same start; "
            "seconds are steps times the median time of a gradient."
        )
        found.append(("methods", caption, choices))
    if "batches" in course:
        table = course["batches"].table.rename(columns={"loss": "y"})
        table = table.assign(line=[BATCHES.get(b, f"batches of {b}") for b in table["batch"]])
        choices = (
            _choice("By passes", table, ("passes", "passes over the samples"), "loss of all samples", log_y=True),
            _choice(
                "By seconds",
                table[table["seconds"] > 0],
                ("seconds", "seconds in gradients"),
                "loss of all samples",
                log_x=True,
                log_y=True,
            ),
        )
        found.append(("batches", "A perceptron with two layers on iris, gradient descent, ten passes over the samples.", choices))
    if "noise" in course:
        table = course["noise"].table.rename(columns={"excess": "y"})
        choices = tuple(
            _choice(
                p, table[table["precision"] == p].assign(line=lambda t: t["method"]), ("step", "steps"), "loss over the least", log_y=True
            )
            for p in ("float32", "float64")
        )
        found.append(("noise", "Logistic regression with derivatives in float32 and float64; the parameters are float64.", choices))
    return found


def _choice(label: str, table: pd.DataFrame, x: tuple[str, str], title: str, log_x: bool = False, log_y: bool = False) -> Choice:
    """A line chart of y against a column, for each line; x: (column, title)."""
    column, words = x
    table = table.rename(columns={column: "x"})[["x", "y", "line"]]
    return Choice(label, partial(_draw, table, (words, title), (log_x, log_y)), _ends(table))


def _draw(table: pd.DataFrame, titles: tuple[str, str], logarithmic: tuple[bool, bool], narrow: bool) -> object:
    from .. import charts

    return charts.lines(table, narrow, titles, logarithmic)


def _ends(table: pd.DataFrame) -> str:
    """Where each line ends, in words."""
    said: Sequence[str] = [f"{name} {group['y'].iloc[-1]:.3g}" for name, group in table.groupby("line", sort=False)]
    return f"At the right end: {', '.join(said)}."

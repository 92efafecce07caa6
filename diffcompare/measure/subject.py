"""What a command is about: a formula or the name of a problem, and where."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from ..dsl.grammar import parse
from ..errors import DiffCompareError
from ..problem import TAG, find, library
from .points import read


def subject(function: str, at: str | None, point: str | None) -> tuple[Any, Any]:
    """(a Problem or a Function, the point) that the arguments of a command mean.

    at: as `points.read` takes it; point: the label of a problem's point. Raises DiffCompareError where they do not fit.
    """
    where = None if at is None else read(at)
    if at is not None and point is not None:
        raise DiffCompareError("give --at or --point, not both")
    if is_problem(function):
        problem, *others = find(function)
        if others:
            raise DiffCompareError(
                f"{function} means {len(others) + 1} problems, {problem.name} and more: name one, or give them to report"
            )
        return problem, point if where is None else where
    if point is not None:
        raise DiffCompareError(f"--point belongs to a problem, and {function!r} is none; give --at")
    shapes = {} if where is None else {n: getattr(v, "shape", ()) for n, v in where.items()}
    parsed = parse(function, inputs=shapes) if any(shapes.values()) else parse(function)
    if where is None and parsed.names:
        near = get_close_matches(function.strip(), library(), n=1) if function.strip().isidentifier() else []
        hint = f"; or did you mean the problem {near[0]}?" if near else ""
        raise DiffCompareError(f"give the point: --at {','.join(f'{n}=1' for n in parsed.names[:5])}{hint}")
    return parsed, where


def is_problem(text: str) -> bool:
    """Whether the text names problems of the library."""
    return text.strip().startswith(TAG) or text.partition("(")[0].strip() in library()


def usual_operator(f: Any) -> str:
    """The gradient of a number, the Jacobian of an array; of a Function or a Problem."""
    function = getattr(f, "function", f)
    return "gradient" if len(function.outputs) == 1 and not function.outputs[0].shape else "jacobian"


def names(wrt: str | None) -> list[str] | None:
    """The names in a text such as x,y; None where there is none."""
    return None if wrt is None else [n.strip() for n in wrt.split(",")]

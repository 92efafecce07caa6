"""Points as users give them: mappings and text, checked by name, shape and value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..dsl.core import Expr
from ..dsl.function import Function
from ..errors import DiffCompareError, DomainError, ShapeError

LONGEST_AT = 120
"""A longer point is left out of its record: the problem and the label give it back."""


def checked(function: Function, at: Any) -> dict[str, Any]:
    """A float or a float64 array for each input of the function, in its order.

    at: a mapping by name, or for a function of one input its bare value. Raises DiffCompareError for a missing or an
    unknown name, ShapeError for a shape, DomainError for a value that is not finite, TypeError for what is no number.
    """
    names = ", ".join(function.names) or "none"
    if not isinstance(at, Mapping):
        if len(function.names) != 1:
            raise DiffCompareError(f"{function.name} has the inputs {names}: a point is a mapping, at={{{example(function)}}}")
        at = {function.names[0]: at}
    unknown = [str(n) for n in at if n not in function.names]
    if unknown:
        raise DiffCompareError(f"the point has a value for {unknown[0]!r}; the inputs of {function.name} are {names}")
    missing = [n for n in function.names if n not in at]
    if missing:
        raise DiffCompareError(f"the point has no value for {missing[0]!r}; the inputs of {function.name} are {names}")
    return {i.params[0]: _value(i, at[i.params[0]]) for i in function.inputs}


def _value(node: Expr, given: Any) -> Any:
    name, shape = node.params[0], node.shape
    try:
        array = np.asarray(given)
        if array.dtype.kind not in "fiub":
            raise TypeError
        array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name}: expected a real number or an array of them, got {_clip(repr(given))}") from None
    if array.shape != shape:
        raise ShapeError(f"{name} has shape {shape or 'scalar'}, the point gives shape {array.shape or 'scalar'}; one point at a time")
    if not np.all(np.isfinite(array)):
        raise DomainError(f"{name} must be finite, got {_clip(repr(given))}")
    return float(array) if not shape else array


def example(function: Function) -> str:
    """What a point of this function looks like in Python."""
    return ", ".join(f"{i.params[0]!r}: {1.0 if not i.shape else '...'}" for i in function.inputs[:3]) + (
        ", ..." if len(function.inputs) > 3 else ""
    )


def text(point: Mapping[str, Any]) -> str:
    """The point as x=3.0,theta=[0.5,1.0], which `read` reads back bit for bit; "" if that is too long."""
    written = ",".join(f"{n}={json.dumps(np.asarray(v).tolist(), separators=(',', ':'))}" for n, v in point.items())
    return written if len(written) <= LONGEST_AT else ""


def read(written: str) -> dict[str, Any]:
    """The point that a text such as `x=3,y=4.5e-2,theta=[1,2,3]` describes.

    Numbers are decimal or hexadecimal floats; arrays are lists in square brackets. Raises DiffCompareError naming the part.
    """
    point: dict[str, Any] = {}
    for part in _parts(written):
        name, equals, value = (p.strip() for p in part.partition("="))
        if not equals or not name.isidentifier():
            raise DiffCompareError(f"a point reads like x=3,y=4, got {_clip(part.strip() or written)!r}")
        if name in point:
            raise DiffCompareError(f"the point gives {name} twice")
        point[name] = _number(name, value)
    return point


def _parts(written: str) -> list[str]:
    """The text cut at commas outside of brackets."""
    parts, depth = [""], 0
    for c in written:
        depth += (c == "[") - (c == "]")
        if c == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p for p in parts if p.strip()] or [written]


def _number(name: str, value: str) -> Any:
    if value.startswith("["):
        try:
            array = np.array(json.loads(value))
        except (ValueError, RecursionError):
            array = np.array("")
        if array.dtype.kind not in "fi":
            raise DiffCompareError(f"{name}: expected a list of numbers such as [1, 2.5] or [[1, 2], [3, 4]], got {_clip(value)}")
        return array.astype(np.float64)
    try:
        return float.fromhex(value) if value.lower().lstrip("+-").startswith("0x") else float(value)
    except OverflowError:
        raise DiffCompareError(f"{name}: {_clip(value)} is beyond the largest float, 0x1.fffffffffffffp+1023") from None
    except ValueError:
        raise DiffCompareError(f"{name}: {_clip(value) or 'nothing'!r} is not a number") from None


def in_precision(point: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """The point rounded to this precision, so that method and reference are asked at the same numbers."""
    if precision == "float64":
        return dict(point)
    rounded = {n: np.asarray(v, dtype=np.float64).astype(precision).astype(np.float64) for n, v in point.items()}
    for name, value in rounded.items():
        if not np.all(np.isfinite(value)):
            raise DomainError(f"{name}: {_clip(repr(point[name]))} is beyond {precision}")
    return {n: float(v) if not v.ndim else v for n, v in rounded.items()}


def _clip(written: str, width: int = 60) -> str:
    return written if len(written) <= width else written[: width - 3] + "..."

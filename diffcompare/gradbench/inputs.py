"""The input of a message, read with every claim checked: what arrives is another program's JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import DiffCompareError, ShapeError, TooLarge

Array = np.ndarray[Any, Any]
MOST = 2**27
"""Numbers that one array may have, 1 GiB: a claimed size beyond that is refused before memory is asked for."""


def mapping(value: Any) -> Mapping[str, Any]:
    """The input as an object; raises DiffCompareError for anything else."""
    if not isinstance(value, dict):
        raise DiffCompareError(f"the input is an object with fields, got {brief(value)}")
    return value


def number(value: Any, name: str = "the input") -> float:
    """A finite number; raises DiffCompareError for anything else, booleans and strings included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DiffCompareError(f"{name} is a number, got {brief(value)}")
    if not math.isfinite(value):
        raise DiffCompareError(f"{name} is a finite number, got {value}")
    return float(value)


def real(data: Mapping[str, Any], name: str) -> float:
    """The field as a finite number."""
    return number(_field(data, name), name)


def integer(data: Mapping[str, Any], name: str, least: int = 1, most: int = MOST) -> int:
    """The field as an integer from least to most, also where it is written 3.0; raises DiffCompareError otherwise."""
    value = real(data, name)
    if value != int(value) or not least <= value <= most:
        raise DiffCompareError(f"{name} is an integer from {least} to {most}, got {value:g}")
    return int(value)


def array(data: Mapping[str, Any], name: str, *shape: int | None) -> Array:
    """The field as an array of finite numbers of this shape, None for any length; raises DiffCompareError or ShapeError."""
    value = _field(data, name)
    expected = f"{name} has shape ({', '.join('any' if n is None else str(n) for n in shape)})"
    if not isinstance(value, list):
        raise ShapeError(f"{expected}, got {brief(value)}")
    try:
        result = np.array(value)
    except ValueError:
        raise ShapeError(f"{expected}, got rows of different lengths") from None
    if result.size and result.dtype.kind not in "fi":
        raise DiffCompareError(f"{name} holds numbers, got others among them: {brief(value)}")
    result = result.astype(np.float64)
    if result.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, result.shape, strict=True)):
        raise ShapeError(f"{expected}, got {result.shape}")
    if not np.all(np.isfinite(result)):
        raise DiffCompareError(f"{name} holds finite numbers, got {result[~np.isfinite(result)][0]}")
    return result


def fits(what: str, *sizes: int) -> None:
    """Raise TooLarge where an array of these sizes is more than a session should ask of a machine."""
    if math.prod(sizes) > MOST:
        raise TooLarge(f"{what} would hold {' x '.join(map(str, sizes))} numbers; the most is {MOST}")


def _field(data: Mapping[str, Any], name: str) -> Any:
    if name not in data:
        raise DiffCompareError(f"the input has no field {name!r}; its fields are {brief(', '.join(map(str, data)) or 'none')}")
    return data[name]


def brief(value: Any) -> str:
    """A value in few characters, however large or deep it is."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)} entries"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

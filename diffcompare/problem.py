"""Problem: a cited function with points and hand formulas; Family: a problem with sizes as parameters; find: both by text.

The library of them is the package diffcompare.problems, one subject a file.
"""

from __future__ import annotations

import difflib
import fnmatch
import inspect
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .dsl import Function
from .errors import DiffCompareError, DomainError, ShapeError

Array = np.ndarray[Any, Any]

OPERATORS = ("value", "derivative", "gradient", "jacobian", "hessian", "jvp", "vjp", "hvp", "value_and_gradient")
LIBRARY = "diffcompare.problems"
CORE = "core"
"""The tag of the problems that a report measures when none is named."""
TAG = "tag:"
LONGEST_TEXT = 1000
"""A longer text is refused before it is matched against names."""


class Point(Mapping[str, Any]):
    """A label and a value for each input: a float, or a read-only float64 array. Unpacks into calls as **point."""

    __slots__ = ("_values", "label")

    def __init__(self, label: str, /, values: Mapping[str, Any] | None = None, **named: Any) -> None:
        self.label = label
        self._values: dict[str, float | Array] = {k: _frozen(v) for k, v in {**(values or {}), **named}.items()}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    # identity: equality of mappings would compare arrays, which have no truth value
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __reduce__(self) -> Any:
        return type(self), (self.label, self._values)

    def __repr__(self) -> str:
        return f"Point({self.label!r}, {self._values!r})"


def _frozen(value: Any) -> float | Array:
    """A copy that nobody can write to, or the array itself where that is so already: points share their data."""
    if isinstance(value, np.ndarray) and value.ndim and value.dtype == np.float64 and value.flags.owndata and not value.flags.writeable:
        return value
    array = np.array(value, dtype=np.float64)
    if array.ndim == 0:
        return float(array)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Problem:
    """A function to differentiate, where, and what is known of its derivatives.

    function: its hand formulas are function.formulas. points: the first is the start point; each names every input.
    source: the citation, down to the equation. wrt: the inputs to differentiate with respect to, all by default;
    the others are data. operators: what the report asks of it, by default derivative and hessian for a real
    function of one real input, gradient and hessian for another real function, jacobian for an array.
    tags: the sets it belongs to, for `tag:NAME` where problems are named; CORE puts it into the default report.
    name: that of the function by default. sizes: those a Family built it with.

    Raises DiffCompareError, ShapeError or DomainError for a point, a name or an operator that does not fit.
    """

    function: Function
    points: tuple[Point, ...]
    source: str
    tags: tuple[str, ...] = ()
    wrt: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    name: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        f = self.function
        defaults: dict[str, Any] = {"name": f.name, "wrt": f.names, "operators": _sensible_operators(f, self.wrt or f.names)}
        for key, value in defaults.items():
            if not getattr(self, key):
                object.__setattr__(self, key, value)
        for key in ("points", "tags", "wrt", "operators"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        _check(self)

    @property
    def data(self) -> tuple[str, ...]:
        """The inputs that are not differentiated."""
        return tuple(n for n in self.function.names if n not in self.wrt)

    def point(self, label: str) -> Point:
        """The point of this label; raises DiffCompareError naming the labels there are."""
        for p in self.points:
            if p.label == label:
                return p
        raise DiffCompareError(f"{self.name} has no point {label!r}; its points are {', '.join(p.label for p in self.points)}")

    def __repr__(self) -> str:
        return f"<Problem {self.name}>"


def _sensible_operators(f: Function, wrt: Sequence[str]) -> tuple[str, ...]:
    if len(f.outputs) != 1 or f.output.shape:
        return ("jacobian",)
    return ("derivative" if len(wrt) == 1 and not f.input(wrt[0]).shape else "gradient", "hessian")


def _check(problem: Problem) -> None:
    name, f = problem.name, problem.function
    for n in problem.wrt:
        f.input(n)
    unknown = [o for o in problem.operators if o not in OPERATORS]
    if unknown:
        raise DiffCompareError(f"{name}: there is no operator {unknown[0]!r}; the operators are {', '.join(OPERATORS)}")
    labels = [p.label for p in problem.points]
    if not labels or len(set(labels)) < len(labels):
        raise DiffCompareError(f"{name}: a problem has points with different labels, got {labels}")
    if not problem.source.strip():
        raise DiffCompareError(f"{name}: a problem cites its source")
    for p in problem.points:
        if set(p) != set(f.names):
            raise DiffCompareError(f"{name}: point {p.label!r} has values for {', '.join(p)}; the inputs are {', '.join(f.names)}")
        for n in f.names:
            value = np.asarray(p[n])
            if value.shape != f.input(n).shape:
                raise ShapeError(f"{name}: point {p.label!r} has {n} of shape {value.shape}, the input has shape {f.input(n).shape}")
            if not np.all(np.isfinite(value)):
                raise DomainError(f"{name}: point {p.label!r} has a value of {n} that is not finite: {value}")


# --- families ---


@dataclass(frozen=True)
class Size:
    """An integer parameter of a family: its default, the range allowed, what it counts and why the range ends there; multiples of step."""

    default: int
    least: int
    most: int
    meaning: str
    step: int = 1


class Family:
    """A problem with sizes: `logistic_map(n=8)` is the Problem named logistic_map(n=8); sizes left out have their defaults.

    name, sizes: by name a Size. tags: those of each of its problems, known before one is built. Raises DiffCompareError for
    a size that is unknown, no integer or out of its range.
    """

    def __init__(self, name: str, build: Callable[..., Problem], sizes: Mapping[str, Size], tags: Sequence[str] = ()) -> None:
        parameters = list(inspect.signature(build).parameters)
        if parameters != list(sizes):
            raise DiffCompareError(f"{name}: the builder takes {', '.join(parameters)}, the sizes are {', '.join(sizes)}")
        self.name = name
        self.build = build
        self.sizes = dict(sizes)
        self.tags = tuple(tags)
        self.__doc__ = build.__doc__

    @property
    def defaults(self) -> dict[str, int]:
        return {n: s.default for n, s in self.sizes.items()}

    def __call__(self, *args: int, **named: int) -> Problem:
        chosen = self._checked(args, named)
        text = ", ".join(f"{n}={v}" for n, v in chosen.items())
        built = self.build(**chosen)
        return replace(built, name=f"{self.name}({text})", sizes=chosen, tags=tuple(dict.fromkeys((*self.tags, *built.tags))))

    def _checked(self, args: Sequence[Any], named: Mapping[str, Any]) -> dict[str, int]:
        known = ", ".join(self.sizes)
        if len(args) > len(self.sizes):
            raise DiffCompareError(f"{self.name} has the sizes {known}, got {len(args)} values")
        given = dict(zip(self.sizes, args, strict=False))
        for n, value in named.items():
            if n not in self.sizes or n in given:
                problem = "got twice the size" if n in given else "has no size"
                raise DiffCompareError(f"{self.name} {problem} {n!r}; its sizes are {known}")
            given[n] = value
        return {n: self._one(n, given.get(n, s.default)) for n, s in self.sizes.items()}

    def _one(self, name: str, value: Any) -> int:
        size = self.sizes[name]
        steps = "" if size.step == 1 else f" in steps of {size.step}"
        rule = f"{self.name}: the size {name} is an integer from {size.least} to {size.most}{steps} ({size.meaning})"
        if isinstance(value, bool | np.bool_):
            raise DiffCompareError(f"{rule}, got {value}")
        try:
            number = operator.index(value)
        except TypeError:
            raise DiffCompareError(f"{rule}, got {_clip(repr(value))}") from None
        if not size.least <= number <= size.most or number % size.step:
            raise DiffCompareError(f"{rule}, got {number if abs(number) < 10**18 else 'a number beyond 10**18'}")
        return number

    def __repr__(self) -> str:
        return f"<Family {self.name}({', '.join(f'{n}={s.default}' for n, s in self.sizes.items())})>"

    def __reduce__(self) -> Any:
        return _load_family, (self.name, self.build.__module__)


def _load_family(name: str, module: str) -> Family:
    from importlib import import_module

    found = getattr(import_module(module), name)
    assert isinstance(found, Family), f"{module}.{name} is a {type(found).__name__}"
    return found


def family(tags: Sequence[str] = (), **sizes: Size) -> Callable[[Callable[..., Problem]], Family]:
    """Make a builder of problems the Family of its name, with these tags, and these sizes in the order of its parameters."""
    return lambda build: Family(build.__name__, build, sizes, tags)


# --- the library by text ---


def library() -> dict[str, Problem | Family]:
    """Every problem and family of the library, and of plug-ins, by name in the order of names."""
    from .registry import discover

    return discover(LIBRARY, (Problem, Family))


def find(text: str) -> list[Problem]:
    """The problems that a text means, in the order of names: `rosenbrock`, `rosenbrock(n=8)`, `*_regression`, `*(n=8)`, `tag:core`.

    Shell patterns (* ? [abc]) match names, case counting, and after `tag:` tags; families without sizes in the text have
    their defaults. A pattern with sizes means the families that have those sizes. Raises DiffCompareError where nothing
    matches, with the nearest names, or a size is wrong.
    """
    name, sizes = _parsed(text)
    entries = _entries(name)
    if not sizes:
        return [e() if isinstance(e, Family) else e for e in entries]
    fitting = [e for e in entries if isinstance(e, Family) and set(sizes) <= set(e.sizes)]
    if not fitting:
        described = "; ".join(f"{e.name} has {', '.join(e.sizes) or 'none'}" for e in entries[:3])
        raise DiffCompareError(f"no problem {name!r} has the sizes {', '.join(sizes)}: {described}")
    return [e(**sizes) for e in fitting]


def _entries(name: str) -> list[Problem | Family]:
    """The entries of the library that a name, a pattern or `tag:` with either means; one at least."""
    known = library()
    if name in known:
        return [known[name]]
    if name.startswith(TAG):
        tag = name.removeprefix(TAG).strip()
        tagged = [e for e in known.values() if any(fnmatch.fnmatchcase(t, tag) for t in e.tags)]
        if not tagged:
            tags = sorted({t for e in known.values() for t in e.tags})
            raise DiffCompareError(f"no problem has the tag {_clip(repr(tag))}; the tags are {', '.join(tags)}")
        return tagged
    found = [e for n, e in known.items() if fnmatch.fnmatchcase(n, name)]
    if not found:
        near = difflib.get_close_matches(name, known, n=3)
        core = ", ".join(n for n, e in known.items() if CORE in e.tags)
        hint = f"did you mean {', '.join(near)}?" if near else f"those of the core are {core}; `diffcompare list problems` has all"
        raise DiffCompareError(f"there is no problem {_clip(repr(name))}; {hint}")
    return found


def _parsed(text: str) -> tuple[str, dict[str, Any]]:
    """NAME or NAME(size=integer, ...) in its parts; a value that is not an integer stays text, for the size to refuse."""
    if len(text) > LONGEST_TEXT:
        raise DiffCompareError(f"the name of a problem has at most {LONGEST_TEXT} characters, got {len(text)}: {_clip(text)}")
    name, bracket, rest = text.strip().partition("(")
    name = name.strip()
    if not name:
        raise DiffCompareError(f"expected the name of a problem, such as rosenbrock(n=8), got {_clip(repr(text))}")
    if not bracket:
        return name, {}
    if not rest.endswith(")"):
        raise DiffCompareError(f"{_clip(text)}: the bracket after {name} is not closed")
    sizes: dict[str, Any] = {}
    body = rest[:-1].strip()
    for part in body.split(",") if body else ():
        key, equals, value = (p.strip() for p in part.partition("="))
        if not equals or not key or not value:
            raise DiffCompareError(f"{_clip(text)}: sizes read like {name}(n=8), got {part.strip()!r}")
        if key in sizes:
            raise DiffCompareError(f"{_clip(text)}: the size {key} is given twice")
        sizes[key] = _integer(value)
    return name, sizes


def _integer(text: str) -> int | str:
    """An integer of at most 18 ASCII digits as a number; any other text as it is."""
    digits = text[1:] if text[0] in "+-" else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else text


def _clip(text: str, width: int = 60) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."

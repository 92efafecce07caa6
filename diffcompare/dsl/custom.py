"""A user's own function with its partial derivatives, usable wherever a built-in one is."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..errors import DiffCompareError, Unsupported
from .constants import as_expr
from .core import BUILT_IN, FUNCTIONS, PRIMITIVES, fresh, is_fresh, register
from .elementwise import Elementwise, Interval
from .walk import postorder


def primitive(
    name: str,
    value: Callable[..., Any] | None,
    partials: Callable[..., Any],
    *,
    arity: int | None = None,
    numpy: Callable[..., Any] | None = None,
    math: Callable[..., Any] | None = None,
    domain: tuple[Interval, ...] = (),
    replace: bool = False,
) -> Elementwise:
    """Register a scalar function with its partial derivatives, as `square = primitive("square_", lambda x: x * x, lambda x: 2 * x)`.

    value(*args): the function in the DSL; it then runs on every engine and in every family, and can be certified.
    partials(*args): its derivative, or a tuple with one for each argument, in the DSL. arity: the number of arguments,
    where signatures do not show it. domain: an Interval for each argument, the numbers at which it is defined.
    A function that has no form in the DSL passes value=None and what there is of numpy= (arrays in, array out) and
    math= (floats in, float out): engines and families that have no form refuse it by name when prepared.
    replace=True puts it in the place of an earlier function of the user's of that name. Names may be parsed in text.
    Raises DiffCompareError for a name that is taken or is no identifier, or rules that do not fit the arguments,
    TypeError for rules that are no functions.
    """
    if not name.isidentifier():
        raise DiffCompareError(f"a function's name is an identifier, got {name!r}")
    if name in FUNCTIONS and (name in BUILT_IN or name not in PRIMITIVES):
        raise DiffCompareError(f"a function named {name!r} exists already: choose another name")
    for what, rule in (("value", value), ("partials", partials), ("numpy", numpy), ("math", math)):
        if not callable(rule) and (rule is not None or what == "partials"):
            raise TypeError(f"{name}: {what}= is a function of the arguments, such as lambda x: 2 * x, got {rule!r}")
    if value is None and numpy is None and math is None:
        raise DiffCompareError(f"{name}: give its value in the DSL, or numpy= or math=")
    count = arity if arity is not None else _arity(name, value or partials)
    made = Elementwise(
        name,
        count,
        evaluate=value if value is None else lambda *args: as_expr(value(*args)),
        partials=lambda y, *args: _tuple(partials(*args)),
        array=numpy if value is None else None,
        scalar=math if value is None else None,
        ball=_no_ball(name) if value is None else None,
        domain=domain,
        singular=lambda node: True,
    )
    _try_rules(made)
    return register(made, replace=replace)


def _arity(name: str, rule: Callable[..., Any]) -> int:
    kinds = [p.kind for p in inspect.signature(rule).parameters.values()]
    if any(k in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD) for k in kinds):
        raise DiffCompareError(f"{name}: the number of arguments is not in the signature; pass arity=")
    return len(kinds)


def _tuple(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def _no_ball(name: str) -> Callable[..., Any]:
    def refuse(*args: Any) -> Any:
        raise Unsupported(f"{name} has no form in the DSL, so its truth cannot be certified: give value= as a DSL expression")

    return refuse


def _try_rules(made: Elementwise) -> None:
    """The rules run once on symbols, so that a mistake shows here and not at the first derivative."""
    symbols = [fresh(f"argument {k}") for k in range(made.arity)]
    results: list[Any] = list(_tuple(made.derivatives(made.apply(symbols))))
    if len(results) != made.arity:
        raise DiffCompareError(f"{made.name}: {made.arity} arguments need {made.arity} partial derivatives, got {len(results)}")
    if made.evaluate is not None:
        results.append(made.evaluate(*symbols))
    for result in results:
        if result is None:
            continue
        expr = as_expr(result)
        strangers = [n for n in postorder([expr]) if is_fresh(n) and not any(n is s for s in symbols)]
        if expr.shape != () or strangers:
            raise DiffCompareError(f"{made.name}: value and partials must be scalar expressions of the arguments alone, got {expr!r}")

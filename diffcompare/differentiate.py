"""The operators as users call them: gradient(f, method="ad.reverse", engine="numpy") and its siblings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar

from .differentiators.base import MEMORY, Derivative, Differentiator, Operator
from .dsl.core import BOOL
from .dsl.function import Function, as_function
from .engines.base import Engine
from .errors import DiffCompareError, Unsupported
from .registry import discover
from .transforms.cost import cost
from .transforms.nonsmooth import at_kinks

T = TypeVar("T")
DEFAULT_METHOD = "ad.reverse"
SMALL = 300
"""Scalar operations below which plain Python beats NumPy's cost of about half a microsecond an instruction."""


@cache
def methods() -> dict[str, Differentiator]:
    """Every method by name, plug-ins included."""
    return discover("diffcompare.differentiators", Differentiator)  # type: ignore[type-abstract]


@cache
def engines() -> dict[str, Engine]:
    """Every engine by name, plug-ins included."""
    return discover("diffcompare.engines", Engine)  # type: ignore[type-abstract]


def find_method(method: str | Differentiator) -> Differentiator:
    """The method of this name; raises DiffCompareError naming those there are."""
    return method if isinstance(method, Differentiator) else _find("method", method, methods())


def find_engine(engine: str | Engine, function: Function) -> Engine:
    """The engine of this name; `auto` takes python for small scalar functions and numpy for everything else."""
    if isinstance(engine, Engine):
        return engine
    if engine == "auto":
        scalar = all(n.shape == () and n.dtype != BOOL for n in (*function.inputs, *function.outputs))
        engine = "python" if scalar and cost(function).operations <= SMALL else "numpy"
    return _find("engine", engine, engines())


def _find(kind: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        near = get_close_matches(str(name), known, n=1)
        guess = f", did you mean {near[0]!r}?" if near else ""
        raise DiffCompareError(f"no {kind} is named {name!r}{guess}; there are: {', '.join(known)}")
    return known[name]


def prepare(
    f: Any,
    operator: Operator | str,
    wrt: str | Sequence[str] | None = None,
    *,
    method: str | Differentiator = DEFAULT_METHOD,
    engine: str | Engine = "auto",
    order: int = 1,
    batch: bool = True,
    precision: str = "float64",
    memory: int = MEMORY,
    nonsmooth: str = "convention",
    raw: bool = False,
) -> Derivative:
    """A prepared derivative of a Function, an expression or text.

    wrt: names of inputs or named intermediates, all inputs by default. method, engine: names (see methods(), engines())
    or objects. batch=False refuses leading batch axes. memory: bytes that one chunk of directions may take.
    nonsmooth: what derivatives are at kinks: "convention" (of each function's row), "nan", or "raise", a DomainError when
    called; the latter two with ad.* and symbolic, "raise" on engines python and numpy.
    raw: results as the engine's own arrays (jax.Array, on engine jax) instead of NumPy's.
    Raises DiffCompareError for unknown names, ShapeError for shapes the operator does not take, Unsupported or TooLarge
    where the method or the engine does not take the function.
    """
    function = as_function(f)
    try:
        operator = Operator(operator)
    except ValueError:
        raise DiffCompareError(f"no operator is named {operator!r}; there are: {', '.join(Operator)}") from None
    found = find_method(method)
    chosen = find_engine(engine, function)
    if raw:
        chosen = chosen.with_raw_results()
    if nonsmooth != "convention":
        _check_nonsmooth(found, chosen, nonsmooth)
        function = at_kinks(function, nonsmooth)
    return found.prepare(function, operator, chosen, wrt, order=order, batch=batch, precision=precision, memory=memory)


def _check_nonsmooth(method: Differentiator, engine: Engine, nonsmooth: str) -> None:
    if method.family not in ("ad", "symbolic"):
        raise Unsupported(
            f"{method.name} does not differentiate the graph and takes nonsmooth='convention' alone, not {nonsmooth!r}; use ad.reverse"
        )
    if nonsmooth == "raise" and engine.name not in ("python", "numpy"):
        raise Unsupported(f"engine {engine.name} cannot raise at a kink; use engine python or numpy, or nonsmooth='nan'")


def value(f: Any, **options: Any) -> Derivative:
    """The function itself, prepared to be called with numbers."""
    return prepare(f, Operator.VALUE, **options)


def derivative(f: Any, wrt: str | None = None, order: int = 1, **options: Any) -> Derivative:
    """The derivative of any order with respect to one scalar input; shape of the output."""
    return prepare(f, Operator.DERIVATIVE, wrt, order=order, **options)


def gradient(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """The gradient of a scalar output: for each input an array of its shape."""
    return prepare(f, Operator.GRADIENT, wrt, **options)


def jacobian(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """All first derivatives, of shape output + input."""
    return prepare(f, Operator.JACOBIAN, wrt, **options)


def hessian(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """All second derivatives of a scalar output: r.x.y has shape x + y."""
    return prepare(f, Operator.HESSIAN, wrt, **options)


def jvp(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """The derivative along a direction, d(*inputs, tangent=...); shape of the output."""
    return prepare(f, Operator.JVP, wrt, **options)


def vjp(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """The gradient of a weighted output, d(*inputs, cotangent=...); shape of the inputs."""
    return prepare(f, Operator.VJP, wrt, **options)


def hvp(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """The Hessian times a direction, d(*inputs, tangent=...); shape of the inputs."""
    return prepare(f, Operator.HVP, wrt, **options)


def value_and_gradient(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """(value, gradient) in one call, sharing what they have in common."""
    return prepare(f, Operator.VALUE_AND_GRADIENT, wrt, **options)

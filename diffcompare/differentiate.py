"""The operators as users call them: gradient(f, method="ad.reverse", engine="numpy") and its siblings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

from .differentiators.base import MEMORY, Derivative, Differentiator, Operator
from .dsl.function import Function, as_function
from .engines.auto import GRADIENT, Choice, choose, work
from .engines.base import Engine
from .errors import DiffCompareError, TooLarge, Unsupported
from .registry import discover
from .transforms.nonsmooth import at_kinks

T = TypeVar("T")
DEFAULT_METHOD = "ad.reverse"


@cache
def methods() -> dict[str, Differentiator]:
    """Every method by name, plug-ins included."""
    return discover("diffcompare.differentiators", Differentiator)


@cache
def engines() -> dict[str, Engine]:
    """Every engine by name, plug-ins included."""
    return discover("diffcompare.engines", Engine)


def find_method(method: str | Differentiator) -> Differentiator:
    """The method of this name; raises DiffCompareError naming those there are."""
    return method if isinstance(method, Differentiator) else _find("method", method, methods())


def find_engine(engine: str | Engine, function: Function) -> Engine:
    """The engine of this name; for `auto` the one that suits a gradient of the function."""
    if isinstance(engine, Engine):
        return engine
    return _find("engine", automatic(function).engine if engine == "auto" else engine, engines())


def automatic(
    function: Function, operator: Operator = Operator.GRADIENT, precision: str = "float64", among: Collection[str] | None = None
) -> Choice:
    """The engine that `auto` takes for an operator of a function, and why, by the work that engines/auto.py counts.

    among: the engines to choose from, by default those whose libraries are here.
    """
    directions = {Operator.JACOBIAN: function.outputs, Operator.HESSIAN: function.inputs}.get(operator, ())
    passes = 1 if operator is Operator.VALUE else GRADIENT
    counted = work(function, passes, max(sum(n.size for n in directions), 1))
    return choose(counted, _installed() if among is None else among, precision)


@cache
def _installed() -> frozenset[str]:
    return frozenset(engines()) - (frozenset() if find_spec("llvmlite") else {"llvm"})


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
    """A prepared derivative of a Function, an expression or text: to be called with the inputs, by position or by name.

    Inputs of shape s take numbers and arrays of shape batch + s, and give results of shape batch + what the operator states.
    With respect to several inputs the result is a Named, r.x; of several outputs a tuple, outputs outermost. Derivatives are
    in units of the output by units of the input; nothing is scaled.

    operator: value, derivative, gradient, jacobian, hessian, jvp, vjp, hvp or value_and_gradient; order: of derivative.
    engine="auto" takes the plainest engine that is about as fast as any for 1,000 calls, by counted work; `engine_reason` tells.
    wrt: names of inputs or named intermediates, all inputs by default. method, engine: names (see methods(), engines())
    or objects. batch=False refuses leading batch axes. precision: float64 or float32. memory: bytes that one chunk of
    directions may take.
    nonsmooth: what derivatives are at kinks: "convention" (of each function's row), "nan", or "raise", a DomainError when
    called; the latter two with ad.* and symbolic, "raise" on engines python and numpy.
    raw: results as the engine's own arrays (jax.Array, on engine jax) instead of NumPy's.
    Raises DiffCompareError for unknown names, ShapeError for shapes the operator does not take, ParseError for text that is
    no formula, TypeError for what is no function, Unsupported or TooLarge where the method or the engine does not take the
    function. A call raises TypeError for missing arguments and what is no real number, ShapeError for shapes that do not fit.
    """
    function = as_function(f)
    try:
        operator = Operator(operator)
    except ValueError:
        raise DiffCompareError(f"no operator is named {operator!r}; there are: {', '.join(Operator)}") from None
    found = find_method(method)

    def on(engine: str | Engine) -> Derivative:
        chosen = find_engine(engine, function)
        if raw:
            chosen = chosen.with_raw_results()
        if nonsmooth != "convention":
            _check_nonsmooth(found, chosen, nonsmooth)
        whole = function if nonsmooth == "convention" else at_kinks(function, nonsmooth)
        return found.prepare(whole, operator, chosen, wrt, order=order, batch=batch, precision=precision, memory=memory)

    if engine != "auto":
        return on(engine)
    plain = found.family in ("peer", "manual") or nonsmooth == "raise"
    among = {"jax"} if raw else {"python", "numpy"} if plain else None
    return _first_that_takes(automatic(function, operator, precision, among), on)


def _first_that_takes(choice: Choice, on: Callable[[str], Derivative]) -> Derivative:
    """The derivative on the engine chosen, or where that refuses on the next best."""
    refused = ""
    for name in (choice.engine, *choice.others):
        try:
            derivative = on(name)
        except (Unsupported, TooLarge) as error:
            if name == (choice.engine, *choice.others)[-1]:
                raise
            refused += f"; {name} refused: {error}"
            continue
        derivative.engine_reason = choice.reason + refused
        return derivative
    raise AssertionError("no engine to choose from")


def _check_nonsmooth(method: Differentiator, engine: Engine, nonsmooth: str) -> None:
    if method.family not in ("ad", "symbolic"):
        raise Unsupported(
            f"{method.name} does not differentiate the graph and takes nonsmooth='convention' alone, not {nonsmooth!r}; use ad.reverse"
        )
    if nonsmooth == "raise" and engine.name not in ("python", "numpy"):
        raise Unsupported(f"engine {engine.name} cannot raise at a kink; use engine python or numpy, or nonsmooth='nan'")


def value(f: Any, **options: Any) -> Derivative:
    """The function itself, prepared to be called with numbers; shape of the output. options and errors: as of prepare."""
    return prepare(f, Operator.VALUE, **options)


def derivative(f: Any, wrt: str | None = None, order: int = 1, **options: Any) -> Derivative:
    """The derivative of any order with respect to one scalar input; shape of the output. options and errors: as of prepare.

    wrt: needed where there are several inputs. Raises ShapeError for an input that is an array: that has a gradient.
    """
    return prepare(f, Operator.DERIVATIVE, wrt, order=order, **options)


def gradient(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """The gradient of a scalar output: an array of the input's shape, of several a Named of them. options and errors: as of prepare.

    wrt: names of inputs or named intermediates, all inputs by default. Raises ShapeError for an array output: that has a
    Jacobian.
    """
    return prepare(f, Operator.GRADIENT, wrt, **options)


def jacobian(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """All first derivatives, of shape output + input; of several inputs a Named of such. options and errors: as of prepare."""
    return prepare(f, Operator.JACOBIAN, wrt, **options)


def hessian(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """All second derivatives of a scalar output, of shape x + x; of several inputs r.x.y has shape x + y.

    options and errors: as of prepare; ShapeError for an array output.
    """
    return prepare(f, Operator.HESSIAN, wrt, **options)


def jvp(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """The derivative along a direction, d(*inputs, tangent=...), Σ ∂f/∂x tangent.x; shape of the output.

    tangent: an array of the input's shape, of several inputs a sequence or a dict by name. options and errors: as of prepare.
    """
    return prepare(f, Operator.JVP, wrt, **options)


def vjp(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """The gradient of a weighted output, d(*inputs, cotangent=...), Σ cotangent ∂f/∂x; shape of the inputs.

    cotangent: an array of the output's shape, of several outputs a sequence. options and errors: as of prepare.
    """
    return prepare(f, Operator.VJP, wrt, **options)


def hvp(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """The Hessian of a scalar output times a direction, d(*inputs, tangent=...); shape of the inputs.

    tangent: as of jvp. options and errors: as of prepare; ShapeError for an array output.
    """
    return prepare(f, Operator.HVP, wrt, **options)


def value_and_gradient(f: Any, wrt: str | Sequence[str] | None = None, **options: Any) -> Derivative:
    """(value, gradient) of a scalar output in one call, sharing what they have in common. options and errors: as of gradient."""
    return prepare(f, Operator.VALUE_AND_GRADIENT, wrt, **options)

"""Ordinary NumPy code as a Function: NumPy hands its calls on expressions to array_ufunc and array_function below.

trace runs a Python function once, on expressions in place of arrays; what it returns is the graph. Loops, comprehensions and
recursion over static sizes unroll by themselves. What depends on values has no form, and its error says what to write instead.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from ..errors import DiffCompareError, Unsupported
from . import numpy_forms  # noqa: F401 - fills FORMS
from .aliases import lookup, nearest
from .constants import as_expr, constant
from .core import BOOL, FUNCTIONS, Expr
from .elementwise import Elementwise
from .function import Function, symbol
from .numpy_moves import broadcast_arrays
from .numpy_table import FORMS
from .structural import reshape, stack

# --- universal functions ---


def _logaddexp(a: Expr, b: Expr) -> Expr:
    return FUNCTIONS["logsumexp"](stack(broadcast_arrays(a, b)), axis=0)


def _heaviside(x: Expr, middle: Expr) -> Expr:
    where, lt = FUNCTIONS["where"], FUNCTIONS["lt"]
    return where(lt(x, 0.0), 0.0, where(lt(0.0, x), 1.0, where(FUNCTIONS["eq"](x, 0.0), middle, np.nan)))


def _bitwise(name: str) -> Callable[..., Expr]:
    def logic(*args: Expr) -> Expr:
        if any(a.dtype != BOOL for a in args):
            raise Unsupported(f"np.{name.replace('logical', 'bitwise')} works on conditions such as x > 0, not on numbers")
        return FUNCTIONS[name](*args)

    return logic


UFUNCS: dict[str, Callable[..., Expr]] = {
    "positive": lambda x: x,
    "conjugate": lambda x: x,
    "deg2rad": lambda x: x * (np.pi / 180.0),
    "radians": lambda x: x * (np.pi / 180.0),
    "rad2deg": lambda x: x * (180.0 / np.pi),
    "degrees": lambda x: x * (180.0 / np.pi),
    "isnan": lambda x: FUNCTIONS["ne"](x, x),
    "isinf": lambda x: FUNCTIONS["eq"](abs(x), np.inf),
    "isfinite": lambda x: FUNCTIONS["lt"](abs(x), np.inf),
    "logical_xor": lambda a, b: FUNCTIONS["ne"](FUNCTIONS["ne"](a, 0.0), FUNCTIONS["ne"](b, 0.0)),
    "bitwise_and": _bitwise("logical_and"),
    "bitwise_or": _bitwise("logical_or"),
    "invert": _bitwise("logical_not"),
    "heaviside": _heaviside,
    "logaddexp": _logaddexp,
    "matmul": lambda a, b: FUNCTIONS["matmul"](a, b),
    "vecdot": lambda a, b: (a * b).sum(axis=-1),
    "matvec": lambda a, b: FUNCTIONS["matmul"](a, reshape(b, (*b.shape, 1)))[..., 0],
    "vecmat": lambda a, b: FUNCTIONS["matmul"](reshape(a, (*a.shape[:-1], 1, a.shape[-1])), b)[..., 0, :],
}
"""Universal functions that are no function of the DSL, or are not one yet."""

REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any"}
ACCUMULATIONS = {"add": "cumsum", "multiply": "cumprod"}


def array_ufunc(ufunc: Any, method: str, inputs: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The expression for a call of a universal function of NumPy or SciPy, or for one of its methods.

    Raises Unsupported, naming the call, where there is none.
    """
    name = ufunc.__name__
    label = f"np.{name}" if getattr(np, name, None) is ufunc else f"the ufunc {name}"
    kwargs = _without_defaults(label, kwargs)
    if method == "reduce" and name in REDUCTIONS:
        return _bound(f"{label}.reduce", FORMS[REDUCTIONS[name]], inputs, {"axis": 0, **kwargs})
    if method == "accumulate" and name in ACCUMULATIONS:
        return _bound(f"{label}.accumulate", FORMS[ACCUMULATIONS[name]], inputs, {"axis": 0, **kwargs})
    function = _scalar_form(ufunc)
    if method == "outer" and function is not None and len(inputs) == 2 and not kwargs:
        a, b = (as_expr(i) for i in inputs)
        return function(reshape(a, a.shape + (1,) * b.ndim), b)
    if method != "__call__":
        raise Unsupported(f"{label}.{method} has no form for expressions: use {_instead_of_method(name, method)}")
    if kwargs:
        raise Unsupported(f"{label}: the argument {min(kwargs)} has no form for expressions: leave it out")
    function = UFUNCS["matmul"] if name == "matmul" else function
    if function is None:
        raise Unsupported(f"{label} has no form for expressions{_advice(name)}")
    return function(*(as_expr(i) for i in inputs))


def _scalar_form(ufunc: Any) -> Callable[..., Expr] | None:
    """The function of the DSL that a ufunc means by its name and number of arguments, or its composition."""
    found = lookup(ufunc.__name__)
    comparison = found is not None and found in (FUNCTIONS["gt"], FUNCTIONS["ge"])
    if ufunc.nout == 1 and (comparison or (isinstance(found, Elementwise) and found.arity == ufunc.nin)):
        return found
    return UFUNCS.get(ufunc.__name__)


def _instead_of_method(name: str, method: str) -> str:
    if method == "at":
        return "np.stack or np.where to build a new array; expressions are never changed in place"
    return f"np.{REDUCTIONS[name]}" if name in REDUCTIONS else "a loop over the entries"


# --- array functions ---

BY_VALUE = "its result depends on values, which a traced function does not have: "
IN_PLACE = "expressions are never changed in place: collect the parts and use np.stack, np.concatenate or np.where"
ADVICE = {
    **dict.fromkeys(("nonzero", "flatnonzero", "argwhere", "unique", "extract", "compress"), BY_VALUE + "use np.where(condition, a, b)"),
    **dict.fromkeys(
        ("argmax", "argmin", "argsort", "searchsorted", "digitize"), BY_VALUE + "use np.max, np.min or np.where(condition, a, b)"
    ),
    **dict.fromkeys(("sort", "median", "percentile", "quantile", "partition"), BY_VALUE + "use np.max, np.min or dc.logsumexp"),
    **dict.fromkeys(
        ("isclose", "allclose", "array_equal", "array_equiv"), BY_VALUE + "compare with np.abs(a - b) < tolerance inside np.where"
    ),
    **dict.fromkeys(("copyto", "put", "place", "putmask", "fill_diagonal", "put_along_axis", "empty_like"), IN_PLACE),
    **dict.fromkeys(("interp", "piecewise"), "write the pieces with np.where(x < limit, a, b) or np.select"),
    **dict.fromkeys(
        ("linalg.solve", "linalg.inv", "linalg.det", "linalg.slogdet", "linalg.lstsq", "linalg.pinv", "linalg.cholesky", "linalg.qr"),
        "write the elimination out in loops over static sizes, or formulate it with @ and np.einsum",
    ),
    **dict.fromkeys(
        ("linalg.eig", "linalg.eigh", "linalg.eigvals", "linalg.eigvalsh", "linalg.svd"), "there are no eigenvalues or singular values"
    ),
    **dict.fromkeys(("fmax", "fmin"), "use np.maximum and np.minimum, which keep NaN"),
    "fmod": "use np.mod, whose result has the sign of the divisor",
    **dict.fromkeys(("convolve", "correlate"), "write the sum of shifted products in a loop, or gather with x[indices] and np.einsum"),
    **dict.fromkeys(("item", "tolist"), BY_VALUE + "leave it out, an expression stands for the value"),
    "fill": IN_PLACE,
    "nan_to_num": "use np.where(np.isnan(x), 0, x)",
}
"""What to use instead of functions without a form."""


def array_function(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The expression for a call of an array function of NumPy.

    Raises Unsupported, naming the call, where there is none.
    """
    name = f"{func.__module__}.{func.__name__}".removeprefix("numpy.")
    found = FORMS.get(name)
    if found is None:
        raise Unsupported(f"np.{name} has no form for expressions{_advice(name)}")
    return _bound(f"np.{name}", found, args, _without_defaults(f"np.{name}", kwargs))


def _advice(name: str) -> str:
    if name in ADVICE:
        return f": {ADVICE[name]}"
    if name.startswith("fft."):
        return ": there are no complex numbers; write the sums of cosines and sines out"
    near = nearest(name, [*FORMS, *(n for n in FUNCTIONS if hasattr(np, n))])
    similar = f" (similar: {', '.join(near)})" if near else ""
    return f": write it with arithmetic, @, indexing and the functions that `diffcompare list functions` shows{similar}"


def _without_defaults(label: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments that say something; raises Unsupported for those that no expression can honour."""
    if any(o is not None for o in np.atleast_1d(np.array(kwargs.get("out"), dtype=object))):
        raise Unsupported(
            f"{label}: out= writes into an array, which expressions cannot: use the returned value (x = x + y instead of x += y)"
        )
    if kwargs.get("where", True) is not True and kwargs["where"] is not np._NoValue:
        raise Unsupported(f"{label}: where= has no form for expressions: use np.where(condition, a, b) around the call")
    if kwargs.get("dtype") is not None and np.dtype(kwargs["dtype"]) != np.float64:
        raise Unsupported(f"{label}: dtype={kwargs['dtype']!r} has no form for expressions, which are real numbers: leave it out")
    if kwargs.get("order") not in (None, "C", "K", "A"):
        raise Unsupported(f"{label}: order={kwargs['order']!r} has no form for expressions, whose order is C: transpose instead")
    ignored = ("out", "where", "dtype", "order", "like", "casting", "subok")
    return {k: v for k, v in kwargs.items() if k not in ignored and v is not np._NoValue}


def _bound(label: str, found: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """found(*args, **kwargs), where arguments that the form does not take are an error that lists those it takes."""
    signature = inspect.signature(found)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        listed = ", ".join(signature.parameters)
        raise Unsupported(f"{label}: {error}; its arguments with a form for expressions are ({listed})") from None
    return found(*bound.args, **bound.kwargs)


# --- methods ---

ATTRIBUTES: dict[str, Callable[[Expr], Any]] = {
    "real": lambda x: x,
    "mT": lambda x: FORMS["matrix_transpose"](x),
    "astype": lambda x: lambda dtype, **options: _same_dtype(x, dtype),
}


def attribute(x: Expr, name: str) -> Any:
    """x.name for the methods of NumPy's arrays that have a form, such as x.var(axis=0); raises AttributeError for others."""
    if name in ATTRIBUTES:
        return ATTRIBUTES[name](x)
    if name in FORMS and callable(getattr(np.ndarray, name, None)):
        return lambda *args, **kwargs: _bound(f"x.{name}", FORMS[name], (x, *args), _without_defaults(f"x.{name}", kwargs))
    advice = f": {ADVICE[name]}" if name in ADVICE else ""
    raise AttributeError(f"an expression has no attribute {name!r}{advice}")


def _same_dtype(x: Expr, dtype: Any) -> Expr:
    if np.dtype(dtype) != np.float64:
        raise Unsupported(f"x.astype({dtype!r}) has no form for expressions, which are real numbers: leave it out")
    return FUNCTIONS["real"](x)


# --- what cannot be intercepted ---

INSTEAD = {
    "logsumexp": "use dc.logsumexp(x, axis)",
    "softmax": "use dc.softmax(x, axis)",
    "log_softmax": "use dc.log_softmax(x, axis)",
    "take": "indices are static integers, not expressions",
    "full": "use x * np.ones(shape)",
}


def refuse_array() -> NoReturn:
    """Raise the TypeError of Expr.__array__: NumPy or SciPy wants an array of numbers.

    The message names the library's function that asked, where one stands on the call stack.
    """
    caller = _library_call(sys._getframe(2))
    fix = "instead of np.array([a, b]) and y[i] = a use np.stack([a, b]) or np.concatenate, and leave out np.asarray(a)"
    if caller is not None and not caller[1].startswith("_"):
        module, name = caller
        default = (
            "lists of expressions are joined by np.stack([a, b]) first" if module.startswith("numpy") else "it has no form for expressions"
        )
        fix = f"{module}.{name} asks for one: {INSTEAD.get(name, default)}"
    raise TypeError(f"an expression does not become a NumPy array: {fix}")


def _library_call(frame: FrameType | None) -> tuple[str, str] | None:
    """(package, function) of the outermost NumPy or SciPy function that was called from elsewhere, None if there is none."""
    found = None
    while frame is not None:
        parts = str(frame.f_globals.get("__name__", "")).split(".")
        if parts[0] not in ("numpy", "scipy"):
            break
        found = ".".join(p for p in parts[:2] if not p.startswith("_")), frame.f_code.co_name
        frame = frame.f_back
    return found


# --- trace ---


def trace(fn: Callable[..., Any], /, **shapes: Any) -> Function:
    """The Function that a Python function of NumPy arrays computes.

    shapes: the shape of each argument by name, () for a number; arguments left out keep their defaults, as static values.
    The inputs come in the order of fn's signature. What fn returns (an expression or number, or a tuple or list of them)
    becomes the outputs. Raises Unsupported or TypeError, naming the call, for what has no form.
    """
    if not callable(fn) or isinstance(fn, Function | Expr):
        raise TypeError(f"trace takes a Python function, got {type(fn).__name__}")
    label = getattr(fn, "__name__", type(fn).__name__)
    positional, names = _order(fn, label, shapes)
    inputs = {n: symbol(n, shapes[n]) for n in names}
    try:
        result = fn(*(inputs[n] for n in positional), **{n: inputs[n] for n in names if n not in positional})
    except ValueError as error:
        # NumPy's message for y[i] = x with an expression x, "setting an array element with a sequence", hides the reason
        if isinstance(error.__cause__, TypeError) and "an expression is not a number" in str(error.__cause__):
            raise Unsupported(f"{label}: an expression was assigned into a NumPy array; {IN_PLACE}") from error
        raise
    single = not isinstance(result, tuple | list)
    outputs = [_output(label, r) for r in ([result] if single else result)]
    return Function(label if label.isidentifier() else "f", list(inputs.values()), outputs, single)


def _order(fn: Callable[..., Any], label: str, shapes: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """(names passed by position, all names), in the order of the signature; raises DiffCompareError for wrong names."""
    try:
        parameters = inspect.signature(fn).parameters
    except ValueError:  # some builtins have no signature: the order given is the order passed
        return list(shapes), list(shapes)
    own = {n: p for n, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    unknown = [n for n in shapes if n not in own]
    if unknown and not open_ended:
        raise DiffCompareError(f"trace: {label} has no argument {unknown[0]!r}; its arguments are {', '.join(own) or 'none'}")
    missing = [n for n, p in own.items() if n not in shapes and p.default is p.empty]
    if missing:
        wanted = ", ".join(f"{n}=()" for n in missing)
        raise DiffCompareError(
            f"trace: the shape of {missing[0]!r} is missing: trace({label}, ..., {wanted}) for numbers, (3,) for three of them"
        )
    names = [n for n in own if n in shapes] + unknown
    return [n for n in names if n in own and own[n].kind is inspect.Parameter.POSITIONAL_ONLY], names


def _output(label: str, value: Any) -> Expr:
    if isinstance(value, Expr):
        return value
    if isinstance(value, int | float | np.generic | np.ndarray) and getattr(value, "dtype", None) != np.dtype(object):
        return constant(value)
    if value is None:
        raise TypeError(f"trace: {label} returned None: end it with return and an expression")
    raise TypeError(
        f"trace: {label} returned {type(value).__name__}: return expressions or numbers, alone or in a tuple; np.stack joins a list"
    )

"""Differentiator: a way to differentiate. Derivative: what its preparation gives, a callable.

Every operator's result is a flat list of blocks in one order (`Request.blocks`): outputs outermost, then the inputs
differentiated with respect to, once or twice. A method only produces blocks; names, nesting, batches, checks and
out= are the same for all and live here.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np

from ..dsl.core import Expr, collector_paused
from ..dsl.function import Function, as_function, bind
from ..dsl.named import Named, class_of, nested, nester
from ..dsl.shapes import Shape, broadcast_shape
from ..engines.base import Array, Engine
from ..errors import DiffCompareError, ShapeError, Unsupported
from ..transforms.cost import Cost, Ratio
from ..transforms.cost import cost as primal_cost

MEMORY = 64 * 2**20
"""Bytes that the live values of one chunk of seed directions or shifted points may take."""


class Operator(StrEnum):
    """What is computed. With outputs o and inputs w: value o; derivative o (one scalar input); gradient w (one scalar
    output); jacobian o + w; hessian w + w (one scalar output); jvp o; vjp w; hvp w; value_and_gradient (o, w)."""

    VALUE = "value"
    DERIVATIVE = "derivative"
    GRADIENT = "gradient"
    JACOBIAN = "jacobian"
    HESSIAN = "hessian"
    JVP = "jvp"
    VJP = "vjp"
    HVP = "hvp"
    VALUE_AND_GRADIENT = "value_and_gradient"


NEEDS_SCALAR_OUTPUT = {Operator.GRADIENT, Operator.HESSIAN, Operator.HVP, Operator.VALUE_AND_GRADIENT}


@dataclass(frozen=True)
class Estimate:
    """What a method says of its own result; each part has the structure of the result.

    error: absolute, infinite where the method knows nothing. status: integers, 0 where all is well (see ladder.Status).
    """

    value: Any
    error: Any
    status: Any


@dataclass(frozen=True)
class Request:
    """What is asked of a method: an operator of a function with respect to some of its inputs.

    wrt: the input nodes, in the order asked. order: of the derivative (operator derivative only).
    """

    function: Function
    operator: Operator
    wrt: tuple[Expr, ...]
    order: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(i.params[0] for i in self.wrt)

    @property
    def directions(self) -> tuple[str, tuple[Expr, ...]] | None:
        """(keyword, the nodes whose shapes its parts have) of the vectors given at each call, None if there are none."""
        if self.operator in (Operator.JVP, Operator.HVP):
            return "tangent", self.wrt
        return ("cotangent", self.function.outputs) if self.operator is Operator.VJP else None

    @property
    def blocks(self) -> list[Shape]:
        """The core shapes of the flat result."""
        outputs = [o.shape for o in self.function.outputs]
        inputs = [i.shape for i in self.wrt]
        match self.operator:
            case Operator.VALUE | Operator.DERIVATIVE | Operator.JVP:
                return outputs
            case Operator.GRADIENT | Operator.VJP | Operator.HVP:
                return inputs
            case Operator.VALUE_AND_GRADIENT:
                return outputs + inputs
            case Operator.JACOBIAN:
                return [o + i for o in outputs for i in inputs]
            case Operator.HESSIAN:
                return [i + j for i in inputs for j in inputs]

    @property
    def nest(self) -> Callable[[Any], Any]:
        """The fastest function that does what `structured` does."""
        flat = self.operator in (Operator.GRADIENT, Operator.VJP, Operator.HVP)
        return nester(self.names) if flat else self.structured

    def structured(self, blocks: Sequence[Any]) -> Any:
        """The blocks nested as the user receives them."""
        names, blocks = self.names, list(blocks)
        n = len(names)
        match self.operator:
            case Operator.VALUE | Operator.DERIVATIVE | Operator.JVP:
                return blocks[0] if self.function.single else tuple(blocks)
            case Operator.GRADIENT | Operator.VJP | Operator.HVP:
                return nested(names, blocks)
            case Operator.VALUE_AND_GRADIENT:
                return blocks[0], nested(names, blocks[1:])
            case Operator.JACOBIAN:
                rows = [nested(names, blocks[k * n : (k + 1) * n]) for k in range(len(self.function.outputs))]
                return rows[0] if self.function.single else tuple(rows)
            case Operator.HESSIAN:
                return nested(names, [nested(names, blocks[k * n : (k + 1) * n]) for k in range(n)])


class Runner(ABC):
    """A request made executable by one method on one engine.

    function: the derivative as a Function, where the method gives one; the primal for finite differences.
    calls: evaluations of the primal at each call (0 where it is not called as such).
    source: what the engine runs. single: scalars in, a flat tuple of scalars out, where everything is scalar; or None.
    direct, into: the short ways from arrays as the engine takes them to blocks; see Compiled.
    """

    function: Function
    calls: int = 0
    source: str = ""
    compile_s: float = 0.0
    single: Callable[..., tuple[float, ...]] | None = None
    direct: Callable[[Sequence[Any]], list[Any] | None] | None = None
    into: Callable[[Sequence[Any], Sequence[Any]], bool] | None = None

    @property
    @abstractmethod
    def cost(self) -> Cost | None:
        """Operations by kind in one call at one point; None where they cannot be counted (other people's tools)."""

    def builtin(self, result: type | None, fallback: Callable[..., Any]) -> Callable[..., Any] | None:
        """`single` in machine code, answering with the tuple class `result` (None: one bare float), or None; see Compiled."""
        return None

    def ready(self) -> None:  # noqa: B027  most have nothing left to compile
        """Compile now what single points need."""

    @abstractmethod
    def __call__(self, values: Sequence[Array], directions: Sequence[Array]) -> list[Array]:
        """The blocks at these inputs (all inputs of the function, batch + core) and directions (batch + core)."""

    def write(self, values: Sequence[Array], directions: Sequence[Array], blocks: Sequence[Array]) -> None:
        """The same into float arrays of shape joint batch + core."""
        for block, result in zip(blocks, self(values, directions), strict=True):
            block[...] = result

    def estimates(self, values: Sequence[Array], directions: Sequence[Array]) -> Sequence[tuple[Array, Array, Array]]:
        """(value, error, status) for each block, from methods that estimate the error of what they give."""
        raise Unsupported("this method does not estimate its error; fd.adaptive does")


class Differentiator(ABC):
    """A method. Subclasses say how a request is answered; checks, shapes and results are the same for all."""

    name: str
    family: str

    @abstractmethod
    def runner(self, request: Request, engine: Engine, precision: str, memory: int) -> Runner:
        """The request made executable; raises Unsupported (or TooLarge) naming the reason."""

    def prepare(
        self,
        function: Any,
        operator: Operator | str,
        engine: Engine,
        wrt: str | Sequence[str] | None = None,
        *,
        order: int = 1,
        batch: bool = True,
        precision: str = "float64",
        memory: int = MEMORY,
    ) -> Derivative:
        """A Derivative of the function; wrt: names of inputs or of named intermediate nodes, all inputs by default.

        Raises ShapeError where the operator does not fit the shapes, Unsupported where the method or engine does not
        take the function, DiffCompareError for unknown names.
        """
        return Derivative(self, as_function(function), Operator(operator), wrt, engine, order, batch, precision, memory)

    def __reduce__(self) -> Any:
        return type(self), ()


class Derivative:
    """A prepared derivative: d(*inputs) or d(x=..., y=...), with tangent= or cotangent= where the operator takes one.

    Arguments are real numbers or arrays of shape batch + core; batch axes broadcast and lead the result. Scalars in give
    floats out, one input in `wrt` gives a bare array, several a Named, several outputs a tuple, outermost.
    out: arrays of the result's structure to write into. Values are not inspected: NaN and infinity flow through.
    engine_reason: why `auto` chose the engine; empty where it was asked for by name.
    """

    engine_reason: str = ""

    def __init__(
        self,
        method: Differentiator,
        function: Function,
        operator: Operator,
        wrt: str | Sequence[str] | None,
        engine: Engine,
        order: int,
        batch: bool,
        precision: str,
        memory: int,
    ) -> None:
        self._recipe = (method, function, operator, wrt, engine, order, batch, precision, memory)
        self.primal = function
        self.method = method.name
        self.family = method.family
        self.operator = operator
        self.engine = engine.name
        self._handed_over = engine.handed_over
        self.precision = precision
        names = _wrt_names(function, wrt)
        intermediate = [n for n in names if n not in function.names]
        started = time.perf_counter()
        with collector_paused():
            whole = function.shifted(intermediate) if intermediate else function
            self._request = Request(whole, operator, tuple(whole.input(n) for n in names), order)
            check_request(self._request)
            self._runner = method.runner(self._request, engine, precision, memory)
        self.compile_s = self._runner.compile_s
        self.derive_s = time.perf_counter() - started - self.compile_s
        self._names = function.names
        self._shapes = [i.shape for i in function.inputs]
        self._batch = batch
        self._dtype = np.dtype(precision)
        self._offsets = [np.zeros(whole.input(n).shape, self._dtype) for n in intermediate]
        plain = not intermediate and self._request.directions is None
        scalar = plain and precision == "float64" and all(s == () for s in self._shapes)
        self._scalar = self._runner.single if scalar else None
        self._direct, self._into = (self._runner.direct, self._runner.into) if plain and batch else (None, None)
        self._directed = None if plain or intermediate or not batch else self._runner.direct
        self._several = isinstance(self._request.structured(range(len(self._request.blocks))), tuple)
        self._nest = self._request.nest
        if self._scalar is not None:
            self._enter_machine_code()

    def _enter_machine_code(self) -> None:
        """Let calls with floats go straight to the engine's builtin, where it makes one for results of this structure."""
        n = len(self._request.blocks)
        bare = n == 1 and isinstance(self._nest((0.0,)), float)
        named = self.operator in (Operator.GRADIENT, Operator.VJP, Operator.HVP) and n > 1
        if bare or named:
            entry = self._runner.builtin(class_of(self.wrt) if named else None, partial(Derivative.__call__, self))
            if entry is not None:
                # a builtin is no descriptor: the call of the object is its call, without a Python frame between
                self.__class__ = type("Derivative", (Derivative,), {"__call__": entry, "__module__": __name__})

    def ready(self) -> Derivative:
        """Compile what calls at single points need, now; engine llvm does so at the first such call otherwise.

        Gives the derivative itself; the seconds it took are part of compile_s.
        """
        started = time.perf_counter()
        self._runner.ready()
        self.compile_s += time.perf_counter() - started
        return self

    @property
    def function(self) -> Function:
        """The derivative as a Function of the graph (the primal, for finite differences)."""
        return self._runner.function

    @property
    def cost(self) -> Cost | None:
        """Operations by kind in one call at one point; None where they cannot be counted (other people's tools)."""
        return self._runner.cost

    @property
    def relative_cost(self) -> Ratio | None:
        """The cost as multiples of the primal's; None where it cannot be counted."""
        return None if self.cost is None else self.cost.over(primal_cost(self.primal))

    @property
    def calls(self) -> int:
        """Evaluations of the primal in one call at one point."""
        return self._runner.calls

    @property
    def source(self) -> str:
        """What the engine runs, as text."""
        return self._runner.source

    @property
    def wrt(self) -> tuple[str, ...]:
        """The names differentiated with respect to."""
        return self._request.names

    @property
    def dispatch(self) -> str:
        """How a call with one float for each input reaches the engine: as "arrays", as "floats", or in "machine code" at once."""
        if type(self) is not Derivative:
            return "machine code"
        return "arrays" if self._scalar is None else "floats"

    def __call__(self, *args: Any, out: Any = None, tangent: Any = None, cotangent: Any = None, **named: Any) -> Any:
        if named or len(args) != len(self._names):
            args = tuple(bind(self.primal.name, self._names, args, named))
        if tangent is None and cotangent is None:
            if out is not None:
                if self._into is not None and self._into(args, out if self._several and isinstance(out, tuple | list) else (out,)):
                    return out
            elif self._scalar is not None and _all_floats(args):
                return self._nest(self._scalar(*args))
            elif self._direct is not None and (results := self._direct(args)) is not None:
                return self._nest(results)
        elif self._directed is not None and out is None:
            results = self._directed([*args, *self._direction_parts(tangent, cotangent)])
            if results is not None:
                return self._nest(results)
        arrays, directions, joint = self._arguments(args, tangent, cotangent)
        shapes = [joint + s for s in self._request.blocks]
        if out is not None:
            self._runner.write(arrays, directions, _buffers(self._request.structured(range(len(shapes))), out, shapes))
            return out
        blocks = [_block(r, s) for r, s in zip(self._runner(arrays, directions), shapes, strict=True)]
        return self._request.structured([self._handed_over(b) for b in blocks])

    def estimate(self, *args: Any, tangent: Any = None, cotangent: Any = None, **named: Any) -> Estimate:
        """The result as by a call, with the method's own estimate of its error and a status; Unsupported if it has none."""
        values = bind(self.primal.name, self._names, args, named)
        arrays, directions, joint = self._arguments(values, tangent, cotangent)
        parts = zip(*self._runner.estimates(arrays, directions), strict=True)
        blocks = [[_block(b, joint + s) for b, s in zip(part, self._request.blocks, strict=True)] for part in parts]
        return Estimate(*(self._request.structured([b.item() if not b.shape else b for b in part]) for part in blocks))

    def _arguments(self, values: Sequence[Any], tangent: Any, cotangent: Any) -> tuple[list[Array], list[Array], Shape]:
        """(all inputs of the runner's function, directions, the joint batch shape) of a call, as arrays."""
        arrays = [_array(v, n, s, self._dtype) for v, n, s in zip(values, self._names, self._shapes, strict=True)]
        directions = self._directions(tangent, cotangent)
        cores = [*self._shapes, *(d.shape for d in self._direction_nodes)]
        batches = [a.shape[: a.ndim - len(s)] for a, s in zip([*arrays, *directions], cores, strict=True)]
        joint = self._joint_batch(batches)
        return [*arrays, *self._offsets], directions, joint

    @property
    def _direction_nodes(self) -> tuple[Expr, ...]:
        directions = self._request.directions
        return () if directions is None else directions[1]

    def _direction_parts(self, tangent: Any, cotangent: Any) -> list[Any]:
        """The call's tangent or cotangent, one part for each node it belongs to; raises TypeError for any other keyword."""
        given = {k: v for k, v in (("tangent", tangent), ("cotangent", cotangent)) if v is not None}
        wanted = self._request.directions
        if wanted is None:
            if given:
                raise TypeError(f"{self.operator} takes no {next(iter(given))}=")
            return []
        keyword, _ = wanted
        if set(given) != {keyword}:
            raise TypeError(f"{self.operator} is called as d(*inputs, {keyword}=...)")
        return _parts(given[keyword], self._direction_names(), keyword)

    def _direction_names(self) -> tuple[str, ...]:
        return tuple(map(str, range(len(self._direction_nodes)))) if self.operator is Operator.VJP else self.wrt

    def _directions(self, tangent: Any, cotangent: Any) -> list[Array]:
        """The call's tangent or cotangent as one array for each node it belongs to."""
        parts = self._direction_parts(tangent, cotangent)
        keyword = "tangent" if cotangent is None else "cotangent"
        named = zip(parts, self._direction_names(), self._direction_nodes, strict=True) if parts else ()
        return [_array(p, f"{keyword} for {n}", node.shape, self._dtype) for p, n, node in named]

    def _joint_batch(self, batches: Sequence[Shape]) -> Shape:
        try:
            joint = broadcast_shape(batches)
        except ValueError:
            listed = ", ".join(f"{n} {b}" for n, b in zip(self._names, batches, strict=False))
            raise ShapeError(f"{self.primal.name}: the batch axes do not broadcast: {listed}") from None
        if joint and not self._batch:
            listed = ", ".join(
                f"{n} has {b} beyond its shape {s}" for n, b, s in zip(self._names, batches, self._shapes, strict=False) if b
            )
            raise ShapeError(f"{self.primal.name} was prepared with batch=False: {listed}")
        return joint

    def __reduce__(self) -> Any:
        return Derivative, self._recipe, {"engine_reason": self.engine_reason}

    def __repr__(self) -> str:
        why = f" ({self.engine_reason})" if self.engine_reason else ""
        return f"<{self.operator} of {self.primal.name} with respect to {', '.join(self.wrt)} by {self.method} on {self.engine}{why}>"

    def _repr_html_(self) -> str:
        from .shown import derivative_html

        return derivative_html(self)


def _wrt_names(function: Function, wrt: str | Sequence[str] | None) -> tuple[str, ...]:
    if wrt is None:
        return function.names
    names = (wrt,) if isinstance(wrt, str) else tuple(n if isinstance(n, str) else n.params[0] for n in wrt)
    if not names:
        raise DiffCompareError(f"{function.name}: wrt is empty; name at least one of {', '.join(function.names)}")
    repeated = [n for n in names if names.count(n) > 1]
    if repeated:
        raise DiffCompareError(f"{function.name}: wrt names {repeated[0]!r} twice")
    return names


def check_request(request: Request) -> None:
    f, operator = request.function, request.operator
    shapes = ", ".join(str(o.shape) for o in f.outputs)
    if operator in NEEDS_SCALAR_OUTPUT and (len(f.outputs) != 1 or f.outputs[0].shape != ()):
        other = {Operator.HESSIAN: "jacobian of its gradient", Operator.HVP: "jvp"}.get(operator, "jacobian")
        raise ShapeError(f"{operator} needs one scalar output, {f.name} has {len(f.outputs)} of shape {shapes}; use {other}")
    if operator is Operator.DERIVATIVE and (len(request.wrt) != 1 or request.wrt[0].shape != ()):
        inputs = ", ".join(f"{i.params[0]} {i.shape}" for i in request.wrt) or "none"
        raise ShapeError(f"derivative needs one scalar input, got {inputs}; name one in wrt=, or use gradient or jacobian")
    if operator is not Operator.VALUE and not request.wrt:
        raise ShapeError(f"{operator}: {f.name} has no inputs to differentiate with respect to")
    if request.order != 1 and operator is not Operator.DERIVATIVE:
        raise Unsupported(f"order= belongs to derivative, not to {operator}")
    if not isinstance(request.order, int) or request.order < 1:
        raise Unsupported(f"the order of a derivative is a positive integer, got {request.order!r}")


def _all_floats(values: Sequence[Any]) -> bool:
    for v in values:  # noqa: SIM110  a generator costs more than the call of a small derivative
        if type(v) is not float:
            return False
    return True


def _array(value: Any, name: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """The argument as a float array of shape batch + shape; raises TypeError or ShapeError naming it."""
    if isinstance(value, Expr):
        raise TypeError(f"{name} is an expression: a prepared derivative takes numbers; call its .function on expressions")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ShapeError(f"{name}: rows of different lengths do not make an array") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got {'complex numbers' if array.dtype.kind == 'c' else f'dtype {array.dtype}'}")
    array = array.astype(dtype, copy=False)
    n = len(shape)
    if array.ndim < n or array.shape[array.ndim - n :] != shape:
        raise ShapeError(f"{name}: expected shape {shape or 'scalar'}, with any batch axes in front, got {array.shape}")
    return array


def _parts(given: Any, names: Sequence[str], keyword: str) -> list[Any]:
    """One direction bare, several as a sequence in order or a mapping by name."""
    if isinstance(given, Mapping):
        missing = [n for n in names if n not in given]
        if missing or len(given) != len(names):
            raise TypeError(f"{keyword}= needs exactly {', '.join(names)}, got {', '.join(map(str, given))}")
        return [given[n] for n in names]
    if len(names) == 1 and not isinstance(given, Named):
        return [given]
    if not isinstance(given, Sequence) or len(given) != len(names):
        raise TypeError(f"{keyword}= needs {len(names)} parts ({', '.join(names)}), as a sequence or a dict")
    return list(given)


def _block(value: Any, shape: Shape) -> Any:
    """A result over the whole joint batch; one that is that already stays what it is, such as an array of JAX."""
    if getattr(value, "shape", None) == shape:
        return value
    return np.array(np.broadcast_to(np.asarray(value), shape))


def _buffers(places: Any, out: Any, shapes: Sequence[Shape]) -> list[Array]:
    """The arrays of `out`, in the order of the blocks; places: the result's structure, with the number of each block."""
    if isinstance(places, tuple):
        if not isinstance(out, tuple | list) or len(out) != len(places):
            raise ShapeError(f"out= needs {len(places)} buffers in the structure of the result, got {type(out).__name__}")
        return [b for place, part in zip(places, out, strict=True) for b in _buffers(place, part, shapes)]
    if not isinstance(out, np.ndarray) or out.shape != shapes[places] or out.dtype.kind != "f":
        got = f"{out.dtype} array of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ShapeError(f"out= needs a float array of shape {shapes[places]}, got {got}")
    return [out]

"""The python engine: scalar straight-line code on the math module, one point after another.

Arrays are written out entry by entry. The code printed is plain (t2 = exp(t1) / t0); where math or Python raise
(overflow, division by zero, domain), the same call is made again with functions that give what IEEE 754 gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dsl.constants import literal
from ..dsl.core import Expr
from ..dsl.elementwise import Elementwise
from ..dsl.function import Function
from ..errors import Unsupported
from ..transforms.lower import lower
from ..transforms.scalarize import scalarize
from .base import Array, Compiled, Engine
from .kernels import elementwise_kernel
from .schedule import SOURCE_LIMIT, Schedule, schedule

OPERATIONS_LIMIT = 500_000
"""Scalar operations beyond which arrays are refused: preparing them would take longer than NumPy takes to run them."""


class PythonEngine(Engine):
    """Python floats and math; arrays up to OPERATIONS_LIMIT scalar operations, else TooLarge."""

    name = "python"
    entrywise = True

    def compile(self, function: Function, precision: str = "float64") -> PythonCompiled:
        if precision != "float64":
            raise Unsupported(f"engine python computes in float64 (Python's float), not {precision}; use numpy")
        return PythonCompiled(function)


class PythonCompiled(Compiled):
    """A function as scalar Python code."""

    def __init__(self, function: Function) -> None:
        self.function = function
        native = function.with_outputs(lower(function.outputs))
        plan = schedule(scalarize(native, OPERATIONS_LIMIT))
        self._cores = [i.shape for i in function.inputs]
        self._shapes = [o.shape for o in function.outputs]
        self._run, self.source = _runner(plan)
        if all(s == () for s in (*self._cores, *self._shapes)):
            self.single = self._run

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        joint = np.broadcast_shapes(*(v.shape[: v.ndim - len(s)] for v, s in zip(values, self._cores, strict=True)))
        points = [np.broadcast_to(v, joint + s).reshape((*joint, math.prod(s))) for v, s in zip(values, self._cores, strict=True)]
        sizes = [math.prod(s) for s in self._shapes]
        results = np.empty((*joint, sum(sizes)))
        for where in np.ndindex(joint):
            results[where] = self._run(*(e for p in points for e in p[where].tolist()))
        starts = np.cumsum([0, *sizes])
        return [np.array(results[..., a : a + n]).reshape(joint + s) for a, n, s in zip(starts, sizes, self._shapes, strict=False)]


def _runner(plan: Schedule) -> tuple[Callable[..., tuple[float, ...]], str]:
    if len(plan.prelude) + len(plan.body) > SOURCE_LIMIT:
        return _tape(plan), f"# {len(plan.body)} operations: a tape, not source"
    source = _print(plan, careful=False)
    fast = _compile(source, _vocabulary(plan), plan)
    careful: list[Callable[..., tuple[float, ...]]] = []

    def run(*args: float) -> tuple[float, ...]:
        try:
            return fast(*args)
        except (ArithmeticError, ValueError):
            if not careful:
                careful.append(_compile(_print(plan, careful=True), _careful_functions(plan), plan))
            with np.errstate(all="ignore"):
                return careful[0](*args)

    return run, source


def _compile(source: str, space: dict[str, Any], plan: Schedule) -> Callable[..., tuple[float, ...]]:
    exec(compile(source, f"<diffcompare python {plan.function.name}>", "exec"), space)  # noqa: S102  our own text, no user's
    return space["run"]  # type: ignore[no-any-return]


def _print(plan: Schedule, careful: bool) -> str:
    names = {node: f"x{k}" for k, node in enumerate(plan.inputs)}
    names.update({c: _number(literal(c)) for c in plan.constants})
    lines = [f"# x{k} is {node.params[0]}" for k, node in enumerate(plan.inputs)]
    lines.append(f"def run({', '.join(names[i] for i in plan.inputs)}):")
    for k, node in enumerate((*plan.prelude, *plan.body)):
        names[node] = f"t{k}"
        arguments = [names[a] for a in node.args]
        text = f"{node.primitive.name}({', '.join(arguments)})" if careful else _template(node).format(*arguments)
        lines.append(f"    t{k} = {text}")
    lines.append(f"    return ({''.join(names[o] + ', ' for o in plan.outputs)})")
    return "\n".join(lines)


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return repr(value)
    text = repr(value)
    return f"({text})" if math.isfinite(value) and text.startswith("-") else {"inf": "inf", "-inf": "(-inf)", "nan": "nan"}.get(text, text)


def _template(node: Expr) -> str:
    primitive = node.primitive
    if not isinstance(primitive, Elementwise) or primitive.scalar is None:
        raise Unsupported(f"{primitive.name} has no form on Python floats")
    if isinstance(primitive.scalar, str) and "{" in primitive.scalar:
        return primitive.scalar
    name = primitive.scalar if isinstance(primitive.scalar, str) else primitive.name
    return f"{name}({', '.join(f'{{{k}}}' for k in range(primitive.arity))})"


def _vocabulary(plan: Schedule) -> dict[str, Any]:
    """math and what it lacks, and the users' own functions."""
    own = {n.primitive.name: n.primitive.scalar for n in plan.body if isinstance(n.primitive, Elementwise) and callable(n.primitive.scalar)}
    return {**_VOCABULARY, **own}


def _careful(primitive: Elementwise, plain: Callable[..., Any]) -> Callable[..., Any]:
    """The scalar form where it gives a number, what NumPy gives by IEEE 754 where it raises."""
    if callable(primitive.scalar):
        return primitive.scalar
    ufunc = elementwise_kernel(primitive)

    def function(*args: Any) -> Any:
        try:
            return plain(*args)
        except (ArithmeticError, ValueError):
            return float(ufunc(*(np.float64(a) for a in args)))

    return function


def _plain(node: Expr, plan: Schedule) -> Callable[..., Any]:
    names = [f"a{k}" for k in range(len(node.args))]
    text = f"lambda {', '.join(names)}: {_template(node).format(*names)}"
    return eval(text, _vocabulary(plan))  # type: ignore[no-any-return]  # noqa: S307  the text of our own row, no user's


def _careful_functions(plan: Schedule) -> dict[str, Any]:
    space: dict[str, Any] = {"inf": math.inf, "nan": math.nan}
    for node in (*plan.prelude, *plan.body):
        if node.primitive.name not in space:
            assert isinstance(node.primitive, Elementwise)
            space[node.primitive.name] = _careful(node.primitive, _plain(node, plan))
    return space


def _tape(plan: Schedule) -> Callable[..., tuple[float, ...]]:
    """The operations as a list of calls on numbered registers."""
    functions = _careful_functions(plan)
    order = [*plan.inputs, *plan.constants, *plan.prelude, *plan.body]
    register = {node: k for k, node in enumerate(order)}
    constants = [literal(c) for c in plan.constants]
    steps = [(functions[n.primitive.name], tuple(register[a] for a in n.args)) for n in (*plan.prelude, *plan.body)]
    outputs = [register[o] for o in plan.outputs]

    def run(*args: float) -> tuple[float, ...]:
        memory: list[Any] = [*args, *constants]
        push = memory.append
        with np.errstate(all="ignore"):
            for function, places in steps:
                if len(places) == 2:
                    a, b = places
                    push(function(memory[a], memory[b]))
                else:
                    push(function(*[memory[p] for p in places]))
        return tuple(memory[o] for o in outputs)

    return run


# --- the functions that math does not have ---


def _sign(x: float) -> float:
    return x if x != x or x == 0 else math.copysign(1.0, x)


def _floor(x: float) -> float:
    return float(math.floor(x)) if x else x


def _ceil(x: float) -> float:
    return math.copysign(math.ceil(x), x) if x else x


def _rint(x: float) -> float:
    return math.copysign(round(x), x) if x else x


def _cbrt(x: float) -> float:
    """math.cbrt is off by up to 3 ulp; a Newton step makes it 1."""
    y = math.cbrt(x)
    return y - (y - x / (y * y)) / 3.0 if y and math.isfinite(y) else y


def _digamma(x: float) -> float:
    from scipy import special

    return float(special.digamma(x))


def _maximum(a: float, b: float) -> float:
    return a if a >= b or a != a else b


def _minimum(a: float, b: float) -> float:
    return a if a <= b or a != a else b


def _chain_mul(p: float, t: float) -> float:
    product = p * t
    return product if product == product or p != p or t != t else 0.0


_VOCABULARY: dict[str, Any] = {
    **{name: getattr(math, name) for name in dir(math) if not name.startswith("_")},
    "float": float,
    "abs": abs,
    "sign": _sign,
    "floor": _floor,
    "ceil": _ceil,
    "rint": _rint,
    "cbrt": _cbrt,
    "digamma": _digamma,
    "maximum": _maximum,
    "minimum": _minimum,
    "chain_mul": _chain_mul,
    "__builtins__": {},
}

python_engine = PythonEngine()

"""The jax engine: the schedule as jax.numpy code under jit, compiled by XLA for each combination of shapes.

The user's x64 flag is left alone: float64 runs inside a context, and results come back as NumPy arrays (a float64
jax.Array outside the context would turn float32 at its first multiplication). XLA flushes subnormals and contracts
multiply-adds, so results are not float-exact; the audit measures by how much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..dsl.arithmetic import chain_mul
from ..dsl.composite import Composite
from ..dsl.constants import Literal, literal
from ..dsl.contraction import Diagonal, Einsum, EmbedDiagonal
from ..dsl.core import BOOL, Expr
from ..dsl.elementwise import Elementwise
from ..dsl.function import Function
from ..dsl.shapes import Shape
from ..dsl.structural import Broadcast, Concatenate, Scatter, Structural, Sum, Take, align
from ..errors import TooLarge, Unsupported
from .base import Array, Compiled, Engine
from .kernels import constant_in, runs
from .schedule import Schedule, schedule

LIMIT = 10_000
"""Instructions beyond which XLA's compiler takes minutes; on a chain of 30,000 it crashes."""


class JaxEngine(Engine):
    """XLA through jax.jit; functions of up to LIMIT instructions, else TooLarge.

    raw: results are handed over as jax.Array, of the precision asked for whatever the user's x64 flag.
    """

    name = "jax"
    precisions = ("float64", "float32")

    def __init__(self, raw: bool = False) -> None:
        self.raw = raw

    def with_raw_results(self) -> JaxEngine:
        return JaxEngine(raw=True)

    def handed_over(self, block: Array) -> Any:
        if not self.raw:
            return super().handed_over(block)
        import jax.numpy as jnp

        if not isinstance(block, np.ndarray):
            return block
        with x64(block.dtype):
            return jnp.asarray(block)

    def __reduce__(self) -> Any:
        return type(self), (self.raw,)

    def compile(self, function: Function, precision: str = "float64") -> JaxCompiled:
        if precision not in self.precisions:
            raise Unsupported(f"engine jax computes in {' or '.join(self.precisions)}, not {precision}")
        plan = schedule(function)
        if len(plan.body) > LIMIT:
            raise TooLarge(f"engine jax takes up to {LIMIT} instructions, {function.name} has {len(plan.body)}; use numpy or python")
        return JaxCompiled(plan, np.dtype(precision), self.raw)


class JaxCompiled(Compiled):
    """A schedule traced by JAX and compiled once for each combination of argument shapes."""

    def __init__(self, plan: Schedule, dtype: np.dtype[Any], raw: bool) -> None:
        self.function = plan.function
        self._traced = traceable(plan, dtype)
        self._executables = Executables(self._spread, dtype, raw)
        self.direct = self._executables.direct if raw else self._executables.from_numpy
        self.source = _source(plan)

    def _spread(self, *values: Any) -> list[Any]:
        """The outputs over the joint batch of the arguments."""
        import jax.numpy as jnp

        batches = [v.shape[: v.ndim - len(i.shape)] for v, i in zip(values, self.function.inputs, strict=True)]
        joint = np.broadcast_shapes(*batches)
        return [jnp.broadcast_to(r, joint + o.shape) for r, o in zip(self._traced(*values), self.function.outputs, strict=True)]

    def prepare_for(self, shapes: Sequence[Shape]) -> None:
        self._executables.prepare_for(tuple(shapes))

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        return self._executables(values)


class Executables:
    """A function of JAX arrays that gives a list of them, compiled by XLA once for each combination of shapes.

    raw: whether calls give JAX's own arrays, not copies that may be written to.
    """

    def __init__(self, function: Callable[..., list[Any]], dtype: np.dtype[Any], raw: bool = False) -> None:
        import jax

        self._jitted = jax.jit(function)
        self._dtype = dtype
        self._raw = raw
        self._by_shapes: dict[tuple[Shape, ...], Any] = {}
        example = jax.device_put(np.zeros((), np.float32))
        self._array, self._place = type(example), example.sharding

    def prepare_for(self, shapes: tuple[Shape, ...]) -> Any:
        """The executable for these shapes, compiled now if it is not known."""
        if shapes not in self._by_shapes:
            import jax

            with x64(self._dtype):
                structs = [jax.ShapeDtypeStruct(s, self._dtype) for s in shapes]  # type: ignore[no-untyped-call]
                self._by_shapes[shapes] = self._jitted.lower(*structs).compile()
        return self._by_shapes[shapes]

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        run = self.prepare_for(tuple(v.shape for v in values))
        with x64(self._dtype):
            results = run(*values)
            return results if self._raw else [np.array(r) for r in results]

    def direct(self, values: Sequence[Any]) -> list[Any] | None:
        """The results at arrays of JAX, uncopied; None unless all are of the precision, of shapes known and where the executable is.

        The executable's types are those of its arguments: it needs no context of 64 bits around the call.
        """
        for v in values:
            if type(v) is not self._array or v.dtype != self._dtype or v.sharding != self._place:
                return None
        run = self._by_shapes.get(tuple([v.shape for v in values]))
        return None if run is None else run(*values)

    def from_numpy(self, values: Sequence[Any]) -> list[Any] | None:
        """The same from NumPy's arrays to such; scalars of float64 come back as floats."""
        for v in values:
            if type(v) is not np.ndarray or v.dtype != self._dtype:
                return None
        run = self._by_shapes.get(tuple([v.shape for v in values]))
        if run is None:
            return None
        with x64(self._dtype):
            results = run(*values)
        return [np.array(r) if r.shape or self._dtype != np.float64 else float(r) for r in results]


def x64(dtype: np.dtype[Any]) -> Any:
    """JAX's 64-bit mode on or off for this precision, as a context of this thread."""
    import jax

    return jax.enable_x64(dtype == np.float64)


Forms = Mapping[str, Callable[[Expr], Callable[..., Any] | None]]
"""For a primitive's name: node -> its JAX callable, or None where the node has no such form."""


def to_jax(function: Function, precision: str, forms: Forms) -> Callable[..., list[Any]]:
    """The function as ordinary jax.numpy code of its inputs, for JAX's own transformations; call it inside x64().

    Nodes for which `forms` has a callable become that, and are not written out.
    """

    def keep(node: Expr) -> bool:
        return node.primitive.name in forms and forms[node.primitive.name](node) is not None

    return traceable(schedule(function, keep), np.dtype(precision), forms)


def traceable(plan: Schedule, dtype: np.dtype[Any], forms: Forms | None = None) -> Callable[..., list[Any]]:
    """The schedule as a Python function of JAX arrays; raises Unsupported naming a primitive without a JAX form."""

    def call(node: Expr) -> Callable[..., Any]:
        own = forms[node.primitive.name](node) if forms and node.primitive.name in forms else None
        return own or _kernel(node)

    steps = [(node, call(node)) for node in (*plan.prelude, *plan.body)]
    constants = {c: np.asarray(constant_in(c, dtype), bool if c.dtype == BOOL else dtype) for c in plan.constants}

    def run(*values: Any) -> list[Any]:
        memory: dict[Expr, Any] = dict(constants)
        memory.update(zip(plan.inputs, values, strict=True))
        for node, call in steps:
            memory[node] = call(*(memory[a] for a in node.args))
        return [memory[o] for o in plan.outputs]

    return run


def _kernel(node: Expr) -> Callable[..., Any]:
    """The jax.numpy callable for a native node."""
    import jax.numpy as jnp

    primitive = node.primitive
    if primitive is chain_mul:
        repeated = [isinstance(a.primitive, Broadcast) for a in node.args]
        if any(repeated):
            return _chain_mul_repeated if repeated[1] else lambda p, t: _chain_mul_repeated(t, p)
        return _chain_mul
    if isinstance(primitive, Elementwise):
        return _elementwise(primitive)
    if isinstance(primitive, Composite) and primitive.array:
        reduce, (axes,) = getattr(jnp, primitive.array), node.params
        return lambda x: reduce(x, axis=axes)
    if isinstance(primitive, Structural):
        return _structural(node)
    raise Unsupported(f"{primitive.name} has no JAX form")


def _elementwise(primitive: Elementwise) -> Callable[..., Any]:
    import jax.numpy as jnp
    from jax.scipy import special

    if primitive.name == "real":
        return lambda x: jnp.where(x, 1.0, 0.0)
    for module in (jnp, special):
        if isinstance(primitive.array, str) and hasattr(module, primitive.array):
            return getattr(module, primitive.array)  # type: ignore[no-any-return]
    raise Unsupported(f"{primitive.name} has no JAX form")


def _chain_mul(p: Any, t: Any) -> Any:
    """p t, with 0 where one is exactly zero and the other infinite."""
    import jax.numpy as jnp

    product = p * t
    return jnp.where(jnp.isnan(product) & ~jnp.isnan(p) & ~jnp.isnan(t), 0.0, product)


def _chain_mul_repeated(p: Any, t: Any) -> Any:
    """The same where t repeats few numbers: for each, what p may not be is found once, and each p compared with that."""
    import jax.numpy as jnp

    undefined = jnp.where(jnp.isinf(t), 0.0, jnp.where(t == 0, jnp.inf, jnp.nan))
    return jnp.where(jnp.abs(p) == undefined, 0.0, p * t)


def _structural(node: Expr) -> Callable[..., Any]:
    import jax.numpy as jnp

    primitive, params = node.primitive, node.params
    assert isinstance(primitive, Structural)
    if isinstance(primitive, Broadcast):
        core, target = node.args[0].shape, node.shape
        return lambda x: jnp.broadcast_to(align(x, len(core), len(target)), x.shape[: x.ndim - len(core)] + target)
    if isinstance(primitive, Sum):
        return lambda x: jnp.sum(x, axis=params[0])
    if isinstance(primitive, Take):
        return lambda x: jnp.take(x, params[1].value, axis=params[0])
    if isinstance(primitive, Concatenate):
        return lambda *values: _concatenate(values, params[0])
    if isinstance(primitive, Scatter):
        axis, indices, n = params
        return lambda x: _scatter(x, axis, indices, n)
    if isinstance(primitive, Diagonal):
        return lambda x: jnp.diagonal(x, axis1=params[0], axis2=params[1])
    if isinstance(primitive, EmbedDiagonal):
        return lambda x: jnp.moveaxis(x[..., None] * jnp.eye(x.shape[-1], dtype=x.dtype), (-2, -1), params)
    if isinstance(primitive, Einsum):
        spec = ",".join("..." + labels for labels in params[0]) + "->..." + params[1]
        return lambda *values: jnp.einsum(spec, *values, precision="highest")
    return lambda *values: primitive.evaluate(params, *values)  # reshape, transpose, slice, named: methods of the array


def _concatenate(values: Sequence[Any], axis: int) -> Any:
    import jax.numpy as jnp

    joint = list(np.broadcast_shapes(*((*v.shape[: v.ndim + axis], 1, *v.shape[v.ndim + axis + 1 :]) for v in values)))
    parts = []
    for v in values:
        joint[axis] = v.shape[axis]
        parts.append(jnp.broadcast_to(v, joint))
    return jnp.concatenate(parts, axis=axis)


def _scatter(x: Any, axis: int, indices: Literal, n: int) -> Any:
    import jax.numpy as jnp
    from jax import lax

    stretches = runs(np.asarray(indices.value))
    if stretches and all(step > 0 for _, _, _, step in stretches):
        total = None
        for position, index, count, step in stretches:  # paddings, which XLA fuses with their neighbours, as it does no scatter
            part = lax.slice_in_dim(x, position, position + count, axis=x.ndim + axis)
            along = (index, n - index - step * (count - 1) - 1, step - 1)
            padded = lax.pad(part, jnp.zeros((), x.dtype), [along if k == x.ndim + axis else (0, 0, 0) for k in range(x.ndim)])
            total = padded if total is None else total + padded
        return total
    moved = jnp.moveaxis(x, axis, 0)
    return jnp.moveaxis(jnp.zeros((n, *moved.shape[1:]), moved.dtype).at[indices.value].add(moved), 0, axis)


def _source(plan: Schedule) -> str:
    """The schedule as text, one instruction a line."""
    names = {node: f"x{k}" for k, node in enumerate(plan.inputs)}
    names.update({c: repr(literal(c)) if not c.shape else f"constant{c.shape}" for c in plan.constants})
    lines = ["@jax.jit", f"def run({', '.join(names[i] for i in plan.inputs)}):"]
    for k, node in enumerate((*plan.prelude, *plan.body)):
        names[node] = f"t{k}"
        params = f"; {', '.join(map(repr, node.params))}" if node.params else ""
        array = getattr(node.primitive, "array", None)
        call = array if isinstance(array, str) and array else node.primitive.name
        lines.append(f"    t{k} = {call}({', '.join(names[a] for a in node.args)}{params})")
    return "\n".join([*lines, f"    return {', '.join(names[o] for o in plan.outputs)}"])


jax_engine = JaxEngine()

"""The numpy engine: one ufunc call an instruction, over any batch, buffers reused within a call.

Below SOURCE_LIMIT instructions it prints Python source and compiles it; beyond, a tape runs the same kernels.
Ufuncs throughout (np.power, never **): results are equal bit for bit between a batch and a loop over its points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..dsl.core import BOOL, CONSTANT, INPUT, Expr
from ..dsl.elementwise import Elementwise, number
from ..dsl.function import Function
from ..dsl.structural import Broadcast
from ..errors import Unsupported
from .base import Array, Compiled, Engine
from .kernels import Kernel, aligner, constant_in, kernel, pointwise_kernel
from .schedule import SOURCE_LIMIT, Schedule, lifetimes, schedule

LARGE = 1024
"""Entries from which an array is let go as soon as it has been read; without a batch, `del` costs more than a smaller one is worth."""


class NumpyEngine(Engine):
    """NumPy ufuncs; takes every Function."""

    name = "numpy"
    precisions = ("float64", "float32")

    def compile(self, function: Function, precision: str = "float64") -> NumpyCompiled:
        if precision not in self.precisions:
            raise Unsupported(f"engine numpy computes in {' or '.join(self.precisions)}, not {precision}")
        return NumpyCompiled(schedule(function), np.dtype(precision))


class Instruction:
    """target = call(*arguments), into the memory of `donor` where the batch variant allows it.

    arguments: (node, whether the broadcast node is passed as its argument with axes of length 1).
    """

    __slots__ = ("arguments", "call", "donor", "donor_single", "free", "node")

    def __init__(self, node: Expr, call: Kernel, arguments: list[tuple[Expr, bool]], free: frozenset[Expr]) -> None:
        self.node = node
        self.call = call
        self.arguments = arguments
        self.free = free
        self.donor: Expr | None = None
        self.donor_single = False


class NumpyCompiled(Compiled):
    """A schedule run by NumPy."""

    def __init__(self, plan: Schedule, dtype: np.dtype[Any]) -> None:
        self.function = plan.function
        self._plan = plan
        self._dtype = dtype
        self._shapes = [i.shape for i in plan.inputs]
        self._instructions, self._aligned = _instructions(plan)
        self._constants = {c: constant_in(c, dtype) for c in plan.constants}
        self._evaluate_prelude(plan)
        self._fresh = _fresh_outputs(plan)
        self._finished = [self._finisher(o, fresh) for o, fresh in zip(plan.outputs, self._fresh, strict=True)]
        self.source = ""
        if len(plan.body) <= SOURCE_LIMIT:
            plain, self.source = _compiled_source(self, batch=False)
            batch, _ = _compiled_source(self, batch=True)
        else:
            self.source = f"# {len(plan.body)} instructions: a tape, not source"
            plain = batch = self._run_tape
        quiet = np.errstate(all="ignore")
        self._plain, self._batch = quiet(plain), quiet(batch)

    def _evaluate_prelude(self, plan: Schedule) -> None:
        with np.errstate(all="ignore"):
            for node in plan.prelude:
                call, _ = kernel(node)
                value = call(*(np.asarray(self._constants[a], self._type(a)) for a in node.args))
                self._constants[node] = np.asarray(value, self._type(node))

    def _finisher(self, output: Expr, fresh: bool) -> Callable[[Any], Any]:
        """What hands a result of one point over: as a float where it is one, in memory of its own."""
        kind = self._type(output)
        if not output.shape and kind == np.float64:
            return float
        return partial(np.array, dtype=kind) if fresh else _as_it_is

    def _type(self, node: Expr) -> np.dtype[Any]:
        return np.dtype(bool) if node.dtype == BOOL else self._dtype

    def direct(self, values: Sequence[Any]) -> list[Any] | None:
        """As a call, of one point: from arrays of the precision and floats; scalars of float64 come back as floats."""
        arrays = []
        for v, shape in zip(values, self._shapes, strict=True):
            if type(v) is np.ndarray and v.shape == shape and v.dtype == self._dtype:
                arrays.append(v)
            elif type(v) is float and not shape:
                arrays.append(np.asarray(v, self._dtype))
            else:
                return None
        results = self._plain(*arrays)
        return [finished(r) for finished, r in zip(self._finished, results, strict=True)]

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        batches = [v.shape[: v.ndim - len(shape)] for v, shape in zip(values, self._shapes, strict=True)]
        if not any(batches):
            return [
                np.array(r, self._type(o)) if fresh else r
                for r, o, fresh in zip(self._plain(*values), self._plan.outputs, self._fresh, strict=True)
            ]
        joint = np.broadcast_shapes(*batches)
        n = len(joint)
        spread = [v.reshape((1,) * (n - len(b)) + v.shape) for v, b in zip(values, batches, strict=True)]
        results = self._batch(*spread)
        return [self._whole(r, joint, o, fresh) for r, o, fresh in zip(results, self._plan.outputs, self._fresh, strict=True)]

    def _whole(self, value: Any, joint: tuple[int, ...], output: Expr, fresh: bool) -> Array:
        """The output over the whole joint batch, in memory of its own."""
        shape = joint + output.shape
        value = np.asarray(value, self._type(output))
        if value.shape != shape:
            value = value.reshape((1,) * (len(shape) - value.ndim) + value.shape) if value.ndim < len(shape) else value
            return np.array(np.broadcast_to(value, shape))
        return np.array(value) if fresh else value

    def _run_tape(self, *values: Array) -> list[Any]:
        memory: dict[Expr, Any] = dict(self._constants)
        memory.update(zip(self._plan.inputs, values, strict=True))
        for step in self._instructions:
            memory[step.node] = step.call(*(self._aligned[a](memory[a.args[0]]) if thin else memory[a] for a, thin in step.arguments))
            for node in step.free:
                del memory[node]
        return [memory[o] for o in self._plan.outputs]


def _as_it_is(value: Any) -> Any:
    return value


def _fresh_outputs(plan: Schedule) -> list[bool]:
    """For each output whether it must be copied: a view, an input, a constant, or an output given before."""
    seen: set[Expr] = set()
    copies = []
    for o in plan.outputs:
        copies.append(o in seen or o.primitive in (INPUT, CONSTANT) or not plan.depends[o] or not isinstance(o.primitive, Elementwise))
        seen.add(o)
    return copies


def _instructions(plan: Schedule) -> tuple[list[Instruction], dict[Expr, Kernel]]:
    """The body as instructions; broadcasts that only feed elementwise functions are passed as thin views instead."""
    aligned: dict[Expr, Kernel] = {}
    needed = set(plan.outputs)
    arguments: dict[Expr, list[tuple[Expr, bool]]] = {}
    for node in plan.body:
        arguments[node] = list(zip(node.args, _thin_arguments(node), strict=True))
        for a, thin in arguments[node]:
            if thin:
                aligned[a] = aligner(a)
            else:
                needed.add(a)
    nodes = [n for n in plan.body if not isinstance(n.primitive, Broadcast) or n in needed]
    reads = [(n, [a.args[0] if thin else a for a, thin in arguments[n]]) for n in nodes]
    steps = []
    for node, free in zip(nodes, lifetimes(reads, plan.outputs), strict=True):
        call, takes_out = kernel(node)
        step = Instruction(node, call, arguments[node], free)
        if takes_out and node.dtype != BOOL:
            _find_donor(step, plan)
        steps.append(step)
    return steps, aligned


def _thin_arguments(node: Expr) -> list[bool]:
    """For each argument whether it may be passed unbroadcast: elementwise, and another argument has the full shape."""
    broadcasts = [isinstance(a.primitive, Broadcast) for a in node.args]
    if not isinstance(node.primitive, Elementwise) or all(broadcasts):
        return [False] * len(node.args)
    return broadcasts


def _find_donor(step: Instruction, plan: Schedule) -> None:
    """An argument that dies here, has the result's shape in every batch, and owns its memory."""
    node = step.node
    for a, thin in step.arguments:
        owned = isinstance(a.primitive, Elementwise) and a.dtype != BOOL and not thin
        if owned and a in step.free and a.shape == node.shape and plan.depends[a] == plan.depends[node]:
            step.donor = a
            step.donor_single = bool(node.shape)  # without a batch a scalar is no array to write into
            return


def _compiled_source(compiled: NumpyCompiled, batch: bool) -> tuple[Callable[..., Any], str]:
    """The body printed as a Python function of the inputs and compiled; with out= where a dead argument's memory serves."""
    plan = compiled._plan
    names: dict[Expr, str] = {}
    space: dict[str, Any] = {"np": np, "chain_mul_number": chain_mul_number}
    header: list[str] = []
    for k, node in enumerate(plan.inputs):
        names[node] = f"x{k}"
        header.append(f"# x{k} is {node.params[0]}, shape {node.shape}")
    for node, value in compiled._constants.items():
        if isinstance(value, float) and np.isfinite(value):
            names[node] = repr(value)
        else:
            names[node] = f"c{len(space)}"
            space[names[node]] = value
    lines: list[str] = []
    for k, step in enumerate(compiled._instructions):
        names[step.node] = f"t{k}"
        if not batch and not step.node.shape and step.node.primitive.name in _OPERATORS:
            choice = step.node.primitive.name == "where"  # what it gives may be divided by, at which Python's own zero raises
            numbers = [_numpy_number(a, names, space, compiled) if choice else names[a] for a in step.node.args]
            lines.append(f"    t{k} = {_OPERATORS[step.node.primitive.name].format(*numbers)}")
            continue
        arguments = [_argument(a, thin, names, space, compiled, batch) for a, thin in step.arguments]
        if step.donor is not None and (batch or step.donor_single):
            arguments.append(f"out={names[step.donor]}")
        lines.append(f"    t{k} = {_call_name(step, space, header, batch)}({', '.join(arguments)})")
        dead = [names[n] for n in step.free if n in names and (batch or n.size >= LARGE)]
        if dead:
            lines.append(f"    del {', '.join(dead)}")
    inputs = ", ".join(names[i] for i in plan.inputs)
    outputs = "".join(f"{names[o]}, " for o in plan.outputs)
    source = "\n".join([*header, f"def run({inputs}):", *lines, f"    return ({outputs})"])
    exec(compile(source, f"<diffcompare numpy {plan.function.name}>", "exec"), space)  # noqa: S102  our own text, no user's
    return space["run"], source


_OPERATORS = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}", "lt": "{0} < {1}", "le": "{0} <= {1}",
    "eq": "{0} == {1}", "ne": "{0} != {1}", "chain_mul": "chain_mul_number({0}, {1})", "where": "{1} if {0} else {2}",
}  # fmt: skip
"""What is done with NumPy's numbers by operators where there is no batch: the same results as by ufuncs, at a fifth of the time."""


def chain_mul_number(p: Any, t: Any) -> Any:
    """p t of numbers, with 0 where one is exactly zero and the other infinite."""
    product = p * t
    return product if product == product or p != p or t != t else np.zeros_like(product)


def _numpy_number(a: Expr, names: dict[Expr, str], space: dict[str, Any], compiled: NumpyCompiled) -> str:
    """A scalar as a number of NumPy's, neither Python's nor the caller's own array."""
    if a.primitive is INPUT:
        return f"{names[a]}[()]"
    if a not in compiled._constants or a.dtype == BOOL:
        return names[a]
    name = f"n{len(space)}"
    space[name] = compiled._dtype.type(compiled._constants[a])
    return name


def _argument(a: Expr, thin: bool, names: dict[Expr, str], space: dict[str, Any], compiled: NumpyCompiled, batch: bool) -> str:
    if not thin:
        return names[a]
    inner = a.args[0]
    if not inner.shape and (not batch or number(inner) is not None):
        return names[inner] if inner in names else names[a]  # a number needs no axes
    key = f"thin_{len(a.args[0].shape)}_{len(a.shape)}"
    space[key] = compiled._aligned[a]
    return f"{key}({names[inner]})"


def _call_name(step: Instruction, space: dict[str, Any], header: list[str], batch: bool) -> str:
    call = (None if batch else pointwise_kernel(step.node)) or step.call
    if isinstance(call, np.ufunc) and getattr(np, call.__name__, None) is call:
        return f"np.{call.__name__}"
    if call in (np.where, np.dot):
        return f"np.{call.__name__}"
    primitive = step.node.primitive
    if isinstance(primitive, Elementwise):
        name = primitive.name
        space[name] = call
        return name
    name = f"{primitive.name}_{len(space)}"
    space[name] = call
    shapes = ", ".join(str(a.shape) for a in step.node.args)
    params = " ".join(repr(step.node.params).split())
    header.append(
        f"# {name}: {primitive.name}{params if len(params) < 100 else params[:97] + '...'} of shape {shapes} -> {step.node.shape}"
    )
    return name


numpy_engine = NumpyEngine()

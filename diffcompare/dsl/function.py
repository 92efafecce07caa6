"""Function: named inputs and outputs over the graph; what every differentiator takes and gives back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import DiffCompareError, ShapeError
from .constants import as_expr
from .core import INPUT, Expr, fresh, input_, is_fresh
from .shapes import as_shape
from .structural import reshape
from .walk import flatten, free_inputs, postorder, rebuild, unflatten, walk

Formulas = Mapping[str, Mapping[tuple[str, ...], Expr]]


class Function:
    """Outputs as expressions of inputs.

    inputs: distinct input nodes; outputs: expressions of them. single: one output, handed back bare, not as a tuple.
    formulas: derivatives worked out by hand, {operator: {names of the inputs: expression}}, for the manual family.
    walk: what one walk over its graph has seen, for passes that need not meet its nodes again.
    Calling a Function on expressions substitutes them for its inputs.
    """

    __slots__ = ("formulas", "inputs", "name", "outputs", "single", "walk")

    def __init__(self, name: str, inputs: Sequence[Expr], outputs: Sequence[Expr], single: bool, formulas: Formulas | None = None) -> None:
        self.name = name
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.single = single
        self.formulas: Formulas = formulas or {}
        self.walk = walk(self.outputs)
        _check(self)

    @property
    def order(self) -> list[Expr]:
        """Every node below the outputs once, arguments before their users."""
        return self.walk.order

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs' names, in order."""
        return tuple(i.params[0] for i in self.inputs)

    @property
    def output(self) -> Expr:
        """The only output; raises ShapeError if there are several."""
        if len(self.outputs) != 1:
            raise ShapeError(f"{self.name} has {len(self.outputs)} outputs, not one")
        return self.outputs[0]

    def input(self, name: str) -> Expr:
        """The input of this name; raises DiffCompareError naming the inputs there are."""
        for i in self.inputs:
            if i.params[0] == name:
                return i
        raise DiffCompareError(f"{self.name} has no input {name!r}; its inputs are {', '.join(self.names) or 'none'}")

    def __call__(self, *args: Any, **named: Any) -> Any:
        """The outputs with expressions (or numbers beside expressions) put in for the inputs."""
        values = bind(self.name, self.names, args, named)
        if not any(isinstance(v, Expr) for v in values):
            raise TypeError(f"{self.name}(...) takes expressions; to evaluate it at numbers use dc.value({self.name})(...)")
        replacements: dict[Expr, Expr] = {}
        for node, value in zip(self.inputs, values, strict=True):
            expr = as_expr(value)
            if expr.shape != node.shape:
                raise ShapeError(f"{self.name}: input {node.params[0]} has shape {node.shape}, got {expr.shape}")
            replacements[node] = expr
        results = rebuild(self.outputs, replacements)
        return results[0] if self.single else tuple(results)

    def with_outputs(self, outputs: Sequence[Expr], single: bool | None = None, name: str | None = None) -> Function:
        """Other outputs of the same inputs."""
        return Function(name or self.name, self.inputs, outputs, self.single if single is None else single)

    def shifted(self, names: Sequence[str]) -> Function:
        """The function with a further input for each named intermediate node, an offset added to the node's value.

        At offset 0 its derivative with respect to the offset is that with respect to the node, and every path from the
        inputs through the node is still there. Raises DiffCompareError naming the intermediates there are.
        """
        order = postorder(self.outputs)
        labels = [n.params[0] for n in order if n.primitive.name == "named"]
        missing = [n for n in names if n not in labels]
        if missing:
            raise DiffCompareError(
                f"{self.name} has no input or named intermediate {missing[0]!r}; inputs: {', '.join(self.names) or 'none'}; "
                f"named intermediates: {', '.join(labels) or 'none'}"
            )
        offsets = {n.params[0]: input_(n.params[0], n.shape) for n in order if n.primitive.name == "named" and n.params[0] in names}
        new: dict[Expr, Expr] = {}
        for node in order:
            new[node] = node.primitive.apply([new[a] for a in node.args], node.params) if node.args else node
            if node.primitive.name == "named" and node.params[0] in offsets:
                new[node] = new[node] + offsets[node.params[0]]
        return Function(self.name, (*self.inputs, *(offsets[n] for n in names)), [new[o] for o in self.outputs], self.single)

    def raveled(self, wrt: Sequence[str] | None = None, name: str = "v") -> Function:
        """The same function of one vector that holds the inputs `wrt` (all by default) one after another.

        For optimisers that take vectors; np.concatenate of the raveled inputs makes the vector. Other inputs follow it.
        """
        chosen = [self.input(n) for n in (self.names if wrt is None else wrt)]
        vector = fresh(name, (sum(i.size for i in chosen),)) if name in self.names else input_(name, (sum(i.size for i in chosen),))
        replacements: dict[Expr, Expr] = {}
        start = 0
        for i in chosen:
            replacements[i] = reshape(vector[start : start + i.size], i.shape)
            start += i.size
        others = [i for i in self.inputs if not any(i is c for c in chosen)]
        return Function(self.name, (vector, *others), rebuild(self.outputs, replacements), self.single)

    def __reduce__(self) -> Any:
        keys = [(operator, names) for operator, rows in self.formulas.items() for names in rows]
        rows = [self.formulas[operator][names] for operator, names in keys]
        flat = flatten([*self.inputs, *self.outputs, *rows])
        return _load, (self.name, len(self.inputs), len(self.outputs), self.single, keys, flat)

    def __repr__(self) -> str:
        from .show import brief

        return f"Function({brief(self)})"

    def __str__(self) -> str:
        from .show import text

        return text(self)

    def _repr_latex_(self) -> str:
        from .show import latex

        return f"$${latex(self)}$$"


def _check(f: Function) -> None:
    for node in f.inputs:
        if node.primitive is not INPUT:
            raise DiffCompareError(f"{f.name}: {node!r} is not an input; inputs are made by dc.symbol or dc.symbols")
    repeated = [n for n, count in Counter(i.params[0] for i in f.inputs if not is_fresh(i)).items() if count > 1]
    if repeated:
        raise DiffCompareError(f"{f.name}: the input {repeated[0]!r} is given twice")
    known = set(f.inputs)
    inputs = (node for node, primitive in zip(f.walk.order, f.walk.primitives, strict=True) if primitive is INPUT)
    for node in inputs:
        if node not in known:
            twin = [i for i in f.inputs if i.params[0] == node.params[0]]
            hint = f"; an input of that name has shape {twin[0].shape}, the one used {node.shape}" if twin else ""
            raise DiffCompareError(
                f"{f.name}: {node.params[0]!r} is used but is not among the inputs {', '.join(f.names) or '(none)'}{hint}"
            )


def _load(name: str, inputs: int, outputs: int, single: bool, keys: list[tuple[str, tuple[str, ...]]], flat: Any) -> Function:
    nodes = unflatten(flat)
    formulas: dict[str, dict[tuple[str, ...], Expr]] = {}
    for (operator, names), row in zip(keys, nodes[inputs + outputs :], strict=True):
        formulas.setdefault(operator, {})[names] = row
    return Function(name, nodes[:inputs], nodes[inputs : inputs + outputs], single, formulas)


def bind(function: str, names: Sequence[str], args: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
    """The values in the order of `names` from positional and keyword arguments, as Python binds a call."""
    if not named and len(args) == len(names):
        return list(args)
    if len(args) > len(names):
        raise TypeError(f"{function} takes {len(names)} arguments ({', '.join(names)}), got {len(args)}")
    values = dict(zip(names, args, strict=False))
    for name, value in named.items():
        if name not in names:
            raise TypeError(f"{function} has no argument {name!r}; its arguments are {', '.join(names)}")
        if name in values:
            raise TypeError(f"{function} got the argument {name!r} twice")
        values[name] = value
    missing = [n for n in names if n not in values]
    if missing:
        raise TypeError(f"{function} is missing the argument {missing[0]!r}; its arguments are {', '.join(names)}")
    return [values[n] for n in names]


AXES = 16
"""Of one input; operations on two arrays with their derivatives' axes are limited to 32."""


def symbol(name: str, shape: Any = ()) -> Expr:
    """An input: a real number, or an array of them of this shape. Equal names and shapes are one symbol.

    Raises DiffCompareError for a name that is no identifier, ShapeError for what is no shape, or one of more than AXES axes.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise DiffCompareError(f"a symbol's name is an identifier such as x or theta_1, got {name!r}")
    sizes = as_shape(shape)
    if len(sizes) > AXES:
        raise ShapeError(
            f"{name}: an input has at most {AXES} axes, got {len(sizes)}: a Hessian has twice as many, NumPy's arrays up to 64"
        )
    return input_(name, sizes)


def symbols(names: str | Sequence[str], shape: Any = ()) -> tuple[Expr, ...]:
    """Several inputs of one shape, from names separated by spaces or commas, or from a list of names. Raises as symbol does."""
    listed = names.replace(",", " ").split() if isinstance(names, str) else list(names)
    return tuple(symbol(n, shape) for n in listed)


def function(
    inputs: Sequence[Expr] | Expr,
    outputs: Any,
    name: str = "f",
    *,
    derivative: Any = None,
    gradient: Any = None,
    jacobian: Any = None,
    hessian: Any = None,
) -> Function:
    """A Function from inputs and outputs, expressions of them (one, or a sequence), with hand formulas if given.

    gradient, jacobian, derivative: an expression for one input, a sequence in the order of the inputs, or a dict by
    input name; hessian: likewise with sequences of sequences, or a dict keyed by pairs of names. A formula for fewer
    inputs serves derivatives with respect to those. The method `manual` answers from them. Shapes are those of the
    operators: gradient as the input, jacobian output + input, hessian input + input.

    Raises DiffCompareError for inputs given twice, left out or unknown, ShapeError for formulas of another number or shape,
    TypeError for what is no expression.
    """
    inputs = (inputs,) if isinstance(inputs, Expr) else tuple(inputs)
    for i in inputs:
        if not isinstance(i, Expr):
            raise TypeError(f"function takes symbols for inputs, such as dc.symbol('x'), got {i!r}")
    single = not isinstance(outputs, list | tuple)
    exprs = [as_expr(o) for o in ([outputs] if single else outputs)]
    names = tuple(i.params[0] for i in inputs)
    given = {"derivative": derivative, "gradient": gradient, "jacobian": jacobian, "hessian": hessian}
    made = Function(name, inputs, exprs, single)
    made.formulas = {op: _rows(made, op, rows, names) for op, rows in given.items() if rows is not None}
    return made


def _rows(f: Function, operator: str, given: Any, names: tuple[str, ...]) -> dict[tuple[str, ...], Expr]:
    """The hand formula by input names, each row checked for its shape."""
    if isinstance(given, Function):
        given = given(*f.inputs)
    rows: dict[tuple[str, ...], Expr] = {}
    if isinstance(given, dict):
        rows = {(k,) if isinstance(k, str) else tuple(k): as_expr(v) for k, v in given.items()}
    elif operator == "hessian":
        table = [[given]] if len(names) == 1 and not isinstance(given, list | tuple) else given
        if not isinstance(table, list | tuple) or any(not isinstance(r, list | tuple) or len(r) != len(names) for r in (table, *table)):
            raise ShapeError(
                f"{f.name}: the hessian of {len(names)} inputs is {len(names)} rows of {len(names)} parts; a dict by pairs gives fewer"
            )
        rows = {(a, b): as_expr(e) for a, row in zip(names, table, strict=True) for b, e in zip(names, row, strict=True)}
    else:
        values = given if isinstance(given, list | tuple) else [given]
        if len(values) != len(names):
            raise ShapeError(
                f"{f.name}: the {operator} has {len(values)} parts for {len(names)} inputs ({', '.join(names)}); a dict by name gives fewer"
            )
        rows = {(n,): as_expr(v) for n, v in zip(names, values, strict=True)}
    for key, row in rows.items():
        shape = (*f.output.shape, *(k for n in key for k in f.input(n).shape))
        if row.shape != shape:
            raise ShapeError(f"{f.name}: the {operator} for {', '.join(key)} has shape {row.shape}, expected {shape}")
    f.with_outputs(list(rows.values()), single=False, name=f"{f.name}.{operator}")
    return rows


def as_function(f: Any) -> Function:
    """A Function as it is; an expression with its inputs in order of first appearance; text parsed."""
    if isinstance(f, Function):
        return f
    if isinstance(f, Expr):
        return Function("f", free_inputs([f]), [f], True)
    if isinstance(f, str):
        from .grammar import parse

        return parse(f)
    if callable(f):
        raise TypeError(
            f"{getattr(f, '__name__', f)!r} is a Python function: trace it first, dc.trace(fn, x=(), w=(3,)) with the shapes of its arguments"
        )
    raise TypeError(f"expected a Function, an expression or text, got {type(f).__name__}")

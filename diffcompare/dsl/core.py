"""Expressions: immutable, hash-consed nodes; the kinds of primitive; walks over the graph.

Equal expressions are one object (`a is b` is equality), so common subexpressions are shared by construction.
Every walk is iterative: a chain of 100,000 nodes is an ordinary expression.
"""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import numpy as np

from ..errors import DiffCompareError
from .shapes import Shape, size_of

REAL = "real"
BOOL = "bool"


class _Made:
    """A node while it is made: assigning to it is allowed, until it becomes an Expr."""

    __slots__ = ("__weakref__", "args", "dtype", "params", "primitive", "shape")

    primitive: Primitive
    args: tuple[Expr, ...]
    params: tuple[Any, ...]
    shape: Shape
    dtype: str


class Expr(_Made):
    """One node: a primitive applied to argument nodes with static parameters.

    shape: the core shape; leading axes that an argument has beyond it when the function is called are batch axes.
    dtype: REAL or BOOL. `==` and `<` build elementwise comparisons, as in NumPy; use `is` for identity.
    """

    __slots__ = ()

    __array_priority__ = 1000

    def __init__(self) -> None:
        raise TypeError("expressions are made by dc.symbol, dc.parse and operators, not by Expr()")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"expressions are immutable: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"expressions are immutable: cannot delete {name}")

    __hash__ = object.__hash__

    # --- arithmetic: every operator is a function of the same name in the table FUNCTIONS ---

    def __add__(self, other: Any) -> Expr:
        if type(other) is Expr:  # as _binary would, two calls sooner: most nodes of a graph are made here
            return PRIMITIVES["add"].apply((self, other))
        return _binary("add", self, other)

    def __radd__(self, other: Any) -> Expr:
        return _binary("add", other, self)

    def __sub__(self, other: Any) -> Expr:
        if type(other) is Expr:  # as _binary would, two calls sooner: most nodes of a graph are made here
            return PRIMITIVES["sub"].apply((self, other))
        return _binary("sub", self, other)

    def __rsub__(self, other: Any) -> Expr:
        return _binary("sub", other, self)

    def __mul__(self, other: Any) -> Expr:
        if type(other) is Expr:  # as _binary would, two calls sooner: most nodes of a graph are made here
            return PRIMITIVES["mul"].apply((self, other))
        return _binary("mul", self, other)

    def __rmul__(self, other: Any) -> Expr:
        return _binary("mul", other, self)

    def __truediv__(self, other: Any) -> Expr:
        if type(other) is Expr:  # as _binary would, two calls sooner: most nodes of a graph are made here
            return PRIMITIVES["div"].apply((self, other))
        return _binary("div", self, other)

    def __rtruediv__(self, other: Any) -> Expr:
        return _binary("div", other, self)

    def __pow__(self, other: Any) -> Expr:
        return _binary("pow", self, other)

    def __rpow__(self, other: Any) -> Expr:
        return _binary("pow", other, self)

    def __matmul__(self, other: Any) -> Expr:
        return _binary("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Expr:
        return _binary("matmul", other, self)

    def __mod__(self, other: Any) -> Expr:
        return _binary("mod", self, other)

    def __rmod__(self, other: Any) -> Expr:
        return _binary("mod", other, self)

    def __floordiv__(self, other: Any) -> NoReturn:
        raise TypeError(f"an expression has no floor division // ({_short(self)}): use floor(x / y)")

    __rfloordiv__ = __floordiv__

    def __neg__(self) -> Expr:
        return FUNCTIONS["neg"](self)

    def __pos__(self) -> Expr:
        return self

    def __abs__(self) -> Expr:
        return FUNCTIONS["abs"](self)

    def __lt__(self, other: Any) -> Expr:
        return _binary("lt", self, other)

    def __le__(self, other: Any) -> Expr:
        return _binary("le", self, other)

    def __gt__(self, other: Any) -> Expr:
        return _binary("lt", other, self)

    def __ge__(self, other: Any) -> Expr:
        return _binary("le", other, self)

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return _binary("eq", self, other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return _binary("ne", self, other)

    def __and__(self, other: Any) -> Expr:
        return _binary("logical_and", self, other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Expr:
        return _binary("logical_or", self, other)

    __ror__ = __or__

    def __invert__(self) -> Expr:
        return FUNCTIONS["logical_not"](self)

    # --- arrays ---

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return size_of(self.shape)

    @property
    def T(self) -> Expr:  # noqa: N802 (NumPy's name)
        return FUNCTIONS["transpose"](self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a scalar expression has no length")
        return self.shape[0]

    def __iter__(self) -> Any:
        if not self.shape:
            raise TypeError("a scalar expression cannot be iterated")
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, key: Any) -> Expr:
        return FUNCTIONS["index"](self, key)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TypeError(
            "expressions are immutable: x[i] = ... is not possible; collect the parts and use np.stack, np.concatenate or np.where"
        )

    def reshape(self, *shape: Any) -> Expr:
        return FUNCTIONS["reshape"](self, shape[0] if len(shape) == 1 else shape)

    def ravel(self) -> Expr:
        return FUNCTIONS["reshape"](self, (-1,))

    flatten = ravel

    def transpose(self, *axes: Any) -> Expr:
        return FUNCTIONS["transpose"](self, *axes)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Expr:
        return FUNCTIONS["sum"](self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Expr:
        return FUNCTIONS["mean"](self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Expr:
        return FUNCTIONS["max"](self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Expr:
        return FUNCTIONS["min"](self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Any = None, keepdims: bool = False) -> Expr:
        return FUNCTIONS["prod"](self, axis=axis, keepdims=keepdims)

    def dot(self, other: Any) -> Expr:
        return FUNCTIONS["dot"](self, other)

    def named(self, name: str) -> Expr:
        """The same value under a name, so that derivatives can be taken with respect to it."""
        return FUNCTIONS["named"](self, name)

    # --- what an expression is not ---

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"an expression has no truth value ({_short(self)}): use where(condition, a, b) instead of if, "
            "maximum(a, b) instead of max(a, b), and &, |, ~ instead of and, or, not"
        )

    def __float__(self) -> NoReturn:
        raise TypeError(
            f"an expression is not a number ({_short(self)}): instead of float(x) or math.sin(x) use dc.sin(x) or np.sin(x); to evaluate, use dc.value(f)(...)"
        )

    def __index__(self) -> NoReturn:
        raise TypeError(f"an expression is not an index ({_short(self)}): indices and sizes are static integers")

    def __int__(self) -> NoReturn:
        raise TypeError(f"an expression is not a number ({_short(self)}): use floor(x) instead of int(x)")

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        from .tracing import refuse_array

        refuse_array()

    if not TYPE_CHECKING:  # a checker would take every misspelled attribute for one of these

        def __getattr__(self, name: str) -> Any:
            from .tracing import attribute

            return attribute(self, name)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from .tracing import array_ufunc

        return array_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from .tracing import array_function

        return array_function(func, args, kwargs)

    # --- copies, pickles, text ---

    def __copy__(self) -> Expr:
        return self

    def __deepcopy__(self, memo: Any) -> Expr:
        return self

    def __reduce__(self) -> Any:
        from .walk import flatten, load_one

        return load_one, (flatten([self]),)

    def __repr__(self) -> str:
        from .show import brief

        return brief(self)

    def __str__(self) -> str:
        from .show import text

        return text(self)

    def _repr_latex_(self) -> str:
        from .show import latex

        return f"$${latex(self)}$$"


class _Reference(weakref.ref[Expr]):
    """A weak reference that knows its key, so that a dead node leaves the table."""

    __slots__ = ("key",)
    key: tuple[Any, ...]


_nodes: dict[tuple[Any, ...], _Reference] = {}
_lock = threading.RLock()


def _forget(reference: _Reference) -> None:
    # CPython runs this before it releases the node's arguments, so the ids in the key are still theirs.
    with _lock:
        if _nodes.get(reference.key) is reference:
            del _nodes[reference.key]


def intern(primitive: Primitive, args: tuple[Expr, ...], params: tuple[Any, ...], shape: Shape, dtype: str) -> Expr:
    """The one node with these parts."""
    # of numbers alone where there are no parameters, so that the garbage collector leaves it out
    key: tuple[Any, ...]
    if len(args) == 2:
        key = (id(primitive), params, id(args[0]), id(args[1]))
    elif len(args) == 1:
        key = (id(primitive), params, id(args[0]))
    else:
        key = (id(primitive), params, *map(id, args))
    known = _nodes.get(key)
    if known is not None:
        node = known()
        if node is not None:
            return node
    made: Any = _new(_Made)
    made.primitive = primitive
    made.args = args
    made.params = params
    made.shape = shape
    made.dtype = dtype
    made.__class__ = Expr  # a third of the time of setting each slot past __setattr__
    reference = _Reference(made, _forget)
    reference.key = key
    # one step for all threads: no lock is needed where nothing stands at the key
    if _nodes.setdefault(key, reference) is reference:
        return cast("Expr", made)
    return _settled(made, reference)


_new = object.__new__


def _settled(made: Expr, reference: _Reference) -> Expr:
    """The node to take where something stood at its key: another thread's of the same parts, or one that has just died."""
    with _lock:
        known = _nodes.get(reference.key)
        node = None if known is None else known()
        if node is not None:
            return node
        _nodes[reference.key] = reference
        return made


@contextmanager
def collector_paused() -> Iterator[None]:
    """No cyclic garbage collection inside: a pass makes many nodes and no garbage, and each full collection walks them all.

    The collector is left as it was found; threads that overlap may pause it a little longer than their own pass.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def live_nodes() -> int:
    """How many distinct expressions are alive in this process."""
    return len(_nodes)


# --- primitives ---


class Primitive:
    """An operation of the graph. `apply` makes a node; `jvp` and `vjp` are its two derivative rules.

    A tangent or cotangent of None is exactly zero and is never built into the graph.
    """

    name: str

    def __init__(self, name: str) -> None:
        self.name = name

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        """The node for these arguments and parameters, checked, broadcast and simplified."""
        raise TypeError(f"{self.name} cannot be applied to arguments")

    def jvp(self, node: Expr, tangents: Sequence[Expr | None], wild: bool = False) -> Expr | None:
        """The tangent of `node` for the tangents of its arguments; wild: whether a tangent may be infinite."""
        raise TypeError(f"{self.name} has no derivative rule")

    def vjp(self, node: Expr, cotangent: Expr, wild: bool = False) -> Sequence[Expr | None]:
        """The cotangents of the arguments of `node` for its own; wild: whether the cotangent may be infinite."""
        raise TypeError(f"{self.name} has no derivative rule")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __reduce__(self) -> Any:
        if PRIMITIVES.get(self.name) is self and self.name in BUILT_IN:
            return _find_primitive, (self.name,)
        return _load_primitive, (type(self), self.__dict__.copy())


def _find_primitive(name: str) -> Primitive:
    return PRIMITIVES[name]


def _load_primitive(kind: type[Primitive], state: dict[str, Any]) -> Primitive:
    """A user's primitive from another process: the one of the same name and type if there is one here."""
    known = PRIMITIVES.get(state["name"])
    if known is not None and type(known) is kind:
        return known
    primitive: Primitive = kind.__new__(kind)
    primitive.__dict__.update(state)
    return register(primitive)


P = TypeVar("P", bound=Primitive)
F = TypeVar("F", bound=Callable[..., Expr])

PRIMITIVES: dict[str, Primitive] = {}
BUILT_IN: set[str] = set()
FUNCTIONS: dict[str, Callable[..., Expr]] = {}
"""Every function of the DSL by name: what the parser, NumPy code and operators look up."""


def register(primitive: P, replace: bool = False) -> P:
    """Make a primitive known by its name."""
    if primitive.name in PRIMITIVES and (not replace or primitive.name in BUILT_IN):
        fix = "choose another name" if primitive.name in BUILT_IN else "pass replace=True to replace it"
        raise DiffCompareError(f"a primitive named {primitive.name!r} exists already: {fix}")
    PRIMITIVES[primitive.name] = primitive
    if callable(primitive):
        FUNCTIONS[primitive.name] = primitive
    return primitive


def function_of_the_dsl(function: F) -> F:
    """Enter a function that builds expressions into FUNCTIONS under its own name."""
    name = function.__name__
    if name in FUNCTIONS:
        raise DiffCompareError(f"a function named {name!r} exists already")
    FUNCTIONS[name] = function
    return function


def _binary(name: str, left: Any, right: Any) -> Expr:
    if not isinstance(left, Operand) or not isinstance(right, Operand):
        return NotImplemented  # type: ignore[no-any-return]  # how an operator passes the question on
    return FUNCTIONS[name](left, right)


class _Leaf(Primitive):
    """A node without arguments."""


INPUT = _Leaf("input")
CONSTANT = _Leaf("constant")
_serial = itertools.count(1)


def input_(name: str, shape: Shape = (), dtype: str = REAL) -> Expr:
    """The input of this name; equal names, shapes and dtypes are one node."""
    return intern(INPUT, (), (name, 0, shape, dtype), shape, dtype)


def fresh(name: str, shape: Shape = (), dtype: str = REAL) -> Expr:
    """A new input that equals no other, for tangents and cotangents."""
    return intern(INPUT, (), (name, next(_serial), shape, dtype), shape, dtype)


def is_fresh(node: Expr) -> bool:
    return node.primitive is INPUT and node.params[1] != 0


Operand = (Expr, bool, int, float, np.ndarray, np.generic)


def _short(node: Expr) -> str:
    return clip(repr(node))


def clip(text: str, width: int = 60) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


for _leaf in (INPUT, CONSTANT):
    PRIMITIVES[_leaf.name] = _leaf

"""Elementwise: the kind of primitive that maps scalars to scalars. Its rows stand in arithmetic.py and elementary.py.

A partial derivative is written in the DSL, so forward and reverse mode follow from one text and cannot drift apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .accuracy import PROMISE, Bound, Path
from .constants import constant, literal
from .core import CONSTANT, FUNCTIONS, PRIMITIVES, REAL, Expr, Primitive, intern
from .shapes import joint_shape
from .structural import broadcast, broadcast_

INF = math.inf
NAN = math.nan
Partial = Expr | float | None


@dataclass(frozen=True)
class Interval:
    """Where an argument may lie; an open end is outside the domain, and so is what lies in `gap`."""

    lo: float = -INF
    hi: float = INF
    open_lo: bool = False
    open_hi: bool = False
    gap: Container[float] | None = None

    def __contains__(self, x: object) -> bool:
        if not isinstance(x, int | float) or (self.gap is not None and x in self.gap):
            return False
        above = x > self.lo or (x == self.lo and not self.open_lo)
        below = x < self.hi or (x == self.hi and not self.open_hi)
        return above and below

    def __str__(self) -> str:
        left = "(" if self.open_lo or self.lo == -INF else "["
        right = ")" if self.open_hi or self.hi == INF else "]"
        whole = f"{{{self.lo:g}}}" if self.lo == self.hi else f"{left}{self.lo:g}, {self.hi:g}{right}"
        return whole if self.gap is None else f"{whole} without {self.gap}"


LINE = Interval()
NONZERO = Interval(gap=Interval(0.0, 0.0))
NONNEGATIVE = Interval(0.0)
POSITIVE = Interval(0.0, open_lo=True)


class Elementwise(Primitive):
    """A function of scalars, applied entry by entry to arguments broadcast to one shape.

    partials(y, *args): one derivative for each argument: an expression or a number, None where it is exactly zero.
    evaluate(*args): a DSL expression for the value. A primitive without one is native to the engines:
    array: its name in NumPy, jax.numpy or scipy.special; scalar: its name in math, or a template such as "{0} + {1}";
    either may be a callable instead.
    sympy(sp, *args), ball(b, *args): its forms in SymPy and on power series of balls, in the vocabularies of
    transforms/sympy.py and reference.py; without one, `evaluate` serves.
    complex(*pairs): the (real, imaginary) parts for arguments that are such pairs, None for a part that is exactly 0
    (at least one argument has an imaginary part). The forms stand in complex_forms.py.
    domain: an Interval for each argument, the numbers at which the function is defined.
    singular(node): whether a partial may be infinite; products with it then let an exact zero win.
    kinks(*args): a bool expression, true exactly where the function is defined but not differentiable.
    convention: what its derivative is there, in words.
    bounds: for a path of arguments, (0, 1) being d²/dx dy and () the value, the error allowed to that derivative where it
    is not PROMISE.
    promised: the highest order of derivative with a bound, 2 but for functions that are themselves derivatives of others.
    simplify(*args): a float-exact simpler expression, or None; of several arguments it is asked when one is a constant.
    """

    def __init__(
        self,
        name: str,
        arity: int = 1,
        *,
        partials: Callable[..., tuple[Partial, ...]] | None = None,
        evaluate: Callable[..., Expr] | None = None,
        array: str | Callable[..., Any] | None = None,
        scalar: str | Callable[..., Any] | None = None,
        sympy: Callable[..., Any] | None = None,
        ball: Callable[..., Any] | None = None,
        complex: Callable[..., tuple[Expr, Expr | None]] | None = None,
        domain: tuple[Interval, ...] = (),
        singular: Callable[[Expr], bool] = lambda node: False,
        kinks: Callable[..., Expr] | None = None,
        convention: str = "",
        bounds: Mapping[Path, Bound] | None = None,
        promised: int = 2,
        simplify: Callable[..., Expr | None] | None = None,
        dtype: str = REAL,
        takes_bool: bool = False,
        doc: str = "",
    ) -> None:
        super().__init__(name)
        self.arity = arity
        self.partials = partials
        self.evaluate = evaluate
        self.array = array
        self.scalar = scalar
        self.sympy = sympy
        self.ball = ball
        self.complex = complex
        self.domain = domain or (LINE,) * arity
        self.singular = singular
        self.kinks = kinks
        self.convention = convention
        self.bounds = dict(bounds or {})
        self.promised = promised
        self.simplify = simplify
        self.dtype = dtype
        self.takes_bool = takes_bool
        self.doc = doc

    def __call__(self, *args: Any) -> Expr:
        if len(args) != self.arity:
            raise TypeError(f"{self.name} takes {self.arity} argument{'s' * (self.arity != 1)}, got {len(args)}")
        for a in args:
            if type(a) is not Expr:
                return self.apply([a if isinstance(a, Expr) else constant(a) for a in args])
        return self.apply(args)

    def apply(self, args: Sequence[Expr], params: tuple[Any, ...] = ()) -> Expr:
        shape = args[0].shape
        for a in args:
            known = a.primitive
            if a.shape is not shape or a.dtype is not REAL or known is CONSTANT or known is broadcast_:
                return self._apply(args)
        if self.arity == 1 and self.simplify is not None:
            return self._apply(args)
        return intern(self, args if type(args) is tuple else tuple(args), (), shape, self.dtype)

    def _apply(self, args: Sequence[Expr]) -> Expr:
        """The node where arguments may have to be converted or broadcast, or may simplify: `apply` goes past all that for most."""
        shape = args[0].shape
        simplify = self.simplify if self.arity == 1 else None
        for a in args:
            if a.dtype != REAL and not self.takes_bool:
                return self.apply([FUNCTIONS["real"](a) for a in args])
            if a.shape is not shape and a.shape != shape:
                shape = joint_shape(self.name, [a.shape for a in args])
                return self.apply([broadcast(a, shape) for a in args])
            if a.primitive is CONSTANT or a.primitive is broadcast_:
                simplify = self.simplify
        if simplify is not None:
            simpler = simplify(*args)
            if simpler is not None:
                return simpler
        return intern(self, tuple(args), (), shape, self.dtype)

    def derivatives(self, node: Expr) -> tuple[Partial, ...]:
        """The partial derivatives at a node of this primitive, one for each argument."""
        return (None,) * self.arity if self.partials is None else self.partials(node, *node.args)

    def bound(self, path: Path) -> Bound | None:
        """The error allowed to the derivative along a path of arguments; None where none is promised."""
        return self.bounds.get(path, PROMISE) if len(path) <= self.promised else None

    def jvp(self, node: Expr, tangents: Sequence[Expr | None], wild: bool = False) -> Expr | None:
        """The tangent of `node`; wild: whether a tangent may be infinite."""
        total: Expr | None = None
        for partial, tangent in zip(self.derivatives(node), tangents, strict=True):
            if partial is not None and tangent is not None:
                term = times(partial, tangent, wild or self.singular(node))
                total = term if total is None else total + term
        return total

    def vjp(self, node: Expr, cotangent: Expr, wild: bool = False) -> Sequence[Expr | None]:
        """The cotangents of the arguments; wild: whether the cotangent may be infinite."""
        wild = wild or self.singular(node)
        partials = (None,) * self.arity if self.partials is None else self.partials(node, *node.args)
        return [None if p is None else times(p, cotangent, wild) for p in partials]


def times(partial: Expr | float, tangent: Expr, wild: bool) -> Expr:
    """A partial times a tangent or cotangent; where one may be infinite, an exact zero in the other wins."""
    if type(partial) is Expr:
        return PRIMITIVES["chain_mul" if wild else "mul"].apply((partial, tangent))
    if partial == 1.0 and tangent.dtype is REAL:
        return tangent  # as the product would be simplified
    return FUNCTIONS["mul"](partial, tangent)


def number(node: Expr) -> float | None:
    """The value of a real constant with one entry, also under a broadcast; None for anything else."""
    while node.primitive is broadcast_:
        node = node.args[0]
    if node.primitive is not CONSTANT:
        return None
    value = node.params[0].value
    if isinstance(value, np.ndarray):
        return float(value.flat[0]) if value.size == 1 and node.dtype == REAL else None
    return value if isinstance(value, float) else None


def is_exactly(node: Expr, value: float) -> bool:
    """Whether every entry of the node is the constant `value`, bit for bit."""
    known = number(node)
    return known == value and math.copysign(1.0, known) == math.copysign(1.0, value)


def fold(operation: Callable[..., Any], *args: Expr) -> Expr | None:
    """The constant result of a correctly rounded operation on scalar constants, None if an argument is not one."""
    for a in args:
        if a.primitive is not CONSTANT or a.shape:
            return None
    values = [literal(a) for a in args]
    with np.errstate(all="ignore"):
        return constant(operation(*(v if isinstance(v, bool) else np.float64(v) for v in values)))

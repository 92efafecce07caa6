"""A function on complex numbers as real code on pairs (re, im), so that the complex step runs on every engine.

The continuation is that of the function on its real domain: outside it, judged by the real part, the result is NaN,
and functions that are not analytic (abs, maximum, where, comparisons) branch on the real part. Where an argument's
imaginary part is exactly zero it has no effect, even beside an infinite slope.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from ..dsl.arithmetic import eq, pow_, real, where
from ..dsl.composite import Reduction
from ..dsl.contraction import Einsum
from ..dsl.core import Expr, fresh
from ..dsl.elementwise import Elementwise
from ..dsl.function import Function
from ..dsl.running import prod_
from ..dsl.structural import Concatenate, Structural, add_terms, broadcast, concatenate_, keep_axes, reshape, transpose_
from ..dsl.structural import sum as sum_over
from ..dsl.walk import postorder
from ..errors import Unsupported
from .forward import zero_like
from .lower import lower

Pair = tuple[Expr, Expr | None]
"""Real and imaginary part; None is an imaginary part that is exactly zero everywhere."""


def complexify(function: Function, wrt: Sequence[str] | None = None) -> Function:
    """(inputs, imaginary parts of the inputs `wrt`) -> real parts of the outputs, then their imaginary parts.

    Raises Unsupported naming a function that has no complex form (erf has none in elementary functions).
    """
    chosen = [function.input(n) for n in (function.names if wrt is None else wrt)]
    sides = [fresh(f"imaginary_{i.params[0]}", i.shape) for i in chosen]
    outputs = lower(function.outputs, keep=_has_form)
    pairs: dict[Expr, Pair] = dict(zip(chosen, zip(chosen, sides, strict=True), strict=True))
    for node in postorder(outputs):
        if node not in pairs:
            pairs[node] = _pair(node, [pairs[a] for a in node.args])
    res = [pairs[o][0] for o in outputs]
    ims = [zero_like(o) if pairs[o][1] is None else pairs[o][1] for o in outputs]
    return Function(f"complex_{function.name}", (*function.inputs, *sides), [*res, *ims], False)  # type: ignore[list-item]


def _has_form(node: Expr) -> bool:
    """Whether the node is better served by its own complex form than by the functions it is written in."""
    primitive = node.primitive
    return isinstance(primitive, Elementwise) and primitive.complex is not None and primitive is not pow_


def _pair(node: Expr, args: Sequence[Pair]) -> Pair:
    """The node for arguments that are pairs."""
    primitive = node.primitive
    if all(im is None for _, im in args):
        same = all(re is a for (re, _), a in zip(args, node.args, strict=True))
        return (node if same else primitive.apply([re for re, _ in args], node.params)), None
    if isinstance(primitive, Elementwise):
        return _elementwise(node, primitive, args)
    if isinstance(primitive, Structural):
        return _structural(node, primitive, args)
    if primitive is prod_:
        return _multiplied(node, args[0])
    if isinstance(primitive, Reduction) and primitive.entry is not None:
        return _extreme(node, primitive, args[0])
    raise Unsupported(f"{primitive.name} has no complex form, so fd.complex cannot take it; use fd.central")


def _elementwise(node: Expr, primitive: Elementwise, args: Sequence[Pair]) -> Pair:
    if primitive.complex is None:
        if primitive.partials is None:  # a step function: constant between its jumps
            return primitive.apply([re for re, _ in args], node.params), None
        raise Unsupported(f"{primitive.name} has no complex form, so fd.complex cannot take it; use fd.central")
    re, im = primitive.complex(*args)
    if im is not None and primitive.singular(node):
        still = None
        for _, side in args:
            if side is not None:
                zero = eq(side, 0.0)
                still = zero if still is None else still & zero
        assert still is not None
        im = where(still & eq(re, re), 0.0, im)
    return re, im


def _structural(node: Expr, primitive: Structural, args: Sequence[Pair]) -> Pair:
    if isinstance(primitive, Einsum):
        return _product(node, primitive, args)
    re = primitive.apply([a for a, _ in args], node.params)
    if isinstance(primitive, Concatenate):
        return re, primitive.apply([zero_like(a) if b is None else b for a, b in args], node.params)
    ((_, im),) = args  # every other rearrangement has one argument
    assert im is not None
    return re, primitive.apply([im], node.params)


def _product(node: Expr, einsum: Einsum, args: Sequence[Pair]) -> Pair:
    """A product of complex arrays: the terms with an even number of imaginary factors are real, i² = -1."""
    complex_ones = [k for k, (_, im) in enumerate(args) if im is not None]
    sums: list[list[Expr]] = [[], []]
    for count in range(len(complex_ones) + 1):
        for chosen in combinations(complex_ones, count):
            term = einsum.apply([im if k in chosen and im is not None else re for k, (re, im) in enumerate(args)], node.params)
            sums[count % 2].append(-term if count % 4 >= 2 else term)
    re, im = add_terms(sums[0]), add_terms(sums[1])
    assert re is not None
    return re, im


def _multiplied(node: Expr, x: Pair) -> Pair:
    """The product of complex entries: halves multiplied entry by entry until one is left."""
    (re, im), (axes,) = x, node.params
    assert im is not None
    order = (*(a for a in range(-re.ndim, 0) if a not in axes), *axes)
    shape = (*node.shape, -1)
    re, im = (reshape(transpose_.apply([part], (order,)), shape) for part in (re, im))
    while (n := re.shape[-1]) > 1:
        half = n // 2
        (a, c, e), (b, d, f) = ((p[..., :half], p[..., half : 2 * half], p[..., 2 * half :]) for p in (re, im))
        re, im = a * c - b * d, a * d + b * c
        if n % 2:
            re, im = (concatenate_.apply([p, odd], (-1,)) for p, odd in ((re, e), (im, f)))
    return reshape(re, node.shape), reshape(im, node.shape)


def _extreme(node: Expr, primitive: Reduction, x: Pair) -> Pair:
    """The entry with the extreme real part; k ties share alike."""
    re, im = x
    (axes,) = node.params
    assert im is not None
    top = primitive.apply([re], node.params)
    hit = real(eq(re, broadcast(keep_axes(re, axes, top, True), re.shape)))
    return top, sum_over(hit * im, axis=axes) / sum_over(hit, axis=axes)

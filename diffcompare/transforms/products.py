"""Contractions as products of two arrays, shared where they are the same product: x·(A x) and its gradient need A x once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, product

import numpy as np

from ..dsl.arithmetic import mul, neg
from ..dsl.constants import constant, literal
from ..dsl.contraction import Einsum, einsum_
from ..dsl.core import Expr
from ..dsl.structural import broadcast_, transpose
from ..dsl.structural import sum as sum_over
from ..dsl.walk import postorder

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
Term = tuple[str, Expr]
"""An operand under its labels."""


def pairwise(outputs: Sequence[Expr], sums: bool = False) -> list[Expr]:
    """The outputs with every contraction written as products of two operands, each in one normal form.

    Of several orders the cheapest is taken; a product that the graph has anyway costs nothing. The normal form does not
    depend on the letters, nor on the order of the axes of a symmetric constant. A product of an array times a number, as
    A (s x), is s (A x) where A x is in the graph too, so that one product does for both; nowhere else, as the two round
    differently, and overflow or vanish at different s.
    sums: whether products of two arrays with the same labels are written as sums of products of entries.
    """
    order = postorder(outputs)
    if not any(isinstance(node.primitive, Einsum) for node in order):
        return list(outputs)
    new: dict[Expr, Expr] = {}
    symmetric: dict[Expr, bool] = {}
    waiting = [node for node in order if isinstance(node.primitive, Einsum) and len(node.args) > 2]
    known: set[Expr] = set()
    # products of two first: those of more choose among them
    for node in order if waiting else ():
        if isinstance(node.primitive, Einsum) and len(node.args) == 2:
            known.add(_product(_terms(node, node.args), node.params[1], symmetric))
    for node in order:
        args = [new[a] for a in node.args]
        if isinstance(node.primitive, Einsum):
            terms = _terms(node, args)
            while len(terms) > 2:
                terms = _contracted(terms, node.params[1], known, symmetric)
            new[node] = _product(terms, node.params[1], symmetric) if len(terms) == 2 else node.primitive.apply(args, node.params)
            if sums and len(terms) == 2:
                new[node] = _as_sum(new[node])
        elif all(a is b for a, b in zip(args, node.args, strict=True)):
            new[node] = node
        else:
            new[node] = node.primitive.apply(args, node.params)
    return _numbers_outside([new[o] for o in outputs], symmetric)


def _numbers_outside(outputs: Sequence[Expr], symmetric: dict[Expr, bool]) -> list[Expr]:
    """The outputs with products that differ from one of the graph by factors alone written as that times those."""
    order = postorder(outputs)
    products = {node for node in order if isinstance(node.primitive, Einsum) and len(node.args) == 2}
    new: dict[Expr, Expr] = {}
    for node in order:
        plain, factors = _without_factors(node, products, symmetric) if node in products else (node, [])
        args = [new[a] for a in plain.args]
        changed = any(a is not b for a, b in zip(args, plain.args, strict=True))
        new[node] = plain.primitive.apply(args, plain.params) if changed else plain
        for factor in factors:
            new[node] = mul(new[node], new.get(factor, factor))  # -1 need not be a node of the graph
    return [new[o] for o in outputs]


def _without_factors(node: Expr, products: set[Expr], symmetric: dict[Expr, bool]) -> tuple[Expr, list[Expr]]:
    """(a product of the graph, the factors that make it this one), with as many factors as can be; (node, []) where there is none."""
    labels, output = node.params
    for (a, left), (b, right) in product(*(_unscaled(x) for x in node.args)):
        if left or right:
            plain = _product(list(zip(labels, (a, b), strict=True)), output, symmetric)
            if plain in products:
                return plain, left + right
    return node, []


def _unscaled(x: Expr) -> list[tuple[Expr, list[Expr]]]:
    """(array, numbers) whose product is x, those with most numbers first and (x, []) last."""
    found: list[tuple[Expr, list[Expr]]] = [(x, [])]
    while (parts := _scaled(found[0][0])) is not None:
        found.insert(0, (parts[0], [*found[0][1], parts[1]]))
    return found


def _scaled(x: Expr) -> tuple[Expr, Expr] | None:
    """(array, number) of an array times one number for all its entries; None of anything else."""
    if x.primitive is neg:
        return x.args[0], constant(-1.0)
    if x.primitive is mul:
        for array, factor in (x.args, x.args[::-1]):
            if factor.primitive is broadcast_ and not factor.args[0].shape:
                return array, factor.args[0]
    return None


def _terms(node: Expr, args: Sequence[Expr]) -> list[Term]:
    return list(zip(node.params[0], args, strict=True))


def _contracted(terms: list[Term], output: str, known: set[Expr], symmetric: dict[Expr, bool]) -> list[Term]:
    """The terms with one pair of them made a product."""
    sizes = {c: n for labels, x in terms for c, n in zip(labels, x.shape, strict=True)}
    best: tuple[float, tuple[int, int], str, Expr] | None = None
    for i, j in combinations(range(len(terms)), 2):
        rest = set(output).union(*(labels for k, (labels, _) in enumerate(terms) if k not in {i, j}))
        joint = dict.fromkeys(terms[i][0] + terms[j][0])
        kept = "".join(c for c in joint if c in rest)
        node = _product([terms[i], terms[j]], kept, symmetric)
        work = 0.0 if node in known else float(math.prod(sizes[c] for c in joint))
        if best is None or work < best[0]:
            best = work, (i, j), kept, node
    assert best is not None
    _, pair, kept, node = best
    return [*(t for k, t in enumerate(terms) if k not in set(pair)), (kept, node)]


def _product(terms: Sequence[Term], output: str, symmetric: dict[Expr, bool]) -> Expr:
    """The contraction of two terms in normal form."""
    (left, a), (right, b) = sorted(terms, key=lambda t: -len(t[0]))
    forms = []
    for first, second in product(_orders(left, a, symmetric), _orders(right, b, symmetric)):
        letters = dict(zip(dict.fromkeys(first + second), _LETTERS, strict=False))
        forms.append(tuple("".join(letters[c] for c in part) for part in (first, second, output)))
    first, second, out = max(forms)  # the last axis summed, where there is a choice: its entries lie side by side
    return einsum_.apply((a, b), ((first, second), out))


def _as_sum(node: Expr) -> Expr:
    """A contraction of operands with the same labels as a sum of products of entries; any other as it is."""
    if not isinstance(node.primitive, Einsum) or set(node.params[0][0]) != set(node.params[0][1]):
        return node
    (left, right), output = node.params
    a, b = node.args
    order = (*(c for c in left if c not in output), *output)
    terms = a * transpose(b, [right.index(c) for c in left])
    return sum_over(transpose(terms, [left.index(c) for c in order]), axis=tuple(range(len(order) - len(output))))


def _orders(labels: str, x: Expr, symmetric: dict[Expr, bool]) -> tuple[str, ...]:
    return (labels, labels[::-1]) if _is_symmetric(x, symmetric) else (labels,)


def _is_symmetric(x: Expr, known: dict[Expr, bool]) -> bool:
    """Whether x is a constant matrix that equals its transpose bit for bit."""
    if x not in known:
        value = literal(x)
        square = isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[0] == value.shape[1]
        known[x] = square and value.dtype == np.float64 and np.array_equal(value.view(np.int64), value.view(np.int64).T)
    return known[x]

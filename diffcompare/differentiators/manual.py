"""The manual family: formulas worked out by hand, given with the function."""

from __future__ import annotations

from collections.abc import Sequence

from ..dsl.core import Expr, fresh
from ..dsl.function import Function
from ..errors import Unsupported
from .base import Operator, Request
from .graph import Derived, GraphDifferentiator, contract, total


class Manual(GraphDifferentiator):
    """The formulas of dc.function(..., gradient=...); jvp, vjp and hvp contract them with the direction."""

    name = "manual"
    family = "manual"

    def derive(self, request: Request) -> Derived:
        f, operator = request.function, request.operator
        if operator is Operator.VALUE:
            return Derived(f)
        nodes = () if request.directions is None else request.directions[1]
        directions = tuple(fresh("direction", n.shape) for n in nodes)
        outputs = _outputs(request, directions)
        return Derived(Function(f"{operator}_{f.name}", (*f.inputs, *directions), outputs, False))


def _outputs(request: Request, directions: Sequence[Expr]) -> list[Expr]:
    names = request.names
    match request.operator:
        case Operator.DERIVATIVE if request.order == 2:
            return [_formula(request, "hessian", (names[0], names[0]))]
        case Operator.DERIVATIVE if request.order > 2:
            raise Unsupported(f"manual: {request.function.name} has no hand formula for a derivative of order {request.order}")
        case Operator.DERIVATIVE | Operator.GRADIENT | Operator.JACOBIAN:
            return [_first(request, n) for n in names]
        case Operator.VALUE_AND_GRADIENT:
            return [request.function.output, *(_first(request, n) for n in names)]
        case Operator.HESSIAN:
            return [_formula(request, "hessian", (a, b)) for a in names for b in names]
        case Operator.JVP:
            return [total([contract(_first(request, n), t) for n, t in zip(names, directions, strict=True)])]
        case Operator.VJP:
            return [contract(_first(request, n), directions[0], last=False) for n in names]
        case Operator.HVP:
            rows = [[_formula(request, "hessian", (a, b)) for b in names] for a in names]
            return [total([contract(h, t) for h, t in zip(row, directions, strict=True)]) for row in rows]
    raise Unsupported(f"manual has no operator {request.operator}")


def _first(request: Request, name: str) -> Expr:
    """The first derivative with respect to one input: gradient, jacobian and derivative are one thing by shape."""
    formulas = request.function.formulas
    for operator in ("gradient", "jacobian", "derivative"):
        if (name,) in formulas.get(operator, {}):
            return formulas[operator][(name,)]
    return _formula(request, "gradient", (name,))


def _formula(request: Request, operator: str, key: tuple[str, ...]) -> Expr:
    f = request.function
    rows = f.formulas.get(operator, {})
    if key in rows:
        return rows[key]
    given = [f"{op} for {', '.join(' and '.join(k) for k in table)}" for op, table in f.formulas.items() if table]
    raise Unsupported(f"manual: {f.name} has no hand formula {operator} for {' and '.join(key)} (given: {'; '.join(given) or 'none'})")


manual = Manual()

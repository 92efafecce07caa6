"""Jacobians and Hessians at many points."""

from __future__ import annotations

import numpy as np

from ...differentiators.base import Operator
from ..workload import Bar, Group, Kind, Workload
from .arrays import traced

POINTS = 10_000


def _tables() -> list[Workload]:
    rng = np.random.default_rng(20)
    weights = rng.standard_normal((20, 20)) / 20**0.5
    layer = traced("layer", lambda xp, x: xp.tanh(xp.matmul(weights, x)), {"x": np.zeros(20)})
    formula = traced("formula", lambda xp, x: xp.sum(xp.sin(x[1:] * x[:-1])) + xp.exp(-xp.sum(x * x) / 10), {"x": np.zeros(10)})
    contenders = ("diffcompare llvm", "diffcompare llvm, ad.forward", "diffcompare numpy", "heyoka", "casadi", "jax")
    return [
        Workload(
            "jacobian 20 to 20",
            "Jacobian of tanh(W x), 20 entries to 20, 10^4 points",
            layer,
            Operator.JACOBIAN,
            Kind.POINTS,
            (rng.standard_normal((POINTS, 20)),),
            contenders,
            (Bar("diffcompare llvm", "best", 0.75, 0.5),),
            code=lambda xp, x: xp.tanh(xp.matmul(weights, x)),
        ),
        Workload(
            "hessian of 10 inputs",
            "Hessian of Σ sin(x_i x_(i+1)) + exp(-|x|²/10), 10 inputs, 10^4 points",
            formula,
            Operator.HESSIAN,
            Kind.POINTS,
            (rng.standard_normal((POINTS, 10)),),
            contenders,
            (Bar("diffcompare llvm", "best", 0.75, 0.5),),
            code=lambda xp, x: xp.sum(xp.sin(x[1:] * x[:-1])) + xp.exp(-xp.sum(x * x) / 10),
        ),
    ]


TABLES = (Group("tables", "Jacobian and Hessian, one core", _tables),)

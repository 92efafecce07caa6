"""The residual of bundle adjustment: a camera, a point in space and a weight, one observation a batch entry."""

from __future__ import annotations

import math

import numpy as np

from ..dsl import Function, function, symbol
from ..dsl.arithmetic import lt, sqrt, where
from ..dsl.constants import constant
from ..dsl.contraction import dot, einsum, matmul, outer
from ..dsl.core import Expr
from ..dsl.elementary import cos, sin
from ..dsl.structural import concatenate, reshape, stack
from ..dsl.structural import sum as sum_of
from ..problem import Point, Problem

CAMERA = 11
"""Entries of a camera: rotation r (3, axis times angle), centre C (3), focal length f, principal point (2), distortion (2)."""
TERMS = 11
"""Of the series in the squared angle, which below an angle of 1 is exact to 1/23! in value and slope."""
CROSS = np.zeros((3, 3, 3))
"""(u × v)_i = CROSS_ijk u_j v_k."""
CROSS[[0, 1, 2], [1, 2, 0], [2, 0, 1]] = 1.0
CROSS[[0, 1, 2], [2, 0, 1], [1, 2, 0]] = -1.0


def residual_function() -> Function:
    """[w (projection of x - feature), 1 - w²], shape (3,), of cam (11,), x (3,), w and the feature feat (2,), which is data.

    The projection: y = R (x - C), p = (y_1, y_2) / y_3, f (1 + k_1 |p|² + k_2 |p|⁴) p + principal point.
    """
    cam, x, w, feat = symbol("cam", (CAMERA,)), symbol("x", (3,)), symbol("w"), symbol("feat", (2,))
    y = _rotated(cam[:3], x - cam[3:6])
    p = y[:2] / y[2]
    square = sum_of(p**2)
    distorted = (1 + square * (cam[9] + cam[10] * square)) * p
    error = w * (cam[6] * distorted + cam[7:9] - feat)
    return function(
        [cam, x, w, feat],
        concatenate([error, reshape(1 - w**2, (1,))]),
        name="bundle_adjustment",
        jacobian=_jacobian(cam, x, w, feat),
    )


# --- the rotation by an angle t = |r| about r: R v = v + a r×v + b r×(r×v), a = sin t / t, b = (1 - cos t) / t² ---


def _rotated(r: Expr, v: Expr) -> Expr:
    """R v; functions of the squared angle alone, so that no derivative meets the kink of |r| at 0."""
    a, b = _coefficients(dot(r, r))
    turned = _cross(r, v)
    return v + a * turned + b * _cross(r, turned)


def _cross(u: Expr, v: Expr) -> Expr:
    return einsum("ijk,j,k->i", constant(CROSS), u, v)


def _coefficients(s: Expr) -> tuple[Expr, Expr]:
    """a and b of the squared angle s: series below 1, where the quotients and still more their slopes cancel."""
    near = lt(s, 1.0)
    t = sqrt(where(near, 1.0, s))
    a = where(near, _series(s, 1), sin(t) / t)
    # (1 - cos t) / t² as 2 sin²(t/2) / t²
    return a, where(near, _series(s, 2), 2 * (sin(t / 2) / t) ** 2)


def _slopes(s: Expr, a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """da/ds = (cos t - a) / 2s and db/ds = (a - 2b) / 2s."""
    near = lt(s, 1.0)
    far = where(near, 1.0, s)
    return where(near, _series(s, 1, 1), (cos(sqrt(far)) - a) / (2 * far)), where(near, _series(s, 2, 1), (a - 2 * b) / (2 * far))


def _series(s: Expr, first: int, order: int = 0) -> Expr:
    """Σ_i (-s)^i / (2i + first)! by Horner's rule, or its derivative."""
    coefficients = [(-1.0) ** i / math.factorial(2 * i + first) for i in range(TERMS)]
    for _ in range(order):
        coefficients = [i * c for i, c in enumerate(coefficients)][1:]
    total: Expr | float = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = c + s * total
    assert isinstance(total, Expr)
    return total


# --- by hand ---


def _jacobian(cam: Expr, x: Expr, w: Expr, feat: Expr) -> dict[str, Expr]:
    """The chain of the blocks dy/d(r, x), dp/dy and derror/dp; the centre has the block of the point with the other sign."""
    r, v = cam[:3], x - cam[3:6]
    a, b = _coefficients(dot(r, r))
    turned = _cross(r, v)
    twice = _cross(r, turned)
    y = v + a * turned + b * twice
    by_rotation, by_point = _rotation_blocks(r, v, a, b, turned, twice)
    p = y[:2] / y[2]
    eye = constant(np.eye(2))
    by_y = concatenate([eye, reshape(-p, (2, 1))], axis=1) / y[2]
    square = sum_of(p**2)
    k1, k2 = cam[9], cam[10]
    factor = 1 + square * (k1 + k2 * square)
    by_p = w * cam[6] * (factor * eye + (2 * (k1 + 2 * k2 * square)) * outer(p, p))
    chain = matmul(by_p, by_y)
    focal = w * factor * p
    radial = w * cam[6] * square * p
    error = cam[6] * factor * p + cam[7:9] - feat
    camera = [matmul(chain, by_rotation), -matmul(chain, by_point), focal[:, None], w * eye, stack([radial, square * radial], axis=1)]
    blocks = {"cam": concatenate(camera, axis=1), "x": matmul(chain, by_point)}
    rows = {n: concatenate([block, constant(np.zeros((1, block.shape[1])))]) for n, block in blocks.items()}
    return {**rows, "w": concatenate([error, reshape(-2 * w, (1,))])}


def _rotation_blocks(r: Expr, v: Expr, a: Expr, b: Expr, turned: Expr, twice: Expr) -> tuple[Expr, Expr]:
    """(dRv/dr, dRv/dv = R); d|r|²/dr = 2r takes the slopes of a and b along."""
    slope_a, slope_b = _slopes(dot(r, r), a, b)
    eye = constant(np.eye(3))
    r_cross, v_cross = (einsum("ijk,j->ik", constant(CROSS), u) for u in (r, v))
    double = dot(r, v) * eye + outer(r, v) - 2 * outer(v, r)  # of r×(r×v) = r (r·v) - v (r·r)
    by_rotation = -a * v_cross + b * double + 2 * outer(slope_a * turned + slope_b * twice, r)
    return by_rotation, eye + a * r_cross + b * matmul(r_cross, r_cross)


def _bundle_adjustment() -> Problem:
    cam = np.array([0.3, -0.2, 0.4, 0.1, -0.3, -4.0, 500.0, 320.0, 240.0, -0.1, 0.02])
    x, w, feat = np.array([0.4, 0.2, 1.5]), 0.9, np.array([350.0, 250.0])

    def at(label: str, rotation: list[float] | None = None, weight: float = w) -> Point:
        turned = cam if rotation is None else np.concatenate([rotation, cam[3:]])
        return Point(label, cam=turned, x=x, w=weight, feat=feat)

    return Problem(
        function=residual_function(),
        points=(
            at("start"),
            at("no rotation", [0.0, 0.0, 0.0]),  # the textbook's r/|r| is 0/0
            at("nearly none", [1e-9, -2e-9, 3e-170]),  # 1 - cos t is 0 in floats
            at("half a turn", [0.0, math.pi, 0.0]),
            at("many turns", [11.0, -7.0, 19.0]),
            at("no weight", None, 0.0),
        ),
        source="Srajer, Kukelova, Fitzgibbon (2018), section 3.2, as in ADBench and in GradBench's eval ba; the rotation: Rodrigues (1840), "
        "with the derivatives of Gallego, Yezzi: A Compact Formula for the Derivative of a 3-D Rotation in Exponential Coordinates (2015)",
        tags=("vision", "adbench", "gradbench", "jacobian"),
        wrt=("cam", "x", "w"),
    )


bundle_adjustment = _bundle_adjustment()

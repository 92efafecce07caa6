"""SABR: the volatility that a market with random volatility implies, which at the money is 0/0."""

from __future__ import annotations

from dataclasses import dataclass

from ..dsl import function, symbols
from ..dsl.arithmetic import abs_, lt, sqrt, where
from ..dsl.core import Expr
from ..dsl.elementary import log, log1p
from ..problem import Point, Problem

TERMS = 18
"""Of the series of atanh(t)/t, which for t² < 1/9 is exact to 1e-18."""


def _log1p_ratio(u: Expr) -> tuple[Expr, Expr]:
    """(log1p(u) / u, its slope), also at and near u = 0: log1p(u) = 2 atanh(t) with t = u / (2 + u), a series in t²."""
    near = lt(abs_(u / (2 + u)), 1 / 3)
    far = where(near, 1.0, u)
    t = where(near, u, 0.0) / (2 + where(near, u, 0.0))
    series, slope = _series(t * t)
    ratio = log1p(far) / far
    by_t = 2 * t * (1 - t) * slope - series
    return where(near, (1 - t) * series, ratio), where(near, 0.5 * (1 - t) ** 2 * by_t, (1 / (1 + far) - ratio) / far)


def _series(s: Expr) -> tuple[Expr, Expr]:
    """(Σ s^k / (2k + 1), its slope) by Horner's rule."""
    value: Expr | float = 1 / (2 * TERMS + 1)
    slope: Expr | float = TERMS / (2 * TERMS + 1)
    for k in reversed(range(TERMS)):
        value = 1 / (2 * k + 1) + s * value
        slope = k / (2 * k + 1) + s * slope if k else slope
    assert isinstance(value, Expr) and isinstance(slope, Expr)
    return value, slope


@dataclass(frozen=True)
class _Parts:
    """Of Hagan's formula sigma = alpha / (q D) · R(z) · (1 + E tau), with q = (F K)^(b/2), b = 1 - beta, L = log(F/K)."""

    b: Expr
    q: Expr
    L: Expr
    D: Expr
    z: Expr
    E: Expr


def _parts(f: Expr, k: Expr, alpha: Expr, beta: Expr, rho: Expr, nu: Expr) -> _Parts:
    b = 1 - beta
    q, distance = (f * k) ** (0.5 * b), log(f / k)
    correction = (b * alpha / q) ** 2 / 24 + rho * beta * nu * alpha / (4 * q) + (2 - 3 * rho**2) / 24 * nu**2
    return _Parts(b, q, distance, 1 + (b * distance) ** 2 / 24 + (b * distance) ** 4 / 1920, nu / alpha * q * distance, correction)


def _skew(z: Expr, rho: Expr) -> tuple[Expr, Expr, Expr]:
    """R = z / χ(z), χ(z) = log((r + z - ρ) / (1 - ρ)), r = √(1 - 2ρz + z²), with its slopes by z and by ρ.

    1 at z = 0. χ is log1p(z g) with g = (1 + (z - 2ρ)/(r + 1)) / (1 - ρ), so R is the reciprocal of g log1p(u)/u, u = z g.
    """
    root = sqrt(1 - 2 * rho * z + z * z)
    lean = (z - 2 * rho) / (root + 1)
    g = (1 + lean) / (1 - rho)
    ratio, slope = _log1p_ratio(z * g)
    r = 1 / (g * ratio)
    g_z = (1 - lean * ((z - rho) / root)) / (root + 1) / (1 - rho)
    g_rho = ((lean * (z / root) - 2) / (root + 1) + g) / (1 - rho)
    by_z = -(r * r) * (g_z * ratio + g * slope * (g + z * g_z))
    by_rho = -(r * r) * (g_rho * ratio + g * slope * (z * g_rho))
    return r, by_z, by_rho


def _sabr() -> Problem:
    """The volatility to put into Black's formula for the forward F and the strike K.

    alpha: level of the volatility; beta: from 0, normal, to 1, lognormal; rho: correlation; nu: volatility of the volatility.
    """
    f, k, tau, alpha, beta, rho, nu = inputs = symbols("F K tau alpha beta rho nu")
    parts = _parts(f, k, alpha, beta, rho, nu)
    r, by_z, by_rho = _skew(parts.z, rho)
    head = alpha / (parts.q * parts.D)
    growth = 1 + parts.E * tau
    # the slopes of the logarithm of each factor, then of the three
    d_slope = (parts.b**2 * parts.L / 12 + parts.b**4 * parts.L**3 / 480) / parts.D
    leverage = rho * beta * nu * alpha / (4 * parts.q)
    square = (parts.b * alpha / parts.q) ** 2 / 24
    z_by_f = nu / alpha * parts.q * (1 + 0.5 * parts.b * parts.L) / f
    gradient = {
        "F": head
        * (r * growth * (-0.5 * parts.b - d_slope) / f + by_z * z_by_f * growth - r * tau * parts.b * (square + 0.5 * leverage) / f),
        "alpha": head * (r * growth / alpha - by_z * parts.z / alpha * growth + r * tau * (2 * square + leverage) / alpha),
        "rho": head * (by_rho * growth + r * tau * (beta * nu * alpha / (4 * parts.q) - rho * nu**2 / 4)),
        "nu": head
        * (by_z * parts.q * parts.L / alpha * growth + r * tau * (rho * beta * alpha / (4 * parts.q) + (2 - 3 * rho**2) / 12 * nu)),
    }

    def at(label: str, *values: float) -> Point:
        return Point(label, dict(zip(("F", "K", "tau", "alpha", "beta", "rho", "nu"), values, strict=True)))

    return Problem(
        function=function(inputs, head * r * growth, name="sabr", gradient=gradient),
        points=(
            at("start", 0.03, 0.035, 5.0, 0.035, 0.5, -0.25, 0.4),
            at("at the money", 0.03, 0.03, 5.0, 0.035, 0.5, -0.25, 0.4),  # z = 0: z/χ(z) is 0/0
            at("next to the money", 0.03, 0.03000000001, 5.0, 0.035, 0.5, -0.25, 0.4),
            at("wings", 0.01, 0.2, 10.0, 0.05, 0.6, 0.5, 0.9),
            at("lognormal", 100.0, 80.0, 1.0, 0.2, 1.0, -0.7, 1.5),
        ),
        source="Hagan, Kumar, Lesniewski, Woodward: Managing Smile Risk, Wilmott Magazine (2002), eqs. (2.17a)-(2.17c)",
        tags=("finance", "removable"),
        wrt=("F", "alpha", "rho", "nu"),
        operators=("gradient",),
    )


sabr = _sabr()

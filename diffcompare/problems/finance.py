"""Prices of options and their sensitivities, the greeks."""

from __future__ import annotations

import math

from ..dsl import function, symbols
from ..dsl.arithmetic import sqrt
from ..dsl.core import Expr
from ..dsl.elementary import erf, exp, log
from ..problem import Point, Problem


def _cdf(d: Expr) -> Expr:
    """The normal distribution function; absolute error one rounding of 1, so its relative error grows for d far below 0."""
    return 0.5 * (1 + erf(d / math.sqrt(2)))


def _density(d: Expr) -> Expr:
    return exp(-0.5 * d * d) / math.sqrt(2 * math.pi)


def _black_scholes() -> Problem:
    """The price of a European call: S spot, K strike, sigma volatility, tau time to expiry in years, r rate."""
    spot, strike, sigma, tau, r = inputs = symbols("S K sigma tau r")
    v = sigma * sqrt(tau)
    d1 = (log(spot / strike) + (r + sigma**2 / 2) * tau) / v
    d2 = d1 - v
    price = spot * _cdf(d1) - strike * exp(-r * tau) * _cdf(d2)
    return Problem(
        function=function(inputs, price, name="black_scholes", gradient=_gradient(*inputs), hessian=_hessian(*inputs)),
        points=(
            Point("start", S=100.0, K=100.0, sigma=0.2, tau=1.0, r=0.05),
            Point("out of the money", S=80.0, K=110.0, sigma=0.25, tau=0.5, r=0.01),
            Point("in the money", S=140.0, K=100.0, sigma=0.15, tau=0.25, r=0.03),
            Point("last day", S=100.5, K=100.0, sigma=0.3, tau=1 / 365, r=0.02),
            Point("negative rate, long", S=50.0, K=75.0, sigma=0.6, tau=30.0, r=-0.005),
        ),
        source="Black, Scholes: The Pricing of Options and Corporate Liabilities, J. Political Economy 81 (1973), eq. (13); "
        "the greeks: Haug, The Complete Guide to Option Pricing Formulas, 2nd ed. (2007), chapter 2",
        tags=("core", "finance"),
    )


def _gradient(spot: Expr, strike: Expr, sigma: Expr, tau: Expr, r: Expr) -> list[Expr]:
    """Delta, dual delta, vega, the derivative by the time left (minus theta), rho."""
    v = sigma * sqrt(tau)
    d1 = (log(spot / strike) + (r + sigma**2 / 2) * tau) / v
    discount = exp(-r * tau)
    paid = _cdf(d1 - v)
    spread = spot * _density(d1)
    return [
        _cdf(d1),
        -discount * paid,
        spread * sqrt(tau),
        spread * sigma / (2 * sqrt(tau)) + r * strike * discount * paid,
        strike * tau * discount * paid,
    ]


def _hessian(spot: Expr, strike: Expr, sigma: Expr, tau: Expr, r: Expr) -> list[list[Expr]]:
    """Second-order greeks, by S φ(d1) = K exp(-r tau) φ(d2) free of cancelling exponentials.

    up1 and up2 are ∂d1/∂tau and ∂d2/∂tau; by homogeneity in (S, K), S C_SS + K C_SK = 0 and S C_SK + K C_KK = 0.
    """
    root = sqrt(tau)
    v = sigma * root
    d1 = (log(spot / strike) + (r + sigma**2 / 2) * tau) / v
    d2 = d1 - v
    density = _density(d1)
    spread = spot * density
    vega = spread * root
    paid = exp(-r * tau) * _cdf(d2)
    up1 = r / v - d2 / (2 * tau)
    up2 = r / v - d1 / (2 * tau)
    gamma = density / (spot * v)
    vanna, volga = -density * d2 / sigma, vega * d1 * d2 / sigma
    charm, veta = density * up1, vega * ((1 + d1 * d2) / (2 * tau) - r * d1 / v)
    strike_sigma = spread * d1 / (strike * sigma)
    strike_tau = r * paid - spread / strike * up2
    strike_rate = tau * paid - vega / (strike * sigma)
    rate_tau = (1 - r * tau) * strike * paid - spread * d1 / 2 + r * vega / sigma
    tau_tau = -(spread * sigma) / (2 * root) * (1 / (2 * tau) + d1 * up1) - r**2 * strike * paid + r * spread * up2
    spot_rate, sigma_rate = density * root / sigma, -spread * d1 * tau / sigma
    rate_rate = tau * (vega / sigma - tau * strike * paid)
    return [
        [gamma, -density / (strike * v), vanna, charm, spot_rate],
        [-density / (strike * v), spread / (strike * strike * v), strike_sigma, strike_tau, strike_rate],
        [vanna, strike_sigma, volga, veta, sigma_rate],
        [charm, strike_tau, veta, tau_tau, rate_tau],
        [spot_rate, strike_rate, sigma_rate, rate_tau, rate_rate],
    ]


black_scholes = _black_scholes()

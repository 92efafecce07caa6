"""The sensitivities that a trading desk watches, as functions of their own: their slopes are the greeks of third order."""

from __future__ import annotations

import math

from ..dsl import function, symbols
from ..dsl.arithmetic import sqrt
from ..dsl.core import Expr
from ..dsl.elementary import exp, log
from ..dsl.special import erfc
from ..dsl.structural import stack
from ..problem import Point, Problem
from .finance import _density


def _cdf(d: Expr) -> Expr:
    """The normal distribution function, in its lower tail too to full relative precision."""
    return 0.5 * erfc(-d / math.sqrt(2))


def _greeks(spot: Expr, strike: Expr, sigma: Expr, tau: Expr, r: Expr) -> dict[str, Expr]:
    """Of a European call: derivatives by the spot and by the volatility up to third order.

    From gamma = φ(d1) / (S v) and vega = S φ(d1) √tau, v = sigma √tau, each next one by φ'(d) = -d φ(d), dd1/dS = 1/(S v),
    dd1/dsigma = -d2/sigma and dd2/dsigma = -d1/sigma.
    """
    v = sigma * sqrt(tau)
    d1 = (log(spot / strike) + (r + sigma**2 / 2) * tau) / v
    d2 = d1 - v
    density = _density(d1)
    gamma, vega = density / (spot * v), spot * density * sqrt(tau)
    product = d1 * d2
    return {
        "price": spot * _cdf(d1) - strike * exp(-r * tau) * _cdf(d2),
        "delta": _cdf(d1),
        "vega": vega,
        "gamma": gamma,
        "vanna": -density * d2 / sigma,
        "volga": vega * product / sigma,
        "speed": -gamma / spot * (d1 / v + 1),
        "zomma": gamma * (product - 1) / sigma,
        "vanna by sigma": density / sigma**2 * (d1 + d2 - product * d2),
        "ultima": vega / sigma**2 * (product * (product - 1) - d1**2 - d2**2),
    }


def _option_greeks() -> Problem:
    """Price, delta, vega, gamma, vanna and volga of a European call, by the spot S and the volatility sigma."""
    inputs = symbols("S K sigma tau r")
    g = _greeks(*inputs)
    asked = ("price", "delta", "vega", "gamma", "vanna", "volga")
    by_spot = ("delta", "gamma", "vanna", "speed", "zomma", "vanna by sigma")
    by_sigma = ("vega", "vanna", "volga", "zomma", "vanna by sigma", "ultima")

    def at(label: str, *values: float) -> Point:
        return Point(label, dict(zip(("S", "K", "sigma", "tau", "r"), values, strict=True)))

    return Problem(
        function=function(
            inputs,
            stack([g[n] for n in asked]),
            name="option_greeks",
            jacobian={"S": stack([g[n] for n in by_spot]), "sigma": stack([g[n] for n in by_sigma])},
        ),
        points=(
            at("start", 100.0, 95.0, 0.2, 0.75, 0.03),
            at("at the money", 100.0, 100.0, 0.2, 1.0, 0.0),
            at("last hour", 100.1, 100.0, 0.3, 1 / 8760, 0.02),
            at("far out of the money", 60.0, 100.0, 0.15, 0.5, 0.01),
        ),
        source="Haug: The Complete Guide to Option Pricing Formulas, 2nd ed. (2007), sections 2.1 to 2.4: delta, gamma, vega, "
        "DdeltaDvol, DvegaDvol, speed, zomma, DvannaDvol, ultima",
        tags=("finance", "jacobian"),
        wrt=("S", "sigma"),
    )


option_greeks = _option_greeks()

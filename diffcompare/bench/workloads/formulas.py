"""Twenty formulas of physics and finance that practitioners know, each over its usual range."""

from __future__ import annotations

from ...differentiators.base import Operator
from ...dsl.function import as_function
from ..workload import Bar, Group, Kind, Workload
from .batches import spread

POINTS = 100_000
HEAVY, HEAVY_STRETCH, LIGHT = 0.60, 0.45, 1.1
"""Of heyoka's time: where it takes over three times a copy, and elsewhere."""

LIST: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {
    "bachelier": (
        "(F - K)*(1 + erf((F - K)/(s*sqrt(2*T))))/2 + s*sqrt(T)*exp(-((F - K)**2)/(2*s**2*T))/sqrt(2*pi)",
        {"F": (90, 110), "K": (90, 110), "s": (5, 20), "T": (0.1, 2)},
    ),
    "put": (
        "K*exp(-r*T)*(1 + erf(-(log(S/K) + (r - v**2/2)*T)/(v*sqrt(2*T))))/2 - S*(1 + erf(-(log(S/K) + (r + v**2/2)*T)/(v*sqrt(2*T))))/2",
        {"S": (80, 120), "K": (80, 120), "r": (0, 0.08), "T": (0.1, 2), "v": (0.1, 0.5)},
    ),
    "vasicek_bond": (
        "exp(-(1 - exp(-a*T))/a*r + (b - s**2/(2*a**2))*((1 - exp(-a*T))/a - T) - s**2/(4*a)*((1 - exp(-a*T))/a)**2)",
        {"r": (0, 0.1), "a": (0.1, 1), "b": (0.01, 0.08), "s": (0.005, 0.03), "T": (0.5, 10)},
    ),
    "sabr_at_the_money": (
        "a/F**(1 - b)*(1 + ((1 - b)**2/24*a**2/F**(2 - 2*b) + r*b*n*a/(4*F**(1 - b)) + (2 - 3*r**2)/24*n**2)*T)",
        {"a": (0.05, 0.4), "F": (0.01, 0.1), "b": (0.3, 0.9), "r": (-0.7, 0.5), "n": (0.1, 0.8), "T": (0.1, 5)},
    ),
    "annuity": ("C*(1 - (1 + r)**(-n))/r", {"C": (10, 1000), "r": (0.01, 0.1), "n": (5, 30)}),
    "planck": ("2*h*v**3/c**2/expm1(h*v/(k*T))", {"h": (0.5, 2), "v": (0.1, 5), "c": (0.5, 2), "k": (0.5, 2), "T": (0.5, 3)}),
    "van_der_waals": (
        "n*R*T/(V - n*b) - a*n**2/V**2",
        {"n": (0.5, 2), "R": (8, 8.6), "T": (250, 500), "V": (1, 9), "b": (0.02, 0.1), "a": (0.1, 4)},
    ),
    "redlich_kwong": ("R*T/(V - b) - a/(sqrt(T)*V*(V + b))", {"R": (8, 8.6), "T": (250, 500), "V": (1, 9), "b": (0.02, 0.1), "a": (1, 50)}),
    "maxwell_boltzmann": (
        "4*pi*v**2*(m/(2*pi*k*T))**1.5*exp(-m*v**2/(2*k*T))",
        {"v": (0.1, 3), "m": (0.5, 3), "k": (0.5, 2), "T": (0.5, 3)},
    ),
    "relativistic_energy": ("m*c**2*(1/sqrt(1 - v**2/c**2) - 1)", {"m": (0.5, 3), "c": (2, 4), "v": (0.1, 1.5)}),
    "lennard_jones": ("4*e*((s/r)**12 - (s/r)**6)", {"e": (0.5, 2), "s": (0.8, 1.2), "r": (0.9, 3)}),
    "morse": ("D*(1 - exp(-a*(r - q)))**2", {"D": (1, 5), "a": (0.5, 2), "r": (0.5, 4), "q": (0.8, 1.5)}),
    "yukawa": ("g**2*exp(-m*r)/(4*pi*r)", {"g": (0.5, 3), "m": (0.1, 2), "r": (0.2, 5)}),
    "damped_oscillation": ("A*exp(-g*t)*cos(w*t + p)", {"A": (0.5, 2), "g": (0.05, 1), "t": (0, 10), "w": (0.5, 5), "p": (-3, 3)}),
    "double_slit": (
        "I*cos(d*sin(t)*k/2)**2*(sin(a*sin(t)*k/2)/(a*sin(t)*k/2))**2",
        {"I": (0.5, 2), "d": (2, 5), "t": (0.1, 1), "k": (1, 9), "a": (0.5, 1.5)},
    ),
    "fermi_dirac": ("1/(exp((E - m)/(k*T)) + 1)", {"E": (0, 3), "m": (0.5, 2), "k": (0.5, 2), "T": (0.2, 2)}),
    "nernst": (
        "E - R*T/(n*F)*log(p/q)",
        {"E": (0.1, 2), "R": (8, 8.6), "T": (270, 370), "n": (1, 3), "F": (9e4, 1e5), "p": (0.01, 2), "q": (0.01, 2)},
    ),
    "arrhenius": ("A*exp(-E/(R*T))", {"A": (1, 1e3), "E": (1e3, 5e3), "R": (8, 8.6), "T": (250, 500)}),
    "double_pendulum": (
        "(m + M)*l**2*a**2/2 + M*L**2*b**2/2 + M*l*L*a*b*cos(p - q) + (m + M)*9.81*l*cos(p) + M*9.81*L*cos(q)",
        {"m": (0.5, 2), "M": (0.5, 2), "l": (0.5, 2), "L": (0.5, 2), "a": (-2, 2), "b": (-2, 2), "p": (-3, 3), "q": (-3, 3)},
    ),
    "langmuir_freundlich": ("Q*(K*p)**n/(1 + (K*p)**n)", {"Q": (0.5, 5), "K": (0.1, 2), "p": (0.1, 10), "n": (0.5, 2)}),
}


def _formulas() -> list[Workload]:
    return [_workload(name, text, ranges) for name, (text, ranges) in LIST.items()]


def _workload(name: str, text: str, ranges: dict[str, tuple[float, float]]) -> Workload:
    f = as_function(text)
    values = spread({n: ranges[n] for n in f.names}, POINTS)
    contenders = ("diffcompare llvm", "heyoka", "heyoka, aligned", "C fast-math", "copy")
    return Workload(name, f"gradient of {text}, 10^5 points", f, Operator.GRADIENT, Kind.POINTS, values, contenders)


FORMULAS = Group(
    "formulas",
    "20 formulas of physics and finance, one core",
    _formulas,
    mean=True,
    bars=(
        Bar("diffcompare llvm", "heyoka", HEAVY, HEAVY_STRETCH, note="over 3 copies"),
        Bar("diffcompare llvm", "heyoka", LIGHT, note="up to 3 copies"),
    ),
)

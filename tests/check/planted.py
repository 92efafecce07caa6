"""User code with hand-written derivatives: functions as people write them, right claims, and claims with a planted mistake.

The gradient g of each function is its right one; a mistake is a change to what g returns, or another formula.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """A claim about f at a point. mistake: "" for a right one; fits: what the diagnosis says of it, as far as it should know."""

    name: str
    f: Callable[..., Any]
    claim: Callable[..., Any]
    at: Any
    traceable: bool
    mistake: str = ""
    fits: str = ""
    operator: str = "gradient"

    @property
    def n(self) -> int:
        return sum(int(np.size(a)) for a in (self.at if isinstance(self.at, tuple) else (self.at,)))


def numbers(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


# --- functions that can be traced ---


def cubic(x: float) -> float:
    return x**3 - 2 * x + 1


def cubic_g(x: float) -> float:
    return 3 * x**2 - 2


def seed(x: float, y: float) -> float:
    return x**2 * y + y + 2


def seed_g(x: float, y: float) -> tuple[float, float]:
    return 2 * x * y, x**2 + 1


def rosenbrock(x: Array) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_g(x: Array) -> Array:
    g = np.zeros_like(x)
    slack = x[1:] - x[:-1] ** 2
    g[1:] += 200 * slack
    g[:-1] += -400 * x[:-1] * slack - 2 * (1 - x[:-1])
    return g


def rosenbrock_h(x: Array) -> Array:
    n = len(x)
    h = np.zeros((n, n))
    i = np.arange(n - 1)
    h[i, i] = -400 * (x[1:] - x[:-1] ** 2) + 800 * x[:-1] ** 2 + 2
    h[i + 1, i + 1] += 200
    h[i, i + 1] = h[i + 1, i] = -400 * x[:-1]
    return h


FEATURES, LABELS = numbers(1, 50, 20), np.sign(numbers(2, 50))


def logistic(w: Array) -> Any:
    """Mean logistic loss with a regulariser."""
    return np.mean(np.log1p(np.exp(-LABELS * (FEATURES @ w)))) + 0.05 * np.sum(w**2)


def logistic_g(w: Array) -> Array:
    p = 1 / (1 + np.exp(LABELS * (FEATURES @ w)))
    return -FEATURES.T @ (LABELS * p) / 50 + 0.1 * w


A, B = numbers(3, 40, 30), numbers(4, 40)


def squares(x: Array) -> Any:
    r = A @ x - B
    return 0.5 * (r @ r)


def squares_g(x: Array) -> Array:
    return A.T @ (A @ x - B)


LEFT, RIGHT = numbers(5, 6), numbers(6, 6)


def bilinear(W: Array) -> Any:
    return LEFT @ np.tanh(W) @ RIGHT


def bilinear_g(W: Array) -> Array:
    return np.outer(LEFT, RIGHT) / np.cosh(W) ** 2


def entropy(z: Array) -> Any:
    """Cross-entropy of label 3 from logits."""
    m = np.max(z)
    return m + np.log(np.sum(np.exp(z - m))) - z[3]


def entropy_g(z: Array) -> Array:
    p = np.exp(z - np.max(z))
    p /= np.sum(p)
    p[3] -= 1
    return p


def waves(x: Array) -> Any:
    return np.sum(np.sin(x) * np.exp(-0.5 * x**2))


def waves_g(x: Array) -> Array:
    return (np.cos(x) - x * np.sin(x)) * np.exp(-0.5 * x**2)


def polar(r: float, t: float) -> Any:
    return np.stack([r * np.cos(t), r * np.sin(t)])


def polar_j(r: float, t: float) -> tuple[Array, Array]:
    return np.array([np.cos(t), np.sin(t)]), np.array([-r * np.sin(t), r * np.cos(t)])


def layer(x: Array) -> Any:
    return np.tanh(A[:5, :5] @ x + B[:5])


def layer_j(x: Array) -> Array:
    return A[:5, :5] / np.cosh(A[:5, :5] @ x + B[:5])[:, None] ** 2


def energy(x: float, y: float) -> float:
    return np.exp(x) * np.sin(y) + x * y**2


def energy_h(x: float, y: float) -> Any:
    e, s, c = np.exp(x), np.sin(y), np.cos(y)
    return [[e * s, e * c + 2 * y], [e * c + 2 * y, -e * s + 2 * x]]


def pseudo_huber(x: Array) -> Any:
    return np.sum(np.sqrt(1 + x**2))


def pseudo_huber_g(x: Array) -> Array:
    return x / np.sqrt(1 + x**2)


# --- functions that can only be called ---


def kepler(m: float, e: float) -> float:
    """The eccentric anomaly, by Newton's method until it stands still."""
    x = m
    for _ in range(50):
        step = (x - e * np.sin(x) - m) / (1 - e * np.cos(x))
        x -= step
        if abs(step) < 1e-15:
            break
    return x


def kepler_g(m: float, e: float) -> tuple[float, float]:
    x = kepler(m, e)
    return 1 / (1 - e * np.cos(x)), np.sin(x) / (1 - e * np.cos(x))


SYSTEM = np.eye(8) * 8 + (numbers(7, 8, 8) + numbers(7, 8, 8).T) / 2
LOAD = numbers(8, 8)


def compliance(x: Array) -> Any:
    return LOAD @ np.linalg.solve(SYSTEM + np.diag(x), LOAD)


def compliance_g(x: Array) -> Array:
    return -(np.linalg.solve(SYSTEM + np.diag(x), LOAD) ** 2)


def volume(s: Array) -> Any:
    return np.linalg.slogdet(s)[1]


def volume_g(s: Array) -> Array:
    return np.linalg.inv(s).T


def bessel(x: float) -> Any:
    return scipy.special.j0(np.asarray(x).item())


def bessel_g(x: float) -> Any:
    return -scipy.special.j1(x)


WEIGHTS = np.linspace(0.5, 1.5, 12)


def ordered(x: Array) -> Any:
    return np.sum(WEIGHTS * np.sort(x) ** 2)


def ordered_g(x: Array) -> Array:
    g = np.empty_like(x)
    order = np.argsort(x)
    g[order] = 2 * WEIGHTS * x[order]
    return g


def filled(x: Array) -> Any:
    """waves, written into an array: no expression can be."""
    y = np.empty(len(x))
    y[:] = np.sin(x)
    y *= np.exp(-0.5 * x**2)
    return y.sum()


def pendulum(angle: float, length: float) -> float:
    """The angle after a second, by 200 steps of symplectic Euler, until it turns."""
    velocity, h = 0.0, 0.005
    for _ in range(200):
        velocity -= h * 9.81 / length * float(np.sin(angle))
        angle += h * velocity
        if angle < -4:
            break
    return angle


def pendulum_g(angle: float, length: float) -> tuple[float, float]:
    velocity, h = 0.0, 0.005
    va, vl, aa, al = 0.0, 0.0, 1.0, 0.0
    for _ in range(200):
        k = h * 9.81 / length
        va, vl = va - k * np.cos(angle) * aa, vl - k * np.cos(angle) * al + k / length * np.sin(angle)
        velocity -= k * np.sin(angle)
        aa, al = aa + h * va, al + h * vl
        angle += h * velocity
    return aa, al


def mapped(x: Array) -> Any:
    return np.array([x[0] * x[1], np.sin(x[2]), x[0] / x[2]])


def mapped_j(x: Array) -> Array:
    return np.array([[x[1], x[0], 0], [0, 0, np.cos(x[2])], [1 / x[2], 0, -x[0] / x[2] ** 2]])


def hidden_energy(x: float, y: float) -> float:
    return float(np.exp(x)) * float(np.sin(y)) + x * y**2


# --- mistakes ---


def at_entry(g: Callable[[Array], Array], k: int, change: Callable[[Any], Any]) -> Callable[[Array], Array]:
    """g with one entry changed."""

    def wrong(x: Array) -> Array:
        result = np.array(g(x))
        result.flat[k] = change(result.flat[k])
        return result

    return wrong


def times(g: Callable[..., Any], factor: float) -> Callable[..., Any]:
    def wrong(*args: Any) -> Any:
        result = g(*args)
        return tuple(factor * r for r in result) if isinstance(result, tuple) else factor * result

    return wrong


def off_by(relative: float) -> Callable[[float], float]:
    return lambda value: value * (1 + relative)


POINT = numbers(20, 10)
LONG, LONGEST = numbers(21, 1000), numbers(22, 100_000)
SYMMETRIC = SYSTEM[:5, :5] + np.triu(numbers(9, 5, 5), 1)


def planted() -> list[Case]:
    """Wrong claims, from n = 1 to 100,000."""
    T, O = True, False  # noqa: E741 - traceable, opaque: a column of the table
    w, m, z = numbers(23, 20), numbers(24, 6, 6), numbers(25, 7)
    return [
        Case("cubic", cubic, lambda x: 3 * x**2, 0.7, T, "term missing", "one term is missing"),
        Case("cubic", cubic, times(cubic_g, 1 + 1e-10), 0.7, T, "1e-10 perturbation", "relative error 1.0e-10"),
        Case("cubic", cubic, times(cubic_g, 1 + 1e-13), 0.7, T, "1e-13 perturbation", "relative error 1.0e-13"),
        Case("seed", seed, lambda x, y: (2 * x * y, x**2), (3.0, 4.0), T, "term missing", "one term is missing: that of y"),
        Case("seed", seed, lambda x, y: seed_g(x, y)[::-1], (3.0, 4.0), T, "exchanged", "x and y exchanged"),
        Case("rosenbrock", rosenbrock, at_entry(rosenbrock_g, 3, lambda v: 0.5 * v), POINT, T, "wrong entry", "factor 1/2"),
        Case("rosenbrock", rosenbrock, at_entry(rosenbrock_g, 4, lambda v: -v), POINT, T, "sign of an entry", "sign"),
        Case("rosenbrock", rosenbrock, lambda x: np.roll(rosenbrock_g(x), 1), POINT, T, "shifted index", "shifted by 1"),
        Case("rosenbrock", rosenbrock, at_entry(rosenbrock_g, 500, off_by(1e-10)), LONG, T, "1e-10 perturbation", "relative error 1.0e-10"),
        Case("logistic", logistic, times(logistic_g, 50), w, T, "sum for mean", "factor 50"),
        Case("logistic", logistic, lambda v: logistic_g(v) - 0.1 * v, w, T, "regulariser missing", "one term is missing"),
        Case("logistic", logistic, lambda v: logistic_g(v).astype(np.float32), w, T, "float32", "float32"),
        Case("logistic", logistic, lambda v: logistic_g(v.astype(np.float32)).astype(float), w, T, "float32 inside", "float32"),
        Case("squares", squares, times(squares_g, 2), POINT[:3].repeat(10), T, "factor 2", "factor 2"),
        Case("squares", squares, lambda x: A.T @ (A @ x + B), numbers(26, 30), T, "sign of a term"),
        Case("bilinear", bilinear, lambda W: bilinear_g(W).T, m, T, "transposed", "transposed"),
        Case("bilinear", bilinear, lambda W: np.outer(RIGHT, LEFT) / np.cosh(W) ** 2, m, T, "vectors exchanged"),
        Case("entropy", entropy, at_entry(entropy_g, 3, lambda v: v + 1), z, T, "label's term missing", "one term is missing"),
        Case("waves", waves, at_entry(waves_g, 7_777, lambda v: -v), LONGEST[:10_000], T, "sign of an entry", "sign"),
        Case("pseudo-Huber", pseudo_huber, lambda x: x / (1 + x**2), LONGEST, T, "root forgotten"),
        Case(
            "pseudo-Huber", pseudo_huber, at_entry(pseudo_huber_g, 33_333, off_by(1e-10)), LONGEST, T, "1e-10 perturbation", "error 1.0e-10"
        ),
        Case("layer", layer, lambda x: layer_j(x).T, POINT[:5], T, "transposed", "transposed", "jacobian"),
        Case("energy", energy, lambda x, y: times_all(energy_h(x, y), 0.5), (0.3, 1.2), T, "factor 1/2", "factor 1/2", "hessian"),
        Case("kepler", kepler, times(kepler_g, -1), (1.1, 0.3), O, "sign", "sign"),
        Case("kepler", kepler, lambda m, e: (kepler_g(m, e)[0] * (1 + 1e-10), kepler_g(m, e)[1]), (1.1, 0.3), O, "1e-10 perturbation"),
        Case("compliance", compliance, times(compliance_g, 2), numbers(27, 8), O, "factor 2", "factor 2"),
        Case("volume", volume, lambda s: np.linalg.inv(s), SYMMETRIC, O, "transposed", "transposed"),
        Case("bessel", bessel, lambda x: np.float32(bessel_g(x)), 2.3, O, "float32", "float32"),
        Case("bessel", bessel, times(bessel_g, 1 + 1e-10), 2.3, O, "1e-10 perturbation", "relative error 1.0e-10"),
        Case("ordered", ordered, lambda x: 2 * WEIGHTS * x, numbers(28, 12), O, "order ignored"),
        Case("filled", filled, at_entry(waves_g, 123, lambda v: 0.0), numbers(29, 300), O, "entry left zero", "left at zero"),
        Case("filled", filled, at_entry(waves_g, 500, off_by(1e-10)), LONG, O, "1e-10 perturbation"),
        Case("filled", filled, lambda x: np.cos(x) * np.exp(-0.5 * x**2), LONGEST, O, "term missing"),
        Case("filled", filled, at_entry(waves_g, 5, off_by(1e-10)), LONGEST, O, "1e-10 perturbation"),
        Case("pendulum", pendulum, lambda a, b: (pendulum_g(a, b)[0], 0.0), (0.4, 1.3), O, "entry left zero", "left at zero"),
        Case("mapped", mapped, at_entry(mapped_j, 8, lambda v: -v), POINT[:3], O, "sign of an entry", "sign", "jacobian"),
        Case("energy", hidden_energy, lambda x, y: times_all(energy_h(x, y), 2), (0.3, 1.2), O, "factor 2", "factor 2", "hessian"),
    ]


def times_all(rows: Any, factor: float) -> Any:
    return [[factor * v for v in row] for row in rows]


def right() -> list[Case]:
    """Right claims, at easy points and at points where a careless tolerance accuses."""
    T, O = True, False  # noqa: E741 - traceable, opaque
    return [
        Case("cubic", cubic, cubic_g, 0.7, T),
        Case("cubic, large", cubic, cubic_g, 1e100, T),
        Case("cubic near a stationary point", cubic, cubic_g, 0.8165, T),
        Case("sin at 1e8", np.sin, np.cos, 1e8, T),
        Case("log at 1e-5", np.log, lambda x: 1 / x, 1e-5, T),
        Case("1/x at 1e-6", lambda x: 1 / x, lambda x: -1 / x**2, 1e-6, T),
        Case("exp at -700", np.exp, np.exp, -700.0, T),
        Case("tanh at 10 by 1 - tanh²", np.tanh, lambda x: 1 - np.tanh(x) ** 2, 10.0, T),
        Case("sin 100 x", lambda x: np.sin(100 * x), lambda x: 100 * np.cos(100 * x), 1.3, T),
        Case("seed", seed, seed_g, (3.0, 4.0), T),
        Case("rosenbrock", rosenbrock, rosenbrock_g, POINT, T),
        Case("rosenbrock, 200", rosenbrock, rosenbrock_g, numbers(30, 200), T),
        Case("rosenbrock, 1000", rosenbrock, rosenbrock_g, LONG, T),
        Case("logistic", logistic, logistic_g, numbers(23, 20), T),
        Case("logistic, large weights", logistic, logistic_g, 30 * numbers(23, 20), T),
        Case("squares", squares, squares_g, numbers(26, 30), T),
        Case("bilinear", bilinear, bilinear_g, numbers(24, 6, 6), T),
        Case("entropy", entropy, entropy_g, numbers(25, 7), T),
        Case("waves, 1000", waves, waves_g, LONG, T),
        Case("pseudo-Huber, 100,000", pseudo_huber, pseudo_huber_g, LONGEST, T),
        Case("polar", polar, polar_j, (2.0, 0.7), T, operator="jacobian"),
        Case("layer", layer, layer_j, POINT[:5], T, operator="jacobian"),
        Case("energy", energy, energy_h, (0.3, 1.2), T, operator="hessian"),
        Case("rosenbrock, hessian", rosenbrock, rosenbrock_h, POINT, T, operator="hessian"),
        Case("kepler", kepler, kepler_g, (1.1, 0.3), O),
        Case("volume", volume, volume_g, SYMMETRIC, O),
        Case("bessel", bessel, bessel_g, 2.3, O),
        Case("ordered", ordered, ordered_g, numbers(28, 12), O),
        Case("filled", filled, waves_g, numbers(29, 30), O),
        Case("pendulum", pendulum, pendulum_g, (0.4, 1.3), O),
        Case("mapped", mapped, mapped_j, POINT[:3], O, operator="jacobian"),
        Case("energy", hidden_energy, energy_h, (0.3, 1.2), O, operator="hessian"),
    ]


def out_of_reach() -> list[Case]:
    """Right claims with entries that differences, or certified products, do not see to 1e-10: undecided, and not accused."""
    return [
        Case("compliance", compliance, compliance_g, numbers(27, 8), False),
        Case("filled, 300", filled, waves_g, numbers(29, 300), False),
        Case("filled, 100,000", filled, waves_g, LONGEST, False),
        Case("bessel at 1000, itself wrong in the 13th digit", bessel, bessel_g, 1000.0, False),
        Case("waves, 100,000", waves, waves_g, LONGEST, True),
    ]

"""Three pieces of ordinary NumPy code, traced as they stand: a network's loss, a fit's residuals, an orbit's potential.

Each has its gradient written out by hand, in NumPy too. The hand gradient, the derivatives of the traced function and the
certified reference agree, and dc.compare finds every method within its bound.
"""

from __future__ import annotations

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.reference import certify

RNG = np.random.default_rng(20240607)
METHODS = ("ad.forward", "ad.reverse", "symbolic")
ROUNDINGS = 256 * 2.0**-52
"""Relative to the largest entry: each function has some hundred operations."""

# --- a small neural network: tanh, softmax, cross entropy, weight decay ---

SAMPLES = RNG.normal(size=(6, 3))
LABELS = np.array([0, 1, 1, 0, 1, 0])
DECAY = 0.01


def network(w1, b1, w2, b2):
    """The mean cross entropy of a network with one hidden layer on the samples, plus weight decay."""
    hidden = np.tanh(SAMPLES @ w1 + b1)
    scores = hidden @ w2 + b2
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_partition = np.log(np.sum(np.exp(shifted), axis=1))
    chosen = shifted[np.arange(len(LABELS)), LABELS]
    loss = np.mean(log_partition - chosen)
    penalty = sum(np.sum(w**2) for w in (w1, w2))
    return loss + 0.5 * DECAY * penalty


def network_gradient(w1, b1, w2, b2):
    """By back propagation, as it is written out in every course."""
    hidden = np.tanh(SAMPLES @ w1 + b1)
    scores = hidden @ w2 + b2
    weights = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    probabilities = weights / np.sum(weights, axis=1, keepdims=True)
    d_scores = (probabilities - np.eye(2)[LABELS]) / len(LABELS)
    d_hidden = (d_scores @ w2.T) * (1 - hidden**2)
    return (
        SAMPLES.T @ d_hidden + DECAY * w1,
        np.sum(d_hidden, axis=0),
        hidden.T @ d_scores + DECAY * w2,
        np.sum(d_scores, axis=0),
    )


# --- the residuals of a fit: two Gaussian peaks on a decaying background ---

TIMES = np.linspace(1.0, 250.0, 40)
COUNTS = 98.0 * np.exp(-0.0105 * TIMES) + 100.0 * np.exp(-(((TIMES - 67.0) / 23.0) ** 2)) + 72.0 * np.exp(-(((TIMES - 179.0) / 18.0) ** 2))
COUNTS += RNG.normal(scale=2.5, size=TIMES.shape)
ERRORS = np.sqrt(np.maximum(COUNTS, 1.0))


def residuals(background, peaks):
    """What a background (amplitude, rate) and peaks with rows (height, centre, width) leave of the counts, in standard errors."""
    amplitude, rate = background
    model = amplitude * np.exp(-rate * TIMES)
    for height, centre, width in peaks:
        z = (TIMES - centre) / width
        model = model + height * np.exp(-(z**2))
    weighted = (COUNTS - model) / ERRORS
    # what is known before: widths near 20 within a factor of two
    prior = np.log(np.abs(peaks[:, 2]) / 20.0) / np.log(2.0)
    return np.concatenate([weighted, prior])


def residuals_jacobian(background, peaks):
    amplitude, rate = background
    decay = np.exp(-rate * TIMES)
    by_background = np.stack([-decay / ERRORS, amplitude * TIMES * decay / ERRORS], axis=1)
    columns = []
    for height, centre, width in peaks:
        z = (TIMES - centre) / width
        bell = np.exp(-(z**2))
        columns.append(np.stack([-bell, -height * bell * 2 * z / width, -height * bell * 2 * z**2 / width], axis=1) / ERRORS[:, None])
    by_peaks = np.stack(columns, axis=1)
    by_width = np.eye(2)[:, :, None] * np.array([0.0, 0.0, 1.0]) / (peaks[:, 2] * np.log(2.0))[:, None, None]
    return np.concatenate([by_background, np.zeros((2, 2))]), np.concatenate([by_peaks, by_width])


# --- an orbit: the potential of the oblate Earth and of the Moon ---

MU, MU_MOON, RADIUS = 398600.4418, 4902.800066, 6378.1363  # km³/s², km³/s², km
ZONAL = {2: 1.08262668e-3, 3: -2.53265649e-6, 4: -1.61962159e-6}  # J2, J3, J4 of the Earth: Vallado, Fundamentals of Astrodynamics
MOON = np.array([-309123.4, 201884.2, 105511.9])  # km


def legendre(n, s):
    """P_n(s) by Bonnet's recursion."""
    if n < 2:
        return s if n else 1.0
    return ((2 * n - 1) * s * legendre(n - 1, s) - (n - 1) * legendre(n - 2, s)) / n


def potential(r):
    """The potential per unit mass at a position, km²/s²: zonal harmonics of the Earth, direct and indirect pull of the Moon."""
    distance = np.linalg.norm(r)
    sine = r[2] / distance
    earth = 1.0
    for n, j in ZONAL.items():
        earth = earth - j * (RADIUS / distance) ** n * legendre(n, sine)
    to_moon = np.linalg.norm(MOON - r)
    moon = 1.0 / to_moon - np.dot(r, MOON) / np.linalg.norm(MOON) ** 3
    return MU / distance * earth + MU_MOON * moon


def acceleration(r):
    """The gradient of the potential, from d P_n / d s = n (s P_n - P_(n-1)) / (s² - 1)."""
    distance = np.linalg.norm(r)
    s = r[2] / distance
    along_r, along_z = -1.0, 0.0  # in units of MU / distance²
    for n, j in ZONAL.items():
        p, slope = legendre(n, s), n * (s * legendre(n, s) - legendre(n - 1, s)) / (s * s - 1.0)
        scale = j * (RADIUS / distance) ** n
        along_r = along_r + scale * ((n + 1) * p + s * slope)
        along_z = along_z - scale * slope
    earth = MU / distance**2 * (along_r * r / distance + along_z * np.array([0.0, 0.0, 1.0]))
    gap = MOON - r
    moon = MU_MOON * (gap / np.linalg.norm(gap) ** 3 - MOON / np.linalg.norm(MOON) ** 3)
    return earth + moon


# --- the tests ---

NETWORK = {"w1": RNG.normal(size=(3, 4)), "b1": RNG.normal(size=4), "w2": RNG.normal(size=(4, 2)), "b2": RNG.normal(size=2)}
FIT = {"background": np.array([95.0, 0.0105]), "peaks": np.array([[101.0, 66.5, 22.0], [70.0, 180.0, 19.0]])}
ORBIT = {"r": np.array([-605.79, -5870.23, 3493.05])}
CASES = {
    "network": (network, network_gradient, NETWORK, "gradient"),
    "residuals": (residuals, residuals_jacobian, FIT, "jacobian"),
    "potential": (potential, acceleration, ORBIT, "gradient"),
}


def traced(name):
    """The function with its hand formula, and the point."""
    code, by_hand, point, operator = CASES[name]
    shapes = {n: np.shape(v) for n, v in point.items()}
    f = dc.trace(code, **shapes)
    return dc.function(f.inputs, f.output, name=name, **{operator: dc.trace(by_hand, **shapes)}), point, operator


def parts(result):
    return [np.asarray(p) for p in (result if isinstance(result, tuple) else [result])]


def agree(one, other):
    return all(a.shape == b.shape and np.max(np.abs(a - b)) <= ROUNDINGS * np.max(np.abs(b)) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_traced_function_is_the_code(name):
    code, by_hand, point, operator = CASES[name]
    f, _, _ = traced(name)
    assert agree(parts(dc.value(f)(**point)), parts(code(**point)))
    assert agree(parts(dc.prepare(f, operator, method="manual")(**point)), parts(by_hand(**point)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_derivatives_match_the_hand_gradient_and_the_reference(name, method):
    f, point, operator = traced(name)
    answer = parts(dc.prepare(f, operator, method=method)(**point))
    assert agree(answer, parts(CASES[name][1](**point)))
    truth = certify(f, operator, point)
    assert truth.ok
    assert agree(answer, truth.values)


@pytest.mark.parametrize("name", CASES)
def test_every_method_is_within_its_bound(name):
    f, point, operator = traced(name)
    methods = ["manual", "ad.forward", "ad.reverse", "symbolic", "fd.central", "fd.complex"]
    table = dc.compare(f, at=point, operator=operator, methods=methods, engines="numpy").table
    assert dict(zip(table["method"], table["status"], strict=True)) == dict.fromkeys(methods, "ok"), table[
        ["method", "status", "message"]
    ].to_string()


def test_a_batch_of_orbits_is_a_loop():
    f, point, _ = traced("potential")
    d = dc.gradient(f)
    positions = point["r"] * np.linspace(1.0, 6.0, 7)[:, None]
    np.testing.assert_allclose(d(positions), [d(r) for r in positions], rtol=1e-15)
    np.testing.assert_allclose(d(positions), [acceleration(r) for r in positions], rtol=1e-12)

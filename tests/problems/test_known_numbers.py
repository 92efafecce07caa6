"""Numbers that physics, chemistry, finance and the literature on rounding know of the problems, and what their docstrings say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import diffcompare as dc
from diffcompare.problem import Point, Problem, find, library
from diffcompare.problems.bundle_adjustment import residual_function
from diffcompare.problems.determinant import determinant_function
from diffcompare.problems.gases import A, B
from diffcompare.problems.radiation import H, K
from diffcompare.reference import certify

LIBRARY = library()


def the(text: str) -> Problem:
    (problem,) = find(text)
    return problem


def certified(problem: Problem, operator: str, at: Point | str) -> list[np.ndarray]:
    point = problem.point(at) if isinstance(at, str) else at
    return [np.asarray(v, dtype=float) for v in certify(problem.function, operator, point, wrt=problem.wrt).values]


# --- physics and chemistry ---


def test_the_brightest_frequency_is_wien_s() -> None:
    peak = 2.8214393721220787 * K * 5772.0 / H  # the root of (3 - x) e^x = 3
    at = Point("Wien", nu=peak, T=5772.0)
    slope, _ = certified(the("planck"), "gradient", at)
    (radiance,) = certified(the("planck"), "value", at)
    assert abs(slope) < 1e-15 * radiance / peak
    assert radiance == pytest.approx(3.6e-8, rel=0.02)


def test_at_the_critical_point_the_pressure_of_a_gas_has_neither_slope_nor_bend() -> None:
    problem = the("van_der_waals")
    (pressure,) = certified(problem, "value", "critical")
    volume = problem.point("critical")["V"]
    assert pressure == pytest.approx(A / (27 * B**2), rel=1e-14)
    assert abs(certified(problem, "gradient", "critical")[1]) < 1e-14 * pressure / volume
    assert abs(certified(problem, "hessian", "critical")[4]) < 1e-13 * pressure / volume**2


def test_seven_steps_of_newton_solve_kepler_s_equation_at_every_point() -> None:
    seven, more = LIBRARY["kepler"](7), LIBRARY["kepler"](12)
    for point in seven.points:
        e, m = point["e"], point["M"]
        for operator in ("value", "gradient", "hessian"):
            assert certified(seven, operator, point) == certified(more, operator, point)
        (anomaly,) = certified(seven, "value", point)
        assert anomaly - e * math.sin(anomaly) == pytest.approx(m, rel=1e-14)


def test_two_atoms_rest_at_energy_minus_one_and_thirteen_at_the_published_minimum() -> None:
    pair = LIBRARY["lennard_jones"](2)
    assert certified(pair, "value", "lattice") == [-1.0]
    assert np.max(np.abs(certified(pair, "gradient", "lattice"))) < 1e-14
    golden = (1 + math.sqrt(5)) / 2
    corners = [(0.0, a, b * golden) for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    icosahedron = np.array([(0.0, 0.0, 0.0), *(np.roll(c, k) for k in range(3) for c in corners)])
    thirteen = LIBRARY["lennard_jones"](13)
    energy = dc.value(thirteen.function)
    best = minimize_scalar(lambda size: energy(size * icosahedron), bounds=(0.5, 0.7), method="bounded", options={"xatol": 1e-12})
    assert best.fun == pytest.approx(-44.326801, abs=5e-7)  # Wales and Doye (1997), table 1
    assert np.max(np.abs(dc.gradient(thirteen.function)(best.x * icosahedron))) < 1e-5


def test_an_enzyme_works_at_half_its_speed_where_the_concentration_is_its_constant() -> None:
    at = Point("half", Vmax=3.0, S=0.25, Km=0.25, I=0.0, Ki=1.0)
    assert certified(the("michaelis_menten"), "value", at) == [1.5]


def test_the_method_of_runge_and_kutta_is_exact_to_fourth_order() -> None:
    for n in range(1, 5):
        problem = LIBRARY["runge_kutta"](n, 3)
        (last,) = certified(problem, "value", "ones")
        assert last == pytest.approx(2.0**n / math.factorial(n), rel=1e-15)


def test_a_rotation_by_half_a_turn_and_by_nothing() -> None:
    f = dc.value(residual_function())
    camera = [500.0, 320.0, 240.0, 0.0, 0.0]  # no distortion
    for rotation, seen in (((0.0, 0.0, 0.0), (1.0, 2.0)), ((0.0, 0.0, math.pi), (-1.0, -2.0)), ((0.0, 0.0, math.pi / 2), (-2.0, 1.0))):
        error = f(np.array([*rotation, 0.0, 0.0, 0.0, *camera]), np.array([1.0, 2.0, 4.0]), 1.0, np.zeros(2))
        np.testing.assert_allclose(error, [320 + 125 * seen[0], 240 + 125 * seen[1], 0.0], atol=1e-12)


# --- finance ---


def test_the_greeks_are_the_second_derivatives_of_the_price() -> None:
    greeks, price = the("option_greeks"), the("black_scholes")
    for point in greeks.points:
        by_spot, by_sigma = certified(greeks, "jacobian", point)
        rows = np.array(certified(price, "hessian", point)).reshape(5, 5)
        np.testing.assert_allclose([by_spot[1], by_spot[2], by_sigma[1], by_sigma[2]], rows[[0, 0, 2, 2], [0, 2, 0, 2]], rtol=1e-14)
        values = certified(greeks, "value", point)[0]
        np.testing.assert_allclose(values[3:], rows[[0, 0, 2], [0, 2, 2]], rtol=1e-14)


def test_the_volatility_at_the_money_is_hagan_s_shorter_formula() -> None:
    problem = the("sabr")
    f, _, tau, alpha, beta, rho, nu = dict(problem.point("at the money")).values()
    power = f ** (1 - beta)
    growth = ((1 - beta) * alpha / power) ** 2 / 24 + rho * beta * nu * alpha / (4 * power) + (2 - 3 * rho**2) / 24 * nu**2
    assert certified(problem, "value", "at the money")[0] == pytest.approx(alpha / power * (1 + growth * tau), rel=1e-14)  # eq. (2.18)


# --- learning ---


def test_a_step_of_newton_puts_each_centroid_into_the_middle_of_its_points() -> None:
    problem = LIBRARY["kmeans"](12, 3, 2)
    point = problem.points[0]
    (gradient,) = certified(problem, "gradient", point)
    (hessian,) = certified(problem, "hessian", point)
    (diagonal,) = [dc.hvp(problem.function, "centroids")(**point, tangent=np.ones((3, 2)))]
    np.testing.assert_array_equal(diagonal, np.einsum("jdjd->jd", hessian))
    nearest = ((point["points"][:, None] - point["centroids"]) ** 2).sum(axis=2).argmin(axis=1)
    middles = [point["points"][nearest == j].mean(axis=0) for j in range(3)]
    np.testing.assert_allclose(point["centroids"] - gradient / diagonal, middles, rtol=1e-12)


def test_the_determinant_of_hilbert_s_matrix() -> None:
    hilbert = 1 / (np.add.outer(np.arange(3), np.arange(3)) + 1.0)
    assert dc.value(determinant_function(3))(hilbert) == pytest.approx(1 / 2160, rel=1e-12)


# --- what makes the nasty ones nasty ---


def computed(problem: Problem, label: str) -> tuple[float, float]:
    """(value, derivative) by the rules, in floats."""
    point = dict(problem.point(label))
    return dc.value(problem.function, engine="python")(**point), dc.derivative(problem.function, engine="python")(**point)


def test_the_quotient_of_an_exponential_is_wrong_in_the_first_digit() -> None:
    value, slope = computed(the("exponential_ratio"), "on the doorstep")
    assert value == 1.1102230246251565
    assert abs(slope - 0.5) > 1.0


def test_the_quotient_of_a_cosine_vanishes_and_the_slope_of_a_sine_s_has_no_digit() -> None:
    versine, sine = the("versine_ratio"), the("sine_ratio")
    assert dc.value(versine.function)(1e-9) == 0.0
    assert certified(versine, "value", Point("near", x=1e-9)) == [0.5]
    assert computed(sine, "half the digits") == (1.0, 0.0)
    assert certified(sine, "derivative", "half the digits") == [1e-8 / 3]


def test_a_root_and_a_variance_are_lost() -> None:
    problem = the("quadratic_root")
    assert dc.value(problem.function)(**problem.point("no digits")) == 0.0
    assert certified(problem, "value", "no digits") == [-1e-9]
    variance = the("textbook_variance")
    point = variance.point("very far")
    assert dc.value(variance.function)(**point) == 0.0
    (true,) = certified(variance, "value", "very far")
    assert true == pytest.approx(np.var(point["x"]), rel=1e-8)
    assert dc.gradient(variance.function)(**point) == pytest.approx((point["x"] - point["x"].mean()) / 2, rel=1e-3)


def test_the_slope_of_bose_and_einstein_s_number_is_zero_in_floats() -> None:
    value, slope = computed(the("bose_einstein"), "cold")
    assert (value, slope) == (pytest.approx(1.9151695967140057e-174, rel=1e-12), 0.0)
    assert certified(the("bose_einstein"), "derivative", "cold") == [-1.9151695967140057e-174]


def test_the_length_of_a_long_side_overflows() -> None:
    problem = the("textbook_hypotenuse")
    assert dc.value(problem.function)(**problem.point("large")) == math.inf
    np.testing.assert_allclose(certified(problem, "gradient", "large"), [0.6, -0.8], rtol=1e-15)


def test_differences_see_no_plateau_and_the_rules_do() -> None:
    problem = the("plateaus")
    (true,) = certified(problem, "derivative", "between")
    assert 0 < true < 1e-14
    _, slope = computed(problem, "between")
    assert slope == pytest.approx(float(true), rel=1e-13)
    assert abs(dc.derivative(problem.function, method="fd.central")(1.5) - true) > 0.5 * true


def test_a_difference_across_a_step_is_wrong_at_any_step() -> None:
    problem = the("staircase")
    label = "below a step"
    assert computed(problem, label)[1] == 1.0
    assert dc.derivative(problem.function, method="fd.central")(problem.point(label)["x"]) > 1e3


def test_a_chain_of_a_thousand_links_has_the_slope_of_its_limit() -> None:
    """x' = sin x: tan(x/2) grows by e in a unit of time, so that dx(1)/dx(0) = sin x(1) / sin x(0)."""
    problem = LIBRARY["deep_chain"](1000)
    end = 2 * math.atan(math.e * math.tan(0.25))
    assert dc.value(problem.function, engine="numpy")(0.5) == pytest.approx(end, abs=1e-3)
    for method in ("manual", "ad.reverse"):
        slope = dc.derivative(problem.function, method=method, engine="numpy")(0.5)
        assert slope == pytest.approx(math.sin(end) / math.sin(0.5), abs=1e-3)

"""Small functions on which differentiation is taught, each with derivatives that fit on a blackboard."""

from __future__ import annotations

from ..dsl import function, symbols
from ..dsl.elementary import cos, log, sin
from ..dsl.structural import stack
from ..problem import Point, Problem

SURVEY = "Baydin, Pearlmutter, Radul, Siskind: Automatic Differentiation in Machine Learning: a Survey, JMLR 18(153), 2018"


def _seed_polynomial() -> Problem:
    x, y = symbols("x y")
    return Problem(
        function=function(
            [x, y],
            x**2 * y + y + 2,
            name="seed_polynomial",
            gradient=[2 * x * y, x**2 + 1],
            hessian=[[2 * y, 2 * x], [2 * x, 0.0]],
        ),
        points=(
            Point("start", x=3.0, y=4.0),  # f = 42, gradient (24, 10)
            Point("origin", x=0.0, y=0.0),
            Point("thirds", x=-1 / 3, y=2 / 3),
            Point("far", x=1e8, y=-1e-8),
        ),
        source="Géron: Hands-On Machine Learning with Scikit-Learn and TensorFlow, O'Reilly 2017, appendix D, f(x, y) = x²y + y + 2",
        tags=("core", "teaching", "polynomial"),
    )


def _three_variables() -> Problem:
    x, y, z = symbols("x y z")
    return Problem(
        function=function(
            [x, y, z],
            x**2 + 3 * x * y + y**2 + z**3,
            name="three_variables",
            gradient=[2 * x + 3 * y, 3 * x + 2 * y, 3 * z**2],
            hessian=[[2.0, 3.0, 0.0], [3.0, 2.0, 0.0], [0.0, 0.0, 6 * z]],
        ),
        points=(
            Point("start", x=1.0, y=2.0, z=3.0),  # gradient (8, 7, 27)
            Point("origin", x=0.0, y=0.0, z=0.0),
            Point("cancelling", x=3.0, y=-2.0000001, z=-0.1),  # 2x + 3y is nearly 0
        ),
        source="a textbook exercise: the gradient of x² + 3xy + y² + z³ at A(1, 2, 3), by differentiating term by term",
        tags=("core", "teaching", "polynomial"),
    )


def _two_layer_chain() -> Problem:
    """Two affine steps; the first result is the named intermediate y1, and df/dw1 = df/dy1 · dy1/dw1."""
    x, w1, b1, w2, b2 = symbols("x w1 b1 w2 b2")
    y1 = (x * w1 + b1).named("y1")
    zero, one = 0.0, 1.0
    return Problem(
        function=function(
            [x, w1, b1, w2, b2],
            y1 * w2 + b2,
            name="two_layer_chain",
            gradient=[w1 * w2, x * w2, w2, x * w1 + b1, one],
            hessian=[
                [zero, w2, zero, w1, zero],
                [w2, zero, zero, x, zero],
                [zero, zero, zero, one, zero],
                [w1, x, one, zero, zero],
                [zero, zero, zero, zero, zero],
            ],
        ),
        points=(
            Point("start", x=1.0, w1=2.0, b1=1.0, w2=2.0, b2=1.0),
            Point("tenths", x=0.1, w1=-0.7, b1=0.3, w2=1.1, b2=-0.9),
            Point("cancelling", x=0.3, w1=1 / 3, b1=-0.1, w2=-5.0, b2=0.5),  # x w1 + b1 is nearly 0
        ),
        source="Rumelhart, Hinton, Williams: Learning representations by back-propagating errors, Nature 323 (1986), eqs. (1), (6), (7), "
        "for two layers of one linear unit: y1 = x w1 + b1, y2 = y1 w2 + b2",
        tags=("core", "teaching", "network"),
        wrt=("w1", "b1", "w2", "b2"),
    )


def _survey_two_variables() -> Problem:
    x1, x2 = symbols("x1 x2")
    return Problem(
        function=function(
            [x1, x2],
            log(x1) + x1 * x2 - sin(x2),
            name="survey_two_variables",
            gradient=[1 / x1 + x2, x1 - cos(x2)],
            hessian=[[-1 / (x1 * x1), 1.0], [1.0, sin(x2)]],
        ),
        points=(
            Point("start", x1=2.0, x2=5.0),  # f = 11.652, gradient (5.5, 1.716)
            Point("near the pole", x1=1e-12, x2=-3.0),
            Point("cancelling", x1=0.25, x2=-4.0000001),  # 1/x1 + x2 is nearly 0
            Point("large angle", x1=30.0, x2=1e6),
        ),
        source=f"{SURVEY}, tables 2 and 3: y = ln x1 + x1 x2 - sin x2 at (2, 5)",
        tags=("core", "teaching", "survey"),
    )


def _polar_to_cartesian() -> Problem:
    r, theta = symbols("r theta")
    return Problem(
        function=function(
            [r, theta],
            stack([r * cos(theta), r * sin(theta)]),
            name="polar_to_cartesian",
            jacobian=[stack([cos(theta), sin(theta)]), stack([-r * sin(theta), r * cos(theta)])],
        ),
        points=(
            Point("start", r=2.0, theta=0.5),
            Point("origin", r=0.0, theta=1.0),
            Point("near a right angle", r=1e3, theta=1.5707963),
        ),
        source="NIST Digital Library of Mathematical Functions, section 1.5(ii), polar coordinates: x = r cos θ, y = r sin θ",
        tags=("core", "teaching", "coordinates"),
    )


seed_polynomial = _seed_polynomial()
three_variables = _three_variables()
two_layer_chain = _two_layer_chain()
survey_two_variables = _survey_two_variables()
polar_to_cartesian = _polar_to_cartesian()

"""Formulas that nobody wrote, in the styles of those that people wrote: they parse, and their gradients are the certified ones.

Each style draws from what its collection is made of: physics (quotients, powers, roots of 1 - v²/c², exponentials of -E/kT,
constants of nature), symbolic regression (pow, div, log and sqrt of anything), Maxima (nested radicals, fractional powers).
Variables bear names that mean something else elsewhere; points have magnitudes from 1e-30 to 1e30.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import diffcompare as dc

FORMULAS = 100
NAMES = (
    "I gamma beta lambda E pi e x_1 theta0 k_spring m_0 lambd N S Q O g_ rho_c_0 _a e1 E_n x2 if_ def in is nan_ alpha2 sin_ f d dx".split()
)
NUMBERS = "1 2 3 4 7 10 0.5 .5 2. 1e-3 1.e-3 1.5E2 3.14159265358979 6.626e-34 1.38E-23 3e8 1/2 1/3 0.1 4*3.14159".split()


class Style:
    """A way to write formulas: a leaf, and templates in which {a} {b} {c} are formulas, {v} {w} variables, {n} an integer, {q} a fraction."""

    def __init__(self, names: list[str] | None, leaf: str, templates: str) -> None:
        self.names, self.leaf = names, leaf.split()
        self.templates = [line.strip() for line in templates.strip().splitlines()]

    def write(self, rng: np.random.Generator, names: list[str], depth: int) -> str:
        def inner() -> str:
            return self.write(rng, names, depth - 1)

        template = str(rng.choice(self.templates if depth else self.leaf))
        a, b, c = (inner() if f"{{{part}}}" in template else "" for part in "abc")
        if a == b:  # no a - a: such formulas are constants, and their rounding is not
            b = f"({b} + 1)"
        v, w = (str(name) for name in rng.choice(names, 2))
        q = f"{rng.integers(1, 12)}/{rng.integers(2, 6)}"
        return template.format(a=a, b=b, c=c, v=v, w=w, n=rng.integers(2, 6), q=q, number=rng.choice(NUMBERS))


STYLES = {
    "physics": Style(
        None,
        "{v} {v} {v} {number}",
        """
        {a}*{b}
        {a} * {b}/({c})
        ({a}+{b})
        ({a} - {b})
        -{a}
        {v}**{n}
        ({a})**2
        1/({a})
        sqrt({a}**2 + {b}**2)
        sqrt(1-{v}**2/{w}**2)
        1/sqrt( 1 - ({a})^2/{w}^2 )
        {a}/(4*3.141592653589793*{v}*{w}**2)
        exp(-{a}/({b}))
        1/(exp({a}/({v}*{w}))-1)
        sin({a})**2
        cos({a}-{b})
        tanh({a})
        arcsin({a})
        ln({a}/{v})
        """,
    ),
    "regression": Style(
        [f"x{k}" for k in range(1, 6)],
        "{v} {v} {number}",
        """
        {a}+{b}
        {a}-({b})
        {a}*{b}
        div({a},{b})
        pow({a},{n})
        pow({a},-{n})
        pow({a},{b})
        pow({a},0.426)
        pow({a}, 1/3)
        sqrt({a})
        sqrt(abs({a}))
        log({a})
        log(abs({a}))
        exp({a})
        exp(-pow({a},2))
        sin({a})
        cos({a})
        tanh({a})
        max({a},{b})
        div(1,(1+pow({a},-4)))
        """,
    ),
    "maxima": Style(
        None,
        "{v} {v} {n} {q}",
        """
        {a}+{q}*{b}
        -{q}*{a}*sqrt({b})
        ({a})^({q})
        (1+{n}*{v}^2)^({q})
        sqrt({a}+sqrt({b}))
        atan(({a})/sqrt({b}))/sqrt({n})
        log({a})
        log({v}+sqrt({v}^2+{n}))
        {n}^({a})
        2.718281828459045^({a})
        asin({a})
        sin({a})^{n}
        tan({a})^{n}
        (-{a})/({b})^{n}
        {a}*{v}^{w}
        sinh({a})
        cosh({a})
        """,
    ),
}


def drawn_points(rng: np.random.Generator, names: list[str]) -> list[dict[str, float]]:
    """Of the size of one, of either sign, of few magnitudes, and of magnitudes from 1e-30 to 1e30: two each."""
    kinds: list[Callable[[], float]] = [
        lambda: rng.uniform(0.5, 5),
        lambda: rng.uniform(-50, 50),
        lambda: rng.choice([-1, 1]) * 10 ** rng.uniform(-3, 3),
        lambda: 10 ** rng.uniform(-30, 30),
    ]
    return [{name: float(kind()) for name in names} for kind in kinds * 2]


@pytest.mark.parametrize("style", STYLES)
def test_formulas_of_every_style(tally, style):
    t, rng = tally(f"like {style}"), np.random.default_rng(len(style))
    for k in range(FORMULAS):
        names = [str(n) for n in rng.choice(STYLES[style].names or NAMES, 3, replace=False)]
        text = STYLES[style].write(rng, names, int(rng.integers(1, 5)))
        t.formula(f"{style} {k}", text, drawn_points(rng, names))
    assert all(message.startswith("this gives the constant nan") for message in t.refused.values()), t.refused
    assert len(t.refused) <= 2 and t.counts["judged"] >= 0.85 * FORMULAS
    t.expect(formulas=FORMULAS, refused=t.refused, cancelled=0.05, out_of_range=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_a_variable(name):
    f = dc.parse(f"2*{name}**2 + sin({name}) - {name}/.5", inputs=[name])
    assert f.names == (name,)
    assert dc.derivative(f)(0.0) == -1.0


@pytest.mark.parametrize("number", NUMBERS)
def test_every_way_to_write_a_number(number):
    expected = np.prod([float(part) for part in number.split("*")]) if "/" not in number else float(number[0]) / float(number[2])
    for text in (f"x*{number}", f"x *{number} ", f"{number}\n* x", f"-x*-{number}"):
        assert dc.derivative(dc.parse(text))(3.0) == pytest.approx(float(expected), rel=4e-16)


def test_both_signs_of_a_power_and_the_place_of_the_minus():
    for text, value in (
        ("-x^2", -9.0),
        ("(-x)**2", 9.0),
        ("2^-x", 0.125),
        ("2**3**2 + 0*x", 512.0),
        ("x^2^3", 6561.0),
        ("- - x", 3.0),
        ("+x", 3.0),
    ):
        assert dc.value(text)(3.0) == value, text

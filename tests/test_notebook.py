"""What notebooks show: LaTeX of expressions and Functions, tables of derivatives, comparisons and traces."""

from __future__ import annotations

import pytest

import diffcompare as dc
from diffcompare.problem import find

METHODS = ["ad.forward", "ad.reverse", "fd.central", "symbolic", "manual"]


def test_expressions_and_functions_are_latex() -> None:
    x, y = dc.symbols("x y")
    assert (x**2 * y + dc.sin(y / 2))._repr_latex_() == r"$$x^{2} \, y + \sin\left(\frac{y}{2}\right)$$"
    assert dc.function([x], dc.sqrt(x))._repr_latex_() == r"$$\sqrt{x}$$"


def test_a_derivative_shows_its_formula_method_engine_and_cost() -> None:
    shown = dc.gradient("x**2*y + y + 2", engine="python")._repr_html_()
    assert "<p>gradient of f with respect to x, y</p>" in shown
    assert r"$$\begin{aligned} \frac{\partial f}{\partial x} &amp;= 2 \, x \, y \\ " in shown
    assert "<tr><th>method</th><td>ad.reverse (ad)</td></tr>" in shown
    assert "<tr><th>engine</th><td>python, float64</td></tr>" in shown
    assert "times the function" in shown


def test_guards_are_not_shown() -> None:
    shown = dc.gradient("log(x)*y", engine="python")._repr_html_()
    assert "chain" not in shown
    assert "inside" not in shown
    assert r"&amp;= \frac{1}{x} \, y \\" in shown


def test_finite_differences_have_no_formula_and_say_how_often_they_call() -> None:
    shown = dc.gradient("x**2*y + y + 2", method="fd.central", engine="numpy")._repr_html_()
    assert "$$" not in shown
    assert "4 calls of the function" in shown


def test_a_long_formula_is_not_written_out() -> None:
    assert "$$" not in dc.gradient(find("black_scholes")[0].function)._repr_html_()


@pytest.mark.parametrize("name", ["seed_polynomial", "polar_to_cartesian", "rosenbrock(n=3)", "softmax_probabilities(n=3)"])
@pytest.mark.parametrize("method", METHODS)
def test_every_derivative_can_be_shown(name: str, method: str) -> None:
    f = find(name)[0].function
    operators = ["value", "jacobian", "jvp", "vjp"] + ["hessian", "hvp", "value_and_gradient"] * (not f.output.shape)
    for operator in operators:
        shown = dc.prepare(f, operator, method=method, engine="numpy")._repr_html_()
        assert shown.startswith(f"<p>{operator} of ")
        assert shown.endswith("</table>")
        assert shown.count("{") == shown.count("}")


def test_comparisons_and_traces_are_tables() -> None:
    comparison = dc.compare("x*y", {"x": 1.0, "y": 2.0}, methods=["ad.reverse"], engines=["python"])
    assert "<table" in comparison._repr_html_()
    assert '<table class="steps">' in dc.steps("x*y", {"x": 1.0, "y": 2.0})._repr_html_()
    assert dc.graph("x*y")._repr_svg_().startswith("<svg")

"""The pictures of graphs: well-formed, without overlap, with few crossings, and with the numbers of the transforms."""

from __future__ import annotations

import itertools
import random
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import diffcompare as dc
from diffcompare.errors import DiffCompareError, ShapeError, TooLarge
from diffcompare.explain.layered import place
from diffcompare.problem import Problem, find
from diffcompare.problems.teaching import survey_two_variables, two_layer_chain

SVG = "{http://www.w3.org/2000/svg}"
SHOWN = (
    "survey_two_variables",
    "two_layer_chain",
    "seed_polynomial",
    "black_scholes",
    "softmax_probabilities(n=3)",
    "helmholtz",
    "rosenbrock",
)
PROBLEMS = [p for name in SHOWN for p in find(name)]


def tooltips(svg: str) -> list[str]:
    return [t.text or "" for g in ET.fromstring(svg).iter(f"{SVG}g") for t in g.findall(f"{SVG}title")]


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    rects = [r for r in ET.fromstring(svg).iter(f"{SVG}rect") if "card" in r.attrib["class"]]
    return [tuple(float(r.attrib[k]) for k in ("x", "y", "width", "height")) for r in rects]  # type: ignore[misc]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_a_picture_is_one_file_in_which_nothing_overlaps(problem: Problem) -> None:
    drawing = dc.graph(problem.function, dict(problem.points[0]))
    root = ET.fromstring(drawing.svg)
    assert root.tag == f"{SVG}svg"
    assert not [e.tag for e in root.iter() if e.tag.removeprefix(SVG) in ("script", "image", "use", "foreignObject")]
    assert drawing.svg.count("http") == 1  # the name of the format
    cards = boxes(drawing.svg)
    assert len(cards) == drawing.nodes
    for (x, y, w, h), (u, v, a, b) in itertools.combinations(cards, 2):
        assert x + w <= u or u + a <= x or y + h <= v or v + b <= y
    width, height = (float(root.attrib[k]) for k in ("width", "height"))
    assert all(x >= 0 and x + w <= width and y + h <= height for x, y, w, h in cards)


def test_the_survey_s_graph_shows_its_numbers() -> None:
    said = tooltips(dc.graph(survey_two_variables.function, {"x1": 2, "x2": 5}).svg)
    assert "x₁; value 2; tangent 1; adjoint 5.5" in said
    assert "x₂; value 5; tangent 0; adjoint 1.716" in said
    assert "v₃ = sin x₂; value −0.959; tangent 0; adjoint −1" in said
    assert "y = v₄ − v₃; value 11.652; tangent 5.5; adjoint 1" in said


def test_a_named_intermediate_has_its_name_and_its_derivative() -> None:
    point = {"x": 1, "w1": 2, "b1": 1, "w2": 2, "b2": 1}
    assert "y₁ = v₁ + b₁; value 3; adjoint 2" in tooltips(dc.graph(two_layer_chain.function, point, "reverse").svg)
    assert "y₁ = v₁ + b₁; value 3; tangent 1" in tooltips(dc.graph(two_layer_chain.function, point, "forward", wrt="y1").svg)


def test_arrays_are_nodes_with_their_shape_and_first_entries() -> None:
    w, x = dc.symbol("W", (2, 3)), dc.symbol("x", (3,))
    drawing = dc.graph(dc.function([w, x], dc.softmax(w @ x)), {"W": np.arange(6).reshape(2, 3), "x": [1, 0, -1]})
    said = tooltips(drawing.svg)
    assert "v₁ = W @ x; value [−2, −2]; tangent [1, 0]" in said
    assert "y = softmax(v₁); value [0.5, 0.5]; tangent [0.25, −0.25]" in said
    assert "W; value [0, 1, 2, …]; tangent [1, 0, 0, …]" in said


def test_views_are_written_where_they_are_used() -> None:
    said = tooltips(dc.graph(find("rosenbrock(n=3)")[0].function).svg)
    assert "v₁ = x[:2]²" in said
    assert not [s for s in said if "= x[" in s and s.endswith("]")]


def test_the_picture_adapts_to_light_dark_and_narrow_screens() -> None:
    svg = dc.graph("x*y").svg
    assert "prefers-color-scheme:dark" in svg
    assert "max-width:100%" in svg
    assert 'role="img"' in svg and "<title>Graph of f(x, y)</title>" in svg


def test_it_is_saved_and_shown_in_notebooks(tmp_path: Path) -> None:
    drawing = dc.graph("x*y", {"x": 1, "y": 2})
    drawing.save(tmp_path / "g.svg")
    assert (tmp_path / "g.svg").read_text(encoding="utf-8") == drawing.svg == drawing._repr_svg_()
    assert repr(drawing) == "<Drawing: f(x, y), 3 nodes>"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: dc.graph("x*y", {"x": 1, "y": 2}, "up"), DiffCompareError, r"no mode 'up'"),
        (lambda: dc.graph("x*y", mode="forward"), DiffCompareError, r"mode='forward' needs the point"),
        (lambda: dc.graph("x*y", {"x": 1, "y": 2}, wrt="z"), DiffCompareError, r"no input or named intermediate 'z'; there are x, y"),
        (lambda: dc.graph(dc.softmax(dc.symbol("x", (3,))), {"x": [1, 2, 3]}, "reverse"), ShapeError, r"f has 1 of shape \(3,\)"),
        (
            lambda: dc.graph(find("logistic_map(n=60)")[0].function),
            TooLarge,
            r"logistic_map has 178 nodes; a picture is readable up to 150",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()  # type: ignore[operator]


def test_constants_and_inputs_may_be_outputs() -> None:
    x = dc.symbol("x")
    assert dc.graph(dc.function([x], [x, 2.5, x * x]), {"x": 3}).nodes == 3
    assert dc.graph(dc.function([], 2.5), {}).nodes == 1


# --- the layout ---


def crossings(edges: list[tuple[int, int]], centers: list[tuple[float, float]]) -> int:
    """Pairs of edges between neighbouring layers that cross."""
    lines = [(centers[a], centers[b]) for a, b in edges]
    return sum(p[1] == r[1] and q[1] == s[1] and (p[0] - r[0]) * (q[0] - s[0]) < 0 for (p, q), (r, s) in itertools.combinations(lines, 2))


def test_a_tree_is_drawn_without_crossings() -> None:
    edges = [(2 * k + s, 16 + k) for k in range(8) for s in (0, 1)] + [(16 + 2 * k + s, 24 + k) for k in range(4) for s in (0, 1)]
    rename = list(range(28))
    random.Random(1).shuffle(rename)
    order = sorted(range(28), key=lambda v: (v >= 16, v >= 24, rename[v]))
    number = {v: k for k, v in enumerate(order)}
    shuffled = [(number[a], number[b]) for a, b in edges]
    assert crossings(shuffled, place([(40.0, 20.0)] * 28, shuffled).centers) == 0


def test_layers_follow_the_longest_path_and_edges_point_down() -> None:
    edges = [(0, 2), (1, 2), (2, 3), (0, 3), (3, 4), (1, 4)]
    placed = place([(40.0, 20.0)] * 5, edges)
    assert all(placed.centers[a][1] < placed.centers[b][1] for a, b in edges)
    assert all(all(p[1] <= q[1] for p, q in itertools.pairwise(route)) for route in placed.routes)


def test_random_graphs_of_the_largest_size_are_laid_out_without_overlap() -> None:
    rng = random.Random(5)
    sizes = [(rng.uniform(40, 120), rng.uniform(20, 90)) for _ in range(150)]
    edges = [(a, b) for b in range(5, 150) for a in rng.sample(range(max(0, b - 30), b), 2)]
    placed = place(sizes, edges)
    for (p, (w, h)), (q, (a, b)) in itertools.combinations(zip(placed.centers, sizes, strict=True), 2):
        assert abs(p[0] - q[0]) >= (w + a) / 2 - 1e-6 or abs(p[1] - q[1]) >= (h + b) / 2 - 1e-6

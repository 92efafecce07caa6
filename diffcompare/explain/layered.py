"""Layered drawing of acyclic graphs, after Sugiyama, Tagawa, Toda: Methods for Visual Understanding of Hierarchical System
Structures, IEEE Trans. SMC 11 (1981): layers by longest paths, an order in each that crosses few edges, then coordinates.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Point = tuple[float, float]
Edge = tuple[int, int]

GAP_X = 16.0
GAP_Y = 34.0
SWEEPS = 16
STRAIGHT = 8.0
"""How much more a bend of a long edge weighs than the slant of an edge between nodes."""


@dataclass(frozen=True)
class Placement:
    """Where everything is. centers: of the nodes; routes: for each edge the points it passes, from bottom to top of its ends."""

    centers: list[Point]
    routes: list[list[Point]]
    width: float
    height: float


@dataclass
class _Net:
    """The graph with a helper in every layer that an edge passes through. rank, width: of nodes, then of helpers."""

    rank: list[int]
    width: list[float]
    links: list[Edge] = field(default_factory=list)
    chains: list[list[int]] = field(default_factory=list)
    layers: list[list[int]] = field(default_factory=list)


def place(sizes: Sequence[Point], edges: Sequence[Edge]) -> Placement:
    """Positions for nodes of these (width, height); edges go from a node to a later one, and point down."""
    net = _with_helpers(_ranks(len(sizes), edges), [w for w, _ in sizes], edges)
    _order(net)
    x = _coordinates(net, len(sizes))
    heights = [max((sizes[v][1] for v in layer if v < len(sizes)), default=0.0) for layer in net.layers]
    tops = [sum(heights[:k]) + k * GAP_Y for k in range(len(heights))]
    middle = [top + h / 2 for top, h in zip(tops, heights, strict=True)]
    left = min(x[v] - net.width[v] / 2 for v in range(len(x)))
    right = max(x[v] + net.width[v] / 2 for v in range(len(x)))
    centers = [(x[v] - left, middle[net.rank[v]]) for v in range(len(sizes))]
    ports = _ports(net, x, sizes)
    routes = []
    for k, ((a, b), chain) in enumerate(zip(edges, net.chains, strict=True)):
        points = [(centers[a][0], centers[a][1] + sizes[a][1] / 2)]
        for helper in chain[1:-1]:
            layer = net.rank[helper]
            points += [(x[helper] - left, tops[layer]), (x[helper] - left, tops[layer] + heights[layer])]
        routes.append([*points, (centers[b][0] + ports[k], centers[b][1] - sizes[b][1] / 2)])
    return Placement(centers, routes, right - left, tops[-1] + heights[-1])


def _ranks(count: int, edges: Sequence[Edge]) -> list[int]:
    """The longest way from a source; sources stand right above the first that uses them."""
    rank = [0] * count
    for a, b in sorted(edges, key=lambda e: e[1]):
        rank[b] = max(rank[b], rank[a] + 1)
    targets = {b for _, b in edges}
    for v in range(count):
        below = [rank[b] for a, b in edges if a == v]
        if v not in targets and below:
            rank[v] = min(below) - 1
    return rank


def _with_helpers(rank: list[int], width: list[float], edges: Sequence[Edge]) -> _Net:
    net = _Net(list(rank), list(width))
    for a, b in edges:
        chain = [a]
        for layer in range(rank[a] + 1, rank[b]):
            chain.append(len(net.rank))
            net.rank.append(layer)
            net.width.append(GAP_X / 4)
        chain.append(b)
        net.chains.append(chain)
        net.links.extend(pairwise(chain))
    net.layers = [[] for _ in range(max(net.rank) + 1)]
    for v in _first_seen(net):
        net.layers[net.rank[v]].append(v)
    return net


def _first_seen(net: _Net) -> list[int]:
    """The nodes in the order in which a walk from the lowest upwards leaves them, as an expression is read."""
    above: list[list[int]] = [[] for _ in net.rank]
    for a, b in net.links:
        above[b].append(a)
    order: list[int] = []
    seen: set[int] = set()
    for root in sorted(range(len(net.rank)), key=lambda v: -net.rank[v]):
        stack = [root]
        while stack:
            v = stack.pop()
            if v not in seen:
                seen.add(v)
                order.append(v)
                stack.extend(reversed(above[v]))
    return order


# --- the order in each layer ---


def _order(net: _Net) -> None:
    """Sort the layers by the mean place of their neighbours, down and up in turn; the best order met is kept."""
    above: list[list[int]] = [[] for _ in net.rank]
    below: list[list[int]] = [[] for _ in net.rank]
    for a, b in net.links:
        above[b].append(a)
        below[a].append(b)
    best, fewest = [list(layer) for layer in net.layers], _crossings(net, below)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        for layer in net.layers if downwards else net.layers[::-1]:
            place = {v: k for row in net.layers for k, v in enumerate(row)}
            mean = {v: sum(place[n] for n in neighbours[v]) / len(neighbours[v]) if neighbours[v] else place[v] for v in layer}
            layer.sort(key=lambda v, mean=mean: mean[v])  # type: ignore[misc]
        _swap_neighbours(net, above, below)
        count = _crossings(net, below)
        if count < fewest:
            best, fewest = [list(layer) for layer in net.layers], count
    net.layers = best


def _swap_neighbours(net: _Net, above: list[list[int]], below: list[list[int]]) -> None:
    """Swap two that stand side by side wherever their own edges then cross less."""
    for layer in net.layers:
        place = {v: k for row in net.layers for k, v in enumerate(row)}
        for k in range(len(layer) - 1):
            a, b = layer[k], layer[k + 1]
            now = sum(place[p] > place[q] for links in (above, below) for p in links[a] for q in links[b])
            then = sum(place[p] < place[q] for links in (above, below) for p in links[a] for q in links[b])
            if then < now:
                layer[k], layer[k + 1] = b, a


def _crossings(net: _Net, below: list[list[int]]) -> int:
    """How many pairs of edges cross: inversions between the orders of their ends."""
    count = 0
    for layer, under in pairwise(net.layers):
        place = {v: k for k, v in enumerate(under)}
        seen: list[int] = []
        for v in layer:
            ends = sorted(place[n] for n in below[v])
            count += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


# --- coordinates ---


def _coordinates(net: _Net, real: int) -> list[float]:
    """Centers along each layer: near the neighbours above and below, in order, without overlap."""
    above: list[list[int]] = [[] for _ in net.rank]
    below: list[list[int]] = [[] for _ in net.rank]
    for a, b in net.links:
        above[b].append(a)
        below[a].append(b)
    x = [0.0] * len(net.rank)
    for layer in net.layers:
        steps = _steps(net, layer)
        for v, at in zip(layer, steps, strict=True):
            x[v] = at - steps[-1] / 2
    for sweep in range(4 * SWEEPS + 1):  # the last one goes down: an edge leaves straight, and bends where it arrives
        downwards = sweep % 2 == 0
        for layer in net.layers if downwards else net.layers[::-1]:
            wanted, weights = [], []
            for v in layer:
                # a helper follows the one before it, so that long edges run straight down
                near = (above if downwards else below)[v] if v >= real else above[v] + below[v]
                wanted.append(sum(x[n] for n in near) / len(near) if near else x[v])
                weights.append(STRAIGHT if v >= real else float(len(near)) or 0.01)
            for v, at in zip(layer, _spread(wanted, weights, _steps(net, layer)), strict=True):
                x[v] = at
    return x


def _steps(net: _Net, layer: Sequence[int]) -> list[float]:
    """The least distances of the centers in a layer from the first."""
    steps = [0.0]
    for a, b in pairwise(layer):
        steps.append(steps[-1] + (net.width[a] + net.width[b]) / 2 + GAP_X)
    return steps


def _spread(wanted: Sequence[float], weights: Sequence[float], steps: Sequence[float]) -> list[float]:
    """The positions nearest to those wanted, by weighted least squares, whose distances are at least those of the steps.

    Less the steps that is isotonic regression: neighbours out of order are pooled at their mean.
    """
    pools: list[tuple[float, float, int]] = []  # (mean, weight, count)
    for want, weight, step in zip(wanted, weights, steps, strict=True):
        mean, total, count = want - step, weight, 1
        while pools and pools[-1][0] > mean:
            before, heavy, many = pools.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, count = heavy + total, many + count
        pools.append((mean, total, count))
    flat = [mean for mean, _, count in pools for _ in range(count)]
    return [f + s for f, s in zip(flat, steps, strict=True)]


def _ports(net: _Net, x: Sequence[float], sizes: Sequence[Point]) -> list[float]:
    """For each edge how far from the middle of its lower end it arrives: in the order of where they come from."""
    arriving: dict[int, list[int]] = {}
    for k, chain in enumerate(net.chains):
        arriving.setdefault(chain[-1], []).append(k)
    ports = [0.0] * len(net.chains)
    for v, edges in arriving.items():
        edges.sort(key=lambda k: x[net.chains[k][-2]])
        room = 0.5 * sizes[v][0]
        for place, k in enumerate(edges):
            ports[k] = room * ((place + 0.5) / len(edges) - 0.5) if len(edges) > 1 else 0.0
    return ports

"""Cards and edges as one SVG file: no script, no font, no marker; light and dark by the reader's own choice."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from .layered import Edge, Point, place
from .notation import ADJOINT, TANGENT, VALUE

FONT = 14.0
BETWEEN = "   ·   "
SMALLEST = 9.5
"""The size of letters below which a picture in a page is not shrunk further, but scrolls in what holds it."""
LINE = 19.0
PAD_X, PAD_Y = 10.0, 6.0
MARGIN = 14.0
SPACE = 12.0
LONGEST = 26
"""The most characters of a step on a card; all of it is in the card's tooltip."""

STYLE = """
.dc-graph{--bg:#fff;--ink:#1b1f24;--soft:#57606a;--card:#f6f8fa;--rim:#8c959f;--in:#eaf2fb;--tangent:#0057a8;--adjoint:#a63d00;
font:14px system-ui,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",Arial,sans-serif}
@media(prefers-color-scheme:dark){.dc-graph{--bg:#15181d;--ink:#e6e9ed;--soft:#a3abb5;--card:#20252c;--rim:#76808c;--in:#1b2b3f;--tangent:#79baff;--adjoint:#ffab70}}
.dc-graph .bg{fill:var(--bg)}.dc-graph text{fill:var(--ink)}.dc-graph .soft{fill:var(--soft)}
.dc-graph .card{fill:var(--card);stroke:var(--rim)}.dc-graph .input{fill:var(--in)}.dc-graph .output{stroke:var(--ink);stroke-width:2}
.dc-graph .edge{fill:none;stroke:var(--rim);stroke-width:1.3}.dc-graph .tip{fill:var(--rim)}
.dc-graph .name{font-weight:600}.dc-graph .tangent{fill:var(--tangent)}.dc-graph .adjoint{fill:var(--adjoint)}
"""


@dataclass(frozen=True)
class Card:
    """A node. name, step: name = step; shape: of an array; kind: input, operation or output; numbers: by kind as text."""

    name: str
    step: str
    shape: tuple[int, ...]
    kind: str
    numbers: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> list[tuple[str, str]]:
        """The first line in pieces of (class, text)."""
        step = self.step if len(self.step) <= LONGEST else f"{self.step[: LONGEST - 1]}…"
        shape = f" {self.shape}" if self.shape else ""
        return [("name", self.name), *([("", f" = {step}")] if step else []), *([("soft", shape)] if shape else [])]

    @property
    def rows(self) -> list[list[tuple[str, str]]]:
        """The lines, each of pieces of (class, text)."""
        rows = [self.head]
        if VALUE in self.numbers:
            rows.append([("value", self.numbers[VALUE])])
        slopes = [(kind, f"{sign} {self.numbers[kind]}") for kind, sign in ((TANGENT, "v̇"), (ADJOINT, "v̄")) if kind in self.numbers]
        # below each other where that makes a narrower card: on a phone width is scarce, height is not
        one_line = _length(slopes) <= max(map(_length, rows))
        rows.extend([slopes] if slopes and one_line else [[s] for s in slopes])
        return rows

    @property
    def size(self) -> Point:
        return max(map(_length, self.rows)) + 2 * PAD_X, len(self.rows) * LINE + 2 * PAD_Y

    @property
    def tooltip(self) -> str:
        """Everything about the node in one line."""
        words = {VALUE: "value", TANGENT: "tangent", ADJOINT: "adjoint"}
        said = "; ".join(f"{words[k]} {v}" for k, v in self.numbers.items())
        return f"{self.name}{f' = {self.step}' if self.step else ''}{f'; {said}' if said else ''}"


def _length(row: Sequence[tuple[str, str]]) -> float:
    """About how wide a line of a card is; tangent and adjoint stand SPACE apart."""
    return sum(width(t) for _, t in row) + SPACE * sum(kind == ADJOINT for kind, _ in row[1:])


def width(text: str) -> float:
    """About how wide a text is in the fonts asked for, rather too wide than too narrow."""
    total = 0.0
    for c in text:
        if unicodedata.combining(c):
            continue
        narrow, wide = c in " ilj.,:;|'()[]!/", c in "mwMW×−+=@%"
        total += 0.36 if narrow else 0.86 if wide else 0.45 if c in "₀₁₂₃₄₅₆₇₈₉₋⁰¹²³⁴⁵⁶⁷⁸⁹⁻" else 0.7 if c.isupper() else 0.61
    return total * FONT


def draw(title: str, cards: Sequence[Card], edges: Sequence[Edge], notes: Sequence[tuple[str, str]]) -> str:
    """The SVG file. notes: (kind, text) of the legend, written above the graph."""
    sizes = [c.size for c in cards]
    placed = place(sizes, edges)
    legend = BETWEEN.join(text for _, text in notes)
    top = MARGIN + (LINE + 8 if notes else 0)
    whole = max(placed.width, width(legend)) + 2 * MARGIN
    shift = (whole - placed.width) / 2
    height = top + placed.height + MARGIN
    style = f"max-width:100%;min-width:{whole * SMALLEST / FONT:.0f}px;height:auto"
    box = f'viewBox="0 0 {whole:.0f} {height:.0f}" width="{whole:.0f}" height="{height:.0f}" style="{style}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dc-graph" role="img" {box}>',
        f"<title>{_escaped(f'Graph of {title}')}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="bg" width="{whole:.0f}" height="{height:.0f}"/>',
        _text(MARGIN, MARGIN + 12, BETWEEN.join(_span(kind if kind != VALUE else "soft", text) for kind, text in notes), "start"),
        f'<g transform="translate({shift:.1f} {top:.1f})">',
        *(_edge(route) for route in placed.routes),
        *(_card(c, size, center) for c, size, center in zip(cards, sizes, placed.centers, strict=True)),
        "</g>\n</svg>\n",
    ]
    return "\n".join(parts)


def _text(x: float, y: float, spans: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" xml:space="preserve">{spans}</text>'


def _span(kind: str, text: str, gap: float = 0.0) -> str:
    shifted = f' dx="{gap:.0f}"' if gap else ""
    return f'<tspan class="{kind}"{shifted}>{_escaped(text)}</tspan>'


def _edge(route: Sequence[Point]) -> str:
    """A smooth line down through the points, vertical at each, with a tip at its end."""
    (x, y), *rest = route
    (end_x, end_y) = route[-1]
    path = [f"M{x:.1f} {y:.1f}"]
    for k, (next_x, next_y) in enumerate(rest):
        stop = next_y - 6 if k == len(rest) - 1 else next_y
        if abs(next_x - x) < 0.05:
            path.append(f"V{stop:.1f}")
        else:
            half = (y + stop) / 2
            path.append(f"C{x:.1f} {half:.1f} {next_x:.1f} {half:.1f} {next_x:.1f} {stop:.1f}")
        x, y = next_x, stop
    tip = f"M{end_x:.1f} {end_y:.1f}l-3.6 -7h7.2z"
    return f'<path class="edge" d="{"".join(path)}"/><path class="tip" d="{tip}"/>'


def _card(card: Card, size: Point, center: Point) -> str:
    (w, h), (x, y) = size, center
    left, top = x - w / 2, y - h / 2
    radius = min(h / 2, 16) if card.kind == "input" else 6
    lines = []
    for k, row in enumerate(card.rows):
        spans = "".join(_span(kind, text, SPACE * (i > 0 and kind == ADJOINT)) for i, (kind, text) in enumerate(row))
        lines.append(_text(x, top + PAD_Y + (k + 0.75) * LINE, spans))
    rect = f'<rect class="card {card.kind}" x="{left:.1f}" y="{top:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{radius:.0f}"/>'
    return f"<g><title>{_escaped(card.tooltip)}</title>{rect}{''.join(lines)}</g>"


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)

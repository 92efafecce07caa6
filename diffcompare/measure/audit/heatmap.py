"""The bits that derivatives lose as a picture: functions down, contestants across, first and second derivative beside each other."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .colours import HEAT
from .sheets import CLEAN, Cell, Sheet, heat

if TYPE_CHECKING:
    from .result import Audit

LINE, COLUMN, NAMES, HEAD, GAP = 13, 34, 104, 190, 24
"""In pixels: the height of a line, the widths of a column and of the names, the height of the slanted heads, the space between panels."""
STYLE = "text{font:9px system-ui,sans-serif;fill:#222}.t{font-size:13px;font-weight:600}.e{text-anchor:end}.m{text-anchor:middle}"


def heatmap(audit: Audit) -> str:
    """An SVG file's text; "" for an audit of values alone."""
    panels = [heat(audit, order) for order in (1, 2) if any(r.order == order for r in audit.rows)]
    panels = [p for p in panels if p.lines]
    if not panels:
        return ""
    widths = [NAMES + COLUMN * (len(p.head) - 1) + HEAD // 2 for p in panels]
    height = HEAD + LINE * max(len(p.lines) for p in panels) + 40
    width = sum(widths) + GAP * (len(panels) - 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        f"<title>Bits of 64 lost at the worst point</title><style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    left = 0
    for panel, wide in zip(panels, widths, strict=True):
        parts.append(f'<g transform="translate({left} 0)">{_panel(panel)}</g>')
        left += wide + GAP
    return "".join(parts) + _legend(height) + "</svg>\n"


def _panel(sheet: Sheet) -> str:
    """One order: a square for each cell that is not clean, coloured by the bits, with their number."""
    columns = len(sheet.head) - 1
    parts = [f'<text class="t" x="4" y="16">{html.escape(sheet.title)}</text>']
    for k, who in enumerate(sheet.head[1:]):
        x = NAMES + COLUMN * k + COLUMN // 2
        parts.append(f'<text transform="translate({x} {HEAD - 6}) rotate(-60)">{html.escape(_short(who))}</text>')
    for line, cells in enumerate(sheet.lines):
        y = HEAD + LINE * line
        parts.append(f'<text class="e" x="{NAMES - 5}" y="{y + 10}">{html.escape(cells[0].text)}</text>')
        parts += [_square(c, NAMES + COLUMN * k, y) for k, c in enumerate(cells[1:])]
    bottom, right = HEAD + LINE * len(sheet.lines), NAMES + COLUMN * columns
    grid = "".join(f"M{NAMES} {HEAD + LINE * k}H{right}" for k in range(len(sheet.lines) + 1))
    grid += "".join(f"M{NAMES + COLUMN * k} {HEAD}V{bottom}" for k in range(columns + 1))
    return "".join(parts) + f'<path d="{grid}" stroke="#ddd" stroke-width=".5" fill="none"/>'


def _square(cell: Cell, x: int, y: int) -> str:
    if cell.text in (CLEAN, ""):
        return ""
    colour = "#eee" if cell.bits is None else _colour(cell.bits)
    text = "–" if cell.bits is None else cell.text
    return f'<rect x="{x}" y="{y}" width="{COLUMN}" height="{LINE}" fill="{colour}"/><text class="m" x="{x + COLUMN // 2}" y="{y + 10}">{html.escape(text)}</text>'


def _colour(bits: float) -> str:
    return next(colour for least, _, colour in HEAT if bits >= least)


def _short(who: str, width: int = 44) -> str:
    return who if len(who) <= width else who[: width - 1] + "…"


def _legend(height: int) -> str:
    """What the colours mean, from few bits to many."""
    labels: Sequence[str] = [f"from {least:.0f} bits" if least else "fewer" for least, _, _ in HEAT][::-1]
    parts = []
    for k, ((_, _, colour), label) in enumerate(zip(HEAT[::-1], labels, strict=True)):
        x, y = 4 + 90 * k, height - 20
        parts.append(f'<rect x="{x}" y="{y}" width="14" height="12" fill="{colour}"/><text x="{x + 18}" y="{y + 10}">{label}</text>')
    text = "bits lost at the worst point and share of points beyond 4 ulp; empty: none is; –: no answer"
    return "".join(parts) + f'<text x="{4 + 90 * len(HEAT)}" y="{height - 10}">{text}</text>'

"""Tables -> Altair charts -> SVG. The only door to Altair.

One definition serves the page and the files: an SVG holds the colours of light paper, which any program shows; where the
reader's system is dark, a style sheet of attribute selectors puts others in their place. Colours follow Okabe and Ito's set
for colour-blind readers, and each is said again by a shape or a dash. What a mark stands for is in its aria-label.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import altair as alt
import pandas as pd
from altair.utils.schemapi import debug_mode

INK, SOFT, FAINT, RULE = "#1b1f24", "#57606a", "#e3e6ea", "#8c959f"
FAMILIES = {"ad": "#0072b2", "symbolic": "#00805e", "manual": "#1b1f24", "fd": "#c24e00", "peer": "#a4508b"}
"""The colour of each family of methods."""
DARK = {
    INK: "#e6e9ed",
    SOFT: "#a3abb5",
    FAINT: "#2d333b",
    RULE: "#6e7781",
    "#0072b2": "#62b8f0",
    "#00805e": "#2fc79a",
    "#c24e00": "#ff9452",
    "#a4508b": "#e79acb",
    "#ffffff": "#15181d",
    "#b07800": "#e6b84d",
    "#e6ecf2": "#232a33",
    "#fefefe": "#ffffff",
    "#b9d6ea": "#173a52",
    "#6aa9d4": "#2a6a94",
    "#f0a868": "#a85a1c",
    "#b3400a": "#b8480f",
}
"""What each colour becomes on a dark ground."""
ENGINE_SHAPES = {"python": "circle", "numpy": "square", "jax": "triangle-up", "llvm": "diamond"}
LINES: dict[str, tuple[str, list[int], str]] = {
    "ad.reverse": ("#0072b2", [1, 0], "circle"),
    "ad.forward": ("#0072b2", [5, 3], "square"),
    "symbolic": ("#00805e", [1, 0], "diamond"),
    "manual": ("#1b1f24", [2, 2], "cross"),
    "fd.forward": ("#c24e00", [1, 0], "triangle-up"),
    "fd.central": ("#a4508b", [6, 2], "triangle-down"),
    "fd.complex": ("#b07800", [2, 2], "square"),
}
"""Colour, dash and shape of each method drawn as a line."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"


def svg(draw: Callable[[bool], Any], narrow: bool = False, alone: bool = False) -> str:
    """A chart as an SVG element; alone: as a whole file, which brings its ground and the colours for dark readers along.

    Altair's check of each chart against its schema takes longer than drawing it, and is left to the tests.
    """
    import vl_convert

    with debug_mode(False):
        chart = draw(narrow).to_dict(validate=False)
    drawn = str(vl_convert.vegalite_to_svg(chart))
    head, body = drawn.split(">", 1)
    box = " ".join(w for w in re.findall(r'\S+="[^"]*"', head) if w.startswith(("width=", "height=", "viewBox=")))
    if not alone:
        return f'<svg class="chart" {box}>{_slim(body, True)}'
    ground = f"svg{{background:#fff}}@media (prefers-color-scheme:dark){{svg{{background:{DARK['#ffffff']}}}{dark_rules()}}}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}><style>{ground}</style>{_slim(body, False)}\n'


def dark_rules(within: str = "") -> str:
    """The rules of a style sheet that put dark colours in the place of light ones."""
    return "".join(f'{within}[fill="{a}"]{{fill:{b}}}{within}[stroke="{a}"]{{stroke:{b}}}' for a, b in DARK.items())


def _slim(text: str, tips: bool) -> str:
    """With coordinates to a hundredth of a pixel, each mark's description as data-tip, and nothing that no one reads."""
    text = re.sub(
        r' aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="(?:point|rule mark|rect mark)"', r' data-tip="\1"', text
    )
    text = re.sub(r' (?:role|aria-\w+|pointer-events)="[^"]*"', "", text).replace(' stroke-dasharray="1,0"', "").replace(' opacity="1"', "")
    text = re.sub(r' (?:d|transform|[xy]2|width|height)="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)
    text = re.sub(r'<path class="(?:foreground|background)" d="(?:|M0,0h0v0h0Z)"(?: display="none")?/>', "", text)
    # Vega gives the symbols of a legend the dashes of their lines
    text = re.sub(r'role-legend-symbol">.*?</g>', lambda m: re.sub(r' stroke-dasharray="[^"]*"', "", m[0]), text)
    return text if tips else re.sub(r' data-tip="[^"]*"', "", text)


# --- common parts ---


def _decade(value: str) -> str:
    """A Vega expression for a power of ten as 10⁻⁸."""
    text = f"toString(round(log({value})/LN10))"
    for plain, raised in zip("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True):
        text = f"replace({text}, /{plain}/g, '{raised}')"
    return f"'10' + {text}"


def _log(low: float, high: float, most: int) -> tuple[alt.Scale, list[float]]:
    """A logarithmic scale over whole decades, and at most so many ticks on it."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    last = max(last, first + 1)
    stride = max(1, math.ceil((last - first) / (most - 1)))
    return alt.Scale(type="log", domain=[10.0**first, 10.0**last], nice=False), [10.0**k for k in range(first, last + 1, stride)]


def _axis(title: str, ticks: Sequence[float], label: str = "") -> alt.Axis:
    return alt.Axis(title=title, values=list(ticks), labelExpr=label or _decade("datum.value"))


def _finish(chart: Any, narrow: bool) -> Any:
    """The chart with the look that all share, set in one piece: each `configure_...` would copy the chart with its data."""
    chart.config = _look(narrow)
    return chart


@cache
def _look(narrow: bool) -> alt.Config:
    size = 12 if narrow else 13
    axis = {"labelColor": SOFT, "titleColor": INK, "gridColor": FAINT, "domainColor": RULE, "tickColor": RULE, "labelPadding": 4}
    axis |= {"labelFontSize": size - 1, "titleFontSize": size, "titleFontWeight": "normal", "titlePadding": 8}
    legend = {"labelColor": INK, "titleColor": SOFT, "labelFontSize": size, "titleFontSize": size - 1, "titleFontWeight": "normal"}
    legend |= {"symbolStrokeWidth": 2, "symbolBaseStrokeColor": SOFT}
    header = {"labelColor": INK, "titleColor": SOFT, "labelFontSize": size, "labelFontWeight": 600, "titleFontSize": size}
    return alt.Config(
        font=FONT,
        background="transparent",
        padding={"left": 10, "right": 14, "top": 14, "bottom": 2},
        view={"stroke": None},
        axis=axis,
        legend=legend,
        header=header,
    )


def _size(narrow: bool, height: int = 380) -> dict[str, int]:
    return {"width": 270 if narrow else 600, "height": 300 if narrow else height}


def _legend(narrow: bool, columns: int, **more: Any) -> alt.Legend:
    return alt.Legend(
        orient="bottom", direction="horizontal", columns=2 if narrow else columns, title=None, columnPadding=22, symbolDash=[1, 0], **more
    )


def _methods(names: Sequence[str], narrow: bool) -> dict[str, Any]:
    """Colour, dash and shape by method, with one legend for all three."""
    known = [n for n in LINES if n in set(names)]
    styles = [LINES[n] for n in known]
    legend = _legend(narrow, 4, symbolSize=70)
    return {
        "color": alt.Color("method:N", scale=alt.Scale(domain=known, range=[s[0] for s in styles]), legend=legend),
        "strokeDash": alt.StrokeDash("method:N", scale=alt.Scale(domain=known, range=[s[1] for s in styles]), legend=None),
    }


def _shape(names: Sequence[str], narrow: bool) -> alt.Shape:
    known = [n for n in LINES if n in set(names)]
    scale = alt.Scale(domain=known, range=[LINES[n][2] for n in known])
    return alt.Shape("method:N", scale=scale, legend=_legend(narrow, 4, symbolSize=70))


# --- the charts ---


def accuracy_against_time(table: pd.DataFrame, narrow: bool, time: str, seconds: bool) -> Any:
    """A point for each method on each engine. table: family, engine, time, error, right, front, label, tip.

    time: the title of the horizontal axis; seconds: whether it has that unit. Hollow where not right everywhere; the front
    joins those than which none is both faster and more accurate.
    """
    x_scale, x_ticks = _log(table["time"].min(), table["time"].max(), 5 if narrow else 9)
    y_scale, y_ticks = _log(table["error"].min(), table["error"].max(), 7)
    label = "format(datum.value, '~s') + 's'" if seconds else "format(datum.value, '~s') + '×'"
    x = alt.X("time:Q", scale=x_scale, axis=_axis(time, x_ticks, label))
    y = alt.Y("error:Q", scale=y_scale, axis=_axis("error, in units of what inputs allow", y_ticks))
    families = [f for f in FAMILIES if f in set(table["family"])]
    engines = [e for e in ENGINE_SHAPES if e in set(table["engine"])]
    base = alt.Chart(table)
    colour = alt.Color(
        "family:N", scale=alt.Scale(domain=families, range=[FAMILIES[f] for f in families]), legend=_legend(narrow, 5, symbolType="circle")
    )
    points = base.mark_point(size=70 if narrow else 95, strokeWidth=1.8).encode(
        x=x,
        y=y,
        color=colour,
        fill=alt.condition("datum.right", colour, alt.value("transparent")),
        fillOpacity=alt.value(0.55),
        shape=alt.Shape("engine:N", scale=alt.Scale(domain=engines, range=[ENGINE_SHAPES[e] for e in engines]), legend=_legend(narrow, 4)),
        description="tip:N",
    )
    front = base.transform_filter("datum.front")
    line = front.mark_line(color=RULE, strokeDash=[4, 3], interpolate="step-after", strokeWidth=1.5).encode(x=x, y=y)
    layers = [line, points]
    if not narrow:
        layers.append(front.mark_text(align="left", dx=9, dy=-9, fontSize=12, color=INK).encode(x=x, y=y, text="label:N"))
    return _finish(alt.layer(*layers).properties(**_size(narrow)), narrow)


def step_error(table: pd.DataFrame, narrow: bool, symbol: str = "h") -> Any:
    """The error of differences against their step. table: method, h, error, truncation, rounding, tip; exact methods without h."""
    stepped = table[table["h"].notna() & (table["error"] > 0)]
    exact = table[table["h"].isna() & (table["error"] > 0)]
    low = max(min([*stepped["error"], *exact["error"]]), 1e-20)
    x_scale, x_ticks = _log(stepped["h"].min(), stepped["h"].max(), 5 if narrow else 9)
    y_scale, y_ticks = _log(low, stepped["error"].max(), 7)
    bottom, top = y_scale.to_dict()["domain"]
    x = alt.X("h:Q", scale=x_scale, axis=_axis(f"step {symbol}", x_ticks))
    y = alt.Y("error:Q", scale=y_scale, axis=_axis("absolute error", y_ticks))
    names = list(dict.fromkeys(table["method"]))
    asymptotes = pd.concat(
        [stepped[stepped["method"] != "fd.complex"].assign(error=stepped[c], kind=c) for c in ("truncation", "rounding")]
    )
    asymptotes = asymptotes[asymptotes["error"].between(bottom, top)]
    thin = alt.Chart(asymptotes).mark_line(strokeWidth=1, strokeDash=[3, 3], color=RULE).encode(x=x, y=y, detail=["method:N", "kind:N"])
    style = _methods(names, narrow)
    line = alt.Chart(stepped).mark_line(strokeWidth=2).encode(x=x, y=y, **style)
    dots = (
        alt.Chart(stepped)
        .mark_point(size=26, strokeWidth=1.5)
        .encode(x=x, y=y, color=style["color"], shape=_shape(names, narrow), description="tip:N")
    )
    rules = alt.Chart(exact).mark_rule(strokeWidth=2).encode(y=y, description="tip:N", **style)
    return _finish(alt.layer(thin, rules, line, dots).properties(**_size(narrow)), narrow)


SWELL = {
    "derivative": ("derivative, written out as a tree", "#c24e00", [1, 0], "triangle-up"),
    "function": ("the function itself, as a tree", "#57606a", [2, 2], "cross"),
    "cse": ("derivative, after common subexpressions", "#00805e", [6, 2], "diamond"),
    "nodes": ("derivative, distinct nodes of its graph", "#a4508b", [4, 2], "square"),
    "ad.reverse": ("one sweep of reverse mode", "#0072b2", [1, 0], "circle"),
}
"""The columns of a table of swell that are drawn, with the words, colour, dash and shape of each."""


def swell(table: pd.DataFrame, narrow: bool) -> Any:
    """Operations against size. table: n, what (a key of SWELL), count, tip."""
    named = table.assign(what=table["what"].map(lambda w: SWELL[w][0]))
    x = alt.X(
        "n:Q", scale=alt.Scale(domain=[table["n"].min(), table["n"].max()], nice=False), axis=alt.Axis(title="iterates n", tickMinStep=1)
    )
    y_scale, y_ticks = _log(max(table["count"].min(), 1), table["count"].max(), 6)
    y = alt.Y("count:Q", scale=y_scale, axis=_axis("operations", y_ticks, "format(datum.value, ',')"))
    domain, colours, dashes, shapes = map(list, zip(*SWELL.values(), strict=True))
    legend = alt.Legend(orient="bottom", direction="vertical", columns=1, title=None, labelLimit=300, symbolDash=[1, 0])
    colour = alt.Color("what:N", scale=alt.Scale(domain=domain, range=colours), legend=legend)
    dash = alt.StrokeDash("what:N", scale=alt.Scale(domain=domain, range=dashes), legend=None)
    shape = alt.Shape("what:N", scale=alt.Scale(domain=domain, range=shapes), legend=legend)
    base = alt.Chart(named).encode(x=x, y=y, color=colour)
    layers = alt.layer(
        base.mark_line(strokeWidth=2).encode(strokeDash=dash), base.mark_point(size=45).encode(shape=shape, description="tip:N")
    )
    return _finish(layers.properties(**_size(narrow, 340)), narrow)


def scaling(table: pd.DataFrame, narrow: bool, x_title: str, y_title: str) -> Any:
    """The cost of a gradient over that of its function. table: method, n, ratio, tip; panel: of several charts side by side."""
    x = alt.X(
        "n:Q",
        scale=alt.Scale(type="log", base=2, domain=[table["n"].min(), table["n"].max()], nice=False),
        axis=alt.Axis(title=x_title, values=sorted(set(table["n"])), format="d"),
    )
    low, high = table["ratio"].min(), table["ratio"].max()
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if low * 0.9 <= t <= high * 1.1]
    y = alt.Y(
        "ratio:Q",
        scale=alt.Scale(type="log", domain=[low * 0.85, high * 1.15], nice=False),
        axis=_axis(y_title, ticks, "format(datum.value, '~g') + '×'"),
    )
    names = list(dict.fromkeys(table["method"]))
    style = _methods(names, narrow)
    line = alt.Chart().mark_line(strokeWidth=2).encode(x=x, y=y, **style)
    dots = alt.Chart().mark_point(size=50).encode(x=x, y=y, color=style["color"], shape=_shape(names, narrow), description="tip:N")
    if table["panel"].nunique() < 2:
        return _finish(alt.layer(line, dots, data=table).properties(**_size(narrow, 340)), narrow)
    size = {"width": 270, "height": 230 if narrow else 280}
    facets = alt.layer(line, dots).properties(**size).facet(alt.Facet("panel:N", title=None), columns=1 if narrow else 2, data=table)
    return _finish(facets, narrow)


LINE_STYLES = (
    ("#0072b2", [1, 0], "circle"),
    ("#c24e00", [6, 2], "triangle-up"),
    ("#00805e", [2, 2], "diamond"),
    ("#a4508b", [4, 2, 1, 2], "square"),
    ("#1b1f24", [1, 2], "cross"),
    ("#b07800", [8, 3], "triangle-down"),
)
"""Colour, dash and shape of lines that are not methods, in the order of their appearance."""


def lines(table: pd.DataFrame, narrow: bool, titles: tuple[str, str], logarithmic: tuple[bool, bool]) -> Any:
    """Some lines and what each is. table: line, x, y; titles, logarithmic: of the horizontal and of the vertical axis.

    Lines that are methods look as everywhere; a mark is at the end of each, dots are too many.
    """
    table = table[table["x"].notna() & table["y"].notna()]
    x, y = (_quantity(table[c], c, t, log, 6) for c, t, log in zip("xy", titles, logarithmic, strict=True))
    names = list(dict.fromkeys(table["line"]))
    styles = [LINES.get(n, LINE_STYLES[k % len(LINE_STYLES)]) for k, n in enumerate(names)]
    legend = _legend(narrow, 4, symbolSize=70) if len(names) > 1 else None
    colour, dash, shape = (alt.Scale(domain=names, range=[s[part] for s in styles]) for part in range(3))
    marked = table.groupby("line", sort=False).tail(1)
    said = [f"{n}: {b:.4g} at {a:.4g}" for n, a, b in zip(marked["line"], marked["x"], marked["y"], strict=True)]
    drawn = alt.Chart(table).mark_line(strokeWidth=2).encode(x=x, y=y, color=alt.Color("line:N", scale=colour, legend=legend))
    drawn = drawn.encode(strokeDash=alt.StrokeDash("line:N", scale=dash, legend=None), order="row:Q")
    drawn.data = table.assign(row=range(len(table)))
    dots = alt.Chart(marked.assign(tip=said)).mark_point(size=70)
    dots = dots.encode(x=x, y=y, description="tip:N", color=alt.Color("line:N", scale=colour, legend=legend))
    dots = dots.encode(shape=alt.Shape("line:N", scale=shape, legend=legend))
    return _finish(alt.layer(drawn, dots).properties(**_size(narrow, 320)), narrow)


def _quantity(values: pd.Series[float], column: str, title: str, logarithmic: bool, most: int) -> Any:
    """A position channel for a column, logarithmic over whole decades or linear."""
    channel = alt.X if column == "x" else alt.Y
    if not logarithmic:
        return channel(f"{column}:Q", scale=alt.Scale(nice=column == "y", zero=False), axis=alt.Axis(title=title, tickCount=most))
    scale, ticks = _log(float(values.min()), float(values.max()), most)
    return channel(f"{column}:Q", scale=scale, axis=_axis(title, ticks))


BITS: Mapping[str, tuple[float, str]] = {
    "0 to 2": (2.0, "#e6ecf2"),
    "to 4": (4.0, "#b9d6ea"),
    "to 10": (10.0, "#6aa9d4"),
    "to 30": (30.0, "#f0a868"),
    "more": (math.inf, "#b3400a"),
}
"""Classes of lost bits and their colours, from nearly white through blue to vermilion."""


def lost_bits(table: pd.DataFrame, narrow: bool) -> Any:
    """A heat map of functions against methods. table: function, who, bits, order (of the derivative, in words), tip."""
    shown = table.assign(
        lost=[next(name for name, (upto, _) in BITS.items() if b <= upto) for b in table["bits"]],
        text=[f"{b:.0f}" for b in table["bits"]],
        strong=table["bits"] > BITS["to 30"][0],
    )
    y = alt.Y("function:N", sort=None, axis=alt.Axis(title=None, labelFontSize=12, domain=False, ticks=False))
    x = alt.X(
        "who:N",
        sort=None,
        axis=alt.Axis(title=None, orient="top", labelAngle=-40, domain=False, ticks=False, labelLimit=200, labelPadding=6),
    )
    colour = alt.Color(
        "lost:N",
        scale=alt.Scale(domain=list(BITS), range=[c for _, c in BITS.values()]),
        legend=alt.Legend(
            orient="bottom",
            direction="horizontal",
            columns=5 if not narrow else 3,
            title="bits lost at the worst point",
            symbolType="square",
            symbolStrokeWidth=0,
        ),
    )
    cells = alt.Chart().mark_rect(stroke="#ffffff", strokeWidth=1.5).encode(x=x, y=y, color=colour, description="tip:N")
    ink = alt.condition("datum.strong", alt.value("#fefefe"), alt.value(INK))
    words = alt.Chart().mark_text(fontSize=11).encode(x=x, y=y, text="text:N", color=ink)
    count = shown["who"].nunique()
    size = {"width": count * (38 if narrow else 46), "height": shown["function"].nunique() * 20}
    panel = alt.layer(cells, words).properties(**size)
    facets = panel.facet(
        alt.Facet("order:N", sort=None, title=None, header=alt.Header(labelOrient="bottom")), columns=1 if narrow else 2, data=shown
    )
    return _finish(facets.resolve_scale(x="independent"), narrow)

"""Curves of a page: colours, dashes and markers of `plots.style`, tools, and the line at the time of the picture.

Used by `picture` and `page`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bokeh.models import (
    BasicTicker,
    BoxZoomTool,
    ColumnDataSource,
    CustomJSTickFormatter,
    HoverTool,
    Legend,
    LegendItem,
    PanTool,
    ResetTool,
    SaveTool,
)
from bokeh.plotting import figure

from llgnegf.plots.style import COLOURS

HEIGHT = 230
"""Of curves, in pixels."""
DASHES: tuple[Any, ...] = ("solid", "dashed", "dotdash", "dotted", [6, 2, 2, 2, 2, 2], [2, 4], [10, 3])
MARKERS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "plus", "x")
NUMBER = """
const t = Number(tick.toPrecision(6)), size = Math.abs(t)
return size != 0 && (size < 1e-3 || size >= 1e5) ? t.toExponential().replace("e+", "e") : String(t)
"""
LOW, HIGH = " low", " high"
"""After the name of a curve's column: those of the edges of the band about it."""
PLAIN: dict[str, Any] = {"toolbar_location": None, "tools": ""}


def new_figure(x: str, y: str, **ranges: Any) -> Any:
    """An empty figure with its tools; none of them takes the wheel or a finger that scrolls the page."""
    tools = [BoxZoomTool(), PanTool(), ResetTool(), SaveTool()]
    plot = figure(
        height=HEIGHT, sizing_mode="stretch_width", tools=tools, active_drag=None, x_axis_label=x, y_axis_label=y,
        **ranges,
    )  # fmt: skip
    plot.toolbar.logo, plot.toolbar.autohide = None, True
    plot.yaxis.formatter = CustomJSTickFormatter(code=NUMBER)
    return plot


def whole_numbers(plot: Any) -> None:
    """Ticks of the horizontal axis at whole numbers only: sites."""
    plot.xaxis.ticker = BasicTicker(min_interval=1, num_minor_ticks=0)


def add_curves(
    plot: Any, source: ColumnDataSource, x: str, columns: Mapping[str, str], markers: bool = False, bands: bool = False
) -> list[list[tuple[Any, str, str]]]:
    """A curve for each of `columns`, names to columns of `source`, with a band about it if asked, and a legend above.

    Returns:
        What has to be changed to show other columns: for each curve glyphs, their properties, and what comes after the
        name of the column.
    """
    lines, items, changed = [], [], []
    for k, (name, column) in enumerate(columns.items()):
        look: Any = {"name": name, "source": source, "color": COLOURS[k % len(COLOURS)]}
        drawn = [plot.line(x, column, line_dash=DASHES[k % len(DASHES)], line_width=1.6, **look)]
        lines += drawn
        changed.append([(drawn[0].glyph, "y", "")])
        if bands:
            drawn.append(plot.varea(x, column + LOW, column + HIGH, level="underlay", fill_alpha=0.25, **look))
            changed[-1] += [(drawn[-1].glyph, "y1", LOW), (drawn[-1].glyph, "y2", HIGH)]
        if markers:
            drawn.append(plot.scatter(x, column, marker=MARKERS[k % len(MARKERS)], size=6, fill_color="white", **look))
        items.append(LegendItem(label=name, renderers=drawn))
    legend = Legend(items=items, orientation="horizontal", spacing=14, border_line_color=None, padding=0, margin=2)
    plot.add_layout(legend, "above")
    said = [("", "$name"), (x, f"@{x}{{%g}}"), ("value", "$snap_y{0.000000e+0}")]
    plot.add_tools(HoverTool(renderers=lines, tooltips=said, formatters={f"@{x}": "printf"}))
    return changed

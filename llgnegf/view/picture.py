"""One vector of each site as a picture that a slider moves: arrows over colours in a plane; along a wire arrows and
curves.

All frames are on the page, as whole numbers of two bytes, and picture.js draws the one that the slider points at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from bokeh.models import ColorBar, ColumnDataSource, CustomJS, CustomJSTickFormatter, LinearColorMapper, Range1d, Slider
from bokeh.plotting import figure

from llgnegf.plots.maps import EDGE, OUTLINED
from llgnegf.plots.plane import Plane
from llgnegf.plots.style import DIVERGING, PLACES, ROUND_OFF, colour_map, label
from llgnegf.view.content import COMPONENTS, PICTURES, Picture
from llgnegf.view.curves import NUMBER, PLAIN, add_curves, new_figure, whole_numbers

SCRIPT = (Path(__file__).parent / "picture.js").read_text()
WHOLE = 32767
"""The largest of the whole numbers; what is below its negative is NaN."""
STRIP, HIGHEST = 120, 500
"""Height of the arrows along a wire, and the most that a plane may have, in pixels."""
ARGUMENTS = ("plot", "plane", "cells", "points", "shapes", "arrows", "arrow", "profile")
"""Of the script; what a picture has none of is null."""


def packed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (frames, n) as whole ones of two bytes in one row, and what `WHOLE` stands for in each frame."""
    unit = np.nan_to_num(np.abs(values)).max(axis=1, initial=0.0)
    scaled = WHOLE * values / np.where(unit > 0, unit, 1.0)[:, None]
    whole = np.where(np.isnan(scaled), -WHOLE - 1, np.round(np.nan_to_num(scaled)))
    return whole.astype(np.int16).ravel(), unit


class PictureModels:
    """The bokeh models of a picture.

    Attributes:
        figures: What goes on the page: name of the block, heading, sentences and figure.
        flat: All frames, see `packed`.
        block: Numbers of a frame.
        script: Draws the frame that the slider points at.
    """

    def __init__(self, picture: Picture, frames: ColumnDataSource, slider: Slider) -> None:
        self.picture, self.plane, n_sites = picture, picture.plane, picture.values.shape[1]
        self.symbol = PICTURES[picture.name]
        self.flat = ColumnDataSource({"value": np.zeros(0, np.int16)})
        palette = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b, _ in colour_map(DIVERGING)(range(256), bytes=True)]
        self._mapper = LinearColorMapper(palette=palette, low=-1.0, high=1.0, nan_color="#999999")
        self.block = 3 * n_sites if self.plane is None else n_sites + 2 * len(self.plane.arrows)
        self.figures: list[tuple[Any, ...]] = []
        drawn: dict[str, Any] = dict.fromkeys(ARGUMENTS)
        drawn |= self._in_plane(self.plane) if self.plane is not None else self._along_wire(n_sites)
        arguments = {"flat": self.flat, "frames": frames, "slider": slider, "mapper": self._mapper}
        self.script = CustomJS(args={**arguments, "name": picture.name, "block": self.block, **drawn}, code=SCRIPT)
        slider.js_on_change("value", self.script)
        for model, events in ((frames, ("data", "streaming")), (drawn["plot"], ("inner_width", "inner_height"))):
            for event in events if model is not None else ():
                model.js_on_change(event, self.script)

    def numbers(self, picture: Picture) -> tuple[np.ndarray, np.ndarray]:
        """The frames as `flat` holds them, and what they are measured in."""
        values = picture.values
        if self.plane is None:
            return packed(values.transpose(0, 2, 1).reshape(len(values), -1))
        first, second, across = self.plane.axes
        arrows = values[:, self.plane.arrows]
        return packed(np.concatenate([values[:, :, across], arrows[:, :, first], arrows[:, :, second]], axis=1))

    def set_bounds(self, picture: Picture) -> None:
        """Scale colours, arrows and curves to the longest of all vectors; moments are unit vectors."""
        length = np.linalg.norm(picture.values, axis=-1)
        bound = 1.0 if picture.name == "moments" else float(np.nan_to_num(length).max(initial=0.0))
        bound = bound if bound > ROUND_OFF else 1.0
        self._mapper.update(low=-bound, high=bound)
        if self.plane is None:
            self._profile.y_range.update(start=-1.08 * bound, end=1.08 * bound)

    def _in_plane(self, plane: Plane) -> dict[str, Any]:
        """Cells in colour, and arrows over them; what the script needs."""
        low, high = plane.frame
        first, second, third = plane.names
        plot = figure(
            x_range=Range1d(low[0], high[0]), y_range=Range1d(low[1], high[1]), **PLAIN,
            x_axis_label=f"{first} (nm)", y_axis_label=f"{second} (nm)", height=HIGHEST, sizing_mode="stretch_width",
            name=f"plane of {self.picture.name}",
        )  # fmt: skip
        plot.grid.visible = False
        edge = EDGE if len(plane.points) <= OUTLINED else None
        cells = ColumnDataSource({"xs": [], "ys": [], "value": []}, name=f"{self.picture.name} of the sites")
        colour = {"field": "value", "transform": self._mapper}
        plot.patches("xs", "ys", source=cells, fill_color=colour, line_color=edge or colour, line_width=0.5)
        arrows = ColumnDataSource({"xs": [], "ys": []})
        plot.patches("xs", "ys", source=arrows, fill_color="black", line_color="white", line_width=0.5)
        shapes, kinds = _shapes(plane)
        x, y = plane.points.T
        points = ColumnDataSource({"x": x, "y": y, "shape": kinds})
        n_sites, n_arrows = len(plane.points), len(plane.arrows)
        arrow = {
            "x": x[plane.arrows], "y": y[plane.arrows], "room": 0.92 * plane.arrow_spacing, "wire": False,
            "colour": 0, "first": n_sites, "second": n_sites + n_arrows,
        }  # fmt: skip
        self._say(plot, first, second, third)
        fit = {"x": [low[0], high[0]], "y": [low[1], high[1]], "highest": HIGHEST}
        drawn = {"cells": cells, "points": points, "shapes": shapes, "arrows": arrows, "arrow": arrow}
        return {"plot": plot, "plane": fit, **drawn}

    def _along_wire(self, n_sites: int) -> dict[str, Any]:
        """Curves of the components, of moments arrows above them too; what the script needs."""
        site = np.arange(n_sites)
        components = {a: np.zeros(n_sites) for a in COMPONENTS}
        profile = ColumnDataSource({"site": site, **components}, name=f"{self.picture.name} along the wire")
        margin = max(0.6, 0.5 * (4 - n_sites))
        across = Range1d(-margin, n_sites - 1 + margin)
        self._profile = new_figure(PLACES[self.picture.place], label(self.symbol, self.picture.units), x_range=across)
        self._profile.y_range = Range1d(-1, 1)
        whole_numbers(self._profile)
        add_curves(self._profile, profile, "site", {a: a for a in COMPONENTS}, markers=n_sites <= 100)
        drawn: dict[str, Any] = {"profile": profile}
        if self.picture.name == "moments":
            drawn |= self._arrows_along_wire(site, across)
        self.figures.append(("picture", f"{self.picture.text}, along the wire", self._profile))
        return drawn

    def _arrows_along_wire(self, site: np.ndarray, across: Range1d) -> dict[str, Any]:
        n_sites = len(site)
        plot = figure(height=STRIP, x_range=across, y_range=Range1d(-1, 1), sizing_mode="stretch_width", **PLAIN)
        plot.yaxis.visible, plot.grid.visible = False, False
        whole_numbers(plot)
        arrows = ColumnDataSource({"xs": [], "ys": [], "x": [], "y": [], "value": []})
        colour = {"field": "value", "transform": self._mapper}
        plot.scatter("x", "y", source=arrows, size=7, fill_color=colour, line_color="black", line_width=0.5)
        plot.patches("xs", "ys", source=arrows, fill_color=colour, line_color="black", line_width=0.5)
        arrow = {
            "x": site, "y": np.zeros(n_sites), "room": 0.9, "wire": True,
            "colour": n_sites, "first": 0, "second": 2 * n_sites,
        }  # fmt: skip
        self._say(plot, "x", "z", "y")
        return {"plot": plot, "arrows": arrows, "arrow": arrow}

    def _say(self, plot: Any, first: str, second: str, third: str) -> None:
        """Add the figure with its colour bar, and in words what is seen."""
        ticks = CustomJSTickFormatter(code=NUMBER)
        plot.add_layout(ColorBar(color_mapper=self._mapper, width=10, padding=4, formatter=ticks), "right")
        arrows, colour = f"arrows ({self.symbol}_{first}, {self.symbol}_{second})", f"colour {self.symbol}_{third}"
        said = f"{arrows}, {label(colour, self.picture.units)}"
        self.figures.append(("picture" if self.plane else "wide picture", self.picture.text, said, plot))


def _shapes(plane: Plane) -> tuple[list[list[list[float]]], np.ndarray]:
    """The few shapes that the cells of all sites have, as corners [xs, ys] about the site, and which one each has."""
    found: dict[bytes, int] = {}
    shapes: list[list[list[float]]] = []
    kinds = np.zeros(len(plane.points), np.int32)
    for k, (cell, point) in enumerate(zip(plane.cells, plane.points, strict=True)):
        corners = cell - point
        key = np.round(corners / plane.spacing, 3).tobytes()
        if key not in found:
            found[key] = len(shapes)
            shapes.append(corners.T.tolist())
        kinds[k] = found[key]
    return shapes, kinds

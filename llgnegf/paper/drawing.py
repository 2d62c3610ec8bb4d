"""What the figures' panels have in common: styles of the parts and of the lab frame's points, letters, captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.paper.lab_frame import KT
from llgnegf.paper.model import PARTS
from llgnegf.plots.style import COLOURS, LINES, MARKERS

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MICRO = 1e-6
"""Torques and currents are shown in micro-eV."""
CHARACTERS_PER_INCH = 19
"""Of the caption's small print."""
UNIT = "\N{GREEK SMALL LETTER MU}eV"
NAMES = {"geometric": "geo", "sea": "sea", "surface": "surf"}
PART_STYLES: dict[str, dict[str, Any]] = {
    "geometric": {"color": COLOURS[0], "linestyle": LINES[0]},
    "sea": {"color": COLOURS[2], "linestyle": LINES[2]},
    "surface": {"color": COLOURS[1], "linestyle": LINES[1]},
    "sum": {"color": COLOURS[6], "linestyle": LINES[3], "linewidth": 1.8},
}
PART_MARKERS = {"geometric": MARKERS[0], "sea": MARKERS[2], "surface": MARKERS[1], "sum": None}
SMF: dict[str, Any] = {"color": COLOURS[6], "linestyle": LINES[1], "linewidth": 1.2}
LAB: dict[str, Any] = {
    "color": COLOURS[3], "linestyle": "none", "marker": "o", "markerfacecolor": "none", "markersize": 8,
    "markeredgewidth": 1.3, "zorder": 5,
}  # fmt: skip
EXACT: dict[str, Any] = {**LAB, "color": COLOURS[6], "marker": "+", "markersize": 6, "markeredgewidth": 1.1}
ALL_ORDERS: dict[str, Any] = {**EXACT, "linestyle": "-", "linewidth": 0.8, "zorder": 4}
"""Where the exact values are a curve of their own, which the first order misses."""
FIRST_ORDER = r"sum: first order in $\hbar\omega$"
NOISE = 1e-6
"""Of the largest torque: what is below is round-off and quadrature."""
DIFFERS = 0.05
"""Of the largest value in a panel: from here on it is said that the first order is not the exact answer."""


def part_style(part: str, markers: bool = False) -> dict[str, Any]:
    """Colour, line and, for profiles along the wire, marker of a part's curve."""
    extra = {"marker": PART_MARKERS[part], "markerfacecolor": "white", "markersize": 4} if markers else {}
    return PART_STYLES[part] | extra


def part_curves(axes: Axes, x: Any, values: xarray.DataArray, symbol: str, markers: bool = False) -> None:
    """A curve for each part of the torque `values` (eV), and one for their sum."""
    for part in PARTS:
        text = rf"${symbol}^\mathrm{{{NAMES[part]}}}$"
        axes.plot(x, values.sel(part=part) / MICRO, label=text, **part_style(part, markers))
    axes.plot(x, (values / MICRO).sum("part"), label=FIRST_ORDER, **part_style("sum"))


def lab_points(
    axes: Axes, x: Any, dataset: xarray.Dataset, name: str, kT: str = f"$kT$ = {1e3 * KT:g} meV", missed: float = 0.0
) -> None:
    """Circles for the lab frame's values and crosses for the exact ones at the same kT, all orders in hbar w.

    Where the first order has `missed` more than DIFFERS of the exact values, a line joins them and the panel says so.
    Nothing without the lab frame.
    """
    if not has_lab(dataset):
        return
    lab, exact = (dataset[f"{who}_{name}"].values / MICRO for who in ("lab", "exact"))
    axes.plot(x, lab, label=rf"lab frame $G^<(t,t)$: all orders in $\hbar\omega$, {kT}", **LAB)
    style = ALL_ORDERS if missed > DIFFERS else EXACT
    axes.plot(x, exact, label=rf"exact rotating frame: all orders in $\hbar\omega$, {kT}", **style)
    if missed > DIFFERS:
        text = "solid black: exact, all orders\ndotted: first order only"
        axes.text(0.5, 0.97, text, transform=axes.transAxes, ha="center", va="top", fontsize=7)
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.25 * (high - low))  # room for the text


def missed_by_first_order(first_order: Any, exact: Any, reference: float) -> float:
    """Largest |first_order - exact| of the largest exact value; 0 for values that are noise beside `reference`."""
    first_order, exact = np.asarray(first_order), np.asarray(exact)
    largest = float(np.abs(exact).max())
    return float(np.abs(first_order - exact).max()) / largest if largest > NOISE * reference else 0.0


def letter(axes: Axes, text: str, title: str = "") -> None:
    """The panel's letter, and its title, above the panel."""
    axes.set_title(f"({text})", loc="left", fontweight="bold")
    axes.set_title(title)


def caption(figure: Figure, sentences: list[str]) -> None:
    """Small print below all panels, each sentence from a new line."""
    width = int(CHARACTERS_PER_INCH * figure.get_size_inches()[0])
    text = "\n".join(_wrapped(s, width) for s in sentences)
    figure.supxlabel(text, fontsize=7, x=0.01, ha="left", multialignment="left")


def _wrapped(text: str, width: int) -> str:
    """Lines of at most `width` visible characters; formulas in $...$ are not broken."""
    lines, length = [""], 0
    for word in re.findall(r"(?:\$[^$]*\$|[^\s$])+", text):
        visible = len(re.sub(r"\\[,;]|[${}^_]", "", re.sub(r"\\[a-zA-Z]+ *", "x", word)))
        if length and length + 1 + visible > width:
            lines.append("")
            length = 0
        lines[-1] += (" " if length else "") + word
        length += visible + (length > 0)
    return "\n".join(lines)


def has_lab(dataset: xarray.Dataset) -> bool:
    """Whether the lab frame was asked for."""
    return any(str(name).startswith("lab_") for name in dataset.data_vars)


def order(value: float) -> str:
    """A relative difference with one significant digit, as mathtext."""
    if value == 0:
        return "0"
    digit, power = f"{value:.0e}".split("e")
    return rf"${digit}\times10^{{{int(power)}}}$"


def each(differences: Any, places: Sequence[str]) -> str:
    """Relative differences with the places that they are of, for a caption."""
    return ", ".join(f"{order(float(d))} ({place})" for d, place in zip(differences, places, strict=True))

"""How every plot of the package looks, in one place: colours, line styles, sizes, and units with their prefix.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; each comes with its own line style and
marker, so that a print without colour can be read too. Figures are made without pyplot and its global state.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
R = TypeVar("R")

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "x")
DIVERGING, SEQUENTIAL = "PuOr_r", "viridis_r"
"""Colour maps that colour-blind readers can read, for values of both signs and for magnitudes."""
TRIMMED = {DIVERGING: (0.07, 0.93), SEQUENTIAL: (0.06, 1.0)}
"""The part of a map that is used: black arrows stand out from its ends, and its light end from paper."""
WIDTH = 7.0
"""Width of a figure in inches: a page's text width."""

STYLE: Any = {
    "font.size": 9.0, "axes.titlesize": 9.0, "axes.labelsize": 9.0, "legend.fontsize": 8.5,
    "xtick.labelsize": 8.0, "ytick.labelsize": 8.0, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "lines.linewidth": 1.4, "lines.markersize": 4.5, "legend.frameon": False, "legend.handlelength": 2.8,
    "axes.prop_cycle": f"cycler(color={list(COLOURS)})", "axes.formatter.limits": (-4, 5),
    "axes.formatter.useoffset": False, "pdf.fonttype": 42, "savefig.dpi": 150.0, "figure.dpi": 150.0,
}  # fmt: skip

PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "\N{GREEK SMALL LETTER MU}"), (1e-9, "n"), (1e-12, "p"))
ROUND_OFF = 1e-12
"""Below this every quantity of the package, all of them near 1 in their units or zero, is round-off."""


class Scale(NamedTuple):
    """Values divided by `factor` carry the unit `units`."""

    factor: float
    units: str


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` with the package's style, and leave that of the caller as it is."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return function(*args, **kwargs)

    return wrapped


def colour_map(name: str) -> Any:
    """A colour map of the package, without the ends that are too dark or too light."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    low, high = TRIMMED.get(name, (0.0, 1.0))
    return LinearSegmentedColormap.from_list(f"{name} trimmed", colormaps[name](np.linspace(low, high, 256)))


def new_figure(height: float, width: float = WIDTH, dpi: float | None = None) -> Figure:
    """An empty figure that lays itself out, `height` by `width` inches."""
    return _figure_class()(figsize=(width, height), layout="constrained", dpi=dpi)


@cache
def _figure_class() -> type[Figure]:
    """Matplotlib's Figure without pyplot, drawn in the package's style wherever it is shown or written."""
    from matplotlib import figure
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    class Figure(figure.Figure):
        """A Figure that a notebook shows."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            FigureCanvasAgg(self)

        @styled
        def savefig(self, fname: Any, **options: Any) -> None:
            """As `matplotlib.figure.Figure.savefig`."""
            super().savefig(fname, **options)

        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.savefig(file, format="png")
            return file.getvalue()

    return Figure


def line(k: int, **other: Any) -> dict[str, Any]:
    """Colour and line style of the k-th curve of a panel."""
    return {"color": COLOURS[k % len(COLOURS)], "linestyle": LINES[(k + k // len(COLOURS)) % len(LINES)], **other}


def points(k: int, **other: Any) -> dict[str, Any]:
    """The same with a marker, for few points along the wire."""
    return {**line(k), "marker": MARKERS[k % len(MARKERS)], "markerfacecolor": "white", **other}


def scale(values: Any, units: str) -> Scale:
    """A factor and unit with which the largest of `values` has one to three digits before the point."""
    largest = largest_of(values)
    if units == "1":
        return Scale(1.0, "")
    if largest <= ROUND_OFF or (units != "eV" and 0.01 <= largest < 1000) or largest >= 1:
        return Scale(1.0, units)
    if units == "eV":
        factor, prefix = next((p for p in PREFIXES if largest >= p[0]), PREFIXES[-1])
        return Scale(factor, prefix + units)
    power = int(np.floor(np.log10(largest)))
    return Scale(10.0**power, rf"$10^{{{power}}}$ {units}")


SITE = "site i (the first is 0)"
"""Label of every axis along the wire: sites are counted as in arguments, files and results."""
PLACES = {"site": SITE, "moment": "moment k (the first is 0)"}
"""Labels of that axis, by the dim."""


def largest_of(values: Any) -> float:
    """Largest finite magnitude in `values`; 0 if there is none."""
    array = np.abs(np.asarray(values, dtype=float))
    return float(array[np.isfinite(array)].max(initial=0.0))


def label(name: str, units: str) -> str:
    """Axis label with its unit, if it has one."""
    return f"{name} ({units})" if units else name


def keep_noise_flat(axes: Axes, values: Any, reference: float) -> None:
    """Give a panel whose `values` are noise beside `reference` the scale of the reference, not that of the noise."""
    if largest_of(values) <= max(1e-6 * reference, ROUND_OFF):
        bound = 0.1 * reference if reference > ROUND_OFF else 1.0
        axes.set_ylim(-bound, bound)


def whole_numbers(axes: Axes) -> None:
    """Ticks of the horizontal axis at whole numbers only: sites."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def legend_above(figure: Figure, axes: Axes, columns: int | None = None) -> None:
    """The legend of `axes` above all panels, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=columns or min(len(labels), 4))

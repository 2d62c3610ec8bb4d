"""Moments as arrows at chosen times: in the plane that the sites span, or along the wire.

`animation` shows the same moving.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.plots.data import place_of, require, rows_at, vectors
from llgnegf.plots.maps import plot_vectors
from llgnegf.plots.plane import plane_of
from llgnegf.plots.style import DIVERGING, PLACES, colour_map, new_figure, styled

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = 1.15
"""Height of a panel along the wire, in inches."""


@styled
def plot_texture(dataset: xarray.Dataset, times: float | Sequence[float] | None = None) -> Figure:
    """The moments as arrows at one time or some.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run.
    times : float or sequence of float, optional
        In fs, the rows next to them are shown; None: the first, middle and last row.

    Returns
    -------
    matplotlib.figure.Figure
        Arrows (M_x, M_y) over M_z in colour where the sites span the x-y plane, likewise in other planes; along a wire
        arrows (M_x, M_z) whose colour is M_y.

    Raises
    ------
    MissingDataError
        A ValueError: without moments or rows.
    ValueError
        For times that are none of the run.

    Examples
    --------
    >>> run = ln.simulate(None, ln.Magnet(ln.helix(8, 0.8), magnetic_moment=1.0), t_end=2.0)
    >>> ln.plots.plot_texture(run.dataset, times=[0.0, 2.0])
    <Figure size 1050x450 with 3 Axes>
    """
    require(dataset, "moments")
    place = place_of(dataset, "moments")
    if plane_of(dataset, place) is not None:
        return plot_vectors(dataset, "moments", times)
    rows = rows_at(dataset, times)
    figure = new_figure(0.7 + PANEL * len(rows))
    panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    shown, when = vectors(dataset, "moments", rows), dataset["time"].values[rows]
    for axes, moments, time in zip(panels, shown, when, strict=True):
        arrows = draw_wire(axes, place, moments)
        axes.set_title(f"t = {time:.4g} fs")
        axes.label_outer()
    figure.colorbar(arrows, ax=list(panels), label=r"$M_y$", pad=0.01)
    return figure


def draw_wire(axes: Axes, place: str, moments: np.ndarray) -> Any:
    """Arrows (M_x, M_z) of `moments` (N, 3) beside one another, coloured by M_y; `place` is their dim."""
    n_sites = len(moments)
    position = np.arange(n_sites)
    length = 0.45  # of the distance between sites, so that neighbours do not touch
    arrows = axes.quiver(
        position, np.zeros(n_sites), moments[:, 0], moments[:, 2], moments[:, 1],
        cmap=colour_map(DIVERGING), clim=(-1, 1), pivot="middle", units="width", scale_units="width",
        scale=max(n_sites, 4) / (2 * length), width=min(0.012, 0.12 / max(n_sites, 4)),
        edgecolor="black", linewidth=0.5,
    )  # fmt: skip
    margin = max(0.6, 0.5 * (4 - n_sites))
    axes.set(xlim=(-margin, n_sites - 1 + margin), ylim=(-1, 1), xlabel=PLACES[place], yticks=[])
    axes.set_xticks(range(0, n_sites, -(-n_sites // 10)))
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.set_ylabel(r"$M_z$ up, $M_x$ right")
    return arrows

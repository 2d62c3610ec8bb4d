"""Maps of runs whose sites span a plane: vectors as arrows over colours, densities, and currents on the bonds.

Each function takes an xarray.Dataset and times in fs, and returns a matplotlib Figure; `run` draws them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._checks import need
from llgnegf.plots.data import MissingDataError, place_of, require, rows_at, vectors
from llgnegf.plots.plane import FEWER, Plane, plane_of
from llgnegf.plots.style import (
    DIVERGING,
    ROUND_OFF,
    SEQUENTIAL,
    colour_map,
    label,
    largest_of,
    new_figure,
    scale,
    styled,
)

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SYMBOLS = {
    "moments": "M", "spin_density": r"\langle\sigma\rangle", "torque": "T", "torque_adiabatic": r"T^\mathrm{ad}",
    "torque_nonadiabatic": r"T^\mathrm{na}", "spin_density_adiabatic": r"\langle\sigma\rangle^\mathrm{ad}",
}  # fmt: skip
DENSITIES = {"charge_density": "electrons per site"}
WIDE = 1.7
"""Lattices wider than this times their height are drawn below one another."""
MOST_BONDS = 900
"""With more of them currents are shown at the sites, the mean over their bonds."""
EDGE = "#c4c4c4"
"""Of cells, which tells white ones from paper."""
OUTLINED = 1000
"""Cells of more sites have no outline."""
FAINT = 0.03
"""Currents below this part of the largest have no arrow."""


@styled
def plot_vectors(dataset: xarray.Dataset, name: str, times: float | Sequence[float] | None = None) -> Figure:
    """A vector of each site as a map: arrows in the plane, the component across it in colour.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run whose sites span a plane.
    name : str
        "moments", "torque", "spin_density" or another column of this kind.
    times : float or sequence of float, optional
        In fs, the rows next to them are shown; None: the first, middle and last row.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it, `savefig` writes it.

    Raises
    ------
    MissingDataError
        Without this column, without positions that span a plane, or without rows.
    ValueError
        For times that are none of the run, and columns of another kind.

    Examples
    --------
    >>> lattice = ln.square(3, 2)
    >>> system = ln.OpenSystem(lattice.electrons(hopping=1.0, j_sd=0.2), [ln.ChainLead(0)], kT=0.2)
    >>> run = ln.simulate(system, ln.Frozen(ln.helix(6, 0.8)), t_end=2.0, rtol=1e-3)
    >>> ln.plots.plot_vectors(run.dataset, "torque", times=2.0).savefig("torque.png")
    """
    _check_kind(dataset, name, {"time", "site", "component"}, {"time", "moment", "component"})
    plane, rows = _plane_and_rows(dataset, name, times)
    data = dataset[name].isel(time=rows)
    values = vectors(dataset, name, rows)[..., list(plane.axes)]
    unit_vectors = data.attrs["units"] == "1" and name == "moments"
    factor, units = scale(values, data.attrs["units"])
    longest = largest_of(np.linalg.norm(values[..., :2], axis=-1)) / factor
    largest = largest_of(values[..., 2]) / factor
    bounds = (1.0, 1.0) if unit_vectors else (longest or 1.0, largest or longest or 1.0)
    figure, panels = _panels(plane, len(rows), below=0.22)
    symbol = SYMBOLS.get(name, name.replace("_", r"\_"))
    for axes, shown, time in zip(panels, values / factor, data["time"].values, strict=True):
        cells, _ = draw_vectors(axes, plane, shown, *bounds)
        axes.set_title(f"t = {time:.4g} fs")
    in_plane = rf"arrows: $({symbol}_{plane.names[0]}, {symbol}_{plane.names[1]})$"
    if not unit_vectors:
        in_plane += f", the longest {longest:.3g} {units}".rstrip()
    _colour_bar(figure, panels, cells, label(rf"${symbol}_{plane.names[2]}$", units))
    figure.supxlabel(in_plane, fontsize="medium")
    return figure


@styled
def plot_density(
    dataset: xarray.Dataset, name: str = "charge_density", times: float | Sequence[float] | None = None
) -> Figure:
    """A number of each site, dims (time, site), in colour.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run whose sites span a plane.
    name : str, default 'charge_density'
        A column with dims (time, site).
    times : float or sequence of float, optional
        In fs, the rows next to them are shown; None: the first, middle and last row.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it, `savefig` writes it.

    Raises
    ------
    MissingDataError, ValueError
        As `plot_vectors`.

    Examples
    --------
    >>> lattice = ln.square(3, 2)
    >>> system = ln.OpenSystem(lattice.electrons(hopping=1.0, j_sd=0.2), [ln.ChainLead(0)], kT=0.2)
    >>> run = ln.simulate(system, ln.Frozen(ln.helix(6, 0.8)), t_end=2.0, rtol=1e-3)
    >>> ln.plots.plot_density(run.dataset).savefig("charge.png")
    """
    _check_kind(dataset, name, {"time", "site"})
    plane, rows = _plane_and_rows(dataset, name, times)
    data = dataset[name].isel(time=rows)
    values = data.transpose("time", "site").values
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6 * max(abs(low), abs(high), ROUND_OFF):
        low, high = low - 0.5, high + 0.5
    figure, panels = _panels(plane, len(rows))
    for axes, numbers, time in zip(panels, values, data["time"].values, strict=True):
        cells = _draw_cells(axes, plane, numbers, (low, high), "cividis")
        axes.set_title(f"t = {time:.4g} fs")
    units = "" if data.attrs["units"] == "1" else data.attrs["units"]
    _colour_bar(figure, panels, cells, label(DENSITIES.get(name, name.replace("_", " ")), units))
    return figure


@styled
def plot_bond_currents(dataset: xarray.Dataset, times: float | Sequence[float] | None = None) -> Figure:
    """Particle currents as arrows on the bonds, width and colour by magnitude.

    Of more bonds than can be told apart the mean over the bonds of each site is shown.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run whose sites span a plane.
    times : float or sequence of float, optional
        In fs, the rows next to them are shown; None: the first, middle and last row.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it, `savefig` writes it.

    Raises
    ------
    MissingDataError, ValueError
        As `plot_vectors`; where all currents are zero.

    Examples
    --------
    >>> lattice = ln.square(3, 2)
    >>> lead = ln.ChainLead(0, voltage=lambda t: 0.1 * t)
    >>> system = ln.OpenSystem(lattice.electrons(hopping=1.0, j_sd=0.2), [lead], kT=0.2)
    >>> run = ln.simulate(system, ln.Frozen(ln.helix(6, 0.8)), t_end=2.0, rtol=1e-3)
    >>> ln.plots.plot_bond_currents(run.dataset, times=2.0).savefig("currents.png")
    """
    plane, rows = _plane_and_rows(dataset, "bond_current", times)
    data = dataset["bond_current"].isel(time=rows)
    titles = [f"t = {time:.4g} fs" for time in data["time"].values]
    return _currents(dataset, plane, data.transpose("time", "bond").values, titles, data.attrs["units"], "current")


@styled
def plot_bond_spin_currents(dataset: xarray.Dataset, time: float | None = None) -> Figure:
    """Spin currents of each component as arrows on the bonds, at one time.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run whose sites span a plane.
    time : float, optional
        In fs, the row next to it is shown; None: the last row.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it, `savefig` writes it.

    Raises
    ------
    MissingDataError, ValueError
        As `plot_vectors`; where all currents are zero.

    Examples
    --------
    >>> lattice = ln.square(3, 2)
    >>> system = ln.OpenSystem(lattice.electrons(hopping=1.0, j_sd=0.2), [ln.ChainLead(0)], kT=0.2)
    >>> run = ln.simulate(system, ln.Frozen(ln.helix(6, 0.8)), t_end=2.0, rtol=1e-3)
    >>> ln.plots.plot_bond_spin_currents(run.dataset).savefig("spin_currents.png")
    """
    plane, rows = _plane_and_rows(dataset, "bond_spin_current", None if time is None else [time])
    data = dataset["bond_spin_current"].isel(time=rows[-1])
    titles = [f"spin {a}, t = {float(data['time']):.4g} fs" for a in "xyz"]
    values = data.transpose("component", "bond").values
    return _currents(dataset, plane, values, titles, data.attrs["units"], "spin current")


def draw_vectors(axes: Axes, plane: Plane, values: np.ndarray, longest: float, largest: float) -> tuple[Any, Any]:
    """Cells and arrows of the vectors `values` (N, 3), components along the axes of the plane; both take others too.

    `longest` is the length of an arrow as long as the distance of arrows, `largest` the end of the colours.
    """
    cells = _draw_cells(axes, plane, values[:, 2], (-largest, largest), DIVERGING)
    shown, length = plane.arrows, plane.arrow_spacing
    arrows = axes.quiver(
        *plane.points[shown].T, *values[shown, :2].T, angles="xy", scale_units="xy", scale=longest / (0.92 * length),
        units="xy", width=0.085 * length, headwidth=3.4, headlength=3.6, headaxislength=3.2, minlength=0.05,
        minshaft=1.2, pivot="middle", color="black", edgecolor="white", linewidth=0.35 if len(shown) <= FEWER else 0.15,
    )  # fmt: skip
    return cells, arrows


def _draw_cells(axes: Axes, plane: Plane, values: np.ndarray, limits: tuple[float, float], name: str) -> Any:
    from matplotlib.collections import PolyCollection

    cells = PolyCollection(plane.cells, cmap=colour_map(name), linewidths=0.4, edgecolors="face")
    if len(plane.points) <= OUTLINED:
        cells.set_edgecolor(EDGE)
    cells.set_array(values)
    cells.set_clim(*limits)
    axes.add_collection(cells)
    _frame(axes, plane)
    return cells


def _currents(
    dataset: xarray.Dataset, plane: Plane, values: np.ndarray, titles: Sequence[str], units: str, name: str
) -> Figure:
    """A panel for each row of `values` (n, n_bonds)."""
    if not values.shape[1]:
        raise MissingDataError("no bonds")
    if largest_of(values) <= ROUND_OFF:
        raise MissingDataError("all currents on the bonds are zero")
    bonds = np.array([str(bond).split("-") for bond in dataset["bond"].values], dtype=int)
    at_sites = len(bonds) > MOST_BONDS
    figure, panels = _panels(plane, len(values), below=0.22 if at_sites else 0.0)
    shown = np.stack([_at_sites(plane, bonds, v) for v in values]) if at_sites else values[..., None]
    factor, units = scale(np.linalg.norm(shown, axis=-1), units)
    bound = largest_of(np.linalg.norm(shown, axis=-1)) / factor
    for axes, numbers, title in zip(panels, shown / factor, titles, strict=True):
        draw = _draw_mean_currents if at_sites else _draw_on_bonds
        artist = draw(axes, plane, bonds, numbers, bound)
        axes.set_title(title)
    _colour_bar(figure, panels, artist, label(name, units))
    if at_sites:
        figure.supxlabel("mean over the bonds of each site", fontsize="medium")
    return figure


def _at_sites(plane: Plane, bonds: np.ndarray, current: np.ndarray) -> np.ndarray:
    """(N, 2): half of the current on each bond of a site, along the bond; the mean of what comes in and goes out."""
    step = plane.points[bonds[:, 1]] - plane.points[bonds[:, 0]]
    along = 0.5 * current[:, None] * step / np.linalg.norm(step, axis=1, keepdims=True)
    total = np.zeros_like(plane.points)
    for end in (0, 1):
        np.add.at(total, bonds[:, end], along)
    return total


def _draw_mean_currents(axes: Axes, plane: Plane, bonds: np.ndarray, current: np.ndarray, bound: float) -> Any:
    cells = _draw_cells(axes, plane, np.linalg.norm(current, axis=1), (0, bound), SEQUENTIAL)
    size = np.linalg.norm(current, axis=1)[plane.arrows]
    chosen = plane.arrows[size > FAINT * bound]
    length = 0.8 * plane.arrow_spacing
    step = current[chosen] / np.linalg.norm(current[chosen], axis=1, keepdims=True) * length
    weight = np.sqrt(size[size > FAINT * bound] / bound)
    style = {"facecolor": "black", "edgecolor": "white", "linewidths": 0.4}
    _draw_arrows(axes, plane.points[chosen] - step / 2, step, 0.12 * length * (0.4 + weight), **style)
    return cells


def _draw_on_bonds(axes: Axes, plane: Plane, bonds: np.ndarray, current: np.ndarray, bound: float) -> Any:
    from matplotlib.collections import LineCollection

    start, end = plane.points[bonds[:, 0]], plane.points[bonds[:, 1]]
    lines = list(np.stack([start, end], axis=1))
    axes.add_collection(LineCollection(lines, colors="#dcdcdc", linewidths=0.6, zorder=1))
    sites: Any = {"s": 12.0 if len(plane.points) < 150 else 4.0, "color": "#9a9a9a", "linewidths": 0, "zorder": 1.5}
    axes.scatter(plane.points[:, 0], plane.points[:, 1], **sites)
    size = np.abs(current[:, 0])
    strong = np.flatnonzero(size > FAINT * bound)
    strong = strong[np.argsort(size[strong])]  # the largest on top
    sign = np.sign(current[strong])
    step = sign * (end[strong] - start[strong])
    middle = 0.5 * (start[strong] + end[strong])
    width = plane.spacing * (0.05 + 0.2 * size[strong] / bound)
    arrows = _draw_arrows(axes, middle - 0.4 * step, 0.8 * step, width)
    arrows.set_array(size[strong])
    arrows.set_clim(0, bound)
    _frame(axes, plane)
    return arrows


def _draw_arrows(axes: Axes, tails: np.ndarray, steps: np.ndarray, width: np.ndarray, **style: Any) -> Any:
    """Arrows (n, 2), each with a shaft as wide as it is told."""
    from matplotlib.collections import PolyCollection

    length = np.linalg.norm(steps, axis=1, keepdims=True)
    along = steps / np.where(length > 0, length, 1)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) * (width[:, None] / 2)
    tips = tails + steps
    head = across * np.maximum(2.2, 0.3 * length / width[:, None])  # seen on thin arrows too
    necks = tips - along * np.minimum(2.1 * np.linalg.norm(head, axis=1, keepdims=True), 0.6 * length)
    corners = [tails + across, necks + across, necks + head, tips, necks - head, necks - across, tails - across]
    shapes, style = list(np.stack(corners, axis=1)), {"linewidths": 0, "zorder": 2, **style}
    polygons = PolyCollection(shapes, cmap=colour_map(SEQUENTIAL), **style)
    axes.add_collection(polygons)
    return polygons


def _check_kind(dataset: xarray.Dataset, name: str, *kinds: set[str]) -> None:
    """MissingDataError without the column, ValueError unless its dims are one of `kinds`."""
    require(dataset, name)
    fitting = [str(known) for known, data in dataset.data_vars.items() if set(data.dims) in kinds]
    need(name in fitting, "plot", "name", name, ", ".join(fitting) or "none: the run has no such columns")


def _plane_and_rows(
    dataset: xarray.Dataset, name: str, times: float | Sequence[float] | None
) -> tuple[Plane, np.ndarray]:
    """The plane, and the rows next to `times`."""
    require(dataset, name)
    place = place_of(dataset, name)
    plane = plane_of(dataset, place)
    if plane is None:
        raise MissingDataError(f"the {place}s have no positions that span a plane (Electrons.positions)")
    return plane, rows_at(dataset, times)


def _panels(plane: Plane, count: int, below: float = 0.0) -> tuple[Figure, list[Any]]:
    """Axes beside one another, or of wide lattices one below the other, in a figure as high as they need, with a line
    as high as `below` (inches) under them."""
    width, height = plane.extent + 0.4 * plane.spacing
    rows, columns = (count, 1) if width > WIDE * height and count > 1 else (1, count)
    room = (5.4 if columns > 1 else 5.7) / columns
    figure = new_figure(min(rows * (room * height / width + 0.3) + 0.5 + below, 9.0))
    panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    first, second, _ = plane.names
    for axes in panels[-columns:]:
        axes.set_xlabel(f"{first} (nm)")
    for axes in panels[::columns]:
        axes.set_ylabel(f"{second} (nm)")
    return figure, list(panels)


def _frame(axes: Axes, plane: Plane) -> None:
    """The whole lattice, to scale, without a grid."""
    low, high = plane.frame
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axes.grid(False)


def _colour_bar(figure: Figure, panels: list[Any], artist: Any, text: str) -> None:
    """As high as the panels beside which it stands."""
    beside = panels[-1].get_subplotspec().is_first_row()
    if beside:
        box = panels[-1].inset_axes((1.05, 0.0, 0.06 if len(panels) > 1 else 0.03, 1.0))
        figure.colorbar(artist, cax=box, label=text)
    else:
        figure.colorbar(artist, ax=panels, label=text, pad=0.02, aspect=30)

"""The standard figures of a run, over time and along the wire: moments, torque, currents, energies.

Each function takes an xarray.Dataset as `result` and `store` make it and returns a matplotlib Figure; `run` saves them
all. The style is in `style`, maps of sites that span a plane in `maps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.plots.data import (
    MissingDataError,
    energies,
    energy_changes,
    place_of,
    require,
    short_name,
    thin,
    thinned,
    vectors,
)
from llgnegf.plots.plane import plane_of
from llgnegf.plots.style import (
    COLOURS,
    PLACES,
    keep_noise_flat,
    label,
    largest_of,
    legend_above,
    line,
    new_figure,
    points,
    scale,
    styled,
    whole_numbers,
)
from llgnegf.problem.torque_parts import field_like_damping_like

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MAX_POINTS, MAX_MAP_ROWS, MAX_SITES = 1500, 400, 4
"""Most points of a curve, rows of a map, and curves for single sites in a panel."""
COMPONENTS = ("x", "y", "z")
FIRST_ORDER = ("geometric", "sea", "surface")


@styled
def plot_moments(dataset: xarray.Dataset) -> Figure:
    """M_i over time for some sites, and along a wire at the start, half way and at the end.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run, finished or not.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it, `savefig` writes it.

    Raises
    ------
    MissingDataError
        A ValueError that names what is missing.

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(3, j_sd=0.2), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.2)
    >>> run = ln.simulate(system, ln.Frozen(ln.helix(3, 0.8)), t_end=3.0, rtol=1e-3)
    >>> ln.plots.plot_moments(run.dataset)
    <Figure size 1050x840 with 6 Axes>
    """
    return _over_time_and_wire(dataset, "moments", "M", (-1.08, 1.08))


@styled
def plot_torque(dataset: xarray.Dataset) -> Figure:
    """The electrons' torque on the moments over time for some sites, and along a wire.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run, finished or not.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it, `savefig` writes it.

    Raises
    ------
    MissingDataError
        A ValueError that names what is missing.

    Notes
    -----
    T_i = J_sd <s_i> x M_i.

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(3, j_sd=0.2), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.2)
    >>> run = ln.simulate(system, ln.Frozen(ln.helix(3, 0.8)), t_end=3.0, rtol=1e-3)
    >>> ln.plots.plot_torque(run.dataset)
    <Figure size 1050x840 with 6 Axes>
    """
    return _over_time_and_wire(dataset, "torque", "T", None)


@styled
def plot_bond_spin_current(dataset: xarray.Dataset) -> Figure:
    """Space-time maps of the spin current on each bond, one for each spin component.

    Lines of equal current, solid for positive and dashed for negative ones, show the sign without colour.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run, finished or not.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it, `savefig` writes it.

    Raises
    ------
    MissingDataError
        A ValueError that names what is missing.

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(3, j_sd=0.2), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.2)
    >>> run = ln.simulate(system, ln.Frozen(ln.helix(3, 0.8)), t_end=3.0, rtol=1e-3)
    >>> ln.plots.plot_bond_spin_current(run.dataset)
    <Figure size 1050x480 with 4 Axes>
    """
    require(dataset, "bond_spin_current")
    data = thinned(dataset[["bond_spin_current"]], MAX_MAP_ROWS)["bond_spin_current"]
    values, time = data.transpose("time", "bond", "component").values, data["time"].values
    if not values.size:
        raise MissingDataError("no bonds or no rows")
    factor, units = scale(values, data.attrs["units"])
    values = values / factor
    bound = largest_of(values) or 1.0
    figure = new_figure(3.2)
    panels = figure.subplots(1, 3, sharey=True)
    position = np.arange(values.shape[1])
    for a, axes in enumerate(panels):
        image = axes.pcolormesh(
            position, time, values[:, :, a], vmin=-bound, vmax=bound, cmap="PuOr_r", shading="nearest", rasterized=True
        )
        if min(values.shape[:2]) > 1 and largest_of(values[:, :, a]) > 0.3 * bound:
            levels = [-0.75 * bound, -0.25 * bound, 0.25 * bound, 0.75 * bound]
            styles = ["dashed", "dashed", "solid", "solid"]
            axes.contour(
                position, time, values[:, :, a], levels=levels, colors="black", linewidths=0.6, linestyles=styles
            )
        axes.grid(False)
        axes.set(title=f"spin {COMPONENTS[a]}", xlabel="bond (the first site is 0)")
        _label_bonds(axes, [str(b) for b in data["bond"].values])
    panels[0].set_ylabel("time (fs)")
    bar = figure.colorbar(image, ax=panels, pad=0.01)
    bar.set_label(label(r"$I^{S}_{i\to j}$", units))
    return figure


@styled
def plot_lead_currents(dataset: xarray.Dataset) -> Figure:
    """Charge and spin currents into each lead over time.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run, finished or not.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it, `savefig` writes it.

    Raises
    ------
    MissingDataError
        A ValueError that names what is missing.

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(3, j_sd=0.2), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.2)
    >>> run = ln.simulate(system, ln.Frozen(ln.helix(3, 0.8)), t_end=3.0, rtol=1e-3)
    >>> ln.plots.plot_lead_currents(run.dataset)
    <Figure size 1050x660 with 4 Axes>
    """
    require(dataset, "lead_current", "lead_spin_current")
    data = thinned(dataset[["lead_current", "lead_spin_current"]], MAX_POINTS)
    charge = data["lead_current"].transpose("time", "lead").values
    spin = data["lead_spin_current"].transpose("time", "lead", "component").values
    figure = new_figure(4.4)
    panels = figure.subplots(2, 2, sharex=True).ravel()
    _curves(panels[0], data, charge, "charge", data["lead_current"].attrs["units"])
    for a, axes in enumerate(panels[1:]):
        _curves(axes, data, spin[:, :, a], f"spin {COMPONENTS[a]}", data["lead_spin_current"].attrs["units"], spin)
    for axes in panels[2:]:
        axes.set_xlabel("time (fs)")
    legend_above(figure, panels[0])
    return figure


@styled
def plot_energies(dataset: xarray.Dataset) -> Figure:
    """The change of each energy since the first row: of slow electrons the free energy too, of full ones the sum.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run, finished or not.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it, `savefig` writes it.

    Raises
    ------
    MissingDataError
        A ValueError that names what is missing.

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(3, j_sd=0.2), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.2)
    >>> run = ln.simulate(system, ln.Frozen(ln.helix(3, 0.8)), t_end=3.0, rtol=1e-3)
    >>> ln.plots.plot_energies(run.dataset)
    <Figure size 1050x480 with 1 Axes>
    """
    names = energies(dataset)
    if not names or not dataset.sizes["time"]:
        raise MissingDataError("needs energy_* over time")
    data = thinned(dataset[names], MAX_POINTS)
    change = energy_changes(data)
    start = {short_name(name): float(data[name][0]) for name in names}
    start["sum"] = sum(start.values())
    factor, units = scale(list(change.values()), "eV")
    figure = new_figure(3.2)
    axes = figure.subplots()
    for k, (name, values) in enumerate(change.items()):
        text = f"{name}, {start[name]:.6g} eV at {data['time'].values[0]:g} fs"
        axes.plot(data["time"].values, values / factor, label=text, **line(k))
    keep_noise_flat(axes, list(change.values()), 0.0)
    axes.set(xlabel="time (fs)", ylabel=label("change of energy", units))
    legend_above(figure, axes, 2)
    return figure


@styled
def plot_nonadiabatic_torque(dataset: xarray.Dataset, oracle: xarray.Dataset | None = None) -> Figure:
    """Nonadiabatic and adiabatic torque, along dM/dt and across it, beside the rotating frame's where it is given.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run, finished or not.
    oracle : xarray.Dataset, optional
        `llgnegf.commands.oracle.oracle` of the same input, to compare with.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it, `savefig` writes it.

    Raises
    ------
    MissingDataError
        A ValueError: without the columns of observables=["adiabatic"], of fewer than three rows, or of moments that do
        not move.

    Notes
    -----
    Along the wire at the last row but one, and over time at the site where the nonadiabatic torque is largest. The
    direction of motion is that of M(t_{k+1}) - M(t_{k-1}), which for steady precession is exact.

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(2, j_sd=0.2), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.2)
    >>> motion = ln.Precession(ln.cone(2, 1.0), energy=0.1)
    >>> run = ln.simulate(system, motion, t_end=3.0, rtol=1e-3, observables=["adiabatic"])
    >>> ln.plots.plot_nonadiabatic_torque(run.dataset)
    <Figure size 1050x990 with 6 Axes>
    """
    require(dataset, "moments", "torque_nonadiabatic", "torque_adiabatic", hint='observables = ["adiabatic"]')
    if dataset.sizes["time"] < 3:
        raise MissingDataError("needs three rows or more, for the direction of motion")
    rows = 1 + thin(dataset.sizes["time"] - 2, MAX_POINTS)
    moments = vectors(dataset, "moments", rows)
    velocity = vectors(dataset, "moments", rows + 1) - vectors(dataset, "moments", rows - 1)
    if largest_of(velocity) == 0:
        raise MissingDataError("the moments do not move, so there is no nonadiabatic torque")
    time = dataset["time"].values[rows]
    parts = {}
    for name in ("nonadiabatic", "adiabatic"):
        split = field_like_damping_like(vectors(dataset, f"torque_{name}", rows), moments, velocity)
        parts[name] = np.stack([split.field_like, split.damping_like])
    exact = {} if oracle is None else _oracle_curves(oracle, dataset)
    place, figure = place_of(dataset, "moments"), new_figure(6.6)
    panels = figure.subplots(3, 2)
    for row, (name, values) in enumerate(parts.items()):
        _compare_along_wire(panels[row], name, values[:, -1], exact.get(name, {}), PLACES[place])
    k = int(np.argmax(np.abs(parts["nonadiabatic"][:, -1]).max(axis=0)))
    found, curves = parts["nonadiabatic"][:, :, k], exact.get("nonadiabatic", {})
    _compare_over_time(panels[2], time, found, {name: c[:, k] for name, c in curves.items()}, f"{place} {k}")
    panels[0, 0].set_title(r"field-like, along $\dot M$")
    panels[0, 1].set_title(r"damping-like, along $M\times\dot M$")
    legend_above(figure, panels[0, 0])
    return figure


def _over_time_and_wire(dataset: xarray.Dataset, name: str, symbol: str, limits: tuple[float, float] | None) -> Figure:
    """Three rows, one for each component: over time for some sites, and along the wire at three times."""
    require(dataset, name)
    if not dataset.sizes["time"]:
        raise MissingDataError("no rows")
    data = thinned(dataset[[name]], MAX_POINTS)
    place, time = place_of(dataset, name), data["time"].values
    values = data[name].transpose("time", place, "component").values
    n_rows, n_sites, _ = values.shape
    factor, units = scale(values, data[name].attrs["units"])
    values, largest = values / factor, largest_of(values) / factor
    figure = new_figure(5.6)
    wire = n_sites > 1 and plane_of(dataset, place) is None
    halves: Any = figure.subfigures(1, 2) if wire else [figure.subfigures(1, 1)]
    over_time = halves[0].subplots(3, 1, sharex=True)
    curves = {f"{place} {data[place].values[i]}": values[:, i] for i in thin(n_sites, MAX_SITES)}
    if n_sites > 1 and not wire:  # of a plane no few sites tell all
        curves = {f"mean of all {place}s": values.mean(axis=1), **dict(list(curves.items())[:-1])}
    for k, (text, curve) in enumerate(curves.items()):
        for a, axes in enumerate(over_time):
            axes.plot(time, curve[:, a], label=text, **line(k))
    _finish_column(halves[0], over_time, symbol, units, "time (fs)")
    if wire:
        along = halves[1].subplots(3, 1, sharex=True)
        for k, row in enumerate(thin(n_rows, 3)):
            for a, axes in enumerate(along):
                axes.plot(data[place].values, values[row, :, a], label=f"{time[row]:.4g} fs", **points(k))
        _finish_column(halves[1], along, symbol, units, PLACES[place])
        whole_numbers(along[-1])
    for column in (over_time, along) if wire else (over_time,):
        for a, axes in enumerate(column):
            if limits is not None:
                axes.set_ylim(*limits)
            keep_noise_flat(axes, values[:, :, a], largest)
    return figure


def _finish_column(half: SubFigure, panels: Any, symbol: str, units: str, xlabel: str) -> None:
    for a, axes in enumerate(panels):
        axes.set_ylabel(label(f"${symbol}_{COMPONENTS[a]}$", units))
    panels[-1].set_xlabel(xlabel)
    handles, labels = panels[0].get_legend_handles_labels()
    wide = len(labels) == 4 or labels[0].startswith("moment")
    half.legend(handles, labels, loc="outside upper center", ncols=2 if wide else len(labels))


def _curves(
    axes: Axes, data: xarray.Dataset, values: np.ndarray, title: str, units: str, together: np.ndarray | None = None
) -> None:
    """One curve for each lead; `together` are the values of all panels with the same scale."""
    factor, units = scale(values if together is None else together, units)
    for p, lead in enumerate(data["lead"].values):
        axes.plot(data["time"].values, values[:, p] / factor, label=f"lead {lead}", **line(p))
    keep_noise_flat(axes, values / factor, largest_of(values if together is None else together) / factor)
    axes.set(title=f"{title} current into the lead", ylabel=units)


def _label_bonds(axes: Axes, labels: list[str]) -> None:
    shown = range(0, len(labels), -(-len(labels) // 6))
    axes.set_xticks(shown, [labels[i] for i in shown])


def _oracle_curves(oracle: xarray.Dataset, dataset: xarray.Dataset) -> dict[str, dict[str, np.ndarray]]:
    """Exact and first-order torque, each (2, N): field-like and damping-like along the wire, or on each moment, whose
    sites have its directions."""
    split = np.stack([oracle["field_like"].values, oracle["damping_like"].values], axis=1)
    if "moment_of_site" in dataset.coords:
        split = split @ (dataset["moment_of_site"].values[:, None] == dataset["moment"].values)
    by_part = dict(zip([str(p) for p in oracle["part"].values], split, strict=True))
    if "adiabatic" not in by_part:
        return {}
    return {
        "nonadiabatic": {
            "rotating frame, exact": by_part["exact"] - by_part["adiabatic"],
            "first order": sum(by_part[name] for name in FIRST_ORDER),
        },
        "adiabatic": {"rotating frame, exact": by_part["adiabatic"]},
    }


def _compare_along_wire(panels: Any, name: str, run: np.ndarray, exact: Mapping[str, np.ndarray], xlabel: str) -> None:
    """`run` and each of `exact` are (2, N)."""
    factor, units = scale(run, "eV")
    sites = np.arange(run.shape[1])
    for half, axes in enumerate(panels):
        for k, (text, curve) in enumerate(exact.items()):
            axes.plot(sites, curve[half] / factor, label=text, **line(k, marker=(None, "x")[k]))
        style = {"linestyle": "none", "marker": "o", "markerfacecolor": "none", "markersize": 7}
        axes.plot(sites, run[half] / factor, label="this run", color=COLOURS[-1], **style)
        keep_noise_flat(axes, run[half] / factor, largest_of(run) / factor)
        whole_numbers(axes)
        axes.set(xlabel=xlabel, ylabel=label(f"{name} torque", units))


def _compare_over_time(
    panels: Any, time: np.ndarray, run: np.ndarray, exact: Mapping[str, np.ndarray], place: str
) -> None:
    """`run` is (2, n_rows), each of `exact` (2,), constant in time."""
    factor, units = scale(run, "eV")
    for half, axes in enumerate(panels):
        axes.plot(time, run[half] / factor, color=COLOURS[-1])
        for k, curve in enumerate(exact.values()):
            axes.axhline(curve[half] / factor, **line(k))
        keep_noise_flat(axes, run[half] / factor, largest_of(run) / factor)
        axes.set(xlabel="time (fs)", ylabel=label(f"nonadiabatic, {place}", units))

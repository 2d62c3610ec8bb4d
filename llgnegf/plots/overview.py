"""A run at one glance: moments, torque, currents and energies over time, as far as there are any.

Used by `accessor`; each of them has a picture of its own in `run`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from llgnegf.plots.data import MissingDataError, energies, energy_changes, place_of, thinned, vectors
from llgnegf.plots.style import keep_noise_flat, label, largest_of, line, new_figure, scale, styled

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_POINTS = 1500
"""Most points of a curve."""


@styled
def plot_overview(dataset: xarray.Dataset) -> Figure:
    """Mean moment, largest torque, lead currents and energies over time: a panel for each that the run has.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run.

    Returns
    -------
    matplotlib.figure.Figure
        One to four panels.

    Raises
    ------
    MissingDataError
        A ValueError: without rows, or with none of these columns.

    Examples
    --------
    >>> run = ln.simulate(None, ln.Magnet(ln.uniform(2), magnetic_moment=1.0), t_end=2.0)
    >>> ln.plots.plot_overview(run.dataset)
    <Figure size 1050x420 with 2 Axes>
    """
    if not dataset.sizes["time"]:
        raise MissingDataError("no rows")
    there = {name: draw for name, draw in PANELS.items() if name in dataset}
    if energies(dataset):
        there["energies"] = _energies
    if not there:
        raise MissingDataError(f"the run has none of {', '.join(PANELS)}, energy_*")
    data = thinned(dataset[[name for name in (*PANELS, *energies(dataset)) if name in dataset]], MAX_POINTS)
    lines, columns = -(-len(there) // 2), min(len(there), 2)
    figure = new_figure(0.4 + 2.4 * lines)
    panels = np.atleast_1d(figure.subplots(lines, columns, sharex=True)).ravel()
    for axes, draw in zip(panels, there.values(), strict=False):
        draw(axes, data)
        axes.set_xlabel("time (fs)")
        axes.tick_params(labelbottom=True)
        if len(axes.lines) > 1:
            axes.legend(loc="best", fontsize="small")
    for axes in panels[len(there) :]:
        axes.remove()
    return figure


def _moments(axes: Axes, data: xarray.Dataset) -> None:
    place = place_of(data, "moments")
    mean = vectors(data, "moments", np.arange(data.sizes["time"])).mean(axis=1)
    for a, name in enumerate("xyz"):
        axes.plot(data["time"].values, mean[:, a], label=f"${name}$", **line(a))
    axes.set(title=f"mean of all {data.sizes[place]} moments", ylabel="$M$", ylim=(-1.08, 1.08))


def _torque(axes: Axes, data: xarray.Dataset) -> None:
    rows = np.arange(data.sizes["time"])
    largest = np.linalg.norm(vectors(data, "torque", rows), axis=2).max(axis=1)
    factor, units = scale(largest, data["torque"].attrs["units"])
    axes.plot(data["time"].values, largest / factor, **line(0))
    axes.set(title="largest torque on a moment", ylabel=label("$|T|$", units))
    axes.set_ylim(0, 1.08 * (largest_of(largest) / factor or 1.0))


def _currents(axes: Axes, data: xarray.Dataset) -> None:
    values = data["lead_current"].transpose("time", "lead").values
    factor, units = scale(values, data["lead_current"].attrs["units"])
    for p, lead in enumerate(data["lead"].values):
        axes.plot(data["time"].values, values[:, p] / factor, label=f"lead {lead}", **line(p))
    keep_noise_flat(axes, values / factor, largest_of(values) / factor)
    axes.set(title="current into the lead", ylabel=units)


def _energies(axes: Axes, data: xarray.Dataset) -> None:
    change = energy_changes(data)
    factor, units = scale(list(change.values()), "eV")
    for k, (name, values) in enumerate(change.items()):
        axes.plot(data["time"].values, values / factor, label=name, **line(k))
    keep_noise_flat(axes, list(change.values()), 0.0)
    axes.set(title="change of energy", ylabel=units)


PANELS: dict[str, Callable[[Axes, xarray.Dataset], None]] = {
    "moments": _moments, "torque": _torque, "lead_current": _currents,
}  # fmt: skip

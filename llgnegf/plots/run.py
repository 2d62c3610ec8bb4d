"""All files of a run, from its Dataset alone: the figures that it has, as PNG and PDF, and the texture moving.

Above `curves` and `maps`, which draw the figures; which ones, the columns and the places of the sites say.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from llgnegf._checks import path_of
from llgnegf._files import write_atomic
from llgnegf.plots import curves
from llgnegf.plots.animation import animation
from llgnegf.plots.data import MissingDataError, place_of
from llgnegf.plots.files import PlotReport, begin, finish, save
from llgnegf.plots.maps import plot_bond_currents, plot_bond_spin_currents, plot_density, plot_vectors
from llgnegf.plots.plane import plane_of
from llgnegf.run.progress import Progress, silent

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure


def plot_run(
    dataset: xarray.Dataset,
    folder: str | os.PathLike[str],
    oracle: xarray.Dataset | None = None,
    *,
    pdf: bool = True,
    progress: Progress = silent,
) -> PlotReport:
    """Save every plot that `dataset` has the data for as PNG (and PDF), the texture as GIF, and a record of them.

    Maps for sites whose positions span a plane, curves along the wire for all others.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run, finished or not.
    folder : str or path
        Where the files go; it is made if need be.
    oracle : xarray.Dataset, optional
        `llgnegf.commands.oracle.oracle` of the same input, to compare the torque with.
    pdf : bool, default True
        Whether to draw each plot as PDF too, which takes as long again.
    progress : callable
        Called with the number of plots drawn, that of all, and the name of the next.

    Returns
    -------
    PlotReport
        The files `written`, and why others were `skipped`.

    Raises
    ------
    ValueError
        For a folder that is no path.
    StorageError
        If the files cannot be written; no half picture is left behind, and no record (`files`).

    Examples
    --------
    >>> run = ln.simulate(None, ln.Magnet(ln.uniform(1), magnetic_moment=1.0), t_end=2.0)
    >>> [path.name for path in ln.plots.plot_run(run.dataset, "plots", pdf=False).written]
    ['moments.png', 'energies.png', 'texture.gif']
    """
    folder = path_of("plot_run", "folder", folder)
    plots: dict[str, Callable[[xarray.Dataset], Figure]] = {
        **(ALONG_WIRE if plane_of(dataset) is None else IN_PLANE),
        "lead_currents": curves.plot_lead_currents,
        "energies": curves.plot_energies,
        "nonadiabatic_torque": lambda data: curves.plot_nonadiabatic_torque(data, oracle),
    }
    begin(folder)
    written: list[Path] = []
    skipped: dict[str, str] = {}
    for k, name in enumerate([*plots, "texture"]):
        progress(k, len(plots) + 1, f"drawing {name}")
        try:
            if name in plots:
                written += save(plots[name](dataset), folder / name, pdf)
            else:
                written.append(animate_texture(dataset, folder / "texture.gif"))
        except MissingDataError as missing:
            skipped[name] = str(missing)
    report = PlotReport(tuple(written), skipped)
    finish(folder, dataset.sizes["time"], report)
    return report


def animate_texture(dataset: xarray.Dataset, path: str | os.PathLike[str]) -> Path:
    """Save the moments as a GIF.

    Arrows are (M_x, M_z) along a wire and their colour M_y; in the plane of the sites, (M_x, M_y) over M_z.
    `Result.animate` has more to choose.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run, finished or not.
    path : str or path
        The file.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        For what is no path.
    MissingDataError
        Without moments.
    StorageError
        If the file cannot be written.

    See Also
    --------
    Result.animate : The same for a result, MP4 too.

    Examples
    --------
    >>> run = ln.simulate(None, ln.Magnet(ln.uniform(2), magnetic_moment=1.0), t_end=2.0)
    >>> ln.plots.animate_texture(run.dataset, "pair.gif").name
    'pair.gif'
    """
    file = path_of("animate_texture", "path", path)
    write_atomic(file, [animation(dataset)])
    return file


ALONG_WIRE: dict[str, Callable[[xarray.Dataset], Figure]] = {
    "moments": curves.plot_moments, "torque": curves.plot_torque, "bond_spin_current": curves.plot_bond_spin_current,
}  # fmt: skip


def _torques(dataset: xarray.Dataset) -> Figure:
    """A map, or curves of moments of which some are on no site."""
    known = "torque" not in dataset or plane_of(dataset, place_of(dataset, "torque")) is not None
    return plot_vectors(dataset, "torque") if known else curves.plot_torque(dataset)


IN_PLANE: dict[str, Callable[[xarray.Dataset], Figure]] = {
    "moments": lambda data: plot_vectors(data, "moments"),
    "moments_over_time": curves.plot_moments,
    "torque": _torques,
    "spin_density": lambda data: plot_vectors(data, "spin_density"),
    "charge_density": plot_density,
    "bond_current": plot_bond_currents,
    "bond_spin_current": plot_bond_spin_currents,
}
"""The plots that depend on where the sites are, by the names of their files."""

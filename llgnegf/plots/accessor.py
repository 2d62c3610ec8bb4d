"""What `Result.plot` and `Result.animate` are: the pictures of a run as methods, each by one function of this room.

Takes the dataset of a run alone, so that one read from a file has the same pictures: `RunPlots(dataset).torque()`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llgnegf._checks import Problems, need, path_of
from llgnegf.plots import curves
from llgnegf.plots.animation import pictures
from llgnegf.plots.files import PlotReport
from llgnegf.plots.maps import plot_bond_currents, plot_bond_spin_currents, plot_density, plot_vectors
from llgnegf.plots.movie import Movie, check_path
from llgnegf.plots.overview import plot_overview
from llgnegf.plots.plane import plane_of
from llgnegf.plots.run import plot_run
from llgnegf.plots.textures import plot_texture

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

__all__ = ["Movie", "RunPlots", "animate"]

Times = float | Sequence[float] | None


class RunPlots:
    """The pictures of a run; called, it gives an overview.

    Each method returns a matplotlib Figure: a notebook shows it, `figure.savefig("torque.pdf")` writes it. Where the
    run has not what it shows, MissingDataError, a ValueError, says what is missing. `time` is in fs, one or several
    times of the run, each of which shows the row next to it; None stands for the first, middle and last row.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run: `Result.dataset`, or what `xarray.open_dataset` reads from its file.

    Examples
    --------
    >>> run = ln.simulate(None, ln.Magnet(ln.helix(8, 0.8), magnetic_moment=1.0), t_end=2.0)
    >>> run.plot()
    <Figure size 1050x420 with 2 Axes>
    >>> run.plot.texture(time=2.0).savefig("texture.png")
    """

    def __init__(self, dataset: xarray.Dataset) -> None:
        self._dataset = dataset

    def __repr__(self) -> str:
        names = ", ".join(f".{name}()" for name in vars(type(self)) if not name.startswith("_"))
        return f"pictures of a run: (), {names}"

    def __call__(self) -> Figure:
        """Mean moment, largest torque, lead currents and energies over time, as far as there are any."""
        return plot_overview(self._dataset)

    def moments(self) -> Figure:
        """M_i over time for some sites, and along a wire at the start, half way and at the end.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it, `savefig` writes it.

        Raises
        ------
        MissingDataError
            A ValueError that names what the run has not.
        """
        return curves.plot_moments(self._dataset)

    def texture(self, time: Times = None) -> Figure:
        """All moments as arrows: in the plane that the sites span, or along the wire.

        Parameters
        ----------
        time : float or sequence of float, optional
            In fs, the rows next to it are shown; None: the first, middle and last row.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it, `savefig` writes it.

        Raises
        ------
        ValueError
            For a time that is none of the run; MissingDataError, one of them, where the run has not what is shown.
        """
        return plot_texture(self._dataset, time)

    def torque(self) -> Figure:
        """The electrons' torque T_i = J_sd <s_i> x M_i (eV) over time for some sites, and along a wire.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it, `savefig` writes it.

        Raises
        ------
        MissingDataError
            A ValueError that names what the run has not.
        """
        return curves.plot_torque(self._dataset)

    def nonadiabatic_torque(self) -> Figure:
        """Nonadiabatic and adiabatic torque along dM/dt and across it.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it, `savefig` writes it.

        Raises
        ------
        MissingDataError
            A ValueError, without observables=["adiabatic"] among others.
        """
        return curves.plot_nonadiabatic_torque(self._dataset)

    def vectors(self, name: str, time: Times = None) -> Figure:
        """A vector of each site as a map, where the sites span a plane.

        Parameters
        ----------
        name : str
            "torque", "spin_density", "moments" or another column of vectors.
        time : float or sequence of float, optional
            In fs, the rows next to it are shown; None: the first, middle and last row.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it, `savefig` writes it.

        Raises
        ------
        ValueError
            For a time that is none of the run; MissingDataError, one of them, where the run has not what is shown.
        """
        return plot_vectors(self._dataset, name, time)

    def density(self, name: str = "charge_density", time: Times = None) -> Figure:
        """A number of each site as a map, where the sites span a plane.

        Parameters
        ----------
        name : str, default 'charge_density'
            A column with a number for each site.
        time : float or sequence of float, optional
            In fs, the rows next to it are shown; None: the first, middle and last row.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it, `savefig` writes it.

        Raises
        ------
        ValueError
            For a time that is none of the run; MissingDataError, one of them, where the run has not what is shown.
        """
        return plot_density(self._dataset, name, time)

    def currents(self) -> Figure:
        """Charge (electrons/fs) and spin currents (eV) into each lead over time.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it, `savefig` writes it.

        Raises
        ------
        MissingDataError
            A ValueError that names what the run has not.
        """
        return curves.plot_lead_currents(self._dataset)

    def bond_currents(self, time: Times = None) -> Figure:
        """Particle currents as arrows on the bonds, where the sites span a plane.

        Parameters
        ----------
        time : float or sequence of float, optional
            In fs, the rows next to it are shown; None: the first, middle and last row.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it, `savefig` writes it.

        Raises
        ------
        ValueError
            For a time that is none of the run; MissingDataError, one of them, where the run has not what is shown.
        """
        return plot_bond_currents(self._dataset, time)

    def bond_spin_currents(self, time: float | None = None) -> Figure:
        """Spin currents through the bonds, of each spin component.

        On the bonds at one time where the sites span a plane, else of all bonds over all times.

        Parameters
        ----------
        time : float, optional
            In fs, of a plane: the row next to it is shown, None: the last row. Along a wire there is none to choose.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it, `savefig` writes it.

        Raises
        ------
        ValueError
            For a time that is none of the run; MissingDataError, one of them, where the run has not what is shown.
        """
        if plane_of(self._dataset) is not None:
            return plot_bond_spin_currents(self._dataset, time)
        need(time is None, "plot.bond_spin_currents", "time", time, "None along a wire, where all times are shown")
        return curves.plot_bond_spin_current(self._dataset)

    def energies(self) -> Figure:
        """The change of each energy (eV), of the free energy among them, since the first row.

        Full electrons have that of the sum too, slow ones in equilibrium that of the free energy.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it, `savefig` writes it.

        Raises
        ------
        MissingDataError
            A ValueError that names what the run has not.
        """
        return curves.plot_energies(self._dataset)

    def save(self, folder: str | os.PathLike[str], pdf: bool = False) -> PlotReport:
        """Write every picture that the run has the data for, and the moments as a GIF, to one folder.

        Parameters
        ----------
        folder : str or path
            It is made if need be.
        pdf : bool, default False
            Whether each picture is written as PDF too, beside the PNG.

        Returns
        -------
        PlotReport
            The files `written`, and why others were `skipped`.

        Raises
        ------
        ValueError
            For what is no path.
        StorageError
            If a file cannot be written.
        """
        return plot_run(self._dataset, path_of("plot.save", "folder", folder), pdf=pdf)


def animate(dataset: xarray.Dataset, path: str | os.PathLike[str] | None, frames: int, fps: float) -> Movie:
    """The movie of a run; arguments and errors as for `Result.animate`."""
    problems = Problems("animate")
    problems.integer("frames", frames, "an integer >= 1", lambda n: n >= 1)
    problems.number("fps", fps, "a number from 1 to 50", lambda f: 1 <= f <= 50)
    problems.raise_all()
    if path is not None:
        check_path(path)
    movie = Movie(tuple(pictures(dataset, int(frames))), float(fps))
    if path is not None:
        movie.save(path)
    return movie

"""Result: what a run leaves behind, an xarray.Dataset with labelled dims and units, and its error budget.

xarray and the pandas under it take 40 MB and a third of a second: they are loaded when the Dataset is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._checks import need
from llgnegf._readable import Readable

if TYPE_CHECKING:
    import xarray

    from llgnegf.plots.accessor import Movie, RunPlots

PLACES = ("x", "y", "z")
"""Coordinates of the sites in nm, along the dim `site`, of runs whose electrons have positions."""
BESIDE = {"moment_of_site": "site", **dict.fromkeys(PLACES, "site")}
"""Labels that are no dim of their own, and the dim that they stand along: the moment that a site has, -1 for none, and
the places of the sites."""
LABELS: Mapping[str, Mapping[str, str]] = {
    "time": {"units": "fs", "long_name": "time"},
    "site": {"long_name": "site, the first is 0"},
    "moment": {"long_name": "moment, the first is 0"},
    "component": {"long_name": "Cartesian component"},
    "lead": {"long_name": "lead, the first is 0"},
    "bond": {"long_name": "bond i-j of sites i and j"},
    "moment_of_site": {"long_name": "moment on the site, -1 for none"},
    **{name: {"units": "nm", "long_name": f"{name} of the site"} for name in PLACES},
}
"""Attributes of the coordinates of every result, in memory and in files."""


@dataclass(frozen=True)
class Variable:
    """One column of the result: its dims after time, their lengths, unit and long name."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    units: str
    long_name: str


@dataclass(frozen=True)
class ErrorEstimate:
    """One entry of the error budget: a number, and in words what it bounds."""

    value: float
    bounds: str


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a run as plain arrays, with what is needed to label them.

    Attributes:
        times: Save times in fs, (n_rows,).
        columns: For each variable (n_rows, *shape).
        variables: Dims, units and long names.
        coordinates: Labels of the dims other than time, and those of `BESIDE`.
    """

    times: np.ndarray
    columns: Mapping[str, np.ndarray]
    variables: Mapping[str, Variable]
    coordinates: Mapping[str, Sequence[Any]]


@dataclass(frozen=True, eq=False, repr=False)
class Result(Readable):
    """What a run leaves behind: rows of observables with labels and units, how exact they are, and how it went.

    `simulate` and `load` return it; `result["moments"]` is a column as an xarray.DataArray, `result.dataset` all of
    them, `result.plot()` a picture.

    Attributes
    ----------
    rows : Rows
        The rows as plain arrays, which `dataset` labels.
    errors : Mapping of str to ErrorEstimate
        The error budget: "coupling_poles", "fermi_poles" and "time_step", of slow moments "fermi_surface" too. Each
        has a `value` and says in `bounds` of what; nan where nothing is known.
    density_matrix : ndarray of complex, (2N, 2N), or None
        rho at the end of the run, spin up and down of site 0 first; None without electrons, for slow ones, and where
        the run was stopped.
    statistics : Mapping of str to float
        Right-hand sides, accepted and rejected steps, memory as estimated beforehand (MB; of slow moments the least),
        sizes of the expansions (modes and Fermi poles; of slow moments Fermi poles and nodes of the Fermi-surface sum).
    rtol : float or None
        Accuracy that was asked for; None where that is not known.
    warnings : tuple of str
        What there was to warn of: values that make no sense beside the others, an error budget beyond `rtol`, and of a
        loaded run what is missing or damaged.

    Examples
    --------
    >>> magnet = ln.Magnet(ln.uniform(2, "x"), magnetic_moment=1.0, damping=0.1, energies=[ln.Zeeman([0, 0, 50.0])])
    >>> result = ln.simulate(None, magnet, t_end=20.0)
    >>> result["moments"].sel(time=20.0, site=0, component="z").round(4).item()
    0.0174
    >>> bool(result.errors["time_step"].value < result.rtol)
    True
    """

    rows: Rows
    errors: Mapping[str, ErrorEstimate]
    density_matrix: np.ndarray | None
    statistics: Mapping[str, float]
    rtol: float | None = None
    warnings: tuple[str, ...] = ()

    @cached_property
    def dataset(self) -> xarray.Dataset:
        """All columns, with dims time (fs), site, component, lead, bond; units and long names in the attributes.

        Electrons with positions give the sites the coordinates x, y, z (nm). Moments that are a layer of their own
        have the dim moment, and each site the coordinate `moment_of_site`.

        Returns
        -------
        xarray.Dataset
            Its columns are those of `llgnegf.run.observables`.

        Examples
        --------
        >>> result = ln.simulate(None, ln.Magnet(ln.uniform(2), magnetic_moment=1.0), t_end=2.0)
        >>> dict(result.dataset.sizes)
        {'time': 3, 'site': 2, 'component': 3}
        """
        rows = self.rows
        return build_dataset(rows.times, rows.columns, rows.variables, rows.coordinates)

    def __getitem__(self, name: str) -> xarray.DataArray:
        """A column or coordinate of `dataset`; KeyError with the names that there are."""
        if name not in self:
            raise KeyError(f"{name!r}; allowed: {', '.join(map(repr, self.rows.variables))}")
        return self.dataset[name]

    def __contains__(self, name: object) -> bool:
        return name == "time" or name in self.rows.variables or name in self.rows.coordinates

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows.variables)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    @property
    def plot(self) -> RunPlots:
        """Pictures of the run: `plot()` an overview, `plot.texture(time=20.0)` and further methods one thing each.

        Returns
        -------
        llgnegf.plots.RunPlots
            Each of its methods returns a matplotlib Figure, which a notebook shows and `savefig` writes.

        Examples
        --------
        >>> result = ln.simulate(None, ln.Magnet(ln.uniform(2), magnetic_moment=1.0), t_end=2.0)
        >>> result.plot.moments()
        <Figure size 1050x840 with 6 Axes>
        """
        from llgnegf.plots.accessor import RunPlots  # upwards: a convenience, loaded when it is asked for

        return RunPlots(self.dataset)

    def animate(self, path: str | os.PathLike[str] | None = None, *, frames: int = 40, fps: float = 12.5) -> Movie:
        """The moments as a movie: arrows along the wire, or in the plane that the sites span.

        Parameters
        ----------
        path : str or path, optional
            A file to write, .gif, or .mp4 where the program ffmpeg is installed; None writes none.
        frames : int
            Most pictures, spread evenly over the rows.
        fps : float
            Pictures shown in a second, 1 to 50; a GIF counts their time in hundredths of a second.

        Returns
        -------
        llgnegf.plots.Movie
            A notebook shows it; `save(path)` writes it.

        Raises
        ------
        ValueError
            One line for each argument that is not allowed; MissingDataError, one of them, without moments or rows.
        StorageError
            If the file cannot be written; there is no half of it then.

        Examples
        --------
        >>> result = ln.simulate(None, ln.Magnet(ln.uniform(2), magnetic_moment=1.0), t_end=2.0)
        >>> result.animate(frames=2)
        Movie: 2 pictures of 800 x 250 pixels, 12.5 a second
        """
        from llgnegf.plots.accessor import animate

        return animate(self.dataset, path, frames, fps)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to one NetCDF-4 file, which `load` reads, and `xarray.open_dataset` too.

        Parameters
        ----------
        path : str or path
            The file, "run.nc" say; one that is there is replaced, but not the result.nc of a run folder.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ValueError
            For what is no path, a folder, or the result.nc of a run folder.
        StorageError
            If it cannot be written, with path and cause; what was there before is there still, and no half of a file.

        Notes
        -----
        The density matrix is the variable `density_matrix` with dims (part, row, column), part "real" and "imag";
        error budget, statistics, rtol and warnings are attributes of the file.

        Examples
        --------
        >>> result = ln.simulate(None, ln.Magnet(ln.uniform(2), magnetic_moment=1.0), t_end=2.0)
        >>> file = result.save("run.nc")
        >>> ln.load(file).dataset.identical(result.dataset)
        True
        """
        from llgnegf.run.result_file import write

        return write(self, path)

    def spectrum(self, variable: str, window: str = "hann") -> xarray.DataArray:
        """The amplitude spectrum of a column over time, as `analysis.spectrum`.

        Parameters
        ----------
        variable : str
            Its name in the dataset.
        window : str
            "hann", "hamming", "blackman", "blackmanharris", "flattop" or "boxcar".

        Returns
        -------
        xarray.DataArray, (frequency, ...)
            Frequency in 1/fs, with the coordinate energy in eV; units of the column.

        Raises
        ------
        ValueError
            For no such column, and as `analysis.spectrum`.

        Examples
        --------
        >>> magnet = ln.Magnet(ln.uniform(1, "x"), magnetic_moment=1.0, energies=[ln.Zeeman([0, 0, 100.0])])
        >>> lines = ln.simulate(None, magnet, t_end=2000.0, save_every=5.0).spectrum("moments")
        >>> peak = lines.sel(site=0, component="x").argmax("frequency")
        >>> lines.energy[peak].round(4).item()  # eV, in steps of 0.002: g mu_B B is 0.0116
        0.0124
        """
        from llgnegf.analysis.oscillations import spectrum

        names = tuple(self.rows.variables)
        need(variable in names, "Result.spectrum", "variable", variable, ", ".join(map(repr, names)))
        return spectrum(self.dataset[variable], window)

    def __repr__(self) -> str:
        from llgnegf.run.result_text import text

        return text(self)

    def _repr_html_(self) -> str:
        from llgnegf.run.result_text import html

        return html(self)


def build_dataset(
    times: np.ndarray,
    columns: Mapping[str, np.ndarray],
    variables: Mapping[str, Variable],
    coordinates: Mapping[str, Sequence[Any]],
    attributes: Mapping[str, Any] | None = None,
) -> xarray.Dataset:
    """The Dataset of a run: `columns[name]` is (n_rows, *variables[name].shape), `times` (n_rows,) in fs."""
    import xarray

    data = {
        name: (("time", *v.dims), columns[name], {"units": v.units, "long_name": v.long_name})
        for name, v in variables.items()
    }
    labelled = {"time": times, **coordinates}
    coords = {
        name: (BESIDE.get(name, name), np.asarray(labels), LABELS.get(name, {})) for name, labels in labelled.items()
    }
    return xarray.Dataset(data, coords=coords, attrs=dict(attributes or {}))

"""Result: what a run leaves behind, an xarray.Dataset with labelled dims and units, and its error budget.

xarray and the pandas under it take 40 MB and a third of a second: they are loaded when the Dataset is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._checks import Problems

if TYPE_CHECKING:
    import xarray


PLACES = ("x", "y", "z")
"""Coordinates of the sites in nm, along the dim `site`, of runs whose electrons have positions."""
BESIDE = {"moment_of_site": "site", **dict.fromkeys(PLACES, "site")}
"""Labels that are no dim of their own, and the dim that they stand along: the moment that a site has, -1 for none, and
the places of the sites."""


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
class Result:
    """A finished run.

    Attributes:
        rows: The rows as plain arrays, which `dataset` labels.
        errors: The error budget: "coupling_poles", "fermi_poles" and "time_step", of slow moments "fermi_surface" too.
        density_matrix: rho at the end of the run, (2N, 2N); None without electrons.
        statistics: Right-hand sides, accepted and rejected steps, memory as estimated beforehand (MB; of slow moments
            the least), sizes of the expansions (modes and Fermi poles; of slow moments Fermi poles and nodes of the
            Fermi-surface sum).
    """

    rows: Rows
    errors: Mapping[str, ErrorEstimate]
    density_matrix: np.ndarray | None
    statistics: Mapping[str, float]

    @cached_property
    def dataset(self) -> xarray.Dataset:
        """xarray.Dataset with dims time, site, component, lead, bond; units and long names in the attributes.

        Moments that are a layer of their own have the dim moment, and each site the coordinate `moment_of_site`.
        """
        rows = self.rows
        return build_dataset(rows.times, rows.columns, rows.variables, rows.coordinates)

    def spectrum(self, variable: str, window: str = "hann") -> xarray.DataArray:
        """The amplitude spectrum of a column over time, `analysis.spectrum`.

        Args:
            variable: Its name in the dataset.
            window: "hann", "hamming", "blackman", "blackmanharris", "flattop" or "boxcar".

        Raises:
            ValueError: For no such column, and as `analysis.spectrum`.
        """
        from llgnegf.analysis.oscillations import spectrum

        problems, names = Problems("Result.spectrum"), tuple(self.rows.variables)
        problems.check(variable in names, "variable", variable, ", ".join(map(repr, names)))
        problems.raise_all()
        return spectrum(self.dataset[variable], window)

    def __repr__(self) -> str:
        """What there is, how far it goes and how exact it is; the numbers are in the attributes."""
        times, sizes = self.rows.times, {name: len(labels) for name, labels in self.rows.coordinates.items()}
        sizes = {name: size for name, size in sizes.items() if name not in BESIDE}
        counts = "".join(f", {name} {size}" for name, size in sizes.items() if name != "component")
        lines = [f"Result: {times.size} rows from {times[0]:g} to {times[-1]:g} fs; time {times.size}{counts}"]
        for name, variable in self.rows.variables.items():
            dims = ", ".join(("time", *variable.dims))
            lines.append(f"  .dataset.{name:<22} ({dims}), {variable.long_name}, {variable.units}")
        lines += [f"  .errors[{name!r}] {error.value:.1e}" for name, error in self.errors.items()]
        if self.density_matrix is not None:
            lines.append(f"  .density_matrix {self.density_matrix.shape}")
        lines.append("  .statistics " + ", ".join(f"{name} {value:g}" for name, value in self.statistics.items()))
        return "\n".join(lines)


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
    coords: dict[str, Any] = {"time": ("time", np.asarray(times), {"units": "fs", "long_name": "time"})}
    for name, labels in coordinates.items():
        coords[name] = (BESIDE.get(name, name), np.asarray(labels), {"units": "nm"} if name in PLACES else {})
    return xarray.Dataset(data, coords=coords, attrs=dict(attributes or {}))

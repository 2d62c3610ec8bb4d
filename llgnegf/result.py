"""Result: what a run leaves behind, an xarray.Dataset with labelled dims and units, and its error budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray


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
class Result:
    """A finished run.

    Attributes:
        dataset: xarray.Dataset with dims time, site, component, lead, bond; units and long names in the attributes.
        errors: The error budget, "coupling_poles", "fermi_poles" and "time_step".
        density_matrix: rho at the end of the run, (2N, 2N); None without electrons.
        statistics: Right-hand sides, accepted and rejected steps, number of modes and Fermi poles.
    """

    dataset: xarray.Dataset
    errors: Mapping[str, ErrorEstimate]
    density_matrix: np.ndarray | None
    statistics: Mapping[str, float]


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
    coords |= {name: (name, np.asarray(labels)) for name, labels in coordinates.items()}
    return xarray.Dataset(data, coords=coords, attrs=dict(attributes or {}))

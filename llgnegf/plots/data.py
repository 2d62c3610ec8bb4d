"""Rows of a run's Dataset for plots: few enough of them, as arrays, and what is missing named.

Used by all plots.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from llgnegf._checks import as_numbers, need

if TYPE_CHECKING:
    import xarray


class MissingDataError(ValueError):
    """The dataset does not hold what this plot shows; the message names what is missing."""


def require(dataset: xarray.Dataset, *names: str, hint: str = "") -> None:
    """Raises MissingDataError unless the dataset has all of `names`."""
    missing = [name for name in names if name not in dataset]
    if missing:
        raise MissingDataError(f"the run has no {', '.join(missing)}" + (f"; run with {hint}" if hint else ""))


def thin(n_rows: int, at_most: int) -> np.ndarray:
    """Indices of at most `at_most` of `n_rows` rows, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, at_most)).round().astype(int))


def thinned(dataset: xarray.Dataset, at_most: int) -> xarray.Dataset:
    """At most that many rows of the dataset, in memory."""
    return dataset.isel(time=thin(dataset.sizes["time"], at_most)).load()


def energies(dataset: xarray.Dataset) -> list[str]:
    """The columns that are an energy of the whole run over time, and after them, of slow electrons, the free energy."""
    names = sorted(map(str, dataset.data_vars), key="free_energy".__eq__)
    return [n for n in names if n.startswith(("energy_", "free_energy")) and dataset[n].dims == ("time",)]


def short_name(energy: str) -> str:
    """What one of `energies` is called in legends."""
    return energy.removeprefix("energy_").replace("_", " ")


def energy_changes(dataset: xarray.Dataset, rows: slice | np.ndarray = slice(None)) -> dict[str, np.ndarray]:
    """The change (eV) since the first row of each of `energies`, on `rows`, and beside full electrons of their sum.

    Without that of the electrons (slow ones) a sum would leave out the most of it.
    """
    names = energies(dataset)
    change = {short_name(n): dataset[n].values[rows] - float(dataset[n][0]) for n in names}
    return change | ({"sum": np.sum(list(change.values()), axis=0)} if "energy_electronic" in names else {})


def rows_at(dataset: xarray.Dataset, times: float | Sequence[float] | None) -> np.ndarray:
    """The rows next to `times` in fs, one or several; None: the first, middle and last one.

    Raises:
        MissingDataError: Without rows.
        ValueError: For a time that is none of the run.
    """
    if not dataset.sizes["time"]:
        raise MissingDataError("no rows")
    if times is None:
        return thin(dataset.sizes["time"], 3)
    saved = dataset["time"].values
    first, last, reach = saved[0], saved[-1], 1e-9 * max(1.0, abs(float(saved[-1])))
    numbers = as_numbers(times, float)
    asked = np.atleast_1d(np.nan if numbers is None else numbers)
    inside = asked.ndim == 1 and asked.size and np.all((asked >= first - reach) & (asked <= last + reach))
    need(bool(inside), "plot", "time", times, f"times of the run, {first:g} to {last:g} fs: a number or some")
    return np.array([int(np.abs(saved - time).argmin()) for time in asked])


def place_of(dataset: xarray.Dataset, name: str) -> str:
    """The dim along which the vectors `name` stand: site, or moment where the magnet is a layer of its own."""
    return "moment" if "moment" in dataset[name].dims else "site"


def vectors(dataset: xarray.Dataset, name: str, rows: np.ndarray) -> np.ndarray:
    """(len(rows), N, 3)."""
    return dataset[name].isel(time=rows).transpose("time", place_of(dataset, name), "component").values

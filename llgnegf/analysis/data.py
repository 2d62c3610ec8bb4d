"""What the functions of `analysis` ask of their arguments: moments with places, columns over evenly spaced times.

Imports checks alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray

from llgnegf._checks import AXES, Problems, as_numbers, need

PLACES = tuple(AXES)
"""Names of the coordinates of sites."""
UNIT = 1e-5
"""Moments are unit vectors if no length differs by more than this from 1 (files may hold single precision)."""
EVEN = 1e-6
"""Times are evenly spaced if no step differs by more than this part of a step."""


def as_moments(owner: str, value: Any) -> xarray.DataArray:
    """Moments with the dims (..., site, component); raises ValueError for what is none.

    Args:
        owner: The function that asks.
        value: `dataset.moments`, or the dataset; the dim of the moments is "site", or any other that stands alone
            beside "time" and "component".
    """
    given = value.get("moments") if isinstance(value, xarray.Dataset) else value
    fits = isinstance(given, xarray.DataArray) and given.sizes.get("component") == 3
    need(fits, owner, "moments", value, "a DataArray such as result.dataset.moments, with a dim component of 3")
    assert given is not None
    dims = [str(dim) for dim in given.dims if dim not in ("time", "component")]
    site = "site" if "site" in dims else dims[0] if len(dims) == 1 else ""
    need(bool(site), owner, "moments", f"dims {given.dims}", "a dim site")
    return given.rename({site: "site"} if site != "site" else {}).transpose(..., "site", "component")


def check_unit(owner: str, moments: xarray.DataArray) -> None:
    """Raises ValueError for vectors of another length than 1, of which angles and profiles would be wrong; NaN is let
    through."""
    length = np.linalg.norm(moments.values, axis=-1)
    off = np.abs(length - 1) > UNIT
    value = f"a vector of length {length[off][0]:.6g}" if off.any() else ""
    need(not off.any(), owner, "moments", value, "unit vectors (divide by their lengths)")


def places(owner: str, moments: xarray.DataArray, positions: Any = None) -> np.ndarray | None:
    """Of the sites in nm, (N, 3): `positions` if they are given, else the coordinates x, y, z; None without them.

    Raises:
        ValueError: For positions that are none of these sites.
    """
    n_sites, known = moments.sizes["site"], [name for name in PLACES if name in moments.coords]
    if positions is None and not known:
        return None
    if positions is None:
        empty = np.zeros(n_sites)
        return np.stack([moments.coords[n].values if n in known else empty for n in PLACES], axis=1)
    array = as_numbers(positions, float)
    fits = array is not None and array.shape in ((n_sites, 2), (n_sites, 3)) and np.isfinite(array).all()
    need(bool(fits), owner, "positions", positions, f"finite numbers of shape ({n_sites}, 3) or ({n_sites}, 2)")
    return np.pad(np.asarray(array), ((0, 0), (0, 3 - np.shape(positions)[1])))


def over_time(owner: str, column: Any, least: int) -> tuple[xarray.DataArray, float]:
    """A column with `time` as its first dim, and the interval (fs) between its rows.

    Raises:
        ValueError: If it is no column over evenly spaced times, or of fewer than `least` rows.
    """
    fits = isinstance(column, xarray.DataArray) and "time" in column.dims and "time" in column.coords
    need(fits, owner, "dataarray", column, "a DataArray with times, such as result.dataset.lead_current")
    need(column.dtype.kind in "iuf", owner, "dataarray", f"values of type {column.dtype}", "real numbers")
    times = np.asarray(column["time"].values, dtype=float)
    need(times.size >= least, owner, "dataarray", f"{times.size} rows", f"at least {least}")
    step = (times[-1] - times[0]) / (times.size - 1)
    even = step > 0 and np.abs(np.diff(times) - step).max() <= EVEN * step
    problems = Problems(owner)
    problems.check(bool(even), "dataarray.time", "unevenly spaced", "evenly spaced, increasing times")
    problems.check(bool(np.isfinite(column.values).all()), "dataarray", "NaN or infinite values", "finite values")
    problems.raise_all()
    return column.transpose("time", ...), float(step)


def made(
    template: xarray.DataArray, values: np.ndarray, dims: tuple[str, ...], coordinates: dict[str, Any], units: str,
    long_name: str,
) -> xarray.DataArray:
    """A DataArray of `values` with those coordinates of `template` that lie along `dims`, and new ones."""
    kept = {n: c for n, c in template.coords.items() if set(map(str, c.dims)) <= set(dims) and n not in coordinates}
    return xarray.DataArray(
        values, dims=dims, coords={**kept, **coordinates}, attrs={"units": units, "long_name": long_name}
    )

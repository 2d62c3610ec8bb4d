"""Results of `transport` with their dims, coordinates and units.

Imports checks alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from llgnegf._checks import AXES


def labelled(
    values: np.ndarray, dims: tuple[str, ...], units: str, long_name: str, attributes: Mapping[str, Any] | None = None,
    **coordinates: Any,
) -> xarray.DataArray:  # fmt: skip
    """A DataArray with what it is in its attributes, and the coordinates energy (eV) and component."""
    labels: dict[str, Any] = dict(coordinates)
    if "energy" in labels:
        labels["energy"] = ("energy", labels["energy"], {"units": "eV"})
    if "component" in dims:
        labels["component"] = list(AXES)
    told = {"units": units, "long_name": long_name, **(attributes or {})}
    return xarray.DataArray(values, dims=dims, coords=labels, attrs=told)


def densities(
    values: np.ndarray, dims: tuple[str, ...], units: str, long_name: str, **coordinates: Any
) -> xarray.Dataset:
    """Charge and spin of densities (..., 4)."""
    return xarray.Dataset({
        "charge": labelled(values[..., 0], dims, units, long_name, **coordinates),
        "spin": labelled(values[..., 1:], (*dims, "component"), units, f"{long_name}, spin", **coordinates),
    })  # fmt: skip

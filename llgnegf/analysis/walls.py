"""Domain walls: where they are and how wide, from the component of the moments that changes its sign.

Part of `analysis`; walls themselves are made in `problem.textures`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray

from llgnegf._checks import Problems
from llgnegf.analysis.data import PLACES, as_moments, check_unit, made, places

SATURATED = 1e-15
"""1 - |M| of a moment that says nothing of the wall any more."""
SAME_ROW = 1e-6
"""Sites that differ by less than this (nm) across the wire are in one row."""


def wall_position(moments: Any, axis: str = "z", along: str = "x") -> xarray.DataArray:
    """Center of a domain wall.

    Parameters
    ----------
    moments : xarray.DataArray or xarray.Dataset
        `result.dataset.moments`, or the dataset: dims (..., site, component).
    axis : str, default 'z'
        The component that changes its sign: "x", "y" or "z".
    along : str, default 'x'
        The direction across the wall, "x", "y" or "z". Where sites have places, those with the same other coordinates
        are one row, each with a wall of its own.

    Returns
    -------
    xarray.DataArray, (..., row)
        In nm, or where the sites have no places in lattice constants from the first site (which is 0; arguments of
        `bloch_wall` count from 1). Dims (..., row) with the places of the rows as coordinates, without the dim `row` if
        there is one row only. NaN where M_axis has one sign along the row, or the same one at its two ends: there is no
        wall, or more than one.

    Raises
    ------
    ValueError
        For what are no moments, or no unit vectors, and for another axis.

    Notes
    -----
    Of the profile that Bloch and Neel walls of any handedness have, ::

        M_axis = +-tanh((x - center)/width)

    artanh M_axis is linear in x, so that center and width follow from a straight line through the sites, fitted with
    weights (1 - M_axis^2)^2: those of a fit of M_axis itself, since d artanh M = dM/(1 - M^2) (propagation of errors).
    It is exact for walls of this form wherever their center is between two sites, and for other profiles the tanh that
    is closest to first order. A wall without a profile, of saturated moments alone, is in the middle between the two
    sites where it changes its sign.

    Examples
    --------
    >>> moments = ln.simulate(None, ln.Magnet(ln.bloch_wall(9, center=5.3, width=1.2), 1.0), t_end=1.0)["moments"]
    >>> ln.analysis.wall_position(moments).isel(time=0).round(6).item()  # from the first site, which is at 1
    4.3
    """
    return _wall("wall_position", moments, axis, along)[0]


def wall_width(moments: Any, axis: str = "z", along: str = "x") -> xarray.DataArray:
    """Width of a domain wall.

    Parameters
    ----------
    moments : xarray.DataArray or xarray.Dataset
        `result.dataset.moments`, or the dataset: dims (..., site, component).
    axis : str, default 'z'
        The component that changes its sign: "x", "y" or "z".
    along : str, default 'x'
        The direction across the wall, "x", "y" or "z".

    Returns
    -------
    xarray.DataArray, (..., row)
        In nm or lattice constants, labelled as by `wall_position`; NaN where there is no wall, or more than one.

    Raises
    ------
    ValueError
        As `wall_position`.

    See Also
    --------
    wall_position : Center, and the method.

    Notes
    -----
    Of the profile ::

        M_axis = +-tanh((x - center)/width)

    Examples
    --------
    >>> moments = ln.simulate(None, ln.Magnet(ln.bloch_wall(9, center=5.3, width=1.2), 1.0), t_end=1.0)["moments"]
    >>> ln.analysis.wall_width(moments).isel(time=0).round(6).item()
    1.2
    """
    return _wall("wall_width", moments, axis, along)[1]


def _wall(owner: str, moments: Any, axis: str, along: str) -> tuple[xarray.DataArray, xarray.DataArray]:
    data = as_moments(owner, moments)
    check_unit(owner, data)
    problems = Problems(owner)
    for name, value in (("axis", axis), ("along", along)):
        problems.check(value in PLACES, name, value, "'x', 'y' or 'z'")
    problems.raise_all()
    at = places(owner, data)
    units, direction = ("lattice constants", 0) if at is None else ("nm", PLACES.index(along))
    if at is None:
        at = np.outer(np.arange(data.sizes["site"]), [1.0, 0.0, 0.0])
    across = np.delete(at, direction, axis=1)
    starts, row_of = np.unique(np.round(across / SAME_ROW) * SAME_ROW, axis=0, return_inverse=True)
    values = data.values[..., PLACES.index(axis)]
    fits = [_line(values[..., row_of == r], at[row_of == r, direction]) for r in range(len(starts))]
    dims = tuple(str(dim) for dim in data.dims[:-2])
    single = len(starts) == 1
    coordinates: dict[str, Any] = {}
    if not single:
        others = [name for k, name in enumerate(PLACES) if k != direction]
        coordinates = {n: ("row", starts[:, k], {"units": units}) for k, n in enumerate(others)}
    names = (f"center of the wall along {along}", f"width of the wall along {along}")
    results = []
    for k, name in enumerate(names):
        stacked = fits[0][k] if single else np.stack([fit[k] for fit in fits], axis=-1)
        results.append(made(data, stacked, dims if single else (*dims, "row"), coordinates, units, name))
    return results[0], results[1]


def _line(values: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Center and width from M (..., n) at x (n,), by the weighted line u = (x - center)/width through artanh M."""
    order = np.argsort(x)
    values, x = values[..., order], x[order]
    inside = np.clip(values, -1 + SATURATED, 1 - SATURATED)
    weight, u = (1 - inside**2) ** 2, np.arctanh(inside)
    # Saturated moments are told by rounding alone, but for the two beside the wall where all are.
    turn = np.sign(values[..., 1:]) != np.sign(values[..., :-1])
    none = np.zeros_like(turn[..., :1])
    beside = np.concatenate([turn, none], axis=-1) | np.concatenate([none, turn], axis=-1)
    weight = np.where((np.abs(inside) < 1 - SATURATED) | beside, weight, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weight.sum(axis=-1)
        mean_x, mean_u = (weight * x).sum(axis=-1) / total, (weight * u).sum(axis=-1) / total
        dx, du = x - mean_x[..., None], u - mean_u[..., None]
        slope = (weight * dx * du).sum(axis=-1) / (weight * dx**2).sum(axis=-1)
        center, width = mean_x - mean_u / slope, np.abs(1 / slope)
    wall = (values[..., 0] * values[..., -1] < 0) & np.isfinite(center)
    return np.where(wall, center, np.nan), np.where(wall, width, np.nan)

"""Topological charge on a lattice, whole for closed textures, and where it sits.

B. Berg and M. Luscher, Nucl. Phys. B 190, 412 (1981); triangles from `triangles`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray

from llgnegf._checks import as_numbers, need
from llgnegf.analysis.data import as_moments, check_unit, made, places
from llgnegf.analysis.triangles import lattice_triangles


def skyrmion_number(moments: Any, triangles: Any = None, positions: Any = None) -> xarray.DataArray:
    """Topological charge Q of a texture on a lattice.

    Parameters
    ----------
    moments : xarray.DataArray or xarray.Dataset
        `result.dataset.moments`, or the dataset: dims (..., site, component).
    triangles : array_like of int, (T, 3), optional
        (T, 3) sites, counter-clockwise seen from +z; None: `lattice_triangles` of the places.
    positions : array_like, (N, 3) or (N, 2), optional
        (N, 3) or (N, 2), where the data has no coordinates x and y.

    Returns
    -------
    xarray.DataArray, (...)
        Q, dimensionless.

    Raises
    ------
    ValueError
        Without triangles and places, for triangles that are none, and for moments that are no unit vectors.

    Notes
    -----
    The sum over triangles of the solid angle Omega that M_1, M_2, M_3 span, over 4 pi [1]_, ::

        tan(Omega/2) = M_1.(M_2 x M_3)/(1 + M_1.M_2 + M_2.M_3 + M_3.M_1),    -2 pi < Omega < 2 pi,

    is a whole number for every texture on a closed surface, and for one that is uniform along its edge. Sign: that of
    (1/4 pi) int M.(d_x M x d_y M) dx dy. A skyrmion, Bloch or Neel, whose core points to -z in a background along +z
    has Q = -1, with all moments reversed Q = +1; antiskyrmions have the opposite sign.

    References
    ----------
    .. [1] B. Berg, M. Luescher, Nucl. Phys. B 190, 412 (1981).

    Examples
    --------
    >>> lattice = ln.square(15, 15)
    >>> texture = ln.skyrmion(lattice, center=(7.0, 7.0), radius=3.0, wall_width=1.0)
    >>> magnet = ln.Magnet(texture, magnetic_moment=1.0)
    >>> moments = ln.simulate(None, magnet, t_end=1.0)["moments"]
    >>> ln.analysis.skyrmion_number(moments, positions=lattice.positions).isel(time=0).round(2).item()
    -1.0
    """
    data, angle, _, _ = _charge("skyrmion_number", moments, triangles, positions)
    dims = tuple(str(dim) for dim in data.dims[:-2])
    return made(data, angle.sum(axis=-1) / (4 * np.pi), dims, {}, "1", "skyrmion number")


def skyrmion_position(moments: Any, positions: Any = None) -> xarray.DataArray:
    """Center of the topological charge of a skyrmion.

    Parameters
    ----------
    moments : xarray.DataArray or xarray.Dataset
        `result.dataset.moments`, or the dataset: dims (..., site, component).
    positions : array_like, (N, 3) or (N, 2), optional
        Where the data has no coordinates x and y.

    Returns
    -------
    xarray.DataArray, (..., direction)
        direction x, y, in nm; NaN where ``|Q|`` < 1/2.

    Raises
    ------
    ValueError
        As `skyrmion_number`.

    Notes
    -----
    With the solid angles Omega of `skyrmion_number` and the centers r of the triangles, ::

        R = sum Omega r/sum Omega

    It needs one skyrmion, with a texture that is uniform far from it.

    Examples
    --------
    >>> lattice = ln.square(15, 15)
    >>> texture = ln.skyrmion(lattice, center=(7.0, 7.0), radius=3.0, wall_width=1.0)
    >>> magnet = ln.Magnet(texture, magnetic_moment=1.0)
    >>> moments = ln.simulate(None, magnet, t_end=1.0)["moments"]
    >>> ln.analysis.skyrmion_position(moments, positions=lattice.positions).isel(time=0).values.round(1)
    array([7., 7.])
    """
    data, angle, corners, at = _charge("skyrmion_position", moments, None, positions)
    assert at is not None
    centers = at[corners][..., :2].mean(axis=1)
    total = angle.sum(axis=-1)[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(np.abs(total) > 2 * np.pi, angle @ centers / total, np.nan)
    dims = (*(str(dim) for dim in data.dims[:-2]), "direction")
    return made(data, found, dims, {"direction": ["x", "y"]}, "nm", "center of the topological charge")


def _charge(
    owner: str, moments: Any, triangles: Any, positions: Any
) -> tuple[xarray.DataArray, np.ndarray, np.ndarray, np.ndarray | None]:
    """The moments, Omega (..., T), the triangles and the places."""
    data = as_moments(owner, moments)
    check_unit(owner, data)
    at = places(owner, data, positions)
    n_sites = data.sizes["site"]
    if triangles is None:
        need(at is not None, owner, "positions", None, "given, or coordinates x and y of the moments, or triangles")
        corners = lattice_triangles(at)
    else:
        array = as_numbers(triangles, float)
        shaped = array is not None and array.ndim == 2 and array.shape[1] == 3
        inside = shaped and bool(np.isin(np.asarray(array), np.arange(n_sites)).all())
        need(inside, owner, "triangles", triangles, f"sites 0 to {n_sites - 1}, shape (T, 3)")
        corners = np.asarray(array).astype(int)
    m = data.values
    a, b, c = (m[..., corners[:, k], :] for k in range(3))
    volume = (a * np.cross(b, c)).sum(axis=-1)
    rest = 1 + (a * b).sum(axis=-1) + (b * c).sum(axis=-1) + (c * a).sum(axis=-1)
    return data, 2 * np.arctan2(volume, rest), corners, at

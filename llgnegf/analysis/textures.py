"""Order of many moments: the Neel vector of antiferromagnets and the structure factor.

Part of `analysis`; takes moments as `data` has them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import xarray
from scipy.sparse.csgraph import breadth_first_order, connected_components

from llgnegf._checks import Problems, as_numbers, need
from llgnegf.analysis.data import PLACES, as_moments, made, places

MOST_WAVES = 4
"""Most wave vectors of the default grid for each site: lattices that are none need q given."""


def neel_vector(dataset: Any, sublattice: Any = None) -> xarray.DataArray:
    """Neel vector n = (<M>_A - <M>_B)/2 of two sublattices, of length 1 for a perfect antiferromagnet.

    Parameters
    ----------
    dataset : xarray.Dataset or xarray.DataArray
        The dataset of a run, or its moments: dims (..., site, component).
    sublattice : array_like of int, (N,), optional
        +1 for each site of A and -1 for each of B, (N,). None: A holds site 0, and neighbours belong to different
        sublattices, neighbours by the bonds of the dataset, or without bonds along the chain.

    Returns
    -------
    xarray.DataArray, (..., component)
        Dimensionless; <M> is the average over a sublattice.

    Raises
    ------
    ValueError
        If the bonds are not of two sublattices, or `sublattice` is not of this kind.

    Examples
    --------
    >>> magnet = ln.Magnet(ln.antiferromagnet(4), magnetic_moment=1.0)
    >>> n = ln.analysis.neel_vector(ln.simulate(None, magnet, t_end=1.0).dataset)
    >>> n.isel(time=0).values
    array([0., 0., 1.])
    """
    data = as_moments("neel_vector", dataset)
    n_sites = data.sizes["site"]
    problems = Problems("neel_vector")
    if sublattice is None:
        signs = _coloured(problems, n_sites, dataset)
    else:
        array = as_numbers(sublattice, float)
        fits = array is not None and array.shape == (n_sites,) and set(np.unique(array)) == {-1.0, 1.0}
        problems.check(bool(fits), "sublattice", sublattice, f"{n_sites} numbers, +1 or -1, some of each")
        signs = array if fits else None
    problems.raise_all()
    assert signs is not None
    weights = np.where(signs > 0, 0.5 / (signs > 0).sum(), -0.5 / (signs < 0).sum())
    values = np.einsum("...ia,i->...a", data.values, weights)
    dims = (*(str(dim) for dim in data.dims[:-2]), "component")
    return made(data, values, dims, {}, "1", "Neel vector")


def _coloured(problems: Problems, n_sites: int, dataset: Any) -> np.ndarray | None:
    """+1 and -1 for sites an even and an odd number of bonds away from the first of their piece."""
    if not problems.check(n_sites > 1, "dataset", "one site", "two sublattices"):
        return None
    layer = isinstance(dataset, xarray.Dataset) and "moment" in dataset["moments"].dims
    if layer and not problems.check(not layer, "sublattice", None, "given for moments that are a layer of their own"):
        return None
    bonded = isinstance(dataset, xarray.Dataset) and dataset.sizes.get("bond", 0) > 0
    if bonded:
        pairs = np.array([str(label).split("-") for label in dataset["bond"].values], dtype=int)
    else:
        pairs = np.stack([np.arange(n_sites - 1), np.arange(1, n_sites)], axis=1)
    graph = sp.coo_array((np.ones(len(pairs)), pairs.T), shape=(n_sites, n_sites)).tocsr()
    signs = np.zeros(n_sites)
    pieces = connected_components(graph, directed=False)[1]
    for first in np.unique(pieces, return_index=True)[1]:
        order, before = breadth_first_order(graph, first, directed=False)
        signs[first] = 1.0
        for site in order[1:]:
            signs[site] = -signs[before[site]]
    odd = pairs[signs[pairs[:, 0]] == signs[pairs[:, 1]]]
    value = "" if not len(odd) else f"bond {odd[0, 0]}-{odd[0, 1]} joins sites of one sublattice"
    return signs if problems.check(not len(odd), "sublattice", value, "+1 or -1 for each site, given") else None


def structure_factor(moments: Any, q: Any = None) -> xarray.DataArray:
    """Static structure factor of the moments, for each component.

    Parameters
    ----------
    moments : xarray.DataArray or xarray.Dataset
        `result.dataset.moments`, or the dataset: dims (..., site, component). r_i are the coordinates x, y, z in nm, or
        without them the numbers of the sites.
    q : array_like, (n, 3) or (n,), optional
        Wave vectors (n, 3) in rad/nm, or (n,) along x. None: those of the lattice with periodic boundaries, over a zone
        2 pi/spacing wide along x and along y, from the smallest difference of coordinates.

    Returns
    -------
    xarray.DataArray, (..., q_x, component)
        With q_y where the sites span a plane; (..., q, component) for given q.

    Raises
    ------
    ValueError
        For q that is none, and without q for sites that are on no grid.

    Notes
    -----
    With the positions r_i, ::

        S_a(q) = (1/N) |sum_i M_ia exp(-i q.r_i)|^2

    On the default grid of a chain or rectangle of N sites, sum_q S_a(q) = sum_i M_ia^2 (Parseval).

    Examples
    --------
    >>> magnet = ln.Magnet(ln.helix(8, q=np.pi / 2), magnetic_moment=1.0)  # period: 4 sites
    >>> factor = ln.analysis.structure_factor(ln.simulate(None, magnet, t_end=1.0)["moments"])
    >>> abs(factor.isel(time=0).sum("component").idxmax("q_x")).round(4).item()  # rad a site: pi/2
    1.5708
    """
    data = as_moments("structure_factor", moments)
    at = places("structure_factor", data)
    units = "rad/site" if at is None else "rad/nm"
    r = np.outer(np.arange(data.sizes["site"]), [1.0, 0.0, 0.0]) if at is None else at
    dims = tuple(str(dim) for dim in data.dims[:-2])
    if q is None:
        axes = _grid(r)
        shape = tuple(axis.size for axis in axes.values())
        waves = np.stack([g.ravel() for g in np.meshgrid(*axes.values(), indexing="ij")], axis=1)
        waves = np.pad(waves, ((0, 0), (0, 3 - waves.shape[1])))
        named: dict[str, Any] = {name: (name, axis, {"units": units}) for name, axis in axes.items()}
        new = (*dims, *axes)
    else:
        waves = _waves(q)
        shape = (len(waves),)
        named = {f"q_{n}": ("q", waves[:, k], {"units": units}) for k, n in enumerate(PLACES)}
        new = (*dims, "q")
    phases = np.exp(-1j * (waves @ r.T))
    amplitude = np.einsum("qi,...ia->...qa", phases, data.values)
    values = np.abs(amplitude) ** 2 / data.sizes["site"]
    values = values.reshape(*values.shape[:-2], *shape, 3)
    return made(data, values, (*new, "component"), named, "1", "structure factor")


def _waves(q: Any) -> np.ndarray:
    """Given wave vectors as (n, 3)."""
    array = as_numbers(q, float)
    fits = array is not None and np.isfinite(array).all() and (array.ndim == 1 or array.shape[1:] == (3,))
    need(bool(fits), "structure_factor", "q", q, "finite numbers of shape (n, 3), or (n,) along x")
    found = np.asarray(array)
    return np.outer(found, [1.0, 0.0, 0.0]) if found.ndim == 1 else found


def _grid(r: np.ndarray) -> dict[str, np.ndarray]:
    """q_x and, of sites that differ in y, q_y, each increasing."""
    axes = {}
    for k, name in enumerate(PLACES):
        steps = np.diff(np.unique(np.round(r[:, k], 9)))
        if not steps.size and k > 0:
            continue
        spacing = float(steps.min()) if steps.size else 1.0
        count = round(float(np.ptp(r[:, k])) / spacing) + 1
        axes[f"q_{name}"] = np.fft.fftshift(2 * np.pi * np.fft.fftfreq(count, spacing))
    total, most = int(np.prod([axis.size for axis in axes.values()])), MOST_WAVES * len(r)
    value = f"None, {len(r)} sites on a grid of {total} places"
    need(total <= most, "structure_factor", "q", value, "wave vectors (n, 3) for sites on no grid")
    return axes

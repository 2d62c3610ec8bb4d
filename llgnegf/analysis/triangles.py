"""Triangles that tile a lattice: the plaquettes between its sites, for `skyrmions`.

Square, triangular, honeycomb and other plane lattices, of any outline.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import Delaunay, QhullError, cKDTree

from llgnegf._checks import as_numbers, need

LARGEST_CIRCLE = 1.05
"""Largest circumradius of a triangle, in distances of neighbours: 1 for honeycomb and for the gap of one vacancy,
1/sqrt(2) for square, 1/sqrt(3) for triangular lattices."""


def lattice_triangles(positions: Any) -> np.ndarray:
    """Triangles of sites that tile a lattice without overlap.

    Parameters
    ----------
    positions : array_like, (N, 3) or (N, 2)
        (N, 3) or (N, 2) in one unit; the plane is x, y.

    Returns
    -------
    ndarray of int, (T, 3)
        Sites, counter-clockwise seen from +z.

    Raises
    ------
    ValueError
        If they span no plane.

    Notes
    -----
    Those of Delaunay's triangulation whose circumcircle is no larger than the hexagon of nearest neighbours (an alpha
    shape): plaquettes of square, triangular and honeycomb lattices, gaps that one missing site leaves and notches of a
    zigzag outline included, and nothing across larger holes or bays. Which diagonal a square is given does not change
    the charge of a texture unless its solid angle comes to 2 pi.

    Examples
    --------
    >>> len(ln.analysis.lattice_triangles(ln.square(3, 3).positions))  # two in each of four squares
    8
    """
    owner, array = "lattice_triangles", as_numbers(positions, float)
    fits = array is not None and array.ndim == 2 and array.shape[1] in (2, 3) and np.isfinite(array).all()
    need(bool(fits), owner, "positions", positions, "finite numbers of shape (N, 3) or (N, 2)")
    points = np.asarray(array)[:, :2]
    try:
        corners = Delaunay(points).simplices
    except (QhullError, ValueError):
        need(False, owner, "positions", f"{len(points)} sites on a line", "sites that span the x-y plane")
    a, b, c = (points[corners[:, k]] for k in range(3))
    double_area = np.cross(np.pad(b - a, ((0, 0), (0, 1))), np.pad(c - a, ((0, 0), (0, 1))))[:, 2]
    sides = np.prod([np.linalg.norm(p - q, axis=1) for p, q in ((a, b), (b, c), (c, a))], axis=0)
    nearest = float(np.median(cKDTree(points).query(points, k=2)[0][:, 1]))
    # Circumradius abc/4A; without dividing, for slivers of area zero.
    kept = sides <= 2 * np.abs(double_area) * LARGEST_CIRCLE * nearest
    turned = np.where((double_area > 0)[:, None], corners, corners[:, ::-1])
    return turned[kept]

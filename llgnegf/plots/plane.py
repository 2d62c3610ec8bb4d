"""Sites that span a plane: where they are in a picture, the cells that they fill, and which of them carry arrows.

Used by `maps`, `animation` and `lattice_sketch`; positions are the coordinates x, y, z of a run's Dataset.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy

if TYPE_CHECKING:
    import xarray

AXES = ("x", "y", "z")
FLAT, APART = 0.5, 0.3
"""In distances of neighbours: how far sites reach across a line to span a plane, and how far apart they must be in the
picture, where layers above one another would cover each other."""
MOST_ARROWS, FEWER = 400, 160
"""Lattices with more sites than the first have arrows on about as many of them as the second."""
NEIGHBOURS = 1.3
"""Cells are those of sites closer than this, in distances of nearest neighbours."""
MOST_SIDES = 12
"""A lattice whose bonds have more directions than this is none; its sites are drawn as discs."""


@dataclass(frozen=True, eq=False)
class Plane:
    """Sites in a picture.

    Attributes:
        points: (N, 2), nm.
        axes: The numbers of the two coordinates in the picture, and of the one across it.
        spacing: Distance of nearest neighbours, nm.
    """

    points: np.ndarray
    axes: tuple[int, int, int]
    spacing: float

    @property
    def names(self) -> tuple[str, str, str]:
        """Names of the coordinates in the picture and across it."""
        a, b, c = (AXES[k] for k in self.axes)
        return a, b, c

    @cached_property
    def extent(self) -> np.ndarray:
        """Width and height with half a spacing around, nm."""
        return np.ptp(self.points, axis=0) + self.spacing

    @cached_property
    def frame(self) -> tuple[np.ndarray, np.ndarray]:
        """The lower left and the upper right corner of a picture of all cells, nm."""
        return self.points.min(axis=0) - 0.7 * self.spacing, self.points.max(axis=0) + 0.7 * self.spacing

    @cached_property
    def cells(self) -> list[np.ndarray]:
        """A polygon around each site: squares, hexagons, the rhombi of honeycombs; discs where there is no lattice."""
        found = _lattice_cells(self.points, self.spacing)
        if found is not None:
            return found
        angles = np.linspace(0, 2 * np.pi, 25)
        disc = 0.48 * self.spacing * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return [point + disc for point in self.points]

    @cached_property
    def arrows(self) -> np.ndarray:
        """Sites with an arrow: all, or at most `FEWER` spread evenly."""
        n_sites = len(self.points)
        if n_sites <= MOST_ARROWS:
            return np.arange(n_sites)
        size = np.sqrt(np.prod(self.extent) / FEWER)
        low = self.points.min(axis=0)
        while True:
            box = np.floor((self.points - low + 1e-9) / size)
            from_middle = np.abs(self.points - low - (box + 0.5) * size).max(axis=1)
            order = np.argsort(from_middle, kind="stable")
            first = np.unique(box[order], axis=0, return_index=True)[1]
            if first.size <= FEWER:
                return np.sort(order[first])
            size *= 1.05

    @cached_property
    def arrow_spacing(self) -> float:
        """Length that arrows may have, nm."""
        return self.spacing * max(1.0, np.sqrt(len(self.points) / len(self.arrows)))


def plane_of(dataset: xarray.Dataset, dim: str = "site") -> Plane | None:
    """The plane of a run's sites, or of its moments, each in the middle of its sites, with `dim` "moment".

    None for chains, without positions (some moment may be on no site), and for what cannot be seen from one side.
    """
    if not all(name in dataset.coords and dataset[name].dims == ("site",) for name in AXES):
        return None
    positions = np.stack([dataset[name].values for name in AXES], axis=1)
    if dim == "moment":
        on = dataset["moment_of_site"].values == dataset["moment"].values[:, None]
        if not on.any(axis=1).all():
            return None
        positions = on @ positions / on.sum(axis=1)[:, None]
    return plane_through(positions)


def plane_through(positions: np.ndarray) -> Plane | None:
    """That of sites at `positions` (N, 3) in nm, seen along the coordinate that is most normal to it."""
    if len(positions) < 3 or not np.isfinite(positions).all():
        return None
    spacing = float(np.median(scipy.spatial.cKDTree(positions).query(positions, k=2)[0][:, 1]))
    centered = positions - positions.mean(axis=0)
    directions = np.linalg.svd(centered, full_matrices=False)[2]
    if spacing == 0 or float(np.ptp(centered @ directions[1])) < FLAT * spacing:
        return None
    across = int(np.argmax(np.abs(directions[2])))
    first, second = (k for k in range(3) if k != across)
    points = positions[:, [first, second]]
    if scipy.spatial.cKDTree(points).query(points, k=2)[0][:, 1].min() < APART * spacing:
        return None
    return Plane(points, (first, second, across), spacing)


def _lattice_cells(points: np.ndarray, spacing: float) -> list[np.ndarray] | None:
    """Voronoi's cells, with further sites around the edge and in gaps: wherever a bond of some site leads from another.

    Honeycombs get one in the middle of each hexagon, which leaves them their holes.
    """
    tree = scipy.spatial.cKDTree(points)
    pairs = tree.query_pairs(NEIGHBOURS * spacing, output_type="ndarray")
    steps = np.concatenate([points[pairs[:, 1]] - points[pairs[:, 0]], points[pairs[:, 0]] - points[pairs[:, 1]]])
    directions = np.unique(np.round(steps / spacing, 3), axis=0) * spacing
    if not 2 < len(directions) <= MOST_SIDES:
        return None
    ghosts = (points[:, None] + directions).reshape(-1, 2)
    ghosts = ghosts[tree.query(ghosts)[0] > 0.1 * spacing]
    ghosts = np.unique(np.round(ghosts / (0.01 * spacing)), axis=0) * 0.01 * spacing
    diagram = scipy.spatial.Voronoi(np.concatenate([points, ghosts]))
    regions = [diagram.regions[k] for k in diagram.point_region[: len(points)]]
    cells = [_ordered(diagram.vertices[region]) for region in regions if region and -1 not in region]
    reach = max((np.abs(c - p).max() for c, p in zip(cells, points, strict=False)), default=np.inf)
    return cells if len(cells) == len(points) and reach < spacing else None


def _ordered(corners: np.ndarray) -> np.ndarray:
    """Corners of a convex polygon, counter-clockwise."""
    dx, dy = (corners - corners.mean(axis=0)).T
    return corners[np.argsort(np.arctan2(dy, dx))]

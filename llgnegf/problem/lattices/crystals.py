"""Square, honeycomb and triangular lattices: ribbons of given length and width along x.

Each is cells in rows and columns with a unit cell that repeats along x; `lattice` has the class.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import scipy

from llgnegf._checks import MOST_SITES, Problems
from llgnegf._readable import readable
from llgnegf.problem.arguments import NUMBER, Argument, choice
from llgnegf.problem.lattices.lattice import Lattice

COUNT = Argument(int, f"an integer from 1 to {MOST_SITES}", ok=lambda n: 1 <= n <= MOST_SITES)
SPACING = Argument(float, f"{NUMBER} > 0", "nm")

Count = Annotated[int, COUNT]
Spacing = Annotated[float, SPACING]


@readable
def square(n_x: Count, n_y: Count, spacing: Spacing = 1.0) -> Lattice:
    """Square lattice, a ribbon along x.

    Parameters
    ----------
    n_x : int
        Sites along x, the direction of transport.
    n_y : int
        Sites along y.
    spacing : float, default 1.0
        Distance of nearest neighbours in nm; with 1 nm positions are in lattice constants too.

    Returns
    -------
    Lattice
        Site n_y i + j is at (i, j) times the spacing. Next-nearest neighbours are those across squares.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Examples
    --------
    >>> ribbon = ln.square(10, 3)
    >>> ribbon
    <Lattice: 30 sites, 47 bonds, sides left, right, bottom, top>
    >>> system = ln.OpenSystem(ribbon.electrons(rashba=0.2), [ribbon.lead("left", rashba=0.2), ribbon.lead("right")])
    """
    columns, rows, a = _checked("square", n_x, n_y, spacing)
    return _lattice([[(0.0, float(j))] for j in range(rows)], columns, (1.0, 1.0), 1, a, np.sqrt(2.0), 1.0)


@readable
def triangular(n_x: Count, n_y: Count, spacing: Spacing = 1.0) -> Lattice:
    """Triangular lattice of rows along x, every other one displaced by half a spacing to the right.

    Parameters
    ----------
    n_x : int
        Sites in a row along x, the direction of transport.
    n_y : int
        Number of rows.
    spacing : float, default 1.0
        Distance of nearest neighbours in nm.

    Returns
    -------
    Lattice
        Site n_y i + j is at (i + (j mod 2)/2, sqrt(3) j/2) times the spacing. A plaquette is one triangle.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Examples
    --------
    >>> ln.triangular(2, 2)
    <Lattice: 4 sites, 5 bonds, sides left, right, bottom, top>
    """
    columns, rows, a = _checked("triangular", n_x, n_y, spacing)
    cell = [[(0.5 * (j % 2), np.sqrt(0.75) * j)] for j in range(rows)]
    return _lattice(cell, columns, (1.0, np.sqrt(3.0)), 2, a, np.sqrt(3.0), np.sqrt(3.0) / 4)


@readable
def honeycomb(
    n_x: Count, n_y: Count, edge: Annotated[Any, choice("zigzag", "armchair")] = "zigzag", spacing: Spacing = 1.0
) -> Lattice:
    """Honeycomb ribbon with zigzag, or armchair, edges at bottom and top.

    The edge is the orientation that runs along x, the direction of transport. Sites are counted cell by cell along x,
    in a cell row by row, two in each row.

    Parameters
    ----------
    n_x : int
        Periods along x.
    n_y : int
        Rows; 2 n_y sites are in a cell. For leads at bottom and top at least 2.
    edge : {'zigzag', 'armchair'}
        "zigzag" or "armchair". "zigzag": a row is a zigzag chain along x, the period along x is sqrt(3) spacings.
        "armchair": a row has one dimer along x in each period of 3 spacings; every other row is displaced by half of
        it.
    spacing : float, default 1.0
        Distance of nearest neighbours in nm.

    Returns
    -------
    Lattice
        With next-nearest neighbours sqrt(3) spacings apart; a plaquette is a hexagon.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Examples
    --------
    >>> graphene = ln.honeycomb(6, 4, edge="armchair", spacing=0.142)
    >>> print(graphene.n_sites, len(graphene.bonds))
    48 57
    """
    problems = Problems("honeycomb")
    problems.check(edge in ("zigzag", "armchair"), "edge", edge, "'zigzag' or 'armchair'")
    columns, rows, a = _checked("honeycomb", n_x, n_y, spacing, problems)
    half = np.sqrt(0.75)
    if edge == "zigzag":
        cell = [[(half * (j % 2), 1.5 * j), (half * ((j + 1) % 2), 1.5 * j + 0.5)] for j in range(rows)]
        period = (2 * half, 3.0)
    else:
        cell = [[(1.5 * (j % 2) + k, half * j) for k in (0.0, 1.0)] for j in range(rows)]
        period = (3.0, 2 * half)
    return _lattice(cell, columns, period, 2, a, np.sqrt(3.0), 3 * half)


def _checked(
    owner: str, n_x: Any, n_y: Any, spacing: Any, problems: Problems | None = None
) -> tuple[int, int, float]:
    problems = problems or Problems(owner)
    columns, rows = problems.sites("n_x", n_x), problems.sites("n_y", n_y)
    a = problems.number("spacing", spacing, "a finite number > 0, in nm", lambda s: s > 0)
    if columns and rows:
        problems.check(columns * rows <= MOST_SITES, "n_x", f"{columns} x {rows}", f"at most {MOST_SITES} sites")
    problems.raise_all()
    assert columns is not None and rows is not None
    return columns, rows, a


def _lattice(
    cell: list[list[tuple[float, float]]], columns: int, period: tuple[float, float], repeat: int, spacing: float,
    next_length: float, plaquette: float,
) -> Lattice:  # fmt: skip
    """Columns of the cell, in spacings: its rows of sites, the periods along x and y (of `repeat` rows), the distance
    of next-nearest neighbours and the area of a plaquette."""
    column = np.array([site for row in cell for site in row])
    x = np.repeat(np.arange(columns) * period[0], len(column))
    plane = np.tile(column, (columns, 1)) + np.stack([x, np.zeros_like(x)], axis=1)
    positions = spacing * np.pad(plane, ((0, 0), (0, 1)))
    row = np.tile(np.repeat(np.arange(len(cell)), len(cell[0])), columns)
    sites, last = np.arange(len(positions)), len(positions) - len(column)
    sides = {
        "left": (sites[: len(column)], (-spacing * period[0], 0.0, 0.0)),
        "right": (sites[last:], (spacing * period[0], 0.0, 0.0)),
    }
    if len(cell) >= repeat:
        sides["bottom"] = (sites[row < repeat], (0.0, -spacing * period[1], 0.0))
        sides["top"] = (sites[row >= len(cell) - repeat], (0.0, spacing * period[1], 0.0))
    lengths = (spacing,), (spacing * next_length,)
    bonds, second = (_at_distance(positions, length) for (length,) in lengths)
    return Lattice(positions, bonds, second, sides, plaquette * spacing**2, lengths)


def _at_distance(positions: np.ndarray, length: float) -> np.ndarray:
    """All pairs of sites at this distance, (n, 2)."""
    pairs = scipy.spatial.cKDTree(positions).query_pairs(length * (1 + 1e-6), output_type="ndarray")
    distance = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    return pairs[distance > length * (1 - 1e-6)]

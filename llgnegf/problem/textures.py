"""Textures: arrays of unit vectors, one moment for each site of a wire or a lattice.

Plain arrays in, plain arrays out; every builder returns shape (n_sites, 3) with |M_i| = 1 to round-off. Where the
sites are is said by a number of sites (a chain along x, its first site at 1 as in PRL 125, 187202, so that site i of
arguments and results, which count from 0, is at i + 1), by a `Lattice`, or by positions (n_sites, 3); lengths are
lattice constants of the chain, or nm as the positions are.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from llgnegf._checks import Problems, dimensions
from llgnegf._readable import readable
from llgnegf.problem.arguments import (
    AXIS,
    NUMBER,
    Angle,
    AnglePerSite,
    Argument,
    Axis,
    Sites,
    TextureSites,
    UnitVectors,
    Vector,
)
from llgnegf.problem.lattices.lattice import Lattice

PLANE = "a Lattice, or positions of shape (n_sites, 3) in nm"

WaveVector = Annotated[
    Any, Argument(float | Vector, f"{NUMBER} along x, or a vector", "rad/nm (a chain: rad/lattice constant)")
]
Direction = Annotated[Any, Argument(str | Vector, AXIS)]
Seed = Annotated[int, Argument(int, "an integer >= 0")]


@readable
def bloch_wall(n_sites: TextureSites, center: Sites, width: Sites, along: Direction = "x") -> np.ndarray:
    """Head-to-head Bloch wall of PRL 125, 187202.

    Parameters
    ----------
    n_sites : int or Lattice or array_like, (n_sites, 3)
        Number of moments of a chain, a `Lattice`, or positions in nm.
    center : float
        Position of the wall in lattice constants of a chain, whose first site is at 1; in nm on a lattice.
    width : float
        Width of the wall, likewise, positive.
    along : str or array_like, default 'x'
        The direction e across the wall: 'x', 'y', 'z' or a non-zero vector.

    Returns
    -------
    ndarray, (n_sites, 3)
        Unit vectors.

    Raises
    ------
    ValueError
        For each argument that is not of this kind.

    Notes
    -----
    With r_i.e = 1 .. n_sites on a chain [1]_ (the paper prints M^x without the division by the width; a unit vector
    needs it), ::

        M_i = (-sech u tanh u, sech^2 u, tanh u),    u = (center - r_i.e)/width

    References
    ----------
    .. [1] U. Bajpai, B. K. Nikolic, Phys. Rev. Lett. 125, 187202 (2020).

    Examples
    --------
    >>> wall = ln.bloch_wall(7, center=4, width=0.9)
    >>> print(wall[3])  # the middle of seven sites, at 4
    [-0.  1.  0.]
    """
    sech, tanh = _wall_profile("bloch_wall", n_sites, center, width, along)
    return unit_vectors(np.stack([-sech * tanh, sech**2, tanh], axis=1))


@readable
def neel_wall(n_sites: TextureSites, center: Sites, width: Sites, along: Direction = "x") -> np.ndarray:
    """Coplanar Neel wall of the supplement of PRL 125, 187202.

    Parameters
    ----------
    n_sites : int or Lattice or array_like, (n_sites, 3)
        Number of moments of a chain, a `Lattice`, or positions in nm.
    center : float
        Position of the wall in lattice constants of a chain, whose first site is at 1; in nm on a lattice.
    width : float
        Width of the wall, likewise, positive.
    along : str or array_like, default 'x'
        The direction e across the wall: 'x', 'y', 'z' or a non-zero vector.

    Returns
    -------
    ndarray, (n_sites, 3)
        Unit vectors.

    Raises
    ------
    ValueError
        For each argument that is not of this kind.

    Notes
    -----
    ::

        M_i = (0, sech u, tanh u),    u = (center - r_i.e)/width

    Examples
    --------
    >>> ribbon = ln.square(10, 3)
    >>> wall = ln.neel_wall(ribbon, center=4.5, width=1.2)  # nm
    >>> print(wall.shape)
    (30, 3)
    """
    sech, tanh = _wall_profile("neel_wall", n_sites, center, width, along)
    return unit_vectors(np.stack([np.zeros_like(sech), sech, tanh], axis=1))


@readable
def uniform(n_sites: TextureSites, direction: Axis = "z") -> np.ndarray:
    """All moments along one direction.

    Parameters
    ----------
    n_sites : int or Lattice or array_like, (n_sites, 3)
        Number of moments, a `Lattice`, or positions.
    direction : str or array_like, default 'z'
        'x', 'y', 'z' or a non-zero 3-vector.

    Returns
    -------
    ndarray, (n_sites, 3)
        Unit vectors.

    Raises
    ------
    ValueError
        For each argument that is not of this kind.

    Examples
    --------
    >>> ln.uniform(2, "x")
    array([[1., 0., 0.],
           [1., 0., 0.]])
    """
    problems = Problems("uniform")
    places = places_of(problems, "n_sites", n_sites)
    axis = problems.axis("direction", direction)
    problems.raise_all()
    assert places is not None and axis is not None
    return np.tile(unit_vectors(axis), (len(places), 1))


@readable
def cone(n_sites: TextureSites, angle: Angle, azimuth: AnglePerSite = 0.0, axis: Axis = "z") -> np.ndarray:
    """Moments on a cone about an axis, with one azimuth or one for each.

    Parameters
    ----------
    n_sites : int or Lattice or array_like, (n_sites, 3)
        Number of moments, a `Lattice`, or positions.
    angle : float
        Cone angle in rad.
    azimuth : float or array_like, (n_sites,), default 0.0
        Azimuth in rad, one number or one for each site.
    axis : str or array_like, default 'z'
        The axis a: 'x', 'y', 'z' or a non-zero 3-vector.

    Returns
    -------
    ndarray, (n_sites, 3)
        Unit vectors.

    Raises
    ------
    ValueError
        For each argument that is not of this kind.

    Notes
    -----
    ::

        M_i = cos(angle) a + sin(angle) [cos(azimuth_i) e_1 + sin(azimuth_i) e_2]

    (e_1, e_2, a) is right-handed. About z it is (x, y, z), about x (y, z, x), about y (z, x, y); about a general axis
    e_1 is the cyclic successor of the axis' largest component, made orthogonal to the axis.

    Examples
    --------
    One moment for `Precession` at a cone angle of 90 degrees:

    >>> ln.cone(1, angle=np.pi / 2).round(6)
    array([[1., 0., 0.]])
    """
    problems = Problems("cone")
    places = places_of(problems, "n_sites", n_sites)
    theta = problems.number("angle", angle, "a finite number, in rad")
    phi = None if places is None else problems.per_site("azimuth", azimuth, len(places), "finite, in rad")
    unit = problems.axis("axis", axis)
    problems.raise_all()
    assert phi is not None and unit is not None
    e1, e2 = transverse_axes(unit)
    transverse = np.outer(np.cos(phi), e1) + np.outer(np.sin(phi), e2)
    return unit_vectors(np.cos(theta) * unit + np.sin(theta) * transverse)


@readable
def helix(n_sites: TextureSites, q: WaveVector, axis: Axis = "z", phase: Angle = 0.0) -> np.ndarray:
    """Helix: moments that turn in a plane along a wave vector.

    Parameters
    ----------
    n_sites : int or Lattice or array_like, (n_sites, 3)
        Number of moments of a chain, a `Lattice`, or positions in nm.
    q : float or array_like, (3,)
        Wave vector in rad per lattice constant of a chain, rad/nm on a lattice; a number is along x.
    axis : str or array_like, default 'z'
        Normal of the plane in which the moments turn: 'x', 'y', 'z' or a non-zero 3-vector.
    phase : float, default 0.0
        In rad.

    Returns
    -------
    ndarray, (n_sites, 3)
        Unit vectors.

    Raises
    ------
    ValueError
        For each argument that is not of this kind.

    Notes
    -----
    With (e_1, e_2, axis) right-handed as for `cone`, ::

        M_i = cos(q.r_i + phase) e_1 + sin(q.r_i + phase) e_2

    Examples
    --------
    >>> ln.helix(2, q=np.pi / 2).round(6) + 0.0  # sites at 1 and 2
    array([[ 0.,  1.,  0.],
           [-1.,  0.,  0.]])
    """
    problems = Problems("helix")
    places = places_of(problems, "n_sites", n_sites)
    wave = problems.array("q", [q, 0.0, 0.0] if dimensions(q) == 0 else q, (3,), "a finite number, or 3 of them")
    shift = problems.number("phase", phase, "a finite number, in rad")
    unit = problems.axis("axis", axis)
    problems.raise_all()
    assert places is not None and wave is not None and unit is not None
    e1, e2 = transverse_axes(unit)
    angle = (places @ wave + shift)[:, None]
    return unit_vectors(np.cos(angle) * e1 + np.sin(angle) * e2)


@readable
def antiferromagnet(n_sites: TextureSites, axis: Axis = "z") -> np.ndarray:
    """Moments along the axis and against it on two sublattices, the first site along it.

    Parameters
    ----------
    n_sites : int or Lattice
        Number of moments of a chain, or a `Lattice` whose bonds make two sublattices (`Lattice.sublattices`).
    axis : str or array_like, default 'z'
        'x', 'y', 'z' or a non-zero 3-vector.

    Returns
    -------
    ndarray, (n_sites, 3)
        Unit vectors.

    Raises
    ------
    ValueError
        For each argument that is not of this kind, and for a lattice with a loop of an odd number of bonds.

    Examples
    --------
    >>> ln.antiferromagnet(3)[:, 2]
    array([ 1., -1.,  1.])
    """
    problems = Problems("antiferromagnet")
    unit = problems.axis("axis", axis)
    signs = None
    if isinstance(n_sites, Lattice):
        try:
            signs = n_sites.sublattices()
        except ValueError as error:
            problems.take(error, "n_sites")
    elif (count := problems.sites("n_sites", n_sites)) is not None:
        signs = 1 - 2 * (np.arange(count) % 2)
    problems.raise_all()
    assert unit is not None and signs is not None
    return np.outer(signs, unit_vectors(unit))


@readable
def random(n_sites: TextureSites, seed: Seed) -> np.ndarray:
    """Directions drawn independently and evenly from the sphere, the same for the same seed.

    Parameters
    ----------
    n_sites : int or Lattice or array_like, (n_sites, 3)
        Number of moments, a `Lattice`, or positions.
    seed : int
        An integer >= 0.

    Returns
    -------
    ndarray, (n_sites, 3)
        Unit vectors.

    Raises
    ------
    ValueError
        For each argument that is not of this kind.

    Examples
    --------
    >>> bool((ln.random(5, seed=1) == ln.random(5, seed=1)).all())
    True
    """
    problems = Problems("random")
    places = places_of(problems, "n_sites", n_sites)
    number = problems.integer("seed", seed, "an integer >= 0", lambda s: s >= 0)
    problems.raise_all()
    assert places is not None
    return unit_vectors(np.random.default_rng(number).normal(size=places.shape))


def listed(moments: UnitVectors, n_sites: int | None = None) -> np.ndarray:
    """Moments one by one, checked; shape (n_sites, 3).

    Args:
        moments: Unit vectors.
        n_sites: How many there must be.
    """
    problems = Problems("listed")
    array = problems.moments("moments", moments, n_sites)
    problems.raise_all()
    assert array is not None
    return array


def transverse_axes(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors e_1, e_2 that make (e_1, e_2, axis) right-handed (see `cone` for the choice)."""
    start = np.zeros(3)
    start[(int(np.argmax(np.abs(axis))) + 1) % 3] = 1.0
    e1 = unit_vectors(start - (start @ axis) * axis)
    return e1, np.cross(axis, e1)


def _wall_profile(
    owner: str, n_sites: Any, center: float, width: float, along: Any
) -> tuple[np.ndarray, np.ndarray]:
    """sech u and tanh u with u = (center - r.e)/width."""
    problems = Problems(owner)
    places = places_of(problems, "n_sites", n_sites)
    middle = problems.number("center", center, "a finite number, in lattice constants")
    allowed = "a finite number > 0, in lattice constants"
    scale = problems.number("width", width, allowed, lambda w: w > 0, smallest=0.0)
    axis = problems.axis("along", along)
    if axis is not None and dimensions(n_sites) == 0 and not isinstance(n_sites, Lattice):
        problems.check(axis.tolist() == [1.0, 0.0, 0.0], "along", along, "'x' for a chain")
    problems.raise_all()
    assert places is not None and axis is not None
    with np.errstate(over="ignore"):  # infinite u is the limit of a narrow wall
        u = (middle - places @ axis) / scale
    decay = np.exp(-np.abs(u))  # 1/cosh would overflow far from a narrow wall
    return 2 * decay / (1 + decay**2), np.tanh(u)


def places_of(problems: Problems, name: str, value: Any) -> np.ndarray | None:
    """Where the sites are, (n_sites, 3), from their number, a lattice or positions."""
    if isinstance(value, Lattice):
        return value.positions
    if dimensions(value) == 0:
        count = problems.sites(name, value)
        return None if count is None else np.outer(np.arange(1, count + 1), [1.0, 0.0, 0.0])
    return problems.array(name, value, (None, 3), f"a number of sites, {PLANE}")


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors along `vectors`, (..., 3), none of them zero."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

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

    M_i = (-sech u tanh u, sech^2 u, tanh u), u = (center - r_i.e)/width, r_i.e = 1 .. n_sites on a chain
    (the paper prints M^x without the division by the width; |M| = 1 needs it).

    Args:
        n_sites: Number of moments of a chain, a `Lattice`, or positions.
        center: Position of the wall in lattice constants of a chain, whose first site is at 1; in nm on a lattice.
        width: Width of the wall, likewise, positive.
        along: The direction e across the wall: 'x', 'y', 'z' or a non-zero vector.

    Returns:
        Unit vectors, shape (n_sites, 3).

    Raises:
        ValueError: For each argument that is not of this kind.
    """
    sech, tanh = _wall_profile("bloch_wall", n_sites, center, width, along)
    return unit_vectors(np.stack([-sech * tanh, sech**2, tanh], axis=1))


@readable
def neel_wall(n_sites: TextureSites, center: Sites, width: Sites, along: Direction = "x") -> np.ndarray:
    """Coplanar Neel wall of the paper's supplement: M_i = (0, sech u, tanh u), u = (center - r_i.e)/width.

    Args:
        n_sites, center, width, along: As for `bloch_wall`, so are shape and errors.
    """
    sech, tanh = _wall_profile("neel_wall", n_sites, center, width, along)
    return unit_vectors(np.stack([np.zeros_like(sech), sech, tanh], axis=1))


@readable
def uniform(n_sites: TextureSites, direction: Axis = "z") -> np.ndarray:
    """All moments along one direction; shape (n_sites, 3).

    Args:
        n_sites: Number of moments, a `Lattice`, or positions.
        direction: 'x', 'y', 'z' or a non-zero 3-vector.
    """
    problems = Problems("uniform")
    places = places_of(problems, "n_sites", n_sites)
    axis = problems.axis("direction", direction)
    problems.raise_all()
    assert places is not None and axis is not None
    return np.tile(unit_vectors(axis), (len(places), 1))


@readable
def cone(n_sites: TextureSites, angle: Angle, azimuth: AnglePerSite = 0.0, axis: Axis = "z") -> np.ndarray:
    """Moments on a cone: M_i = cos(angle) a + sin(angle) [cos(azimuth_i) e_1 + sin(azimuth_i) e_2].

    (e_1, e_2, a) is right-handed. About z it is (x, y, z), about x (y, z, x), about y (z, x, y); about a
    general axis e_1 is the cyclic successor of the axis' largest component, made orthogonal to the axis.

    Args:
        n_sites: Number of moments, a `Lattice`, or positions.
        angle: Cone angle in rad.
        azimuth: Azimuth in rad, one number or one for each site.
        axis: 'x', 'y', 'z' or a non-zero 3-vector.

    Returns:
        Unit vectors, shape (n_sites, 3).

    Raises:
        ValueError: For each argument that is not of this kind.
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
    """Helix: M_i = cos(q.r_i + phase) e_1 + sin(q.r_i + phase) e_2, (e_1, e_2, axis) right-handed as for `cone`.

    Args:
        n_sites: As for `bloch_wall`, so are shape and errors.
        q: Wave vector in rad per lattice constant of a chain, rad/nm on a lattice; a number is along x.
        axis: Normal of the plane in which the moments turn: 'x', 'y', 'z' or a non-zero 3-vector.
        phase: In rad.
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
    """Moments along the axis and against it on the two sublattices, the first site along it; shape (n_sites, 3).

    Args:
        n_sites: Number of moments of a chain, or a `Lattice` whose bonds make two sublattices (`Lattice.sublattices`).
        axis: 'x', 'y', 'z' or a non-zero 3-vector.

    Raises:
        ValueError: For each argument that is not of this kind, and for a lattice with a loop of an odd number of bonds.
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
    """Directions drawn independently and evenly from the sphere, the same for the same seed; shape (n_sites, 3).

    Args:
        n_sites: Number of moments, a `Lattice`, or positions.
        seed: An integer >= 0.
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

"""Textures: arrays of unit vectors, one moment for each site of the wire.

Plain arrays in, plain arrays out; every builder returns shape (n_sites, 3) with |M_i| = 1 to round-off.
"""

from __future__ import annotations

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem.arguments import Angle, AnglePerSite, Axis, Sites, TextureSites, UnitVectors


def bloch_wall(n_sites: TextureSites, center: Sites, width: Sites) -> np.ndarray:
    """Head-to-head Bloch wall of PRL 125, 187202.

    M_i = (-sech u tanh u, sech^2 u, tanh u), u = (center - z_i)/width, z_i = 1 .. n_sites
    (the paper prints M^x without the division by the width; |M| = 1 needs it).

    Args:
        n_sites: Number of moments.
        center: Position of the wall in lattice constants; the first site is at 1, as in the paper, so that site i of
            arguments and results, which count from 0, is at i + 1.
        width: Width of the wall in lattice constants, positive.

    Returns:
        Unit vectors, shape (n_sites, 3).

    Raises:
        ValueError: For each argument that is not of this kind.
    """
    sech, tanh = _wall_profile("bloch_wall", n_sites, center, width)
    return _normalised(np.stack([-sech * tanh, sech**2, tanh], axis=1))


def neel_wall(n_sites: TextureSites, center: Sites, width: Sites) -> np.ndarray:
    """Coplanar Neel wall of the paper's supplement: M_i = (0, sech u, tanh u), u = (center - z_i)/width.

    Args:
        n_sites, center, width: As for `bloch_wall`, so are shape and errors.
    """
    sech, tanh = _wall_profile("neel_wall", n_sites, center, width)
    return _normalised(np.stack([np.zeros_like(sech), sech, tanh], axis=1))


def uniform(n_sites: TextureSites, direction: Axis = "z") -> np.ndarray:
    """All moments along one direction; shape (n_sites, 3).

    Args:
        n_sites: Number of moments.
        direction: 'x', 'y', 'z' or a non-zero 3-vector.
    """
    problems = Problems("uniform")
    count = problems.sites("n_sites", n_sites)
    axis = problems.axis("direction", direction)
    problems.raise_all()
    assert count is not None and axis is not None
    return np.tile(_normalised(axis), (count, 1))


def cone(n_sites: TextureSites, angle: Angle, azimuth: AnglePerSite = 0.0, axis: Axis = "z") -> np.ndarray:
    """Moments on a cone: M_i = cos(angle) a + sin(angle) [cos(azimuth_i) e_1 + sin(azimuth_i) e_2].

    (e_1, e_2, a) is right-handed. About z it is (x, y, z), about x (y, z, x), about y (z, x, y); about a
    general axis e_1 is the cyclic successor of the axis' largest component, made orthogonal to the axis.

    Args:
        n_sites: Number of moments.
        angle: Cone angle in rad.
        azimuth: Azimuth in rad, one number or one for each site.
        axis: 'x', 'y', 'z' or a non-zero 3-vector.

    Returns:
        Unit vectors, shape (n_sites, 3).

    Raises:
        ValueError: For each argument that is not of this kind.
    """
    problems = Problems("cone")
    count = problems.sites("n_sites", n_sites)
    theta = problems.number("angle", angle, "a finite number, in rad")
    phi = None if count is None else problems.per_site("azimuth", azimuth, count, "finite, in rad")
    unit = problems.axis("axis", axis)
    problems.raise_all()
    assert phi is not None and unit is not None
    e1, e2 = transverse_axes(unit)
    transverse = np.outer(np.cos(phi), e1) + np.outer(np.sin(phi), e2)
    return _normalised(np.cos(theta) * unit + np.sin(theta) * transverse)


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
    e1 = _normalised(start - (start @ axis) * axis)
    return e1, np.cross(axis, e1)


def _wall_profile(owner: str, n_sites: int, center: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """sech u and tanh u with u = (center - z)/width at z = 1 .. n_sites."""
    problems = Problems(owner)
    count = problems.sites("n_sites", n_sites)
    middle = problems.number("center", center, "a finite number, in lattice constants")
    allowed = "a finite number > 0, in lattice constants"
    scale = problems.number("width", width, allowed, lambda w: w > 0, smallest=0.0)
    problems.raise_all()
    assert count is not None
    with np.errstate(over="ignore"):  # infinite u is the limit of a narrow wall
        u = (middle - np.arange(1, count + 1)) / scale
    decay = np.exp(-np.abs(u))  # 1/cosh would overflow far from a narrow wall
    return 2 * decay / (1 + decay**2), np.tanh(u)


def _normalised(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

"""Skyrmions and vortices: textures in a plane about a center, of a `Lattice` or of positions in nm.

Beside `textures`, which says what a texture is.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from llgnegf._checks import Problems, dimensions
from llgnegf._readable import readable
from llgnegf.problem.arguments import NUMBER, Argument
from llgnegf.problem.lattices.lattice import Lattice
from llgnegf.problem.textures import PLANE, places_of, unit_vectors

Center = Annotated[Any, Argument(tuple[float, float], "two finite numbers x, y", "nm")]
Length = Annotated[float, Argument(float, f"{NUMBER} > 0", "nm")]
NAMES = "'neel', 'bloch', 'anti' or an angle"
Helicity = Annotated[Any, Argument(str | float, NAMES, "rad")]
Sign = Annotated[int, Argument(int, "1 or -1")]
Winding = Annotated[int | None, Argument(int, "an integer, not 0", none="1, and -1 for 'anti'")]


@readable
def skyrmion(
    lattice: Any, center: Center, radius: Length, wall_width: Length, helicity: Helicity = "neel",
    polarity: Sign = -1, vorticity: Winding = None,
) -> np.ndarray:  # fmt: skip
    """Skyrmion or antiskyrmion in the plane, with a wall of 360 degrees across it.

    Parameters
    ----------
    lattice : Lattice or array_like, (n_sites, 3)
        A `Lattice`, or positions in nm.
    center : (float, float)
        Where the core is: x and y in nm.
    radius : float
        Where M_z = 0, in nm, positive.
    wall_width : float
        Width of the wall around the core in nm, positive.
    helicity : str or float, default 'neel'
        "neel" (0: M outward), "bloch" (pi/2: along +phi), "anti" (an antiskyrmion, vorticity -1), or an angle in rad.
    polarity : int, default -1
        Sign of M_z in the core, 1 or -1; the moments far away have the opposite one.
    vorticity : int, optional
        How often M turns around the core; an integer, not 0. None is 1, and -1 for "anti".

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
    In polar coordinates r and phi about the center, with the angle T = pi in the core and 0 far from it [1]_, ::

        M = (sin T cos P, sin T sin P, -polarity cos T),                 P = vorticity phi + helicity
        T(r) = 2 arctan[sinh(radius/wall_width)/sinh(r/wall_width)],     T(radius) = pi/2

    The topological charge int M.(d_x M x d_y M)/(4 pi) is polarity times vorticity.

    References
    ----------
    .. [1] X. S. Wang, H. Y. Yuan, X. R. Wang, Commun. Phys. 1, 31 (2018).

    Examples
    --------
    >>> film = ln.square(21, 21)  # sites 1 nm apart, the first at (0, 0)
    >>> texture = ln.skyrmion(film, center=(10.0, 10.0), radius=4.0, wall_width=1.5)
    >>> print(texture[21 * 10 + 10, 2])  # M_z of the core
    -1.0
    """
    problems = Problems("skyrmion")
    r, phi = _polar(problems, lattice, center)
    size = _length(problems, "radius", radius)
    width = _length(problems, "wall_width", wall_width)
    plane = _in_plane(problems, phi, helicity, vorticity)
    _sign(problems, polarity)
    problems.raise_all()
    # tan(T/2) = sinh(R/w)/sinh(r/w); both scaled by exp(-max/w), so that neither overflows
    top = np.maximum(r, size)
    core = np.exp((size - top) / width) - np.exp(-(size + top) / width)
    far = np.exp((r - top) / width) - np.exp(-(r + top) / width)
    return unit_vectors(_upright(2 * np.arctan2(core, far), plane, -polarity))


@readable
def vortex(
    lattice: Any, center: Center, core: Length, polarity: Sign = 1, helicity: Helicity = "bloch",
    vorticity: Winding = None,
) -> np.ndarray:  # fmt: skip
    """Vortex in the plane, its core out of it.

    Parameters
    ----------
    lattice : Lattice or array_like, (n_sites, 3)
        A `Lattice`, or positions in nm.
    center : (float, float)
        Where the core is: x and y in nm.
    core : float
        Radius of the core in nm, positive.
    polarity : int, default 1
        Sign of M_z in the core, 1 or -1.
    helicity : str or float, default 'bloch'
        As for `skyrmion`; "bloch" circulates counter-clockwise.
    vorticity : int, optional
        How often M turns around the core; an integer, not 0. None is 1, and -1 for "anti".

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

        M_z = polarity sech(r/core), the rest in the plane at the angle vorticity phi + helicity

    Examples
    --------
    >>> disk = ln.square(9, 9).masked(lambda x, y: (x - 4) ** 2 + (y - 4) ** 2 < 17)
    >>> texture = ln.vortex(disk, center=(4.0, 4.0), core=1.0)
    >>> print(texture[:, 2].max())
    1.0
    """
    problems = Problems("vortex")
    r, phi = _polar(problems, lattice, center)
    size = _length(problems, "core", core)
    plane = _in_plane(problems, phi, helicity, vorticity)
    _sign(problems, polarity)
    problems.raise_all()
    return unit_vectors(_upright(2 * np.arctan(np.tanh(0.5 * r / size)), plane, polarity))  # cos of it is sech


def _polar(problems: Problems, lattice: Any, center: Any) -> tuple[np.ndarray, np.ndarray]:
    """r in nm and phi about the center, (n_sites,) each."""
    wrong = dimensions(lattice) == 0 and not isinstance(lattice, Lattice)
    places = None
    if problems.check(not wrong, "lattice", lattice, PLANE):
        places = places_of(problems, "lattice", lattice)
    middle = problems.array("center", center, (2,), "two finite numbers x, y, in nm")
    if places is None or middle is None:
        return np.zeros(1), np.zeros(1)
    x, y = (places[:, :2] - middle).T
    return np.hypot(x, y), np.arctan2(y, x)


def _in_plane(problems: Problems, phi: np.ndarray, helicity: Any, vorticity: Any) -> np.ndarray:
    """Directions in the plane at the angle vorticity phi + helicity, (n_sites, 2)."""
    named = {"neel": 0.0, "bloch": np.pi / 2, "anti": 0.0}
    if isinstance(helicity, str):
        known = problems.check(helicity in named, "helicity", helicity, f"{NAMES}, in rad")
        angle = named[helicity] if known else 0.0
    else:
        angle = problems.number("helicity", helicity, f"{NAMES}, in rad")
    turns = (-1 if helicity == "anti" else 1) if vorticity is None else vorticity
    turns = problems.integer("vorticity", turns, "None or an integer, not 0", lambda n: n != 0)
    problems.check(helicity != "anti" or turns == -1, "vorticity", vorticity, "None or -1 with helicity 'anti'")
    total = (turns or 1) * phi + angle
    return np.stack([np.cos(total), np.sin(total)], axis=1)


def _upright(tilt: np.ndarray, plane: np.ndarray, up: int) -> np.ndarray:
    """Vectors at the angle `tilt` from `up` z, their other part along `plane`."""
    return np.column_stack([np.sin(tilt)[:, None] * plane, up * np.cos(tilt)])


def _length(problems: Problems, name: str, value: Any) -> float:
    return problems.number(name, value, "a finite number > 0, in nm", lambda x: x > 0)


def _sign(problems: Problems, polarity: Any) -> None:
    problems.integer("polarity", polarity, "1 or -1", lambda p: abs(p) == 1)

"""Energies of single moments: magnetic anisotropy and the magnetic field.

All raise ValueError, a line for each value that is not of the kind that is named; on use for other numbers of entries
than the chain has sites.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from llgnegf._checks import Problems, dimensions
from llgnegf.problem.arguments import Argument, Vector, Vectors
from llgnegf.problem.drives import Drive, TimeFunction, drives_of
from llgnegf.problem.magnetism.fields import direction, read_by, strength
from llgnegf.problem.magnetism.terms import EnergyTerm
from llgnegf.units import MU_B


@dataclass(frozen=True, eq=False)
class UniaxialAnisotropy(EnergyTerm):
    """Easy axis, or easy plane: H = -sum_i K_i (M_i . e_i)^2.

    Parameters
    ----------
    K : float or array_like, (n_sites,)
        Anisotropy (eV): a number, or one for each site. K > 0 makes e an easy axis, K < 0 a hard one (an easy plane
        normal to e).
    axis : str or array_like, (3,) or (n_sites, 3)
        The axis e: 'x', 'y', 'z' or a non-zero 3-vector (its length is of no account), or one such vector for each
        site.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; on use for other numbers of entries than there are sites.

    Examples
    --------
    >>> easy = ln.UniaxialAnisotropy(0.02, axis="z")
    >>> easy.energy(ln.uniform(7, "z"), magnetic_moment=1.0)
    -0.14
    """

    K: Any = strength("eV")
    axis: Any = direction(per="site")
    name: ClassVar[str] = "uniaxial_anisotropy"

    def matrix(self, n_sites: int, magnetic_moment: np.ndarray) -> sparse.csr_array:
        constant, axis = self.at("K", n_sites), self.at("axis", n_sites)
        blocks = -2 * constant[:, None, None] * axis[:, :, None] * axis[:, None, :]
        return sparse.csr_array(sparse.block_diag(list(blocks), format="csr"))


def _read_axes(problems: Problems, name: str, value: Any) -> Any:
    allowed = "three orthonormal rows, to 1e-10"
    axes = problems.array(name, np.eye(3) if value is None else value, (3, 3), allowed)
    if axes is not None:
        problems.check(bool(np.abs(axes @ axes.T - np.eye(3)).max() <= 1e-10), name, value, allowed)
    return axes


@dataclass(frozen=True, eq=False)
class CubicAnisotropy(EnergyTerm):
    """Cubic anisotropy: H = sum_i K1_i (m_x^2 m_y^2 + m_y^2 m_z^2 + m_z^2 m_x^2).

    m are the components of M_i along the crystal axes. K1 > 0 makes the <100> directions easy, K1 < 0 the <111>
    directions (K1/3 there, K1/4 along <110>).

    Parameters
    ----------
    K1 : float or array_like, (n_sites,)
        Anisotropy (eV): a number, or one for each site.
    axes : array_like, (3, 3), optional
        The three crystal axes as orthonormal rows; the Cartesian axes if left out.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; on use for other numbers of entries than there are sites.

    Examples
    --------
    >>> cubic = ln.CubicAnisotropy(0.03)
    >>> round(cubic.energy(ln.uniform(1, [1, 1, 1]), magnetic_moment=1.0), 6)  # K1/3
    0.01
    """

    K1: Any = strength("eV")
    axes: Any = read_by(_read_axes, Argument(Vectors, "three orthonormal vectors"), default=None)
    name: ClassVar[str] = "cubic_anisotropy"

    def cubic(self, n_sites: int) -> tuple[np.ndarray, np.ndarray]:
        return self.at("K1", n_sites), self.axes


FIELD = Argument(Vector | Vectors, "a vector of 3 finite numbers, or one for each site", "T", driven=True)


def _read_field(problems: Problems, name: str, value: Any) -> Any:
    if callable(value):
        return value
    allowed = "a vector of 3 numbers in T, one for each site, or a function of time that returns either"
    return problems.array(name, value, (3,) if dimensions(value) < 2 else (None, 3), allowed)


def _read_rate(problems: Problems, name: str, value: Any) -> Any:
    problems.check(value is None or callable(value), name, value, "a function of time, or None")
    return value


@dataclass(frozen=True, eq=False)
class Zeeman(EnergyTerm):
    """Magnetic field on the moments: H = -sum_i mu_i B_i(t) . M_i.

    It acts on the moments alone, not on the spins of the electrons. The electrons' own term g_e mu_B/2 B.sigma is
    5.8e-5 eV for each tesla; where it counts, give `Electrons` the term `ElectronZeeman`, which takes functions of time
    too.

    Parameters
    ----------
    B : array_like, (3,) or (n_sites, 3), or callable
        Magnetic field (T): a 3-vector, one for each site, or a function of time (fs) that returns either.
    rate : callable, optional
        Rate dB/dt (T/fs) as a function of time, for the power of a time-dependent field (not for a constant one). Left
        out, it is that of B where B is a drive, and otherwise taken from differences (`Drive.rate`).

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; on use for other numbers of entries than there are sites.

    Examples
    --------
    >>> field = ln.Zeeman([0.0, 0.0, 100.0])
    >>> round(field.energy(ln.uniform(1, "z"), magnetic_moment=4.0), 6)  # eV: -4 mu_B times 100 T
    -0.023154
    """

    B: Any = read_by(_read_field, FIELD, "site", (3,))
    rate: Callable[[float], Any] | None = read_by(_read_rate, None, "site", (3,), default=None)
    name: ClassVar[str] = "zeeman"

    def __post_init__(self) -> None:
        problems = self.read_fields()
        constant = not callable(self.B) and self.rate is not None
        problems.check(not constant, "rate", self.rate, "None for a constant field, whose rate is 0")
        problems.raise_all()

    def linear(self, n_sites: int, magnetic_moment: np.ndarray) -> np.ndarray | None:
        return None if callable(self.B) else MU_B * magnetic_moment[:, None] * self.at("B", n_sites)

    def driven(self, n_sites: int, magnetic_moment: np.ndarray) -> Drive | None:
        if not callable(self.B):
            return None
        scale = MU_B * magnetic_moment[:, None]

        def rate(t: float) -> np.ndarray:
            return scale * (drives_of(self.B)[0].rate(t) if self.rate is None else self.all_or_each("rate", n_sites, t))

        return TimeFunction(lambda t: scale * self.all_or_each("B", n_sites, t), derivative=rate)

    def drives(self) -> tuple[Drive, ...]:
        return drives_of(self.B)

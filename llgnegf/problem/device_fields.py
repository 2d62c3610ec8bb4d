"""Uniform and local fields on the electrons: electric field, Zeeman field, vector potential.

Terms of the device Hamiltonian as those of `device_terms`, which has what a term is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from llgnegf._checks import Problems
from llgnegf.problem.arguments import AXIS, NUMBER, Argument, Numbers, Vector, Vectors
from llgnegf.problem.device_terms import DeviceTerm
from llgnegf.problem.matrices import PAULI, diagonal
from llgnegf.units import G_E, HBAR, MU_B

Direction = Annotated[Any, Argument(str | Vector, AXIS, none="the numbers are vectors")]
FieldStrength = Annotated[Any, Argument(float | Vector, f"{NUMBER}, or three of them", "V/nm", driven=True)]
Induction = Annotated[
    Any, Argument(float | Numbers | Vectors, f"{NUMBER}, one for each site, or vectors of three", "T", driven=True)
]
Potential = Annotated[Any, Argument(float | Vector, f"{NUMBER}, or three of them", "V fs/nm", driven=True)]


class AlongDirection(DeviceTerm):
    """A term whose values are vectors, or numbers along `direction`.

    Attributes:
        unit: Of the values.
    """

    direction: Any
    unit: ClassVar[str]

    def __post_init__(self) -> None:
        problems = Problems(type(self).__name__)
        self._check_values(problems, self.unit)
        if self.direction is not None:
            object.__setattr__(self, "direction", problems.axis("direction", self.direction))
        problems.raise_all()

    def shapes(self, n_sites: int) -> tuple[tuple[int, ...], ...]:
        return ((3,),) if self.direction is None else ((),)

    def _axes(self) -> np.ndarray:
        """The unit vectors that the numbers of a drive count along, (1, 3) or (3, 3)."""
        return np.eye(3) if self.direction is None else self.direction[None]


@dataclass(frozen=True, eq=False)
class ElectricField(AlongDirection):
    """Uniform electric field in length gauge, H_1 = sum_i e E(t).r_i n_i.

    Parameters
    ----------
    E : float or array_like or callable
        In V/nm: a 3-vector or a function of time (fs) that returns one; numbers along `direction` if that is given.
    direction : str or array_like, optional
        'x', 'y', 'z' or a 3-vector; None where E is a vector.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; on use, for a device without positions.

    See Also
    --------
    VectorPotential : The same field in another gauge.

    Notes
    -----
    Electrons have the charge -e: the field pushes them against E. Positions in nm are those of `Electrons`.

    Examples
    --------
    >>> wire = ln.chain(3, positions=[0.0, 0.25, 0.5], terms=[ln.ElectricField(0.4, direction="x")])
    >>> print(wire.device.matrix(0.0).diagonal()[::2].real)  # eV, spin up
    [0.  0.1 0.2]
    """

    E: FieldStrength
    direction: Direction = None
    driven: ClassVar[str] = "E"
    unit: ClassVar[str] = "V/nm"

    def matrices(self, n_sites: int, positions: np.ndarray | None) -> list[sp.csr_array]:
        places = _placed(self, positions)
        return [diagonal(places @ axis) for axis in self._axes()]


@dataclass(frozen=True, eq=False)
class ElectronZeeman(AlongDirection):
    """Zeeman energy of the electrons' spins, H_1 = (g_e mu_B/2) sum_i B_i(t).sigma_i.

    Electron spins turn against the field, moments along it (`Zeeman`).

    Parameters
    ----------
    B : float or array_like or callable
        In tesla: a 3-vector, one for each site, or a function of time (fs) that returns either; numbers along
        `direction` (one for all sites, or one for each) if that is given.
    direction : str or array_like, optional
        'x', 'y', 'z' or a 3-vector; None where B holds vectors.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    See Also
    --------
    Zeeman : The field on the moments.

    Examples
    --------
    >>> wire = ln.chain(1, terms=[ln.ElectronZeeman(100.0, direction="z")])
    >>> print(wire.device.matrix(0.0).diagonal().real.round(5))  # eV: 5.8e-5 eV for each tesla
    [ 0.0058 -0.0058]
    """

    B: Induction
    direction: Direction = None
    driven: ClassVar[str] = "B"
    unit: ClassVar[str] = "T"

    def matrices(self, n_sites: int, positions: np.ndarray | None) -> list[sp.csr_array]:
        axes = self._axes()
        sites = np.eye(n_sites) if np.size(self._at(0.0)) == n_sites * len(axes) else np.ones((1, n_sites))
        spins = [0.5 * G_E * MU_B * np.tensordot(axis, PAULI, axes=1) for axis in axes]
        return [sp.kron(sp.diags_array(weight), spin, format="csr") for weight in sites for spin in spins]

    def shapes(self, n_sites: int) -> tuple[tuple[int, ...], ...]:
        (one,) = super().shapes(n_sites)
        return one, (n_sites, *one)


@dataclass(frozen=True, eq=False)
class VectorPotential(AlongDirection):
    """Uniform vector potential A(t) as phases on the device's bonds: light, or any electric field E = -dA/dt.

    Parameters
    ----------
    A : float or array_like or callable
        In V fs/nm: a 3-vector or a function of time (fs) that returns one; numbers along `direction` if given.
    direction : str or array_like, optional
        'x', 'y', 'z' or a 3-vector; None where A is a vector.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; on use, for a device without positions.

    See Also
    --------
    LightPulse : The drive of a laser pulse.
    ElectricField : The field in length gauge.

    Notes
    -----
    ::

        t_ij -> t_ij exp(i phi_ij(t)),    phi_ij = (e/hbar) A(t).(r_j - r_i)

    On a device without leads it is `ElectricField` in another gauge. With leads A ends with the device: the bonds to
    the leads carry no phase.

    Examples
    --------
    >>> light = ln.VectorPotential(ln.Pulse(0.5, center=20.0, width=2.0), direction="x")
    >>> wire = ln.chain(3, positions=[0.0, 0.25, 0.5], terms=[light])
    >>> hop = wire.device.matrix(20.0).toarray()[0, 2]
    >>> round(float(np.angle(-hop)), 4)  # 0.5 V fs/nm over 0.25 nm, divided by hbar = 0.658 eV fs
    0.1899
    """

    A: Potential
    direction: Direction = None
    driven: ClassVar[str] = "A"
    unit: ClassVar[str] = "V fs/nm"
    is_phase: ClassVar[bool] = True

    def phases(self, i: np.ndarray, j: np.ndarray, n_sites: int, positions: np.ndarray | None) -> np.ndarray:
        places = _placed(self, positions)
        return (places[j] - places[i]) @ self._axes().T / HBAR


def _placed(term: DeviceTerm, positions: np.ndarray | None) -> np.ndarray:
    if positions is None:
        raise ValueError(f"Electrons.positions: None; allowed: (N, 3) in nm with {type(term).__name__}")
    return positions

"""The tight-binding Hamiltonian of bonds in a plane: spin-orbit hopping, next neighbours, magnetic flux.

Beneath `lattice` and `ribbons`, which give it the sites and bonds of a device and of the cells of a lead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from llgnegf.problem.matrices import PAULI


@dataclass(frozen=True)
class Hopping:
    """What hops along the bonds of a lattice, all in eV but `flux`:

        H = sum_<ij> c_i^dag T_ij c_j + h.c.
        T_ij = exp(i theta_ij) [-t - i lambda (sigma x d)_z - i beta (sigma_x d_x - sigma_y d_y)]

    with d the unit vector of the bond from i to j, and -t' exp(i theta_ij) on next-nearest bonds. An electron that
    hops from i to i + x so takes c_{i+x}^dag (-t - i lambda sigma_y) c_i, to i + y c_{i+y}^dag (-t + i lambda sigma_x)
    c_i [Nikolic, Souma, Zarbo, Sinova, Phys. Rev. Lett. 95, 046601 (2005)]. The sum over +d and -d of T exp(ik.d) has
    the spin-orbit part 2 sin(k.d) [lambda (sigma x d)_z + ...]: on a square lattice of constant a the continuum limit
    is alpha (sigma x k)_z + beta' (sigma_x k_x - sigma_y k_y) with alpha = 2 a lambda, beta' = 2 a beta.

    The field B is along +z. The phase of an electron (charge -e) in c_i^dag c_j is theta_ij = (e/hbar) int_i^j A.dl, as
    for `VectorPotential`, in the gauge A = (-B y, 0, 0), which does not change along x:

        theta_ij = -2 pi (flux/area) (x_j - x_i) (y_i + y_j)/2

    so that the phases along a loop, counter-clockwise, add up to 2 pi times the flux in it.

    Attributes:
        hopping, rashba, dresselhaus, next_hopping: t, lambda, beta and t'.
        flux: Through an area of `plaquette` (nm^2), in h/e.
        plaquette: That area.
    """

    hopping: float
    rashba: float
    dresselhaus: float
    next_hopping: float
    flux: float
    plaquette: float

    @property
    def density(self) -> float:
        """e B/hbar in 1/nm^2."""
        return 2 * np.pi * self.flux / self.plaquette if self.flux else 0.0

    def matrix(self, positions: np.ndarray, bonds: np.ndarray, next_bonds: np.ndarray, blocks: Any) -> sp.csr_array:
        """H in eV, (2N, 2N): bonds between sites at `positions` (N, 3) in nm, and on-site blocks (N, 2, 2) in eV."""
        n = len(positions)
        pairs = [(bonds, self._along(positions, bonds))]
        if self.next_hopping:
            phase = np.exp(1j * self._phase(positions, next_bonds))
            pairs.append((next_bonds, -self.next_hopping * phase[:, None, None] * np.eye(2)))
        sites = np.arange(n)
        upper = sum((_placed(n, b[:, 0], b[:, 1], t) for b, t in pairs), start=sp.csr_array((2 * n, 2 * n)))
        return sp.csr_array(upper + upper.conj().T + _placed(n, sites, sites, blocks))

    def _along(self, positions: np.ndarray, bonds: np.ndarray) -> np.ndarray:
        """T_ij in eV, (n_bonds, 2, 2)."""
        step = positions[bonds[:, 1]] - positions[bonds[:, 0]]
        x, y = (step / np.linalg.norm(step, axis=1, keepdims=True)).T[:2, :, None, None]
        orbit = self.rashba * (PAULI[0] * y - PAULI[1] * x) + self.dresselhaus * (PAULI[0] * x - PAULI[1] * y)
        phase = np.exp(1j * self._phase(positions, bonds))[:, None, None]
        return phase * (-self.hopping * np.eye(2) - 1j * orbit)

    def _phase(self, positions: np.ndarray, bonds: np.ndarray) -> np.ndarray:
        """theta_ij, (n_bonds,)."""
        (x, y, _), (u, v, _) = positions[bonds[:, 0]].T, positions[bonds[:, 1]].T
        return -self.density * (u - x) * (y + v) / 2

    def gauge(self, positions: np.ndarray, along: np.ndarray) -> np.ndarray:
        """chi (rad) of the sites, (N,): c_j exp(-i chi_j) are the operators in whose gauge nothing changes `along` a
        vector of the plane.

        With u along it and v normal to it (counter-clockwise) that gauge is A = -B v e_u, whose phases are
        -B du v = S - B d(uv)/2, S the area of the bond's triangle with the origin; so chi = (e B/hbar) (x y - u v)/2.
        """
        t = along[:2] / np.linalg.norm(along[:2])
        x, y = positions[:, 0], positions[:, 1]
        return self.density * (x * y - (x * t[0] + y * t[1]) * (y * t[0] - x * t[1])) / 2


def _placed(n: int, rows: np.ndarray, columns: np.ndarray, blocks: Any) -> sp.csr_array:
    """(2n, 2n) with `blocks` (k, 2, 2) at pairs of sites."""
    s, t = np.meshgrid(np.arange(2), np.arange(2), indexing="ij")
    place = (2 * rows[:, None, None] + s).ravel(), (2 * columns[:, None, None] + t).ravel()
    values = np.broadcast_to(blocks, (len(rows), 2, 2)).ravel().astype(complex)
    return sp.csr_array(sp.coo_array((values, place), shape=(2 * n, 2 * n)))

"""Density matrices on sites and bonds of a chain alone: O(N) numbers that give all densities, torques and currents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem import observables
from llgnegf.problem.electrons import Electrons


@dataclass(frozen=True, eq=False)
class LocalDensityMatrix:
    """rho_ii and rho_{i,i+1} of a chain; the other blocks were not asked for.

    Attributes:
        diagonal: rho_ii, (N, 2, 2).
        upper: rho_{i,i+1}, (N - 1, 2, 2); rho_{i+1,i} is its Hermitian conjugate.
    """

    diagonal: np.ndarray
    upper: np.ndarray

    @classmethod
    def cut(cls, rho: np.ndarray) -> LocalDensityMatrix:
        """The blocks of a full density matrix (2N, 2N)."""
        n = rho.shape[-1] // 2
        blocks = np.asarray(rho).reshape(n, 2, n, 2).transpose(0, 2, 1, 3)
        sites = np.arange(n)
        return cls(blocks[sites, sites], blocks[sites[:-1], sites[1:]])

    @classmethod
    def unpack(cls, blocks: np.ndarray) -> LocalDensityMatrix:
        """From (3 N - 2, 2, 2) as `ChainGreen.local_blocks` orders them."""
        n = (blocks.shape[0] + 2) // 3
        return cls(blocks[:n], blocks[n : 2 * n - 1])

    def __add__(self, other: LocalDensityMatrix) -> LocalDensityMatrix:
        return LocalDensityMatrix(self.diagonal + other.diagonal, self.upper + other.upper)

    def __sub__(self, other: LocalDensityMatrix) -> LocalDensityMatrix:
        return LocalDensityMatrix(self.diagonal - other.diagonal, self.upper - other.upper)

    def spin_density(self) -> np.ndarray:
        """<s_i>^a = Tr[rho_ii sigma_a], (N, 3)."""
        return observables.spin_of_sites(self.diagonal)

    def charge_density(self) -> np.ndarray:
        """Electrons on each site, (N,)."""
        return observables.charge_of_sites(self.diagonal)

    def torque(self, moments: Any, j_sd: Any) -> np.ndarray:
        """T_i = J_sd <s_i> x M_i in eV, (N, 3), for moments (N, 3) and j_sd in eV, one number or one for each site."""
        n = self.diagonal.shape[0]
        problems = Problems("LocalDensityMatrix.torque")
        m = problems.array("moments", moments, (n, 3), f"finite vectors of shape ({n}, 3)")
        coupling = problems.per_site("j_sd", j_sd, n, "finite, in eV")
        problems.raise_all()
        assert m is not None and coupling is not None
        return coupling[:, None] * np.cross(self.spin_density(), m)

    def bond_charge_current(self, electrons: Electrons) -> np.ndarray:
        """Electrons per fs from i to i + 1 on each bond of `electrons.bonds`, (n_bonds,)."""
        return observables.charge_through_bonds(electrons.hopping_blocks, self._coherence(electrons))

    def bond_spin_current(self, electrons: Electrons) -> np.ndarray:
        """I^{S_a} in eV from i to i + 1 on each bond of `electrons.bonds`, (n_bonds, 3)."""
        carried = observables.carried_spin(electrons.hopping_blocks)
        return observables.spin_through_bonds(carried, self._coherence(electrons))

    def _coherence(self, electrons: Electrons) -> np.ndarray:
        """rho_ij of each bond, (n_bonds, 2, 2)."""
        n = self.diagonal.shape[0]
        reach = np.ptp(electrons.bonds, axis=1).max(initial=0)
        if electrons.n_sites != n or reach > 1:
            given = f"{electrons.n_sites} sites, bonds over up to {reach} sites"
            raise ValueError(
                f"LocalDensityMatrix.electrons: {given}; allowed: a chain of {n} sites, bonds to neighbours"
            )
        return self.upper[electrons.bonds[:, 0]]

"""H(t, rho) of a device on one sparsity pattern: what solvers ask when the Hamiltonian changes.

Every element that any term may fill is stored, so that only the numbers change from one evaluation to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from llgnegf.problem.device_terms import DeviceTerm
from llgnegf.problem.mean_fields import MeanField


class DeviceHamiltonian:
    """The matrix elements of H(t, rho) without sd coupling.

    Args:
        hamiltonian: H_0, CSR, (2N, 2N).
        terms: Terms that change in time, and mean fields.
        positions: Of the sites in nm, (N, 3), or None.

    Attributes:
        indptr, indices, rows: The pattern, in CSR, columns in order; the row of each element.
        own: Places of the four elements of every site's block, row by row, (4 N,).
        bonds: Pairs (i, j), i < j, of sites that the pattern connects, (n_bonds, 2), in lexical order.
    """

    def __init__(self, hamiltonian: sp.csr_array, terms: Sequence[Any], positions: np.ndarray | None) -> None:
        self.n_sites = n = hamiltonian.shape[0] // 2
        self.changing = [term for term in terms if isinstance(term, DeviceTerm)]
        self.mean_fields = [term for term in terms if isinstance(term, MeanField)]
        self._sizes = [term.amplitudes(0.0).size for term in self.changing]
        matrices = [a for term in self.changing for a in term.matrices(n, positions)]
        blocks = sp.kron(sp.eye_array(n), np.ones((2, 2)), format="csr")
        pattern = sp.csr_array(sum((abs(a) for a in matrices), abs(hamiltonian) + blocks))
        pattern.sort_indices()
        self.indptr, self.indices = pattern.indptr, pattern.indices
        self.rows = np.repeat(np.arange(2 * n), np.diff(pattern.indptr))
        self._base = self._placed(hamiltonian)
        self._matrices = np.array([self._placed(a) for a in matrices]).reshape(-1, self.indices.size).T
        i, j = self.rows // 2, self.indices // 2
        self._phases = np.concatenate(
            [np.zeros((i.size, 0)), *(term.phases(i, j, n, positions) for term in self.changing)], axis=1
        )
        self.own, self._diagonal = np.flatnonzero(i == j), np.flatnonzero(self.rows == self.indices)
        pairs = np.unique(np.stack([i, j], axis=1)[i < j], axis=0).astype(int).reshape(-1, 2)
        self.bonds, self._hops = pairs, self._blocks_below(pairs)

    def elements(self, time: float, blocks: np.ndarray | None = None) -> np.ndarray:
        """H(t, rho) on the pattern in eV, (nnz,); `blocks` are rho_ii (N, 2, 2), None leaves mean fields out."""
        data = self._static_part(time)
        if self._phases.shape[1]:
            data = data * np.exp(1j * (self._phases @ self._amplitudes(time, phases=True)))
        if self.mean_fields and blocks is not None:
            data = data if data is not self._base else data.copy()
            self.add_mean_fields(data, blocks)
        return data

    def add_mean_fields(self, data: np.ndarray, blocks: np.ndarray) -> None:
        """Add H_i(rho_ii) in place."""
        field = sum(term.field(blocks) for term in self.mean_fields)
        data[self.own] += np.asarray(field).reshape(-1)  # row by row, as the pattern has them

    def rates(self, time: float) -> np.ndarray:
        """(dH/dt) at fixed rho on the pattern, in eV/fs, (nnz,)."""
        data = self._matrices @ self._rates(time, phases=False)
        if not self._phases.shape[1]:
            return np.asarray(data, dtype=complex)
        turned = np.exp(1j * (self._phases @ self._amplitudes(time, phases=True)))
        turning = 1j * (self._phases @ self._rates(time, phases=True))
        return turned * (data + turning * self._static_part(time))

    def matrix(self, time: float, blocks: np.ndarray | None = None) -> sp.csr_array:
        """H(t, rho) as CSR, (2N, 2N)."""
        return self._as_matrix(self.elements(time, blocks))

    def discs(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """H_aa and sum_b |H_ab|, b not a, of every state without mean fields, in eV, (2N,) each."""
        data = self.elements(time)
        center = data[self._diagonal].real
        return center, np.bincount(self.rows, np.abs(data)) - np.abs(center)

    def onsite_blocks(self, elements: np.ndarray) -> np.ndarray:
        """H_ii of numbers on the pattern, (N, 2, 2)."""
        return elements[self.own].reshape(-1, 2, 2)

    def hopping_blocks(self, elements: np.ndarray) -> np.ndarray:
        """H_ji of every bond (i, j), (n_bonds, 2, 2)."""
        return np.append(elements, 0.0)[self._hops]

    def _blocks_below(self, bonds: np.ndarray) -> np.ndarray:
        """Where the elements of H_ji are, (n_bonds, 2, 2); one beyond the last for those that are never filled."""
        size, spins = 2 * self.n_sites, np.arange(2)
        keys = self.rows * size + self.indices
        rows, columns = 2 * bonds[:, 1, None, None] + spins[:, None], 2 * bonds[:, 0, None, None] + spins
        wanted = rows * size + columns
        places = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        return np.where(keys[places] == wanted, places, keys.size)

    def interaction(self, blocks: np.ndarray) -> float:
        """E_int of all mean fields in eV."""
        return float(sum(term.energy(blocks) for term in self.mean_fields))

    def _static_part(self, time: float) -> np.ndarray:
        if not self._matrices.shape[1]:
            return self._base
        return self._base + self._matrices @ self._amplitudes(time, phases=False)

    def _amplitudes(self, time: float, phases: bool) -> np.ndarray:
        parts = []
        for term, size in zip(self.changing, self._sizes, strict=True):
            if term.is_phase == phases:
                parts.append(term.amplitudes(time))
                if parts[-1].size != size:
                    given = f"{type(term).__name__}.{term.driven}: {parts[-1].size} numbers at t = {time:g} fs"
                    raise ValueError(f"{given}; allowed: {size} as at t = 0")
        return self._joined(parts)

    def without_effect(self, term: DeviceTerm, positions: np.ndarray | None) -> bool:
        """Whether some phase of a term is on no element of the pattern."""
        return not np.any(term.phases(self.rows // 2, self.indices // 2, self.n_sites, positions), axis=0).all()

    def _rates(self, time: float, phases: bool) -> np.ndarray:
        return self._joined([term.rates(time) for term in self.changing if term.is_phase == phases])

    @staticmethod
    def _joined(parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(parts) if parts else np.zeros(0)

    def _as_matrix(self, data: np.ndarray) -> sp.csr_array:
        size = 2 * self.n_sites
        return sp.csr_array((data, self.indices, self.indptr), shape=(size, size))

    def _placed(self, matrix: sp.csr_array) -> np.ndarray:
        """The elements of a matrix whose pattern is part of this one."""
        coo = matrix.tocoo()
        size = 2 * self.n_sites
        places = np.searchsorted(self.rows * size + self.indices, coo.row * size + coo.col)
        data = np.zeros(self.indices.size, dtype=complex)
        np.add.at(data, places, coo.data)
        return data

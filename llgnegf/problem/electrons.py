"""The electrons of the device: a Hermitian one-particle Hamiltonian and an sd coupling for each site.

Imports nothing but the checks; leads and moments are attached further up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from llgnegf._checks import Problems, as_numbers
from llgnegf.problem.arguments import EnergyPerBond, EnergyPerSite, SiteCount

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=complex)
"""Pauli matrices sigma_x, sigma_y, sigma_z, shape (3, 2, 2)."""


@dataclass(frozen=True, eq=False)
class Electrons:
    """Electrons on `n_sites` sites with sd coupling to one classical moment on each.

        H(M) = H_0 - sum_i J_i c_i^dag (sigma . M_i) c_i          (site-major, spin-minor: index 2 i + s)

    Args:
        hamiltonian: H_0 in eV, Hermitian (2N, 2N), dense or scipy.sparse (see `spinless` for an (N, N) one).
        j_sd: sd coupling J_sd in eV, one number or one for each of the N sites.

    Attributes:
        hamiltonian: H_0 as a complex CSR array, (2N, 2N).
        j_sd: (N,) array.

    Raises:
        ValueError: One line for each argument that is not of this kind.
    """

    hamiltonian: Any
    j_sd: Any

    def __post_init__(self) -> None:
        problems = Problems("Electrons")
        matrix = _hermitian(problems, self.hamiltonian)
        if matrix is not None:
            even = matrix.shape[0] % 2 == 0
            problems.check(even, "hamiltonian", f"shape {matrix.shape}", "(2N, 2N): two spins for each site")
        if matrix is None or problems.lines:
            problems.raise_all()
            raise AssertionError("unreachable")
        j_sd = problems.per_site("j_sd", self.j_sd, matrix.shape[0] // 2, "finite, in eV")
        problems.raise_all()
        object.__setattr__(self, "hamiltonian", matrix)
        object.__setattr__(self, "j_sd", j_sd)

    @classmethod
    def spinless(cls, hamiltonian: Any, j_sd: Any) -> Electrons:
        """Electrons whose H_0 = `hamiltonian` x 1 is the same for both spins; `hamiltonian` is (N, N), Hermitian."""
        problems = Problems("Electrons")
        matrix = _hermitian(problems, hamiltonian)
        problems.raise_all()
        return cls(sp.kron(matrix, sp.eye_array(2), format="csr"), j_sd)

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return self.hamiltonian.shape[0] // 2

    @cached_property
    def bonds(self) -> np.ndarray:
        """Pairs (i, j), i < j, of sites that H_0 connects, shape (n_bonds, 2), in lexical order."""
        entries = self.hamiltonian.tocoo()
        i, j = entries.row // 2, entries.col // 2
        pairs = np.stack([i, j], axis=1)[(i < j) & (entries.data != 0)]
        return np.unique(pairs, axis=0).astype(int).reshape(-1, 2)

    @cached_property
    def onsite_blocks(self) -> np.ndarray:
        """H_ii in eV of every site, shape (N, 2, 2)."""
        entries = self.hamiltonian.tocoo()
        own = entries.row // 2 == entries.col // 2
        blocks = np.zeros((self.n_sites, 2, 2), dtype=complex)
        blocks[entries.row[own] // 2, entries.row[own] % 2, entries.col[own] % 2] = entries.data[own]
        return blocks

    @cached_property
    def hopping_blocks(self) -> np.ndarray:
        """H_ji in eV of every bond (i, j), shape (n_bonds, 2, 2)."""
        entries, bonds, n_sites = self.hamiltonian.tocoo(), self.bonds, self.n_sites
        i, j = entries.col // 2, entries.row // 2
        below = (i < j) & (entries.data != 0)
        bond = np.searchsorted(bonds[:, 0] * n_sites + bonds[:, 1], i[below] * n_sites + j[below])
        hopping = np.zeros((len(bonds), 2, 2), dtype=complex)
        hopping[bond, entries.row[below] % 2, entries.col[below] % 2] = entries.data[below]
        return hopping

    def hamiltonian_at(self, moments: np.ndarray) -> np.ndarray:
        """H(M) = H_0 - J_sd sigma.M in eV as a dense (2N, 2N) array, for moments of shape (N, 3)."""
        matrix = self.hamiltonian.toarray()
        blocks = -np.einsum("i,ia,ast->ist", self.j_sd, moments, PAULI)
        view = matrix.reshape(self.n_sites, 2, self.n_sites, 2)
        sites = np.arange(self.n_sites)
        view[sites, :, sites, :] += blocks
        return matrix


def chain(
    n_sites: SiteCount, hopping: EnergyPerBond = 1.0, j_sd: EnergyPerSite = 0.0, onsite: EnergyPerSite = 0.0
) -> Electrons:
    """Tight-binding chain H_0 = -sum_i gamma_i (c_i^dag c_{i+1} + h.c.) + sum_i e_i c_i^dag c_i, the paper's wire.

    Args:
        n_sites: Number of sites N.
        hopping: gamma in eV, one number or one for each of the N - 1 bonds.
        j_sd: sd coupling in eV, one number or one for each site.
        onsite: On-site energy e in eV, one number or one for each site.

    Raises:
        ValueError: One line for each argument that is not of this kind.
    """
    problems = Problems("chain")
    count = problems.sites("n_sites", n_sites)
    if count is None:
        problems.raise_all()
        raise AssertionError("unreachable")
    gamma = problems.per_site("hopping", hopping, count - 1, "finite, in eV (one for each bond)")
    levels = problems.per_site("onsite", onsite, count, "finite, in eV")
    coupling = problems.per_site("j_sd", j_sd, count, "finite, in eV")
    problems.raise_all()
    assert gamma is not None and levels is not None
    matrix = sp.diags_array([-gamma, levels, -gamma], offsets=[-1, 0, 1]) if count > 1 else np.diag(levels)
    return Electrons.spinless(matrix, coupling)


def _hermitian(problems: Problems, value: Any) -> sp.csr_array | None:
    """`value` as a complex CSR array if it is a finite Hermitian matrix, None otherwise."""
    allowed = "a finite Hermitian matrix, in eV"
    given = value if sp.issparse(value) else as_numbers(value, complex)
    if given is None or given.dtype.kind not in "iufc":
        problems.add("hamiltonian", value, allowed)
        return None
    square = given.ndim == 2 and given.shape[0] == given.shape[1] and given.shape[0] > 0
    if not problems.check(square, "hamiltonian", f"shape {given.shape}", allowed):
        return None
    matrix = sp.csr_array(given, dtype=complex, copy=True)
    if not problems.check(bool(np.isfinite(matrix.data).all()), "hamiltonian", "holds NaN or inf", allowed):
        return None
    defect = float(abs(matrix - matrix.conj().T).max())
    hermitian = defect <= 1e-12 * max(1.0, float(abs(matrix).max()))
    if not problems.check(hermitian, "hamiltonian", f"holds |H - H^dag| up to {defect:.3g}", allowed):
        return None
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix

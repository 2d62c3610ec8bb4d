"""Leads with matrix modes that are known exactly: what the tests of matrix channels share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from propagation import random_hermitian

from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.problem.leads import Channel, LeadAtVoltage


@dataclass(frozen=True, eq=False, kw_only=True)
class ModesLead(LeadAtVoltage):
    """U Sigma(E) U^dag with the columns of `coupling` (2N, m) and Sigma in modes."""

    coupling: np.ndarray
    modes: Any

    def attach(self, n_sites: int) -> list[Channel]:
        return [Channel(self.coupling, self.modes)]


def in_modes(matrix: np.ndarray, size: int) -> MatrixModes:
    """C(t) = P exp(-i A t) P^dag, P on the first `size` states, by the eigenvectors of A: c = P R, w^dag = R^-1 P^dag.

    A Hermitian A has undamped modes: eigenvectors that are orthonormal, c = w. With A = H - i W, W >= 0 (an absorbing
    end) Gamma = 2 P G W G^dag P^dag >= 0, G = (E - A)^-1: the modes are passive.
    """
    if np.array_equal(matrix, matrix.conj().T):
        energies, right = np.linalg.eigh(matrix)
        return MatrixModes(energies + 0j, right[:size], right[:size].copy(), 0.0)
    energies, right = np.linalg.eig(matrix)
    return MatrixModes(energies, right[:size], np.linalg.inv(right)[:, :size].conj().T, 0.0)


def layers(rng: np.random.Generator, size: int, count: int) -> np.ndarray:
    """Hamiltonian of the first layers of a periodic lead with random cell and hopping of order 1 eV."""
    cell = random_hermitian(rng, size)
    hopping = 0.5 * (rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))
    ahead = np.kron(np.eye(count, k=1), hopping)
    return np.kron(np.eye(count), cell) + ahead + ahead.conj().T


def absorbing(rng: np.random.Generator, size: int, count: int = 4) -> MatrixModes:
    """A few layers that absorb from the third one on: P A^k P^dag is Hermitian for k < 5, so Gamma falls as 1/E^6."""
    absorption = np.repeat(np.maximum(np.arange(count) - 1.0, 0.0), size)
    return in_modes(layers(rng, size, count) - 1j * np.diag(absorption), size)


def with_surface_level(modes: MatrixModes, energy: float, vector: np.ndarray) -> MatrixModes:
    """The same lead with one more level of its end, that nothing damps."""
    added = [np.concatenate([x, vector[:, None]], axis=1) for x in (modes.left, modes.right)]
    return MatrixModes(np.append(modes.energies, energy), *added, modes.error)


def couplings(rng: np.random.Generator, n: int, size: int, scale: float = 0.5) -> np.ndarray:
    """Random complex columns (n, size)."""
    return scale * (rng.normal(size=(n, size)) + 1j * rng.normal(size=(n, size)))

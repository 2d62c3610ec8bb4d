"""Site blocks and determinant of G for moments that change: O(n b^2) for n states in slices of b, O(n^3) in none.

Under `relax`, at energies off the real axis; `recursion` is the same for chains at any energy, `green` the dense form.

The sites are ordered by the reverse Cuthill-McKee algorithm (E. Cuthill, J. McKee, Proc. 24th ACM Conf. (1969) 157) and
cut into slices that H and the leads connect to their neighbours only. With A = E - H - Sigma and the slices on either
side of one folded into it, as in `recursion`,
    g^L_k = [A_kk - A_k,k-1 g^L_k-1 A_k-1,k]^-1,    g^R_k = [A_kk - A_k,k+1 g^R_k+1 A_k+1,k]^-1,
    G_kk = [A_kk - A_k,k-1 g^L_k-1 A_k-1,k - A_k,k+1 g^R_k+1 A_k+1,k]^-1,    ln det A = -sum_k ln det g^L_k.
From both sides: of g^L alone large terms would have to cancel.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from llgnegf.problem.electrons import PAULI
from llgnegf.static.green import StaticDevice
from llgnegf.static.slices import cut
from llgnegf.static.weights import weighted

LEAST = 8
"""Sites of a slice, at least: smaller products cost as much."""
WHOLE = 32
"""Devices of up to so many sites are one slice."""


class SiteGreen:
    """G = [E - H - Sigma(E) + sum_i F_i.sigma]^-1 for fields F (N, 3) on the sites, in eV.

    Args:
        device: H and the leads.
        energies: E (n,) in eV, Im E > 0.

    Attributes:
        slices: The sites of each slice.
    """

    def __init__(self, device: StaticDevice, energies: np.ndarray) -> None:
        linked = _links(device)
        order = reverse_cuthill_mckee(linked, symmetric_mode=True)
        self.slices = [order[s] for s in _slices(linked[order][:, order].tocoo())]
        states = [(2 * sites[:, None] + np.arange(2)).ravel() for sites in self.slices]
        u, sigma = device.vectors, device.self_energies(energies)

        def block(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            return -device.hamiltonian[np.ix_(rows, columns)] - weighted(u[rows], sigma) @ u[columns].conj().T

        self._own = [energies[:, None, None] * np.eye(k.size) + block(k, k) for k in states]
        self._ahead = [block(k, after) for k, after in zip(states[:-1], states[1:], strict=True)]
        self._back = [block(after, k) for k, after in zip(states[:-1], states[1:], strict=True)]

    def __call__(self, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """G_ii, (n, N, 2, 2), and ln |det G|, (n,)."""
        own, last = self._with(fields), len(self._own) - 1
        left, right = [np.zeros(0)] * len(own), [np.zeros(0)] * len(own)  # what is folded in, to be taken off
        logarithm = np.zeros(len(own[0]))
        for k in range(len(own)):
            block = own[k] - left[k] if k else own[k]
            logarithm -= np.linalg.slogdet(block)[1]
            if k < last:
                left[k + 1] = self._back[k] @ np.linalg.solve(block, self._ahead[k])
        for k in range(last, 0, -1):
            block = own[k] - right[k] if k < last else own[k]
            right[k - 1] = self._ahead[k - 1] @ np.linalg.solve(block, self._back[k - 1])
        blocks = np.empty((len(logarithm), fields.shape[0], 2, 2), dtype=complex)
        for k, sites in enumerate(self.slices):
            whole = own[k] - (left[k] if k else 0) - (right[k] if k < last else 0)
            green, site = np.linalg.inv(whole).reshape(len(whole), sites.size, 2, sites.size, 2), np.arange(sites.size)
            blocks[:, sites] = green[:, site, :, site].swapaxes(0, 1)
        return blocks, logarithm

    def _with(self, fields: np.ndarray) -> list[np.ndarray]:
        """A_kk + F.sigma of each slice."""
        local, found = np.einsum("ia,ast->ist", fields, PAULI), []
        for own, sites in zip(self._own, self.slices, strict=True):
            block, site = own.copy(), np.arange(sites.size)
            block.reshape(len(own), sites.size, 2, sites.size, 2)[:, site, :, site] += local[sites, None]
            found.append(block)
        return found


def _links(device: StaticDevice) -> csr_array:
    """Whether H or a lead connects two sites, (N, N)."""
    n_sites, (row, column) = device.size // 2, device.entries
    pairs = [(row // 2, column // 2)]
    for channel in device.channels:
        own = np.unique(np.flatnonzero(channel.columns.any(axis=1)) // 2)
        pairs.append((np.repeat(own, own.size), np.tile(own, own.size)))
    row, column = np.concatenate(pairs, axis=1)
    return csr_array((np.ones(row.size), (row, column)), shape=(n_sites, n_sites))


def _slices(linked: coo_array) -> list[slice]:
    """Slices of sites in order, of which `linked` (N, N) connects neighbours only."""
    last = np.arange(linked.shape[0])
    np.maximum.at(last, *linked.coords)
    return cut(last, LEAST, WHOLE)

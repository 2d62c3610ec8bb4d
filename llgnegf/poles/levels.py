"""All channels of an expanded system as one list of coupling modes and one of Fermi vectors.

What the equation of motion and frozen devices read of the leads; the formulas are in `equations.electrons`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg

from llgnegf.poles.channels import PoleSystem


class LeadLevels:
    """Coupling modes y and Fermi vectors k of all orbitals a, channel after channel, at rest (V = 0).

    An orbital is a column u_a of a channel: a scalar channel has one, a matrix channel one for each orbital of its
    lead. Modes belong to channels, Fermi vectors to orbitals; couplings are zero between channels.

    Args:
        poles: The expanded system.

    Attributes:
        n: Device states 2N.
        vectors: u_a as columns, (2N, Q).
        chi: chi_y (eV), (M,).
        left, right: c_ay and w_ay, (Q, M): U_y = sum_a u_a c_ay, W_y = sum_a u_a w_ay; of a scalar channel s_y and
            kappa_y^*, s_y = sqrt|b_y|, kappa_y = b_y/s_y.
        d: f(chi_y)^* w_ay, (Q, M).
        z, c: Fermi poles z_k (eV), (K,), and sources (i r_k Gamma(z_k))^dag over the orbitals, (Q, K).
        orbitals, offset: Bounds of each channel among the orbitals and among the modes, (G + 1,) each.
        first: Bounds of each orbital among the Fermi vectors, (Q + 1,).
        mode_lead, vector_lead, lead: The lead of each mode, Fermi vector and orbital.
        vector_orbital: (K,).
        wide: Gamma_a (eV) of wide-band channels, 0 for the others, (Q,).
    """

    def __init__(self, poles: PoleSystem) -> None:
        system, channels = poles.system, poles.channels
        self.n = 2 * system.n_sites
        self.vectors = np.concatenate([np.zeros((self.n, 0), dtype=complex), *(c.columns for c in channels)], axis=1)
        sizes = [c.columns.shape[1] for c in channels]
        self.orbitals = np.cumsum([0, *sizes])
        self.offset = np.cumsum([0, *(c.energies.size for c in channels)])
        self.wide = np.repeat([float(c.wide_band) for c in channels], sizes)
        self.lead = np.repeat(np.array([c.lead for c in channels], dtype=np.int64), sizes)
        mu, kT = system.chemical_potentials() - system.voltages(), system.temperatures()
        found = [poles.fermi_sources(q, mu[c.lead], kT[c.lead]) for q, c in enumerate(channels)]
        filled = [poles.occupation(c.energies, mu[c.lead], kT[c.lead]) for c in channels]
        self.chi, self.z = _joined([c.energies for c in channels]), _joined([z for z, _ in found])
        self.left = block_diagonal([c.left for c in channels], self.lead.size)
        self.right = block_diagonal([c.right for c in channels], self.lead.size)
        self.d = self.right * _joined(filled).conj()
        self.c = block_diagonal([c for _, c in found], self.lead.size)
        counts = np.repeat([z.size // size for (z, _), size in zip(found, sizes, strict=True)], sizes)
        self.first = np.cumsum([0, *counts]).astype(np.int64)
        self.vector_orbital = np.repeat(np.arange(self.lead.size), np.diff(self.first))
        self.vector_lead = self.lead[self.vector_orbital]
        self.mode_lead = np.repeat(np.array([c.lead for c in channels], dtype=np.int64), np.diff(self.offset))

    @property
    def is_scalar(self) -> bool:
        """Whether every channel has one orbital, with real s_y."""
        return bool(np.all(np.diff(self.orbitals) == 1))


def block_diagonal(parts: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """Blocks (m_g, n_g) along the diagonal of a matrix of zeros, which has `rows` rows if there are no blocks."""
    return scipy.linalg.block_diag(*parts) if parts else np.zeros((rows, 0), dtype=complex)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=complex), *parts])

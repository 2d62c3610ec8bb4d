"""All modes and Fermi poles of an expanded system as flat arrays, channel after channel.

What the start states and the equation of motion share; nothing here depends on moments or, but for the shift of levels
by a voltage, on time.
"""

from __future__ import annotations

import numpy as np

from llgnegf.poles.channels import PoleSystem


class PoleArrays:
    """Constants of h and of the sources at zero voltage (hbar = 1), Q channels, M modes, K Fermi vectors.

    Attributes:
        n, n_leads: 2N device states; number of leads.
        lead, wide: Lead of each channel and the part of its Gamma without modes (eV), (Q,).
        chi, s, kappa: chi_y in eV, s_y = sqrt|b_y| and kappa_y = b_y/s_y, (M,).
        offset, mode_channel: First mode of each channel, (Q + 1,), and the channel of each mode, (M,).
        z, c: Fermi poles z_k in eV and sources c_k = (i r_k Gamma_q(z_k))^*, (K,).
        first, vector_channel: First Fermi vector of each channel, (Q + 1,), and the channel of each vector, (K,).
        d: (b_y f(chi_y)/s_y)^*, (M,).
    """

    def __init__(self, poles: PoleSystem) -> None:
        system, channels = poles.system, poles.channels
        self.n, self.n_leads = 2 * system.n_sites, len(system.leads)
        self.lead = np.array([c.lead for c in channels], dtype=np.int64)
        self.wide = np.array([c.wide_band for c in channels], dtype=float)
        self.chi, b = joined([c.energies for c in channels]), joined([c.weights for c in channels])
        self.s = np.sqrt(np.abs(b))
        self.kappa = b / self.s
        self.offset, self.mode_channel = _places([c.energies.size for c in channels])
        mu = (system.chemical_potentials() - system.voltages())[self.lead] if channels else np.zeros(0)
        sources = [poles.fermi_sources(q, mu[q]) for q in range(len(channels))]
        self.z, self.c = joined([z for z, _ in sources]), joined([c for _, c in sources])
        self.first, self.vector_channel = _places([z.size for z, _ in sources])
        filled = joined([poles.occupation(c.energies, m) for c, m in zip(channels, mu, strict=True)])
        self.d = (b * filled / self.s).conj()


def joined(parts: list[np.ndarray]) -> np.ndarray:
    """The parts one after the other, complex."""
    return np.concatenate([np.zeros(0, dtype=complex), *parts])


def _places(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Where each channel begins, and the channel of each entry."""
    return np.cumsum([0, *counts]), np.repeat(np.arange(len(counts)), counts)

"""All channels of an expanded system as one list of coupling modes and one of Fermi vectors.

What the equation of motion and frozen devices read of the leads; the formulas are in `equations.electrons`.
"""

from __future__ import annotations

import numpy as np

from llgnegf.poles.channels import PoleSystem


class LeadLevels:
    """Coupling modes y and Fermi vectors k of all channels q, channel after channel, at rest (V = 0).

    Args:
        poles: The expanded system.

    Attributes:
        n: Device states 2N.
        chi, kappa, s: chi_y (eV), b_y/s_y and s_y = sqrt|b_y|, (M,) each.
        d: (b_y f(chi_y)/s_y)^*, (M,).
        z, c: Fermi poles z_k (eV) and sources (i r_k Gamma_q(z_k))^*, (K,) each.
        offset, first: Bounds of each channel among the modes and among the Fermi vectors, (Q + 1,) each.
        mode_channel, vector_channel: The channel of each mode and of each Fermi vector.
        wide: Gamma_q (eV) of wide-band channels, 0 for the others, (Q,).
        lead: The lead of each channel, (Q,).
    """

    def __init__(self, poles: PoleSystem) -> None:
        system, channels = poles.system, poles.channels
        self.n = 2 * system.n_sites
        self.wide = np.array([channel.wide_band for channel in channels], dtype=float)
        self.lead = np.array([channel.lead for channel in channels], dtype=np.int64)
        mu = (system.chemical_potentials() - system.voltages())[self.lead] if channels else np.zeros(0)
        z, c, f = [], [], []
        for q, (channel, potential) in enumerate(zip(channels, mu, strict=True)):
            roots, sources = poles.fermi_sources(q, potential)
            z.append(roots)
            c.append(sources)
            f.append(poles.occupation(channel.energies, potential))
        self.z, self.c = _joined(z), _joined(c)
        self.chi, b = _joined([c.energies for c in channels]), _joined([c.weights for c in channels])
        self.s = np.sqrt(np.abs(b))
        self.kappa = b / self.s
        self.d = (b * _joined(f) / self.s).conj()
        self.offset = np.cumsum([0] + [c.energies.size for c in channels])
        self.first = np.cumsum([0] + [one.size for one in z])
        self.mode_channel = np.repeat(np.arange(len(channels)), np.diff(self.offset))
        self.vector_channel = np.repeat(np.arange(len(channels)), np.diff(self.first))


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=complex), *parts])

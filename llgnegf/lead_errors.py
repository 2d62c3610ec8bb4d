"""What the damped modes of the leads do to a run: the error of rho that they cause, known before the run starts.

The modes of channel q have the self-energy Sigma_q + dSigma_q; both are known on the real axis (hbar = 1). To first
order, with h the extended Hamiltonian of frozen moments, h R_k = lambda_k R_k and L_k h = lambda_k L_k:

Levels. Level k moves by  d lambda_k = sum_q (L_k u_q) dSigma_q(E_k) (u_q^dag R_k).  What is in it, or between it and
another level, is off in proportion to the time, until the level's own width Gamma_k = -2 Im lambda_k forgets:

    |d rho| <= 2 |d lambda_k| min(T, 1/Gamma_k) |R_k L_k|,     the largest element of R_k L_k on the device

An undamped level (outside every band) never forgets. One that a weak lead feeds compares that lead's broadening with
the tails of all others.

Band. An electron that passes through sees the relative error of the broadening, kappa = max |dSigma_q|/Gamma_q, on the
inner 95 % of the band; the last piece next to the edges counts with Gamma at its border, as it has little weight.

Both act on what departs from equilibrium, at most 1 (`departure`): in equilibrium h and the sources agree on every
filling. There the error is that of rho = 1/2 + sum_m r_m [G(z_m^*) + h.c.] with the one and the other Sigma.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llgnegf.dynamics.start import FrozenDevice, extended_hamiltonian
from llgnegf.poles.channels import PoleChannel, PoleSystem

INNER = 0.475
"""Half of the inner part of a band, in units of its width."""
FLOOR = 0.1
"""Smallest Gamma that a relative error is taken of, in units of its maximum in the band."""
DENSE = 300
"""Device states up to which levels are those of device and modes together; beyond, of the device alone."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels of a frozen device with its leads.

    Attributes:
        energies: Re lambda_k in eV, (n,).
        widths: Gamma_k in eV with the exact leads, (n,).
        overlaps: |L_k u_q| |u_q^dag R_k|, (n, n_channels).
        weights: Largest |R_k L_k| on the device, (n,).
        voltages: V of each channel, (n_channels,), in eV.
    """

    energies: np.ndarray
    widths: np.ndarray
    overlaps: np.ndarray
    weights: np.ndarray
    voltages: np.ndarray


def find_levels(frozen: FrozenDevice) -> Levels:
    """The levels of one instant that have weight on the device; their widths with the exact leads."""
    a = frozen.arrays
    voltages = frozen.voltages
    if a.n <= DENSE:
        energies, right = np.linalg.eig(extended_hamiltonian(frozen))
        left = np.linalg.inv(right)
        right, left = right[: a.n], left[:, : a.n]
    else:
        energies, right = np.linalg.eigh(frozen.hamiltonian)
        left = right.conj().T
    weights = np.abs(right).max(axis=0) * np.abs(left).max(axis=1)
    seen = weights > 1e-6
    energies, weights = energies[seen], weights[seen]
    amplitudes = (left[seen] @ frozen.u) * (frozen.u.conj().T @ right[:, seen]).T
    overlaps = np.abs(amplitudes)
    exact = np.array([c.exact.broadening(energies.real - v) for c, v in zip(frozen.poles.channels, voltages, strict=True)])
    return Levels(energies.real, (overlaps * exact.T).sum(axis=1), overlaps, weights, voltages)


def self_energy_errors(channel: PoleChannel, energies: np.ndarray) -> np.ndarray:
    """|Sigma_modes - Sigma| of a channel at real energies relative to its lead, any shape, in eV."""
    if channel.energies.size == 0:
        return np.zeros(np.shape(energies))
    return np.abs(channel.spectrum.self_energy(energies) - channel.exact.self_energy(energies))


def level_errors(channels: Sequence[PoleChannel], levels: Levels, duration: float) -> np.ndarray:
    """2 |d lambda_k| min(T, 1/Gamma_k) |R_k L_k| of each level for T = `duration` (1/eV), (n,)."""
    shift = np.zeros(levels.energies.size)
    for q, channel in enumerate(channels):
        energies = levels.energies - levels.voltages[q]
        shift += levels.overlaps[:, q] * self_energy_errors(channel, _around(channel, energies)).max(axis=1)
    forgets = np.minimum(duration, 1 / np.maximum(levels.widths, 1e-300))
    return 2 * shift * forgets * levels.weights


def _around(channel: PoleChannel, energies: np.ndarray) -> np.ndarray:
    """Energies about each one, (n, 5): the error touches zero in places, where no level need stay."""
    low, high = channel.exact.support
    distance = np.minimum(np.abs(energies - low), np.abs(energies - high))
    distance = np.where(np.isfinite(distance), distance, 0.0)
    return energies[:, None] + distance[:, None] * np.array([-0.4, -0.2, 0.0, 0.2, 0.4])


def band_error(channel: PoleChannel) -> float:
    """kappa, the largest relative error of the broadening in the band."""
    low, high = channel.exact.support
    if not (np.isfinite(low) and channel.energies.size):
        return 0.0
    energies = 0.5 * (low + high) + (high - low) * np.linspace(-INNER, INNER, 401)
    gamma = channel.exact.broadening(energies)
    return float((self_energy_errors(channel, energies) / np.maximum(gamma, FLOOR * gamma.max())).max())


def equilibrium_error(frozen: FrozenDevice, mu: float) -> float:
    """Largest error of an element of rho in equilibrium at mu, by the Matsubara-like sum with both self-energies."""
    poles = frozen.poles
    assert poles.fermi is not None
    z, r = poles.fermi.poles(mu, poles.system.kT)
    energies = z.conj()
    correction = np.array(
        [
            c.exact.self_energy(energies - v) - c.spectrum.self_energy(energies - v) if c.energies.size else 0 * energies
            for c, v in zip(poles.channels, frozen.voltages, strict=True)
        ]
    )
    inverse = frozen.inverse_green(energies)
    exact = np.linalg.inv(inverse - np.einsum("iq,qe,jq->eij", frozen.u, correction, frozen.u.conj()))
    half = np.einsum("m,mab->ab", r, np.linalg.inv(inverse) - exact)
    return float(np.abs(half + half.conj().T).max())


def lead_error(poles: PoleSystem, levels: Sequence[Levels], duration: float, departure: float) -> float:
    """Error of rho from the modes where the state departs from equilibrium by `departure`; `duration` in 1/eV."""
    if departure == 0 or not poles.channels:
        return 0.0
    band = max(band_error(c) for c in poles.channels)
    return departure * (band + max((level_errors(poles.channels, at, duration).sum() for at in levels), default=0.0))

"""What the damped modes of the leads do to a run: the error of rho that they cause, known before the run starts.

The modes of channel q have the self-energy Sigma_q + dSigma_q; both are known on the real axis (hbar = 1). To first
order, with h the extended Hamiltonian of frozen moments, h R_k = lambda_k R_k and L_k h = lambda_k L_k:

Levels. Level k moves by  d lambda_k = sum_q (L_k u_q) dSigma_q(E_k) (u_q^dag R_k).  What is in it, or between it and
another level, is off in proportion to the time, until the level's own width Gamma_k = -2 Im lambda_k forgets:

    |d rho_ii| <= sum_k 2 |d lambda_k| min(T, 1/Gamma_k) |R_ik L_ki|

A matrix channel, whose u_q are the columns of U and whose dSigma_q is a matrix, counts |L_k U| |dSigma_q| |U^dag R_k|
with the largest singular value of dSigma_q, and so |dSigma_q|/|Gamma_q| below.

An undamped level (outside every band) never forgets. A run
that starts in its stationary state has had all the time there is, but for levels that nothing damps, which it starts
with as they are: T is infinite for all others. One that a weak lead feeds compares that lead's broadening with
the tails of all others.

Band. An electron that passes through sees the relative error |dSigma_q|/Gamma_q of the broadening, on the average over
the band, or at its largest in the window of energies at which the run departs from equilibrium where that is known.
Where Gamma_q is small, next to the edges, little weight lies: the quotient is taken of at least a tenth of its maximum.

Both act on what departs from equilibrium, at most 1 (`departure`): in equilibrium h and the sources agree on every
filling. There the error is that of rho = 1/2 + sum_m r_m [G(z_m^*) + h.c.] with the one and the other Sigma.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf.poles.channels import PoleChannel, PoleSystem
from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.static.frozen import FrozenDevice

FLOOR = 0.1
"""Smallest Gamma that a relative error is taken of, in units of its maximum in the band."""
EVERYWHERE = (-np.inf, np.inf)
"""The window of a run that may disturb every energy."""
ROUND_OFF = 2e-15
"""Round-off (eV) of the sources of a stationary state, which are divided by the levels' widths."""
DENSE = 300
"""Device states up to which levels are those of device and modes together; beyond, of the device alone."""


class ExactLeads:
    """Sigma and Gamma of the exact leads at the energies that they were asked for, found once: one set of modes after
    the other is judged at the same ones."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], np.ndarray] = {}

    def self_energy(self, spectrum: Any, energies: np.ndarray) -> np.ndarray:
        """Sigma in eV."""
        return self._once(spectrum, "self_energy", energies)

    def broadening(self, spectrum: Any, energies: np.ndarray) -> np.ndarray:
        """Gamma in eV, at real energies."""
        return self._once(spectrum, "broadening", energies)

    def _once(self, spectrum: Any, what: str, energies: np.ndarray) -> np.ndarray:
        key = spectrum, what, energies.shape, energies.tobytes()
        if key not in self._known:
            self._known[key] = np.asarray(getattr(spectrum, what)(energies))
        return self._known[key]


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels of a frozen device with its leads.

    Attributes:
        energies: Re lambda_k in eV, (n,).
        widths: Gamma_k in eV with the exact leads, (n,).
        overlaps: |L_k U_q| |U_q^dag R_k|, (n, n_channels).
        weights: |R_ik L_ki| on the device, (n, 2N).
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
    voltages = frozen.voltages[a.orbitals[:-1]]
    if a.n <= DENSE:
        energies, right = np.linalg.eig(frozen.extended_hamiltonian())
        left = np.linalg.inv(right)
        right, left = right[: a.n], left[:, : a.n]
    else:
        energies, right = np.linalg.eigh(frozen.hamiltonian)
        left = right.conj().T
    weights = np.abs(right.T * left)
    seen = weights.max(axis=1) > 1e-6
    energies, weights = energies[seen], weights[seen]
    left, right = left[seen] @ frozen.u, (frozen.u.conj().T @ right[:, seen]).T
    found = [np.zeros((2, 0, energies.size))]
    for g, channel in enumerate(frozen.poles.channels):
        own = slice(a.orbitals[g], a.orbitals[g + 1])
        gamma = as_matrices(channel.exact.broadening(energies.real - voltages[g]))
        overlap = np.linalg.norm(left[:, own], axis=1) * np.linalg.norm(right[:, own], axis=1)
        found.append(np.array([[overlap], [np.abs(np.einsum("ka,kab,kb->k", left[:, own], gamma, right[:, own]))]]))
    overlaps, widths = np.concatenate(found, axis=1)
    return Levels(energies.real, widths.sum(axis=0), overlaps.T, weights, voltages)


def as_matrices(values: np.ndarray) -> np.ndarray:
    """Sigma or Gamma at energies (n,), of a scalar or a matrix channel, as (n, m, m)."""
    return values if values.ndim == 3 else values[:, None, None]


def sizes(values: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """|Sigma|, the largest singular value of a matrix, in the shape of the energies."""
    return np.abs(values) if values.ndim == energies.ndim else np.linalg.norm(values, 2, axis=(-2, -1))


def self_energy_errors(
    channel: PoleChannel, energies: np.ndarray, height: float = 0.0, leads: ExactLeads | None = None
) -> np.ndarray:
    """|Sigma_modes - Sigma| of a channel at real energies relative to its lead, any shape, in eV; its norm.

    Matrix modes are fitted in a window of time, what they miss later lies next to the edges of bands. A run up to T
    = 1/`height` sees int_0^T dC(t) exp(iEt) dt, estimated by e times dSigma(E + i/T), the same integral with a weight
    exp(-t/T) that is at least 1/e up to T: an estimate, no bound, for a dC(t) that changes its sign.
    """
    if not _is_fitted(channel):
        return np.zeros(np.shape(energies))
    at, factor = energies, 1.0
    if height and isinstance(channel.spectrum, MatrixModes):
        at, factor = energies + 1j * height, float(np.exp(1))
    exact = channel.exact.self_energy(at) if leads is None else leads.self_energy(channel.exact, at)
    return factor * sizes(channel.spectrum.self_energy(at) - exact, energies)


def _is_fitted(channel: PoleChannel) -> bool:
    """Whether the channel has damped modes; a wide band has none, and surface levels alone are the lead itself."""
    return bool((channel.energies.imag < 0).any())


def level_errors(
    channels: Sequence[PoleChannel], levels: Levels, duration: float, stationary: bool, leads: ExactLeads
) -> np.ndarray:
    """2 |d lambda_k| min(T, 1/Gamma_k) of each level, T = `duration` in 1/eV, (n,); with round-off if `stationary`."""
    shift, height = np.zeros(levels.energies.size), 0.0 if stationary else 1 / duration
    known: dict[Any, np.ndarray] = {}
    for q, channel in enumerate(channels):
        key = channel.exact, levels.voltages[q]
        if key not in known:
            energies = _around(channel, levels.energies - levels.voltages[q])
            known[key] = self_energy_errors(channel, energies, height, leads).max(axis=1)
        shift += levels.overlaps[:, q] * known[key]
    damped = levels.widths > 0
    memory = 1 / np.maximum(levels.widths, 1e-300)
    ends = np.where(damped, np.inf, duration) if stationary else duration
    # A bound state's weight is off by d(dSigma)/dE too, at most its shift over the distance from the nearest band.
    near = np.where(damped, 0.0, 1 / np.maximum(_distance(channels, levels), 1e-300))
    errors = 2 * shift * (np.minimum(ends, memory) + near)
    return errors + ROUND_OFF * memory * damped if stationary else errors


def _distance(channels: Sequence[PoleChannel], levels: Levels) -> np.ndarray:
    """From the nearest band edge, (n,), infinite between wide bands."""
    edges = [np.add(c.exact.support, v) for c, v in zip(channels, levels.voltages, strict=True)]
    return np.abs(levels.energies[:, None] - np.concatenate(edges)).min(axis=1)


def _around(channel: PoleChannel, energies: np.ndarray) -> np.ndarray:
    """Energies about each one, (n, 5): the error touches zero in places, where no level need stay."""
    low, high = channel.exact.support
    distance = np.minimum(np.abs(energies - low), np.abs(energies - high))
    distance = np.where(np.isfinite(distance), distance, 0.0)
    return energies[:, None] + distance[:, None] * np.array([-0.4, -0.2, 0.0, 0.2, 0.4])


def band_error(channel: PoleChannel, window: tuple[float, float], height: float, leads: ExactLeads) -> float:
    """|dSigma|/Gamma: its mean over the band, or its largest in a window (eV, measured from the lead's levels); dSigma
    at a `height` (eV) as in `self_energy_errors`."""
    low, high = channel.exact.support
    if not (np.isfinite(low) and _is_fitted(channel)):
        return 0.0
    # Equal steps of an angle, dense where the band ends, and about the modes, which are where a spectrum has structure.
    steps = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(np.linspace(0, np.pi, 402)[1:-1])
    chi = channel.energies[channel.energies.imag < 0]  # at a surface level, which no fit moves, Sigma is infinite
    about = np.unique((chi.real + np.outer([-2, -1, 0, 1, 2], chi.imag)).ravel())
    about = about[(about > steps[0]) & (about < steps[-1])]
    gamma = np.concatenate([sizes(leads.broadening(channel.exact, few), few) for few in (steps, about)])
    wrong = np.concatenate([self_energy_errors(channel, few, height, leads) for few in (steps, about)])
    grid, order = np.unique(np.concatenate([steps, about]), return_index=True)
    relative = (wrong / np.maximum(gamma, FLOOR * gamma.max()))[order]
    if window == EVERYWHERE:
        return float(np.trapezoid(relative, grid) / (high - low))
    inside = np.clip(np.linspace(*window, 65), low, high)
    return float(np.interp(inside, grid, relative).max())


def lead_error(
    poles: PoleSystem,
    levels: Sequence[Levels],
    duration: float,
    window: tuple[float, float],
    stationary: bool,
    leads: ExactLeads,
    propagators: Sequence[float] = (),
) -> float:
    """Error of rho from the modes where rho departs from equilibrium by 1.

    Args:
        poles: The expansion.
        levels: The levels at some instants; the worst instant counts.
        duration: T in 1/eV.
        window: Energies (eV) at which rho departs.
        stationary: Whether the run starts in the stationary state of leads that differ.
        leads: What is known of the exact leads.
        propagators: Error of the propagator at each instant (`spectral_errors.PropagatorErrors`), which where it is
            less stands for that of the levels; for runs that do not start stationary.
    """
    worst, height = 0.0, 0.0 if stationary else 1 / duration
    bands: dict[Any, float] = {}
    for number, at in enumerate(levels):
        low, high = window
        seen = {(c.exact, low - v, high - v): c for c, v in zip(poles.channels, at.voltages.tolist(), strict=True)}
        for key in seen.keys() - bands.keys():
            bands[key] = band_error(seen[key], key[1:], height, leads)
        inside = (at.energies > low) & (at.energies < high)
        errors = level_errors(poles.channels, at, duration, stationary, leads)[inside]
        error = float((errors @ at.weights[inside]).max(initial=0.0))
        if propagators:
            error = min(error, propagators[number])
        worst = max(worst, max((bands[key] for key in seen), default=0.0) + error)
    return worst

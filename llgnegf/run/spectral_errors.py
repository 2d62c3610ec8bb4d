"""Errors of rho by lead modes as sums over Fermi poles and integrals over energies, for devices with many channels.

Under `run_errors`, beside `lead_errors`, which asks level by level. Everything here is the Green function G of the exact
leads between device and lead orbitals, found once for an instant; what the modes are enters as dSigma alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf.poles.channels import PoleChannel
from llgnegf.run.lead_errors import self_energy_errors
from llgnegf.static.frozen import FrozenDevice
from llgnegf.static.slices import SlicedGreen
from llgnegf.static.weights import joined, times, weighted

INTERVALS = 48
"""Parts of the window that G is looked at in at first."""
GROWN, LITTLE = 0.3, 0.05
"""A part is halved again where its halves, from half as high above the real axis, come to more by this share of it and
by this share of what an average part comes to."""
MOST = 3000
"""Parts, at most."""
NUMBERS = 1 << 21
"""Elements of G held at a time."""
POINTS = np.array([1, 3, 5]) / 6
"""Where in a part dSigma is averaged."""


class EquilibriumErrors:
    """What modes do to the equilibrium rho of one instant, elements within and between neighbouring slices.

        rho = 1/2 + sum_m r_m [G(z_m^*) + h.c.],    dG = G U S (1 - U^dag G U S)^-1 U^dag G,    S = dSigma
    """

    def __init__(self, frozen: FrozenDevice) -> None:
        self._frozen, (self._energies, r) = frozen, frozen.fermi_poles(frozen.mean)
        green = SlicedGreen(frozen.exact, self._energies)
        columns = green.columns(frozen.u)
        self._inner = frozen.u.conj().T @ columns
        self._columns, self._rows, self._slices = columns * r[:, None, None], green.rows(frozen.u), green.slices

    def of(self, channels: Sequence[PoleChannel]) -> float:
        """Largest error of an element with the modes of `channels`."""
        first = self._frozen.arrays.orbitals
        wrong = [
            c.spectrum.self_energy(at) - c.exact.self_energy(at)
            for c, v in zip(channels, self._frozen.voltages[first[:-1]].tolist(), strict=True)
            for at in (self._energies - v,)
        ]
        as_matrix, sizes = self._frozen.device.has_matrices, np.diff(first).tolist()
        sigma = joined(wrong, sizes, self._energies.size, as_matrix)
        inner = times(sigma, np.linalg.inv(np.eye(int(first[-1])) - weighted(self._inner, sigma)))
        n = self._frozen.arrays.n
        left = (self._columns @ inner).transpose(1, 0, 2).reshape(n, -1)
        right = self._rows.reshape(-1, n)
        worst = 0.0
        for here, after in zip(self._slices, [*self._slices[1:], slice(n, n)], strict=True):
            near = left[here] @ right[:, here.start : after.stop]
            back, size = left[after] @ right[:, here], here.stop - here.start
            near[:, :size] += near[:, :size].conj().T
            near[:, size:] += back.conj().T
            worst = max(worst, float(np.abs(near).max()))
        return worst


    def of_group(self, members: Sequence[int], modes: Sequence[PoleChannel]) -> np.ndarray:
        """The same to first order with each of several modes for the channels `members`, which have one spectrum and
        one orbital each, all others exact, (modes,)."""
        own = self._frozen.arrays.orbitals[list(members)]
        at = self._energies - self._frozen.voltages[own[0]]
        wrong = np.array([c.spectrum.self_energy(at) - c.exact.self_energy(at) for c in modes])
        columns, rows, n = self._columns[:, :, own], self._rows[:, own], self._frozen.arrays.n
        worst = np.zeros(len(modes))
        for here, after in zip(self._slices, [*self._slices[1:], slice(n, n)], strict=True):
            near = np.tensordot(wrong, columns[:, here] @ rows[:, :, here.start : after.stop], 1)
            back, size = np.tensordot(wrong, columns[:, after] @ rows[:, :, here], 1), here.stop - here.start
            near[:, :, :size] += near[:, :, :size].conj().swapaxes(1, 2)
            near[:, :, size:] += back.conj().swapaxes(1, 2)
            worst = np.maximum(worst, np.abs(near).max(axis=(1, 2)))
        return worst


@dataclass(frozen=True, eq=False)
class Passages:
    """How the device is reached from leads at the energies of a window, part of it after part.

    Attributes:
        middles, widths: Of the parts of the window (eV), (n,).
        groups: Channels of one spectrum at one voltage.
        weights: int |G_iq| |G_qi| dE/2pi of a part, summed over the channels q of a group, (n, groups, 2N), in 1/eV.
        filling: int A_ii dE/2pi over the window, A = i (G - G^dag), (2N,): what of a state i is in it.
    """

    middles: np.ndarray
    widths: np.ndarray
    groups: tuple[tuple[int, ...], ...]
    voltages: tuple[float, ...]
    weights: np.ndarray
    filling: np.ndarray

    @classmethod
    def of(cls, frozen: FrozenDevice, window: tuple[float, float], duration: float) -> Passages:
        """For a run of `duration` (1/eV): parts as narrow as G takes there, or as 1/T."""
        reach = Reach(frozen)
        low, high = window
        width = (high - low) / INTERVALS
        middles = low + width * (np.arange(INTERVALS) + 0.5)
        weights, filling = reach(middles, max(width, 1 / duration), width)
        done: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        little = LITTLE * weights.sum(axis=0).max(axis=1) / INTERVALS
        total = middles.size
        while width > 1 / duration and middles.size and total < MOST:
            width *= 0.5
            halves = (middles[:, None] + width * np.array([-0.5, 0.5])).ravel()
            finer, filled = reach(halves, max(width, 1 / duration), width)
            pairs = finer.reshape(-1, 2, *finer.shape[1:])
            grown = pairs.sum(axis=1) - weights
            again = (grown > GROWN * weights + little[:, None]).any(axis=(1, 2))
            both = np.repeat(again, 2)
            done.append((halves[~both], np.full((~both).sum(), width), finer[~both], filled[~both]))
            middles, weights, filling, total = halves[both], finer[both], filled[both], total + halves.size
        done.append((middles, np.full(middles.size, width), weights, filling))
        middles, widths, weights, filling = (np.concatenate(parts) for parts in zip(*done, strict=True))
        return cls(middles, widths, reach.groups, reach.voltages, weights, filling.sum(axis=0))

    def error(self, channels: Sequence[PoleChannel], height: float) -> np.ndarray:
        """int dE/2pi 2 sum_q |G_iq| |dSigma_q| |G_qi| over the window, (2N,); dSigma at a `height` (eV), see
        `lead_errors.self_energy_errors`."""
        own = [self.of_group(g, [channels[group[0]]], height)[0] for g, group in enumerate(self.groups)]
        return np.sum(own, axis=0)

    def of_group(self, group: int, modes: Sequence[PoleChannel], height: float) -> np.ndarray:
        """What the channels of one group add to `error` with each of several modes, (modes, 2N)."""
        at = self.middles[:, None] + self.widths[:, None] * (POINTS - 0.5) - self.voltages[group]
        wrong = np.array([self_energy_errors(channel, at, height).mean(axis=1) for channel in modes])
        return 2 * wrong @ self.weights[:, group]


class Reach:
    """|G_iq| |G_qi| and A_ii at energies above the real axis."""

    def __init__(self, frozen: FrozenDevice) -> None:
        self._device, self._u, self._orbitals = frozen.exact, frozen.u, frozen.arrays.orbitals
        members: dict[Any, list[int]] = {}
        voltages = frozen.voltages[self._orbitals[:-1]].tolist()
        for number, (channel, voltage) in enumerate(zip(frozen.poles.channels, voltages, strict=True)):
            members.setdefault((channel.exact, voltage), []).append(number)
        self.groups = tuple(tuple(own) for own in members.values())
        self.voltages = tuple(voltages[own[0]] for own in self.groups)

    def __call__(self, energies: np.ndarray, height: float, width: float) -> tuple[np.ndarray, np.ndarray]:
        """`Passages.weights` (n, groups, 2N) and A_ii width/2pi (n, 2N)."""
        at_once = max(1, NUMBERS // max(1, self._u.size))
        parts = [self._few(energies[k : k + at_once] + 1j * height) for k in range(0, energies.size, at_once)]
        weights, filling = (np.concatenate(x) * (width / (2 * np.pi)) for x in zip(*parts, strict=True))
        return weights, filling

    def _few(self, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        green, n = SlicedGreen(self._device, energies), self._device.size
        out, back = green.columns(self._u), green.rows(self._u)
        weights = np.zeros((energies.size, len(self.groups), n))
        for number, group in enumerate(self.groups):
            for channel in group:
                own = slice(*self._orbitals[channel : channel + 2])
                weights[:, number] += np.linalg.norm(out[:, :, own], axis=2) * np.linalg.norm(back[:, own], axis=1)
        spectral = np.empty((energies.size, n))
        for rows, columns, block in green.local():
            if rows == columns:
                spectral[:, rows] = -2 * np.diagonal(block, axis1=1, axis2=2).imag
        return weights, spectral

"""Errors of rho by lead modes as sums over Fermi poles and integrals over energies, for devices with many channels.

Under `run_errors`, beside `lead_errors`, which asks level by level. Both are made of the Green function G of the exact
leads between device and lead orbitals, found once for an instant; the modes enter as dSigma alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import cumulative_trapezoid

from llgnegf.poles.channels import PoleChannel
from llgnegf.run.lead_errors import self_energy_errors
from llgnegf.static.frozen import FrozenDevice
from llgnegf.static.slices import SlicedGreen
from llgnegf.static.weights import joined, times, weighted

INTERVALS = 32
"""Parts of the window that G is looked at in at first."""
GROWN, LITTLE = 0.3, 0.05
"""A part is halved again where its halves, from half as high above the real axis, come to more by this share of it and
by this share of what an average part comes to."""
MOST = 3000
"""Parts, at most."""
NUMBERS = 1 << 21
"""Elements of G held at a time."""
EVEN, NEAR_EDGES = 401, np.concatenate([-np.geomspace(1e-5, 0.3, 40), [0.0], np.geomspace(1e-5, 0.3, 40)])
"""Energies (eV) at which dSigma is looked at: so many in equal steps over the window, and about each end of a band."""
Integrated = tuple[np.ndarray, np.ndarray]


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
        window: Its ends in eV.
        middles, widths: Of the parts of the window (eV), (n,).
        groups: Channels of one spectrum at one voltage, at all times.
        voltages: Theirs at this instant in eV.
        weights: int |G_iq| |G_qi| dE/2pi of a part, summed over the channels q of a group, (n, groups, 2N), in 1/eV;
            single precision does for estimates.
        filling: int A_ii dE/2pi over the window, A = i (G - G^dag), (2N,): what of a state i is in it.
    """

    window: tuple[float, float]
    middles: np.ndarray
    widths: np.ndarray
    groups: tuple[tuple[int, ...], ...]
    voltages: tuple[float, ...]
    weights: np.ndarray
    filling: np.ndarray

    @classmethod
    def of(cls, frozen: FrozenDevice, window: tuple[float, float], duration: float) -> Passages:
        """For a run of `duration` (1/eV): parts as narrow as G takes there, or as 1/T."""
        reach, (low, high), shortest = Reach(frozen), window, 1 / duration
        width = (high - low) / INTERVALS
        middles = low + width * (np.arange(INTERVALS) + 0.5)
        weights = width * reach.weights(middles + 1j * max(width, shortest))
        filling = width * reach.spectral(middles + 1j * max(width, shortest)).sum(axis=0)
        little = LITTLE * weights.sum(axis=0).max(axis=1) / INTERVALS
        done: list[tuple[np.ndarray, ...]] = []
        total = middles.size
        while width > shortest and middles.size and total < MOST:
            width *= 0.5
            halves = (middles[:, None] + width * np.array([-0.5, 0.5])).ravel()
            finer = width * reach.weights(halves + 1j * max(width, shortest))
            grown = finer.reshape(-1, 2, *finer.shape[1:]).sum(axis=1) - weights
            again = np.repeat((grown > GROWN * weights + little[:, None]).any(axis=(1, 2)), 2)
            done.append((halves[~again], np.full((~again).sum(), width), finer[~again]))
            middles, weights, total = halves[again], finer[again], total + halves.size
        done.append((middles, np.full(middles.size, width), weights))
        middles, widths, weights = (np.concatenate(parts) for parts in zip(*done, strict=True))
        return cls(window, middles, widths, reach.groups, reach.voltages, weights, filling)

    def error(self, channels: Sequence[PoleChannel], height: float) -> np.ndarray:
        """int dE/2pi 2 sum_q |G_iq| |dSigma_q| |G_qi| over the window, (2N,); dSigma at a `height` (eV), see
        `lead_errors.self_energy_errors`."""
        each = [self.of_group(g, self.wrong(g, [channels[own[0]]], height)) for g, own in enumerate(self.groups)]
        return np.sum(each, axis=0)[0]

    def of_group(self, group: int, wrong: Sequence[Integrated]) -> np.ndarray:
        """What the channels of one group add to `error` with each of several modes, (modes, 2N)."""
        ends = self.middles + self.widths * np.array([[-0.5], [0.5]]) - self.voltages[group]
        means = [np.diff(np.interp(ends, *each), axis=0)[0] / self.widths for each in wrong]
        return 2 * np.array(means) @ self.weights[:, group]

    def wrong(self, group: int, modes: Sequence[PoleChannel], height: float) -> list[Integrated]:
        """Energies of the window, measured from the lead's levels, and int |dSigma| dE up to each."""
        exact = modes[0].exact
        edges = np.array([e for e in (*exact.support, *getattr(exact, "points", ())) if np.isfinite(e)])
        low, high = (end - self.voltages[group] for end in self.window)
        grid = np.concatenate([np.linspace(low, high, EVEN), (edges[:, None] + NEAR_EDGES).ravel()])
        grid = np.unique(np.clip(grid, low, high))
        return [
            (grid, cumulative_trapezoid(self_energy_errors(channel, grid, height), grid, initial=0.0))
            for channel in modes
        ]


class Reach:
    """|G_iq| |G_qi| (norms over the orbitals of a channel) and A_ii at energies (n,) above the real axis."""

    def __init__(self, frozen: FrozenDevice) -> None:
        self._device, self._u, self._orbitals = frozen.exact, frozen.u, frozen.arrays.orbitals
        members: dict[Any, list[int]] = {}
        voltages, leads = frozen.voltages[self._orbitals[:-1]].tolist(), frozen.poles.system.leads
        moves = any(lead.drives() for lead in leads)  # then those of one lead are together, the same at all instants
        for number, (channel, voltage) in enumerate(zip(frozen.poles.channels, voltages, strict=True)):
            members.setdefault((channel.exact, channel.lead if moves else voltage), []).append(number)
        self.groups = tuple(tuple(own) for own in members.values())
        self.voltages = tuple(voltages[own[0]] for own in self.groups)
        self._members = np.zeros((len(voltages), len(self.groups)), dtype=np.float32)
        for number, own in enumerate(self.groups):
            self._members[list(own), number] = 1.0

    def weights(self, energies: np.ndarray) -> np.ndarray:
        """sum_q |G_iq| |G_qi|/2pi over each group, (n, groups, 2N)."""
        at_once = max(1, NUMBERS // max(1, self._u.size))
        parts = [self._few(energies[k : k + at_once]) for k in range(0, energies.size, at_once)]
        return np.concatenate(parts) / (2 * np.pi)

    def spectral(self, energies: np.ndarray) -> np.ndarray:
        """A_ii/2pi, (n, 2N)."""
        out = np.empty((energies.size, self._device.size))
        for rows, columns, block in SlicedGreen(self._device, energies, np.complex64).local():
            if rows == columns:
                out[:, rows] = np.diagonal(block, axis1=1, axis2=2).imag / -np.pi
        return out

    def _few(self, energies: np.ndarray) -> np.ndarray:
        green = SlicedGreen(self._device, energies, np.complex64)
        out, back = np.abs(green.columns(self._u)), np.abs(green.rows(self._u)).swapaxes(1, 2)
        if self._orbitals.size <= self._u.shape[1]:  # some channel has several
            out, back = (np.sqrt(np.add.reduceat(x**2, self._orbitals[:-1], axis=2)) for x in (out, back))
        return np.asarray(((out * back) @ self._members).swapaxes(1, 2))

"""Errors of rho by lead modes as sums over Fermi poles and integrals over energies.

Under `run_errors`, beside `lead_errors`, which asks level by level. Both are made of the Green function G of the exact
leads between device and lead orbitals, found once for an instant; the modes enter as dSigma alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf.poles.channels import PoleChannel
from llgnegf.run.lead_errors import Levels, as_matrices, self_energy_errors
from llgnegf.static.frozen import FrozenDevice
from llgnegf.static.green import StaticDevice
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
REACH, LINE = 3.0, 800
"""How far beyond the levels (eV) a propagator's integral over energies is in equal steps, and their number."""
ABOUT = (-8, -4, -2, -1, -0.5, 0, 0.5, 1, 2, 4, 8)
"""Energies about each level, in units of its width with that of the integral's line."""
MOST_STATES = 300
"""Of devices whose propagators are looked at."""
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
        self._sigma = frozen.exact.self_energies(self._energies)

    def of(self, channels: Sequence[PoleChannel]) -> float:
        """Largest error of an element with the modes of `channels`."""
        first = self._frozen.arrays.orbitals
        voltages = self._frozen.voltages[first[:-1]].tolist()
        modes = [c.spectrum.self_energy(self._energies - v) for c, v in zip(channels, voltages, strict=True)]
        as_matrix, orbitals = self._frozen.device.has_matrices, np.diff(first).tolist()
        sigma = joined(modes, orbitals, self._energies.size, as_matrix) - self._sigma
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


class PropagatorErrors:
    """What modes do to the propagator on the device of one instant at all times 0 <= t <= T = `duration` (1/eV).

    G(t) = int dE/2pi exp(-iEt) G(E) along Im E = 1/T, where |exp(-iEt)| <= e, and dG = G dSigma G, so that

        |d G_ii(t)| <= e sum_q int dE/2pi |G_i,q(E + i/T)| |dSigma_q(E + i/T)| |G_q,i(E + i/T)|.

    The sum over levels counts each of those that device and modes make of one continuum by itself; this does not. A
    level apart comes to the same: 2 e |d lambda_k| |R_ik L_ki|/(Gamma_k + 2/T). Single precision does for estimates.
    """

    def __init__(self, frozen: FrozenDevice, levels: Levels, duration: float) -> None:
        reach, height = float(np.abs(levels.energies).max(initial=0.0)) + REACH, 1 / duration
        near = levels.energies[:, None] + (height + levels.widths[:, None]) * np.array(ABOUT)
        far = reach * np.geomspace(1, 100, 60)
        grid = np.unique(np.concatenate([near.ravel(), np.linspace(-reach, reach, LINE), far, -far]))
        groups: dict[Any, list[int]] = {}
        voltages = frozen.voltages[frozen.arrays.orbitals[:-1]].tolist()
        for number, (channel, voltage) in enumerate(zip(frozen.poles.channels, voltages, strict=True)):
            groups.setdefault((channel.exact, voltage), []).append(number)
        self._groups = [(own[0], voltage) for (_, voltage), own in groups.items()]
        self._energies, first = grid + 1j * height, frozen.arrays.orbitals
        sigma = frozen.exact.self_energies(self._energies)
        self._sigma = [_block(sigma, slice(first[own], first[own + 1])) for own, _ in self._groups]
        steps = 0.5 * (np.diff(grid, prepend=grid[0]) + np.diff(grid, append=grid[-1]))
        self._weights = np.zeros((grid.size, len(groups), frozen.arrays.n), dtype=np.float32)
        for few in np.array_split(np.arange(grid.size), 1 + grid.size * frozen.arrays.n**2 // NUMBERS):
            green = np.linalg.inv(_inverse(frozen.exact, self._energies[few], sigma[few]))
            for number, own in enumerate(groups.values()):
                for columns in (frozen.poles.channels[q].columns for q in own):
                    out = np.linalg.norm(green @ columns, axis=2)
                    self._weights[few, number] += out * np.linalg.norm(columns.conj().T @ green, axis=1)
        self._weights *= (np.exp(1.0) / np.pi * steps[:, None, None]).astype(np.float32)

    def of(self, channels: Sequence[PoleChannel]) -> float:
        """Bound, to first order, on 2 |d G_ii(t)| with the modes of `channels`."""
        wrong = [
            np.linalg.norm(as_matrices(channels[q].spectrum.self_energy(self._energies - v)) - exact, 2, axis=(1, 2))
            for (q, v), exact in zip(self._groups, self._sigma, strict=True)
        ]
        return float(np.einsum("gn,ngi->i", np.array(wrong), self._weights).max(initial=0.0))


def _block(sigma: np.ndarray, own: slice) -> np.ndarray:
    """Of one channel, (n, m, m), from Sigma between all columns."""
    return sigma[:, own, own].copy() if sigma.ndim == 3 else sigma[:, own, None]


def _inverse(device: StaticDevice, energies: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """E - H - Sigma for a Sigma that is known, (n, 2N, 2N)."""
    return energies[:, None, None] * np.eye(device.size) - device.hamiltonian - device.on_device(sigma)


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
        return [(grid, _integral(grid, self_energy_errors(channel, grid, height))) for channel in modes]


def _integral(grid: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of `values` from the first energy up to each, by trapezoids; SciPy's would add 22 MB to every small run."""
    return np.append(0.0, np.cumsum(np.diff(grid) * (values[1:] + values[:-1]) / 2))


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

"""Blocks of Green functions between pairs of sites, for `tensors`: from dense inverses, or by recursion along a chain.

Both give, for the pairs (i, j) of the tensors and energies (n,), the components (n, 4, P) of 2 x 2 blocks,
G_ij = sum_m g^m_ij sigma_m with sigma_0 = 1, which the traces of `pair_kernel` are taken of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.response.pair_kernel import pair_traces
from llgnegf.static.green import StaticDevice
from llgnegf.static.recursion import ChainGreen, adjoint_blocks, is_chain
from llgnegf.static.undamped import UndampedLevel
from llgnegf.static.weights import weighted
from llgnegf.static.window import Window, chain_window, window_panels

Both = tuple[np.ndarray, np.ndarray]
"""The components of F_ij and of F_ji, (n, 4, P)."""


def pair_green(device: StaticDevice, sites: tuple[np.ndarray, np.ndarray], distance: int | None) -> DensePairs:
    """By recursion where only pairs up to `distance` of a chain are asked for."""
    by_recursion = distance is not None and is_chain(device)
    return ChainPairs(device, *sites, distance) if by_recursion else DensePairs(device, *sites)


def sea_density(pairs: DensePairs, z: np.ndarray) -> np.ndarray:
    """(i/2) (Tr sigma_a D_ij sigma_b G_ji - Tr sigma_a G_ij sigma_b D_ji), (n, P, 3, 3)."""
    (g, g_turned), (d, d_turned) = pairs.green_and_slope(z)
    return 0.5j * (pair_traces(d, g_turned) - pair_traces(g, d_turned))


def surface_density(pairs: DensePairs, energy: np.ndarray) -> np.ndarray:
    """Symmetric and antisymmetric part of -S of `tensors` for each energy, (n, 2, P, 3, 3) in 1/eV^2."""
    (g, g_turned), (a, a_turned) = pairs.green_and_spectral(energy)
    friction = pair_traces(a, a_turned).real / (4 * np.pi)
    # The components of (G^dag)_ji = (G_ij)^dag are the conjugates of those of G_ij.
    forward, backward = pair_traces(g, g.conj()), pair_traces(g_turned.conj(), g_turned)
    return np.stack([friction, (forward - backward).real / (4 * np.pi)], axis=1)


def undamped_density(level: UndampedLevel, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """What a pole at E on the real axis adds to the antisymmetric part of -S, over -f'(E), (P, 3, 3) in 1/eV^2.

    With G = B/(E - e + i0) + R: -pi delta(E - e)/(4 pi) times Re i [Tr sigma_a B_ij sigma_b (R + R^dag)_ji - turned].
    It takes the parts with f'(e) out of A, where they come from the double pole of D: the filling of a level without
    width does not follow its energy.
    """
    residue, rest = (site_components(m[None]) for m in (level.residue, level.rest + level.rest.conj().T))
    forward = pair_traces(residue[:, :, i, j], rest[:, :, j, i])
    backward = pair_traces(rest[:, :, i, j], residue[:, :, j, i])
    return 0.25 * (forward - backward)[0].imag


@dataclass(frozen=True, eq=False)
class DensePairs:
    """Green functions between pairs (i, j), two arrays (P,), of any device: inverses of whole matrices."""

    device: StaticDevice
    i: np.ndarray
    j: np.ndarray

    @property
    def entries(self) -> int:
        """Complex numbers handled at one energy."""
        return 3 * self.device.size**2 + 32 * self.i.size

    def green_and_slope(self, energy: np.ndarray) -> tuple[Both, Both]:
        """G and D = -dG/dE for energies (n,) with Im E > 0."""
        device = self.device
        green = device.retarded(energy)
        columns, rows = green @ device.vectors, device.vectors.conj().T @ green
        slope = green @ green - weighted(columns, device.self_energy_derivatives(energy)) @ rows
        return self._pick(green), self._pick(slope)

    def green_and_spectral(self, energy: np.ndarray) -> tuple[Both, Both]:
        """G and a = i (G - G^dag) = G Gamma G^dag for real energies (n,)."""
        green = self.device.reached_green(energy)
        columns = green @ self.device.vectors
        spectral = weighted(columns, self.device.broadenings(energy)) @ columns.conj().swapaxes(-1, -2)
        return self._pick(green), self._pick(spectral)

    def window(self, lower: float, upper: float, jumps: np.ndarray) -> Window:
        """Panels of the real axis, as `window_panels`."""
        return window_panels(self.device, lower, upper, jumps)

    def _pick(self, matrices: np.ndarray) -> Both:
        parts = site_components(matrices)
        return parts[:, :, self.i, self.j], parts[:, :, self.j, self.i]


@dataclass(frozen=True, eq=False)
class ChainPairs(DensePairs):
    """Pairs |i - j| <= distance of a chain, O(N distance) for each energy; dense where the recursion is not sound."""

    distance: int | None

    @cached_property
    def chain(self) -> ChainGreen:
        """Green functions of the device."""
        return ChainGreen(self.device)

    @property
    def reach(self) -> int:
        """Largest |i - j|."""
        last = self.device.size // 2 - 1
        return last if self.distance is None else min(self.distance, last)

    @property
    def entries(self) -> int:
        return 24 * self.i.size

    def green_and_slope(self, energy: np.ndarray) -> tuple[Both, Both]:
        weights = np.eye(2)[..., None] - self.chain.on_lead_sites(self.device.self_energy_derivatives(energy))
        upper, lower, sound = self.chain.band_blocks(energy, self.reach, weights[None])
        found = self._of_band(upper, lower, 0), self._of_band(upper, lower, 1)
        for e in np.flatnonzero(~sound):
            _replace(found, int(e), super().green_and_slope(energy[e : e + 1]))
        return found

    def green_and_spectral(self, energy: np.ndarray) -> tuple[Both, Both]:
        upper, lower, sound = self.chain.band_blocks(energy.astype(complex), self.reach)
        columns, width = self.chain.columns(energy.astype(complex)), self.device.broadenings(energy).T

        def spectral(offset: int, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            left, right = columns[self.i[where]] * width, columns[self.j[where]].conj()
            blocks = np.einsum("paqe,pbqe->pabe", left, right)
            return blocks, adjoint_blocks(blocks)

        found = self._of_band(upper, lower, 0), self._gather(energy.size, spectral)
        for e in np.flatnonzero(~sound):
            _replace(found, int(e), super().green_and_spectral(energy[e : e + 1]))
        return found

    def window(self, lower: float, upper: float, jumps: np.ndarray) -> Window:
        by_phase = chain_window(self.chain, lower, upper, jumps)
        return super().window(lower, upper, jumps) if by_phase is None else by_phase

    def _of_band(self, upper: list[np.ndarray], lower: list[np.ndarray], kind: int) -> Both:
        """Components of G (kind 0) or D (kind 1) for all pairs."""

        def blocks(offset: int, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            own, other = (upper, lower) if offset >= 0 else (lower, upper)
            return own[abs(offset)][kind], other[abs(offset)][kind]

        return self._gather(upper[0].shape[-1], blocks)

    def _gather(
        self, n_energies: int, blocks: Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]]
    ) -> Both:
        """Components of F_ij and F_ji from their blocks (P, 2, 2, n), offset j - i by offset."""
        found, turned = np.empty((2, n_energies, 4, self.i.size), dtype=complex)
        for offset in range(-self.reach, self.reach + 1):
            where = np.flatnonzero(self.j - self.i == offset)
            own, other = blocks(offset, where)
            found[:, :, where], turned[:, :, where] = block_components(own), block_components(other)
        return found, turned


def site_components(green: np.ndarray) -> np.ndarray:
    """g^m_ij with G_ij = sum_m g^m_ij sigma_m, sigma_0 = 1, (..., 4, N, N), of matrices (..., 2N, 2N)."""
    uu, ud = green[..., 0::2, 0::2], green[..., 0::2, 1::2]
    du, dd = green[..., 1::2, 0::2], green[..., 1::2, 1::2]
    return 0.5 * np.stack([uu + dd, ud + du, 1j * (ud - du), uu - dd], axis=-3)


def block_components(blocks: np.ndarray) -> np.ndarray:
    """The same of single blocks with the energies last, (P, 2, 2, n), as (n, 4, P)."""
    uu, ud, du, dd = blocks[:, 0, 0], blocks[:, 0, 1], blocks[:, 1, 0], blocks[:, 1, 1]
    return 0.5 * np.stack([uu + dd, ud + du, 1j * (ud - du), uu - dd]).transpose(2, 0, 1)


def _replace(found: tuple[Both, Both], number: int, exact: tuple[Both, Both]) -> None:
    """Put the blocks of a single energy in the place of those at `number`."""
    for own, other in zip(found, exact, strict=True):
        own[0][number], own[1][number] = other[0][0], other[1][0]

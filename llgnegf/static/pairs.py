"""Blocks of Green functions between pairs of sites, for `response`: from dense inverses, or by recursion along a chain.

Both give, for the pairs (i, j) of the tensors and energies (n,), the `components` (n, 4, P) of 2 x 2 blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from llgnegf.static.components import block_components, site_components
from llgnegf.static.green import StaticDevice
from llgnegf.static.pair_kernel import pair_traces
from llgnegf.static.recursion import ChainGreen, adjoint_blocks, is_chain
from llgnegf.static.undamped import UndampedLevel
from llgnegf.static.window import Window, chain_window, window_panels

Both = tuple[np.ndarray, np.ndarray]
"""The components of F_ij and of F_ji, (n, 4, P)."""


class PairGreen(Protocol):
    """Green functions between the pairs of sites of the tensors."""

    @property
    def entries(self) -> int:
        """Complex numbers handled at one energy."""

    def green_and_slope(self, energy: np.ndarray) -> tuple[Both, Both]:
        """G and D = -dG/dE for energies (n,) with Im E > 0."""

    def green_and_spectral(self, energy: np.ndarray) -> tuple[Both, Both]:
        """G and a = i (G - G^dag) = sum_q G u_q Gamma_q u_q^dag G^dag for real energies (n,)."""

    def window(self, lower: float, upper: float, jumps: np.ndarray) -> Window:
        """Panels of the real axis, as `window_panels`."""


def pair_green(device: StaticDevice, sites: tuple[np.ndarray, np.ndarray], distance: int | None) -> PairGreen:
    """By recursion where only pairs up to `distance` of a chain are asked for."""
    dense = DensePairs(device, *sites)
    return dense if distance is None or not is_chain(device) else ChainPairs(device, *sites, distance, dense)


def sea_density(pairs: PairGreen, z: np.ndarray) -> np.ndarray:
    """(i/2) (Tr sigma_a D_ij sigma_b G_ji - Tr sigma_a G_ij sigma_b D_ji), (n, P, 3, 3)."""
    (g, g_turned), (d, d_turned) = pairs.green_and_slope(z)
    return 0.5j * (pair_traces(d, g_turned) - pair_traces(g, d_turned))


def surface_density(pairs: PairGreen, energy: np.ndarray) -> np.ndarray:
    """Symmetric and antisymmetric part of -S of `response` for each energy, (n, 2, P, 3, 3) in 1/eV^2."""
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
    """Any device: inverses of whole matrices, for pairs (i, j) given as two arrays (P,)."""

    device: StaticDevice
    i: np.ndarray
    j: np.ndarray

    @property
    def entries(self) -> int:
        return 3 * self.device.size**2 + 32 * self.i.size

    def green_and_slope(self, energy: np.ndarray) -> tuple[Both, Both]:
        device = self.device
        green = device.retarded(energy)
        columns, rows = green @ device.vectors, device.vectors.conj().T @ green
        slope = green @ green - (columns * device.self_energy_derivatives(energy)[:, None, :]) @ rows
        return self._pick(green), self._pick(slope)

    def green_and_spectral(self, energy: np.ndarray) -> tuple[Both, Both]:
        green = self.device.reached_green(energy)
        columns = green @ self.device.vectors
        width = self.device.broadenings(energy)[:, None, :]
        return self._pick(green), self._pick((columns * width) @ columns.conj().swapaxes(-1, -2))

    def window(self, lower: float, upper: float, jumps: np.ndarray) -> Window:
        return window_panels(self.device, lower, upper, jumps)

    def _pick(self, matrices: np.ndarray) -> Both:
        parts = site_components(matrices)
        return parts[:, :, self.i, self.j], parts[:, :, self.j, self.i]


@dataclass(frozen=True, eq=False)
class ChainPairs:
    """Pairs |i - j| <= distance of a chain, O(N distance) for each energy; `dense` where the recursion is not sound."""

    device: StaticDevice
    i: np.ndarray
    j: np.ndarray
    distance: int
    dense: DensePairs

    @cached_property
    def chain(self) -> ChainGreen:
        """Green functions of the device."""
        return ChainGreen(self.device)

    @property
    def entries(self) -> int:
        return 24 * self.i.size

    def green_and_slope(self, energy: np.ndarray) -> tuple[Both, Both]:
        weights = np.eye(2)[..., None] - self.chain.on_lead_sites(self.device.self_energy_derivatives(energy))
        upper, lower, sound = self.chain.band_blocks(energy, self.distance, weights[None])
        found = self._pick(upper, lower, 0), self._pick(upper, lower, 1)
        for e in np.flatnonzero(~sound):
            _replace(found, int(e), self.dense.green_and_slope(energy[e : e + 1]))
        return found

    def green_and_spectral(self, energy: np.ndarray) -> tuple[Both, Both]:
        upper, lower, sound = self.chain.band_blocks(energy.astype(complex), self.distance)
        found = self._pick(upper, lower, 0), self._spectral(energy)
        for e in np.flatnonzero(~sound):
            _replace(found, int(e), self.dense.green_and_spectral(energy[e : e + 1]))
        return found

    def _spectral(self, energy: np.ndarray) -> Both:
        columns, width = self.chain.columns(energy.astype(complex)), self.device.broadenings(energy).T
        shape = (energy.size, 4, self.i.size)
        found, turned = np.empty(shape, dtype=complex), np.empty(shape, dtype=complex)
        for _, where in self._offsets:
            left, right = columns[self.i[where]] * width, columns[self.j[where]].conj()
            blocks = np.einsum("paqe,pbqe->pabe", left, right)
            found[:, :, where] = block_components(blocks)
            turned[:, :, where] = block_components(adjoint_blocks(blocks))
        return found, turned

    def window(self, lower: float, upper: float, jumps: np.ndarray) -> Window:
        by_phase = chain_window(self.chain, lower, upper, jumps)
        return self.dense.window(lower, upper, jumps) if by_phase is None else by_phase

    @cached_property
    def _offsets(self) -> list[tuple[int, np.ndarray]]:
        """(j - i, numbers of the pairs of that offset in ascending order of sites)."""
        reach = min(self.distance, self.device.size // 2 - 1)
        return [(d, np.flatnonzero(self.j - self.i == d)) for d in range(-reach, reach + 1)]

    def _pick(self, upper: list[np.ndarray], lower: list[np.ndarray], kind: int) -> Both:
        """Components of G (kind 0) or D (kind 1) for all pairs."""
        shape = (upper[0].shape[-1], 4, self.i.size)
        found, turned = np.empty(shape, dtype=complex), np.empty(shape, dtype=complex)
        for offset, where in self._offsets:
            own, other = (upper, lower) if offset >= 0 else (lower, upper)
            found[:, :, where] = block_components(own[abs(offset)][kind])
            turned[:, :, where] = block_components(other[abs(offset)][kind])
        return found, turned


def _replace(found: tuple[Both, Both], number: int, exact: tuple[Both, Both]) -> None:
    """Put the blocks of a single energy in the place of those at `number`."""
    for own, other in zip(found, exact, strict=True):
        own[0][number], own[1][number] = other[0][0], other[1][0]

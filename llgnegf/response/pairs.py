"""Blocks of Green functions between pairs of sites, for the integrals of `tensors`: dense, or along a chain.

Both give, for the pairs (i, j) of the tensors and energies (n,), the components (n, 4, P) of 2 x 2 blocks,
G_ij = sum_m g^m_ij sigma_m with sigma_0 = 1, which the traces of `pair_kernel` are taken of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.response.pair_kernel import pair_traces
from llgnegf.static.contour import adjoint
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import QuadratureError
from llgnegf.static.recursion import ChainGreen, adjoint_blocks, is_chain
from llgnegf.static.resonances import hidden_levels
from llgnegf.static.undamped import UndampedLevel, dark_states
from llgnegf.static.weights import by_column, weighted
from llgnegf.static.window import Window, chain_window, window_panels

STEEP = 0.5
"""Fall of the phase across a panel from which on a resonance is about as narrow as the panel."""
ROUND_OFF = 3e-17
"""Measured, chains of 40 sites: 1e-10 and 6e-8 in K with narrowest panels of 3.1e-3 and 7.8e-4 eV."""

Both = tuple[np.ndarray, np.ndarray]
"""The components of F_ij and of F_ji, (n, 4, P)."""


def pair_green(device: StaticDevice, sites: tuple[np.ndarray, np.ndarray], distance: int | None) -> DensePairs:
    """By recursion where only pairs up to `distance` of a chain are asked for."""
    by_recursion = distance is not None and is_chain(device)
    return ChainPairs(device, *sites, distance) if by_recursion else DensePairs(device, *sites)


def undamped_density(level: UndampedLevel, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """What a pole at E on the real axis adds to the antisymmetric part of -S of `equilibrium`, (P, 3, 3) in 1/eV^2,
    over -f'(E).

    With G = B/(E - e + i0) + R: -pi delta(E - e)/(4 pi) times Re i [Tr sigma_a B_ij sigma_b (R + R^dag)_ji - turned].
    It takes the parts with f'(e) out of A, where they come from the double pole of D: the filling of a level without
    width does not follow its energy.
    """
    residue, rest = (site_components(m[None]) for m in (level.residue, level.rest + level.rest.conj().T))
    forward = pair_traces(residue[:, :, i, j], rest[:, :, j, i])
    backward = pair_traces(rest[:, :, i, j], residue[:, :, j, i])
    return 0.25 * (forward - backward)[0].imag


def separate_dark_states(device: StaticDevice, j_sd: np.ndarray, lower: float, upper: float) -> list[UndampedLevel]:
    """Dark states in the bands between two energies (eV); they must not be where others have a width.

    Raises:
        QuadratureError: For a dark state that motion mixes with damped levels, which empty it in no time that first
            order knows.
    """
    levels = dark_states(device, lower, upper)
    for level in levels:
        width = 1j * (level.rest - level.rest.conj().T)
        damped = np.abs(width).reshape(j_sd.size, -1).max(axis=1)
        here = np.abs(level.residue).reshape(j_sd.size, -1).max(axis=1)
        shared = np.flatnonzero((j_sd != 0) & (damped > 1e-9) & (here > 1e-9))
        if shared.size:
            raise QuadratureError(
                f"ResponseTensors: a level at {level.energy:.6g} eV that no lead reaches, within 40 kT of the Fermi"
                f" energy or between those of the leads, on sites {shared.tolist()} with others that leads reach; "
                "allowed: a lower kT, or moments that do not leave a combination of levels dark"
            )
    return levels


def refuse_hidden_levels(device: StaticDevice, j_sd: np.ndarray, lower: float, upper: float) -> None:
    """Refuse levels between two energies (eV) whose width vanishes by a symmetry that motion of the moments breaks.

    Raises:
        QuadratureError: With the first of them.
    """
    hidden = hidden_levels(device, lower, upper) if np.any(j_sd) else np.zeros(0)
    if hidden.size:
        raise QuadratureError(
            f"ResponseTensors: a level at {hidden[0]:.6g} eV, near the Fermi energy or between those of the leads, that"
            " couples to closed channels only, and by motion of the moments to open ones; allowed: a lower kT, or"
            " moments of less symmetry"
        )


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

    def green_and_slope(self, energy: np.ndarray) -> list[Both]:
        """G and D = -dG/dE for energies (n,) with Im E > 0."""
        return self._blocks(self.device.retarded(energy), energy, (), True)

    def on_axis(
        self, origin: np.ndarray, offset: np.ndarray, fillings: Sequence[np.ndarray] = (), slope: bool = False
    ) -> list[Both]:  # fmt: skip
        """G at real energies origin + offset, (n,) each; D if `slope`; W = G (Gamma f) G^dag for each f.

        Without the levels that no lead reaches.

        Args:
            fillings: The f for each column of the leads, (n, Q) or (Q,); 1 gives a = i (G - G^dag).
        """
        return self._blocks(self.device.reached_green(origin, offset), origin + offset, fillings, slope)

    def _blocks(
        self, green: np.ndarray, energy: np.ndarray, fillings: Sequence[np.ndarray], slope: bool
    ) -> list[Both]:  # fmt: skip
        device = self.device
        columns, found = green @ device.vectors, [green]
        if slope:
            change = device.self_energy_derivatives(energy.astype(complex))
            found.append(green @ green - weighted(columns, change) @ (device.vectors.conj().T @ green))
        for filling in fillings:
            found.append(weighted(columns, by_column(device.broadenings(energy), filling)) @ adjoint(columns))
        return [self._pick(matrices) for matrices in found]

    def window(self, lower: float, upper: float, points: np.ndarray) -> Window:
        """Panels of the real axis, as `window_panels`."""
        return window_panels(self.device, lower, upper, points)

    def resolves(self, window: Window, order: int, tolerance: float) -> bool:
        """Whether round-off of energies lets integrals over the window reach a tolerance."""
        return True

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

    def green_and_slope(self, energy: np.ndarray) -> list[Both]:
        found, sound = self._of_chain(energy, (), True)
        for e in np.flatnonzero(~sound):
            _replace(found, int(e), super().green_and_slope(energy[e : e + 1]))
        return found

    def on_axis(
        self, origin: np.ndarray, offset: np.ndarray, fillings: Sequence[np.ndarray] = (), slope: bool = False
    ) -> list[Both]:  # fmt: skip
        found, sound = self._of_chain(origin + offset, fillings, slope)
        for e in np.flatnonzero(~sound):
            single = slice(e, e + 1)
            own = [f[single] if f.ndim == 2 else f for f in fillings]
            _replace(found, int(e), super().on_axis(origin[single], offset[single], own, slope))
        return found

    def window(self, lower: float, upper: float, points: np.ndarray) -> Window:
        by_phase = chain_window(self.chain, lower, upper, points)
        return super().window(lower, upper, points) if by_phase is None else by_phase

    def resolves(self, window: Window, order: int, tolerance: float) -> bool:
        """Energies are measured from 0 here: a resonance of that width has an error of 1e-16/width^order (1/eV^2)."""
        lower, upper = np.array([(p.origin + p.lower, p.origin + p.upper) for p in window.panels]).T
        fall = self.chain.phase(lower) - self.chain.phase(upper)
        width = (upper - lower)[fall > STEEP].min(initial=np.inf)
        return bool(tolerance * width**order > ROUND_OFF)

    def _of_chain(
        self, energy: np.ndarray, fillings: Sequence[np.ndarray], slope: bool
    ) -> tuple[list[Both], np.ndarray]:  # fmt: skip
        """G, D if `slope` and the W of all pairs, and where they can be trusted, (n,)."""
        z, device, x = energy.astype(complex), self.device, None
        if slope:
            x = (np.eye(2)[..., None] - self.chain.on_lead_sites(device.self_energy_derivatives(z)))[None]
        upper, lower, sound = self.chain.band_blocks(z, self.reach, x)
        found = [self._of_band(upper, lower, kind) for kind in range(1 + slope)]
        if fillings:
            columns, gamma = self.chain.columns(z), device.broadenings(energy)
            found += [self._of_columns(columns, by_column(gamma, filling)) for filling in fillings]
        return found, sound

    def _of_columns(self, columns: np.ndarray, weights: np.ndarray) -> Both:
        """Components of C w C^dag for all pairs, from C (N, 2, Q, n) and w (n, Q)."""

        def blocks(offset: int, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            left, right = columns[self.i[where]] * weights.T, columns[self.j[where]].conj()
            own = np.einsum("paqe,pbqe->pabe", left, right)
            return own, adjoint_blocks(own)

        return self._gather(len(weights), blocks)

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


def _replace(found: list[Both], number: int, exact: list[Both]) -> None:
    """Put the blocks of a single energy in the place of those at `number`."""
    for own, other in zip(found, exact, strict=True):
        own[0][number], own[1][number] = other[0][0], other[1][0]

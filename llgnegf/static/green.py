"""Retarded Green functions of a device with static leads, batched over energies: any device, dense.

The linear algebra under everything here; `recursion` is its counterpart for chains, `undamped` finds its real poles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg

from llgnegf.poles.channels import PoleChannel
from llgnegf.problem.system import OpenSystem
from llgnegf.static.channels import StaticChannel
from llgnegf.static.weights import antihermitian, joined, times, weighted

TRUSTED = 1e4
"""|Sigma u^dag D u| up to which the low-rank formulas are used: beyond it more than 4 of 16 digits would cancel."""
AT_POLE = 1e-12
"""eV from a real pole of Sigma."""
EQUAL = 1e-13
"""Levels closer than this part of the largest one, or of 1 eV, are equal."""
ROUND_OFF = 1e-14
"""Part of a coupling that is round-off; multiplied by the largest level over the distance to the next one."""


@dataclass(frozen=True, eq=False)
class StaticDevice:
    """A time-independent device: Hamiltonian (2N, 2N) in eV and its lead channels.

        G(E) = [E - H - Sigma(E)]^-1,    Sigma(E) = sum_q U_q Sigma_q(E - shift_q) U_q^dag,    Im E >= 0

    What belongs to the leads' orbitals is there for each column of all U_q, Q of them (one for a scalar channel), and
    Sigma and Gamma between them are (n, Q) or, with a matrix channel, (n, Q, Q): see `weights`.
    """

    hamiltonian: np.ndarray
    channels: tuple[StaticChannel, ...]

    @classmethod
    def of(
        cls, system: OpenSystem, moments: np.ndarray, time: float = 0.0, poles: Sequence[PoleChannel] | None = None,
        density_blocks: np.ndarray | None = None,
    ) -> StaticDevice:  # fmt: skip
        """`system` with the moments (N, 3), voltages and drives of `time` (fs), frozen: exact leads, or those in
        `poles`; mean fields at rho_ii = `density_blocks`, (N, 2, 2)."""
        voltages, levels, kT = system.voltages(time), system.chemical_potentials(time), system.temperatures()
        exact = [(p, c.vector, c.spectrum) for p, channels in enumerate(system.lead_channels) for c in channels]
        given = exact if poles is None else [(c.lead, c.vector, c.spectrum) for c in poles]
        channels = tuple(
            StaticChannel(u, s, float(voltages[p]), float(levels[p]), p, kT=float(kT[p])) for p, u, s in given
        )
        return cls(system.electrons.hamiltonian_at(moments, time, density_blocks), channels)

    @property
    def size(self) -> int:
        """Dimension 2N of the device."""
        return self.hamiltonian.shape[0]

    @cached_property
    def has_matrices(self) -> bool:
        """Whether Sigma is a matrix between the columns."""
        return any(c.vector.ndim == 2 for c in self.channels)

    @cached_property
    def vectors(self) -> np.ndarray:
        """Device vectors of all orbitals of all channels as columns, (2N, Q)."""
        empty = np.zeros((self.size, 0), dtype=complex)
        return np.concatenate([empty, *(c.columns for c in self.channels)], axis=1)

    @cached_property
    def _sizes(self) -> list[int]:
        """Columns of each channel."""
        return [c.columns.shape[1] for c in self.channels]

    def _by_column(self, values: list[float], dtype: type = float) -> np.ndarray:
        return np.repeat(np.array(values, dtype=dtype), self._sizes)

    @cached_property
    def spins(self) -> np.ndarray:
        """Spin +1, -1 or 0 of the channel of each column, (Q,)."""
        return self._by_column([c.spin for c in self.channels])

    @cached_property
    def leads(self) -> np.ndarray:
        """Lead number of each column, (Q,)."""
        return self._by_column([c.lead for c in self.channels], int)

    @cached_property
    def chemical_potentials(self) -> np.ndarray:
        """mu of each column in eV, (Q,)."""
        return self._by_column([c.chemical_potential for c in self.channels])

    @cached_property
    def temperatures(self) -> np.ndarray:
        """kT of each column in eV, (Q,)."""
        return self._by_column([c.kT for c in self.channels])

    @cached_property
    def bands(self) -> np.ndarray:
        """Lower and upper edge (eV) of the bands that channels couple to, channel after channel, (n, 2)."""
        return np.concatenate([np.zeros((0, 2)), *(c.bands for c in self.channels)])

    @cached_property
    def band_edges(self) -> np.ndarray:
        """All finite edges of bands, and what else is not smooth in a matrix, ascending."""
        return np.unique(np.concatenate([np.zeros(0), *(c.points for c in self.channels)]))

    @cached_property
    def surface_levels(self) -> np.ndarray:
        """Real poles of Sigma in eV, ascending."""
        return np.unique(np.concatenate([np.zeros(0), *(c.surface_levels for c in self.channels)]))

    @cached_property
    def _levels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return coupled_levels(self.hamiltonian, self.vectors)

    @property
    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues (2N,) and eigenvectors (2N, 2N, columns) of the Hamiltonian without leads.

        Equal levels are combined such that as few as possible couple to the leads, see `coupled_levels`.
        """
        return self._levels[:2]

    @property
    def level_vectors(self) -> np.ndarray:
        """V^dag u_q, (2N, Q), V the eigenvectors of H; rows of zeros are levels that no lead reaches."""
        return self._levels[2]

    @cached_property
    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the nonzero entries of the Hamiltonian."""
        row, column = np.nonzero(self.hamiltonian)
        return row, column

    def states_near(self, energy: float, relative: float) -> np.ndarray:
        """Eigenvectors (2N, n) of the levels within `relative` of `energy` in units of the largest |level| or 1 eV.

        Most often there is none, which the eigenvalues of a band matrix tell at a cost of O(N^2 x bandwidth).
        """
        row, column = self.entries
        width = int(np.abs(row - column).max(initial=0))
        if 4 * width < self.size:
            reach = relative * max(1.0, float(np.abs(self.hamiltonian).sum(axis=1).max()))
            band = np.array([np.pad(np.diagonal(self.hamiltonian, -d), (0, d)) for d in range(width + 1)])
            window = (energy - 2 * reach, energy + 2 * reach)
            found = scipy.linalg.eig_banded(band, lower=True, eigvals_only=True, select="v", select_range=window)
            if found.size == 0:
                return np.zeros((self.size, 0), dtype=complex)
        energies, states = self.levels
        return states[:, np.abs(energies - energy) <= relative * max(1.0, float(np.abs(energies).max()))]

    def self_energies(self, energy: np.ndarray) -> np.ndarray:
        """Sigma between the columns in eV, (n, Q) or (n, Q, Q), for energies (n,) with Im E >= 0."""
        return self._of_leads("self_energy", energy)

    def self_energy_derivatives(self, energy: np.ndarray) -> np.ndarray:
        """dSigma/dE between the columns, (n, Q) or (n, Q, Q)."""
        return self._of_leads("self_energy_derivative", energy)

    def broadenings(self, energy: np.ndarray) -> np.ndarray:
        """Gamma between the columns in eV, (n, Q) or (n, Q, Q), for real energies (n,)."""
        gamma = self._of_leads("broadening", energy)
        return gamma if self.has_matrices else gamma.real

    def is_open(self, energy: np.ndarray) -> np.ndarray:
        """Whether any channel has states at the real energies (n,)."""
        if self.has_matrices:
            return np.any([c.is_open(energy) for c in self.channels], axis=0)
        return np.asarray((self.broadenings(energy) > 0).any(axis=1))

    def on_device(self, weights: np.ndarray) -> np.ndarray:
        """sum_ab u_a W_ab u_b^dag, (n, 2N, 2N), for weights (n, Q) or (n, Q, Q)."""
        return weighted(self.vectors, weights) @ self.vectors.conj().T

    def inverse_green(self, energy: np.ndarray) -> np.ndarray:
        """E - H - Sigma(E) in eV, (n, 2N, 2N), for energies (n,) with Im E >= 0."""
        inverse = -self.hamiltonian - self.on_device(self.self_energies(energy))
        diagonal = np.arange(self.size)
        inverse[:, diagonal, diagonal] += energy[:, None]
        return inverse

    def retarded(self, energy: np.ndarray) -> np.ndarray:
        """G(E) in 1/eV, (n, 2N, 2N), for energies (n,) with Im E >= 0: one batched inversion."""
        return np.linalg.inv(self.inverse_green(energy))

    def reached_green(self, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """G(E) in 1/eV, (n, 2N, 2N), at the real energies E = origin + offset, without the levels that no lead reaches.

        In the basis of the levels for narrow resonances, see `retarded_columns`.
        """
        energies, states, vectors = self._levels
        reached = vectors.any(axis=1)
        distances = (origin[:, None] - energies[reached]) + offset[:, None]
        inverse = _level_inverse(distances, vectors[reached], self.self_energies((origin + offset).astype(complex)))
        return states[:, reached] @ np.linalg.inv(inverse) @ states[:, reached].conj().T

    def retarded_columns(self, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """V^dag G(E) u_q at the real energies E = origin + offset: (n, 2N, Q), V the eigenvectors of H.

        In the basis of the levels eps_k the diagonal of E - H is (origin - eps_k) + offset. With a level as the
        origin and the offset kept apart, a resonance is resolved however narrow it is against |E| * 1e-16.
        """
        weights = self.self_energies(origin + offset)
        reached = self.level_vectors.any(axis=1)  # the others are no part of G u, but poles of G
        vectors = self.level_vectors[reached]
        distances = (origin[:, None] - self.levels[0][reached]) + offset[:, None]
        scaled, inner, trusted = _low_rank(distances, vectors, weights)
        found = scaled @ inner
        if not trusted.all():
            inverse = _level_inverse(distances[~trusted], vectors, weights[~trusted])
            found[~trusted] = np.linalg.solve(inverse, np.broadcast_to(vectors, found[~trusted].shape))
        columns = np.zeros((origin.size, *self.level_vectors.shape), dtype=complex)
        columns[:, reached] = found
        return columns

    def level_green(self, energy: np.ndarray) -> LevelGreen:
        """V^dag G(E) V for energies (n,) with Im E > 0."""
        u, weights = self.level_vectors, self.self_energies(energy)
        distances = energy[:, None] - self.levels[0]
        scaled, inner, trusted = _low_rank(distances, u, weights)
        dense = np.linalg.inv(_level_inverse(distances[~trusted], u, weights[~trusted]))
        rows = u.conj().T / distances[:, None, :]
        return LevelGreen(1 / distances, scaled @ weighted(inner, weights), rows, ~trusted, dense)

    def _of_leads(self, method: str, energy: np.ndarray) -> np.ndarray:
        """What `method` of every channel's spectrum gives at E - shift, between the columns."""
        parts = [self._of_channel(c, method, energy) for c in self.channels]
        return joined(parts, self._sizes, energy.size, self.has_matrices)

    def _of_channel(self, channel: StaticChannel, method: str, energy: np.ndarray) -> np.ndarray:
        """The same of one channel; of matrices, which are dear, the last ones are kept, and Gamma taken from Sigma."""
        if channel.vector.ndim == 1:
            return np.asarray(getattr(channel.spectrum, method)(energy - channel.shift))
        z = energy.astype(complex)
        if method == "broadening":
            gamma = antihermitian(self._of_channel(channel, "self_energy", z))
            return np.where(channel.is_open(energy)[:, None, None], gamma, 0.0)
        place, numbers = (id(channel.spectrum), channel.shift, method), z.tobytes()
        if place not in self._latest or self._latest[place][0] != numbers:
            # At a real pole of Sigma G is smooth, however large Sigma: beside it will do.
            at_pole = (np.abs(z[:, None] - channel.surface_levels) < AT_POLE).any(axis=1)
            self._latest[place] = numbers, getattr(channel.spectrum, method)(z - channel.shift + AT_POLE * at_pole)
        return self._latest[place][1]

    @cached_property
    def _latest(self) -> dict[tuple[int, float, str], tuple[bytes, np.ndarray]]:
        return {}


@dataclass(frozen=True, eq=False)
class LevelGreen:
    """G in the basis of the levels at n energies, as diagonal + low rank: O(N^2 Q) for a full matrix.

        G = D + D u T u^dag D,    D = 1/(E - eps),    T = Sigma (1 - u^dag D u Sigma)^-1

    Attributes:
        diagonal: D, (n, 2N).
        left, right: D u T (n, 2N, Q) and u^dag D (n, Q, 2N).
        doubtful: Energies (n,) where D and the rest cancel too far (see `TRUSTED`).
        dense: G at those energies, (m, 2N, 2N).
    """

    diagonal: np.ndarray
    left: np.ndarray
    right: np.ndarray
    doubtful: np.ndarray
    dense: np.ndarray


def coupled_levels(hamiltonian: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues (n,), eigenvectors V (n, n) and V^dag u (n, Q) for columns u (n, Q), zero where u is out of reach.

    Of m equal levels m - rank combinations do not couple: the singular vectors of V^dag u. Elsewhere an eigenvector is
    known up to round-off over the distance to the other levels, and so is its coupling: what is below that is set to
    zero. It would otherwise pass for a resonance of a width that means nothing, with a filling as meaningless.
    """
    energies, states = np.linalg.eigh(hamiltonian)
    scale = float(np.abs(energies).max(initial=0.0))
    norms = np.linalg.norm(vectors, axis=0)
    directions = vectors / np.where(norms == 0, 1.0, norms)
    number = np.cumsum(np.diff(energies, prepend=-np.inf) > EQUAL * max(1.0, scale))
    for group in np.split(np.arange(energies.size), np.flatnonzero(np.diff(number)) + 1) if vectors.size else []:
        if group.size > 1:
            turn = np.linalg.svd(states[:, group].conj().T @ directions)[0]
            states[:, group], energies[group] = states[:, group] @ turn, energies[group].mean()
    projected = states.conj().T @ vectors
    with np.errstate(divide="ignore", invalid="ignore"):
        nearness = np.where(number[:, None] == number, 0.0, scale / np.abs(energies[:, None] - energies))
    noise = ROUND_OFF * (norms + np.sqrt(nearness**2 @ np.abs(projected) ** 2))
    projected[np.abs(projected) <= noise] = 0.0
    return energies, states, projected


def _low_rank(
    distances: np.ndarray, projected: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """D u and (1 - S u^dag D u)^-1, their product (D^-1 - u S u^dag)^-1 u, D = 1/`distances`; where to trust them.

    O(N Q^2) for each energy instead of O(N^3). Next to a level S u^dag D u is large and must cancel against
    D u, see `TRUSTED`.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scaled = projected / distances[:, :, None]
        product = times(weights, projected.conj().T @ scaled)
        trusted = (np.abs(product) <= TRUSTED).all(axis=(1, 2))
    scaled[~trusted], product[~trusted] = 0.0, 0.0
    return scaled, np.linalg.inv(np.eye(weights.shape[1]) - product), trusted


def _level_inverse(distances: np.ndarray, projected: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """E - H - Sigma in the basis of the levels, (n, 2N, 2N), for the full equations."""
    inverse = -weighted(projected, weights) @ projected.conj().T
    diagonal = np.arange(distances.shape[1])
    inverse[:, diagonal, diagonal] += distances
    return inverse

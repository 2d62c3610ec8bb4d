"""What is where in the state vector of the propagator.

The state is one float64 vector, so that every integrator sees plain arrays:

    [ Re electrons | Im electrons | moments (3 N) | work (1 or none) | outflow (5 for each lead) ]

Electrons, in complex numbers, with n = 2N device states, M coupling modes and K Fermi vectors (physics in `electrons`):

    B (n, n + M + K)  device rows of  [ rho | C_device,mode | v_k ]
    then for each channel p, whose m_p modes are the rows,
    X_p (m_p, m_p + m_(p+1) + ... + K)  = [ C_mode,mode with the channels q >= p | v_k ]

Real and imaginary parts lie in separate planes because compilers vectorise that, and not interleaved pairs. The
Hermitian mode-mode block of a channel with itself is stored whole, so that the rows of a channel have one length. Of
the Hermitian rho large devices have the lower half, each row up to its site and as far beyond as H leads from there
(the reach): then whatever H combines is at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.equations.protocol import Section
from llgnegf.poles.levels import LeadLevels
from llgnegf.problem.system import OpenSystem

HALVED, DIAGONALS, NARROW = 96, 8, 12
"""Half of rho is stored of devices with so many states at least, if H has at most so many diagonals, not above the main
one, a reach of at most a NARROW-th of the states, and leads on at most twice as many rows: by trials."""


def reach_of(rows: np.ndarray, columns: np.ndarray, vectors: np.ndarray) -> int | None:
    """The reach of a Hamiltonian with elements in these rows and columns, with leads on `vectors` (n, Q), for `Layout`;
    None: rho is stored whole."""
    away, n = np.unique(np.abs(rows - columns)), len(vectors)
    reach = -(-int(away.max(initial=0)) // 2) * 2  # whole sites
    long = n >= HALVED and NARROW * reach <= n and NARROW * np.count_nonzero(vectors.any(axis=1)) <= 2 * n
    return reach if long and away.size <= DIAGONALS else None


@dataclass(frozen=True)
class Layout:
    """Sizes and slices of the state vector.

    Args:
        n_states: n = 2N device states.
        modes: Number of coupling modes of each channel.
        n_vectors: K Fermi vectors, all channels together.
        n_moments: Number of moments that are part of the state (0 when their motion is prescribed).
        n_leads: Number of leads whose outflow of charge, spin and energy is accumulated.
        n_works: 1 where the work of the drives of the device Hamiltonian is accumulated.
        reach: How far beyond its site a row of rho goes on where half of rho is stored; None: rho is whole.
    """

    n_states: int
    modes: tuple[int, ...]
    n_vectors: int
    n_moments: int
    n_leads: int
    n_works: int = 0
    reach: int | None = None

    @classmethod
    def of(cls, system: OpenSystem, levels: LeadLevels, n_moments: int = 0) -> Layout:
        """That of a system whose leads have these levels, with moments in its state."""
        device, modes = system.electrons.device, tuple(np.diff(levels.offset).tolist())
        works, reach = bool(system.electrons.drives()), reach_of(device.rows, device.indices, levels.vectors)
        return cls(levels.n, modes, levels.z.size, n_moments, len(system.leads), int(works), reach)

    @cached_property
    def n_modes(self) -> int:
        """M coupling modes, all channels together."""
        return sum(self.modes)

    @cached_property
    def columns(self) -> int:
        """Columns of B: n + M + K."""
        return self.n_states + self.n_modes + self.n_vectors

    @cached_property
    def widths(self) -> np.ndarray:
        """Columns of rho that are stored of each row, (n,)."""
        n, rows = self.n_states, np.arange(self.n_states)
        return np.full(n, n) if self.reach is None else np.minimum(n, rows // 2 * 2 + 2 + self.reach)

    @cached_property
    def rows(self) -> np.ndarray:
        """Where a plane holds the first column of rho and the first of the levels of each row of B, (2, n)."""
        levels = np.cumsum(self.widths) + np.arange(self.n_states) * (self.n_modes + self.n_vectors)
        return np.stack([levels - self.widths, levels]).astype(np.int64)

    @cached_property
    def _n_device(self) -> int:
        """How many numbers of B are stored."""
        return int(self.widths.sum()) + self.n_states * (self.n_modes + self.n_vectors)

    def _kept(self) -> np.ndarray:
        """Which numbers of B are stored, (n, n + M + K)."""
        column = np.arange(self.columns)
        return (column < self.widths[:, None]) | (column >= self.n_states)

    @cached_property
    def n_complex(self) -> int:
        """Complex numbers of the electronic part."""
        return self.blocks[-1].stop if self.modes else self._n_device

    @cached_property
    def blocks(self) -> list[slice]:
        """Where a plane holds X_p of each channel p."""
        places, here, later = [], self._n_device, self.n_modes + self.n_vectors
        for count in self.modes:
            places.append(slice(here, here + count * later))
            here, later = places[-1].stop, later - count
        return places

    @cached_property
    def size(self) -> int:
        """Length of the state vector."""
        return 2 * self.n_complex + 3 * self.n_moments + self.n_works + 5 * self.n_leads

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The parts of the state whose errors the step control watches."""
        electrons, end = 2 * self.n_complex, 2 * self.n_complex + 3 * self.n_moments
        parts = ("G<(t,t)", 0, electrons), ("moments", electrons, end), ("work and outflow", end, self.size)
        if not self.n_works:
            parts = (*parts[:2], ("outflow", end, self.size))
        return tuple(Section(*part) for part in parts if part[2] > part[1])

    def electrons(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Views of the real and the imaginary plane, each (n_complex,)."""
        return state[: self.n_complex], state[self.n_complex : 2 * self.n_complex]

    def moments(self, state: np.ndarray) -> np.ndarray:
        """View of the moments, (n_moments, 3)."""
        start = 2 * self.n_complex
        return state[start : start + 3 * self.n_moments].reshape(self.n_moments, 3)

    def outflow(self, state: np.ndarray) -> np.ndarray:
        """View of what has left through each lead since t = 0, (n_leads, 5): electrons, <sigma_x,y,z>, and
        device energy (eV)."""
        return state[self.size - 5 * self.n_leads :].reshape(self.n_leads, 5)

    def work(self, state: np.ndarray) -> np.ndarray:
        """View of the work (eV) that the drives of the device Hamiltonian have done since t = 0, (n_works,)."""
        start = 2 * self.n_complex + 3 * self.n_moments
        return state[start : start + self.n_works]

    def device(self, state: np.ndarray) -> np.ndarray:
        """B as a complex array, (n, n + M + K) (a copy)."""
        real, imag = (plane[: self._n_device] for plane in self.electrons(state))
        if self.reach is None:
            return (real + 1j * imag).reshape(self.n_states, self.columns)
        device, kept = np.zeros((self.n_states, self.columns), dtype=complex), self._kept()
        device[kept] = real + 1j * imag
        rho, above = device[:, : self.n_states], ~kept[:, : self.n_states]
        rho[above] = rho.conj().T[above]
        return device

    def site_blocks(self, state: np.ndarray) -> np.ndarray:
        """rho_ii, (N, 2, 2) (a copy)."""
        (real, imag), states = self.electrons(state), np.arange(self.n_states).reshape(-1, 2)
        places = self.rows[0, states][:, :, None] + states[:, None, :]
        return real[places] + 1j * imag[places]

    def density_matrix(self, state: np.ndarray) -> np.ndarray:
        """rho, (n, n) (a copy)."""
        return self.device(state)[:, : self.n_states]

    def mode_block(self, state: np.ndarray) -> np.ndarray:
        """The Hermitian mode-mode block of C, (M, M) (a copy)."""
        block = np.zeros((self.n_modes, self.n_modes), dtype=complex)
        for part, rows in self._channels(state):
            block[rows, rows.start :] = part[:, : self.n_modes - rows.start]
            block[rows.start :, rows] = block[rows, rows.start :].conj().T
        return block

    def vector_modes(self, state: np.ndarray) -> np.ndarray:
        """Y, the mode rows of the Fermi vectors, (M, K) (a copy)."""
        rows = [part[:, self.n_modes - rows.start :] for part, rows in self._channels(state)]
        return np.concatenate([np.zeros((0, self.n_vectors), dtype=complex), *rows])

    def _channels(self, state: np.ndarray) -> Iterator[tuple[np.ndarray, slice]]:
        """For each channel X_p (a copy), and its modes among all modes."""
        (real, imag), first = self.electrons(state), 0
        for here, count in zip(self.blocks, self.modes, strict=True):
            shape = count, self.n_modes + self.n_vectors - first
            yield (real[here] + 1j * imag[here]).reshape(shape), slice(first, first + count)
            first += count

    def pack(
        self,
        density_matrix: np.ndarray,
        device_mode: np.ndarray,
        mode_block: np.ndarray,
        vectors: np.ndarray,
        moments: np.ndarray,
    ) -> np.ndarray:
        """The state vector with zero work and outflow, from rho (n, n), C_device,mode (n, M), C_mode,mode (M, M),
        v (n + M, K) and moments (n_moments, 3)."""
        device = np.concatenate([density_matrix, device_mode, vectors[: self.n_states]], axis=1)
        parts = [device[self._kept()]]
        levels, first = np.concatenate([mode_block, vectors[self.n_states :]], axis=1), 0
        for count in self.modes:
            parts.append(levels[first : first + count, first:].ravel())
            first += count
        electrons = np.concatenate(parts)
        rest = np.zeros(self.n_works + 5 * self.n_leads)
        return np.concatenate([electrons.real, electrons.imag, np.ravel(moments), rest])

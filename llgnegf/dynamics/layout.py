"""What is where in the state vector of the propagator.

The state is one float64 vector, so that every integrator sees plain arrays:

    [ Re electrons | Im electrons | moments (3 N) | outflow (5 for each lead) ]

Electrons, in complex numbers, with n = 2N device states, M coupling modes and K Fermi vectors (physics in `equation`):

    B (n, n + M + K)  device rows of  [ rho | C_device,mode | v_k ]
    W packed          lower triangle of the Hermitian mode-mode block of C, row after row, M (M + 1)/2
    Y (M, K)          mode rows of the Fermi vectors v_k

Real and imaginary parts lie in separate planes because compilers vectorise that, and not interleaved pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layout:
    """Sizes and slices of the state vector.

    Args:
        n_states: n = 2N device states.
        n_modes: M coupling modes, all channels together.
        n_vectors: K Fermi vectors, all channels together.
        n_moments: Number of moments that are part of the state (0 when their motion is prescribed).
        n_leads: Number of leads whose outflow of charge, spin and energy is accumulated.
    """

    n_states: int
    n_modes: int
    n_vectors: int
    n_moments: int
    n_leads: int

    @property
    def columns(self) -> int:
        """Columns of B: n + M + K."""
        return self.n_states + self.n_modes + self.n_vectors

    @property
    def n_complex(self) -> int:
        """Complex numbers of the electronic part."""
        packed = self.n_modes * (self.n_modes + 1) // 2
        return self.n_states * self.columns + packed + self.n_modes * self.n_vectors

    @property
    def size(self) -> int:
        """Length of the state vector."""
        return 2 * self.n_complex + 3 * self.n_moments + 5 * self.n_leads

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
        start = 2 * self.n_complex + 3 * self.n_moments
        return state[start:].reshape(self.n_leads, 5)

    def device(self, state: np.ndarray) -> np.ndarray:
        """B as a complex array, (n, n + M + K) (a copy)."""
        real, imag = self.electrons(state)
        count = self.n_states * self.columns
        return (real[:count] + 1j * imag[:count]).reshape(self.n_states, self.columns)

    def density_matrix(self, state: np.ndarray) -> np.ndarray:
        """rho, (n, n) (a copy)."""
        return self.device(state)[:, : self.n_states]

    def mode_block(self, state: np.ndarray) -> np.ndarray:
        """The Hermitian mode-mode block of C, (M, M) (a copy)."""
        real, imag = self.electrons(state)
        start = self.n_states * self.columns
        count = self.n_modes * (self.n_modes + 1) // 2
        block = np.zeros((self.n_modes, self.n_modes), dtype=complex)
        lower = np.tril_indices(self.n_modes)
        block[lower] = real[start : start + count] + 1j * imag[start : start + count]
        return block + np.tril(block, -1).conj().T

    def vector_modes(self, state: np.ndarray) -> np.ndarray:
        """Y, the mode rows of the Fermi vectors, (M, K) (a copy)."""
        real, imag = self.electrons(state)
        start = self.n_complex - self.n_modes * self.n_vectors
        return (real[start:] + 1j * imag[start:]).reshape(self.n_modes, self.n_vectors)

    def pack(
        self,
        density_matrix: np.ndarray,
        device_mode: np.ndarray,
        mode_block: np.ndarray,
        vectors: np.ndarray,
        moments: np.ndarray,
    ) -> np.ndarray:
        """The state vector with zero outflow, from rho (n, n), C_device,mode (n, M), C_mode,mode (M, M),
        v (n + M, K) and moments (n_moments, 3)."""
        device = np.concatenate([density_matrix, device_mode, vectors[: self.n_states]], axis=1)
        packed = mode_block[np.tril_indices(self.n_modes)]
        electrons = np.concatenate([device.ravel(), packed, vectors[self.n_states :].ravel()])
        outflow = np.zeros(5 * self.n_leads)
        return np.concatenate([electrons.real, electrons.imag, np.ravel(moments), outflow])

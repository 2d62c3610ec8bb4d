"""A matrix self-energy as damped modes, each with device vectors of its own: what a fitted lead is to every solver.

The counterpart of `coupling.CouplingPoles` for leads whose orbitals mix with energy; the fits are elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class MatrixModes:
    """Modes y of a lead with m orbitals, and themselves the spectrum Sigma(E) = sum_y c_y w_y^dag/(E - chi_y).

        C(t >= 0) = sum_y c_y w_y^dag exp(-i chi_y t),      Gamma(E) = sum_y i c_y w_y^dag/(E - chi_y) + h.c. (real E)

    (hbar = 1). Gamma >= 0 as a matrix on the whole real axis. An undamped mode (Im chi = 0, c = w) is a level of the
    lead's end outside its bands; it adds nothing to Gamma.

    Attributes:
        energies: chi_y, (M,), eV, Im chi_y <= 0.
        left, right: c_y and w_y as columns, (m, M), eV.
        error: Of C(t) - C_fit(t) at all t >= 0, in the spectral norm, eV^2. Of a fit it is measured at times that
            were not fitted, and bounded at later ones by the error of Gamma just above the axis.
    """

    energies: np.ndarray
    left: np.ndarray
    right: np.ndarray
    error: float

    @property
    def size(self) -> int:
        """m, the number of orbitals."""
        return len(self.left)

    @property
    def support(self) -> tuple[float, float]:
        return -np.inf, np.inf

    @property
    def is_zero(self) -> bool:
        return not self.energies.size

    @property
    def points(self) -> np.ndarray:
        return self.surface_levels

    @property
    def surface_levels(self) -> np.ndarray:
        return np.sort(self.energies.real[self.energies.imag == 0])

    @property
    def weight(self) -> np.ndarray:
        """C(0) in eV^2, (m, m)."""
        return self.left @ self.right.conj().T

    def modes(self, tolerance: float) -> MatrixModes:
        """Itself."""
        return self

    def self_energy(self, energy: Any) -> np.ndarray:
        """Sigma(E), (..., m, m), continued to the lower half plane."""
        return self._sum(1 / self._distances(energy))

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        """dSigma/dE = -sum_y c_y w_y^dag/(E - chi_y)^2, (..., m, m)."""
        return self._sum(-1 / self._distances(energy) ** 2)

    def broadening(self, energy: Any) -> np.ndarray:
        """Gamma(E) = i [Sigma(E) - Sigma(E^*)^dag], (..., m, m), the rational function continued to complex E.

        Hermitian for real E; Gamma(E^*) = Gamma(E)^dag.
        """
        z, damped = np.asarray(energy, dtype=complex), self.energies.imag < 0
        own = MatrixModes(self.energies[damped], self.left[:, damped], self.right[:, damped], 0.0)
        return 1j * (own.self_energy(z) - own.self_energy(z.conj()).conj().swapaxes(-1, -2))

    def kernel(self, time: Any) -> np.ndarray:
        """C(t), (..., m, m), for t >= 0 (1/eV)."""
        return self._sum(np.exp(-1j * np.asarray(time, dtype=float)[..., None] * self.energies))

    def _distances(self, energy: Any) -> np.ndarray:
        return np.asarray(energy, dtype=complex)[..., None] - self.energies

    def _sum(self, weights: np.ndarray) -> np.ndarray:
        """sum_y x_y c_y w_y^dag for weights (..., M)."""
        return np.einsum("ay,...y,by->...ab", self.left, weights, self.right.conj(), optimize=True)

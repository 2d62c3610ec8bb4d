"""Matrix self-energies of leads whose orbitals mix with energy: what such a channel must offer.

Beside `spectra`, the scalar ones; `periodic` has the semi-infinite crystal, `leads` attaches both to a device.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class MatrixSpectrum(Protocol):
    """Sigma(E) between m orbitals of a lead, (..., m, m) for energies of any shape (...).

    Retarded: analytic in the upper half plane, Gamma(E) = i (Sigma - Sigma^dag) >= 0 as a matrix on the real axis (a
    real E means E + i0), Sigma -> K(0)/E far away. Levels of the lead's end outside its bands, which nothing damps, are
    real poles of Sigma: `surface_levels`.
    """

    @property
    def size(self) -> int:
        """m, the number of orbitals."""

    @property
    def support(self) -> tuple[float, float]:
        """The interval (eV) outside which Gamma is zero, surface levels apart; infinite ends for a wide band."""

    @property
    def points(self) -> np.ndarray:
        """Energies (eV) at which Sigma is not smooth: band edges and surface levels, ascending."""

    @property
    def surface_levels(self) -> np.ndarray:
        """Real poles of Sigma in eV."""

    @property
    def is_zero(self) -> bool:
        """True for a channel that is not coupled at all."""

    def self_energy(self, energy: Any) -> np.ndarray:
        """Sigma(E) in eV, (..., m, m), for Im E >= 0."""

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        """dSigma/dE, dimensionless, (..., m, m), for Im E >= 0."""

    def broadening(self, energy: Any) -> np.ndarray:
        """Gamma(E) = i (Sigma - Sigma^dag) in eV, Hermitian (..., m, m), for real E."""

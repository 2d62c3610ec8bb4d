"""The memory kernel C(t) of a lead with a matrix self-energy, at any time, from Sigma off the real axis.
Used by `matrix_fit`, which turns it into damped modes.

    C(t) = int dE/2pi Gamma(E) exp(-iEt) = (1/2 pi i) oint dE Sigma(E) exp(-iEt)    (hbar = 1, t in 1/eV)

counter-clockwise around bands and surface levels, with Sigma(E^*) = Sigma(E)^dag below the axis: nothing is known, or
has to be known, of edges and other singular points. The surface levels e_j, which nothing damps, are taken out:
sum_j v_j v_j^dag exp(-i e_j t).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf.problem.matrix_spectra import MatrixSpectrum

Complex = np.ndarray
Real = np.ndarray

GROWTH = 6.0
"""ln of the largest |exp(-iEt)| on the contour: the higher it goes the fewer points it needs, and the more the rounding
of Sigma (1e-14) counts."""
ACCURACY = 1e-12
"""Of the sum over the contour, relative to the largest |Sigma| on it."""
SHORTEST, TOGETHER = 16.0, 16.0
"""Times up to SHORTEST TOGETHER^n share a rule, in units of 2 over the width of the spectrum."""


@dataclass(frozen=True, eq=False)
class LeadKernel:
    """C(t) of a lead of finite support without its surface levels.

    The contour is the ellipse around [low, high], half of the width R, that reaches Im E = GROWTH/T for times up to T.
    In its angle the integrand is periodic and analytic up to the axis, a distance asinh(GROWTH/TR) away: equal steps
    converge geometrically (L. N. Trefethen, J. A. C. Weideman, SIAM Rev. 56, 385 (2014)), and outwards exp(-iEt) grows
    by no more than exp(GROWTH) over the same distance again.
    """

    spectrum: MatrixSpectrum

    @cached_property
    def levels(self) -> tuple[Real, Complex]:
        """e_j (n,) and v_j (m, n) of the surface levels."""
        states: Any = getattr(self.spectrum, "surface_states", None)
        return (np.zeros(0), np.zeros((self.spectrum.size, 0), complex)) if states is None else states

    @cached_property
    def _interval(self) -> tuple[float, float]:
        """Middle and half of the width of bands and surface levels, of a single level any."""
        ends = np.concatenate([self.spectrum.support, self.levels[0]])
        return 0.5 * float(ends.max() + ends.min()), 0.5 * float(np.ptp(ends)) or 1.0

    def quadrature(self, longest: float) -> tuple[Complex, Complex]:
        """Energies (n,) and weights times Sigma/2 pi i (n, m, m) for times up to `longest`, without surface levels."""
        middle, half = self._interval
        height = float(np.arcsinh(GROWTH / max(longest * half, SHORTEST)))
        count = int(np.ceil((GROWTH - np.log(ACCURACY)) / (2 * height)))  # of the upper half
        angle = np.pi * (np.arange(count) + 0.5) / count + 1j * height
        energies, slope = middle + half * np.cos(angle.conj()), -half * np.sin(angle.conj())
        weights = self.spectrum.self_energy(energies) * (slope / (2j * count))[:, None, None]
        levels, vectors = self.levels
        taken = -(vectors.T[:, :, None] * vectors.T[:, None, :].conj())
        return (
            np.concatenate([energies, energies.conj(), levels]),
            np.concatenate([weights, weights.conj().swapaxes(1, 2), taken]),
        )

    def __call__(self, times: Real) -> Complex:
        """C(t), (n, m, m), at `times` (n,)."""
        m = self.spectrum.size
        result = np.empty((times.size, m * m), complex)
        groups = np.ceil(np.log(np.maximum(times * self._interval[1], SHORTEST) / SHORTEST) / np.log(TOGETHER))
        for group in np.unique(groups):
            part = np.flatnonzero(groups == group)
            energies, weights = self.quadrature(float(times[part].max()))
            for few in np.array_split(part, 1 + part.size * energies.size // 2**22):
                result[few] = np.exp(-1j * np.outer(times[few], energies)) @ weights.reshape(-1, m * m)
        return result.reshape(-1, m, m)

"""The memory kernel C(t) of a lead with a matrix self-energy, at any time, from its broadening.
Used by `matrix_fit`, which turns it into damped modes.

    C(t) = int dE/2pi Gamma(E) exp(-iEt) + sum_j v_j v_j^dag exp(-i e_j t)    (hbar = 1, t in 1/eV)

with the surface levels e_j, which nothing damps, apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf.problem.matrix_spectra import MatrixSpectrum

Complex = np.ndarray
Real = np.ndarray

FINEST = 512
"""Largest degree of the polynomials that stand for Gamma between two of its singular points."""
RESOLVED = 1e-11
"""Size of the last coefficients, relative to the largest, at which a polynomial is accepted."""
GAUSS = 32
PHASE = 24.0
"""Radians of exp(-iEt) over one panel of Gauss points."""


@dataclass(frozen=True, eq=False)
class LeadKernel:
    """C(t) of a lead of finite support without its surface levels.

    Between neighbouring singular points E = middle - half cos(theta): square roots at the edges of bands become analytic,
    and Gamma sin(theta) is a Chebyshev polynomial in theta. The integral over theta is by Gauss-Legendre panels, as
    many as exp(-iEt) asks for.
    """

    spectrum: MatrixSpectrum

    @cached_property
    def levels(self) -> tuple[Real, Complex]:
        """e_j (n,) and v_j (m, n) of the surface levels."""
        states: Any = getattr(self.spectrum, "surface_states", None)
        return (np.zeros(0), np.zeros((self.spectrum.size, 0), complex)) if states is None else states

    @cached_property
    def pieces(self) -> list[tuple[float, float, Complex]]:
        """(middle, half, coefficients (n, m, m) in theta) between neighbouring singular points."""
        low, high = self.spectrum.support
        inside = self.spectrum.points
        nodes = np.concatenate([[low], inside[(inside > low) & (inside < high)], [high]])
        found = []
        for a, b in zip(nodes[:-1], nodes[1:], strict=True):
            if b - a > 1e-9 * (high - low):
                coefficients = self._polynomial(0.5 * (a + b), 0.5 * (b - a))
                if np.any(coefficients):
                    found.append((0.5 * (a + b), 0.5 * (b - a), coefficients))
        return found

    def _polynomial(self, middle: float, half: float) -> Complex:
        """Chebyshev coefficients of Gamma(E(theta)) sin(theta) in x = 2 theta/pi - 1, degree doubled until resolved."""
        values = self._values(middle, half, np.cos(np.pi * np.arange(17) / 16))
        while True:
            n = len(values) - 1
            coefficients = np.fft.rfft(np.concatenate([values, values[-2:0:-1]]).real, axis=0).real + 1j * (
                np.fft.rfft(np.concatenate([values, values[-2:0:-1]]).imag, axis=0).real
            )
            coefficients /= n
            coefficients[[0, -1]] *= 0.5
            size = np.abs(coefficients).max(axis=(1, 2))
            if size[-(n // 8) :].max() <= RESOLVED * max(size.max(), 1e-300) or n >= FINEST or not size.any():
                keep = np.flatnonzero(size > 1e-16 * size.max()) if size.any() else np.zeros(1, int)
                return coefficients[: keep[-1] + 1]
            between = self._values(middle, half, np.cos(np.pi * (np.arange(n) + 0.5) / n))
            merged = np.empty((2 * n + 1, *values.shape[1:]), complex)
            merged[0::2], merged[1::2] = values, between
            values = merged

    def _values(self, middle: float, half: float, x: Real) -> Complex:
        theta = 0.5 * np.pi * (x + 1)
        gamma = self.spectrum.broadening(middle - half * np.cos(theta))
        return gamma * np.sin(theta)[:, None, None]

    def quadrature(self, longest: float) -> tuple[Real, Complex]:
        """Energies and weights times Gamma/2pi, (n,) and (n, m, m), for times up to `longest`."""
        x, w = np.polynomial.legendre.leggauss(GAUSS)
        energies, weights = [], []
        for middle, half, coefficients in self.pieces:
            panels = 1 + int(max(half * longest * np.pi / PHASE, len(coefficients) / 12))
            edges = np.linspace(0, np.pi, panels + 1)
            theta = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * np.diff(edges)[:, None] * x).ravel()
            measure = (0.5 * np.diff(edges)[:, None] * w).ravel() * half / (2 * np.pi)
            table = np.polynomial.chebyshev.chebvander(2 * theta / np.pi - 1, len(coefficients) - 1)
            gamma = np.tensordot(table, coefficients, axes=1)
            energies.append(middle - half * np.cos(theta))
            weights.append(gamma * measure[:, None, None])
        m = self.spectrum.size
        return np.concatenate([np.zeros(0), *energies]), np.concatenate([np.zeros((0, m, m)), *weights])

    def __call__(self, times: Real) -> Complex:
        """C(t) of the bands, (n, m, m), at `times` (n,)."""
        m, result = self.spectrum.size, np.empty((times.size, self.spectrum.size**2), complex)
        order = np.argsort(times)
        for part in np.array_split(order, max(1, times.size // 256)):
            energies, weights = self.quadrature(float(times[part].max(initial=0.0)))
            for few in np.array_split(part, max(1, part.size * energies.size // 2**22)):
                result[few] = np.exp(-1j * np.outer(times[few], energies)) @ weights.reshape(-1, m * m)
        return result.reshape(-1, m, m)

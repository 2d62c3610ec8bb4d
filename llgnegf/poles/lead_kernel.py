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
from scipy.sparse import csr_array

from llgnegf.problem.matrix_spectra import MatrixSpectrum

Complex = np.ndarray
Real = np.ndarray

FINEST = 512
"""Largest degree of the polynomials that stand for Gamma between two of its singular points."""
RESOLVED = 1e-11
"""Size of the last coefficients, relative to the largest, at which a polynomial is accepted."""
GAUSS = 32
SPREAD = 13
PHASE = 24.0
"""Radians of exp(-iEt) over one panel of Gauss points."""


@dataclass(frozen=True, eq=False)
class LeadKernel:
    """C(t) of a lead of finite support without its surface levels.

    Between neighbouring singular points E = middle - half cos(theta): square roots at the edges of bands become
    analytic, and Gamma dE/dx is a Chebyshev polynomial in x = 2 theta/pi - 1. Where that does not converge, theta is a
    smoothed step of x: cube roots become analytic too (a band E ~ k^3, as at a zigzag edge of a honeycomb). The
    integral over x is by Gauss-Legendre panels, as many as exp(-iEt) asks for.
    """

    spectrum: MatrixSpectrum

    @cached_property
    def levels(self) -> tuple[Real, Complex]:
        """e_j (n,) and v_j (m, n) of the surface levels."""
        states: Any = getattr(self.spectrum, "surface_states", None)
        return (np.zeros(0), np.zeros((self.spectrum.size, 0), complex)) if states is None else states

    @cached_property
    def pieces(self) -> list[tuple[float, float, bool, Complex]]:
        """(middle, half, whether smoothed, coefficients (n, m, m)) between neighbouring singular points."""
        low, high = self.spectrum.support
        inside = self.spectrum.points
        nodes = np.concatenate([[low], inside[(inside > low) & (inside < high)], [high]])
        found = []
        for a, b in zip(nodes[:-1], nodes[1:], strict=True):
            if b - a > 1e-9 * (high - low):
                smooth, coefficients = False, self._polynomial(0.5 * (a + b), 0.5 * (b - a), False)
                if len(coefficients) > FINEST:
                    smooth, coefficients = True, self._polynomial(0.5 * (a + b), 0.5 * (b - a), True)
                if np.any(coefficients):
                    found.append((0.5 * (a + b), 0.5 * (b - a), smooth, coefficients))
        return found

    def _polynomial(self, middle: float, half: float, smooth: bool) -> Complex:
        """Chebyshev coefficients of Gamma dE/dx/half in x, degree doubled until resolved."""
        values = self._values(middle, half, smooth, np.cos(np.pi * np.arange(17) / 16))
        while True:
            n = len(values) - 1
            coefficients = np.fft.rfft(np.concatenate([values, values[-2:0:-1]]).real, axis=0).real + 1j * (
                np.fft.rfft(np.concatenate([values, values[-2:0:-1]]).imag, axis=0).real
            )
            coefficients /= n
            coefficients[[0, -1]] *= 0.5
            size = np.abs(coefficients).max(axis=(1, 2))
            if size[-(n // 8) :].max() <= RESOLVED * max(size.max(), 1e-300) or n >= FINEST or not size.any():
                return coefficients
            between = self._values(middle, half, smooth, np.cos(np.pi * (np.arange(n) + 0.5) / n))
            merged = np.empty((2 * n + 1, *values.shape[1:]), complex)
            merged[0::2], merged[1::2] = values, between
            values = merged

    def _values(self, middle: float, half: float, smooth: bool, x: Real) -> Complex:
        theta, slope = _angle(x, smooth)
        gamma = self.spectrum.broadening(middle - half * np.cos(theta))
        return gamma * (np.sin(theta) * slope)[:, None, None]

    def quadrature(self, longest: float) -> tuple[Real, Complex]:
        """Energies and weights times Gamma/2pi, (n,) and (n, m, m), for times up to `longest`."""
        x, w = np.polynomial.legendre.leggauss(GAUSS)
        energies, weights = [], []
        for middle, half, smooth, coefficients in self.pieces:
            panels = 1 + int(max(half * longest * np.pi * (1.9 if smooth else 1.0) / PHASE, len(coefficients) / 12))
            edges = np.linspace(-1, 1, panels + 1)
            place = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * np.diff(edges)[:, None] * x).ravel()
            measure = (0.5 * np.diff(edges)[:, None] * w).ravel() * half / (2 * np.pi)
            table = np.polynomial.chebyshev.chebvander(place, len(coefficients) - 1)
            gamma = np.tensordot(table, coefficients, axes=1)
            energies.append(middle - half * np.cos(_angle(place, smooth)[0]))
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

    def samples(self, step: float, count: int, middle: float = 0.0) -> Complex:
        """C(t) exp(i middle t) at `count` even times from 0 on, (count, m, m), |E - middle| step < pi.

        By fast Fourier transforms, every energy being spread over a grid as a Gaussian whose transform is divided out
        (L. Greengard, J.-Y. Lee, SIAM Rev. 46, 443 (2004)): exact to 1e-12 C(0) with SPREAD points on both sides.
        """
        energies, weights = self.quadrature(step * count)
        x, m, n = (energies - middle) * step, self.spectrum.size, 2 * count
        weights = weights.reshape(-1, m * m) * np.exp(-1j * x * (count // 2))[:, None]
        width = np.pi * SPREAD / (3 * count**2)
        place = np.round(x * n / (2 * np.pi)).astype(int)[:, None] + np.arange(-SPREAD, SPREAD + 1)
        values = np.exp(-((x[:, None] - 2 * np.pi / n * place) ** 2) / (4 * width))
        columns = np.broadcast_to(np.arange(x.size)[:, None], place.shape).ravel()
        spread = csr_array((values.ravel(), ((place % n).ravel(), columns)), shape=(n, x.size))
        index = np.arange(count) - count // 2
        found = np.fft.fft(spread @ weights, axis=0)[index] * (np.sqrt(np.pi / width) / n)
        return (found * np.exp(index**2 * width)[:, None]).reshape(-1, m, m)


def _angle(x: Real, smooth: bool) -> tuple[Real, Real]:
    """theta from 0 to pi for -1 <= x <= 1, and dtheta/dx; `smooth`: theta ~ (1 + x)^3 at the ends."""
    if not smooth:
        return 0.5 * np.pi * (x + 1), np.full_like(x, 0.5 * np.pi)
    u = 0.5 * (x + 1)
    return np.pi * u**3 * (10 - 15 * u + 6 * u**2), 15 * np.pi * (u * (1 - u)) ** 2

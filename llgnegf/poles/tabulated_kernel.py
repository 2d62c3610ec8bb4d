"""Memory kernel of a piecewise linear broadening, exactly, and the largest error of a fit to it over all times.
Used by `coupling.fit_broadening`; everything in the reduced units chosen there (band on [-2, 2], peak 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llgnegf.poles.spectral_fit import Complex, Real

STEP = 0.05
"""Time step of the error bound: modes have |chi| of a few, so eighth differences are below 1e-9."""
LONGEST = 20_000.0
"""Latest time that is examined point by point; beyond, and often before, the 1/t^2 decay bounds the kernel."""
CHUNK = 512


@dataclass(frozen=True, eq=False)
class TabulatedKernel:
    """K(t) = int dE/2pi Gamma(E) exp(-iEt) for Gamma linear between `nodes` and zero outside.

    Two integrations by parts: with the slopes q_i, their jumps D_j at node j and the end values y_0, y_n,
        2 pi K(t) = (y_0 exp(-iE_0 t) - y_n exp(-iE_n t))/(it) + sum_j D_j exp(-iE_j t)/(it)^2.
    """

    nodes: Real
    values: Real

    @property
    def _coefficients(self) -> tuple[Real, Real]:
        ends = np.zeros_like(self.values)
        ends[0] += self.values[0]
        ends[-1] -= self.values[-1]
        slopes = np.diff(self.values) / np.diff(self.nodes)
        return ends, np.diff(slopes, prepend=0.0, append=0.0)

    def __call__(self, times: Real) -> Complex:
        """K at any times, shape (n,); below |t| = 0.3 by its Taylor series, where the formula above cancels."""
        ends, kinks = self._coefficients
        safe = np.where(np.abs(times) < 0.3, 1.0, times)
        waves = np.exp(-1j * np.outer(safe, self.nodes))
        value = (waves @ ends) / (1j * safe) - (waves @ kinks) / safe**2
        return self._near_zero(value / (2 * np.pi), times)

    def on_grid(self, first: int, count: int) -> Complex:
        """K at (first + k) STEP, k = 0 ... count - 1."""
        ends, kinks = self._coefficients
        times = STEP * (first + np.arange(count))
        safe = np.where(np.abs(times) < 0.3, 1.0, times)
        first_sum, second_sum = (exponential_sum(self.nodes, c, first, count) for c in (ends, kinks))
        return self._near_zero((first_sum / (1j * safe) - second_sum / safe**2) / (2 * np.pi), times)

    def _near_zero(self, value: Complex, times: Real) -> Complex:
        x, w = np.polynomial.legendre.leggauss(8)
        half = np.diff(self.nodes)[:, None] / 2
        energy = self.nodes[:-1, None] + half * (1 + x)
        gamma = np.interp(energy, self.nodes, self.values) * half * w / (2 * np.pi)
        small = np.abs(times) < 0.3
        value[small] = sum(
            (-1j * times[small]) ** k / math.factorial(k) * float((gamma * energy**k).sum()) for k in range(15)
        )
        return value

    def bound_after(self, time: float) -> float:
        """Bound on |K(t)| for t >= time."""
        ends, kinks = self._coefficients
        return float((np.abs(ends).sum() / time + np.abs(kinks).sum() / time**2) / (2 * np.pi))

    def time_below(self, level: float) -> float:
        """Earliest time after which |K| <= level by `bound_after`, at most LONGEST."""
        ends, kinks = (float(np.abs(c).sum()) / (2 * np.pi * level) for c in self._coefficients)
        return min(LONGEST, 0.5 * (ends + math.sqrt(ends**2 + 4 * kinks)))

    def error_bound(self, end: float) -> Callable[[Complex, Complex], float]:
        """The function (chi, b) -> bound on max_{t >= 0} |K - K_fit|: point by point up to t = end, then by decay.

        Between grid points Everett's central interpolation of f = K - K_fit (both entire in t, so the grid starts
        at -3 steps) gives |f| <= max|f| + max|d2 f|/8 + 3 max|d4 f|/128 + 5 max|d6 f|/1024 + 35 h^8 max|f^(8)|/32768.
        """
        count = int(end / STEP) + 8
        exact = self.on_grid(-3, count)
        eighth = float(np.abs(self.nodes).max() ** 8 * np.trapezoid(self.values, self.nodes)) / (2 * np.pi)

        def bound(poles: Complex, weights: Complex) -> float:
            error = exact - exponential_sum(poles, weights, -3, count)
            value = float(np.abs(error[3:]).max())
            for order, factor in ((2, 1 / 8), (4, 3 / 128), (6, 5 / 1024)):
                value += factor * float(np.abs(np.diff(error, order)).max())
            start = np.abs(weights) * np.exp(-poles.imag * 3 * STEP)
            value += 35 / 32768 * STEP**8 * (eighth + float((start * np.abs(poles) ** 8).sum()))
            tail = self.bound_after(end) + float((np.abs(weights) * np.exp(poles.imag * end)).sum())
            return max(value, tail)

        return bound


def exponential_sum(energies: Complex | Real, amplitudes: Complex | Real, first: int, count: int) -> Complex:
    """sum_j a_j exp(-iE_j t) at t = (first + k) STEP, k < count, as one matrix product per 512 times."""
    chunks = -(-count // CHUNK)
    inner = np.exp(-1j * STEP * np.outer(np.arange(CHUNK), energies))
    starts = STEP * (first + CHUNK * np.arange(chunks))
    with np.errstate(under="ignore"):
        outer = amplitudes[:, None] * np.exp(-1j * np.outer(energies, starts))
        return (inner @ outer).T.ravel()[:count]

"""Memory kernel of a piecewise linear broadening, exactly, and the largest error of a fit to it over all times.
Used by `coupling.fit_broadening`; everything in the reduced units chosen there (band on [-2, 2], peak 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.poles.spectral_fit import Complex, Real

STEP = 0.05
"""Time step of the error bound: modes have |chi| of a few, so eighth differences are below 1e-9."""
LONGEST = 20_000.0
"""Latest time that is examined point by point; beyond, and often before, the 1/t^2 decay bounds the kernel."""
CHUNK = 512


@dataclass(frozen=True, eq=False)
class TabulatedKernel:
    """K(t) = int dE/2pi Gamma(E) exp(-iEt) for Gamma linear between `nodes`, zero at both ends and outside.

    Two integrations by parts: with the jumps D_j of the slope at node j, 2 pi K(t) = sum_j D_j exp(-iE_j t)/(it)^2.
    """

    nodes: Real
    values: Real

    @cached_property
    def _kinks(self) -> Real:
        return np.diff(np.diff(self.values) / np.diff(self.nodes), prepend=0.0, append=0.0) / (2 * np.pi)

    def on_grid(self, first: int, count: int) -> Complex:
        """K at (first + k) STEP, k = 0 ... count - 1; below |t| = 0.3 by its Taylor series: no cancellation there."""
        times = STEP * (first + np.arange(count))
        small = np.abs(times) < 0.3
        value = -exponential_sum(self.nodes, self._kinks, first, count) / np.where(small, 1.0, times) ** 2
        x, w = np.polynomial.legendre.leggauss(8)
        half = np.diff(self.nodes)[:, None] / 2
        energy = self.nodes[:-1, None] + half * (1 + x)
        gamma = np.interp(energy, self.nodes, self.values) * half * w / (2 * np.pi)
        value[small] = sum(
            (-1j * times[small]) ** k / math.factorial(k) * float((gamma * energy**k).sum()) for k in range(15)
        )
        return value

    def bound_after(self, time: float) -> float:
        """Bound on |K(t)| for t >= time."""
        return float(np.abs(self._kinks).sum() / time**2)

    def time_below(self, level: float) -> float:
        """Earliest time after which |K| <= level by `bound_after`, at most LONGEST."""
        return min(LONGEST, math.sqrt(float(np.abs(self._kinks).sum()) / level))

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

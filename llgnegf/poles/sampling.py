"""Samples of a user's spectrum that find its structure by themselves.

Gauss panels [a, b] are halved where the self-energy at c + ih, c the middle and h = (b - a)/2, is not what the samples
of Gamma give there. At that height a panel sees the whole weight within it, however narrow the peak:
|dSigma| >= w/(sqrt(2) h) for a weight w = int dE dGamma/2pi that the samples miss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.poles.spectral_fit import Real
from llgnegf.problem.spectra import Spectrum

ORDER = 16
"""Gauss points of a panel."""
FIRST = 12
"""Panels at the start, denser towards the edges."""
MOST_PANELS = 1500
"""Spectra that need more are refused."""
SHARE = 0.1
"""Part of the tolerance that may be missed by the samples."""


@dataclass(frozen=True, eq=False)
class SampledSpectrum:
    """A spectrum with the nodes and weights of a quadrature that resolves it; equal where the samples are.

    Attributes:
        spectrum: The user's object.
        nodes, weights: int dE f(E) = sum_j weights_j f(nodes_j), eV.
        values: Gamma at the nodes, eV.
        missed: Estimate of int |dGamma| dE/2pi between the samples, eV^2.
    """

    spectrum: Spectrum
    nodes: Real
    weights: Real
    values: Real
    missed: float

    @cached_property
    def _content(self) -> tuple[bytes, bytes, tuple[float, float]]:
        return self.nodes.tobytes(), self.values.tobytes(), self.spectrum.support

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SampledSpectrum) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @property
    def total(self) -> float:
        """K(0) = int Gamma dE/2pi."""
        return float(self.weights @ self.values) / (2 * np.pi)


def total_weight(spectrum: Spectrum) -> float:
    """K(0) = int Gamma dE/2pi in eV^2: its `weight` if it has one, else from Sigma(E) ~ K(0)/E far off its support."""
    own: float | None = getattr(spectrum, "weight", None)
    if own is not None:
        return float(own)
    low, high = finite_support(spectrum)
    distance = 1e3 * (high - low)
    return float(-distance * spectrum.self_energy(np.array(0.5 * (low + high) + 1j * distance)).imag)


def finite_support(spectrum: Spectrum) -> tuple[float, float]:
    """The support; a ValueError where it is not a finite interval."""
    low, high = spectrum.support
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(
            f"{type(spectrum).__name__}.support: ({low}, {high}); allowed: finite ends in increasing order outside "
            "which Gamma is zero (cut the tails off), a WideBandSpectrum, or its own weight and modes"
        )
    return float(low), float(high)


def sample(spectrum: Spectrum, tolerance: float) -> SampledSpectrum:
    """Samples that miss no more than SHARE tolerance K(0); the attribute `points` may name energies of structure."""
    low, high = finite_support(spectrum)
    budget = SHARE * tolerance * total_weight(spectrum)
    points: Iterable[float] = getattr(spectrum, "points", ())
    inner = [float(e) for e in points if low < e < high]
    grid = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(np.linspace(0, np.pi, FIRST + 1))
    edges = _graded(np.unique(np.concatenate([[low, high], grid[1:-1], inner])))
    x, w = np.polynomial.legendre.leggauss(ORDER)
    while True:
        half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
        nodes, weights = (middle + half * x).ravel(), (half * w).ravel()
        values = _checked_values(spectrum, nodes)
        high_above = (middle + 1j * half).ravel()
        given = np.array([(weights * values / (e - nodes)).sum() for e in high_above]) / (2 * np.pi)
        missed = np.sqrt(2) * half.ravel() * np.abs(spectrum.self_energy(high_above) - given)
        if missed.sum() <= budget:
            return SampledSpectrum(spectrum, nodes, weights, values, float(missed.sum()))
        # Not all that are off: what one panel misses is seen by those about it.
        coarse = missed > 0.25 * missed.max()
        if missed.size + coarse.sum() > MOST_PANELS or np.diff(edges).min() < 1e-13 * (high - low):
            _refuse(spectrum, middle.ravel(), missed, tolerance)
        edges = _graded(np.unique(np.concatenate([edges, middle.ravel()[coarse]])))


def _graded(edges: Real) -> Real:
    """Panels at most three times as wide as their neighbours: so close to a wider one its sums would be wrong."""
    while True:
        width = np.diff(edges)
        narrowest = np.minimum(np.append(width[1:], np.inf), np.insert(width[:-1], 0, np.inf))
        wide = width > 3.001 * narrowest
        if not wide.any():
            return edges
        edges = np.unique(np.concatenate([edges, (edges[:-1] + 0.5 * width)[wide]]))


def _checked_values(spectrum: Spectrum, nodes: Real) -> Real:
    values = np.asarray(spectrum.broadening(nodes), dtype=float)
    bad = ~np.isfinite(values)
    if not bad.any():
        bad = values < -1e-12 * np.abs(values).max()
    if np.any(bad):
        k = int(np.argmax(bad))
        raise ValueError(
            f"{type(spectrum).__name__}.broadening: Gamma({nodes[k]:.12g}) = {values[k]:.3g}; "
            "allowed: finite numbers >= 0, in eV"
        )
    return np.maximum(values, 0.0)


def _refuse(spectrum: Spectrum, middle: Real, missed: Real, tolerance: float) -> None:
    k = int(np.argmax(missed))
    raise ValueError(
        f"{type(spectrum).__name__}: near E = {middle[k]:.8g} eV {ORDER * MOST_PANELS} samples of Gamma do not give "
        f"Sigma(E) to {tolerance:.2g} K(0); allowed: Gamma = -2 Im Sigma with nothing outside its support (no bound "
        "state of the lead beside its band) and no structure narrower than 1e-13 of it"
    )

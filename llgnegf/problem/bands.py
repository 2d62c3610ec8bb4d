"""Bands of a periodic chain of cells: edges, gaps and flat bands of H(k) = h_0 + V e^{ik} + V^dag e^{-ik}.

Tells `periodic` where the surface function of a crystal is not smooth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAME = 1e-10
"""Energies closer than this, relative to the width of the spectrum, are one."""
BESIDE = 1e-11
"""k (rad): so far beside an extremum dE/dk is still zero, beside a crossing, where it is anything, it is not. Bands
that avoid each other by less than 1e-6 of their slope are taken for crossing ones."""


@dataclass(frozen=True, eq=False)
class Bands:
    """What the bands E_n(k) of a crystal look like from outside.

    Attributes:
        edges: Extrema of the bands, ascending (eV).
        ranges: Intervals covered by bands of non-zero width, disjoint and ascending, (n, 2).
        flat: Energies of bands of no width.
        scale: A bound on half the width of the spectrum.
        fastest: Largest |dE/dk| met.
    """

    edges: np.ndarray
    ranges: np.ndarray
    flat: np.ndarray
    scale: float
    fastest: float

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Intervals between bands, cut at flat ones; ascending."""
        found = []
        for low, high in zip(self.ranges[:-1, 1], self.ranges[1:, 0], strict=True):
            inside = self.flat[(self.flat > low) & (self.flat < high)]
            cuts = [low, *inside, high]
            found += list(zip(cuts[:-1], cuts[1:], strict=True))
        if not len(self.ranges):
            found += list(zip(self.flat[:-1], self.flat[1:], strict=True))
        return found

    def covers(self, energy: np.ndarray) -> np.ndarray:
        """Whether an energy lies in a band of non-zero width."""
        return np.any((energy[..., None] > self.ranges[:, 0]) & (energy[..., None] < self.ranges[:, 1]), axis=-1)


def bands_of(cell: np.ndarray, hopping: np.ndarray) -> Bands:
    """The bands of a crystal with `cell` h_0 and `hopping` V, (m, m) each.

    Extrema are sign changes of dE_n/dk (Hellmann-Feynman) of the bands in ascending order, found on a grid of
    128 + 32 m points and bisected. Where two bands cross, one in this order has a kink, whose dE/dk does not go to
    zero: that is no edge.
    """
    m = len(cell)
    grid = 2 * np.pi * (np.arange(128 + 32 * m + 1) + 0.3819660113) / (128 + 32 * m)
    levels, speeds = _levels(cell, hopping, grid)
    scale = max(0.5 * float(np.ptp(levels)), float(np.linalg.norm(hopping, 2))) or 1.0
    flat = _flat(cell, hopping, levels[0], scale)
    place, band = np.nonzero((speeds[:-1] > 0) != (speeds[1:] > 0))
    low, high = grid[place].copy(), grid[place + 1].copy()
    rising, row = speeds[place, band] > 0, np.arange(place.size)
    for _ in range(52):
        middle = 0.5 * (low + high)
        speed = _levels(cell, hopping, middle)[1][row, band]
        low = np.where((speed > 0) == rising, middle, low)
        high = np.where((speed > 0) == rising, high, middle)
    middle = 0.5 * (low + high)
    values = _levels(cell, hopping, middle)[0][row, band]
    slopes = [np.abs(_levels(cell, hopping, middle + step)[1][row, band]) for step in (-BESIDE, BESIDE)]
    extreme = values[np.maximum(*slopes) < 1e-5 * scale]
    bottom, top = levels.min(axis=0), levels.max(axis=0)
    np.minimum.at(bottom, band, values)
    np.maximum.at(top, band, values)
    ranges = _union(bottom, top, SAME * scale)
    near_flat = np.abs(extreme[:, None] - flat).min(axis=1, initial=np.inf) < SAME * scale
    return Bands(distinct(extreme[~near_flat], SAME * scale), ranges, flat, scale, float(np.abs(speeds).max()))


def distinct(values: np.ndarray, apart: float) -> np.ndarray:
    """The values in ascending order, one of each group of neighbours no further `apart`."""
    ordered = np.sort(values)
    return ordered[np.append(True, np.diff(ordered) > apart)] if ordered.size else ordered


def _levels(cell: np.ndarray, hopping: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E_n(k) ascending and dE_n/dk, (n_k, m) each."""
    phase = np.exp(1j * k)[:, None, None] * hopping
    back = phase.conj().swapaxes(1, 2)
    levels, states = np.linalg.eigh(cell + phase + back)
    return levels, np.einsum("kan,kab,kbn->kn", states.conj(), 1j * (phase - back), states, optimize=True).real


def _flat(cell: np.ndarray, hopping: np.ndarray, candidates: np.ndarray, scale: float) -> np.ndarray:
    """Those of the energies that are levels at every k (looked at at eleven)."""
    levels = _levels(cell, hopping, np.pi * np.sqrt(np.arange(2.0, 13.0)))[0]
    distance = np.abs(levels[:, None, :] - candidates[:, None]).min(axis=2).max(axis=0)
    return distinct(candidates[distance < SAME * scale], SAME * scale)


def _union(bottom: np.ndarray, top: np.ndarray, narrow: float) -> np.ndarray:
    """The union of intervals wider than `narrow`, as disjoint ones."""
    wide = top - bottom > narrow
    merged: list[list[float]] = []
    for low, high in sorted(zip(bottom[wide], top[wide], strict=True)):
        if merged and low <= merged[-1][1] + narrow:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    return np.array(merged).reshape(-1, 2)

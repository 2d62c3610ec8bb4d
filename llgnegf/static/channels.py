"""A lead channel of a stationary problem: its vectors, self-energy and filling, and where its bands are.

Under `green`, which makes a device of several.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.problem.matrix_spectra import MatrixSpectrum
from llgnegf.problem.spectra import Spectrum

AT_LEVEL = 1e-9
"""eV from a surface level within which a point is that."""
NOTHING = 1e-9
"""Part of its largest value below which the trace of a matrix Gamma counts as zero, as numbers have it in a gap."""


@dataclass(frozen=True, eq=False)
class StaticChannel:
    """A lead channel of a stationary problem: Sigma_q(E - shift) u u^dag, or U Sigma_q(E - shift) U^dag of m orbitals,
    filled up to `chemical_potential`.

    Attributes:
        vector: Device vector u, (2N,), or the vectors U, (2N, m), of a matrix spectrum.
        spectrum: Self-energy of the channel.
        shift: Energy in eV by which the channel's levels are raised (voltage, rotating frame).
        chemical_potential: mu of the channel in eV, everything included.
        lead: Number of the lead it belongs to.
        spin: +1 or -1 for a channel of spin up or down along the rotation axis, 0 where spin is not resolved.
        kT: Thermal energy of its lead in eV.
    """

    vector: np.ndarray
    spectrum: Spectrum | MatrixSpectrum
    shift: float
    chemical_potential: float
    lead: int
    spin: int = 0
    kT: float = 0.0

    @property
    def columns(self) -> np.ndarray:
        """The device vectors as columns, (2N, m)."""
        return self.vector if self.vector.ndim == 2 else self.vector[:, None]

    @cached_property
    def bands(self) -> np.ndarray:
        """Ends (eV) of the intervals in which Gamma is not zero, ascending, (n, 2): of a scalar its support."""
        spectrum = self.spectrum
        found = _open_intervals(spectrum) if isinstance(spectrum, MatrixSpectrum) else [spectrum.support]
        return np.array(found).reshape(-1, 2) + self.shift

    def is_open(self, energy: np.ndarray) -> np.ndarray:
        """Whether real energies (n,) are in one of the bands."""
        return np.asarray(((energy[:, None] > self.bands[:, 0]) & (energy[:, None] < self.bands[:, 1])).any(axis=1))

    @cached_property
    def surface_levels(self) -> np.ndarray:
        """Real poles (eV) of Sigma, none of a scalar."""
        return np.asarray(getattr(self.spectrum, "surface_levels", np.zeros(0)), dtype=float) + self.shift

    @cached_property
    def points(self) -> np.ndarray:
        """Energies (eV) at which Sigma is not smooth: of a scalar the ends of its support."""
        own = np.asarray(self.spectrum.points if isinstance(self.spectrum, MatrixSpectrum) else (), dtype=float)
        return np.concatenate([self.bands[np.isfinite(self.bands)], own + self.shift])


def _open_intervals(spectrum: MatrixSpectrum) -> list[tuple[float, float]]:
    """Where the trace of a matrix Gamma is more than `NOTHING`: intervals between its points, neighbours joined."""
    low, high = spectrum.support
    levels = np.asarray(spectrum.surface_levels, dtype=float)
    inner = np.array([x for x in spectrum.points if low < x < high and np.all(np.abs(x - levels) > AT_LEVEL)])
    ends = np.unique([low, *inner, high])
    a = np.where(np.isfinite(ends[:-1]), ends[:-1], np.minimum(ends[1:], 1.0) - 1.0)
    b = np.where(np.isfinite(ends[1:]), ends[1:], a + 1.0)
    # Gamma may vanish at one energy by symmetry.
    probes = a[:, None] + (b - a)[:, None] * np.array([0.31, 0.5, 0.73])
    gamma = np.asarray(spectrum.broadening(probes.ravel())).reshape(*probes.shape, spectrum.size, spectrum.size)
    sizes = np.einsum("nkaa->nk", gamma).real.max(axis=1, initial=0.0)
    found: list[tuple[float, float]] = []
    for start, end, size in zip(ends[:-1].tolist(), ends[1:].tolist(), sizes, strict=True):
        if size > NOTHING * sizes.max():
            first = found.pop()[0] if found and found[-1][1] == start else start
            found.append((first, end))
    return found

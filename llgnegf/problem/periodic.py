"""The matrix self-energy of a semi-infinite crystal, its bands and the levels that its end binds.

What `periodic_leads` attaches to a device where a lead does not fall apart into chains; numerics in `surface`, `bands`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem.bands import SAME, Bands, bands_of, distinct
from llgnegf.problem.spectra import upper_half_plane
from llgnegf.problem.surface import apart, decimate, surface_function

HERMITIAN = 1e-12
"""How far a cell may be from Hermitian, relative to its largest element."""
DIGITS = 42
"""Binary digits of what is equal but for round-off: 2e-13 of the largest element."""


@dataclass(frozen=True, eq=False)
class PeriodicSpectrum:
    """The end of a semi-infinite crystal: Sigma(E) = K g(E) K^dag.

        g(E) = [E - h_0 - V g(E) V^dag]^-1,      dg/dE = -g (1 - V dg/dE V^dag) g

    (M. P. Lopez Sancho, J. M. Lopez Sancho, J. Rubio, J. Phys. F 15, 851 (1985)). Gamma is finite in the bands of
    H(k) = h_0 + V e^{ik} + V^dag e^{-ik}; what is bound to the end, between the bands, and compact states of flat bands
    are real poles of Sigma. dSigma/dE diverges at the edges of the bands.

    Args:
        cell: h_0, Hermitian (m, m), eV.
        hopping: V (m, m), eV, from cell l (rows) to l + 1 (columns), l growing away from the device.
        coupling: K (r, m), the r combinations of orbitals of the first cell that are looked at; None is all of them.

    Raises:
        ValueError: One line for each argument that is not of this kind.
    """

    cell: Any
    hopping: Any
    coupling: Any = None

    def __post_init__(self) -> None:
        problems = Problems("PeriodicSpectrum")
        cell, hopping = checked_cell(problems, self.cell, self.hopping)
        m = 1 if cell is None else len(cell)
        given = np.eye(m) if self.coupling is None else self.coupling
        coupling = problems.array("coupling", given, (None, m), f"(r, {m}) finite numbers", complex)
        problems.raise_all()
        for name, value in (("cell", cell), ("hopping", hopping), ("coupling", coupling)):
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        """r, the number of orbitals (or combinations of them)."""
        return len(self.coupling)

    @cached_property
    def rounded(self) -> PeriodicSpectrum:
        """The same to `DIGITS` binary digits: equal for crystals that are equal but for round-off."""
        energies = max(float(np.abs(self.cell).max()), float(np.abs(self.hopping).max()))
        sizes = energies, energies, float(np.abs(self.coupling).max(initial=0.0))
        return PeriodicSpectrum(*map(_rounded, (self.cell, self.hopping, self.coupling), sizes))

    @cached_property
    def bands(self) -> Bands:
        """Extrema, gaps and flat bands of the crystal."""
        return bands_of(self.cell, self.hopping)

    @property
    def support(self) -> tuple[float, float]:
        ranges = self.bands.ranges
        middle = float(np.mean(self.bands.flat)) if not ranges.size else 0.0
        return (float(ranges[0, 0]), float(ranges[-1, 1])) if ranges.size else (middle, middle)

    @cached_property
    def points(self) -> np.ndarray:
        """Extrema of the bands and surface levels, ascending (eV)."""
        return distinct(np.concatenate([self.bands.edges, self.surface_levels]), 0.0)

    @property
    def surface_levels(self) -> np.ndarray:
        return self.surface_states[0]

    @cached_property
    def surface_states(self) -> tuple[np.ndarray, np.ndarray]:
        """Levels e_j (n,) that nothing damps, in eV, and v_j (r, n): Sigma = sum_j v_j v_j^dag/(E - e_j) + bands."""
        levels, vectors = self._end
        vectors = self.coupling @ vectors
        seen = np.linalg.norm(vectors, axis=0) > 1e-9 * np.linalg.norm(self.coupling, 2)
        return levels[seen], vectors[:, seen]

    @cached_property
    def _end(self) -> tuple[np.ndarray, np.ndarray]:
        """`surface_states` of all orbitals of the cell: poles of g, seen or not."""
        return surface_states(self.cell, self.hopping, self.bands)

    @property
    def is_zero(self) -> bool:
        return not np.any(self.coupling)

    @property
    def weight(self) -> np.ndarray:
        """C(0) = K K^dag, (r, r)."""
        return self.coupling @ self.coupling.conj().T

    def self_energy(self, energy: Any) -> np.ndarray:
        return self._surface(energy, False)

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        return self._surface(energy, True)

    def broadening(self, energy: Any) -> np.ndarray:
        e = np.asarray(energy, dtype=float)
        sigma = np.zeros((*e.shape, self.size, self.size), dtype=complex)
        inside = self.bands.covers(e)
        sigma[inside] = self.self_energy(e[inside])
        return 1j * (sigma - sigma.conj().swapaxes(-1, -2))

    def _surface(self, energy: Any, derivative: bool) -> np.ndarray:
        e, bands = upper_half_plane(energy), self.bands
        singular = np.concatenate([bands.edges, bands.flat, self._end[0]])
        g = surface_function(self.cell, self.hopping, e.ravel(), singular, bands.scale, derivative)
        moved = apart(e.ravel(), singular, bands.scale)
        if self._end[0].size and np.any(moved != e.ravel()):
            g = g + self._next_to_levels(e.ravel(), moved, derivative)
        return (self.coupling @ g @ self.coupling.conj().T).reshape(*e.shape, self.size, self.size)

    def _next_to_levels(self, energy: np.ndarray, moved: np.ndarray, derivative: bool) -> np.ndarray:
        """What levels that nothing damps change in g (or dg/dE) from `moved` energies to those asked for, (n, m, m);
        nothing exactly on a level, where it is infinite."""
        levels, vectors = self._end
        power, sign = (2, -1) if derivative else (1, 1)
        change = np.zeros((energy.size, levels.size), dtype=complex)
        here = (energy != moved) & (np.abs(energy[:, None] - levels) > 0).all(axis=1)
        for result, at in ((1, energy[here]), (-1, moved[here])):
            change[here] += result * sign / (at[:, None] - levels) ** power
        return (vectors * change[:, None, :]) @ vectors.conj().T


def _rounded(matrix: np.ndarray, size: float) -> np.ndarray:
    """To a unit that is a power of two, so that what has few digits stays as it is; no -0."""
    unit = 2.0 ** (np.ceil(np.log2(size)) - DIGITS) if size else 1.0
    return np.asarray(np.round(matrix / unit) * unit + 0.0)


def checked_cell(problems: Problems, cell: Any, hopping: Any) -> tuple[Any, Any]:
    """h_0 and V as arrays (m, m), mistakes noted."""
    allowed = "a Hermitian (m, m) matrix of finite numbers, in eV"
    h_0, v = problems.array("cell", cell, (None, None), allowed, complex), None
    if h_0 is not None and problems.check(h_0.shape[0] == h_0.shape[1] > 0, "cell", f"shape {h_0.shape}", allowed):
        apart = float(np.abs(h_0 - h_0.conj().T).max())
        limit = HERMITIAN * max(float(np.abs(h_0).max()), 1e-3)
        problems.check(apart <= limit, "cell", f"differs by {apart:.3g} from its adjoint", allowed)
        v = problems.array("hopping", hopping, h_0.shape, f"{h_0.shape} finite numbers, in eV", complex)
        h_0 = 0.5 * (h_0 + h_0.conj().T)
    return h_0, v


def surface_states(cell: np.ndarray, hopping: np.ndarray, bands: Bands) -> tuple[np.ndarray, np.ndarray]:
    """Real poles e_j (n,) of g and v_j (m, n) with residues v_j v_j^dag."""
    candidates = np.concatenate([bands.flat, *(_bound(cell, hopping, gap, bands.scale) for gap in bands.gaps)])
    candidates = distinct(candidates, SAME * bands.scale)
    singular = np.concatenate([bands.edges, candidates])
    levels: list[float] = []
    vectors: list[np.ndarray] = []
    for level in candidates:
        others = np.abs(singular - level)
        radius = 0.3 * float(others[others > SAME * bands.scale].min(initial=bands.scale))
        residue = _residue(cell, hopping, level, radius, bool(bands.covers(np.array(level))))
        size, states = np.linalg.eigh(0.5 * (residue + residue.conj().T))
        for s, state in zip(size, states.T, strict=True):
            if s > 1e-9:
                levels.append(float(level))
                vectors.append(np.sqrt(s) * state)
    return np.array(levels), np.array(vectors, dtype=complex).reshape(-1, len(cell)).T


def _bound(cell: np.ndarray, hopping: np.ndarray, gap: tuple[float, float], scale: float) -> np.ndarray:
    """Levels in a gap that a cut through the crystal binds, on either side of it.

    Taking out a cell changes the resolvent by -G P F^-1 P G, F(E) the function of a cell of the uncut crystal: bound
    levels are the zeros of the eigenvalues of F, which fall monotonically all through a gap: none is missed.
    """
    width = gap[1] - gap[0]
    margin = max(1e-9 * width, SAME * scale)

    def eigenvalues(energy: np.ndarray) -> np.ndarray:
        bulk = decimate(cell, hopping, energy + 1e-13j * scale)[1]
        return np.linalg.eigvalsh(0.5 * (bulk + bulk.conj().swapaxes(1, 2)))

    if width <= 4 * margin:
        return np.zeros(0)
    inward = np.geomspace(margin, 0.25 * width, 4)  # next to an edge that is a level of the cell, F is lost in rounding
    points = np.concatenate([gap[0] + inward, gap[1] - inward[::-1]])
    values = eigenvalues(points)
    place, index = np.nonzero((values[:-1] > 0) & (values[1:] < 0))
    low, high = points[place], points[place + 1]
    for _ in range(60 if index.size else 0):
        middle = 0.5 * (low + high)
        positive = eigenvalues(middle)[np.arange(index.size), index] > 0
        low, high = np.where(positive, middle, low), np.where(positive, high, middle)
    return 0.5 * (low + high)


def _residue(cell: np.ndarray, hopping: np.ndarray, level: float, radius: float, covered: bool) -> np.ndarray:
    """Residue of g at a real pole.

    In a gap g(E^*) = g(E)^dag, so half a circle around it is enough; within a band (`covered`) the limit of
    i eta g(level + i eta) for eta -> 0.
    """
    if not covered:
        z = radius * np.exp(1j * np.pi * (np.arange(16) + 0.5) / 16)
        values = z[:, None, None] * decimate(cell, hopping, level + z)[0]
        mean = values.mean(axis=0)
        return 0.5 * (mean + mean.conj().T)
    heights = 0.1 * radius * 2.0 ** -np.arange(8)
    values = 1j * heights[:, None, None] * decimate(cell, hopping, level + 1j * heights)[0]
    for order in range(1, 8):  # Neville's scheme at eta = 0
        ratio = 2.0**order
        values = (ratio * values[1:] - values[:-1]) / (ratio - 1)
    return values[0]

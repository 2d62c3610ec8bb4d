"""Leads from a table of self-energy matrices, as transport codes write them.

Beside `periodic_leads`, the semi-infinite crystal; the contract is in `leads`, the scalar table in `spectra`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem.arguments import Energies
from llgnegf.problem.leads import Channel, LeadAtVoltage
from llgnegf.problem.spectra import checked_energies, logarithms, upper_half_plane

POSITIVE = 1e-9
"""How far below zero an eigenvalue of Gamma may be, relative to the largest of the table: rounding of the file."""
ENDS = 1e-3
"""Largest Gamma at the ends of the table, relative to its largest: it is taken for zero there."""


@dataclass(frozen=True, eq=False)
class TabulatedMatrixSpectrum:
    """Gamma(E) given as Hermitian matrices at `energies`, piecewise linear between them and zero outside.

        Sigma(E) = int dE'/(2 pi) Gamma(E')/(E - E'),      exact for each linear piece (see `TabulatedSpectrum`)

    Args:
        energies: Increasing energies in eV, (n,).
        values: Gamma >= 0 in eV, (n, m, m), zero at both ends.
    """

    energies: Any
    values: Any

    def __post_init__(self) -> None:
        problems = Problems("TabulatedMatrixSpectrum")
        grid = checked_energies(problems, self.energies)
        n = None if grid is None else grid.size
        values = problems.array("values", self.values, (n, None, None), "(n, m, m) finite numbers, in eV", complex)
        if grid is not None and values is not None and _square(problems, "values", values):
            _check_gamma(problems, "values", grid, values)
        problems.raise_all()
        object.__setattr__(self, "energies", grid)
        object.__setattr__(self, "values", values)

    @property
    def size(self) -> int:
        return self.values.shape[1]

    @property
    def support(self) -> tuple[float, float]:
        return float(self.energies[0]), float(self.energies[-1])

    @property
    def points(self) -> np.ndarray:
        return self.energies

    @property
    def surface_levels(self) -> np.ndarray:
        return np.zeros(0)

    @property
    def is_zero(self) -> bool:
        return not np.any(self.values)

    @property
    def weight(self) -> np.ndarray:
        """C(0) = int Gamma dE/2pi in eV^2, (m, m)."""
        return np.trapezoid(self.values, self.energies, axis=0) / (2 * np.pi)

    @cached_property
    def _slopes(self) -> np.ndarray:
        return np.diff(self.values, axis=0) / np.diff(self.energies)[:, None, None]

    def self_energy(self, energy: Any) -> np.ndarray:
        e = upper_half_plane(energy)
        log = logarithms(self.energies, e[..., None])
        pieces = log[..., :-1] - log[..., 1:]
        flat = np.tensordot(pieces, self.values[:-1], axes=1)
        rise = np.tensordot(pieces * (e[..., None] - self.energies[:-1]), self._slopes, axes=1)
        return (flat + rise - (self.values[-1] - self.values[0])) / (2 * np.pi)

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        log = logarithms(self.energies, upper_half_plane(energy)[..., None])
        return np.tensordot(log[..., :-1] - log[..., 1:], self._slopes, axes=1) / (2 * np.pi)

    def broadening(self, energy: Any) -> np.ndarray:
        e = np.asarray(energy, dtype=float)
        place = np.clip(np.searchsorted(self.energies, e, side="right") - 1, 0, self.energies.size - 2)
        rise = (e - self.energies[place])[..., None, None] * self._slopes[place]
        inside = (e >= self.energies[0]) & (e <= self.energies[-1])
        return np.where(inside[..., None, None], self.values[place] + rise, 0.0)


@dataclass(frozen=True, eq=False)
class TabulatedMatrixLead(LeadAtVoltage):
    """Lead given by self-energy matrices at a list of energies, as transport codes write them.

    Parameters
    ----------
    energies : array_like, (n,)
        Increasing energies in eV, over the whole band of the lead.
    self_energy : array_like, (n, m, m)
        Sigma in eV, retarded, m orbitals; Gamma has no negative eigenvalue and is zero at both ends.
    vectors : array_like, (2N, m)
        U, the device's index being 2 i + s: Sigma_device = U Sigma U^dag.
    voltage : float or callable, default 0.0
        V in eV, a number or a function of time (fs): shifts the lead's levels and its chemical potential together.
    chemical_potential : float, optional
        mu in eV, moves the occupation alone; None takes the system's Fermi energy.
    kT : float, optional
        Thermal energy of this lead in eV; None takes the system's.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    Only Gamma = i (Sigma - Sigma^dag) is taken from the table, linear between its energies and zero outside; the
    Hermitian part of Sigma is the Hilbert transform of that, exactly, so that Sigma is causal. A constant or slowly
    varying Hermitian part from beyond the table belongs into the device's Hamiltonian.

    Examples
    --------
    >>> energies = np.linspace(-2.0, 2.0, 401)
    >>> gamma = np.sqrt(4.0 - energies**2)[:, None, None] * np.eye(2)  # a chain for either spin
    >>> lead = ln.TabulatedMatrixLead(energies, -0.5j * gamma, vectors=np.eye(2))
    >>> ln.OpenSystem(ln.chain(1), [lead], kT=0.1).n_sites
    1
    """

    energies: Energies
    self_energy: Any
    vectors: Any

    def __post_init__(self) -> None:
        problems = Problems("TabulatedMatrixLead")
        grid = checked_energies(problems, self.energies)
        n = None if grid is None else grid.size
        allowed = "(n, m, m) finite numbers, in eV, a matrix for each energy"
        sigma = problems.array("self_energy", self.self_energy, (n, None, None), allowed, complex)
        m = None
        if grid is not None and sigma is not None and _square(problems, "self_energy", sigma):
            m = sigma.shape[1]
            _check_gamma(problems, "self_energy", grid, 1j * (sigma - sigma.conj().swapaxes(1, 2)), cut=True)
        vectors = problems.array("vectors", self.vectors, (None, m), "(2N, m) finite amplitudes", complex)
        self._check_reservoir(problems)
        problems.raise_all()
        for name, value in (("energies", grid), ("self_energy", sigma), ("vectors", vectors)):
            object.__setattr__(self, name, value)

    @cached_property
    def spectrum(self) -> TabulatedMatrixSpectrum:
        """Gamma of the table, cut at its ends, without the negative eigenvalues of rounding."""
        gamma = 1j * (self.self_energy - self.self_energy.conj().swapaxes(1, 2))
        values, states = np.linalg.eigh(gamma)
        gamma = np.einsum("nak,nk,nbk->nab", states, np.maximum(values, 0.0), states.conj())
        gamma[[0, -1]] = 0.0
        return TabulatedMatrixSpectrum(self.energies, gamma)

    def attach(self, n_sites: int) -> list[Channel]:
        """The channel on a device of `n_sites` sites; ValueError where the vectors do not have 2N components."""
        problems, rows = Problems("TabulatedMatrixLead"), len(self.vectors)
        problems.check(rows == 2 * n_sites, "vectors", f"shape {self.vectors.shape}", f"{2 * n_sites} rows")
        problems.raise_all()
        return [Channel(self.vectors, self.spectrum)]


def _square(problems: Problems, field: str, values: np.ndarray) -> bool:
    good = values.shape[1] == values.shape[2] > 0
    return problems.check(good, field, f"shape {values.shape}", "square matrices, (n, m, m)")


def _check_gamma(problems: Problems, field: str, grid: np.ndarray, gamma: np.ndarray, cut: bool = False) -> None:
    """Note a Gamma that is not Hermitian, negative somewhere, or not zero at the ends (about zero, if it is `cut`)."""
    size = float(np.abs(gamma).max(initial=0.0))
    apart = float(np.abs(gamma - gamma.conj().swapaxes(1, 2)).max(initial=0.0))
    problems.check(apart <= 1e-12 * size, field, f"Gamma differs by {apart:.3g} from its adjoint", "Hermitian Gamma")
    lowest = np.linalg.eigvalsh(gamma)[:, 0]
    worst = int(np.argmin(lowest))
    found = f"an eigenvalue {lowest[worst]:.3g} of Gamma at {grid[worst]:g} eV"
    problems.check(bool(lowest[worst] >= -POSITIVE * size), field, found, "Gamma = i (Sigma - Sigma^dag) >= 0")
    for end in (0, -1):
        left = float(np.abs(gamma[end]).max())
        limit = ENDS * size if cut else 0.0
        found = f"Gamma up to {left:.3g} at the end {grid[end]:g} eV"
        problems.check(left <= limit, field, found, f"Gamma that vanishes at both ends (to {limit:.3g})")

"""The electrons of the device: a Hermitian one-particle Hamiltonian and an sd coupling for each site.

Stands on device terms, mean fields and drives; leads and moments are attached further up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from llgnegf._checks import Problems
from llgnegf._readable import Readable, readable
from llgnegf.problem.arguments import Coupling, EnergyPerBond, EnergyPerSite, Positions, SiteCount
from llgnegf.problem.device_hamiltonian import DeviceHamiltonian
from llgnegf.problem.device_terms import DeviceTerm, Peierls
from llgnegf.problem.drives import Drive, drives_of
from llgnegf.problem.matrices import PAULI, hermitian
from llgnegf.problem.mean_fields import MeanField


@dataclass(frozen=True, eq=False)
class Electrons(Readable):
    """Electrons of the device: any Hermitian Hamiltonian, and a coupling to one classical moment on each site.

    `chain` and `Lattice.electrons` make the usual ones.

    Parameters
    ----------
    hamiltonian : array_like or sparse, (2N, 2N)
        H_0 in eV, Hermitian, dense or scipy.sparse, index 2 i + s (see `spinless` for an (N, N) one).
    j_sd : float or array_like or callable
        sd coupling J_sd in eV, one number or one for each of the N sites, or a function of time (fs) that returns
        either.
    positions : array_like, (N, 3) or (N,), optional
        Of the sites in nm, (N,) along x; None where no term needs them.
    terms : list, default ()
        What H_0 has on top of it: terms that change in time (`TimeDependent`, `Gate`, `ElectricField`,
        `ElectronZeeman`), phases on bonds (`Peierls`, `VectorPotential`), and mean fields (`Hubbard`,
        `DensityDependent`).

    Attributes
    ----------
    hamiltonian : csr_array, (2N, 2N)
        H_0 in eV, complex.
    j_sd : ndarray, (N,)
        In eV; where it is a function of time its value at t = 0 (see `j_sd_at`).
    j_drive : Drive or None
        J_sd as a function of time, where it is one.
    bonds : ndarray, (n_bonds, 2)
        Pairs (i, j), i < j, of sites that H connects at any time, in lexical order.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    Site-major, spin-minor: index 2 i + s, s = 0 up and 1 down along z, ::

        H(M, t, rho) = H_0 + terms - sum_i J_i(t) c_i^dag (sigma . M_i) c_i

    Examples
    --------
    A ring of three sites, spinless:

    >>> ring = -1.0 * (np.ones((3, 3)) - np.eye(3))
    >>> electrons = ln.Electrons.spinless(ring, j_sd=0.1)
    >>> print(electrons.n_sites, electrons.bonds.tolist())
    3 [[0, 1], [0, 2], [1, 2]]
    >>> print(np.linalg.eigvalsh(electrons.hamiltonian_at(ln.uniform(3))).round(6))
    [-2.1 -1.9  0.9  0.9  1.1  1.1]
    """

    hamiltonian: Any
    j_sd: Any
    positions: Any = None
    terms: Any = ()
    j_drive: Drive | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        problems = Problems("Electrons")
        matrix = hermitian(problems, "hamiltonian", self.hamiltonian)
        if matrix is not None:
            even = matrix.shape[0] % 2 == 0
            problems.check(even, "hamiltonian", f"shape {matrix.shape}", "(2N, 2N): two spins for each site")
        if matrix is None or problems.lines:
            problems.raise_all()
            raise AssertionError("unreachable")
        n_sites = matrix.shape[0] // 2
        drive = next(iter(drives_of(self.j_sd)), None)
        j_sd = problems.per_site("j_sd", self.j_sd if drive is None else drive(0.0), n_sites, "finite, in eV")
        positions = _placed(problems, self.positions, n_sites)
        terms = _checked_terms(problems, self.terms, n_sites, positions)
        problems.raise_all()
        checked = {"hamiltonian": matrix, "j_sd": j_sd, "j_drive": drive, "positions": positions, "terms": terms}
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        for k, term in enumerate(terms):
            lost = isinstance(term, Peierls) and term.bonds is not None and self.device.without_effect(term, positions)
            problems.check(not lost, f"terms[{k}].bonds", getattr(term, "bonds", None), "pairs that H connects")
        problems.raise_all()

    @classmethod
    @readable
    def spinless(cls, hamiltonian: Any, j_sd: Any, positions: Any = None, terms: Any = ()) -> Electrons:
        """Electrons whose H_0 = `hamiltonian` x 1 is the same for both spins.

        Parameters
        ----------
        hamiltonian : array_like or sparse, (N, N)
            In eV, Hermitian.
        j_sd : float or array_like or callable
            In eV, as for `Electrons`.
        positions, terms : optional
            As for `Electrons`.

        Returns
        -------
        Electrons
            On N sites.

        Raises
        ------
        ValueError
            One line for each argument that is not of this kind.
        """
        problems = Problems("Electrons")
        matrix = hermitian(problems, "hamiltonian", hamiltonian)
        problems.raise_all()
        return cls(sp.kron(matrix, sp.eye_array(2), format="csr"), j_sd, positions, terms)

    def drives(self) -> tuple[Drive, ...]:
        """All that changes in time: the terms' drives and the sd coupling's."""
        of_terms = tuple(drive for term in self.terms for drive in term.drives())
        return of_terms if self.j_drive is None else (*of_terms, self.j_drive)

    @property
    def mean_fields(self) -> tuple[MeanField, ...]:
        """The terms that depend on the density matrix."""
        return tuple(term for term in self.terms if isinstance(term, MeanField))

    @cached_property
    def device(self) -> DeviceHamiltonian:
        """H_0 and the terms as functions of time and density matrix."""
        return DeviceHamiltonian(self.hamiltonian, self.terms, self.positions)

    @property
    def has_terms(self) -> bool:
        """Whether H is more than H_0 - J_sd sigma.M with constants."""
        return bool(self.terms) or self.j_drive is not None

    @property
    def is_constant(self) -> bool:
        """Whether H depends on the moments alone: nothing changes in time or with the density."""
        return not self.drives() and not self.mean_fields

    def j_sd_at(self, time: float) -> np.ndarray:
        """J_sd in eV at `time` (fs), that of t = 0 before it, (N,)."""
        if self.j_drive is None:
            return self.j_sd
        value = np.asarray(self.j_drive(max(time, 0.0)), dtype=float)
        if value.shape not in ((), self.j_sd.shape):
            allowed = f"a number, or {self.j_sd.size} of them"
            raise ValueError(f"Electrons.j_sd: shape {value.shape} at t = {time:g} fs; allowed: {allowed}")
        return np.broadcast_to(value, self.j_sd.shape)

    def j_sd_rate(self, time: float) -> np.ndarray:
        """dJ_sd/dt in eV/fs at `time` (fs), (N,)."""
        rate = 0.0 if self.j_drive is None else self.j_drive.rate(time)
        return np.broadcast_to(np.asarray(rate, dtype=float), self.j_sd.shape)

    def gershgorin(self, times: Sequence[float] = (0.0,), length: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends (eV) of the interval about each level of the device that holds it at all `times` (fs),
        whatever the density matrix is and moments up to the length `length` are, without leads, (2N,) each."""
        low, high = np.full(2 * self.n_sites, np.inf), np.full(2 * self.n_sites, -np.inf)
        for time in times:
            center, radius = self.device.discs(time)
            radius = radius + np.repeat(length * np.abs(self.j_sd_at(time)) + self._reach, 2)
            low, high = np.minimum(low, center - radius), np.maximum(high, center + radius)
        return low, high

    @cached_property
    def _reach(self) -> np.ndarray:
        """Largest eigenvalue of all mean fields at each site in eV, (N,)."""
        return sum((term.reach(self.n_sites) for term in self.mean_fields), np.zeros(self.n_sites))

    def frozen(self, time: float = 0.0, density_blocks: np.ndarray | None = None) -> Electrons:
        """The electrons of one instant, without terms: H(t) with the mean fields of rho_ii (N, 2, 2), if given."""
        if not self.has_terms:
            return self
        return Electrons(self.device.matrix(time, density_blocks), self.j_sd_at(time), self.positions)

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return self.hamiltonian.shape[0] // 2

    @property
    def bonds(self) -> np.ndarray:
        """Pairs (i, j), i < j, of sites that H connects at any time, shape (n_bonds, 2), in lexical order."""
        return self.device.bonds

    @cached_property
    def onsite_blocks(self) -> np.ndarray:
        """H_ii in eV of every site at t = 0, without mean fields, shape (N, 2, 2)."""
        return self.device.onsite_blocks(self.device.elements(0.0))

    @cached_property
    def hopping_blocks(self) -> np.ndarray:
        """H_ji in eV of every bond (i, j) at t = 0, shape (n_bonds, 2, 2)."""
        return self.device.hopping_blocks(self.device.elements(0.0))

    def hamiltonian_at(
        self, moments: np.ndarray, time: float = 0.0, density_blocks: np.ndarray | None = None
    ) -> np.ndarray:
        """H(M, t, rho) in eV as a dense array.

        Parameters
        ----------
        moments : ndarray, (N, 3)
            Unit vectors M.
        time : float, default 0.0
            In fs.
        density_blocks : ndarray, (N, 2, 2), optional
            Density matrices rho_ii of the sites; None leaves mean fields out.

        Returns
        -------
        ndarray, (2N, 2N)
            In eV.
        """
        matrix = self.device.matrix(time, density_blocks).toarray()
        blocks = -np.einsum("i,ia,ast->ist", self.j_sd_at(time), moments, PAULI)
        view = matrix.reshape(self.n_sites, 2, self.n_sites, 2)
        sites = np.arange(self.n_sites)
        view[sites, :, sites, :] += blocks
        return matrix


@readable
def chain(
    n_sites: SiteCount, hopping: EnergyPerBond = 1.0, j_sd: Coupling = 0.0, onsite: EnergyPerSite = 0.0, *,
    positions: Positions = None, terms: Any = (),
) -> Electrons:
    """Tight-binding chain, the wire of the paper.

    Parameters
    ----------
    n_sites : int
        Number of sites N.
    hopping : float or array_like, default 1.0
        gamma in eV, one number or one for each of the N - 1 bonds.
    j_sd : float or array_like or callable, default 0.0
        sd coupling in eV, one number or one for each site, or a function of time (fs) that returns either.
    onsite : float or array_like, default 0.0
        On-site energy e in eV, one number or one for each site.
    positions : array_like, (N,) or (N, 3), optional
        Of the sites in nm, (N,) along x; None where no term needs them.
    terms : list, default ()
        Terms of the Hamiltonian, as for `Electrons`.

    Returns
    -------
    Electrons
        On N sites.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    Without its terms, ::

        H = -sum_i gamma_i (c_i^dag c_{i+1} + h.c.) + sum_i e_i c_i^dag c_i - sum_i J_i c_i^dag (sigma . M_i) c_i

    Examples
    --------
    >>> wire = ln.chain(7, hopping=1.0, j_sd=0.1)
    >>> wire
    Electrons(hamiltonian=<14 x 14 sparse array>, j_sd=0.1)
    """
    problems = Problems("chain")
    count = problems.sites("n_sites", n_sites)
    if count is None:
        problems.raise_all()
        raise AssertionError("unreachable")
    gamma = problems.per_site("hopping", hopping, count - 1, "finite, in eV (one for each bond)")
    levels = problems.per_site("onsite", onsite, count, "finite, in eV")
    if not callable(j_sd):
        problems.per_site("j_sd", j_sd, count, "finite, in eV")
    problems.raise_all()
    assert gamma is not None and levels is not None
    matrix = sp.diags_array([-gamma, levels, -gamma], offsets=[-1, 0, 1]) if count > 1 else np.diag(levels)
    return Electrons.spinless(matrix, j_sd, positions, terms)


def _placed(problems: Problems, value: Any, n_sites: int) -> np.ndarray | None:
    """Positions as a read-only (N, 3) array."""
    if value is None:
        return None
    along_x = np.ndim(value) == 1 and np.size(value) == n_sites
    given = np.outer(value, [1.0, 0.0, 0.0]) if along_x else value
    allowed = f"({n_sites}, 3) finite numbers in nm, or {n_sites} along x"
    return problems.array("positions", given, (n_sites, 3), allowed)


def _checked_terms(problems: Problems, value: Any, n_sites: int, positions: np.ndarray | None) -> tuple[Any, ...]:
    """The terms as a tuple, each of them checked against the device."""
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    problems.check(listed, "terms", value, "a list of terms ([] for none)")
    for k, term in enumerate(value if listed else ()):
        is_term = isinstance(term, DeviceTerm | MeanField)
        if not problems.check(is_term, f"terms[{k}]", term, "a term, e.g. llgnegf.Gate(...) or llgnegf.Hubbard(...)"):
            continue
        try:
            term.check(n_sites, positions)
        except ValueError as error:
            problems.take(error, "terms", k)
    return tuple(value) if listed else ()

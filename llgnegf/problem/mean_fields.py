"""Mean fields: parts of the device Hamiltonian that depend on the density matrix of each site.

    H_i(rho_ii) is added to the on-site block of H_0,    E_int[rho] is what the interaction contributes to the energy

Where the field is the derivative of E_int, the electrons' energy Tr[rho H_0(t)] + E_int changes by the work of the
drives and by what leaves alone: Tr[rho H(rho)] counts each pair of electrons twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf._readable import Readable
from llgnegf.problem.arguments import EnergyPerSite
from llgnegf.problem.drives import Drive
from llgnegf.problem.matrices import PAULI

PROBES = 64
"""Density matrices of which a function of one's own is tried."""


class MeanField(Readable):
    """A Hermitian function of the site blocks rho_ii, (N, 2, 2)."""

    def drives(self) -> tuple[Drive, ...]:
        """Nothing changes by itself."""
        return ()

    def check(self, n_sites: int, positions: np.ndarray | None = None) -> None:
        """Raise ValueError, one line a mistake, for what does not fit a device of `n_sites` sites."""

    def field(self, blocks: np.ndarray) -> np.ndarray:
        """H_i in eV of rho_ii = `blocks`, both (N, 2, 2)."""
        raise NotImplementedError

    def energy(self, blocks: np.ndarray) -> float:
        """E_int in eV."""
        raise NotImplementedError

    def reach(self, n_sites: int) -> np.ndarray:
        """A bound (eV) on ``|H_i|`` over all density matrices, (N,)."""
        raise NotImplementedError

    @property
    def keeps_spin(self) -> bool:
        """Whether the field turns with the spins: the same function in every spin frame."""
        return False


@dataclass(frozen=True, eq=False)
class Hubbard(MeanField):
    """On-site repulsion U n_up n_down in mean field, in every spin direction alike.

    Parameters
    ----------
    U : float or array_like, (N,)
        In eV, a number or one for each site.

    Raises
    ------
    ValueError
        If it is neither.

    Notes
    -----
    The unrestricted Hartree-Fock field of the site's charge n_i and spin density s_i, and its energy, ::

        H_i = U_i [<n_i>/2 - <s_i>.sigma/2],    E_int = sum_i U_i (<n_i>^2 - <s_i>^2)/4

    Starts are self-consistent with it.

    Examples
    --------
    >>> wire = ln.chain(2, terms=[ln.Hubbard(2.0)])
    >>> half = 0.5 * np.tile(np.eye(2), (2, 1, 1))  # one electron on each site, no spin
    >>> print(wire.mean_fields[0].field(half)[0].real)  # U/2 for either spin, eV
    [[1. 0.]
     [0. 1.]]
    """

    U: EnergyPerSite

    def __post_init__(self) -> None:
        problems = Problems("Hubbard")
        count = np.size(self.U) if np.ndim(self.U) == 1 else 1
        problems.per_site("U", self.U, count, "finite, in eV")
        problems.raise_all()

    def check(self, n_sites: int, positions: np.ndarray | None = None) -> None:
        problems = Problems("Hubbard")
        problems.per_site("U", self.U, n_sites, "finite, in eV")
        problems.raise_all()

    def field(self, blocks: np.ndarray) -> np.ndarray:
        # n/2 - s.sigma/2 = Tr(rho) 1 - rho for a 2 x 2 matrix rho = (n + s.sigma)/2
        number = np.trace(blocks, axis1=1, axis2=2)
        strength = np.broadcast_to(np.asarray(self.U, dtype=float), number.shape)
        return strength[:, None, None] * (number[:, None, None] * np.eye(2) - blocks)

    def energy(self, blocks: np.ndarray) -> float:
        # (n^2 - s^2)/4 = det rho
        return float(np.sum(np.asarray(self.U) * np.linalg.det(blocks).real))

    def reach(self, n_sites: int) -> np.ndarray:
        return np.abs(np.broadcast_to(np.asarray(self.U, dtype=float), n_sites))  # 0 <= Tr(rho) 1 - rho <= 1

    @property
    def keeps_spin(self) -> bool:
        return True


@dataclass(frozen=True, eq=False)
class DensityDependent(MeanField):
    """Mean field of your own: a Hermitian function of the density matrix of the sites.

    Parameters
    ----------
    function : callable
        Density matrices rho_ii of all sites (N, 2, 2) -> H_i in eV (N, 2, 2), Hermitian.
    interaction : callable, optional
        The same -> E_int in eV, whose derivative the field is: dE_int = sum_i Tr[H_i drho_ii]. None leaves the
        interaction out of the energies; nothing else depends on it.

    Raises
    ------
    ValueError
        If they are no functions; on use, where `function` gives anything else.

    Examples
    --------
    A charging energy U n^2/2 on every site:

    >>> def charge(blocks):
    ...     return np.trace(blocks, axis1=1, axis2=2).real
    >>> term = ln.DensityDependent(
    ...     lambda blocks: 0.5 * charge(blocks)[:, None, None] * np.eye(2),
    ...     interaction=lambda blocks: 0.25 * np.sum(charge(blocks) ** 2),
    ... )
    >>> wire = ln.chain(3, terms=[term])
    """

    function: Callable[[np.ndarray], Any]
    interaction: Callable[[np.ndarray], float] | None = None

    def __post_init__(self) -> None:
        problems = Problems("DensityDependent")
        problems.check(callable(self.function), "function", self.function, "a function of rho_ii, (N, 2, 2)")
        given = self.interaction is None or callable(self.interaction)
        problems.check(given, "interaction", self.interaction, "a function of rho_ii, or None")
        problems.raise_all()

    def check(self, n_sites: int, positions: np.ndarray | None = None) -> None:
        problems = Problems("DensityDependent")
        allowed = f"finite Hermitian blocks in eV, shape ({n_sites}, 2, 2)"
        for blocks in _probes(n_sites):
            value = np.asarray(self.function(blocks))
            if problems.check(value.shape == (n_sites, 2, 2), "function", f"shape {value.shape}", allowed):
                off = np.abs(value - value.conj().transpose(0, 2, 1)).max()
                hermitian = bool(off < 1e-12 * max(1.0, np.abs(value).max()))
                problems.check(hermitian, "function", f"|H - H^dag| of {off:.3g}", allowed)
            problems.raise_all()

    def field(self, blocks: np.ndarray) -> np.ndarray:
        value = np.asarray(self.function(blocks), dtype=complex)
        return 0.5 * (value + value.conj().transpose(0, 2, 1))

    def energy(self, blocks: np.ndarray) -> float:
        return 0.0 if self.interaction is None else float(self.interaction(blocks))

    def reach(self, n_sites: int) -> np.ndarray:
        """From `PROBES` density matrices, empty and full ones among them, half as much again on top."""
        sizes = [np.linalg.norm(self.field(blocks), ord=2, axis=(1, 2)) for blocks in _probes(n_sites)]
        return 1.5 * np.max(sizes, axis=0)


def _probes(n_sites: int) -> Iterator[np.ndarray]:
    """rho_ii of some states, empty and full ones first, (N, 2, 2) each."""
    random = np.random.default_rng(0)
    for k in range(PROBES):
        charge = random.uniform(0, 2, n_sites) if k > 1 else np.full(n_sites, 2.0 * k)
        axis = random.normal(size=(n_sites, 3))
        spin = axis / np.linalg.norm(axis, axis=1)[:, None] * np.minimum(charge, 2 - charge)[:, None]
        yield 0.5 * (charge[:, None, None] * np.eye(2) + np.tensordot(spin, PAULI, axes=1))

"""A semi-infinite crystal as a lead: its blocks as channels, chains where it falls apart, matrices where it does not.

Above `leads` (the contract), `lead_blocks` (where a lead falls apart) and `periodic` (the self-energy of a block).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem.lead_blocks import APART, ZERO, Block, blocks_of, touched, upright
from llgnegf.problem.leads import Channel, LeadAtVoltage
from llgnegf.problem.matrix_spectra import MatrixSpectrum
from llgnegf.problem.periodic import PeriodicSpectrum, checked_cell
from llgnegf.problem.spectra import ChainSpectrum, Spectrum


@dataclass(frozen=True, eq=False)
class PeriodicLead(LeadAtVoltage):
    """Semi-infinite crystal of equal cells, each coupled to the next.

    Parameters
    ----------
    cell : array_like, (m, m)
        h_0 in eV, Hermitian: orbitals of a cell, spins among them, or those of either spin alike.
    hopping : array_like, (m, m)
        V in eV, from a cell (rows) to the next one further away from the device (columns).
    coupling : array_like, (2N, m) or (N, m)
        tau in eV, from the device (rows) to the first cell (columns): (2N, m) with spins, index 2 i + s; or (N, m),
        both spins alike, which doubles the lead.
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

    See Also
    --------
    Lattice.lead : Makes one of the ribbon that goes on at a side.
    from_kwant : Takes those of a kwant system.

    Notes
    -----
    The surface Green function g is found by decimation [1]_, ::

        Sigma(E) = tau g(E) tau^dag,      g(E) = [E - h_0 - V g(E) V^dag]^-1

    Where h_0, V and V^dag have a common block form, every block is a channel of its own; blocks of one orbital are
    chains of hopping ``|V_k|``, whose phases are a gauge of the lead. Blocks that tau does not touch are left out.

    References
    ----------
    .. [1] M. P. Lopez Sancho, J. M. Lopez Sancho, J. Rubio, J. Phys. F: Met. Phys. 15, 851 (1985).

    Examples
    --------
    Two coupled chains, spinless, attached to the two sites of a device: a channel for each mode and spin.

    >>> lead = ln.PeriodicLead(cell=[[0, -1], [-1, 0]], hopping=-np.eye(2), coupling=-np.eye(2))
    >>> len(lead.attach(2))
    4
    """

    cell: Any
    hopping: Any
    coupling: Any

    def __post_init__(self) -> None:
        problems = Problems("PeriodicLead")
        cell, hopping = checked_cell(problems, self.cell, self.hopping)
        m = None if cell is None else len(cell)
        allowed = "(2N, m), or (N, m) for both spins alike, finite numbers in eV, m orbitals of the cell"
        coupling = problems.array("coupling", self.coupling, (None, m), allowed, complex)
        self._check_reservoir(problems)
        problems.raise_all()
        for name, value in (("cell", cell), ("hopping", hopping), ("coupling", coupling)):
            object.__setattr__(self, name, value)

    def attach(self, n_sites: int) -> list[Channel]:
        """The channels on a device of `n_sites` sites; ValueError where tau has neither N nor 2N rows."""
        problems, rows = Problems("PeriodicLead"), len(self.coupling)
        allowed = f"{n_sites} rows (both spins alike) or {2 * n_sites}"
        problems.check(rows in (n_sites, 2 * n_sites), "coupling", f"shape {self.coupling.shape}", allowed)
        problems.raise_all()
        spins = (np.eye(2)[:, :1], np.eye(2)[:, 1:]) if rows == n_sites else (np.eye(1),)
        return [
            Channel(np.kron(columns, spin) if columns.ndim == 2 else np.kron(columns, spin[:, 0]), spectrum)
            for spin in spins for columns, spectrum in self._parts
        ]  # fmt: skip

    @cached_property
    def _parts(self) -> list[tuple[np.ndarray, Spectrum | MatrixSpectrum]]:
        """Device vectors and spectrum of every block that tau touches; equal blocks have one spectrum."""
        scale = max(float(np.abs(self.cell).max()), float(np.abs(self.hopping).max()), 1e-300)
        known: list[Spectrum | MatrixSpectrum] = []
        parts: list[tuple[np.ndarray, Spectrum | MatrixSpectrum]] = []
        for block in blocks_of(self.cell, self.hopping):
            seen, columns = touched(block, self.coupling)
            for column in columns:
                vectors, spectrum = _channel(seen, column, scale)
                same = next((one for one in known if _equal(one, spectrum, scale)), None)
                if same is None:
                    known.append(spectrum)
                parts.append((vectors, spectrum if same is None else same))
        return parts


def _channel(block: Block, columns: np.ndarray, scale: float) -> tuple[np.ndarray, Spectrum | MatrixSpectrum]:
    """A copy of a block with its columns tau (2N, d): a chain for d = 1, else what tau sees of it.

    tau = Q P with orthonormal rows P: only P g P^dag matters. Where tau has columns of zeros, P names the others.
    Phases of orbitals and the choice of Q are a gauge, fixed so that what is equal but for a gauge is equal.
    """
    hopping = float(np.abs(block.hopping[0, 0]))
    if len(block.cell) == 1 and hopping > ZERO * scale:
        return columns[:, 0], ChainSpectrum(1.0, hopping, float(block.cell[0, 0].real))
    if len(block.cell) == 1:
        return columns, PeriodicSpectrum(block.cell, np.zeros((1, 1)))
    phases = _phases(block)
    turn = phases.conj()[:, None] * phases
    block, columns = block._replace(cell=block.cell * turn, hopping=block.hopping * turn), columns * phases
    size = np.abs(columns).max()
    used = np.abs(columns).max(axis=0) > ZERO * size
    rows = np.linalg.svd(columns)[2][: int(np.sum(np.linalg.svd(columns, compute_uv=False) > ZERO * size))]
    rows = np.eye(len(used))[used] if len(rows) == used.sum() else rows
    rows = upright(rows) @ rows
    whole = len(rows) == len(block.cell)
    vectors = columns if whole else columns @ rows.conj().T
    return vectors, PeriodicSpectrum(block.cell, block.hopping, None if whole else rows)


def _phases(block: Block) -> np.ndarray:
    """Phases of the orbitals, (d,), with which each has an element of h_0, V or V^dag > 0 with one before it."""
    links = np.stack([block.cell, block.hopping, block.hopping.conj().T])
    phases, fixed = np.ones(len(block.cell), dtype=complex), [0]
    while len(fixed) < phases.size:
        open_ = np.setdiff1d(np.arange(phases.size), fixed)
        elements = phases[fixed].conj()[:, None] * links[:, fixed][:, :, open_]
        first = np.argmax(np.abs(elements) > APART * np.abs(elements).max())
        orbital, element = open_[first % open_.size], elements.ravel()[first]
        phases[orbital] = element.conj() / np.abs(element) if element else 1.0
        fixed.append(int(orbital))
    return phases


def _equal(one: Spectrum | MatrixSpectrum, other: Spectrum | MatrixSpectrum, scale: float) -> bool:
    """Whether two spectra are the same up to rounding."""
    if isinstance(one, ChainSpectrum) and isinstance(other, ChainSpectrum):
        return max(abs(one.hopping - other.hopping), abs(one.onsite - other.onsite)) < 1e-13 * scale
    if not (isinstance(one, PeriodicSpectrum) and isinstance(other, PeriodicSpectrum)):
        return False
    pairs = ((one.cell, other.cell), (one.hopping, other.hopping), (one.coupling, other.coupling))
    same_shape = all(a.shape == b.shape for a, b in pairs)
    return same_shape and all(np.abs(a - b).max() <= 1e-13 * max(scale, 1.0) for a, b in pairs)

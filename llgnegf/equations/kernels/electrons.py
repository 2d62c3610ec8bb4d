"""The compiled right-hand side of the electronic equation of motion: d(B, X)/d(t/hbar).

Called through `stages`; `equations.electrons` derives what is computed here; `layout` says what B and X are. Cost
O(nnz(H) (n + M + K) + M^2 + M K); nothing is allocated.

The M coupling modes and the K Fermi vectors are handled as one list of levels, modes first: a Fermi vector is a level
of energy z with kappa = 0 (nothing flows into it) and s = 1.

Phases, each of independent pieces of work, every piece with numbers of its own to write: `run_pieces` does some
of them, so that threads can share a phase, with the same bits however many there are.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf._compile import REORDERED, kernel, part
from llgnegf.equations.kernels.device import density_tiles, gather, level_columns, lower_rows
from llgnegf.equations.kernels.halves import take_diagonals
from llgnegf.equations.kernels.leads import levels_of, outflow, sd_coupling
from llgnegf.equations.kernels.levels import channel_block, join
from llgnegf.equations.layout import Layout

TILE, STRIP, GATHERED = 256, 32, 128
"""Largest number of rows and columns of a piece of rho, of rows of all levels' columns and of a half of rho, and of
columns of a piece of what is gathered. Levels' columns are not cut: the processor fetches long rows ahead."""
GATHER, LEVELS, JOIN, DEVICE = 0, 1, 2, 3
"""The phases: what the rows of B hand to the orbitals; the blocks X; what Fermi vectors are in modes; the rows of B."""


class Workspace(NamedTuple):
    """Memory of one call of `electronic_rhs`, and its pieces of work.

    Attributes:
        energy: Re chi + V and Re z + V of the levels, (M + K,).
        flow: Re and Im of the flow into the levels of two rows, for each piece that may be at work, (2, .., 2 (M + K));
            0 for Fermi vectors, into which nothing flows.
        edges: Where half of rho is stored: Re and Im of its rows that leads are attached to and of Z = sum_q u_q T_q
            there, (4, A 2N).
        sd: -J_i M_i, (N, 3).
        channels: Re and Im of a_q = u_q^dag B and of T_q of the orbitals, (4, Q (n + M + K)).
        vectors: Re and Im of what Fermi vectors hold of modes, F_q, (2, Q M).
        columns: Columns [first, last) of B that are one piece of what is gathered: those of rho, then those of levels,
            (pieces, 2).
        cuts: Rows [first, last), and columns of rho, that make its pieces, (.., 2).
        strips: Rows [first, last) of B that are one piece of levels' columns, (.., 2).
        tiles: Rows and columns of the pieces of rho as numbers of `cuts`, then -1 and the numbers of `strips`, (.., 2).
            Where half of rho is stored a piece is some whole rows, and its columns do not count.
    """

    energy: np.ndarray
    flow: np.ndarray
    edges: np.ndarray
    sd: np.ndarray
    channels: np.ndarray
    vectors: np.ndarray
    columns: np.ndarray
    cuts: np.ndarray
    strips: np.ndarray
    tiles: np.ndarray

    @classmethod
    def of(cls, layout: Layout, n_orbitals: int, n_touched: int) -> Workspace:
        """Zeros, and pieces of a size that fits the system's."""
        n, m, count = layout.n_states, layout.n_modes, layout.n_modes + layout.n_vectors
        columns = np.concatenate([_cut(0, n, GATHERED), _cut(n, n + count, GATHERED)])
        cuts, strips = _cut(0, n, TILE if layout.reach is None else STRIP), _cut(0, n if count else 0, STRIP)
        rows, left = np.tril_indices(len(cuts), 0, len(cuts) if layout.reach is None else 1)
        others = np.arange(len(strips))
        tiles = np.concatenate([[rows, left], [np.full_like(others, -1), others]], axis=1).T
        shapes = (
            (count,), (2, max(len(layout.modes), len(strips)), 2 * count), (4, n_touched * n), (n // 2, 3),
            (4, n_orbitals * (n + count)), (2, n_orbitals * m),
        )  # fmt: skip
        energy, flow, edges, sd, channels, vectors = (np.zeros(shape) for shape in shapes)
        return cls(energy, flow, edges, sd, channels, vectors, columns, cuts, strips, np.ascontiguousarray(tiles))


def _cut(first: int, last: int, longest: int) -> np.ndarray:
    """Pieces of equal length, whole vectors of the processor, none longer than `longest`, (pieces, 2)."""
    pieces = -(-(last - first) // longest)
    length = -(-(last - first) // max(pieces, 1) // 8) * 8
    cuts = np.minimum(first + length * np.arange(pieces + 1), last)
    return np.stack([cuts[:-1], cuts[1:]], axis=1)


@part(REORDERED)
def _shifted(e, orbitals, levels, voltage, energy):
    """Re chi + V and Re z + V."""
    for bound in e.bounds:
        if orbitals is None:
            for q in range(e.lead.size):
                for j in range(bound[q], bound[q + 1]):
                    energy[j] = levels.real[j] + voltage[q]
        else:
            for g in range(bound.size - 1):
                for j in range(bound[g], bound[g + 1]):
                    energy[j] = levels.real[j] + voltage[orbitals.bounds[g]]


@part(REORDERED)
def _planes(e, x):
    """Re and Im of the electrons."""
    return x[: e.n_complex], x[e.n_complex : 2 * e.n_complex]


@part(REORDERED)
def _gather(e, orbitals, diagonals, work, state, first, last):
    """Pieces of the first phase: what the rows of B hand to the orbitals."""
    real, imag = _planes(e, state)
    for k in range(first, last):
        gather(e, orbitals, diagonals, work, 2 * e.j_sd.size, slice(work.columns[k, 0], work.columns[k, 1]), real, imag)


@part(REORDERED)
def _levels(e, orbitals, work, state, derivative, first, last):
    """Pieces of the second phase: the blocks X."""
    (real, imag), (d_real, d_imag) = _planes(e, state), _planes(e, derivative)
    for p in range(first, last):
        channel_block(e, orbitals, work, 2 * e.j_sd.size, p, real, imag, d_real, d_imag)


@part(REORDERED)
def _device(e, orbitals, diagonals, work, state, derivative, first, last):
    """Pieces of the last phase: the rows of B."""
    (real, imag), (d_real, d_imag), n = _planes(e, state), _planes(e, derivative), 2 * e.j_sd.size
    for p in range(first, last):
        row, k = work.tiles[p]
        if row >= 0:
            rows, on = slice(work.cuts[row, 0], work.cuts[row, 1]), slice(work.cuts[k, 0], work.cuts[k, 1])
            if diagonals is None:
                density_tiles(e, work, n, rows, on, real, imag, d_real, d_imag)
            else:
                lower_rows(e, diagonals, work, rows, real, imag, d_real, d_imag)
        else:
            rows = slice(work.strips[k, 0], work.strips[k, 1])
            level_columns(e, orbitals, work, n, k, rows, real, imag, d_real, d_imag)


@part(REORDERED)
def _begin(e, diagonals, work, moments, voltage):
    """What all pieces of work need."""
    sd_coupling(e.j_sd, moments, work.sd)
    _shifted(e, e.orbitals, levels_of(e), voltage, work.energy)
    if diagonals is not None:
        take_diagonals(diagonals, e.hamiltonian, work.sd)


@part(REORDERED)
def _finish(e, work, derivative):
    """The flow into the leads."""
    out, shape = derivative[derivative.size - 5 * e.n_leads :], (e.lead.size, 2 * e.j_sd.size + work.energy.size)
    tr, ti = work.channels[2].reshape(shape), work.channels[3].reshape(shape)
    outflow(e, work.sd, tr, ti, out.reshape(e.n_leads, 5))


@part(REORDERED)
def electronic_rhs(e, work, moments, voltage, state, derivative):
    """d(electrons)/d(t/hbar), and the flow into the leads, into `derivative`; the moments' part is left alone.

    Args:
        e, work: `Electrons` and `Workspace`.
        moments: (N, 3).
        voltage: V_q(t) of every orbital in eV, (Q,).
        state, derivative: Vectors in the order of `layout`.
    """
    _begin(e, e.diagonals, work, moments, voltage)
    _gather(e, e.orbitals, e.diagonals, work, state, 0, work.columns.shape[0])
    _levels(e, e.orbitals, work, state, derivative, 0, e.bounds.shape[1] - 1)
    join(e, work, 2 * e.j_sd.size, 0, e.lead.size)
    _device(e, e.orbitals, e.diagonals, work, state, derivative, 0, work.tiles.shape[0])
    _finish(e, work, derivative)


@kernel(REORDERED, nogil=True)
def run_pieces(e, work, state, derivative, phase, first, last):
    """Some pieces of work of a phase of `electronic_rhs`, between `begin_rhs` and `finish_rhs`; other threads may do
    others of the same phase meanwhile."""
    if phase == GATHER:
        _gather(e, e.orbitals, e.diagonals, work, state, first, last)
    elif phase == LEVELS:
        _levels(e, e.orbitals, work, state, derivative, first, last)
    elif phase == JOIN:
        join(e, work, 2 * e.j_sd.size, first, last)
    else:
        _device(e, e.orbitals, e.diagonals, work, state, derivative, first, last)


@kernel(REORDERED)
def begin_rhs(e, work, moments, voltage):
    """What comes before the phases of `electronic_rhs`."""
    _begin(e, e.diagonals, work, moments, voltage)


@kernel(REORDERED)
def finish_rhs(e, work, derivative):
    """What comes after the phases of `electronic_rhs`."""
    _finish(e, work, derivative)

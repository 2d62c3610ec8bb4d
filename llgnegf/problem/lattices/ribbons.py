"""Ribbons: the unit cells that go on beyond a side of a lattice, as the blocks of a periodic lead.

Works on the positions and bond lengths of a lattice with the Hamiltonian of `hopping`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from llgnegf._checks import Problems
from llgnegf.problem.lattices.hopping import Hopping
from llgnegf.problem.matrices import PAULI

MOST_CELLS = 3
"""Unit cells that make one cell of a lead, where bonds reach beyond the next one."""


@dataclass(frozen=True, eq=False)
class Ribbon:
    """The device and the first two cells of a ribbon as one lattice.

    Attributes:
        positions: In nm, the device's first, (N + 2 m, 3).
        bonds, next_bonds: Pairs of which at least one site is in the ribbon, (n, 2).
        n_device, size: N, and the number m of sites in a cell.
        copies: Unit cells of the lattice in a cell.
        translation: From one cell to the next, nm, (3,).
    """

    positions: np.ndarray
    bonds: np.ndarray
    next_bonds: np.ndarray
    n_device: int
    size: int
    copies: int
    translation: np.ndarray

    @classmethod
    def of(cls, problems: Problems, lattice: Any, side: Any, hopping: Hopping) -> Ribbon:
        """That of a `Side` of a `Lattice`: sites of the ribbon are bonded with those at the distances of bonds.

        A cell has as many unit cells as it takes for all bonds to end in the next one. `problems` are noted in, and
        raised, where that does not go on the lattice.
        """
        n, step = lattice.n_sites, side.translation
        unit, (near, second) = lattice.positions[side.sites], lattice.lengths
        reach = near + second if hopping.next_hopping else near
        copies = next((k for k in range(1, MOST_CELLS + 1) if not _touch(unit, step, k, reach)), 0)
        allowed = f"a unit cell whose bonds end at most {MOST_CELLS} cells away"
        problems.check(copies > 0, "side", f"translation {step.tolist()} nm", allowed)
        problems.raise_all()
        cells = [unit + k * step for k in range(1, 2 * copies + 1)]
        positions = np.concatenate([lattice.positions, *cells])
        beyond = positions[n:]
        distance = scipy.spatial.cKDTree(lattice.positions).query(beyond)[0]
        free = bool(distance.min() > 1e-6 * max(near, default=1.0))
        problems.check(free, "side", "where it goes on there are sites of the device", "a side with nothing beyond it")
        inner = _within(lattice.bonds, side.sites)
        same = inner == _within(_pairs(lattice.positions[side.sites], near), np.arange(len(unit)), side.sites)
        allowed = "a side whose bonds are all pairs of sites at the same distances; ln.PeriodicLead takes any other"
        problems.check(same, "side", "bonds of the device's last cell that are not told by their length", allowed)
        problems.raise_all()
        bonds, others = (_outside(_pairs(positions, lengths), n) for lengths in (near, second))
        return cls(positions, bonds, others, n, copies * len(unit), copies, copies * step)

    def blocks(self, hopping: Hopping, levels: np.ndarray, exchange: np.ndarray) -> tuple[np.ndarray, ...]:
        """h_0 (2m, 2m), V (2m, 2m), tau (2N, 2m) in eV, for on-site energies of a unit cell and the exchange field."""
        each = levels[:, None, None] * np.eye(2) - np.einsum("a,ast->st", exchange, PAULI)
        within = np.concatenate([np.zeros((self.n_device, 2, 2)), *[each] * (2 * self.copies)])
        matrix = hopping.matrix(self.positions, self.bonds, self.next_bonds, within)
        n, m = 2 * self.n_device, 2 * self.size
        phase = np.repeat(np.exp(1j * hopping.gauge(self.positions[self.n_device :], self.translation)), 2)
        first, second = phase[:m], phase[m:]
        cell = first.conj()[:, None] * matrix[n : n + m, n : n + m].toarray() * first
        onward = first.conj()[:, None] * matrix[n : n + m, n + m :].toarray() * second
        return cell, onward, matrix[:n, n : n + m].toarray() * first


def _pairs(positions: np.ndarray, lengths: tuple[float, ...]) -> np.ndarray:
    """All pairs at one of these distances, (n, 2), i < j."""
    found = [np.zeros((0, 2), dtype=int)]
    for length in lengths:
        pairs = scipy.spatial.cKDTree(positions).query_pairs(length * (1 + 1e-6), output_type="ndarray")
        distance = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
        found.append(pairs[distance >= length * (1 - 1e-6)])
    return np.concatenate(found)


def _touch(unit: np.ndarray, step: np.ndarray, copies: int, lengths: tuple[float, ...]) -> bool:
    """Whether a unit cell has a bond with one more than `copies` cells away."""
    for further in range(copies + 1, 2 * MOST_CELLS + 1):
        distance = np.linalg.norm(unit[:, None] - (unit + further * step)[None], axis=-1)
        if any((np.abs(distance - length) <= 1e-6 * length).any() for length in lengths):
            return True
    return False


def _outside(pairs: np.ndarray, n_device: int) -> np.ndarray:
    """The pairs that are not of the device alone."""
    return pairs[pairs.max(axis=1) >= n_device]


def _within(pairs: np.ndarray, sites: np.ndarray, names: np.ndarray | None = None) -> set[frozenset[int]]:
    """The pairs between `sites`, by their `names` if given."""
    inside = pairs[np.isin(pairs, sites).all(axis=1)]
    named = inside if names is None else names[inside]
    return {frozenset(pair) for pair in named.tolist()}

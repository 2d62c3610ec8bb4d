"""Where a lead falls apart: irreducible blocks of its cell h_0 and hopping V, and which of them a device touches.

Stands between `periodic_leads`, which attaches the blocks, and the spectra. One rotation of the cell's orbitals brings
h_0, V and V^dag to block form together; the blocks are the irreducible representations of the algebra that they
generate, each as often as its multiplicity says (K. Murota, Y. Kanno, M. Kojima, S. Kojima, Jpn. J. Ind. Appl. Math.
27, 125 (2010) take a random element of the algebra apart, as is done here).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

ZERO = 1e-11
"""Matrix elements below this, relative to the lead's largest energy, are rounding."""
ROUNDING = 1e-12
"""What may be left of zeros when vectors are rotated, relative to the largest element."""
APART = 0.1
"""Elements that fix a gauge are the first ones that are larger than this part of the largest: which these are does not
depend on rounding."""
SEED = 20200912


class Block(NamedTuple):
    """`copies` of an irreducible block, with the same matrices.

    Attributes:
        cell, hopping: h_0 and V of the block, (d, d).
        orbitals: The block's basis for each copy, as columns of the lead's orbitals: (copies, m, d).
    """

    cell: np.ndarray
    hopping: np.ndarray
    orbitals: np.ndarray


def blocks_of(cell: np.ndarray, hopping: np.ndarray) -> list[Block]:
    """The irreducible blocks of a lead, (m, m) matrices; a single one if it does not fall apart."""
    scale = max(float(np.linalg.norm(cell, 2)), float(np.linalg.norm(hopping, 2)), 1e-300)
    adjoint = hopping.conj().T
    generators = np.stack([cell, hopping + adjoint, 1j * (hopping - adjoint)]) / scale
    if _all_diagonal(generators):  # nothing to rotate: names of orbitals stay
        levels, bases = np.arange(float(len(cell))), np.eye(len(cell), dtype=complex)
        return _assembled(cell, hopping, _components(generators, _clusters(levels), bases), scale)
    levels, states = np.linalg.eigh(_random_element(generators))
    components = _components(generators, _clusters(levels), states)
    return _assembled(cell, hopping, components, scale)


def touched(block: Block, coupling: np.ndarray) -> tuple[Block, np.ndarray]:
    """The block with as few copies as the device sees, and tau of each, (copies, 2N, d); tau (2N, m).

    Copies may be rotated among each other: the singular vectors of tau as a map from them separate what it sees, and
    are turned so that each copy sees as few orbitals as triangular rows do: where both spins are alike, one spin.
    """
    seen = np.stack([coupling @ basis for basis in block.orbitals])
    size = max(float(np.abs(coupling).max(initial=0.0)), 1e-300)
    flat = seen.reshape(len(seen), -1)
    left, weight, _ = np.linalg.svd(flat, full_matrices=False)
    turn = left[:, : int(np.sum(weight > ZERO * size))].conj().T
    if len(turn):
        turn = upright(turn @ flat) @ turn
    turned = np.einsum("kc,cmd->kmd", turn, block.orbitals)
    columns = np.einsum("kc,cnd->knd", turn, seen).astype(complex)
    for part in (columns.real, columns.imag):
        part[np.abs(part) <= ROUNDING * size] = 0.0
    return block._replace(orbitals=turned), columns


def upright(rows: np.ndarray) -> np.ndarray:
    """The rotation (r, r) that makes rows (r, m) of rank r triangular, and > 0 on the diagonal, in the first r columns
    that are apart from those before."""
    picked, rest = list[int](), rows
    for _ in rows:
        size = np.linalg.norm(rest, axis=0)
        picked.append(int(np.argmax(size > APART * size.max())))
        along = rest[:, picked[-1]] / size[picked[-1]]
        rest = rest - np.outer(along, along.conj() @ rest)
    q, r = np.linalg.qr(rows[:, picked])
    return np.asarray((q * (np.diagonal(r) / np.abs(np.diagonal(r)))).conj().T)


def _all_diagonal(generators: np.ndarray) -> bool:
    return not np.any(np.abs(generators * (1 - np.eye(generators.shape[1]))) > ZERO)


def _random_element(generators: np.ndarray) -> np.ndarray:
    """A Hermitian element of the algebra, generic up to third order."""
    rng = np.random.default_rng(SEED)
    first, second, third = (np.tensordot(rng.normal(size=3), generators, axes=1) for _ in range(3))
    product = first @ second
    total = third + product + product.conj().T + 1j * (product - product.conj().T)
    triple = product @ third
    return total + 0.5 * (triple + triple.conj().T)


def _clusters(levels: np.ndarray) -> list[np.ndarray]:
    """Indices of equal levels."""
    apart = np.flatnonzero(np.diff(levels) > 1e3 * ZERO * max(1.0, np.abs(levels).max(initial=0.0))) + 1
    return np.split(np.arange(levels.size), apart)


def _components(generators: np.ndarray, clusters: list[np.ndarray], states: np.ndarray) -> list[list[np.ndarray]]:
    """Eigenspaces that the generators connect, all bases of one component being carried over from its first.

    Between two eigenspaces of one irreducible block an element of the algebra is a number times an isometry of the
    copies (Schur's lemma): its polar factor carries the basis over. Eigenspaces for which this fails, which equal
    levels by chance would be, stay together as one block.
    """
    rest = [states[:, cluster] for cluster in clusters]
    found = []
    while rest:
        members = [rest.pop(0)]
        for member in members:
            for other in list(rest):
                links = [other.conj().T @ g @ member for g in generators]
                link = max(links, key=lambda matrix: float(np.abs(matrix).max()))
                if np.abs(link).max() <= ZERO * np.sqrt(len(states)):
                    continue
                rest = [space for space in rest if space is not other]
                members.append(_carried(link, other))
        found.append(members)
    return found


def _carried(link: np.ndarray, space: np.ndarray) -> np.ndarray:
    left, size, right = np.linalg.svd(link, full_matrices=False)
    alike = link.shape[0] == link.shape[1] and size[-1] > (1 - 1e-4) * size[0]
    return space @ (left @ right) if alike else space


def _assembled(
    cell: np.ndarray, hopping: np.ndarray, components: list[list[np.ndarray]], scale: float
) -> list[Block]:
    """Blocks from components: copy c takes the c-th vector of every eigenspace, if these are copies."""
    found = []
    for spaces in components:
        copies = spaces[0].shape[1]
        if all(space.shape[1] == copies for space in spaces):
            orbitals = np.stack([np.stack([space[:, c] for space in spaces], axis=1) for c in range(copies)])
            own = orbitals.conj().swapaxes(1, 2) @ np.stack([cell, hopping])[:, None] @ orbitals
            basis = np.concatenate(list(orbitals), axis=1)
            whole = basis.conj().T @ np.stack([cell, hopping]) @ basis
            mean = own.mean(axis=1)
            parts = np.stack([np.kron(np.eye(copies), one) for one in mean])
            if np.abs(whole - parts).max() <= 1e2 * ZERO * scale:
                found.append(Block(_hermitian(mean[0]), mean[1], orbitals))
                continue
        basis = np.concatenate(spaces, axis=1)
        own = basis.conj().T @ np.stack([cell, hopping]) @ basis
        found.append(Block(_hermitian(own[0]), own[1], basis[None]))
    return found


def _hermitian(matrix: np.ndarray) -> np.ndarray:
    return 0.5 * (matrix + matrix.conj().T)

"""Green functions of nearest-neighbour chains by block-tridiagonal recursion: O(N) for each energy.

Called by `views` (densities on sites and bonds), `window` and `pairs`; `green` is the general, dense counterpart.

E - H - Sigma(E) has 2 x 2 blocks A_i on the diagonal and -H_{i,i+1} beside it when H connects only neighbours and each
lead couples to one site. With the ends to the left and right of a site folded into it (F. Guinea et al., Phys. Rev. B
28, 4397 (1983); the recursive Green function),
    g^L_i = [A_i - H_{i,i-1} g^L_{i-1} H_{i-1,i}]^-1,     g^R_i = [A_i - H_{i,i+1} g^R_{i+1} H_{i+1,i}]^-1
    G_ii = [A_i - H_{i,i-1} g^L_{i-1} H_{i-1,i} - H_{i,i+1} g^R_{i+1} H_{i+1,i}]^-1
    G_{i,i+1} = g^L_i H_{i,i+1} G_{i+1,i+1},    G_{i+1,i} = G_{i+1,i+1} H_{i+1,i} g^L_i
    G_{i+1,s} = g^R_{i+1} H_{i+1,i} G_is  for i >= s,  and its mirror image
G_ii comes from both sides and not from g^L alone, whose poles (levels of a half chain) would have to cancel.
G X G for a block-diagonal X is dG/dlambda of H + lambda X: every line above differentiated (forward mode, exact).

Arrays here have the energies last, (..., 2, 2, n): numpy's loops then run over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.static.green import StaticDevice

TINY = 1e-30j
"""Keeps blocks invertible; below round-off of anything that is not exactly zero."""
LARGE_END = 100.0
"""|g| max |H_{i,i+1}| of a part of the chain up to which round-off, multiplied by its square in G X G, does not count;
its square for G alone."""
PART = 16
"""Sites that are treated at a time where sites do not depend on one another."""


def is_chain(device: StaticDevice) -> bool:
    """True when H connects only neighbouring sites and every channel is scalar and couples to a single site."""
    n_sites = device.size // 2
    if device.has_matrices:
        return False
    rows, columns = device.entries
    if rows.size and np.abs(rows // 2 - columns // 2).max() > 1:
        return False
    weight = np.abs(device.vectors).reshape(n_sites, 2, -1).max(axis=1, initial=0.0)
    # Projections of a lead's vectors leave round-off on the other sites.
    occupied = weight > 1e-14 * weight.max(axis=0, initial=0.0)
    return bool((occupied.sum(axis=0) <= 1).all())


@dataclass(frozen=True, eq=False)
class ChainGreen:
    """Blocks of G(E) and G X G of a `device` for which `is_chain` holds."""

    device: StaticDevice

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return self.device.size // 2

    @cached_property
    def lead_sites(self) -> np.ndarray:
        """Site of each channel, (n_channels,)."""
        weight = np.abs(self.device.vectors).reshape(self.n_sites, 2, -1).max(axis=1, initial=0.0)
        return weight.argmax(axis=0) if self.device.channels else np.zeros(0, dtype=int)

    @cached_property
    def lead_spinors(self) -> np.ndarray:
        """The two amplitudes of each channel on its site, (n_channels, 2)."""
        vectors = self.device.vectors.reshape(self.n_sites, 2, -1)
        return vectors[self.lead_sites, :, np.arange(self.lead_sites.size)]

    @cached_property
    def _diagonal(self) -> np.ndarray:
        """H_ii, (N, 2, 2, 1)."""
        sites = np.arange(self.n_sites)
        return self._blocks[sites, sites][..., None]

    @cached_property
    def _hopping(self) -> np.ndarray:
        """H_{i,i+1}, (N - 1, 2, 2, 1)."""
        sites = np.arange(self.n_sites - 1)
        return self._blocks[sites, sites + 1][..., None]

    @property
    def _blocks(self) -> np.ndarray:
        n = self.n_sites
        return self.device.hamiltonian.reshape(n, 2, n, 2).transpose(0, 2, 1, 3)

    @property
    def _none(self) -> np.ndarray:
        """No perturbation."""
        return np.zeros((0, self.n_sites, 2, 2, 1), dtype=complex)

    def on_lead_sites(self, weights: np.ndarray) -> np.ndarray:
        """sum_q w_q u_q u_q^dag as blocks, (N, 2, 2, n), for weights (n, n_channels)."""
        blocks = np.zeros((self.n_sites, 2, 2, weights.shape[0]), dtype=complex)
        for site, u, w in zip(self.lead_sites, self.lead_spinors, weights.T, strict=True):
            blocks[site] += np.outer(u, u.conj())[..., None] * w
        return blocks

    def local_blocks(self, energy: np.ndarray, perturbations: np.ndarray | None = None) -> np.ndarray:
        """Site and bond blocks of G(E) and of G X_p G, for energies (n,) with Im E >= 0.

        Args:
            perturbations: X_p as blocks (P, N, 2, 2, n or 1); None for G alone.

        Returns:
            (n, 1 + P, 3 N - 2, 2, 2): F_ii, then F_{i,i+1}, then F_{i+1,i}, for F = G, G X_1 G, ...
        """
        upper, lower, _ = self.band_blocks(energy, 1, perturbations)
        return np.concatenate([upper[0], *upper[1:], *lower[1:]], axis=1).transpose(4, 0, 1, 2, 3)

    def band_blocks(
        self, energy: np.ndarray, distance: int, perturbations: np.ndarray | None = None
    ) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
        """Blocks of G(E) and G X_p G up to `distance` sites off the diagonal, for energies (n,) with Im E >= 0.

            G_{i,i+d} = g^L_i H_{i,i+1} G_{i+1,i+d},    G_{i+d,i} = g^R_{i+d} H_{i+d,i+d-1} G_{i+d-1,i},
        and for G X G the same lines differentiated: O(N) for each distance and energy.

        Args:
            perturbations: X_p as blocks (P, N, 2, 2, n or 1); None for G alone.

        Returns:
            Upper blocks F_{i,i+d} and lower ones F_{i+d,i}, F = G, G X_1 G, ..., each (1 + P, N - d, 2, 2, n) for
            d = 0 ... distance; and where they can be trusted, (n,): not next to a level of a part of the chain, whose
            Green function then swallows everything else in round-off (see `LARGE_END`).
        """
        x = self._none if perturbations is None else perturbations
        inverse = self._inverse(energy)
        left, left_change, right, right_change = ends = self._ends(inverse, x)
        hop, back, n = self._hopping, adjoint_blocks(self._hopping), self.n_sites
        site = np.empty((1 + len(x), n, 2, 2, energy.size), dtype=complex)
        self._fill_sites(site[0], site[1:], inverse, x, ends)
        upper, lower = [site], [site]
        for d in range(1, min(distance, n - 1) + 1):
            i, j = slice(0, n - d), slice(d - 1, n - 1)
            upper.append(_moved(left[i], left_change[:, i], hop[i], upper[-1][:, 1:]))
            lower.append(_moved(right[1:][j], right_change[:, 1:][:, j], back[j], lower[-1][:, :-1]))
        size = np.maximum(np.abs(left).max(axis=(0, 1, 2)), np.abs(right).max(axis=(0, 1, 2)))
        limit = LARGE_END**2 if perturbations is None else LARGE_END
        return upper, lower, size * float(np.abs(hop).max(initial=0.0)) < limit

    def columns(self, energy: np.ndarray) -> np.ndarray:
        """G(E) u_q on every site, (N, 2, n_channels, n), for energies (n,) with Im E >= 0."""
        inverse = self._inverse(energy)
        left, _, right, _ = self._ends(inverse, self._none)
        hop, back = self._hopping, adjoint_blocks(self._hopping)
        rightward, leftward = product(right[1:], back), product(left[:-1], hop)
        out = np.empty((self.n_sites, 2, self.lead_sites.size, energy.size), dtype=complex)
        for s in np.unique(self.lead_sites):
            own = np.flatnonzero(self.lead_sites == s)
            block = inverse[s]
            if s > 0:
                block = block - product(back[s - 1], left[s - 1], hop[s - 1])
            if s < self.n_sites - 1:
                block = block - product(hop[s], right[s + 1], back[s])
            u = self.lead_spinors[own].T[..., None]
            out[s, :, own] = product(inverse_blocks(block), u).transpose(1, 0, 2)
            for i in range(s, self.n_sites - 1):
                out[i + 1, :, own] = product(rightward[i], out[i, :, own].transpose(1, 0, 2)).transpose(1, 0, 2)
            for i in range(s - 1, -1, -1):
                out[i, :, own] = product(leftward[i], out[i + 1, :, own].transpose(1, 0, 2)).transpose(1, 0, 2)
        return out

    def phase(self, energy: np.ndarray) -> np.ndarray:
        """arg det(E - H - Sigma), (n,), continuous in the real energy E; it falls by pi across every level.

        Im(E - H - Sigma) >= 0, and so are the imaginary parts of all blocks that are eliminated: the phases of their
        eigenvalues lie in [0, pi], nothing is defined up to 2 pi only. Without leads it is pi times Sturm's count.
        """
        inverse = self._inverse(energy.astype(complex))
        hop, back = self._hopping, adjoint_blocks(self._hopping)
        for i in range(1, self.n_sites):
            inverse[i] -= product(back[i - 1], inverse_blocks(inverse[i - 1]), hop[i - 1])
        half = 0.5 * (inverse[:, 0, 0] + inverse[:, 1, 1])
        root = np.sqrt(half**2 - (inverse[:, 0, 0] * inverse[:, 1, 1] - inverse[:, 0, 1] * inverse[:, 1, 0]))
        values = np.stack([half + root, half - root])
        return np.arctan2(np.maximum(values.imag, 0.0), values.real).sum(axis=(0, 1))

    def _inverse(self, energy: np.ndarray) -> np.ndarray:
        """A_i = E - H_ii - Sigma_i(E), (N, 2, 2, n)."""
        sigma = self.on_lead_sites(self.device.self_energies(energy))
        # A real energy that is a level of a half chain to the last bit: its g would be 1/0, it only has to be huge.
        return (energy + TINY) * np.eye(2)[..., None] - self._diagonal - sigma

    def _fill_sites(
        self, site: np.ndarray, change: np.ndarray, inverse: np.ndarray, x: np.ndarray, ends: tuple[np.ndarray, ...]
    ) -> None:
        """G_ii into `site` (N, 2, 2, n) and (G X_p G)_ii into `change` (P, N, 2, 2, n), from `_ends`."""
        left, left_change, right, right_change = ends
        hop, back, n = self._hopping, adjoint_blocks(self._hopping), self.n_sites
        site[:], change[:] = inverse, x
        # A part of the chain at a time: the temporaries stay in cache.
        for low in range(0, n - 1, PART):
            i = slice(low, min(low + PART, n - 1))
            j = slice(i.start + 1, i.stop + 1)
            site[j] -= product(back[i], left[i], hop[i])
            site[i] -= product(hop[i], right[j], back[i])
            change[:, j] += product(back[i], left_change[:, i], hop[i])
            change[:, i] += product(hop[i], right_change[:, j], back[i])
        for low in range(0, n, PART):
            i = slice(low, low + PART)
            site[i] = inverse_blocks(site[i])
            change[:, i] = product(site[i], change[:, i], site[i])

    def _ends(self, inverse: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """g^L, its changes, g^R, its changes: (N, 2, 2, n) and (P, N, 2, 2, n). Both sweeps run in one loop."""
        n, energies = self.n_sites, inverse.shape[-1]
        hop, back = self._hopping, adjoint_blocks(self._hopping)
        inward, outward = np.stack([back, hop[::-1]], axis=1), np.stack([hop, back[::-1]], axis=1)
        # First axis: how many sites are folded in; second: from the left, from the right.
        g = np.empty((n, 2, 2, 2, energies), dtype=complex)
        change = np.empty((n, x.shape[0], 2, 2, 2, energies), dtype=complex)
        for i in range(n):
            block = np.stack([inverse[i], inverse[n - 1 - i]])
            if i > 0:
                block -= product(inward[i - 1], g[i - 1], outward[i - 1])
            g[i] = inverse_blocks(block)
            if x.shape[0]:
                moved = np.stack([x[:, i], x[:, n - 1 - i]], axis=1)
                if i > 0:
                    moved = moved + product(inward[i - 1], change[i - 1], outward[i - 1])
                change[i] = product(g[i], moved, g[i])
        forward, backward = change[:, :, 0].swapaxes(0, 1), change[::-1, :, 1].swapaxes(0, 1)
        return g[:, 0], forward, g[::-1, 1], backward


def _moved(end: np.ndarray, change: np.ndarray, hop: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """p F and its change, p = g h: p G for G in blocks[0], pdot G + p F for F = G X G in blocks[1:]."""
    out = np.empty_like(blocks)
    for low in range(0, blocks.shape[1], PART):
        i = slice(low, low + PART)
        out[:, i] = product(product(end[i], hop[i]), blocks[:, i])
        out[1:, i] += product(product(change[:, i], hop[i]), blocks[0, i])
    return out


def product(first: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Matrix product in the axes -3 and -2 of (..., 2, k, n) arrays, the others broadcast."""
    result = first
    for b in others:
        a = result
        result = a[..., :, 0, None, :] * b[..., None, 0, :, :]
        result += a[..., :, 1, None, :] * b[..., None, 1, :, :]
    return result


def inverse_blocks(blocks: np.ndarray) -> np.ndarray:
    """Inverse of (..., 2, 2, n) in the axes -3 and -2: adjugate over determinant."""
    a, b, c, d = blocks[..., 0, 0, :], blocks[..., 0, 1, :], blocks[..., 1, 0, :], blocks[..., 1, 1, :]
    factor = 1 / (a * d - b * c)
    out = np.empty_like(blocks)
    out[..., 0, 0, :], out[..., 0, 1, :] = d * factor, -b * factor
    out[..., 1, 0, :], out[..., 1, 1, :] = -c * factor, a * factor
    return out


def adjoint_blocks(blocks: np.ndarray) -> np.ndarray:
    """Hermitian conjugate of (..., 2, 2, n) in the axes -3 and -2."""
    return blocks.conj().swapaxes(-3, -2)

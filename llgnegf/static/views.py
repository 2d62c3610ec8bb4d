"""The two ways of holding G and products with it: whole matrices in the basis of the levels, or blocks along a chain.

What `steady_state` and `decomposition` integrate; the linear algebra is that of `green` and `recursion`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from llgnegf.problem.electrons import PAULI
from llgnegf.static.contour import adjoint, plus_adjoint
from llgnegf.static.green import StaticDevice
from llgnegf.static.level_sums import LevelParts, probes, summed_products
from llgnegf.static.local import LocalDensityMatrix
from llgnegf.static.quadrature import Sampled, scaled
from llgnegf.static.recursion import ChainGreen, adjoint_blocks
from llgnegf.static.weights import by_orbital, times, weighted
from llgnegf.static.window import Window, chain_window, window_panels

BLOCK_ENTRIES = 12
"""Complex numbers per site and energy by which a batch of blocks is sized."""

Density = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(origin (n,), offset (n,)) -> something at the real energies E = origin + offset, (n, ...)."""
COPIES = 10
"""Arrays of the size of G u that one energy needs in a sum of whole matrices."""


class Parts(Protocol):
    """One or several matrices F(z), G the first of them, for energies z (n,) with Im z > 0."""

    @property
    def total(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
        """(z, factors (n,)) -> sum_n factor_n F(z_n) as they are held, (parts, ...); None where `sample` gives all."""

    def sample(self, z: np.ndarray) -> np.ndarray:
        """What shows the errors of integrals over F, (n, parts, ...)."""

    def on_vectors(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """u^dag F, (n, parts, Q, d), and F u, (n, parts, d, Q), in the basis of the ends."""


class WindowTooNarrow(ArithmeticError):
    """A resonance on the real axis is too narrow for energies measured from 0; whole matrices resolve it."""


@dataclass(frozen=True, eq=False)
class LeadEnds:
    """Columns u (d, Q) of the leads' orbitals and O u (4, d, Q), O = 1, sigma_x, sigma_y, sigma_z, in some basis.

    Weights are (n, Q) or (n, Q, Q) as in `weights`; what is returned for each column is to be summed over those of a
    lead.
    """

    vectors: np.ndarray
    turned: np.ndarray

    def commutators(self, weights: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Tr O [u W u^dag, F], (n, 4, Q), from u^dag F (n, Q, d) and F u (n, d, Q)."""
        ahead = _apart(rows @ self._side_by_side)
        behind = _apart(self._side_by_side.conj().T @ columns, rows=True)
        return by_orbital(weights, ahead - behind)

    def rates(self, columns: np.ndarray, sigma: np.ndarray, delta: np.ndarray) -> np.ndarray:
        """Tr O{-i (Sigma_p W + delta_p G^dag) + h.c.}, W = G delta G^dag, (n, 4, Q), from C = G u (n, d, Q).

        Tr O u Sigma u^dag W = Tr Sigma (u^dag C) delta (C^dag O u) and Tr O u delta u^dag G^dag = Tr delta C^dag O u;
        twice the imaginary part of the sum is asked for.
        """
        overlap = self.vectors.conj().T @ columns
        bras = _apart(adjoint(columns) @ self._side_by_side)
        scattered = np.einsum("nqr,norq->noq", weighted(times(sigma, overlap), delta), bras)
        return 2 * (scattered + by_orbital(delta, bras)).imag

    @cached_property
    def _side_by_side(self) -> np.ndarray:
        """O u of all O, (d, 4 Q)."""
        return self.turned.transpose(1, 0, 2).reshape(len(self.vectors), -1)


def _apart(matrices: np.ndarray, rows: bool = False) -> np.ndarray:
    """(n, 4, Q, Q) from four blocks side by side, (n, Q, 4 Q), or one below the other, (n, 4 Q, Q)."""
    n, size = len(matrices), min(matrices.shape[1:])
    return matrices.reshape(n, 4, size, size) if rows else matrices.reshape(n, size, 4, size).swapaxes(1, 2)


@dataclass(frozen=True, eq=False)
class InLevels:
    """Whole matrices in the basis of the levels: any device, O(N^2) for each energy. Other views override all of it."""

    device: StaticDevice

    @property
    def entries(self) -> int:
        """Complex numbers handled at one energy; n^2 where the low-rank form fails."""
        size, columns = self.device.vectors.shape
        return COPIES * size * (columns + 1) + size**2 // 4

    @property
    def unit(self) -> np.ndarray:
        """1, as it is held."""
        return np.eye(self.device.size)

    @cached_property
    def ends(self) -> LeadEnds:
        """The channels' vectors in the basis of `on_ends`."""
        turned = self.device.levels[1].conj().T @ spin_operators(self.device.vectors)
        return LeadEnds(self.device.level_vectors, turned)

    def plus_adjoint(self, matrices: np.ndarray) -> np.ndarray:
        """F + F^dag, as they are held; may reuse F."""
        return plus_adjoint(matrices)

    def green(self) -> Parts:
        """G alone."""
        return LevelParts(self.device)

    def parts(self, turn: np.ndarray, weights: Callable[[np.ndarray], np.ndarray]) -> Parts:
        """G, G X G with X = `turn` (2, 2) on every site, and G Y G with Y = u W(z) u^dag."""
        states = self.device.levels[1]
        turned = (turn @ states.reshape(-1, 2, len(states))).reshape(states.shape)
        return LevelParts(self.device, states.conj().T @ turned, weights)

    def columns(self, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """G u at real energies origin + offset."""
        return self.device.retarded_columns(origin, offset)

    def on_all_sites(self, columns: np.ndarray) -> np.ndarray:
        """G u on the sites, (n, N, 2, Q), of what `columns` gave."""
        columns = self.device.levels[1] @ columns
        return columns.reshape(len(columns), -1, 2, columns.shape[-1])

    def spectral(self, columns: Density, weights: Density) -> Sampled:
        """G u W (G u)^dag as an integrand of what `columns` gives and of weights (n, Q) or (n, Q, Q), both functions of
        origin and offset."""
        p = probes(self.device.size).conj().T

        def sample(origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            seen = p @ columns(origin, offset)
            return weighted(seen, weights(origin, offset)) @ adjoint(seen)

        def total(origin: np.ndarray, offset: np.ndarray, factors: np.ndarray) -> np.ndarray:
            found = columns(origin, offset)
            return summed_products(weighted(found, scaled(weights(origin, offset), factors)), adjoint(found))

        return Sampled(sample, total)

    def columns_on_ends(self, columns: np.ndarray) -> np.ndarray:
        """All that lead currents take of G u, (n, d, Q)."""
        return columns

    def window(self, lower: float, upper: float, points: np.ndarray) -> Window:
        """Panels of the real axis; WindowTooNarrow where this view does not resolve a resonance."""
        return window_panels(self.device, lower, upper, points)

    def on_sites(self, matrix: np.ndarray) -> Any:
        """A matrix as it is held as the density matrix that is handed out."""
        states = self.device.levels[1]
        return self.cut(states @ matrix @ states.conj().T)

    def cut(self, rho: np.ndarray) -> Any:
        """The same from a density matrix (2N, 2N) on the sites."""
        return rho


class InLevelsCut(InLevels):
    """`InLevels`, of whose density matrices the sites and bonds of a chain are handed out."""

    def cut(self, rho: np.ndarray) -> Any:
        return LocalDensityMatrix.cut(rho)


@dataclass(frozen=True, eq=False)
class OnChain(InLevelsCut):
    """Blocks on sites and bonds, (3 N - 2, 2, 2) as `ChainGreen.local_blocks` orders them: an open chain, O(N) for each
    energy. Spin and charge densities, torques, bond and lead currents need nothing else."""

    @cached_property
    def chain(self) -> ChainGreen:
        """Green functions of the device."""
        return ChainGreen(self.device)

    @property
    def entries(self) -> int:
        return BLOCK_ENTRIES * self.chain.n_sites

    @property
    def unit(self) -> np.ndarray:
        n = self.chain.n_sites
        blocks = np.zeros((3 * n - 2, 2, 2))
        blocks[:n] = np.eye(2)
        return blocks

    @cached_property
    def sites(self) -> np.ndarray:
        """Sites with leads, (S,): what `on_ends` keeps."""
        return np.unique(self.chain.lead_sites)

    @cached_property
    def ends(self) -> LeadEnds:
        rows = (2 * self.sites[:, None] + np.arange(2)).ravel()
        return LeadEnds(self.device.vectors[rows], spin_operators(self.device.vectors)[:, rows])

    def plus_adjoint(self, matrices: np.ndarray) -> np.ndarray:
        n = self.chain.n_sites
        site, upper, lower = (matrices[..., a:b, :, :] for a, b in ((0, n), (n, 2 * n - 1), (2 * n - 1, 3 * n - 2)))
        site += adjoint(site)
        upper += adjoint(lower)
        lower[:] = adjoint(upper)
        return matrices

    def green(self) -> Parts:
        return _ChainParts(self, None, None)

    def parts(self, turn: np.ndarray, weights: Callable[[np.ndarray], np.ndarray]) -> Parts:
        return _ChainParts(self, turn, weights)

    def columns(self, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        return self.chain.columns(origin + offset)

    def on_all_sites(self, columns: np.ndarray) -> np.ndarray:
        return columns.transpose(3, 0, 1, 2)

    def spectral(self, columns: Density, weights: Density) -> Sampled:
        return Sampled(lambda *energy: self._blocks(columns(*energy), weights(*energy)))

    def _blocks(self, columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Blocks of C W C^dag, (n, 3 N - 2, 2, 2)."""
        n = self.chain.n_sites
        out = np.zeros((3 * n - 2, 2, 2, len(weights)), dtype=complex)
        for q, weight in enumerate(weights.T):
            ket = columns[:, :, None, q]
            bra = ket.conj().swapaxes(1, 2)
            ket = ket * weight
            out[:n] += ket * bra
            out[n : 2 * n - 1] += ket[:-1] * bra[1:]
        out[2 * n - 1 :] = adjoint_blocks(out[n : 2 * n - 1])
        return out.transpose(3, 0, 1, 2)

    def columns_on_ends(self, columns: np.ndarray) -> np.ndarray:
        own = columns[self.sites]
        return own.reshape(-1, *own.shape[2:]).transpose(2, 0, 1)

    def window(self, lower: float, upper: float, points: np.ndarray) -> Window:
        window = chain_window(self.chain, lower, upper, points)
        if window is None:
            raise WindowTooNarrow("a resonance in the window is narrower than the recursion resolves")
        return window

    def on_sites(self, matrix: np.ndarray) -> LocalDensityMatrix:
        return LocalDensityMatrix.unpack(matrix)


@dataclass(frozen=True, eq=False)
class _ChainParts:
    """`Parts` as blocks: G, and G X G, G Y G where there is a `turn`."""

    view: OnChain
    turn: np.ndarray | None
    weights: Callable[[np.ndarray], np.ndarray] | None
    total: None = None

    def sample(self, z: np.ndarray) -> np.ndarray:
        chain, x = self.view.chain, None
        if self.turn is not None and self.weights is not None:
            x = np.empty((2, chain.n_sites, 2, 2, z.size), dtype=complex)
            x[0], x[1] = self.turn[:, :, None], chain.on_lead_sites(self.weights(z))
        return chain.local_blocks(z, x)

    def on_vectors(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        blocks, sites, u = self.sample(z), self.view.sites, self.view.ends.vectors
        out = np.zeros((*blocks.shape[:2], sites.size, 2, sites.size, 2), dtype=complex)
        for k, site in enumerate(sites):
            out[:, :, k, :, k] = blocks[:, :, site]
        out = out.reshape(*blocks.shape[:2], 2 * sites.size, 2 * sites.size)
        return u.conj().T @ out, out @ u


def spin_operators(vectors: np.ndarray) -> np.ndarray:
    """O v for O = 1, sigma_x, sigma_y, sigma_z, (4, 2N, n), for columns v (2N, n)."""
    operators = np.concatenate([np.eye(2)[None], PAULI])
    spinors = vectors.reshape(-1, 2, vectors.shape[-1])
    return np.einsum("ost,itq->oisq", operators, spinors).reshape(4, *vectors.shape)

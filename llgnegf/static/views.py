"""The two ways of holding G and products with it: whole matrices in the basis of the levels, or blocks along a chain.

What `steady_state` and `decomposition` integrate; the linear algebra is that of `green` and `recursion`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf.problem.electrons import PAULI
from llgnegf.static.contour import adjoint, plus_adjoint
from llgnegf.static.green import StaticDevice
from llgnegf.static.local import LocalDensityMatrix
from llgnegf.static.recursion import ChainGreen, adjoint_blocks
from llgnegf.static.weights import by_orbital, times, weighted
from llgnegf.static.window import Window, chain_window, window_panels

BLOCK_ENTRIES = 12
"""Complex numbers per site and energy by which a batch of blocks is sized."""

Parts = Callable[[np.ndarray], np.ndarray]
"""z (n,) -> one or several matrices F as they are held, (n, parts, ...)."""


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

    def commutators(self, weights: np.ndarray, matrices: np.ndarray) -> np.ndarray:
        """Tr O [u W u^dag, F], (n, 4, Q), for F (n, d, d)."""
        u = self.vectors
        if weights.ndim == 2:
            right = np.einsum("iq,nij,ojq->noq", u.conj(), matrices, self.turned, optimize=True)
            left = np.einsum("oiq,nij,jq->noq", self.turned.conj(), matrices, u, optimize=True)
            return (right - left) * weights[:, None, :]
        ahead, behind = u.conj().T @ matrices, matrices @ u
        between = ahead[:, None] @ self.turned - self.turned.conj().swapaxes(-1, -2) @ behind[:, None]
        return by_orbital(weights, between)

    def rates(self, columns: np.ndarray, sigma: np.ndarray, delta: np.ndarray) -> np.ndarray:
        """Tr O{-i (Sigma_p W + delta_p G^dag) + h.c.}, W = G delta G^dag, (n, 4, Q), from C = G u (n, d, Q).

        Tr O u Sigma u^dag W = Tr Sigma (u^dag C) delta (C^dag O u) and Tr O u delta u^dag G^dag = Tr delta C^dag O u;
        twice the imaginary part of the sum is asked for.
        """
        overlap = np.einsum("kq,nkr->nqr", self.vectors.conj(), columns)
        bras = np.einsum("nkr,okq->norq", columns.conj(), self.turned)
        scattered = np.einsum("nqr,norq->noq", weighted(times(sigma, overlap), delta), bras)
        return 2 * (scattered + by_orbital(delta, bras)).imag


@dataclass(frozen=True, eq=False)
class InLevels:
    """Whole matrices in the basis of the levels: any device, O(N^2) for each energy. Other views override all of it."""

    device: StaticDevice

    @property
    def entries(self) -> int:
        """Complex numbers handled at one energy."""
        return 3 * self.device.size**2

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

    def green(self, z: np.ndarray) -> np.ndarray:
        """G at energies (n,) with Im z > 0, (n, 1, ...)."""
        return self.device.level_green(z).matrix()[:, None]

    def parts(self, turn: np.ndarray, weights: Callable[[np.ndarray], np.ndarray]) -> tuple[Parts, ...]:
        """G, G X G with X = `turn` (2, 2) on every site, G Y G with Y = u W(z) u^dag: one after the other,
        all in one function or, where all at a time would be three times the memory, one in each."""
        device, states = self.device, self.device.levels[1]
        x = states.conj().T @ np.kron(np.eye(device.size // 2), turn) @ states
        return (
            self.green,
            lambda z: device.level_green(z).sandwich(x)[:, None],
            lambda z: device.level_green(z).between(device.level_vectors, weights(z))[:, None],
        )

    def columns(self, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """G u at real energies origin + offset."""
        return self.device.retarded_columns(origin, offset)

    def on_all_sites(self, columns: np.ndarray) -> np.ndarray:
        """G u on the sites, (n, N, 2, Q), of what `columns` gave."""
        columns = self.device.levels[1] @ columns
        return columns.reshape(len(columns), -1, 2, columns.shape[-1])

    def spectral(self, columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """G u W (G u)^dag, (n, ...), of what `columns` gave and weights (n, Q) or (n, Q, Q)."""
        return weighted(columns, weights) @ adjoint(columns)

    def on_ends(self, matrices: np.ndarray) -> np.ndarray:
        """All that lead currents take of F (n, parts, ...), (n, parts, d, d)."""
        return matrices

    def columns_on_ends(self, columns: np.ndarray) -> np.ndarray:
        """The same of G u, (n, d, Q)."""
        return columns

    def window(self, lower: float, upper: float, jumps: np.ndarray) -> Window:
        """Panels of the real axis; WindowTooNarrow where this view does not resolve a resonance."""
        return window_panels(self.device, lower, upper, jumps)

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

    def green(self, z: np.ndarray) -> np.ndarray:
        return self.chain.local_blocks(z)

    def parts(self, turn: np.ndarray, weights: Callable[[np.ndarray], np.ndarray]) -> tuple[Parts, ...]:
        def all_three(z: np.ndarray) -> np.ndarray:
            x = np.empty((2, self.chain.n_sites, 2, 2, z.size), dtype=complex)
            x[0], x[1] = turn[:, :, None], self.chain.on_lead_sites(weights(z))
            return self.chain.local_blocks(z, x)

        return (all_three,)

    def columns(self, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        return self.chain.columns(origin + offset)

    def on_all_sites(self, columns: np.ndarray) -> np.ndarray:
        return columns.transpose(3, 0, 1, 2)

    def spectral(self, columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
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

    def on_ends(self, matrices: np.ndarray) -> np.ndarray:
        count = self.sites.size
        out = np.zeros((*matrices.shape[:2], count, 2, count, 2), dtype=complex)
        for k, site in enumerate(self.sites):
            out[:, :, k, :, k] = matrices[:, :, site]
        return out.reshape(*matrices.shape[:2], 2 * count, 2 * count)

    def columns_on_ends(self, columns: np.ndarray) -> np.ndarray:
        own = columns[self.sites]
        return own.reshape(-1, *own.shape[2:]).transpose(2, 0, 1)

    def window(self, lower: float, upper: float, jumps: np.ndarray) -> Window:
        window = chain_window(self.chain, lower, upper, jumps)
        if window is None:
            raise WindowTooNarrow("a resonance in the window is narrower than the recursion resolves")
        return window

    def on_sites(self, matrix: np.ndarray) -> LocalDensityMatrix:
        return LocalDensityMatrix.unpack(matrix)


def spin_operators(vectors: np.ndarray) -> np.ndarray:
    """O v for O = 1, sigma_x, sigma_y, sigma_z, (4, 2N, n), for columns v (2N, n)."""
    operators = np.concatenate([np.eye(2)[None], PAULI])
    spinors = vectors.reshape(-1, 2, vectors.shape[-1])
    return np.einsum("ost,itq->oisq", operators, spinors).reshape(4, *vectors.shape)
